"""Compiled functions over the rows of a batch: each row as one call gives it, bit for bit."""

import os
import pty
import re
import sys
from typing import NamedTuple

import numpy as np
import pytest

import adcore
from adcore import _core, _map, _progress
from adcore.errors import ShapeError

METHODS = {
    "value": "__call__",
    "gradient": "grad",
    "value_and_gradient": "value_and_grad",
    "hessian": "hessian",
}


def same(a, b):
    """The same bits, any nan being as good as another."""
    return np.shape(a) == np.shape(b) and np.array_equal(
        np.nan_to_num(a, nan=1.25e300).view(np.int64), np.nan_to_num(b, nan=1.25e300).view(np.int64)
    )


def by_calls(compiled, rows, derivative):
    return np.array([getattr(compiled, METHODS[derivative])(row) for row in rows])


def smooth(x):
    u = x[0] * x[1] + np.sin(x[2])
    f = np.exp(-(u * u)) * np.sqrt(1.0 + x[0] * x[0])
    return f + np.log(1.0 + x[2] * x[2]) + x[0] / x[1] - np.arctan2(x[1], 2.0)


def arrays(x):
    y = np.tanh(x[:3]) * x[2:5]
    return np.sum(y * y[::-1]) + np.maximum(x, 0.1).max() + np.cumsum(x)[-2] + np.dot(x, x)


def norms(x):
    m = x[:4].reshape(2, 2)
    return np.linalg.norm(x) * np.sum(m @ m.T) + x[[3, 0, 3]].sum() * np.prod(x[1:3])


def long_sums(x):
    y = np.concatenate([x * k for k in range(1, 12)])
    return np.sum(y * y) + np.sum(np.outer(x, y), axis=1)[1] + np.mean(np.exp(-y))


FUNCTIONS = {"smooth": smooth, "arrays": arrays, "norms": norms, "long_sums": long_sums}


@pytest.mark.parametrize("n", [1, 2, 63, 65, 512, 1100])
@pytest.mark.parametrize("derivative", METHODS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_rows_have_the_bits_of_calls(rng, name, derivative, n):
    compiled = adcore.compile(FUNCTIONS[name])
    rows = rng.uniform(0.3, 1.5, (n, 6))
    got = compiled.map(rows, derivative=derivative)
    if derivative == "value_and_gradient":
        assert same(got[0], by_calls(compiled, rows, "value"))
        got, derivative = got[1], "gradient"
    assert same(got, by_calls(compiled, rows, derivative))


def test_the_functions_above_do_run_side_by_side():
    """What these tests are for: that they do not all run row by row."""
    for f in FUNCTIONS.values():
        compiled = adcore.compile(f)
        compiled.grad(np.ones(6))
        (paths,) = compiled._by_key.values()
        for program in (paths.root.program, paths.root.program.derived("grad", (0,))):
            assert _core.by_rows(program, (False,), False).lanes >= 32


OPS = [op for op in _core.OPS if not op.hidden and op.n_args < 3 and hasattr(adcore, op.name)]


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_ops_give_an_element_the_same_bits_wherever_it_stands(rng, op):
    """NumPy's SIMD loops too: else a row would depend on its place in the batch."""
    f = getattr(adcore, op.name)
    args = [
        np.concatenate([rng.uniform(0.01, 0.99, 200), rng.normal(size=200) * 10.0, HARD])
        for _ in range(op.n_args)
    ]
    for a in args:
        rng.shuffle(a)
    with np.errstate(all="ignore"):
        whole = f(*args)
        for start in (1, 2, 3, 5, 7, 8):
            assert same(f(*[a[start:] for a in args]), whole[start:])
            assert same(f(*[a[: start - 10] for a in args]), whole[: start - 10])
        assert same(np.array([f(*[a[i] for a in args]) for i in range(len(whole))]), whole)


HARD = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e22, -1e22, 1e300, 5e-324, 709.9, -745.2, 1e5, 1e9]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("block", [1, 7, 512, 100_000])
def test_the_same_for_any_threads_and_blocks(rng, monkeypatch, threads, block):
    compiled = adcore.compile(branching)
    rows = rng.normal(size=(3000, 3))
    rows[::97] *= 1e3
    expected = compiled.map(rows, derivative="value_and_gradient", threads=1)
    monkeypatch.setattr(_map._Pace, "FIRST", block)
    got = compiled.map(rows, derivative="value_and_gradient", threads=threads)
    assert same(got[0], expected[0])
    assert same(got[1], expected[1])


def test_a_row_does_not_depend_on_the_others(rng):
    compiled = adcore.compile(branching)
    rows = rng.normal(size=(700, 3))
    whole = compiled.map(rows, derivative="gradient")
    order = rng.permutation(700)
    assert same(compiled.map(rows[order], derivative="gradient"), whole[order])
    assert same(compiled.map(rows[123:456], derivative="gradient"), whole[123:456])
    rows[5] = np.nan
    assert same(np.delete(compiled.map(rows, derivative="gradient"), 5, 0), np.delete(whole, 5, 0))


# ---- rows on other paths ----


def branching(x):
    if x[0] > 0.0:
        y = np.sin(x[1]) * x[2]
    elif x[1] > 0.3:
        y = x[1] ** 3
    else:
        y = np.exp(-(x[2] ** 2))
    if x[2] * x[1] < 0.1:
        y = y * x[0]
    mask = x > 0.5
    return y + (x[mask] ** 2).sum()


@pytest.mark.parametrize("derivative", METHODS)
def test_rows_go_their_own_ways(rng, derivative):
    compiled = adcore.compile(branching)
    rows = rng.normal(size=(2000, 3))
    got = compiled.map(rows, derivative=derivative)
    if derivative == "value_and_gradient":
        assert same(got[0], np.array([branching(row) for row in rows]))
        got = got[1]
    expected = adcore.compile(branching)
    if derivative == "value":
        assert same(got, np.array([branching(row) for row in rows]))
    elif derivative == "hessian":
        assert same(got, by_calls(expected, rows, "hessian"))
    else:
        assert same(got, by_calls(expected, rows, "gradient"))
        exact = np.array([adcore.grad(branching)(row) for row in rows])
        np.testing.assert_allclose(got, exact, rtol=1e-12, atol=1e-14)


def random_program(rng):
    """A function of four numbers that branches at random places."""
    steps = [(rng.integers(8), rng.integers(100), rng.integers(100)) for _ in range(25)]

    def f(x):
        known = [x[0], x[1], x[2], x[3]]
        for kind, i, j in steps:
            a, b = known[i % len(known)], known[j % len(known)]
            if kind == 0:
                known.append(a * b)
            elif kind == 1:
                known.append(a + b)
            elif kind == 2:
                known.append(np.sin(a) - b)
            elif kind == 3:
                known.append(np.tanh(a))
            elif kind == 4:
                known.append(np.exp(-a * a))
            elif kind == 5:
                known.append(a / (1.0 + b * b))
            elif kind == 6:
                known.append(a if a > b else a * 0.5)
            else:
                known.append(np.maximum(a, b) if a < 0.7 else b)
        return sum(known[4:], known[0])

    return f


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed):
    rng = np.random.default_rng(seed)
    f = random_program(rng)
    rows = rng.normal(size=(300, 4))
    compiled, one = adcore.compile(f), adcore.compile(f)
    assert same(compiled.map(rows, threads=2), by_calls(one, rows, "value"))
    assert same(compiled.map(rows, derivative="gradient"), by_calls(one, rows, "gradient"))


def test_rows_of_which_some_have_no_derivative():
    compiled = adcore.compile(lambda x: x * x if x > 0.0 else 4.0)
    x = np.array([1.0, -1.0, 2.0, -3.0, 0.5])
    value, gradient = compiled.map(x, derivative="value_and_gradient")
    assert value.tolist() == [1.0, 4.0, 4.0, 4.0, 0.25]
    assert gradient.tolist() == [2.0, 0.0, 4.0, 0.0, 1.0]
    assert compiled.map(x[::-1], derivative="gradient").tolist() == [1.0, 0.0, 4.0, 0.0, 2.0]
    assert compiled.map(-abs(x), derivative="hessian").tolist() == [0.0] * 5


def test_a_function_that_does_not_settle_is_run_by_python(rng):
    compiled = adcore.compile(lambda x: x[0] * x[1].item())
    rows = rng.normal(size=(300, 2))
    with pytest.warns(RuntimeWarning, match="recorded anew at every call"):
        got = compiled.map(rows)
    assert same(got, rows[:, 0] * rows[:, 1])
    assert same(compiled.map(rows, derivative="gradient")[:, 0], rows[:, 1])
    assert compiled.map(rows[:0], derivative="gradient").shape == (0, 2)


def test_rows_whose_results_differ_in_shape():
    compiled = adcore.compile(lambda x: x[:2] if x[0] > 0.0 else x)
    with pytest.raises(ShapeError, match=r"row 1 .* another structure or shape"):
        compiled.map(np.array([[1.0, 2.0, 3.0], [-1.0, 2.0, 3.0]]))


# ---- arguments and results ----


def test_a_function_of_floats(rng):
    compiled = adcore.compile(lambda a, b: a * np.sin(b))
    a, b = rng.normal(size=(2, 100))
    assert same(compiled.map(a, b), a * np.sin(b))
    da, db = compiled.map(a, b, derivative="gradient", argnums=(0, 1))
    assert same(da, np.sin(b))
    assert same(db, np.cos(b) * a)
    (_, cross), (_, _) = compiled.map(a, b, derivative="hessian", argnums=(0, 1))
    assert same(cross, np.cos(b))


def test_shared_arguments(rng):
    def f(w, x):
        return np.tanh(x @ w) * w[0]

    compiled, w, x = adcore.compile(f), rng.normal(size=4), rng.normal(size=(90, 4))
    got = compiled.map(w, x, in_axes=(None, 0), derivative="gradient", argnums=(0, 1))
    expected = [compiled.grad(w, row, argnums=(0, 1)) for row in x]
    assert same(got[0], np.array([e[0] for e in expected]))
    assert same(got[1], np.array([e[1] for e in expected]))
    one = np.array([compiled(w, row) for row in x])
    assert same(compiled.map(w, x.T, in_axes=(None, 1)), one)
    assert same(compiled.map(w, x.T, in_axes=(None, -1)), one)


class Point(NamedTuple):
    x: object
    y: object


def test_containers(rng):
    def f(p, options):
        return {"sum": p.x + p.y.sum() * options["k"], "both": (p.x * p.y, 1.5)}

    compiled = adcore.compile(f)
    p = Point(rng.normal(size=80), rng.normal(size=(80, 3)))
    got = compiled.map(p, {"k": 3}, in_axes=(0, None))
    rows = [compiled(Point(float(x), y), {"k": 3}) for x, y in zip(*p, strict=True)]
    assert same(got["sum"], np.array([r["sum"] for r in rows]))
    assert same(got["both"][0], np.array([r["both"][0] for r in rows]))
    assert got["both"][1].tolist() == [1.5] * 80


def test_lists_of_floats(rng):
    compiled = adcore.compile(lambda p: p[0] * p[1] ** 2 + np.sin(p[2]))
    p = list(rng.normal(size=(3, 100)))
    got = compiled.map(p, derivative="gradient")
    rows = [[float(v) for v in row] for row in zip(*p, strict=True)]
    expected = np.array([compiled.grad(row) for row in rows])
    assert isinstance(got, list)
    assert same(np.stack(got, 1), expected)
    got = compiled.map(p, derivative="hessian")
    expected = np.array([compiled.hessian(row) for row in rows])
    assert same(np.moveaxis(np.array(got), 2, 0), expected)


@pytest.mark.parametrize("n", [10, 200])
def test_rows_lie_in_memory_in_any_way(rng, n):
    compiled = adcore.compile(arrays)
    rows = rng.normal(size=(n, 6))
    expected = compiled.map(rows, derivative="gradient")
    wide = np.zeros((2 * n, 13))
    wide[::2, 1::2] = rows
    bytes_apart = np.zeros(n, dtype=[("pad", "u1"), ("x", "f8", 6)])
    bytes_apart["x"] = rows
    for other in (
        np.asfortranarray(rows),
        wide[::2, 1::2],
        rows[::-1].copy()[::-1],
        rows[:, ::-1].copy()[:, ::-1],
        bytes_apart["x"],
        rows.astype(">f8"),
    ):
        assert same(compiled.map(other, derivative="gradient"), expected)
    cube = adcore.compile(lambda m: np.sum(m @ m) + m[0, 1])
    blocks = rng.normal(size=(n, 3, 3))
    expected = cube.map(blocks, derivative="gradient")
    assert same(cube.map(np.asfortranarray(blocks), derivative="gradient"), expected)
    assert same(expected, by_calls(cube, blocks, "gradient"))
    assert same(cube.map(np.moveaxis(blocks, 0, 2), in_axes=2, derivative="gradient"), expected)


def test_other_kinds_of_numbers(rng):
    compiled = adcore.compile(smooth)
    rows = rng.uniform(0.5, 1.5, (70, 3)).astype(np.float32)
    assert same(compiled.map(rows), compiled.map(rows.astype(float)))
    whole = np.arange(1, 211).reshape(70, 3)
    assert same(
        compiled.map(whole, derivative="gradient"),
        compiled.map(whole.astype(float), derivative="gradient"),
    )
    once = np.broadcast_to(rows[0], (70, 3))
    assert len(np.unique(compiled.map(once))) == 1


def test_no_rows():
    compiled = adcore.compile(smooth)
    assert compiled.map(np.empty((0, 3))).shape == (0,)
    assert compiled.map(np.empty((0, 3)), derivative="gradient").shape == (0, 3)
    assert compiled.map(np.empty((0, 3)), derivative="hessian").shape == (0, 3, 3)
    value, gradient = compiled.map(np.empty((0, 3)), derivative="value_and_gradient")
    assert value.shape == (0,)
    assert gradient.shape == (0, 3)


def test_long_rows_run_one_by_one(rng):
    """Programs of long vectors, large products and rules of the user's."""

    def f(x):
        return np.sum(np.sin(x) * x) + np.sum(x[:144].reshape(12, 12) @ x[:12])

    compiled = adcore.compile(f)
    rows = rng.normal(size=(70, 1000))
    for x in (rows, np.asfortranarray(rows)):
        got = compiled.map(x, derivative="gradient", threads=2)
        assert same(got, by_calls(compiled, rows, "gradient"))


def test_rules_of_the_users(rng):
    @adcore.custom_vjp
    def f(x):
        return np.sin(x)

    f.defvjp(lambda x: (np.sin(x), x), lambda x, ct: (ct * 3.0,))
    compiled = adcore.compile(lambda x: f(x[0]) * x[1])
    rows = rng.normal(size=(100, 2))
    assert same(compiled.map(rows, threads=2), by_calls(compiled, rows, "value"))
    got = compiled.map(rows, derivative="gradient", threads=2)
    assert same(got, by_calls(compiled, rows, "gradient"))


def test_out(rng):
    compiled = adcore.compile(branching)
    rows = rng.normal(size=(500, 3))
    expected = compiled.map(rows, derivative="gradient")
    for out in (np.empty((500, 3)), np.empty((3, 500)).T, np.empty((500, 3), np.float32)):
        assert compiled.map(rows, derivative="gradient", out=out) is out
        np.testing.assert_allclose(out, expected, rtol=1e-6)
    inside = rows.copy()
    compiled.map(inside, derivative="gradient", out=inside)
    assert same(inside, expected)
    with pytest.raises(ShapeError, match=r"out holds arrays of shapes \[\(500, 2\)\]"):
        compiled.map(rows, derivative="gradient", out=np.empty((500, 2)))
    out = (np.empty(500), np.empty((500, 3)))
    assert compiled.map(rows, derivative="value_and_gradient", out=out) is out
    assert same(out[1], expected)


def test_errors():
    compiled = adcore.compile(smooth)
    rows = np.ones((5, 3))
    with pytest.raises(ValueError, match="derivative='grad' is none of 'value'"):
        compiled.map(rows, derivative="grad")
    with pytest.raises(ValueError, match="threads=0"):
        compiled.map(rows, threads=0)
    with pytest.raises(ValueError, match="names 2 axes for 1 arguments"):
        compiled.map(rows, in_axes=(0, 0))
    with pytest.raises(ValueError, match="no argument with rows"):
        compiled.map(rows, in_axes=None)
    with pytest.raises(TypeError, match="an axis is an integer"):
        compiled.map(rows, in_axes="rows")
    with pytest.raises(ShapeError, match="2 dimensions, and no axis 2"):
        compiled.map(rows, in_axes=2)
    with pytest.raises(ShapeError, match="single number"):
        compiled.map(1.0)
    with pytest.raises(TypeError, match="rows of real numbers"):
        compiled.map(np.array(["a", "b"]))
    with pytest.raises(TypeError, match="tracked by a transform"):
        adcore.grad(lambda x: compiled.map(x).sum())(rows)
    with pytest.raises(TypeError, match="being compiled"):
        adcore.compile(lambda x: compiled.map(x))(rows)
    with pytest.raises(ShapeError, match="grad needs a function with one real output"):
        adcore.compile(lambda x: x * 2.0).map(rows, derivative="gradient")
    two = adcore.compile(lambda x, y: x + y)
    with pytest.raises(ShapeError, match=r"numbers of rows: 5 \(argument 0\) and 4 \(argument 1\)"):
        two.map(np.ones(5), np.ones(4))


def test_an_error_in_a_thread_is_raised():
    def fail(x):
        if failing[0] and np.ndim(x) == 0 and float(x) > 1.0:
            raise ArithmeticError("too large")
        return np.sin(x)

    failing = [False]
    f = adcore.custom_vjp(fail)
    f.defvjp(lambda x: (fail(x), x), lambda x, ct: (ct * np.cos(x),))
    compiled = adcore.compile(lambda x: f(x))
    compiled(0.5)
    failing[0] = True
    x = np.full(1000, 0.5)
    x[700] = 2.0
    for threads in (1, 3):
        with pytest.raises(ArithmeticError, match="too large"):
            compiled.map(x, threads=threads)


# ---- the progress bar ----


def drawn_on_a_terminal(monkeypatch, call):
    """What a call writes to standard error if that is a terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        call()
        terminal.write("END")
        terminal.flush()
        text = b""
        while not text.endswith(b"END"):
            text += os.read(ours, 65536)
        monkeypatch.undo()
    os.close(ours)
    return text.decode()


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_on_a_terminal(rng, monkeypatch, threads):
    compiled = adcore.compile(smooth)
    rows = rng.uniform(0.5, 1.5, (1_000_000, 3))

    def run(progress=None):
        compiled.map(rows, derivative="gradient", threads=threads, progress=progress)

    assert drawn_on_a_terminal(monkeypatch, run) == "END"  # not for a short run
    monkeypatch.setattr(_progress.Bar, "PATIENCE", 0.0)
    monkeypatch.setattr(_progress.Bar, "INTERVAL", 0.001)
    text = drawn_on_a_terminal(monkeypatch, run)
    bars = re.findall(r"\r\x1b\[Ksmooth \[(#*)(\.*)\] (\d+)/1000000", text)
    assert bars
    assert all(len(done) + len(left) == _progress.Bar.WIDTH for done, left, _ in bars)
    counts = [int(n) for _, _, n in bars]
    assert counts == sorted(counts)
    assert text.endswith("\r\x1b[KEND")  # it takes itself away


def test_progress_where_there_is_no_terminal(rng, capsys, monkeypatch):
    compiled = adcore.compile(smooth)
    rows = rng.uniform(0.5, 1.5, (5000, 3))
    compiled.map(rows, progress=True, threads=1)
    assert "smooth [" in capsys.readouterr().err
    monkeypatch.setattr(_progress.Bar, "PATIENCE", 0.0)
    compiled.map(rows, threads=1)
    compiled.map(rows, progress=False, threads=1)
    assert capsys.readouterr().err == ""


def test_threads_may_map_at_a_time(rng):
    from concurrent.futures import ThreadPoolExecutor

    compiled = adcore.compile(branching)
    rows = rng.normal(size=(4000, 3))
    expected = adcore.compile(branching).map(rows, derivative="gradient", threads=1)
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: compiled.map(rows, derivative="gradient"), range(8)):
            assert same(got, expected)
