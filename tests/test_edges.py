"""Edge-pushing: sparse Hessians against dense ones, and against closed forms.

A longer run: ADCORE_WILD=5000 pytest tests/test_edges.py
"""

import os

import numpy as np
import pytest
from hypothesis import given

import adcore
from adcore._edges import edge_cost, pushed
from adcore._recording import Recording
from programs import array_programs, examples, flat, matrix, scalar_programs
from wild_programs import Drawn

N_WILD = int(os.environ.get("ADCORE_WILD", "400"))


def dense_of(f, point, argnums):
    """The Hessian over all numbers of the arguments, by the dense way."""
    blocks = adcore.hessian(f, argnums)(*point)
    if isinstance(point[0], list):  # of numbers: blocks are lists of lists
        return np.reshape(blocks, (len(point[0]), len(point[0])))
    return matrix(blocks, [np.size(p) for p in point])


def by_edges(f, point):
    """The Hessian by the first argument; None where edges cannot be pushed."""
    found = pushed(Recording(f, point, {}, 0))
    return None if found is None else found[1]


def check_form(hessian):
    """Symmetric to the bit, sorted, each entry once, none of them 0."""
    indptr, indices = hessian.indptr, hessian.indices
    assert indptr[0] == 0
    assert indptr[-1] == indices.size == hessian.data.size
    rows = np.repeat(np.arange(hessian.shape[0]), np.diff(indptr))
    assert np.all(np.diff(rows * (1 + hessian.shape[1]) + indices) > 0)
    assert np.all(hessian.data != 0)
    mirrored = hessian.T.tocsr()
    mirrored.sort_indices()
    assert np.array_equal(mirrored.indices, indices)
    assert np.array_equal(mirrored.indptr, indptr)
    assert np.array_equal(mirrored.data, hessian.data)


def agree(got, want, digits):
    """Finite, and equal to so many digits of the largest number."""
    scale = 1 + np.max(np.abs(want), initial=0)
    assert np.all(np.isfinite([got, want])), (got, want)
    assert np.max(np.abs(got / scale - want / scale), initial=0) <= 10.0**-digits, (got, want)


def check(f, point, digits=10):
    """Whether edges could be pushed; what they gave then is what the dense way gives."""
    argnums = tuple(range(len(point)))
    found = pushed(Recording(f, point, {}, argnums))
    if found is None:
        return False
    gradient, hessian = found
    check_form(hessian)
    want = flat(adcore.grad(f, argnums)(*point))
    assert np.array_equal(np.isfinite(gradient), np.isfinite(want)), (gradient, want)
    finite = np.isfinite(want)
    agree(gradient[finite], want[finite], digits)
    agree(hessian.toarray(), dense_of(f, point, argnums), digits)
    return True


def edges(f, *point):
    """The Hessian by the first argument, dense, by edges, which must go through."""
    found = by_edges(f, point)
    assert found is not None
    check_form(found)
    return found.toarray()


# ---- random programs ----


@pytest.mark.parametrize(("programs", "least"), [(scalar_programs, 0.9), (array_programs, 0.85)])
def test_random_programs(programs, least):
    n_pushed = n_all = 0

    @examples(600)
    @given(program=programs())
    def run(program):
        nonlocal n_pushed, n_all
        n_all += 1
        n_pushed += check(program.bind(**adcore.ops.functions), program.point)

    run()
    assert n_pushed > least * n_all, (n_pushed, n_all)


def test_wild_programs():
    """At points of all sorts: kinks, ties, signs of zero, overflow, nan."""
    n_pushed = n_all = 0
    for seed in range(N_WILD):
        drawn = Drawn(seed)
        for point in drawn.points(3):
            with np.errstate(all="ignore"):
                try:
                    dense = dense_of(drawn.scalar, point, (0, 1, 2, 3))
                except Exception:  # the program itself raises at this point
                    continue
                if "linalg" in drawn.text and not np.all(np.isfinite(dense)):
                    continue  # by eigenvalues that the result does not depend on
                n_all += 1
                try:
                    n_pushed += check(drawn.scalar, point, 7)
                except Exception as error:
                    raise AssertionError(f"seed {seed}\n{drawn.text}\nat {point!r}") from error
    assert n_pushed > 0.3 * n_all, (n_pushed, n_all)


# ---- shapes of matrices ----


def sparse_program(rng, n):
    """A sum of terms of few variables each, in blocks, one of which is in every term of its own."""
    terms = [
        (rng.choice(n, size=rng.integers(1, 5), replace=False), rng.integers(4)) for _ in range(n)
    ]

    def f(x):
        total = 0.0
        for picked, kind in terms:
            s = sum(x[int(i)] * (1.0 + 0.1 * k) for k, i in enumerate(picked))
            if kind == 0:
                s = s * s
            elif kind == 1:
                s = adcore.sin(s) * x[int(picked[0])]
            elif kind == 2:
                s = s * x[0]
            total = total + s
        return total

    return f


def test_sparse_scalar_loops():
    for seed in range(300):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 25))
        assert check(sparse_program(rng, max(n, 5)), (list(rng.normal(size=max(n, 5))),))


def test_an_arrow_is_an_arrow():
    n = 40
    x = np.linspace(0.5, 2.0, n)
    h = by_edges(lambda x: np.sum(x[0] * x[1:] ** 2), (x,))
    want = np.diag(np.full(n, 2 * x[0]))
    want[0, 0] = 0.0
    want[0, 1:] = want[1:, 0] = 2 * x[1:]
    assert np.array_equal(h.toarray(), want)
    assert h.nnz == 3 * (n - 1)


def test_empty_rows_and_blocks():
    def f(x):
        return x[0] * x[1] + x[3] ** 3 + x[4]

    h = by_edges(f, ([1.0, 2.0, 3.0, 4.0, 5.0],))
    assert h.nnz == 3
    assert h[0, 1] == h[1, 0] == 1.0
    assert h[3, 3] == 24.0


def test_what_cancels_is_no_entry():
    """The pattern is that of the numbers at this point."""
    assert by_edges(lambda x: x[0] * x[1] - x[1] * x[0], ([2.0, 3.0],)).nnz == 0
    assert by_edges(lambda x: x[0] ** 3, ([0.0],)).nnz == 0
    assert by_edges(lambda x: 1.5, ([0.0, 1.0],)).shape == (2, 2)


def test_long_sums_and_running_sums():
    x = np.linspace(-1.0, 1.0, 60)
    assert np.allclose(edges(lambda x: np.sum(x) ** 2, x), 2.0, rtol=1e-13)
    j = np.arange(60)
    want = 2.0 * (60 - np.maximum.outer(j, j))
    assert np.allclose(edges(lambda x: np.sum(np.cumsum(x) ** 2), x), want, rtol=1e-13)
    back = edges(lambda x: np.sum(np.cumsum(x[::-1])[::-1] ** 2), x)
    assert np.allclose(back, want[::-1, ::-1], rtol=1e-13)


def test_products_and_norms():
    rng = np.random.default_rng(3)
    a, x = rng.normal(size=(7, 5)), rng.normal(size=5)
    assert np.allclose(edges(lambda x: np.sum((a @ x) ** 2), x), 2 * a.T @ a, rtol=1e-12)
    y = np.linalg.norm(x)
    want = (np.eye(5) - np.outer(x, x) / y**2) / y
    assert np.allclose(edges(lambda x: np.linalg.norm(x), x), want, rtol=1e-12, atol=1e-15)


# ---- points where something happens ----


def test_special_points():
    assert edges(lambda x: np.maximum(x[0], x[1]) ** 2, np.ones(2)).tolist() == [[0.5] * 2] * 2
    where = edges(lambda x: np.sum(np.where(x > 0, adcore.log(x), 0.0)), np.array([0.0, 2.0]))
    assert where.tolist() == [[0.0, 0.0], [0.0, -0.25]]
    assert not np.any(edges(lambda x: x[0] ** 0 + x[1], np.array([0.0, 1.0])))
    assert np.array_equal(
        edges(lambda x: np.max(x) ** 2, np.array([3.0, 3.0])), np.full((2, 2), 0.5)
    )


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.linalg.norm(x),  # a norm of 0
        lambda x: np.hypot(x[0], x[1]) + x[2],
        lambda x: np.sum(adcore.sqrt(x)),  # a pole
        lambda x: np.linalg.det(np.diag(x + 1.0)),  # linear algebra
    ],
)
def test_what_is_left_to_other_ways(f):
    assert by_edges(f, (np.zeros(3),)) is None


def test_nested_recordings_are_left_to_other_ways():
    seen = []

    def outer(t):
        seen.append(by_edges(lambda x: x[0] ** 3 * t, ([2.0],)))
        return t * t

    adcore.grad(outer)(1.5)
    assert seen == [None]


def test_a_norm_of_zero_that_does_not_count():
    """The square of a norm is a sum of squares."""
    assert np.array_equal(edges(lambda x: np.linalg.norm(x) ** 2, np.zeros(3)), 2 * np.eye(3))


def test_cost():
    recording = Recording(lambda x: np.sum(x[1:] * x[:-1]), (np.ones(5),), {}, 0)
    cost = edge_cost(recording)
    assert cost == {"slots": 5, "operands": 12, "curved": 4, "known": True}
    recording = Recording(lambda x: np.linalg.norm(x), (np.zeros(5),), {}, 0)
    assert not edge_cost(recording)["known"]
    assert edge_cost(Recording(lambda x: 2.0, ([1.0],), {}, 0))["slots"] == 0
