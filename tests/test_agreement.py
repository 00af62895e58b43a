"""Programs at special points: every way to a derivative gives the same one.

Points are of zeros, ties, huge and tiny numbers; where only the order counts, also of nan and
infinities.
"""

import numpy as np
import pytest

import adcore
from oracles import derivatives

norm = np.linalg.norm

N = 3
PLAIN = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0]
# The squares of fourth powers of these are numbers.
EXTREME = [*PLAIN, 1e30, -1e30, 1e-30, -1e-30]
UNREAL = [*PLAIN, np.nan, np.inf, -np.inf]

# Inner functions keep the shape, outer ones make a number of it.
INNER = {
    "x": lambda x: x,
    "abs": np.abs,
    "maximum": lambda x: np.maximum(x, x[::-1]),
    "minimum": lambda x: np.minimum(x, 0.5),
    "clip": lambda x: np.clip(x, -1.0, 1.0),
    "sort": np.sort,
    "where": lambda x: adcore.where(x > 0, x, 0.5 * x),
    "tanh": np.tanh,
    "square": np.square,
    "scaled": lambda x: 1e-3 * x,
    "hypot": lambda x: np.hypot(x, x[::-1]),
    "atan": np.arctan,
    "exp": lambda x: np.exp(-x),
    "sum": lambda x: np.cumsum(x),
}
OUTER = {
    "sum": np.sum,
    "max": np.max,
    "min": np.min,
    "ptp": np.ptp,
    "norm": norm,
    "norm inf": lambda x: norm(x, np.inf),
    "norm 1": lambda x: norm(x, 1),
    "squared": lambda x: norm(x) ** 2,
    "median": np.median,
    "std": np.std,
    "mean": np.mean,
    "cosh": lambda x: np.cosh(norm(x)),
    "nanmax": np.nanmax,
    "nanmin": np.nanmin,
}
BY_ORDER = {"x", "maximum", "minimum", "sort", "max", "min", "median", "nanmax", "nanmin"}
FIRST = {
    "jacfwd": adcore.jacfwd,
    "jvp": lambda f: lambda x: np.array([adcore.jvp(f, (x,), (e,))[1] for e in np.eye(N)]),
    "compiled": lambda f: adcore.compile(f).grad,
    "compiled jacobian": lambda f: adcore.compile(f).jacobian,
    "compiled of grad": lambda f: adcore.compile(adcore.grad(f)),
}
SECOND = {
    "forward over reverse": lambda f: adcore.jacfwd(adcore.grad(f)),
    "reverse over reverse": lambda f: adcore.jacrev(adcore.grad(f)),
    "compiled hessian": lambda f: adcore.compile(f).hessian,
}


def draw(rng):
    """A program of two or three functions, and a point, each as its text and itself."""
    inner = [str(name) for name in rng.choice(list(INNER), rng.integers(1, 3))]
    outer = str(rng.choice(list(OUTER)))

    def f(x):
        for name in inner:
            x = INNER[name](x)
        return OUTER[outer](x)

    numbers = UNREAL if {*inner, outer} <= BY_ORDER else [PLAIN, EXTREME][rng.integers(2)]
    x = rng.choice(numbers, N)
    if rng.integers(4) == 0:
        x[:] = x[0]
    return f, x, f"{outer} of {inner} at {x}"


def same(got, want):
    """Equal to nine digits of the largest number, infinities and nan in the same places."""
    got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    finite = np.isfinite(want)
    if got.shape != want.shape or not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        return False
    scale = 1 + np.max(np.abs(want[finite]), initial=0)
    return bool(np.all(np.abs(got[finite] - want[finite]) <= 1e-9 * scale))


def disagreements(n, ways, reference, seed):
    """What each way says of n programs that the reference does not."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        f, x, text = draw(rng)
        with np.errstate(all="ignore"):
            if np.isfinite(x).all() and not np.isfinite(f(x)):
                continue  # it overflows, and so may any part of a derivative
            want = reference(f)(x)
            for way, transform in ways.items():
                got = transform(f)(x)
                if not same(got, want):
                    found.append(f"{way}: {text}: {np.asarray(got).tolist()}, not {want.tolist()}")
    return found


@pytest.mark.parametrize("seed", range(3))
def test_first_derivatives_agree(seed):
    assert disagreements(60, FIRST, adcore.grad, seed) == []


@pytest.mark.parametrize("seed", range(3, 6))
def test_second_derivatives_agree(seed):
    assert disagreements(50, SECOND, adcore.hessian, seed) == []


def test_generated_c_agrees():
    ways = {"C": lambda f: adcore.compile(f, backend="c").grad}
    assert disagreements(8, ways, adcore.grad, 6) == []


@pytest.mark.parametrize("transform", [adcore.grad, *FIRST.values()], ids=["grad", *FIRST])
@pytest.mark.parametrize("extremum", [np.max, np.min])
def test_of_an_extremum_the_nan_share(transform, extremum):
    """Its value is theirs, so its derivative is too: evenly, as among ties of numbers."""
    for x, expected in (
        ([np.nan, -0.6, 0.0], [1, 0, 0]),
        ([-0.6, np.nan, np.nan], [0, 0.5, 0.5]),
        ([1.0, 1.0, 1.0], [1 / 3, 1 / 3, 1 / 3]),
    ):
        got = transform(lambda x: extremum(x))(np.array(x))
        np.testing.assert_allclose(got, expected, rtol=1e-15)


@pytest.mark.parametrize("size", [3, 300])
def test_second_derivatives_of_huge_numbers(size):
    """The second partial of sqrt underflows at 1e305; times what moves, 1e300, it counts.

    The exact one by b of sqrt(x b) is -sqrt(x / b) / (4 b).
    """
    x, b = 1e300, 1e5
    exact = -np.sqrt(x) * b**-1.5 / 4
    _, got = adcore.hvp(lambda v: adcore.sqrt(x * v), (b,), (1.0,))
    assert np.isclose(got, exact, rtol=1e-12, atol=0)
    v = np.full(size, b)
    _, got = adcore.hvp(lambda v: np.sum(np.sqrt(x * v)), (v,), (np.ones(size),))
    np.testing.assert_allclose(got, exact, rtol=1e-12)


# Of these the oracle takes too long there.
SLOW = {"erfc", "ndtri", "erfinv", "erfcinv", "gamma", "lgamma", "digamma", "log_ndtr", "ndtr"}
ROWS = [
    op
    for op in adcore.OPS
    if op.n_args == 1 and not op.family and not op.hidden and op.curvature == "curved"
]


@pytest.mark.parametrize("op", [op for op in ROWS if op.name not in SLOW], ids=lambda op: op.name)
def test_rows_at_extreme_magnitudes(op):
    """Where squares of the argument, or of its reciprocal, are out of range; to second order."""
    low, high = op.domain[0]
    for x in (1e-300, 1e-160, 1e-9, 1e9, 1e160, 1e300):
        for point in (x, -x):
            if not low < point < high:
                continue
            true = derivatives(op.name, None, (point,), 2)
            with np.errstate(all="ignore"):
                found = {
                    (1,): [adcore.grad(op.function)(point)],
                    (2,): [
                        adcore.hessian(op.function)(point),
                        adcore.grad(adcore.grad(op.function))(point),
                        adcore.compile(op.function).hessian(point),
                    ],
                }
            for order, all_found in found.items():
                want = float(true[order])
                for got in all_found:
                    if np.isfinite(want):
                        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15)
                    else:
                        assert not np.isfinite(got), point
