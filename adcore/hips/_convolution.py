"""autograd.scipy.signal.convolve: SciPy's along some axes, sums of products along others."""

import math

from .._trees import shape_of
from ..rules.primitives import as_array, reshape, sum_axes, transpose
from ..scipy import signal


def convolve(A, B, axes=None, dot_axes=((), ()), mode="full"):
    """The convolution of A and B along pairs of axes.

    Without axes it is SciPy's convolve.  With axes=(of A, of B) it is along these; along the pairs
    of dot_axes the products are summed, and all other axes of A, then of B, come first in the
    result, before those of the convolution.
    """
    if axes is None:
        if any(dot_axes):
            raise ValueError("convolve: dot_axes needs axes, which all others are convolved along")
        return signal.convolve(A, B, mode)
    A, B = as_array(A), as_array(B)
    (along_a, along_b), (dot_a, dot_b) = (
        [[axis % len(shape_of(x)) for axis in some] for x, some in zip((A, B), pair, strict=True)]
        for pair in (axes, dot_axes)
    )
    if len(along_a) != len(along_b) or len(dot_a) != len(dot_b):
        raise ValueError("convolve: axes, and dot_axes, are as many of A as of B")
    rest_a, rest_b = _rest(A, along_a + dot_a), _rest(B, along_b + dot_b)
    first, n_dot = len(rest_a) + len(rest_b), len(dot_a)
    a = _arranged(A, [*rest_a, *([None] * len(rest_b)), *dot_a, *along_a])
    b = _arranged(B, [*([None] * len(rest_a)), *rest_b, *dot_b, *along_b])
    out = _convolved(a, b, range(first + n_dot, first + n_dot + len(along_a)), mode)
    return sum_axes(out, tuple(range(first, first + n_dot))) if n_dot else out


def _convolved(a, b, axes, mode):
    """The convolution along some axes, or none, of arrays that broadcast along the others."""
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"convolve: mode is 'full', 'same' or 'valid', got {mode!r}")
    if not axes:
        return a * b
    if mode != "same":
        return signal.fftconvolve(a, b, mode, axes=tuple(axes))
    # SciPy's own mode "same" would cut the other axes too, to the lengths of a.
    key = [slice(None)] * len(shape_of(a))
    for axis in axes:
        start = (shape_of(b)[axis] - 1) // 2
        key[axis] = slice(start, start + shape_of(a)[axis])
    return signal.fftconvolve(a, b, "full", axes=tuple(axes))[tuple(key)]


def _rest(x, taken):
    return [axis for axis in range(len(shape_of(x))) if axis not in taken]


def _arranged(x, order):
    """X with its axes in an order in which None stands for a new one of length 1."""
    shape = [1 if axis is None else shape_of(x)[axis] for axis in order]
    moved = transpose(x, tuple([axis for axis in order if axis is not None]))
    assert math.prod(shape) == math.prod(shape_of(x)), "every axis has a place"
    return reshape(moved, tuple(shape))
