"""Every row of the op table: value, derivatives to the fourth order, kinks, text, and all readings.

The truth, and what counts as near, is in oracles.py.  A row without an oracle fails.
"""

import functools
import math
import zlib
from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp, mpf

import adcore
import oracles
from adcore import _core

inf, nan = math.inf, math.nan
OPS = {op.name: op for op in adcore.OPS}
rows = pytest.mark.parametrize("op", OPS.values(), ids=OPS)


@functools.cache
def points(op):
    """(parameter or None, arguments) at which `op` is looked at, the same in every test."""
    rng = np.random.default_rng(zlib.crc32(op.name.encode()))
    samples = oracles.samples(op, rng)
    return [(args[0], args[1:]) if op.family else (None, args) for args in samples]


def low_points(op):
    """The points where derivatives are taken: those of a high parameter are values of others."""
    return [(p, args) for p, args in points(op) if p is None or p <= 3]


def by_parameter(op):
    """Pairs of a parameter and all the points that go with it."""
    found = {}
    for parameter, args in low_points(op):
        found.setdefault(parameter, []).append(args)
    return found.items()


def function(op, parameter):
    if op.hidden:
        return functools.partial(_core.apply, op.name)
    return op.function if parameter is None else functools.partial(op.function, parameter)


def true_value(op, parameter, args, k):
    return oracles.derivative(op.name, k, args if parameter is None else (parameter, *args))


def check(op, parameter, args, k, got, most=oracles.MAX_ORDER):
    error = oracles.ulps(got, op.name, parameter, args, k, most)
    special = oracles.DERIVATIVE_ULP if any(k) else oracles.VALUE_ULP
    allowed = special.get(op.name, 64 if any(k) else 8)
    p = "" if parameter is None else f", p = {parameter}"
    assert error <= allowed, (
        f"{op.name}{p} at {args}: derivative of orders {k} is {got}, {error:.3g} ulp "
        f"(allowed: {allowed}) from {mp.nstr(true_value(op, parameter, args, k), 20)}"
    )


def unit(op, i):
    return tuple(int(j == i) for j in range(op.n_args))


def pair(op, i, j):
    return tuple((m == i) + (m == j) for m in range(op.n_args))


def value_of(y):
    return float(y.detach()) if isinstance(y, adcore.Tensor) else float(y)


def test_missing_oracle_is_an_error():
    with pytest.raises(LookupError, match="no oracle for softminus; add one line to tests/oracles"):
        oracles.oracle("softminus")


def test_no_oracle_without_a_row():
    assert set(oracles.ORACLES) == set(OPS)
    named = {*oracles.VALUE_ULP, *oracles.DERIVATIVE_ULP, *oracles.BY_NORM}
    named |= {*oracles.PARAMETERS, *oracles.MAGNITUDES}
    assert named <= set(OPS)


@rows
def test_samples_spread_over_the_domain(op):
    for i, (lo, hi) in enumerate(op.domain):
        column = np.array([args[i] for _, args in points(op)])
        assert np.all((column > lo) & (column < hi))
        assert np.ptp(column) > 0.9 * min(hi - lo, 100)


@rows
def test_value(op):
    for parameter, args in points(op):
        check(op, parameter, args, (0,) * op.n_args, function(op, parameter)(*args))


LENGTH = 1300  # two tiles of 512 and a rest


def check_all(op, parameter, distinct, k, got, most=oracles.MAX_ORDER):
    """`got` holds the results at the points `distinct`, over and over."""
    n = len(distinct)
    for args, element in zip(distinct, got, strict=False):
        check(op, parameter, args, k, element, most)
    np.testing.assert_allclose(got, np.resize(got[:n], got.shape), rtol=1e-14, atol=1e-290)


# ---- the readings, each against the truth --------------------------------------------------------


def record(op, parameter, args):
    """(all variables, the arguments as tensors, the result) of one op on the tape."""
    flat, inputs = _core.lift([x if isinstance(x, np.ndarray) else float(x) for x in args])
    return flat, inputs, function(op, parameter)(*inputs)


def is_constant(y):
    return not (isinstance(y, adcore.Tensor) and y.requires_grad)


@rows
def test_first_partials_as_numbers(op):
    for parameter, args in low_points(op):
        for i, d in enumerate(_core.partials(op.name, args, p=parameter or 0)):
            check(op, parameter, args, unit(op, i), d)


@rows
def test_reverse_sweep(op):
    for parameter, args in low_points(op):
        flat, _, y = record(op, parameter, args)
        for i, d in enumerate(_core.gradient(y, flat)):
            check(op, parameter, args, unit(op, i), d)


@rows
def test_forward_sweep(op):
    for parameter, args in low_points(op):
        _, inputs, y = record(op, parameter, args)
        lanes = np.eye(op.n_args)
        (tangent,) = _core.sweep_forward(inputs, list(lanes), [y], op.n_args)
        for i in range(op.n_args):
            check(op, parameter, args, unit(op, i), tangent[i])


@rows
def test_second_order_sweep(op):
    for parameter, args in low_points(op):
        flat, _, y = record(op, parameter, args)
        gradient, products = _core.sweep_second(y, flat, np.eye(op.n_args))
        for i in range(op.n_args):
            check(op, parameter, args, unit(op, i), gradient[i])
            for j in range(op.n_args):
                check(op, parameter, args, pair(op, i, j), products[i, j])


@rows
def test_emission_to_the_fourth_order(op):
    """The derivative column recorded, and its derivatives by the rows it is made of."""
    for parameter, args in low_points(op):
        _, inputs, y = record(op, parameter, args)
        recorded = {(0,) * op.n_args: y}
        for k in oracles.multi_indices(op.n_args, oracles.MAX_ORDER)[1:]:
            i = next(i for i in range(op.n_args) if k[i])
            below = recorded[(*k[:i], k[i] - 1, *k[i + 1 :])]
            if is_constant(below):
                recorded[k] = 0.0
            elif i == 0:
                (recorded[k],) = _core.emit_reverse([below], [None], [inputs[i]])
            else:
                seeds = [float(j == i) for j in range(op.n_args)]
                (recorded[k],) = _core.emit_forward(inputs, seeds, [below])
            check(op, parameter, args, k, value_of(recorded[k]))


@rows
def test_taylor_sweep(op):
    direction = np.array([0.75, -1.25, 0.5])[: op.n_args]
    for parameter, args in low_points(op):
        flat, _, y = record(op, parameter, args)
        series = _core.sweep_taylor(flat, direction, y, oracles.MAX_ORDER)
        for n, got in enumerate(series):
            error = oracles.taylor_ulps(got, op.name, parameter, args, direction, n)
            allowed = oracles.DERIVATIVE_ULP.get(op.name, 64)
            assert error <= allowed, f"{op.name} {parameter} at {args}, t^{n}: {got}, {error} ulp"


def along(f, i):
    """The derivative of f with respect to argument i, by dual numbers."""

    def derivative(*args):
        shapes = (getattr(x, "shape", ()) for x in args)
        tangents = (np.full(shape, float(j == i)) for j, shape in enumerate(shapes))
        return adcore.jvp(f, args, tuple(t if t.ndim else float(t) for t in tangents))[1]

    return derivative


@rows
def test_duals(op):
    """First partials everywhere; duals of duals to the fourth order at one point."""
    for parameter, distinct in by_parameter(op):
        f = function(op, parameter)
        for i in range(op.n_args):
            for args in distinct:
                check(op, parameter, args, unit(op, i), along(f, i)(*args))
            columns = [np.resize(c, LENGTH) for c in zip(*distinct, strict=True)]
            check_all(op, parameter, distinct, unit(op, i), along(f, i)(*columns))
        for k in oracles.multi_indices(op.n_args, oracles.MAX_ORDER)[1:]:
            d = f
            for i, n in enumerate(k):
                for _ in range(n):
                    d = along(d, i)
            check(op, parameter, distinct[0], k, d(*distinct[0]))


@rows
def test_duals_over_tensors_and_back(op):
    """Forward over reverse and reverse over forward, at one point of each parameter."""
    for parameter, (args, *_) in by_parameter(op):
        f = function(op, parameter)
        for i in range(op.n_args):
            for j in range(op.n_args):
                check(op, parameter, args, pair(op, i, j), along(adcore.grad(f, i), j)(*args))
                check(op, parameter, args, pair(op, i, j), adcore.grad(along(f, i), j)(*args))


@rows
def test_nested_grad_and_hessian(op):
    """The public transforms, at one point of each parameter: all orders to the fourth."""
    for parameter, (args, *_) in by_parameter(op):
        f = function(op, parameter)
        for k in oracles.multi_indices(op.n_args, oracles.MAX_ORDER)[1:]:
            d = f
            for i, n in enumerate(k):
                for _ in range(n):
                    d = adcore.grad(d, i)
            check(op, parameter, args, k, d(*args))
        hessian = adcore.hessian(lambda v, f=f: f(*(v[i] for i in range(op.n_args))))
        for (i, j), d in np.ndenumerate(hessian(np.array(args))):
            check(op, parameter, args, pair(op, i, j), d)


@rows
def test_text_of_the_derivative(op):
    names = {name: oracles.oracle(name) for name in OPS}
    for parameter, distinct in by_parameter(op):
        for args in distinct[:6]:
            with mp.workdps(50):
                exact = [mpf(x) for x in args]
                y = oracles.oracle(op.name)(*([] if parameter is None else [parameter]), *exact)
                scope = dict(zip("xzw", exact, strict=False)) | {"y": y, "p": parameter or 0}
                for i, text in enumerate(op.partial_text):
                    if (op.name, i) not in oracles.CONSTANT_ARGUMENTS:
                        partial = eval(text, {"__builtins__": {}} | names, scope)
                        check(op, parameter, args, unit(op, i), float(partial))


# ---- arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, -3], ids=["contiguous", "strided"])
@rows
def test_array_sweeps(op, step):
    every = range(op.n_args)
    for parameter, distinct in by_parameter(op):
        n = LENGTH * abs(step)
        columns = [np.resize(c, LENGTH) for c in zip(*distinct, strict=True)]
        flat, inputs = _core.lift([np.repeat(c, abs(step))[:: np.sign(step)] for c in columns])
        y = function(op, parameter)(*(t[::step] for t in inputs))
        check_all(op, parameter, distinct, (0,) * op.n_args, y.detach().numpy())
        if is_constant(y):
            continue
        total = _core.sum_axes(y, (0,))
        lanes = np.zeros((op.n_args, n, op.n_args))
        for i in every:
            lanes[i, :, i] = 1
        (tangent,) = _core.sweep_forward(inputs, list(lanes), [y], op.n_args)
        first, second = _core.sweep_second(total, flat, lanes.reshape(-1, op.n_args))
        first = first.reshape(op.n_args, n)
        second = second.reshape(op.n_args, n, op.n_args)
        np.testing.assert_array_equal(first.ravel(), _core.gradient(total, flat))
        for i in every:
            check_all(op, parameter, distinct, unit(op, i), tangent[:, i])
            check_all(op, parameter, distinct, unit(op, i), first[i, ::step])
            for j in every:
                check_all(op, parameter, distinct, pair(op, i, j), second[i, ::step, j])


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.n_args > 1], ids=lambda op: op.name)
def test_numbers_beside_arrays(op):
    """All arguments but one are plain numbers."""
    points_ = [args for _, args in points(op)]
    for i in range(op.n_args):
        distinct = [(*points_[0][:i], args[i], *points_[0][i + 1 :]) for args in points_]
        flat, (varying,) = _core.lift([np.resize([args[i] for args in distinct], LENGTH)])
        y = function(op, None)(*(varying if j == i else x for j, x in enumerate(points_[0])))
        check_all(op, None, distinct, (0,) * op.n_args, y.detach().numpy())
        if not is_constant(y):
            gradient, second = _core.sweep_second(
                _core.sum_axes(y, (0,)), flat, np.ones((LENGTH, 1))
            )
            check_all(op, None, distinct, unit(op, i), gradient, 2)
            check_all(op, None, distinct, pair(op, i, i), second[:, 0], 2)


# ---- kinks, ends and limits ----------------------------------------------------------------------

# The conventions: ties are shared evenly, limits are taken, a branch not taken counts 0.
KINKS = [
    ("abs", (0.0,), 0.0, (0.0,)),
    ("sign", (0.0,), 0.0, (0.0,)),
    ("floor", (2.0,), 2.0, (0.0,)),
    ("rint", (2.5,), 2.0, (0.0,)),
    ("mantissa", (0.0,), 0.0, (1.0,)),
    ("mantissa", (-inf,), -inf, (1.0,)),
    ("mantissa", (-12.0,), -0.75, (0.0625,)),
    ("mantissa", (3 * 2.0**-1074,), 0.75, (inf,)),
    ("mantissa", (5 * 2.0**-1022,), 0.625, (2.0**1019,)),
    ("sqrt", (0.0,), 0.0, (inf,)),
    ("cbrt", (0.0,), 0.0, (inf,)),
    ("maximum", (1.5, 1.5), 1.5, (0.5, 0.5)),
    ("minimum", (1.5, 1.5), 1.5, (0.5, 0.5)),
    ("fmax", (1.5, 1.5), 1.5, (0.5, 0.5)),
    ("fmin", (1.5, 1.5), 1.5, (0.5, 0.5)),
    ("maximum", (0.0, -0.0), 0.0, (0.5, 0.5)),
    ("fmax", (nan, 1.0), 1.0, (0.0, 1.0)),
    ("fmax", (1.0, nan), 1.0, (1.0, 0.0)),
    ("fmin", (nan, 1.0), 1.0, (0.0, 1.0)),
    ("fmin", (1.0, nan), 1.0, (1.0, 0.0)),
    ("clip", (1.0, 1.0, 2.0), 1.0, (0.5, 0.5, 0.0)),
    ("clip", (2.0, 1.0, 2.0), 2.0, (0.5, 0.0, 0.5)),
    ("clip", (0.0, 3.0, 2.0), 2.0, (0.0, 0.0, 1.0)),
    ("where", (0.0, 2.0, 3.0), 3.0, (0.0, 0.0, 1.0)),
    ("where", (-1.0, 2.0, nan), 2.0, (0.0, 1.0, 0.0)),
    ("copysign", (0.0, -1.0), -0.0, (0.0, 0.0)),
    ("copysign", (3.0, -0.0), -3.0, (-1.0, 0.0)),
    ("hypot", (0.0, 0.0), 0.0, (0.0, 0.0)),
    ("hypot", (0.0, -2.0), 2.0, (0.0, -1.0)),
    ("fmod", (-5.0, 3.0), -2.0, (1.0, 1.0)),
    ("remainder", (-5.0, 3.0), 1.0, (1.0, 2.0)),
    ("remainder", (5.0, -3.0), -1.0, (1.0, 2.0)),
    ("floor_divide", (1.0, 0.1), 9.0, (0.0, 0.0)),
    ("floor_divide", (-5.0, 3.0), -2.0, (0.0, 0.0)),
    ("floor_divide", (-5.0, inf), -1.0, (0.0, 0.0)),
    ("floor_divide", (-2.0, 0.0), -inf, (0.0, 0.0)),
    ("pow", (0.0, 2.0), 0.0, (0.0, 0.0)),
    ("pow", (0.0, 1.0), 0.0, (1.0, 0.0)),
    ("pow", (0.0, 0.5), 0.0, (inf, 0.0)),
    ("pow", (0.0, 0.0), 1.0, (0.0, -inf)),
    ("pow", (-2.0, 3.0), -8.0, (12.0, nan)),
    ("xlogy", (0.0, 0.0), 0.0, (-inf, 0.0)),
    ("xlogy", (0.0, 2.0), 0.0, (math.log(2), 0.0)),
    ("xlog1py", (0.0, -1.0), 0.0, (-inf, 0.0)),
    ("logaddexp", (-inf, -inf), -inf, (0.5, 0.5)),
    ("logaddexp", (inf, 1.0), inf, (1.0, 0.0)),
    ("logaddexp", (-inf, 1.0), 1.0, (0.0, 1.0)),
    ("logaddexp2", (2.0, 2.0), 3.0, (0.5, 0.5)),
    ("sinc", (0.0,), 1.0, (0.0,)),
    ("erfinv", (1.0,), inf, (inf,)),
    ("erfinv", (-1.0,), -inf, (inf,)),
    ("log_ndtr", (300.0,), 0.0, (0.0,)),
    ("tanh", (-800.0,), -1.0, (0.0,)),
    ("logistic", (-inf,), 0.0, (0.0,)),
    ("logistic", (inf,), 1.0, (0.0,)),
    ("softplus", (800.0,), 800.0, (1.0,)),
    ("erf", (inf,), 1.0, (0.0,)),
]

# Second partials, row by row, where a form could make nan of what is finite.
SECOND = [
    ("powi", 0, (0.0,), [[0.0]]),
    ("powi", 1, (0.0,), [[0.0]]),
    ("powi", 2, (0.0,), [[2.0]]),
    ("powi", 3, (0.0,), [[0.0]]),
    ("pow", None, (0.0, 2.0), [[2.0, 0.0], [0.0, 0.0]]),
    ("pow", None, (0.0, 3.0), [[0.0, 0.0], [0.0, 0.0]]),
    ("hypot", None, (0.0, 1.0), [[1.0, 0.0], [0.0, 0.0]]),
    ("xlogy", None, (0.0, 2.0), [[0.0, 0.5], [0.5, 0.0]]),
    ("xlog1py", None, (0.0, 1.0), [[0.0, 0.5], [0.5, 0.0]]),
    ("logaddexp", None, (-inf, 1.0), [[0.0, 0.0], [0.0, 0.0]]),
    ("logaddexp", None, (inf, inf), [[0.25, -0.25], [-0.25, 0.25]]),
    ("maximum", None, (1.0, 1.0), [[0.0, 0.0], [0.0, 0.0]]),
    ("log_ndtr", None, (300.0,), [[0.0]]),
    ("tanh", None, (-800.0,), [[0.0]]),
    ("softplus", None, (800.0,), [[0.0]]),
    ("erf", None, (1e200,), [[0.0]]),
    ("atan", None, (1e200,), [[0.0]]),
    ("acosh", None, (1e200,), [[0.0]]),
]


# Values where there is nothing to compute; a parameter out of range is nan.
VALUES = [
    ("polygamma", 0, 0.0, -inf),
    ("polygamma", 0, -0.0, inf),
    ("polygamma", 0, -1.0, nan),
    ("polygamma", 1, -1.0, inf),
    ("polygamma", 2, -3.0, nan),
    ("polygamma", 1, inf, 0.0),
    ("polygamma", -1, 1.0, nan),
    ("polygamma", 171, 1.0, nan),
    ("erfcx", 0, -30.0, inf),
    ("erfcx", 1, -30.0, -inf),
    ("erfcx", 3, inf, 0.0),
    ("erfcx", -1, 1.0, nan),
    ("erfcx", 1001, 1.0, nan),
    ("sinc", 0, inf, 0.0),
    ("sinc", 2, 1.7e308, 0.0),
    ("sinc", 1, 3.0, -1 / 3),
    ("sinc", -1, 1.0, nan),
    ("sinc", 601, 1.0, nan),
    ("mills", 0, -inf, inf),
    ("mills", 5, 50.0, 0.0),
    ("mills", -1, 1.0, nan),
    ("mills", 65, 1.0, nan),
    ("powi", 0, 0.0, 1.0),
    ("powi", -1, -0.0, -inf),
    ("erfinv", None, 1.1, nan),
    ("lgamma", None, -1.0, inf),
    ("sign", None, nan, nan),
]


@pytest.mark.parametrize(("name", "parameter", "x", "value"), VALUES)
def test_limits(name, parameter, x, value):
    assert_same(function(OPS[name], parameter)(x), value)


def test_floor_divide_is_exact_beside_integers():
    rng = np.random.default_rng(7)
    z = rng.uniform(0.1, 3.0, 300) * rng.choice([-1, 1], 300)
    whole = np.floor(10.0 ** rng.uniform(0, 17, 300))
    for x in (whole * z, np.nextafter(whole * z, np.inf), np.nextafter(whole * z, -np.inf)):
        got = adcore.floor_divide(x, z)
        want = [float(Fraction(a) / Fraction(b) // 1) for a, b in zip(x, z, strict=True)]
        np.testing.assert_allclose(got, want, rtol=2.0**-52, atol=0)
        small = whole < 2**52
        np.testing.assert_array_equal(got[small], np.array(want)[small])


@pytest.mark.parametrize(("name", "args", "value", "partials"), KINKS)
def test_kinks(name, args, value, partials):
    op = OPS[name]
    flat, inputs, y = record(op, None, args)
    assert_same(value_of(y), value)
    assert_same(_core.partials(name, args), partials)
    assert_same(_core.gradient(y, flat), partials)
    (tangent,) = _core.sweep_forward(inputs, list(np.eye(op.n_args)), [y], op.n_args)
    assert_same(tangent, partials)
    emitted = _core.emit_reverse([y], [None], inputs)
    assert_same([value_of(g) for g in emitted], partials)
    f = function(op, None)
    assert_same([along(f, i)(*args) for i in range(op.n_args)], partials)
    flat, _, y = record(op, None, [np.full(3, x) for x in args])
    assert_same(y.detach().numpy(), np.full(3, value))
    assert_same(_core.gradient(_core.sum_axes(y, (0,)), flat), np.repeat(partials, 3))


@pytest.mark.parametrize(("name", "parameter", "args", "second"), SECOND)
def test_second_partials_at_kinks(name, parameter, args, second):
    op = OPS[name]
    n = op.n_args
    flat, inputs, y = record(op, parameter, args)
    _, products = _core.sweep_second(y, flat, np.eye(n))
    assert_same(products, second)
    gradient = _core.emit_reverse([y], [None], inputs)
    hessian = [np.zeros(n) if is_constant(g) else _core.gradient(g, flat) for g in gradient]
    assert_same(hessian, second)
    f = function(op, parameter)
    duals = [[along(along(f, i), j)(*args) for j in range(n)] for i in range(n)]
    assert_same(duals, second)
    flat, _, y = record(op, parameter, [np.full(3, x) for x in args])
    _, products = _core.sweep_second(_core.sum_axes(y, (0,)), flat, np.repeat(np.eye(n), 3, axis=0))
    assert_same(products.reshape(n, 3, n)[:, 1], second)


def assert_same(got, expected):
    np.testing.assert_allclose(np.asarray(got, float), np.asarray(expected, float), rtol=1e-15)


@pytest.mark.parametrize("op", [np.fmod, np.remainder, np.floor_divide])
def test_remainders_are_exact_whatever_the_quotient(op, rng):
    """As those of fractions are, near the multiples of the divisor and at both ends of doubles."""
    z = rng.uniform(1, 2, 400) * 10.0 ** rng.integers(-12, 12, 400)
    x = z * np.rint(10.0 ** rng.uniform(0, 15 if op is np.floor_divide else 17, 400))
    x[::3], z[::5] = np.nextafter(x[::3], 0), -z[::5]
    if op is not np.floor_divide:  # whose quotient would be rounded
        x, z = np.append(x, [1e308, 5e-324, -1e-310, -7]), np.append(z, [3e-308, 2, 7e-324, 3])
    got = op(adcore.tensor(x, requires_grad=True), z).detach().numpy()
    for a, b, y in zip(x, z, got, strict=True):
        quotient = Fraction(a) / Fraction(b)
        whole = math.trunc(quotient) if op is np.fmod else math.floor(quotient)
        assert y == float(whole if op is np.floor_divide else Fraction(a) - whole * Fraction(b))


def test_constant_operands_of_whole_numbers_and_truths(rng):
    x = rng.uniform(1, 2, (3, 4))
    t = adcore.tensor(x, requires_grad=True)
    whole, truths = rng.integers(-9, 9, (3, 4)), x > 1.5
    for y in (whole, truths, whole.T.copy().T, truths[::-1], whole.astype(np.int8), np.array(3)):
        np.testing.assert_array_equal((t * y).detach().numpy(), x * y)
    y = [1.0, -2.0, 0.5, 3.0]
    np.testing.assert_array_equal((t[0] * y).detach().numpy(), x[0] * y)
