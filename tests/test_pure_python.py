"""The pure-Python baselines are right: every row of their tables, and closed forms."""

import itertools
import math

import mpmath
import numpy as np
import pytest

import pure_python

TINY = 2e-14  # relative; a rule is a handful of roundings


def oracle(name):
    """The function of that NumPy name in mpmath."""
    return getattr(mpmath, name.replace("arc", "a"))


def assert_close(actual, expected):
    np.testing.assert_allclose(np.array(actual, float), np.array(expected, float), TINY, TINY)


def assert_matches_mpmath(function, reference, point):
    """Value, gradient and Hessian of `function` at `point`, in each mode, against mpmath."""
    n = len(point)
    with mpmath.workdps(40):
        value = reference(*map(mpmath.mpf, point))
        unit = np.eye(n, dtype=int)
        slopes = [mpmath.diff(reference, point, tuple(unit[i])) for i in range(n)]
        curvature = [
            [mpmath.diff(reference, point, tuple(unit[i] + unit[j])) for j in range(n)]
            for i in range(n)
        ]
    for mode in (pure_python.gradient, pure_python.gradient_by_duals, pure_python.hessian):
        result = mode(lambda x: function(*x), list(point))
        assert_close(result[0], value)
        assert_close(result[1], slopes)
    assert_close(result[2], curvature)


@pytest.mark.parametrize("x", [0.15, 0.65])
@pytest.mark.parametrize("name", pure_python.UNARY)
def test_unary_row(name, x):
    if name == "neg":
        assert_matches_mpmath(lambda a: -a, lambda a: -a, [x])
        return
    function = getattr(pure_python, name)
    assert_close(function(x), oracle(name)(x))  # a float in gives a float
    assert_matches_mpmath(function, oracle(name), [x])


@pytest.mark.parametrize("name", pure_python.BINARY)
def test_binary_row(name):
    def function(a, b):
        return getattr(type(a), f"__{name}__")(a, b)

    def reference(a, b):
        return getattr(mpmath.mpf(a), f"__{name}__")(b)

    assert_matches_mpmath(function, reference, [1.7, 2.3])
    assert_matches_mpmath(lambda a: function(a, 2.3), lambda a: reference(a, 2.3), [1.7])
    reflected = f"__r{name}__"
    assert_matches_mpmath(
        lambda b: getattr(type(b), reflected)(b, 1.7), lambda b: reference(1.7, b), [2.3]
    )


@pytest.mark.parametrize("exponent", [0, 1, 2, 3])
def test_integer_power_at_zero(exponent):
    value, slope, curvature = pure_python.hessian(lambda x: x[0] ** exponent, [0.0])
    assert (value, slope, curvature) == (
        float(exponent == 0),
        [float(exponent == 1)],
        [[2.0 * (exponent == 2)]],
    )


def rosenbrock(x):
    total = 0.0
    for a, b in itertools.pairwise(x):
        total = total + 100 * (b - a**2) ** 2 + (1 - a) ** 2
    return total


def test_rosenbrock_closed_form():
    n = 7
    x = [math.sin(3.0 * i + 1.0) for i in range(n)]
    slopes = np.zeros(n)
    curvature = np.zeros((n, n))
    for i, (a, b) in enumerate(itertools.pairwise(x)):
        slopes[i] += -400 * a * (b - a**2) - 2 * (1 - a)
        slopes[i + 1] += 200 * (b - a**2)
        curvature[i, i] += 1200 * a**2 - 400 * b + 2
        curvature[i + 1, i + 1] += 200
        curvature[i, i + 1] = curvature[i + 1, i] = -400 * a
    value, by_tape, rows = pure_python.hessian(rosenbrock, x)
    assert value == rosenbrock(x)
    for mode in (pure_python.gradient, pure_python.gradient_by_duals):
        assert mode(rosenbrock, x)[0] == value
        assert_close(mode(rosenbrock, x)[1], slopes)
    assert_close(by_tape, slopes)
    assert_close(rows, curvature)


def test_every_operand_may_be_used_twice():
    value, slopes, rows = pure_python.hessian(lambda x: x[0] * x[0] * x[0], [1.5])
    assert_close(value, 1.5**3)
    assert_close(slopes, [3 * 1.5**2])
    assert_close(rows, [[6 * 1.5]])


def test_result_may_be_recorded_before_the_last_row():
    def f(x):
        y = x[0] * x[1]
        y * y  # recorded, not used
        return y

    assert pure_python.gradient(f, [2.0, 3.0]) == (6.0, [3.0, 2.0])
    assert pure_python.hessian(f, [2.0, 3.0]) == (6.0, [3.0, 2.0], [[0.0, 1.0], [1.0, 0.0]])


def test_constant_and_identity():
    assert pure_python.gradient(lambda _: 4.0, [1.0, 2.0]) == (4.0, [0.0, 0.0])
    assert pure_python.gradient_by_duals(lambda _: 4.0, [1.0]) == (4.0, [0.0])
    assert pure_python.hessian(lambda _: 4.0, [1.0]) == (4.0, [0.0], [[0.0]])
    assert pure_python.gradient(lambda x: x[1], [1.0, 2.0]) == (2.0, [0.0, 1.0])
    assert pure_python.hessian(lambda x: x[0], [1.0]) == (1.0, [1.0], [[0.0]])


def test_rebind_runs_numpy_code():
    def model(b, x):
        return b[0] * np.exp(-b[1] * x) + np.arctan(b[1]) / np.pi

    b, x = [2.0, 0.3], 1.5
    bound = pure_python.rebind(model)
    assert_close(bound(b, x), model(b, x))
    decay = math.exp(-b[1] * x)
    assert_close(
        pure_python.gradient(lambda b: bound(b, x), b)[1],
        [decay, -b[0] * x * decay + 1 / (1 + b[1] ** 2) / math.pi],
    )
