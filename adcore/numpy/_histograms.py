"""Histograms of several dimensions: differentiable in the weights."""

import builtins
import math

import numpy as np

from .. import _core
from ..rules import ordering, reductions, shapes
from ..rules.primitives import as_array, below, reshape, values
from ..rules.recorded import is_recorded, stripped
from ..rules.table import Dual, Tensor, is_traced
from ._table import rule


def _in_numbers(x):
    """The numbers of `x`, guarded in a program: which bin is which hangs on all of them."""
    return np.asarray(_core.values(below(x)))


def _edges(x, bins, range):
    """(edges of bins along each dimension of points, as NumPy finds them; is all inside?)."""
    n = x.shape[1]
    if type(bins) is int and bins >= 1 and range is None and x.shape[0]:
        least, most = x.min(axis=0), x.max(axis=0)
        if np.isfinite(least).all() and np.isfinite(most).all() and (least < most).all():
            return [np.linspace(least[d], most[d], bins + 1) for d in builtins.range(n)], True
    ends = np.stack([x.min(axis=0), x.max(axis=0)]) if x.shape[0] else x
    return np.histogramdd(ends, bins, range)[1], False


def _bins(x, edges, inside):
    """The bin of each point, counted through all dimensions; one beyond the last if in none."""
    counts = [len(e) - 1 for e in edges]
    flat, within = None, True
    for d, e in enumerate(edges):
        if inside:
            at = e.searchsorted(x[:, d], side="right") - 1
            at -= x[:, d] == e[-1]
        else:
            at = ordering.bins_of(x[:, d], e)
            within = within & (at < counts[d])
        flat = at if flat is None else flat * counts[d] + at
    return flat if inside else np.where(within, flat, math.prod(counts))


@rule()
def histogramdd(sample, bins=10, range=None, density=None, weights=None):
    """(counts or sums of weights in each bin, the edges along each dimension)."""
    x = as_array(sample)
    if isinstance(sample, (list, tuple)) and x.ndim == 2:
        x = shapes.transpose(x)  # a sequence of coordinates, not of points
    x = _in_numbers(x)
    x = x.reshape(-1, 1) if x.ndim == 1 else x
    bins, range = stripped(bins), stripped(range)
    if not (type(weights) is Tensor or type(weights) is Dual or is_recorded(weights)):
        return np.histogramdd(
            x, bins, range, density, values(weights) if is_traced([weights]) else weights
        )
    edges, inside = _edges(x, bins, range)
    weights = as_array(weights)
    if weights.shape != (x.shape[0],):
        raise ValueError(f"histogramdd: weights of shape {weights.shape} for {x.shape[0]} points")
    counts = [len(e) - 1 for e in edges]
    total = math.prod(counts)
    sums = ordering.add_at(weights, _bins(x, edges, inside), total + 1)[:total]
    found = reshape(sums, tuple(counts)) if len(counts) > 1 else sums
    if density:
        for d, e in enumerate(edges):
            found = found / np.diff(e).reshape(-1, *[1] * (len(counts) - 1 - d))
        found = found / reductions.sum(sums)
    return found, edges


@rule()
def histogram2d(x, y, bins=10, range=None, density=None, weights=None):
    """(counts or sums of weights in each bin, the edges of x, the edges of y)."""
    if len(x) != len(y):
        raise ValueError("x and y must have the same length.")
    n = 1 if np.ndim(bins) == 0 and not is_traced([bins]) else len(bins)
    if n not in (1, 2):
        bins = [np.asarray(stripped(bins))] * 2
    x, y = as_array(x), as_array(y)
    if type(x) is np.ndarray and type(y) is np.ndarray:
        points = np.array((x, y)).T
    else:
        points = shapes.stack([x, y], axis=1)
    found, edges = histogramdd(points, bins, range, density, weights)
    return found, edges[0], edges[1]
