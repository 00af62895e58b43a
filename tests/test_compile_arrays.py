"""Every array function in a compiled function: what depends on values is found anew by a replay."""

import numpy as np
import pytest

import adcore
from adcore import _core
from array_cases import CASES, leaves_of


def points(leaves, rng):
    """Arguments as they are, and with other signs, another order, zeros and ties, and nan."""
    return [
        leaves,
        [-np.flip(x) for x in leaves],
        [rng.normal(0, 1, np.shape(x)) for x in leaves],
        [np.round(rng.normal(0, 1, np.shape(x))) for x in leaves],
        [np.zeros(np.shape(x)) for x in leaves],
        [np.where(rng.random(np.shape(x)) < 0.3, np.nan, x) for x in leaves],
        leaves,
    ]


def recorded(f, leaves):
    """The value of f on tensors, and the gradient of what weighs() makes of it."""
    _, inputs = _core.lift(leaves)
    out = f(*inputs)
    return _core.peek(out)


def guards(compiled):
    """Of the first path of a function that was called with arguments of one kind."""
    (paths,) = compiled._by_key.values()
    return paths.root.program.guards


def weighed(f):
    """A number that depends on all that f returns, and not linearly."""

    def g(*args):
        y = f(*args)
        return (adcore.sin(y) * np.cos(np.arange(float(np.size(y)))).reshape(np.shape(y))).sum()

    return g


@pytest.mark.parametrize("name", CASES)
def test_cases(name):
    """The value and the gradient at other points, bit for bit; and nothing needs a guard."""
    f = CASES[name][1]
    compiled, number = adcore.compile(f), adcore.compile(weighed(f))
    leaves = leaves_of(name)
    every = tuple(range(len(leaves)))
    with np.errstate(all="ignore"):
        for at in points(leaves, np.random.default_rng(1)):
            at = [float(x) if np.ndim(x) == 0 else np.array(x) for x in at]
            want = recorded(f, at)
            got = compiled(*at)
            assert np.shape(got) == np.shape(want)
            assert np.array_equal(got, want, equal_nan=True)
            if not np.isfinite(want).all():
                continue
            want = adcore.grad(weighed(f), every)(*at)
            for a, b in zip(number.grad(*at, argnums=every), want, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    assert guards(compiled) == []
