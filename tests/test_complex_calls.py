"""Functions of complex arrays as one instruction each: the same as the rows they are made of."""

import numpy as np
import pytest

import adcore
import adcore.numpy as anp
from adcore import _core
from adcore.complexes import Complex
from adcore.errors import NotDifferentiableError, ShapeError

UNARY = (
    *("sqrt", "exp", "expm1", "log", "log1p", "log2", "log10", "exp2", "sin", "cos", "tan"),
    *("arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
    *("square", "reciprocal", "absolute", "sign"),
)
CALLS = {
    **{name: getattr(np, name) for name in UNARY},
    "z * w": lambda z: z * (z[::-1] + 0.5),
    "z * constant": lambda z: z * np.array([1j, 2.0, 3.0 - 1j]),
    "1j * z": lambda z: 1j * z,
    "z / w": lambda z: z / (z[::-1] + 0.5),
    "real / z": lambda z: z.real / z,
    "number / z": lambda z: (2.0 - 1j) / z,
    "broadcast": lambda z: (z[:, None] * z).reshape(-1)[::2] / z[0],
    "strided": lambda z: np.exp(z[::-2]),
    "z ** 2": lambda z: z**2,
    "z ** 5": lambda z: z**5,
    "z ** 1.5": lambda z: z**1.5,
    "z ** w": lambda z: z ** (z + 0.5),
    "2 ** z": lambda z: 2.0**z,
    "w @ z": lambda z: (z[:, None] * z) @ z,
    "real @ z": lambda z: np.arange(6.0).reshape(2, 3) @ z,
    "dot": lambda z: np.dot(z, z * 1j),
}
N = 3


def complex_of(x):
    return x[:N] + 1j * x[N:]


def parts_of(call):
    """The parts of a result one after another, of the parts of an argument."""

    def f(x):
        y = call(complex_of(x))
        parts = [np.real(y), np.imag(y)] if adcore.iscomplexobj(y) else [y]
        return adcore.concatenate([adcore.reshape(p, (-1,)) for p in parts])

    return f


@pytest.fixture
def rows():
    """A way of running a function row by row."""

    def run(f, *args):
        was = _core.set_rows(True)
        try:
            return f(*args)
        finally:
            _core.set_rows(was)

    return run


def close(found, expected):
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=1e-12, atol=1e-12 * np.max(abs(expected), initial=0.0))


@pytest.mark.parametrize("name", CALLS)
def test_derivatives_are_those_of_rows(name, rows, rng):
    f = parts_of(CALLS[name])
    x = rng.uniform(0.2, 0.9, 2 * N)
    close(f(adcore.tensor(x, requires_grad=True)).detach().numpy(), f(x))
    for mode in ("rev", "fwd"):
        jacobian = adcore.jacobian(f, mode=mode)
        close(jacobian(x), rows(jacobian, x))
    weights, direction = rng.normal(size=f(x).shape), rng.normal(size=2 * N)

    def curvature(x):
        t = adcore.tensor(x, requires_grad=True)
        (g,) = adcore.autograd.grad(np.sum(np.sin(f(t)) * weights), t, create_graph=True)
        return adcore.autograd.grad(np.sum(g * direction), t)[0].numpy()

    close(curvature(x), rows(curvature, x))
    hessian = adcore.hessian(lambda x: np.sum(np.sin(f(x)) * weights))
    close(hessian(x) @ direction, curvature(x))


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "z * z", "z / z", "fft", "irfft"])
def test_a_call_is_one_instruction(name):
    call = {
        "z * z": lambda z: z * z,
        "z / z": lambda z: z / z,
        "fft": np.fft.fft,
        "irfft": np.fft.irfft,
    }.get(name) or getattr(np, name)
    z = adcore.tensor(np.arange(1.0, 5.0) + 1j, requires_grad=True)
    before = _core.tape_stats()["instructions"]
    y = call(z)
    assert _core.tape_stats()["instructions"] == before + 1
    assert y.shape == call(z.detach().numpy()).shape


@pytest.mark.parametrize("n", [0, 1, 511, 512, 513, 1500])
def test_tiles(n, rng):
    z = rng.normal(size=n) + 1j * rng.normal(size=n)
    t = adcore.tensor(z, requires_grad=True)
    for call in (np.exp, np.abs, lambda z: z * z, lambda z: z / (z + 3.0), np.log1p):
        close(call(t).detach().numpy(), call(z))
    found = adcore.grad(lambda z: np.sum(abs(np.exp(z)) ** 2))(z) if n else z
    close(found, 2.0 * np.exp(2.0 * z.real) if n else z)


def test_moduli_of_extreme_numbers():
    parts = [0.0, -0.0, 1e-320, 1e-200, 3.0, 1e200, 1e308, np.inf, np.nan]
    a, b = [v.ravel() for v in np.meshgrid(parts, parts)]
    z = np.empty(a.shape, complex)
    z.real, z.imag = a, b
    found = abs(adcore.tensor(z, requires_grad=True)).detach().numpy()
    with np.errstate(all="ignore"):
        expected = np.hypot(a, b)
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    some = np.isfinite(expected)
    assert np.all(abs(found[some] - expected[some]) <= np.spacing(expected[some]))
    assert np.array_equal(found[np.isinf(expected)], expected[np.isinf(expected)])


def test_shapes_that_do_not_fit():
    z, w = (adcore.tensor(np.ones(n, complex), requires_grad=True) for n in (2, 3))
    for call in (lambda: z * w, lambda: z @ w, lambda: np.dot(z, w)):
        with pytest.raises((ShapeError, ValueError)):
            call()


def test_lines_of_threes_and_transforms_of_transforms(rng):
    """Along the first, a middle and all axes; forward and back is where one was."""
    z = rng.normal(size=(2, 3, 4)) + 1j * rng.normal(size=(2, 3, 4))
    t = adcore.tensor(z, requires_grad=True)
    for axes in ((0,), (1,), (2,), (2, 0), (0, 1, 2)):
        close(np.fft.ifftn(np.fft.fftn(t, axes=axes), axes=axes).detach().numpy(), z)
    x = adcore.tensor(z.real, requires_grad=True)
    for axis in range(3):
        n = z.shape[axis]
        close(np.fft.irfft(np.fft.rfft(x, axis=axis), n, axis).detach().numpy(), z.real)


# ---- arrays of lists ----


def test_arrays_of_lists_with_complex_tensors():
    def f(x, z):
        found = anp.array([[1.0, x, z], [2j, z * x, x]])
        assert type(found) is Complex
        assert found.shape == (2, 3)
        return found

    x, z = 2.0, 1.0 + 1.0j
    expected = np.array([[1.0, x, z], [2j, z * x, x]])
    found = f(adcore.tensor(x, requires_grad=True), adcore.tensor(z, requires_grad=True))
    assert np.array_equal(found.detach().numpy(), expected)
    weights = np.arange(6.0).reshape(2, 3)

    def energy(x, z):
        return np.sum(weights * abs(f(x, z)) ** 2)

    by_x, by_z = adcore.grad(energy, argnums=(0, 1))(x, z)
    assert np.isclose(by_x, 2 * x * (1.0 + 4.0 * abs(z) ** 2 + 5.0))
    assert np.isclose(by_z, 2 * z * (2.0 + 4.0 * x**2))


def test_other_constructors_of_complex_arrays():
    z = adcore.tensor(1.0 + 2.0j, requires_grad=True)
    for found, expected in (
        (anp.asarray([1.0, z]), [1.0, 1 + 2j]),
        (anp.array([1.0, z], dtype=complex), [1.0, 1 + 2j]),
        (anp.array([1.0, z.real], dtype=complex), [1.0, 1.0 + 0j]),
        (anp.array([z, 0], ndmin=2), [[1 + 2j, 0]]),
        (anp.array(z), 1 + 2j),
        (anp.ascontiguousarray(z), [1 + 2j]),
        (anp.full((2, 2), z), [[1 + 2j] * 2] * 2),
        (anp.array([anp.array([z, 1.0]), np.array([1j, 0.0])]), [[1 + 2j, 1.0], [1j, 0.0]]),
    ):
        assert np.array_equal(found.detach().numpy(), np.array(expected, complex))
    for call in (lambda: anp.array([1.0, z], dtype=float), lambda: anp.full(2, z, dtype=int)):
        with pytest.raises(NotDifferentiableError):
            call()
    w = adcore.tensor(np.ones(2, complex), requires_grad=True)
    assert anp.asarray(w) is w
    assert anp.array(w) is not w
