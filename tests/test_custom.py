"""Custom rules: every kind in every mode, to the third order, against the same function without."""

import functools
import gc
import math

import numpy as np
import pytest
import scipy.special

import adcore
from adcore import (
    custom_jvp,
    custom_vjp,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    primitive,
    vjp,
)
from adcore.errors import NotDifferentiableError, ShapeError

X = np.array([0.3, -0.7, 1.2])
V = np.array([1.0, 0.5, -2.0])


def plain(x):
    """Of an array: the sum of sin(x) x, and x**2."""
    return np.sum(np.sin(x) * x), x * x


def by_vjp():
    @adcore.custom_vjp
    def f(x):
        return plain(x)

    def bwd(x, ct):
        return (ct[0] * (np.cos(x) * x + np.sin(x)) + ct[1] * 2.0 * x,)

    f.defvjp(lambda x: (f(x), x), bwd)
    return f


def by_jvp():
    @adcore.custom_jvp
    def f(x):
        return plain(x)

    @f.defjvp
    def f_jvp(primals, tangents):
        (x,), (v,) = primals, tangents
        return f(x), (np.sum((np.cos(x) * x + np.sin(x)) * v), 2.0 * x * v)

    return f


def black_box(x):
    assert type(x) is np.ndarray
    return float(np.sum(np.sin(x) * x)), x * x


def by_primitive_vjp():
    def rule(_, x):
        return lambda ct: ct[0] * (np.cos(x) * x + np.sin(x)) + ct[1] * 2.0 * x

    return adcore.primitive(black_box, vjp=rule)


def by_primitive_jvp():
    def rule(v, _, x):
        return np.sum((np.cos(x) * x + np.sin(x)) * v), 2.0 * x * v

    return adcore.primitive(black_box, jvp=rule)


def use(f):
    """A number that is curved in both of f's results."""

    def g(x):
        a, b = f(x * 1.5)
        return np.sin(a) * np.sum(b * x) + a * a

    return g


KINDS = [by_vjp, by_jvp, by_primitive_vjp, by_primitive_jvp]
kinds = pytest.mark.parametrize("make", KINDS)


@kinds
@pytest.mark.parametrize(
    "transform",
    [
        lambda g: g(X),
        lambda g: grad(g)(X),
        lambda g: jvp(g, (X,), (V,)),
        lambda g: jacfwd(g)(X),
        lambda g: hessian(g)(X),
        lambda g: jacrev(jacrev(g))(X),
        lambda g: jacfwd(jacrev(g))(X),
        lambda g: jacrev(jacfwd(g))(X),
        lambda g: jacfwd(jacfwd(g))(X),
        lambda g: hvp(g, (X,), (V,)),
        lambda g: jvp(grad(g), (X,), (V,)),
        lambda g: jvp(lambda y: jvp(g, (y,), (V,))[1], (X,), (V * X,)),
        lambda g: grad(lambda y: jvp(g, (y,), (V,))[1])(X),
        lambda g: jacobian(hessian(g))(X),
        lambda g: jvp(hessian(g), (X,), (V,)),
        lambda g: grad(lambda y: np.sum(hvp(g, (y,), (V,))[1]))(X),
        lambda g: vjp(grad(g), X)[1](V),
        lambda g: adcore.linearize(g, X)[1](V),
    ],
)
def test_a_rule_holds_in_every_mode_and_order(make, transform):
    got, expected = transform(use(make())), transform(use(plain))
    for a, b in zip(_leaves(got), _leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def _leaves(tree):
    return [v for t in tree for v in _leaves(t)] if isinstance(tree, tuple) else [tree]


@kinds
def test_outside_of_transforms_a_custom_function_is_the_function(make):
    f = make()
    a, b = f(X)
    assert not isinstance(a, adcore.Tensor)
    assert type(b) is np.ndarray
    np.testing.assert_array_equal(b, X * X)


@kinds
def test_tensors_and_no_grad(make):
    f = make()
    x = adcore.tensor(X, requires_grad=True)
    with adcore.no_grad():
        a, b = f(x)
    assert not a.requires_grad
    assert not b.requires_grad
    a, b = f(x)
    (a + b.sum()).backward()
    np.testing.assert_allclose(x.grad.numpy(), np.cos(X) * X + np.sin(X) + 2 * X, rtol=1e-14)


@kinds
def test_the_tape_is_left_empty(make):
    gc.collect()  # tensors in the frames of errors that other tests caught
    before = adcore._core.tape_stats()
    g = use(make())
    grad(g)(X), hessian(g)(X), jacfwd(g)(X), jvp(grad(g), (X,), (V,))
    after = adcore._core.tape_stats()
    for key in ("instructions", "slots", "words", "handles"):
        assert after[key] == before[key], key


def test_a_custom_rule_is_the_one_that_is_used():
    f = adcore.custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (x * x, None), lambda _, ct: (ct * 100.0,))
    assert grad(f)(3.0) == 100.0
    assert jvp(f, (3.0,), (1.0,)) == (9.0, 100.0)
    g = adcore.custom_jvp(lambda x: x * x)
    g.defjvp(lambda primals, tangents: (primals[0] ** 2, tangents[0] * 100.0))
    assert grad(g)(3.0) == 100.0
    assert jvp(g, (3.0,), (1.0,)) == (9.0, 100.0)


def test_arguments_without_derivative():
    @functools.partial(adcore.custom_vjp, nondiff_argnums=(0, 2))
    def f(name, x, n, y):
        assert name == "power"
        return x**n * y

    def fwd(name, x, n, y):
        return f(name, x, n, y), (x, y)

    def bwd(name, n, residuals, ct):
        assert (name, n) == ("power", 3)
        x, y = residuals
        return ct * n * x ** (n - 1) * y, ct * x**n

    f.defvjp(fwd, bwd)
    assert grad(lambda x, y: f("power", x, 3, y), argnums=(0, 1))(2.0, 5.0) == (60.0, 8.0)
    assert grad(lambda x: f("power", x, n=3, y=x))(2.0) == 32.0

    @functools.partial(adcore.custom_jvp, nondiff_argnums=(1,))
    def g(x, n):
        return x**n

    @g.defjvp
    def _(n, primals, tangents):
        return g(primals[0], n), n * primals[0] ** (n - 1) * tangents[0]

    assert grad(lambda x: g(x, 3))(2.0) == 12.0
    assert grad(grad(lambda x: g(x, 3)))(2.0) == 12.0


def test_containers_as_arguments_and_results():
    @adcore.custom_vjp
    def f(p):
        return {"sum": p["a"] + p["b"][0], "product": p["a"] * p["b"][0]}

    def bwd(p, ct):
        a, b = p["a"], p["b"][0]
        return ({"a": ct["sum"] + ct["product"] * b, "b": [ct["sum"] + ct["product"] * a]},)

    f.defvjp(lambda p: (f(p), p), bwd)

    def g(p):
        out = f(p)
        return out["sum"] * out["product"]

    at = {"a": 2.0, "b": [3.0]}
    assert grad(g)(at) == {"a": 6.0 + 5.0 * 3.0, "b": [6.0 + 5.0 * 2.0]}
    assert hessian(g)(at)["a"]["b"] == [2.0 * 2.0 + 2.0 * 3.0]


def test_none_stands_for_a_zero_adjoint():
    f = adcore.custom_vjp(lambda x, y: x * y)
    f.defvjp(lambda x, y: (x * y, y), lambda y, ct: (ct * y, None))
    assert grad(f, argnums=(0, 1))(2.0, 3.0) == (3.0, 0.0)
    assert jvp(f, (2.0, 3.0), (1.0, 1.0)) == (6.0, 3.0)
    g = adcore.primitive(lambda x, y: x * y, vjp=(lambda z, x, y: lambda ct: ct * y, None))
    assert grad(g, argnums=(0, 1))(2.0, 3.0) == (3.0, 0.0)
    assert jvp(g, (2.0, 3.0), (1.0, 1.0)) == (6.0, 3.0)
    assert hessian(g, argnums=(0, 1))(2.0, 3.0) == ((0.0, 1.0), (0.0, 0.0))


def test_rules_per_argument_and_their_transposes():
    f = adcore.primitive(lambda x, y: x * math.exp(y))
    f.defvjp(lambda z, x, y: lambda ct: ct * np.exp(y), argnums=[0])
    f.defjvp(lambda v, z, x, y: v * z, argnums=[1])

    def expected(x, y):
        return x * np.exp(y)

    for transform in (
        functools.partial(grad, argnums=(0, 1)),
        functools.partial(hessian, argnums=(0, 1)),
        lambda g: lambda x, y: jvp(g, (x, y), (1.0, 2.0)),
    ):
        np.testing.assert_allclose(
            np.ravel(transform(f)(0.5, 1.5)), np.ravel(transform(expected)(0.5, 1.5)), rtol=1e-14
        )


def test_defjvps_takes_one_rule_per_argument():
    f = adcore.custom_jvp(lambda x, y: x * x * y)
    f.defjvps(lambda v, out, x, y: 2.0 * x * y * v, None)
    assert grad(f, argnums=(0, 1))(2.0, 3.0) == (12.0, 0.0)


def test_keywords_reach_a_primitive_and_its_rules():
    def rule(_, x, *, scale):
        return lambda ct: ct * scale * np.cos(x * scale)

    f = adcore.primitive(lambda x, *, scale=1.0: math.sin(x * scale), vjp=rule)
    assert grad(lambda x: f(x, scale=2.0))(0.0) == 2.0
    np.testing.assert_allclose(
        grad(grad(grad(lambda x: f(x, scale=2.0))))(0.5), -8 * np.cos(1.0), rtol=1e-15
    )


def test_a_function_of_scipy_to_the_third_order():
    def jn_rule(_, n, x):
        return lambda ct: ct * 0.5 * (jn(n - 1, x) - jn(n + 1, x))

    jn = adcore.primitive(lambda n, x: scipy.special.jn(n, x), vjp=(None, jn_rule))
    x = np.array([0.5, 1.5])
    third = jacobian(jacobian(jacobian(lambda x: jn(2, x))))(x)
    np.testing.assert_allclose(
        [third[i, i, i, i] for i in range(2)], scipy.special.jvp(2, x, 3), rtol=1e-12
    )


def test_a_rule_may_differentiate_by_itself():
    """The cube root of a by Newton's method; the derivative by the implicit function theorem."""

    def residual(x, a):
        return x**3 - a

    @adcore.custom_vjp
    def solve(a):
        x = 1.0
        for _ in range(60):
            x = x - residual(x, a) / (3.0 * x**2)
        return x

    def bwd(saved, ct):
        x, a = saved
        by_x, by_a = grad(residual, argnums=(0, 1))(x, a)
        return (-ct * by_a / by_x,)

    solve.defvjp(lambda a: ((x := solve(a)), (x, a)), bwd)
    np.testing.assert_allclose(grad(solve)(8.0), 1 / 12, rtol=1e-15)
    np.testing.assert_allclose(grad(grad(solve))(8.0), -2 / 9 * 8 ** (-5 / 3), rtol=1e-13)
    np.testing.assert_allclose(jacfwd(grad(solve))(8.0), -2 / 9 * 8 ** (-5 / 3), rtol=1e-13)
    np.testing.assert_allclose(
        grad(lambda x: solve(x * x) * solve(x))(8.0),
        grad(lambda x: x ** (2 / 3) * x ** (1 / 3))(8.0),
    )


def test_a_custom_function_inside_another():
    inner = by_vjp()
    outer = adcore.custom_jvp(lambda x: inner(x)[0] * x)

    @outer.defjvp
    def _(primals, tangents):
        (x,), (v,) = primals, tangents
        a, da = jvp(lambda y: inner(y)[0], (x,), (v,))
        return a * x, da * x + a * v

    def g(f):
        return lambda x: np.sum(np.sin(f(x)))

    expected = hessian(g(lambda x: plain(x)[0] * x))(X)
    np.testing.assert_allclose(hessian(g(outer))(X), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(jacfwd(jacrev(g(outer)))(X), expected, rtol=1e-12, atol=1e-13)


def test_methods_can_have_rules():
    class Model:
        scale = 3.0

        @adcore.primitive
        def value(self, x):
            return self.scale * x

    Model.value.defvjp(lambda y, self, x: lambda ct: ct * self.scale, argnums=[1])
    assert grad(Model().value)(1.0) == 3.0


def test_custom_functions_keep_name_and_docstring():
    def f(x):
        """Twice x."""
        return 2 * x

    for made in (adcore.custom_vjp(f), adcore.custom_jvp(f), adcore.primitive(f)):
        assert (made.__name__, made.__doc__) == ("f", "Twice x.")
    wrapped = adcore.custom_vjp(adcore.primitive(f, vjp=lambda y, x: lambda ct: 5.0 * ct))
    wrapped.defvjp(lambda x: (f(x), None), lambda _, ct: (7.0 * ct,))
    assert grad(wrapped)(1.0) == 7.0


def test_a_black_box_rule_serves_both_modes_to_the_first_order():
    def vjp_rule(_, x):
        return lambda ct: np.array([math.cos(v) for v in x]) * ct

    def jvp_rule(v, _, x):
        return np.array([math.cos(a) * float(b) for a, b in zip(x, v, strict=True)])

    def sines(x):
        return np.array([math.sin(v) for v in x])

    for f in (adcore.primitive(sines, vjp=vjp_rule), adcore.primitive(sines, jvp=jvp_rule)):
        for transform in (jacfwd, jacrev):
            np.testing.assert_array_equal(transform(f)(X), np.diag(np.cos(X)))
        np.testing.assert_array_equal(jvp(f, (X,), (V,))[1], np.cos(X) * V)
        np.testing.assert_array_equal(vjp(f, X)[1](V)[0], np.cos(X) * V)
        with pytest.raises(NotDifferentiableError, match=r"of sines .*differentiated: float"):
            hessian(lambda x, f=f: np.sum(f(x)))(X)


# ---- errors ----


def test_a_missing_rule_is_named():
    @adcore.custom_vjp
    def f(x):
        return x * x

    @adcore.custom_jvp
    def g(x):
        return x * x

    h = adcore.primitive(lambda x, y: x * y, vjp=(lambda z, x, y: lambda ct: ct * y,))
    h.__name__ = h.f.__name__ = "h"
    for transform in (grad, jacfwd):
        with pytest.raises(
            NotDifferentiableError, match=r"f has no derivative rule; write f.defvjp"
        ):
            transform(f)(1.0)
        with pytest.raises(
            NotDifferentiableError, match=r"g has no derivative rule; write @g.defjvp"
        ):
            transform(g)(1.0)
        with pytest.raises(
            NotDifferentiableError, match=r"h has no derivative rule for argument 1; "
        ):
            transform(lambda y: h(2.0, y))(1.0)
    assert grad(lambda x: h(x, 5.0))(1.0) == 5.0
    assert (f(3.0), g(3.0), h(1.0, 2.0)) == (9.0, 9.0, 2.0)


def test_a_rule_outside_of_adcore_names_itself_at_the_second_order():
    @adcore.custom_vjp
    def f(x):
        return x**3

    f.defvjp(lambda x: (f(x), x), lambda x, ct: (ct * 3.0 * math.pow(x, 2.0),))
    assert grad(f)(2.0) == 12.0
    for transform in (lambda f: grad(grad(f)), lambda f: jacfwd(grad(f)), hessian):
        with pytest.raises(
            NotDifferentiableError, match=r"bwd of f.*cannot be differentiated: floa"
        ):
            transform(f)(2.0)
    assert grad(f)(2.0) == 12.0


def test_a_rule_that_loses_the_dependence_is_found_out():
    def g(_, x):
        return lambda ct: np.array(3.0 * _number(x) ** 2 * _number(ct))

    def _number(x):
        return x.item() if hasattr(x, "item") else x

    f = adcore.primitive(lambda x: x**3, vjp=g)
    f.f.__name__ = "f"
    assert grad(f)(2.0) == 12.0
    with pytest.raises(
        NotDifferentiableError, match="the vjp of f gives numbers that do not depend"
    ):
        grad(grad(f))(2.0)


def test_wrong_results_of_rules():
    f = adcore.custom_vjp(lambda x, y: x * y)
    f.f.__name__ = "f"
    f.defvjp(lambda x, y: (x * y, None), lambda _, ct: (ct,))
    with pytest.raises(
        ShapeError, match="bwd of f must return a tuple with one entry for each of it"
    ):
        grad(f)(1.0, 2.0)
    f.defvjp(lambda x, y: (x * y, None), lambda _, ct: (ct, np.ones(2)))
    with pytest.raises(
        ShapeError, match=r"of f.* returned an adjoint of shape \(2,\) where \(\) is"
    ):
        grad(f, argnums=1)(1.0, 2.0)
    f.defvjp(lambda x, y: x * y, lambda _, ct: (ct, ct))
    with pytest.raises(
        TypeError, match=r"fwd of f must return a pair \(output, residuals\), got a f"
    ):
        grad(f)(1.0, 2.0)
    g = adcore.custom_jvp(lambda x: x * x)
    g.f.__name__ = "g"
    g.defjvp(lambda primals, tangents: (primals[0] ** 2, np.ones(3)))
    for transform in (grad, jacfwd):
        with pytest.raises(ShapeError, match=r"jvp of g returned a tangent of shape \(3,\) where"):
            transform(g)(1.0)
    g.defjvp(lambda primals, tangents: primals[0])
    with pytest.raises(TypeError, match=r"jvp of g must return a pair \(output, tangent\), got a"):
        jacfwd(g)(1.0)


def test_a_tracked_tensor_from_outside_is_refused():
    f = adcore.custom_vjp(lambda x: x * 2.0)
    f.f.__name__ = "f"

    def outer(y):
        f.defvjp(lambda x: (x * y, None), lambda _, ct: (ct,))
        return grad(f)(1.0)

    with pytest.raises(
        NotDifferentiableError, match="f returned a tracked tensor although its arg"
    ):
        grad(outer)(2.0)


def test_results_that_have_no_derivative():
    f = adcore.primitive(lambda x: "text", vjp=lambda y, x: lambda ct: ct)
    f.f.__name__ = "f"
    assert f(1.0) == "text"
    with pytest.raises(NotDifferentiableError, match="f returned a str, which has no derivative"):
        grad(f)(1.0)


# ---- misuse: rules that are missing, or return what they should not ----


def product(x, y):
    return x * y


def keep_both(x, y):
    return x * y, (x, y)


def with_backward(backward):
    f = custom_vjp(product)
    f.defvjp(keep_both, backward)
    return f


def test_a_missing_rule_is_named_and_nothing_else():
    black_box = primitive(lambda x: np.asarray(x) * 2.0)
    for write in (lambda x: grad(black_box)(x), lambda x: jvp(black_box, (x,), (1.0,))):
        with pytest.raises(NotDifferentiableError, match=r"^<lambda> has no derivative rule for"):
            write(2.0)
    for f in (custom_vjp(lambda x: x), custom_jvp(lambda x: x)):
        with pytest.raises(NotDifferentiableError, match=r"^<lambda> has no derivative rule; "):
            grad(f)(1.0)
        with pytest.raises(NotDifferentiableError, match=r"^<lambda> has no derivative rule; "):
            jvp(f, (1.0,), (1.0,))


def test_what_a_rule_returns_is_checked():
    with pytest.raises(NotDifferentiableError, match=r"bwd of product.* returned a str for an adj"):
        grad(with_backward(lambda _, ct: ("text", ct)))(2.0, 3.0)
    with pytest.raises(TypeError, match=r"argument 0 must return a function from ct.*got a float"):
        grad(primitive(np.sin, vjp=lambda y, x: 3.0 * x + y))(1.0)
    with pytest.raises(NotDifferentiableError, match=r"bwd of product.* cannot be differentiated"):
        hessian(with_backward(lambda r, ct: (math.sin(r[0]) * ct, ct)))(2.0, 3.0)
    assert grad(with_backward(lambda r, ct: (ct * r[1], ct * r[0])))(2.0, 3.0) == 3.0


def test_rules_that_are_no_functions_are_refused_at_once():
    with pytest.raises(TypeError, match="fwd of product must be a function, got a int"):
        custom_vjp(product).defvjp(3, 4)
    with pytest.raises(TypeError, match="the rule jvp of product must be a function, got a float"):
        custom_jvp(product).defjvp(3.0)
    with pytest.raises(TypeError, match="a vjp of product must be a function, or None for zero"):
        primitive(product, vjp=(None, 2.0))
    for make in (custom_vjp, custom_jvp):
        with pytest.raises(TypeError, match=f"{make.__name__} takes a function, got a float"):
            make(1.0)
    with pytest.raises(TypeError, match="primitive takes a function, got a float"):
        primitive(1.0)


def test_arguments_without_a_derivative_are_not_differentiated_in_silence():
    f = custom_vjp(lambda n, x: n * x * x, nondiff_argnums=0)
    f.defvjp(lambda n, x: (n * x * x, x), lambda n, x, ct: (2.0 * n * x * ct,))
    assert grad(lambda x: f(3.0, x))(2.0) == 12.0
    for wrong in (lambda x: f(x, x), lambda x: f(x, 3.0)):
        with pytest.raises(NotDifferentiableError, match="argument 0 of <lambda> is among"):
            grad(wrong)(2.0)
        with pytest.raises(NotDifferentiableError, match="argument 0 of <lambda> is among"):
            jvp(wrong, (2.0,), (1.0,))
    with pytest.raises(TypeError, match="names argument 3, but it was called with 1 arguments"):
        custom_vjp(lambda x: x, nondiff_argnums=(3,))(1.0)
    with pytest.raises(TypeError, match="nondiff_argnums must be integers, got 'a'"):
        custom_vjp(lambda x: x, nondiff_argnums="a")


BENT = {
    "square": lambda x, v: 2.0 * x * v + 0.1 * v * v,
    "constant": lambda x, v: 2.0 * x * v + 0.1,
    "product": lambda x, v: np.sum(v) * v,
}


@pytest.mark.parametrize("rule", BENT)
@pytest.mark.parametrize("x", [2.0, np.array([2.0, 0.5])])
def test_a_rule_that_is_not_linear_is_not_transposed(rule, x):
    @adcore.custom_jvp
    def square(x):
        return x * x

    @square.defjvp
    def _(primals, tangents):
        (x,), (v,) = primals, tangents
        return square(x), BENT[rule](x, v)

    def total(x):
        return np.sum(square(x))

    match = "rule jvp of square is not linear in the tangents"
    with pytest.raises(NotDifferentiableError, match=match):
        adcore.grad(total)(x)
    with pytest.raises(NotDifferentiableError, match=match):
        adcore.compile(total).grad(x)


def test_a_reverse_rule_that_is_not_linear_is_not_transposed():
    @adcore.custom_vjp
    def double(x):
        return 2.0 * x

    double.defvjp(lambda x: (double(x), None), lambda _, ct: (2.0 * ct * ct,))
    with pytest.raises(NotDifferentiableError, match=r"double.* is not linear in the adjoints"):
        adcore.jvp(double, (1.0,), (1.0,))


def test_a_rule_in_plain_numbers_that_is_not_linear_is_not_transposed():
    def push(v, y, x):
        del y
        return math.sin(x) * float(v) ** 2  # nothing that a tensor could pass through

    f = adcore.primitive(math.cos, jvp=push)
    with pytest.raises(NotDifferentiableError, match="jvp of cos is not linear"):
        adcore.grad(lambda x: f(x) * 1.0)(1.0)


# ---- what the tape keeps of a call ----


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
    @adcore.custom_vjp
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
