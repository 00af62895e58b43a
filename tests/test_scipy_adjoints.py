"""The short ways of reverse mode for calls of SciPy's functions recorded whole.

Against the function's own matrix if it is linear, the operations, forward mode, compiled code; and
once more differentiated.
"""

import numpy as np
import pytest
import scipy.signal as plain

import adcore
import adcore.scipy.interpolate
import adcore.scipy.signal as sig
from adcore.scipy.interpolate._grid import _cells

rng = np.random.default_rng(11)

B, A = plain.butter(3, 0.3)
SOS = plain.butter(4, 0.3, output="sos")
FIRST = np.vstack([SOS, [[0.5, 0.2, 0.0, 1.0, -0.3, 0.0]]])
K = rng.normal(size=(3, 2))
H = rng.normal(size=5)

LINEAR = {
    "lfilter": ((17,), lambda m, x: m.lfilter(B, A, x)),
    "lfilter, scaled, axis": ((9, 3), lambda m, x: m.lfilter(B * 2, A * 3, x, axis=0)),
    "sosfilt": ((2, 17), lambda m, x: m.sosfilt(SOS, x)),
    "filtfilt": ((17,), lambda m, x: m.filtfilt(B, A, x)),
    "filtfilt, even": ((2, 17), lambda m, x: m.filtfilt(B, A, x, padtype="even", padlen=5)),
    "filtfilt, constant": ((17, 2), lambda m, x: m.filtfilt(B, A, x, 0, "constant")),
    "filtfilt, none": ((6,), lambda m, x: m.filtfilt(B, A, x, padtype=None)),
    "filtfilt, short": ((2,), lambda m, x: m.filtfilt(B, A, x, padlen=0)),
    "filtfilt, taps": ((17,), lambda m, x: m.filtfilt(H, [2.0], x, padlen=16)),
    "sosfiltfilt": ((25,), lambda m, x: m.sosfiltfilt(SOS, x)),
    "sosfiltfilt, first order": ((25, 2), lambda m, x: m.sosfiltfilt(FIRST, x, axis=0)),
    "upfirdn": ((11,), lambda m, x: m.upfirdn(H, x)),
    "upfirdn, 3/2": ((2, 11), lambda m, x: m.upfirdn(H, x, 3, 2)),
    "upfirdn, 2/7": ((11, 2), lambda m, x: m.upfirdn(H, x, up=2, down=7, axis=0)),
    "upfirdn, 1/9": ((11,), lambda m, x: m.upfirdn(H[:1], x, 1, 9)),
    "upfirdn, 7/3": ((4,), lambda m, x: m.upfirdn(H, x, 7, 3)),
    "resample_poly": ((2, 14), lambda m, x: m.resample_poly(x, 3, 2, axis=1)),
    "savgol_filter": ((14,), lambda m, x: m.savgol_filter(x, 5, 2)),
    "fftconvolve": ((9,), lambda m, x: m.fftconvolve(x, H)),
    "fftconvolve, second": ((9,), lambda m, x: m.fftconvolve(H, x, "same")),
    "fftconvolve, valid": ((9,), lambda m, x: m.fftconvolve(x, H, mode="valid")),
    "fftconvolve, axes": ((4, 6), lambda m, x: m.fftconvolve(x, K[:1], "same", axes=[1])),
    "oaconvolve": ((2, 9), lambda m, x: m.oaconvolve(x, K.T, "same")),
    "convolve2d": ((5, 4), lambda m, x: m.convolve2d(x, K)),
    "convolve2d, same": ((5, 4), lambda m, x: m.convolve2d(x, K, "same")),
    "convolve2d, second": ((4, 4), lambda m, x: m.convolve2d(K, x, "same")),
    "convolve2d, valid": ((5, 4), lambda m, x: m.convolve2d(x, K, "valid")),
    "convolve2d, valid in the second": ((5, 4), lambda m, x: m.convolve2d(K, x, "valid")),
    "convolve2d, wrap": ((5, 4), lambda m, x: m.convolve2d(x, K, "same", "wrap")),
    "convolve2d, wrap, second": ((2, 3), lambda m, x: m.convolve2d(K, x, "same", "wrap")),
    "convolve2d, symm": ((5, 4), lambda m, x: m.convolve2d(x, K, boundary="symm")),
    "convolve2d, filled": ((5, 4), lambda m, x: m.convolve2d(x, K, fillvalue=2.0)),
    "correlate2d": ((5, 4), lambda m, x: m.correlate2d(x, K)),
    "correlate2d, second": ((4, 4), lambda m, x: m.correlate2d(K, x, "same")),
    "correlate2d, symm": ((5, 4), lambda m, x: m.correlate2d(x, K, "same", "symm")),
}
# Functions of the data that are not linear, at data without ties and with some.
OTHER = {
    "medfilt": ((12,), lambda x: sig.medfilt(x, 5)),
    "medfilt, two dimensions": ((5, 6), lambda x: sig.medfilt(x, [3, 1])),
    "medfilt, long": ((600,), lambda x: sig.medfilt(x, 5)),
    "medfilt2d": ((5, 6), lambda x: sig.medfilt2d(x, 3)),
    "medfilt2d, large": ((17, 16), lambda x: sig.medfilt2d(x)),
    "order_filter": ((5, 6), lambda x: sig.order_filter(x, [[0, 1, 0], [1, 0, 1], [0, 1, 0]], 1)),
    "order_filter, long": ((900,), lambda x: sig.order_filter(x, np.ones(3), 2)),
}


def by_forward(f, x, w):
    """The gradient of <w, f(x)> by forward mode."""
    along = [adcore.jvp(f, (x,), (e.reshape(x.shape),))[1] for e in np.eye(x.size)]
    return np.array([np.sum(t * w) for t in along]).reshape(x.shape)


def of_squares(f, w):
    return lambda x: (f(x) ** 2 * w).sum()


@pytest.mark.parametrize("name", LINEAR)
def test_transposes(name):
    shape, f = LINEAR[name]
    x = rng.normal(size=shape)
    y, origin = f(plain, x), f(plain, np.zeros(shape))
    J = np.array([f(plain, e.reshape(shape)) - origin for e in np.eye(x.size)]).reshape(x.size, -1)
    w = rng.normal(size=y.shape)
    size = np.abs(J).max() * np.abs(w).max()
    expected = (J @ w.ravel()).reshape(shape)

    def g(x):
        return f(sig, x)

    found = adcore.grad(lambda x: (g(x) * w).sum())(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * size)
    # Twice, in all three orders of the modes that are not forward alone: J' W J v.
    v = rng.normal(size=shape)
    q = of_squares(g, w)
    Jv = J.T @ v.ravel()
    twice = 2.0 * (J @ (w.ravel() * Jv)).reshape(shape)
    curved = 1e-10 * np.abs(twice).max()
    grad = adcore.grad(q)
    for second in (
        adcore.jvp(grad, (x,), (v,))[1],
        adcore.grad(lambda x: (grad(x) * v).sum())(x),
        adcore.grad(lambda x: adcore.jvp(q, (x,), (v,))[1])(x),
        adcore.compile(lambda x: adcore.jvp(grad, (x,), (v,))[1])(x),
    ):
        np.testing.assert_allclose(second, twice, rtol=0, atol=curved)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("name", OTHER)
def test_gathers(name, ties):
    shape, f = OTHER[name]
    x = rng.normal(size=shape)
    if ties:
        x = np.round(x)
    w = rng.normal(size=shape)
    found = adcore.grad(lambda x: (f(x) * w).sum())(x)
    compiled = adcore.compile(adcore.grad(lambda x: (f(x) * w).sum()))(x)
    np.testing.assert_array_equal(found, compiled)
    assert found.sum() == pytest.approx(w[f(x) != 0].sum() if not ties else compiled.sum())
    if x.size < 100:
        np.testing.assert_allclose(found, by_forward(f, x, w), rtol=1e-13, atol=1e-14)
    v = rng.normal(size=shape)
    grad = adcore.grad(of_squares(f, w))
    second = adcore.jvp(grad, (x,), (v,))[1]
    jv = adcore.jvp(f, (x,), (v,))[1]
    expected = adcore.grad(lambda x: (f(x) * (2.0 * w * jv)).sum())(x)
    np.testing.assert_allclose(second, expected, rtol=1e-12, atol=1e-12)


def test_nans_leave_it_to_the_operations():
    x = np.array([1.0, np.nan, 3.0, 2.0, 5.0])
    found = adcore.grad(lambda x: sig.medfilt(x, 3)[3])(x)
    assert found.tolist() == [0.0, 0.0, 1.0, 0.0, 0.0]


# ---- interpolants ----

X = np.sort(rng.uniform(size=9))
Y = rng.normal(size=(9, 2))
AT = rng.uniform(-0.2, 1.2, size=(2, 4))
MANY = rng.uniform(X[0], X[-1], size=300)
T = np.concatenate([[X[0]] * 3, X, [X[-1]] * 3])
C = rng.normal(size=(len(T) - 4, 2))
GRID = np.arange(7.0), np.array([0.0, 0.5, 1.5, 4.0])
VALUES = rng.normal(size=(7, 4, 2))
ON_GRID = rng.uniform(0.1, 3.9, size=(150, 2))
CUBES = rng.normal(size=(4, 8, 2))


def interpolated(kind, **options):
    return lambda x, y, at: adcore.scipy.interpolate.interp1d(x, y, kind, 0, **options)(at)


def piecewise(nu=0, axis=0, **options):
    def f(c, x, at):
        return adcore.scipy.interpolate.PPoly(c, x, axis=axis, **options)(at, nu)

    return f


def bspline(nu=0, **options):
    def f(c, at):
        return adcore.scipy.interpolate.BSpline(T, c, 3, **options)(at, nu)

    return f


def on_grid(**options):
    def f(p, values, xi):
        grid = p, GRID[1]
        return adcore.scipy.interpolate.RegularGridInterpolator(grid, values, **options)(xi)

    return f


INTERPOLANTS = {
    "PPoly": (piecewise(), CUBES, X, AT),
    "PPoly, second axis": (piecewise(axis=1), np.moveaxis(CUBES, 1, 2), X, AT),
    "PPoly, many": (piecewise(1), CUBES, X, MANY),
    "PPoly, one place": (piecewise(2), CUBES, X, np.float64(0.4)),
    "PPoly, downwards": (piecewise(), CUBES[..., 0], -X, -AT),
    "PPoly, inside": (piecewise(extrapolate=False), CUBES, X, MANY[:50]),
    "PPoly, periodic": (piecewise(extrapolate="periodic"), CUBES, X, AT),
    "BSpline": (bspline(), C, AT),
    "BSpline, slope, many": (bspline(1), C, MANY),
    "BSpline, third derivative": (bspline(3), C[:, 0], AT),
    "BSpline, periodic": (bspline(extrapolate="periodic"), C, AT),
    "make_interp_spline": (
        lambda y, at: adcore.scipy.interpolate.make_interp_spline(X, y, bc_type="natural")(at),
        Y,
        AT,
    ),
    "linear": (interpolated("linear", fill_value="extrapolate"), X, Y, AT),
    "linear, filled": (interpolated("linear", bounds_error=False, fill_value=3.0), X, Y, AT),
    "nearest": (interpolated("nearest", fill_value="extrapolate"), X, Y, AT),
    "previous": (interpolated("previous", bounds_error=False, fill_value=1.0), X, Y, AT),
    "next, ends": (interpolated("next", bounds_error=False, fill_value=(0.0, 1.0)), X, Y, AT),
    "cubic": (interpolated("cubic"), X, Y, MANY),
    "grid": (on_grid(), GRID[0] * 1.01, VALUES, ON_GRID),
    "grid, filled": (on_grid(bounds_error=False, fill_value=0.5), GRID[0], VALUES, ON_GRID * 1.2),
    "grid, beyond": (on_grid(bounds_error=False, fill_value=None), GRID[0], VALUES, AT[:, :2] * 9),
}


@pytest.mark.parametrize("name", INTERPOLANTS)
def test_interpolants(name):
    """Each argument alone, and all of them, against the operations; reverse over reverse."""
    f, *args = INTERPOLANTS[name]
    w = rng.normal(size=f(*args).shape)

    def weighted(*args):
        return (f(*args) * w).sum()

    every = tuple(range(len(args)))
    expected = adcore.compile(lambda *args: adcore.grad(weighted, every)(*args))(*args)
    together = adcore.grad(weighted, every)(*args)
    for i, (one, other) in enumerate(zip(together, expected, strict=True)):
        size = 1e-12 * max(1.0, np.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=size)
        np.testing.assert_allclose(adcore.grad(weighted, i)(*args), other, rtol=1e-11, atol=size)
    v = [rng.normal(size=np.shape(a)) for a in args]
    along = adcore.jvp(weighted, args, v)[1]
    assert along == pytest.approx(sum(np.sum(a * b) for a, b in zip(v, together, strict=True)))
    v = v[-1]
    last = len(args) - 1

    def slope(at):
        return (adcore.grad(weighted, last)(*args[:-1], at) * v).sum()

    back = adcore.grad(slope)(args[-1])
    forward = adcore.jvp(adcore.grad(lambda at: weighted(*args[:-1], at)), (args[-1],), (v,))[1]
    np.testing.assert_allclose(back, forward, rtol=1e-9, atol=1e-9)


def test_cells_of_a_grid():
    """Found by division or by search, the same."""
    for p in (np.linspace(-1.0, 2.0, 50), np.arange(9.0) / 3.0, np.array([0, 1, 2, 3.1, 4, 9.0])):
        x = np.concatenate([p, np.nextafter(p, -9), np.nextafter(p, 9), rng.uniform(-3, 10, 200)])
        np.testing.assert_array_equal(_cells(p, x), np.searchsorted(p[1:-1], x, "right"))
    assert _cells(p, np.full(200, np.nan)).tolist() == [4] * 200
