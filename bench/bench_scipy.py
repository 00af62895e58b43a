"""Differentiable names of SciPy and of numpy.linalg: what a call of tensors costs beside theirs.

Recorded afresh at every call.  Small is ten elements, or a matrix of 3 x 3, where the limit is the
plain call and 1 us; large is many, or a matrix of 200 x 200, where it is 1.2 times the plain call
and 1 us.
"""

import sys
import warnings

import numpy as np
import scipy.interpolate
import scipy.linalg
import scipy.special
import scipy.stats

import adcore
import adcore.numpy
import adcore.scipy.interpolate
import adcore.scipy.linalg
import adcore.scipy.special
import adcore.scipy.stats
import common

sys.path.insert(0, str(common.ROOT / "tests"))
import special_cases
import stats_cases

RNG = np.random.default_rng(5)
ELEMENTS = {"small": 10, "large": 5_000}
SLOW = 0.003  # seconds for a small plain call, of which a large one would take minutes
LENGTHS = {"small": 3, "large": 200}  # of a side of a matrix


# ---- numpy.linalg and scipy.linalg ----

# Calls of a namespace, a well-conditioned matrix, a positive definite one, a vector.
OF_NUMPY = {
    "solve": lambda la, a, s, v: la.solve(a, v),
    "solve, matrix": lambda la, a, s, v: la.solve(a, s),
    "inv": lambda la, a, s, v: la.inv(a),
    "det": lambda la, a, s, v: la.det(a),
    "slogdet": lambda la, a, s, v: la.slogdet(a),
    "cholesky": lambda la, a, s, v: la.cholesky(s),
    "qr": lambda la, a, s, v: la.qr(a),
    "eigh": lambda la, a, s, v: la.eigh(s),
    "eigvalsh": lambda la, a, s, v: la.eigvalsh(s),
    "eigvals": lambda la, a, s, v: la.eigvals(s),
    "eig": lambda la, a, s, v: la.eig(s),
    "svd": lambda la, a, s, v: la.svd(a),
    "svdvals": lambda la, a, s, v: la.svdvals(a),
    "norm": lambda la, a, s, v: la.norm(a),
    "norm, 2": lambda la, a, s, v: la.norm(a, 2),
    "norm, nuc": lambda la, a, s, v: la.norm(a, "nuc"),
    "vector_norm": lambda la, a, s, v: la.vector_norm(v),
    "matrix_norm": lambda la, a, s, v: la.matrix_norm(a),
    "cond": lambda la, a, s, v: la.cond(a),
    "pinv": lambda la, a, s, v: la.pinv(a),
    "lstsq": lambda la, a, s, v: la.lstsq(a, v)[0],
    "matrix_power": lambda la, a, s, v: la.matrix_power(a, 3),
    "multi_dot": lambda la, a, s, v: la.multi_dot([a, s, v]),
    "tensorsolve": lambda la, a, s, v: la.tensorsolve(a, v),
    "tensorinv": lambda la, a, s, v: la.tensorinv(a, 1),
    "trace": lambda la, a, s, v: la.trace(a),
    "diagonal": lambda la, a, s, v: la.diagonal(a),
    "outer": lambda la, a, s, v: la.outer(v, v),
    "matmul": lambda la, a, s, v: la.matmul(a, s),
    "vecdot": lambda la, a, s, v: la.vecdot(a, s),
}
OF_SCIPY = {
    "solve": lambda la, a, s, v: la.solve(a, v),
    "solve, pos": lambda la, a, s, v: la.solve(s, v, assume_a="pos"),
    "inv": lambda la, a, s, v: la.inv(a),
    "det": lambda la, a, s, v: la.det(a),
    "solve_triangular": lambda la, a, s, v: la.solve_triangular(s, v, lower=True),
    "cho_factor": lambda la, a, s, v: la.cho_solve(la.cho_factor(s), v),
    "cho_solve": lambda la, a, s, v: la.cho_solve((s, True), v),
    "cholesky": lambda la, a, s, v: la.cholesky(s, lower=True),
    "lu": lambda la, a, s, v: la.lu(a)[2],
    "lu_factor": lambda la, a, s, v: la.lu_solve(la.lu_factor(a), v),
    "qr": lambda la, a, s, v: la.qr(a),
    "eigh": lambda la, a, s, v: la.eigh(s)[0],
    "eigvalsh": lambda la, a, s, v: la.eigvalsh(s),
    "svd": lambda la, a, s, v: la.svd(a)[1],
    "svdvals": lambda la, a, s, v: la.svdvals(a),
    "norm": lambda la, a, s, v: la.norm(a),
    "pinv": lambda la, a, s, v: la.pinv(a),
    "expm": lambda la, a, s, v: la.expm(a),
    "logm": lambda la, a, s, v: la.logm(s),
    "sqrtm": lambda la, a, s, v: la.sqrtm(s),
    "polar": lambda la, a, s, v: la.polar(a)[0],
    "solve_banded": lambda la, a, s, v: la.solve_banded((1, 1), s[:3], v),
    "solveh_banded": lambda la, a, s, v: la.solveh_banded(BAND[len(v)] * s[:2], v),
    "solve_sylvester": lambda la, a, s, v: la.solve_sylvester(s, s, a),
    "block_diag": lambda la, a, s, v: la.block_diag(a, s),
    "toeplitz": lambda la, a, s, v: la.toeplitz(v),
    "circulant": lambda la, a, s, v: la.circulant(v),
}
BAND = {n: np.array([[0.01], [1.0]]) * np.ones(n) for n in LENGTHS.values()}


def of_linalg():
    """(name, size, plain call, call of adcore's, arguments)."""
    for size, n in LENGTHS.items():
        m = RNG.normal(size=(n, n))
        args = (m / n + 2.0 * np.eye(n), m @ m.T / n + np.eye(n), RNG.normal(size=n))
        for part, table, theirs, ours in (
            ("np.linalg.", OF_NUMPY, np.linalg, adcore.numpy.linalg),
            ("scipy.linalg.", OF_SCIPY, scipy.linalg, adcore.scipy.linalg),
        ):
            for name, call in table.items():
                yield part + name, size, bound(call, theirs), bound(call, ours), args, (0, 1, 2)


def bound(call, namespace):
    """A call with its namespace."""
    return lambda *args: call(namespace, *args)


# ---- scipy.special ----


def of_special():
    """The same, of names that tests/special_cases.py has, at the last of their first points."""
    for size, n in ELEMENTS.items():
        for name, (case, *_) in special_cases.CASES.items():
            point = [float(v) for v in case.points[-1]]
            args = [v if i not in case.vary else near(v, n) for i, v in enumerate(point)]
            args = [int(v) if i not in case.vary and v.is_integer() else v for i, v in enumerate(args)]
            theirs, ours = getattr(scipy.special, name), getattr(adcore.scipy.special, name)
            if case.fixed:
                theirs, ours = with_options(theirs, case.fixed), with_options(ours, case.fixed)
            yield f"special.{name}", size, theirs, ours, args, case.vary


def with_options(function, options):
    """A function with keywords of its own."""
    return lambda *args: function(*args, **options)


def near(value, n):
    """Numbers around a value, on the side of zero."""
    return value * RNG.uniform(0.9, 1.0, n)


# ---- scipy.stats ----

CONTINUOUS = ("pdf", "logpdf", "cdf", "logcdf", "sf", "logsf", "ppf")
DISCRETE = ("pmf", "logpmf", "cdf", "sf")


def of_stats():
    """The same, of densities, both tails and quantiles, in the argument and the parameters."""
    for size, n in ELEMENTS.items():
        for table, methods in (
            (stats_cases.CONTINUOUS, CONTINUOUS),
            (stats_cases.DISCRETE, DISCRETE),
        ):
            for name, found in table.items():
                theirs, ours = getattr(scipy.stats, name), getattr(adcore.scipy.stats, name)
                point = found.points[len(found.points) // 2]
                y, *shapes = point if isinstance(point, tuple) else (point,)
                for method in methods:
                    if method == "ppf" and not found.quantile and ours.shapes:
                        continue
                    x = float(y) * RNG.uniform(0.9, 1.0, n)
                    if table is stats_cases.DISCRETE:
                        x = np.full(n, float(y))
                    if method == "ppf":
                        x, shapes = RNG.uniform(0.1, 0.9, n), [float(v) for v in found.quantile]
                    args = (x, *[v if s in ours.counts else float(v)
                                 for s, v in zip(ours.shapes, shapes, strict=True)])
                    first = 1 if table is stats_cases.DISCRETE else 0
                    vary = tuple(i for i in range(first, len(args))
                                 if i == 0 or ours.shapes[i - 1] not in ours.counts)
                    yield (f"stats.{name}.{method}", size, getattr(theirs, method),
                           getattr(ours, method), args, vary)


PARTS = (of_linalg, of_special, of_stats)


def main():
    """Print the report."""
    options = common.arguments(__doc__)
    report = common.Report("scipy")
    warnings.simplefilter("ignore")
    slow = set()
    for part in PARTS:
        for name, size, theirs, ours, args, vary in part():
            if options.only not in f"{name}, {size}" or name in slow:
                continue
            tracked = [adcore.tensor(v, requires_grad=True) if i in vary else v
                       for i, v in enumerate(args)]
            if size == "small" and common.seconds_of(lambda: theirs(*args)) > SLOW:
                slow.add(name)
                print("SLOW", name)
                continue
            try:
                common.beside_plain(
                    report, name, size, lambda: theirs(*args), lambda: ours(*tracked),
                    3 if options.quick else 11,
                )
            except Exception as e: print("EXC", name, size, type(e), str(e)[:200])
    return report.finish(options.check)


if __name__ == "__main__":
    sys.exit(main())
