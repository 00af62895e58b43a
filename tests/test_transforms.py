"""The transforms: against closed forms, against one another, nested in every mixture."""

import collections
import dataclasses
import gc
import itertools
import subprocess
import sys

import mpmath
import numpy as np
import pytest

import adcore
from adcore import (
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linearize,
    value_and_grad,
    value_grad_and_hessian,
    vjp,
)
from adcore.errors import NotDifferentiableError, ShapeError
from adcore.testing import check_grads

X = np.array([0.7, 1.3, 1.9])


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        t = x[i + 1] - x[i] * x[i]
        u = 1.0 - x[i]
        total = total + 100.0 * t * t + u * u
    return total


def smooth(x):
    return adcore.exp(x[0] * x[1]) + x[2] ** 3 * x[0] + x[1] / x[2]


def tangent(f):
    """The derivative of a function of one number, by forward mode."""
    return lambda x: jvp(f, (x,), (1.0,))[1]


# ---- against closed forms ----


def rosenbrock_gradient(x):
    t = x[1:] - x[:-1] ** 2
    g = np.zeros_like(x)
    g[1:] += 200 * t
    g[:-1] += -400 * t * x[:-1] - 2 * (1 - x[:-1])
    return g


@pytest.mark.parametrize("n", [2, 40, 1000])
def test_rosenbrock_gradient_of_a_list_and_of_an_array(n, rng):
    x = rng.uniform(0.5, 1.5, n)
    value, g = value_and_grad(rosenbrock)(x)
    assert type(value) is float
    assert value == rosenbrock(x.tolist())
    np.testing.assert_allclose(g, rosenbrock_gradient(x), rtol=1e-12, atol=1e-9)
    value, g = value_and_grad(rosenbrock)(x.tolist())
    assert type(g) is list
    assert set(map(type, g)) == {float}
    np.testing.assert_allclose(g, rosenbrock_gradient(x), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("n", [2, 7, 8, 9, 17, 40])
def test_rosenbrock_hessian(n, rng):
    x = rng.uniform(0.5, 1.5, n)
    want = np.zeros((n, n))
    for i in range(n - 1):
        want[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        want[i + 1, i + 1] += 200
        want[i, i + 1] = want[i + 1, i] = -400 * x[i]
    value, g, h = value_grad_and_hessian(rosenbrock)(x)
    np.testing.assert_allclose(h, want, rtol=1e-13, atol=1e-9)
    np.testing.assert_allclose(g, rosenbrock_gradient(x), rtol=1e-12, atol=1e-9)
    assert value == rosenbrock(x.tolist())


@pytest.mark.parametrize("memory", [0, 1000, 10**5, None])
def test_hessian_is_the_same_within_any_memory(memory):
    x = np.linspace(0.5, 1.5, 20)
    np.testing.assert_array_equal(hessian(rosenbrock, memory=memory)(x), hessian(rosenbrock)(x))


# ---- nested in every mixture ----


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_every_mixture_of_forward_and_reverse(order):
    want = float(mpmath.diff(lambda x: mpmath.sin(x) * x**4, 1.3, order))
    for mixture in itertools.product([tangent, grad], repeat=order):
        f = lambda x: adcore.sin(x) * x**4  # noqa: E731  (the innermost of a chain)
        for transform in mixture:
            f = transform(f)
        got = f(1.3)
        assert type(got) is float, mixture
        assert got == pytest.approx(want, rel=1e-13), mixture


@pytest.mark.parametrize("outer", [tangent, grad])
@pytest.mark.parametrize("inner", [tangent, grad])
def test_no_perturbation_confusion(outer, inner):
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0
    assert outer(lambda x: inner(lambda y: x * y * y)(x))(3.0) == 12.0
    assert outer(lambda x: x * inner(lambda y: x * y * y)(2.0))(3.0) == 24.0
    assert outer(lambda x: x * inner(lambda y: y * y)(2.0))(3.0) == 4.0


HESSIANS = {
    "second-order sweep": hessian,
    "forward over reverse": lambda f: jacfwd(grad(f)),
    "reverse over reverse": lambda f: jacrev(grad(f)),
    "reverse over forward": lambda f: jacrev(jacfwd(f)),
    "forward over forward": lambda f: jacfwd(jacfwd(f)),
    "dual of grad": lambda f: lambda x: rows(lambda e: jvp(grad(f), (x,), (e,))[1], x),
    "grad of dual": lambda f: lambda x: rows(lambda e: grad(lambda z: jvp(f, (z,), (e,))[1])(x), x),
    "dual of dual": lambda f: (
        lambda x: rows(
            lambda e: rows(lambda d: jvp(lambda z: jvp(f, (z,), (e,))[1], (x,), (d,))[1], x), x
        )
    ),
    "products": lambda f: lambda x: rows(lambda e: hvp(f, (x,), (e,))[1], x),
}


def rows(f, x):
    """One result of f for each unit vector."""
    return np.array([f(e) for e in np.eye(len(x))])


@pytest.mark.parametrize("name", HESSIANS)
def test_hessians_agree(name):
    got = HESSIANS[name](smooth)(X)
    np.testing.assert_allclose(got, hessian(smooth)(X), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", HESSIANS)
def test_a_norm_at_zero_has_no_silent_second_derivative(name):
    zero = np.zeros(2)
    for norm in (np.linalg.norm, lambda x: adcore.hypot(x[0], x[1])):
        np.testing.assert_array_equal(grad(norm)(zero), zero)
        assert np.isnan(HESSIANS[name](norm)(zero)).all()
    squares = {
        "**2": lambda n: n**2,
        "**2.0": lambda n: n**2.0,
        "n * n": lambda n: n * n,
        "square": adcore.square,
        "np.square": np.square,
        "np.multiply": lambda n: np.multiply(n, n),
    }
    for spelling, square in squares.items():
        got = HESSIANS[name](lambda x, square=square: square(np.linalg.norm(x)))(zero)
        np.testing.assert_array_equal(got, 2 * np.eye(2), err_msg=spelling)


def test_third_derivatives_agree():
    want = jacobian(hessian(smooth))(X)
    basis = np.eye(3)
    others = {
        "dual of hessian": np.stack([jvp(hessian(smooth), (X,), (e,))[1] for e in basis], -1),
        "hessian of dual": np.stack(
            [hessian(lambda z, e=e: jvp(smooth, (z,), (e,))[1])(X) for e in basis], -1
        ),
        "dual of products": np.stack(
            [
                np.stack(
                    [jvp(lambda z, d=d: hvp(smooth, (z,), (d,))[1], (X,), (e,))[1] for e in basis],
                    -1,
                )
                for d in basis
            ]
        ),
        "grad of products": np.stack(
            [
                np.stack(
                    [grad(lambda z, d=d, i=i: hvp(smooth, (z,), (d,))[1][i])(X) for i in range(3)]
                )
                for d in basis
            ]
        ),
    }
    for name, got in others.items():
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("outer", ["jvp", "grad"])
def test_cotangents_and_tangents_may_vary_too(outer):
    """The linear maps of vjp and linearize, and hvp, are bilinear in point and direction."""
    cases = {
        "vjp": (lambda z: vjp(lambda y: y * z, z)[1](z)[0], 2 * X),
        "vjp twice": (lambda z: vjp(lambda y: y * y * z, z)[1](z)[0], 6 * X**2),
        "linearize": (lambda z: linearize(lambda y: y * y * z, z)[1](z), 6 * X**2),
        "hvp": (lambda z: hvp(lambda y: adcore.dot(y * y * y, z), (z,), (z,))[1], 18 * X**2),
        "jacobian": (lambda z: jacobian(lambda y: y * y * z)(z)[0], [4 * X[0], 0, 0]),
        "jacfwd": (lambda z: jacfwd(lambda y: y * y * z)(z)[0], [4 * X[0], 0, 0]),
    }
    for name, (f, want) in cases.items():
        if outer == "jvp":
            got = jvp(f, (X,), (np.ones(3),))[1]
        else:
            got = grad(lambda z, f=f: adcore.sum(f(z)))(X)
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-14, err_msg=f"{outer} of {name}")


def test_check_grads_to_fourth_order():
    check_grads(lambda x: x**3 * adcore.sin(x), (1.5,), order=4, atol=1e-4, rtol=1e-4)
    check_grads(
        lambda x, y: np.exp(x * y[::-1]) / (1 + x * x),
        (np.array([0.1, 0.2]), np.array([0.3, 0.5])),
        order=3,
    )


def test_check_grads_can_fail():
    with pytest.raises(AssertionError, match="where differences give"):
        check_grads(lambda x: x * adcore.stop_gradient(x), (1.5,))


# ---- shapes and containers ----

Pair = collections.namedtuple("Pair", "a b")


@dataclasses.dataclass
class Model:
    weights: np.ndarray
    bias: float


def test_containers_come_back_as_they_went_in():
    g = grad(lambda p: p["a"][0] * p["b"] ** 2)({"a": [1.0, 2.0], "b": 3.0})
    assert g == {"a": [9.0, 0.0], "b": 6.0}
    g = grad(lambda p: p.a * p.b[0])(Pair(2.0, (3.0,)))
    assert g == Pair(3.0, (2.0,))
    assert type(g) is Pair
    g = grad(lambda m: adcore.dot(m.weights, m.weights) * m.bias)(Model(np.array([1.0, 2.0]), 3.0))
    assert type(g) is Model
    assert g.bias == 5.0
    np.testing.assert_array_equal(g.weights, [6.0, 12.0])


def test_hessian_of_containers_nests_twice():
    h = hessian(lambda p: p["a"][0] * p["b"] ** 2)({"a": [1.0, 2.0], "b": 3.0})
    assert h == {
        "a": [{"a": [0.0, 0.0], "b": 6.0}, {"a": [0.0, 0.0], "b": 0.0}],
        "b": {"a": [6.0, 0.0], "b": 2.0},
    }


def test_jacobian_nests_outputs_outside():
    j = jacobian(lambda x, y: (x * y, {"sum": x + y}), argnums=(0, 1))(np.ones(2), 2.0)
    np.testing.assert_array_equal(j[0][0], 2 * np.eye(2))
    np.testing.assert_array_equal(j[0][1], [1.0, 1.0])
    np.testing.assert_array_equal(j[1]["sum"][0], np.eye(2))


@pytest.mark.parametrize("transform", [jacfwd, jacrev, jacobian])
def test_jacobian_shapes(transform, rng):
    a = rng.standard_normal((2, 3, 4, 5))
    j = transform(lambda x: adcore.einsum("abij,ij->ab", a, x))(rng.standard_normal((4, 5)))
    np.testing.assert_allclose(j, a, rtol=1e-15)


def test_jacobian_mode_auto_takes_the_cheaper(monkeypatch):
    seen = []
    for name in ("sweep_forward", "sweep_reverse"):
        original = getattr(adcore._core, name)
        monkeypatch.setattr(
            adcore._core,
            name,
            lambda *a, name=name, original=original: seen.append(name) or original(*a),
        )
    jacobian(lambda x: x[0] * np.ones(20))(np.ones(3))
    assert set(seen) == {"sweep_forward"}
    seen.clear()
    jacobian(lambda x: x[:2])(np.ones(30))
    assert set(seen) == {"sweep_reverse"}


def test_argnums_and_keywords():
    def f(x, n, y, scale=1.0):
        return scale * x**n * y

    assert grad(f)(2.0, 3, 5.0, scale=2.0) == 120.0
    assert grad(f, argnums=(2, 0))(2.0, 3, 5.0) == (8.0, 60.0)
    assert grad(f, argnums=-1)(2.0, 3, 5.0) == 8.0


def test_aux_is_plain_outside():
    (value, aux), g = value_and_grad(lambda x: (x * x, {"x": x, "n": 3}), has_aux=True)(2.0)
    assert (value, aux, g) == (4.0, {"x": 2.0, "n": 3}, 4.0)
    assert grad(lambda x: (x * x, x), has_aux=True)(2.0) == (4.0, 2.0)
    y, back, aux = vjp(lambda x: (x * x, x), 3.0, has_aux=True)
    assert (y, back(1.0), aux) == (9.0, (6.0,), 3.0)
    assert jvp(lambda x: (x * x, x), (3.0,), (1.0,), has_aux=True) == (9.0, 6.0, 3.0)


def test_results_are_plain_outside_and_the_tape_is_left_empty():
    gc.collect()  # tensors in the frames of errors that other tests caught
    adcore._core.compact()
    before = adcore._core.tape_stats()
    for f in (grad(smooth), hessian(smooth), jacobian(grad(smooth)), jacfwd(hessian(smooth))):
        assert type(f(X)) is np.ndarray
    y, back = vjp(smooth, X)
    assert type(y) is float
    assert type(back(1.0)[0]) is np.ndarray
    del back
    adcore._core.compact()  # constants that no instruction owns wait for this
    after = adcore._core.tape_stats()
    for key in ("instructions", "slots", "constants", "words", "handles"):
        assert after[key] == before[key], key


def test_integers_are_taken_as_numbers():
    assert grad(lambda x: x * x)(3) == 6.0
    np.testing.assert_array_equal(grad(lambda x: adcore.sum(x * x))(np.arange(3)), [0.0, 2.0, 4.0])


def test_a_constant_function_has_derivative_zero():
    assert grad(lambda x: 3.0)(2.0) == 0.0
    np.testing.assert_array_equal(hessian(lambda x: 3.0)(np.ones(2)), np.zeros((2, 2)))
    np.testing.assert_array_equal(jacobian(lambda x: np.ones(2))(np.ones(3)), np.zeros((2, 3)))
    assert jvp(lambda x: 3.0, (1.0,), (1.0,)) == (3.0, 0.0)


def test_branches_and_loops_are_followed():
    def f(x):
        while x < 100.0:
            x = x * x if x > 3 else x + 1.5
        return x

    assert grad(f)(1.0) == pytest.approx(4 * 4.0**3)


def test_elementwise_grad(rng):
    x = rng.standard_normal((2, 3))
    np.testing.assert_allclose(adcore.elementwise_grad(np.sin)(x), np.cos(x), rtol=1e-15)
    second = adcore.elementwise_grad(adcore.elementwise_grad(np.sin))
    np.testing.assert_allclose(second(x), -np.sin(x), rtol=1e-15)


# ---- errors ----


def test_errors_say_what_came_and_what_to_write():
    with pytest.raises(ShapeError, match=r"returned shape \(3,\)\. Use jacobian\(<lambda>\)"):
        grad(lambda x: x)(np.ones(3))
    with pytest.raises(ShapeError, match=r"returned a str"):
        grad(lambda x: "hello")(1.0)
    with pytest.raises(NotDifferentiableError, match="a str, which has no derivative"):
        grad(lambda x: x)("hello")
    with pytest.raises(NotDifferentiableError, match="dtype bool"):
        grad(lambda x: x)(np.array([True]))
    with pytest.raises(TypeError, match=r"argnums=1 asks for argument 1 .* called with 1"):
        grad(lambda x: x, argnums=1)(1.0)
    with pytest.raises(TypeError, match=r"jvp takes tuples: jvp\(f, \(x,\), \(v,\)\), got float"):
        jvp(lambda x: x, 1.0, 1.0)
    with pytest.raises(ShapeError, match=r"leaf of shape \(2,\) where \(3,\) is expected"):
        jvp(lambda x: x, (np.ones(3),), (np.ones(2),))
    with pytest.raises(ShapeError, match="has 1 leaves where 2 are expected"):
        vjp(lambda x: (x, x), 1.0)[1](1.0)
    with pytest.raises(ValueError, match="'forward'"):
        jacobian(lambda x: x, mode="forward")
    with pytest.raises(TypeError, match=r"a pair \(value, aux\), got Tensor"):
        grad(lambda x: x, has_aux=True)(1.0)
    with pytest.raises(ShapeError, match="hold no numbers"):
        grad(lambda x: 1.0)([])


@pytest.mark.parametrize(
    "product",
    [
        lambda v: vjp(lambda x: adcore.sin(x) * x, X)[1](v)[0],
        lambda v: linearize(lambda x: adcore.sin(x) * x, X)[1](v),
        lambda v: jvp(lambda x: adcore.sin(x) * x, (X,), (v,))[1],
        lambda v: hvp(lambda x: adcore.sum(adcore.sin(x) - x * adcore.cos(x)), (X,), (v,))[1],
    ],
)
def test_products_stay_differentiable_by_the_direction_alone(product):
    scale = np.diag(jacobian(product)(np.zeros(3)))
    np.testing.assert_allclose(scale, np.diag(jacfwd(product)(np.zeros(3))), rtol=1e-14)
    got = grad(lambda v: adcore.sum(product(v) * v))(X)
    np.testing.assert_allclose(got, 2.0 * X * scale, rtol=1e-14)
    assert np.all(scale != 0)


# ---- every option of every transform ----


def pair_of(x):
    """A value and something beside it, of two kinds."""
    return (x**3).sum(), {"square": x * x, "text": "beside", "nothing": None}


AUX = {
    "grad": lambda f, x: adcore.grad(f, has_aux=True)(x)[1],
    "value_and_grad": lambda f, x: adcore.value_and_grad(f, has_aux=True)(x)[0][1],
    "elementwise_grad": lambda f, x: adcore.elementwise_grad(f, has_aux=True)(x)[1],
    "jvp": lambda f, x: adcore.jvp(f, (x,), (x,), has_aux=True)[2],
    "vjp": lambda f, x: adcore.vjp(f, x, has_aux=True)[2],
    "linearize": lambda f, x: adcore.linearize(f, x, has_aux=True)[2],
    "jacobian": lambda f, x: adcore.jacobian(f, has_aux=True)(x)[1],
    "jacfwd": lambda f, x: adcore.jacfwd(f, has_aux=True)(x)[1],
    "jacrev": lambda f, x: adcore.jacrev(f, has_aux=True)(x)[1],
    "hessian": lambda f, x: adcore.hessian(f, has_aux=True)(x)[1],
    "hvp": lambda f, x: adcore.hvp(f, (x,), (x,), has_aux=True)[2],
    "value_grad_and_hessian": lambda f, x: adcore.value_grad_and_hessian(f, has_aux=True)(x)[0][1],
}


@pytest.mark.parametrize("name", AUX)
def test_has_aux_of_every_transform(name):
    x = np.array([1.0, 2.0])
    aux = AUX[name](pair_of, x)
    assert type(aux["square"]) is np.ndarray
    np.testing.assert_array_equal(aux["square"], x * x)
    assert (aux["text"], aux["nothing"]) == ("beside", None)
    slope = adcore.jvp(lambda x: AUX[name](pair_of, x)["square"], (x,), (np.ones(2),))[1]
    assert type(slope) is np.ndarray
    np.testing.assert_array_equal(slope, 2 * x)
    for output in (lambda x: x.sum(), lambda x: [x.sum(), x], lambda x: (x.sum(), x, x)):
        with pytest.raises(TypeError, match=r"to return a pair \(value, aux\), got "):
            AUX[name](output, x)


def test_none_is_a_container_without_leaves():
    p, v = {"a": 2.0, "b": None, "c": [None, 3.0]}, {"a": 1.0, "b": None, "c": [None, 0.0]}

    def f(p):
        return p["a"] ** 2 * p["c"][1]

    expected = {"a": 12.0, "b": None, "c": [None, 4.0]}
    assert adcore.grad(f)(p) == expected
    assert adcore.jvp(f, (p,), (v,)) == (12.0, 12.0)
    assert adcore.hvp(f, (p,), (v,))[1] == {"a": 6.0, "b": None, "c": [None, 4.0]}
    assert adcore.hessian(f)(p)["a"] == {"a": 6.0, "b": None, "c": [None, 4.0]}
    out = adcore.jacobian(lambda x: {"y": x * x, "n": None})(3.0)
    assert out == {"y": 6.0, "n": None}
    assert adcore.jvp(lambda x: (x * x, None), (3.0,), (1.0,)) == ((9.0, None), (6.0, None))
    assert adcore.vjp(lambda x: (x * x, None), 3.0)[1]((1.0, None)) == (6.0,)
    assert adcore.linearize(lambda x: (x * x, None), 3.0)[1](1.0) == (6.0, None)


def test_dicts_of_other_kinds_come_back():
    found = adcore.grad(lambda p: p["a"] ** 2)(collections.defaultdict(list, a=2.0))
    assert type(found) is collections.defaultdict
    assert (found["a"], found["new"]) == (4.0, [])
    assert type(adcore.grad(lambda p: p["a"])(collections.OrderedDict(a=2.0))) is (
        collections.OrderedDict
    )


def test_argnums_that_cannot_be_meant_are_refused():
    def f(x, y):
        return x * y

    assert adcore.grad(f, np.int64(1))(2.0, 3.0) == 2.0
    assert adcore.grad(f, [1, 0])(2.0, 3.0) == (2.0, 3.0)
    with pytest.raises(ValueError, match=r"argnums=\(0, -2\) names an argument of f twice"):
        adcore.grad(f, (0, -2))(2.0, 3.0)
    for transform in (adcore.grad, adcore.jacobian, adcore.hessian, adcore.elementwise_grad):
        for argnums in ("x", 1.0, (0, "y"), None):
            with pytest.raises(TypeError, match="argnums must be an integer or a tuple of"):
                transform(f, argnums)
    with pytest.raises(TypeError, match="pass what is differentiated by position"):
        adcore.grad(f)(x=2.0, y=3.0)


def test_options_of_a_wrong_kind_are_refused_at_once():
    for memory in (-1, "8 MB"):
        with pytest.raises(ValueError, match="memory is a number of bytes, or None for no limit"):
            hessian(rosenbrock, memory=memory)
    for name in ("grad", "value_and_grad", "jacobian", "jacfwd", "jacrev", "hessian"):
        with pytest.raises(TypeError, match=rf"^{name} takes a function, got a float; write"):
            getattr(adcore, name)(3.0)
    with pytest.raises(NotDifferentiableError, match="needs a number or an array from <lambda>"):
        adcore.elementwise_grad(lambda x: [x, x])(2.0)


def test_values_under_another_transform_are_plain_outside():
    def f(x):
        return x[0] ** 3 * x[1]

    x = np.array([1.0, 2.0])
    for inner in (
        lambda x: adcore.value_grad_and_hessian(f)(x)[0],
        lambda x: adcore.value_and_grad(f)(x)[0],
        lambda x: adcore.vjp(f, x)[0],
        lambda x: adcore.linearize(f, x)[0],
    ):
        found = adcore.jvp(inner, (x,), (x,))
        assert [type(v) for v in found] == [float, float]
        assert found == (2.0, 8.0)


@pytest.mark.parametrize("output", [lambda x: [x, x], lambda x: (x,), lambda x: {"a": x}])
def test_a_container_is_no_scalar_output(output):
    for transform in (grad, hessian):
        with pytest.raises(ShapeError, match="one real output, but <lambda> returned a "):
            transform(output)(2.0)


def test_filling_an_array_of_numpy_says_what_to_fill_instead():
    def fill(make):
        def f(x):
            y = make(x)
            y[0] = x[1] ** 2
            return y.sum()

        return f

    x = np.array([1.0, 3.0])
    with pytest.raises(ValueError, match="setting an array element") as caught:
        grad(fill(lambda _: np.zeros(2)))(x)
    assert "make it by np.zeros_like(x), or stack" in str(caught.value.__cause__)
    np.testing.assert_array_equal(grad(fill(np.zeros_like))(x), [0.0, 6.0])
    assert adcore.jvp(fill(np.zeros_like), (x,), (x,)) == (9.0, 18.0)


def test_testing_is_imported_when_asked_for():
    code = "import adcore; adcore.testing.check_grads(adcore.sin, (1.0,))"
    subprocess.run([sys.executable, "-c", code], check=True)
