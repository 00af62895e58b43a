"""Diagonals and triangles of matrices."""

import functools
import math

import numpy as np

from .. import _core
from ..errors import ShapeError
from . import primitives
from .primitives import as_array, axes_of
from .shapes import builtin_max, ravel
from .table import array_function


@array_function(np.diagonal, method="diagonal")
def diagonal(x, offset=0, axis1=0, axis2=1):
    """The elements whose index along `axis2` is that along `axis1` plus `offset`, along the end.

    Examples
    --------
    >>> adcore.diagonal(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([1., 4.])
    """
    x = as_array(x)
    a, b = axes_of((axis1, axis2), x.ndim)
    return primitives.diagonal(x, offset, a, b)


@array_function(np.diag)
def diag(x, k=0):
    """The k-th diagonal of a matrix; of a vector, the matrix with it there and 0 elsewhere.

    Examples
    --------
    >>> adcore.diag(np.array([1.0, 2.0]))
    array([[1., 0.],
           [0., 2.]])
    """
    x = as_array(x)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ShapeError(f"diag takes a vector or a matrix, got shape {x.shape}")
    m = x.shape[0]
    n = m + abs(k)
    # Rows of an element and n zeros: each begins one place further on in its row of the matrix.
    rows = _core.pad_axis(primitives.reshape(x, (m, 1)), 1, 0, n)
    flat = primitives.reshape(rows, (-1,))
    if k:
        before = k if k > 0 else -k * n
        flat = _core.pad_axis(flat, 0, before, builtin_max(n * n - before - m * (n + 1), 0))
    return primitives.reshape(flat[: n * n], (n, n))


@array_function(np.diagflat)
def diagflat(x, k=0):
    """The matrix with the elements of `x` on its k-th diagonal.

    Examples
    --------
    >>> adcore.diagflat(np.ones(1), 1)
    array([[0., 1.],
           [0., 0.]])
    """
    return diag(ravel(x), k)


def _below_diagonal(x, k):
    """Where elements of matrices stand on the k-th diagonal or below it."""
    shape = x.shape[-2:] if x.ndim > 1 else (*x.shape, *x.shape)
    if len(shape) < 2:
        raise ShapeError("the triangles of a number: tril and triu take vectors and matrices")
    return _small_triangle(*shape, k) if math.prod(shape) <= 256 else np.tri(*shape, k, bool)


@functools.lru_cache(64)
def _small_triangle(n_rows, n_columns, k):
    return np.tri(n_rows, n_columns, k, bool)


@array_function(np.tril)
def tril(x, k=0):
    """`x` with 0 above the k-th diagonal.

    Examples
    --------
    >>> adcore.tril(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[1., 0.],
           [3., 4.]])
    """
    x = as_array(x)
    return _core.apply("where", _below_diagonal(x, k), x, 0.0)


@array_function(np.triu)
def triu(x, k=0):
    """`x` with 0 below the k-th diagonal.

    Examples
    --------
    >>> adcore.triu(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[1., 2.],
           [0., 4.]])
    """
    x = as_array(x)
    return _core.apply("where", _below_diagonal(x, k - 1), 0.0, x)
