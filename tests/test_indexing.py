"""Indexing and item assignment in every NumPy form, against NumPy."""

import operator
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import adcore
from adcore import _core
from adcore.errors import NotDifferentiableError, ShapeError, TapeError

SHAPE = (3, 4, 2)
MASK = np.arange(24).reshape(SHAPE) % 5 == 1
KEYS = {
    "integer": 1,
    "tuples": ((0, 2, 0), (3, 1, 2), 1),
    "a tuple and a slice": (slice(None), (3, 0)),
    "negative": -2,
    "integers": (2, -1, 0),
    "numpy integer": np.int32(2),
    "numpy integers": (np.int64(1), np.uint8(3)),
    "slice": slice(1, None),
    "slices": (slice(None), slice(3, 0, -2), slice(None, 1)),
    "negative step": (slice(None, None, -1), 2),
    "beyond": slice(-10, 10, 2),
    "empty": slice(2, 1),
    "ellipsis": ...,
    "ellipsis first": (..., 1),
    "ellipsis last": (1, ...),
    "ellipsis middle": (0, ..., slice(None, None, 2)),
    "empty tuple": (),
    "newaxis": None,
    "newaxes": (None, slice(1), None, ..., None),
    "list": [0, 2, 0],
    "nested list": [[0, 1], [-1, 0]],
    "array": np.array([2, 0, 0, 1]),
    "array of two": np.array([[1, 2], [0, 0]]),
    "empty list": [],
    "arrays": (np.array([0, 2]), np.array([3, -1])),
    "arrays that broadcast": (np.array([[0], [2]]), np.array([1, 3])),
    "array and slice": (slice(1, None), np.array([3, 3, 0])),
    "arrays apart": (np.array([0, 1]), slice(None), np.array([1, 0])),
    "array and integer": (1, np.array([0, 2])),
    "array and newaxis": (None, np.array([0, 2]), ..., None),
    "array and ellipsis": (..., np.array([1, 0, 1])),
    "mask": MASK,
    "list mask": [True, False, True],
    "mask of the first": np.array([True, False, True]),
    "mask of two": MASK[:, :, 0],
    "mask and slice": (
        slice(None),
        MASK[0],
    ),
    "mask and integer": (1, np.array([True, False, True, True]), 0),
    "true": True,
    "false": False,
    "ix_": np.ix_([0, 2], [1, 3], [1]),
}
keys = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)


def array(shape=SHAPE, start=1.0):
    """Numbers from `start` on; a float for shape ()."""
    x = start + np.arange(np.prod(shape)).reshape(shape)
    return x if shape else float(x)


def weights(shape):
    return np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape)


def check_read(x, key):
    """Values, gradient and tangent of x[key]."""
    expected = x[key]
    w = weights(np.shape(expected))
    flat, (t,) = _core.lift([x])
    y = t[key]
    assert y.shape == np.shape(expected)
    assert np.array_equal(np.asarray(y.detach()), expected)
    gradient = np.zeros(x.shape)
    np.add.at(gradient, key, w)
    if y.requires_grad:
        got = _core.sweep_reverse([y], [w[..., None]], [t])[0][..., 0]
        np.testing.assert_allclose(got, gradient, rtol=1e-14)
        emitted = _core.emit_reverse([y * y], [w], [t])[0]
        np.testing.assert_allclose(np.asarray(emitted.detach()), 2 * x * gradient, rtol=1e-14)
        got = _core.sweep_forward([flat], [np.sin(x).reshape(-1, 1)], [y])[0][..., 0]
        assert np.array_equal(got, np.sin(x)[key])
    dual = _core.Dual(_core.new_tag(), x, (np.sin(x),))[key]
    assert np.array_equal(dual.value, expected)
    assert np.array_equal(dual.tangents[0], np.sin(x)[key])
    constant = adcore.tensor(x)[key]
    assert not constant.requires_grad
    assert np.array_equal(np.asarray(constant), expected)


@keys
def test_read(key):
    check_read(array(), key)


@keys
def test_read_of_a_view(key):
    """Of a transposed, reversed and stretched tensor, and of a list of slots."""
    x = array((2, 1, 3))
    _, (t,) = _core.lift([x])
    views = [
        lambda x: np.broadcast_to(x.T[:, ::-1], (3, 4, 2))[::-1] if x.shape[1] == 1 else x,
        lambda x: np.broadcast_to(x[::-1].reshape(6)[[3, 0, 5]].reshape(3, 1, 1), SHAPE),
    ]
    for view in views:
        expected = view(x)[key]
        y = view(t)[key]
        assert y.shape == np.shape(expected)
        assert np.array_equal(np.asarray(y.detach()), expected)
        if y.size:
            w = weights(y.shape)
            probe = np.zeros(x.shape)
            places = view(np.arange(6).reshape(x.shape))[key]
            np.add.at(probe.reshape(-1), places, w)
            got = _core.sweep_reverse([y], [w[..., None]], [t])[0][..., 0]
            np.testing.assert_allclose(got, probe, rtol=1e-13, atol=1e-15)


@given(st.data())
def test_read_of_any_index(data):
    shape = data.draw(hnp.array_shapes(max_dims=4, max_side=4))
    kind = data.draw(st.sampled_from(["basic", "advanced", "mask"]))
    if kind == "basic":
        key = data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    elif kind == "mask":
        key = data.draw(hnp.arrays(bool, shape))
    else:
        key = data.draw(hnp.integer_array_indices(shape))
    check_read(array(shape), key)


# ---- assignment ----


def check_write(x, key, value):
    """The derivative of an array after t[key] = value with respect to both."""
    before = x.copy()
    after = x.copy()
    after[key] = value
    flat, (t, v) = _core.lift([x, value])
    y = t * 1.0
    y[key] = v * 1.0
    assert y.shape == x.shape
    assert np.array_equal(np.asarray(y.detach()), after)
    assert np.array_equal(np.asarray(t.detach()), before)

    # Which of the two each element comes from, told by numbering them all.
    numbers = np.arange(x.size).reshape(x.shape)
    numbers[key] = x.size + np.arange(np.size(value)).reshape(np.shape(value))
    w = weights(x.shape)
    expected = np.zeros(x.size + np.size(value))
    np.add.at(expected, numbers, w)
    got = _core.sweep_reverse([y], [w[..., None]], [flat])[0][:, 0]
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-12)
    step = np.sin(np.arange(1.0, 1 + expected.size))
    got = _core.sweep_forward([flat], [step[:, None]], [y])[0][..., 0]
    assert np.array_equal(got, step[numbers])
    emitted = _core.emit_reverse([(y * y * w).sum()], [None], [flat])[0].detach().numpy()
    both = np.concatenate([x.ravel(), np.ravel(value)])
    np.testing.assert_allclose(emitted, 2 * both * expected, rtol=1e-12, atol=1e-10)


# With repeated positions NumPy leaves open which value wins.
UNIQUE = {
    n: k
    for n, k in KEYS.items()
    if n
    not in ("list", "nested list", "array", "array of two", "array and slice", "array and ellipsis")
}
writes = pytest.mark.parametrize("key", UNIQUE.values(), ids=UNIQUE)


@writes
def test_write(key):
    x = array()
    shape = x[key].shape
    check_write(x, key, array(shape, 100))


@writes
def test_write_a_number_or_a_row(key):
    x = array()
    check_write(x, key, 7.5)
    shape = x[key].shape
    if shape:
        check_write(x, key, array(shape[-1:], 100))
        if key is not MASK:  # NumPy refuses leading ones there
            check_write(x, key, array((1, 1, *shape), 100))


@writes
def test_write_into_constants(key):
    """A constant tensor becomes tracked by an assignment, a plain number leaves it constant."""
    x = array()
    y = adcore.tensor(x)
    y[key] = 3.0
    expected = x.copy()
    expected[key] = 3.0
    assert not y.requires_grad
    assert np.array_equal(y.numpy(), expected)
    flat, (v,) = _core.lift([2.5])
    y[key] = v * v
    expected[key] = 6.25
    assert np.array_equal(np.asarray(y.detach()), expected)
    if expected[key].size:
        gradient = _core.gradient((y * y).sum(), flat)
        assert gradient == pytest.approx(np.size(expected[key]) * 2 * 6.25 * 5)


@writes
def test_write_constants_into_constants(key):
    x = array()
    for value in (5.0, array(x[key].shape, 100)):
        y = adcore.tensor(x)
        y[key] = adcore.tensor(value)
        expected = x.copy()
        expected[key] = value
        assert not y.requires_grad
        assert np.array_equal(y.numpy(), expected)


@writes
def test_write_plain_values_into_tracked(key):
    x = array()
    for value in (5.0, 5, True, np.float64(5), np.full(x[key].shape, 5)):
        flat, (t,) = _core.lift([x])
        y = t * 1.0
        y[key] = value
        expected = x.copy()
        expected[key] = value
        assert np.array_equal(np.asarray(y.detach()), expected)
        kept = np.ones(x.shape)
        kept[key] = 0
        assert np.array_equal(_core.gradient(y.sum(), flat), kept.ravel())


@given(st.data())
def test_write_at_any_index(data):
    shape = data.draw(hnp.array_shapes(max_dims=3, max_side=4))
    if data.draw(st.booleans()):
        key = data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    else:
        key = data.draw(hnp.arrays(bool, shape))
    x = array(shape)
    check_write(x, key, array(np.shape(x[key]), 100))


def test_the_last_of_repeated_positions_wins():
    flat, (v,) = _core.lift([np.array([1.0, 2.0, 3.0])])
    y = adcore.tensor(np.zeros(2))
    y[[1, 0, 1]] = v
    assert y.tolist() == [2.0, 3.0]
    assert _core.gradient((y * np.array([10.0, 100.0])).sum(), flat).tolist() == [0, 10, 100]


def test_write_in_a_loop():
    """A recurrence written into an array, element by element, then row by row."""

    def f(x):
        y = np.zeros_like(x)
        y[0] = x[0]
        for i in range(1, len(x)):
            y[i] = y[i - 1] * 0.5 + np.sin(x[i])
        return (y * y).sum()

    def plain(x):
        y = np.zeros(x.shape, dtype=x.dtype)
        y[0] = x[0]
        for i in range(1, len(x)):
            y[i] = y[i - 1] * 0.5 + np.sin(x[i])
        return (y * y).sum()

    x = np.linspace(0.1, 2, 30)
    expected = [np.imag(plain(x + 1e-30j * e)) / 1e-30 for e in np.eye(30)]
    for transform in (adcore.grad, adcore.jacfwd, adcore.jacrev):
        np.testing.assert_allclose(transform(f)(x), expected, rtol=1e-13)
    hessian = adcore.hessian(f)(x)
    assert np.array_equal(hessian, hessian.T) or np.allclose(hessian, hessian.T, rtol=1e-13)
    np.testing.assert_allclose(adcore.jacfwd(adcore.grad(f))(x), hessian, rtol=1e-12, atol=1e-15)

    def rows(x):
        y = adcore.tensor(np.zeros((3, 4)))
        y[0] = x
        y[1] = y[0] ** 2
        y[2, ::2] = y[1, 1::2] * y[0, ::2]
        y[2, 1::2] += 3.0 * x[:2]
        return (y * np.arange(12.0).reshape(3, 4)).sum()

    def plain_rows(x):
        y = np.zeros((3, 4), dtype=complex)
        y[0] = x
        y[1] = y[0] ** 2
        y[2, ::2] = y[1, 1::2] * y[0, ::2]
        y[2, 1::2] += 3.0 * x[:2]
        return (y * np.arange(12.0).reshape(3, 4)).sum()

    x = np.array([0.3, -1.0, 2.0, 0.7])
    expected = [np.imag(plain_rows(x + 1e-30j * e)) / 1e-30 for e in np.eye(4)]
    for transform in (adcore.grad, adcore.jacfwd, adcore.jacrev):
        np.testing.assert_allclose(transform(rows)(x), expected, rtol=1e-13)


def test_many_writes_take_linear_time_and_room():
    """Each of 20 000 writes to one array adds an instruction or two, no copy of the array."""
    flat, (v,) = _core.lift([2.0])
    y = adcore.tensor(np.zeros(20_000))
    before = _core.tape_stats()
    for i in range(20_000):
        y[i] = v * float(i)
    after = _core.tape_stats()
    assert after["slots"] - before["slots"] <= 20_000
    assert after["bytes_in_use"] - before["bytes_in_use"] < 100 * 20_000
    assert _core.gradient(y.sum(), flat)[0] == sum(range(20_000))


def fastest(f, *args):
    """The least of three times that f(*args) takes."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        f(*args)
        times.append(time.perf_counter() - start)
    return min(times)


def fill_elements(y, x):
    for i in range(600):
        y[0, i % y.shape[1]] = x
        y[i % y.shape[0], 1:3] = x


def fill_rows(y, x):
    """What an integrator does: each row is computed from the last, by instructions that hold it."""
    y[0] = x
    for k in range(1, 600):
        y[k] = y[k - 1] * 0.5
        y[k] += y[k - 1, ::-1]


def read_pieces(y, x):
    y[0] = x
    for _ in range(600):
        y[0, :2]


@pytest.mark.parametrize("job", [fill_elements, fill_rows, read_pieces])
def test_a_write_costs_what_it_touches(job):
    """600 writes to an array of 600 rows, and of 400 000, into which the first of them turns it.

    Were the array walked or copied for each, the second would take more than 100 times as long.
    """
    _, (x,) = _core.lift([2.0])

    def on(n_rows):
        job(y[n_rows], x)

    y = {}
    for n in (600, 400_000):
        y[n] = adcore.tensor(np.zeros((n, 3)))
        y[n][0, 0] = x  # a list of its slots, made once
    assert fastest(on, 400_000) < 20 * fastest(on, 600)


def test_parts_of_an_array_that_is_filled():
    """Slices of what was assigned: one result's slots, several results', constants; all orders."""

    def f(x, zeros):
        y = zeros(x)
        for k in range(1, 5):
            y[k] = y[k - 1] * x[k] + y[k - 1, ::-1] * y[k, 0]
            y[k, 1:] += x[k] * x[:2]
            y[k, 0] = (y[k - 1 : k + 1, 1:] * y[k - 1 : k + 1, :2]).sum()
        return (y[1:, 0] * y[::2, 1].sum() + y[..., 2][::-1][:4]).sum()

    def start(x):
        y = np.zeros((5, 3), dtype=complex)
        y[0] = x[:3]
        return y

    def tracked(x):
        y = adcore.tensor(np.zeros((5, 3)))
        y[0] = x[:3]
        return y

    x = np.array([0.3, -1.0, 0.5, 0.7, 1.1])
    expected = [np.imag(f(x + 1e-30j * e, start)) / 1e-30 for e in np.eye(5)]
    for transform in (adcore.grad, adcore.jacrev):
        np.testing.assert_allclose(transform(lambda x: f(x, tracked))(x), expected, rtol=1e-13)
    hessian = adcore.hessian(lambda x: f(x, tracked))(x)
    gradient = adcore.grad(lambda x: f(x, tracked))
    np.testing.assert_allclose(adcore.jacrev(gradient)(x), hessian, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12, atol=1e-14)
    numeric = [(gradient(x + 1e-6 * e) - gradient(x - 1e-6 * e)) / 2e-6 for e in np.eye(5)]
    np.testing.assert_allclose(hessian, numeric, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("key", [(), ..., (None, ...), None, np.array(True)], ids=repr)
def test_write_into_an_array_without_dimensions(key):
    x = np.array(3.0)
    for value in (2.0, np.array([2.0])):
        shape = np.shape(x[key])
        if np.ndim(value) <= len(shape):
            check_write(x, key, value)
    y = adcore.tensor(3.0)
    y[key] = 2.0
    assert y.item() == 2
    y[key] += adcore.tensor(1.5, requires_grad=True) ** 2
    assert y.item() == 4.25
    assert y.requires_grad
    y[np.array(False)] = adcore.tensor(0.0, requires_grad=True)
    assert y.item() == 4.25


# ---- iteration, sequences ----


def test_iteration_and_len():
    flat, (x,) = _core.lift([array((3, 2))])
    assert len(x) == 3
    rows = list(x)
    assert [r.tolist() for r in rows] == [[1, 2], [3, 4], [5, 6]]
    a, b, c = x[:, 0]
    assert _core.gradient(a * b * c, flat).tolist() == [15, 0, 5, 0, 3, 0]
    assert 4.0 in x
    assert 9.0 not in x
    total = sum(v * v for v in x[:, 1])
    assert _core.gradient(total, flat).tolist() == [0, 4, 0, 8, 0, 12]
    with pytest.raises(TypeError, match="scalar"):
        len(a)
    with pytest.raises(TypeError, match="scalar"):
        iter(a)


# ---- errors ----


@pytest.mark.parametrize(
    ("key", "kind", "text"),
    [
        (3, IndexError, "index 3 is out of bounds for axis 0 with size 3"),
        (-4, IndexError, "index -4 is out of bounds for axis 0 with size 3"),
        ((0, 4), IndexError, "index 4 is out of bounds for axis 1 with size 4"),
        ((0, 0, 0, 0), IndexError, "too many indices"),
        ((..., ...), IndexError, "single ellipsis"),
        ([0, 5], IndexError, "5 is out of bounds"),
        (np.array([0.5]), IndexError, "integer"),
        ("a", IndexError, "integer"),
        (np.ones(5, dtype=bool), IndexError, "boolean index did not match"),
        (slice(0, 3, 0), ValueError, "slice step cannot be zero"),
    ],
)
def test_wrong_indices(key, kind, text):
    _, (x,) = _core.lift([array()])
    stats = _core.tape_stats()
    with pytest.raises(kind, match=text):
        x[key]
    y = x * 1.0
    with pytest.raises(kind, match=text):
        y[key] = 0.0
    assert np.array_equal(y.detach().numpy(), array())
    del y
    assert _core.tape_stats() == stats


def test_out_of_bounds_in_one_dimension():
    _, (x,) = _core.lift([array((4,))])
    for key in (4, -5, [0, 4], np.array([-5])):
        with pytest.raises(IndexError, match="out of bounds"):
            x[key]


def test_tracked_index():
    _, (x,) = _core.lift([array((4,))])
    with pytest.raises(NotDifferentiableError, match=r"index cannot be a tracked tensor.*detach"):
        x[x]
    assert x[adcore.tensor([1.0]).numpy().astype(int)].tolist() == [2.0]


def test_wrong_values():
    _, (x,) = _core.lift([array((3, 4))])
    y = x * 1.0
    with pytest.raises(ShapeError, match=r"shape \(3,\).*shape \(4,\)"):
        y[0] = np.zeros(3)
    with pytest.raises(TypeError, match="str"):
        y[0] = "a"
    with pytest.raises(TapeError, match=r"leaf.*clone\(\)"):
        adcore.tensor([1.0], requires_grad=True)[0] = 2.0
    with pytest.raises(IndexError, match="0-dimensional"):
        y.sum()[0] = 1.0
    with pytest.raises(ShapeError, match=r"shape \(2,\)"):
        y.sum()[...] = np.ones(2)
    assert np.array_equal(y.detach().numpy(), array((3, 4)))


def test_lift_takes_numpy_numbers_for_numbers():
    """np.float64 is no array, however much it looks like one."""
    flat, inputs = _core.lift([np.float64(0.5), np.array([1.0, np.nan]), np.float64(-0.0)])
    assert [t.shape for t in inputs] == [(), (2,), ()]
    assert np.array_equal(_core.peek(flat), [0.5, 1.0, np.nan, -0.0], equal_nan=True)
    for wrong in (1, [1.0], None, np.float32(1.0)):
        with pytest.raises(TypeError):
            _core.lift([0.5, wrong])


# ---- parts of what is in use ----


def scaled_rows(r):
    for row in r:
        row *= 2.0


# What NumPy does to the whole through a part of it would be lost here.
LOST = {
    "r[0][1] = y": lambda r: operator.setitem(r[0], 1, 5.0),
    "r.T[0] = y": lambda r: operator.setitem(r.T, 0, 5.0),
    "r.reshape(-1)[0] = y": lambda r: operator.setitem(r.reshape(-1), 0, 5.0),
    "np.ravel(r)[0] = y": lambda r: operator.setitem(np.ravel(r), 0, 5.0),
    "np.split(r)[0][0] = y": lambda r: operator.setitem(np.split(r, 3)[0], 0, 5.0),
    "r[1:][1:][0] = y": lambda r: operator.setitem(r[1:][1:], 0, 5.0),
    "a row of an iteration": scaled_rows,
    "a remainder": lambda r: operator.imod((part := r[0]), 2.0) is part,
    "a product of matrices": lambda r: operator.imatmul((part := r[0]), r) is part,
    "copyto": lambda r: np.copyto(r[0], 9.0),
    "put": lambda r: np.put(r[0], [1], 5.0),
    "out": lambda r: np.multiply(r[0], 2.0, out=r[0]),
    "at": lambda r: np.add.at(r[0], [0, 0], 1.0),
    "fill_diagonal": lambda r: np.fill_diagonal(r[:2, :2], 0.0),
}
RUNS = {
    "reverse": lambda f, x: adcore.value_and_grad(f)(x)[0],
    "forward": lambda f, x: adcore.jvp(f, (x,), (np.ones_like(x),))[0],
    "compiled": lambda f, x: adcore.compile(f)(x),
}


@pytest.mark.parametrize("way", RUNS)
@pytest.mark.parametrize("change", LOST)
def test_a_part_of_what_is_in_use_is_not_changed(change, way):
    def f(x):
        r = x * 1.0
        LOST[change](r)
        return (r * r).sum()

    with pytest.raises(TapeError, match=r"changed in place that is a part .*\.copy\(\)"):
        RUNS[way](f, array((3, 3)))


def of_a_name(r):
    part = r[1]
    part += 1.0


def test_a_part_with_a_name_is_not_changed_by_an_operator():
    r = adcore.tensor(array((3, 3)), requires_grad=True) * 1.0
    with pytest.raises(TapeError, match="a part of another one"):
        of_a_name(r)


def kept(r):
    r[1:] += r[:-1]
    r[0, 1:] *= 2.0
    r[:, 0] -= r[:, 1]
    return r


def own_rows(r):
    row = r[0].copy()
    row[1] = 5.0
    flat = r.flatten()
    flat[0] = 3.0
    picked = r[[0, 1]]
    picked[0] = 7.0
    return r * row + flat[:3] + picked.sum()


def renamed(r):
    r = r[1:].T
    r[0] = 2.0
    r *= 3.0
    r %= 4.0
    r @= r[:2] * 1.0
    return r


@pytest.mark.parametrize("way", RUNS)
@pytest.mark.parametrize("change", [kept, own_rows, renamed])
def test_parts_that_are_free_to_change(change, way):
    def f(x):
        return (change(x * 1.0) ** 2).sum()

    x = array((3, 3))
    assert float(RUNS[way](f, x)) == pytest.approx(float(f(x)), rel=1e-14)
