"""Sums, products, extrema and what is made of them; sum, max and min are not the built-ins here."""

import math

import numpy as np

from .. import _core
from ..errors import ShapeError
from . import choices
from .primitives import (
    as_array,
    axes_of,
    axis_of,
    cumprod_last,
    cumsum_last,
    extremum_last,
    norm_last,
    reshape,
    sum_axes,
    transpose,
    values,
)
from .shapes import concatenate, moveaxis
from .table import Tensor, array_function, refuse


@array_function(np.sum, method="sum")
def sum(x, axis=None, dtype=None, out=None, keepdims=False, **others):
    """The sum of the elements, of all or along `axis`.

    Examples
    --------
    >>> adcore.sum(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    array([4., 6.])
    >>> adcore.grad(lambda x: adcore.sum(x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """
    if dtype is not None or out is not None or others:
        x, initial = _chosen("sum", x, 0.0, others, dtype=dtype, out=out)
        if initial is not None:
            return sum(x, axis, keepdims=keepdims) + initial
    if axis is None:
        return sum_axes(as_array(x), None, keepdims)
    x = as_array(x)
    return sum_axes(x, axes_of(axis, x.ndim), keepdims)


@array_function(np.mean, method="mean")
def mean(x, axis=None, dtype=None, out=None, keepdims=False, **others):
    """The arithmetic mean, of all elements or along `axis`.

    Examples
    --------
    >>> adcore.grad(adcore.mean)(np.ones(4))
    array([0.25, 0.25, 0.25, 0.25])
    """
    if dtype is not None or out is not None or others:
        if "initial" in others:
            raise TypeError("mean() got an unexpected keyword argument 'initial'")
        mask = others.get("where", True)
        if mask is not True:
            y, _ = _chosen("mean", x, 0.0, others, dtype=dtype, out=out)
            axes = axes_of(axis, y.ndim)
            found = sum_axes(y, axes, True) / _count(y, axes, mask)
            return found if keepdims else sum_axes(found, axes)
        x, _ = _chosen("mean", x, 0.0, others, dtype=dtype, out=out)
    x = as_array(x)
    if axis is None:
        return sum_axes(x, None, keepdims) / math.prod(x.shape)
    axes = axes_of(axis, x.ndim)
    return sum_axes(x, axes, keepdims) / count(x, axes)


def _chosen(name, x, neutral, others, **options):
    """(x with `neutral` in place of what where= leaves out, initial=) of a reduction's options."""
    mask, initial = others.pop("where", True), others.pop("initial", None)
    refuse(name, **options, **others)
    x = as_array(x)
    return (x if mask is True else choices.where(mask, x, neutral)), initial


def _count(x, axes, mask):
    """How many elements a mask leaves when `axes` are reduced, with length 1 in their place."""
    if mask is True:
        return count(x, axes)
    counted = choices.where(mask, np.ones(x.shape), 0.0)
    return sum_axes(counted, axes, True)


def count(x, axes):
    """How many elements go into one when `axes` are reduced."""
    shape = x.shape
    return math.prod([shape[a] for a in axes])


@array_function(np.average)
def average(x, axis=None, weights=None, returned=False, *, keepdims=False):
    """The weighted mean, of all elements or along `axis`.

    Examples
    --------
    >>> adcore.average(np.array([1.0, 4.0]), weights=[2.0, 1.0])
    np.float64(2.0)
    """
    x = as_array(x)
    axes = axes_of(axis, x.ndim)
    if weights is None:
        scale = float(count(x, axes))
        out = sum_axes(x, axes, keepdims) / scale
    else:
        weights = as_array(weights)
        if weights.shape != x.shape:
            if len(axes) != 1 or weights.shape != (x.shape[axes[0]],):
                raise ShapeError(
                    f"average: weights of shape {weights.shape} fit neither the data's shape "
                    f"{x.shape} nor axis {axis}"
                )
            weights = reshape(weights, (-1, *[1] * (x.ndim - 1 - axes[0])))
        scale = sum_axes(weights + np.zeros(x.shape), axes, keepdims)
        out = sum_axes(x * weights, axes, keepdims) / scale
    return (out, scale + np.zeros(out.shape)) if returned else out


@array_function(np.var, method="var")
def var(x, axis=None, dtype=None, out=None, ddof=0, keepdims=False, **others):
    """The variance: the mean of the squared distances from the mean, n - ddof being the count.

    Examples
    --------
    >>> adcore.grad(adcore.var)(np.array([1.0, 2.0, 6.0]))
    array([-1.33333333, -0.66666667,  2.        ])
    """
    distance, axes, n = _distances("var", x, axis, dtype, out, ddof, others)
    found = sum_axes(distance * distance, axes, True) / n
    return found if keepdims else sum_axes(found, axes)


@array_function(np.std, method="std")
def std(x, axis=None, dtype=None, out=None, ddof=0, keepdims=False, **others):
    """The standard deviation; its derivative where all elements are equal is 0.

    Examples
    --------
    >>> adcore.grad(adcore.std)(np.array([2.0, 2.0]))
    array([0., 0.])
    """
    given = "mean" in others
    distance, axes, n = _distances("std", x, axis, dtype, out, ddof, others)
    if type(n) is int and n == 1 and not given and count(distance, axes) == 1:
        return sum_axes(distance, axes, keepdims)  # of one element it is a constant 0
    if type(n) is int and n == 0:
        return sum_axes(distance * distance, axes, keepdims) / 0.0  # nan or inf, as in NumPy
    return _two_norm(distance / np.sqrt(n), axes, keepdims)  # so that std**2 is var


def _distances(name, x, axis, dtype, out, ddof, others):
    """(distances from the mean, the axes, n - ddof) for var and std."""
    ddof = others.pop("correction", ddof)
    center = others.pop("mean", None)
    mask = others.pop("where", True)
    if dtype is not None or out is not None or others:
        refuse(name, dtype=dtype, out=out, **others)
    x = as_array(x)
    axes = axes_of(axis, x.ndim)
    n = _count(x, axes, mask)
    if center is None:
        kept = x if mask is True else choices.where(mask, x, 0.0)
        center = sum_axes(kept, axes, True) / n
    if mask is True:
        return x - center, axes, builtin_max(n - ddof, 0)
    return choices.where(mask, x - center, 0.0), axes, _core.apply("maximum", n - ddof, 0.0)


def builtin_max(a, b):
    """The greater of two Python numbers."""
    return a if a > b else b


# ---- over the last dimension ----


def to_last(x, axes):
    """`x` with `axes` moved to the end and merged into one dimension."""
    ndim = x.ndim
    if len(axes) == ndim:
        return x if ndim == 1 else reshape(x, (-1,))
    kept = [d for d in range(ndim) if d not in axes]
    if axes != (ndim - 1,):
        x = transpose(x, (*kept, *axes))
    if len(axes) == 1:
        return x
    shape = x.shape
    return reshape(x, (*shape[: len(kept)], math.prod(shape[len(kept) :])))


def keep(y, shape, axes):
    """`y`, which lost `axes` of `shape`, with length 1 in their place."""
    return reshape(y, tuple([1 if d in axes else n for d, n in enumerate(shape)]))


def multiply(a, b):
    """The product of two."""
    return a * b


def halves(op, x):
    """Combine the last dimension by an associative `op`: halves with halves, no division.

    Each element goes through about log2(n) steps, so the derivatives of a product with zeros are
    exact at every order.
    """
    if op is multiply and type(x) is Tensor:
        return _core.product_last(x)
    n = x.shape[-1]
    rest = None
    while n > 1:
        if n % 2:
            rest = x[..., n - 1] if rest is None else op(x[..., n - 1], rest)
        n //= 2
        x = op(x[..., :n], x[..., n : 2 * n])
    return x[..., 0] if rest is None else op(x[..., 0], rest)


def scan(op, x):
    """Running results of an associative `op` along the last dimension, in about 2 n steps.

    Pairs are combined, scanned by recursion, and the elements between them filled in.
    """
    n = x.shape[-1]
    if n < 2:
        return x
    odd = scan(op, op(x[..., 0 : n - 1 : 2], x[..., 1::2]))
    even = x[..., :1]
    if n > 2:
        even = concatenate([even, op(odd[..., : (n - 1) // 2], x[..., 2::2])], axis=-1)
    half = n // 2
    lead = x.shape[:-1]
    pairs = concatenate([reshape(part, (*lead, half, 1)) for part in (even[..., :half], odd)], -1)
    out = reshape(pairs, (*lead, 2 * half))
    return concatenate([out, even[..., half:]], axis=-1) if n % 2 else out


def reduce_by(op, identity, x, axis, keepdims):
    """Combine the elements along `axis` by an associative and commutative `op`."""
    axes = axes_of(axis, x.ndim)
    if not axes:
        return x
    shape = x.shape
    x = to_last(x, axes)
    y = halves(op, x) if x.shape[-1] else _core.tensor(np.full(x.shape[:-1], identity))
    return keep(y, shape, axes) if keepdims else y


def along(function, x, axis):
    """`function`, which keeps the shape and works on the last dimension, along `axis`."""
    if axis is None:
        return function(reshape(x, (-1,)))
    axis = axis_of(axis, x.ndim)
    if axis == x.ndim - 1:
        return function(x)
    return moveaxis(function(moveaxis(x, axis, -1)), -1, axis)


@array_function(np.prod, method="prod")
def prod(x, axis=None, dtype=None, out=None, keepdims=False, **others):
    """The product of the elements, of all or along `axis`; exact at every order at zeros.

    Examples
    --------
    >>> adcore.hessian(adcore.prod)(np.array([0.0, 0.0, 5.0]))
    array([[0., 5., 0.],
           [5., 0., 0.],
           [0., 0., 0.]])
    """
    if dtype is not None or out is not None or others:
        x, initial = _chosen("prod", x, 1.0, others, dtype=dtype, out=out)
        if initial is not None:
            return prod(x, axis, keepdims=keepdims) * initial
    return reduce_by(multiply, 1.0, as_array(x), axis, keepdims)


@array_function(np.cumsum, method="cumsum")
def cumsum(x, axis=None, dtype=None, out=None):
    """Running sums along `axis`, of the flattened array if it is None.

    Examples
    --------
    >>> adcore.jacobian(adcore.cumsum)(np.ones(3))
    array([[1., 0., 0.],
           [1., 1., 0.],
           [1., 1., 1.]])
    """
    if dtype is not None or out is not None:
        refuse("cumsum", dtype=dtype, out=out)
    return along(cumsum_last, as_array(x), axis)


@array_function(np.cumprod, method="cumprod")
def cumprod(x, axis=None, dtype=None, out=None):
    """Running products along `axis`; exact at every order at zeros.

    Examples
    --------
    >>> adcore.jacobian(adcore.cumprod)(np.array([0.0, 2.0, 3.0]))
    array([[1., 0., 0.],
           [2., 0., 0.],
           [6., 0., 0.]])
    """
    if dtype is not None or out is not None:
        refuse("cumprod", dtype=dtype, out=out)
    return along(cumprod_last, as_array(x), axis)


@array_function(np.max, np.amax, method=("max", "amax"))
def max(x, axis=None, out=None, keepdims=False, **others):
    """The maximum, of all elements or along `axis`; ties share the derivative evenly.

    Examples
    --------
    >>> adcore.grad(adcore.max)(np.array([3.0, 1.0, 3.0]))
    array([0.5, 0. , 0.5])
    """
    return _extremum("max", x, axis, out, keepdims, others, False)


@array_function(np.min, np.amin, method=("min", "amin"))
def min(x, axis=None, out=None, keepdims=False, **others):
    """The minimum, of all elements or along `axis`; ties share the derivative evenly.

    Examples
    --------
    >>> adcore.grad(adcore.min)(np.array([3.0, 1.0, 3.0]))
    array([0., 1., 0.])
    """
    return _extremum("min", x, axis, out, keepdims, others, True)


amax, amin = max, min


def _extremum(name, x, axis, out, keepdims, others, least):
    initial = None
    if out is not None or others:
        if others.get("where", True) is not True and others.get("initial") is None:
            raise ValueError(
                f"{name} with where= needs initial=, which stands where nothing is left"
            )
        x, initial = _chosen(name, x, math.inf if least else -math.inf, others, out=out)
    x = as_array(x)
    axes = axes_of(axis, x.ndim)
    if initial is not None:
        return _extremum_from(x, axes, keepdims, least, initial)
    if not axes:
        return x
    last = to_last(x, axes)
    if last.shape[-1] == 0:
        raise ShapeError(f"{name} of no elements: a tensor of shape {x.shape}, axis {axis}")
    y = extremum_last(last, least)
    return keep(y, x.shape, axes) if keepdims else y


def _extremum_from(x, axes, keepdims, least, initial):
    """The extremum of the elements and of `initial`."""
    last = to_last(x, axes) if axes else reshape(x, (*x.shape, 1))
    edge = np.zeros((*last.shape[:-1], 1)) + initial
    y = extremum_last(concatenate([last, edge], -1), least)
    return keep(y, x.shape, axes) if keepdims else y


@array_function(np.ptp, method="ptp")
def ptp(x, axis=None, out=None, keepdims=False):
    """The maximum less the minimum.

    Examples
    --------
    >>> adcore.grad(adcore.ptp)(np.array([3.0, 1.0, 2.0]))
    array([ 1., -1.,  0.])
    """
    if out is not None:
        refuse("ptp", out=out)
    return max(x, axis, None, keepdims) - min(x, axis, None, keepdims)


# ---- norms ----


@array_function(np.linalg.norm, method="norm")
def norm(x, ord=None, axis=None, keepdims=False):
    """The norm of vectors or matrices, as numpy.linalg.norm.

    At 0 the first derivative is 0 and the second nan; the square of a 2-norm is recorded as the
    sum of squares and is exact there at every order.

    Examples
    --------
    >>> adcore.grad(adcore.norm)(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    >>> adcore.grad(adcore.norm)(np.zeros(2))
    array([0., 0.])
    """
    x = as_array(x)
    if axis is None and (
        ord is None or (ord == 2 and x.ndim == 1) or (ord == "fro" and x.ndim == 2)
    ):
        return _two_norm(x, None, keepdims)
    axes = axes_of(axis, x.ndim)
    if len(axes) == 1:
        return _vector_norm(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    raise ShapeError(f"norm is of vectors or matrices, but got {len(axes)} axes: name one or two")


def _two_norm(x, axes, keepdims):
    axes = axes_of(axes, x.ndim)
    out = norm_last(to_last(x, axes))
    return keep(out, x.shape, axes) if keepdims else out


def _vector_norm(x, order, axes, keepdims):
    if isinstance(order, str):
        raise ValueError(f"norm: order {order!r} is for matrices; this is a vector")
    if order == 2:
        return _two_norm(x, axes, keepdims)
    size = abs(x)
    if order == 1:
        return sum_axes(size, axes, keepdims)
    if order == math.inf:
        return max(size, axes, None, keepdims)
    if order == -math.inf:
        return min(size, axes, None, keepdims)
    if order == 0:
        return sum_axes(_core.apply("nonzero", x), axes, keepdims)
    total = sum_axes(size**order, axes, keepdims)
    zero = _core.apply("equal", total, 0.0)
    if not _core.is_compiling() and not np.any(values(zero)):
        return total ** (1 / order)
    # As for the 2-norm: a first derivative of 0, none of second order.
    at_zero = _two_norm(x, axes, keepdims)
    power = _core.apply("where", zero, 1.0, total) ** (1 / order)
    return _core.apply("where", zero, at_zero, power)


def _matrix_norm(x, order, axes, keepdims):
    if order is None or order == "fro":
        return _two_norm(x, axes, keepdims)
    if order in ("nuc", 2, -2):
        out = _norm_of_values(to_last_two(x, axes), order)
        return keep(out, x.shape, axes) if keepdims else out
    if order not in (1, -1, math.inf, -math.inf):
        raise ValueError(
            f"norm: order {order!r} of a matrix; it may be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf"
        )
    summed = axes[0] if builtin_abs(order) == 1 else axes[1]
    other = axes[1] if summed == axes[0] else axes[0]
    sums = sum_axes(abs(x), (summed,), True)
    return (max if order > 0 else min)(
        sums if keepdims else sum_axes(sums, (summed,)),
        other if keepdims else other - (summed < other),
        None,
        keepdims,
    )


def to_last_two(x, axes):
    """`x` with two of its axes moved to the end."""
    rest = [d for d in range(x.ndim) if d not in axes]
    return transpose(x, (*rest, *axes))


def _norm_of_values(x, order):
    """The norms that singular values give, of matrices in the last two dimensions."""
    from .spectra import singular_values  # when first needed

    found = singular_values(x)
    if order == "nuc":
        return sum_axes(found, (found.ndim - 1,))
    return found[..., 0 if order == 2 else -1]


def builtin_abs(number):
    """The absolute value of a Python number."""
    return math.fabs(number)
