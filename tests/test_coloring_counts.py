"""Colour counts against published ones: theorems on families of graphs, and ColPack's own output.

The tables of the papers are of matrices that are too large to be kept here.  What is compared are
the figures that they print, a matrix for which ColPack prints its counts, and the least numbers of
colours that are proved for grids, cycles, trees, complete bipartite graphs and hypercubes; the
smallest of these are proved once more, by trying all colourings.
"""

import itertools

import numpy as np
import pytest
from scipy import sparse

from adcore._coloring import ORDERS, color
from test_coloring import DEFINITION


def counts(pattern, method):
    """How many colours each order takes."""
    return {order: color(pattern, method, order).n_colors for order in ORDERS}


# ---- what is printed ----

# BCSSTK01 of the Harwell-Boeing collection (Duff, Grimes, Lewis 1989), a small building: entries
# below the diagonal, column by column; two of them are stored zeros.
BELOW = (
    "5,6,7,11,19,25,30;4,6,8,10,20,24,26;4,5,9,21,23,27,28;8,10,22,27,28;7,11,21,23,29;"
    "12,20,24,25,30;11,12,13,31,36;10,12,14,18,32;10,11,15,17,33,34;16,33,34;15,17,35;"
    "14,18,31,36;17,18,19,23,37,42,43,47,48;15,16,18,20,22,38,44,45,46;16,17,21,39,40,44,45,46;"
    "20,22,39,40,44,45,46;18,19,23,41,43,47,48;24,37,42,43,47,48;23,24,43,48;22,24,44;"
    "22,23,45,46;45,46;47;43,48;29,30,31,35;28,32,34;28,33;32,34;31,35;36;35,36,37;34,36,38,42;"
    "34,35,39,41;40;39,41;38,42;41,42,43,47;40,42,44,46;40,41,45;44,46;43,47;48;47,48;45,46;46;;"
    "48;;"
)


def bcsstk01():
    a = np.eye(48)
    for column, rows in enumerate(BELOW.split(";")[:48]):
        for row in filter(None, rows.split(",")):
            a[int(row) - 1, column] = a[column, int(row) - 1] = 1
    return a


@pytest.mark.parametrize(("method", "published"), [("columns", 15), ("star", 12), ("acyclic", 8)])
def test_counts_of_colpack(method, published):
    """ColPack's README prints the counts of this matrix, which are those of the natural order."""
    a = bcsstk01()
    assert np.count_nonzero(a) == 2 * 224 - 48
    found = counts(a, method)
    assert found["natural"] == published
    assert min(found.values()) <= published


def symmetric(n, edges):
    a = np.eye(n)
    for i, j in edges:
        a[i - 1, j - 1] = a[j - 1, i - 1] = 1
    return a


def test_figures_of_the_papers():
    """Gebremedhin, Manne, Pothen 2005, figure 4.1: a star colouring of 3.  Gebremedhin, Tarafdar,
    Pothen, Walther 2009, figures 1 and 4: a star colouring of 5 and an acyclic one of 3."""
    a = symmetric(6, [(1, 2), (2, 3), (2, 5), (2, 6), (3, 4), (4, 6)])
    assert min(counts(a, "star").values()) == 3
    edges = [(1, 2), (1, 7), (2, 3), (2, 5), (3, 4), (3, 6), (4, 10), (5, 6), (5, 8), (6, 9)]
    a = symmetric(10, [*edges, (7, 8), (8, 9), (9, 10)])
    assert max(counts(a, "star").values()) <= 5
    assert set(counts(a, "acyclic").values()) == {3}


# ---- what is proved ----


def path(n):
    return np.eye(n, k=1) + np.eye(n, k=-1)


def cycle(n):
    return np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0)


def complete(m, n):
    a = np.zeros((m + n, m + n))
    a[:m, m:] = a[m:, :m] = 1
    return a


def grid(*sizes):
    """Points of a box, neighbours along its axes; sparse, without stored zeros."""
    a = sparse.coo_array((1, 1))
    for n in sizes:
        one, line = sparse.eye_array(a.shape[0]), sparse.coo_array(path(n))
        a = sparse.kron(a, sparse.eye_array(n), "coo") + sparse.kron(one, line, "coo")
    return a


def cube(d):
    return grid(*[2] * d)


def tree(n):
    rng = np.random.default_rng(n)
    return symmetric(n, [(i, rng.integers(1, i)) for i in range(2, n + 1)]) - np.eye(n)


# name -> (pattern, method, least number of colours, most that any order takes)
# Stars: Fertin, Raspaud, Reed, J. Graph Theory 47 (2004); acyclic: Fertin, Godard, Raspaud, Inform.
# Process. Lett. 87 (2003); columns are vertices no two neighbours of which are alike: the latter of
# grids, and of cubes, by Hamming codes, Wan, J. Comb. Optim. 1 (1997).
STARS = {
    **{f"path of {n}": (path(n), "star", 3, 3) for n in (4, 9, 40)},
    **{f"cycle of {n}": (cycle(n), "star", 4 if n == 5 else 3, 4) for n in (3, 4, 5, 6, 7, 12, 31)},
    **{f"bipartite {m}, {n}": (complete(m, n), "star", m + 1, n + 1) for m, n in ((2, 5), (4, 7))},
    "square": (grid(2, 2), "star", 3, 3),
    "ladder": (grid(2, 9), "star", 4, 5),
    "grid 3, 3": (grid(3, 3), "star", 4, 5),
    "grid 4, 4": (grid(4, 4), "star", 5, 5),
    "grid 20, 20": (grid(20, 20), "star", 5, 6),
}
ACYCLIC = {
    **{f"acyclic, tree of {n}": (tree(n), "acyclic", 2, 4) for n in (5, 30, 400)},
    **{f"acyclic, cycle of {n}": (cycle(n), "acyclic", 3, 3) for n in (3, 4, 5, 8, 31)},
    "acyclic, bipartite 4, 7": (complete(4, 7), "acyclic", 5, 8),
    "acyclic, ladder": (grid(2, 9), "acyclic", 3, 3),
    "acyclic, grid 20, 20": (grid(20, 20), "acyclic", 3, 4),
    "acyclic, grid 6, 6, 6": (grid(6, 6, 6), "acyclic", 4, 6),
}
COLUMNS = {
    **{
        f"columns, cube {d}": (cube(d) + np.eye(2**d), "columns", least, 12)
        for d, least in ((2, 4), (3, 4), (7, 8))
    },
    "columns, grid 20, 20": (grid(20, 20) + sparse.eye_array(400), "columns", 5, 7),
    "columns, grid 6, 6, 6": (grid(6, 6, 6) + sparse.eye_array(216), "columns", 7, 13),
}
PROVED = STARS | ACYCLIC | COLUMNS
# Where no order of the greedy colourings finds the least number: what the best one takes.
BEST = {
    "cycle of 6": 4,
    "acyclic, grid 20, 20": 4,
    "acyclic, grid 6, 6, 6": 6,
    "columns, grid 20, 20": 7,
    "columns, grid 6, 6, 6": 10,
}


@pytest.mark.parametrize("name", PROVED)
def test_counts_that_are_proved(name):
    pattern, method, least, most = PROVED[name]
    found = counts(pattern, method)
    assert min(found.values()) >= least
    assert max(found.values()) <= most
    assert min(found.values()) <= BEST.get(name, least)


@pytest.mark.parametrize(
    "name", [n for n, (a, *_) in PROVED.items() if a.shape[0] <= 9 and "path" not in n]
)
def test_what_is_proved_is_so(name):
    """All colourings of one colour less, of which none is right."""
    pattern, method, least, _ = PROVED[name]
    a = np.asarray(pattern.todense() if sparse.issparse(pattern) else pattern) != 0
    valid = DEFINITION[method]
    n = len(a)
    rest = itertools.product(range(least - 1), repeat=n - 1)
    adjacent = np.argwhere(np.triu(a, 1))
    for colors in rest:
        colors = np.array((0, *colors))  # the first has the first, up to their names
        if np.any(colors[adjacent[:, 0]] == colors[adjacent[:, 1]]):
            continue
        assert not valid(a, colors)
