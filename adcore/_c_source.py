"""C files of programs: the functions that the core writes, with all that they need beside them."""

import re
from importlib.metadata import version
from pathlib import Path

from . import _core

# What special functions call, of the sources of the core, in the order of their includes.
SPECIAL = ("ad_elementary.h", "ad_gamma.h", "ad_normal.h", "ad_special.h", "ad_special.c")


class CSource:
    """One self-contained C99 file, and its header.

    Attributes
    ----------
    source, header : str
        The texts of ``name.c`` and ``name.h``.
    name : str
    functions : dict of str
        What is computed -> the name of its C function.
    """

    def __init__(self, name, source, header, functions):
        self.name, self.source, self.header, self.functions = name, source, header, functions

    def __repr__(self):
        return f"<C of {self.name}: {', '.join(self.functions.values())}>"

    def write(self, folder="."):
        """Write ``name.c`` and ``name.h`` into a folder; returns their paths."""
        paths = [Path(folder) / f"{self.name}.{end}" for end in "ch"]
        for path, text in zip(paths, (self.source, self.header), strict=True):
            path.write_text(text)
        return paths


def c_name(text):
    """A name that C allows, made of any."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return name if re.match(r"[A-Za-z]", name) else f"f_{name}"


def c_source(name, programs):
    """The CSource of programs, a dict from what is computed to (program, what it is in words)."""
    functions, texts, declared = {}, [], []
    used = None
    for what, (program, words) in programs.items():
        function = functions[what] = f"{name}_{what}"
        text, n_work, ops = program.as_c(function)
        used = ops if used is None else bytes(a | b for a, b in zip(used, ops, strict=True))
        texts.append(text)
        declared.append(_declaration(function, program, words, n_work))
    title = f"{name}: written by adcore {version('adcore')}"
    guard = f"{name.upper()}_H"
    header = (
        f"/* {title}.\n{_MANUAL} */\n#ifndef {guard}\n#define {guard}\n\n"
        f"#ifdef __cplusplus\nextern {_open}\n#endif\n\n"
        + "\n".join(declared)
        + f"\n#ifdef __cplusplus\n{_close}\n#endif\n\n#endif\n"
    )
    prototypes = [
        f"int {f}(const double *const *inputs, double *const *outputs, double *work);\n"
        for f in functions.values()
    ]
    parts = [f"/* {title}: see {name}.h. */\n", helpers(used), "".join(prototypes), *texts]
    return CSource(name, "\n".join(parts), header, functions)


_open, _close = '"C" {', "}"

_MANUAL = """ *
 * inputs[k] and outputs[k] are arrays of doubles in C order; no output overlaps an input or another
 * output.  'work' has as many doubles as the function's _WORK says, of any value.  A function
 * returns -1, or the number of the first decision that the recorded program took otherwise: then
 * the outputs do not count.  Functions keep no state, so that any number of threads may call them,
 * each with a 'work' of its own.
"""


def _declaration(function, program, words, n_work):
    lines = [f"/* {words}", " *"]
    for what, shapes in (("inputs", program.input_shapes), ("outputs", program.output_shapes)):
        for k, shape in enumerate(shapes):
            lines.append(f" *   {what}[{k}]   {f'shape {shape}' if shape else 'a number'}")
    for k, (kind, file, line, where, _) in enumerate(program.guards):
        lines.append(f" *   decision {k}: {kind} at {Path(file).name}:{line} in {where}")
    lines = [line.replace("*/", "* /") for line in lines]
    return (
        "\n".join(lines) + " */\n"
        f"enum {{ {function.upper()}_WORK = {max(n_work, 1)} }};\n"
        f"int {function}(const double *const *inputs, double *const *outputs, double *work);\n"
    )


def helpers(used, loops=False):
    """What functions that call these ops need before them; see _core.ops_as_c() for `loops`."""
    ops = _core.ops_as_c(used, loops)
    special = re.search(r"\bad_(?!if\b|loop)", ops)
    parts = ["#define _DEFAULT_SOURCE /* lgamma_r */\n"] if special else []
    parts.append(_text("ad_c_runtime.h"))
    if special:
        parts += [_text(name) for name in SPECIAL]
    return "\n".join([*parts, ops])


def _text(name):
    """A source of the core as part of a file: nothing of it is seen from outside."""
    here = Path(__file__).parent
    folder = here / "_c_texts"
    text = ((folder if folder.is_dir() else here.parent / "src_c") / name).read_text()
    text = re.sub(r'^#include "[^"]+"\n', "", text, flags=re.MULTILINE)
    text = re.sub(r"^#define _DEFAULT_SOURCE.*\n", "", text, flags=re.MULTILINE)
    return re.sub(
        r"^(?:static )?(?:inline )?(double ad_|double \w+\()",
        r"static inline \1",
        text,
        flags=re.MULTILINE,
    )
