"""What numpy.linalg has of other functions with other arguments.

Their public names are in adcore.numpy.linalg; here they answer NumPy's functions.
"""

import numpy as np

from . import diagonals, products, reductions, shapes
from .primitives import as_array, axes_of, reshape
from .table import array_function


@array_function(np.linalg.diagonal)
def _diagonal(x, *, offset=0):
    return diagonals.diagonal(x, offset, -2, -1)


@array_function(np.linalg.trace)
def _trace(x, *, offset=0, dtype=None):
    return products.trace(x, offset, -2, -1, dtype)


@array_function(np.linalg.matrix_transpose)
def _matrix_transpose(x):
    return shapes.matrix_transpose(x)


@array_function(np.linalg.vecdot)
def _vecdot(a, b, *, axis=-1):
    if axis != -1:
        a, b = shapes.moveaxis(a, axis, -1), shapes.moveaxis(b, axis, -1)
    return np.vecdot(a, b)


@array_function(np.linalg.vector_norm)
def _vector_norm(x, *, axis=None, keepdims=False, ord=2):
    x = as_array(x)
    axes = axes_of(axis, x.ndim)
    if ord == 2:
        return reductions.two_norm(x, axes, keepdims)
    rest = [d for d in range(x.ndim) if d not in axes]
    flat = reshape(
        shapes.moveaxis(x, rest, tuple(range(len(rest)))), (*[x.shape[d] for d in rest], -1)
    )
    out = reductions.norm(flat, ord, -1)
    return reductions.keep(out, x.shape, axes) if keepdims else out


@array_function(np.linalg.matrix_norm)
def _matrix_norm(x, *, keepdims=False, ord="fro"):
    return reductions.norm(x, ord, (-2, -1), keepdims)
