"""The conventions: what derivatives are where the function has none, or where it seems to.

Each holds in every mode: reverse and forward, the four ways of nesting them, and through compile.
"""

import copy
import math
import pickle

import numpy as np
import pytest
from scipy.special import entr

import adcore
from adcore import errors


def columns(f):
    """The Hessian by the compiled product with each unit vector, as one array."""
    compiled = adcore.compile(f)

    def hessian(x):
        if np.ndim(x) == 0:
            return compiled.hvp((x,), (1.0,))[1]
        return np.stack([compiled.hvp((x,), (e,))[1] for e in np.eye(len(x))], axis=-1)

    return hessian


FIRST = {
    "grad": adcore.grad,
    "jacfwd": adcore.jacfwd,
    "jacrev": adcore.jacrev,
    "compiled grad": lambda f: adcore.compile(f).grad,
    "grad of compiled": lambda f: adcore.grad(adcore.compile(f)),
    "compiled of grad": lambda f: adcore.compile(adcore.grad(f)),
    "jacfwd of compiled": lambda f: adcore.jacfwd(adcore.compile(f)),
    "compiled of jacfwd": lambda f: adcore.compile(adcore.jacfwd(f)),
}
SECOND = {
    "hessian": adcore.hessian,
    "forward over forward": lambda f: adcore.jacfwd(adcore.jacfwd(f)),
    "forward over reverse": lambda f: adcore.jacfwd(adcore.jacrev(f)),
    "reverse over forward": lambda f: adcore.jacrev(adcore.jacfwd(f)),
    "reverse over reverse": lambda f: adcore.jacrev(adcore.jacrev(f)),
    "compiled products": columns,
    "compiled of hessian": lambda f: adcore.compile(adcore.hessian(f)),
    "hessian of compiled": lambda f: adcore.hessian(adcore.compile(f)),
    "forward over compiled": lambda f: adcore.jacfwd(adcore.compile(f).grad),
    "compiled over forward": lambda f: adcore.jacrev(adcore.compile(adcore.jacfwd(f))),
}
first = pytest.mark.parametrize("transform", FIRST.values(), ids=FIRST)
second = pytest.mark.parametrize("transform", SECOND.values(), ids=SECOND)
norm = np.linalg.norm


def by_hand(x):
    return adcore.sqrt((x * x).sum())


# ---- ties ----

TIES = {
    "max": (lambda x: np.max(x), [2.0, 1.0, 2.0, 2.0], [1 / 3, 0, 1 / 3, 1 / 3]),
    "min": (lambda x: x.min(), [2.0, 1.0, 1.0, 2.0], [0, 0.5, 0.5, 0]),
    "max of an axis": (
        lambda x: np.max(x.reshape(2, 2), axis=0).sum(),
        [1.0, 2.0, 1.0, 3.0],
        [0.5, 0, 0.5, 1],
    ),
    "maximum": (lambda x: np.maximum(x[:2], x[2:]).sum(), [1.0, 3.0, 1.0, 2.0], [0.5, 1, 0.5, 0]),
    "maximum and a number": (lambda x: np.maximum(x, 0.0).sum(), [0.0, -0.0, 1.0], [0.5, 0.5, 1]),
    "minimum and a number": (lambda x: np.minimum(x, 0.0).sum(), [0.0, -0.0, 1.0], [0.5, 0.5, 0]),
    "fmax": (lambda x: np.fmax(x, 0.0).sum(), [0.0, 1.0], [0.5, 1]),
    "maximum.reduce": (lambda x: np.maximum.reduce(x), [2.0, 1.0, 2.0, 0.0], [0.5, 0, 0.5, 0]),
    "clip": (lambda x: np.clip(x, 0.0, 1.0).sum(), [0.0, 0.5, 1.0, 2.0], [0.5, 1, 0.5, 0]),
    "clip from below": (lambda x: np.clip(x, 0.0, None).sum(), [0.0, -1.0, 1.0], [0.5, 0, 1]),
    "clip from above": (lambda x: x.clip(None, 1.0).sum(), [1.0, 2.0, 0.0], [0.5, 0, 1]),
    "abs": (lambda x: abs(x).sum(), [0.0, -0.0, -2.0], [0, 0, -1]),
    "absolute": (lambda x: np.absolute(x).sum(), [0.0, 3.0], [0, 1]),
    "fabs": (lambda x: np.fabs(x).sum(), [0.0, 3.0], [0, 1]),
    "norm 1": (lambda x: norm(x, 1), [0.0, -3.0], [0, -1]),
    "norm inf": (lambda x: norm(x, np.inf), [2.0, -2.0, 1.0], [0.5, -0.5, 0]),
    "ptp": (lambda x: np.ptp(x), [1.0, 1.0, 1.0, 1.0], [0, 0, 0, 0]),
}


@first
@pytest.mark.parametrize("name", TIES)
def test_ties_split_evenly(transform, name):
    f, at, expected = TIES[name]
    np.testing.assert_allclose(transform(f)(np.array(at)), expected, rtol=1e-15)


@second
def test_second_derivatives_at_ties_are_those_of_the_weights(transform):
    f = lambda x: np.max(x) ** 2  # noqa: E731
    expected = [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 0]]
    np.testing.assert_allclose(transform(f)(np.array([2.0, 2.0, 1.0])), expected, rtol=1e-15)


# ---- norms ----


@first
def test_norm_at_zero_has_a_first_derivative_of_zero(transform):
    zero = np.zeros(3)
    for order in (None, 2, 3, 1.5):
        assert np.array_equal(transform(lambda x, p=order: norm(x, p))(zero), zero)
    assert np.array_equal(transform(lambda x: norm(x.reshape(1, 3), "fro"))(zero), zero)
    assert np.array_equal(transform(lambda x: np.std(x))(zero + 4), zero)


@first
def test_norms_of_rows_one_of_which_is_zero(transform):
    x = np.array([[3.0, 4.0], [0.0, 0.0], [-1.0, 0.0]])
    got = transform(lambda x: norm(x.reshape(3, 2), axis=1).sum())(x.ravel())
    np.testing.assert_allclose(got, [0.6, 0.8, 0, 0, -1, 0], rtol=1e-15)
    got = transform(lambda x: norm(x.reshape(3, 2), 3, axis=1).sum())(x.ravel())
    np.testing.assert_allclose(got[2:], [0, 0, -1, 0], rtol=1e-15)


@second
def test_bare_norm_has_no_second_derivative_at_zero(transform):
    for f in (norm, lambda x: norm(x, 3), lambda x: np.std(x), lambda x: norm(x) * 2.0 + x[0]):
        assert np.isnan(transform(f)(np.zeros(3))).all()


@second
def test_second_derivative_of_rows_stays_where_the_norm_is_not_zero(transform):
    x = np.array([3.0, 4.0, 0.0, 0.0])
    got = transform(lambda x: norm(x.reshape(2, 2), axis=1).sum())(x)
    np.testing.assert_allclose(got[:2, :2], [[0.128, -0.096], [-0.096, 0.072]], rtol=1e-14)
    assert np.isnan(got[2:, 2:]).all()
    if transform is not SECOND["compiled over forward"]:  # which does not know which row it was
        assert not got[:2, 2:].any()
        assert not got[2:, :2].any()


def of_graph(f):
    """Reverse over reverse, as scripts for torch have it."""

    def hessian(x):
        x = adcore.tensor(x, requires_grad=True)
        (g,) = adcore.autograd.grad(f(x), x, create_graph=True)
        rows = [adcore.autograd.grad(v, x, materialize_grads=True)[0] for v in g]
        return np.stack([r.numpy() for r in rows])

    return hessian


def along(product):
    """The Hessian by its products with unit vectors."""
    return lambda f: lambda x: np.stack([product(f, x, e) for e in np.eye(len(x))], axis=-1)


NESTED = SECOND | {
    "hvp": along(lambda f, x, e: adcore.hvp(f, (x,), (e,))[1]),
    "compiled hessian": lambda f: adcore.compile(f).hessian,
    "create_graph": of_graph,
    "reverse over compiled": lambda f: adcore.jacrev(adcore.compile(f).grad),
    "forward over compiled of reverse": lambda f: adcore.jacfwd(adcore.compile(adcore.jacrev(f))),
    "reverse over compiled of reverse": lambda f: adcore.jacrev(adcore.compile(adcore.jacrev(f))),
    "jvp over reverse": along(lambda f, x, e: adcore.jvp(adcore.grad(f), (x,), (e,))[1]),
    "reverse over jvp": along(
        lambda f, x, e: adcore.grad(lambda y: adcore.jvp(f, (y,), (e,))[1])(x)
    ),
    "compiled of jvp": along(
        lambda f, x, e: adcore.compile(lambda y: adcore.jvp(f, (y,), (e,))[1]).grad(x)
    ),
    "reverse over compiled of jvp": along(
        lambda f, x, e: adcore.grad(adcore.compile(lambda y: adcore.jvp(f, (y,), (e,))[1]))(x)
    ),
    "reverse over compiled jvp": along(
        lambda f, x, e: adcore.grad(lambda y: adcore.compile(f).jvp((y,), (e,))[1])(x)
    ),
    "jvp over compiled jvp": along(
        lambda f, x, e: np.array(
            [
                adcore.jvp(lambda y: adcore.compile(f).jvp((y,), (e,))[1], (x,), (d,))[1]
                for d in np.eye(len(x))
            ]
        )
    ),
    "compiled of reverse": lambda f: adcore.compile(adcore.grad(f)).jacobian,
    "C": lambda f: adcore.compile(f, backend="c").hessian,
    "jvp over jvp": along(
        lambda f, x, e: np.array(
            [
                adcore.jvp(lambda y, d=d: adcore.jvp(f, (y,), (d,))[1], (x,), (e,))[1]
                for d in np.eye(len(x))
            ]
        )
    ),
}
# What follows a norm is not known yet where its tangent is found: these say nan for a number.
BLIND = {"jvp over reverse", "jvp over jvp"}


def huber(r):
    return adcore.where(r < 1, 0.5 * r**2, r - 0.5)


def pair(x):
    return np.hypot(x[0], x[1])


NO_HESSIAN = np.full((2, 2), np.nan)
SMOOTH = {
    "cosh": (lambda x: np.cosh(norm(x)), np.eye(2)),
    "cos": (lambda x: np.cos(norm(x)), -np.eye(2)),
    "product": (lambda x: norm(x) * norm(x), 2 * np.eye(2)),
    "its own product": (lambda x: (lambda r: r * r)(norm(x)), 2 * np.eye(2)),
    "product and half": (lambda x: (lambda r: 0.25 * r * (2.0 * r))(norm(x)), np.eye(2)),
    "gaussian": (lambda x: (lambda r: np.exp(-r * r))(norm(x)), -2 * np.eye(2)),
    "gaussian by square": (lambda x: np.exp(-np.square(norm(x))), -2 * np.eye(2)),
    "gaussian by power": (lambda x: np.exp(-(norm(x) ** 2)), -2 * np.eye(2)),
    "huber": (lambda x: huber(norm(x)), np.eye(2)),
    "log cosh": (lambda x: np.log(np.cosh(3.0 * norm(x))), 9 * np.eye(2)),
    "cube": (lambda x: norm(x) ** 3, np.zeros((2, 2))),
    "deviation": (lambda x: np.cosh(np.std(x)), [[0.25, -0.25], [-0.25, 0.25]]),
    "linear": (
        lambda x: np.cosh(norm(np.array([[1.0, 2.0], [0, 1], [1, 1]]) @ x)),
        [[2, 3], [3, 6]],
    ),
    "rows": (lambda x: np.cosh(norm(x.reshape(2, 1), axis=1)).sum(), np.eye(2)),
    "rows, weighed": (
        lambda x: (np.array([1.0, 3.0]) * np.cosh(norm(x.reshape(2, 1), axis=1))).sum(),
        np.diag([1.0, 3.0]),
    ),
    "frobenius": (lambda x: np.cosh(norm(x.reshape(1, 2), "fro")), np.eye(2)),
    "norm of a norm": (lambda x: np.cosh(norm(np.stack([norm(x), 2.0 * x[0]]))), np.diag([5.0, 1])),
    "hypot": (lambda x: pair(x) ** 2, 2 * np.eye(2)),
    "cosh of hypot": (lambda x: np.cosh(pair(x)), np.eye(2)),
    "hypot of arrays": (lambda x: np.cos(np.hypot(x[:1], x[1:])).sum(), -np.eye(2)),
    "hypot with 0": (lambda x: np.cos(np.hypot(x, 0.0)).sum(), -np.eye(2)),
    "with a factor": (lambda x: (1.0 + x[0]) * np.cosh(norm(x)), np.eye(2)),
    "a factor of 0": (lambda x: x[0] * np.cosh(norm(x[1:])), np.zeros((2, 2))),
    "not taken": (
        lambda x: adcore.where(norm(x) > 0, norm(x), 0.0) + x[0] ** 2,
        np.diag([2.0, 0]),
    ),
    "beside": (lambda x: np.cosh(norm(x)) + norm(x + 1.0) ** 2, 3 * np.eye(2)),
    "power": (lambda x: norm(x) ** 1.5, np.diag([np.inf, np.inf])),
}
ROUGH = {
    "bare": norm,
    "times an input": lambda x: norm(x) * x[0],
    "times another": lambda x: norm(x[:1]) * norm(x[1:]),
    "hypots times each other": lambda x: np.hypot(x[0], 0.0) * np.hypot(x[1], 0.0),
    "with a slope": lambda x: np.exp(norm(x)),
    "hypot": pair,
    "hypot times an input": lambda x: pair(x) * x[1],
    "rows that meet": lambda x: np.prod(norm(x.reshape(2, 1), axis=1)),
}
nested = pytest.mark.parametrize("way", NESTED)


@nested
@pytest.mark.parametrize("name", SMOOTH)
def test_functions_of_a_norm_at_zero_have_their_hessian(name, way):
    """phi''(0) times the identity if phi'(0) is 0; nan, where that cannot be told."""
    f, expected = SMOOTH[name]
    with np.errstate(all="ignore"):
        got = NESTED[way](f)(np.zeros(2))
    if way in BLIND:
        expected = np.where(np.isnan(got), np.nan, expected)
    np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-15)


@nested
@pytest.mark.parametrize("name", ROUGH)
def test_functions_of_a_norm_that_have_no_hessian_at_zero(name, way):
    """No number is made up: all is nan; by duals also partial derivatives of partial ones."""
    with np.errstate(all="ignore"):
        got = NESTED[way](ROUGH[name])(np.zeros(2))
    if way in BLIND:
        assert np.isnan(got).any()
        assert not got[~np.isnan(got)].any()
    else:
        assert np.isnan(got).all()


@nested
def test_a_norm_at_zero_leaves_others_alone(way):
    """In a sum of functions of rows, one of which is 0, and beside inputs that it does not read."""

    def f(x):
        return np.cosh(norm(x[:4].reshape(2, 2), axis=1)).sum() + np.exp(x[4]) * x[5] ** 2

    def away(x):
        return np.cosh(adcore.sqrt((x[:2] ** 2).sum())) + np.exp(x[4]) * x[5] ** 2

    x = np.array([0.3, 0.4, 0.0, 0.0, 0.5, 2.0])
    got, expected = NESTED[way](f)(x), NESTED["hessian"](away)(x)
    expected[2:4, 2:4] = np.eye(2)
    if way in BLIND:
        expected = np.where(np.isnan(got), np.nan, expected)
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-15)


@nested
def test_a_direction_that_leaves_a_norm_at_zero(way):
    """Columns along which it stays are no more nan than those of a sum."""
    x = np.array([0.0, 0.0, 0.5])
    got = NESTED[way](lambda x: norm(x[:2]) + np.exp(x[2]))(x)
    assert np.isnan(got[:2, :2]).all()
    if way not in BLIND:
        np.testing.assert_allclose(got[2], [0, 0, math.exp(0.5)], rtol=1e-15)
        np.testing.assert_allclose(got[:2, 2], [0, 0])


@nested
def test_programs_recorded_elsewhere_see_the_zero(way):
    """What was recorded where the norm is not 0 is run where it is, and the other way round."""
    transform = NESTED[way](lambda x: np.cosh(norm(x)))
    expected = NESTED["hessian"](lambda x: np.cosh(adcore.sqrt((x * x).sum())))
    away = np.array([0.3, -0.2])
    for x in (away, np.zeros(2), away):
        got, right = transform(x), expected(x) if x.any() else np.eye(2)
        if way in BLIND:
            right = np.where(np.isnan(got), np.nan, right)
        np.testing.assert_allclose(got, right, rtol=1e-13)
        assert not (x.any() and np.isnan(got).any())


THIRD = [lambda x: norm(x) ** 3, lambda x: np.cosh(norm(x)), lambda x: pair(x) ** 3]


@pytest.mark.parametrize("f", THIRD)
def test_third_derivatives_of_functions_of_a_norm_are_nan_at_zero(f):
    """norm(x)**3 has none; nor is any found where there is one."""
    for outer in (adcore.jacfwd, adcore.jacrev):
        for way in ("hessian", "forward over reverse", "reverse over reverse", "compiled hessian"):
            third = outer(NESTED[way](f))(np.zeros(2))
            assert np.isnan(third[0, 0, 0])
            assert not third[~np.isnan(third)].any()


def test_many_norms_at_zero():
    """More than are looked into one by one: nan where they are 0; one vector of them, compiled."""
    x = np.linspace(0.1, 1.0, 80)
    x[::2] = 0.0

    def f(x):
        return sum(np.cosh(np.hypot(v, 0.0)) for v in x)

    for way in ("hessian", "compiled hessian", "reverse over reverse"):
        h = np.diagonal(NESTED[way](f)(x))
        assert np.isnan(h[::2]).all() if way != "compiled hessian" else (h[::2] == 1).all()
        np.testing.assert_allclose(h[1::2], np.cosh(x[1::2]), rtol=1e-13)


@first
def test_a_norm_that_is_nan_has_no_derivative(transform):
    for f in (norm, np.std, lambda x: np.hypot(x[0], x[1])):
        assert np.isnan(transform(f)(np.array([0.0, math.nan]))).all()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_deviations_of_nothing_are_nan(shape):
    """As NumPy's, which warns; so are those of as many numbers as ddof takes away."""
    x = adcore.tensor(np.ones(shape), requires_grad=True)
    with np.errstate(all="ignore"):
        assert np.isnan(np.std(x).item())
        assert np.isnan(np.std(x, axis=shape.index(0)).tolist()).all()
        assert np.isnan(np.std(adcore.tensor([1.0], requires_grad=True), ddof=1).item())
        assert np.std(adcore.tensor([1.0, 2.0], requires_grad=True), ddof=2).item() == math.inf


@second
def test_squared_norm_is_the_sum_of_squares(transform):
    x = np.array([0.0, 0.0, 0.0])
    squares = {
        "norm": lambda x: norm(x) ** 2,
        "2.0": lambda x: norm(x) ** 2.0,
        "square": lambda x: np.square(norm(x)),
        "method": lambda x: norm(x).square(),
        "power": lambda x: np.power(norm(x), 2),
        "axis": lambda x: (norm(x.reshape(3, 1), axis=1) ** 2).sum(),
        "keepdims": lambda x: (norm(x.reshape(1, 3), axis=1, keepdims=True) ** 2).sum(),
        "element": lambda x: norm(x.reshape(1, 3), axis=1)[0] ** 2,
        "slice": lambda x: (norm(x.reshape(3, 1), axis=1)[::-1] ** 2).sum(),
        "reshaped": lambda x: (norm(x.reshape(3, 1), axis=1).reshape(1, 3) ** 2).sum(),
        "transposed": lambda x: (norm(x.reshape(1, 3, 1), axis=2).T ** 2).sum(),
    }
    for name, f in squares.items():
        assert np.array_equal(transform(f)(x), 2 * np.eye(3)), name
    assert transform(lambda x: np.std(x) ** 2)(x) == pytest.approx(
        transform(lambda x: np.var(x))(x), rel=1e-15
    )


ROOTS = [norm, np.std, lambda x: norm(x.reshape(1, 2), axis=1)[0]]


@pytest.mark.parametrize("n", [4, 4.0, np.int64(6)])
@pytest.mark.parametrize("root", ROOTS)
def test_even_powers_of_a_norm_at_zero(root, n):
    """|x|**n is a polynomial, whose n-th derivatives are not 0."""
    for first in (adcore.jacfwd, adcore.jacrev):
        got, expected = lambda x: root(x) ** n, lambda x: (root(x) ** 2) ** (n // 2)
        for transform in (first, adcore.jacfwd, adcore.jacrev, first, adcore.jacfwd):
            got, expected = transform(got), transform(expected)
            assert np.array_equal(got(np.zeros(2)), expected(np.zeros(2)))


def test_the_fourth_power_of_a_norm():
    fourth = adcore.jacfwd(adcore.jacfwd(adcore.hessian(lambda x: norm(x) ** 4)))(np.zeros(2))
    assert fourth[0, 0, 0, 0] == 24
    assert fourth[0, 0, 1, 1] == 8


@pytest.mark.parametrize("transform", [adcore.grad, adcore.jacfwd, adcore.jacrev])
def test_nan_in_a_maximum_is_where_the_value_comes_from(transform):
    """In every spelling; fmax and fmin pass over it."""
    x = np.array([math.nan, 1.0])
    for f in (
        np.max,
        np.min,
        lambda x: np.maximum(x[0], x[1]),
        lambda x: np.minimum(x[1], x[0]),
        lambda x: np.maximum(x[1], x[0]),
    ):
        assert np.array_equal(transform(f)(x), [1.0, 0.0])
    assert np.array_equal(transform(lambda x: np.fmax(x[0], x[1]))(x), [0.0, 1.0])


def test_squared_norm_at_higher_orders():
    third = adcore.jacfwd(adcore.hessian(lambda x: norm(x) ** 2 * x[0]))(np.zeros(2))
    expected = adcore.jacfwd(adcore.hessian(lambda x: (x @ x) * x[0]))(np.zeros(2))
    assert np.array_equal(third, expected)
    assert expected.any()


@second
def test_norms_away_from_zero(transform):
    x = np.array([0.3, -1.2, 0.4])
    np.testing.assert_allclose(transform(norm)(x), transform(by_hand)(x), rtol=1e-14)


# ---- integer powers ----


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("kind", [int, float, np.int64, np.float64])
@pytest.mark.parametrize("at", [0.0, -1.5, 2.0])
def test_integer_powers_end(n, kind, at):
    """The k-th derivative is n (n - 1) ... (n - k + 1) x**(n - k); beyond n it is exactly 0."""
    f = lambda x: x ** kind(n)  # noqa: E731
    for k in range(1, n + 3):
        g = f
        for _ in range(k):
            g = adcore.grad(g)
        expected = math.perm(n, k) * at ** (n - k) if k <= n else 0.0
        assert g(at) == pytest.approx(expected, rel=1e-14)
        assert adcore.derivative(f, k)(at) == pytest.approx(expected, rel=1e-14)
    assert g(at) == 0


def test_powers_with_a_tracked_exponent_at_zero():
    gradient = adcore.grad(lambda x, p: x**p, argnums=(0, 1))
    assert gradient(0.0, 2.0) == (0.0, 0.0)
    assert gradient(0.0, 1.0) == (1.0, 0.0)
    assert gradient(0.0, 0.5) == (math.inf, 0.0)
    x = np.array([0.0, 2.0])
    np.testing.assert_allclose(
        adcore.grad(lambda p: (x**p).sum())(2.0), 4 * math.log(2), rtol=1e-15
    )
    np.testing.assert_allclose(
        adcore.hessian(lambda p: (x**p).sum())(2.0), 4 * math.log(2) ** 2, rtol=1e-15
    )


# ---- limits ----


def products_of_all_but(x, out):
    return math.prod([v for i, v in enumerate(x) if i not in out])


@pytest.mark.parametrize("x", [[2.0, 0.0, 3.0, 4.0], [0.0, 0.0, 3.0, 4.0], [0.0, 0.0, 0.0, 4.0]])
def test_prod_with_zeros(x):
    n = len(x)
    for f in (lambda x: np.prod(x), lambda x: np.cumprod(x)[-1], lambda x: np.multiply.reduce(x)):
        for transform in FIRST.values():
            expected = [products_of_all_but(x, {i}) for i in range(n)]
            assert np.array_equal(transform(f)(np.array(x)), expected)
        for transform in SECOND.values():
            expected = [
                [products_of_all_but(x, {i, j}) if i != j else 0 for j in range(n)]
                for i in range(n)
            ]
            assert np.array_equal(transform(f)(np.array(x)), expected)
        third = adcore.jacfwd(adcore.hessian(f))(np.array(x))
        assert third[0, 1, 2] == x[3]
        assert third[0, 0, 1] == 0


@second
def test_var_of_constants(transform):
    n = 4
    expected = 2 / n * (np.eye(n) - 1 / n)
    got = transform(lambda x: np.var(x))(np.full(n, 0.1))
    np.testing.assert_allclose(got, expected, rtol=1e-15)


@first
def test_limits_of_first_derivatives(transform):
    inf = math.inf
    assert transform(lambda x: np.logaddexp(x, -inf))(-inf) == 0.5
    assert transform(lambda x: np.logaddexp(x, 1.0))(-inf) == 0
    assert transform(lambda x: np.sinc(x))(0.0) == 0
    assert transform(lambda y: adcore.xlogy(0.0, y))(0.0) == 0
    assert transform(lambda x: np.hypot(x, 0.0))(0.0) == 0


@second
def test_limits_of_second_derivatives(transform):
    got = transform(lambda x: np.sinc(x))(0.0)
    assert got == pytest.approx(-(math.pi**2) / 3, rel=1e-15)
    assert transform(lambda y: adcore.xlogy(0.0, y))(0.5) == 0
    got = transform(lambda z: np.logaddexp(z[0], z[1]))(np.array([-math.inf, 1.0]))
    assert np.array_equal(got, np.zeros((2, 2)))


@pytest.mark.parametrize("at", [0.0, 0.5])
def test_entropy(at):
    """-x log(x): its derivatives at 0 are inf and -inf, the limits, in every mode."""
    for f in (adcore.entr, entr):
        for transform in FIRST.values():
            assert transform(f)(at) == pytest.approx(-1 - math.log(at) if at else math.inf)
        for transform in SECOND.values():
            assert transform(f)(at) == pytest.approx(-1 / at if at else -math.inf)


def test_log_sum_exp_by_reduction():
    """With elements of -inf, and of nothing but them; of nothing."""
    inf = math.inf
    f = np.logaddexp.reduce
    for transform in FIRST.values():
        got = transform(f)(np.array([-inf, 1.0, 1.0, -inf]))
        np.testing.assert_allclose(got, [0, 0.5, 0.5, 0], rtol=1e-15)
        np.testing.assert_allclose(transform(f)(np.full(4, -inf)), np.full(4, 0.25))
    for transform in SECOND.values():
        got = transform(f)(np.array([-inf, 1.0, 1.0]))
        np.testing.assert_allclose(got, [[0, 0, 0], [0, 0.25, -0.25], [0, -0.25, 0.25]])
    x = adcore.tensor(np.ones((2, 0)), requires_grad=True)
    assert f(x, axis=1).tolist() == [-inf, -inf]
    assert np.hypot.reduce(x, axis=1, keepdims=True).tolist() == [[0], [0]]


# ---- where ----

BRANCHES = {
    "sqrt": adcore.sqrt,
    "log": adcore.log,
    "quotient": lambda x: x / (x + 1.0),
    "power": lambda x: (x + 1.0) ** -2.5,
    "asin": lambda x: adcore.asin(2.0 * x - 3.0),
    "twice": lambda x: adcore.where(x > 1, adcore.log(adcore.sqrt(x)), adcore.sqrt(x)),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_the_branch_not_taken_counts_zero(name):
    branch = BRANCHES[name]
    x = np.array([-1.0, 0.0, -2.0])
    f = lambda x: (np.where(x > 0, branch(x), x * x * x)).sum()  # noqa: E731
    with np.errstate(all="ignore"):
        for transform in FIRST.values():
            assert np.array_equal(transform(f)(x), 3 * x**2)
        for transform in SECOND.values():
            assert np.array_equal(transform(f)(x), np.diag(6 * x))
        for transform in SECOND.values():
            for outer in (adcore.jacfwd, adcore.jacrev):
                third = outer(transform(f))(x)
                assert np.array_equal(third, 6 * np.einsum("ij,jk->ijk", np.eye(3), np.eye(3)))


@pytest.mark.parametrize("name", BRANCHES)
@pytest.mark.parametrize("at", [-1.0, 0.0])
def test_the_branch_not_taken_counts_zero_for_numbers(name, at):
    f = lambda x: adcore.where(x > 0, BRANCHES[name](x), x * x * x)  # noqa: E731
    with np.errstate(all="ignore"):
        assert adcore.grad(f)(at) == 3 * at**2
        assert adcore.jacfwd(f)(at) == 3 * at**2
        for order, expected in ((1, 3 * at**2), (2, 6 * at), (3, 6.0), (4, 0.0)):
            assert adcore.derivative(f, order)(at) == expected
        for transform in SECOND.values():
            assert transform(f)(at) == 6 * at


@first
def test_where_takes_tensors_numbers_and_broadcasts(transform):
    c = np.array([[True], [False]])
    got = transform(lambda x: (np.where(c, x, 2.0) * x).sum())(np.array([1.0, 3.0]))
    np.testing.assert_allclose(got, [2 * 1 + 2, 2 * 3 + 2], rtol=1e-15)


# ---- losing the derivative ----

LOST = {
    "float()": lambda x: float(x),
    "int()": lambda x: int(x),
    "math.sin": lambda x: math.sin(x),
    "np.asarray": lambda x: np.asarray(x),
    "np.array": lambda x: np.array([x, 1.0]),
    "numpy()": lambda x: x.numpy(),
    "complex()": lambda x: complex(x),
    "range": lambda x: range(x),
    "list index": lambda x: [1, 2][x],
}


@pytest.mark.parametrize("name", LOST)
def test_losing_the_derivative_is_an_error_that_says_what_to_write(name):
    x = adcore.tensor(0.5, requires_grad=True)
    with pytest.raises(TypeError, match=r"would lose its derivative.*detach\(\)"):
        LOST[name](x)


def test_assigning_into_a_plain_array_names_the_lost_derivative():
    """NumPy raises its own ValueError, from ours."""
    with pytest.raises(ValueError, match="array element") as caught:
        np.zeros(2)[0] = adcore.tensor(0.5, requires_grad=True)
    assert "would lose its derivative" in str(caught.value.__cause__)


def test_the_deliberate_ways_out():
    x = adcore.tensor([0.5, 2.0], requires_grad=True)
    assert type(x[1].item()) is float
    assert x[1].item() == 2.0
    assert not x.detach().requires_grad
    assert np.array_equal(x.detach().numpy(), [0.5, 2.0])
    assert x.tolist() == [0.5, 2.0]
    assert float(x[0].detach()) == 0.5
    assert np.array_equal(np.asarray(x.detach()), [0.5, 2.0])


# ---- indexing, types, copies ----


def test_a_slice_does_not_see_later_assignments():
    def f(x):
        y = x * 1.0
        part = y[1:]
        y[1] = 7.0
        return (part * np.array([10.0, 100.0])).sum() + y.sum()

    value, gradient = adcore.value_and_grad(f)(np.array([1.0, 2.0, 3.0]))
    assert value == 20 + 300 + 1 + 7 + 3
    assert np.array_equal(gradient, [1.0, 10.0, 101.0])


def test_a_copy_is_spared_assignments_to_the_other():
    def f(x):
        y = x * 1.0
        for copied in (y.copy(), np.copy(y), copy.copy(y), y.clone()):
            copied[0] = 100.0
        return y.sum()

    assert np.array_equal(adcore.grad(f)(np.ones(2)), [1.0, 1.0])


def test_integers_and_booleans_are_constants():
    x = np.array([1.0, 2.0])
    got = adcore.grad(lambda x: (x * np.array([2, 3]) + np.array([True, False]) * x).sum())(x)
    assert np.array_equal(got, [3.0, 3.0])
    assert adcore.grad(lambda x: (x > 1).sum() * x[0])(x)[0] == 1
    indices = adcore.tensor([3.0, 1.0, 2.0], requires_grad=True).argsort()
    assert isinstance(indices, np.ndarray)
    assert indices.tolist() == [1, 2, 0]


def test_float32_is_computed_in_float64():
    x = np.array([0.1, 0.2], dtype=np.float32)
    seen = []

    def f(x):
        seen.append(x.dtype)
        return np.exp(x).sum()

    got = adcore.grad(f)(x)
    assert seen == [np.float64]
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, np.exp(x.astype(float)), rtol=1e-15)


def test_pickles_are_of_values():
    x = adcore.tensor([1.0, 2.0], requires_grad=True)
    again = pickle.loads(pickle.dumps(x))
    assert again.requires_grad
    assert again.tolist() == [1.0, 2.0]
    assert copy.deepcopy(x * 2.0).tolist() == [2.0, 4.0]


# ---- results outside ----


def test_results_outside_a_transform_are_plain():
    x = np.array([1.0, 2.0])
    assert type(adcore.grad(lambda x: x.sum())(x)) is np.ndarray
    assert isinstance(adcore.sum(x), float)
    assert type(adcore.concatenate([x, x])) is np.ndarray
    assert type(adcore.stack([1.0, 2.0])) is np.ndarray
    assert adcore.stack([1.0, 2.0]).tolist() == [1.0, 2.0]


def test_errors_are_also_the_built_in_ones():
    assert issubclass(errors.NotDifferentiableError, TypeError)
    assert issubclass(errors.ShapeError, ValueError)


@pytest.mark.parametrize("point", [0.5, np.array([0.5, 0.25])], ids=["number", "array"])
def test_a_branch_not_taken_counts_0_where_its_factor_is_a_constant_infinity(point):
    """0 * inf is 0 in an adjoint, recorded ones included."""

    def total(x):
        return adcore.sum(adcore.where(x > 1.0, x * np.inf, x**2))

    def again(x):
        return adcore.sum(adcore.grad(total)(x) * x) / 4.0

    np.testing.assert_array_equal(adcore.grad(total)(point), 2.0 * point)
    np.testing.assert_array_equal(adcore.grad(again)(point), point)
    np.testing.assert_array_equal(adcore.compile(total).grad(point), 2.0 * point)
