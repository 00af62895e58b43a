"""Functions that only move elements: each result is an element of an argument, or 0.

What NumPy's own function makes of labels, the numbers from 1 on, says which element each result is:
that is the oracle of values and derivatives, in all modes, recorded, replayed and nested.
"""

import numpy as np
import pytest

import adcore
import adcore.numpy as anp

MASK = np.array([True, False, True, True, False, True])


def changed(name, *arguments, shape=(6,)):
    """A function of x and v in which NumPy's function of that name puts v into x."""

    def function(np, x, v):
        y = x.reshape(shape).copy()
        getattr(np, name)(y, *[v if a is None else a for a in arguments])
        return y

    return function


# Name -> (shapes of the arguments, function of a namespace and the arguments).
CASES = {
    "put": ([(6,), (2,)], changed("put", [1, 4], None)),
    "put twice": ([(6,), (3,)], changed("put", [1, -2, 1], None)),
    "put again": ([(6,), (2,)], changed("put", np.array([0, 5, 2, 3]), None)),
    "put more": ([(6,), (4,)], changed("put", (3, 1), None, shape=(2, 3))),
    "put one": ([(6,), ()], changed("put", 3, None, shape=(2, 3))),
    "put wrapped": ([(6,), (2,)], changed("put", [7, -8], None, "wrap")),
    "put a matrix": ([(6,), (2, 2)], changed("put", [5, 1, 2, 0, 3], None)),
    "place": ([(6,), (4,)], changed("place", MASK, None)),
    "place again": ([(6,), (3,)], changed("place", MASK, None)),
    "place one": ([(6,), (1,)], changed("place", MASK.reshape(2, 3), None, shape=(2, 3))),
    "place numbers": ([(6,), (4,)], changed("place", MASK * 2, None)),
    "putmask": ([(6,), (6,)], changed("putmask", MASK, None)),
    "putmask again": ([(6,), (4,)], changed("putmask", MASK, None)),
    "putmask one": ([(6,), ()], changed("putmask", MASK.reshape(2, 3), None, shape=(2, 3))),
    "fill_diagonal": ([(9,), ()], changed("fill_diagonal", None, shape=(3, 3))),
    "fill_diagonal wrap": ([(12,), (2,)], changed("fill_diagonal", None, True, shape=(6, 2))),
    "fill_diagonal deep": ([(27,), (2,)], changed("fill_diagonal", None, shape=(3, 3, 3))),
    "put_along_axis": (
        [(6,), (2, 1)],
        changed("put_along_axis", np.array([[2], [0]]), None, 1, shape=(2, 3)),
    ),
    "put_along_axis of a vector": ([(6,), ()], changed("put_along_axis", np.array([1]), None, 0)),
    "hstack": ([(2, 3), (2, 1)], lambda np, x, y: np.hstack([x, y, x])),
    "hstack of vectors": ([(3,), ()], lambda np, x, y: np.hstack([x, y])),
    "vstack": ([(3,), (2, 3)], lambda np, x, y: np.vstack((x, y))),
    "dstack": ([(3,), (1, 3)], lambda np, x, y: np.dstack([x, y])),
    "dstack deep": ([(2, 3, 1), (2, 3)], lambda np, x, y: np.dstack([x, y])),
    "column_stack": ([(3,), (3, 2)], lambda np, x, y: np.column_stack([x, y])),
    "stack": ([(2, 3), (3, 2)], lambda np, x, y: np.stack([x, y.T], axis=-1)),
    "stack of numbers": ([(), ()], lambda np, x, y: np.stack([x, y, x], axis=-1)),
    "append": ([(2, 3), (2,)], lambda np, x, y: np.append(x.T, y)),
    "append along": ([(2, 3), (1, 3)], lambda np, x, y: np.append(x, y, axis=-2)),
    "concatenate many": ([(2, 1), (2, 2)], lambda np, x, y: np.concatenate([x, y] * 5, 1)),
    "array": ([(3,), (3,)], lambda np, x, y: np.array([x, y[::-1]])),
    "fromiter": ([(3,), (2,)], lambda np, x, y: np.fromiter([*x, *y[::-1]], float)),
    "split": ([(2, 6), (3,)], lambda np, x, y: np.split(x, [1, 4, 9], axis=1)[1] + 0 * y),
    "split by negative": ([(6,), ()], lambda np, x, y: np.split(x, [-4, -1])[1] + 0 * y),
    "array_split": ([(5,), ()], lambda np, x, y: np.array_split(x[::-1], 3)[1] + 0 * y),
    "unstack": ([(2, 3), (2,)], lambda np, x, y: np.unstack(x, axis=1)[2] + 0 * y),
    "iteration": ([(2, 3), ()], lambda np, x, y: [*x][1] + 0 * y),
    "delete": ([(2, 4), ()], lambda np, x, y: np.delete(x, [-1, 1], 1) + 0 * y),
    "delete all": ([(2,), ()], lambda np, x, y: np.delete(x, [0, 1]) + 0 * y),
    "pad": ([(2, 3), ()], lambda np, x, y: np.pad(x, 2) + 0 * y),
    "pad sides": ([(2, 3), ()], lambda np, x, y: np.pad(x, ((0, 1), (2, 0))) + 0 * y),
    "diagflat": ([(3,), ()], lambda np, x, y: np.diagflat(x) + 0 * y),
    "diagflat above": ([(3,), ()], lambda np, x, y: np.diagflat(x, 2) + 0 * y),
    "diagflat below": ([(3,), ()], lambda np, x, y: np.diagflat(x, -1) + 0 * y),
    "resize": ([(2, 3), ()], lambda np, x, y: np.resize(x, (3, 4)) + 0 * y),
    "resize by half": ([(2, 3), ()], lambda np, x, y: np.resize(x, (3, 5)) + 0 * y),
    "resize to less": ([(2, 3), ()], lambda np, x, y: np.resize(x, 4) + 0 * y),
    "piecewise": (
        [(6,), ()],
        lambda np, x, y: np.piecewise(x, [MASK], [lambda z: z[::-1]]) + 0 * y,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_moves(name):
    shapes, function = CASES[name]
    sizes = [int(np.prod(s)) for s in shapes]
    n = sum(sizes)

    def parts(z):
        x, y = z[: sizes[0]], z[sizes[0] :]
        return x.reshape(shapes[0]), y.reshape(shapes[1])

    labels = np.asarray(function(np, *parts(np.arange(1.0, n + 1)))).astype(int)
    z = np.random.default_rng(n).uniform(1.0, 2.0, n)
    want = np.concatenate([[0.0], z])[labels]
    one_hot = np.vstack([np.zeros(n), np.eye(n)])[labels]

    def moved(z):
        return function(anp, *parts(z))

    compiled = adcore.compile(moved)
    for f in (moved, compiled):
        np.testing.assert_array_equal(f(z), want)
    for jacobian in (adcore.jacfwd(moved), adcore.jacrev(moved), compiled.jacobian):
        np.testing.assert_array_equal(jacobian(z), one_hot)
    square = adcore.hessian(lambda z: (moved(z) ** 2).sum())(z)
    rows = one_hot.reshape(-1, n)
    np.testing.assert_allclose(square, 2 * rows.T @ rows, rtol=1e-15)


def test_put_refuses():
    x = adcore.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with pytest.raises(adcore.errors.TapeError, match="leaf"):
        anp.put(x, [0], 1.0)
    y = x.copy()
    with pytest.raises(IndexError, match="index 3 is out of bounds"):
        anp.put(y, [3], 1.0)
    with pytest.raises(ValueError, match="empty"):
        anp.place(y, [True, False, False], [])
    anp.put(y, [1], [])
    anp.putmask(y, [True, False, False], [])
    assert y.tolist() == [1.0, 2.0, 3.0]
