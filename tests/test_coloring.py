"""Colourings: by their definitions, what is recovered, counts that are known, and what is refused.

test_color.c has more patterns and all orders; here definitions are written otherwise: two-coloured
parts are stars if every edge has an end of degree 1, and forests by their number of components.
"""

import itertools

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from adcore import errors
from adcore._coloring import METHODS, ORDERS, color

SYMMETRIC = ("star", "acyclic")


def random_pattern(rng, symmetric):
    """Sparse, with long, empty, and blocks of rows now and then."""
    m, n = rng.integers(0, 14, 2)
    m = n if symmetric else m
    a = rng.random((m, n)) < rng.choice([0.05, 0.15, 0.3, 0.7])
    if rng.random() < 0.3:
        a |= np.eye(m, n, dtype=bool)
    for lines in (a, a.T):
        for k in range(len(lines)):
            if rng.random() < 0.1:
                lines[k] = rng.random() < 0.5
    if rng.random() < 0.2:
        a[: m // 2, n // 2 :] = a[m // 2 :, : n // 2] = False
    return a | a.T if symmetric else a


def numbers(rng, pattern, symmetric):
    """Whole numbers, so that all sums are exact."""
    a = rng.integers(1, 1000, pattern.shape).astype(float)
    return (a + a.T if symmetric else a) * pattern


def columns_are_apart(a, colors):
    return all(len(set(colors[row])) == row.sum() for row in a)


def two_colored_parts(a, colors):
    """The graph of a symmetric pattern, between the vertices of any two colours."""
    graph = a & ~np.eye(len(a), dtype=bool)
    for pair in itertools.combinations(np.unique(colors), 2):
        at = np.flatnonzero(np.isin(colors, pair))
        yield graph[np.ix_(at, at)]


def is_proper(a, colors):
    r, c = np.nonzero(a & ~np.eye(len(a), dtype=bool))
    return not np.any(colors[r] == colors[c])


def is_star(a, colors):
    return is_proper(a, colors) and all(
        np.all(np.minimum.outer(part.sum(0), part.sum(0))[part] == 1)
        for part in two_colored_parts(a, colors)
    )


def is_acyclic(a, colors):
    return is_proper(a, colors) and all(
        part.sum() // 2 == len(part) - connected_components(sparse.csr_array(part))[0]
        for part in two_colored_parts(a, colors)
    )


def is_bicolored(a, colors):
    """Rows and columns in one graph, where those without colour are each of one of their own."""
    m, n = a.shape
    graph = np.zeros((m + n, m + n), bool)
    graph[:m, m:], graph[m:, :m] = a, a.T
    if np.any(graph[np.ix_(colors < 0, colors < 0)]):
        return False  # an entry that nothing reads
    if set(colors[:m][colors[:m] >= 0]) & set(colors[m:][colors[m:] >= 0]):
        return False
    around = [colors[graph[v]] for v in np.flatnonzero(colors < 0)]
    if any(len(set(near)) < len(near) for near in around):
        return False
    at = np.flatnonzero(colors >= 0)
    return is_star(graph[np.ix_(at, at)], colors[at])


DEFINITION = {
    "columns": columns_are_apart,
    "rows": lambda a, colors: columns_are_apart(a.T, colors),
    "bicolor": is_bicolored,
    "star": is_star,
    "acyclic": is_acyclic,
}


def recovered(coloring, a, as_sparse=False):
    seed = coloring.seed(sparse=as_sparse)
    a = sparse.csr_array(a) if as_sparse else a
    if coloring.method == "rows":
        return coloring.recover(seed.T @ a)
    if coloring.method == "bicolor":
        return coloring.recover((seed[0].T @ a, a @ seed[1]))
    return coloring.recover(a @ seed)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("method", METHODS)
def test_definition_and_recovery(method, order):
    rng = np.random.default_rng([METHODS.index(method), ORDERS.index(order)])
    for trial in range(200):
        pattern = random_pattern(rng, method in SYMMETRIC)
        a = numbers(rng, pattern, method in SYMMETRIC)
        coloring = color(pattern, method, order)
        colors = coloring.colors
        assert colors.dtype == np.int32
        assert set(colors[colors >= 0]) == set(range(coloring.n_colors))
        assert method == "bicolor" or np.all(colors >= 0)
        assert DEFINITION[method](pattern, colors)
        got = recovered(coloring, a, trial % 2)
        assert got.has_canonical_format
        assert got.nnz == pattern.sum()
        np.testing.assert_array_equal(got.toarray(), a)


def band(n, b):
    return sparse.diags_array([1.0] * (2 * b + 1), offsets=range(-b, b + 1), shape=(n, n))


def grid(k, nine):
    """The five-point or nine-point stencil of k by k points."""
    line, one = band(k, 1), sparse.eye_array(k)
    return sparse.kron(line, line) if nine else sparse.kron(line, one) + sparse.kron(one, line)


def arrow(n, at=0):
    a = sparse.eye_array(n, format="lil")
    a[at, :] = a[:, at] = 1
    return a


def cycle(n):
    return np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0)


def count(pattern, method, order="natural"):
    return color(pattern, method, order).n_colors


@pytest.mark.parametrize("b", [1, 2, 3, 5])
def test_bands(b):
    """2 b + 1 columns at least, by any row (Curtis, Powell, Reid 1974); b + 1 by substitution,
    for b + 1 neighbours in a row differ (Coleman and Cai 1986)."""
    a = band(60, b)
    assert count(a, "columns") == count(a, "rows") == count(a, "bicolor") == 2 * b + 1
    assert count(a, "acyclic") == b + 1
    assert count(a, "star") <= 2 * b + 1


def test_grids():
    """The least: five on the five-point grid, as stars (Fertin, Raspaud, Reed 2004); nine columns
    for nine points, each of which is in the row of the middle one."""
    assert count(grid(30, nine=False), "star") == 5
    assert count(grid(30, nine=True), "columns") == 9
    assert count(grid(30, nine=False), "acyclic") <= 4
    assert count(grid(30, nine=True), "acyclic") <= 6


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [3, 4, 5, 6, 7, 12, 31])
def test_known_graphs(n, order):
    whole = np.ones((n, n))
    assert all(count(whole, method, order) == n for method in METHODS)
    assert count(arrow(n), "star", order) == count(arrow(n), "acyclic", order) == 2
    assert count(arrow(n, n // 2), "star", order) == 2
    assert count(arrow(n), "columns", order) == n
    assert count(arrow(n), "bicolor", order) == 3
    assert count(cycle(n), "acyclic", order) >= 3
    assert count(cycle(n), "star", order) >= (4 if n == 5 else 3)
    # a tree: two colours are enough whatever the order
    parent = np.arange(1, n) // 2
    tree = np.zeros((n, n))
    tree[np.arange(1, n), parent] = tree[parent, np.arange(1, n)] = 1
    assert count(tree, "acyclic", "smallest-last") == 2


def test_kinds_are_ordered():
    """A star colouring is acyclic, and one of columns that share no row is a star colouring, where
    the diagonal is full (Gebremedhin, Manne, Pothen 2005, section 4)."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        pattern = random_pattern(rng, True)
        np.fill_diagonal(pattern, True)
        assert is_star(pattern, color(pattern, "columns").colors)
        assert is_acyclic(pattern, color(pattern, "star").colors)


def test_dense_rows_and_columns_take_few_colors():
    a = band(300, 1).tolil()
    for k in (0, 100, 299):
        a[k, :] = a[:, k] = 1
    assert count(a, "columns") == count(a, "rows") == 300
    assert count(a, "bicolor") <= 12
    assert count(a, "star") <= 8


def test_substitution_with_complex_numbers_and_rounding():
    rng = np.random.default_rng(3)
    pattern = grid(12, nine=True)
    a = sparse.csr_array(pattern.toarray() * rng.normal(size=pattern.shape))
    a = a + a.T + 1j * (a + a.T) ** 2
    coloring = color(pattern, "acyclic")
    np.testing.assert_allclose(recovered(coloring, a).toarray(), a.toarray(), atol=1e-13)
    assert coloring.recover((a @ coloring.seed()).real).dtype == float


def test_what_patterns_may_be():
    a = np.array([[1.0, 2.0, 0.0], [2.0, 0.0, 3.0], [0.0, 3.0, np.nan]])
    expected = color(a).colors
    for kind in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array, sparse.lil_array):
        assert np.array_equal(color(kind(a)).colors, expected)
    twice = sparse.coo_array((np.ones(4), ([0, 0, 1, 1], [1, 1, 0, 0])), (2, 2))
    assert color(twice).recover(np.array([[0.0, 2.0], [2.0, 0.0]])).nnz == 2
    stored_zero = sparse.csr_array((np.zeros(1), ([0], [0])), (1, 1))
    assert color(stored_zero).recover(np.ones((1, 1))).toarray() == 1
    given = sparse.csr_array(a)[:, [2, 1, 0]]
    before = given.indices.copy()
    color(given, "columns")
    assert np.array_equal(given.indices, before)


def test_results_do_not_share_their_arrays():
    coloring = color(np.eye(3))
    one = coloring.recover(np.ones((3, 1)))
    one.indices[:] = 0
    assert np.array_equal(coloring.recover(np.ones((3, 1))).toarray(), np.eye(3))
    with pytest.raises(ValueError, match="read-only"):
        coloring.colors[0] = 1


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"method must be one of columns.*not 'stars'"):
        color(np.eye(3), "stars")
    with pytest.raises(ValueError, match=r"order must be one of natural.*not 'random'"):
        color(np.eye(3), order="random")
    with pytest.raises(errors.ShapeError, match="1 dimensions"):
        color(np.ones(3))
    with pytest.raises(errors.ShapeError, match=r"square, not of shape \(2, 3\)"):
        color(np.ones((2, 3)), "acyclic")
    with pytest.raises(ValueError, match="not symmetric, as method='star'"):
        color(np.triu(np.ones((3, 3))))
    with pytest.raises(errors.ShapeError, match=r"shape \(3, 1\), not \(3, 2\)"):
        color(np.eye(3)).recover(np.ones((3, 2)))
    with pytest.raises(errors.ShapeError, match=r"shape \(3, 2\), not \(2, 3\)"):
        color(np.tri(3, 2), "columns").recover(np.ones((2, 3)))


def test_a_million_with_a_dense_row():
    """Time is that of the entries: this is done in about a second, not in hours."""
    n = 10**6
    ends = np.arange(1, n, dtype=np.int32)
    hub = np.zeros(n - 1, np.int32)
    rows, columns = np.concatenate([hub, ends, ends]), np.concatenate([ends, hub, ends])
    a = sparse.csr_array((np.arange(1.0, 3 * n - 2), (rows, columns)), (n, n))
    a = a + a.T
    coloring = color(a)
    assert coloring.n_colors == 2
    assert abs(recovered(coloring, a, as_sparse=True) - a).max() == 0
