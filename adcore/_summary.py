"""Summaries of compiled functions: what was recorded, and what became of it."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from . import _core
from ._look import aligned, guard_text, origins_of, place


@dataclass(frozen=True)
class Pass:
    """What a pass of the optimiser did: instructions and slots before and after."""

    name: str
    before: tuple
    after: tuple


@dataclass(frozen=True)
class Guard:
    """A decision that Python took, and what it saw."""

    kind: str  # "truth", "mask" or "value"
    file: str
    line: int
    function: str
    expected: np.ndarray

    def __str__(self):
        return f"{place(self.file, self.line)} in {self.function}: " + guard_text(
            self.kind, self.expected
        )


@dataclass(frozen=True)
class ProgramSummary:
    """One program: the value of a path, or a derivative."""

    name: str  # "value", "grad of input 0", ...
    input_shapes: list
    output_shapes: list
    passes: list  # of Pass, in the order in which they ran; empty for a program that was loaded
    ops: dict  # name -> (scalar instructions, array instructions, results) after the passes
    left: dict  # why scalar instructions were not re-rolled -> how many
    rolled: int  # scalar instructions that became vectors
    vectors: int  # how many vectors these became
    lists: int  # operands of the vectors that are lists of slots
    scalars_at: dict  # (file, line) -> scalar instructions after the passes, most first
    steps: dict  # of the plan: runs, words, groups, moves, elements, singles
    nbytes: dict  # plan, frame (of each thread), constants
    edges: tuple | None  # of a sparse Hessian by edges: how many, its cost, and that of lanes

    @property
    def instructions(self):
        """How many there are."""
        return sum(scalars + arrays for scalars, arrays, _ in self.ops.values())

    def lines(self):
        """The text, line by line."""
        yield f"{self.name}: {_shapes(self.input_shapes)} -> {_shapes(self.output_shapes)}"
        yield from ("  " + text for text in self._pass_lines())
        ops = sorted(self.ops.items(), key=lambda item: (-item[1][2], item[0]))
        rows = [("op", "scalar", "array", "results")]
        rows += [(name, *map(_count, counts)) for name, counts in ops]
        yield from ("  " + text for text in aligned(rows, left={0}))
        if self.rolled:
            lists = f", {_many(self.lists, 'operand')} by lists of slots" if self.lists else ""
            yield f"  re-rolled: {_count(self.rolled)} scalars into " + (
                f"{_many(self.vectors, 'vector')}{lists}"
            )
        for reason, n in self.left.items():
            yield f"  not re-rolled: {_many(n, 'scalar')}: {reason}"
        if self.scalars_at:
            shown = [f"{place(*at)} ({_count(n)})" for at, n in list(self.scalars_at.items())[:5]]
            more = len(self.scalars_at) - len(shown)
            shown += [f"{_many(more, 'more line')}"] if more else []
            yield f"  scalars at: {', '.join(shown)}"
        if self.edges:
            n, by_edges, in_lanes = self.edges
            yield (
                f"  entries: by {_many(n, 'edge')}, about {_count(round(by_edges))} numbers; "
                f"in lanes they would take {_count(round(in_lanes))}"
            )
        s = self.steps
        yield (
            f"  plan: {_many(s['runs'], 'run')} of {_many(s['words'], 'word')}, "
            f"{_many(s['groups'], 'group')} of {_many(s['moves'], 'move')} over "
            f"{_many(s['elements'], 'element')}, {_many(s['singles'], 'single')}"
        )
        yield "  memory: " + ", ".join(f"{k} {_bytes(v)}" for k, v in self.nbytes.items())

    def _pass_lines(self):
        if not self.passes:
            return
        first, last = self.passes[0].before, self.passes[-1].after
        rows = [("pass", "instructions", "", "", "slots", "", "")]
        rows += [
            (p.name, *_from_to(p.before[0], p.after[0]), *_from_to(p.before[1], p.after[1]))
            for p in self.passes
            if p.before != p.after
        ]
        rows.append(("all passes", *_from_to(first[0], last[0]), *_from_to(first[1], last[1])))
        yield from aligned(rows, left={0})
        idle = dict.fromkeys(p.name for p in self.passes if p.before == p.after)
        if idle:
            yield f"no change by: {', '.join(idle)}"


@dataclass(frozen=True)
class PathSummary:
    """One way through the function: its guards and its programs."""

    where: str  # which path it is: "first", or where it parts from another
    guards: list  # of Guard
    programs: list  # of ProgramSummary: the value, then derivatives in the order asked for

    def lines(self):
        """The text, line by line."""
        yield f"path: {self.where}"
        for k, guard in enumerate(self.guards):
            yield f"  guard {k}: {guard}"
        for program in self.programs:
            yield from ("  " + text for text in program.lines())


@dataclass(frozen=True)
class KindSummary:
    """All that is known for arguments of one kind."""

    arguments: str
    recorded: int  # how often Python ran the function to record it
    settled: bool  # False: it is run by Python at every call
    paths: list = field(default_factory=list)  # of PathSummary

    def lines(self):
        """The text, line by line."""
        n = len(self.paths)
        yield f"arguments ({self.arguments}): {_many(n, 'path')}, recorded {_times(self.recorded)}"
        if not self.settled:
            yield "  does not settle: run by Python at every call"
        for path in self.paths:
            yield from ("  " + text for text in path.lines())


@dataclass(frozen=True)
class Summary:
    """What a compiled function consists of; str() is a text for reading."""

    name: str
    kinds: list  # of KindSummary

    def __str__(self):
        if not self.kinds:
            return f"compiled {self.name}: not recorded yet; call it, or one of its derivatives"
        lines = [f"compiled {self.name}"]
        for kind in self.kinds:
            lines.extend(kind.lines())
        return "\n".join(lines)

    __repr__ = __str__


def summary(compiled):
    """The Summary of a compiled function as it is now."""
    kinds = []
    for key, paths in list(compiled._by_key.items()):
        found = [_path(path) for path in _tree(paths.root)]
        if found or not paths.settled:
            kinds.append(KindSummary(_arguments(key), paths.recorded, paths.settled, found))
    return Summary(compiled.name, kinds)


def _tree(path):
    """The paths, each before those that part from it."""
    waiting = [path] if path is not None else []
    while waiting:  # chains of paths are long, too long to recurse
        path = waiting.pop()
        yield path
        waiting += reversed(list(path.children.values()))


def _path(path):
    where = "the first that was taken"
    if path.link is not None:
        guard, seen = path.link
        known = path.parent.program.guards
        if guard < len(known):
            kind, file, line, _, _ = known[guard]
            where = f"where {place(file, line)} sees {guard_text(kind, np.frombuffer(seen))}"
        else:
            where = "where a rule of a derivative decides otherwise"
    guards = [Guard(*guard) for guard in path.program.guards]
    return PathSummary(where, guards, list(_programs("value", path.program)))


def _programs(name, program):
    yield _program(name, program)
    found = _core.program_derived(program)
    found = {of: p for of, p in found.items() if type(p) is _core.Program}  # not rows of map()
    for (kind, wanted), derived in found.items():
        of = f" of {name}" if name != "value" else ""
        inputs = "input" if len(wanted) == 1 else "inputs"
        yield from _programs(f"{kind}{of} by {inputs} {', '.join(map(str, wanted))}", derived)


def _program(name, program):
    facts = _core.program_facts(program)
    code, length, _, array = _core.program_instrs(program)
    origins, index = origins_of(program)
    scalar = (array == 0) & (np.arange(len(code)) >= len(program.input_shapes))
    scalars, arrays, results = Counter(), Counter(), Counter()
    for op, of_op in ((int(c), code == c) for c in np.unique(code)):
        text = _core.op_text(op)
        scalars[text] = int(np.count_nonzero(of_op & (array == 0)))
        arrays[text] = int(np.count_nonzero(of_op & (array != 0)))
        results[text] = int(length[of_op].sum(dtype=np.int64))
    return ProgramSummary(
        name,
        program.input_shapes,
        program.output_shapes,
        [Pass(*row) for row in facts["passes"]],
        {text: (scalars[text], arrays[text], results[text]) for text in results},
        facts["left"],
        facts["rolled"],
        facts["vectors"],
        facts["lists"],
        dict(Counter(origins[j][:2] for j in index[scalar].tolist()).most_common()),
        {k: facts[k] for k in ("runs", "words", "groups", "moves", "elements", "singles")},
        {k: facts[f"{k}_bytes"] for k in ("plan", "frame", "constants")},
        program.pushed,
    )


# ---- texts ----


def _arguments(key):
    n_args, names, kinds = key
    texts = [_kind(kind) for kind in kinds]
    named = [f"{name}={text}" for name, text in zip(names, texts[n_args:], strict=True)]
    return ", ".join([*texts[:n_args], *named])


def _kind(kind):
    """What a key says of an argument."""
    if kind == ():
        return "float"
    if all(type(n) is int for n in kind):
        return f"array {kind}"
    if kind[0] in (list, tuple):
        return f"{kind[0].__name__} of {_many(kind[1], 'float')}"
    leaves = [_leaf(leaf) for leaf in kind[1:]]
    return leaves[0] if kind[0] is None else f"container of {', '.join(leaves)}"


def _leaf(leaf):
    if leaf and isinstance(leaf[0], type):
        return repr(leaf[1])
    if len(leaf) == 3 and isinstance(leaf[0], str):
        return f"constant array {leaf[1]}"
    return _kind(leaf)


def _count(n):
    return f"{n:,}".replace(",", " ")


def _from_to(before, after):
    return _count(before), "->", _count(after)


def _many(n, thing):
    return f"{_count(n)} {thing}{'s' * (n != 1)}"


def _times(n):
    return "once" if n == 1 else f"{_count(n)} times"


def _shapes(shapes):
    return ", ".join("number" if shape == () else str(shape) for shape in shapes) or "nothing"


def _bytes(n):
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n} bytes"
