"""Functions that move elements and compute nothing."""

import numpy as np

from .. import _core
from ..errors import NotDifferentiableError, ShapeError
from . import primitives
from .indices import Index, gather, take_along
from .primitives import as_array, axes_of, axis_of, common_shape, shape_of, values
from .recorded import true_places
from .table import Dual, Tensor, array_function, refuse


@array_function(np.reshape)
def reshape(x, shape, order="C", *, copy=None):
    """The same elements in another shape; one length may be -1.

    Examples
    --------
    >>> adcore.reshape(np.arange(6.0), (2, -1))
    array([[0., 1., 2.],
           [3., 4., 5.]])
    >>> adcore.jacobian(lambda x: adcore.reshape(x, (2, 1)))(np.ones(2)).shape
    (2, 1, 2)
    """
    if copy is not None:
        refuse("reshape", copy=copy)
    x = as_array(x)
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if _by_columns("reshape", x, order):
        return transpose(primitives.reshape(transpose(x), shape[::-1]))
    return primitives.reshape(x, shape)


def _by_columns(name, x, order):
    """Whether `order` is Fortran's; "A" and "K" ask for the order in memory, tensors have none."""
    if order == "F" or order == "C" or (order in ("A", "K") and x.ndim < 2):
        return order == "F"
    raise ValueError(f"{name} of a tensor takes the orders 'C' and 'F', got {order!r}")


def _transpose_method(x, *axes):
    """The dimensions in another order, reversed if none is given.

    Two axes of a tensor that does not have two dimensions are exchanged, as torch does.
    """
    if len(axes) == 1 and not isinstance(axes[0], int):
        return transpose(x, axes[0])
    if len(axes) == 2:
        if x.ndim != 2:
            return swapaxes(x, *axes)
        if axes_of(axes, 2) == (0, 1):
            raise ShapeError(
                f"x.transpose{axes} of a matrix is x itself in NumPy and the transpose in torch; "
                f"write x.T, x.swapaxes{axes}, or x.transpose({axes}) for NumPy's meaning"
            )
    return transpose(x, axes or None)


@array_function(np.ravel, method="ravel")
def ravel(x, order="C"):
    """The elements in one dimension, row by row, or column by column if `order` is "F".

    Examples
    --------
    >>> adcore.grad(lambda x: adcore.ravel(x)[2] ** 2)(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[0., 0.],
           [6., 0.]])
    """
    x = as_array(x)
    return primitives.reshape(transpose(x) if _by_columns("ravel", x, order) else x, (-1,))


@array_function(np.transpose, np.permute_dims)
def transpose(x, axes=None):
    """The dimensions in another order, reversed if `axes` is None.

    Examples
    --------
    >>> adcore.grad(lambda x: adcore.transpose(x)[0] @ np.array([1.0, 5.0]))(np.ones((2, 2)))
    array([[1., 0.],
           [5., 0.]])
    """
    x = as_array(x)
    axes = tuple(range(x.ndim))[::-1] if axes is None else axes_of(tuple(axes), x.ndim)
    return primitives.transpose(x, axes)


def _flatten(x, order="C"):
    """A copy of the elements in one dimension."""
    return ravel(x, order).copy()


_core.add_methods({"flatten": _flatten, "transpose": _transpose_method})


@array_function(np.moveaxis)
def moveaxis(x, source, destination):
    """`x` with the dimensions `source` moved to the positions `destination`.

    Examples
    --------
    >>> adcore.moveaxis(np.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = as_array(x)
    if type(source) is int and type(destination) is int:
        order = list(range(x.ndim))
        order.insert(axis_of(destination, x.ndim), order.pop(axis_of(source, x.ndim)))
        return primitives.transpose(x, tuple(order))
    source = axes_of(source, x.ndim)
    destination = axes_of(destination, x.ndim)
    if len(source) != len(destination):
        raise ShapeError(f"moveaxis: {len(source)} sources, {len(destination)} destinations")
    order = [d for d in range(x.ndim) if d not in source]
    for to, axis in sorted(zip(destination, source, strict=True)):
        order.insert(to, axis)
    return primitives.transpose(x, tuple(order))


@array_function(np.swapaxes, method="swapaxes")
def swapaxes(x, axis1, axis2):
    """`x` with two dimensions exchanged.

    Examples
    --------
    >>> adcore.swapaxes(np.array([[1.0, 2.0], [3.0, 4.0]]), 0, 1)
    array([[1., 3.],
           [2., 4.]])
    """
    x = as_array(x)
    order = list(range(x.ndim))
    a, b = axis_of(axis1, x.ndim), axis_of(axis2, x.ndim)
    order[a], order[b] = b, a
    return primitives.transpose(x, tuple(order))


@array_function(np.matrix_transpose)
def matrix_transpose(x):
    """`x` with the last two dimensions exchanged.

    Examples
    --------
    >>> adcore.matrix_transpose(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[1., 3.],
           [2., 4.]])
    """
    return swapaxes(x, -1, -2)


_core.add_methods({"mT": property(matrix_transpose)})


@array_function(np.squeeze, method="squeeze")
def squeeze(x, axis=None):
    """`x` without its dimensions of length 1, or without those of `axis`.

    Examples
    --------
    >>> adcore.squeeze(np.ones((2, 1, 3))).shape
    (2, 3)
    """
    x = as_array(x)
    shape = x.shape
    if axis is None:
        return primitives.reshape(x, tuple([n for n in shape if n != 1]))
    axes = axes_of(axis, x.ndim)
    for a in axes:
        if shape[a] != 1:
            raise ShapeError(f"squeeze: axis {a} of a tensor of shape {shape} is not of length 1")
    return primitives.reshape(x, tuple([n for d, n in enumerate(shape) if d not in axes]))


@array_function(np.expand_dims)
def expand_dims(x, axis):
    """`x` with dimensions of length 1 inserted, at `axis` of the result.

    Examples
    --------
    >>> adcore.expand_dims(np.ones(3), 0).shape
    (1, 3)
    """
    x = as_array(x)
    n_new = len(axis) if isinstance(axis, (tuple, list)) else 1
    axes = axes_of(axis, x.ndim + n_new)
    shape = list(x.shape)
    for a in sorted(axes):
        shape.insert(a, 1)
    return primitives.reshape(x, tuple(shape))


@array_function(np.broadcast_to)
def broadcast_to(x, shape, subok=False):
    """`x` stretched to `shape` by NumPy's rules, a view.

    Examples
    --------
    >>> adcore.grad(lambda x: adcore.broadcast_to(x, (4, 2)).sum())(np.ones(2))
    array([4., 4.])
    """
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    return primitives.broadcast_to(as_array(x), shape)


@array_function(np.broadcast_arrays)
def broadcast_arrays(*arrays, subok=False):
    """The arrays stretched to their common shape, a tuple.

    Examples
    --------
    >>> [x.shape for x in adcore.broadcast_arrays(np.ones((2, 1)), np.ones(3))]
    [(2, 3), (2, 3)]
    """
    arrays = [as_array(a) for a in arrays]
    shapes = {a.shape for a in arrays if a.ndim}
    shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)
    return tuple([primitives.broadcast_to(a, shape) for a in arrays])


def _at_least(n, x):
    """At least n dimensions, as NumPy's atleast_1d to atleast_3d place them."""
    x = as_array(x)
    missing = n - x.ndim
    if missing <= 0:
        return x
    shape = x.shape
    if n == 3 and missing < 3:
        return primitives.reshape(x, (1, *shape, 1) if missing == 2 else (*shape, 1))
    return primitives.reshape(x, (1,) * missing + shape)


def _each(n, arrays):
    if len(arrays) == 1:
        return _at_least(n, arrays[0])
    return tuple([_at_least(n, a) for a in arrays])


@array_function(np.atleast_1d)
def atleast_1d(*arrays):
    """Each array with at least one dimension.

    Examples
    --------
    >>> adcore.atleast_1d(5.0)
    array([5.])
    """
    return _each(1, arrays)


@array_function(np.atleast_2d)
def atleast_2d(*arrays):
    """Each array with at least two dimensions.

    Examples
    --------
    >>> adcore.atleast_2d(np.ones(3)).shape
    (1, 3)
    """
    return _each(2, arrays)


@array_function(np.atleast_3d)
def atleast_3d(*arrays):
    """Each array with at least three dimensions.

    Examples
    --------
    >>> adcore.atleast_3d(np.ones(3)).shape
    (1, 3, 1)
    """
    return _each(3, arrays)


# ---- joining ----


def rows_of(arrays):
    """The arrays to be joined: a sequence of them, or the rows of one."""
    if type(arrays) is Tensor or type(arrays) is Dual:
        return [arrays[i] for i in range(arrays.shape[0])]
    return [as_array(a) for a in arrays]


@array_function(np.concatenate)
def concatenate(arrays, axis=0, out=None, dtype=None, casting=None):
    """Arrays joined along `axis`, flattened first if it is None.

    Examples
    --------
    >>> adcore.grad(lambda x: adcore.concatenate([x, x ** 2])[3])(np.array([2.0, 5.0]))
    array([ 0., 10.])
    """
    if out is not None or dtype is not None or casting is not None:
        refuse("concatenate", out=out, dtype=dtype, casting=casting)
    joined = NotImplemented if axis is None else _core.join(arrays, "concatenate", axis)
    if joined is not NotImplemented:
        return joined
    arrays = rows_of(arrays)
    if axis is None:
        arrays, axis = [primitives.reshape(a, (-1,)) for a in arrays], 0
    for a in arrays:
        if a.ndim == 0:
            raise ShapeError("concatenate joins arrays of one dimension or more; use stack")
    return primitives.concatenate(arrays, axis_of(axis, arrays[0].ndim))


concat = concatenate


@array_function(np.stack)
def stack(arrays, axis=0, out=None, *, dtype=None, casting=None):
    """Arrays of one shape joined along a new dimension `axis`.

    Examples
    --------
    >>> adcore.jacobian(lambda x: adcore.stack([x[0] * x[1], x[0]]))(np.array([2.0, 5.0]))
    array([[5., 2.],
           [1., 0.]])
    """
    if out is not None or dtype is not None or casting is not None:
        refuse("stack", out=out, dtype=dtype, casting=casting)
    if type(arrays) is Tensor or type(arrays) is Dual:
        return moveaxis(arrays, 0, axis)
    joined = _core.join(arrays, "stack", axis)
    if joined is not NotImplemented:
        return joined
    arrays = list(arrays)
    if not arrays:
        raise ShapeError("stack needs at least one array")
    shape = common_shape("stack", arrays)
    axis = axis_of(axis, len(shape) + 1)
    if shape == ():
        return primitives.gather([primitives.plain_scalar(x) for x in arrays], (len(arrays),))
    longer = (*shape[:axis], 1, *shape[axis:])
    return primitives.concatenate([primitives.reshape(as_array(a), longer) for a in arrays], axis)


@array_function(np.vstack)
def vstack(arrays, *, dtype=None, casting=None):
    """Rows, or arrays, joined along the first dimension.

    Examples
    --------
    >>> adcore.vstack([np.ones(2), np.zeros(2)])
    array([[1., 1.],
           [0., 0.]])
    """
    if dtype is None and casting is None:
        joined = _core.join(arrays, "vstack")
        if joined is not NotImplemented:
            return joined
    return concatenate([_at_least(2, a) for a in rows_of(arrays)], 0, None, dtype, casting)


@array_function(np.hstack)
def hstack(arrays, *, dtype=None, casting=None):
    """Arrays joined along the second dimension, vectors along the first.

    Examples
    --------
    >>> adcore.hstack([np.ones(2), np.zeros(1)])
    array([1., 1., 0.])
    """
    if dtype is None and casting is None:
        joined = _core.join(arrays, "hstack")
        if joined is not NotImplemented:
            return joined
    arrays = [_at_least(1, a) for a in rows_of(arrays)]
    return concatenate(arrays, 0 if arrays[0].ndim == 1 else 1, None, dtype, casting)


@array_function(np.dstack)
def dstack(arrays):
    """Arrays joined along the third dimension.

    Examples
    --------
    >>> adcore.dstack([np.ones(2), np.zeros(2)]).shape
    (1, 2, 2)
    """
    joined = _core.join(arrays, "dstack", 2)
    if joined is not NotImplemented:
        return joined
    return concatenate([_at_least(3, a) for a in rows_of(arrays)], 2)


@array_function(np.column_stack)
def column_stack(arrays):
    """Vectors as columns, and matrices, joined along the second dimension.

    Examples
    --------
    >>> adcore.column_stack([np.ones(2), np.zeros(2)])
    array([[1., 0.],
           [1., 0.]])
    """
    joined = _core.join(arrays, "column_stack", 1)
    if joined is not NotImplemented:
        return joined
    arrays = rows_of(arrays)
    return concatenate([a if a.ndim >= 2 else primitives.reshape(a, (-1, 1)) for a in arrays], 1)


@array_function(np.append)
def append(x, end, axis=None):
    """`x` with `end` joined to it, both flattened if `axis` is None.

    Examples
    --------
    >>> adcore.grad(lambda x: adcore.append(x, x[0] ** 2)[-1])(np.array([3.0, 1.0]))
    array([6., 0.])
    """
    joined = _core.join((x, end), "append") if axis is None else NotImplemented
    return concatenate([x, end], axis) if joined is NotImplemented else joined


@array_function(np.block)
def block(arrays):
    """Nested lists of blocks joined into one array, the innermost along the last dimension.

    Examples
    --------
    >>> adcore.block([[np.eye(2), np.zeros((2, 1))], [np.ones((1, 2)), np.ones((1, 1))]])
    array([[1., 0., 0.],
           [0., 1., 0.],
           [1., 1., 1.]])
    """
    depth, ndim = _block_depth(arrays)
    return _block(arrays, depth, builtin_max(depth, ndim))


def builtin_max(a, b):
    """The greater of two Python numbers."""
    return a if a > b else b


def _block_depth(arrays):
    if not isinstance(arrays, list):
        return 0, len(shape_of(arrays))
    inner = [_block_depth(a) for a in arrays]
    if len({depth for depth, _ in inner}) != 1:
        raise ShapeError("block: lists are nested to different depths, or empty")
    ndim = 0
    for _, n in inner:
        ndim = builtin_max(ndim, n)
    return inner[0][0] + 1, ndim


def _block(arrays, depth, ndim):
    if depth == 0:
        x = as_array(arrays)
        return primitives.reshape(x, (1,) * (ndim - x.ndim) + tuple(x.shape))
    return concatenate([_block(a, depth - 1, ndim) for a in arrays], axis=-depth)


# ---- elements picked, turned round, framed ----


@array_function(np.flip)
def flip(x, axis=None):
    """The elements in reverse order along `axis`, along all dimensions if it is None.

    Examples
    --------
    >>> adcore.grad(lambda x: adcore.flip(x)[0])(np.ones(3))
    array([0., 0., 1.])
    """
    x = as_array(x)
    if axis == 0 or (axis is None and x.ndim == 1):
        return x[::-1]
    if axis == 1 and x.ndim > 1:
        return x[:, ::-1]
    axes = axes_of(axis, x.ndim)
    return x[tuple([slice(None, None, -1 if d in axes else None) for d in range(x.ndim)])]


@array_function(np.fliplr)
def fliplr(x):
    """The elements in reverse order along the second dimension.

    Examples
    --------
    >>> adcore.fliplr(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[2., 1.],
           [4., 3.]])
    """
    return flip(x, 1)


@array_function(np.flipud)
def flipud(x):
    """The elements in reverse order along the first dimension.

    Examples
    --------
    >>> adcore.flipud(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[3., 4.],
           [1., 2.]])
    """
    return flip(x, 0)


@array_function(np.take, method="take")
def take(x, indices, axis=None, out=None, mode="raise"):
    """The elements, or the parts along `axis`, at `indices`.

    Examples
    --------
    >>> adcore.grad(lambda x: adcore.take(x, [0, 0, 2]).sum())(np.ones(3))
    array([2., 0., 1.])
    """
    if out is not None:
        refuse("take", out=out)
    x = as_array(x)
    if axis is None:
        x, axis = x if x.ndim == 1 else primitives.reshape(x, (-1,)), 0
    axis = axis_of(axis, x.ndim)
    if type(indices) is Index and mode == "raise":
        return gather(x, (*(slice(None),) * axis, indices))
    if type(indices) is not np.ndarray:
        indices = np.asarray(values(indices))
        if not indices.size:
            indices = indices.astype(np.intp)  # of an empty list
    if mode == "wrap":
        indices = indices % x.shape[axis]
    elif mode == "clip":
        indices = np.clip(indices, 0, x.shape[axis] - 1)
    return x[indices] if axis == 0 else x[(*(slice(None),) * axis, indices)]


@array_function(np.take_along_axis)
def take_along_axis(x, indices, axis=-1):
    """The elements that index arrays of x's dimension, such as argsort gives, pick along `axis`.

    Examples
    --------
    >>> x = np.array([3.0, 1.0, 2.0])
    >>> adcore.take_along_axis(x, np.argsort(x))
    array([1., 2., 3.])
    """
    x = as_array(x)
    if axis is None:
        x, axis = primitives.reshape(x, (-1,)), 0
    axis = axis_of(axis, x.ndim)
    if type(indices) is Index:
        return take_along(x, indices, axis)
    indices = np.asarray(values(indices))
    if x.ndim == 1:
        return x[indices]
    key = list(np.ogrid[tuple([slice(n) for n in x.shape])])
    key[axis] = indices
    return x[tuple(key)]


@array_function(np.compress)
def compress(condition, x, axis=None, out=None):
    """The parts along `axis` where `condition` is true.

    Examples
    --------
    >>> adcore.compress([True, False, True], np.arange(3.0))
    array([0., 2.])
    """
    return take(x, true_places(condition), axis, out)


@array_function(np.repeat)
def repeat(x, repeats, axis=None):
    """Each element, or each part along `axis`, `repeats` times.

    Examples
    --------
    >>> adcore.grad(lambda x: adcore.repeat(x, 3).sum())(np.ones(2))
    array([3., 3.])
    """
    x = as_array(x)
    if axis is None:
        x, axis = x if x.ndim == 1 else primitives.reshape(x, (-1,)), 0
    axis = axis_of(axis, x.ndim)
    if type(repeats) is int and repeats >= 0 and type(x) is Tensor:
        return _core.repeat(x, repeats, axis)
    shape = x.shape
    if type(repeats) is int and repeats >= 0:
        before, after = shape[: axis + 1], shape[axis + 1 :]
        wide = primitives.broadcast_to(
            primitives.reshape(x, (*before, 1, *after)), (*before, repeats, *after)
        )
        return primitives.reshape(wide, (*before[:-1], before[-1] * repeats, *after))
    return take(x, np.repeat(np.arange(shape[axis]), repeats), axis)


def _repeat_method(x, *repeats, axis=None):
    """Each element, or each part along `axis`, so many times, as NumPy does."""
    if len(repeats) != 1:
        raise ShapeError(
            f"x.repeat{repeats} means two things: write x.tile{repeats} to repeat the whole, as "
            f"torch does, or x.repeat(n, axis=...) to repeat each part, as NumPy does"
        )
    return repeat(x, repeats[0], axis)


_core.add_methods({"repeat": _repeat_method})


@array_function(np.pad)
def pad(x, pad_width, mode="constant", **options):
    """`x` with elements added at its borders: a constant, or its own as `mode` says.

    Examples
    --------
    >>> adcore.pad(np.ones(2), 1)
    array([0., 1., 1., 0.])
    >>> adcore.grad(lambda x: adcore.pad(x, 1, mode="edge").sum())(np.ones(2))
    array([2., 2.])
    """
    x = as_array(x)
    if type(pad_width) is int and mode == "constant" and not options and pad_width >= 0:
        for axis in range(x.ndim):
            x = _core.pad_axis(x, axis, pad_width, pad_width)
        return x
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(d, pad_width.get(d - x.ndim, 0)) for d in range(x.ndim)]
        pad_width = [(w, w) if np.ndim(w) == 0 else w for w in pad_width]
    widths = np.broadcast_to(pad_width, (x.ndim, 2)).tolist()
    if mode == "constant":
        fill = options.pop("constant_values", 0)
        if options:
            raise TypeError(f"pad() got an unexpected keyword argument {next(iter(options))!r}")
        return _pad_constant(x, widths, fill)
    if mode not in ("edge", "reflect", "symmetric", "wrap") or options.get("reflect_type") == "odd":
        raise NotDifferentiableError(
            f"pad of a tensor knows the modes constant, edge, reflect, symmetric and wrap, "
            f"got {mode!r} {options or ''}"
        )
    for axis, width in enumerate(widths):
        if width != [0, 0]:
            x = take(x, np.pad(np.arange(x.shape[axis]), width, mode, **options), axis)
    return x


def _pad_constant(x, widths, fill):
    traced = type(fill) is Tensor or type(fill) is Dual
    if isinstance(fill, (int, float)):
        for axis, (before, after) in enumerate(widths):
            if before or after:
                x = _core.pad_axis(x, axis, before, after, fill)
        return x
    fills = broadcast_to(fill, (x.ndim, 2)) if traced else np.broadcast_to(fill, (x.ndim, 2))
    for axis, (before, after) in enumerate(widths):
        shape = x.shape
        parts = [x]
        for end, width in enumerate((before, after)):
            if width:
                border = (*shape[:axis], width, *shape[axis + 1 :])
                part = primitives.broadcast_to(as_array(fills[axis, end]), border)
                parts.insert(0 if end == 0 else len(parts), part)
        if len(parts) > 1:
            x = primitives.concatenate(parts, axis)
    return x
