"""The functions of scipy.signal that have rules, and what they check in common."""

import functools
import inspect

import numpy as np
import scipy.signal as _scipy

from ..._core import is_complex
from ...complexes.arrays import bilinear
from ...errors import NotDifferentiableError
from ...rules.primitives import as_array, axis_of
from .._surface import with_plain
from .._valued import Whole

functions = {}  # name -> function of numbers, arrays, tensors and duals
# Products of two arrays, which of complex ones are four, and which array enters as its conjugate.
_PRODUCTS = {"convolve": None, "correlate": 1, "fftconvolve": None, "oaconvolve": None}


def rule(function=None, *, tracked=None, constant="", adjoints=None, linear=None):
    """Let `function` answer SciPy's of its name where an argument is a tensor or a dual.

    If arguments are named, a call of these alone is recorded as one call of SciPy's: see Whole.
    """
    if function is None:
        return functools.partial(
            rule, tracked=tracked, constant=constant, adjoints=adjoints, linear=linear
        )
    name = function.__name__
    plain = getattr(_scipy, name)

    @functools.wraps(plain)  # for its signature
    def of_reals(*args, **kwargs):
        if is_complex(args) or (kwargs and is_complex(tuple(kwargs.values()))):
            if name in _PRODUCTS:
                given = inspect.signature(plain).bind(*args, **kwargs)
                return bilinear(public, _PRODUCTS[name])(*given.args, **given.kwargs)
            raise NotDifferentiableError(
                f"scipy.signal.{name} of a complex tensor has no rule; call it for real and "
                "imaginary parts"
            )
        return function(*args, **kwargs)

    public = with_plain(of_reals, plain)
    if tracked is not None:
        public = Whole(plain, function, public, tracked, constant, adjoints, linear)
    functions[name] = public
    return public


def along_last(x, axis):
    """An array with an axis moved to the end, and the function that moves it back."""
    x = as_array(x)
    axis = axis_of(axis, len(x.shape))
    if axis == len(x.shape) - 1:
        return x, lambda y: y
    return np.moveaxis(x, axis, -1), lambda y: np.moveaxis(y, -1, axis)
