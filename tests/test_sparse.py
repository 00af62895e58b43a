"""Sparse Hessians and Jacobians: against dense ones, closed forms, and patterns known by hand."""

import threading
import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import hilbert

import adcore
import adcore.numpy as anp
import adcore.scipy.special as special
import adcore.scipy.stats as stats
from adcore.errors import NotDifferentiableError, ShapeError
from programs import matrix
from wild_programs import Drawn

RNG = np.random.default_rng(5)
ORDERS = np.array([[0.5], [1.5], [2.0]])


def rosenbrock(x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def rosenbrock_loop(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


def surface(x):
    """Area over a square grid: nine points."""
    m = int(np.sqrt(x.shape[0]))
    u = x.reshape(m, m)
    a, b, c, d = u[:-1, :-1], u[1:, :-1], u[:-1, 1:], u[1:, 1:]
    return np.sqrt(1.0 + ((a - d) ** 2 + (b - c) ** 2) * (m - 1) ** 2 / 2.0).sum()


def filled(x):
    """An array filled in a loop."""
    y = anp.zeros(x.shape[0]) * x
    for i in range(1, x.shape[0]):
        y[i] = x[i] * y[i - 1] + x[i - 1] if i % 3 else x[i] ** 2
    return (y**2).sum()


# name -> (function of a vector of nine elements, entries of the pattern row by row, or None)
BAND = [{j for j in range(i - 1, i + 2) if 0 <= j < 9} for i in range(9)]
ALL = set(range(9))
CASES = {
    "band": (rosenbrock, BAND),
    "band by a loop": (rosenbrock_loop, BAND),
    "diagonal": (lambda x: np.exp(x).sum(), [{i} for i in range(9)]),
    "reversed": (lambda x: (x * x[::-1]).sum(), [{8 - i} for i in range(9)]),
    "linear": (lambda x: 3.0 * x.sum() - x[2], [set()] * 9),
    "empty rows": (lambda x: x[3] * x[4] + x[5], [set()] * 3 + [{4}, {3}] + [set()] * 4),
    "arrow": (lambda x: (x[0] * x).sum() + (x**3).sum(), [ALL, *[{0, i} for i in range(1, 9)]]),
    "arrow from below": (
        lambda x: x[8] * np.sin(x[:8]).sum(),
        [*[{i, 8} for i in range(8)], set(range(8))],
    ),
    "dense": (lambda x: x.sum() ** 2, [ALL] * 9),
    "dense by a norm": (lambda x: np.linalg.norm(x), [ALL] * 9),
    "blocks": (
        lambda x: x[:3].prod() + np.exp(x[3:5].sum()) + x[6] * x[7],
        [{1, 2}, {0, 2}, {0, 1}, {3, 4}, {3, 4}, set(), {7}, {6}, set()],
    ),
    "cancels": (lambda x: x[0] * x[1] - x[1] * x[0] + x[2] ** 2, None),
    "select": (lambda x: (adcore.where(x > 0, x**2, x) * 2).sum(), [{i} for i in range(9)]),
    "kinks": (lambda x: (np.maximum(x, 0.0) + np.abs(x)).sum(), [set()] * 9),
    "fancy": (
        lambda x: (x[[0, 3, 3]] * x[[8, 4, 1]]).sum(),
        [{8}, {3}, set(), {1, 4}, {3}, set(), set(), set(), {0}],
    ),
    "banded matrix": (
        lambda x: ((np.eye(9, k=1) @ x) ** 2).sum(),
        [set(), *[{i} for i in range(1, 9)]],
    ),
    "powers": (lambda x: (x**1 + x[4] ** 2).sum(), [set()] * 4 + [{4}] + [set()] * 4),
    "surface": (surface, None),
    "filled": (filled, None),
    "running sums": (lambda x: (np.cumsum(x) ** 2)[3:].sum(), [ALL] * 9),
    "product": (lambda x: (x.reshape(3, 3) @ x.reshape(3, 3)).trace(), None),
    "solve": (
        lambda x: (np.linalg.solve(x.reshape(3, 3) + 9 * np.eye(3), np.ones(3)) ** 2).sum(),
        [ALL] * 9,
    ),
    "sort": (lambda x: (np.sort(x)[:3] ** 2).sum(), [ALL] * 9),
    "special function": (lambda x: special.jv(1, x * x).sum(), [{i} for i in range(9)]),
    "of parameters": (
        lambda x: special.betainc(x[:3] ** 2, x[3:6] ** 2, special.expit(x[6:]))[1:].sum(),
        [set(range(k % 3, 9, 3)) if k % 3 else set() for k in range(9)],
    ),
    "of one number": (
        lambda x: special.gammaincc(x[0] ** 2, x[1:] ** 2).sum(),
        [ALL, *[{0, i} for i in range(1, 9)]],
    ),
    "of a constant column": (
        lambda x: (special.jv(ORDERS, abs(x[:3]) + 1) * x[3:].reshape(2, 3)[:, None]).sum(),
        [*[{i, i + 3, i + 6} for i in range(3)], *[{i % 3} for i in range(3, 9)]],
    ),
    "tails": (lambda x: stats.t.sf(x[::-1], 2.5).sum(), [{i} for i in range(9)]),
    "two results": (
        lambda x: (special.fresnel(x)[0] * special.fresnel(x)[1][::-1]).sum(),
        [{i, 8 - i} for i in range(9)],
    ),
    "complex error function": (
        lambda x: special.erf(x[:4] + 1j * x[4:8]).imag.sum(),
        [*[{i, i + 4} for i in range(4)], *[{i, i + 4} for i in range(4)], set()],
    ),
    "a call of rows": (
        lambda x: (anp.interp(x[:3], np.arange(-4.0, 5.0), x) ** 2).sum(),
        None,
    ),
    "logsumexp": (lambda x: adcore.logsumexp(x[:4], 0) + x[8] ** 3, None),
}

# Rules in Python, of which the numbers of second derivatives are not to be had.
NO_EDGES = {
    *("solve", "sort", "special function", "of parameters", "of one number", "tails"),
    *("of a constant column", "two results", "complex error function", "a call of rows"),
}


def point(n=9):
    return RNG.normal(size=n) + 0.1


@pytest.mark.parametrize("name", CASES)
def test_patterns_and_values(name):
    f, rows = CASES[name]
    x = point()
    want = adcore.hessian(f)(x)
    compiled = adcore.compile(f)
    found = [adcore.sparse.hessian(f, method=m)(x) for m in ("auto", "colored", "dense")]
    if name not in NO_EDGES:
        found.insert(0, adcore.sparse.hessian(f, method="edges")(x))
    found += [compiled.hessian(x, sparse=True) for _ in range(2)]
    for h in found:
        assert isinstance(h, sparse.csr_array)
        assert h.shape == (9, 9)
        assert h.dtype == np.float64
        np.testing.assert_allclose(h.toarray(), want, rtol=1e-12, atol=1e-13)
    pattern = adcore.sparse.hessian_pattern(f)(x)
    assert pattern.dtype == bool
    assert (pattern != pattern.T).nnz == 0
    if rows is not None:
        got = [
            set(pattern.indices[a:b].tolist())
            for a, b in zip(pattern.indptr, pattern.indptr[1:], strict=False)
        ]
        assert got == rows
    outside = want[~pattern.toarray()]
    assert np.all(outside == 0)
    for h in found[-2:]:
        assert np.array_equal(h.indices, pattern.indices)
        assert np.array_equal(h.indptr, pattern.indptr)


@pytest.mark.parametrize(
    "f", [lambda x: special.jv(1, x).sum(), lambda x: stats.t.sf(x, 2.5).sum()], ids=["jv", "t.sf"]
)
def test_special_functions_of_many_numbers(f):
    x = np.linspace(0.5, 3.0, 2000)
    compiled = adcore.compile(f)
    for h in (adcore.sparse.hessian(f)(x), compiled.hessian(x, sparse=True)):
        assert h.nnz == 2000
        few = adcore.hessian(f)(x[:5])
        np.testing.assert_allclose(h[:5, :5].toarray(), few, rtol=1e-12, atol=1e-15)
    assert adcore.sparse.jacobian_pattern(lambda x: special.jv(1, x))(x).nnz == 2000


def test_patterns_of_a_saved_program(tmp_path):
    compiled = adcore.compile(lambda x: special.jv(1, x).sum())
    x = point()
    compiled(x)
    compiled.save(tmp_path / "f")
    h = adcore.load(tmp_path / "f").hessian(x, sparse=True)
    assert h.nnz == 9
    np.testing.assert_allclose(h.toarray(), compiled.hessian(x), rtol=1e-13)


def by_edges(compiled):
    """Programs of sparse Hessians, and how many edges each has, 0 in lanes."""
    programs = [p for k in compiled.summary().kinds for path in k.paths for p in path.programs]
    programs = [p for p in programs if "sparse_hessian" in p.name]
    return [p.edges[0] if p.edges else 0 for p in programs]


# What edges are pushed through as wholes, on 600 numbers: (function, edges between views).
PUSHED = {
    "slices": (lambda x: ((x[1:] - x[:-1] ** 2) ** 2).sum(), 3),
    "reversed": (lambda x: (x[::-2] * adcore.sin(x[::2])).sum(), 2),
    "grid": (lambda x: (np.exp(x.reshape(20, 30)[1:, :-2] * x.reshape(20, 30)[:-1, 2:])).sum(), 3),
    "turned": (lambda x: (np.square(x.reshape(20, 30)).T.reshape(600) * x).sum(), 2),
    "indices": (lambda x: np.exp(x[np.arange(600) ** 2 % 599] * x).sum(), 3),
    "one for all": (lambda x: (x[1:] * x[:1] ** 2).sum(), 2),
    "pieces": (lambda x: (np.concatenate([x[400:] ** 2, x[:300]])[:400] * x[1:401]).sum(), 3),
    "short sums": (lambda x: ((x**2).reshape(200, 3).sum(axis=1) ** 2).sum(), 7),
    "halves": (lambda x: np.maximum(x * x[::-1], 0.0).sum() + abs(x**3).sum(), None),
}


@pytest.mark.parametrize("name", PUSHED)
def test_compiled_by_edges(name):
    f, edges = PUSHED[name]
    c = adcore.compile(f)
    for x in (point(600), point(600)):
        want = adcore.hessian(f)(x)
        h = c.hessian(x, sparse=True)
        np.testing.assert_allclose(h.toarray(), want, rtol=1e-12, atol=1e-12)
        value, gradient, again = c.value_grad_and_hessian(x, sparse=True)
        np.testing.assert_allclose(value, f(x), rtol=1e-14)
        np.testing.assert_allclose(gradient, adcore.grad(f)(x), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(again.toarray(), want, rtol=1e-12, atol=1e-12)
        pattern = adcore.sparse.hessian_pattern(f)(x)
        assert np.array_equal(h.indices, pattern.indices)
        assert np.array_equal(h.indptr, pattern.indptr)
    found = by_edges(c)
    assert len(found) == 2
    assert min(found) > 0
    assert edges is None or found == [edges] * 2
    assert f"entries: by {found[0]} edges" in str(c.summary())


def test_where_edges_do_not_do():
    """Curvature of a sum of many, and of a product of matrices, is found in lanes."""
    a = RNG.normal(size=(60, 60))
    for f in (lambda x: x.sum() ** 2, lambda x: ((a @ x) ** 4).sum()):
        c, x = adcore.compile(f), point(60)
        np.testing.assert_allclose(
            c.hessian(x, sparse=True).toarray(), adcore.hessian(f)(x), rtol=1e-12, atol=1e-12
        )
        assert by_edges(c) == [0]
        assert "entries:" not in str(c.summary())


def test_points_where_weights_are_not_finite():
    """There lanes decide, as they did before there were edges; elsewhere edges do."""

    def f(x):
        y = np.where(x > 0.5, np.sqrt(x - 0.5), 0.0)
        return (y[1:] ** 2 * x[:-1]).sum() + (x**3).sum()

    def cubes(x):
        return (np.sqrt(x[1:]) ** 4 + x[1:] * x[:-1]).sum()

    for g in (f, cubes):
        c, good, bad = adcore.compile(g), RNG.uniform(0.6, 1.0, 60), RNG.uniform(0.6, 1.0, 60)
        bad[[3, 30]] = 0.0
        bad[4] = 0.2
        with np.errstate(all="ignore"):
            want = adcore.sparse.hessian(g, method="colored")(bad)
            for x in (good, bad, bad, bad, good, good, bad, good, good, good, good, good):
                h = c.hessian(x, sparse=True)
                found = want if x is bad else adcore.sparse.hessian(g, method="dense")(x)
                np.testing.assert_allclose(h.toarray(), found.toarray(), rtol=1e-11, atol=1e-12)
            _, _, h = c.value_grad_and_hessian(bad, sparse=True)
            np.testing.assert_allclose(h.toarray(), want.toarray(), rtol=1e-11, atol=1e-12)
        assert by_edges(c)[0] > 0


@pytest.mark.parametrize("part", range(4))
def test_random_programs(part):
    """All that the tape knows, where the dense Hessian is finite."""
    every, n_checked = (0, 1, 2, 3), 0
    for seed in range(10_000 + 150 * part, 10_150 + 150 * part):
        drawn = Drawn(seed)
        x = [np.array(p) if np.ndim(p) else float(p) for p in drawn.point]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                blocks = adcore.hessian(drawn.scalar, every)(*x)
            except (adcore.errors.ADError, TypeError, ValueError, IndexError):
                continue  # what NumPy or adcore refuse
            want = matrix(blocks, [np.size(p) for p in x])
            if not np.all(np.isfinite(want)):
                continue
            c = adcore.compile(drawn.scalar)
            got = c.hessian(*x, argnums=every, sparse=True).toarray()
            slopes = c.jacobian(*x, argnums=every, sparse=True).toarray()
            pattern = adcore.sparse.hessian_pattern(drawn.scalar, every)(*x).toarray()
            near = adcore.sparse.hessian_pattern(drawn.scalar, every, local=True)(*x).toarray()
            flat = np.concatenate([np.ravel(g) for g in adcore.grad(drawn.scalar, every)(*x)])
        n_checked += 1
        scale = 1e-8 * (1 + np.max(np.abs(want)))
        np.testing.assert_allclose(got, want, atol=scale, rtol=1e-8, err_msg=drawn.text)
        scale = 1e-9 * (1 + np.max(np.abs(flat)))
        np.testing.assert_allclose(slopes[0], flat, atol=scale, rtol=1e-9, err_msg=drawn.text)
        assert np.all((want == 0) | pattern), drawn.text
        assert np.all((want == 0) | near), drawn.text
        assert np.all(pattern | ~near), drawn.text
    assert n_checked > 50


# name -> (function, rows of the pattern of its Jacobian)
JACOBIANS = {
    "products": (lambda x: x[1:] * x[:-1], [{i, i + 1} for i in range(8)]),
    "sum": (lambda x: x.sum(), [ALL]),
    "more rows": (lambda x: np.concatenate([x, x[:1] * x[8]]), [*[{i} for i in range(9)], {0, 8}]),
    "tall": (lambda x: np.tile(x[:2] ** 2, 5), [{0}, {1}] * 5),
    "matrix": (lambda x: np.eye(9)[::-1] @ x, [{8 - i} for i in range(9)]),
    "dense column": (lambda x: x * x[3], [{i, 3} for i in range(9)]),
    "dense row": (lambda x: np.concatenate([x**2, [x.prod()]]), [*[{i} for i in range(9)], ALL]),
    "cumulative": (lambda x: np.cumsum(x), [set(range(i + 1)) for i in range(9)]),
    "constants": (lambda x: np.where(np.arange(9) > 4, x, 1.0), [set()] * 5 + [{5}, {6}, {7}, {8}]),
    "containers": (lambda x: {"a": x[:2], "b": (7.0, x[4])}, [{0}, {1}, set(), {4}]),
    "twice": (lambda x: (x[:2], x[:2]), [{0}, {1}, {0}, {1}]),
    "crossed": (
        lambda x: np.concatenate([x**2 * x[0], [np.exp(x).sum()]]),
        [*[{0, i} for i in range(9)], ALL],
    ),
    "crossed twice": (
        lambda x: {"a": x[4] * x * x[::-1], "b": (3.0, x.sum(), np.sin(x).prod() + x[2])},
        [*[{4, i, 8 - i} for i in range(9)], set(), ALL, ALL],
    ),
    "one entry": (lambda x: x[4:5] ** 2, [{4}]),
}


@pytest.mark.parametrize("name", JACOBIANS)
def test_jacobians(name):
    f, rows = JACOBIANS[name]
    x = point()
    dense = adcore.sparse.jacobian(f, method="dense")(x).toarray()
    compiled = adcore.compile(f)
    for j in (
        adcore.sparse.jacobian(f)(x),
        compiled.jacobian(x, sparse=True),
        compiled.jacobian(x, sparse=True),
        *[adcore.sparse.jacobian(f, method=m)(x) for m in ("columns", "rows", "bicolor")],
    ):
        assert isinstance(j, sparse.csr_array)
        np.testing.assert_allclose(j.toarray(), dense, rtol=1e-13, atol=1e-14)
    want = np.zeros((len(rows), 9), bool)
    for r, row in enumerate(rows):
        want[r, sorted(row)] = True
    assert np.array_equal(adcore.sparse.jacobian_pattern(f)(x).toarray(), want)
    leaves = adcore.jacobian(f)(x)
    if not isinstance(leaves, (dict, tuple)):
        np.testing.assert_allclose(dense, np.reshape(leaves, (-1, 9)), rtol=1e-14)


def test_the_way_to_a_jacobian_is_chosen_and_told():
    n = 200
    x = point(n)

    def way(f, method="auto"):
        j, how = adcore.sparse.jacobian(f, method=method, info=True)(x)
        want = np.reshape(adcore.jacobian(f)(x), (-1, n))
        np.testing.assert_allclose(j.toarray(), want, rtol=1e-13, atol=1e-300)
        return how.method, tuple(how.cost.values())

    band = lambda x: x[1:] * x[:-1]  # noqa: E731
    assert way(band) == ("columns", (2, 0))
    assert way(band, "rows") == ("rows", (0, 2))
    assert sum(way(band, "bicolor")[1]) == 2  # of one kind, as both would take no fewer
    assert way(lambda x: x[::2].prod()) == ("rows", (0, 1))
    crossed = lambda x: np.concatenate([x * x[0], [x @ x]])  # noqa: E731
    assert way(crossed) == ("bicolor", (2, 1))
    assert way(crossed, "columns") == ("columns", (n, 0))
    # one block of five that is full: a few more columns are cheaper than a second direction
    assert way(lambda x: np.concatenate([x[:5].sum() * x[:5], x[5:] ** 2]))[0] == "columns"
    assert way(band, "dense") == ("dense", ())
    assert adcore.sparse.jacobian(lambda x: np.ones(3), info=True)(x)[1].cost["rows"] == 0
    with pytest.raises(ValueError, match="bicolor"):
        adcore.sparse.jacobian(band, method="edges")


@pytest.mark.parametrize("seed", range(8))
def test_jacobians_of_random_patterns_by_every_way(seed):
    """Long rows and columns at random, several results and arguments, against plain dense sums."""
    rng = np.random.default_rng(seed)
    m, n = rng.integers(3, 40, 2)
    density = rng.random((m, 1)) ** 3 + rng.random((1, n)) ** 3
    a = np.where(rng.random((m, n)) < density / 2, rng.normal(size=(m, n)), 0.0)
    r, c = np.nonzero(a)
    cut, split = m // 2, n // 3

    def f(x, y):
        z = np.concatenate([x, y])
        rows = adcore.zeros(int(m)) * z[0]
        terms = a[r, c] * np.sin(z[c]) * z[(c + 1) % n]
        for i in range(m):
            rows[i] = terms[r == i].sum()
        return rows[:cut], (2.0 * rows[cut:],)

    x = rng.normal(size=n)
    parts = adcore.jacobian(lambda z: f(z[:split], z[split:]))(x)
    want = np.concatenate([parts[0], parts[1][0]])
    for method in ("auto", "columns", "rows", "bicolor"):
        got = adcore.sparse.jacobian(f, (0, 1), method)(x[:split], x[split:]).toarray()
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-14, err_msg=method)


def test_crossed_jacobian_of_many_variables():
    """A dense row and a dense column cost one direction each, not one for each element."""
    n = 10_000
    x = point(n)
    out = np.empty(3 * n)
    c = adcore.compile(lambda x: np.concatenate([x**2 + x[n // 2], [0.5 * (x @ x)]]))
    for _ in range(2):
        j = c.jacobian(x, sparse=True)
        assert j.nnz == 3 * n - 1
        diagonal = 2.0 * x
        diagonal[n // 2] += 1.0
        np.testing.assert_allclose(j.diagonal(), diagonal, rtol=1e-15)
        np.testing.assert_array_equal(j[[n]].toarray()[0], x)
        np.testing.assert_array_equal(np.delete(j[:n, [n // 2]].toarray(), n // 2), np.ones(n - 1))
        x = point(n)
    assert c.jacobian(x, sparse=True, out=out[:-1]).data.base is out


def test_the_way_is_chosen_and_told():
    """Small and dense Hessians densely, others by edges, and by colours where there are none."""

    def method(f, x):
        h, how = adcore.sparse.hessian(f, info=True)(x)
        np.testing.assert_allclose(h.toarray(), adcore.hessian(f)(x), rtol=1e-9, atol=1e-9)
        assert how.reason
        return how.method

    assert method(rosenbrock, point()) == "dense"
    assert method(rosenbrock, point(500)) == "edges"
    assert method(rosenbrock_loop, point(500)) == "edges"
    a = RNG.normal(size=(300, 200))
    assert method(lambda x: adcore.logaddexp(0.0, a @ x).sum(), point(200)) == "dense"
    b = np.eye(100) * 5
    assert method(lambda x: (np.linalg.solve(b + adcore.diag(x), b[0]) ** 2).sum(), point(100)) in (
        "colored",
        "dense",
    )
    norm = lambda x: (x**2).sum() + np.linalg.norm(x[:2] * 0.0) ** 2  # noqa: E731
    assert method(norm, point(300)) in ("edges", "colored")
    for m in ("dense", "colored", "edges"):
        assert adcore.sparse.hessian(rosenbrock, method=m, info=True)(point())[1].method == m


def test_large_stencils():
    """Closed forms where dense matrices would not fit."""
    n = 100_000
    x = point(n)
    c = adcore.compile(rosenbrock)
    h = c.hessian(x, sparse=True)
    assert h.nnz == 3 * n - 2
    diagonal = np.zeros(n)
    diagonal[:-1] = 1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0
    diagonal[1:] += 200.0
    np.testing.assert_allclose(h.diagonal(), diagonal, rtol=1e-13, atol=1e-10)
    np.testing.assert_allclose(h.diagonal(1), -400.0 * x[:-1], rtol=1e-14)
    np.testing.assert_allclose(h.diagonal(-1), -400.0 * x[:-1], rtol=1e-14)
    m = 120
    x = point(m * m)
    h = adcore.compile(surface).hessian(x, sparse=True)
    assert h.nnz == (3 * m - 2) ** 2 - 2 * 0
    assert abs(h - h.T).max() < 1e-10
    v = RNG.normal(size=m * m)
    np.testing.assert_allclose(h @ v, adcore.hvp(surface, (x,), (v,))[1], rtol=1e-9, atol=1e-9)


def test_arrowhead_of_many_variables():
    """A dense row costs one colour more, not one for each column."""
    n = 50_000
    x = point(n)
    h = adcore.compile(lambda x: x[0] * (x**2).sum()).hessian(x, sparse=True)
    assert h.nnz == 3 * n - 2
    np.testing.assert_allclose(h[[0], 1:].toarray()[0], 2 * x[1:], rtol=1e-14)
    np.testing.assert_allclose(h.diagonal()[1:], 2 * x[0], rtol=1e-14)


def test_index_arrays_are_shared_and_safe():
    c = adcore.compile(rosenbrock)
    x = point()
    first, second = c.hessian(x, sparse=True), c.hessian(x + 1, sparse=True)
    assert first.indices is second.indices
    assert first.indptr is second.indptr
    assert first.has_canonical_format
    assert first.has_sorted_indices
    want = second.toarray()
    for change in (
        lambda h: h.eliminate_zeros(),
        lambda h: h.indices.__setitem__(0, 1),
        lambda h: h.indptr.__setitem__(0, 1),
    ):
        with pytest.raises(ValueError, match="read-only"):
            change(c.hessian(x, sparse=True))
    c.hessian(x, sparse=True).setdiag(0.0)
    assert np.array_equal(c.hessian(x + 1, sparse=True).toarray(), want)
    solved = sparse.linalg.spsolve(second.tocsc() + sparse.eye_array(9) * 1e3, np.ones(9))
    assert np.allclose((want + 1e3 * np.eye(9)) @ solved, 1.0)


def test_out_takes_the_entries():
    c = adcore.compile(rosenbrock)
    x = point()
    want = c.hessian(x, sparse=True)
    out = np.empty(want.nnz)
    for _ in range(3):
        out[:] = np.nan
        h = c.hessian(x, sparse=True, out=out)
        assert h.data is out
        assert np.array_equal(out, want.data)
    value, gradient, h = c.value_grad_and_hessian(x, sparse=True, out=out)
    assert h.data is out
    assert np.isclose(value, c(x), rtol=1e-14)
    assert np.array_equal(gradient, c.grad(x))
    with pytest.raises((ShapeError, ValueError), match="shape"):
        c.hessian(x, sparse=True, out=np.empty(3))
    products = adcore.compile(lambda x: x[1:] * x[:-1])
    out = np.empty(16)
    assert products.jacobian(x, sparse=True, out=out).data is out


def test_several_arguments():
    def f(a, b, c):
        return (a * b[:3]).sum() + c["k"] * b[3] + c["m"].sum() ** 2

    args = (point(3), point(4), {"k": 2.5, "m": point(2)})
    every = (0, 1, 2)
    h = adcore.sparse.hessian(f, every)(*args)
    assert h.shape == (10, 10)

    def flat(v):
        return f(v[:3], v[3:7], {"k": v[7], "m": v[8:]})

    v = np.concatenate([args[0], args[1], [2.5], args[2]["m"]])
    v = np.concatenate([args[0], args[1], [args[2]["k"]], args[2]["m"]])
    np.testing.assert_allclose(h.toarray(), adcore.hessian(flat)(v), atol=1e-13)
    for argnums, part in ((0, slice(0, 3)), (1, slice(3, 7)), ((2,), slice(7, 10))):
        got = adcore.compile(f).hessian(*args, argnums=argnums, sparse=True)
        np.testing.assert_allclose(got.toarray(), h.toarray()[part, part], atol=1e-13)
    j = adcore.sparse.jacobian(f, every)(*args)
    np.testing.assert_allclose(j.toarray()[0], adcore.grad(flat)(v), atol=1e-13)


def test_branches_have_patterns_of_their_own():
    @adcore.compile
    def f(x):
        return (x**2).sum() if x[0] > 0 else x[0] * x[1]

    for _ in range(3):
        assert f.hessian(np.array([1.0, 2.0, 3.0]), sparse=True).nnz == 3
        h = f.hessian(np.array([-1.0, 2.0, 3.0]), sparse=True)
        assert h.nnz == 2
        assert h[0, 1] == 1.0


def test_local_patterns():
    def f(x):
        return (adcore.where(x > 0, x**2, x[::-1] * x) * 1.0).sum() + np.max(x) ** 2

    x = np.array([1.0, -2.0, 3.0, 0.5])
    whole = adcore.sparse.hessian_pattern(f)(x).toarray()
    here = adcore.sparse.hessian_pattern(f, local=True)(x).toarray()
    assert np.all(whole | ~here)
    assert here.sum() < whole.sum()
    assert np.all((adcore.hessian(f)(x) == 0) | here)
    assert here.sum() == 5  # squares of three, and a product across
    j = adcore.sparse.jacobian_pattern(lambda x: np.maximum(x[:2], x[2:]), local=True)(x)
    assert np.array_equal(j.toarray(), [[0, 0, 1, 0], [0, 0, 0, 1]])


def test_special_points_agree_with_dense():
    """Where norms, powers and branches are at their kinks."""
    x = np.array([0.0, -0.0, 1.0, 0.0, 2.0, 0.0, -1.0, 1.0, 1.0])
    for f in (
        lambda x: np.linalg.norm(x[:2]) ** 4 + (x**3).sum(),
        lambda x: (np.maximum(x, 0.0) ** 2 + np.abs(x) ** 3).sum(),
        lambda x: (x**2 * x[::-1]).sum() + x.prod(),
        lambda x: adcore.where(x > 0, np.sqrt(adcore.where(x > 0, x, 1.0)), 0.0).sum(),
    ):
        want = adcore.hessian(f)(x)
        np.testing.assert_array_equal(adcore.sparse.hessian(f)(x).toarray(), want)
    bare = adcore.sparse.hessian(lambda x: np.linalg.norm(x[:2]) + x[2] ** 2)(x).toarray()
    assert np.all(np.isnan(bare[:2, :2]))
    assert bare[2, 2] == 2.0


def test_constants_and_nothing():
    x = point(3)
    assert adcore.compile(lambda x: 3.0).hessian(x, sparse=True).nnz == 0
    value, gradient, h = adcore.compile(lambda x: 3.0).value_grad_and_hessian(x, sparse=True)
    assert value == 3.0
    assert np.array_equal(gradient, np.zeros(3))
    assert h.shape == (3, 3)
    assert adcore.sparse.jacobian(lambda x: (1.0, np.ones(2)))(x).shape == (3, 3)
    assert adcore.sparse.hessian(lambda x: x.sum())(np.empty(0)).shape == (0, 0)
    assert adcore.sparse.hessian_pattern(lambda x: 2.0)(x).nnz == 0


def test_errors():
    x = point(3)
    with pytest.raises(ShapeError, match="one real output"):
        adcore.sparse.hessian(lambda x: x)(x)
    with pytest.raises(ValueError, match="method must be one of"):
        adcore.sparse.hessian(rosenbrock, method="fast")
    with pytest.raises(TypeError, match="takes no memory"):
        adcore.hessian(rosenbrock, memory=10**6, sparse=True)
    compiled = adcore.compile(rosenbrock)
    with pytest.raises(NotDifferentiableError, match=r"take adcore\.hessian there"):
        adcore.grad(lambda x: adcore.sparse.hessian(rosenbrock)(x).sum())(x)
    with pytest.raises(NotDifferentiableError, match="pushed through linear algebra"):
        adcore.sparse.hessian(lambda x: np.linalg.det(x.reshape(1, 3).T * x), method="edges")(x)
    with pytest.raises(NotDifferentiableError, match="leave sparse=True out"):
        adcore.grad(lambda x: compiled.hessian(x, sparse=True).sum())(x)


def test_a_function_that_does_not_settle():
    calls = []

    @adcore.compile
    def f(x):
        calls.append(x[0].item())
        return (x**2).sum() * len(calls)

    def run(k):
        return f.hessian(np.array([float(k), 1.0]), sparse=True)

    with pytest.warns(RuntimeWarning, match="recorded anew at every call"):
        [run(k) for k in range(150)]
    for k in range(150, 160):
        h = run(k)
        assert h.shape == (2, 2)
        assert h[0, 0] == h[1, 1]
        assert h[0, 0] > 0


def test_threads_share_a_pattern():
    c = adcore.compile(rosenbrock)
    x = [point(50) for _ in range(8)]
    want = [adcore.hessian(rosenbrock)(v) for v in x]
    found = [None] * 8

    def run(k):
        for _ in range(50):
            found[k] = c.hessian(x[k], sparse=True)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for h, w in zip(found, want, strict=True):
        np.testing.assert_allclose(h.toarray(), w, rtol=1e-13, atol=1e-12)
    assert all(h.indices is found[0].indices for h in found)


def test_matrix_products():
    a = hilbert(6) * (np.add.outer(range(6), range(6)) % 2 == 0)
    x = point(6)
    h = adcore.sparse.hessian(lambda x: 0.5 * x @ (a @ x))(x)
    np.testing.assert_allclose(h.toarray(), a, rtol=1e-14, atol=1e-16)
