"""Arrays cut into parts, and joined again in another order, without some, or several times."""

import itertools

import numpy as np

from .. import _core
from ..errors import ShapeError
from . import primitives
from .primitives import as_array, axes_of, axis_of
from .shapes import builtin_max, concatenate, flip, swapaxes, take
from .table import array_function


def _parts(x, cuts, axis):
    """The parts of `x` between the neighbours among `cuts`, along an axis that is not negative."""
    parts = _core.cut(x, cuts, axis)
    if parts is not NotImplemented:
        return parts
    lead = (slice(None),) * axis
    return [x[(*lead, slice(a, b))] for a, b in itertools.pairwise(cuts)]


def _cuts(sections, n):
    """Where n elements are cut: between that many parts, or at the given indices."""
    if type(sections) is list:
        return [0, *map(int, sections), n]
    if type(sections) is not int and np.ndim(sections):
        return [0, *[int(i) for i in sections], n]
    sections = int(sections)
    if sections < 1:
        raise ValueError(f"array_split needs one section or more, got {sections}")
    each, more = divmod(n, sections)
    return [i * each + (i if i < more else more) for i in range(sections + 1)]


@array_function(np.array_split)
def array_split(x, sections, axis=0):
    """A list of parts: that many of nearly one size, or cut at the given indices.

    Examples
    --------
    >>> [part.size for part in adcore.array_split(np.ones(5), 2)]
    [3, 2]
    """
    x = as_array(x)
    shape = x.shape
    axis = axis_of(axis, len(shape))
    return _parts(x, _cuts(sections, shape[axis]), axis)


@array_function(np.split)
def split(x, sections, axis=0):
    """A list of parts: that many of one size, or cut at the given indices.

    Examples
    --------
    >>> adcore.split(np.arange(4.0), 2)
    [array([0., 1.]), array([2., 3.])]
    """
    x = as_array(x)
    shape = x.shape
    axis = axis_of(axis, len(shape))
    cuts = _cuts(sections, shape[axis])
    if type(sections) is not list and np.ndim(sections) == 0 and shape[axis] % sections:
        raise ShapeError(
            f"split: {shape[axis]} elements do not divide into {sections} equal parts; "
            "use array_split"
        )
    return _parts(x, cuts, axis)


@array_function(np.hsplit)
def hsplit(x, sections):
    """Parts along the second dimension, of vectors along the first.

    Examples
    --------
    >>> adcore.hsplit(np.arange(4.0), [1])
    [array([0.]), array([1., 2., 3.])]
    """
    return split(x, sections, 0 if as_array(x).ndim == 1 else 1)


@array_function(np.vsplit)
def vsplit(x, sections):
    """Parts along the first dimension.

    Examples
    --------
    >>> [part.shape for part in adcore.vsplit(np.ones((4, 2)), 2)]
    [(2, 2), (2, 2)]
    """
    return split(x, sections, 0)


@array_function(np.rot90)
def rot90(x, k=1, axes=(0, 1)):
    """`x` turned k times by a quarter, from the first of `axes` towards the second.

    Examples
    --------
    >>> adcore.rot90(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[2., 4.],
           [1., 3.]])
    """
    x = as_array(x)
    a, b = axes_of(axes, x.ndim)
    k %= 4
    if k == 2:
        return flip(x, (a, b))
    if k == 1:
        return swapaxes(flip(x, b), a, b)
    return flip(swapaxes(x, a, b), b) if k == 3 else x


@array_function(np.roll)
def roll(x, shift, axis=None):
    """The elements moved along `axis` by `shift`, those beyond the end coming back in front.

    Examples
    --------
    >>> adcore.roll(np.arange(4.0), 1)
    array([3., 0., 1., 2.])
    """
    x = as_array(x)
    if axis is None:
        return primitives.reshape(roll(primitives.reshape(x, (-1,)), shift, 0), x.shape).copy()
    shifts, axes = np.broadcast_arrays(shift, axis)
    moved = False
    for by, a in zip(shifts.ravel().tolist(), axes.ravel().tolist(), strict=True):
        a = axis_of(a, x.ndim)
        n = x.shape[a]
        by = by % n if n else 0
        if by:
            lead = (slice(None),) * a
            x = primitives.concatenate(
                [x[(*lead, slice(n - by, None))], x[(*lead, slice(n - by))]], a
            )
            moved = True
    return x if moved else x.copy()


@array_function(np.delete)
def delete(x, which, axis=None):
    """`x` without the parts `which` along `axis`.

    Examples
    --------
    >>> adcore.delete(np.arange(4.0), 1)
    array([0., 2., 3.])
    """
    x = as_array(x)
    if axis is None:
        x, axis = x if x.ndim == 1 else primitives.reshape(x, (-1,)), 0
    axis = axis_of(axis, x.ndim)
    n = x.shape[axis]
    cuts = _few_places(which, n)
    if cuts is None:
        return take(x, np.delete(np.arange(n), which), axis)
    ends = [0]
    for i in cuts:  # between each two an element goes
        ends += (i, i + 1)
    parts = _parts(x, [*ends, n], axis)[::2]
    return concatenate(parts, axis)


def _few_places(which, n):
    """The places among n that an index or a list of some picks, in order; None of anything else."""
    places = [which] if type(which) is int else which
    if type(places) is not list or len(places) > 8:
        return None
    if not all(type(i) is int and -n <= i < n for i in places):
        return None
    return sorted({i + n if i < 0 else i for i in places})


@array_function(np.tile)
def tile(x, repeats):
    """`x` repeated as a whole, so many times along each dimension.

    Examples
    --------
    >>> adcore.tile(np.arange(2.0), 2)
    array([0., 1., 0., 1.])
    """
    x = as_array(x)
    repeats = (repeats,) if type(repeats) is int or np.ndim(repeats) == 0 else tuple(repeats)
    ndim = builtin_max(x.ndim, len(repeats))
    repeats = (1,) * (ndim - len(repeats)) + repeats
    shape = (1,) * (ndim - x.ndim) + tuple(x.shape)
    apart = [n for pair in zip((1,) * ndim, shape, strict=True) for n in pair]
    wide = [n for pair in zip(repeats, shape, strict=True) for n in pair]
    x = primitives.broadcast_to(primitives.reshape(x, tuple(apart)), tuple(wide))
    return primitives.reshape(x, tuple([r * n for r, n in zip(repeats, shape, strict=True)]))
