"""Tests as users of HIPS autograd write them, of whatever `autograd` they are given.

test_hips.py runs them with adcore.hips under that name, and with autograd itself if it is there.
"""

import importlib
import itertools

import numpy as onp


class Suite:
    """The tests of a package by the names of autograd."""

    def __init__(self, package):
        self.autograd = importlib.import_module(package)
        self.np = importlib.import_module(f"{package}.numpy")
        self.npr = importlib.import_module(f"{package}.numpy.random")
        self.extend = importlib.import_module(f"{package}.extend")
        self.flatten = importlib.import_module(f"{package}.misc.flatten")
        self.optimizers = importlib.import_module(f"{package}.misc.optimizers")
        self.check_grads = importlib.import_module(f"{package}.test_util").check_grads
        self.npr.seed(1)

    def test_grad_of_an_argument(self):
        def f(x, y):
            return x**2 * self.np.sin(y)

        assert abs(self.autograd.grad(f)(2.0, 0.5) - 4 * onp.sin(0.5)) < 1e-14
        assert abs(self.autograd.grad(f, 1)(2.0, 0.5) - 4 * onp.cos(0.5)) < 1e-14
        both = self.autograd.grad(f, (0, 1))(2.0, 0.5)
        assert isinstance(both, tuple)
        assert len(both) == 2

    def test_grad_of_one_element(self):
        x = self.npr.randn(1, 3)
        found = self.autograd.grad(lambda x: self.np.sum(x, axis=1, keepdims=True))(x)
        assert onp.array_equal(found, onp.ones((1, 3)))

    def test_grads_of_a_network(self):
        sizes = [3, 4, 1]
        weights = [(self.npr.randn(m, n), self.npr.randn(n)) for m, n in itertools.pairwise(sizes)]
        inputs = self.npr.randn(5, 3)

        def loss(weights):
            x = inputs
            for w, b in weights:
                x = self.np.tanh(self.np.dot(x, w) + b)
            return self.np.sum(x**2)

        self.check_grads(loss, modes=["rev"], order=2)(weights)
        found = self.autograd.grad(loss)(weights)
        assert found[0][0].shape == (3, 4)

    def test_jacobian_and_hessian(self):
        def f(x):
            return self.np.array([x[0] * x[1], self.np.sin(x[0])])

        x = onp.array([0.3, 2.0])
        want = [[2.0, 0.3], [onp.cos(0.3), 0.0]]
        assert onp.allclose(self.autograd.jacobian(f)(x), want)
        hessian = self.autograd.hessian(lambda x: self.np.sum(f(x)))(x)
        assert onp.allclose(hessian, [[-onp.sin(0.3), 1.0], [1.0, 0.0]])

    def test_products(self):
        a = self.npr.randn(4, 4)
        x, v = self.npr.randn(4), self.npr.randn(4)

        def f(x):
            return self.np.sum(self.np.sin(self.np.dot(a, x)))

        h = self.autograd.hessian(f)(x)
        assert onp.allclose(self.autograd.hessian_vector_product(f)(x, v), h @ v)
        assert onp.allclose(self.autograd.hessian_tensor_product(f)(x, v), h @ v)
        hvp, g = self.autograd.make_hvp(f)(x)
        assert onp.allclose(hvp(v), h @ v)
        assert onp.allclose(g, self.autograd.grad(f)(x))

        def vector(x):
            return self.np.cos(self.np.dot(a, x))

        j = self.autograd.jacobian(vector)(x)
        assert onp.allclose(self.autograd.tensor_jacobian_product(vector)(x, v), v @ j)
        vjp, y = self.autograd.make_vjp(vector)(x)
        assert onp.allclose(y, onp.cos(a @ x))
        assert onp.allclose(vjp(v), v @ j)
        y, pushed = self.autograd.make_jvp(vector)(x)(v)
        assert onp.allclose(y, onp.cos(a @ x))
        assert onp.allclose(pushed, j @ v)
        ggnvp = self.autograd.make_ggnvp(vector)(x)
        assert onp.allclose(ggnvp(v), j.T @ (j @ v))
        assert onp.allclose(self.autograd.deriv(vector)(x), j.sum(1))

    def test_elementwise_grad_nests(self):
        egrad = self.autograd.elementwise_grad
        x = onp.linspace(-1.0, 1.0, 5)
        assert onp.allclose(egrad(egrad(self.np.tanh))(x), -2 * onp.tanh(x) / onp.cosh(x) ** 2)

    def test_aux_and_values(self):
        g, aux = self.autograd.grad_and_aux(lambda x: (x**2, 3 * x))(2.0)
        assert (g, aux) == (4.0, 6.0)
        y, g = self.autograd.value_and_grad(lambda x: x**3)(2.0)
        assert (y, g) == (8.0, 12.0)
        assert self.autograd.grad_named(lambda x, y: x * y, "y")(3.0, 1.0) == 3.0

    def test_containers(self):
        def f(p):
            return self.np.sum(p["a"] ** 2) + p["b"][0] * p["b"][1]

        found = self.autograd.grad(f)({"a": onp.ones(2), "b": [3.0, 4.0]})
        assert onp.array_equal(found["a"], [2.0, 2.0])
        assert list(found["b"]) == [4.0, 3.0]
        self.check_grads(f, modes=["rev"])({"a": onp.ones(2), "b": [3.0, 4.0]})

    def test_primitives(self):
        @self.extend.primitive
        def log1pexp(x):
            return onp.logaddexp(0.0, x)

        def slope(ans, x):
            return self.np.exp(x - ans)

        self.extend.defvjp(log1pexp, lambda ans, x: lambda g: g * slope(ans, x))
        self.extend.defjvp(log1pexp, lambda g, ans, x: g * slope(ans, x))
        self.check_grads(log1pexp, modes=["fwd", "rev"], order=3)(self.npr.randn(3))

        @self.extend.primitive
        def scaled(x, c, by=1.0):
            return x * c * by

        self.extend.defvjp(
            scaled, lambda ans, x, c, by=1.0: lambda g: g * c * by, None, argnums=(0, 1)
        )
        assert self.autograd.grad(scaled)(2.0, 3.0, by=4.0) == 12.0
        self.extend.defjvp(scaled, "same", None)
        assert self.autograd.make_jvp(scaled)(2.0, 3.0)(1.0)[1] == 3.0

    def test_checkpoint(self):
        f = self.autograd.checkpoint(lambda x: self.np.sum(self.np.sin(x) ** 2))
        x = self.npr.randn(3)
        assert onp.allclose(self.autograd.grad(f)(x), onp.sin(2 * x))
        self.check_grads(f, modes=["rev"], order=2)(x)

    def test_flatten(self):
        value = [onp.ones((2, 2)), (3.0, {"k": onp.arange(2.0)})]
        vector, back = self.flatten.flatten(value)
        assert vector.shape == (7,)
        again = back(vector)
        assert again[1][0] == 3.0
        assert onp.array_equal(again[1][1]["k"], [0.0, 1.0])
        f = lambda v: self.np.sum(self.flatten.flatten(v)[0] ** 2)  # noqa: E731
        assert self.autograd.grad(f)(value)[1][0] == 6.0

    def test_optimizers(self):
        def loss(x, i):
            del i
            return self.np.sum((x["a"] - 1.0) ** 2)

        start = {"a": onp.zeros(3)}
        seen = []
        for name, step in {"sgd": 0.5, "rmsprop": 0.05, "adam": 0.1}.items():
            method = getattr(self.optimizers, name)
            found = method(
                self.autograd.grad(loss), start,
                callback=lambda x, i, g: seen.append((i, g["a"].shape)),
                num_iters=200, step_size=step,
            )  # fmt: skip
            assert onp.allclose(found["a"], 1.0, atol=0.05), name
        assert seen[0] == (0, (3,))
        assert len(seen) == 600


TESTS = [name for name in vars(Suite) if name.startswith("test_")]
