"""Tests as users of HIPS autograd write them, of whatever `autograd` they are given.

test_hips.py runs them with adcore.hips under that name, and with autograd itself if it is there.
"""

import importlib
import itertools
import warnings

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
        self.core = importlib.import_module(f"{package}.core")
        self.signal = importlib.import_module(f"{package}.scipy.signal")
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

    def test_complex_gradients(self):
        grad, z = self.autograd.grad, 3.0 + 4.0j
        assert abs(grad(lambda z: self.np.abs(z) ** 2)(z) - (6 - 8j)) < 1e-14
        assert abs(grad(lambda z: self.np.imag(z * z))(z) - 2 * z / 1j) < 1e-14
        w, g = onp.array([1 + 2j, 0.5 - 1j]), onp.array([0.3 + 0.1j, -0.2 + 1j])
        back = self.autograd.make_vjp(lambda w: self.np.sin(w) * (1 + 2j))(w)[0]
        assert onp.allclose(back(g), g * onp.cos(w) * (1 + 2j))
        assert onp.allclose(self.autograd.make_vjp(self.np.conj)(w)[0](g), onp.conj(g))
        along = self.autograd.make_jvp(lambda w: w * w)(w)(g)[1]
        assert onp.allclose(along, 2 * w * g)
        found = self.autograd.jacobian(lambda w: self.np.abs(w) ** 2)(w)
        assert onp.allclose(found, onp.diag(2 * onp.conj(w)))
        holomorphic = self.autograd.holomorphic_grad
        assert abs(holomorphic(lambda z: self.np.sin(z) * 1j)(z) - 1j * onp.cos(z)) < 1e-13
        for transform in (grad, self.autograd.elementwise_grad, self.autograd.value_and_grad):
            assert raises(TypeError, lambda f=transform: f(lambda z: z * z)(z))
        gradient, aux = self.autograd.grad_and_aux(lambda z: (self.np.abs(z) ** 2, z))(z)
        assert abs(gradient - (6 - 8j)) < 1e-14
        assert aux == z

    def test_complex_rules_of_primitives(self):
        @self.extend.primitive
        def square(z):
            return z * z

        self.extend.defvjp(square, lambda ans, z: lambda g: g * 2 * z)
        z = 0.3 + 0.4j
        back = self.autograd.make_vjp(lambda z: self.np.sin(square(z)))(z)[0]
        assert abs(back(1j) - 1j * onp.cos(z * z) * 2 * z) < 1e-14

    def test_convolution_along_axes(self):
        a, b = self.npr.randn(2, 3, 5), self.npr.randn(4, 3, 4)
        for mode in ("full", "valid", "same"):
            found = self.signal.convolve(a, b, axes=([2], [2]), dot_axes=([1], [1]), mode=mode)
            for i in range(2):
                for j in range(4):
                    want = sum(onp.convolve(a[i, k], b[j, k], mode) for k in range(3))
                    assert onp.allclose(found[i, j], want)
            apart = self.signal.convolve(a, b, axes=([2], [2]), mode=mode)
            assert onp.allclose(apart[1, 2, 3, 0], onp.convolve(a[1, 2], b[3, 0], mode))
        product = self.signal.convolve(a, b, axes=([], []), dot_axes=([1], [1]))
        assert onp.allclose(product, onp.einsum("aik,bil->akbl", a, b))

        def energy(a, b):
            found = self.signal.convolve(a, b, axes=([2], [2]), dot_axes=([1], [1]))
            return self.np.sum(self.np.sin(found))

        self.check_grads(energy, argnum=(0, 1), modes=["rev"], order=2)(a, b)

    def test_vector_spaces(self):
        nested = {"a": 1.0, "b": (onp.ones(2), [2.0])}
        for value in (0.5, onp.ones((3, 2)), 1j * onp.ones(2), nested):
            space = self.extend.vspace(value)
            basis = list(space.standard_basis())
            assert len(basis) == space.size
            for x, row in zip(basis, onp.eye(len(basis)), strict=True):
                assert [space.inner_prod(x, y) for y in basis] == row.tolist()
                assert self.extend.vspace(x) == space
            x, y = space.randn(), space.randn()
            assert space.inner_prod(space.add(x, space.scalar_mul(x, -1.0)), y) == 0.0
            total = space.zeros()
            for element in basis:
                total = space.add(total, element)
            difference = space.add(total, space.scalar_mul(space.ones(), -1.0))
            assert space.inner_prod(difference, difference) == 0.0
            self.check_grads(space.add)(x, y)
            self.check_grads(space.inner_prod)(x, y)
        assert self.extend.vspace(onp.ones(3)) != self.extend.vspace(onp.ones(4))
        assert self.extend.vspace(onp.ones(3)).shape == (3,)
        assert self.extend.vspace(1j).iscomplex
        assert not self.extend.vspace(1.0).iscomplex

    def test_old_ways_to_give_rules(self):
        for old in ("defgrad", "defvjp"):

            @self.core.primitive
            def product(x, y):
                return x * y

            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                if old == "defgrad":
                    product.defgrad(lambda ans, x, y: lambda g: y * g)
                    product.defgrad(lambda ans, x, y: lambda g: x * g, argnum=1)
                else:
                    product.defvjp(lambda g, ans, vs, gvs, x, y: y * g)
                    product.defvjp(lambda g, ans, vs, gvs, x, y: x * g, argnum=1)
            assert len(said) == 2
            assert self.autograd.grad(product, (0, 1))(2.0, 3.0) == (3.0, 2.0)

        @self.core.primitive
        def constant(x):
            return 0.0 * x

        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            constant.defvjp_is_zero([0])
        assert len(said) == 1
        assert self.autograd.grad(constant)(2.0) == 0.0

    def test_rules_that_are_missing(self):
        f = self.extend.primitive(lambda x: 2.0 * x)
        assert f not in self.core.primitive_vjps
        assert raises(NotImplementedError, lambda: self.autograd.grad(f)(1.0))
        assert raises(NotImplementedError, lambda: self.autograd.deriv(f)(1.0))
        self.extend.defvjp(f, lambda ans, x: lambda g: 2.0 * g)
        assert f in self.core.primitive_vjps
        assert self.autograd.grad(f)(1.0) == 2.0

    def test_results_that_have_no_gradient(self):
        assert raises(TypeError, lambda: self.autograd.grad(lambda x: self.np.all(x > 0))(1.0))

    def test_names_and_texts(self):
        def foo(x):
            return x

        assert self.autograd.grad(foo, 1).__name__ == "grad_of_foo_wrt_argnum_1"
        assert self.autograd.grad(foo, 1).__doc__.startswith("    grad of function foo with")
        assert self.autograd.grad.__name__ == "grad"
        assert self.autograd.grad.__doc__.strip().startswith("Returns a function which")

    def test_where(self):
        where = self.np.where
        assert type(where(True, 1, 2)) is int
        assert where([True, False], [1, 2], [3, 4]) == [1, 4]
        x, y = onp.array([1.0, 2.0]), onp.array([3.0, 4.0])
        assert onp.array_equal(where(condition=x > 1, x=x, y=y), [3.0, 2.0])
        assert onp.array_equal(where(x > 1, x, y=y), [3.0, 2.0])
        assert onp.array_equal(where(x > 1)[0], [1])
        assert raises(ValueError, lambda: where(x > 1, x))
        f = lambda x: self.np.sum(self.np.where(condition=x > 1, x=x**2, y=y))  # noqa: E731
        assert onp.array_equal(self.autograd.grad(f)(x), [0.0, 4.0])

    def test_what_values_are(self):
        builtins = importlib.import_module(f"{self.autograd.__name__}.builtins")
        tracer = importlib.import_module(f"{self.autograd.__name__}.tracer")
        boxes = importlib.import_module(f"{self.autograd.__name__}.numpy.numpy_boxes")
        seen = []

        def f(x):
            seen.append(
                (
                    builtins.isinstance(x, onp.ndarray),
                    builtins.isinstance(x[0], float),
                    builtins.isinstance(x, (list, tuple)),
                    builtins.type(x) is onp.ndarray,
                    isinstance(x, tracer.Box),
                    isinstance(x, boxes.ArrayBox),
                    tracer.isbox(x),
                )
            )
            return self.np.sum(x)

        self.autograd.grad(f)(onp.ones(2))
        f(onp.ones(2))
        assert seen == [
            (True, True, False, True, True, True, True),
            (True, True, False, True, False, False, False),
        ]

    def test_integer_types_make_constants(self):
        def f(x):
            return self.np.sum(x[self.np.int64(x)] * x)

        x = onp.array([1.0, 2.0, 0.0])
        assert onp.array_equal(self.autograd.grad(f)(x), [2.0, 1.0, 3.0])
        assert onp.zeros(2, self.np.int64).dtype == onp.int64

    def test_constant_graphs(self):
        calls = []

        def f(x, y):
            calls.append(None)
            return self.autograd.grad(lambda x: self.np.sin(x) + 2 * x)(x * y)

        replayed = importlib.import_module(f"{self.autograd.__name__}.misc").const_graph(f)
        assert abs(replayed(0.0, 0.0) - 3.0) < 1e-15
        assert abs(replayed(1.0, 0.5) - (onp.cos(0.5) + 2)) < 1e-15
        assert len(calls) == 1

    def test_quick_grad_check(self):
        util = importlib.import_module(f"{self.autograd.__name__}.util")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            util.quick_grad_check(lambda x, y: x**2 + y, 1.0, (2.0,))
        assert len(said) == 1
        assert util.subvals((1, 2, 3), [(0, 4), (2, 5)]) == (4, 2, 5)
        assert util.subval((1, 2), 1, 3) == (1, 3)


def raises(kind, call):
    """Whether a call raises an error of a kind, warnings beside it left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call()
        except kind:
            return True
    return False


TESTS = [name for name in vars(Suite) if name.startswith("test_")]
