"""The elementwise functions, one per row of the op table.

Each takes floats, NumPy arrays, tensors and duals alike, and is a method of Tensor and the meaning
of the NumPy or SciPy ufunc that its row names.
"""

from . import _core

_VARIABLES = ("x", "z", "w")


def _signature(op):
    names = ", ".join(_VARIABLES[: op.n_args])
    return f"n, {names}" if op.family else names


def _doc(op):
    """The docstring of a row's function: what it computes, its derivatives, a running example."""
    point = [0.5 if lo < 0.5 < hi else lo + 0.5 for lo, hi in op.domain]
    value = _core.apply(op.name, *point)
    call = ", ".join(map(repr, point))
    lines = [
        f"{op.name}({_signature(op)}), elementwise: {op.ufunc} of NumPy or scipy.special.",
        "",
        "Takes numbers, arrays, tensors and duals, and broadcasts.",
        "",
    ]
    for name, text in zip(_VARIABLES, op.partial_text, strict=False):
        lines.append(f"The derivative with respect to {name} is ``{text}``, y being the value.")
    if op.family:
        lines.append("The function is the n-th of its family, n = 0 if it is left out; p is n.")
    lines += ["", "Examples", "--------", ">>> import adcore", f">>> adcore.{op.name}({call})"]
    lines.append(repr(float(value)))
    return "\n".join(lines)


functions = {op.name: _core.make_function(op, _doc(op)) for op in _core.OPS if not op.hidden}
for _op in _core.OPS:
    _op.function = functions.get(_op.name)
_core.add_methods(functions)
globals().update(functions)
__all__ = [*functions]
