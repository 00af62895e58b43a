"""Sparse factors of symmetric matrices, made positive definite by a shift where they are not.

SuperLU with pivots on the diagonal, in the order of least degree of A + A': the factors are those
of L D L', and the diagonal of U is D, with as many negative entries as A has negative eigenvalues.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

# Relative to the largest entry: the first shift tried, and by what it grows.
FIRST_SHIFT, GROWTH = 1e-3, 10.0
# Pivots below this, relative to their entry of the diagonal, are no better than zero.
LEAST_PIVOT = 1e-13


class Factor:
    """Factors of A + shift I, positive definite.

    Attributes
    ----------
    shift : float
        Zero if A is positive definite itself.
    ratio : float
        How many iterations of conjugate gradients take the time of making the factors, roughly.
    """

    def __init__(self, matrix, shift=0.0):
        n = matrix.shape[0]
        if not np.isfinite(matrix.data).all():
            raise FloatingPointError("the Hessian is not finite")
        # Rows of a symmetric matrix are its columns: CSR read as CSC, without a copy.
        columns = sparse.csc_array((matrix.data, matrix.indices, matrix.indptr), shape=(n, n))
        scale = np.abs(matrix.data).max(initial=0.0) or 1.0
        while True:
            shifted = columns
            if shift:
                shifted = sparse.csc_array(columns + shift * sparse.eye_array(n, format="csc"))
            self.solve = self._positive(shifted)
            if self.solve is not None:
                break
            shift = max(GROWTH * shift, FIRST_SHIFT * scale)
        self.shift, self.matrix = shift, shifted

    def _positive(self, matrix):
        """The solver of a matrix, or None if it is not positive definite."""
        diagonal = matrix.diagonal()
        if not diagonal.min() > 0.0:
            return None
        try:
            factors = splu(
                matrix,
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
        except RuntimeError:  # exactly singular
            return None
        if not np.array_equal(factors.perm_r, factors.perm_c):
            return None
        pivots = factors.U.diagonal()[factors.perm_c]
        if not (pivots > LEAST_PIVOT * diagonal).all():  # with a nan too
            return None
        self.ratio = factors.nnz / (
            3.0 * matrix.shape[0]
        )  # measured on grids; entries of both L and U
        return factors.solve
