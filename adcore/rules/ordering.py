"""Orders, places and counts: sorting, the largest of some, quantiles, histograms.

Which elements they pick does not vary, so that no derivative goes through the choice.  While a
program is recorded it is data all the same, an Index, and found anew by each replay.
"""

import math

import numpy as np

from .. import _core
from ..errors import NotDifferentiableError, ShapeError
from . import primitives
from .indices import Index, arg_extremum
from .indices import argsort as indices_that_sort
from .masks import Mask
from .primitives import as_array, axes_of, axis_of, below, reshape, values
from .recorded import is_recorded, observe, observed, stripped
from .reductions import along, keep, to_last
from .shapes import ravel, take_along_axis
from .table import Dual, Tensor, array_function, functions, refuse

# ---- orders ----


@array_function(np.sort)
def sort(x, axis=-1, kind=None, order=None, *, stable=None):
    """The elements in ascending order along `axis`, of all if it is None.

    Examples
    --------
    >>> adcore.jacobian(adcore.sort)(np.array([3.0, 1.0, 2.0]))
    array([[0., 1., 0.],
           [0., 0., 1.],
           [1., 0., 0.]])
    """
    if order is not None:
        refuse("sort", order=order)
    x = as_array(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, x.ndim)
    del kind, stable  # stable always: the derivative says which of equal elements is which
    if _core.can_draw(x):
        return along(_core.sort_last, x, axis)
    return take_along_axis(x, argsort(x, axis), axis)


@array_function(np.argsort, method="argsort")
def argsort(x, axis=-1, kind=None, order=None, *, stable=None):
    """The indices that would sort along `axis`: equal elements in their order, nan last.

    Examples
    --------
    >>> adcore.argsort(np.array([3.0, 1.0, 2.0]))
    array([1, 2, 0])
    """
    if order is not None:
        refuse("argsort", order=order)
    del kind, stable
    x = as_array(x.tensor if type(x) is Index else x)
    axis = None if axis is None else axis_of(axis, x.ndim)
    if is_recorded(x):
        return indices_that_sort(below(x), axis)
    return values(x).argsort(axis, kind="stable")


@array_function(np.argmax, method="argmax")
def argmax(x, axis=None, out=None, *, keepdims=False):
    """The index of the greatest element, the first of equal ones, of all or along `axis`.

    Examples
    --------
    >>> adcore.argmax(np.array([1.0, 3.0, 2.0]))
    np.int64(1)
    """
    return _arg_extremum(np.argmax, x, axis, out, keepdims)


@array_function(np.argmin, method="argmin")
def argmin(x, axis=None, out=None, *, keepdims=False):
    """The index of the least element, the first of equal ones, of all or along `axis`.

    Examples
    --------
    >>> adcore.argmin(np.array([1.0, 3.0, 2.0]))
    np.int64(0)
    """
    return _arg_extremum(np.argmin, x, axis, out, keepdims)


def _arg_extremum(function, x, axis, out, keepdims):
    if out is not None:
        refuse(function.__name__, out=out)
    x = as_array(x.tensor if type(x) is Index else x)
    if not is_recorded(x) or 0 in x.shape or x.ndim == 0:
        return function(values(x), axis, keepdims=keepdims)
    axis = None if axis is None else axis_of(axis, x.ndim)
    return arg_extremum(below(x), function is np.argmin, axis, keepdims)


@array_function(np.count_nonzero)
def count_nonzero(x, axis=None, *, keepdims=False):
    """How many elements are not zero, of all or along `axis`.

    Examples
    --------
    >>> int(adcore.count_nonzero(np.array([1.0, 0.0, 2.0])))
    2
    """
    x = as_array(x)
    if is_recorded(x):
        x = below(x)
        hit = x if type(x) is Mask else Mask(_core.apply("not_equal", x, 0.0))
        return hit.sum(axis=axis, keepdims=keepdims)
    return np.count_nonzero(values(x), axis, keepdims=keepdims)


@array_function(np.partition)
def partition(x, kth, axis=-1, kind="introselect", order=None):
    """The elements rearranged so that the kth is where sorting would put it.

    Examples
    --------
    >>> adcore.partition(np.array([3.0, 1.0, 2.0]), 0)[0]
    np.float64(1.0)
    """
    if order is not None:
        refuse("partition", order=order)
    x = as_array(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, x.ndim)
    if _core.can_draw(x):
        return along(lambda y: _core.partition_last(y, kth, kind), x, axis)
    order = observed(np.argpartition, below(x), kth, axis, kind)
    if type(order) is Index:
        order = Index(order.tensor, order.dtype, below=x.shape[axis])
    return take_along_axis(x, order, axis)


# ---- quantiles ----


@array_function(np.median)
def median(x, axis=None, out=None, overwrite_input=False, keepdims=False):
    """The middle of the sorted elements, or the mean of the middle two, of all or along `axis`.

    Examples
    --------
    >>> adcore.grad(adcore.median)(np.array([3.0, 1.0, 7.0, 5.0]))
    array([0.5, 0. , 0. , 0.5])
    """
    del overwrite_input
    if out is not None:
        refuse("median", out=out)
    x = as_array(x)
    axes = axes_of(axis, x.ndim)
    last = to_last(x, axes)
    n = last.shape[-1]
    if n == 0:
        found = primitives.sum_axes(last, (last.ndim - 1,)) / 0.0
    elif n % 2:
        element, end = _ranked(last, (n // 2,))
        found = _unless_nan(end, element[n // 2])
    else:
        element, end = _ranked(last, (n // 2 - 1, n // 2))
        found = _unless_nan(end, (element[n // 2 - 1] + element[n // 2]) / 2.0)
    return keep(found, x.shape, axes) if keepdims else found


_MOST_RANKS = 8  # more of them are found in less time by sorting


def _ranked(x, ranks):
    """({rank: the elements of that rank in each row}, the last of each sorted row or None).

    Where the last are None, all elements of a row with a nan are a nan already.
    """
    if is_recorded(x) or len(ranks) > _MOST_RANKS:
        ordered = sort(x)
        return {k: ordered[..., k] for k in ranks}, ordered[..., -1]
    places = _core.places_of_ranks(values(x), ranks)
    if x.ndim == 1:
        return dict(zip(ranks, [x[at] for at in places.tolist()], strict=True)), None
    picked = take_along_axis(x, np.moveaxis(places, 0, -1), -1)
    return {k: picked[..., i] for i, k in enumerate(ranks)}, None


def _unless_nan(end, found):
    """What was found in rows, but nan where there is one, which then is the last if sorted."""
    if end is None:
        return found
    last = below(end)
    bad = _core.apply("not_equal", last, last) if type(last) is Tensor else np.isnan(last)
    return _core.apply("where", bad, end, found)


# The place of a quantile among n sorted elements, from 0 to n - 1; between two it is interpolated.
_PLACES = {
    "linear": lambda q, n: (n - 1) * q,
    "lower": lambda q, n: np.floor((n - 1) * q),
    "higher": lambda q, n: np.ceil((n - 1) * q),
    "midpoint": lambda q, n: 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q)),
    "nearest": lambda q, n: np.rint((n - 1) * q),
    "inverted_cdf": lambda q, n: np.ceil(n * q - 1),
    "averaged_inverted_cdf": lambda q, n: np.where(
        (n * q) % 1 == 0, n * q - 0.5, np.ceil(n * q - 1)
    ),
    "closest_observation": lambda q, n: _closest(n * q - 1.5),
    "weibull": lambda q, n: _place(q, n, 0.0, 0.0),
    "hazen": lambda q, n: _place(q, n, 0.5, 0.5),
    "interpolated_inverted_cdf": lambda q, n: _place(q, n, 0.0, 1.0),
    "median_unbiased": lambda q, n: _place(q, n, 1 / 3, 1 / 3),
    "normal_unbiased": lambda q, n: _place(q, n, 3 / 8, 3 / 8),
}


def _place(q, n, alpha, beta):
    """By the two numbers of Hyndman and Fan, Sample quantiles in statistical packages (1996)."""
    return n * q + (alpha + q * (1 - alpha - beta)) - 1


def _closest(place):
    """The place above, but of a place that is odd itself."""
    return np.where((place % 2) == 1, place, np.floor(place) + 1)


@array_function(np.quantile)
def quantile(
    x, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, **others
):
    """The elements below which the part `q` of all lies, of all or along `axis`; q is constant.

    Examples
    --------
    >>> adcore.grad(lambda x: adcore.quantile(x, 0.25))(np.array([3.0, 1.0, 7.0]))
    array([0.5, 0.5, 0. ])
    """
    return _quantile("quantile", x, q, 1.0, axis, out, overwrite_input, method, keepdims, others)


@array_function(np.percentile)
def percentile(
    x, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, **others
):
    """The elements below which `q` percent of all lie, of all or along `axis`; q is constant.

    Examples
    --------
    >>> adcore.percentile(np.array([3.0, 1.0, 7.0]), 50)
    np.float64(3.0)
    """
    return _quantile(
        "percentile", x, q, 100.0, axis, out, overwrite_input, method, keepdims, others
    )


def _quantile(name, x, q, whole, axis, out, overwrite_input, method, keepdims, others):
    del overwrite_input
    weights = others.pop("weights", None)
    if out is not None or others:
        refuse(name, out=out, **others)
    if type(q) is Dual or (type(q) is Tensor and q.requires_grad):
        raise NotDifferentiableError(
            f"{name} has no derivative with respect to q; pass q.detach(), a constant"
        )
    if method not in _PLACES:
        raise NotDifferentiableError(
            f"{name} of a tensor has the methods {', '.join(_PLACES)}; got {method!r}"
        )
    q = np.asarray(values(q), dtype=np.float64) / whole
    if not np.all((q >= 0) & (q <= 1)):
        raise ValueError(f"{name}: q must be in the range from 0 to {whole:g}")
    x = as_array(x)
    axes = axes_of(axis, x.ndim)
    last = to_last(x, axes)
    n = last.shape[-1]
    if n == 0:
        raise IndexError(f"{name} of no elements")
    if weights is not None:
        return _weighted(name, x, last, q, weights, axes, method, keepdims)
    places = np.clip(_PLACES[method](q, n), 0, n - 1).ravel().tolist()
    ranks = {k for p in places for k in (math.floor(p), math.ceil(p))}
    element, end = _ranked(last, tuple(sorted(ranks)))
    found = [_unless_nan(end, _between(element, p)) for p in places]
    kept = [keep(y, x.shape, axes) if keepdims else y for y in found]
    if q.ndim == 0:
        return kept[0]
    joined = primitives.concatenate([reshape(y, (1, *y.shape)) for y in kept], 0)
    return reshape(joined, (*q.shape, *kept[0].shape))


def _weighted(name, x, last, q, weights, axes, method, keepdims):
    """Quantiles of elements that count as often as constant weights say.

    Each is one of the elements; NumPy says which, given their ranks in place of them.
    """
    if method != "inverted_cdf":
        raise ValueError(f"{name} with weights= has the method 'inverted_cdf' only, got {method!r}")
    if type(weights) is Dual or (type(weights) is Tensor and weights.requires_grad):
        raise NotDifferentiableError(
            f"{name} has no derivative with respect to the weights; pass weights.detach()"
        )
    weights = np.asarray(values(weights), dtype=np.float64)
    if weights.shape == x.shape:
        weights = to_last(weights, axes)
    elif len(axes) != 1 or weights.shape != (x.shape[axes[0]],):
        raise ShapeError(
            f"{name}: weights of shape {weights.shape} fit neither the data's shape {x.shape} nor "
            "the axis"
        )
    order = np.asarray(argsort(last))
    ranks = np.argsort(order, -1).astype(np.float64)
    numbers = np.asarray(_core.values(below(last)))
    ranks[np.isnan(numbers).any(-1)] = last.shape[-1] - 1  # then the last, a nan, is the result
    picked = np.quantile(ranks, q.ravel(), axis=-1, weights=weights, method=method).astype(np.intp)
    at = np.take_along_axis(order, np.moveaxis(picked, 0, -1), -1)
    found = take_along_axis(last, at, -1)
    kept = [
        keep(y, x.shape, axes) if keepdims else y for y in (found[..., i] for i in range(q.size))
    ]
    joined = primitives.concatenate([reshape(y, (1, *y.shape)) for y in kept], 0)
    return reshape(joined, (*q.shape, *kept[0].shape))


def _between(element, place):
    """What is at a place between elements of two ranks, interpolated as NumPy does."""
    i = math.floor(place)
    t = place - i
    a = element[i]
    if t == 0:
        return a
    b = element[i + 1]
    return a + (b - a) * t if t < 0.5 else b - (b - a) * (1.0 - t)


# ---- counts by places ----


def add_at(x, places, n):
    """Zeros of length n to which the elements of `x` are added at `places`, of one dimension."""
    if type(x) is Dual:
        return _core.map_dual(x, lambda part: add_at(part, places, n))
    at = places.tensor if type(places) is Index else np.asarray(places, dtype=np.float64)
    x = x.tensor if type(x) is Mask or type(x) is Index else x
    if type(at) is np.ndarray and type(x) is not Tensor:
        return np.bincount(places, x, n)
    found = _core.add_at_places(x, places, n)
    return _core.scatter_last(x, at, n) if found is NotImplemented else found


@array_function(np.bincount)
def bincount(x, weights=None, minlength=0):
    """How often each of 0, 1, ... is among whole numbers; or the sum of their weights.

    Examples
    --------
    >>> adcore.jacobian(lambda w: adcore.bincount([0, 1, 1], weights=w))(np.ones(3))
    array([[1., 0., 0.],
           [0., 1., 1.]])
    """
    if weights is not None:
        weights = as_array(weights)
        found = _core.add_at_places(weights, x, minlength)
        if found is not NotImplemented:
            return found
    if type(x) is Index:
        if x.ndim != 1:
            raise ValueError(f"bincount needs one dimension, got shape {x.shape}")
        n = minlength if x.below is not None and x.below <= minlength else _length(x, minlength)
    else:
        x = np.asarray(x)
        n = len(np.bincount(x, minlength=minlength))  # with NumPy's own errors
    if weights is None:
        return (
            Index(add_at(np.ones(x.shape), x, n)) if type(x) is Index else np.bincount(x, None, n)
        )
    if weights.shape != x.shape:
        raise ValueError(f"bincount: weights of shape {weights.shape} for an array of {x.shape}")
    return add_at(weights, x, n)


def _length(x, least):
    """1 + the greatest of some indices, or `least`; it is guarded, and that none is negative."""
    if x.size == 0:
        return least
    if x.below is None and bool(x.min() < 0):
        raise ValueError("bincount: the numbers must not be negative")
    return max(int(x.max()) + 1, least)


def bins_of(numbers, edges):
    """The bin of each number; of those that are in none, the number of bins."""
    n = len(edges) - 1
    at = np.searchsorted(edges, numbers, side="right") - 1
    at = np.where(numbers == edges[-1], n - 1, at)
    return np.where((numbers >= edges[0]) & (numbers <= edges[-1]), at, n).ravel()


observe(bins_of, "bins")


@array_function(np.histogram)
def histogram(x, bins=10, range=None, density=None, weights=None):
    """(counts, or sums of weights, in each bin; the edges of the bins), as numpy.histogram.

    The derivative is that of the weights; no derivative goes through elements and edges.

    Examples
    --------
    >>> adcore.grad(lambda w: adcore.histogram([1.0, 2.0, 3.0], 2, weights=w)[0][1])(np.ones(3))
    array([0., 1., 1.])
    """
    bins, range = stripped(bins), stripped(range)
    if not (is_recorded([x, weights]) or type(weights) is Tensor or type(weights) is Dual):
        return np.histogram(values(as_array(x)), bins, range, density, values(weights))
    x = as_array(below(x) if type(x) in (Tensor, Dual) else x)
    edges = functions["histogram_bin_edges"](x, bins, range)
    places = observed(bins_of, x, edges)
    if type(places) is Index:
        places = Index(places.tensor, places.dtype, below=len(edges))
    if weights is None:
        found = Index(add_at(np.ones(places.shape), places, len(edges))[:-1])
    else:
        weights = as_array(weights)
        if weights.shape != x.shape:
            raise ValueError(f"histogram: weights of shape {weights.shape} for data of {x.shape}")
        found = add_at(reshape(weights, (-1,)), places, len(edges))[:-1]
    if density:
        found = found / np.diff(edges) / found.sum()
    return found, edges
