"""Sparse matrices whose index arrays are shared by all that have the same pattern."""

import functools

import numpy as np
from scipy import sparse


@functools.lru_cache(maxsize=1)
def _class():
    """The class of CSR arrays, checked once to be made of the attributes that `csr` sets."""
    known = sparse.csr_array((np.ones(1), np.zeros(1, np.int32), np.array([0, 1], np.int32)))
    known.has_canonical_format  # noqa: B018: asks, so that the answer is kept
    return sparse.csr_array, dict(known.__dict__)


class Template:
    """Makes CSR arrays of one pattern: (indptr, indices, shape), sorted, each entry once.

    The index arrays of all of them are the same, and cannot be written to.
    """

    def __init__(self, pattern):
        indptr, indices, shape = pattern
        self.kind = sparse.csr_array
        made = sparse.csr_array(
            (np.empty(indices.size), indices, indptr), shape=shape, copy=False
        )
        made.has_sorted_indices = made.has_canonical_format = True
        made.indices, made.indptr = indices, indptr
        self.attributes = made.__dict__
        self.size = indices.size

    def __call__(self, data):
        out = self.kind.__new__(self.kind)
        out.__dict__ = {**self.attributes, "data": data}
        return out
