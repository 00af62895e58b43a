"""What numpy.linalg has beside norm: the rules of NumPy's own functions with other arguments.

Their public names are for a module adcore.numpy.linalg; here they answer NumPy's functions.
"""

import functools

import numpy as np

from . import products, reductions, shapes
from .primitives import as_array, axes_of, reshape
from .table import array_function


@array_function(np.linalg.diagonal)
def _diagonal(x, *, offset=0):
    return shapes.diagonal(x, offset, -2, -1)


@array_function(np.linalg.trace)
def _trace(x, *, offset=0, dtype=None):
    return products.trace(x, offset, -2, -1, dtype)


@array_function(np.linalg.matrix_transpose)
def _matrix_transpose(x):
    return shapes.matrix_transpose(x)


@array_function(np.linalg.vecdot)
def _vecdot(a, b, *, axis=-1):
    return reductions.sum(shapes.moveaxis(a, axis, -1) * shapes.moveaxis(b, axis, -1), -1)


@array_function(np.linalg.vector_norm)
def _vector_norm(x, *, axis=None, keepdims=False, ord=2):
    x = as_array(x)
    axes = axes_of(axis, x.ndim)
    rest = [d for d in range(x.ndim) if d not in axes]
    flat = reshape(
        shapes.moveaxis(x, rest, tuple(range(len(rest)))), (*[x.shape[d] for d in rest], -1)
    )
    out = reductions.norm(flat, ord, -1)
    return reductions.keep(out, x.shape, axes) if keepdims else out


@array_function(np.linalg.matrix_norm)
def _matrix_norm(x, *, keepdims=False, ord="fro"):
    return reductions.norm(x, ord, (-2, -1), keepdims)


@array_function(np.linalg.multi_dot)
def _multi_dot(arrays, *, out=None):
    return functools.reduce(lambda a, b: products.dot(a, b, out), arrays)


@array_function(np.linalg.matrix_power)
def _matrix_power(x, n):
    if n < 0 or n != int(n):
        raise ValueError(f"matrix_power of a tensor takes integers from 0 on, got {n!r}")
    if n == 0:
        return np.broadcast_to(np.eye(x.shape[-1]), x.shape)
    if n == 1:
        return x
    half = _matrix_power(x, n // 2)
    square = products.matmul(half, half)
    return products.matmul(square, x) if n % 2 else square
