"""Derivatives of any order: Taylor series against mpmath, closed forms and the other modes."""

import math

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

import adcore
import oracles
from adcore import _core

# ---- derivative() against mpmath -----------------------------------------------------------------


def wave(module, x):
    """The function of one variable that everything here is tried on."""
    return module.sin(module.exp(x) * x) / (1 + x**2)


def relative_error(got, expected):
    return float(abs(mpf(got) - expected) / abs(expected)) if expected else abs(got)


@pytest.mark.parametrize("x", [-1.7, -0.3, 0.0, 0.7, 1.9])
def test_twenty_derivatives_of_a_wave(x):
    with mp.workdps(80):
        coefficients = mpmath.taylor(lambda t: wave(mp, t), mpf(x), 20)
        exact = [c * mp.factorial(k) for k, c in enumerate(coefficients)]
    assert len({float(e) for e in exact}) > 15
    for k in range(21):
        got = adcore.derivative(lambda t: wave(adcore, t), k)(x)
        assert type(got) is float
        assert relative_error(got, exact[k]) < 1e-9, k


@pytest.mark.parametrize("x", [-3.0, -1e-20, 0.0, 1e-20, 1e-3, 0.7, 1e10])
def test_derivatives_of_a_monomial(x):
    for k in range(21):
        exact = math.perm(24, k) * mpf(x) ** (24 - k)
        got = adcore.derivative(lambda t: t**24, k)(x)
        if abs(exact) < 1e-300:
            assert abs(got) < 1e-299
        else:
            assert relative_error(got, exact) < 1e-9, k


@pytest.mark.parametrize("x", [-2.5, 0.0, 1.0])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 24])
def test_one_order_past_a_monomial_is_exactly_zero(n, x):
    for k in range(n + 1, n + 4):
        assert adcore.derivative(lambda t: t**n, k)(x) == 0.0
    assert adcore.derivative(lambda t: t**n, n)(x) == pytest.approx(math.factorial(n), rel=1e-15)


def test_order_defaults_to_one_and_zero_is_the_function():
    assert adcore.derivative(adcore.exp)(0.0) == 1.0
    assert adcore.derivative(adcore.exp, 0)(1.0) == math.e


@pytest.mark.parametrize("x", [3, np.float64(3), np.int64(3), np.array(3.0), adcore.tensor(3.0)])
def test_a_scalar_of_any_kind_gives_a_float(x):
    got = adcore.derivative(lambda t: t**3, 2)(x)
    assert type(got) is float
    assert got == 18.0


def test_a_function_that_ignores_its_argument():
    assert adcore.derivative(lambda _: 5.0, 3)(1.0) == 0.0
    assert adcore.derivative(lambda _: 5.0, 0)(1.0) == 5.0


def test_a_factorial_beyond_floats_does_not_overflow():
    """The 180th derivative of exp(x / 100) is 1e-360 exp(x / 100), that of x**3 is 0."""
    assert adcore.derivative(lambda t: adcore.exp(t / 100), 180)(0.0) == 0.0
    assert adcore.derivative(lambda t: adcore.exp(t / 20), 180)(0.0) == pytest.approx(
        20.0**-180, rel=1e-10
    )


# ---- where there is no Taylor series -------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "last"),
    [
        (adcore.sqrt, 0),
        (adcore.cbrt, 0),
        (adcore.log, -1),
        (lambda t: t**2.5, 2),
        (lambda t: t**0.5, 0),
        (lambda t: 1 / t, -1),
        (lambda t: adcore.sqrt(t * t), 0),
        (lambda t: t * adcore.log(t), -1),
    ],
)
def test_no_derivative_is_never_a_number(f, last):
    """At 0, derivatives up to `last` exist, and those beyond are nan or infinite."""
    with np.errstate(all="ignore"):
        for k in range(last + 4):
            got = adcore.derivative(f, k)(0.0)
            assert math.isfinite(got) == (k <= last), (k, got)


def test_kinks_follow_the_conventions():
    assert adcore.derivative(adcore.abs)(0.0) == 0.0
    assert adcore.derivative(lambda t: adcore.maximum(t, 0.0))(0.0) == 0.5
    assert adcore.derivative(lambda t: adcore.maximum(t * t, 1.0), 2)(2.0) == 2.0
    assert adcore.derivative(lambda t: adcore.where(t > 0, t * t, adcore.sqrt(t)), 2)(1.0) == 2.0


def test_the_branch_not_taken_adds_nothing():
    with np.errstate(all="ignore"):
        series = adcore.taylor(lambda t: adcore.where(1.0, t, adcore.log(t)), 0.0, 1.0, 3)
    assert series.tolist() == [0.0, 1.0, 0.0, 0.0]


# ---- every row of the table ----------------------------------------------------------------------

ORDER = 7


def function_of(op, parameter):
    if op.family:
        return lambda x: op.function(parameter, x)
    return op.function


def interior(lo, hi, rng):
    """A number of (lo, hi), not too near to an end."""
    lo, hi = max(lo, -3.0), min(hi, max(lo, -3.0) + 5.0)
    return rng.uniform(lo + 0.1 * (hi - lo), hi - 0.1 * (hi - lo))


@pytest.mark.parametrize("op", [op for op in adcore.OPS if not op.hidden], ids=lambda op: op.name)
def test_rows_to_order_seven(op, rng):
    """Along random lines through three interior points, to 1e-12."""
    oracle = oracles.oracle(op.name)
    for parameter in (0, 1, 3) if op.family else (None,) * 3:
        x = np.array([interior(lo, hi, rng) for lo, hi in op.domain])
        v = rng.uniform(0.5, 1.5, op.n_args) * rng.choice([-1, 1], op.n_args)
        f = function_of(op, parameter)
        got = adcore.taylor(lambda t: f(*(t[i] for i in range(op.n_args))), x, v, ORDER)  # noqa: B023

        def along(t):
            args = [mpf(a) + t * mpf(b) for a, b in zip(x.tolist(), v.tolist(), strict=True)]  # noqa: B023
            return oracle(*args) if parameter is None else oracle(parameter, *args)  # noqa: B023

        with mp.workdps(60):
            exact = mpmath.taylor(along, mpf(0), ORDER, h=mpf(2) ** -120, method="step")
        # A coefficient may vanish; its neighbours tell how large it might have been.
        sizes = [abs(float(c)) for c in exact]
        for k in range(ORDER + 1):
            scale = max(sizes[max(k - 1, 0) : k + 2])
            assert abs(got[k] - float(exact[k])) <= 1e-12 * scale + 1e-300, (x, v, k)


# ---- arrays: against the other modes -------------------------------------------------------------

M = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]])

PROGRAMS = {
    "elementwise": lambda x: np.sum(np.sin(x) * np.exp(x) / (1 + x * x)),
    "broadcast": lambda x: np.sum(x[:, None] * np.cos(x[None, :] * x[:, None])),
    "scalar loop": lambda x: sum((x[i + 1] - x[i] ** 2) ** 2 + x[i] ** 3 for i in range(2)),
    "matmul": lambda x: np.sum(np.tanh(M @ x) * (M @ (x * x))),
    "product of variables": lambda x: np.sum((x[:, None] * M.T) @ (M * x)),
    "slices": lambda x: x[0] * np.sum(x[1:] ** 3) + np.sum(x[::-1] * x * x[[2, 2, 0]]),
    "cumulative": lambda x: np.sum(np.cumsum(x * x) * x),
    "extremum": lambda x: np.max(x * x) * np.min(x) * np.sum(x),
    "norm": lambda x: np.linalg.norm(x) ** 3,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_first_three_coefficients_of_array_programs(name, rng):
    f = PROGRAMS[name]
    x, v = rng.uniform(0.3, 1.5, 3), rng.normal(size=3)
    series = adcore.taylor(f, x, v, 3)
    assert np.ptp(series) > 0
    np.testing.assert_allclose(series[0], f(x), rtol=1e-14)
    np.testing.assert_allclose(series[1], adcore.jvp(f, (x,), (v,))[1], rtol=1e-12)
    np.testing.assert_allclose(2 * series[2], v @ adcore.hessian(f)(x) @ v, rtol=1e-11)
    np.testing.assert_allclose(6 * series[3], v @ adcore.third(f, x, v, v), rtol=1e-10)


def test_a_vector_longer_than_a_tile(rng):
    x, v = rng.uniform(0.5, 2.0, 1000), rng.normal(size=1000)
    series = adcore.taylor(lambda t: np.exp(t) * t, x, v, 6)
    assert series.shape == (7, 1000)
    for k in range(7):
        np.testing.assert_allclose(
            series[k], np.exp(x) * (x + k) * v**k / math.factorial(k), rtol=1e-12
        )


def test_shapes_and_constants_among_the_results():
    x, v = np.ones((2, 3)), np.arange(6.0).reshape(2, 3)
    series = adcore.taylor(lambda t: t * t, x, v, 2)
    assert series.shape == (3, 2, 3)
    np.testing.assert_array_equal(series, [x, 2 * v, v * v])
    mixed = adcore.taylor(lambda t: np.stack([t * t, 3.0, t]), 2.0, 1.0, 3)
    assert mixed.tolist() == [[4.0, 3.0, 2.0], [4.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert adcore.taylor(lambda _: np.ones(2), 2.0, 1.0, 1).tolist() == [[1.0, 1.0], [0.0, 0.0]]
    assert adcore.taylor(lambda t: t, np.zeros(0), np.zeros(0), 2).shape == (3, 0)
    assert adcore.taylor(lambda t: t * t, [1.0, 2.0], [1.0, 0.0], 0).tolist() == [[1.0, 4.0]]


def test_a_direction_of_zero_meets_no_infinity():
    """d/dy of sqrt(y) at y = 0 is infinite, but y does not move."""
    series = adcore.taylor(lambda x: x[0] ** 2 + np.sqrt(x[1]), [3.0, 0.0], [1.0, 0.0], 3)
    assert series.tolist() == [9.0, 6.0, 1.0, 0.0]


def test_the_tape_is_as_it_was():
    x = adcore.tensor(2.0, requires_grad=True)
    y = x * x
    before = _core.tape_stats()
    adcore.derivative(lambda t: wave(adcore, t), 10)(0.7)
    adcore.taylor(lambda t: t * t, np.ones(1000), np.ones(1000), 3)
    with pytest.raises(ZeroDivisionError):
        adcore.derivative(lambda t: t * (1 / 0), 3)(1.0)
    assert _core.tape_stats()["slots"] == before["slots"]
    y.backward()
    assert float(x.grad) == 4.0


# ---- inside other transforms ---------------------------------------------------------------------


def exact_wave(x, order):
    with mp.workdps(60):
        return float(mpmath.diff(lambda t: wave(mp, t), mpf(x), order))


def test_derivatives_of_derivatives():
    def f(t):
        return wave(adcore, t)

    want = exact_wave(0.7, 5)
    assert adcore.derivative(adcore.derivative(f, 2), 3)(0.7) == pytest.approx(want, rel=1e-11)
    assert adcore.derivative(adcore.derivative(f, 4))(0.7) == pytest.approx(want, rel=1e-11)
    assert adcore.grad(adcore.derivative(f, 4))(0.7) == pytest.approx(want, rel=1e-11)
    assert adcore.derivative(adcore.grad(f), 4)(0.7) == pytest.approx(want, rel=1e-11)
    assert adcore.jvp(adcore.derivative(f, 4), (0.7,), (1.0,))[1] == pytest.approx(want, rel=1e-11)
    assert adcore.hessian(adcore.derivative(f, 3))(0.7) == pytest.approx(want, rel=1e-11)


def test_high_orders_stay_cheap_inside_other_transforms():
    """Nested forward mode would run f 2**14 times and more; here each order runs it once."""
    runs = 0

    def f(t):
        nonlocal runs
        runs += 1
        return wave(adcore, t)

    want = exact_wave(0.7, 14)
    assert adcore.hessian(adcore.derivative(f, 12))(0.7) == pytest.approx(want, rel=1e-10)
    assert adcore.grad(adcore.derivative(f, 13))(0.7) == pytest.approx(want, rel=1e-10)
    assert adcore.jvp(adcore.derivative(f, 13), (0.7,), (1.0,))[1] == pytest.approx(want, rel=1e-10)
    assert adcore.derivative(adcore.derivative(f, 7), 7)(0.7) == pytest.approx(want, rel=1e-10)
    assert runs < 20


def test_a_derivative_as_part_of_a_larger_function():
    def f(t):
        return wave(adcore, t)

    def larger(v):
        return adcore.derivative(f, 3)(v[0]) * v[1]

    third, fourth, fifth = (exact_wave(0.7, k) for k in (3, 4, 5))
    x = np.array([0.7, 2.0])
    np.testing.assert_allclose(adcore.grad(larger)(x), [2 * fourth, third], rtol=1e-12)
    np.testing.assert_allclose(
        adcore.hessian(larger)(x), [[2 * fifth, fourth], [fourth, 0.0]], rtol=1e-12
    )
    got = adcore.derivative(lambda t: t * adcore.derivative(f, 3)(t), 2)(0.7)
    assert got == pytest.approx(0.7 * fifth + 2 * fourth, rel=1e-12)


def test_what_the_function_captures_is_differentiated_too():
    """d/da of the third derivative of sin(a x) at x = 1: -3 a^2 cos(a) + a^3 sin(a)."""

    def inner(a):
        return adcore.derivative(lambda x: adcore.sin(a * x), 3)(1.0)

    def want(a):
        return -3 * a**2 * math.cos(a) + a**3 * math.sin(a)

    assert adcore.grad(inner)(2.0) == pytest.approx(want(2.0), rel=1e-13)
    assert adcore.jvp(inner, (2.0,), (1.0,))[1] == pytest.approx(want(2.0), rel=1e-13)
    assert adcore.derivative(inner)(2.0) == pytest.approx(want(2.0), rel=1e-13)
    assert type(adcore.derivative(inner)(2.0)) is float


def test_no_perturbation_is_taken_for_another():
    """d/dx of x * (d/dy of x + y) is 1, not 2."""
    d = adcore.derivative
    assert d(lambda x: x * d(lambda y: x + y)(1.0))(3.0) == 1.0
    assert adcore.grad(lambda x: x * d(lambda y: x * y * y, 2)(1.0))(3.0) == 12.0
    assert d(lambda x: x * adcore.grad(lambda y: x * y * y)(2.0), 2)(3.0) == 8.0


def test_what_ignores_the_inner_variable_still_counts_outside():
    assert adcore.grad(lambda a: adcore.derivative(lambda _: a * a, 0)(1.0))(3.0) == 6.0
    assert adcore.grad(lambda a: a + adcore.derivative(lambda _: a * a, 2)(1.0))(3.0) == 1.0


def test_a_tracked_tensor_gives_a_tracked_tensor():
    x = adcore.tensor(2.0, requires_grad=True)
    y = adcore.derivative(lambda t: t**4, 2)(x)
    assert y.item() == 48.0
    y.backward()
    assert float(x.grad) == 48.0


def test_taylor_inside_a_gradient():
    def second(x):
        return adcore.taylor(lambda t: np.sum(t**4), x, np.array([1.0, 2.0]), 2)[2]

    x = np.array([0.5, 1.5])
    np.testing.assert_allclose(adcore.grad(second)(x), 12 * x * np.array([1.0, 4.0]), rtol=1e-13)


def test_recording_may_be_off_outside():
    x = adcore.tensor(2.0, requires_grad=True)
    with adcore.no_grad():
        assert adcore.derivative(lambda t: t**3, 2)(2.0) == 12.0
        y = adcore.derivative(lambda t: t**3, 2)(x)
        assert y.item() == 12.0
        assert not y.requires_grad


# ---- third() -------------------------------------------------------------------------------------


def test_third_against_the_jacobian_of_the_hessian(rng):
    def f(x):
        return np.exp(x[0] * x[1]) * np.sin(x[2] * x[0]) + np.sum(x**4)

    x, u, v = rng.normal(size=(3, 3))
    tensor = adcore.jacobian(adcore.hessian(f))(x)
    assert np.ptp(tensor) > 0
    want = np.einsum("ijk,j,k->i", tensor, u, v)
    np.testing.assert_allclose(adcore.third(f, x, u, v), want, rtol=1e-11)
    np.testing.assert_allclose(adcore.third(f, x, v, u), want, rtol=1e-11)


def test_third_of_separate_variables_is_exactly_zero():
    got = adcore.third(lambda x: np.sum(x**5), np.ones(3), [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    assert got.tolist() == [0.0, 0.0, 0.0]


def test_third_can_be_differentiated():
    def f(x):
        return x[0] ** 3 * x[1] ** 2

    e = np.eye(2)
    got = adcore.jacobian(lambda x: adcore.third(f, x, e[0], e[1]))(np.array([2.0, 3.0]))
    np.testing.assert_allclose(got, [[36.0, 24.0], [24.0, 0.0]], rtol=1e-14)


# ---- misuse --------------------------------------------------------------------------------------


def test_errors_say_what_came():
    with pytest.raises(adcore.errors.ShapeError, match=r"scalar x, this one has shape \(2,\)"):
        adcore.derivative(lambda t: t, 2)(np.ones(2))
    with pytest.raises(adcore.errors.ShapeError, match=r"returned shape \(3,\)"):
        adcore.derivative(lambda t: t * np.ones(3), 2)(1.0)
    with pytest.raises(adcore.errors.ShapeError, match=r"\(2,\), v has shape \(3,\)"):
        adcore.taylor(lambda t: t, np.ones(2), np.ones(3), 2)
    with pytest.raises(ValueError, match="order of 0 or more, got -1"):
        adcore.derivative(lambda t: t, -1)
    with pytest.raises(TypeError, match=r"integer order, got 1\.5"):
        adcore.taylor(lambda t: t, 1.0, 1.0, 1.5)
    with pytest.raises(adcore.errors.NotDifferentiableError, match="real numbers or arrays"):
        adcore.taylor(lambda _: "text", 1.0, 1.0, 2)
    with pytest.raises(adcore.errors.NotDifferentiableError, match="complex128"):
        adcore.derivative(lambda t: t, 1)(1j)
    with pytest.raises(adcore.errors.ShapeError, match=r"returned shape \(2,\)"):
        adcore.third(lambda t: t, np.ones(2), np.ones(2), np.ones(2))


@pytest.mark.parametrize("order", range(1, 6))
def test_terms_that_partials_share_are_found_to_the_order_each_needs(order):
    """1 / (1 + z) is needed to one order less within log1p than within the other partial."""
    got = adcore.derivative(lambda t: adcore.xlog1py(0.3 + t, 0.7 + 2 * t), order)(0.0)
    want = mpmath.diff(lambda t: (0.3 + t) * mpmath.log1p(0.7 + 2 * t), 0, order)
    assert got == pytest.approx(float(want), rel=1e-9)


def test_taylor_of_containers():
    def f(p):
        return {"product": p["a"] * p["b"][0], "rest": (p["b"] ** 2, None, 3.0)}

    x, v = {"a": 2.0, "b": np.array([3.0, 4.0])}, {"a": 1.0, "b": np.array([1.0, -1.0])}
    found = adcore.taylor(f, x, v, 2)
    np.testing.assert_array_equal(found["product"], [6.0, 5.0, 1.0])
    np.testing.assert_array_equal(found["rest"][0], [[9.0, 16.0], [6.0, -8.0], [1.0, 1.0]])
    assert found["rest"][1] is None
    np.testing.assert_array_equal(found["rest"][2], [3.0, 0.0, 0.0])
    nested = adcore.grad(lambda a: adcore.taylor(f, {**x, "a": a}, v, 1)["product"][1] * a)(2.0)
    assert nested == 7.0  # of (a + 3) a
    with pytest.raises(adcore.errors.ShapeError, match=r"direction has a leaf of shape \(3,\)"):
        adcore.taylor(f, x, {"a": 1.0, "b": np.ones(3)}, 1)


def test_derivative_passes_further_arguments_on():
    assert adcore.derivative(lambda x, n, scale=1.0: scale * x**n, 2)(2.0, 3, scale=5.0) == 60.0
