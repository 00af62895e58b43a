"""Spectra, analytic signals and frequency responses: by Fourier transforms of segments."""

import warnings

import numpy as np
import scipy.signal as _scipy

from ..._core import is_complex
from ..._trees import shape_of
from ...complexes import pair, parts
from ...errors import NotDifferentiableError
from ...rules.primitives import as_array, matmul, reshape
from .._leaves import array
from ._filters import lengthened, with_ends
from ._smoothing import detrend as detrended
from ._table import along_last, rule

_TWO_PI = 2.0 * np.pi
_FEW_TAPS = 16  # whose powers are products: no more than as many rounding errors


# ---- the whole signal ----


@rule
def hilbert(x, N=None, axis=-1):
    x, restore = along_last(x, axis)
    n = x.shape[-1] if N is None else N
    if n <= 0:
        raise ValueError("N must be positive.")
    weights = np.zeros(n)
    weights[0] = 1.0
    weights[1 : (n + 1) // 2] = 2.0
    if n % 2 == 0:
        weights[n // 2] = 1.0
    return restore(np.fft.ifft(np.fft.fft(x, n) * weights))


@rule
def resample(x, num, t=None, axis=0, window=None, domain="time"):
    if domain != "time":
        raise NotDifferentiableError(
            f"scipy.signal.resample of a tensor takes domain='time', got {domain!r}"
        )
    x, restore = along_last(x, axis)
    n = x.shape[-1]
    m = min(num, n)
    X = np.fft.rfft(x)
    weights = np.full(n // 2 + 1, num / n)
    if window is not None:
        if callable(window):
            W = np.asarray(window(np.fft.fftfreq(n)), float)
        elif hasattr(window, "shape"):
            W = array(window, "a window")
            if tuple(W.shape) != (n,):
                raise ValueError(
                    f"window.shape={W.shape} != ({n},), i.e., window length is not equal to "
                    "number of frequency bins!"
                )
        else:
            W = np.fft.fftshift(_scipy.get_window(window, n))
        folded = 0.5 * (W + W[-np.arange(n)])
        weights = weights * folded[: n // 2 + 1]
    if m % 2 == 0 and num != n:
        once = np.ones(n // 2 + 1)
        once[m // 2] = 2.0 if num < n else 0.5
        weights = weights * once
    y = restore(np.fft.irfft((X * weights)[..., : m // 2 + 1], num))
    if t is None:
        return y
    return y, t[0] + (t[1] - t[0]) * (n / num) * np.arange(num)


# ---- segments ----


def _window(window, nperseg, n, name):
    """The window's numbers, and how long segments are."""
    if isinstance(window, (str, tuple)):
        nperseg = 256 if nperseg is None else int(nperseg)
        if nperseg < 1:
            raise ValueError(f"Parameter nperseg={nperseg!r} is not a positive integer!")
        if nperseg > n:
            warnings.warn(
                f"nperseg = {nperseg} is greater than input length  = {n}, using nperseg = {n}",
                stacklevel=5,
            )
            nperseg = n
        return _scipy.get_window(window, nperseg), nperseg
    win = array(window, "a window")
    if len(win.shape) != 1 or nperseg not in (None, len(win)) or len(win) > n:
        raise ValueError(
            f"{name}: a window of shape {win.shape} does not go with nperseg = {nperseg} and a "
            f"signal of length {n}"
        )
    return win, len(win)


def _lengths(nperseg, noverlap, nfft, default):
    """How far segments lie apart, and the length of transforms."""
    nfft = nperseg if nfft is None else int(nfft)
    if nfft < nperseg:
        raise ValueError("nfft must be greater than or equal to nperseg.")
    noverlap = default if noverlap is None else int(noverlap)
    if noverlap >= nperseg:
        raise ValueError("noverlap must be less than nperseg.")
    return nperseg - noverlap, nfft


def _transforms(x, win, step, nfft, trend, onesided):
    """Transforms of the segments of the last axis: shape (..., segments, frequencies)."""
    n = len(win)
    starts = np.arange(0, x.shape[-1] - n + 1, step)
    segments = x[..., starts[:, None] + np.arange(n)]
    if callable(trend):
        segments = trend(segments)
    elif trend:
        segments = detrended(segments, type=trend)
    segments = segments * win
    return np.fft.rfft(segments, nfft) if onesided else np.fft.fft(segments, nfft)


def _frequencies(nfft, fs, onesided):
    return np.fft.rfftfreq(nfft, 1.0 / fs) if onesided else np.fft.fftfreq(nfft, 1.0 / fs)


def _scale(scaling, win, fs):
    if scaling == "density":
        return 1.0 / (fs * np.sum(win * win))
    if scaling == "spectrum":
        return 1.0 / np.sum(win) ** 2
    raise ValueError(f"Unknown scaling: {scaling!r}")


def _both_sides(nfft, onesided):
    """How often each frequency counts for real signals."""
    if not onesided:
        return np.ones(nfft)
    weights = np.full(nfft // 2 + 1, 2.0)
    weights[0] = 1.0
    if nfft % 2 == 0:
        weights[-1] = 1.0
    return weights


def _power(X):
    real, imag = parts(X)
    return real * real if imag is None else real * real + imag * imag


def _cross(X, Y):
    """The product conj(X) Y."""
    (a, b), (c, d) = parts(X), parts(Y)
    return pair(a * c + b * d, a * d - b * c)


def _averaged(P, average):
    """The mean, or the median without its bias, over segments: the axis before the last."""
    n = P.shape[-2]
    if average not in ("mean", "median"):
        raise ValueError(f"Parameter average={average!r} must be 'median' or 'mean'!")
    if n == 1:
        return P[..., 0, :]
    if average == "mean":
        return np.mean(P, axis=-2)
    odd = 2.0 * np.arange(1.0, (n - 1) // 2 + 1)
    bias = 1.0 + np.sum(1.0 / (odd + 1.0) - 1.0 / odd)
    if is_complex((P,)):
        real, imag = parts(P)
        return pair(np.median(real, axis=-2) / bias, np.median(imag, axis=-2) / bias)
    return np.median(P, axis=-2) / bias


def _spectrum(
    x, y, fs, window, nperseg, noverlap, nfft, trend, onesided, scaling, axis, average, name
):
    """Frequencies and the averaged spectrum; of one signal if y is x."""
    same = y is x
    x, restore = along_last(x, axis)
    y = x if same else along_last(y, axis)[0]
    n = max(x.shape[-1], y.shape[-1])
    win, nperseg = _window(window, nperseg, n, name)
    step, nfft = _lengths(nperseg, noverlap, nfft, nperseg // 2)
    X, Y = (lengthened(v, n) for v in (x, y))
    X = _transforms(X, win, step, nfft, trend, onesided)
    P = _power(X) if same else _cross(X, _transforms(Y, win, step, nfft, trend, onesided))
    P = P * (_scale(scaling, win, fs) * _both_sides(nfft, onesided))
    return _frequencies(nfft, fs, onesided), restore(_averaged(P, average))


@rule
def welch(
    x,
    fs=1.0,
    window="hann_periodic",
    nperseg=None,
    noverlap=None,
    nfft=None,
    detrend="constant",
    return_onesided=True,
    scaling="density",
    axis=-1,
    average="mean",
):
    return _spectrum(
        x, x, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis,
        average, "welch",
    )  # fmt: skip


@rule
def csd(
    x,
    y,
    fs=1.0,
    window="hann_periodic",
    nperseg=None,
    noverlap=None,
    nfft=None,
    detrend="constant",
    return_onesided=True,
    scaling="density",
    axis=-1,
    average="mean",
):
    return _spectrum(
        x, y, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis,
        average, "csd",
    )  # fmt: skip


@rule
def periodogram(
    x,
    fs=1.0,
    window="boxcar",
    nfft=None,
    detrend="constant",
    return_onesided=True,
    scaling="density",
    axis=-1,
):
    x, restore = along_last(x, axis)
    if nfft is not None and nfft < x.shape[-1]:
        x = x[..., :nfft]
    f, P = _spectrum(
        x, x, fs, "boxcar" if window is None else window, x.shape[-1], 0, nfft, detrend,
        return_onesided, scaling, -1, "mean", "periodogram",
    )  # fmt: skip
    return f, restore(P)


@rule
def coherence(
    x,
    y,
    fs=1.0,
    window="hann_periodic",
    nperseg=None,
    noverlap=None,
    nfft=None,
    detrend="constant",
    axis=-1,
):
    how = (fs, window, nperseg, noverlap, nfft, detrend, True, "density", axis, "mean", "coherence")
    f, Pxx = _spectrum(x, x, *how)
    _, Pyy = _spectrum(y, y, *how)
    _, Pxy = _spectrum(x, y, *how)
    return f, _power(Pxy) / Pxx / Pyy


def _in_time(
    x, fs, window, nperseg, noverlap, nfft, trend, onesided, scaling, axis, boundary, padded, name,
    default,
):  # fmt: skip
    """Frequencies, times, transforms, scale of powers, length of transforms, and the axis."""
    x = as_array(x)
    axis = axis % len(x.shape)
    x, _ = along_last(x, axis)
    win, nperseg = _window(window, nperseg, x.shape[-1], name)
    step, nfft = _lengths(nperseg, noverlap, nfft, default(nperseg))
    if boundary is not None:
        if boundary not in ("even", "odd", "constant", "zeros"):
            raise ValueError(
                f"Unknown boundary option '{boundary}', must be one of: ['even', 'odd', "
                "'constant', 'zeros', None]"
            )
        x = with_ends(x, nperseg // 2, boundary)
    if padded:
        x = lengthened(x, x.shape[-1] + (-(x.shape[-1] - nperseg) % step) % nperseg)
    times = np.arange(nperseg / 2, x.shape[-1] - nperseg / 2 + 1, step) / fs
    if boundary is not None:
        times = times - (nperseg / 2) / fs
    X = _transforms(x, win, step, nfft, trend, onesided)
    X = np.moveaxis(np.moveaxis(X, -1, -2), -2, axis)
    return _frequencies(nfft, fs, onesided), times, X, _scale(scaling, win, fs), nfft, axis


@rule
def stft(
    x,
    fs=1.0,
    window="hann_periodic",
    nperseg=256,
    noverlap=None,
    nfft=None,
    detrend=False,
    return_onesided=True,
    boundary="zeros",
    padded=True,
    axis=-1,
    scaling="spectrum",
):
    scaling = {"psd": "density", "spectrum": "spectrum"}.get(scaling)
    if scaling is None:
        raise ValueError("scaling must be one of ['spectrum', 'psd']")
    f, t, X, scale, _, _ = _in_time(
        x, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, boundary,
        padded, "stft", lambda n: n // 2,
    )  # fmt: skip
    return f, t, X * np.sqrt(scale)


@rule
def spectrogram(
    x,
    fs=1.0,
    window=("tukey_periodic", 0.25),
    nperseg=None,
    noverlap=None,
    nfft=None,
    detrend="constant",
    return_onesided=True,
    scaling="density",
    axis=-1,
    mode="psd",
):
    if mode not in ("psd", "complex", "magnitude", "angle", "phase"):
        raise ValueError(f"unknown value for mode {mode}")
    f, t, X, scale, nfft, axis = _in_time(
        x, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, None,
        False, "spectrogram", lambda n: n // 8,
    )  # fmt: skip
    if mode == "psd":
        weights = scale * _both_sides(nfft, return_onesided)
        shape = [1] * len(X.shape)
        shape[axis] = -1
        return f, t, _power(X) * weights.reshape(shape)
    X = X * np.sqrt(scale)
    if mode == "complex":
        return f, t, X
    if mode == "magnitude":
        return f, t, np.abs(X)
    angles = np.angle(X)
    return f, t, np.unwrap(angles, axis=axis) if mode == "phase" else angles


# ---- frequency responses ----


def _where(worN, whole, include_nyquist, fs):
    """The frequencies in radians per sample, and in units of fs."""
    if worN is None or shape_of(worN) == ():
        n = 512 if worN is None else int(worN)
        end = _TWO_PI if whole else np.pi
        w = np.linspace(0.0, end, n, endpoint=bool(include_nyquist and not whole))
    else:
        w = _TWO_PI * array(worN, "worN") / fs
    return w, w * fs / _TWO_PI


def _polynomial(b, w):
    """Of exp(-i w), with the coefficients b."""
    n = b.shape[0]
    if type(w) is np.ndarray and n <= _FEW_TAPS:
        powers = np.vander(np.exp(-1j * w), n, increasing=True)
        return pair(matmul(powers.real, b), matmul(powers.imag, b))
    phases = np.multiply.outer(w, np.arange(float(n)))
    return pair(matmul(np.cos(phases), b), matmul(-np.sin(phases), b))


def _vector(b):
    b = as_array(b)
    return reshape(b, (1,)) if b.shape == () else b


@rule
def freqz(b, a=1, worN=512, whole=False, plot=None, fs=_TWO_PI, include_nyquist=False):
    b, a = _vector(b), _vector(a)
    if len(b.shape) != 1 or len(a.shape) != 1 or plot is not None:
        raise NotDifferentiableError(
            "scipy.signal.freqz of tensors takes vectors b and a, and no plot"
        )
    w, f = _where(worN, whole, include_nyquist, fs)
    return f, _polynomial(b, w) / _polynomial(a, w)


@rule
def freqz_sos(sos, worN=512, whole=False, fs=_TWO_PI):
    sos = as_array(sos)
    w, f = _where(worN, whole, False, fs)
    h = 1.0
    for i in range(sos.shape[0]):
        h = h * (_polynomial(sos[i, :3], w) / _polynomial(sos[i, 3:], w))
    return f, h


@rule
def sosfreqz(sos, worN=512, whole=False, fs=_TWO_PI):
    return freqz_sos(sos, worN, whole, fs)
