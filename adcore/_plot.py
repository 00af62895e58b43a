"""Pictures of programs: graphs in the language of Graphviz, drawn by its `dot` if it is there."""

import shutil
import subprocess
from collections import Counter
from pathlib import Path

from . import _core
from ._look import guard_text, origins_of, place, source_of

MOST_NODES = 300  # a picture of more is folded
_TEXTS = {".dot", ".gv"}
_DRAWN = {".svg": "svg", ".png": "png", ".pdf": "pdf"}

_HEAD = """digraph "{name}" {{
  graph [rankdir=TB, ranksep=0.35, nodesep=0.25, fontname="Helvetica"];
  node [shape=box, style="rounded,filled", fillcolor="#f4f4f0", color="#8a8a80",
        fontname="Helvetica", fontsize=10, margin="0.10,0.05"];
  edge [color="#606060", arrowsize=0.6, fontname="Helvetica", fontsize=9];
"""
_STYLES = {
    "input": 'fillcolor="#d6e6f5", color="#4a7ba6"',
    "output": 'fillcolor="#dcefd9", color="#5a8f52"',
    "guard": 'shape=diamond, style=filled, fillcolor="#f7e0c8", color="#b5803c"',
}


class Plot(str):
    """A graph as a text that Graphviz reads; notebooks show it drawn.

    `nodes` tells what an operation in it stands for: "instruction", "line" or "function".
    """

    __slots__ = ("nodes",)

    def __new__(cls, text, nodes):
        """A text, and what its nodes are."""
        plot = super().__new__(cls, text)
        plot.nodes = nodes
        return plot

    def _repr_svg_(self):
        return drawn(self, "svg").decode() if shutil.which("dot") else None

    def save(self, path):
        """Write it to a file: .dot and .gv as text, .svg, .png and .pdf drawn."""
        path = Path(path)
        end = path.suffix.lower()
        if end in _TEXTS:
            path.write_text(self, encoding="utf-8")
        elif end in _DRAWN:
            path.write_bytes(drawn(self, _DRAWN[end]))
        else:
            raise ValueError(
                f"a picture is written as {', '.join(sorted(_TEXTS | set(_DRAWN)))}, "
                f"not as {path.name!r}"
            )


def drawn(text, form):
    """The picture of a graph, in bytes."""
    dot = shutil.which("dot")
    if dot is None:
        raise FileNotFoundError(
            f"a picture as {form} is drawn by Graphviz, whose program 'dot' is not on the path: "
            "install the package graphviz of your system, or write a .dot file"
        )
    run = subprocess.run([dot, f"-T{form}"], input=text.encode(), capture_output=True, check=False)
    if run.returncode:
        raise RuntimeError(f"dot could not draw the graph: {run.stderr.decode().strip()}")
    return run.stdout


def plot(name, program, most=MOST_NODES):
    """The Plot of a program; one of more than `most` instructions is folded by line or function."""
    code, length, _, _ = _core.program_instrs(program)
    origins, index = origins_of(program)
    n, n_inputs, n_outputs = len(code), len(program.input_shapes), len(program.output_shapes)
    index = index.tolist()
    if n <= most:
        nodes, key = "instruction", list(range(n))
    else:
        nodes, key = "line", [origins[j][:2] for j in index]
        if len(set(key[n_inputs:])) > most:
            nodes, key = "function", [(origins[j][0], origins[j][2]) for j in index]
    names = [_core.op_text(int(c)) for c in code]
    # an input is a node of its own in any case; readers beyond the instructions are what comes out
    where = [("input", k) for k in range(n_inputs)] + key[n_inputs:]
    where += [("output", k) for k in range(n_outputs)]
    where += [("guard", k) for k in range(len(program.guards))]
    members = {}
    for i in range(n_inputs, n):
        members.setdefault(key[i], []).append(i)

    lines = [_HEAD.format(name=_escaped(name))]
    ids = {}
    for k, shape in enumerate(program.input_shapes):
        _node(lines, ids, ("input", k), [f"input {k}", _shape(shape)], "input")
    for at, instrs in members.items():
        if nodes == "instruction":
            i = instrs[0]
            texts = [_op(names[i], int(length[i])), _at(origins[index[i]])]
        else:
            texts = _folded(nodes, origins[index[instrs[0]]], [names[i] for i in instrs])
        _node(lines, ids, at, texts, None)
    for k, shape in enumerate(program.output_shapes):
        _node(lines, ids, ("output", k), [f"output {k}", _shape(shape)], "output")
    for k, (kind, file, line, _, expected) in enumerate(program.guards):
        texts = [guard_text(kind, expected), place(file, line)]
        _node(lines, ids, ("guard", k), texts, "guard")
    lines.extend(_edges(program, where, ids))
    lines.append("}")
    return Plot("\n".join(lines) + "\n", nodes)


def _edges(program, where, ids):
    """An edge per pair of nodes, with how many reads it stands for if they are many."""
    start, source = (a.tolist() for a in _core.program_graph(program))
    reads = Counter()
    for r, reader in enumerate(where):
        for i in source[start[r] : start[r + 1]]:
            if where[i] != reader:
                reads[where[i], reader] += 1
    for (a, b), n in reads.items():
        label = f' [label="{n}"]' if n > 1 else ""
        yield f"  {ids[a]} -> {ids[b]}{label};"


def _node(lines, ids, at, texts, style):
    ids[at] = f"n{len(ids)}"
    label = "\\n".join(_escaped(text) for text in texts if text)
    more = f", {_STYLES[style]}" if style else ""
    lines.append(f'  {ids[at]} [label="{label}"{more}];')


def _folded(nodes, origin, names):
    """The label of many instructions."""
    file, line, function = origin
    counts = Counter(names).most_common()
    ops = ", ".join(f"{name} {n}" if n > 1 else name for name, n in counts[:6])
    more = f", {len(counts) - 6} more" if len(counts) > 6 else ""
    if nodes == "function":
        return [function or "(function not known)", ops + more]
    return [place(file, line), _short(source_of(file, line)), ops + more]


def _op(name, n):
    return name if n == 1 else f"{name} \N{MULTIPLICATION SIGN}{n}"


def _at(origin):
    file, line, _ = origin
    return place(file, line) if file else ""


def _shape(shape):
    return str(shape) if shape else ""


def _short(text, most=48):
    return text if len(text) <= most else text[: most - 3] + "..."


def _escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"')
