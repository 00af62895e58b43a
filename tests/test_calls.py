"""What the tape keeps of a call whose rules are written in Python: its arguments, its results."""

import numpy as np
import pytest
import scipy.special

import adcore
from adcore import custom_vjp

X = np.array([0.3, -0.7, 1.2])


def slope_of_beta(a, x):
    """d beta(a, x) / dx."""
    digamma = scipy.special.digamma
    return scipy.special.beta(a, x) * (digamma(x) - digamma(a + x))


@pytest.mark.parametrize("kind", [np.array, adcore.tensor])
@pytest.mark.parametrize("product", ["primitive", "special"])
def test_what_a_call_was_given_may_change_before_it_is_differentiated(kind, product):
    numbers, x = X * X + 1.0, adcore.tensor([0.5, 1.5, 2.5], requires_grad=True)
    f, slope = scipy.special.beta, slope_of_beta(numbers, x.detach().numpy())
    if product == "primitive":
        f = adcore.primitive(lambda a, x: a * x, vjp=(None, lambda y, a, x: lambda ct: ct * a))
        slope = numbers
    given = kind(numbers)
    y = f(given, x)
    given[:] = 9.0
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), slope, rtol=1e-13)


def test_a_result_may_lie_in_memory_in_any_order():
    matrix = np.arange(1.0, 7.0).reshape(2, 3)
    f = adcore.primitive(
        lambda x: np.asfortranarray(x**3)[:, ::-1],
        vjp=lambda y, x: lambda ct: 3.0 * x**2 * ct[:, ::-1],
    )
    weights = np.array([[1.0, -2.0, 0.5], [3.0, 0.25, -1.0]])

    def total(x):
        return np.sum(weights * f(x))

    assert total(adcore.tensor(matrix, requires_grad=True)).item() == total(matrix)
    exact = weights[:, ::-1]
    np.testing.assert_allclose(adcore.grad(total)(matrix), 3.0 * matrix**2 * exact)
    second = adcore.hessian(total)(matrix).reshape(6, 6)
    np.testing.assert_allclose(second, np.diag((6.0 * matrix * exact).ravel()))


@pytest.mark.parametrize("transform", [adcore.hessian, lambda f: adcore.compile(f).hessian])
def test_adjoints_of_several_results_that_are_the_same_everywhere(transform):
    @custom_vjp
    def f(x):
        return np.sin(x), np.sum(x**3), x * x

    f.defvjp(
        lambda x: (f(x), x),
        lambda x, ct: (np.cos(x) * ct[0] + 3.0 * x * x * ct[1] + 2.0 * x * ct[2],),
    )

    def total(x):
        waves, cubes, squares = f(x)
        return np.sum(waves) * cubes + np.sum(squares)

    x = np.array([0.3, -0.7, 1.2])
    s, c, ds, dc = np.sum(np.sin(x)), np.sum(x**3), np.cos(x), 3.0 * x * x
    exact = np.outer(ds, dc) + np.outer(dc, ds)
    exact += np.diag(-np.sin(x) * c + 6.0 * x * s + 2.0)
    np.testing.assert_allclose(transform(total)(x), exact, rtol=1e-13)


def test_a_function_of_whole_numbers_in_an_array_is_recorded_like_others():
    x = adcore.tensor(X * X, requires_grad=True)
    order = np.array([1, 2, 3])
    y = scipy.special.beta(order, x)
    y.sum().backward()
    exact = scipy.special.beta(order, X * X)
    np.testing.assert_allclose(y.detach().numpy(), exact, rtol=1e-15)
    np.testing.assert_allclose(x.grad.numpy(), slope_of_beta(order, X * X), rtol=1e-13)
