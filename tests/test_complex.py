"""Complex numbers under differentiation: values against NumPy, derivatives against mpmath."""

import doctest
import operator
import re
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp

import adcore
import adcore.numpy as anp
from adcore.complexes import Complex, pair, stacked
from adcore.errors import NotDifferentiableError, ShapeError, TapeError

# NumPy's ufunc and the same of mpmath's.
FUNCTIONS = {
    "exp": mp.exp,
    "log": mp.log,
    "sqrt": mp.sqrt,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "arcsin": mp.asin,
    "arccos": mp.acos,
    "arctan": mp.atan,
    "arcsinh": mp.asinh,
    "arccosh": mp.acosh,
    "arctanh": mp.atanh,
    "expm1": lambda z: mp.exp(z) - 1,
    "log1p": lambda z: mp.log(1 + z),
    "exp2": lambda z: mp.mpf(2) ** z,
    "log2": lambda z: mp.log(z) / mp.log(2),
    "log10": lambda z: mp.log(z) / mp.log(10),
    "square": lambda z: z * z,
    "reciprocal": lambda z: 1 / z,
}
CUTS = ("log", "sqrt", "log10", "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh")


def leaf(z, tracked=True):
    """The complex array as a pair of tensors, in which derivatives are wanted or not."""
    return adcore.tensor(np.asarray(z, complex), requires_grad=tracked)


def numbers(z):
    """The numbers of whatever came out."""
    return z.detach().numpy() if hasattr(z, "detach") else z


def points(rng, n=3000):
    """All over the plane: normal, of all sizes, near |z| = 1, near 1, -1, i and -i."""
    signs = rng.choice([-1.0, 1.0], (4, n))
    sizes = 10 ** rng.uniform(-12, 2.5, (2, n))
    turn = np.exp(1j * rng.uniform(-np.pi, np.pi, n))
    off = 10 ** rng.uniform(-15, -1, n)
    return np.concatenate(
        [
            rng.normal(size=n) + 1j * rng.normal(size=n),
            signs[0] * sizes[0] + 1j * signs[1] * sizes[1],
            (1 + signs[2] * off) * turn,
            rng.choice([1, -1, 1j, -1j], n) * (1 + off * turn),
        ]
    )


def special():
    """Signed zeros, the axes, the diagonals, and where squares overflow or vanish."""
    x = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 1e-300, -1e-160, 1e-9, -25.0, 700.0, 1e160]
    a, b = np.meshgrid(x, x)
    return a.ravel(), b.ravel()


def ulps(found, expected):
    """Errors in units of the last place of the greater part."""
    size = np.maximum(abs(expected.real), abs(expected.imag))
    return np.maximum(abs(found.real - expected.real), abs(found.imag - expected.imag)) / (
        np.spacing(size)
    )


# ---- elementwise functions ----------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_numpys(name, rng):
    """To 4 units, or 6 where NumPy's own are off by 3; its log1p loses all digits near 0."""
    z = points(rng)
    if name == "log1p":
        z = z[(abs(z) > 0.5) & (abs(abs(1 + z) - 1) > 0.1)]
    function = getattr(np, name)
    limit = 6.0 if name in ("tan", "tanh", "arctan", "arctanh", "log10") else 4.0
    expected = function(z)
    assert np.max(ulps(numbers(function(leaf(z))), expected)) <= limit
    assert np.max(ulps(adcore.jvp(function, (z,), (np.ones_like(z),))[0], expected)) <= limit


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_true(name, rng):
    z = points(rng, 25)
    if name == "exp2":  # exp(z log 2), as NumPy's, whose error grows with z
        z = z[abs(z) < 2]
    with mp.workdps(60):
        true = np.array([complex(FUNCTIONS[name](mp.mpmathify(x))) for x in z])
    assert np.max(ulps(numbers(getattr(np, name)(leaf(z))), true)) <= 4.0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_on_the_axes_and_at_extremes(name):
    a, b = special()
    z = pair(a, b)
    function = getattr(np, name)
    if name == "log1p":  # NumPy's own loses digits of what is tiny
        z = z[(abs(z) > 0.1) | (z == 0)]
    with np.errstate(all="ignore"):
        expected = function(z)
        found = numbers(function(leaf(z)))
        finite = np.isfinite(expected)
        assert np.array_equal(finite, np.isfinite(found))
        assert np.max(ulps(found, expected)[finite & (expected != 0)]) <= 4.0
    for part in ("real", "imag"):
        zero = finite & (getattr(expected, part) == 0)
        assert np.all(getattr(found, part)[zero] == 0) or name == "log1p"
        signs = [np.signbit(getattr(x, part))[finite] for x in (found, expected)]
        assert np.array_equal(*signs)


@pytest.mark.parametrize("name", CUTS)
def test_both_sides_of_branch_cuts(name):
    function = getattr(np, name)
    for on in (-3.0, -0.5, 0.5, 3.0):
        for zero in (0.0, -0.0):
            for z in (complex(on, zero), complex(zero, on)):
                found, expected = numbers(function(leaf(z))), function(z)
                assert abs(found - expected) <= 1e-15 * abs(expected)


SAMPLES = [0.7 + 0.4j, -0.6 + 0.6j, 0.5 - 0.5j, 0.3 + 0.0j, 1e-3 - 1e-3j, 0.9 + 1.1j, -2.0 + 3.0j]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("z", SAMPLES, ids=str)
def test_derivatives_of_three_orders(name, z):
    """f' of holomorphic f, reverse and forward, nested; also on the diagonal and the axis."""
    function = getattr(np, name)
    with mp.workdps(60):
        expected = [complex(mp.diff(FUNCTIONS[name], mp.mpmathify(z), n)) for n in (1, 2, 3)]
    first = adcore.grad(function, holomorphic=True)
    close(first(z), expected[0])
    for along in (1.0 + 0j, 1j, 0.6 - 0.8j):
        close(adcore.jvp(function, (z,), (along,))[1], expected[0] * along)
        close(adcore.jvp(first, (z,), (along,))[1], expected[1] * along)
        close(adcore.vjp(function, z)[1](along)[0], np.conj(expected[0]) * along)
    close(adcore.hessian(function, holomorphic=True)(z), expected[1])
    close(adcore.derivative(function, 2, holomorphic=True)(z), expected[1])
    second = adcore.grad(first, holomorphic=True)
    close(second(z), expected[1])
    close(adcore.jvp(second, (z,), (1.0 + 0j,))[1], expected[2])


def close(found, expected, digits=1e-11):
    assert abs(found - expected) <= digits * max(abs(expected), 1e-300), (found, expected)


def test_derivatives_on_the_cut_are_of_the_side_that_the_zero_is_on():
    for zero, sign in ((0.0, 1), (-0.0, -1)):
        z = complex(-4.0, zero)
        close(adcore.grad(np.sqrt, holomorphic=True)(z), sign * -0.25j)
        close(adcore.grad(np.log, holomorphic=True)(z), -0.25)


def test_powers(rng):
    z = rng.normal(size=200) + 1j * rng.normal(size=200)
    w = rng.normal(size=200) + 1j * rng.normal(size=200)
    for exponent in (2, 3, -1, -2, 0, 0.5, 1.5, -0.3, 1j, 2 - 1j, 200, w, w.real):
        found, expected = numbers(leaf(z) ** exponent), z**exponent
        assert np.allclose(
            found, expected, rtol=1e-12 if np.all(exponent == 200) else 4e-15, atol=0
        )
    x = abs(z)
    for base in (2.0, 1j, x):
        assert np.allclose(numbers(base ** leaf(w)), base**w, rtol=1e-13)
    for exponent in (w[0], 2.5, leaf(w)[1]):
        assert np.allclose(
            numbers(adcore.tensor(x, requires_grad=True) ** (exponent + 0j)),
            x ** complex(numbers(exponent)),
            rtol=1e-13,
        )


def test_powers_at_zero_have_the_limits():
    for exponent in (2, 3, 2.5, 2.5 + 1j, 1.0, 1):
        assert adcore.grad(lambda z, p=exponent: z**p, holomorphic=True)(0j) == (exponent == 1)
    second = adcore.hessian(lambda z: z ** (2.5 + 0j), holomorphic=True)
    assert second(0j) == 0
    assert adcore.hessian(lambda z: z**2, holomorphic=True)(0j) == 2
    assert numbers(leaf(0j) ** 2.5) == 0
    assert numbers(leaf(0j) ** 0) == 1
    assert np.isnan(numbers(leaf(0j) ** (-0.5 + 0j)))
    with np.errstate(all="ignore"):
        assert not np.isfinite(adcore.grad(lambda z: (z**0.5).real)(0j))


def test_derivative_by_the_exponent(rng):
    z, w = rng.normal(size=(2, 5)) + 1j * rng.normal(size=(2, 5))
    by_z, by_w = (
        np.diag(adcore.jacobian(operator.pow, k, holomorphic=True)(z, w)) for k in range(2)
    )
    assert np.allclose(by_z, w * z ** (w - 1), rtol=1e-12)
    assert np.allclose(by_w, np.log(z) * z**w, rtol=1e-12)
    assert adcore.grad(lambda w: abs(0j**w) ** 2)(2.0 + 1j) == 0


# ---- moduli, angles, conjugates -----------------------------------------------------------------


def test_squares_of_moduli_are_exact_at_zero():
    def times_itself(z):
        size = abs(z)
        return size * size

    for square in (lambda z: abs(z) ** 2, lambda z: np.square(np.abs(z)), times_itself):
        assert adcore.grad(square)(0j) == 0
        assert adcore.hvp(square, (0j,), (1 + 2j,)) == (0j, 2 + 4j)
        assert adcore.jvp(adcore.grad(square), (0j,), (1 + 2j,))[1] == 2 + 4j
        assert adcore.grad(lambda z, f=square: adcore.jvp(f, (z,), (1 + 2j,))[1])(0j) == 2 + 4j
        z = np.zeros(2, complex)
        many = adcore.hvp(lambda z, f=square: np.sum(f(z)), (z,), (z + 1j,))
        assert np.array_equal(many[1], z + 2j)
        fourth = adcore.grad(lambda z, f=square: np.sum(f(z) ** 2))
        assert np.allclose(fourth(np.array([1 + 2j, 0])), [4 * 5 * (1 + 2j), 0])
    norm = lambda z: np.linalg.norm(z) ** 2  # noqa: E731  (one line of many)
    assert np.array_equal(adcore.hvp(norm, (z,), (z + 1j,))[1], z + 2j)


def test_hypot_squared_is_the_sum_of_squares():
    f = lambda x: adcore.hypot(x[0], x[1]) ** 2 + adcore.hypot(x[0], 3.0) ** 4  # noqa: E731
    h = adcore.hessian(f)
    assert np.allclose(h(np.zeros(2)), [[2 + 4 * 9, 0], [0, 2]])
    assert np.allclose(h(np.array([3.0, 4.0])), [[2 + 12 * 9 + 4 * 9, 0], [0, 2]])
    assert np.allclose(adcore.compile(f).hessian(np.array([3.0, 4.0])), h(np.array([3.0, 4.0])))


def test_gradients_of_real_functions_are_pytorchs():
    """d/da + i d/db, which is twice the derivative by the conjugate."""
    z, c = 1.0 + 2.0j, 0.5 - 1.5j
    close(adcore.grad(lambda z: abs(z) ** 2)(z), 2 * z)
    close(adcore.grad(abs)(z), z / abs(z))
    close(adcore.grad(lambda z: (c * z).real)(z), np.conj(c))
    close(adcore.grad(lambda z: (c * z).imag)(z), 1j * np.conj(c))
    close(adcore.grad(np.angle)(z), 1j * z / abs(z) ** 2)
    close(adcore.grad(lambda z: np.exp(z).real)(z), np.conj(np.exp(z)))
    close(adcore.grad(lambda z: (np.conj(z) * c).real)(z), c)
    assert adcore.grad(abs)(0j) == 0
    value, g = adcore.value_and_grad(lambda z, x: abs(z * x) ** 2, argnums=(0, 1))(z, 3.0)
    assert value == pytest.approx(45.0)
    close(g[0], 18 * z)
    assert g[1] == pytest.approx(30.0)


def test_prod_with_zeros():
    z = np.array([1 + 1j, 0, 2 - 1j])
    g = adcore.jacobian(np.prod, holomorphic=True)
    assert np.allclose(g(z), [0, (1 + 1j) * (2 - 1j), 0])
    h = adcore.hessian(np.prod, holomorphic=True)(z)
    assert np.allclose(h, [[0, 2 - 1j, 0], [2 - 1j, 0, 1 + 1j], [0, 1 + 1j, 0]])


# ---- operators ----------------------------------------------------------------------------------

OPERATORS = (
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.pow),
    *(operator.eq, operator.ne),
)


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
def test_operators_of_all_kinds_of_operands(op):
    x, z = np.array([1.5, 2.0]), np.array([1 + 2j, 0.5 - 1j])
    operands = {
        "complex": (1 - 2j, 1 - 2j),
        "complex128": (np.complex128(1 - 2j),) * 2,
        "int": (2, 2),
        "float": (1.5, 1.5),
        "real array": (x, x),
        "array": (z, z),
        "list": ([1j, 2.0], np.array([1j, 2.0])),
        "tensor": (adcore.tensor(x, requires_grad=True), x),
        "constant tensor": (adcore.tensor(x), x),
        "pair": (leaf(z), z),
        "constant pair": (leaf(z, False), z),
    }
    traced = ("tensor", "constant tensor", "pair", "constant pair")
    tried = 0
    for first, (a, plain_a) in operands.items():
        for second, (b, plain_b) in operands.items():
            expected = op(plain_a, plain_b)
            boolean = op in (operator.eq, operator.ne)
            if not ({first, second} & set(traced)) or not (boolean or np.iscomplexobj(expected)):
                continue
            found = numbers(op(a, b))
            assert np.iscomplexobj(found) == np.iscomplexobj(expected)
            assert np.allclose(found, expected, rtol=1e-14), (first, second)
            tried += 1
    assert tried > 40

    def forward(a, b):
        return op(a, b)

    if op in (operator.eq, operator.ne):
        return
    for a, b in ((z, x), (x, z), (z, z)):
        value, slope = adcore.jvp(forward, (a, b), (np.ones_like(a), np.ones_like(b)))
        e = 1e-6
        assert np.allclose(value, op(a, b))
        assert np.allclose(slope, (op(a + e, b + e) - op(a - e, b - e)) / (2 * e), rtol=1e-7)


def test_matrix_products_of_all_kinds(rng):
    a = rng.normal(size=(3, 3))
    z = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    for left, plain in ((adcore.tensor(a, requires_grad=True), a), (leaf(z), z)):
        for other in (z, z[0], z.tolist()):
            assert np.allclose(numbers(left @ other), plain @ np.asarray(other))
            assert np.allclose(numbers(other @ left), np.asarray(other) @ plain)
            assert np.allclose(numbers(left.dot(other)), plain.dot(other))
            assert np.allclose(numbers(np.dot(other, left)), np.dot(other, plain))
    value, slope = adcore.jvp(lambda x: x @ z, (a,), (a,))
    assert np.allclose(slope, a @ z)
    assert np.allclose(value, a @ z)


def test_assignment():
    def filled(z):
        out = z * 0
        for k in range(3):
            out[k] = z[k] ** 2
        out[1:] = out[1:] * 1j
        out[0] = 5.0
        return out

    z = np.array([1 + 1j, 2.0, 3 - 1j])
    expected = np.array([5.0, 4j, 1j * (3 - 1j) ** 2])
    assert np.allclose(numbers(filled(leaf(z))), expected)
    slopes = np.diag([0, 4j, 2j * (3 - 1j)])
    assert np.allclose(adcore.jacrev(filled, holomorphic=True)(z), slopes)
    assert np.allclose(adcore.jacfwd(filled, holomorphic=True)(z), slopes)
    x = adcore.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    w = pair(y, y)
    w[0] = 7j
    assert numbers(y).tolist() == [2.0, 4.0]  # parts are not shared with what they were made of
    assert numbers(w).tolist() == [7j, 4 + 4j]

    def into_constants(x):
        out = 1j * x * 0 + np.zeros(2)
        out = pair(np.zeros(2), out.imag)
        out[0] = x[0] * (1 + 1j)
        return out.real[0] * 3

    assert adcore.jvp(into_constants, (np.ones(2),), (np.ones(2),))[1] == 3.0
    assert np.array_equal(adcore.grad(into_constants)(np.ones(2)), [3.0, 0.0])


# ---- functions of arrays ------------------------------------------------------------------------

ARRAYS = {
    "reshape": lambda z: np.reshape(z, (4, 3)),
    "ravel": np.ravel,
    "transpose": lambda z: np.transpose(z, (1, 0)),
    "T": lambda z: z.T,
    "swapaxes": lambda z: np.swapaxes(z, 0, 1),
    "moveaxis": lambda z: np.moveaxis(z, 0, -1),
    "squeeze": lambda z: np.squeeze(z[:, :1]),
    "expand_dims": lambda z: np.expand_dims(z, 1),
    "broadcast_to": lambda z: np.broadcast_to(z, (2, 3, 4)),
    "roll": lambda z: np.roll(z, 1, axis=1),
    "flip": np.flip,
    "repeat": lambda z: np.repeat(z, 2, axis=0),
    "tile": lambda z: np.tile(z, (1, 2)),
    "pad": lambda z: np.pad(z, 1),
    "take": lambda z: np.take(z, [2, 0], axis=1),
    "mask": lambda z: z[np.arange(12).reshape(3, 4) % 2 == 0],
    "fancy": lambda z: z[[0, 2], [1, 1]],
    "concatenate": lambda z: np.concatenate([z, z * 1j, np.ones((1, 4))]),
    "stack": lambda z: np.stack([z, np.ones((3, 4)), z.real]),
    "split": lambda z: np.split(z, 2, axis=1)[1],
    "append": lambda z: np.append(z, 1j),
    "diag": np.diag,
    "diagonal": np.diagonal,
    "tril": np.tril,
    "sum": np.sum,
    "sum 0": lambda z: np.sum(z, axis=0),
    "sum keepdims": lambda z: np.sum(z, axis=(0, 1), keepdims=True),
    "method": lambda z: z.sum(axis=1),
    "mean": lambda z: np.mean(z, axis=1),
    "cumsum": lambda z: np.cumsum(z, axis=1),
    "cumprod": lambda z: np.cumprod(z, axis=1),
    "cumprod of all": np.cumprod,
    "prod": np.prod,
    "prod 0": lambda z: np.prod(z, axis=0),
    "prod keepdims": lambda z: np.prod(z, axis=-1, keepdims=True),
    "prod of two": lambda z: np.prod(np.stack([z, z]), axis=(0, 2)),
    "diff": np.diff,
    "trace": np.trace,
    "trapezoid": np.trapezoid,
    "where": lambda z: np.where(np.arange(4) > 1, z, 1j),
    "where real": lambda z: np.where(np.arange(4) > 1, z.real, z),
    "pad with numbers": lambda z: np.pad(z, 1, constant_values=2 - 1j),
    "diff with ends": lambda z: np.diff(z, prepend=1.0, append=2j),
    "select": lambda z: np.select([np.arange(4) > 1], [z], 2.0),
    "dot": lambda z: np.dot(z, z.T),
    "matmul": lambda z: z.T @ z.conj(),
    "vdot": lambda z: np.vdot(z, z * 1j),
    "vdot real": lambda z: np.vdot(np.arange(12.0), z),
    "vecdot": lambda z: np.vecdot(z, z + 1),
    "inner": lambda z: np.inner(z, z),
    "outer": lambda z: np.outer(z[0], z[1]),
    "kron": lambda z: np.kron(z, z[:2, :2]),
    "tensordot": lambda z: np.tensordot(z, z, ([0], [0])),
    "cross": lambda z: np.cross(z[:, :3], z[:, 1:]),
    "einsum": lambda z: np.einsum("ij,kj->ik", z, z.conj()),
    "einsum three": lambda z: np.einsum("ij,j,i->", z, z[0], z[:, 1]),
    "einsum real": lambda z: np.einsum("ij,j->i", z, np.arange(4.0)),
    "var": np.var,
    "std 1": lambda z: np.std(z, axis=1, ddof=1),
    "average": lambda z: np.average(z, axis=1, weights=np.arange(1.0, 5.0)),
    "norm": np.linalg.norm,
    "norm 1": lambda z: np.linalg.norm(z, axis=1),
    "norm fro": lambda z: np.linalg.norm(z, "fro"),
    "norm of order 1": lambda z: np.linalg.norm(z, 1),
    "norm of order 3": lambda z: np.linalg.norm(z[0], 3),
    "angle": np.angle,
    "abs": np.abs,
    "real": np.real,
    "imag": np.imag,
    "conj": np.conj,
    "round trip": lambda z: np.sqrt(z * z),
    "polyval": lambda z: np.polyval([1j, 2.0, 3.0], z),
    "add.reduce": np.add.reduce,
    "multiply.reduce": lambda z: np.multiply.reduce(z, axis=1),
    "add.accumulate": np.add.accumulate,
    "multiply.outer": lambda z: np.multiply.outer(z[0], z[1]),
    "divide.outer": lambda z: np.divide.outer(np.arange(3.0), z[1]),
    "full_like": lambda z: np.full_like(z, 2.0) * z,
    "real_if_close": np.real_if_close,
    "sign": np.sign,
    "reversed": lambda z: z[::-1, ::-2],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_functions_of_arrays(name, rng):
    function = ARRAYS[name]
    z = rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4))
    v = rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4))
    expected = function(z)
    strided = np.asfortranarray(np.repeat(z, 2, axis=1))[:, ::2]
    for given in (z, strided):
        found = numbers(function(leaf(given)))
        assert np.shape(found) == np.shape(expected)
        assert np.iscomplexobj(found) == np.iscomplexobj(expected)
        assert np.allclose(found, expected, rtol=1e-13, atol=1e-14)
    value, slope = adcore.jvp(function, (z,), (v,))
    e = 1e-6
    difference = (function(z + e * v) - function(z - e * v)) / (2 * e)
    assert np.allclose(value, expected, rtol=1e-13, atol=1e-14)
    assert np.allclose(slope, difference, rtol=1e-6, atol=1e-7)
    _, back = adcore.vjp(function, z)
    ct = np.ones_like(expected) * (1 - 2j if np.iscomplexobj(expected) else 1.0)
    assert np.vdot(back(ct)[0], v).real == pytest.approx(np.vdot(ct, slope).real, rel=1e-11)

    def energy(z):
        return np.sum(np.abs(function(z)) ** 2)

    _, product = adcore.hvp(energy, (z,), (v,))
    gradient = adcore.grad(energy)
    assert np.allclose(adcore.jvp(gradient, (z,), (v,))[1], product, rtol=1e-10, atol=1e-11)
    difference = (gradient(z + e * v) - gradient(z - e * v)) / (2 * e)
    assert np.allclose(product, difference, rtol=1e-5, atol=1e-7 + 1e-6 * np.max(abs(product)))
    compiled = adcore.compile(function)
    for given in (z, v):  # recorded with one, replayed with the other
        assert np.allclose(compiled(given), function(given), rtol=1e-13, atol=1e-14)


def test_truths_are_found_anew_in_compiled_functions():
    f = adcore.compile(lambda z: [np.any(z.imag > 0), z == 1j, np.isreal(z), np.isfinite(z)])
    for z in (np.array([1j, 2.0]), np.array([2.0, 1j]), np.array([0j, np.inf])):
        any_above, equal, real, finite = f(z)
        assert any_above == np.any(z.imag > 0)
        assert np.array_equal(equal, z == 1j)
        assert np.array_equal(real, np.isreal(z))
        assert np.array_equal(finite, np.isfinite(z))


def test_real_arrays_are_compared_with_complex_numbers_in_compiled_functions():
    f = adcore.compile(lambda x: [x == np.array([1.0, 2j]), x != 1j, np.equal(x, 2 + 0j)])
    for x in (np.array([1.0, 2.0]), np.array([2.0, 1.0])):
        expected = [x == np.array([1.0, 2j]), x != 1j, x == 2]
        assert all(map(np.array_equal, f(x), expected))
    with pytest.raises(NotDifferentiableError, match="less of a complex array is not supported"):
        adcore.compile(lambda x: x < 1j)(x)


def test_results_that_do_not_vary():
    z = np.array([1 + 1j, 0, 2.0])
    w = leaf(z)
    for f in (np.any, np.all, np.nonzero, np.flatnonzero, np.count_nonzero, np.isreal):
        assert np.array_equal(f(w), f(z))
    for f in (np.iscomplex, np.isnan, np.isinf, np.shape, np.size, np.ndim, np.iscomplexobj):
        assert np.array_equal(f(w), f(z))
    for f in (np.zeros_like, np.ones_like):
        assert np.array_equal(f(w), f(z))
        assert f(w).dtype == np.complex128
    assert np.allclose(w, z)
    assert np.array_equal(w, z)
    assert not np.array_equal(w, z + 1)
    assert np.isclose(w, z + 1e-12).all()
    assert len(w) == 3
    assert numbers(w.sum(dim=0, keepdim=True)).tolist() == [3 + 1j]
    assert w.tolist() == z.tolist()
    assert w[0].item() == 1 + 1j
    assert [x.item() for x in w] == z.tolist()


def test_empty_and_zero_dimensional():
    empty = leaf(np.zeros((0, 3), complex))
    assert numbers(np.exp(empty)).shape == (0, 3)
    assert numbers(np.sum(empty, axis=0)).tolist() == [0, 0, 0]
    assert np.prod(empty, axis=0).tolist() == [1, 1, 1]
    assert adcore.grad(lambda z: np.sum(abs(z) ** 2))(np.zeros((0, 3), complex)).shape == (0, 3)
    for z in (1 + 2j, np.complex128(1 + 2j), np.array(1 + 2j)):
        assert adcore.grad(lambda z: abs(z) ** 2)(z) == 2 + 4j


def test_real_tensors_among_complex_numbers():
    x = adcore.tensor([1.0, 2.0], requires_grad=True)
    k = np.array([1j, 2.0])
    assert x.real is x
    assert np.array_equal(x.imag, [0.0, 0.0])
    assert np.array_equal(np.imag(x), [0.0, 0.0])
    assert np.array_equal(numbers(np.angle(-x)), [np.pi, np.pi])
    assert np.array_equal(numbers(np.angle(-x, deg=True)), [180.0, 180.0])
    assert numbers(x.astype(complex)).dtype == np.complex128
    for call in (np.stack, np.vstack, anp.stack):
        assert np.array_equal(numbers(call([x, k])), call([numbers(x), k]))
    assert np.array_equal(numbers(np.concatenate([x, k])), [1.0, 2.0, 1j, 2.0])
    assert numbers(np.vdot(k, x)) == np.vdot(k, [1.0, 2.0])
    assert numbers(np.einsum("i,i", x, k)) == 4 + 1j
    assert np.array_equal(numbers(stacked([x[0], 1j])), [1.0, 1j])
    assert np.array_equal(numbers(adcore.where([True, False], x, 1j)), [1.0, 1j])
    assert adcore.exp(1j) == np.exp(1j)
    assert np.array_equal(adcore.sin(k), np.sin(k))


# ---- linear algebra -----------------------------------------------------------------------------


def positive(a):
    return a @ np.conj(np.swapaxes(a, -1, -2)) + np.eye(a.shape[-1])


def thin(function):
    return lambda a: function(*np.linalg.svd(a, full_matrices=False))


# Functions of matrices (2, 3, 3), one (3, 3), a tall, a wide and a real one.
LINALG = {
    "inv": ("stack", np.linalg.inv),
    "solve": ("stack", lambda a: np.linalg.solve(a, a[..., :2] ** 2)),
    "solve vector": ("one", lambda a: np.linalg.solve(a, a[0])),
    "solve broadcast": ("stack", lambda a: np.linalg.solve(a[0], a)),
    "solve constants": ("stack", lambda a: np.linalg.solve(a, np.arange(6.0).reshape(3, 2))),
    "solve for constants": ("stack", lambda a: np.linalg.solve(np.eye(3) + 1j, a)),
    "det": ("stack", np.linalg.det),
    "slogdet": ("stack", lambda a: list(np.linalg.slogdet(a))),
    "cholesky": ("stack", lambda a: np.linalg.cholesky(positive(a))),
    "cholesky upper": ("one", lambda a: np.linalg.cholesky(positive(a), upper=True)),
    "eigvalsh": ("stack", np.linalg.eigvalsh),
    "eigh": ("stack", lambda a: np.abs(np.linalg.eigh(a)[1])),
    "eigvalsh of upper": ("stack", lambda a: np.linalg.eigvalsh(a, "U")),
    "pinv": ("tall", np.linalg.pinv),
    "pinv of wide": ("wide", np.linalg.pinv),
    "cond": ("stack", np.linalg.cond),
    "norm 2": ("one", lambda a: np.linalg.norm(a, 2)),
    "norm -2": ("stack", lambda a: np.linalg.norm(a, -2, axis=(0, 2))),
    "norm nuc": ("stack", lambda a: np.linalg.matrix_norm(a, ord="nuc", keepdims=True)),
    "vector_norm": ("stack", lambda a: np.linalg.vector_norm(a, axis=1)),
    "eigvals": ("stack", np.linalg.eigvals),
    "eig": ("stack", lambda a: list(np.linalg.eig(a))),
    "eig of real": ("real", lambda a: list(np.linalg.eig(a))),
    "eigvals of symmetric": ("real", lambda a: np.linalg.eigvals(a @ a.T)),
    "svdvals": ("tall", np.linalg.svdvals),
    "svd": ("tall", thin(lambda u, s, vh: [(u * s**2) @ vh, np.abs(u), s, np.abs(vh)])),
    "svd of wide": ("wide", thin(lambda u, s, vh: [(u * s**2) @ vh, np.abs(u), s, np.abs(vh)])),
    "qr": ("tall", lambda a: list(np.linalg.qr(a))),
    "lstsq": ("tall", lambda a: list(np.linalg.lstsq(a, a[:, 0] ** 2, rcond=None)[:2])),
    "lstsq of wide": ("wide", lambda a: np.linalg.lstsq(a, a[:, :2] ** 2, rcond=None)[0]),
    "lstsq of a real matrix": ("real", lambda a: np.linalg.lstsq(a, 1j * a[0], rcond=None)[0]),
    "matrix_power": ("stack", lambda a: np.linalg.matrix_power(a, -3)),
    "multi_dot": ("one", lambda a: np.linalg.multi_dot([a, a, a[0]])),
}


@pytest.mark.parametrize("name", LINALG)
def test_linear_algebra(name, rng):
    kind, function = LINALG[name]
    shape = {"stack": (2, 3, 3), "tall": (4, 3), "wide": (3, 4)}.get(kind, (3, 3))
    a, v = (
        rng.normal(size=shape) + (0 if kind == "real" else 1j * rng.normal(size=shape))
        for _ in range(2)
    )

    def vector(a):
        found = function(a)
        parts = found if isinstance(found, list) else [found]
        return np.concatenate([np.reshape(part, (-1,)) for part in parts])

    def energy(a):
        return np.sum(np.abs(vector(a) + 1.0) ** 4)

    e = 1e-6
    value, slope = adcore.jvp(vector, (a,), (v,))
    difference = (vector(a + e * v) - vector(a - e * v)) / (2 * e)
    assert np.allclose(value, vector(a), rtol=1e-13, atol=1e-13)
    assert np.allclose(slope, difference, rtol=1e-7, atol=1e-8 * np.max(abs(slope)))
    gradient, product = adcore.hvp(energy, (a,), (v,))
    along = adcore.jvp(energy, (a,), (v,))[1]
    assert np.vdot(gradient, v).real == pytest.approx(along, rel=1e-9)
    backward = adcore.grad(energy)
    difference = (backward(a + e * v) - backward(a - e * v)) / (2 * e)
    assert np.allclose(product, difference, rtol=1e-6, atol=1e-7 * np.max(abs(product)))
    assert np.allclose(
        adcore.jvp(backward, (a,), (v,))[1], product, atol=1e-9 * np.max(abs(product))
    )
    compiled = adcore.compile(energy)
    compiled(a + 0.01 * v)
    assert np.allclose(compiled.grad(a), gradient, atol=1e-10 * np.max(abs(gradient)))


def test_identities_of_matrices(rng):
    """d log |det a| = Re tr(a^-1 da), and the eigenvalues sum up to the trace."""
    a = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    log = adcore.grad(lambda a: np.linalg.slogdet(a)[1])
    assert np.allclose(log(a), np.linalg.inv(a).conj().T)
    trace = adcore.jacobian(lambda a: np.sum(np.linalg.eigvals(a)), holomorphic=True)
    assert np.allclose(trace(a), np.eye(4))
    det = adcore.grad(np.linalg.det, holomorphic=True)
    assert np.allclose(det(a), np.linalg.det(a) * np.linalg.inv(a).T)
    second = adcore.hessian(np.linalg.det, holomorphic=True)(a[:2, :2])
    assert np.allclose(second.reshape(4, 4), np.fliplr(np.diag([1, -1, -1, 1])))
    flat = adcore.grad(lambda a: np.sum(np.linalg.svdvals(a) ** 2))
    assert np.allclose(flat(a), 2 * a)


def test_determinants_of_singular_matrices():
    a = np.array([[1.0, 2j, 3.0], [2.0, 4j, 6.0], [1j, 0.0, 1.0]])
    minors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(3)]
        for i in range(3)
    ]
    assert np.linalg.det(a) == 0
    for batch in (a, np.stack([a, a + np.eye(3)])):
        found = adcore.grad(lambda a: np.sum(np.linalg.det(a)), holomorphic=True)(batch)
        assert np.allclose(found if batch is a else found[0], minors, atol=1e-14)
    assert np.allclose(adcore.jvp(np.linalg.det, (a,), (a + 1,))[1], np.sum(minors))


def test_equal_eigenvalues_are_no_silent_zero():
    twice = adcore.hvp(
        lambda a: np.sum(np.linalg.eigvalsh(a) ** 3), (np.eye(2) + 0j,), (np.ones((2, 2)) + 0j,)
    )
    assert np.all(np.isnan(twice[1][np.tri(2) > 0]))  # the triangle that is read
    assert np.allclose(twice[0], 3 * np.eye(2))


def test_real_matrices_whose_eigenvalues_are_complex_or_not():
    f = adcore.compile(lambda a: np.linalg.eigvals(a) * 2)
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    for a in (turn, np.diag([2.0, 1.0]), turn * 3, np.diag([4.0, 1.0])):
        assert np.allclose(f(a), np.linalg.eigvals(a) * 2)
        assert np.iscomplexobj(f(a)) == np.iscomplexobj(np.linalg.eigvals(a))
    assert np.allclose(adcore.jvp(np.linalg.eigvals, (turn,), (turn,))[1], [1j, -1j])


def test_linear_algebra_in_files(tmp_path, rng):
    f = adcore.compile(lambda a: np.linalg.solve(a, np.linalg.inv(a)[0]))
    a = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    f(a)
    f.save(tmp_path / "f.adcore")
    loaded = adcore.load(tmp_path / "f.adcore")
    assert np.array_equal(loaded(a.T), f(a.T))
    assert np.allclose(loaded.vjp(a)[1](a[0])[0], f.vjp(a)[1](a[0])[0])


def test_linear_algebra_says_what_it_lacks():
    a = leaf(np.ones((2, 3)))
    for call, text in (
        (lambda: np.linalg.svd(a), "needs full_matrices=False"),
        (lambda: np.linalg.qr(a), "qr of a complex 2 x 3 matrix in mode 'reduced' has no"),
        (lambda: np.linalg.lstsq(a, a), "lstsq of a complex 2 x 3 matrix of a rank below 2"),
        (lambda: np.linalg.qr(a.T, "complete"), "qr of a complex 3 x 2 matrix in mode 'complete'"),
        (lambda: np.sort(a), r"numpy\.sort of a complex array .*sort or compare z\.real or abs"),
        (lambda: np.median(a), r"numpy\.median of a complex array .*sort or compare z\.real"),
    ):
        with pytest.raises(NotDifferentiableError, match=text):
            call()


# ---- transforms ---------------------------------------------------------------------------------


def test_a_real_function_by_way_of_complex_numbers():
    """cos x as the real part of exp(i x), to the fourth order in every mode."""
    wave = lambda x: np.exp(1j * x).real  # noqa: E731  (one line of many)
    for order in range(5):
        assert adcore.derivative(wave, order)(0.7) == pytest.approx(np.cos(0.7 + order * np.pi / 2))

    def slope(g):
        return lambda x: adcore.jvp(g, (x,), (1.0,))[1]

    f = g = wave
    for order in range(1, 5):
        f = adcore.grad(f)
        g = slope(g)
        for nested in (f, g):
            assert nested(0.7) == pytest.approx(np.cos(0.7 + order * np.pi / 2), rel=1e-13)


def test_jacobians():
    x, z = np.array([1.0, 2.0]), np.array([1 + 1j, 2.0])
    for jacobian in (adcore.jacobian, adcore.jacrev, adcore.jacfwd):
        found = jacobian(lambda x: [np.exp(1j * x), x])(x)
        assert np.allclose(found[0], np.diag(1j * np.exp(1j * x)))
        assert np.array_equal(found[1], np.eye(2))
        found = jacobian(lambda a: {"k": a["a"] * 1j + a["b"]})({"a": 1.0, "b": 2.0})
        assert found == {"k": {"a": 1j, "b": 1.0}}
        assert np.allclose(jacobian(lambda z: abs(z) ** 2)(z), np.diag(2 * z))
        assert np.allclose(jacobian(lambda z: z**3, holomorphic=True)(z), np.diag(3 * z**2))
        both = jacobian(lambda z, w: [z * w, np.sum(z)], argnums=(0, 1), holomorphic=True)(z, z + 1)
        assert np.allclose(both[0][0], np.diag(z + 1))
        assert np.allclose(both[0][1], np.diag(z))
        assert np.allclose(both[1], [[1, 1], [0, 0]])


def test_directions():
    z, v = np.array([1 + 1j, 2.0]), np.array([1j, 1.0 + 0j])
    y, push = adcore.linearize(lambda z: z * z, z)
    assert np.allclose(push(v), 2 * z * v)
    assert np.allclose(y, z * z)
    assert np.allclose(adcore.vjp(lambda z: z * z, z)[1](v)[0], 2 * z.conj() * v)
    gradient, product = adcore.hvp(lambda z: np.sum(abs(z) ** 4), (z,), (v,))
    assert np.allclose(gradient, 4 * abs(z) ** 2 * z)
    assert np.allclose(product, 4 * abs(z) ** 2 * v + 8 * (z.conj() * v).real * z)
    found = adcore.elementwise_grad(lambda z: z**3, holomorphic=True)(z)
    assert np.allclose(found, 3 * z**2)
    assert np.allclose(adcore.elementwise_grad(lambda z: abs(z) ** 2)(z), 2 * z)
    assert adcore.derivative(lambda x: np.exp(2j * x), 6)(0.5) == pytest.approx(-64 * np.exp(1j))
    series = adcore.taylor(lambda x: np.exp(1j * x), 0.0, 1.0, 3)
    assert np.allclose(series, [1, 1j, -1 / 2, -1j / 6])


def test_what_is_not_holomorphic_is_refused():
    for f in (np.conj, lambda z: z * abs(z), lambda z: z.real + 0j):
        with pytest.raises(NotDifferentiableError, match=r"is not holomorphic: .* differ by"):
            adcore.grad(f, holomorphic=True)(1 + 2j)
    with pytest.raises(NotDifferentiableError, match="complex numbers, but arguments of exp are"):
        adcore.grad(np.exp, holomorphic=True)(1.0)
    with pytest.raises(NotDifferentiableError, match="complex results, but absolute returned real"):
        adcore.grad(np.abs, holomorphic=True)(1j)
    with pytest.raises(ShapeError, match=r"returned shape \(2,\)"):
        adcore.grad(np.exp, holomorphic=True)(np.array([1j, 2]))
    with pytest.raises(NotDifferentiableError, match="real x, got complex128; pass holomorphic"):
        adcore.derivative(np.exp)(1j)


def test_errors_say_what_to_write():
    z, x = leaf([1j, 2.0]), adcore.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(NotDifferentiableError, match=r"returned a complex one. Return a real"):
        adcore.grad(np.exp)(1j)
    for transform in (adcore.hessian, lambda f: adcore.jacobian(np.exp)):
        with pytest.raises(NotDifferentiableError, match="four, not one complex number: pass hol"):
            transform(lambda z: np.sum(abs(z) ** 2))(np.array([1j, 2.0]))
    with pytest.raises(NotDifferentiableError, match=r"make it complex first: x = x . 0j"):
        x *= 1j
    with pytest.raises(NotDifferentiableError, match="a complex cannot be assigned into a real"):
        x[0] = 1j
    for array in (z, [z[0], z[1]]):
        with pytest.raises(NotDifferentiableError, match=r"would lose their derivative.*np.stack"):
            np.asarray(array)
    with pytest.raises(NotDifferentiableError, match="would lose its derivative"):
        complex(z[0])
    with pytest.raises(NotDifferentiableError, match=r"write z.real or abs"):
        float(z[0])
    with pytest.raises(NotDifferentiableError, match=r"write z.real or abs"):
        z.astype(float)
    with pytest.raises(TypeError, match="complex numbers have no order"):
        z[0] < 1j  # noqa: B015  (raises)
    for function in (np.sort, np.argmax, np.floor, np.interp, np.maximum):
        args = {np.interp: (z, x, x), np.maximum: (z, x)}.get(function, (z,))
        with pytest.raises(NotDifferentiableError, match=r"of a complex array is not|takes real x"):
            function(*args)
    with pytest.raises(NotDifferentiableError, match="trapezoid takes complex numbers for what"):
        np.trapezoid(x, z)
    with pytest.raises(NotDifferentiableError, match="takes no out="):
        np.exp(z, out=np.zeros(2, complex))
    with pytest.raises(AttributeError, match="no attribute 'quux'"):
        z.quux  # noqa: B018  (raises)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(z)
    with pytest.raises(NotDifferentiableError, match=r"backward.. of a complex number needs"):
        z.backward()
    with pytest.raises(ShapeError, match="1 leaves where 2 are expected"):
        adcore.vjp(np.exp, 1j)[1](1.0)


def test_leaves_with_gradients():
    z = adcore.tensor([1 + 2j, 3.0], requires_grad=True)
    assert z.requires_grad
    assert z.grad is None
    np.sum(abs(z) ** 2).backward()
    assert np.array_equal(numbers(z.grad), 2 * numbers(z))
    z.grad = None
    (z * z).backward(gradient=np.array([1j, 1.0]))
    assert np.allclose(numbers(z.grad), 2 * numbers(z).conj() * [1j, 1.0])
    assert not adcore.tensor(1j).requires_grad
    w = adcore.tensor([2.0, 1j], requires_grad=True)
    found = adcore.autograd.grad(np.sum(abs(z * w) ** 2), [z, w], create_graph=True)
    assert np.allclose(numbers(found[0]), 2 * numbers(z) * abs(numbers(w)) ** 2)
    (again,) = adcore.autograd.grad(found[0], w, grad_outputs=numbers(z))
    assert np.allclose(numbers(again), 4 * numbers(w) * abs(numbers(z)) ** 2)
    assert adcore.autograd.grad(abs(z[0]), [z, w], allow_unused=True)[1] is None
    with pytest.raises(TapeError, match=r"no output depends on input 1, of shape \(2,\)"):
        adcore.autograd.grad(abs(z[0]), [z, w])
    with pytest.raises(NotDifferentiableError, match=r"complex output \(0\) is not defined"):
        adcore.autograd.grad(z, [z])
    assert "requires_grad=True" in repr(z)
    assert repr(adcore.tensor(1j)) == "Complex(0.+1.j)"


# ---- compiled -----------------------------------------------------------------------------------


def test_compiled_functions(tmp_path):
    k = np.array([1j, 2.0])
    f = adcore.compile(lambda z: np.exp(k * z))
    energy = adcore.compile(lambda z: np.sum(abs(np.exp(k * z)) ** 2))
    for z in (np.array([1 + 1j, 0.5]), np.array([0.3j, -1.0])):
        v = z + 1j
        assert np.allclose(f(z), np.exp(k * z))
        assert np.allclose(f.jvp((z,), (v,))[1], k * np.exp(k * z) * v)
        assert np.allclose(f.vjp(z)[1](v)[0], np.conj(k * np.exp(k * z)) * v)
        plain = lambda z: np.sum(abs(np.exp(k * z)) ** 2)  # noqa: E731
        assert np.allclose(energy.grad(z), adcore.grad(plain)(z))
        assert energy.value_and_grad(z)[0] == pytest.approx(plain(z))
        assert np.allclose(energy.hvp((z,), (v,))[1], adcore.hvp(plain, (z,), (v,))[1])
    wave = adcore.compile(lambda x: np.exp(1j * x))
    assert np.allclose(wave.jacobian(np.array([1.0, 2.0])), np.diag(1j * np.exp([1j, 2j])))
    with pytest.raises(NotDifferentiableError, match="four, not one"):
        energy.hessian(z)
    f.save(tmp_path / "f.adcore")
    loaded = adcore.load(tmp_path / "f.adcore")
    assert np.array_equal(loaded(z), f(z))
    assert np.allclose(loaded.vjp(z)[1](v)[0], f.vjp(z)[1](v)[0])
    rows = np.stack([z, v, z * v])
    assert np.array_equal(f.map(rows), np.stack([f(row) for row in rows]))


def test_compiled_paths_by_comparisons():
    f = adcore.compile(lambda z: z * 1j if abs(z) > 1 else -z)
    assert [f(z) for z in (2 + 0j, 0.5 + 0j, 3j, 0.1j)] == [2j, -0.5, -3, -0.1j]


def test_complex_is_found_when_it_is_asked_for():
    assert adcore.Complex is Complex
    assert isinstance(leaf([1j]), adcore.Complex)


def test_examples_of_the_page_run():
    text = (Path(__file__).parents[1] / "docs" / "complex.md").read_text()
    examples = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    assert examples.count(">>>") > 10
    test = doctest.DocTestParser().get_doctest(examples, {}, "complex.md", "complex.md", 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(test).failed == 0


def test_formulas_take_constants_of_every_kind():
    """What is traced once for a kind of operands serves others of that kind, and no others."""
    x, y = np.array([0.3, -0.7, 1.1]), np.array([0.2, 0.5, -0.4])
    z = adcore.tensor(x + 1j * y, requires_grad=True)
    constants = (
        2.0,
        0.0,
        -0.0,
        1j,
        -1j,
        1.0 + 2.0j,
        complex(-0.0, 1.0),
        y,
        x - 1j * y,
        np.float64(3),
    )
    for c in constants:
        for function in (np.add, np.subtract, np.multiply):
            for got, want in (
                (function(z, c), function(x + 1j * y, c)),
                (function(c, z), function(c, x + 1j * y)),
            ):
                np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-15)
    for n in (-2, -1, 1, 2, 3, 2.0, 2 + 0j, 0.5, 1.5 - 1j):
        np.testing.assert_allclose((z**n).detach().numpy(), (x + 1j * y) ** n, rtol=1e-13)


def test_formulas_of_shapes_that_do_not_broadcast():
    z = adcore.tensor(np.ones(3) * 1j, requires_grad=True)
    with pytest.raises(ShapeError, match=r"multiply.*\(3,\).*\(2,\)"):
        z * adcore.tensor(np.ones(2) * 1j, requires_grad=True)
