"""Sorted elements, sets and bins of tensors: drawn by value, their places found by the first sweep.

Forward mode and compiled functions find the places at once, by ways of their own, so that they are
the oracle of what sweeps over a tape find; what is equal, or nan, must go the same way in all.
"""

import numpy as np
import pytest

import adcore
import adcore.numpy as anp

PLACES = np.arange(12) % 5

CALLS = {
    "sort": np.sort,
    "sort backwards": lambda x: np.sort(x[::-2]),
    "sort columns": lambda x: np.sort(x.reshape(3, 4), 0),
    "sort picked": lambda x: np.sort(x[np.array([3, 1, 1, 5])]),
    "partition": lambda x: np.partition(x, (2, 5)),
    "median": np.median,
    "median of rows": lambda x: np.median(x.reshape(3, 4), 1, keepdims=True),
    "percentile": lambda x: np.percentile(x.reshape(3, 4), [10, 40, 55], axis=0),
    "quantile of many": lambda x: np.quantile(x, np.linspace(0, 1, 7)),
    "unique": np.unique,
    "unique, nan apart": lambda x: np.unique(x, equal_nan=False),
    "unique_all": lambda x: np.unique_all(x).values,
    "unique_counts": lambda x: np.unique_counts(x).values,
    "union1d": lambda x: np.union1d(x[:5], x[3:]),
    "intersect1d": lambda x: np.intersect1d(x[::-1], x[:5]),
    "setdiff1d": lambda x: np.setdiff1d(x, x[:3]),
    "setxor1d": lambda x: np.setxor1d(x[:7], x[4:]),
    "bincount": lambda x: np.bincount(PLACES, x, 7),
    "bincount, strided": lambda x: np.bincount(PLACES[:6], x[::2]),
    "histogram2d": lambda x: np.histogram2d(PLACES, PLACES**2, 3, weights=x)[0],
    "histogramdd in a range": lambda x: np.histogramdd(PLACES, 3, [(1, 3)], weights=x)[0],
    "choose": lambda x: np.choose(PLACES % 3, [x, x[::-1], x * x]),
    "repeat": lambda x: np.repeat(x.reshape(3, 4), 3, 1),
    "where picked": lambda x: x[PLACES > 1],
    "compress": lambda x: np.compress(PLACES > 1, x),
    "nanmax": np.nanmax,
    "nanmin of rows": lambda x: np.nanmin(x.reshape(3, 4), 1),
}
EMPTY = {"setdiff1d", "setxor1d"}  # may be, of equal elements


def numbers(kind):
    rng = np.random.default_rng(7)
    x = rng.normal(size=12)
    if kind == "equal":
        x = np.round(x)
    if kind == "nan":
        x[[4, 9]] = np.nan
    return x


def derivative(f, x):
    return adcore.jacfwd(lambda x: anp.reshape(f(x), (-1,)))(x)


@pytest.mark.parametrize("kind", ["different", "equal", "nan"])
@pytest.mark.parametrize("name", CALLS)
def test_sweeps_find_the_elements(name, kind):
    f, x = CALLS[name], numbers(kind)
    want = np.asarray(f(x))
    t = adcore.tensor(x, requires_grad=True)
    y = f(t)
    np.testing.assert_array_equal(y.detach().numpy(), want)
    if want.size == 0:
        assert name in EMPTY
        return
    jacobian = derivative(f, x)
    w = np.arange(1.0, 1 + want.size)
    (gradient,) = adcore.autograd.grad((y.reshape(-1) * w).sum(), [t])
    np.testing.assert_allclose(gradient.numpy(), w @ jacobian, rtol=1e-14, equal_nan=True)
    if kind == "nan":
        return
    y = f(t).reshape(-1)
    (first,) = adcore.autograd.grad((y**3 * w).sum(), [t], create_graph=True)
    compiled = adcore.compile(lambda x: anp.sum(anp.reshape(f(x), (-1,)) ** 3 * w))
    np.testing.assert_allclose(first.detach().numpy(), compiled.grad(x), rtol=1e-12, atol=1e-14)
    (second,) = adcore.autograd.grad((first * x).sum(), [t])
    np.testing.assert_allclose(second.numpy(), compiled.hvp((x,), (x,))[1], rtol=1e-12, atol=1e-13)


def test_later_assignments_do_not_change_what_was_drawn():
    t = adcore.tensor([3.0, 1.0, 2.0], requires_grad=True)
    x = t * 1.0
    y = np.sort(x)
    x[0], x[2] = 0.0, 7.0
    (y * np.array([1.0, 10.0, 100.0])).sum().backward()
    np.testing.assert_array_equal(t.grad.numpy(), [100.0, 1.0, 10.0])


def test_copyto_is_no_alias():
    t = adcore.tensor([3.0, 1.0, 2.0], requires_grad=True)
    source, to = t * 2.0, t * 1.0
    np.copyto(to, source)
    source[0] = 0.0
    to[1] = 5.0
    np.testing.assert_array_equal(source.detach().numpy(), [0.0, 2.0, 4.0])
    (to + source).sum().backward()
    np.testing.assert_array_equal(t.grad.numpy(), [2.0, 2.0, 4.0])


def test_what_is_not_kept_leaves_the_tape():
    t = adcore.tensor(np.random.default_rng(0).normal(size=100), requires_grad=True)
    total = t.sum()
    for _ in range(500):
        total = total + np.sort(t)[3] * np.unique(t)[5] + np.bincount(np.arange(100) % 3, t)[0]
    total.backward()
    want = np.ones(100)
    want[::3] += 500
    order = np.argsort(t.detach().numpy())
    want[order[3]] += 500 * t.detach().numpy()[order[5]]
    want[order[5]] += 500 * t.detach().numpy()[order[3]]
    np.testing.assert_allclose(t.grad.numpy(), want, rtol=1e-12)


def test_without_recording_they_are_constants():
    t = adcore.tensor([3.0, 1.0, 2.0], requires_grad=True)
    with adcore.no_grad():
        assert not np.sort(t).requires_grad
        np.testing.assert_array_equal(np.partition(t, 1).numpy()[1], 2.0)
        np.testing.assert_array_equal(np.unique(t).numpy(), [1.0, 2.0, 3.0])
        np.testing.assert_array_equal(np.repeat(t, 2).numpy(), [3, 3, 1, 1, 2, 2])


def test_what_is_out_of_bounds_is_refused():
    t = adcore.tensor([3.0, 1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match="out of bounds"):
        np.partition(t, 3)
    with pytest.raises(ValueError, match="negative"):
        np.bincount(np.array([0, -1, 1]), t)
    with pytest.raises(ValueError, match="invalid entry"):
        np.choose(np.array([0, 2, 1]), [t, t])
    assert np.sort(t)[0].item() == 1.0
