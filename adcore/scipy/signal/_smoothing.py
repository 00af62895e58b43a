"""Smoothing, trends, order statistics and other rates."""

import functools
import math
import operator

import numpy as np
import scipy.signal as _scipy

from ..._trees import shape_of
from ...errors import NotDifferentiableError
from ...rules.primitives import as_array, matmul, reshape
from ...rules.table import is_traced
from ._adjoints import in_signal, of, ranked_back, upfirdn_back
from ._convolution import Convolution, filtered, moded, zeros_between
from ._filters import lengthened, lfilter, sosfilt, sosfiltfilt
from ._table import along_last, rule


@rule
def detrend(data, axis=-1, type="linear", bp=0, overwrite_data=False):
    del overwrite_data  # tensors are not overwritten
    if type not in ("linear", "l", "constant", "c"):
        raise ValueError("Trend type must be 'linear' or 'constant'.")
    x, restore = along_last(data, axis)
    if type in ("constant", "c"):
        return restore(x - np.mean(x, axis=-1, keepdims=True))
    n = x.shape[-1]
    breaks = np.sort(np.unique(np.concatenate([np.ravel(0), np.ravel(bp), np.ravel(n)])))
    if np.any(breaks > n):
        raise ValueError("Breakpoints must be less than length of data along given axis.")
    parts = []
    for low, high in zip(breaks[:-1].tolist(), breaks[1:].tolist(), strict=True):
        line = np.stack([np.arange(1.0, high - low + 1.0) / (high - low), np.ones(high - low)], 1)
        Q, _ = np.linalg.qr(line)
        part = x[..., low:high]
        parts.append(part - matmul(matmul(part, Q), Q.T))
    return restore(np.concatenate(parts, axis=-1))


_EDGES = {"mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}


@functools.lru_cache(64)
def _savgol_taps(window_length, polyorder, deriv, delta):
    return _scipy.savgol_coeffs(window_length, polyorder, deriv=deriv, delta=delta)


@functools.lru_cache(64)
def _savgol_ends(window_length, polyorder, deriv, delta):
    """What a window gives where each of its elements is the only one that is not 0: a matrix."""
    unit = np.eye(window_length)
    return _scipy.savgol_filter(
        unit, window_length, polyorder, deriv=deriv, delta=delta, axis=0, mode="interp"
    )


@rule
def savgol_filter(
    x, window_length, polyorder, deriv=0, delta=1.0, axis=-1, mode="interp", cval=0.0
):
    if mode not in ("mirror", "constant", "nearest", "interp", "wrap"):
        raise ValueError("mode must be 'mirror', 'constant', 'nearest' 'wrap' or 'interp'.")
    x, restore = along_last(x, axis)
    w, n = window_length, x.shape[-1]
    if is_traced([delta]):
        found = savgol_filter(x, w, polyorder, deriv, 1.0, -1, mode, cval)
        return restore(found / delta**deriv)
    taps = _savgol_taps(w, polyorder, deriv, delta)
    # The elements before and after one that its window covers.
    before, after = (w - 1) // 2, w // 2
    if mode != "interp":
        widths = [(0, 0)] * (len(x.shape) - 1) + [(before, after)]
        options = {"constant_values": cval} if mode == "constant" else {}
        return restore(_valid(taps, np.pad(x, widths, mode=_EDGES[mode], **options)))
    if w > n:
        raise ValueError(
            "If mode is 'interp', window_length must be less than or equal to the size of x."
        )
    # At the ends, the polynomial of the outermost window: a matrix.
    ends = _savgol_ends(w, polyorder, deriv, delta)
    half = w // 2
    middle = _valid(taps, x)[..., half - before : n - half - before]
    first = matmul(x[..., :w], ends[:half].T)
    last = matmul(x[..., n - w :], ends[w - half :].T)
    return restore(np.concatenate([first, middle, last], axis=-1))


def _valid(taps, x):
    """A convolution of the last axis, where it is covered."""
    ndim = len(x.shape)
    kernel = np.reshape(taps, (*[1] * (ndim - 1), -1))
    method = "fft" if ndim > 1 else "direct"
    return moded(Convolution(method, (ndim - 1,)), x, kernel, "valid")


# ---- order statistics ----


def _windows(x, sizes):
    """The elements around each, zeros beyond the edges: an axis of them after those of x."""
    wide = np.pad(x, [(k // 2, k // 2) for k in sizes])
    places = np.arange(math.prod(wide.shape)).reshape(wide.shape)
    places = np.lib.stride_tricks.sliding_window_view(places, sizes)
    return reshape(wide, (-1,))[places.reshape(*shape_of(x), -1)]


def _sizes(kernel_size, ndim):
    sizes = tuple(np.ravel(3 if kernel_size is None else kernel_size).tolist())
    if len(sizes) == 1:
        sizes = sizes * ndim
    if len(sizes) != ndim or any(k % 2 != 1 for k in sizes):
        raise ValueError("Each element of kernel_size should be odd, one for each dimension.")
    return sizes


def _median_back(argument, default):
    """Adjoints of a median of the elements in windows."""

    def adjoints(ct, given, output, names):
        del names  # there is one
        x = np.asarray(given[argument], float)
        sizes = _sizes(given.get("kernel_size", default), x.ndim)
        size = math.prod(sizes)
        found = ranked_back(ct, x, sizes, tuple(range(size)), size // 2, output)
        return None if found is None else [found]

    return adjoints


def _order_filter_back(ct, given, output, names):
    del names
    x, domain = np.asarray(given["a"], float), np.asarray(given["domain"])
    rank = operator.index(given["rank"])
    inside = tuple(np.flatnonzero(domain).tolist())
    found = ranked_back(ct, x, domain.shape, inside, rank, output)
    return None if found is None else [found]


@rule(tracked="volume", constant="kernel_size", adjoints=_median_back("volume", None))
def medfilt(volume, kernel_size=None):
    x = as_array(volume)
    return np.median(_windows(x, _sizes(kernel_size, len(x.shape))), axis=-1)


@rule(tracked="input", constant="kernel_size", adjoints=_median_back("input", 3))
def medfilt2d(input, kernel_size=3):
    x = as_array(input)
    return np.median(_windows(x, _sizes(kernel_size, 2)), axis=-1)


@rule(tracked="a", constant="domain rank", adjoints=_order_filter_back)
def order_filter(a, domain, rank):
    x, domain = as_array(a), np.asarray(domain)
    if domain.ndim != len(x.shape) or any(k % 2 != 1 for k in domain.shape):
        raise ValueError("Each dimension of domain argument should have an odd number of elements.")
    inside = np.flatnonzero(domain)
    return np.sort(_windows(x, domain.shape)[..., inside], axis=-1)[..., operator.index(rank)]


@rule
def wiener(im, mysize=None, noise=None):
    x = as_array(im)
    ndim = len(x.shape)
    sizes = np.ravel(3 if mysize is None else mysize)
    sizes = tuple(np.broadcast_to(sizes, (ndim,)).tolist())
    boxes, size = np.ones(sizes), math.prod(sizes)
    definition = Convolution("direct", tuple(range(ndim)))
    mean = moded(definition, x, boxes, "same") / size
    spread = moded(definition, x**2, boxes, "same") / size - mean**2
    if noise is None:
        noise = np.mean(np.ravel(spread))
    smooth = spread < noise
    kept = (x - mean) * (1.0 - noise / np.where(smooth, 1.0, spread)) + mean
    return np.where(smooth, mean, kept)


# ---- other rates ----


@of("x")
def _upfirdn_back(ct, h, x, up=1, down=1, axis=-1):
    h = np.asarray(h, float)
    n = x.shape[axis]
    if h.ndim != 1 or not n:
        return None
    ct, restore = along_last(ct, axis)
    return restore(upfirdn_back(ct, h, n, up, down))


@rule(tracked="h x", constant="up down axis", adjoints=_upfirdn_back, linear=in_signal("x"))
def upfirdn(h, x, up=1, down=1, axis=-1, mode="constant", cval=0):
    if mode != "constant" or is_traced([cval]) or np.any(np.asarray(cval) != 0):
        raise NotDifferentiableError(
            f"scipy.signal.upfirdn of a tensor takes zeros beyond the edges, got mode={mode!r} and "
            f"cval={cval!r}; pad the signal with adcore.pad first"
        )
    x, restore = along_last(x, axis)
    h = as_array(h)
    n = (x.shape[-1] - 1) * up + shape_of(h)[0]
    y = filtered(h, zeros_between(x, up))
    return restore(y[..., :n:down])


def _output_length(taps, n, up, down):
    return ((n - 1) * up + taps - 1) // down + 1


@functools.lru_cache(64)
def _low_pass(half, widest, window):
    """The taps of resample_poly: 2 half + 1 of them."""
    return _scipy.firwin(2 * half + 1, 1.0 / widest, window=window)


@rule
def resample_poly(x, up, down, axis=0, window=("kaiser", 5.0), padtype="constant", cval=None):
    if up < 1 or down < 1 or up != int(up) or down != int(down):
        raise ValueError("up and down must be integers >= 1")
    background = {"mean": np.mean, "median": np.median, "minimum": np.min, "maximum": np.max}
    if padtype not in background and not (padtype == "constant" and not cval):
        raise NotDifferentiableError(
            f"scipy.signal.resample_poly of a tensor takes padtype 'constant' (zeros), "
            f"{', '.join(map(repr, background))}, got {padtype!r} with cval={cval!r}"
        )
    x, restore = along_last(x, axis)
    divisor = math.gcd(int(up), int(down))
    up, down = int(up) // divisor, int(down) // divisor
    if up == down == 1:
        return restore(x + 0.0)
    n = x.shape[-1]
    n_out = -(-n * up // down)
    if isinstance(window, list) or hasattr(window, "shape"):
        h = as_array(window)
        half = (shape_of(h)[0] - 1) // 2
    else:
        half = 10 * max(up, down)
        h = _low_pass(half, max(up, down), window)
    before = down - half % down
    dropped = (half + before) // down
    taps = shape_of(h)[0] + before
    while _output_length(taps, n, up, down) < n_out + dropped:
        taps += 1
    h = lengthened(np.concatenate([np.zeros(before), h * up]), taps)
    level = background[padtype](x, axis=-1, keepdims=True) if padtype in background else 0.0
    y = upfirdn(h, x - level, up, down)
    return restore(y[..., dropped : dropped + n_out] + level)


@rule
def decimate(x, q, n=None, ftype="iir", axis=-1, zero_phase=True):
    q = operator.index(q)
    if ftype not in ("fir", "iir"):
        raise NotDifferentiableError(
            "scipy.signal.decimate of a tensor takes ftype 'iir' or 'fir'; filter it with "
            "filtfilt, and take every q-th element"
        )
    if ftype == "fir":
        b = _scipy.firwin((20 * q if n is None else n) + 1, 1.0 / q, window="hamming")
        if zero_phase:
            return resample_poly(x, 1, q, axis=axis, window=b)
        y = lfilter(b, 1.0, x, axis=axis)
    else:
        sos = _scipy.cheby1(8 if n is None else n, 0.05, 0.8 / q, output="sos")
        y = (sosfiltfilt if zero_phase else sosfilt)(sos, x, axis=axis)
    y, restore = along_last(y, axis)
    return restore(y[..., ::q])
