"""adcore.scipy.signal: values against SciPy's; derivatives against SciPy's along lines.

Each case is a function of arrays.  Along a line through them its first derivative is that of
SciPy's own function: of filters by a complex step, of others by differences; its second derivative
is a difference of the first.
"""

import functools
import inspect
import subprocess
import sys

import numpy as np
import pytest
import scipy.signal as plain

import adcore
import adcore.scipy.signal as sig
from adcore.complexes import Complex
from adcore.errors import NotDifferentiableError

grad = adcore.grad
rng = np.random.default_rng(3)


def fwd(f):
    return lambda x: adcore.jvp(f, (x,), (1.0,))[1]


def normal(*shape):
    return rng.normal(size=shape)


B, A = plain.butter(3, 0.3)
SOS = plain.butter(4, 0.3, output="sos")
POLES = np.array([1.0, -0.4, 0.2])  # a filter that is stable nearby, too
X, X2, X3 = normal(40), normal(3, 40), normal(2, 25, 3)
LONG = normal(90)


def free_sos(s):
    """Sections with a[0] = 1, of numbers for the rest."""
    if isinstance(s, np.ndarray):
        return np.concatenate([s[:, :3], np.ones((len(s), 1)), s[:, 3:]], axis=1)
    return adcore.concatenate([s[:, :3], np.ones((s.shape[0], 1)), s[:, 3:]], axis=1)


S5 = np.delete(SOS, 3, axis=1)
APART = rng.permutation(120).reshape(3, 40) * 0.05  # no two change places along a line


def case(f, *args, real=False, flat=(0,)):
    """`real`: SciPy's takes no complex numbers.  `flat`: the outputs that vary."""
    return f, args, real, flat


def of(name, *rest, real=False, flat=(0,), **options):
    """A case of arrays alone, then options."""
    arrays = [r for r in rest if isinstance(r, np.ndarray)]
    return case(lambda m, *a: getattr(m, name)(*a, **options), *arrays, real=real, flat=flat)


CASES = {
    **{
        f"{name} {mode} {n} {m}": of(name, normal(n), normal(m), mode=mode)
        for name in ("convolve", "fftconvolve", "oaconvolve", "correlate")
        for mode in ("full", "same", "valid")
        for n, m in ((12, 5), (5, 12), (1, 4), (6, 6))
    },
    **{
        f"{name} {mode} matrices": of(name, normal(5, 6), normal(3, 2), mode=mode)
        for name in ("convolve", "fftconvolve", "oaconvolve", "correlate")
        for mode in ("full", "same", "valid")
    },
    "convolve fft": of("convolve", normal(20), normal(30), method="fft"),
    "convolve direct": of("convolve", normal(20), normal(30), method="direct"),
    "convolve cubes": of("convolve", normal(3, 4, 5), normal(2, 2, 2)),
    "fftconvolve axes": of("fftconvolve", normal(3, 8), normal(1, 5), axes=1, mode="same"),
    "fftconvolve broadcast": of("fftconvolve", normal(1, 8), normal(4, 3), axes=[1]),
    "oaconvolve long": of("oaconvolve", normal(300), normal(7)),
    **{
        f"{name} {mode} {boundary}": of(
            name, normal(5, 6), normal(3, 2), mode=mode, boundary=boundary, real=True
        )
        for name in ("convolve2d", "correlate2d")
        for mode in ("full", "same", "valid")
        for boundary in ("fill", "wrap", "symm")
    },
    "convolve2d filled": of(
        "convolve2d", normal(4, 4), normal(3, 3), mode="same", fillvalue=2.0, real=True
    ),
    "convolve2d fill": case(
        lambda m, a, b, c: m.convolve2d(a, b, fillvalue=c[0]),
        *(normal(4, 4), normal(3, 3), np.array([0.7])),
        real=True,
    ),
    "convolve2d small": of("convolve2d", normal(2, 3), normal(4, 5), mode="valid"),
    "correlate2d small": of("correlate2d", normal(2, 3), normal(4, 5), mode="valid"),
    "lfilter": of("lfilter", B, POLES, X),
    "lfilter axis": of("lfilter", B, POLES, X3, axis=1),
    "lfilter short": of("lfilter", B, POLES, normal(2)),
    "lfilter fir": of("lfilter", normal(20), np.ones(1), X2),
    "lfilter all poles": of("lfilter", np.ones(1), POLES, X2),
    "lfilter a0": of("lfilter", B, 2.0 * POLES, X),
    "lfilter many": of("lfilter", normal(20), np.r_[1.0, 0.05 * normal(15)], X2),
    "lfilter numbers": case(lambda m, b, x: m.lfilter(b, 1.0, x), np.array(0.5), X),
    "lfilter zi": case(
        lambda m, b, a, x, z: m.lfilter(b, a, x, zi=z), B, POLES, X2, normal(3, 3), flat=(0, 1)
    ),
    "lfilter zi short": case(
        lambda m, b, a, x, z: m.lfilter(b, a, x, zi=z), B, POLES, normal(2), normal(3), flat=(0, 1)
    ),
    "lfilter zi axis": case(
        lambda m, b, a, x, z: m.lfilter(b, a, x, axis=0, zi=z),
        *(B, POLES, normal(9, 2), normal(3, 2)),
        flat=(0, 1),
    ),
    "lfilter zi a0": case(
        lambda m, b, a, x, z: m.lfilter(b, a, x, zi=z), B, 2.0 * POLES, X, normal(3), flat=(0, 1)
    ),
    "lfilter_zi": of("lfilter_zi", B, A),
    "lfilter_zi a0": of("lfilter_zi", B, 3.0 * POLES),
    "lfiltic": of("lfiltic", B, A, normal(3), normal(3)),
    "lfiltic short": of("lfiltic", B, A, normal(2)),
    "filtfilt": of("filtfilt", B, A, X),
    "filtfilt even": of("filtfilt", B, A, X2, padtype="even"),
    "filtfilt constant": of("filtfilt", B, A, X3, axis=1, padtype="constant", padlen=5),
    "filtfilt none": of("filtfilt", B, A, X, padtype=None),
    "sosfilt": case(lambda m, s, x: m.sosfilt(free_sos(s), x), S5, X, real=True),
    "sosfilt zi": case(
        lambda m, s, x, z: m.sosfilt(free_sos(s), x, zi=z),
        *(S5, X2, normal(2, 3, 2)),
        real=True,
        flat=(0, 1),
    ),
    "sosfilt axis": case(
        lambda m, x, z: m.sosfilt(SOS, x, axis=1, zi=z), X3, normal(2, 2, 2, 3), flat=(0, 1)
    ),
    "sosfilt_zi": case(lambda m, s: m.sosfilt_zi(free_sos(s)), S5, real=True),
    "sosfiltfilt": case(lambda m, s, x: m.sosfiltfilt(free_sos(s), x), S5, X, real=True),
    "sosfiltfilt axis": case(lambda m, x: m.sosfiltfilt(SOS, x, axis=1, padlen=4), X3),
    "deconvolve": of("deconvolve", normal(9), np.array([1.0, 0.3, -0.2]), flat=(0, 1)),
    "detrend": of("detrend", X2),
    "detrend constant": of("detrend", X3, axis=1, type="constant"),
    "detrend pieces": of("detrend", X, bp=[10, 25]),
    **{
        f"savgol_filter {mode}": of("savgol_filter", X3, window_length=7, polyorder=3, axis=1,
                                    mode=mode)
        for mode in ("interp", "mirror", "nearest", "wrap", "constant")
    },
    "savgol_filter even": of("savgol_filter", X, window_length=6, polyorder=2, mode="nearest"),
    "savgol_filter even interp": of("savgol_filter", X, window_length=6, polyorder=2),
    "savgol_filter derivative": of(
        "savgol_filter", X, window_length=9, polyorder=4, deriv=2, delta=0.1
    ),
    "savgol_filter spacing": case(
        lambda m, x, d: m.savgol_filter(x, 7, 3, deriv=2, delta=d[0]), X, np.array([0.8])
    ),
    "savgol_filter whole": of("savgol_filter", normal(7), window_length=7, polyorder=2),
    "savgol_filter constant": of(
        "savgol_filter", X, window_length=5, polyorder=2, mode="constant", cval=3.0
    ),
    "medfilt": of("medfilt", APART[0], real=True),
    "medfilt 5": of("medfilt", APART, kernel_size=(1, 5), real=True),
    "medfilt2d": of("medfilt2d", APART[:, :9], kernel_size=3, real=True),
    "order_filter": case(
        lambda m, x: m.order_filter(x, np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]), 1),
        normal(6, 7),
        real=True,
    ),
    "wiener": of("wiener", X, real=True),
    "wiener noise": of("wiener", normal(6, 7), mysize=(3, 5), noise=0.4, real=True),
    "upfirdn": of("upfirdn", normal(5), X, up=3, down=2),
    "upfirdn axis": of("upfirdn", normal(4), X3, up=2, down=3, axis=1),
    "resample_poly": of("resample_poly", X, up=3, down=2),
    "resample_poly down": of("resample_poly", X3, up=2, down=5, axis=1, padtype="mean", real=True),
    "resample_poly taps": case(lambda m, x, h: m.resample_poly(x, 2, 3, window=h), X, normal(9)),
    "decimate": of("decimate", LONG, q=3),
    "decimate fir": of("decimate", LONG, q=2, ftype="fir"),
    "decimate phase": of("decimate", LONG, q=2, zero_phase=False),
    "decimate fir phase": of("decimate", LONG, q=2, ftype="fir", n=8, zero_phase=False),
    **{
        f"resample {n} {num}": of("resample", normal(n), num=num, real=True)
        for n, num in ((12, 7), (12, 8), (12, 18), (11, 6), (11, 20), (12, 12))
    },
    "resample weights": case(
        lambda m, x, w: m.resample(x, 10, window=w), X, rng.uniform(0.5, 1.0, 40), real=True
    ),
    "resample window": of("resample", X3, num=10, axis=1, window="hamming", real=True),
    "hilbert": of("hilbert", X, real=True),
    "hilbert axis": of("hilbert", X3, axis=1, real=True),
    "hilbert N": of("hilbert", X, N=33, real=True),
    "freqz": of("freqz", B, POLES, worN=16, flat=(1,)),
    "freqz whole": of("freqz", B, POLES, worN=9, whole=True, fs=50.0, flat=(1,)),
    "freqz at": of("freqz", B, POLES, worN=[0.1, 1.0, 2.0], flat=(1,)),
    "freqz fir": of("freqz", B, worN=12, include_nyquist=True, flat=(1,)),
    "freqz tracked": case(
        lambda m, b, w, fs: m.freqz(b, POLES, w, fs=fs[0]),
        *(B, np.array([0.2, 1.1]), np.array([5.0])),
        flat=(0, 1),
    ),
    "freqz_sos": case(lambda m, s: m.freqz_sos(free_sos(s), 16), S5, flat=(1,)),
    "periodogram": of("periodogram", X, flat=(1,), real=True),
    "periodogram nfft": of("periodogram", X2, fs=3.0, nfft=64, window="hann", flat=(1,), real=True),
    "periodogram short": of("periodogram", X2, nfft=16, scaling="spectrum", flat=(1,), real=True),
    "welch": of("welch", LONG, nperseg=20, flat=(1,), real=True),
    "welch window": case(
        lambda m, x, w, fs: m.welch(x, fs[0], window=w),
        *(LONG, rng.uniform(0.5, 1.0, 20), np.array([2.0])),
        flat=(0, 1),
        real=True,
    ),
    "welch axis": of(
        "welch", X3, nperseg=8, noverlap=3, axis=1, detrend="linear", flat=(1,), real=True
    ),
    "welch median": of("welch", LONG, nperseg=16, average="median", flat=(1,), real=True),
    "welch twosided": of(
        "welch", LONG, nperseg=15, return_onesided=False, detrend=False, flat=(1,), real=True
    ),
    "csd": of("csd", LONG, normal(90), nperseg=16, flat=(1,), real=True),
    "csd shorter": of("csd", LONG, normal(50), nperseg=16, nfft=20, flat=(1,), real=True),
    "coherence": of("coherence", LONG, normal(90), nperseg=16, flat=(1,), real=True),
    "spectrogram": of("spectrogram", LONG, nperseg=16, flat=(2,), real=True),
    "spectrogram complex": of(
        "spectrogram", X3, nperseg=8, axis=1, mode="complex", flat=(2,), real=True
    ),
    "spectrogram magnitude": of(
        "spectrogram", LONG, nperseg=16, mode="magnitude", detrend=False, flat=(2,), real=True
    ),
    "spectrogram angle": of(
        "spectrogram", LONG, nperseg=15, mode="angle", detrend=False, flat=(2,), real=True
    ),
    "stft": of("stft", LONG, nperseg=16, flat=(2,), real=True),
    "stft rate": case(
        lambda m, x, fs: m.stft(x, fs[0], nperseg=16),
        *(LONG, np.array([2.0])),
        flat=(0, 1, 2),
        real=True,
    ),
    "spectrogram window": case(
        lambda m, x, w, fs: m.spectrogram(x, fs[0], window=w),
        *(LONG, rng.uniform(0.5, 1.0, 20), np.array([2.0])),
        flat=(0, 1, 2),
        real=True,
    ),
    "stft odd": of(
        "stft", X3, nperseg=8, axis=1, boundary="odd", scaling="psd", flat=(2,), real=True
    ),
    "stft open": of("stft", LONG, nperseg=16, boundary=None, padded=False, flat=(2,), real=True),
}  # fmt: skip


def is_plain(v):
    return type(v) not in (adcore.Tensor, adcore.Dual, Complex)


def outputs(y, flat):
    """The outputs of a function that vary, real and imaginary parts apart."""
    y = [y[i] for i in flat] if isinstance(y, tuple) else [y]
    parts = []
    for v in y:
        if type(v) is Complex or np.iscomplexobj(np.asarray(v) if is_plain(v) else 0.0):
            parts += [v.real, v.imag]
        else:
            parts.append(v)
    return parts


def weighted(y, weights):
    """A number that every output counts in."""
    return sum(np.sum(v * w) for v, w in zip(y, weights, strict=True))


def along(name):
    """(t -> number by adcore, its first derivative by SciPy, t -> numbers by SciPy)"""
    f, args, real, flat = CASES[name]
    local = np.random.default_rng(len(name))
    directions = [local.normal(size=a.shape) * 0.1 for a in args]
    shapes = [np.asarray(v).shape for v in outputs(f(plain, *args), flat)]
    weights = [local.normal(size=s) for s in shapes]

    def at(t):
        return [a + t * v for a, v in zip(args, directions, strict=True)]

    def ours(t):
        return weighted(outputs(f(sig, *at(t)), flat), weights)

    def theirs(t):
        return weighted(outputs(f(plain, *at(t)), flat), weights)

    def parts(t):
        y = f(plain, *at(t))
        y = [y[i] for i in flat] if isinstance(y, tuple) else [y]
        return sum(np.sum(v * w) for v, w in zip(y, weights, strict=True))

    step = not real and name.startswith(("lfilter", "filtfilt", "deconvolve"))

    def first(t):
        if step:
            return parts(t + 1e-30j).imag / 1e-30
        h = 1e-3
        d = [(theirs(t + k * h) - theirs(t - k * h)) / (2 * k * h) for k in (1, 2, 4)]
        return (64.0 * d[0] - 20.0 * d[1] + d[2]) / 45.0

    return ours, first, theirs


@pytest.mark.parametrize("name", CASES)
def test_values_and_two_derivatives(name):
    ours, first, theirs = along(name)
    value = theirs(0.0)
    found, tangent = adcore.jvp(ours, (0.0,), (1.0,))
    assert found == pytest.approx(value, rel=1e-12, abs=1e-12)
    expected = first(0.0)
    assert tangent == pytest.approx(expected, rel=1e-8, abs=1e-9)
    assert grad(ours)(0.0) == pytest.approx(tangent, rel=1e-10, abs=1e-11)
    h = 1e-3
    d = [(first(k * h) - first(-k * h)) / (2 * k * h) for k in (1, 2)]
    second = (4.0 * d[0] - d[1]) / 3.0
    for outer in (grad, fwd):
        for inner in (grad, fwd):
            assert outer(inner(ours))(0.0) == pytest.approx(second, rel=1e-5, abs=1e-5)
    assert grad(grad(ours))(0.0) == pytest.approx(fwd(fwd(ours))(0.0), rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_values_are_scipys(name):
    """Element by element."""
    f, args, _, flat = CASES[name]
    theirs = outputs(f(plain, *args), flat)
    ours = adcore.jvp(lambda *a: outputs(f(sig, *a), flat), args, tuple(0.0 * a for a in args))[0]
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12 * max(1.0, np.max(np.abs(b))))


COMPILED = [
    *(
        "convolve same 12 5",
        "correlate valid 5 12",
        "convolve2d same symm",
        "lfilter",
        "lfilter zi",
    ),
    *(
        "filtfilt",
        "sosfilt",
        "savgol_filter interp",
        "resample_poly",
        "welch",
        "hilbert",
        "medfilt",
    ),
]


@pytest.mark.parametrize("name", COMPILED)
def test_compiled(name):
    ours, _, theirs = along(name)
    compiled = adcore.compile(ours)
    compiled(0.5)
    compiled.grad(0.5)
    assert compiled(0.0) == pytest.approx(theirs(0.0), rel=1e-11)
    assert compiled.grad(0.0) == pytest.approx(grad(ours)(0.0), rel=1e-11)
    assert compiled.hessian(0.0) == pytest.approx(grad(grad(ours))(0.0), rel=1e-9, abs=1e-11)


def test_saved_filters(tmp_path):
    f = adcore.compile(lambda b, a, x: (sig.filtfilt(b, a, x) ** 2).sum() + sig.convolve(b, x)[3])
    expected = f.grad(B, A, X)
    f.save(tmp_path / "filter")
    again = adcore.load(tmp_path / "filter")
    assert again(B, A, X) == f(B, A, X)
    np.testing.assert_allclose(again.grad(B, A, X), expected, rtol=1e-13)


def test_saved_filters_in_a_process_that_has_not_met_them(tmp_path):
    f = adcore.compile(lambda x: (sig.lfilter(B, A, x) ** 2).sum())
    value = f(X)
    f.save(tmp_path / "filter")
    np.save(tmp_path / "x.npy", X)
    names = [str(tmp_path / name) for name in ("filter", "x.npy")]
    code = "import adcore, numpy as np; f = adcore.load({!r}); print(repr(float(f(np.load({!r})))))"
    code = code.format(*names)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(run.stdout) == value


def test_nothing_and_single_numbers():
    x = adcore.tensor(np.zeros(0), requires_grad=True)
    assert sig.fftconvolve(x, np.ones(3)).shape == (0,)
    with pytest.raises(ValueError, match="empty"):
        sig.convolve(x, np.ones(3))
    assert sig.lfilter(B, A, x).shape == (0,)
    assert grad(lambda x: sig.convolve(x, 3.0))(2.0) == 3.0
    assert grad(lambda x: sig.correlate(2.0, x))(2.0) == 2.0
    assert grad(lambda x: sig.lfilter([x, 1.0], [1.0], np.array([1.0, 2.0]))[1])(3.0) == 2.0


@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_products_with_nothing(name):
    """Of an empty first input in mode "same" they are empty, too; others are refused."""
    nothing = adcore.tensor(np.zeros((0, 3)), requires_grad=True)
    kernel = np.ones((2, 2))
    expected = getattr(plain, name)(np.zeros((0, 3)), kernel, "same")
    assert getattr(sig, name)(nothing, kernel, "same").shape == expected.shape
    for a, b, mode in ((nothing, kernel, "full"), (kernel, nothing, "same")):
        with pytest.raises(ValueError, match="empty"):
            getattr(sig, name)(a, b, mode)


def test_a_filter_by_its_recursion():
    """Gradient and Hessian against the same recursion in Python, in b, a and x at once."""
    n, x = 12, normal(12)
    p0 = np.concatenate([[0.5, 0.2, -0.1], [0.4, -0.3], x])

    def by_hand(p):
        b, a, x = p[:3], [1.0, p[3], p[4]], p[5:]
        y = []
        for i in range(n):
            v = sum(b[k] * x[i - k] for k in range(3) if i >= k)
            y.append(v - sum(a[k] * y[i - k] for k in (1, 2) if i >= k))
        return sum(v**3 for v in y)

    def by_call(p):
        a = adcore.concatenate([np.ones(1), p[3:5]], axis=0)
        return (sig.lfilter(p[:3], a, p[5:]) ** 3).sum()

    np.testing.assert_allclose(grad(by_call)(p0), grad(by_hand)(p0), rtol=1e-12)
    np.testing.assert_allclose(
        adcore.hessian(by_call)(p0), adcore.hessian(by_hand)(p0), rtol=1e-11, atol=1e-13
    )


def test_transposes_to_the_last_bit_of_structure():
    """Jacobians in x are SciPy's own matrices."""
    for f in (
        functools.partial(sig.lfilter, B, A),
        functools.partial(sig.convolve, B),
        functools.partial(sig.filtfilt, B, A),
        functools.partial(sig.savgol_filter, window_length=5, polyorder=2),
        functools.partial(sig.resample, num=25),
    ):
        J = np.stack([np.asarray(f(e)) for e in np.eye(40)], axis=1)
        np.testing.assert_allclose(adcore.jacrev(f)(X), J, atol=1e-12)
        np.testing.assert_allclose(adcore.jacfwd(f)(X), J, atol=1e-12)


def test_peaks_are_constant():
    t = np.linspace(0.0, 12.0, 100)
    x = np.sin(t) + 0.1 * t

    def f(a):
        peaks, _ = sig.find_peaks(a * x)
        return (a * x)[peaks].sum()

    peaks = plain.find_peaks(x)[0]
    assert grad(f)(2.0) == pytest.approx(x[peaks].sum())
    with pytest.raises(NotDifferentiableError, match="find_peaks of a tensor gives no prominences"):
        grad(lambda a: sig.find_peaks(a * x, prominence=0.1)[1]["prominences"])(1.0)
    assert sig.find_peaks(x, prominence=0.1)[1]["prominences"].size == 2
    assert grad(lambda a: (a * x)[sig.argrelmax(a * x)[0]].sum())(2.0) == pytest.approx(
        x[peaks].sum()
    )


# ---- names ----


def test_every_name_has_a_state():
    assert set(sig.__all__) - {"state"} == set(plain.__all__)
    for name in plain.__all__:
        assert sig.state(name) in ("differentiable", "constant", "refused")
        assert hasattr(sig, name)


@pytest.mark.parametrize("name", [n for n in plain.__all__ if sig.state(n) == "differentiable"])
def test_signatures_and_cases(name):
    assert inspect.signature(getattr(sig, name)) == inspect.signature(getattr(plain, name))
    tested = {"sosfreqz"}
    assert name in tested | {c.split()[0] for c in CASES}


@pytest.mark.parametrize("name", [n for n in plain.__all__ if sig.state(n) == "refused"])
def test_refused_names_say_so(name):
    x = adcore.tensor(np.ones(4), requires_grad=True)
    with pytest.raises(NotDifferentiableError, match=f"scipy.signal.{name} of a tensor has no"):
        getattr(sig, name)(x)


def test_plain_calls_are_scipys():
    np.testing.assert_array_equal(sig.lfilter(B, A, X), plain.lfilter(B, A, X))
    np.testing.assert_array_equal(sig.firwin(5, 0.3), plain.firwin(5, 0.3))
    z = X + 1j * X[::-1]
    np.testing.assert_array_equal(sig.convolve(z, B), plain.convolve(z, B))
    assert sig.windows is plain.windows


def test_errors_are_scipys():
    x = adcore.tensor(X, requires_grad=True)
    with pytest.raises(ValueError, match="greater than padlen, which is 12"):
        sig.filtfilt(B, A, x[:5])
    with pytest.raises(ValueError, match="acceptable mode flags"):
        sig.convolve(x, B, mode="most")
    with pytest.raises(ValueError, match="must be at least as large"):
        sig.convolve2d(x.reshape(8, 5), np.ones((2, 9)), mode="valid")
    with pytest.raises(ValueError, match="Unexpected shape for zi"):
        sig.lfilter(B, A, x, zi=np.zeros(2))
    with pytest.raises(ValueError, match=r"a\[0\] == 0"):
        sig.lfilter(B, np.array([0.0, 1.0]), x)
    with pytest.raises(NotDifferentiableError, match="method='pad', got 'gust'"):
        sig.filtfilt(B, A, x, method="gust")
    with pytest.raises(NotDifferentiableError, match="lfilter of a complex tensor"):
        sig.lfilter(B, A, x * (1.0 + 2.0j))


@pytest.mark.parametrize("name", ["convolve", "correlate", "fftconvolve", "oaconvolve"])
def test_products_of_complex_signals(name):
    a, b = normal(9) + 1j * normal(9), normal(4) + 1j * normal(4)
    ours, theirs = getattr(sig, name), getattr(plain, name)

    def along(t):
        return ours(t * a, in2=b * (1.0 + t), mode="same")

    value, tangent = adcore.jvp(along, (2.0,), (1.0,))
    np.testing.assert_allclose(value, 6.0 * theirs(a, b, mode="same"), rtol=1e-12)
    np.testing.assert_allclose(tangent, 5.0 * theirs(a, b, mode="same"), rtol=1e-12)
    weights, step = normal(12), normal(9) + 1j * normal(9)
    gradient = grad(lambda a: np.sum(weights * np.abs(ours(a, b)) ** 2))(a)
    slope = np.sum(2.0 * weights * np.real(np.conj(theirs(a, b)) * theirs(step, b)))
    assert np.real(np.vdot(gradient, step)) == pytest.approx(slope, rel=1e-12)


def test_a_call_keeps_its_arguments():
    """What a caller changes after a call, an array or a list of options, changes no derivative."""
    domain, sections, breaks = np.ones(3), SOS.copy(), [20]
    x = adcore.tensor(X, requires_grad=True)
    y = sig.sosfilt(sections, sig.detrend(sig.order_filter(x, domain, 1), bp=breaks))
    domain[0], sections[:], breaks[0] = 0.0, 0.0, 3
    (found,) = adcore.autograd.grad((y * y).sum(), x)

    def f(x):
        return (
            sig.sosfilt(SOS, sig.detrend(sig.order_filter(x, np.ones(3), 1), bp=[20])) ** 2
        ).sum()

    np.testing.assert_allclose(found, grad(f)(X), rtol=1e-12)
    np.testing.assert_allclose(found, adcore.compile(f).grad(X), rtol=1e-9)


def test_a_call_by_name_and_of_more_than_stands_in_it():
    x = adcore.tensor(X, requires_grad=True)
    np.testing.assert_array_equal(
        sig.upfirdn(x=x, h=B, down=2).detach(), plain.upfirdn(B, X, down=2)
    )
    with pytest.raises(TypeError, match="unexpected keyword"):
        sig.medfilt(x, size=3)
    with pytest.raises(NotDifferentiableError, match="takes zeros beyond the edges"):
        sig.upfirdn(B, x, mode="wrap")
    with pytest.raises(NotDifferentiableError, match="method='pad'"):
        sig.filtfilt(B, A, x, method="gust")


def test_taps_of_single_precision_are_taken_in_double():
    taps = np.array([0.1, 0.2, 0.3], dtype=np.float32)
    for name in ("fftconvolve", "convolve", "correlate2d"):
        shape = (1, -1) if name.endswith("2d") else (-1,)
        x, h = X.reshape(shape), taps.reshape(shape)
        found = getattr(sig, name)(adcore.tensor(x, requires_grad=True), h)
        expected = getattr(plain, name)(x, h.astype(float))
        np.testing.assert_allclose(found.detach(), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("tracked", ["b", "a", "x"])
def test_one_tracked_argument_by_name(tracked):
    """Whatever the order: the transposes of filters are those of the signal."""
    given = {"x": X2, "b": B, "a": A}

    def f(v):
        return (sig.lfilter(**{**given, tracked: v}, axis=1) ** 2).sum()

    found = grad(f)(given[tracked])
    direction = np.cos(np.arange(found.size)).reshape(found.shape)
    along = adcore.jvp(f, (given[tracked],), (direction,))[1]
    assert np.sum(found * direction) == pytest.approx(along, rel=1e-11)
    np.testing.assert_allclose(found, adcore.compile(f).grad(given[tracked]), rtol=1e-9, atol=1e-12)
