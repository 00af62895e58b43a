"""Functions with sparse Hessians, and those Hessians by hand: what bench_sparse.py measures.

`python bench/sparse_problems.py NAME SIZE` makes the first sparse Hessian of one of them, in a
process that has done nothing else, and prints its seconds and the peak of the memory as JSON.
"""

import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse

import adcore
import by_hand
import common
import problems


def rosenbrock_point(n):
    """Where the Hessians of the chained Rosenbrock function are taken."""
    return 0.5 + 0.001 * (np.arange(n) % 1000)


def _rosenbrock_diagonals(x):
    """The main diagonal of its Hessian, (n,), and the one beside it, (n - 1,)."""
    head = x[:-1]
    main = np.empty_like(x)
    np.multiply(head, head, out=main[:-1])
    main[:-1] *= 1200.0
    main[:-1] -= 400.0 * x[1:]
    main[:-1] += 2.0
    main[-1] = 0.0
    main[1:] += 200.0
    return main, -400.0 * head


def rosenbrock_by_diagonals(x):
    """Its Hessian, put together by SciPy from three diagonals: the usual way."""
    main, beside = _rosenbrock_diagonals(x)
    return sparse.diags_array([beside, main, beside], offsets=[-1, 0, 1]).tocsr()


def _three_a_row(left, middle, right):
    """Columns of a tridiagonal matrix beside each other, without the two corners outside it."""
    rows = np.empty((len(middle), 3), middle.dtype)
    rows[1:, 0], rows[:, 1], rows[:-1, 2] = left, middle, right
    return rows.reshape(-1)[1:-1]


def tridiagonal_pattern(n):
    """The index arrays of a tridiagonal matrix, (indices, indptr)."""
    i = np.arange(n, dtype=np.int32)
    starts = 3 * np.arange(n + 1, dtype=np.int32) - 1
    starts[0], starts[-1] = 0, 3 * n - 2
    return _three_a_row(i[:-1], i, i[1:]), starts


def rosenbrock_by_arrays(x):
    """The same, its three CSR arrays made by NumPy: less usual, and faster where n is small."""
    main, beside = _rosenbrock_diagonals(x)
    data = _three_a_row(beside, main, beside)
    return sparse.csr_array((data, *tridiagonal_pattern(len(x))), shape=(len(x), len(x)))


def rosenbrock_on_pattern(x):
    """A call that fills in the numbers only: the index arrays are made beforehand."""
    pattern, shape = tridiagonal_pattern(len(x)), (len(x), len(x))

    def call():
        main, beside = _rosenbrock_diagonals(x)
        return sparse.csr_array((_three_a_row(beside, main, beside), *pattern), shape=shape)

    return call


def minimal_surface(np, x):
    """Area of a surface over the unit square, its heights at m x m points in `x`, shape (m * m,).

    Of each of the (m - 1)^2 cells the slopes are those of its two diagonals, so that a point meets
    the eight around it.  Up to the fixed boundary this is LMINSURF of the CUTE collection (Griewank
    and Toint 1982).
    """
    m = round(x.shape[0] ** 0.5)
    u = np.reshape(x, (m, m))
    a = u[1:, 1:] - u[:-1, :-1]
    b = u[1:, :-1] - u[:-1, 1:]
    return np.sum(np.sqrt(1.0 + 0.5 * (m - 1) ** 2 * (a * a + b * b))) / (m - 1) ** 2


def surface_point(n):
    """Heights at n = m * m points where no entry of the Hessian vanishes."""
    m = round(n**0.5)
    t = np.linspace(0.0, 1.0, m)
    return (np.sin(3.0 * t)[:, None] * np.exp(t) + 0.3 * (t * t)[:, None] + 0.7 * t).ravel()


def _surface_cells(m, x):
    """Second derivatives of each cell's area in its two diagonals a and b: aa, ab, bb."""
    u = x.reshape(m, m)
    a = u[1:, 1:] - u[:-1, :-1]
    b = u[1:, :-1] - u[:-1, 1:]
    scale = 0.5 * (m - 1) ** 2
    aa, bb = a * a, b * b
    # f = k sqrt(s) with s = 1 + c (a^2 + b^2): f_aa = k c (s - c a^2) / s^1.5, and so on
    ratio = aa + bb
    ratio *= scale
    ratio += 1.0
    ratio = 0.5 / (ratio * np.sqrt(ratio))
    ab = a * b
    ab *= -scale
    ab *= ratio
    diagonal = scale * bb
    diagonal += 1.0
    diagonal *= ratio
    aa *= scale
    aa += 1.0
    aa *= ratio
    return diagonal, ab, aa


def _surface_diagonals(m, x):
    """Five diagonals of its Hessian, each (m, m): itself, right, below left, below, below right.

    An entry stands at its row; where there is no neighbour it is zero.
    """
    aa, ab, bb = _surface_cells(m, x)
    main, right, left_below, below, right_below = np.zeros((5, m, m))
    main[:-1, :-1] = aa
    main[1:, 1:] += aa
    main[1:, :-1] += bb
    main[:-1, 1:] += bb
    right[:-1, :-1] = ab  # of the upper edge of a cell: a is -, b is -
    right[1:, :-1] += ab
    below[:-1, :-1] = -ab
    below[:-1, 1:] -= ab
    left_below[:-1, 1:] = -bb
    right_below[:-1, :-1] = -aa
    return main, right, left_below, below, right_below


def _surface_offsets(m):
    return 1, m - 1, m, m + 1


def surface_by_diagonals(x):
    """Its Hessian, put together by SciPy from nine diagonals."""
    m = round(len(x) ** 0.5)
    main, *others = (d.reshape(-1) for d in _surface_diagonals(m, x))
    diagonals, offsets = [main], [0]
    for diagonal, offset in zip(others, _surface_offsets(m), strict=True):
        diagonals += [diagonal[:-offset], diagonal[:-offset]]
        offsets += [offset, -offset]
    return sparse.diags_array(diagonals, offsets=offsets).tocsr()


def surface_on_pattern(x):
    """A call that fills in the numbers only: index arrays and places are made beforehand."""
    n, m = len(x), round(len(x) ** 0.5)
    pattern = surface_by_diagonals(surface_point(n))
    indices, indptr = pattern.indices, pattern.indptr
    offset = indices.astype(np.int64) - np.repeat(np.arange(n), np.diff(indptr))
    # where entry (i, i + d) stands in the array of diagonals, for d < 0 at the mirrored row
    number = np.searchsorted([0, *_surface_offsets(m)], np.abs(offset))
    place = number * n + np.minimum(indices, indices - offset)

    def call():
        flat = np.stack(_surface_diagonals(m, x)).reshape(-1)
        return sparse.csr_array((flat[place], indices, indptr), shape=(n, n))

    return call


@dataclass(frozen=True)
class Problem:
    """A function of n variables, where to take its Hessian, and that Hessian by hand."""

    what: str
    f: object  # f(np, x): the function in terms of a NumPy-like module
    point: object  # point(n): x
    by_hand: object  # by_hand(x): a CSR array
    on_pattern: object  # on_pattern(x): a call that makes one on index arrays made before
    in_c: object  # in_c(x): the same in C


def _loop(np, x):  # noqa: ARG001  (of one form with what needs it)
    return problems.rosenbrock(x)


_ROSENBROCK = (
    rosenbrock_point,
    rosenbrock_by_diagonals,
    rosenbrock_on_pattern,
    by_hand.rosenbrock_hessian_entries,
)
_SURFACE = (
    surface_point,
    surface_by_diagonals,
    surface_on_pattern,
    by_hand.surface_hessian_entries,
)
PROBLEMS = {
    "sliced": Problem("chained Rosenbrock, slices", problems.rosenbrock_sliced, *_ROSENBROCK),
    "loop": Problem("chained Rosenbrock, scalar loop", _loop, *_ROSENBROCK),
    "surface": Problem("minimal surface", minimal_surface, *_SURFACE),
}


def check(got, expected, what):
    """Raise unless two sparse matrices agree to 1e-10, relative to the largest entry."""
    if got.shape != expected.shape:
        raise AssertionError(f"{what}: shape {got.shape}, expected {expected.shape}")
    error = abs(got - expected).max()
    scale = abs(expected).max()
    if not error <= 1e-10 * scale:
        raise AssertionError(f"{what}: off by {error:.3g} where the largest entry is {scale:.3g}")


def peak_megabytes():
    """The most memory that this process has held.

    Linux counts into `ru_maxrss` what the parent held before this program was started; its own
    peak stands in /proc.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024.0
    import resource  # which Windows lacks

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes
    return peak / 2.0**20


WAYS = {
    "once": lambda f, x: adcore.sparse.hessian(f)(x),
    "compiled": lambda f, x: adcore.compile(f).hessian(x, sparse=True),
}


def main(name, n, way):
    """Print the seconds and the memory of the first sparse Hessian, once it is checked."""
    problem = PROBLEMS[name]
    f, x = partial(problem.f, np), problem.point(n)
    start = common.CLOCK()
    got = WAYS[way](f, x)
    seconds, megabytes = common.CLOCK() - start, peak_megabytes()
    check(got, problem.by_hand(x), f"{problem.what}, n = {n}")
    print(json.dumps({"seconds": seconds, "megabytes": megabytes}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
