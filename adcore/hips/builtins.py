"""autograd's containers, which here are Python's own, and its isinstance and type.

A tensor or a dual counts as what it stands for: a float, or an array.
"""

import builtins

import numpy as np

from .._core import Dual, Tensor
from .._trees import shape_of

tuple = builtins.tuple
list = builtins.list
dict = builtins.dict


def isbox(x):
    """Whether `x` stands for a number that is being differentiated."""
    return builtins.type(x) is Tensor or builtins.type(x) is Dual or _is_complex_box(x)


def _is_complex_box(x):
    return getattr(builtins.type(x), "__complex_pair__", False)


def type(x):
    """The type of a value; of a tensor or a dual, that of the numbers it stands for."""
    if not isbox(x):
        return builtins.type(x)
    if shape_of(x):
        return np.ndarray
    return np.complex128 if _is_complex_box(x) else np.float64  # which are complex and float too


def isinstance(x, classinfo):
    """Whether a value is of a class; tensors and duals are also of what they stand for."""
    return builtins.isinstance(x, classinfo) or (isbox(x) and issubclass(type(x), classinfo))
