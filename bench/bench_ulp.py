"""How far values are from NumPy's and SciPy's, in units of the last place (ulp), name by name.

The value of every case in the tables of the tests is computed of tensors, of duals and by a
compiled function, and compared with what NumPy or SciPy give for the plain numbers.  It may be off
by 4 ulp, or as far from the truth as theirs: the truth is mpmath's value at 50 digits, or that of
NumPy's own function in long double, for Fourier transforms too.  Where an expression is
ill-conditioned both are off by what rounding makes of it, and "as far" means no more than twice.
Elementwise functions are measured element by element, complex ones by the larger of their parts,
others by the largest element of a result, as their errors are bounded.

    python bench/bench_ulp.py              names that are beyond 4 ulp, and how many there are
    python bench/bench_ulp.py --all        every name
    python bench/bench_ulp.py stats t.     only names of a part that begin with a text

The exit status is 1 if any name is off by more, and theirs by less.
"""

import argparse
import contextlib
import math
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.fft
import scipy.integrate
import scipy.interpolate
import scipy.optimize
import scipy.signal
import scipy.special
import scipy.stats
from mpmath import mp, mpf

import adcore
import adcore.numpy
import adcore.scipy.integrate
import adcore.scipy.interpolate
import adcore.scipy.optimize
import adcore.scipy.signal
import adcore.scipy.special
import adcore.scipy.stats
from adcore._trees import flatten
from adcore.errors import NotDifferentiableError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import array_cases
import linalg_cases
import numpy_cases
import oracles
import special_cases
import stats_cases
import test_complex
import test_interpolate
import test_numpy_functions
import test_signal

MOST = 4.0  # ulp
DIGITS = 50
PAIRS = "pairs"  # complex numbers are measured by the larger of their parts


@dataclass
class Call:
    """A function of numbers or arrays, the same by NumPy or SciPy, and what is true.

    `truth`, of the same arguments, gives numbers of more digits, or is None; `vary` are arguments
    that are tracked; `whole` measures by the largest element, or is PAIRS.
    """

    part: str
    name: str
    ours: object
    theirs: object
    args: tuple
    truth: object = None
    vary: tuple | None = None
    whole: bool | str = False


# ---- what is called ----


def elementwise():
    """Rows of the op table that are a ufunc of NumPy's or SciPy's."""
    for op in adcore.OPS:
        plain = getattr(np, op.ufunc, None) or getattr(scipy.special, op.ufunc, None)
        if op.hidden or op.family or plain is None:
            continue

        def truth(*args, op=op):
            return oracles.oracle(op.name)(*args)

        for point in oracles.samples(op, np.random.default_rng(op.code)):
            yield Call("ops", op.name, op.function, plain, point, truth)


def of_numpy():
    """The cases of array functions, which are NumPy's for plain arguments."""
    for name, (_, f, *_) in array_cases.CASES.items():
        args = tuple(array_cases.leaves_of(name))
        yield Call("numpy", name, f, f, args, in_long_double(f), whole=True)
    for name, (_, f, *marks) in numpy_cases.CASES.items():
        args = tuple(test_numpy_functions.arguments(name))
        truth = None if "ours" in marks else in_long_double(f)
        yield Call("numpy", name, f, f, args, truth, whole=True)


def in_long_double(f):
    """`f` of long doubles, by NumPy itself; None where that does not know them."""

    def truth(*args):
        ours, numpy_cases.np = numpy_cases.np, np
        try:
            kinds = [np.clongdouble if np.iscomplexobj(a) else np.longdouble for a in args]
            found = f(*[np.asarray(a, k)[()] for a, k in zip(args, kinds, strict=True)])
        finally:
            numpy_cases.np = ours
        if any(np.asarray(v).dtype.char not in "gG" for v in flatten(found)[0]):
            raise TypeError("not in long double")
        return found

    return truth


def of_linalg():
    """Linear algebra, NumPy's and SciPy's."""
    for name, (_, f, oracle) in linalg_cases.CASES.items():
        x = linalg_cases.case(name)[0]

        def truth(x, oracle=oracle):
            found = oracle(linalg_cases.to_mp(x))
            return list(found) if isinstance(found, mp.matrix) else found

        yield Call("linalg", name, f, f, (x,), truth, whole=True)


def of_fft():
    """Transforms of real and complex arrays, in one dimension and more."""
    rng = np.random.default_rng(1)
    for name in (
        "fft",
        "ifft",
        "rfft",
        "irfft",
        "hfft",
        "ihfft",
        "fft2",
        "ifft2",
        "rfft2",
        "irfft2",
        "fftn",
        "ifftn",
        "rfftn",
        "irfftn",
    ):
        for n in (1, 7, 8, 30, 101):
            x = rng.normal(size=(3, n))
            if (name.startswith("i") and name != "ihfft") or name == "hfft":
                x = x + 1j * rng.normal(size=x.shape)
            if name in ("irfft", "irfft2", "irfftn", "hfft") and n == 1:
                continue  # a length of zero
            plain = getattr(np.fft, name)
            yield Call("fft", name, plain, plain, (x,), getattr(scipy.fft, name), whole=True)


def of_complex():
    """Elementwise functions and arithmetic of complex numbers, all over the plane."""
    rng = np.random.default_rng(5)
    z = test_complex.points(rng, 12)
    w = rng.permutation(z)[: z.size]
    for name, oracle in test_complex.FUNCTIONS.items():
        f = getattr(np, name)
        yield Call("complex", name, f, f, (z,), of_each(oracle), whole=PAIRS)
    for name, (f, oracle, args) in {
        "abs": (np.abs, abs, (z,)),
        "angle": (np.angle, mp.arg, (z,)),
        "sign": (np.sign, lambda z: z / abs(z), (z,)),
        "add": (np.add, lambda z, w: z + w, (z, w)),
        "subtract": (np.subtract, lambda z, w: z - w, (z, w)),
        "multiply": (np.multiply, lambda z, w: z * w, (z, w)),
        "divide": (np.divide, lambda z, w: z / w, (z, w)),
        "power": (np.power, lambda z, w: z**w, (z[:12], w[:12] / 8.0)),
        "power 1.5": (lambda z: z**1.5, lambda z: z ** mpf("1.5"), (z,)),
        "power 2": (lambda z: z**2, lambda z: z**2, (z,)),
        "power 3": (lambda z: z**3, lambda z: z**3, (z,)),
        "power -2": (lambda z: z**-2, lambda z: z**-2, (z,)),
        "square of abs": (lambda z: abs(z) ** 2, lambda z: abs(z) ** 2, (z,)),
    }.items():
        yield Call("complex", name, f, f, args, of_each(oracle), whole=PAIRS)
    for name in ("sum", "prod", "mean", "cumsum", "cumprod", "var", "std"):
        f = getattr(np, name)
        yield Call("complex", name, f, f, (z,), in_long_double(f), whole=True)
    m = rng.normal(size=(2, 5, 5, 2)).view(complex)[..., 0]
    for name, f in {
        "matmul": lambda a, b: a @ b,
        "dot": np.dot,
        "vdot": lambda a, b: np.vdot(a[0], b[0]),
        "outer": lambda a, b: np.outer(a[0], b[0]),
        "einsum": lambda a, b: np.einsum("ij,jk->ik", a, b),
    }.items():
        yield Call("complex", name, f, f, tuple(m), in_long_double(f), whole=True)


def of_each(oracle):
    """The numbers that mpmath's function gives for each element."""

    def truth(*args):
        args = [[mp.mpmathify(v) for v in np.ravel(a).tolist()] for a in args]
        return [oracle(*some) for some in zip(*args, strict=True)]

    return truth


def of_special():
    """scipy.special where the tests look, and over whole domains."""
    rng = np.random.default_rng(2)
    for name, cases in special_cases.CASES.items():
        ours, theirs = getattr(adcore.scipy.special, name), getattr(scipy.special, name)
        for case in cases:
            points = list(case.points)
            if case is cases[0] and name in special_cases.DOMAINS:
                points += [special_cases.draw(name, rng) for _ in range(20)]

            def pick(f, case=case):
                return lambda *a: f(*a, **case.fixed)[case.index]

            def keep(f, case=case):
                return lambda *a: f(*a, **case.fixed)

            get = keep if case.index is None else pick
            truth = None if case.slope else case.oracle
            for point in points:
                yield Call("special", name, get(ours), get(theirs), point, truth, case.vary)


CONTINUOUS = ("pdf", "logpdf", "cdf", "sf", "logcdf", "logsf")
DISCRETE = ("pmf", "logpmf", "cdf", "sf", "logcdf", "logsf")


def of_stats():
    """Distributions at the points of the tests, and their quantiles."""
    for table, methods in ((stats_cases.CONTINUOUS, CONTINUOUS), (stats_cases.DISCRETE, DISCRETE)):
        for name, found in table.items():
            ours, theirs = getattr(adcore.scipy.stats, name), getattr(scipy.stats, name)
            for method in methods:
                base = {"cdf": found.cdf, "sf": found.sf}.get(
                    method.removeprefix("log"), found.logpdf
                )
                if base is None:
                    continue
                for point in found.points:
                    point = point if isinstance(point, tuple) else (point,)
                    counts = [1 + i for i, s in enumerate(ours.shapes) if s in ours.counts]
                    first = 1 if table is stats_cases.DISCRETE else 0
                    vary = tuple(i for i in range(first, len(point)) if i not in counts)
                    args = tuple(p if i in counts else float(p) for i, p in enumerate(point))
                    yield Call(
                        "stats",
                        f"{name}.{method}",
                        getattr(ours, method),
                        getattr(theirs, method),
                        args,
                        as_asked(method, base),
                        vary,
                    )
            if table is stats_cases.CONTINUOUS:
                shapes = tuple(map(float, found.quantile))
                for method in ("ppf", "isf"):
                    if len(shapes) != len(ours.shapes) or found.cdf is None:
                        continue
                    for q in (1e-12, 0.01, 0.3, 0.7, 0.99):
                        f, g = getattr(ours, method), getattr(theirs, method)
                        base = found.cdf if method == "ppf" else found.sf
                        yield Call("stats", f"{name}.{method}", f, g, (q, *shapes), root(base, g))


def as_asked(method, base):
    """The method of a distribution, by its logarithmic density or its probability."""
    if method in ("pdf", "pmf"):
        return lambda *a: mp.exp(base(*a))
    return (lambda *a: mp.log(base(*a))) if method in ("logcdf", "logsf") else base


def root(base, guess):
    """The quantile: where `base` is q."""

    def truth(q, *shapes):
        start = guess(float(q), *map(float, shapes))
        return special_cases.inverse(lambda y: base(y, *shapes), q, start)

    return truth


def of_signal():
    """The cases of scipy.signal."""
    for name, (f, args, _, flat) in test_signal.CASES.items():

        def call(module, f=f, flat=flat):
            return lambda *a: test_signal.outputs(f(module, *a), flat)

        ours, theirs = call(adcore.scipy.signal), call(scipy.signal)
        yield Call("signal", name, ours, theirs, tuple(args), in_long_double(theirs), whole=True)


def of_samples():
    """Integrals of samples."""
    rng = np.random.default_rng(3)
    y, x = rng.normal(size=(3, 11)), np.sort(rng.normal(size=11))
    for name in ("trapezoid", "simpson", "cumulative_trapezoid", "cumulative_simpson"):
        ours, theirs = getattr(adcore.scipy.integrate, name), getattr(scipy.integrate, name)
        for args in ((y,), (y, x)):

            def call(f):
                return lambda y, *x: f(y, **dict(zip(["x"], x, strict=False)))

            truth = in_long_double(call(theirs))
            yield Call("integrate", name, call(ours), call(theirs), args, truth, whole=True)


# ---- interpolants, of which the truth is another formula ----


def of_interpolants():
    """Interpolants between and at their nodes, of moving values and places."""
    x, y = test_interpolate.X, test_interpolate.Y[:, 0]
    at = np.array([0.0, 0.2, 1.0, 1.3, 2.5, 3.9])
    for name, make in test_interpolate.SMOOTH.items():

        def call(module, make=make):
            return lambda y, at: make(module, x, y)(at)

        ours, theirs = call(adcore.scipy.interpolate), call(scipy.interpolate)
        yield Call("interpolate", name, ours, theirs, (y, at), INTERPOLANTS.get(name), whole=True)


def polynomial(y, at):
    """The polynomial through all points, as Lagrange wrote it."""
    x = [mpf(v) for v in test_interpolate.X]
    return [
        mp.fsum(
            v * mp.fprod((t - b) / (a - b) for b in x if b != a) for a, v in zip(x, y, strict=True)
        )
        for t in at
    ]


def broken_line(y, at):
    """Linear between the nodes."""
    x = [mpf(v) for v in test_interpolate.X]
    found = []
    for t in at:
        k = max(i for i in range(len(x) - 1) if x[i] <= t)
        found.append(y[k] + (y[k + 1] - y[k]) * (t - x[k]) / (x[k + 1] - x[k]))
    return found


def cubic(ends):
    """The cubic spline by its second derivatives m at the nodes, `ends` being rows for m."""

    def truth(y, at):
        x = [mpf(v) for v in test_interpolate.X]
        n = len(x)
        h = [x[i + 1] - x[i] for i in range(n - 1)]
        slope = [(y[i + 1] - y[i]) / h[i] for i in range(n - 1)]
        a, b = mp.matrix(n, n), mp.matrix(n, 1)
        for i in range(1, n - 1):
            a[i, i - 1], a[i, i], a[i, i + 1] = h[i - 1], 2 * (h[i - 1] + h[i]), h[i]
            b[i] = 6 * (slope[i] - slope[i - 1])
        ends(a, b, h, slope)
        m = mp.lu_solve(a, b)
        found = []
        for t in at:
            k = max(i for i in range(n - 1) if x[i] <= t)
            r, s = x[k + 1] - t, t - x[k]
            bend = (m[k] * r**3 + m[k + 1] * s**3) / (6 * h[k])
            line = (y[k] / h[k] - m[k] * h[k] / 6) * r + (y[k + 1] / h[k] - m[k + 1] * h[k] / 6) * s
            found.append(bend + line)
        return found

    return truth


def natural(a, b, h, slope):
    """No second derivative at the ends."""
    del b, h, slope
    a[0, 0] = a[a.rows - 1, a.rows - 1] = 1


def clamped(a, b, h, slope):
    """No first derivative there."""
    last = a.rows - 1
    a[0, 0], a[0, 1], b[0] = 2 * h[0], h[0], 6 * slope[0]
    a[last, last], a[last, last - 1], b[last] = 2 * h[-1], h[-1], -6 * slope[-1]


def not_a_knot(a, b, h, slope):
    """The third derivative goes on across the second node, and the last but one."""
    del b, slope
    last = a.rows - 1
    a[0, 0], a[0, 1], a[0, 2] = h[1], -h[0] - h[1], h[0]
    a[last, last], a[last, last - 1], a[last, last - 2] = h[-2], -h[-1] - h[-2], h[-1]


INTERPOLANTS = {
    "CubicSpline not-a-knot": cubic(not_a_knot),
    "CubicSpline natural": cubic(natural),
    "CubicSpline clamped": cubic(clamped),
    "spline of degree 1": broken_line,
    "spline of degree 3": cubic(not_a_knot),
    "spline of degree 3 natural": cubic(natural),
    "Krogh": polynomial,
    "barycentric": polynomial,
    "interp1d linear": broken_line,
    "interp1d slinear": broken_line,
    "interp1d cubic": cubic(not_a_knot),
}


# ---- roots and minima ----


def of_optimize():
    """Roots of equations, which the solvers find as nearly as they are asked to: to 1e-14."""
    c, start = 2.0, 1.2

    def equation(x, c):
        return x * x * x + x - c  # 1 for c = 2

    def truth(c):
        return mp.findroot(lambda x: x**3 + x - c, 1.0)

    for name, solve in {
        "brentq": lambda o, c: o.brentq(equation, 0.0, 3.0, (c,), xtol=1e-14, rtol=1e-14),
        "brenth": lambda o, c: o.brenth(equation, 0.0, 3.0, (c,), xtol=1e-14, rtol=1e-14),
        "ridder": lambda o, c: o.ridder(equation, 0.0, 3.0, (c,), xtol=1e-14, rtol=1e-14),
        "bisect": lambda o, c: o.bisect(equation, 0.0, 3.0, (c,), xtol=1e-14, rtol=1e-14),
        "newton": lambda o, c: o.newton(equation, start, args=(c,), tol=1e-14),
        "root_scalar": lambda o, c: (
            o.root_scalar(equation, args=(c,), bracket=(0.0, 3.0), xtol=1e-14).root
        ),
        "fsolve": lambda o, c: o.fsolve(equation, np.array([start]), (c,), xtol=1e-14)[0],
        "root": lambda o, c: o.root(equation, np.array([start]), (c,), tol=1e-14).x[0],
        "fixed_point": lambda o, c: o.fixed_point(
            lambda x, c: (x + c) / (x * x + 2.0), start, (c,), xtol=1e-14
        ),
    }.items():
        for value in (c, 0.1, 50.0):
            if name in ("bisect", "brentq", "brenth", "ridder", "root_scalar") and value > 20:
                continue  # beyond what brackets it

            def call(module, solve=solve):
                return lambda c: solve(module, c)

            ours, theirs = call(adcore.scipy.optimize), call(scipy.optimize)
            yield Call("optimize", name, ours, theirs, (value,), truth)


# ---- distributions of vectors and matrices ----


def of_multivariate():
    """Logarithms of densities of vectors and of matrices."""
    rng = np.random.default_rng(20)
    x, mean, a = rng.normal(size=3), rng.normal(size=3), rng.normal(size=(3, 3))
    scale, w = a @ a.T + 3.0 * np.eye(3), a.T @ a + 2.0 * np.eye(3)
    part = np.array([0.25, 0.5, 0.25])
    for name, args, truth in (
        ("multivariate_normal", (x, mean, scale), log_normal),
        ("multivariate_t", (x, mean, scale, 4.5), log_student),
        ("wishart", (w, 6.5, scale), log_wishart),
        ("invwishart", (w, 6.5, scale), log_inverse_wishart),
        ("dirichlet", (part, np.array([1.5, 2.0, 3.0])), log_dirichlet),
    ):
        for method in ("logpdf", "pdf"):
            ours = getattr(getattr(adcore.scipy.stats, name), method)
            theirs = getattr(getattr(scipy.stats, name), method)
            exact = truth if method == "logpdf" else exponential(truth)
            yield Call("multivariate", f"{name}.{method}", ours, theirs, args, exact)


def exponential(truth):
    """The exponential of a truth."""
    return lambda *args: mp.exp(truth(*args))


def distance_squared(x, mean, scale):
    """(x - mean)' scale^-1 (x - mean)."""
    r = mp.matrix([mpf(float(a)) - mpf(float(b)) for a, b in zip(x, mean, strict=True)])
    return (r.T * mp.lu_solve(mp.matrix(scale.tolist()), r))[0]


def log_det(a):
    """The logarithm of a determinant."""
    return mp.log(mp.det(mp.matrix(a.tolist())))


def trace_of_quotient(a, b):
    """The trace of a^-1 b."""
    found = mp.matrix(a.tolist()) ** -1 * mp.matrix(b.tolist())
    return mp.fsum(found[i, i] for i in range(found.rows))


def log_normal(x, mean, scale):
    """Of the normal distribution."""
    return -(distance_squared(x, mean, scale) + len(x) * mp.log(2 * mp.pi) + log_det(scale)) / 2


def log_student(x, mean, scale, df):
    """Of Student's distribution."""
    p, df = len(x), mpf(df)
    out = mp.loggamma((df + p) / 2) - mp.loggamma(df / 2) - p * mp.log(df * mp.pi) / 2
    far = 1 + distance_squared(x, mean, scale) / df
    return out - log_det(scale) / 2 - (df + p) / 2 * mp.log(far)


def log_gamma_of(p, a):
    """The logarithm of the gamma function of p dimensions."""
    return p * (p - 1) * mp.log(mp.pi) / 4 + mp.fsum(mp.loggamma(a - mpf(j) / 2) for j in range(p))


def log_wishart(w, df, scale):
    """Of Wishart's distribution."""
    p, df = len(w), mpf(df)
    out = (df - p - 1) / 2 * log_det(w) - trace_of_quotient(scale, w) / 2
    return out - df * p * mp.log(2) / 2 - df * log_det(scale) / 2 - log_gamma_of(p, df / 2)


def log_inverse_wishart(w, df, scale):
    """Of its inverse."""
    p, df = len(w), mpf(df)
    out = df * log_det(scale) / 2 - (df + p + 1) / 2 * log_det(w)
    return out - trace_of_quotient(w, scale) / 2 - df * p * mp.log(2) / 2 - log_gamma_of(p, df / 2)


def log_dirichlet(x, alpha):
    """Of Dirichlet's distribution."""
    x, alpha = ([mpf(float(v)) for v in values] for values in (x, alpha))
    out = mp.loggamma(mp.fsum(alpha)) - mp.fsum(mp.loggamma(a) for a in alpha)
    return out + mp.fsum((a - 1) * mp.log(v) for a, v in zip(alpha, x, strict=True))


PARTS = {
    "ops": elementwise,
    "numpy": of_numpy,
    "linalg": of_linalg,
    "fft": of_fft,
    "complex": of_complex,
    "special": of_special,
    "stats": of_stats,
    "signal": of_signal,
    "integrate": of_samples,
    "interpolate": of_interpolants,
    "optimize": of_optimize,
    "multivariate": of_multivariate,
}


# ---- how it is measured ----


def leaves(value):
    """All real numbers of a result, an array per leaf."""
    if isinstance(value, np.complexfloating):
        value = np.asarray(value)
    return [np.asarray(v) for v in flatten(value)[0]]


def distance(found, expected, whole):
    """The largest distance in ulp between results, each a list of arrays."""
    worst = 0.0
    moduli = None
    if whole == PAIRS and len(expected) > 1:
        moduli = np.max([[abs(float(y)) for y in np.ravel(b)] for b in expected], axis=0)
    for a, b in zip(found, expected, strict=True):
        a, b = np.asarray(a).ravel(), np.asarray(b).ravel()
        if a.shape != b.shape:
            return math.inf
        same = [x == y or (x != x and y != y) for x, y in zip(a, b, strict=True)]
        sizes = [abs(float(y)) for y in b] if moduli is None else moduli
        largest = max([s for s in sizes if s < math.inf], default=0.0)
        for x, y, size, equal in zip(a, b, sizes, same, strict=True):
            if equal:
                continue
            if not (math.isfinite(float(x)) and math.isfinite(float(y))):
                return math.inf
            with mp.workdps(DIGITS):
                unit = np.spacing(largest if whole is True else max(size, sys.float_info.min))
                worst = max(worst, float(abs(exact(x) - exact(y)) / mpf(float(unit))))
    return worst


def exact(x):
    """A number as mpmath's: long doubles in two parts."""
    if isinstance(x, np.longdouble):
        high = np.float64(x)
        return mpf(float(high)) + mpf(float(x - high))
    return mpf(x) if isinstance(x, mpf) else mpf(float(x))


EXACT = ("interpolate", "multivariate")  # parts whose truths are functions of arrays, in mpmath


def as_exact(x):
    """A number as mpmath's, an array as a list of such."""
    return [mpf(float(v)) for v in x] if np.ndim(x) else mpf(x)


def leaves_of(call):
    """What NumPy or SciPy give."""
    return leaves(call.theirs(*call.args))


def true_leaves(call):
    """What is true, as leaves() would have it; None if that is not at hand."""
    if call.truth is None:
        return None
    try:
        if call.whole == PAIRS:
            with mp.workdps(DIGITS):
                found = call.truth(*call.args)
                both = [[f(v) for v in found] for f in (mp.re, mp.im)]
                return [np.array(v, dtype=object) for v in both[: len(leaves_of(call))]]
        if call.part in EXACT or call.part in ("ops", "special", "stats", "linalg", "optimize"):
            with mp.workdps(DIGITS):
                arrays = call.part in ("linalg", "multivariate")
                args = call.args if arrays else map(as_exact, call.args)
                found = call.truth(*args)
                found = [mp.re(v) for v in (found if isinstance(found, (list, tuple)) else [found])]
                return [np.array(found, dtype=object)]
        args = [np.asarray(a) for a in call.args]
        wide = [a.astype(np.clongdouble if a.dtype.kind == "c" else np.longdouble) for a in args]
        return leaves(call.truth(*wide))
    except (TypeError, ValueError, ArithmeticError, NotImplementedError, AttributeError):
        return None


def measured(call):
    """(ulp from theirs, what is furthest, ulp of ours from the truth, ulp of theirs)."""
    vary = tuple(range(len(call.args))) if call.vary is None else call.vary

    def f(*moved):
        args = list(call.args)
        for i, v in zip(vary, moved, strict=True):
            args[i] = v
        return call.ours(*args)

    moved = tuple(call.args[i] for i in vary)
    theirs = leaves_of(call)
    if call.part == "special" and len(theirs) == 2 and not theirs[1].any():
        del theirs[1]  # the imaginary part of a function that is real here
    still = tuple(0.0 * v for v in moved)
    found = {
        "tensors": leaves(adcore.vjp(f, *moved)[0]),
        "compiled": leaves(adcore.compile(f)(*moved)),
    }
    with contextlib.suppress(NotDifferentiableError):  # which says that digits would be lost
        found["duals"] = leaves(adcore.jvp(f, moved, still)[0])
    far = {how: distance(v, theirs, call.whole) for how, v in found.items()}
    how = max(far, key=far.get)
    if far[how] <= MOST:
        return far[how], how, None, None
    true = true_leaves(call)
    if true is None:
        return far[how], how, None, None
    if call.part == "linalg":
        true = [np.resize(true[0], theirs[0].shape)] if true[0].size == theirs[0].size else None
        if true is None:
            return far[how], how, None, None
    return (
        far[how],
        how,
        distance(found[how], true, call.whole),
        distance(theirs, true, call.whole),
    )


def verdict(off, ours, theirs):
    """Whether a distance is one that may be."""
    if off <= MOST:
        return "ok"
    if ours is None:
        return "no truth"
    return "theirs" if ours <= max(MOST, 2.0 * theirs) else "OVER"


def main():
    """Print the table; 1 if a name is over."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", nargs="?", choices=list(PARTS))
    parser.add_argument("name", nargs="?", default="", help="what names begin with")
    parser.add_argument("--all", action="store_true", help="every name, not those beyond 4 ulp")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    counts = {"ok": 0, "theirs": 0, "no truth": 0, "OVER": 0, "failed": 0}
    print(f"{'part':10}{'name':32}{'ulp':>10}  {'by':9}{'ours':>10}{'theirs':>10}  of the truth")
    for part in [options.part] if options.part else PARTS:
        rows = {}
        for call in PARTS[part]():
            if not call.name.startswith(options.name):
                continue
            try:
                with np.errstate(all="ignore"):
                    off, *rest = measured(call)
                row = verdict(off, *rest[1:]), off, *rest, call.args
            except (ArithmeticError, ValueError, TypeError) as error:
                row = "failed", math.nan, str(error)[:60], None, None, call.args
            order = list(counts)
            known = rows.get(call.name)
            if known is None or (order.index(row[0]), row[1]) > (order.index(known[0]), known[1]):
                rows[call.name] = row
        for name, (found, off, how, ours, theirs, args) in rows.items():
            counts[found] += 1
            if options.all or found != "ok":
                truth = "" if ours is None else f"{ours:10.1f}{theirs:10.1f}"
                where = args if all(np.ndim(a) == 0 for a in args) else ""
                print(f"{part:10}{name:32}{off:10.1f}  {how:9}{truth:20}  {found} {where}")
    print(", ".join(f"{n} {what}" for what, n in counts.items()))
    return int(counts["OVER"] > 0)


if __name__ == "__main__":
    sys.exit(main())
