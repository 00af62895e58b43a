"""Reductions that pass nan over, running sums under newer names, quantiles of what is not nan."""

import math
import warnings

import numpy as np

from .. import _core
from ..rules import choices, ordering, reductions, shapes
from ..rules.primitives import (
    as_array,
    axes_of,
    axis_of,
    below,
    reshape,
    shape_of,
    sum_axes,
    values,
)
from ..rules.recorded import truths
from ..rules.table import Tensor, refuse
from ._table import rule


def _without_nan(name, x, neutral, **options):
    """`x` with `neutral` for nan, of a reduction that does not take some of its options."""
    if any(v is not None for v in options.values()):
        refuse(name, **options)
    x = as_array(x)
    if _has_no_nan(x):
        return x
    return choices.where(np.isnan(below(x)), neutral, x)


def _has_no_nan(x):
    """Whether there surely is no nan in `x`; of what a program records that is not known."""
    if _core.is_compiling():
        return False
    return not _core.has_nan(x if type(x) is Tensor else values(x))


def _present(absent, axes):
    """How many elements are not nan, with length 1 in place of `axes`."""
    return sum_axes(choices.where(absent, 0.0, np.ones(shape_of(absent))), axes, True)


@rule()
def nansum(x, axis=None, dtype=None, out=None, keepdims=False, **others):
    """The sum of the elements that are not nan."""
    x = _without_nan("nansum", x, 0.0, dtype=dtype, out=out)
    return reductions.sum(x, axis, keepdims=keepdims, **others)


@rule()
def nanprod(x, axis=None, dtype=None, out=None, keepdims=False, **others):
    """The product of the elements that are not nan."""
    x = _without_nan("nanprod", x, 1.0, dtype=dtype, out=out)
    return reductions.prod(x, axis, keepdims=keepdims, **others)


@rule()
def nancumsum(x, axis=None, dtype=None, out=None):
    """Running sums of the elements that are not nan."""
    x = _without_nan("nancumsum", x, 0.0, dtype=dtype, out=out)
    return reductions.cumsum(x, axis)


@rule()
def nancumprod(x, axis=None, dtype=None, out=None):
    """Running products of the elements that are not nan."""
    x = _without_nan("nancumprod", x, 1.0, dtype=dtype, out=out)
    return reductions.cumprod(x, axis)


@rule()
def nanmean(x, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    """The mean of the elements that are not nan."""
    refuse("nanmean", dtype=dtype, out=out)
    x = as_array(x)
    if where is True and x.size and _has_no_nan(x):
        return reductions.mean(x, axis, keepdims=keepdims)
    found, _, axes = _moments(x, axis, where)
    return found if keepdims else sum_axes(found, axes)


def _moments(x, axis, where, mean=None):
    """(mean, x - mean or 0 where it does not count and how many count, axes), dimensions kept."""
    x = as_array(x)
    axes = axes_of(axis, x.ndim)
    absent = np.isnan(below(x))
    if where is not True:
        absent = absent | ~np.broadcast_to(truths(where), x.shape)
    kept = choices.where(absent, 0.0, x)
    n = _present(absent, axes)
    if np.any(_core.peek(n) == 0 if type(n) is not np.ndarray else n == 0):
        warnings.warn("Mean of empty slice", RuntimeWarning, stacklevel=4)
    with np.errstate(invalid="ignore"):
        center = sum_axes(kept, axes, True) / n if mean is None else mean
    return center, (choices.where(absent, 0.0, x - center), n), axes


def _spread(name, x, axis, dtype, out, ddof, keepdims, where, mean, correction):
    refuse(name, dtype=dtype, out=out)
    x = as_array(x)
    if where is True and mean is None and x.size and _has_no_nan(x):
        plain = reductions.var if name == "nanvar" else reductions.std
        free = ddof if correction is None else correction
        if reductions.count(x, axes_of(axis, x.ndim)) > free:
            return plain(x, axis, ddof=free, keepdims=keepdims)
    _, (distance, n), axes = _moments(x, axis, where, mean)
    free = n - (ddof if correction is None else correction)
    free = choices.where(free > 0, free, np.nan)
    if name == "nanvar" or not x.size:  # of no elements either is nan
        found = sum_axes(distance * distance, axes, True) / free
    else:
        found = reductions.norm(reductions.to_last(distance / np.sqrt(free), axes), axis=-1)
        found = reductions.keep(found, distance.shape, axes)
    return found if keepdims else sum_axes(found, axes)


@rule()
def nanvar(
    x,
    axis=None,
    dtype=None,
    out=None,
    ddof=0,
    keepdims=False,
    *,
    where=True,
    mean=None,
    correction=None,
):
    """The variance of the elements that are not nan."""
    return _spread("nanvar", x, axis, dtype, out, ddof, keepdims, where, mean, correction)


@rule()
def nanstd(
    x,
    axis=None,
    dtype=None,
    out=None,
    ddof=0,
    keepdims=False,
    *,
    where=True,
    mean=None,
    correction=None,
):
    """The standard deviation of the elements that are not nan."""
    return _spread("nanstd", x, axis, dtype, out, ddof, keepdims, where, mean, correction)


def _nan_extremum(name, x, axis, out, keepdims, others, least):
    if out is not None:
        refuse(name, out=out)
    x = as_array(x)
    edge = math.inf if least else -math.inf
    reduce = reductions.min if least else reductions.max
    if x.size and not _core.is_compiling():
        found = reduce(x, axis, keepdims=keepdims, **others)
        if not _core.has_nan(found if type(found) is Tensor else values(found)):
            return found  # none was there, or it would be the result
    absent = np.isnan(below(x))
    found = reduce(choices.where(absent, edge, x), axis, keepdims=keepdims, **others)
    if others:
        return found
    axes = axes_of(axis, x.ndim)
    none = _present(absent, axes) == 0
    if not keepdims and x.ndim:
        none = none.reshape(tuple([n for d, n in enumerate(x.shape) if d not in axes]))
    return choices.where(none, np.nan, found)


@rule()
def nanmax(x, axis=None, out=None, keepdims=False, **others):
    """The maximum of the elements that are not nan."""
    return _nan_extremum("nanmax", x, axis, out, keepdims, others, False)


@rule()
def nanmin(x, axis=None, out=None, keepdims=False, **others):
    """The minimum of the elements that are not nan."""
    return _nan_extremum("nanmin", x, axis, out, keepdims, others, True)


# ---- running sums under newer names ----


def _cumulative(name, function, x, axis, dtype, out, include_initial, first):
    if dtype is not None or out is not None:
        refuse(name, dtype=dtype, out=out)
    x = as_array(x)
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"for arrays of more than one dimension {name} needs axis=")
        axis = 0
    axis = axis_of(axis, x.ndim)
    found = function(x, axis)
    if not include_initial:
        return found
    edge = np.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), first)
    return shapes.concatenate([edge, found], axis)


@rule()
def cumulative_sum(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    """Running sums along `axis`."""
    return _cumulative(
        "cumulative_sum", reductions.cumsum, x, axis, dtype, out, include_initial, 0.0
    )


@rule()
def cumulative_prod(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    """Running products along `axis`."""
    return _cumulative(
        "cumulative_prod", reductions.cumprod, x, axis, dtype, out, include_initial, 1.0
    )


# ---- quantiles of what is not nan ----


def _by_rows(function, x, axis, keepdims, lead=()):
    """A quantile of the elements that are not nan; `function` is of rows without nan.

    Rows of as many elements are done together; how many these are is guarded in a program.
    """
    x = as_array(x)
    axes = axes_of(axis, x.ndim)
    kept = [n for d, n in enumerate(x.shape) if d not in axes]
    last = reshape(reductions.to_last(x, axes), (math.prod(kept), -1)) if x.size else None
    if last is None:
        warnings.warn("Mean of empty slice", RuntimeWarning, stacklevel=4)
        found = np.full((*lead, *kept), np.nan)
    else:
        ordered = ordering.sort(last)
        counts = np.count_nonzero(~truths(np.isnan(below(last))), axis=1)
        parts, rows = [], []
        for n in np.unique(counts):
            at = np.flatnonzero(counts == n)
            if n == 0:
                warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=4)
                parts.append(np.full((*lead, at.size), np.nan))
            else:
                parts.append(function(ordered[at][:, : int(n)]))
            rows.append(at)
        back = np.argsort(np.concatenate(rows))
        found = shapes.take(shapes.concatenate(parts, -1), back, -1)
        found = reshape(found, (*lead, *kept))
    if keepdims:
        shape = tuple([1 if d in axes else n for d, n in enumerate(x.shape)])
        found = reshape(found, (*lead, *shape))
    return found


@rule()
def nanmedian(x, axis=None, out=None, overwrite_input=False, keepdims=False):
    """The median of the elements that are not nan."""
    del overwrite_input
    refuse("nanmedian", out=out)
    x = as_array(x)
    if x.size and _has_no_nan(x):
        return ordering.median(x, axis, keepdims=keepdims)
    return _by_rows(lambda rows: ordering.median(rows, -1), x, axis, keepdims)


def _nan_quantile(name, function, x, q, axis, out, method, keepdims, others):
    x = as_array(x)
    if x.size and _has_no_nan(x):
        return function(x, q, axis, out, method=method, keepdims=keepdims, **others)
    refuse(name, out=out, **others)
    lead = np.shape(q)
    return _by_rows(lambda rows: function(rows, q, -1, method=method), x, axis, keepdims, lead)


@rule()
def nanquantile(
    x, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, **others
):
    """The quantiles of the elements that are not nan."""
    del overwrite_input
    return _nan_quantile(
        "nanquantile", ordering.quantile, x, q, axis, out, method, keepdims, others
    )


@rule()
def nanpercentile(
    x, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, **others
):
    """The percentiles of the elements that are not nan."""
    del overwrite_input
    return _nan_quantile(
        "nanpercentile", ordering.percentile, x, q, axis, out, method, keepdims, others
    )
