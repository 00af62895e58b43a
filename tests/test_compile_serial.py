"""Compiled derivatives of serial scalar loops, whose lanes go in short vectors."""

import numpy as np
import pytest

import adcore


def steps(p, n=60):
    """A serial loop from p[0] and p[1], with all of p as parameters in turn."""
    u, v = p[0], p[1]
    for i in range(n):
        a, b = p[i % len(p)], p[(i + 1) % len(p)]
        ku, kv = u * (a - b * v), v * (b * u - a)
        u, v = u + 0.01 * ku, v + 0.01 * kv
        u = u / (1.0 + 0.01 * u * u)
    return u * u + v * v


def central_differences(gradient, p, h=1e-5):
    """Columns of the Hessian from exact gradients: right to about h**2."""
    unit = h * np.eye(len(p))
    return np.array([(gradient(p + e) - gradient(p - e)) / (2 * h) for e in unit])


@pytest.mark.parametrize("n", [2, 3, 5, 6, 8, 9, 12])
def test_hessian(n):
    p = np.linspace(0.6, 1.9, n)
    f = adcore.compile(steps)
    found = f.hessian(p)
    np.testing.assert_allclose(found, adcore.hessian(steps)(p), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found, central_differences(f.grad, p), rtol=1e-7, atol=1e-8)
    assert np.ptp(found) > 1e-3


@pytest.mark.parametrize("n", [3, 6, 8])
def test_jacobian(n):
    p = np.linspace(0.6, 1.9, n)

    def both(p):
        return [steps(p), steps(p, 70) * p[n - 1]]

    for row, exact in zip(adcore.compile(both).jacobian(p), adcore.jacobian(both)(p), strict=True):
        np.testing.assert_allclose(row, exact, rtol=1e-12, atol=1e-14)


def test_a_tangent_of_zero_meets_no_infinity():
    """sqrt has an infinite slope at 0, of which p[2] alone knows: the other rows stay finite."""

    def f(p):
        return steps(p[:2], 80) + adcore.sqrt(p[2]) * p[3]

    p = np.array([0.8, 1.1, 0.0, 0.7])
    with np.errstate(all="ignore"):
        found, exact = adcore.compile(f).hessian(p), adcore.hessian(f)(p)
    assert np.isfinite(found[:2, :2]).all()
    np.testing.assert_allclose(found[:2], exact[:2], rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(exact))


@pytest.mark.parametrize("method", ["grad", "hessian"])
def test_out_is_written_in_place_or_copied_to(method):
    p = np.linspace(0.6, 1.9, 5)
    derivative = getattr(adcore.compile(steps), method)
    expected = derivative(p)
    strided = np.full((2, *expected.shape), np.nan).T
    outs = [np.full(expected.shape, np.nan), np.asfortranarray(expected), strided[..., 0].T]
    outs += [np.full(expected.shape, np.nan, dtype=np.float32)]
    for out in outs:
        assert derivative(p, out=out) is out
        np.testing.assert_allclose(out, expected, rtol=1e-6 if out.dtype == np.float32 else 0)


def test_out_that_is_the_argument_itself():
    x = np.linspace(0.6, 1.9, 20)
    f = adcore.compile(lambda x: (x[1:] * x[:-1] ** 2).sum())
    expected = f.grad(x)
    assert f.grad(x, out=x) is x
    np.testing.assert_array_equal(x, expected)
