"""Products of vectors and matrices."""

import math

import numpy as np

from .. import _core
from .._core import is_complex
from ..errors import ShapeError
from . import primitives
from .diagonals import diagonal
from .primitives import as_array, axes_of, reshape, shape_of, sum_axes
from .shapes import concatenate, moveaxis
from .table import Tensor, array_function, refuse


@array_function(np.matmul, np.linalg.matmul, method="matmul")
def matmul(a, b):
    """The matrix product over the last two dimensions; vectors count as a row, or a column.

    Examples
    --------
    >>> adcore.jacobian(lambda x: adcore.matmul(np.array([[1.0, 2.0], [3.0, 4.0]]), x))(np.ones(2))
    array([[1., 2.],
           [3., 4.]])
    """
    if type(a) is not Tensor or type(b) is not Tensor:
        if is_complex(a) or is_complex(b):
            return _core.METHODS["_complex_function"](np.matmul, (a, b), {})
        a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(
            f"matmul takes vectors and matrices, got shapes {a.shape} and {b.shape}; multiply by *"
        )
    return primitives.matmul(a, b)


@array_function(np.dot, method="dot")
def dot(a, b, out=None):
    """The product over the last dimension of `a` and the last but one, or only one, of `b`.

    Examples
    --------
    >>> adcore.hessian(lambda x: adcore.dot(x, x))(np.ones(2))
    array([[2., 0.],
           [0., 2.]])
    """
    if out is not None:
        refuse("dot", out=out)
    if type(a) is not Tensor or type(b) is not Tensor:
        if is_complex(a) or is_complex(b):
            return _core.METHODS["_complex_function"](np.dot, (a, b), {})
        a, b = as_array(a), as_array(b)
    n_a, n_b = a.ndim, b.ndim
    if n_a == 0 or n_b == 0:
        return a * b
    if n_a <= 2 and n_b <= 2:
        return primitives.matmul(a, b)
    return tensordot(a, b, ((a.ndim - 1,), (b.ndim - 2 if b.ndim > 1 else 0,)))


@array_function(np.inner)
def inner(a, b):
    """The product over the last dimensions of both.

    Examples
    --------
    >>> adcore.inner(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    np.float64(11.0)
    """
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if b.ndim <= 2 and a.ndim <= 2:
        return primitives.matmul(a, b if b.ndim == 1 else primitives.transpose(b, (1, 0)))
    return tensordot(a, b, ((-1,), (-1,)))


@array_function(np.vdot)
def vdot(a, b):
    """The sum of the products of all elements.

    Examples
    --------
    >>> adcore.grad(lambda x: adcore.vdot(x, x))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    a, b = as_array(a), as_array(b)
    return matmul(a if a.ndim == 1 else reshape(a, -1), b if b.ndim == 1 else reshape(b, -1))


@array_function(np.outer, np.linalg.outer, method="outer")
def outer(a, b, out=None):
    """The products of each element of `a` with each of `b`, a matrix.

    Examples
    --------
    >>> adcore.outer(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([[3., 4.],
           [6., 8.]])
    """
    if out is not None:
        refuse("outer", out=out)
    return reshape(as_array(a), (-1, 1)) * reshape(as_array(b), (1, -1))


@array_function(np.tensordot, np.linalg.tensordot)
def tensordot(a, b, axes=2):
    """The product summed over pairs of axes: the last `axes` with the first, or a pair of lists.

    Examples
    --------
    >>> adcore.tensordot(np.ones((2, 3)), np.ones((3, 4)), axes=1).shape
    (2, 4)
    """
    a, b = as_array(a), as_array(b)
    if isinstance(axes, (int, np.integer)):
        axes = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
    summed_a, summed_b = axes_of(axes[0], a.ndim), axes_of(axes[1], b.ndim)
    if [a.shape[d] for d in summed_a] != [b.shape[d] for d in summed_b]:
        raise ShapeError(
            f"tensordot: axes {axes} of shapes {a.shape} and {b.shape} differ in length"
        )
    free_a = tuple([d for d in range(a.ndim) if d not in summed_a])
    free_b = tuple([d for d in range(b.ndim) if d not in summed_b])
    k = math.prod([a.shape[d] for d in summed_a])
    rows = math.prod([a.shape[d] for d in free_a])
    columns = math.prod([b.shape[d] for d in free_b])
    left = reshape(ordered(a, (*free_a, *summed_a)), (rows, k))
    right = reshape(ordered(b, (*summed_b, *free_b)), (k, columns))
    shape = tuple([a.shape[d] for d in free_a] + [b.shape[d] for d in free_b])
    return reshape(primitives.matmul(left, right), shape)


def ordered(x, axes):
    """`x` transposed, unless its dimensions are in that order already."""
    return x if axes == tuple(range(len(axes))) else primitives.transpose(x, axes)


@array_function(np.kron)
def kron(a, b):
    """The Kronecker product.

    Examples
    --------
    >>> adcore.kron(np.array([1.0, 2.0]), np.ones(2))
    array([1., 1., 2., 2.])
    """
    a, b = as_array(a), as_array(b)
    ndim = a.ndim if a.ndim > b.ndim else b.ndim
    rows = (1,) * (ndim - a.ndim) + tuple(a.shape)
    columns = (1,) * (ndim - b.ndim) + tuple(b.shape)
    left = reshape(a, tuple([n for d in rows for n in (d, 1)]))
    right = reshape(b, tuple([n for d in columns for n in (1, d)]))
    return reshape(left * right, tuple([m * n for m, n in zip(rows, columns, strict=True)]))


@array_function(np.trace, method="trace")
def trace(x, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    """The sum of the elements of a diagonal.

    Examples
    --------
    >>> adcore.grad(lambda x: adcore.trace(x @ x))(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[2., 6.],
           [4., 8.]])
    """
    if dtype is not None or out is not None:
        refuse("trace", dtype=dtype, out=out)
    elements = diagonal(as_array(x), offset, axis1, axis2)
    return sum_axes(elements, (elements.ndim - 1,))


@array_function(np.cross, np.linalg.cross)
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """The cross product of vectors of three elements.

    Examples
    --------
    >>> adcore.jacobian(lambda x: adcore.cross(x, np.array([0.0, 0.0, 1.0])))(np.ones(3))
    array([[ 0.,  1.,  0.],
           [-1.,  0.,  0.],
           [ 0.,  0.,  0.]])
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ShapeError(f"cross takes vectors of three elements, got shapes {a.shape}, {b.shape}")
    products = [
        a[..., i : i + 1] * b[..., j : j + 1] - a[..., j : j + 1] * b[..., i : i + 1]
        for i, j in ((1, 2), (2, 0), (0, 1))
    ]
    return moveaxis(concatenate(products, axis=-1), -1, axisc)


@array_function(np.diff)
def diff(x, n=1, axis=-1, prepend=None, append=None):
    """The n-th differences of neighbours along `axis`.

    Examples
    --------
    >>> adcore.diff(np.array([1.0, 4.0, 9.0]))
    array([3., 5.])
    """
    x = as_array(x)
    axis = primitives.axis_of(axis, x.ndim)
    lead = (slice(None),) * axis
    ends = [prepend, x, append]
    for i in (0, 2):
        if ends[i] is not None and len(shape_of(ends[i])) == 0:
            edge = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
            ends[i] = primitives.broadcast_to(as_array(ends[i]), edge)
    if prepend is not None or append is not None:
        x = concatenate([end for end in ends if end is not None], axis)
    for _ in range(n):
        x = x[(*lead, slice(1, None))] - x[(*lead, slice(None, -1))]
    return x


@array_function(np.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """The integral along `axis` by the trapezoidal rule.

    Examples
    --------
    >>> adcore.grad(lambda y: adcore.trapezoid(y, dx=0.5))(np.ones(4))
    array([0.25, 0.5 , 0.5 , 0.25])
    """
    y = as_array(y)
    axis = primitives.axis_of(axis, y.ndim)
    lead = (slice(None),) * axis
    if x is not None:
        x = as_array(x)
        dx = diff(x) if x.ndim == 1 else diff(x, 1, axis)
        if x.ndim == 1:
            dx = reshape(dx, (-1, *[1] * (y.ndim - 1 - axis)))
    means = (y[(*lead, slice(1, None))] + y[(*lead, slice(None, -1))]) / 2.0
    return sum_axes(means * dx, (axis,))
