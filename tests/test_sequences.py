"""Products, convolutions, broken lines: exact at zeros and knots, in every mode, at every order.

The oracles are products written out element by element, matrices, and formulas of one piece.
"""

import math

import numpy as np
import pytest

import adcore
import adcore.numpy as anp
from adcore import _core
from adcore.taylor import _nested

RNG = np.random.default_rng(5)
V = np.array([0.3, -1.1, 0.7, 2.0, -0.4])
ZEROS = {
    "none": np.array([0.5, -2.0, 1.5, 3.0, -1.0]),
    "first": np.array([0.0, -2.0, 1.5, 3.0, -1.0]),
    "two": np.array([0.5, 0.0, 1.5, 0.0, -1.0]),
    "beside": np.array([0.5, -2.0, 0.0, 0.0, -1.0]),
    "three": np.array([0.0, -2.0, 0.0, 3.0, 0.0]),
    "all": np.zeros(5),
    "negative": np.array([0.5, -0.0, 1.5, 3.0, -1.0]),
}
WEIGHTS = np.array([1.0, -0.5, 2.0, 0.25, 1.5])


def one_by_one(x):
    """The running products, as scalar multiplications."""
    out = [x[0]]
    for k in range(1, 5):
        out.append(out[-1] * x[k])
    return out


def weighted(x):
    return anp.sum(anp.cumprod(x) * WEIGHTS)


def weighted_one_by_one(x):
    return sum(w * y for w, y in zip(WEIGHTS, one_by_one(x), strict=True))


PRODUCTS = {
    "cumprod": (weighted, weighted_one_by_one),
    "prod": (anp.prod, lambda x: one_by_one(x)[-1]),
    "accumulate": (lambda x: anp.sum(np.multiply.accumulate(x) * WEIGHTS), weighted_one_by_one),
    "cumulative_prod": (
        lambda x: anp.cumulative_prod(x, include_initial=True) @ [0.0, *WEIGHTS],
        weighted_one_by_one,
    ),
}


def all_second(f, x):
    """The second derivative along V, in each nesting."""
    first = adcore.grad(f)
    return {
        "hessian": adcore.hessian(f)(x) @ V,
        "hvp": adcore.hvp(f, (x,), (V,))[1],
        "forward over forward": adcore.jacfwd(adcore.jacfwd(f))(x) @ V,
        "reverse over reverse": adcore.jacrev(first)(x) @ V,
        "reverse over forward": adcore.grad(lambda y: adcore.jvp(f, (y,), (V,))[1])(x),
        "compiled": adcore.compile(f).hessian(x) @ V,
    }


@pytest.mark.parametrize("at", ZEROS)
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_exact_at_zeros(name, at):
    f, oracle = PRODUCTS[name]
    x = ZEROS[at]
    np.testing.assert_allclose(adcore.grad(f)(x), adcore.grad(oracle)(x), rtol=1e-14)
    want = adcore.hessian(oracle)(x) @ V
    for mode, found in all_second(f, x).items():
        np.testing.assert_allclose(found, want, rtol=1e-13, err_msg=mode)
    third = adcore.third(oracle, x, V, WEIGHTS)
    np.testing.assert_allclose(adcore.third(f, x, V, WEIGHTS), third, rtol=1e-13, atol=1e-15)
    series = adcore.taylor(f, x, V, 5)
    np.testing.assert_allclose(series, adcore.taylor(oracle, x, V, 5), rtol=1e-13, atol=1e-15)


def test_a_nan_is_passed_over_and_stays_where_it_was():
    x = np.array([2.0, np.nan, 0.0, 3.0])
    assert adcore.grad(anp.nanprod)(x).tolist() == [0.0, 0.0, 6.0, 0.0]
    np.testing.assert_array_equal(
        adcore.jacobian(anp.nancumprod)(x),
        [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 2, 0], [0, 0, 6, 0]],
    )
    # What is before the nan does not depend on it, and a zero adjoint pushes nothing.
    for back in (adcore.jacrev, adcore.jacfwd):
        rows = back(anp.cumprod)(x)
        np.testing.assert_array_equal(rows[0], [1.0, 0.0, 0.0, 0.0])
        assert np.isnan(rows[1, 0])
    assert adcore.grad(lambda y: anp.cumprod(y)[0])(np.array([1.0, np.inf])).tolist() == [1.0, 0.0]


def test_products_along_axes_and_of_nothing():
    x = RNG.uniform(0.5, 2.0, (2, 3, 4))
    for axis in (0, 1, 2, -2, None):
        t = adcore.tensor(x, requires_grad=True)
        np.testing.assert_array_equal(anp.cumprod(t, axis).detach().numpy(), np.cumprod(x, axis))
        np.testing.assert_allclose(
            np.asarray(anp.prod(t, axis).detach()), np.prod(x, axis), rtol=1e-15
        )
    empty = adcore.tensor(np.zeros((2, 0)), requires_grad=True)
    assert anp.cumprod(empty, 1).shape == (2, 0)
    assert anp.prod(empty, 1).detach().numpy().tolist() == [1.0, 1.0]
    assert adcore.grad(lambda y: anp.sum(anp.cumprod(y)) + 1.0)(np.zeros(0)).shape == (0,)
    assert adcore.hessian(lambda y: anp.sum(anp.cumprod(y)))(np.ones(1)).tolist() == [[0.0]]


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("n", "m"), [(5, 3), (3, 5), (4, 2), (2, 4), (1, 3), (3, 3)])
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_convolutions_are_bilinear(name, n, m, mode):
    plain, f = getattr(np, name), getattr(anp, name)
    a, b = RNG.normal(size=n), RNG.normal(size=m)
    by_a, by_b = adcore.jacobian(lambda a, b: f(a, b, mode), argnums=(0, 1))(a, b)
    columns = np.stack([plain(e, b, mode) for e in np.eye(n)], 1)
    np.testing.assert_allclose(by_a, columns, atol=1e-15)
    np.testing.assert_allclose(
        by_b, np.stack([plain(a, e, mode) for e in np.eye(m)], 1), atol=1e-15
    )
    # of sum w f(a, b)^2, with both in one vector
    w = RNG.normal(size=columns.shape[0])

    def scalar(x):
        return anp.sum(w * f(x[:n], x[n:], mode) ** 2)

    def linear(x):  # the same by an array of all products
        table = np.stack([[plain(e, d, mode) for d in np.eye(m)] for e in np.eye(n)])
        return anp.sum(w * anp.einsum("i,ijk,j->k", x[:n], table, x[n:]) ** 2)

    x = np.concatenate([a, b])
    want = adcore.hessian(linear)(x)
    for hessian in (
        adcore.hessian(scalar),
        adcore.compile(scalar).hessian,
        adcore.jacfwd(adcore.jacfwd(scalar)),
        adcore.jacrev(adcore.grad(scalar)),
    ):
        np.testing.assert_allclose(hessian(x), want, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(
        adcore.taylor(scalar, x, x[::-1], 4), adcore.taylor(linear, x, x[::-1], 4), rtol=1e-11
    )


KNOTS, HEIGHTS = np.array([0.0, 0.5, 1.25, 2.0]), np.array([1.0, 3.0, -1.0, 0.5])


def test_a_line_is_to_every_order_what_its_pieces_are():
    point, piece = 0.8, (1, 2)

    def f(x):
        return anp.sin(anp.interp(x[0], x[1:5], x[5:]))

    def formula(x):
        (x0, x1), (y0, y1) = [[x[k + i] for i in piece] for k in (1, 5)]
        return anp.sin(y0 + (y1 - y0) / (x1 - x0) * (x[0] - x0))

    x = np.concatenate([[point], KNOTS, HEIGHTS])
    v = RNG.normal(size=9)
    np.testing.assert_allclose(adcore.grad(f)(x), adcore.grad(formula)(x), atol=1e-15)
    want = adcore.hessian(formula)(x)
    for hessian in (
        adcore.hessian(f),
        adcore.compile(f).hessian,
        adcore.jacfwd(adcore.jacfwd(f)),
        adcore.jacrev(adcore.grad(f)),
    ):
        np.testing.assert_allclose(hessian(x), want, atol=1e-12)
    np.testing.assert_allclose(
        adcore.third(f, x, v, v[::-1]), adcore.third(formula, x, v, v[::-1]), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(
        adcore.taylor(f, x, v, 5), adcore.taylor(formula, x, v, 5), rtol=1e-9
    )


def test_at_a_knot_all_orders_are_means_of_both_sides():
    x = np.concatenate([[0.5], KNOTS, HEIGHTS])
    v = RNG.normal(size=9)

    def f(x):
        return anp.interp(x[0], x[1:5], x[5:])

    def side(k):
        def formula(x):
            slope = (x[5 + k + 1] - x[5 + k]) / (x[1 + k + 1] - x[1 + k])
            return x[5 + k] + slope * (x[0] - x[1 + k])

        return formula

    for derivative in (
        adcore.grad,
        adcore.hessian,
        lambda f: lambda x: adcore.third(f, x, v, v),
        lambda f: adcore.jacfwd(adcore.jacfwd(f)),
        lambda f: adcore.jacrev(adcore.grad(f)),
        lambda f: lambda x: adcore.taylor(f, x, v, 4),
    ):
        want = 0.5 * (derivative(side(0))(x) + derivative(side(1))(x))
        np.testing.assert_allclose(derivative(f)(x), want, rtol=1e-11, atol=1e-11)


def test_a_compiled_line_needs_no_other_path_on_another_piece():
    calls = []

    def line(x):
        calls.append(x)
        return anp.sum(anp.interp(x, KNOTS, HEIGHTS) * x)

    f = adcore.compile(line)
    for x in (np.array([0.2, 0.7, 1.5]), np.array([-1.0, 0.5, 3.0]), np.array([1.9, 0.1, 0.2])):
        np.testing.assert_allclose(f(x), np.sum(np.interp(x, KNOTS, HEIGHTS) * x), rtol=1e-15)
        eager = adcore.grad(lambda x: anp.sum(anp.interp(x, KNOTS, HEIGHTS) * x))
        np.testing.assert_allclose(f.grad(x), eager(x), rtol=1e-14)
    assert len(calls) == 1


def test_values_are_numpys_to_the_last_bit():
    for m in (1, 2, 16, 17, 40):
        xp, fp = np.sort(RNG.uniform(size=m)), RNG.normal(size=m)
        fp[m // 3] = np.inf
        x = np.concatenate([RNG.uniform(-0.2, 1.2, 600), xp, [np.nan, np.inf, -np.inf]])
        found = anp.interp(adcore.tensor(x, requires_grad=True), xp, fp)
        np.testing.assert_array_equal(found.detach().numpy(), np.interp(x, xp, fp))
    roots = RNG.normal(size=9)
    found = anp.poly(adcore.tensor(roots, requires_grad=True))
    np.testing.assert_array_equal(found.detach().numpy(), np.poly(roots))


def test_series_through_gradients_are_those_of_nested_calls():
    gradient = adcore.grad(lambda y: anp.sum(anp.cumprod(y) ** 2))
    x, v = ZEROS["two"], V
    want = [np.asarray(_nested(lambda t: gradient(x + t * v), k)(0.0)) for k in range(4)]
    want = [w / math.factorial(k) for k, w in enumerate(want)]
    np.testing.assert_allclose(adcore.taylor(gradient, x, v, 3), want, rtol=1e-13, atol=1e-14)


def test_least_squares_of_polynomials():
    t, y = np.linspace(-1.0, 1.0, 7), RNG.normal(size=7)
    w = RNG.uniform(0.5, 1.5, 7)
    by_y = adcore.jacobian(lambda y: anp.polyfit(t, y, 2, w=w))(y)
    matrix = np.vander(t, 3) * w[:, None]
    np.testing.assert_allclose(by_y, np.linalg.pinv(matrix) * w, atol=1e-13)

    def by_normal_equations(z):
        t, y, w = z[:7], z[7:14], z[14:]
        a = anp.stack([t * t, t, t * 0.0 + 1.0], axis=1) * w[:, None]
        return anp.linalg.solve(a.T @ a, a.T @ (y * w)) @ np.array([1.0, -2.0, 0.5])

    def fitted(z):
        return anp.polyfit(z[:7], z[7:14], 2, w=z[14:]) @ np.array([1.0, -2.0, 0.5])

    z = np.concatenate([t, y, w])
    np.testing.assert_allclose(
        adcore.grad(fitted)(z), adcore.grad(by_normal_equations)(z), atol=1e-11
    )
    want = adcore.hessian(by_normal_equations)(z)
    for hessian in (
        adcore.hessian(fitted),
        adcore.compile(fitted).hessian,
        adcore.jacfwd(adcore.jacfwd(fitted)),
    ):
        np.testing.assert_allclose(hessian(z), want, atol=1e-9)


def test_least_squares_with_too_few_equations():
    from adcore.rules.dense import lstsq

    a, b = RNG.normal(size=(2, 4)), RNG.normal(size=(2, 3))
    np.testing.assert_allclose(lstsq(a, b, p=1e-15), np.linalg.pinv(a) @ b, atol=1e-14)

    def least(x):
        return anp.sum(lstsq(x[:8].reshape(2, 4), x[8:].reshape(2, 3), p=1e-15) ** 3)

    def by_inverse(x):
        a, b = x[:8].reshape(2, 4), x[8:].reshape(2, 3)
        return anp.sum((a.T @ anp.linalg.solve(a @ a.T, b)) ** 3)

    x = np.concatenate([a.ravel(), b.ravel()])
    np.testing.assert_allclose(adcore.grad(least)(x), adcore.grad(by_inverse)(x), rtol=1e-9)
    np.testing.assert_allclose(
        adcore.hessian(least)(x), adcore.hessian(by_inverse)(x), rtol=1e-7, atol=1e-7
    )


@pytest.mark.parametrize("name", ["vecdot", "matvec", "vecmat"])
def test_products_of_vectors_broadcast(name):
    shapes = {
        "vecdot": ((2, 1, 3), (4, 3)),
        "matvec": ((2, 1, 3, 4), (5, 4)),
        "vecmat": ((5, 3), (2, 1, 3, 4)),
    }[name]
    a, b = [RNG.normal(size=s) for s in shapes]
    ta, tb = [adcore.tensor(x, requires_grad=True) for x in (a, b)]
    f = getattr(anp, name)
    want = getattr(np, name)(a, b)
    for left, right in ((ta, tb), (ta, b), (a, tb)):
        np.testing.assert_allclose(f(left, right).detach().numpy(), want, rtol=1e-14)
    big = RNG.normal(size=(3, 40, 9))  # more than one of the batch is for BLAS
    got = adcore.matmul(adcore.tensor(big, requires_grad=True), big.swapaxes(1, 2))
    np.testing.assert_allclose(got.detach().numpy(), big @ big.swapaxes(1, 2), rtol=1e-13)
    with pytest.raises(ValueError, match=rf"{name}: .*shapes .* length|do not fit"):
        f(ta, np.ones(7))


def test_what_does_not_fit_is_refused():
    t = adcore.tensor(np.ones(3), requires_grad=True)
    with pytest.raises(ValueError, match="not empty"):
        anp.convolve(t, np.ones(0))
    with pytest.raises(ValueError, match="vectors"):
        anp.correlate(t, np.ones((2, 2)))
    with pytest.raises(ValueError, match="mode is"):
        anp.convolve(t, t, "some")
    for xp, fp in (([0.0, 1.0], [1.0]), ([], []), (np.ones((1, 2)), np.ones((1, 2)))):
        with pytest.raises(ValueError, match="vectors of one length that are not empty"):
            anp.interp(t, xp, fp)
    with pytest.raises(ValueError, match="cumprod: operands of shape"):
        _core.record_kernel(_core.kernel_extra(_core.KERNELS["cumprod"][0]), 0.0, [t[0]])


def test_products_as_c():
    def f(x):
        return anp.sum(anp.cumprod(x.reshape(2, 3), 1) * np.arange(6.0).reshape(2, 3))

    native, plain = adcore.compile(f, backend="c"), adcore.compile(f)
    x = np.array([1.0, 0.0, 2.0, 3.0, 0.0, 5.0])
    assert native(x) == plain(x)
    np.testing.assert_array_equal(native.hessian(x), plain.hessian(x))
    np.testing.assert_array_equal(plain.hessian(x), adcore.hessian(f)(x))
