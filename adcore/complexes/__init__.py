"""Complex arrays under differentiation: pairs of real tensors or duals.

Complex(re, im) stands for re + i im and answers NumPy's operators, ufuncs and functions; everything
it does is real operations on its two parts, so that both modes, every order and compiled functions
hold without a rule more.  An elementwise function of arrays is recorded as one instruction which
knows the operations that it is made of: see _complex.pxi and ad_formula.h.  Where nothing in a
result is a tensor it is NumPy's own complex array.

Imported when a complex number first meets a tensor or a dual.
"""

from . import arrays, elementwise, linalg
from .dispatch import apply_function, apply_ufunc, op_on_complex, power
from .pairs import Complex, assign, both, pair, parts, stacked, tensor

__all__ = [
    "Complex",
    "apply_function",
    "apply_ufunc",
    "arrays",
    "assign",
    "both",
    "elementwise",
    "linalg",
    "op_on_complex",
    "pair",
    "parts",
    "power",
    "stacked",
    "tensor",
]
