"""Histograms of several dimensions: differentiable in the weights."""

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
    _, edges = np.histogramdd(x, bins, range)
    weights = as_array(weights)
    if weights.shape != (x.shape[0],):
        raise ValueError(f"histogramdd: weights of shape {weights.shape} for {x.shape[0]} points")
    counts = [len(e) - 1 for e in edges]
    total = math.prod(counts)
    inside = np.ones(x.shape[0], dtype=bool)
    flat = np.zeros(x.shape[0], dtype=np.intp)
    for d, e in enumerate(edges):
        at = ordering.bins_of(x[:, d], e)
        inside &= at < counts[d]
        flat = flat * counts[d] + at
    flat = np.where(inside, flat, total)
    found = reshape(ordering.add_at(weights, flat, total + 1)[:total], tuple(counts))
    if density:
        for d, e in enumerate(edges):
            found = found / np.diff(e).reshape(-1, *[1] * (len(counts) - 1 - d))
        found = found / reductions.sum(ordering.add_at(weights, flat, total + 1)[:total])
    return found, edges


@rule()
def histogram2d(x, y, bins=10, range=None, density=None, weights=None):
    """(counts or sums of weights in each bin, the edges of x, the edges of y)."""
    if len(x) != len(y):
        raise ValueError("x and y must have the same length.")
    n = 1 if np.ndim(bins) == 0 and not is_traced([bins]) else len(bins)
    if n not in (1, 2):
        bins = [np.asarray(stripped(bins))] * 2
    points = shapes.stack([as_array(x), as_array(y)], axis=1)
    found, edges = histogramdd(points, bins, range, density, weights)
    return found, edges[0], edges[1]
