"""Dual numbers by themselves: lanes, tags, arrays, tensors below, elements, conventions, errors.

That every row's derivatives are right through the transforms is in test_ops.py.
"""

import copy
import functools
import itertools
import math
import operator

import numpy as np
import pytest
from mpmath import mp

import adcore
from adcore import _core
from adcore._core import Dual, new_tag
from adcore.errors import NotDifferentiableError, ShapeError
from test_ops import (
    KINKS,
    LENGTH,
    OPS,
    assert_same,
    by_parameter,
    check,
    check_all,
    function,
    low_points,
    pair,
    rows,
    unit,
)

inf, nan = math.inf, math.nan


def dual(value, *tangents, tag=None):
    """A Dual of a new tag, or of the one given."""
    return Dual(new_tag() if tag is None else tag, value, tangents)


def plain(x):
    """A value or tangent as numbers; None is zero."""
    return 0.0 if x is None else x.value if isinstance(x, Dual) else x


def slope(f, x, v=1.0):
    """The derivative of f at x along v, whatever x and v are."""
    tag = new_tag()
    y = f(Dual(tag, x, (v,)))
    if isinstance(y, Dual) and y.tag == tag:
        return np.zeros(y.shape) if y.tangents[0] is None else y.tangents[0]
    return np.zeros(np.shape(y))


def derivative(f, order, x):
    """The derivative of the given order by duals of duals."""
    if order == 0:
        return f(x)
    return slope(lambda z: derivative(f, order - 1, z), x)


# ---- the rows, over lanes ------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 8, 11])
@rows
def test_lanes(op, k, rng):
    """k directions at once, inside the object or beside it, are the partials times each."""
    for parameter, args in low_points(op)[::3]:
        directions = rng.normal(size=(op.n_args, k))
        directions[:, 0] = unit(op, 0)
        tag = new_tag()
        y = function(op, parameter)(*map(functools.partial(Dual, tag), args, directions.tolist()))
        assert y.value == function(op, parameter)(*args)
        assert len(y.tangents) == k
        partials = np.reshape(_core.partials(op.name, args, p=parameter or 0), (-1, 1))
        with np.errstate(all="ignore"):
            shares = np.where(directions == 0, 0.0, directions * partials)
            error = np.abs(y.tangents - shares.sum(axis=0))
            scale = np.abs(shares).sum(axis=0)
            assert np.all((error <= 1e-15 * scale) | ~np.isfinite(scale))
        check(op, parameter, args, unit(op, 0), y.tangents[0])


@rows
def test_arrays_and_numbers_mixed(op):
    """One argument after the other an array, the rest duals and constants that are numbers."""
    for parameter, distinct in by_parameter(op):
        for i in range(op.n_args):
            points = [(*distinct[0][:i], args[i], *distinct[0][i + 1 :]) for args in distinct]
            column = np.resize([args[i] for args in points], LENGTH)
            tag = new_tag()
            args = [
                Dual(
                    tag,
                    column if j == i else x,
                    tuple(
                        None if m != j else np.ones(LENGTH) if j == i else 1.0
                        for m in range(op.n_args)
                    ),
                )
                for j, x in enumerate(distinct[0])
            ]
            y = function(op, parameter)(*args)
            check_all(op, parameter, points, (0,) * op.n_args, y.value)
            for j in range(op.n_args):
                d = y.tangents[j]
                check_all(op, parameter, points, unit(op, j), np.zeros(LENGTH) if d is None else d)


@rows
def test_tensors_below(op):
    """Tangents on the tape: sweeps over them give the second partials."""
    for parameter, distinct in by_parameter(op):
        args = distinct[-1]
        flat, inputs = _core.lift([float(x) for x in args])
        tag = new_tag()
        y = function(op, parameter)(
            *(Dual(tag, x, np.eye(op.n_args)[i].tolist()) for i, x in enumerate(inputs))
        )
        assert isinstance(y.value, adcore.Tensor)
        check(op, parameter, args, (0,) * op.n_args, y.value.item())
        for i, d in enumerate(y.tangents):
            if isinstance(d, adcore.Tensor) and d.requires_grad:
                check(op, parameter, args, unit(op, i), d.item())
                for j, second in enumerate(_core.gradient(d, flat)):
                    check(op, parameter, args, pair(op, i, j), second)
                for j, second in enumerate(_core.emit_reverse([d], [None], inputs)):
                    check(op, parameter, args, pair(op, i, j), second.item())
            else:
                for j in range(op.n_args):
                    check(op, parameter, args, pair(op, i, j), 0.0)


@pytest.mark.parametrize(("name", "args", "value", "partials"), KINKS)
def test_kinks(name, args, value, partials):
    op = OPS[name]
    f = function(op, None)
    for k in (1, op.n_args):
        tag = new_tag()
        lanes = np.eye(op.n_args)[:, :k].tolist()
        y = f(*(Dual(tag, x, lane) for x, lane in zip(args, lanes, strict=True)))
        assert_same(y.value, value)
        assert_same(y.tangents, partials[:k])
        arrays = [
            Dual(tag, np.full(3, x), [np.full(3, t) for t in lane])
            for x, lane in zip(args, lanes, strict=True)
        ]
        y = f(*arrays)
        assert_same(y.value, np.full(3, value))
        assert_same(y.tangents, np.repeat(partials[:k], 3).reshape(k, 3))
        over_tensors = [
            Dual(tag, _core.lift([x])[1][0], lane) for x, lane in zip(args, lanes, strict=True)
        ]
        y = f(*over_tensors)
        # what may be differentiated again says nan: see test_conventions.py
        unsure = name == "hypot" and value == 0
        assert_same(
            [t if isinstance(t, float) else 0.0 if t is None else t.item() for t in y.tangents],
            [math.nan] * k if unsure else partials[:k],
        )


def test_zero_tangent_contributes_nothing():
    """sqrt has an infinite slope at 0, which a direction that stands still does not see."""
    y = np.sqrt(dual(0.0, 0.0, 1.0))
    assert y.tangents == (0.0, inf)
    y = np.sqrt(dual(np.array([0.0, 4.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0])))
    np.testing.assert_array_equal(y.tangents, [[0.0, 0.25], [inf, 0.0]])
    x = adcore.tensor(0.0, requires_grad=True)
    tag = new_tag()
    assert np.sqrt(Dual(tag, x, (x * 3.0,))).tangents[0].item() == 0.0
    assert np.sqrt(dual(dual(0.0, 1.0), dual(0.0, 0.0))).tangents[0].value == 0.0


def test_branch_not_taken_is_cut_at_every_order():
    def f(x):
        return adcore.where(x > 0, np.sqrt(x), x)

    for order, expected in enumerate([0.0, 1.0, 0.0, 0.0]):
        assert derivative(f, order, 0.0) == expected
    x = np.array([0.0, 4.0])
    np.testing.assert_array_equal(slope(f, x, np.ones(2)), [1.0, 0.25])
    second = slope(lambda z: slope(f, z, np.ones(2)), x, np.ones(2))
    np.testing.assert_array_equal(second, [0.0, -1 / 32])


# ---- tags ----------------------------------------------------------------------------------------


def test_tags_increase():
    tags = [new_tag() for _ in range(5)]
    assert tags == sorted(set(tags))


def test_no_perturbation_confusion():
    """Of d/dx (x d/dy (x + y)) a single infinitesimal makes 2: Siskind and Pearlmutter, 2005."""
    assert slope(lambda x: x * slope(lambda y: x + y, 1.0), 1.0) == 1.0
    # d/dx (x d/dy (x y)) = d/dx x^2; d/dx of d/dy (x y) at y = x^2 is 1.
    assert slope(lambda x: x * slope(lambda y: x * y, 3.0), 4.0) == 8.0
    assert slope(lambda x: slope(lambda y: x * y, x * x), 4.0) == 1.0


def test_no_perturbation_confusion_through_a_closure():
    """A function that remembers a dual of an outer derivative."""

    def outer(x):
        def shifted(y):
            return (x + y) ** 3

        return slope(shifted, 2.0 * x)  # 3 (x + 2 x)^2

    assert outer(1.0) == 27.0
    assert slope(outer, 1.0) == 54.0
    assert slope(lambda x: slope(outer, x), 1.0) == 54.0


def test_largest_tag_is_on_top():
    old, new = new_tag(), new_tag()
    x, y = Dual(old, 2.0, (1.0,)), Dual(new, 3.0, (1.0,))
    for left, right in ((x, y), (y, x)):
        product = left * right
        assert product.tag == new
        assert (product.value.tag, product.value.value) == (old, 6.0)
        assert product.value.tangents == (3.0,)
        assert (product.tangents[0].tag, product.tangents[0].value) == (old, 2.0)
        assert product.tangents[0].tangents == (1.0,)
    assert adcore.fma(x, y, x).tag == new
    assert np.hypot(x, y).tag == new


def test_number_of_lanes_belongs_to_the_tag():
    tag = new_tag()
    with pytest.raises(ValueError, match="add: dual numbers of the same tag with 1 and with 2"):
        Dual(tag, 1.0, (1.0,)) + Dual(tag, 1.0, (1.0, 2.0))
    y = Dual(tag, np.ones(2), (None,))
    with pytest.raises(ValueError, match="a dual number with 2 tangents into one with 1"):
        y[0] = Dual(tag, 1.0, (1.0, 2.0))


# ---- nesting -------------------------------------------------------------------------------------


def smooth(x):
    return np.sin(np.exp(x) * x) / (1 + x**2)


@pytest.mark.parametrize("order", range(1, 7))
def test_nested_to_the_sixth_order(order):
    def exact(x):
        return mp.sin(mp.exp(x) * x) / (1 + x**2)

    with mp.workdps(40):
        truth = float(mp.diff(exact, mp.mpf("0.625"), order))
    assert derivative(smooth, order, 0.625) == pytest.approx(truth, rel=1e-12)
    column = np.array([0.625, 0.625])
    got = column
    f = smooth
    for _ in range(order):
        f = functools.partial(lambda f, z: slope(f, z, np.ones(2)), f)
    got = f(column)
    np.testing.assert_allclose(got, [truth, truth], rtol=1e-12)


@pytest.mark.parametrize("order", range(1, 6))
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, np.int64(3), 3.0])
def test_integer_powers_at_zero(n, order):
    falling = math.factorial(int(n)) if order == n else 0.0
    for x, v in ((0.0, 1.0), (np.zeros(2), np.ones(2))):
        d = operator.pow
        for _ in range(order):
            d = functools.partial(lambda f, v, z, n: slope(lambda y: f(y, n), z, v), d, v)
        assert np.all(d(x, n) == falling)


def test_every_mixture_of_transforms():
    """f = x^3 y^2 z and all its third derivatives, by every mixture of forward and reverse."""

    def f(x, y, z):
        return x**3 * y * y * z

    def forward(f, i):
        def d(*args):
            return adcore.jvp(f, args, tuple(float(j == i) for j in range(3)))[1]

        return d

    point = (1.5, -2.0, 0.5)
    exact = {
        (0, 0, 0): 6 * 4 * 0.5,
        (0, 0, 1): 6 * 1.5 * 2 * -2.0 * 0.5,
        (0, 1, 1): 3 * 2.25,
        (0, 0, 2): 6 * 1.5 * 4,
        (0, 1, 2): 3 * 2.25 * 2 * -2.0,
        (1, 1, 2): 2 * 3.375,
    }
    for variables, value in exact.items():
        for modes in itertools.product((forward, adcore.grad), repeat=3):
            d = f
            for mode, i in zip(modes, variables, strict=True):
                d = mode(d, i)
            assert d(*point) == pytest.approx(value, rel=1e-14), (variables, modes)


def test_forward_over_reverse_in_lanes(rng):
    """A Dual of Tensors: the sweep over a tangent is a column of the Hessian."""
    x = rng.normal(size=5)
    flat, (t,) = _core.lift([x])
    directions = rng.normal(size=(3, 5))
    d = Dual(new_tag(), t, tuple(directions))
    y = adcore.exp(adcore.sin(d) * d).sum()
    exact = adcore.hessian(lambda z: adcore.exp(adcore.sin(z) * z).sum())(x)
    for direction, tangent in zip(directions, y.tangents, strict=True):
        np.testing.assert_allclose(_core.gradient(tangent, flat), exact @ direction, rtol=1e-13)


def test_constant_tensors_become_plain():
    y = dual(2.0, 1.0) * adcore.tensor([1.0, 2.0])
    assert type(y.value) is np.ndarray
    y = dual(adcore.tensor(2.0), adcore.tensor(1.0))
    assert (y.value, y.tangents) == (2.0, (1.0,))
    assert type(adcore.tensor(3.0) * y * adcore.tensor(2.0)) is Dual


# ---- norms ---------------------------------------------------------------------------------------


def norm(x):
    return np.linalg.norm(x, axis=-1)


@pytest.mark.parametrize("square", [lambda r: r**2, lambda r: r**2.0, np.square])
def test_square_of_a_norm_is_exact_at_zero(square):
    v = np.array([1.0, -2.0])

    def f(x):
        return square(norm(x))

    d = f
    for expected in (0.0, 10.0, 0.0, 0.0):
        d = functools.partial(lambda f, z: slope(f, z, v), d)
        assert d(np.zeros(2)) == expected


def test_squares_of_norms_of_rows_are_exact_at_zero():
    v = np.array([[1.0, -2.0], [0.0, 0.0], [3.0, 0.0]])
    for f in (
        lambda x: norm(x) ** 2,
        lambda x: norm(x)[::-1][::-1] ** 2,
        lambda x: norm(x).reshape(3, 1).T[0] ** 2,
        lambda x: adcore.stack([r**2 for r in norm(x)]),
    ):
        first = slope(f, np.zeros((3, 2)), v)
        second = slope(lambda x, f=f: slope(f, x, v), np.zeros((3, 2)), v)
        assert_same(first, np.zeros(3))
        assert_same(second, [10.0, 0.0, 18.0])


def test_norm_at_zero_has_slope_zero():
    assert slope(norm, np.zeros(2), np.ones(2)) == 0.0


# ---- operators -----------------------------------------------------------------------------------

BINARY = {
    operator.add: lambda x, z: (1.0, 1.0),
    operator.sub: lambda x, z: (1.0, -1.0),
    operator.mul: lambda x, z: (z, x),
    operator.truediv: lambda x, z: (1 / z, -x / z**2),
    operator.mod: lambda x, z: (1.0, -np.floor(x / z)),
    operator.floordiv: lambda x, z: (0.0, 0.0),
    operator.pow: lambda x, z: (z * x ** (z - 1), x**z * np.log(x)),
}


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
@pytest.mark.parametrize(
    "other",
    [
        1.5,
        2,
        np.float64(2.5),
        np.int64(3),
        True,
        np.array([1.5, 2.5]),
        [1.5, 2.5],
        np.array([[1, 2], [3, 4]]),
        np.float32(1.5),
    ],
    ids=lambda x: type(x).__name__,
)
@pytest.mark.parametrize("value", [3.25, np.array([3.25, 0.75])], ids=["number", "array"])
def test_operators_with_constants_on_either_side(op, other, value):
    number = np.asarray(other, dtype=float)
    tangent = np.full(np.shape(value), 2.0)[()]
    x = dual(value, tangent)
    for y, args, i in ((op(x, other), (value, number), 0), (op(other, x), (number, value), 1)):
        assert type(y) is Dual
        np.testing.assert_allclose(y.value, op(*args), rtol=1e-15)
        expected = BINARY[op](*args)[i] * 2.0
        np.testing.assert_allclose(
            plain(y.tangents[0]), np.broadcast_to(expected, y.shape), rtol=1e-14
        )
        assert y.tangents[0] is None or np.shape(y.tangents[0]) == y.shape


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
def test_operators_on_two_duals(op, rng):
    shapes = [((), ()), ((3,), ()), ((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0,), (0,))]
    for left, right in shapes:
        x, z = rng.uniform(0.5, 2, left)[()], rng.uniform(0.5, 2, right)[()]
        v, w = rng.normal(size=left)[()], rng.normal(size=right)[()]
        tag = new_tag()
        y = op(Dual(tag, x, (v, None)), Dual(tag, z, (None, w)))
        np.testing.assert_allclose(y.value, op(x, z), rtol=1e-15)
        dx, dz = BINARY[op](x, z)
        for tangent, expected in zip(y.tangents, (dx * v, dz * w), strict=True):
            expected = np.broadcast_to(expected, y.shape)
            np.testing.assert_allclose(plain(tangent), expected, rtol=1e-13, atol=1e-300)
            assert tangent is None or np.shape(tangent) == y.shape


def test_unary_operators_and_divmod():
    x = dual(-2.5, 1.0)
    assert ((-x).value, (-x).tangents) == (2.5, (-1.0,))
    assert ((+x).value, (+x).tangents) == (-2.5, (1.0,))
    assert (abs(x).value, abs(x).tangents) == (2.5, (-1.0,))
    quotient, rest = divmod(x, 2.0)
    assert (quotient.value, rest.value) == divmod(-2.5, 2.0)
    quotient, rest = divmod(7.0, x)
    assert (quotient.value, rest.value) == divmod(7.0, -2.5)


def test_operators_in_place():
    """Arrays change under all their names, as NumPy's do; numbers are bound anew."""
    for op in (operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow):
        pure = getattr(operator, op.__name__[1:])
        tag = new_tag()
        x, z = Dual(tag, np.array([2.0, 3.0]), (np.ones(2),)), Dual(tag, 1.5, (0.5,))
        expected, kept, same = pure(x, z), x.copy(), x
        x = op(x, z)
        assert same is x
        np.testing.assert_array_equal(x.value, expected.value)
        np.testing.assert_array_equal(x.tangents, expected.tangents)
        np.testing.assert_array_equal(kept.tangents, [[1.0, 1.0]])
        y = z
        y = op(y, 2.0)
        assert (y.value, z.value) == (pure(1.5, 2.0), 1.5)
        x = op(x, newer := dual(1.0, 1.0, 2.0))
        assert (same.tag, len(same.tangents)) == (newer.tag, 2)
    with pytest.raises(ShapeError, match=r"shape \(2,\) cannot become one of shape \(3, 2\) in pl"):
        x += np.ones((3, 2))
    array = np.ones(2)
    with pytest.raises(
        NotDifferentiableError, match=r"out=; .* x = x \+ y for x \+= y of an array"
    ):
        array += x
    assert pow(z, 2).value == 2.25
    with pytest.raises(TypeError, match="unsupported operand"):
        pow(z, 2, 5)


def test_matrix_product(rng):
    a, b, v, w = (rng.normal(size=s) for s in ((2, 3), (3, 4), (2, 3), (3, 4)))
    tag = new_tag()
    y = Dual(tag, a, (v,)) @ Dual(tag, b, (w,))
    np.testing.assert_allclose(y.tangents[0], v @ b + a @ w, rtol=1e-13)
    np.testing.assert_allclose((a @ Dual(tag, b, (w,))).tangents[0], a @ w, rtol=1e-13)
    np.testing.assert_allclose((Dual(tag, a, (v,)) @ b).tangents[0], v @ b, rtol=1e-13)
    np.testing.assert_allclose(
        (adcore.tensor(a) @ Dual(tag, b, (w,))).tangents[0], a @ w, rtol=1e-13
    )


def test_operators_with_tensors_on_either_side():
    t = adcore.tensor([1.0, 2.0], requires_grad=True)
    x = dual(3.0, 1.0)
    for op, expected in (
        (operator.add, [1.0, 1.0]),
        (operator.sub, [1.0, 1.0]),
        (operator.mul, [1.0, 2.0]),
        (operator.truediv, [1.0, 0.5]),
    ):
        assert_same(op(x, t).tangents[0], expected) if op in (
            operator.add,
            operator.sub,
        ) else assert_same(op(x, t).tangents[0].detach().numpy(), expected)
        assert type(op(t, x)) is Dual
    assert_same((t**x).tangents[0].detach().numpy(), [0.0, 8 * math.log(2)])
    assert_same((t % x).tangents[0].detach().numpy(), [0.0, 0.0])
    assert_same((t // x).value.detach().numpy(), [0.0, 0.0])
    assert type(np.add(t, x)) is Dual
    assert type(adcore.where(t > 1, x, t)) is Dual


def test_power_rules():
    x = dual(-2.0, 1.0)
    assert (x**0).value == 1.0
    assert (x**0).tangents == (0.0,)
    assert (x**1).tangents == (1.0,)
    assert (x**-1).tangents == (-0.25,)
    assert (x**-2).tangents == (0.25,)
    assert (x**3.0).tangents == (12.0,)
    assert np.power(x, 3).tangents == (12.0,)
    assert math.isnan((x**0.5).value)
    y = dual(3.0, 1.0)
    assert (2**y).tangents[0] == pytest.approx(8 * math.log(2), rel=1e-15)
    assert (y**y).tangents[0] == pytest.approx(27 * (1 + math.log(3)), rel=1e-15)


@pytest.mark.parametrize(
    "op", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
)
def test_comparisons_are_of_values(op):
    x = dual(1.0, 5.0)
    for other in (0.5, 1, 2.0, dual(1.0, 0.0), dual(dual(2.0, 1.0), 0.0)):
        number = other.item() if isinstance(other, Dual) else other
        assert op(x, other) is op(1.0, number)
        assert op(other, x) is op(number, 1.0)
    a = np.array([0.0, 1.0, 2.0])
    mask = op(dual(a, a), 1.0)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, op(a, 1.0))
    np.testing.assert_array_equal(op(a, x), op(a, 1.0))
    t = adcore.tensor(1.0, requires_grad=True)
    assert op(t, x) is op(1.0, 1.0)
    assert op(x, t) is op(1.0, 1.0)


def test_truth_and_membership():
    assert dual(1.0, 0.0)
    assert not dual(0.0, 1.0)
    assert dual(np.array([2.0]), None)
    assert 2.0 in dual(np.array([1.0, 2.0]), None)
    assert hash(x := dual(1.0, 1.0)) == hash(x)


# ---- arrays --------------------------------------------------------------------------------------


def test_looks_like_an_array(rng):
    a = rng.normal(size=(2, 3))
    x = dual(a, a)
    assert (x.shape, x.ndim, x.size, x.dtype) == ((2, 3), 2, 6, np.dtype(float))
    assert (x.dim(), x.numel(), len(x)) == (2, 6, 2)
    np.testing.assert_array_equal(x.T.tangents[0], a.T)
    np.testing.assert_array_equal(x.reshape(3, -1).tangents[0], a.reshape(3, 2))
    np.testing.assert_array_equal(x.reshape((6,)).value, a.ravel())
    np.testing.assert_array_equal(x.transpose().value, a.T)
    np.testing.assert_array_equal(x.transpose(1, 0).value, a.T)
    y = dual(2.0, 1.0)
    assert (y.shape, y.ndim, y.size) == ((), 0, 1)
    assert (y.T.value, y.reshape(1, 1).shape) == (2.0, (1, 1))
    assert y.sin().value == math.sin(2.0)
    assert x.sum().tangents[0] == pytest.approx(a.sum(), rel=1e-14)


KEYS = [
    0,
    -1,
    np.int64(1),
    (0, 1),
    (1, -1),
    slice(None),
    slice(1, None),
    (slice(None), 1),
    (slice(None, None, -1), slice(0, 3, 2)),
    Ellipsis,
    (Ellipsis, 0),
    None,
    (0, None),
    [0, 1, 0],
    (np.array([0, 1]), np.array([2, 0])),
    np.array([[0], [1]]),
    np.array([[True, False, True], [False, True, False]]),
    (slice(None), [True, False, True]),
    (0, slice(3, 3)),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_as_numpy(key, rng):
    a, v = rng.normal(size=(2, 2, 3))
    y = dual(a, v, None)[key]
    assert type(y) is Dual
    np.testing.assert_array_equal(y.value, a[key])
    np.testing.assert_array_equal(y.tangents[0], v[key])
    assert plain(y.tangents[1]) == 0.0
    assert type(y.value) is (np.ndarray if np.ndim(a[key]) else float)
    flat, (t,) = _core.lift([a])
    y = dual(t, v)[key]
    np.testing.assert_array_equal(y.value.detach().numpy(), a[key])
    np.testing.assert_array_equal(y.tangents[0], v[key])
    assert flat.size == 6


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_assignment_as_numpy(key, rng):
    a, v = rng.normal(size=(2, 2, 3))
    shape = np.shape(a[key])
    for value, tangent in ((rng.normal(size=shape)[()], rng.normal(size=shape)[()]), (1.5, 2.5)):
        tag = new_tag()
        x, kept = Dual(tag, a.copy(), (v.copy(), None)), Dual(tag, a.copy(), (v.copy(), None))
        before = x + 0.0
        part = x[0]
        x[key] = Dual(tag, value, (None, tangent))
        expected, first, second = a.copy(), v.copy(), np.zeros((2, 3))
        expected[key], first[key], second[key] = value, 0.0, tangent
        np.testing.assert_array_equal(x.value, expected)
        np.testing.assert_array_equal(x.tangents, [first, second])
        np.testing.assert_array_equal(before.value, a)
        np.testing.assert_array_equal(part.tangents[0], v[0])
        kept[key] = value
        np.testing.assert_array_equal(kept.value, expected)
        np.testing.assert_array_equal(kept.tangents[0], first)
        assert kept.tangents[1] is None


def test_assignment_spares_what_others_have():
    a, v = np.zeros(3), np.ones(3)
    x = dual(a, v)
    y, tail = x.copy(), x[1:]
    x[1] = 5.0
    z = x + 0.0
    value, head = x.value, x[:2]
    x[1] = 6.0
    x[2] = 7.0
    np.testing.assert_array_equal(a, 0.0)
    np.testing.assert_array_equal(v, 1.0)
    np.testing.assert_array_equal(y.value, 0.0)
    np.testing.assert_array_equal(tail.value, 0.0)
    np.testing.assert_array_equal(z.value, [0.0, 5.0, 0.0])
    np.testing.assert_array_equal(value, [0.0, 5.0, 0.0])
    np.testing.assert_array_equal(head.tangents[0], [1.0, 0.0])
    np.testing.assert_array_equal(x.value, [0.0, 6.0, 7.0])
    np.testing.assert_array_equal(x.tangents[0], [1.0, 0.0, 0.0])


def test_assignment_of_newer_and_older_duals_and_tensors():
    old, new = new_tag(), new_tag()
    x = Dual(old, np.zeros(2), (np.ones(2),))
    x[0] = Dual(new, 3.0, (4.0,))
    assert x.tag == new
    np.testing.assert_array_equal(x.tangents[0], [4.0, 0.0])
    assert x.value.tag == old
    np.testing.assert_array_equal(x.value.tangents[0], [0.0, 1.0])
    x[1] = Dual(old, 5.0, (6.0,))
    np.testing.assert_array_equal(x.value.value, [3.0, 5.0])
    np.testing.assert_array_equal(x.value.tangents[0], [0.0, 6.0])
    t = adcore.tensor(7.0, requires_grad=True)
    y = dual(np.zeros(2), np.ones(2))
    y[1] = t * t
    y[0] = dual(1.0, 2.0, tag=y.tag)
    (g,) = _core.emit_reverse([y.value[1]], [None], [t])
    assert g.item() == 14.0
    np.testing.assert_array_equal(y.tangents[0], [2.0, 0.0])


def test_parts_do_not_see_changes_in_place():
    older = dual(np.array([1.0, 2.0]), np.ones(2))
    tensor = adcore.tensor([1.0, 2.0], requires_grad=True) * 1.0
    for part in (older, tensor):
        x = dual(part, part)
        part += 1.0
        part[0] = 7.0
        for kept in (x.value, *x.tangents):
            assert kept.tolist() == [1.0, 2.0]


def test_assignment_of_lists():
    tag = new_tag()
    x = Dual(tag, np.zeros(3), (np.ones(3),))
    x[:2] = [1, 2.0]
    x[[0, 2]] = [Dual(tag, 5.0, (6.0,)), 7.0]
    np.testing.assert_array_equal(x.value, [5.0, 2.0, 7.0])
    np.testing.assert_array_equal(x.tangents[0], [6.0, 0.0, 0.0])


def test_filling_an_array_in_a_loop():
    def f(x):
        y = np.zeros_like(x)
        y[0] = x[0]
        for i in range(1, len(x)):
            y[i] = y[i - 1] * x[i]
        return y

    x, v = np.array([2.0, 3.0, 5.0]), np.array([1.0, 0.0, 1.0])
    np.testing.assert_array_equal(slope(f, x, v), [1.0, 3.0, 21.0])


def test_scalar_loop_over_elements_makes_flat_duals(rng):
    a, v = rng.normal(size=(2, 4))
    x = dual(a, v, None)
    for i, y in enumerate(x):
        assert (y.value, y.tangents) == (a[i], (v[i], 0.0))
    strided = x[::-2]
    assert (strided[1].value, strided[-1].tangents[0]) == (a[1], v[1])
    assert (Dual(new_tag(), x, (v,))[2].tangents[0], x[2].value) == (v[2], a[2])


@pytest.mark.parametrize("order", ["C", "F"])
def test_layout_does_not_matter(order, rng):
    a = np.array(rng.normal(size=(4, 6)), order=order)[::2, 1::2]
    v = rng.normal(size=(3, 2)).T
    x = dual(a, v, v[::-1])
    y = np.sin(x) * x + x.T[0, 0]
    np.testing.assert_allclose(
        y.tangents[0], np.cos(a) * v * a + np.sin(a) * v + v[0, 0], rtol=1e-14
    )


def test_numpy_functions_and_methods(rng):
    a, v = rng.uniform(0.5, 2.0, size=(2, 3, 4))
    x = dual(a, v)
    np.testing.assert_allclose(np.sum(x, axis=0).tangents[0], v.sum(axis=0), rtol=1e-14)
    np.testing.assert_allclose(np.mean(x).tangents[0], v.mean(), rtol=1e-14)
    np.testing.assert_allclose(x.cumsum(axis=1).tangents[0], v.cumsum(axis=1), rtol=1e-14)
    np.testing.assert_array_equal(np.concatenate([x, a]).tangents[0], [*v, *np.zeros((3, 4))])
    np.testing.assert_array_equal(np.max(x, axis=1).value, a.max(axis=1))
    np.testing.assert_array_equal(np.where(a > 1, x, 0.0).tangents[0], np.where(a > 1, v, 0.0))
    np.testing.assert_array_equal(np.greater(x, 1.0), a > 1.0)
    np.testing.assert_array_equal(np.stack([x[0], a[0]]).tangents[0], [v[0], np.zeros(4)])
    np.testing.assert_array_equal(adcore.sum(x, axis=1).value, x.sum(axis=1).value)


def test_many_lanes(rng):
    """20 tangents do not fit into the object."""
    rows = rng.normal(size=(20, 3))
    tag = new_tag()
    x = [Dual(tag, value, rows[:, i].tolist()) for i, value in enumerate((0.5, 1.5, 2.5))]
    y = x[0] * x[1] / x[2] - x[0] ** 3
    gradient = [1.5 / 2.5 - 3 * 0.25, 0.5 / 2.5, -0.5 * 1.5 / 2.5**2]
    np.testing.assert_allclose(y.tangents, rows @ gradient, rtol=1e-13)
    z = Dual(tag, np.array([0.5, 1.5, 2.5]), [np.full(3, r[0]) for r in rows])
    np.testing.assert_allclose(np.sin(z).tangents[19], np.cos(z.value) * rows[19, 0], rtol=1e-13)


def test_dead_duals_are_used_again():
    """A long loop takes no more objects than a short one, and values do not leak between them."""

    def run(n):
        x = dual(0.5, 1.0, 2.0)
        for _ in range(n):
            x = np.cos(x) * 1.0 - x / 3
        return x

    one = run(1000)
    for k in (1, 9, 2):
        assert dual(1.0, *range(k)).tangents == tuple(map(float, range(k)))
    assert run(1000).tangents == one.tangents


def test_plain_arrays_leave_the_tape_alone():
    adcore.exp(np.ones(3))
    before = _core.tape_stats()["bytes"]
    adcore.exp(np.ones(1_000_000) * 2) + dual(1.0, 1.0)
    np.exp(dual(np.ones(1_000_000), np.ones(1_000_000)))
    assert _core.tape_stats()["bytes"] == before


# ---- ways out, and errors ------------------------------------------------------------------------


def test_deliberate_ways_out():
    x = dual(dual(np.array([1.0, 2.0]), np.ones(2)), None)
    assert x.tolist() == [1.0, 2.0]
    out = x.detach()
    assert isinstance(out, adcore.Tensor)
    assert not out.requires_grad
    np.testing.assert_array_equal(out.numpy(), [1.0, 2.0])
    np.testing.assert_array_equal(x.data.numpy(), [1.0, 2.0])
    assert x[0].item() == 1.0
    assert dual(np.array([[3.0]]), None).item() == 3.0
    assert adcore.jvp(lambda z: z * z.detach(), (3.0,), (1.0,)) == (9.0, 3.0)
    value, slope_of = adcore.jvp(lambda z: z.detach(), (3.0,), (1.0,))
    assert (type(value), value, slope_of) == (float, 3.0, 0.0)


def test_copies():
    x = dual(1.0, 2.0)
    for y in (x.clone(), x.copy(), copy.copy(x), copy.deepcopy(x)):
        assert y is not x
        assert (y.tag, y.value, y.tangents) == (x.tag, 1.0, (2.0,))


def test_text():
    assert repr(dual(1.0, 2.0, None)) == "Dual(1.0; 2.0, 0.0)"
    assert repr(dual(np.zeros(2), None)) == "Dual(array([0., 0.]); 0)"
    assert f"{dual(math.pi, 1.0):.3f}" == "3.142"
    assert f"{dual(1.0, 1.0)}" == "Dual(1.0; 1.0)"


@pytest.mark.parametrize(
    ("lossy", "what"),
    [
        (float, r"float\(\)"),
        (int, r"int\(\)"),
        (complex, r"complex\(\)"),
        (math.sin, r"float\(\)"),
        (range, r"an index, range\(\) or int\(\)"),
        (np.asarray, r"np.asarray\(\)"),
        (lambda x: x.numpy(), r"numpy\(\)"),
        (lambda x: [1, 2][x], "an index"),
    ],
)
def test_losing_the_derivative_is_refused(lossy, what):
    text = what + r".* of a dual number of shape \(\) would lose its derivative; .*x.item\(\)"
    with pytest.raises(NotDifferentiableError, match=text):
        lossy(dual(1.0, 1.0))


def test_assigning_into_an_array_is_refused():
    """NumPy wraps our error into its own, which names it."""
    with pytest.raises(ValueError, match="setting an array element") as caught:
        np.zeros(2)[0] = dual(1.0, 1.0)
    assert isinstance(caught.value.__cause__, NotDifferentiableError)


def test_error_texts():
    x = dual(np.zeros(3), None)
    scalar = dual(1.0, 1.0)
    with pytest.raises(
        ShapeError,
        match=r"tangent of shape \(2,\) does not fit a value of shape "
        r"\(3,\)",
    ):
        dual(np.zeros(3), np.zeros(2))
    with pytest.raises(ShapeError, match=r"tangent of shape \(\) does not fit .* \(3,\)"):
        dual(np.zeros(3), 1.0)
    with pytest.raises(ShapeError, match=r"add: operands of shapes \(3,\), \(2,\) do not"):
        x + dual(np.zeros(2), None, tag=x.tag)
    with pytest.raises(ShapeError, match=r"mul: operands of shapes \(3,\), \(2,\) do not"):
        x * np.zeros(2)
    with pytest.raises(ShapeError, match=r"item\(\) needs one element, .* has shape \(3,\)"):
        x.item()
    with pytest.raises(ShapeError, match=r"truth of a dual number of shape \(3,\) is ambiguous"):
        bool(x)
    with pytest.raises(TypeError, match=r"len\(\) of a scalar dual number"):
        len(scalar)
    with pytest.raises(TypeError, match="iteration over a scalar dual number"):
        iter(scalar)
    with pytest.raises(IndexError, match="index 3 is out of bounds"):
        x[3]
    with pytest.raises(IndexError, match="scalar dual number has no elements to assign to"):
        scalar[()] = 2.0
    with pytest.raises(ShapeError, match=r"value of shape \(2,\) to elements of shape \(3,\)"):
        x[:] = np.zeros(2)
    with pytest.raises(TypeError, match=r"unsupported operand.* 'adcore._core.Dual' and 'str'"):
        scalar + "1"
    with pytest.raises(TypeError, match="sin takes numbers, arrays, tensors and duals, got str"):
        adcore.sin("1")
    with pytest.raises(TypeError, match=r"hypot takes numbers, arrays, .* got Dual, dict"):
        adcore.hypot(scalar, {})
    with pytest.raises(TypeError, match=r"a Dual holds numbers, arrays, .*, got a str"):
        dual("1", 1.0)
    with pytest.raises(AttributeError, match="no attribute 'flavour'"):
        scalar.flavour  # noqa: B018  (the access is the test)
    with pytest.raises(TypeError, match="was assigned a dual number"):
        adcore.tensor([1.0, 2.0])[0] = scalar
    with pytest.raises(ValueError, match=r"a tag is a number that new_tag\(\) gave, got 0"):
        Dual(0, 1.0, (1.0,))
    older, newer = new_tag(), new_tag()
    with pytest.raises(ValueError, match=f"Dual of tag {older} cannot hold one of tag {newer}"):
        Dual(older, Dual(newer, 1.0, (1.0,)), (None,))
    with pytest.raises(NotDifferentiableError, match=r"packbits of a tensor has no derivative"):
        np.packbits(x)


def test_an_error_leaves_duals_usable():
    x = dual(2.0, 1.0)
    with pytest.raises(ShapeError):
        x[np.newaxis] + np.zeros((2, 2)) @ np.zeros((2, 3)) + np.zeros((5, 5))
    assert (x * x).tangents == (4.0,)
