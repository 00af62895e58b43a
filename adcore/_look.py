"""What summaries, profiles and pictures of compiled functions share."""

import linecache
import os

import numpy as np

from . import _core

# Derivatives by the names of the methods that use them, as the derivations that lead there.
_CHAINS = {
    "grad": ("grad",),
    "value_and_grad": ("value_and_grad",),
    "hessian": ("hessian",),
    "value_grad_and_hessian": ("value_grad_and_hessian",),
    "jacobian": ("jacobian",),
    "jvp": ("value_and_jvp",),
    "vjp": ("vjp",),
    "hvp": ("grad", "value_and_jvp"),
}
_OF_SCALARS = {"grad", "value_and_grad", "hessian", "value_grad_and_hessian", "hvp"}


def derivation(path, derivative, wanted, inputs):
    """(program, inputs) of a derivative of a path by its name; None is the value.

    The directions of jvp and hvp, and the cotangents of vjp, are ones.
    """
    if derivative is None:
        return path.program, inputs
    if derivative not in _CHAINS:
        raise ValueError(f"derivative is one of {', '.join(_CHAINS)}, or None; not {derivative!r}")
    if derivative in _OF_SCALARS:
        path.check_scalar(derivative, f"{path.name}.jacobian")
    program = path.program
    for kind in _CHAINS[derivative]:
        program = program.derived(kind, wanted)
    seeds = [np.ones(inputs[k].shape) for k in wanted]
    if derivative == "vjp":
        seeds = [np.ones(shape) for shape in path.program.output_shapes]
    return program, [*inputs, *(seeds if derivative in ("jvp", "vjp", "hvp") else ())]


def place(file, line):
    """The text file:line, the file relative to the working directory where that is shorter."""
    if not file:
        return "(line not known)"
    try:
        near = os.path.relpath(file)
    except ValueError:  # on another drive
        near = file
    return f"{min(near, file, key=len)}:{line}"


def source_of(file, line):
    """The text of a line of code, without its indentation; "" if there is none."""
    return linecache.getline(file, line).strip() if file else ""


def origins_of(program):
    """(file, line, function) of each instruction, as a list of these and an index per instruction.

    What has no line of its own, as adjoints that are added up where an input is reached, has that
    of the last instruction it reads.  The last of the list stands for what is not known.
    """
    known = _core.program_origins(program)
    index = _core.program_instrs(program)[2].astype(np.int64)
    missing = np.flatnonzero(index < 0)
    start, source = _core.program_graph(program) if missing.size else (None, None)
    for i in missing.tolist():
        read = source[start[i] : start[i + 1]]
        index[i] = index[read.max()] if read.size else -1
    index[index < 0] = len(known)
    return [*known, ("", 0, "")], index


def guard_text(kind, expected):
    """What Python saw at a guard."""
    if kind == "truth":
        return f"truth, {bool(expected[0])}"
    if kind == "mask":
        return f"mask of {expected.size}, {int(np.count_nonzero(expected))} true"
    if expected.size == 1:
        return f"value, {float(expected[0])!r}"
    return f"value, {expected.size} numbers"


def aligned(rows, left=()):
    """Rows of texts as lines, columns padded to the right, those in `left` to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if i in left else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
