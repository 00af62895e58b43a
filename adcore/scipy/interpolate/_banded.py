"""Systems of equations with a banded matrix, as one instruction."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_banded as _solve_banded

from ... import _calls
from ..._named import Named
from ..._trees import shape_of
from ...rules.primitives import as_array, concatenate, reshape, sum_axes

# The band of a matrix a has l + u + 1 rows: a[i, j] is band[u + i - j, j], as SciPy has it.


@dataclass
class _Solve(Named, saved_as="interpolate.solve_banded"):
    """X with a x = b, of leaves [band, b], b of shape (n, m)."""

    lower: int
    upper: int

    def __post_init__(self):
        if self.lower < 0 or self.upper < 0:
            raise ValueError("a band has no fewer than no diagonals")

    def run(self, leaves):
        """(x, nothing) of plain leaves."""
        band, b = leaves
        return _solve_banded((self.lower, self.upper), band, b, check_finite=False), None

    def push(self, leaves, output, saved, tangents):
        """The tangent of x: that of b less that of the matrix times x, solved for."""
        del saved
        band_dot, b_dot = tangents
        right = b_dot
        if band_dot is not None:
            moved = product(band_dot, output, self.lower, self.upper)
            right = -moved if right is None else right - moved
        return [solve_banded(leaves[0], right, self.lower, self.upper)]

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves."""
        del saved
        if ct[0] is None:
            return [None] * len(wanted)
        turned = transposed(leaves[0], self.lower, self.upper)
        b_bar = solve_banded(turned, ct[0], self.upper, self.lower)
        found = {1: b_bar}
        if 0 in wanted:
            found[0] = -outer(b_bar, output, self.lower, self.upper)
        return [found[i] for i in wanted]


def solve_banded(band, b, lower, upper):
    """X with a x = b: b of shape (n, m)."""
    return _calls.call(_Solve(lower, upper), [as_array(band), as_array(b)])


def _shifted(x, by):
    """Rows of x moved down by a number of places, zeros where none are."""
    n, m = shape_of(x)
    if by == 0:
        return x
    zeros = np.zeros((min(abs(by), n), m))
    parts = [zeros, x[: n - by]] if by > 0 else [x[-by:], zeros]
    return parts[0] if abs(by) >= n else concatenate(parts, 0)


def product(band, x, lower, upper):
    """The matrix of a band times x."""
    total = None
    for row in range(lower + upper + 1):
        below = row - upper  # i - j
        part = _shifted(band[row][:, None] * x, below)
        total = part if total is None else total + part
    return total


def outer(x, y, lower, upper):
    """The band of x y', x and y of shape (n, m)."""
    n = shape_of(x)[0]
    rows = [
        reshape(sum_axes(_shifted(x, upper - row) * y, (1,)), (1, n))
        for row in range(lower + upper + 1)
    ]
    return concatenate(rows, 0)


def transposed(band, lower, upper):
    """The band of the transposed matrix."""
    # a[i, j] in a row is a'[j, i] in the row as far from the other end.
    rows = [_shifted(band[row][:, None], row - upper) for row in range(lower + upper, -1, -1)]
    return concatenate([reshape(row, (1, -1)) for row in rows], 0)


def band_of(values, rows, columns, n, lower, upper):
    """The band of a matrix of n rows with `values` at (rows, columns), all different, else 0."""
    where = np.zeros((lower + upper + 1, n), dtype=np.intp)
    where[upper + rows - columns, columns] = np.arange(1, len(rows) + 1)
    return concatenate([np.zeros(1), values], 0)[where]
