"""Indices and counts in compiled functions: data, and guarded where Python looks at them."""

import warnings

import numpy as np
import pytest

import adcore
from adcore.errors import FormatError, NotDifferentiableError, NotRecordedError

RNG = np.random.default_rng(7)


def paths(compiled):
    return sum(len(kind.used) for kind in compiled._by_key.values())


def guards(compiled):
    return [g for kind in compiled._by_key.values() for g in kind.root.program.guards]


GRID = np.array([-1.0, 0.0, 1.0])
LEVELS = np.array([1.0, 2.0, 5.0, 7.0])

# Functions of x, shape (3, 4), that are one path whatever the order of its elements.
DATA_FLOW = {
    "sort": lambda x: np.sort(x) ** 2,
    "sort columns": lambda x: np.sort(x, axis=0) * x,
    "sort flat": lambda x: np.sort(x, axis=None),
    "index by order": lambda x: x[np.argsort(x[:, 0])] ** 2,
    "flat by order": lambda x: x.ravel()[np.argsort(x, axis=None)] * np.arange(12.0),
    "take_along_axis": lambda x: np.take_along_axis(x, np.argsort(x, 1), 1) * x,
    "take_along_axis 0": lambda x: np.take_along_axis(x**2, np.argsort(x, 0), 0),
    "take": lambda x: np.take(x, np.argsort(x[0]), axis=1) ** 2,
    "argmax": lambda x: x.ravel()[np.argmax(x)] ** 2,
    "argmin of rows": lambda x: x[np.arange(3), np.argmin(x, axis=1)] * x[:, 0],
    "argmax keepdims": lambda x: np.take_along_axis(x, np.argmax(x, 0, keepdims=True), 0),
    "two": lambda x: x[np.argsort(x[:, 0])[:, None], np.argsort(x[1])] * 2.0,
    "around": lambda x: x.reshape(3, 2, 2)[np.argsort(x[:3, 0]), :, np.argmax(x[0, :2])],
    "neighbours": lambda x: x.ravel()[np.argsort(x, None) // 2] * x.ravel()[np.argmax(x) % 5],
    "other array": lambda x: x[0] * adcore.take(LEVELS, np.searchsorted(GRID, x[0])),
    "weights": lambda x: (x * np.digitize(x, GRID)).sum(0),
    "ranks": lambda x: x.ravel() * np.argsort(np.argsort(x, None)),
    "count": lambda x: x.sum(0) / (1 + (x > 0).sum()),
    "count of rows": lambda x: x.sum(1) * np.count_nonzero(x > 0, axis=1),
    "median": lambda x: np.median(x, axis=0) * np.median(x),
    "quantile": lambda x: np.quantile(x, [0.1, 0.5], axis=1),
    "percentile": lambda x: np.percentile(x, 30) * x,
    "partition": lambda x: np.partition(x, 2, axis=1)[:, 2] ** 2,
    "bincount": lambda x: np.bincount(np.argmax(x, 0), x[1], minlength=3) * x[:, 1],
    "histogram": lambda x: np.histogram(x, [-9.0, -0.5, 0.3, 9.0], weights=x**2)[0],
}


@pytest.mark.parametrize("name", DATA_FLOW)
def test_data_flow(name):
    """One path for all orders: values of Python's bit for bit, derivatives of eager mode."""
    f = DATA_FLOW[name]
    compiled = adcore.compile(f)
    weight = RNG.normal(size=np.shape(f(RNG.normal(size=(3, 4)))))

    def number(x):
        return (f(x) * weight).sum()

    scalar = adcore.compile(number)
    for _ in range(6):
        x = RNG.normal(size=(3, 4))
        want = _plain(f, x)
        if name == "histogram":  # NumPy takes differences of running sums
            np.testing.assert_allclose(compiled(x), want, rtol=1e-14, atol=1e-14)
        else:
            assert np.array_equal(compiled(x), want)
        np.testing.assert_allclose(scalar.grad(x), adcore.grad(number)(x), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(
            compiled.jacobian(x), adcore.jacobian(f)(x), rtol=1e-12, atol=1e-13
        )
        np.testing.assert_allclose(
            scalar.hessian(x), adcore.hessian(number)(x), rtol=1e-10, atol=1e-11
        )
        v = RNG.normal(size=(3, 4))
        step = 1e-6
        slope = (_plain(f, x + step * v) - _plain(f, x - step * v)) / (2 * step)
        np.testing.assert_allclose(compiled.jvp((x,), (v,))[1], slope, rtol=1e-5, atol=1e-6)
    assert paths(compiled) == paths(scalar) == 1


def _plain(f, x):
    """The value without derivatives, by NumPy's functions where they know all that is used."""
    try:
        return f(x)
    except (TypeError, np.exceptions.AxisError):
        return np.asarray(f(adcore.tensor(x)).numpy())


def test_a_stable_order_with_nan_last():
    f = adcore.compile(lambda x: np.argsort(x))
    odd = [0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, 1.0, -1.0, 5e-324, -5e-324]
    for n in (0, 1, 2, 5, 63, 64, 65, 300):
        for _ in range(4):
            x = RNG.choice(odd, n)
            assert np.array_equal(f(x), np.argsort(x, kind="stable"))


@pytest.mark.parametrize("backend", [None, "c"])
def test_long_orders_are_stable_and_sorted_values_keep_their_bits(backend):
    f = adcore.compile(lambda x: (np.argsort(x), np.sort(x), np.median(x)), backend=backend)
    n = 3000
    rows = {
        "distinct": RNG.normal(size=n),
        "with ties": RNG.integers(-40, 40, n) / 8.0,
        "rising": np.arange(n) * 0.5,
        "falling": np.arange(n) * -0.5,
        "zeros of both signs": RNG.choice([0.0, -0.0, 1.0], n),
        "with nan of both signs": RNG.choice([np.nan, -np.nan, 2.0, np.inf, -np.inf, 3.0], n),
        "half of it nan": np.where(np.arange(n) % 2, RNG.normal(size=n), np.nan),
        "one": np.full(n, 7.0),
    }
    for name, x in rows.items():
        order, values, middle = f(x)
        want = np.argsort(x, kind="stable")
        assert np.array_equal(order, want), name
        assert values.tobytes() == x[want].tobytes(), name
        assert np.array_equal(middle, np.median(x), equal_nan=True), name


def test_the_first_of_equal_ones_and_nan_first_of_all():
    f = adcore.compile(lambda x: (np.argmax(x, 1), np.argmin(x, 1), x.argmax(), np.argmin(x)))
    for _ in range(20):
        x = RNG.choice([0.0, 1.0, 2.0, np.nan, np.inf], (3, 4), p=[0.3, 0.3, 0.3, 0.05, 0.05])
        want = np.argmax(x, 1), np.argmin(x, 1), x.argmax(), np.argmin(x)
        assert all(np.array_equal(a, b) for a, b in zip(f(x), want, strict=True))
    assert paths(f) == 1


# ---- types ----

RESULTS = {
    "order": lambda x: np.argsort(x),
    "place": lambda x: np.argmax(x),
    "mask": lambda x: x > 0.2,
    "count": lambda x: (x > 0).sum(),
    "counts": lambda x: np.bincount(np.digitize(x, GRID), minlength=4),
    "places": lambda x: np.searchsorted(GRID, x),
    "short": lambda x: np.digitize(x, GRID).astype(np.int16),
    "arithmetic": lambda x: 2 * np.argsort(x) - 1,
    "histogram": lambda x: np.histogram(x, [-2.0, 0.0, 2.0])[0],
    "finite": lambda x: np.isfinite(x),
    "tuple": lambda x: (x * 2, np.argsort(x), {"a": x > 0, "b": (x < 0).sum()}),
}


def same(a, b):
    if isinstance(a, tuple | dict):
        keys = a if isinstance(a, dict) else range(len(a))
        return len(a) == len(b) and all(same(a[k], b[k]) for k in keys)
    return np.asarray(a).dtype == np.asarray(b).dtype and np.array_equal(a, b)


@pytest.mark.parametrize("name", RESULTS)
def test_types_of_results_are_numpys(name, tmp_path):
    """In a compiled function, one that was saved and loaded, and one that was pickled."""
    f = RESULTS[name]
    compiled = adcore.compile(f)
    for _ in range(4):
        x = RNG.normal(size=5)
        assert same(compiled(x), f(x))
    assert paths(compiled) == 1
    compiled.save(tmp_path / "f")
    loaded = adcore.load(tmp_path / "f")
    for _ in range(4):
        x = RNG.normal(size=5)
        assert same(loaded(x), f(x))


# ---- where Python looks ----


def test_python_looks_at_a_number():
    def f(x):
        n = int((x > 0).sum())
        return x * n

    compiled = adcore.compile(f)
    for _ in range(3):
        for k in range(4):
            x = np.where(np.arange(3) < k, 1.0, -1.0) * RNG.uniform(1, 2, 3)
            assert np.array_equal(compiled(x), f(x))
    assert paths(compiled) == 4
    assert [g[0] for g in guards(compiled)] == ["value"]


def test_python_looks_at_the_truth_of_a_count():
    def f(x):
        count = (x > 0).sum()
        return x.sum() / count if count else x.sum() * 0.0

    compiled = adcore.compile(f)
    for x in ([1.0, 2.0, -1.0], [1.0, -2.0, -1.0], [-1.0, -1.0, -1.0], [3.0, 2.0, 1.0]):
        assert compiled(np.array(x)) == f(np.array(x))
    assert paths(compiled) == 2  # how many hold is not guarded


USES = {
    "range": lambda n, x: x * sum((x[i] for i in range(n)), 0.0),
    "index of a list": lambda n, x: x * [1.0, 2.0, 3.0, 4.0][n],
    "compared": lambda n, x: x * 2.0 if n == 2 else x,
    "ordered": lambda n, x: x * 2.0 if n >= 2 else x,
    "key of a dict": lambda n, x: x * {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}[n],
    "float": lambda n, x: x * float(n),
    "format": lambda n, x: x * float(f"{n}"),
    "shape": lambda n, x: np.ones(int(n)).sum() * x,
    "bits": lambda n, x: x * float(n & 1),
    "power": lambda n, x: x * 2.0**n + n**2,
    "numpy": lambda n, x: x * np.gcd(n, 6),
    "slice": lambda n, x: x[:n].sum() * x,
}


@pytest.mark.parametrize("use", USES)
def test_counts_act_as_integers(use):
    def f(x):
        return USES[use]((x > 0).sum(), x)

    compiled = adcore.compile(f)
    for k in (0, 1, 2, 3, 2, 1):
        x = np.where(np.arange(3) < k, 1.0, -1.0) * RNG.uniform(1, 2, 3)
        assert np.array_equal(compiled(x), f(x))
        weighed = adcore.grad(lambda y: (f(y) * [1.0, 2.0, 3.0]).sum())
        grad = adcore.compile(lambda y: (f(y) * [1.0, 2.0, 3.0]).sum()).grad(x)
        np.testing.assert_allclose(grad, weighed(x), rtol=1e-12)


def test_an_index_out_of_bounds_is_an_error():
    f = adcore.compile(lambda x: x[(x > 0).sum()])
    assert f(np.array([1.0, -2.0, 5.0])) == 5.0
    for _ in range(2):
        with pytest.raises(IndexError, match="out of bounds"):
            f(np.array([1.0, 2.0, 5.0]))
    assert f(np.array([-1.0, -2.0, 5.0])) == -2.0


def test_negative_indices_count_from_the_end():
    f = adcore.compile(lambda x: x[np.argsort(x) - 2])
    for _ in range(4):
        x = RNG.normal(size=5)
        assert np.array_equal(f(x), x[np.argsort(x) - 2])
    assert paths(f) == 1


def test_arrays_of_indices_are_looked_at_in_numpys_functions():
    def f(x):
        return x * len(np.unique(np.searchsorted(GRID, x)))

    compiled = adcore.compile(f)
    for _ in range(8):
        x = RNG.normal(size=3)
        assert np.array_equal(compiled(x), f(x))


def test_assignment_at_computed_indices():
    def f(x):
        y = np.zeros_like(x)
        y[np.argsort(x)] = x * 2.0
        return y

    compiled = adcore.compile(f)
    for _ in range(5):
        x = RNG.normal(size=3)
        assert np.array_equal(compiled(x), f(x))


def test_an_index_outlives_its_recording():
    kept = []

    def f(x):
        kept.append(np.argsort(x))
        return x.sum()

    adcore.compile(f)(np.array([2.0, 1.0]))
    assert np.asarray(kept[0]).tolist() == [1, 0]


def test_higher_derivatives_and_maps():
    def f(x):
        y = np.sort(x) ** 3
        return (y * np.arange(1.0, 5.0)).sum() * x[np.argmax(x)]

    compiled = adcore.compile(f)
    x = np.array([0.5, -1.0, 2.0, 1.0])
    v, w = RNG.normal(size=4), RNG.normal(size=4)
    third = adcore.jvp(lambda z: adcore.hvp(f, (z,), (v,)), (x,), (w,))[1]
    inner = adcore.compile(lambda z: adcore.hvp(f, (z,), (v,)))
    np.testing.assert_allclose(inner.jvp((x,), (w,))[1], third, rtol=1e-10)
    batch = RNG.normal(size=(20, 4))
    np.testing.assert_array_equal(compiled.map(batch), [compiled(row) for row in batch])
    np.testing.assert_array_equal(
        compiled.map(batch, derivative="gradient"), [compiled.grad(row) for row in batch]
    )


# ---- weights ----


def test_bincount_of_weights():
    places = np.array([3, 0, 3, 1, 0])

    def f(w):
        return np.bincount(places, weights=w, minlength=6) ** 2

    w = RNG.normal(size=5)
    want = np.zeros((6, 5))
    for j, place in enumerate(places):
        want[place, j] = 2.0 * np.bincount(places, w)[place]
    assert np.array_equal(f(w), np.bincount(places, weights=w, minlength=6) ** 2)
    compiled = adcore.compile(f)
    for jacobian in (adcore.jacobian(f), adcore.jacfwd(f), adcore.jacrev(f), compiled.jacobian):
        np.testing.assert_allclose(jacobian(w), want, rtol=1e-13)
    adcore.testing.check_grads(f, (w,), order=2)
    with pytest.raises(ValueError, match="weights of shape"):
        adcore.grad(lambda w: np.bincount([0, 1], weights=w).sum())(np.ones(3))
    with pytest.raises(ValueError, match="negative"):
        adcore.grad(lambda w: np.bincount([0, -1], weights=w).sum())(np.ones(2))


@pytest.mark.parametrize("bins", [3, "edges", "uneven"])
@pytest.mark.parametrize("density", [False, True])
def test_histogram_of_weights(bins, density):
    data = np.array([0.0, 0.1, 0.5, 1.0, 0.5, 2.0, np.nextafter(2.0, 0.0), 0.999, 3.0])
    span = (0.0, 2.0) if bins == 3 else None
    bins = {"edges": [0.0, 0.5, 1.0, 2.0], "uneven": [0.1, 0.2, 0.5, 3.0]}.get(bins, bins)

    def f(w, a=data):
        return np.histogram(a, bins, range=span, density=density, weights=w)[0]

    w = RNG.uniform(0.5, 1.5, len(data))
    compiled = adcore.compile(f)
    both = adcore.compile(lambda w, a: f(w, a))
    np.testing.assert_allclose(compiled(w), f(w), rtol=1e-14)
    np.testing.assert_allclose(both(w, data), f(w), rtol=1e-14)
    step = 1e-6
    want = np.stack(
        [(f(w + step * e) - f(w - step * e)) / (2 * step) for e in np.eye(len(data))], axis=-1
    )
    for jacobian in (adcore.jacobian(f)(w), compiled.jacobian(w), both.jacobian(w, data)):
        np.testing.assert_allclose(jacobian, want, rtol=1e-7, atol=1e-9)
    other = RNG.permutation(data)
    np.testing.assert_allclose(both(w, other), f(w, other), rtol=1e-14)
    assert paths(both) == 1


def test_histograms_of_data_that_varies():
    f = adcore.compile(lambda x: x * np.histogram(x, 3)[0])
    for _ in range(4):
        x = RNG.normal(size=3)
        assert np.array_equal(f(x), x * np.histogram(x, 3)[0])


# ---- quantiles ----


@pytest.mark.parametrize(
    "method", ["linear", "lower", "higher", "midpoint", "nearest", "weibull", "hazen"]
)
def test_quantiles_are_numpys(method):
    x = RNG.normal(size=(4, 7))
    x[1, 2] = np.nan
    for q in (0.0, 0.3, 0.5, 0.77, 1.0, [0.2, 0.9], [[0.1], [0.6]]):
        for axis in (None, 0, 1, (0, 1)):
            for keepdims in (False, True):
                got = np.quantile(adcore.tensor(x), q, axis=axis, method=method, keepdims=keepdims)
                want = np.quantile(x, q, axis=axis, method=method, keepdims=keepdims)
                np.testing.assert_array_equal(np.asarray(got), want)


def test_medians_are_numpys():
    for shape in ((1,), (4,), (3, 5), (2, 3, 4)):
        x = RNG.normal(size=shape)
        for axis in (None, -1, 0):
            got = np.median(adcore.tensor(x), axis=axis)
            np.testing.assert_array_equal(np.asarray(got), np.median(x, axis=axis))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(np.median(adcore.tensor(np.zeros(0))))
    with pytest.raises(NotDifferentiableError, match="with respect to q"):
        adcore.grad(lambda q: np.quantile(np.arange(3.0), adcore.ops.sin(q)))(0.5)
    with pytest.raises(ValueError, match="range from 0 to 100"):
        np.percentile(adcore.tensor([1.0]), 101)


# ---- saved ----


@pytest.mark.parametrize("name", DATA_FLOW)
def test_saved_and_derived_after_loading(name, tmp_path):
    f = DATA_FLOW[name]
    weight = RNG.normal(size=np.shape(f(RNG.normal(size=(3, 4)))))

    def number(x):
        return (f(x) * weight).sum()

    compiled = adcore.compile(number)
    compiled(RNG.normal(size=(3, 4)))
    compiled.save(tmp_path / "f")
    loaded = adcore.load(tmp_path / "f")
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "f").read_bytes()
    for _ in range(3):
        x = RNG.normal(size=(3, 4))
        assert loaded(x) == compiled(x)
        assert np.array_equal(loaded.grad(x), compiled.grad(x))
        assert np.array_equal(loaded.hessian(x), compiled.hessian(x))
    loaded.save(tmp_path / "woken")
    assert (tmp_path / "woken").read_bytes() == (tmp_path / "f").read_bytes()


def test_a_way_that_was_not_saved_is_named(tmp_path):
    compiled = adcore.compile(lambda x: x * int((x > 0).sum()))
    compiled(np.array([1.0, 2.0]))
    compiled.save(tmp_path / "f")
    with pytest.raises(NotRecordedError, match=r"test_compile_indices\.py:\d+ in"):
        adcore.load(tmp_path / "f")(np.array([1.0, -2.0]))


def test_what_a_file_cannot_hold_names_function_and_remedy(tmp_path):
    @adcore.primitive
    def mine(x):
        return x**2

    mine.defvjp(lambda y, x: lambda ct: ct * 2.0 * x)
    compiled = adcore.compile(lambda x: mine(x).sum())
    compiled(np.array([1.0, 2.0]))
    with pytest.raises(FormatError, match=r"test_compile_indices\.py:\d+ in .*mine.*pickle"):
        compiled.save(tmp_path / "f")
