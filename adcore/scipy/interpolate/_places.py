"""What all interpolators do: arguments, places among knots, axes."""

import math

import numpy as np

from ... import _calls, _core
from ..._core import Dual, Tensor
from ..._trees import shape_of
from ...rules.indices import Index
from ...rules.primitives import below, reshape, transpose, values
from ...rules.shapes import moveaxis
from ...rules.table import is_traced
from .._leaves import array


def traced(*items):
    """Whether any of the items is, or has in its lists, a tensor or a dual."""
    return is_traced(items)


def same(x):
    """What an interpolator of tensors makes arrays with: nothing."""
    return x


def moved_first(y, axis):
    """(y with an axis first, that axis counted from the front)."""
    ndim = len(shape_of(y))
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} is out of bounds for array of dimension {ndim}")
    axis %= ndim
    return (moveaxis(y, axis, 0) if axis else y), axis


class Origin:
    """What an interpolant was made of, and SciPy's own of the same numbers.

    Where functions close over an interpolant, copies of it stand for it that are made of other
    tensors or numbers, while this stays: SciPy's own is not theirs.
    """

    def __init__(self, plain, *parts):
        self.plain, self.parts = plain, parts

    def is_of(self, *parts):
        """Whether an interpolant is made of these very parts."""
        return all(a is b for a, b in zip(self.parts, parts, strict=True))


def as_leaf(x):
    """A place or an array of them, not copied if it need not be converted."""
    kind = type(x)
    if kind is Tensor or kind is Dual or (kind is np.ndarray and x.dtype == np.float64):
        return x
    return array(x, "a place")


def flat(x):
    """(x with one dimension, the shape it had)."""
    x = array(x, "a place")
    return reshape(x, (-1,)), shape_of(x)


def finished(out, x_shape, axis):
    """Values of shape (number of places, *rest), with the places' axes where y had its axis."""
    rest = shape_of(out)[1:]
    out = reshape(out, (*x_shape, *rest))
    n = len(x_shape)
    if axis == 0 or n == 0:
        return out
    order = [*range(n, n + axis), *range(n), *range(n + axis, n + len(rest))]
    return transpose(out, tuple(order))


def unfinished(ct, x_shape, axis):
    """The transpose of finished(), for numbers: of shape (number of places, others in a row)."""
    n = len(x_shape)
    if axis and n:
        ct = np.moveaxis(ct, range(axis, axis + n), range(n))
    return np.reshape(ct, (math.prod(x_shape), -1))


# Among fewer places than these, their order does not matter for how long it takes to find them.
_MANY = 200


def order_of(x):
    """The places in an order in which they are found one after the other; None if they are so."""
    if x.size < _MANY or (x[1:] >= x[:-1]).all():
        return None
    return x.argsort()


def put_back(found, order):
    """Results, in the first axis, of places in the order that order_of() gave."""
    if order is None:
        return found
    out = np.empty_like(found)
    out[order] = found
    return out


def in_order(f, x, axis=0):
    """SciPy's f(x), the places of a vector one after the other; its results are in an axis."""
    order = order_of(x) if axis == 0 and isinstance(x, np.ndarray) and x.ndim == 1 else None
    return f(x) if order is None else put_back(f(x[order]), order)


def scattered(g, i, n):
    """The transpose of rows -> rows[i], with n rows, for numbers."""
    return scattered_each(g[None], i, n)[0]


def scattered_each(g, i, n):
    """The same of several arrays of rows."""
    k, _, m = g.shape
    at = i if m == 1 else (i * m)[:, None] + np.arange(m)
    if k > 1:
        at = at.reshape(1, -1) + np.arange(0, k * n * m, n * m)[:, None]
    return np.bincount(at.reshape(-1), g.reshape(-1), k * n * m).reshape(k, n, m)


def place(knots, x, side="right"):
    """Where x would stand among sorted knots: plain integers, or an Index while compiling."""
    return np.searchsorted(_bare(knots), _bare(x), side=side)


def _bare(x):
    return below(x) if type(x) is Dual else x


def take(x, i, axis=0):
    """Elements of an array, a Tensor or a Dual along an axis (0 or 1), at computed places."""
    if type(i) is Index and type(x) is np.ndarray:
        x = _core.tensor(x)
    return x[i] if axis == 0 else x[:, i]


def columns(x, ndim):
    """A vector with dimensions of one element behind it, `ndim` in all."""
    return reshape(x, (*shape_of(x), *[1] * (ndim - 1)))


def over(a, b):
    """The quotient, and 0 where b is 0."""
    zero = b == 0.0
    return np.where(zero, 0.0, a / np.where(zero, 1.0, b))


def increasing(x, what="`x` must be strictly increasing sequence."):
    """Check that a vector of numbers increases."""
    if not bool(np.all(below(x[1:] - x[:-1]) > 0.0)):
        raise ValueError(what)


def finite(x, name):
    """Check that numbers are finite."""
    if not np.all(np.isfinite(values(x))):
        raise ValueError(f"`{name}` must contain only finite values.")


def numbers(x):
    """The numbers of anything, without a guard on them: for what the result does not depend on."""
    while type(x) is Dual:
        x = x.value
    return np.asarray(_calls.plain(x))
