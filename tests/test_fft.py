"""numpy.fft on tensors: values against NumPy, derivatives against matrices of the transforms."""

import itertools

import numpy as np
import pytest

import adcore
import adcore.numpy as anp
from adcore.errors import NotDifferentiableError

ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
MANY = ("fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn")
OF_REAL = {"rfft", "ihfft", "rfft2", "rfftn"}  # take real numbers alone
NORMS = (None, "backward", "ortho", "forward")


def numbers(z):
    return z.detach().numpy() if hasattr(z, "detach") else z


def inputs(name, rng, shape=(3, 4, 5)):
    x = rng.normal(size=shape)
    return [x] if name in OF_REAL else [x, x + 1j * rng.normal(size=shape)]


def like(x, rng):
    out = rng.normal(size=np.shape(x))
    return out + 1j * rng.normal(size=np.shape(x)) if np.iscomplexobj(x) else out


def same(found, expected):
    found = numbers(found)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("name", ONE)
def test_values_along_one_axis(name, rng):
    function = getattr(np.fft, name)
    for x in inputs(name, rng):
        for n, axis, norm in itertools.product((None, 2, 3, 4, 5, 6, 7), (-1, 0, 1), NORMS):
            t = adcore.tensor(x, requires_grad=True)
            same(function(t, n, axis, norm), function(x, n, axis, norm))
        same(function(t[::-1, :, ::2]), function(x[::-1, :, ::2]))
        same(function(adcore.tensor(x[0, 0])), function(x[0, 0]))
        same(getattr(anp.fft, name)(x), function(x))
    if name not in ("irfft", "hfft"):  # which need two
        same(function(t, 1), function(x, 1))


@pytest.mark.parametrize("name", MANY)
def test_values_along_several_axes(name, rng):
    """NumPy does one axis after the other, the last one first, and so the bits may differ."""
    function = getattr(np.fft, name)
    axes = ((0, 1), (-1, 0), (2, 1), (-2, -1)) + ((None,) if name.endswith("n") else ())
    for x in inputs(name, rng):
        t = adcore.tensor(x, requires_grad=True)
        for s, axis, norm in itertools.product((None, (3, 3), (4, 6)), axes, NORMS):
            if s is not None and axis is None:
                continue  # deprecated in NumPy
            found, expected = (numbers(function(v, s, axis, norm)) for v in (t, x))
            assert found.shape == expected.shape
            assert found.dtype == expected.dtype
            assert np.allclose(found, expected, rtol=1e-14, atol=1e-14 * np.max(abs(expected)))


def test_an_axis_named_twice_is_transformed_twice(rng):
    (x,) = inputs("rfft", rng)
    found = numbers(np.fft.fftn(adcore.tensor(x), axes=(1, 1)))
    assert np.allclose(found, np.fft.fftn(x, axes=(1, 1)))


def test_shifts_and_frequencies(rng):
    for x in inputs("fft", rng):
        t = adcore.tensor(x, requires_grad=True)
        for axes in (None, 0, (1,), (0, 2), -1):
            same(np.fft.fftshift(t, axes), np.fft.fftshift(x, axes))
            same(np.fft.ifftshift(t, axes), np.fft.ifftshift(x, axes))
    assert np.array_equal(anp.fft.fftfreq(5, 0.1), np.fft.fftfreq(5, 0.1))
    assert np.array_equal(anp.fft.rfftfreq(5), np.fft.rfftfreq(5))


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_jacobian_is_the_matrix(name, n):
    """Of sums of exponentials, written out; padded, cropped and of their own length."""
    function = getattr(np.fft, name)
    for length in (None, n - 1, n + 1, n + 2):
        if length == 0 or (name in ("irfft", "hfft") and length is None and n == 1):
            continue
        x = np.arange(1.0, n + 1)
        for unit in (1.0,) if name in OF_REAL else (1.0, 1j):

            def turned(x, length=length, unit=unit):
                return function(x * unit, length)

            matrix = written_out(name, n, length, unit)
            for jacobian in (adcore.jacrev, adcore.jacfwd):
                assert np.allclose(jacobian(turned)(x), matrix, atol=1e-14)


def written_out(name, n, length, unit=1.0):
    """The matrix of a transform of n numbers to `length`, of input times `unit`."""
    hermitian = name in ("irfft", "hfft")
    m = length or (2 * (n - 1) if hermitian else n)
    sign = 1j if name in ("ifft", "irfft", "ihfft") else -1j
    scale = 1.0 / m if name in ("ifft", "irfft", "ihfft") else 1.0
    kept = min(n, m // 2 + 1 if hermitian else m)
    k, j = np.meshgrid(np.arange(m), np.arange(kept), indexing="ij")
    matrix = scale * np.exp(sign * 2 * np.pi * k * j / m) * unit
    if hermitian:  # each frequency with its mirror image, which the ends do not have
        mirrored = (np.arange(kept) > 0) & (2 * np.arange(kept) != m)
        matrix = np.where(mirrored, 2 * matrix, matrix).real * (mirrored | (unit == 1.0))
    elif name in ("rfft", "ihfft"):
        matrix = matrix[: m // 2 + 1]
    return np.concatenate([matrix, np.zeros((len(matrix), n - kept))], axis=1)


@pytest.mark.parametrize("name", ONE + MANY)
def test_derivatives_of_both_modes_and_orders(name, rng):
    function = getattr(np.fft, name)
    for x in inputs(name, rng, (2, 3, 4)):
        v, w = like(x, rng), like(x, rng)
        value, slope = adcore.jvp(function, (x,), (v,))
        assert np.allclose(value, function(x), rtol=1e-13)
        assert np.allclose(slope, function(v), rtol=1e-13)
        _, back = adcore.vjp(function, x)
        ct = like(value, rng)
        assert np.vdot(back(ct)[0], w).real == pytest.approx(np.vdot(ct, function(w)).real)

        def energy(x):
            return np.sum(np.abs(function(x)) ** 2)

        # sum |A x|^2 has the gradient 2 A' A x and the Hessian 2 A' A
        assert np.allclose(adcore.grad(energy)(x), 2 * back(function(x))[0])
        _, product = adcore.hvp(energy, (x,), (v,))
        assert np.allclose(product, 2 * back(function(v))[0])
        assert np.allclose(adcore.jvp(adcore.grad(energy), (x,), (v,))[1], product)
        inner = adcore.grad(lambda x, v=v: adcore.jvp(energy, (x,), (v,))[1])
        assert np.allclose(inner(x), product)
        third = adcore.grad(lambda x: np.sum(np.abs(function(x)) ** 4))
        assert np.vdot(third(x), x).real == pytest.approx(4 * np.sum(np.abs(function(x)) ** 4))
        compiled = adcore.compile(energy)
        for given in (x, w):
            assert compiled(given) == pytest.approx(energy(given))
            assert np.allclose(compiled.grad(given), adcore.grad(energy)(given))
            assert np.allclose(compiled.hvp((given,), (v,))[1], product)


def test_parseval(rng):
    """sum |x|^2 = sum |fft x|^2 / n, and so have their derivatives."""
    for x in inputs("fft", rng):
        energy = adcore.grad(lambda x: np.sum(np.abs(np.fft.fftn(x, norm="ortho")) ** 2))
        assert np.allclose(energy(x), 2 * x)
        there = adcore.jacobian(lambda x: np.fft.ifft(np.fft.fft(x)).real)
        assert np.allclose(there(x[0, 0].real), np.eye(5))


def test_convolution_by_transforms(rng):
    a, b = rng.normal(size=(2, 6))

    def convolved(a, b):
        return np.fft.irfft(np.fft.rfft(a, 11) * np.fft.rfft(b, 11), 11)

    assert np.allclose(convolved(a, b), np.convolve(a, b))
    by_a = adcore.jacobian(convolved)(a, b)
    assert np.allclose(
        by_a, [[b[i - j] if 0 <= i - j < 6 else 0 for j in range(6)] for i in range(11)]
    )
    h = adcore.hessian(lambda ab: np.sum(convolved(ab[:6], ab[6:])))(np.concatenate([a, b]))
    assert np.allclose(h, np.kron([[0, 1], [1, 0]], np.ones((6, 6))), atol=1e-14)


def test_saved_programs(tmp_path, rng):
    f = adcore.compile(lambda x: np.fft.irfft(np.fft.rfft(x) * 1j, 6) + np.fft.fft(x).real)
    x = rng.normal(size=6)
    f(x)
    f.save(tmp_path / "f.adcore")
    loaded = adcore.load(tmp_path / "f.adcore")
    y = rng.normal(size=6)
    assert np.array_equal(loaded(y), f(y))
    assert np.allclose(loaded.jacobian(y), f.jacobian(x))


def test_empty_batches():
    z = np.zeros((0, 4))
    assert adcore.grad(lambda x: np.sum(abs(np.fft.fft(x)) ** 2))(z).shape == (0, 4)
    assert numbers(np.fft.rfft(adcore.tensor(z))).shape == (0, 3)


def test_errors_are_numpys():
    x = adcore.tensor([1.0, 2.0], requires_grad=True)
    for call in (
        lambda x: np.fft.fft(x, 0),
        lambda x: np.fft.irfft(x, 0),
        lambda x: np.fft.fft(x, norm="other"),
        lambda x: np.fft.fftn(x, (2, 2), (0,)),
    ):
        with pytest.raises((ValueError, IndexError)) as expected:
            call(np.array([1.0, 2.0]))
        with pytest.raises(type(expected.value), match=str(expected.value)[:20]):
            call(x)
    for call in (np.fft.fft2, lambda x: np.fft.fft(x, axis=1), lambda x: np.fft.rfft(x[0])):
        with pytest.raises(
            np.exceptions.AxisError, match="is out of bounds for array of dimension"
        ):
            call(x)
    with pytest.raises(TypeError, match="rfft takes real numbers"):
        np.fft.rfft(x * 1j)
    with pytest.raises(NotDifferentiableError, match="does not take out="):
        np.fft.fft(x, out=np.zeros(2, complex))
