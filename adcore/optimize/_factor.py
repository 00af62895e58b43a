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
LEAST_PIVOT, LEAST_SINGLE_PIVOT = 1e-13, 1e-5


class Factor:
    """Factors of A + shift I, positive definite.

    Parameters
    ----------
    matrix : (n, n) sparse array, symmetric
    shift : float
        The least that is tried.
    single : bool
        Factorise in single precision, in about half of the time and memory: solutions are good as
        preconditioners.  What cannot be told to be positive definite so is done in double.

    Attributes
    ----------
    shift : float
        Zero if A is positive definite itself.
    ratio : float
        How many iterations of conjugate gradients take the time of making the factors, roughly.
    """

    def __init__(self, matrix, shift=0.0, single=False):
        n = matrix.shape[0]
        if not np.isfinite(matrix.data).all():
            raise FloatingPointError("the Hessian is not finite")
        # Rows of a symmetric matrix are its columns: CSR read as CSC, without a copy.
        columns = sparse.csc_array((matrix.data, matrix.indices, matrix.indptr), shape=(n, n))
        scale = np.abs(matrix.data).max(initial=0.0) or 1.0
        self.single = single
        while True:
            shifted = columns
            if shift:
                shifted = sparse.csc_array(columns + shift * sparse.eye_array(n, format="csc"))
            self.solve = self._positive(shifted)
            if self.solve is not None:
                break
            if self.single:
                self.single = False
                continue
            shift = max(GROWTH * shift, FIRST_SHIFT * scale)
        self.shift, self.matrix = shift, shifted

    def _positive(self, matrix):
        """The solver of a matrix, or None if it is not positive definite."""
        diagonal = matrix.diagonal()
        if not diagonal.min() > 0.0:
            return None
        if self.single:
            scale = diagonal.max()
            matrix = (matrix / scale).astype(np.float32)
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
        least = LEAST_SINGLE_PIVOT if self.single else LEAST_PIVOT
        if not (pivots > least * matrix.diagonal()).all():  # with a nan too
            return None
        self.ratio = factors.nnz / (
            3.0 * matrix.shape[0]
        )  # measured on grids; entries of both L and U
        return _in_single(factors.solve, scale) if self.single else factors.solve


def _in_single(solve, scale):
    """The solver of scale times the matrix, for vectors of any size in double precision."""

    def solve_double(b):
        size = np.abs(b).max() or 1.0
        return solve((b / size).astype(np.float32)) * (size / scale)

    return solve_double
