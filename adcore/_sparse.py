"""Sparse matrices whose index arrays are shared by all that have the same pattern."""

import math

import numpy as np
from scipy import sparse

from ._recording import Recording
from ._trees import flatten, shape_of


class Template:
    """Makes CSR arrays of one pattern, (indptr, indices, shape), sorted, each entry once.

    The index arrays of all of them are the same, and cannot be written to.
    """

    def __init__(self, pattern):
        indptr, indices, shape = pattern
        made = sparse.csr_array((np.empty(indices.size), indices, indptr), shape=shape)
        made.has_sorted_indices = made.has_canonical_format = True
        made.indices, made.indptr = indices, indptr
        self.attributes = made.__dict__

    def __call__(self, data):
        out = sparse.csr_array.__new__(sparse.csr_array)
        out.__dict__ = {**self.attributes, "data": data}
        return out


def pattern_matrix(pattern):
    """A CSR array of truths with a pattern."""
    indptr, indices, shape = pattern
    return sparse.csr_array((np.ones(indices.size, bool), indices, indptr), shape=shape)


def empty(shape):
    """A CSR array without entries."""
    return sparse.csr_array(shape)


def rows_of(matrix, path):
    """Rows of the outputs of a path's program as rows of what the function returned."""
    if path.in_order:
        return matrix
    starts = np.cumsum([0, *map(math.prod, path.program.output_shapes)])
    blocks = [
        matrix[starts[v] : starts[v + 1]]
        if varies
        else empty((math.prod(shape_of(v)), matrix.shape[1]))
        for varies, v in path.where
    ]
    return sparse.vstack(blocks, format="csr")


def dense_hessian(r):
    """(value, gradients, dense matrix of second derivatives) of a recording."""
    y = r.scalar("hessian", "jacobian of grad")
    gradients, blocks = r.curvature(y)
    sizes = [math.prod(s) for s in r.shapes]
    rows = [
        np.concatenate([np.reshape(b, (m, n)) for b, n in zip(row, sizes, strict=True)], axis=1)
        for row, m in zip(blocks, sizes, strict=True)
    ]
    return r.plain(y), r.tree(gradients), np.concatenate(rows)


def jacobian_in_python(f, argnums, args, kwargs):
    """The dense matrix of first derivatives of one run of a function."""
    r = Recording(f, args, kwargs, argnums)
    sizes = [math.prod(s) for s in r.shapes]
    rows = []
    for leaf in flatten(r.output)[0]:
        m = math.prod(shape_of(leaf))
        found = r.each(leaf, r.rows, rows=True)
        rows.append(
            np.concatenate(
                [np.reshape(b, (m, n)) for b, n in zip(found, sizes, strict=True)], axis=1
            )
        )
    return np.concatenate(rows)


def once(f, transform, argnums, args, kwargs):
    """What a compiled function gives for sparse=True, of one that has to be run in Python."""
    if transform == "jacobian":
        return sparse.csr_array(jacobian_in_python(f, argnums, args, kwargs))
    value, gradients, matrix = dense_hessian(Recording(f, args, kwargs, argnums, curved=True))
    matrix = sparse.csr_array(matrix)
    return matrix if transform == "hessian" else (value, gradients, matrix)
