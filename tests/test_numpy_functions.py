"""adcore.numpy's functions against NumPy: values, first and second derivatives in all modes.

First derivatives are compared with a complex step through NumPy's own function, or with central
differences, extrapolated, where there is no complex version; second ones with differences of first
derivatives, and between the modes.
"""

import math
import warnings

import numpy as np
import pytest

import adcore
import adcore.numpy as anp
import numpy_cases
from adcore.errors import NotDifferentiableError
from numpy_cases import CASES


def arguments(name):
    """Distinct numbers between 0.05 and 0.95, some of the arrays not contiguous."""
    rng = np.random.default_rng(sum(map(ord, name)))
    shapes = CASES[name][0]
    sizes = [int(np.prod(s)) for s in shapes]
    total = sum(sizes)
    numbers = (rng.permutation(total) + rng.uniform(0.2, 0.8, total)) / total * 0.9 + 0.05
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    return [
        np.repeat(p, 2)[::2].reshape(s) if s else float(p[0])
        for p, s in zip(parts, shapes, strict=True)
    ]


def directions(args, seed):
    rng = np.random.default_rng(seed)
    drawn = [rng.uniform(-1, 1, np.shape(a)) for a in args]
    return [d if d.ndim else float(d) for d in drawn]


def moved(args, step, h):
    return [a + h * s for a, s in zip(args, step, strict=True)]


def difference(f, args, step):
    """The derivative along `step` by central differences, extrapolated once."""
    slopes = [
        (f(*moved(args, step, h)) - f(*moved(args, step, -h))) / (2 * h) for h in (2e-4, 1e-4)
    ]
    return (4 * slopes[1] - slopes[0]) / 3


def gradient(f, args, weights):
    """The gradient of sum(weights sin(f)): most of the functions are linear."""
    found = adcore.grad(
        lambda *a: anp.sum(weights * anp.sin(f(*a))), argnums=tuple(range(len(args)))
    )(*args)
    return list(found)


def dot(a, b):
    return sum(np.sum(x * y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_value(name):
    f, args = CASES[name][1], arguments(name)
    want = f(*args)
    got = f(*[adcore.tensor(a, requires_grad=True) for a in args])
    assert type(got) is adcore.Tensor
    assert got.shape == np.shape(want)
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=8e-15, atol=1e-15)
    constant = f(*[adcore.tensor(a) for a in args])
    np.testing.assert_array_equal(constant.numpy(), got.detach().numpy())


@pytest.mark.parametrize("name", [n for n in CASES if "ours" not in CASES[n][2:]])
def test_the_same_by_plain_numpy(name, monkeypatch):
    f, args = CASES[name][1], arguments(name)
    want = f(*args)
    monkeypatch.setattr(numpy_cases, "np", np)
    got = f(*[adcore.tensor(a, requires_grad=True) for a in args])
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=8e-15, atol=1e-15)


@pytest.mark.parametrize("name", CASES)
def test_first_derivative(name):
    _, f, *marks = CASES[name]
    args = arguments(name)
    step = directions(args, 1)
    if "real" in marks:
        want, tolerance = difference(f, args, step), 3e-9
    else:
        h = 1e-30
        want, tolerance = np.imag(f(*moved(args, step, 1j * h))) / h, 2e-12
    value, forward = adcore.jvp(f, args, step)
    np.testing.assert_allclose(value, f(*args), rtol=8e-15, atol=1e-15)
    np.testing.assert_allclose(forward, want, rtol=tolerance, atol=tolerance)
    weights = np.random.default_rng(2).uniform(-1, 1, np.shape(want))
    found = adcore.vjp(f, *args)[1](weights if weights.ndim else float(weights))
    np.testing.assert_allclose(dot(found, step), np.sum(weights * forward), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_second_derivative(name):
    f, args = CASES[name][1], arguments(name)
    step = directions(args, 4)
    weights = np.random.default_rng(3).uniform(-1, 1, np.shape(f(*args)))

    def slope(*a):
        return adcore.jvp(lambda *b: anp.sum(weights * anp.sin(f(*b))), a, step)[1]

    nums = tuple(range(len(args)))
    ahead, behind = (gradient(f, moved(args, step, h), weights) for h in (1e-5, -1e-5))
    want = [(a - b) / 2e-5 for a, b in zip(ahead, behind, strict=True)]
    forward_over_reverse = adcore.jvp(lambda *a: gradient(f, a, weights), args, step)[1]
    reverse_over_forward = adcore.grad(slope, argnums=nums)(*args)
    reverse_over_reverse = adcore.grad(
        lambda *a: sum(anp.sum(g * s) for g, s in zip(gradient(f, a, weights), step, strict=True)),
        argnums=nums,
    )(*args)
    for a, b, c, d in zip(
        want, forward_over_reverse, reverse_over_forward, reverse_over_reverse, strict=True
    ):
        scale = 1 + np.max(np.abs(b), initial=0.0)
        np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-7 * scale)
        np.testing.assert_allclose(c, b, rtol=1e-10, atol=1e-11 * scale)
        np.testing.assert_allclose(d, b, rtol=1e-10, atol=1e-11 * scale)
    along = adcore.jvp(slope, args, step)[1]
    np.testing.assert_allclose(along, dot(forward_over_reverse, step), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_compiled(name):
    f, args = CASES[name][1], arguments(name)
    compiled = adcore.compile(lambda *a: anp.sum(anp.sin(f(*a))))
    nums = tuple(range(len(args)))
    # Recorded at one point, replayed at another where other elements are the greatest.
    for k in (0, 1):
        at = [np.asarray(a)[..., ::-1] if k and np.ndim(a) else a for a in args]
        want = np.sum(np.sin(f(*at)))
        np.testing.assert_allclose(compiled(*at), want, rtol=1e-13)
        plain = adcore.grad(lambda *a: anp.sum(anp.sin(f(*a))), argnums=nums)(*at)
        for got, expected in zip(compiled.grad(*at, argnums=nums), plain, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12)


EMPTY = {
    "nansum": lambda x: anp.nansum(x, 0),
    "nanprod": lambda x: anp.nanprod(x, 0),
    "sum initial": lambda x: anp.sum(x, 0, initial=2.0),
    "max initial": lambda x: anp.max(x, 0, initial=2.0),
    "cumulative_sum": lambda x: anp.cumulative_sum(x, axis=0, include_initial=True),
    "ediff1d": lambda x: anp.ediff1d(x),
    "unwrap": lambda x: anp.unwrap(x, axis=1),
    "insert": lambda x: anp.insert(x, 0, 1.0, axis=0),
    "unique": lambda x: anp.unique(x),
    "union1d": lambda x: anp.union1d(x, x),
    "meshgrid": lambda x: anp.meshgrid(x, [1.0, 2.0])[0],
    "trim_zeros": lambda x: anp.trim_zeros(x[:, 0]),
    "interp": lambda x: anp.interp(x, [0.0, 1.0], [1.0, 2.0]),
    "resize": lambda x: anp.resize(x, (2, 3)),
    "piecewise": lambda x: anp.piecewise(x, [x > 0], [1.0]),
    "choose": lambda x: anp.choose(np.zeros((0, 3), int), [x, x]),
    "vander": lambda x: anp.vander(x[:, 0], 3),
    "polyval": lambda x: anp.polyval([1.0, 2.0], x),
    "nan_to_num": lambda x: anp.nan_to_num(x),
    "i0": lambda x: anp.i0(x),
    "angle": lambda x: anp.angle(x),
    "frexp": lambda x: anp.frexp(x)[0],
    "add.reduceat": lambda x: anp.add.reduceat(x, [0, 1], axis=1),
    "linspace": lambda x: anp.linspace(x, x + 1.0, 3),
    "full": lambda x: anp.full((2, 0, 3), x),
    "rollaxis": lambda x: anp.rollaxis(x, 1),
    "array": lambda x: anp.array([x, x]),
}


@pytest.mark.parametrize("name", EMPTY)
def test_arrays_without_elements(name):
    f = EMPTY[name]
    x = np.zeros((0, 3))
    want = f(x)
    got = f(adcore.tensor(x, requires_grad=True))
    got = got.detach().numpy() if type(got) is adcore.Tensor else got
    np.testing.assert_array_equal(got, want)
    assert got.shape == want.shape
    grad = adcore.grad(lambda x: anp.sum(f(x)) + anp.sum(x))(x)
    assert grad.shape == (0, 3)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
@pytest.mark.parametrize("name", ["nanstd", "nanvar", "nanmean", "std"])
def test_spread_of_nothing(name, shape):
    x = np.zeros(shape)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for axis in (None, *range(len(shape))):
            got = getattr(anp, name)(adcore.tensor(x, requires_grad=True), axis=axis)
            np.testing.assert_array_equal(got.detach(), getattr(np, name)(x, axis=axis))


@pytest.mark.parametrize("name", ["nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nansum"])
def test_a_number_that_may_be_nan(name):
    f = getattr(anp, name)
    compiled = adcore.compile(lambda x: f(x) * x)
    assert compiled(0.5) == 0.5 * getattr(np, name)(0.5)
    assert compiled.grad(0.5) == adcore.grad(lambda x: f(x) * x)(0.5)


def test_no_option_is_dropped():
    x = adcore.tensor(np.ones((2, 3)), requires_grad=True)
    for mean in (anp.mean, np.mean, adcore.Tensor.mean):
        with pytest.raises(TypeError, match="unexpected keyword argument 'initial'"):
            mean(x, initial=x[0, 0], where=np.ones((2, 3), bool))


def test_all_nan():
    x = np.array([[np.nan, np.nan], [1.0, np.nan]])
    for name in ("nanmax", "nanmin", "nanmean", "nanmedian", "nanvar", "nanstd"):
        f = getattr(anp, name)
        with pytest.warns(RuntimeWarning):
            want = f(x, axis=1)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = f(adcore.tensor(x, requires_grad=True), axis=1)
        np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-15)


@pytest.mark.parametrize("edge", [0.0, 0.5, 1.0])
def test_interpolation_at_its_points(edge):
    """The value is the point's, the slope the mean of those beside it, as clip's is."""
    xp, fp = np.array([0.0, 0.5, 1.0]), np.array([1.0, 3.0, 2.0])
    slope = {0.0: 2.0, 0.5: 1.0, 1.0: -1.0}[edge]
    assert anp.interp(adcore.tensor(edge), xp, fp).item() == np.interp(edge, xp, fp)
    assert adcore.grad(lambda x: anp.interp(x, xp, fp))(edge) == slope
    assert adcore.jvp(lambda x: anp.interp(x, xp, fp), (edge,), (1.0,))[1] == slope
    compiled = adcore.compile(lambda x: anp.interp(x, xp, fp))
    for x in (0.2, edge):
        assert compiled.grad(x) == adcore.grad(lambda x: anp.interp(x, xp, fp))(x)
    clip = adcore.grad(lambda x: anp.clip(x, 0.0, 1.0))
    line = adcore.grad(lambda x: anp.interp(x, [0.0, 1.0], [0.0, 1.0]))
    assert clip(edge) == line(edge)


def test_polyfit_in_its_places_and_weights():
    x = np.arange(7.0) + np.linspace(0.1, 0.5, 7) ** 2
    step, w = np.sin(2.0 * x), np.linspace(1.0, 2.0, 7)

    def f(x, w):
        return anp.polyfit(x, np.cos(3.0 * w), 2, w=w)

    slope = adcore.jvp(f, (x, w), (step, step))[1]
    np.testing.assert_allclose(slope, difference(f, [x, w], [step, step]), rtol=1e-8, atol=1e-9)
    back = adcore.vjp(f, x, w)[1](np.ones(3))
    assert dot(back, [step, step]) == pytest.approx(np.sum(slope), rel=1e-12)


def test_roots_that_are_complex():
    """Of x^2 - 2 t x + 1: exp(+-i arccos(t)), real where |t| is above 1."""

    def f(t):
        r = anp.roots([1.0, -2.0 * t, 1.0])
        return anp.sum(anp.real(r * r * r)) + 3.0 * anp.sum(anp.real(1.0 / (r - 5.0)))

    def true(t):  # by the coefficients alone
        return 8.0 * t**3 - 6.0 * t + 3.0 * (2.0 * t - 10.0) / (26.0 - 10.0 * t)

    compiled = adcore.compile(f)
    for t in (0.3, 2.0, -0.9, -1.5, 0.5):
        assert f(t) == pytest.approx(true(t), rel=1e-13)
        slope, bend = adcore.grad(true)(t), adcore.hessian(true)(t)
        for d in (adcore.grad(f), compiled.grad, lambda t: adcore.jvp(f, (t,), (1.0,))[1]):
            assert d(t) == pytest.approx(slope, rel=1e-12)
        for d in (adcore.hessian(f), compiled.hessian, adcore.jacfwd(adcore.grad(f))):
            assert d(t) == pytest.approx(bend, rel=1e-11)
    np.testing.assert_allclose(anp.roots(adcore.tensor([1.0, -3.0, 2.0])).numpy(), [2.0, 1.0])


def test_roots_of_complex_coefficients():
    """They are what the polynomial was made of; zeros at the end are roots 0."""
    given = np.array([1.0 + 2.0j, -0.5j, 3.0])

    def with_zero(z):
        p = anp.concatenate([[0.0], (2.0 + 1.0j) * anp.stack([1.0, -z[0]]), [0.0]])
        return anp.sum(anp.abs(anp.roots(p)) ** 2)

    np.testing.assert_allclose(adcore.grad(with_zero)(given), [2.0 + 4.0j, 0.0, 0.0], rtol=1e-14)
    assert anp.roots(adcore.tensor(np.zeros(2))).shape == (0,)

    def of_all(z):
        p = anp.convolve(anp.convolve([1.0, -z[0]], [1.0, -z[1]]), [1.0, -z[2]])
        r = anp.roots((2.0 + 1.0j) * p)
        return anp.sum(anp.abs(r) ** 2) + anp.real(anp.sum(r**3))

    compiled = adcore.compile(of_all)
    for z in (given, 1j * given):
        expected = 2.0 * z + np.conj(3.0 * z**2)
        for gradient in (adcore.grad(of_all), compiled.grad):
            np.testing.assert_allclose(gradient(z), expected, rtol=1e-12, atol=1e-13)


def test_constant_arrays_do_not_take_tensors():
    x = adcore.tensor([1.0, 2.0], requires_grad=True)
    a = np.zeros(2)
    for call in (
        lambda: np.copyto(a, x),
        lambda: np.put(a, [0], x[:1]),
        lambda: np.place(a, [True, False], x),
        lambda: np.putmask(a, [True, False], x),
        lambda: np.put_along_axis(a, np.array([0]), x[:1], 0),
        lambda: anp.fill_diagonal(np.zeros((2, 2)), x),  # of which NumPy sees the first argument
    ):
        with pytest.raises(NotDifferentiableError, match=r"make it a tensor first: x = adcore"):
            call()
    assert not a.any()
    with pytest.raises(NotDifferentiableError, match="with respect to q"):
        anp.nanquantile(np.ones(3), x[0])
    with pytest.raises(NotDifferentiableError, match="with respect to the weights"):
        anp.quantile(x, 0.5, weights=x, method="inverted_cdf")
    with pytest.raises(NotDifferentiableError, match="choose has no derivative"):
        anp.choose(x, [x, x])


def test_float_types_other_than_float64_are_refused():
    x = adcore.tensor([1.0, 2.0], requires_grad=True)
    for call in (
        lambda: anp.array([x[0], 1.0], dtype=np.float32),
        lambda: anp.asarray(x, dtype=int),
        lambda: anp.linspace(x[0], 1.0, 3, dtype=int),
        lambda: anp.full(2, x[0], dtype=complex),
    ):
        with pytest.raises(NotDifferentiableError, match=r"dtype=; derivatives are in float64"):
            call()
    with pytest.raises(ValueError, match="infs or NaNs"):
        anp.asarray_chkfinite([x[0], np.inf])
    with pytest.raises(TypeError, match="unexpected keyword argument 'foo'"):
        anp.array(x, foo=1)
    with pytest.raises(NotDifferentiableError, match="take no directives"):
        anp.r_["r", x]


def test_saved_programs_find_convolutions_and_roots(tmp_path):
    def f(a, b):
        return anp.sum(anp.convolve(a, b, "same") ** 2) + anp.sum(anp.roots(a) ** 3)

    a, b = np.array([1.0, -3.0, 1.5]), np.array([0.5, 2.0])
    compiled = adcore.compile(f)
    want = compiled.value_and_grad(a, b)
    compiled.save(tmp_path / "f.adc")
    loaded = adcore.load(tmp_path / "f.adc")
    got = loaded.value_and_grad(a, b)
    np.testing.assert_allclose(got[0], want[0], rtol=1e-15)
    np.testing.assert_allclose(got[1], want[1], rtol=1e-15)


def test_frexp_is_numpys_at_the_ends_of_the_doubles_and_of_views():
    x = np.array(
        [[0.0, -0.0, 1.0, -12.0, np.inf, -np.inf], [5e-324, 3e-310, 1e308, -0.5, 0.1, 2.0]]
    )
    t = adcore.tensor(x, requires_grad=True)
    for mine, plain in [(t, x), (t.T, x.T), (t[:, ::-2], x[:, ::-2]), (t[0, 3], x[0, 3])]:
        mantissa, exponents = anp.frexp(mine)
        np.testing.assert_array_equal(mantissa.detach().numpy(), np.frexp(plain)[0])
        np.testing.assert_array_equal(exponents, np.frexp(plain)[1])
    assert exponents.dtype == np.frexp(x)[1].dtype


@pytest.mark.parametrize("endpoint", [True, False])
def test_linspace_ends_where_it_is_told_to(endpoint):
    start, stop = adcore.tensor([0.1, 1.0 / 3.0], requires_grad=True)
    for n in (0, 1, 2, 3, 50, 1001):
        y = anp.linspace(start, stop, n, endpoint)
        want = np.linspace(0.1, 1.0 / 3.0, n, endpoint)
        np.testing.assert_allclose(y.detach().numpy(), want, rtol=4e-16)
        assert y.shape == (n,)
        if n > 1:
            assert y[0].item() == 0.1
            assert not endpoint or y[-1].item() == 1.0 / 3.0


@pytest.mark.parametrize("deg", [False, True])
def test_angles_of_real_numbers_compiled_and_not(deg):
    x = np.array([-0.0, 0.0, -1.5, 2.0, np.inf, -np.inf, np.nan])
    for run in (lambda f: f(adcore.tensor(x, requires_grad=True)).detach(), lambda f: f(x)):
        np.testing.assert_array_equal(run(lambda x: anp.angle(x, deg=deg)), np.angle(x, deg=deg))
    compiled = adcore.compile(lambda x: anp.angle(x, deg=deg))
    np.testing.assert_array_equal(compiled(x), np.angle(x, deg=deg))
    many = adcore.tensor(np.resize(x[:6], 1000), requires_grad=True)
    np.testing.assert_array_equal(
        anp.angle(many, deg=deg).detach(), np.angle(np.resize(x[:6], 1000), deg=deg)
    )


@pytest.mark.parametrize("shape", [(3,), (0, 2), (2, 3), (2, 3, 2), (20, 30)])
@pytest.mark.parametrize("k", [-1, 0, 2])
def test_triangles(shape, k):
    x = np.arange(1.0, 1 + math.prod(shape)).reshape(shape)
    for name in ("tril", "triu"):
        got = getattr(anp, name)(adcore.tensor(x, requires_grad=True), k)
        np.testing.assert_array_equal(got.detach(), getattr(np, name)(x, k))


def test_what_numpy_does_in_place_without_a_copy():
    def f(x):
        y = x * 1.0
        y[0] = y[0] + np.nan
        np.nan_to_num(y, copy=False, nan=3.0)
        z = y.astype("float64", copy=False)
        z[1] = 5.0
        return (y * y).sum()

    x = np.arange(1.0, 4.0)
    assert f(x) == 43.0
    assert adcore.grad(f)(x).tolist() == [0.0, 0.0, 6.0]
    assert adcore.jvp(f, (x,), (np.ones(3),)) == (43.0, 6.0)


def test_copies_of_the_whole_are_no_parts_of_it():
    x = adcore.tensor(np.ones((2, 3)), requires_grad=True) * 1.0
    for y in (anp.roll(x, 0), anp.roll(x, 6), anp.resize(x, (3, 2)), x.flatten(), anp.tile(x, 1)):
        y[0] = 5.0
    assert x.detach().numpy().sum() == 6.0
