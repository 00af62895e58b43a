"""Names of SciPy, numpy.linalg and numpy.random: what a call of tensors costs beside theirs.

Recorded afresh at every call.  Small is ten elements, or a matrix of 3 x 3, where the limit is the
plain call and 1 us; large is many, or a matrix of 200 x 200, where it is 1.2 times the plain call
and 1 us.  What calls a function of the user's back is timed whole, without a limit.
"""

import functools
import itertools
import sys
import warnings
from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.special
import scipy.stats

import adcore
import adcore.numpy
import adcore.scipy.linalg
import adcore.scipy.special
import adcore.scipy.stats
import common
import scipy_calls

sys.path.insert(0, str(common.ROOT / "tests"))
import special_cases
import stats_cases

RNG = np.random.default_rng(5)
ELEMENTS = {"small": 10, "large": 5_000}
SLOW = 0.003  # seconds for a small plain call, of which a large one would take minutes
LENGTHS = {"small": 3, "large": 200}  # of a side of a matrix


# ---- numpy.linalg and scipy.linalg ----


class Given(NamedTuple):
    """A matrix that is well conditioned, one that is positive definite, and a vector."""

    a: object
    s: object
    v: object


OF_NUMPY = {
    "solve": lambda la, m: la.solve(m.a, m.v),
    "solve, matrix": lambda la, m: la.solve(m.a, m.s),
    "inv": lambda la, m: la.inv(m.a),
    "det": lambda la, m: la.det(m.a),
    "slogdet": lambda la, m: la.slogdet(m.a),
    "cholesky": lambda la, m: la.cholesky(m.s),
    "qr": lambda la, m: la.qr(m.a),
    "eigh": lambda la, m: la.eigh(m.s),
    "eigvalsh": lambda la, m: la.eigvalsh(m.s),
    "eigvals": lambda la, m: np.sort(la.eigvals(m.s)),
    "svd": lambda la, m: la.svd(m.a),
    "svdvals": lambda la, m: la.svdvals(m.a),
    "norm": lambda la, m: la.norm(m.a),
    "norm, 2": lambda la, m: la.norm(m.a, 2),
    "norm, nuc": lambda la, m: la.norm(m.a, "nuc"),
    "vector_norm": lambda la, m: la.vector_norm(m.v),
    "matrix_norm": lambda la, m: la.matrix_norm(m.a),
    "cond": lambda la, m: la.cond(m.a),
    "pinv": lambda la, m: la.pinv(m.a),
    "lstsq": lambda la, m: la.lstsq(m.a, m.v)[0],
    "matrix_power": lambda la, m: la.matrix_power(m.a, 3),
    "multi_dot": lambda la, m: la.multi_dot([m.a, m.s, m.v]),
    "tensorsolve": lambda la, m: la.tensorsolve(m.a, m.v),
    "tensorinv": lambda la, m: la.tensorinv(m.a, 1),
    "trace": lambda la, m: la.trace(m.a),
    "diagonal": lambda la, m: la.diagonal(m.a),
    "outer": lambda la, m: la.outer(m.v, m.v),
    "matmul": lambda la, m: la.matmul(m.a, m.s),
    "vecdot": lambda la, m: la.vecdot(m.a, m.s),
}
OF_SCIPY = {
    "solve": lambda la, m: la.solve(m.a, m.v),
    "solve, pos": lambda la, m: la.solve(m.s, m.v, assume_a="pos"),
    "inv": lambda la, m: la.inv(m.a),
    "det": lambda la, m: la.det(m.a),
    "solve_triangular": lambda la, m: la.solve_triangular(m.s, m.v, lower=True),
    "cho_factor": lambda la, m: la.cho_solve(la.cho_factor(m.s), m.v),
    "cho_solve": lambda la, m: la.cho_solve((m.s, True), m.v),
    "cholesky": lambda la, m: la.cholesky(m.s, lower=True),
    "lu": lambda la, m: la.lu(m.a)[2],
    "lu_factor": lambda la, m: la.lu_solve(la.lu_factor(m.a), m.v),
    "qr": lambda la, m: la.qr(m.a),
    "eigh": lambda la, m: la.eigh(m.s)[0],
    "eigvalsh": lambda la, m: la.eigvalsh(m.s),
    "svd": lambda la, m: la.svd(m.a)[1],
    "svdvals": lambda la, m: la.svdvals(m.a),
    "norm": lambda la, m: la.norm(m.a),
    "pinv": lambda la, m: la.pinv(m.a),
    "expm": lambda la, m: la.expm(m.a),
    "logm": lambda la, m: la.logm(m.s),
    "sqrtm": lambda la, m: la.sqrtm(m.s),
    "polar": lambda la, m: la.polar(m.a)[0],
    "solve_banded": lambda la, m: la.solve_banded((1, 1), m.s[:3], m.v),
    "solveh_banded": lambda la, m: la.solveh_banded(BAND[len(m.v)] + 0.0 * m.s[:2], m.v),
    "solve_sylvester": lambda la, m: la.solve_sylvester(m.s, m.s, m.a),
    "block_diag": lambda la, m: la.block_diag(m.a, m.s),
    "toeplitz": lambda la, m: la.toeplitz(m.v),
    "circulant": lambda la, m: la.circulant(m.v),
}
BAND = {n: np.array([[0.3], [1.0]]) * np.ones(n) for n in LENGTHS.values()}


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
    return lambda *args: call(namespace, Given(*args))


# ---- scipy.special ----


def of_special():
    """The same, of names that tests/special_cases.py has, at the last of their first points."""
    for size, n in ELEMENTS.items():
        for name, (case, *_) in special_cases.CASES.items():
            point = [float(v) for v in case.points[-1]]
            args = [int(v) if v.is_integer() else v for v in point]  # for scipy as it expects them
            for i in case.vary:
                args[i] = near(point[i], n)
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
                    args = (
                        x,
                        *[
                            v if s in ours.counts else float(v)
                            for s, v in zip(ours.shapes, shapes, strict=True)
                        ],
                    )
                    first = 1 if table is stats_cases.DISCRETE else 0
                    vary = tuple(
                        i
                        for i in range(first, len(args))
                        if i == 0 or ours.shapes[i - 1] not in ours.counts
                    )
                    yield (
                        f"stats.{name}.{method}",
                        size,
                        getattr(theirs, method),
                        getattr(ours, method),
                        args,
                        vary,
                    )


PARTS = (of_linalg, of_special, of_stats, *scipy_calls.PARTS)


def main():
    """Print the report."""
    options = common.arguments(__doc__)
    report = common.Report("scipy")
    warnings.simplefilter("ignore")
    slow = set()
    for part in PARTS:
        for case in itertools.starmap(scipy_calls.Case, part()):
            if options.only not in f"{case.name}, {case.size}" or case.name in slow:
                continue
            tracked = [
                adcore.tensor(v, requires_grad=True) if i in case.vary else v
                for i, v in enumerate(case.args)
            ]
            plain = functools.partial(case.theirs, *case.args)
            recorded = functools.partial(case.ours, *tracked)
            if case.size == "small" and common.seconds_of(plain) > SLOW:
                slow.add(case.name)
                continue
            case.start()
            turns = 3 if options.quick else 11
            common.beside_plain(report, case.name, case.size, plain, recorded, turns)
    return report.finish(options.check)


if __name__ == "__main__":
    sys.exit(main())
