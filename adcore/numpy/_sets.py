"""Sets of numbers: the values are differentiable as a rearrangement, places and counts constant."""

from typing import NamedTuple

import numpy as np

from .. import _core
from ..rules import ordering, shapes
from ..rules.primitives import as_array, below, reshape, values
from ..rules.recorded import is_recorded, truths
from ._table import rule


class UniqueAllResult(NamedTuple):
    """What unique_all returns."""

    values: object
    indices: np.ndarray
    inverse_indices: np.ndarray
    counts: np.ndarray


class UniqueCountsResult(NamedTuple):
    """What unique_counts returns."""

    values: object
    counts: np.ndarray


class UniqueInverseResult(NamedTuple):
    """What unique_inverse returns."""

    values: object
    inverse_indices: np.ndarray


def _sorted_places(x):
    """The places of the elements of `x`, of one dimension, in ascending order, guarded."""
    return np.asarray(ordering.argsort(x))


def _first_of_equals(x, order, equal_nan):
    """Which of the sorted elements differ from the one before, guarded."""
    first = np.ones(order.size, dtype=bool)
    if order.size > 1:
        s = below(x)[order]
        a, b = s[1:], s[:-1]
        differ = truths(a != b)
        if equal_nan:
            differ = differ & ~(truths(np.isnan(a)) & truths(np.isnan(b)))
        first[1:] = differ
    return first


def _unique(x, equal_nan):
    """(values, places of the first of equals, inverse, counts) of one dimension."""
    order = _sorted_places(x)
    first = _first_of_equals(x, order, equal_nan)
    starts = np.flatnonzero(first)
    inverse = np.empty(order.size, dtype=np.intp)
    inverse[order] = np.cumsum(first) - 1
    counts = np.diff([*starts, order.size]) if order.size else np.zeros(0, dtype=np.intp)
    places = order[starts]
    return x[places], places, inverse, counts


@rule()
def unique(
    x,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    *,
    equal_nan=True,
    sorted=True,
):
    """The different elements in ascending order, and on request where they are."""
    del sorted
    x = as_array(x)
    if axis is None and _core.can_draw(x):
        return _drawn_unique(x, return_index, return_inverse, return_counts, equal_nan)
    if axis is None:
        found, places, inverse, counts = _unique(reshape(x, (-1,)), equal_nan)
        inverse = inverse.reshape(x.shape)
    else:
        numbers = np.asarray(_guarded(x))
        _, places, inverse, counts = np.unique(
            numbers, True, True, True, axis=axis, equal_nan=equal_nan
        )
        found = shapes.take(x, places, axis)
    out = [found]
    out += [
        part
        for part, wanted in (
            (places, return_index),
            (inverse, return_inverse),
            (counts, return_counts),
        )
        if wanted
    ]
    return tuple(out) if len(out) > 1 else found


def _drawn_unique(x, return_index, return_inverse, return_counts, equal_nan):
    """unique() of a tensor, where no replay is to find it anew."""
    flat = x if x.ndim == 1 else reshape(x, (-1,))
    if return_index or return_inverse:
        found, places, inverse, counts = _core.located_set(flat, equal_nan)
        inverse = inverse if x.ndim == 1 else inverse.reshape(x.shape)
        wanted = ((places, return_index), (inverse, return_inverse), (counts, return_counts))
        return (found, *[part for part, asked in wanted if asked])
    if return_counts:
        return _core.counted_set(flat, equal_nan)
    return _core.set_of("all" if equal_nan else "numbers", flat)


def _guarded(x):
    """The numbers of `x`, which a replay must find again."""
    return _core.values(below(x))


@rule()
def unique_all(x):
    """The different elements, where each is first, where each goes, and how often it is there."""
    return UniqueAllResult(*unique(x, True, True, True, equal_nan=False))


@rule()
def unique_counts(x):
    """The different elements, and how often each is there."""
    return UniqueCountsResult(*unique(x, return_counts=True, equal_nan=False))


@rule()
def unique_inverse(x):
    """The different elements, and which of them each element is."""
    return UniqueInverseResult(*unique(x, return_inverse=True, equal_nan=False))


@rule()
def unique_values(x):
    """The different elements."""
    return unique(x, equal_nan=False)


def _flat(x):
    return reshape(as_array(x), (-1,))


def _is_among(a, b):
    """Whether each element of `a` is in `b`, guarded."""
    return np.asarray(np.isin(a, b))


@rule()
def union1d(a, b):
    """The different elements of both."""
    return unique(shapes.concatenate([_flat(a), _flat(b)]))


@rule()
def intersect1d(a, b, assume_unique=False, return_indices=False):
    """The different elements of `a` that are in `b` too."""
    a, b = _flat(a), _flat(b)
    if not (assume_unique or return_indices) and _core.can_draw(a) and not is_recorded(b):
        return _core.set_of("common", a, values(b))
    places_a = np.arange(a.shape[0])
    if not assume_unique:
        a, places_a = unique(a, return_index=True)
    else:
        order = _sorted_places(a)
        a, places_a = a[order], places_a[order]
    at = np.flatnonzero(_is_among(a, b))
    found = a[at]
    if not return_indices:
        return found
    order = _sorted_places(b)
    places_b = order[np.asarray(np.searchsorted(b[order], found))]
    return found, places_a[at], places_b


@rule()
def setdiff1d(a, b, assume_unique=False):
    """The different elements of `a` that are not in `b`."""
    a, b = _flat(a), _flat(b)
    if not assume_unique and _core.can_draw(a) and not is_recorded(b):
        return _core.set_of("missing", a, values(b))
    a = a if assume_unique else unique(a)
    return a[np.flatnonzero(~_is_among(a, b))]


@rule()
def setxor1d(a, b, assume_unique=False):
    """The elements that are in one of the two."""
    a, b = _flat(a), _flat(b)
    if not assume_unique:
        both = shapes.concatenate([a, b])
        if _core.can_draw(both):
            return _core.set_of("one-sided", both, None, a.shape[0])
        a, b = unique(a), unique(b)
    found, _, _, counts = _unique(shapes.concatenate([a, b]), False)
    return found[np.flatnonzero(counts == 1)]
