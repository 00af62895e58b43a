"""Compiled functions: arguments, results, guards, paths, and all that may happen inside of them."""

import collections
import dataclasses
import functools
import gc
import inspect
import resource
import sys
import tracemalloc
import warnings

import numpy as np
import pytest

import adcore
from adcore import errors


def paths(compiled):
    """The paths that are kept, for arguments of every kind."""
    return [path for kind in compiled._by_key.values() for path in kind.used]


def guards(compiled):
    """The guards of the first path of a function that was called with arguments of one kind."""
    (kind,) = compiled._by_key.values()
    return kind.root.program.guards


# ---- arguments and results ----

Point = collections.namedtuple("Point", "u v")


@dataclasses.dataclass
class Pair:
    u: object
    v: object


ARGUMENTS = {
    "float": (2.0,),
    "int": (3,),
    "numpy floats": (np.float64(2.0), np.float32(1.5)),
    "array": (np.arange(6.0).reshape(2, 3),),
    "float32": (np.array([0.1, 0.2], dtype=np.float32),),
    "integers": (np.array([1, 2]),),
    "no dimensions": (np.array(2.0),),
    "empty": (np.zeros((0, 3)),),
    "transposed": (np.arange(6.0).reshape(2, 3).T,),
    "strided": (np.arange(12.0).reshape(3, 4)[::2, 1:],),
    "backwards": (np.arange(4.0)[::-1],),
    "broadcast": (np.broadcast_to(np.arange(3.0), (2, 3)),),
    "list": ([1.0, 2.0, 3.0],),
    "list with an int": ([1.0, 2],),
    "tuple": ((1.0, 2.0),),
    "nested": ([1.0, (2.0, [np.ones(2), 4.0])],),
    "dict": ({"b": 2.0, "a": np.ones(3)},),
    "named tuple": (Point(2.0, np.ones(2)),),
    "dataclass": (Pair(2.0, [np.ones(2), 1.0]),),
    "several": (2.0, np.ones(2), [1.0, 2.0]),
    "constant tensor": (adcore.tensor([1.0, 2.0]),),
}


def total(*trees):
    """A number from all the numbers in nested containers."""
    out = 1.0
    for tree in trees:
        if isinstance(tree, dict):
            out = out + total(*tree.values()) * 3.0
        elif isinstance(tree, (list, tuple)):
            out = out + total(*tree) * 2.0
        elif isinstance(tree, Pair):
            out = out * total(tree.u, tree.v)
        else:
            out = out + (adcore.sin(tree).sum() if np.ndim(tree) else adcore.sin(tree) * tree)
    return out


def flat(tree):
    """The numbers in nested containers as one vector."""
    leaves, _ = adcore._trees.flatten(tree)
    return np.concatenate([np.ravel(np.asarray(v, dtype=float)) for v in leaves] or [np.zeros(0)])


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments(name):
    """Of every kind: the value, and derivatives in the structure of the argument."""
    args = ARGUMENTS[name]
    every = tuple(range(len(args)))
    compiled = adcore.compile(total)
    for _ in range(2):
        value = adcore.value_and_grad(total, every)(*args)[0]
        assert float(compiled(*args)) == pytest.approx(value, rel=1e-14)
        got = compiled.grad(*args, argnums=every)
        want = adcore.grad(total, every)(*args)
        assert repr(adcore._trees.flatten(got)[1].key()) == repr(
            adcore._trees.flatten(want)[1].key()
        )
        np.testing.assert_allclose(flat(got), flat(want), rtol=1e-14)
    assert len(paths(compiled)) == 2 - (name not in ("int", "integers", "list with an int"))


def test_everything_else_is_part_of_the_key():
    def f(x, n, flag=True, name="a", nothing=None, options=(1, "b")):
        y = x * n if flag else x + n
        return y * len(name) if nothing is None else y - options[0]

    compiled = adcore.compile(f)
    calls = [
        ((2.0, 3), {}),
        ((2.0, 4), {}),
        ((2.0, True), {}),
        ((2.0, 1), {}),
        ((2.0, 3, False), {}),
        ((2.0, 3), {"flag": False}),
        ((2.0,), {"n": 3, "name": "abc"}),
        ((2.0, 3, True, "a", 1, (5, "b")), {}),
        ((2.0, 3, True, "a", 1, (6, "b")), {}),
        ((2.0, 2.5), {}),
        ((2.0, np.int64(3)), {}),
    ]
    for args, kwargs in calls + calls:
        assert compiled(*args, **kwargs) == f(*args, **kwargs)
    assert compiled.grad(2.0, 3, argnums=1) == 2.0  # a number there
    assert compiled.grad(2.0, n=3) == 3.0


def test_shapes_are_part_of_the_key():
    compiled = adcore.compile(lambda x: (x * x).sum() * len(x))
    for shape in ((2,), (3,), (3, 1), (1, 3), (0,)):
        x = np.ones(shape)
        assert compiled(x) == x.sum() * len(x)
        np.testing.assert_array_equal(compiled.grad(x), 2 * x * len(x))


def test_results_that_do_not_vary():
    marker = object()

    def f(x):
        return x * 2, 3, "text", None, [1.5, np.arange(3)], True, x.shape, marker, {"k": (x[0], -1)}

    compiled = adcore.compile(f)
    for x in (np.ones(2), np.array([3.0, 4.0])):
        got, want = compiled(x), repr(f(x)).replace(repr(x[0]), repr(float(x[0])))
        assert repr(got) == want
        assert got[7] is marker
        value, tangent = compiled.jvp((x,), (np.ones(2),))
        assert repr(value) == want
        assert tangent[1] == 0.0
    constant = adcore.compile(lambda x: 2.5)
    assert constant(np.ones(2)) == 2.5
    assert constant.grad(np.ones(2)).tolist() == [0.0, 0.0]
    assert constant.value_and_grad(1.0) == (2.5, 0.0)
    assert constant.hvp((1.0,), (1.0,)) == (0.0, 0.0)
    assert constant.vjp(1.0)[1](1.0) == (0.0,)


def test_truths_as_results():
    def f(x):
        return x > 0, [x * 2, ~(x > 1) & (x < 2)], x[0] > 0

    compiled = adcore.compile(f)
    for x in ([1.0, -2.0], [-1.0, 2.0], [0.0, 0.5]):
        x = np.array(x)
        got, want = compiled(x), f(x)
        assert got[0].dtype == bool
        assert repr(got[:2]) == repr(want[:2])
        assert got[2] is bool(want[2])
        value, tangent = compiled.jvp((x,), (x,))
        assert value[0].tolist() == want[0].tolist()
        assert tangent[0].tolist() == [0, 0]
        assert compiled.jacobian(x)[0].tolist() == [[0, 0], [0, 0]]


def test_results_belong_to_the_caller():
    table = np.zeros(2)
    compiled = adcore.compile(lambda x: (x * 1.0, table, x))
    x = np.ones(2)
    for part in compiled(x):
        part[:] = 7.0
    assert x.tolist() == [1.0, 1.0]
    assert [part.tolist() for part in compiled(x)] == [[1, 1], [0, 0], [1, 1]]


def test_out_receives_a_derivative():
    compiled = adcore.compile(lambda x: (x**3).sum())
    x, out = np.array([1.0, 2.0]), np.empty(2)
    assert compiled.grad(x, out=out) is out
    assert out.tolist() == [3.0, 12.0]
    value, same = compiled.value_and_grad(x * 2, out=out)
    assert same is out
    assert value == 72.0
    assert out.tolist() == [12.0, 48.0]
    assert compiled.hvp((x,), (np.ones(2),), out=out)[1].tolist() == [6.0, 12.0]
    with pytest.raises(errors.ShapeError, match=r"out holds arrays of shapes \[\(3,\)\]"):
        compiled.grad(x, out=np.empty(3))


def test_out_takes_the_short_way_only_where_it_may():
    compiled = adcore.compile(lambda x: (x**3).sum())
    x = np.arange(300_000.0)
    derivative = 3 * x**2
    compiled.grad(x)
    for out in (
        np.empty(len(x)),
        np.empty(2 * len(x))[::2],
        np.empty(len(x), np.float32),
        np.empty(len(x), np.longdouble),
    ):
        assert compiled.grad(x, out=out) is out
        assert np.array_equal(out, derivative.astype(out.dtype))
        assert compiled.value_and_grad(x, out=out)[1] is out
    room = np.arange(-1.0, len(x))  # an output that the argument overlaps
    assert np.array_equal(compiled.grad(room[1:], out=room[:-1]), derivative)
    itself = x.copy()
    assert compiled.grad(itself, out=itself) is itself
    assert np.array_equal(itself, derivative)
    for bad, error in ((np.empty(3), errors.ShapeError), (x.tolist(), errors.ShapeError)):
        with pytest.raises((error, TypeError)):
            compiled.grad(x, out=bad)
    fixed = np.empty(len(x))
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        compiled.grad(x, out=fixed)
    assert np.array_equal(compiled.grad(x, out=None), derivative)


def test_memory_of_large_results_is_used_again_once_they_are_gone():
    compiled = adcore.compile(lambda x: (x**2).sum())
    x = np.arange(200_000.0)
    compiled.grad(x)
    kept = [compiled.grad(x + k) for k in range(10)]
    assert len({result.ctypes.data for result in kept}) == 10
    for k, result in enumerate(kept):
        assert np.array_equal(result, 2 * (x + k))
    assert kept[0].flags.owndata
    del result  # the last of them
    at = kept.pop().ctypes.data
    again = compiled.grad(x)
    assert again.ctypes.data == at
    again.resize(250_000, refcheck=False)
    assert np.array_equal(again[:200_000], 2 * x)
    assert not again[200_000:].any()


def test_long_stencils():
    # Longer than what caches hold, and no whole number of tiles; integers, so that sums are exact.
    def f(x):
        a, b, c, d = x[3:], x[2:-1], x[1:-2], x[:-3]
        return ((a - 2 * b + c * d) ** 2 + b * b * d).sum()

    n = 70_003
    rng = np.random.default_rng(4)
    x, v = rng.integers(-4, 5, (2, n)).astype(float)
    compiled = adcore.compile(f)
    assert np.array_equal(compiled.grad(x), adcore.grad(f)(x))
    gradient, product = compiled.hvp((x,), (v,))
    assert np.array_equal(gradient, adcore.grad(f)(x))
    assert np.array_equal(product, adcore.hvp(f, (x,), (v,))[1])


REFUSED = {
    "a set": (lambda f: f({1, 2}), TypeError, "called with a set"),
    "objects": (lambda f: f(np.array([1, None])), TypeError, "dtype object, which is neither"),
    "argnums": (lambda f: f.grad(1.0, argnums=1), TypeError, "asks for argument 1 of square"),
    "argnums twice": (lambda f: f.grad(1.0, argnums=(0, 0)), ValueError, "twice"),
    "a text": (lambda f: f.grad("a"), TypeError, "with respect to a str"),
    "an array": (lambda f: f.grad(np.ones(2)), ValueError, r"f.jacobian|square.jacobian"),
    "no numbers": (lambda f: f.grad([]), ValueError, "no numbers to differentiate"),
    "tangents": (lambda f: f.jvp((np.ones(2),), (np.ones(3),)), ValueError, r"\(3,\)"),
    "cotangents": (lambda f: f.vjp(np.ones(2))[1](np.ones(3)), ValueError, r"\(3,\)"),
    "dimensions": (lambda f: f(np.ones((1,) * 20)), ValueError, "at most 16 dimensions"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    call, kind, text = REFUSED[name]

    def square(x):
        return x * x

    with pytest.raises(kind, match=text):
        call(adcore.compile(square))


def test_not_a_function():
    with pytest.raises(TypeError, match="compile needs a function, got 3"):
        adcore.compile(3)


# ---- guards ----


def line_of(function, text):
    """The line of the source of a function that has `text` in it."""
    lines, start = inspect.getsourcelines(function)
    return start + next(i for i, line in enumerate(lines) if text in line)


def test_guards_name_file_line_and_function():
    def inner(x):
        return x * 2 if x > 1 else x  # truth

    def f(x):
        y = inner(x[0])
        z = x[x > 0].sum()  # mask
        w = x[1].item()  # value
        return y + z * w

    compiled = adcore.compile(f)
    compiled(np.array([1.5, 2.0]))
    found = [
        (kind, file, line, name.split(".")[-1]) for kind, file, line, name, _ in guards(compiled)
    ]
    assert found == [
        ("truth", __file__, line_of(inner, "# truth"), "inner"),
        ("mask", __file__, line_of(f, "# mask"), "f"),
        ("value", __file__, line_of(f, "# value"), "f"),
    ]
    assert [seen.tolist() for *_, seen in guards(compiled)] == [[1.0], [1.0, 1.0], [2.0]]


def test_data_flow_needs_no_guard():
    def f(x):
        y = np.where(x > 0, x * x, -x) + np.maximum(x, 0.5) + abs(x) + np.clip(x, -1, 1)
        return np.sort(y)[::-1] * np.sign(x) + (x > 0).sum() + np.isnan(x).sum()

    compiled = adcore.compile(f)
    for x in ([1.0, -2.0, 0.0], [-1.0, 0.5, np.nan], [3.0, 2.0, 1.0]):
        x = np.array(x)
        np.testing.assert_array_equal(compiled(x), f(x))
    assert guards(compiled) == []
    assert len(paths(compiled)) == 1


def test_each_way_is_recorded_once():
    recorded = []

    @adcore.compile
    def f(x):
        recorded.append(None)
        if x[0] > 0:
            return x[1] * 2 if x[1] > 0 else x[1] * 3
        return x[1] * 5 if x[1] > 0 else x[1] * 7

    for _ in range(5):
        for point, slope in (((1, 1), 2), ((1, -1), 3), ((-1, 1), 5), ((-1, -1), 7)):
            x = np.array(point, dtype=float)
            assert f(x) == slope * point[1]
            assert f.grad(x).tolist() == [0, slope]
    assert len(recorded) == 4
    assert len(paths(f)) == 4


def test_the_path_not_used_for_longest_goes_first():
    recorded = []

    @adcore.compile(max_paths=3)
    def f(x):
        k = int(x.item())
        recorded.append(k)
        return x * k

    def call(*numbers):
        recorded.clear()
        for k in numbers:
            assert f(float(k)) == k * k
        return recorded[:]

    assert call(1, 2, 3) == [1, 2, 3]
    assert call(1, 2, 3) == []
    assert call(4) == [4]  # 1 was not used for longest
    assert call(2, 3, 4) == []
    assert call(1) == [1]
    assert call(3, 4, 1) == []
    assert len(paths(f)) == 3


def test_a_chain_of_paths_lets_go_of_its_first():
    def f(x):
        n = 0
        while x > 1:
            x = x * 0.5
            n += 1
        return x * n

    compiled = adcore.compile(f, max_paths=4)
    numbers = [2.0**k - 0.5 for k in range(1, 20)]
    for x in numbers + numbers[::-1] + numbers[::3]:
        assert compiled(x) == f(x)
        assert compiled.grad(x) == adcore.grad(f)(x)
    assert len(paths(compiled)) <= 4


def unsettled(x):
    return x * x.item() if hasattr(x, "item") else x * x  # seen


def test_out_is_filled_where_python_runs_the_function():
    """Where a function does not settle; and what cannot be filled is an error."""

    def never(x):
        return (x * x).sum() * x[0].item()

    compiled, x = adcore.compile(never), np.array([1.0, 2.0])
    with pytest.warns(RuntimeWarning, match="recorded anew"):
        slopes = [compiled.grad(x + k) for k in range(200)]
    assert np.array_equal(slopes[3], adcore.grad(never)(x + 3))
    for name in ("grad", "value_and_grad", "hessian", "value_grad_and_hessian", "jacobian"):
        want = getattr(adcore, name)(never)(x)
        alone = not isinstance(want, tuple)
        out = np.full(np.shape(want if alone else want[-1]), np.nan)
        found = getattr(compiled, name)(x, out=out)
        assert (found if alone else found[-1]) is out
        np.testing.assert_allclose(out, want if alone else want[-1], rtol=1e-12, atol=1e-14)
    out = np.full(2, np.nan)
    assert compiled.hvp((x,), (np.ones(2),), out=out)[1] is out
    np.testing.assert_allclose(out, adcore.hvp(never, (x,), (np.ones(2),))[1], rtol=1e-12)
    with pytest.raises(TypeError):  # not left as it is without a word
        adcore.grad(lambda x: adcore.compile(np.sum).grad(x * x, out=np.zeros(2)).sum())(x)


def test_a_function_that_does_not_settle_is_run_by_python():
    compiled = adcore.compile(unsettled)
    line = line_of(unsettled, "# seen")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for k in range(400):
            x = 1.0 + k
            assert compiled(x) == x * x
            assert compiled.grad(x) == x
            assert compiled.jvp((x,), (2.0,)) == (x * x, 2 * x)
            assert compiled.vjp(x)[1](1.0) == (x,)
            assert adcore.grad(compiled)(x) == x
    assert len(caught) == 1
    text = str(caught[0].message)
    assert caught[0].category is RuntimeWarning
    assert f"{__file__}:{line} in unsettled" in text
    assert "a value taken out by item()" in text
    assert caught[0].filename == __file__


def test_a_function_that_is_not_the_same_twice_is_run_by_python():
    count = []

    def f(x):
        count.append(None)
        return x * 2 if x > len(count) else x * 3

    compiled = adcore.compile(f)
    assert compiled(1.5) == 3.0  # recorded with 1: a constant
    assert compiled(1.5) == 3.0


def test_paths_may_return_different_things():
    def f(x):
        if x[0] > 0:
            return (x * 1.0).sum()
        if x[0] < -1:
            return (x, "far")
        return x * x

    compiled = adcore.compile(f)
    far, near, up = np.array([-2.0, 1.0]), np.array([-0.5, 1.0]), np.array([1.0, 2.0])
    for x in (near, far, up, far, near, up):
        assert repr(compiled(x)) == repr(f(x)).replace("np.float64(3.0)", "3.0")
    for fresh in (compiled, adcore.compile(f)):
        fresh(near)
        assert fresh.grad(up).tolist() == [1, 1]
        assert fresh.vjp(up)[1](2.0)[0].tolist() == [2, 2]
        assert fresh.vjp(near)[1](np.ones(2))[0].tolist() == [-1, 2]
        assert fresh.hvp((up,), (up,))[1].tolist() == [0, 0]
        assert adcore.grad(fresh)(up).tolist() == [1, 1]
        with pytest.raises(errors.ShapeError, match="one real output"):
            fresh.grad(near)
        with pytest.raises(errors.ShapeError, match="returned a container"):
            fresh.grad(far)


# ---- masks ----

MASKS = {
    "and": lambda x: np.where((x > 0) & (x < 1), x * x, 0.0),
    "or": lambda x: np.where((x < 0) | (x == 1), x * x, 3.0),
    "not": lambda x: np.where(~(x > 0.5), x * x, 3.0),
    "xor": lambda x: np.where((x > 0) ^ (x > 1), x, 3.0),
    "logical": lambda x: np.where(np.logical_and(x > 0, np.logical_not(x > 1)), x, 2.0),
    "with an array": lambda x: np.where((x > 0) & np.array([True, False, True]), x, 2.0),
    "any": lambda x: x * 2 if (x > 1).any() else x,
    "all": lambda x: x * 2 if np.all(x > 0) else x,
    "any of an axis": lambda x: x * (x.reshape(1, 3) > 0).any(axis=0),
    "sum": lambda x: x * (x > 0).sum(),
    "mean": lambda x: x * np.mean(x > 0),
    "count": lambda x: x[: (x > 0).sum()],
    "range": lambda x: sum([x[i] * i for i in range((x > 0).sum())], 0.0 * x),
    "index": lambda x: x[x > 0],
    "index of others": lambda x: (x * 2)[np.abs(x) > 0.7],
    "nonzero": lambda x: x[np.nonzero(x > 0)[0]],
    "where alone": lambda x: x[np.where(x > 0)],
    "argwhere": lambda x: x[np.argwhere(x).ravel()],
    "compress": lambda x: np.compress(x > 0, x),
    "extract": lambda x: np.extract(x > 0, x),
    "isnan": lambda x: np.where(np.isnan(x), 0.0, x),
    "isfinite": lambda x: x[np.isfinite(x)],
    "isinf": lambda x: np.isinf(x).sum() + x,
    "signbit": lambda x: np.where(np.signbit(x), -x, x),
    "isclose": lambda x: np.where(np.isclose(x, 1.0), x * x, x),
    "arithmetic": lambda x: (x > 0) * x - 2.0 * (x < 0) + (x > 0) / 2,
    "astype": lambda x: (x > 0).astype(float) * x + (x > 0).astype(int),
    "loop": lambda x: sum([x[i] for i, up in enumerate(x > 0) if up], 0.0 * x[0]),
    "element": lambda x: x * 2 if (x > 0)[1] else x,
    "change": lambda x: changed(x, x > 0),
    "tests": lambda x: np.where((x > 0) == (x > 1), x, 2.0),
    "cumsum": lambda x: x * np.cumsum(x > 0),
    "argmax": lambda x: x * np.argmax(x > 0),
    "in": lambda x: x * 2 if 1.0 in x else x,
    "allclose": lambda x: x * 2 if np.allclose(x, np.abs(x)) else x,
    "array_equal": lambda x: x * 2 if np.array_equal(x, np.abs(x)) else x,
    "searchsorted": lambda x: x * np.searchsorted([-0.5, 0.5], x),
    "digitize": lambda x: x * np.digitize(x, [0.0, 1.0]),
    "argsort": lambda x: x[np.argsort(x)] * np.arange(3.0),
    "lexsort": lambda x: x[np.lexsort((x, np.abs(x)))],
    "unequal": lambda x: x[x != 1],
    "assignment": lambda x: assigned(x, x > 0, 5.0),
    "assignment of elements": lambda x: assigned(x, x > 0, x[x > 0] * 2),
    "assignment by where": lambda x: assigned(x, np.where(x > 0), 1.5),
    "maximum": lambda x: x[np.maximum(x, 0.5) > 0.5],
}


def assigned(x, key, value):
    y = np.copy(x)
    y[key] = value
    return y * y


def changed(x, mask):
    mask[0] = False
    mask &= x < 2
    mask[mask] = x[mask] > 0.6
    return np.where(mask, x * x, -x)


@pytest.mark.parametrize("name", MASKS)
def test_masks(name):
    """As NumPy has them, at other points than that of the recording."""
    f = MASKS[name]
    compiled, weighed = adcore.compile(f), adcore.compile(lambda x: (f(x) * f(x)).sum())
    for x in (
        [0.5, -1.0, 2.0],
        [-0.5, 1.0, 0.7],
        [1.0, 1.0, 1.0],
        [-1.0, -2.0, -0.0],
        [0.0, 3.0, -0.7],
        [0.5, -1.0, 2.0],
    ):
        x = np.array(x)
        got, want = compiled(x), f(x)
        assert np.shape(got) == np.shape(want)
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(
            weighed.grad(x), adcore.grad(lambda x: (f(x) * f(x)).sum())(x)
        )


def test_masks_with_nan_and_infinities():
    for name in ("isnan", "isfinite", "isinf", "signbit", "unequal", "index", "sum"):
        f = MASKS[name]
        compiled = adcore.compile(f)
        for x in ([np.nan, 1.0, np.inf], [1.0, 2.0, 3.0], [-np.inf, np.nan, -0.0]):
            with np.errstate(invalid="ignore"):
                np.testing.assert_array_equal(compiled(np.array(x)), f(np.array(x)))


# ---- what happens inside ----


def agrees(f, *calls):
    """f and its gradient, compiled, at arguments of each of the calls, twice."""
    compiled = adcore.compile(f)
    for args in calls + calls:
        np.testing.assert_array_equal(compiled(*args), f(*args))
        every = tuple(range(len(args)))
        got, want = compiled.grad(*args, argnums=every), adcore.grad(f, every)(*args)
        np.testing.assert_allclose(flat(got), flat(want), rtol=1e-13, atol=1e-14)
    return compiled


POINTS = (np.array([0.5, -1.5, 2.0]),), (np.array([-1.0, 2.5, 0.25]),)


def test_arrays_from_outside_are_copied_when_recorded():
    table = np.array([1.0, 2.0])
    compiled = adcore.compile(lambda x: (x * table).sum())
    x = np.ones(2)
    assert compiled(x) == 3.0
    table[:] = 10.0
    assert compiled(x) == 3.0
    assert compiled.grad(x).tolist() == [1.0, 2.0]


def test_tracked_tensors_from_outside_are_refused():
    outside = adcore.tensor([1.0, 2.0], requires_grad=True)
    for f in (
        lambda x: (x * outside).sum(),
        lambda x: outside,
        lambda x: x * outside[0].item(),
        lambda x: x if outside[0] > 0 else -x,
        lambda x: x[outside > 0],
        lambda x: x * outside.detach(),
        lambda x: np.sort(outside),
        lambda x: np.concatenate([x, outside]),
    ):
        with pytest.raises(errors.TapeError, match="make it an argument"):
            adcore.compile(f)(np.ones(2))
    with pytest.raises(errors.TapeError, match="make it an argument"):
        adcore.grad(lambda y: adcore.compile(lambda x: x * y)(2.0))(3.0)
    with pytest.raises(errors.NotDifferentiableError, match="argument of its own"):
        adcore.jvp(lambda y: adcore.compile(lambda x: x * y)(2.0), (3.0,), (1.0,))
    assert adcore.compile(lambda x: x * adcore.tensor(2.0))(3.0) == 6.0
    assert adcore.grad(lambda x: (x * x).sum())(np.ones(2)).tolist() == [2.0, 2.0]


def test_tensors_that_get_out_do_no_harm():
    kept = []

    def f(x):
        kept.extend([x, x * 2, x > 0, x[0]])
        return (x * x).sum()

    compiled = adcore.compile(f)
    x = np.array([1.0, -2.0])
    assert compiled(x) == 5.0
    assert compiled.grad(x).tolist() == [2.0, -4.0]
    tensors = [k for k in kept if isinstance(k, adcore.Tensor)]
    for t in tensors:
        assert "tensor(" in repr(t)
        assert t.detach().numpy().shape == t.shape
        for use in (
            lambda t: t + 1.0,
            lambda t: adcore.sin(t),
            lambda t: t.sum().backward(),
            lambda t: adcore.grad(lambda x: (x * t).sum())(np.ones(t.shape)),
        ):
            with pytest.raises(errors.TapeError, match="outlived"):
                use(t)
        with pytest.raises(errors.TapeError, match="make it an argument"):
            adcore.compile(lambda x, t=t: (x * t).sum())(x)
    mask = kept[2]
    assert x[mask].tolist() == [1.0]
    assert repr(mask) == "Mask([ True False])"
    kept.clear()
    del t, tensors, mask
    assert compiled(x) == 5.0


def test_errors_inside_leave_everything_usable():
    def f(x):
        if x[0] > 1:
            raise KeyError("too far")
        return (x * x).sum()

    compiled = adcore.compile(f)
    for _ in range(3):
        with pytest.raises(KeyError, match="too far"):
            compiled(np.array([2.0]))
        with pytest.raises(KeyError, match="too far"):
            compiled.grad(np.array([2.0]))
        assert compiled(np.array([0.5])) == 0.25
        assert compiled.grad(np.array([0.5])) == [1.0]
        x = adcore.tensor(3.0, requires_grad=True)
        (x * x).backward()
        assert x.grad.item() == 6.0
    assert not adcore._core.is_compiling()


INSIDE = {
    "no_grad": lambda x: (x * without(lambda: x * x)).sum(),
    "detach": lambda x: (x * x.detach() if hasattr(x, "detach") else x * x).sum(),
    "stop_gradient": lambda x: (x * adcore.stop_gradient(x * x)).sum(),
    "item": lambda x: x.sum() * x[0].item(),
    "numpy": lambda x: (x * plain(x)).sum(),
    "float of a detached": lambda x: x.sum() * float(plain(x)[0]),
    "tolist": lambda x: x.sum() * x.tolist()[1],
    "grad": lambda x: (adcore.grad(lambda y: (y**3).sum())(x) * x).sum(),
    "grad of a branch": lambda x: (adcore.grad(branch)(x) * x).sum(),
    "hessian": lambda x: adcore.hessian(lambda y: (y**3).sum() * y[0])(x).sum(),
    "jacfwd": lambda x: (adcore.jacfwd(lambda y: y * y[::-1])(x) @ x).sum(),
    "jacfwd of a branch": lambda x: (adcore.jacfwd(branch)(x) * x).sum(),
    "jacfwd of max": lambda x: (adcore.jacfwd(lambda y: np.max(y) ** 2)(x) * x).sum(),
    "jacfwd of sort": lambda x: (adcore.jacfwd(np.sort)(x) @ x**2 * x).sum(),
    "jvp": lambda x: adcore.jvp(lambda y: (y**3).sum(), (x,), (x * x,))[1],
    "vjp": lambda x: adcore.vjp(lambda y: y**3, x)[1](x)[0].sum(),
    "derivative": lambda x: adcore.derivative(lambda t: adcore.sin(t * t), 3)(x[0]),
    "generator": lambda x: sum(t * t for t in x if t > 0) + x[0],
    "fill": lambda x: filled(x).sum(),
    "deep": lambda x: deep(x[0], 30) + x[1],
    "logsumexp": lambda x: adcore.logsumexp(adcore.as_tensor(x), dim=0) + x[0],
    "softmax": lambda x: adcore.softmax(adcore.as_tensor(x), dim=0)[0] + x[0],
    "nested": lambda x: compiled_square(x).sum() * x[0],
    "derivative of nested": lambda x: (compiled_branch.grad(x) * x).sum(),
    "custom_vjp": lambda x: (cube(x) * x).sum(),
    "custom_jvp": lambda x: (fourth(x) * x).sum(),
    "primitive": lambda x: (sine(x) * x).sum(),
    "map": lambda x: adcore.stack(list(map(adcore.square, x))).sum(),
}


def without(f):
    with adcore.no_grad():
        return f()


def plain(x):
    return x.detach().numpy() if hasattr(x, "detach") else x


def branch(x):
    return (x * x).sum() * 2 if x[0] > 0 else x[1] ** 3 * x[0]


def filled(x):
    y = np.zeros_like(x)
    for i in range(len(x)):
        y[i] = x[i] * y[i - 1] + x[0]
    return y


def deep(x, n):
    return x if n == 0 or x > 2 else adcore.sin(deep(x * 1.1, n - 1))


compiled_square = adcore.compile(lambda x: x * x)
compiled_branch = adcore.compile(branch)


@adcore.custom_vjp
def cube(x):
    return x**3


cube.defvjp(lambda x: (x**3, x), lambda x, ct: (3.0 * x * x * ct,))


@adcore.custom_jvp
def fourth(x):
    return x**4


fourth.defjvp(lambda primals, tangents: (primals[0] ** 4, 4.0 * primals[0] ** 3 * tangents[0]))


@adcore.primitive
def sine(x):
    return np.sin(np.asarray(x))


sine.defvjp(lambda y, x: lambda ct: ct * adcore.cos(x))


@pytest.mark.parametrize("name", INSIDE)
def test_inside(name):
    agrees(INSIDE[name], *POINTS)


def test_print_inside(capsys):
    def f(x):
        print("running", x.shape)
        return (x * x).sum()

    compiled = adcore.compile(f)
    for point in POINTS:
        assert compiled(*point) == f(*point)
    assert capsys.readouterr().out.count("running") == 3  # two of f, one of the recording


def test_callables_of_every_kind():
    class Model:
        def __init__(self, weight):
            self.weight = weight

        @adcore.compile
        def energy(self, x):
            return self.weight * (x * x).sum()

        def __call__(self, x):
            return self.weight * x.sum()

    x = np.array([1.0, 2.0])
    two, three = Model(2.0), Model(3.0)
    assert (two.energy(x), three.energy(x), two.energy(x)) == (10.0, 15.0, 10.0)
    assert adcore.grad(two.energy)(x).tolist() == [4.0, 8.0]
    assert Model.energy(three, x) == 15.0
    assert adcore.compile(two)(x) == 6.0
    assert adcore.compile(two.energy).grad(x).tolist() == [4.0, 8.0]
    scaled = adcore.compile(functools.partial(lambda a, x: a * x.sum(), 3.0))
    assert scaled(x) == 9.0
    assert scaled.grad(x).tolist() == [3.0, 3.0]
    assert adcore.compile(adcore.norm)(np.array([3.0, 4.0])) == 5.0
    assert adcore.compile(np.sum).grad(x).tolist() == [1.0, 1.0]

    @adcore.compile
    def documented(x):
        """What it says."""
        return x

    assert documented.__doc__ == "What it says."
    assert documented.__name__ == "documented"
    documented(1.0)
    assert repr(documented) == "<compiled documented, 1 path>"


# ---- inside of transforms ----


def smooth(x):
    return adcore.exp(x[0] * x[1]) + (x[1] ** 3 * x[2] if x[2] > 0 else adcore.sin(x[2]) * x[0])


def nests():
    """Transforms of transforms: of what takes an array and returns a number."""
    g, v = adcore, np.array([0.3, -0.4, 0.5])
    return {
        "grad": g.grad,
        "value_and_grad": lambda f: lambda x: np.append(*g.value_and_grad(f)(x)),
        "jacfwd": g.jacfwd,
        "jacrev": g.jacrev,
        "jvp": lambda f: lambda x: g.jvp(f, (x,), (v,))[1],
        "vjp": lambda f: lambda x: g.vjp(f, x)[1](2.0)[0],
        "linearize": lambda f: lambda x: g.linearize(f, x)[1](v),
        "hessian": g.hessian,
        "hvp": lambda f: lambda x: g.hvp(f, (x,), (v,))[1],
        "jacfwd of jacrev": lambda f: g.jacfwd(g.jacrev(f)),
        "jacrev of jacfwd": lambda f: g.jacrev(g.jacfwd(f)),
        "jacrev of jacrev": lambda f: g.jacrev(g.jacrev(f)),
        "jacfwd of jacfwd": lambda f: g.jacfwd(g.jacfwd(f)),
        "third": lambda f: lambda x: g.third(f, x, v, v),
        "jvp of hessian": lambda f: lambda x: g.jvp(g.hessian(f), (x,), (v,))[1],
        "jacfwd of hessian": lambda f: g.jacfwd(g.hessian(f)),
        "taylor": lambda f: lambda x: g.taylor(f, x, v, 3),
        "grad of a sum": lambda f: g.grad(lambda x: f(x) * f(2.0 * x) + x[0]),
        "of rows": lambda f: lambda x: np.stack([g.grad(f)(row) for row in np.stack([x, -x])]),
    }


@pytest.mark.parametrize("name", nests())
def test_under_transforms(name):
    """A compiled function is a function; so is its compiled gradient."""
    transform, compiled = nests()[name], adcore.compile(smooth)
    for x in (np.array([0.3, -0.7, 1.1]), np.array([0.5, 0.2, -1.3])):
        want = transform(smooth)(x)
        np.testing.assert_allclose(transform(compiled)(x), want, rtol=1e-12, atol=1e-13)
        again = adcore.compile(lambda x: transform(smooth)(x))
        np.testing.assert_allclose(again(x), want, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(again(x), want, rtol=1e-12, atol=1e-13)


def test_derivatives_of_compiled_derivatives():
    compiled = adcore.compile(smooth)
    for x in (np.array([0.3, -0.7, 1.1]), np.array([0.5, 0.2, -1.3])):
        hessian = adcore.hessian(smooth)(x)
        third = adcore.jacfwd(adcore.hessian(smooth))(x)
        for transform in (adcore.jacfwd, adcore.jacrev):
            np.testing.assert_allclose(transform(compiled.grad)(x), hessian, rtol=1e-12)
            for outer in (adcore.jacfwd, adcore.jacrev):
                found = outer(transform(compiled.grad))(x)
                np.testing.assert_allclose(found, third, rtol=1e-11, atol=1e-12)


def test_backward_through_a_compiled_function():
    compiled = adcore.compile(smooth)
    for at in ([0.3, -0.7, 1.1], [0.5, 0.2, -1.3]):
        x = adcore.tensor(at, requires_grad=True)
        (compiled(x) * 2.0).backward()
        np.testing.assert_allclose(x.grad.numpy(), 2.0 * adcore.grad(smooth)(np.array(at)))
        (first,) = adcore.autograd.grad(compiled(x), x, create_graph=True)
        (second,) = adcore.autograd.grad(first.sum(), x)
        np.testing.assert_allclose(
            second.numpy(), adcore.hessian(smooth)(np.array(at)).sum(0), rtol=1e-12
        )
    with adcore.no_grad():
        assert not compiled(x).requires_grad


# ---- memory ----


def growth(work, times):
    """How many bytes of the process's memory `times` repetitions cost, and a tenth of Python's."""
    for _ in range(times // 4):
        work()
    gc.collect()
    before = resident()
    for _ in range(times):
        work()
    gc.collect()
    grown = resident() - before
    tracemalloc.start()
    for _ in range(times // 10):
        work()
    gc.collect()
    traced, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return traced, grown


def resident():
    """The memory of the process; the most that it ever was where the system tells no more."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def test_recordings_leave_no_memory_behind():
    x = np.linspace(-1, 1, 100)

    def work():
        compiled = adcore.compile(lambda x: (np.sort(x)[::2] * x[x > 0]).sum() + cube(x).sum())
        compiled(x)
        compiled.grad(x)
        compiled.hvp((x,), (x,))
        adcore.grad(compiled)(x)

    traced, grown = growth(work, 1000)
    assert traced < 30_000
    assert grown < 4_000_000


def test_replays_leave_no_memory_behind():
    compiled = adcore.compile(lambda x: (np.sort(x)[::2] * x[x > 0]).sum() + cube(x).sum())
    x = np.linspace(-1, 1, 100)

    def work():
        compiled(x)
        compiled.grad(x)
        compiled.jvp((x,), (x,))

    traced, grown = growth(work, 3000)
    assert traced < 20_000
    assert grown < 4_000_000


def test_paths_that_are_dropped_leave_no_memory_behind():
    compiled = adcore.compile(lambda x: x * int(x[0].item()), max_paths=4)
    compiled._by_key.clear()
    count = [0]

    def work():
        count[0] += 1
        for kind in compiled._by_key.values():
            kind.credit = kind.CREDIT
        assert compiled(np.full(50, float(count[0])))[1] == count[0] ** 2

    traced, grown = growth(work, 2000)
    assert traced < 30_000
    assert grown < 4_000_000
    assert len(paths(compiled)) == 4
