"""Array functions against NumPy: values, and first and second derivatives in all modes.

First derivatives are compared with a complex step through NumPy's own function, which is exact to
rounding, or with central differences where NumPy has no complex version; second derivatives with
differences of first ones, and between the modes.
"""

import math
import operator
import types

import numpy as np
import pytest

import adcore
from adcore import _core, rules
from adcore.errors import NotDifferentiableError, ShapeError
from adcore.rules import choices, ufuncs
from array_cases import CASES, leaves_of


def directions(leaves, seed):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, np.shape(leaf)) for leaf in leaves]


def pushed(f, leaves, step):
    """The derivative of f along `step` by NumPy alone, and its accuracy."""
    h = 1e-6
    up = f(*[x + h * v for x, v in zip(leaves, step, strict=True)])
    down = f(*[x - h * v for x, v in zip(leaves, step, strict=True)])
    return (up - down) / (2 * h)


def record(f, leaves):
    flat, inputs = _core.lift(leaves)
    out = f(*inputs)
    assert type(out) is adcore.Tensor
    return flat, out


def gradient_of(f, leaves, weights):
    flat, out = record(f, leaves)
    return _core.sweep_reverse([out], [weights[..., None]], [flat])[0][:, 0]


@pytest.mark.parametrize("name", CASES)
def test_value(name):
    f = CASES[name][1]
    leaves = leaves_of(name)
    out = record(f, leaves)[1].detach()
    truth = f(*leaves)
    assert out.shape == np.shape(truth)
    np.testing.assert_allclose(np.asarray(out), truth, rtol=4e-15, atol=1e-15)


@pytest.mark.parametrize("name", CASES)
def test_constant_tensor(name):
    """On constants the functions give constants, of the same values."""
    f = CASES[name][1]
    leaves = leaves_of(name)
    out = f(*[adcore.tensor(leaf) for leaf in leaves])
    assert type(out) is adcore.Tensor
    assert not out.requires_grad
    np.testing.assert_allclose(out.numpy(), f(*leaves), rtol=4e-15, atol=1e-15)


@pytest.mark.parametrize("name", CASES)
def test_first_derivative(name):
    _, f, *marks = CASES[name]
    leaves = leaves_of(name)
    flat, out = record(f, leaves)
    step = directions(leaves, 1)
    flat_step = np.concatenate([np.ravel(v) for v in step])
    if "real" in marks:
        truth, tolerance = pushed(f, leaves, step), 2e-8
    else:
        h = 1e-30
        truth = np.imag(f(*[x + 1j * h * v for x, v in zip(leaves, step, strict=True)])) / h
        tolerance = 1e-13
    forward = _core.sweep_forward([flat], [flat_step[:, None]], [out])[0][..., 0]
    np.testing.assert_allclose(forward, truth, rtol=tolerance, atol=tolerance)
    emitted = _core.emit_forward([flat], [flat_step], [out])[0]
    np.testing.assert_allclose(np.asarray(emitted.detach()), forward, rtol=1e-13, atol=1e-14)

    weights = np.random.default_rng(2).uniform(-1, 1, out.shape)
    reverse = _core.sweep_reverse([out], [weights[..., None]], [flat])[0][:, 0]
    np.testing.assert_allclose(
        reverse @ flat_step, np.sum(weights * forward), rtol=1e-12, atol=1e-14
    )
    emitted = _core.emit_reverse([out], [weights], [flat])[0]
    np.testing.assert_allclose(np.asarray(emitted.detach()), reverse, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_second_derivative(name):
    f = CASES[name][1]
    leaves = leaves_of(name)
    flat, out = record(f, leaves)
    weights = np.random.default_rng(3).uniform(-1, 1, out.shape)
    # Of sin(f) rather than f: most of the functions here are linear.
    scalar = (weights * adcore.sin(out)).sum()
    step = directions(leaves, 4)
    flat_step = np.concatenate([np.ravel(v) for v in step])

    def gradient(sign):
        moved = [x + sign * 1e-6 * v for x, v in zip(leaves, step, strict=True)]
        return gradient_of(
            lambda *a: adcore.sin(f(*a)),
            [float(m) if np.ndim(m) == 0 else m for m in moved],
            weights,
        )

    truth = (gradient(1) - gradient(-1)) / 2e-6
    first = _core.emit_reverse([scalar], [None], [flat])[0]
    if _core.has_kernels(flat):  # whose rules have no second-order sweep of their own
        swept = _core.emit_reverse([(first * flat_step).sum()], [None], [flat])[0].detach().numpy()
    else:
        swept = _core.sweep_second(scalar, flat, flat_step[:, None])[1][:, 0]
    scale = max(1.0, np.max(np.abs(truth), initial=0.0))
    np.testing.assert_allclose(swept, truth, rtol=1e-6, atol=1e-7 * scale)

    if not first.requires_grad:
        assert not swept.any()
        return
    for emitted in (
        _core.emit_reverse([(first * flat_step).sum()], [None], [flat])[0],
        _core.emit_forward([flat], [flat_step], [first])[0],
    ):
        np.testing.assert_allclose(
            np.asarray(emitted.detach()), swept, rtol=1e-11, atol=1e-13 * scale
        )


@pytest.mark.parametrize("name", CASES)
def test_duals(name):
    """Duals of arrays, duals of duals, and duals of tensors."""
    f = CASES[name][1]
    leaves = leaves_of(name)
    flat, out = record(f, leaves)
    steps = [directions(leaves, seed) for seed in (5, 6)]
    both = np.stack([np.concatenate([np.ravel(v) for v in step]) for step in steps], axis=-1)
    truth = _core.sweep_forward([flat], [both], [out], 2)[0]
    tag = _core.new_tag()
    duals = [_core.Dual(tag, x, (u, None, v)) for x, u, v in zip(leaves, *steps, strict=True)]
    y = f(*duals)
    assert type(y) is _core.Dual
    assert y.tag == tag
    np.testing.assert_allclose(y.value, np.asarray(out.detach()), rtol=1e-14, atol=1e-15)
    for j, lane in ((0, 0), (2, 1)):
        tangent = 0.0 if y.tangents[j] is None else y.tangents[j]
        np.testing.assert_allclose(tangent, truth[..., lane], rtol=1e-12, atol=1e-13)
    assert y.tangents[1] is None or not np.any(y.tangents[1])

    # The second derivative along two directions, by nesting.
    flat, tensors = _core.lift(leaves)
    outer = _core.new_tag()
    inner = _core.new_tag()
    over_arrays = [_core.Dual(outer, x, (u,)) for x, u in zip(leaves, steps[0], strict=True)]
    nested = adcore.sin(
        f(*[_core.Dual(inner, x, (v,)) for x, v in zip(over_arrays, steps[1], strict=True)])
    )
    over_tensors = [_core.Dual(inner, x, (v,)) for x, v in zip(tensors, steps[1], strict=True)]
    first = adcore.sin(f(*over_tensors)).tangents[0]
    truth = _core.sweep_forward([flat], [both[:, :1]], [first])[0][..., 0]
    found = nested.tangents[0]
    found = found.tangents[0] if type(found) is _core.Dual else None
    np.testing.assert_allclose(0.0 if found is None else found, truth, rtol=1e-11, atol=1e-12)


# ---- the table: names, plain arguments, gaps ----


class Space:
    """numpy, but for the functions that adcore has: those are adcore's."""

    linalg = types.SimpleNamespace(**{**vars(np.linalg), "norm": adcore.norm})

    def __getattr__(self, name):
        return getattr(adcore, name) if name in rules.functions else getattr(np, name)


def in_space(f):
    return types.FunctionType(f.__code__, {**f.__globals__, "np": Space()})


@pytest.mark.parametrize("name", CASES)
def test_public_functions(name):
    """adcore's own functions: NumPy's results on arrays, to the bit; the rules' on tensors."""
    f = CASES[name][1]
    leaves = leaves_of(name)
    expected = f(*leaves)
    assert np.array_equal(in_space(f)(*leaves), expected)
    assert np.shape(in_space(f)(*leaves)) == np.shape(expected)
    _, inputs = _core.lift(leaves)
    assert np.array_equal(
        np.asarray(in_space(f)(*inputs).detach()), np.asarray(f(*inputs).detach())
    )


def test_every_array_function_has_a_case(monkeypatch):
    """A rule without a case above is a gap; those of adcore.numpy have test_numpy.py."""
    used = set()

    def noted(function, rule):
        def call(*args, **kwargs):
            used.add(function)
            return rule(*args, **kwargs)

        return call

    rules_here = {
        function: rule
        for function, rule in _core.ARRAY_FUNCTIONS.items()
        if rule.__module__.startswith("adcore.rules")
    }
    for function, rule in rules_here.items():
        monkeypatch.setitem(_core.ARRAY_FUNCTIONS, function, noted(function, rule))
    for name, (_, f, *_) in CASES.items():
        f(*_core.lift(leaves_of(name))[1])
    modules = ("numpy.linalg", "numpy.fft")  # test_linalg.py, test_fft.py
    elsewhere = {f for f in rules_here if f.__module__ in modules}
    elsewhere |= {np.real, np.imag, np.angle, np.real_if_close}  # test_complex.py
    elsewhere |= {*choices.CONSTANT, np.copy, *LIKE, *SAME}
    gaps = set(rules_here) - used - elsewhere
    assert not gaps, f"no case for {sorted(f.__name__ for f in gaps)}"


# The same rule by another name: NumPy dispatches these by a function of their own.
SAME = {np.linalg.matmul, np.linalg.outer, np.linalg.tensordot, np.linalg.cross, np.matmul}
LIKE = {np.zeros_like: 0.0, np.ones_like: 1.0, np.empty_like: 0.0, np.full_like: 2.5}


@pytest.mark.parametrize("function", LIKE, ids=lambda f: f.__name__)
def test_constants_in_the_shape_of_a_tensor(function):
    x = adcore.tensor(np.ones((2, 3)), requires_grad=True)
    fill = (2.5,) if function is np.full_like else ()
    for shape in (None, (4,)):
        y = function(x, *fill, shape=shape)
        assert type(y) is adcore.Tensor
        assert not y.requires_grad
        assert y.shape == (shape or (2, 3))
        if function is not np.empty_like:
            assert np.array_equal(y.numpy(), np.full(y.shape, LIKE[function]))
    with pytest.raises(NotDifferentiableError, match=r"float64; leave dtype out"):
        function(x, *fill, dtype=np.float32)
    d = _core.Dual(_core.new_tag(), np.ones(3), (np.ones(3),))
    y = function(d, *fill)
    assert type(y) is _core.Dual
    assert not np.any(y.tangents[0])


def test_full_like_of_a_tensor():
    flat, (x, v) = _core.lift([np.ones((2, 3)), 2.0])
    assert _core.gradient(np.full_like(x, v * v).sum(), flat).tolist() == [0] * 6 + [24]


@pytest.mark.parametrize("function", choices.CONSTANT, ids=lambda f: f.__name__)
def test_functions_without_a_derivative_are_numpys(function):
    x = np.array([0.5, 0.0, 2.0])
    t = adcore.tensor(x, requires_grad=True)
    d = _core.Dual(_core.new_tag(), x, (x,))
    extra = {
        np.argpartition: (1,),
        np.searchsorted: (0.7,),
        np.digitize: ([0.0, 1.0],),
        np.lexsort: (),
        np.isclose: (x,),
        np.allclose: (x,),
        np.array_equal: (x,),
        np.array_equiv: (x,),
        np.isin: ([0.5],),
        np.result_type: (x,),
        np.shares_memory: (x + 1,),
        np.may_share_memory: (x + 1,),
    }.get(function, ())
    if function is np.lexsort:
        call = lambda x: np.lexsort((x, x))  # noqa: E731
    else:
        call = lambda x: function(x, *extra)  # noqa: E731
    expected = call(x)
    for traced in (t, d):
        got = call(traced)
        assert type(got) is type(expected)
        assert repr(got) == repr(expected)


COMPARISONS = {
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
}


@pytest.mark.parametrize("name", sorted(ufuncs.CONSTANT))
def test_ufuncs_without_a_derivative_are_numpys(name):
    ufunc = getattr(np, name)
    x = np.array([0.5, np.nan, -np.inf, 2.0])
    args = (x,) if ufunc.nin == 1 else (x, np.array([0.5, 1.0, 0.0, 3.0]))
    expected = ufunc(*args)
    t = adcore.tensor(x, requires_grad=True)
    d = _core.Dual(_core.new_tag(), x, (x,))
    for traced in (t, d):
        got = ufunc(traced, *args[1:])
        assert type(got) is np.ndarray
        assert got.dtype == expected.dtype
        assert np.array_equal(got, expected, equal_nan=True)
        if ufunc.nin == 2:
            assert np.array_equal(ufunc(args[1], traced), ufunc(args[1], x))
            assert np.array_equal(ufunc.outer(traced, x), ufunc.outer(x, x))
    if name in COMPARISONS:
        symbol = COMPARISONS[name]
        assert np.array_equal(symbol(t, args[1]), expected)
        assert np.array_equal(symbol(args[1], t), symbol(args[1], x))
        assert type(symbol(t[0], 0.25)) is bool


def test_masks_of_comparisons():
    flat, (x,) = _core.lift([np.array([0.5, -1.0, 2.0])])
    assert (x > 0).any()
    assert not (x > 0).all()
    assert _core.gradient((x[x > 0] ** 2).sum(), flat).tolist() == [1, 0, 4]
    assert _core.gradient(np.where((x > 0) & (x < 1), x * 3, 0.0).sum(), flat).tolist() == [3, 0, 0]


# ---- zero sizes and no dimensions ----

EMPTY = {
    "sum": lambda x: x.sum(),
    "sum 0": lambda x: x.sum(0),
    "sum 1": lambda x: x.sum(1),
    "prod": lambda x: np.prod(x),
    "prod 0": lambda x: np.prod(x, axis=0),
    "prod 1": lambda x: np.prod(x, axis=1),
    "cumsum": lambda x: np.cumsum(x),
    "cumprod": lambda x: np.cumprod(x, axis=0),
    "max": lambda x: np.max(x, axis=1),
    "norm": lambda x: np.linalg.norm(x, axis=0),
    "matmul": lambda x: x @ np.ones((3, 2)),
    "matmul 0": lambda x: x.T @ np.ones((0, 2)),
    "dot": lambda x: np.dot(x, np.ones(3)),
    "einsum": lambda x: np.einsum("ij,ik->jk", x, x),
    "einsum 0": lambda x: np.einsum("ij,kj->ik", x, x),
    "concatenate": lambda x: np.concatenate([x, np.ones((1, 3)), x]),
    "stack": lambda x: np.stack([x, x], axis=1),
    "reshape": lambda x: x.reshape(3, 0),
    "flip": lambda x: np.flip(x),
    "roll": lambda x: np.roll(x, 1, axis=0),
    "sort": lambda x: np.sort(x, axis=0),
    "diag": lambda x: np.diag(x),
    "trace": lambda x: np.trace(x),
    "tile": lambda x: np.tile(x, (2, 2)),
    "repeat": lambda x: np.repeat(x, 2, axis=1),
    "repeat none": lambda x: np.repeat(x.T, 0, axis=0),
    "pad": lambda x: np.pad(x, 1, constant_values=2.0),
    "tril": lambda x: np.tril(x),
    "where": lambda x: np.where(x > 0, x, 1.0),
    "outer": lambda x: np.outer(x, x),
    "kron": lambda x: np.kron(x, np.ones((2, 2))),
    "split": lambda x: np.array_split(x, 2)[1],
    "take": lambda x: np.take(x, np.zeros(0, int), axis=1),
    "broadcast": lambda x: np.broadcast_to(x, (2, 0, 3)),
    "arithmetic": lambda x: np.exp(x) * x[::-1] + 1.0,
    "diff": lambda x: np.diff(x, axis=1),
}


@pytest.mark.parametrize("name", EMPTY)
def test_arrays_without_elements(name):
    f = EMPTY[name]
    x = np.zeros((0, 3))
    expected = f(x)
    flat, (t,) = _core.lift([x])
    y = f(t)
    assert y.shape == np.shape(expected)
    assert np.array_equal(np.asarray(y.detach()), expected)
    if y.requires_grad:
        assert _core.sweep_reverse([y], [None], [t])[0].shape == (0, 3, 1)
        assert _core.emit_reverse([y], [None], [t])[0].shape == (0, 3)
        assert not np.any(_core.sweep_forward([flat], [np.zeros((0, 1))], [y])[0])
    d = f(_core.Dual(_core.new_tag(), x, (x,)))
    assert np.array_equal(np.asarray(_core.values(d)), expected)


def test_extremum_of_no_elements():
    x = adcore.tensor(np.zeros((0, 3)), requires_grad=True)
    for f in (np.max, np.min):
        with pytest.raises(ShapeError, match=r"of no elements: a tensor of shape \(0, 3\)"):
            f(x)


@pytest.mark.parametrize(
    "f",
    [
        np.sum,
        np.mean,
        np.max,
        np.min,
        np.prod,
        np.ravel,
        np.squeeze,
        np.atleast_1d,
        np.atleast_2d,
        np.atleast_3d,
        np.cumsum,
        np.cumprod,
        np.transpose,
        np.linalg.norm,
        lambda x: np.reshape(x, (1, 1)),
        lambda x: np.broadcast_to(x, (2, 2)),
        lambda x: np.stack([x, x]),
        lambda x: np.stack([x, x], axis=-1),
        lambda x: np.hstack([x, x]),
        lambda x: np.vstack([x, x]),
        lambda x: np.expand_dims(x, 0),
        lambda x: np.dot(x, 2.0),
        lambda x: np.outer(x, x),
        lambda x: np.tile(x, 3),
        lambda x: np.repeat(x, 3),
        lambda x: np.clip(x, 0.0, 5.0),
        lambda x: np.where(x > 1, x, 0.0),
        lambda x: np.einsum(",->", x, x),
        lambda x: x[()] * x[...] * x[None],
    ],
)
def test_arrays_of_no_dimensions(f):
    expected = f(np.array(1.5))
    flat, (x,) = _core.lift([1.5])
    y = f(x)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(np.asarray(y.detach()), expected, rtol=1e-15)
    slope = (np.sum(f(np.array(1.5 + 1e-6))) - np.sum(f(np.array(1.5 - 1e-6)))) / 2e-6
    assert _core.gradient(y.sum(), flat)[0] == pytest.approx(slope, rel=1e-8)


def test_methods_of_arrays_that_say_nothing_new():
    flat, (x,) = _core.lift([np.array([[1.0, 2.0]])])
    y = x.astype(float) * x.conj() * x.astype(np.float64)
    assert _core.gradient(y.sum(), flat).tolist() == [3, 12]
    assert x.mT.shape == (2, 1)
    with pytest.raises(NotDifferentiableError, match=r"astype .*float64"):
        x.astype(int)


# ---- lists ----


def test_lists_of_tensors():
    flat, (x, s) = _core.lift([np.array([[1.0, 2.0], [3.0, 4.0]]), 5.0])
    w = np.array([1.0, 10.0, 100.0, 1000.0])
    for y, expected in (
        (adcore.tensor([x[0, 1], 7.0, s, x[1, 0]]), [0, 1, 1000, 0, 100]),
        (adcore.tensor([[x[0, 1], 7.0], [s, x[1, 0]]]), [0, 1, 1000, 0, 100]),
        (adcore.tensor([x[1], [s, 1.0]]), [0, 0, 1, 10, 100]),
        (adcore.tensor((x[0], np.ones(2))), [1, 10, 0, 0, 0]),
        (adcore.stack([s, s, x[0, 0], 2]), [100, 0, 0, 0, 11]),
        (np.stack([s, np.float64(2.0), x[0, 0], np.array(3.0)]), [100, 0, 0, 0, 1]),
    ):
        assert y.size == 4
        assert _core.gradient((y.reshape(4) * w).sum(), flat).tolist() == expected
    assert adcore.tensor([[x[0, 1], 7.0], [s, x[1, 0]]]).tolist() == [[2.0, 7.0], [5.0, 3.0]]
    assert adcore.sum([x[0, 0], 1.0]).item() == 2.0
    assert adcore.dot([1.0, 2.0], x[0]).item() == 5.0
    with pytest.raises(ShapeError, match=r"nested list needs elements of one shape, got \[\(1,\)"):
        adcore.tensor([[s, 1.0], [s]])


def test_lists_of_duals():
    inner, outer = sorted([_core.new_tag(), _core.new_tag()], reverse=True)
    a, b = _core.Dual(inner, 2.0, (1.0, 0.0)), _core.Dual(outer, 3.0, (5.0,))
    y = adcore.stack([a, b, 4.0, a * b])
    assert y.tag == inner
    assert _core.values(y).tolist() == [2.0, 3.0, 4.0, 6.0]
    assert _core.values(y.tangents[0]).tolist() == [1.0, 0.0, 0.0, 3.0]
    assert y.tangents[0].tangents[0].tolist() == [0.0, 0.0, 0.0, 5.0]
    assert y.tangents[1] is None or not np.any(_core.values(y.tangents[1]))
    nested = adcore.stack_nested([[a, 1.0], [b, b]])
    assert nested.shape == (2, 2)


def test_lists_are_cheap():
    """A list of scalars becomes an array without an instruction."""
    flat, (x,) = _core.lift([np.arange(1000.0)])
    parts = [v * 2.0 for v in x]
    before = _core.tape_stats()
    y = adcore.stack(parts)
    after = _core.tape_stats()
    assert after["instructions"] == before["instructions"]
    assert after["slots"] == before["slots"]
    assert _core.gradient((y * y).sum(), flat).tolist() == [8.0 * i for i in range(1000)]


# ---- memory ----


def test_dead_results_leave_the_tape():
    """All that a function records is given back once its result is dropped."""
    for name, (_, f, *_) in CASES.items():
        leaves = leaves_of(name)
        flat, inputs = _core.lift(leaves)
        before = _core.tape_stats()
        y = f(*inputs)
        del y
        after = _core.tape_stats()
        for what in ("instructions", "slots", "words", "handles"):
            assert after[what] == before[what], name
        del flat, inputs


def test_a_loop_over_arrays_runs_in_constant_memory():
    x = adcore.tensor(np.ones(50), requires_grad=True)
    sizes = []
    for step in range(3000):
        rows = adcore.stack([x * 2.0, np.roll(x, 1), adcore.stack(list(x[:3]) * 17)[:50]])
        loss = (rows.prod(axis=0) + np.cumsum(x) ** 2).sum()
        gradient = _core.sweep_reverse([loss], [None], [x])[0][:, 0]
        x = (x - 1e-6 * gradient).detach().requires_grad_()
        if step in (300, 2999):
            sizes.append(_core.tape_stats()["bytes"])
    assert sizes[1] <= sizes[0]


def test_garbage_below_a_live_array_is_squeezed_out():
    x = adcore.tensor(np.ones(100), requires_grad=True)
    y = x * 1.0
    for _ in range(2000):
        y[3] = y[3] * 0.5 + np.sum(x[:2]) * 0.25
        y = y + 0.0
    stats = _core.tape_stats()
    gradient = _core.sweep_reverse([y.sum()], [None], [x])[0][:, 0]
    assert gradient[:5] == pytest.approx([1.5, 1.5, 1, 0, 1], rel=1e-12)
    del y
    _core.compact()
    assert _core.tape_stats()["slots"] < stats["slots"]


# ---- accuracy ----


def test_long_sums_and_products_keep_their_digits():
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, 100_003) * 10.0 ** rng.integers(-8, 8, 100_003)
    _, (t,) = _core.lift([x])
    exact = math.fsum(x)
    scale = math.fsum(abs(x))
    assert abs(t.sum().item() - exact) <= 4 * np.finfo(float).eps * scale
    assert abs(t.mean().item() - exact / x.size) <= 4 * np.finfo(float).eps * scale / x.size
    columns = np.asarray(t[:100_000].reshape(-1, 10).sum(axis=0).detach())
    np.testing.assert_allclose(
        columns,
        x[:100_000].reshape(-1, 10).sum(axis=0),
        rtol=0,
        atol=8 * np.finfo(float).eps * scale,
    )
    y = rng.uniform(0.5, 2, 1000)
    _, (t,) = _core.lift([y])
    assert np.prod(t).item() == pytest.approx(np.prod(y), rel=1e-13)
    np.testing.assert_allclose(np.asarray(np.cumprod(t).detach()), np.cumprod(y), rtol=1e-13)
    np.testing.assert_allclose(np.asarray(np.cumsum(t).detach()), np.cumsum(y), rtol=1e-14)


@pytest.mark.parametrize(
    ("m", "k", "n"),
    [(256, 64, 64), (1003, 32, 40), (993, 50, 80), (64, 256, 64), (100_001, 4, 8), (300, 60, 60)],
)
def test_products_of_all_sizes(rng, m, k, n):
    a, b = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    _, (t, t_across, s) = _core.lift([a, np.ascontiguousarray(a.T), b])
    for product in (t @ s, t_across.T @ s, (s.T @ t_across).T):
        np.testing.assert_allclose(
            np.asarray(product.detach()),
            np.einsum("ij,jk->ik", a, b),
            rtol=0,
            atol=1e-13 * k,
        )


# ---- errors ----

MATRIX = np.arange(6.0).reshape(2, 3)
ERRORS = {
    "out": (
        lambda x: np.sum(x, out=np.zeros(())),
        NotDifferentiableError,
        r"sum of a tensor does not take out=; .* y = sum",
    ),
    "dtype": (
        lambda x: np.mean(x, dtype=np.float32),
        NotDifferentiableError,
        "mean .* dtype=.*float64",
    ),
    "where": (
        lambda x: np.max(x, where=x > 1),
        ValueError,
        "max with where= needs initial=",
    ),
    "unknown keyword": (
        lambda x: x.sum(foo=1),
        TypeError,
        r"sum\(\) got an unexpected keyword argument 'foo'",
    ),
    "axis": (lambda x: x.sum(2), ShapeError, "axis 2 does not exist in a tensor of 2 dimensions"),
    "axis twice": (lambda x: x.sum((0, -2)), ShapeError, r"axis \(0, -2\) names a dimension twice"),
    "ufunc out": (
        lambda x: np.add(x, 1.0, out=np.zeros((2, 3))),
        NotDifferentiableError,
        r"add of a tensor does not take out=; write y = add",
    ),
    "in place": (
        lambda x: operator.iadd(np.zeros((2, 3)), x),
        NotDifferentiableError,
        r"x = x \+ y for x",
    ),
    "ufunc where": (
        lambda x: np.add(x, 1.0, where=MATRIX > 1),
        NotDifferentiableError,
        r"where=; choose with adcore.where",
    ),
    "ufunc dtype": (
        lambda x: np.sin(x, dtype=np.float32),
        NotDifferentiableError,
        r"sin .* dtype=",
    ),
    "ufunc": (
        lambda x: np.nextafter(x, 1.0),
        NotDifferentiableError,
        "numpy.nextafter of a tensor has no derivative; write x itself",
    ),
    "ufunc.at": (
        lambda x: np.add.at(np.ones(2), 0, x[0, 0]),
        NotDifferentiableError,
        r"numpy.add.at cannot put tensors into .* x = adcore.tensor\(x\)",
    ),
    "function": (
        lambda x: np.lib.stride_tricks.sliding_window_view(x, 1, 0),
        NotDifferentiableError,
        r"sliding_window_view of a tensor is not supported",
    ),
    "norm 2": (
        lambda x: np.linalg.norm(x, 3),
        ValueError,
        "norm: order 3 of a matrix; it may be 'fro', 'nuc'",
    ),
    "norm 3 axes": (lambda x: np.linalg.norm(x[None], axis=(0, 1, 2)), ShapeError, "3 axes"),
    "norm word": (lambda x: np.linalg.norm(x[0], "fro"), ValueError, "'fro' is for matrices"),
    "matmul": (lambda x: x @ x, ShapeError, r"matmul: shapes \(2, 3\) and \(2, 3\) do not fit"),
    "matmul vector": (lambda x: x @ np.ones(2), ShapeError, r"shapes \(2, 3\) and \(2,\)"),
    "matmul scalar": (
        lambda x: x @ x[0, 0],
        ShapeError,
        r"shapes \(2, 3\) and \(\); multiply by \*",
    ),
    "dot": (lambda x: np.dot(x, x), ShapeError, r"\(2, 3\) and \(2, 3\)"),
    "tensordot": (lambda x: np.tensordot(x, x, 1), ShapeError, "differ in length"),
    "einsum lengths": (
        lambda x: np.einsum("ij,jk", x, x),
        ShapeError,
        "'j' of 'ij,jk' is 3 long in one place and 2 in another",
    ),
    "einsum diagonal": (lambda x: np.einsum("ii", x), ShapeError, "'i'"),
    "einsum terms": (lambda x: np.einsum("ij,jk", x), ValueError, "2 terms, got 1 operands"),
    "einsum dims": (lambda x: np.einsum("ijk", x), ValueError, "'ijk' does not fit 2 dimensions"),
    "einsum result": (lambda x: np.einsum("ij->ik", x), ValueError, "'k' in the result"),
    "reshape": (
        lambda x: x.reshape(4),
        ShapeError,
        r"cannot reshape a tensor of shape \(2, 3\) into \(4,\)",
    ),
    "reshape order": (lambda x: np.reshape(x, (3, 2), order="A"), ValueError, "'C' and 'F'"),
    "ravel order": (lambda x: x.T.ravel("K"), ValueError, "ravel .* got 'K'"),
    "broadcast": (
        lambda x: x + np.ones(4),
        ShapeError,
        r"add: operands of shapes \(2, 3\), \(4,\) do not broadcast",
    ),
    "broadcast_to": (lambda x: np.broadcast_to(x, (2, 2)), ShapeError, r"\(2, 3\) to \(2, 2\)"),
    "transpose": (lambda x: np.transpose(x, (0, 0)), ShapeError, "twice"),
    "moveaxis": (lambda x: np.moveaxis(x, (0, 1), 0), ShapeError, "2 sources, 1 destinations"),
    "squeeze": (
        lambda x: np.squeeze(x, 0),
        ShapeError,
        r"axis 0 of a tensor of shape \(2, 3\) is not of length 1",
    ),
    "stack": (lambda x: np.stack([x, x[0]]), ShapeError, r"one shape, got \[\(2, 3\), \(3,\)\]"),
    "stack nothing": (lambda x: adcore.rules.shapes.stack([]), ShapeError, "at least one"),
    "concatenate": (lambda x: np.concatenate([x, x[0]]), ShapeError, r"\(2, 3\), \(3,\)"),
    "concatenate lengths": (
        lambda x: np.concatenate([x, x[:, :2]]),
        ShapeError,
        "differ elsewhere",
    ),
    "concatenate scalars": (lambda x: np.concatenate([x[0, 0], x[0, 1]]), ShapeError, "use stack"),
    "split": (
        lambda x: np.split(x, 4),
        ShapeError,
        "2 elements do not divide into 4 equal parts; use array_split",
    ),
    "pad": (lambda x: np.pad(x, 1, mode="mean"), NotDifferentiableError, "got 'mean'"),
    "diag": (lambda x: np.diag(x[None]), ShapeError, r"got shape \(1, 2, 3\)"),
    "cross": (lambda x: np.cross(x[:, :2], x[:, :2]), ShapeError, "three elements"),
    "average": (lambda x: np.average(x, weights=np.ones(2)), ShapeError, r"shape \(2,\)"),
    "complex": (lambda x: np.sort(np.ones((2, 3)) * 1j * x), NotDifferentiableError, "z.real"),
    "np.array": (
        lambda x: np.array([x[0, 0], 1.0]),
        NotDifferentiableError,
        r"adcore.numpy.array\(\)",
    ),
    "truth": (lambda x: bool(x), ShapeError, r"\(x > 0\).any\(\)"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_say_what_came_and_what_to_write(name):
    f, kind, text = ERRORS[name]
    x = adcore.tensor(MATRIX, requires_grad=True)
    before = _core.tape_stats()
    with pytest.raises(kind, match=text):
        f(x)
    y = (x * x).sum()
    assert np.array_equal(_core.sweep_reverse([y], [None], [x])[0][..., 0], 2 * MATRIX)
    del y
    after = _core.tape_stats()
    assert after["instructions"] == before["instructions"]
    assert after["handles"] == before["handles"]


FLOOR_DIVISIONS = {
    "//": lambda a, b: a // b,
    "floor_divide": np.floor_divide,
    "divmod": lambda a, b: divmod(a, b)[0],
    "np.divmod": lambda a, b: np.divmod(a, b)[0],
}


@pytest.mark.parametrize("name", FLOOR_DIVISIONS)
def test_floor_division_is_of_the_exact_quotient(name):
    """1.0 // 0.1 is 9, though 1.0 / 0.1 is rounded to 10."""
    f = FLOOR_DIVISIONS[name]
    x = np.array([1.0, 0.3, -0.3, 6.0, -1.0, 1.0, -1e-20, np.inf, 0.0, -0.0, 5.0])
    z = np.array([0.1, 0.1, 0.1, 0.1, np.inf, -np.inf, 1.0, 2.0, -3.0, 2.0, 0.0])
    with np.errstate(all="ignore"):
        expected = np.floor_divide(x, z)
        tracked = adcore.tensor(x, requires_grad=True), adcore.tensor(z, requires_grad=True)
        duals = [_core.Dual(_core.new_tag(), a, (np.ones(11),)) for a in (x, z)]
        for a, b in ((tracked[0], z), (x, tracked[1]), (adcore.tensor(x), z), tracked):
            np.testing.assert_array_equal(f(a, b).detach().numpy(), expected)
            assert np.array_equal(np.signbit(f(a, b).detach().numpy()), np.signbit(expected))
        for a, b in ((duals[0], z), (x, duals[1])):
            np.testing.assert_array_equal(f(a, b).value, expected)
    number = adcore.tensor(1.0, requires_grad=True)
    assert f(number, 0.1).item() == f(1.0, adcore.tensor(0.1, requires_grad=True)).item() == 9


@pytest.mark.parametrize("name", ["gcd.reduceat", "bitwise_or.reduce", "nextafter.accumulate"])
def test_reductions_without_a_rule_are_named(name):
    """On a constant tensor: NumPy 2.4 keeps the argument for good when these raise."""
    ufunc, method = name.split(".")
    more = ([0],) if method == "reduceat" else ()
    with pytest.raises(NotDifferentiableError, match=f"numpy.{ufunc} of a tensor has no"):
        getattr(getattr(np, ufunc), method)(adcore.tensor(MATRIX), *more)


def test_tensors_are_assigned_to_elements_of_constants():
    x = adcore.tensor([3.0, 4.0], requires_grad=True)
    for value in (adcore.tensor(5.0), x[1]):
        y = adcore.tensor([1.0, 2.0])
        with adcore.no_grad():
            y[0] = value
            y[1:] = y[:1]
        assert y.tolist() == [value.item()] * 2
