"""adcore.numpy's functions against NumPy: values, first and second derivatives in all modes.

First derivatives are compared with a complex step through NumPy's own function, or with central
differences, extrapolated, where there is no complex version; second ones with differences of first
derivatives, and between the modes.
"""

import numpy as np
import pytest

import adcore
import adcore.numpy as anp
import numpy_cases
from numpy_cases import CASES


def arguments(name):
    """Distinct numbers between 0.05 and 0.95, some of the arrays not contiguous."""
    rng = np.random.default_rng(sum(map(ord, name)))
    shapes = CASES[name][0]
    sizes = [int(np.prod(s)) for s in shapes]
    total = sum(sizes)
    numbers = (rng.permutation(total) + rng.uniform(0.2, 0.8, total)) / total * 0.9 + 0.05
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    return [
        np.repeat(p, 2)[::2].reshape(s) if s else float(p[0])
        for p, s in zip(parts, shapes, strict=True)
    ]


def directions(args, seed):
    rng = np.random.default_rng(seed)
    drawn = [rng.uniform(-1, 1, np.shape(a)) for a in args]
    return [d if d.ndim else float(d) for d in drawn]


def moved(args, step, h):
    return [a + h * s for a, s in zip(args, step, strict=True)]


def difference(f, args, step):
    """The derivative along `step` by central differences, extrapolated once."""
    slopes = [
        (f(*moved(args, step, h)) - f(*moved(args, step, -h))) / (2 * h) for h in (2e-4, 1e-4)
    ]
    return (4 * slopes[1] - slopes[0]) / 3


def gradient(f, args, weights):
    """The gradient of sum(weights sin(f)): most of the functions are linear."""
    found = adcore.grad(
        lambda *a: anp.sum(weights * anp.sin(f(*a))), argnums=tuple(range(len(args)))
    )(*args)
    return list(found)


def dot(a, b):
    return sum(np.sum(x * y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_value(name):
    f, args = CASES[name][1], arguments(name)
    want = f(*args)
    got = f(*[adcore.tensor(a, requires_grad=True) for a in args])
    assert type(got) is adcore.Tensor
    assert got.shape == np.shape(want)
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=8e-15, atol=1e-15)
    constant = f(*[adcore.tensor(a) for a in args])
    np.testing.assert_array_equal(constant.numpy(), got.detach().numpy())


@pytest.mark.parametrize("name", [n for n in CASES if "ours" not in CASES[n][2:]])
def test_the_same_by_plain_numpy(name, monkeypatch):
    f, args = CASES[name][1], arguments(name)
    want = f(*args)
    monkeypatch.setattr(numpy_cases, "np", np)
    got = f(*[adcore.tensor(a, requires_grad=True) for a in args])
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=8e-15, atol=1e-15)


@pytest.mark.parametrize("name", CASES)
def test_first_derivative(name):
    _, f, *marks = CASES[name]
    args = arguments(name)
    step = directions(args, 1)
    if "real" in marks:
        want, tolerance = difference(f, args, step), 3e-9
    else:
        h = 1e-30
        want, tolerance = np.imag(f(*moved(args, step, 1j * h))) / h, 2e-12
    value, forward = adcore.jvp(f, args, step)
    np.testing.assert_allclose(value, f(*args), rtol=8e-15, atol=1e-15)
    np.testing.assert_allclose(forward, want, rtol=tolerance, atol=tolerance)
    weights = np.random.default_rng(2).uniform(-1, 1, np.shape(want))
    found = adcore.vjp(f, *args)[1](weights if weights.ndim else float(weights))
    np.testing.assert_allclose(dot(found, step), np.sum(weights * forward), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_second_derivative(name):
    f, args = CASES[name][1], arguments(name)
    step = directions(args, 4)
    weights = np.random.default_rng(3).uniform(-1, 1, np.shape(f(*args)))

    def slope(*a):
        return adcore.jvp(lambda *b: anp.sum(weights * anp.sin(f(*b))), a, step)[1]

    nums = tuple(range(len(args)))
    ahead, behind = (gradient(f, moved(args, step, h), weights) for h in (1e-5, -1e-5))
    want = [(a - b) / 2e-5 for a, b in zip(ahead, behind, strict=True)]
    forward_over_reverse = adcore.jvp(lambda *a: gradient(f, a, weights), args, step)[1]
    reverse_over_forward = adcore.grad(slope, argnums=nums)(*args)
    reverse_over_reverse = adcore.grad(
        lambda *a: sum(anp.sum(g * s) for g, s in zip(gradient(f, a, weights), step, strict=True)),
        argnums=nums,
    )(*args)
    for a, b, c, d in zip(
        want, forward_over_reverse, reverse_over_forward, reverse_over_reverse, strict=True
    ):
        scale = 1 + np.max(np.abs(b), initial=0.0)
        np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-7 * scale)
        np.testing.assert_allclose(c, b, rtol=1e-10, atol=1e-11 * scale)
        np.testing.assert_allclose(d, b, rtol=1e-10, atol=1e-11 * scale)
    along = adcore.jvp(slope, args, step)[1]
    np.testing.assert_allclose(along, dot(forward_over_reverse, step), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_compiled(name):
    f, args = CASES[name][1], arguments(name)
    compiled = adcore.compile(lambda *a: anp.sum(anp.sin(f(*a))))
    nums = tuple(range(len(args)))
    # Recorded at one point, replayed at another where other elements are the greatest.
    for k in (0, 1):
        at = [np.asarray(a)[..., ::-1] if k and np.ndim(a) else a for a in args]
        want = np.sum(np.sin(f(*at)))
        np.testing.assert_allclose(compiled(*at), want, rtol=1e-13)
        plain = adcore.grad(lambda *a: anp.sum(anp.sin(f(*a))), argnums=nums)(*at)
        for got, expected in zip(compiled.grad(*at, argnums=nums), plain, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12)
