"""Elements moved, chosen, changed in place and handed to functions."""

import functools
import math

import numpy as np

from .. import _core
from ..errors import NotDifferentiableError, ShapeError
from ..rules import choices, parts, primitives, shapes
from ..rules.choices import where as pick
from ..rules.indices import Index
from ..rules.primitives import as_array, axes_of, axis_of, reshape, shape_of
from ..rules.recorded import truths
from ..rules.table import is_traced, refuse
from ._table import constant_of, rule, tensor_to_change

# ---- moved ----


@rule()
def dsplit(x, sections):
    """Parts along the third dimension."""
    x = as_array(x)
    if x.ndim < 3:
        raise ShapeError(f"dsplit only works on arrays of 3 or more dimensions, got {x.ndim}")
    return parts.split(x, sections, 2)


@rule()
def unstack(x, /, *, axis=0):
    """The parts along a dimension, a tuple."""
    x = as_array(x)
    if x.ndim == 0:
        raise ShapeError("unstack needs one dimension or more")
    rows = _core.unstack(x, axis_of(axis, x.ndim))
    return tuple(shapes.moveaxis(x, axis, 0) if rows is NotImplemented else rows)


@rule()
def row_stack(arrays, *, dtype=None, casting=None):
    """The same as vstack."""
    return shapes.vstack(arrays, dtype=dtype, casting=casting)


@rule()
def rollaxis(x, axis, start=0):
    """`x` with a dimension moved in front of that which is `start` now."""
    x = as_array(x)
    axis = axis_of(axis, x.ndim)
    start = start + x.ndim if start < 0 else start
    if not 0 <= start <= x.ndim:
        raise ShapeError(f"rollaxis: start {start} is not among the {x.ndim} dimensions")
    return shapes.moveaxis(x, axis, start - (axis < start))


@rule()
def resize(x, new_shape):
    """The elements in another shape, over again where it has more."""
    x = reshape(as_array(x), (-1,))
    new_shape = (new_shape,) if isinstance(new_shape, (int, np.integer)) else tuple(new_shape)
    n, total = x.shape[0], math.prod(new_shape)
    if any(m < 0 for m in new_shape):
        raise ValueError("all elements of `new_shape` must be non-negative")
    if n == 0:
        return np.zeros(new_shape)
    if total > n:
        rows = primitives.broadcast_to(x, (-(-total // n), n))
        if total % n == 0:
            return reshape(rows, new_shape)
        x = reshape(rows, (-1,))
    return reshape(x[:total] if total < x.shape[0] else x, new_shape).copy()


@rule()
def trim_zeros(x, trim="fb", axis=None):
    """`x` without the zeros at its ends; where these are does not vary."""
    x = as_array(x)
    trim = trim.lower()
    hit = truths(x)
    axes = range(x.ndim) if axis is None else axes_of(axis, x.ndim)
    key = [slice(None)] * x.ndim
    for a in axes:
        found = np.flatnonzero(hit.any(tuple(d for d in range(x.ndim) if d != a)))
        if found.size:
            first = found[0] if "f" in trim else 0
            last = found[-1] + 1 if "b" in trim else x.shape[a]
        else:
            first, last = (x.shape[a], x.shape[a]) if "f" in trim else (0, 0)
        key[a] = slice(int(first), int(last))
    return x[tuple(key)]


@rule()
def insert(x, obj, values, axis=None):
    """`x` with values put before the places `obj` along `axis`."""
    x, values = as_array(x), as_array(values)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = axis_of(axis, x.ndim)
    n = x.shape[axis]
    if type(obj) is int and values.ndim == 0 and -n <= obj <= n:
        lead = (slice(None),) * axis
        at = obj + n if obj < 0 else obj
        row = primitives.broadcast_to(values, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))
        return shapes.concatenate(
            [x[(*lead, slice(None, at))], row, x[(*lead, slice(at, None))]], axis
        )
    places = np.arange(n)[obj] if isinstance(obj, slice) else np.asarray(constant_of("insert", obj))
    places = np.flatnonzero(places) if places.dtype == bool else places
    if places.size == 1:
        values = reshape(values, (*[1] * (x.ndim - values.ndim), *values.shape))
        if places.ndim == 0:  # NumPy then takes the first dimension of the values for `axis`
            values = shapes.moveaxis(values, 0, axis)
        places = np.full(values.shape[axis], places.item())
    values = primitives.broadcast_to(values, (*x.shape[:axis], places.size, *x.shape[axis + 1 :]))
    order = np.insert(np.arange(n), places, n + np.arange(places.size))
    return shapes.take(shapes.concatenate([x, values], axis), order, axis)


# ---- chosen ----


@rule()
def choose(a, choices, out=None, mode="raise"):
    """Of each place the element of the choice whose number stands there."""
    refuse("choose", out=out)
    rows = [choices[i] for i in range(len(choices))]
    found = _core.choose_among(a, rows)
    if found is not NotImplemented:
        return found
    if type(a) is not Index:
        a = np.asarray(constant_of("choose", a))
    shape = np.broadcast_shapes(a.shape, *[shape_of(r) for r in rows])
    n = len(rows)
    if type(a) is not Index:
        a = np.broadcast_to(a, shape)
        a = a % n if mode == "wrap" else np.clip(a, 0, n - 1) if mode == "clip" else a
        if a.size and not (a.min() >= 0 and a.max() < n):
            raise ValueError("invalid entry in choice array")
    else:
        if mode != "raise":
            raise ValueError(f"choose by computed indices takes the mode 'raise', got {mode!r}")
        if a.shape != shape:
            return choose(np.asarray(a), choices, out, mode)
    if n == 2 and type(a) is not Index:
        return pick(a, *[primitives.broadcast_to(as_array(r), shape) for r in rows[::-1]])
    rows = shapes.stack([primitives.broadcast_to(as_array(r), shape) for r in rows])
    return reshape(shapes.take_along_axis(rows, a.reshape((1, *shape)), 0), shape)


@rule()
def piecewise(x, condlist, funclist, *args, **kw):
    """Of each element what the function whose condition holds there gives; the last of several."""
    x = as_array(x)
    if isinstance(condlist, (bool, np.bool_)) or (
        not isinstance(condlist[0], (list, tuple)) and len(shape_of(condlist[0])) == 0 and x.ndim
    ):
        condlist = [condlist]
    shape = tuple(x.shape)
    conditions = [_mask(c, shape) for c in condlist]
    n = len(conditions)
    if len(funclist) == n + 1:
        conditions.append(~functools.reduce(np.logical_or, conditions))
    elif len(funclist) == n:  # elsewhere it is a constant 0, also of infinite elements
        conditions.insert(0, ~functools.reduce(np.logical_or, conditions))
        funclist = [0.0, *funclist]
    else:
        raise ValueError(f"with {n} condition(s), either {n} or {n + 1} functions are expected")
    flat = reshape(x, (-1,)) if is_traced([x]) else np.array(x, dtype=np.float64).reshape(-1)
    y = flat.copy()
    for condition, function in zip(conditions, funclist, strict=True):
        at = np.flatnonzero(condition)
        if at.size:
            found = function(flat[at], *args, **kw) if callable(function) else function
            if not isinstance(found, float):
                found = primitives.broadcast_to(as_array(found), at.shape)
            if not _core.put_where(y, condition, found, True):
                y = _with(y, at, found)
    return reshape(y, shape)


def _mask(condition, shape):
    """A condition as an array of truths in a shape."""
    if type(condition) is not np.ndarray or condition.dtype != bool:
        condition = truths(condition)
    return condition if condition.shape == shape else np.broadcast_to(condition, shape)


def _with(y, at, found):
    """`y`, of one dimension, with `found` at the places `at`."""
    found = primitives.broadcast_to(as_array(found), at.shape)
    order = np.arange(y.shape[0])
    order[at] = y.shape[0] + np.arange(at.size)
    return shapes.concatenate([y, found])[order]


# ---- changed in place: as item assignment ----


@rule()
def copyto(dst, src, casting="same_kind", where=True):
    """Assign `src` to `dst`, where the condition holds."""
    del casting
    dst = tensor_to_change("copyto", dst)
    dst[...] = src if where is True else choices.where(truths(where), src, dst.copy())


@rule()
def putmask(x, mask, values):
    """Assign values[n] to the elements n where the mask holds, values over again if too few."""
    if _core.put_where(x, mask, values, False):
        return
    x = tensor_to_change("putmask", x)
    at = np.flatnonzero(np.broadcast_to(truths(mask), x.shape))
    values = reshape(as_array(values), (-1,))
    if at.size and values.shape[0]:
        _put(x, at, values[at % values.shape[0]])


@rule()
def place(x, mask, vals):
    """Assign the first of vals to the elements where the mask holds, over again if too few."""
    if _core.put_where(x, mask, vals, True):
        return
    x = tensor_to_change("place", x)
    at = np.flatnonzero(truths(mask))
    vals = reshape(as_array(vals), (-1,))
    if at.size and not vals.shape[0]:
        raise ValueError("Cannot insert from an empty array!")
    if at.size:
        _put(x, at, vals[np.arange(at.size) % vals.shape[0]])


@rule()
def put(x, ind, v, mode="raise"):
    """Assign to the elements at places of the flattened array."""
    if mode == "raise" and _core.put(x, ind, v):
        return
    x = tensor_to_change("put", x)
    at = np.asarray(constant_of("put", ind)).ravel()
    n = x.size
    at = at % n if mode == "wrap" else np.clip(at, 0, n - 1) if mode == "clip" else at
    if at.size and not (at.min() >= -n and at.max() < n):
        raise IndexError(f"put: an index is out of bounds for {n} elements: {ind}")
    v = reshape(as_array(v), (-1,))
    if at.size and v.shape[0]:
        _put(x, at % n, v[np.arange(at.size) % v.shape[0]])


def _put(x, at, values):
    """Assign values to the places `at` of the flattened x, the last to a place that comes twice."""
    if at.size > 1 and (np.diff(at) <= 0).any() and np.any(np.bincount(at) > 1):
        at, back = np.unique(at[::-1], return_index=True)
        values = values[values.shape[0] - 1 - back]
    x[at if x.ndim == 1 else np.unravel_index(at, x.shape)] = values


@rule()
def put_along_axis(x, indices, values, axis):
    """Assign to the elements that take_along_axis() would pick."""
    x = tensor_to_change("put_along_axis", x)
    indices = np.asarray(constant_of("put_along_axis", indices))
    if axis is None:
        at = indices.ravel() % x.size
        _put(x, at, primitives.broadcast_to(as_array(values), at.shape))
        return
    ndim = x.ndim
    axis = axis_of(axis, ndim)
    if ndim == 1 and indices.ndim == 1:
        x[indices] = values
        return
    key = list(np.ogrid[tuple([slice(n) for n in x.shape])])
    key[axis] = indices
    x[tuple(key)] = values


@rule()
def fill_diagonal(x, val, wrap=False):
    """Assign to the diagonal of a tensor."""
    x = tensor_to_change("fill_diagonal", x)
    at = _diagonal_places(x.shape, wrap)
    if _core.put(x, at, val):
        return
    val = reshape(as_array(val), (-1,))
    _put(x, at, val[np.arange(at.size) % val.shape[0]])


@functools.lru_cache(16)
def _diagonal_places(shape, wrap):
    """Where the diagonal of an array is in its elements in order."""
    if len(shape) < 2:
        raise ValueError("array must be at least 2-d")
    size = math.prod(shape)
    if len(shape) == 2:
        step, end = shape[1] + 1, size if wrap else shape[1] * shape[1]
    elif len(set(shape)) != 1:
        raise ValueError("All dimensions of input must be of equal length")
    else:
        step, end = sum([shape[0] ** d for d in range(len(shape))]), size
    at = np.arange(0, end if end < size else size, step)
    at.flags.writeable = False
    return at


# ---- handed to functions ----


@rule()
def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    """What a function of vectors gives of each part along `axis`, in its place."""
    x = as_array(arr)
    axis = axis_of(axis, x.ndim)
    lead = [n for d, n in enumerate(x.shape) if d != axis]
    rows = reshape(shapes.moveaxis(x, axis, -1), (math.prod(lead), x.shape[axis]))
    if rows.shape[0] == 0:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    found = [as_array(func1d(row, *args, **kwargs)) for row in rows]
    out = shapes.stack(found)
    shape = tuple(found[0].shape)
    out = reshape(out, (*lead, *shape))
    n, m = len(lead), len(shape)
    return primitives.transpose(out, (*range(axis), *range(n, n + m), *range(axis, n)))


@rule()
def apply_over_axes(func, a, axes):
    """A function of an array and an axis, over each of `axes` in turn."""
    x = as_array(a)
    for axis in np.atleast_1d(axes):
        axis = axis_of(int(axis), x.ndim)
        found = as_array(func(x, axis))
        if found.ndim != x.ndim:
            found = shapes.expand_dims(found, axis)
        if found.ndim != x.ndim:
            raise ValueError("function is not returning an array of the correct shape")
        x = found
    return x


class vectorize(np.vectorize):
    """numpy.vectorize, whose function may also be called of tensors, one number at a time."""

    def __call__(self, *args, **kwargs):
        """The results, joined in the shape that the arguments broadcast to."""
        if not is_traced(args) and not is_traced(kwargs.values()):
            return super().__call__(*args, **kwargs)
        if self.signature is not None or self.excluded:
            raise NotDifferentiableError(
                "vectorize of tensors takes neither signature= nor excluded=; use a loop and stack"
            )
        names = [*kwargs]
        arrays = [as_array(a) for a in (*args, *kwargs.values())]
        if len(arrays) > 1:
            arrays = shapes.broadcast_arrays(*arrays)
        shape = tuple(arrays[0].shape)
        if math.prod(shape) == 0:
            raise ValueError("vectorize of tensors: there are no elements to call the function of")
        flat = [a if len(shape) == 1 else reshape(a, (-1,)) for a in arrays]
        if names:
            n = len(args)
            found = [
                self.pyfunc(*numbers[:n], **dict(zip(names, numbers[n:], strict=True)))
                for numbers in zip(*flat, strict=True)
            ]
        else:
            found = list(map(self.pyfunc, *flat))
        if isinstance(found[0], tuple):
            return tuple(
                [reshape(shapes.stack(list(part)), shape) for part in zip(*found, strict=True)]
            )
        return reshape(shapes.stack(found), shape)
