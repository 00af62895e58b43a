"""Integrals of samples, y at given x or evenly spaced: sums, written in adcore's operations."""

import math

import numpy as np
import scipy.integrate as _scipy

from ..._trees import shape_of
from ...errors import NotDifferentiableError
from ...rules.choices import where
from ...rules.primitives import as_array, axis_of, broadcast_to, concatenate, cumsum_last, reshape
from ...rules.shapes import moveaxis
from .._surface import with_plain


def _of_samples(rule):
    """SciPy's function of the same name for plain samples, and `rule` for tensors and duals."""
    doc = f"scipy.integrate.{rule.__name__}, differentiable in y, x and dx."
    return with_plain(rule, getattr(_scipy, rule.__name__), doc)


def _last(x, axis):
    """`x` with an axis moved to the end; a copy of nothing if it is there."""
    ndim = len(shape_of(x))
    axis = axis_of(axis, ndim)
    return x if axis == ndim - 1 else moveaxis(x, axis, -1)


def _back(x, axis, ndim):
    axis = axis_of(axis, ndim)
    return x if axis == ndim - 1 else moveaxis(x, -1, axis)


def _samples(y, x, axis):
    """(y, x) with the axis of integration last; x has one dimension, or those of y, or is None."""
    y = as_array(y)
    if not shape_of(y):
        raise ValueError("samples need at least one dimension, got a number")
    moved = _last(y, axis)
    if x is None:
        return moved, None
    x = as_array(x)
    if len(shape_of(x)) == 1:
        if shape_of(x)[0] != shape_of(moved)[-1]:
            raise ValueError("If given, length of x along axis must be the same as y.")
        return moved, x
    if len(shape_of(x)) != len(shape_of(y)):
        raise ValueError("If given, shape of x must be 1-D or the same as y.")
    x = _last(broadcast_to(x, shape_of(y)) if shape_of(x) != shape_of(y) else x, axis)
    return moved, x


def _steps(x):
    return x[..., 1:] - x[..., :-1]


def _over(a, b):
    """The quotient, and 0 where b is 0, as SciPy has it for samples at one place."""
    safe = where(b == 0.0, 1.0, b)
    return where(b == 0.0, 0.0, a / safe)


@_of_samples
def trapezoid(y, x=None, dx=1.0, axis=-1):
    y, x = _samples(y, x, axis)
    steps = dx if x is None else _steps(x)
    return (steps * (y[..., 1:] + y[..., :-1]) / 2.0).sum(-1)


@_of_samples
def cumulative_trapezoid(y, x=None, dx=1.0, axis=-1, initial=None):
    ndim = len(shape_of(y))
    y, x = _samples(y, x, axis)
    if shape_of(y)[-1] == 0:
        raise ValueError("At least one point is required along `axis`.")
    if initial is not None and (not np.isscalar(initial) or initial != 0):
        raise ValueError("`initial` must be `None` or `0`.")
    steps = dx if x is None else _steps(x)
    found = cumsum_last(steps * (y[..., 1:] + y[..., :-1]) / 2.0)
    if initial is not None:
        found = concatenate([np.zeros((*shape_of(found)[:-1], 1)), found], len(shape_of(found)) - 1)
    return _back(found, axis, ndim)


def _basic_simpson(y, x, dx):
    """Simpson's rule over an odd number of samples."""
    left, middle, right = y[..., :-2:2], y[..., 1:-1:2], y[..., 2::2]
    if x is None:
        return (left + 4.0 * middle + right).sum(-1) * (dx / 3.0)
    h = _steps(x)
    h0, h1 = h[..., ::2], h[..., 1::2]
    both, ratio = h0 + h1, _over(h0, h1)
    parts = (
        left * (2.0 - _over(1.0, ratio))
        + middle * (both * _over(both, h0 * h1))
        + right * (2.0 - ratio)
    )
    return (both / 6.0 * parts).sum(-1)


@_of_samples
def simpson(y, x=None, *, dx=1.0, axis=-1):
    y, x = _samples(y, x, axis)
    n = shape_of(y)[-1]
    if n % 2:
        return _basic_simpson(y, x, dx)
    if n == 2:
        step = dx if x is None else x[..., 1] - x[..., 0]
        return 0.5 * step * (y[..., 1] + y[..., 0])
    # The last interval of an even number of samples, by the parabola through the last three:
    # J. Cartwright, Simpson's Rule Cumulative Integration with MS Excel and Irregularly-spaced
    # Data, J. Math. Sci. and Math. Education 12 (2).
    found = _basic_simpson(y[..., :-1], None if x is None else x[..., :-1], dx)
    h0 = dx if x is None else x[..., -2] - x[..., -3]
    h1 = dx if x is None else x[..., -1] - x[..., -2]
    alpha = _over(2.0 * h1**2 + 3.0 * h0 * h1, 6.0 * (h1 + h0))
    beta = _over(h1**2 + 3.0 * h0 * h1, 6.0 * h0)
    eta = _over(h1**3, 6.0 * h0 * (h0 + h1))
    return found + alpha * y[..., -1] + beta * y[..., -2] - eta * y[..., -3]


def _parabolas(y, h0, h1, even):
    """Integrals over the first interval of each three samples, of the parabola through them."""
    y0, y1, y2 = y[..., :-2], y[..., 1:-1], y[..., 2:]
    if even:
        return h0 / 3.0 * (5.0 * y0 / 4.0 + 2.0 * y1 - y2 / 4.0)
    share = h0 / (h0 + h1)
    bend = share * (h0 / h1)
    return h0 / 6.0 * ((3.0 - share) * y0 + (3.0 + bend + share) * y1 - bend * y2)


@_of_samples
def cumulative_simpson(y, *, x=None, dx=1.0, axis=-1, initial=None):
    ndim = len(shape_of(y))
    shape = shape_of(y)
    if len(shape) == 0 or not -ndim <= axis < ndim:
        raise ValueError(f"`axis={axis}` is not valid for `y` with `y.ndim={ndim}`.")
    if shape[axis] < 3:
        found = _last(as_array(cumulative_trapezoid(y, x, dx=dx, axis=axis)), axis)
    else:
        y, x = _samples(y, x, axis)
        if x is None:
            if shape_of(dx) and shape_of(dx)[axis] != 1:
                raise ValueError("`dx` must be a number or have one point along `axis`")
            h = _last(as_array(dx), axis) if shape_of(dx) else dx
            h = broadcast_to(as_array(h), (*shape_of(y)[:-1], shape_of(y)[-1] - 1))
        else:
            h = _steps(x)
            if np.any(h <= 0.0):
                raise ValueError("Input x must be strictly increasing.")
        first = _parabolas(y, h[..., :-1], h[..., 1:], x is None)
        second = _parabolas(y[..., ::-1], h[..., ::-1][..., :-1], h[..., ::-1][..., 1:], x is None)
        second = second[..., ::-1]
        # Intervals in turn as the first and the second of a parabola's; the last as a second one.
        n = shape_of(second)[-1]
        pairs = [reshape(p, (*shape_of(p), 1)) for p in (first[..., ::2], second[..., ::2])]
        pairs = concatenate(pairs, len(shape_of(y)))
        pairs = reshape(pairs, (*shape_of(y)[:-1], 2 * shape_of(pairs)[-2]))[..., :n]
        found = cumsum_last(concatenate([pairs, second[..., -1:]], len(shape_of(y)) - 1))
    if initial is not None:
        first = as_array(initial)
        if shape_of(first):
            first = _last(first, axis)
        first = broadcast_to(first, (*shape_of(found)[:-1], 1))
        found = concatenate([first, found + first], len(shape_of(found)) - 1)
    return _back(found, axis, ndim)


@_of_samples
def romb(y, dx=1.0, axis=-1, show=False):
    if show:
        raise NotDifferentiableError("romb prints no table of tensors; leave show out")
    y, _ = _samples(y, None, axis)
    n = shape_of(y)[-1] - 1
    if n < 1 or n & (n - 1):
        raise ValueError("Number of samples must be one plus a non-negative power of 2.")
    levels = int(math.log2(n))
    step = dx * float(n)
    row = [(y[..., 0] + y[..., n]) * 0.5 * step]
    for i in range(1, levels + 1):
        stride = n >> i
        step = step / 2.0
        inner = y[..., stride : n : 2 * stride].sum(-1)
        new = [0.5 * (row[0] + 2.0 * step * inner)]
        for j in range(1, i + 1):
            new.append(new[j - 1] + (new[j - 1] - row[j - 1]) / (4.0**j - 1.0))
        row = new
    return row[-1]
