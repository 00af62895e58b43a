"""Convolutions: one bilinear call, of which correlations and all modes are slices.

The rules of a full convolution are full convolutions, so that they hold at every order.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import scipy.signal as _scipy

from ... import _calls
from ..._named import Named
from ..._trees import shape_of
from ...rules.primitives import as_array, reshape, sum_axes
from ...rules.table import is_traced
from ._adjoints import scattered
from ._table import rule


def _direct(a, b, axes):
    """The sums themselves, along all axes."""
    del axes
    if a.ndim == 1:
        return np.convolve(a, b)
    return _scipy.convolve2d(a, b) if a.ndim == 2 else _scipy.convolve(a, b, method="direct")


def _transformed(by):
    """By Fourier transforms; SciPy takes less time if it need not look at the axes."""
    return lambda a, b, axes: by(a, b, axes=None if len(axes) == a.ndim else list(axes))


_METHODS = {
    "direct": _direct,
    "fft": _transformed(_scipy.fftconvolve),
    "oa": _transformed(_scipy.oaconvolve),
}


@dataclass
class Convolution(Named, saved_as="signal.convolve"):
    """The full convolution of a and b along some axes; others broadcast."""

    method: str  # of _METHODS
    axes: tuple  # not negative

    def __post_init__(self):
        if self.method not in _METHODS or not all(type(d) is int and d >= 0 for d in self.axes):
            raise ValueError("a convolution of another kind")

    def run(self, leaves):
        """The convolution, and nothing to keep."""
        a, b = (np.asarray(v, float) for v in leaves)
        if max(self.axes, default=-1) >= min(a.ndim, b.ndim):
            raise ValueError("a convolution along more axes than there are")
        if not self.axes:
            return a * b, None
        if a.size == 0 or b.size == 0:
            return np.zeros(_full_shape(a.shape, b.shape, self.axes)), None
        return _METHODS[self.method](a, b, self.axes), None

    def push(self, leaves, output, saved, tangents):
        """By the product rule."""
        del output, saved
        terms = [
            convolved(self, *[t if i == k else v for i, v in enumerate(leaves)])
            for k, t in enumerate(tangents)
            if t is not None
        ]
        return [sum(terms[1:], terms[0])]

    def pull(self, leaves, output, saved, ct, wanted):
        """Correlations with the other one, as far as they overlap."""
        del output, saved
        found = []
        for k in wanted:
            other, shape = leaves[1 - k], shape_of(leaves[k])
            full = convolved(self, ct[0], np.flip(as_array(other), self.axes))
            for d in self.axes:
                start = shape_of(other)[d] - 1
                full = full[(*[slice(None)] * d, slice(start, start + shape[d]))]
            stretched = [d for d in range(len(shape)) if shape[d] == 1 and d not in self.axes]
            found.append(sum_axes(full, tuple(stretched), True) if stretched else full)
        return found


def _full_shape(a, b, axes):
    return tuple(
        max(n + m - 1, 0) if d in axes else max(n, m)
        for d, (n, m) in enumerate(zip(a, b, strict=True))
    )


def convolved(definition, a, b):
    """A call; of plain numbers alone it is SciPy's."""
    if is_traced((a, b)):
        return _calls.call(definition, [a, b])
    return definition.run([a, b])[0]


# ---- modes ----


def _check_mode(mode):
    if mode not in ("full", "same", "valid"):
        raise ValueError("acceptable mode flags are 'valid', 'same', or 'full'")


def moded(definition, a, b, mode):
    """A convolution in one of SciPy's modes: a middle part of the full one, "same" as a's."""
    full = convolved(definition, a, b)
    if mode == "full":
        return full
    return full[_middle(shape_of(a), shape_of(b), definition.axes, mode)]


def _middle(a, b, axes, mode):
    """Where a convolution of arrays of these shapes stands in the full one."""
    key = []
    for d, (n, m) in enumerate(zip(a, b, strict=True)):
        if d not in axes or mode == "full":
            key.append(slice(None))
            continue
        size = n if mode == "same" else max(n, m) - min(n, m) + 1
        start = (n + m - 1 - size) // 2
        key.append(slice(start, start + size))
    return tuple(key)


def _embedded(ct, a, b, axes, key):
    """The adjoint of a full convolution of arrays of these shapes, given that of a part of it."""
    shape = _full_shape(a, b, axes)
    if ct.shape == shape:
        return ct
    full = np.zeros(shape)
    full[key] = ct
    return full


_BOTH = ("in1", "in2")


def in_either(argument, given):
    """Whether a product is linear in an argument: in both."""
    del given
    return argument in _BOTH


def _expect_valid(name, a, b, mode, axes):
    """In mode "valid", one input must be as large as the other in every dimension."""
    if mode != "valid":
        return
    pairs = [(shape_of(a)[d], shape_of(b)[d]) for d in axes]
    if any(n < m for n, m in pairs) and any(n > m for n, m in pairs):
        raise ValueError(
            f"{name}: for 'valid' mode one input must be at least as large as the other in every "
            f"dimension, got shapes {shape_of(a)} and {shape_of(b)}"
        )


def _inputs(name, in1, in2):
    a, b = as_array(in1), as_array(in2)
    if len(shape_of(a)) != len(shape_of(b)):
        raise ValueError(f"{name}: in1 and in2 should have the same dimensionality")
    return a, b


def _chosen(a, b, mode, method):
    """The method, chosen as SciPy does."""
    if method == "auto":
        return _faster(shape_of(a), shape_of(b), mode)
    if method not in ("direct", "fft"):
        raise ValueError("acceptable method flags are 'auto', 'direct', or 'fft'")
    return method


@functools.lru_cache(256)
def _faster(a, b, mode):
    """The method for arrays of two shapes."""
    zeros = [np.broadcast_to(0.0, shape) for shape in (a, b)]
    return _scipy.choose_conv_method(*zeros, mode=mode) if a else "direct"


def _is_nothing(name, a, b, mode):
    """Whether it is as empty as the first input, which SciPy takes in mode "same" alone."""
    if 0 not in (*shape_of(a), *shape_of(b)):
        return False
    if mode != "same" or 0 in shape_of(b):
        raise ValueError(f"{name} needs inputs that are not empty")
    return True


@rule
def convolve(in1, in2, mode="full", method="auto"):
    a, b = _inputs("convolve", in1, in2)
    _check_mode(mode)
    if _is_nothing("convolve", a, b, mode):
        return np.zeros(shape_of(a))
    axes = tuple(range(len(shape_of(a))))
    _expect_valid("convolve", a, b, mode, axes)
    return moded(Convolution(_chosen(a, b, mode, method), axes), a, b, mode)


@rule
def correlate(in1, in2, mode="full", method="auto"):
    a, b = _inputs("correlate", in1, in2)
    _check_mode(mode)
    if _is_nothing("correlate", a, b, mode):
        return np.zeros(shape_of(a))
    axes = tuple(range(len(shape_of(a))))
    _expect_valid("correlate", a, b, mode, axes)
    flipped = np.flip(b) if axes else b
    return moded(Convolution(_chosen(a, b, mode, method), axes), a, flipped, mode)


def _axes(axes, ndim):
    return tuple(d % ndim for d in (range(ndim) if axes is None else np.atleast_1d(axes).tolist()))


def _proper(axes, a, b):
    """The axes of a convolution; along dimensions of length 1 it is a product."""
    return tuple(sorted(d for d in axes if a[d] != 1 and b[d] != 1))


def _by_fft_back(method):
    """Adjoints of the rules below."""

    def adjoints(ct, given, output, names):
        del output
        arrays = [np.asarray(given[name], float) for name in _BOTH]
        a, b = (v.shape for v in arrays)
        axes = _proper(_axes(given.get("axes"), len(a)), a, b)
        mode = given.get("mode", "full")
        if 0 in (*a, *b):
            return None
        if mode == "same" and any(a[d] < b[d] for d in range(len(a)) if d not in axes):
            return None
        full = _embedded(ct, a, b, axes, _middle(a, b, axes, mode))
        wanted = [_BOTH.index(name) for name in names]
        return Convolution(method, axes).pull(arrays, None, None, [full], wanted)

    return adjoints


def _by_fft(name, method, in1, in2, mode, axes):
    a, b = _inputs(name, in1, in2)
    _check_mode(mode)
    if 0 in (*shape_of(a), *shape_of(b)):
        return np.zeros(0)
    axes = _axes(axes, len(shape_of(a)))
    for d in range(len(shape_of(a))):
        n, m = shape_of(a)[d], shape_of(b)[d]
        if d not in axes and n != m and 1 not in (n, m):
            raise ValueError(f"{name}: incompatible shapes {shape_of(a)} and {shape_of(b)}")
    axes = _proper(axes, shape_of(a), shape_of(b))
    _expect_valid(name, a, b, mode, axes)
    y = moded(Convolution(method, axes), a, b, mode)
    if mode != "same":
        return y
    # A product, too, is as large as the first.
    key = [
        slice((m - n) // 2, (m - n) // 2 + n) if n < m else slice(None)
        for n, m in zip(shape_of(a), shape_of(y), strict=True)
    ]
    return y[tuple(key)]


@rule(tracked="in1 in2", constant="mode axes", adjoints=_by_fft_back("fft"), linear=in_either)
def fftconvolve(in1, in2, mode="full", axes=None):
    return _by_fft("fftconvolve", "fft", in1, in2, mode, axes)


@rule(tracked="in1 in2", constant="mode axes", adjoints=_by_fft_back("oa"), linear=in_either)
def oaconvolve(in1, in2, mode="full", axes=None):
    return _by_fft("oaconvolve", "oa", in1, in2, mode, axes)


# ---- two dimensions ----

_PADS = {"wrap": "wrap", "circular": "wrap", "symm": "symmetric", "symmetric": "symmetric"}


def _in_two_dimensions(name, in1, in2, mode, boundary, fillvalue, flip):
    a, b = as_array(in1), as_array(in2)
    if len(shape_of(a)) != 2 or len(shape_of(b)) != 2:
        raise ValueError(f"{name} inputs must both be 2-D arrays")
    _check_mode(mode)
    _expect_valid(name, a, b, mode, (0, 1))
    if flip:
        b = b[::-1, ::-1]
    if mode == "valid":
        return convolve2d_full(a, b, "valid")
    if boundary in ("fill", "pad") and not (is_traced([fillvalue]) or np.any(fillvalue)):
        full = convolve2d_full(a, b, "full")
    else:
        widths = [(m - 1, m - 1) for m in shape_of(b)]
        if boundary in ("fill", "pad"):
            wide = np.pad(a, widths, mode="constant", constant_values=fillvalue)
        elif boundary in _PADS:
            wide = np.pad(a, widths, mode=_PADS[boundary])
        else:
            raise ValueError("acceptable boundary flags are 'fill', 'circular', or 'symmetric'")
        full = convolve2d_full(wide, b, "valid")
    if mode == "full":
        return full
    return full[_same(shape_of(a), shape_of(b), flip)]


def _same(a, b, flip):
    """Where a product as large as a stands in the full one."""
    # Of an even number of places SciPy's two take different ones for the middle.
    starts = [m // 2 if flip else (m - 1) // 2 for m in b]
    return tuple(slice(i, i + n) for i, n in zip(starts, a, strict=True))


def _in_two_dimensions_back(flip):
    """Adjoints of the rules below."""

    def adjoints(ct, given, output, names):
        del output
        a, b = (np.asarray(given[name], float) for name in _BOTH)
        if flip:
            b = b[::-1, ::-1]
        mode, boundary = given.get("mode", "full"), given.get("boundary", "fill")
        if not a.size or not b.size:
            return None
        places, shape = None, a.shape
        if mode != "valid" and (boundary in _PADS or np.any(given.get("fillvalue"))):
            if boundary not in _PADS:
                return None
            places = [
                np.pad(np.arange(n), m - 1, mode=_PADS[boundary])
                for n, m in zip(a.shape, b.shape, strict=True)
            ]
            a = a[np.ix_(*places)]
        if mode == "same":
            ct = _embedded(ct, shape, b.shape, (0, 1), _same(shape, b.shape, flip))
        if places is not None:
            mode = "valid"
        if mode == "valid":
            ct = _embedded(ct, a.shape, b.shape, (0, 1), _middle(a.shape, b.shape, (0, 1), mode))
        found = []
        for name in names:
            g = _scipy.correlate2d(ct, b if name == "in1" else a, "valid")
            if name == "in1" and places is not None:
                rows = scattered(g, places[1], shape[1])
                g = scattered(rows.T, places[0], shape[0]).T
            elif name == "in2" and flip:
                g = g[::-1, ::-1]
            found.append(g)
        return found

    return adjoints


def _is_linear_in_two_dimensions(argument, given):
    if argument == "in1":
        return not np.any(given.get("fillvalue"))
    return argument == "in2"


def convolve2d_full(a, b, mode):
    """A convolution of matrices, beyond whose edges there are zeros."""
    return moded(Convolution("direct", (0, 1)), a, b, mode)


@rule(
    tracked="in1 in2",
    constant="mode boundary fillvalue",
    adjoints=_in_two_dimensions_back(False),
    linear=_is_linear_in_two_dimensions,
)
def convolve2d(in1, in2, mode="full", boundary="fill", fillvalue=0):
    return _in_two_dimensions("convolve2d", in1, in2, mode, boundary, fillvalue, False)


@rule(
    tracked="in1 in2",
    constant="mode boundary fillvalue",
    adjoints=_in_two_dimensions_back(True),
    linear=_is_linear_in_two_dimensions,
)
def correlate2d(in1, in2, mode="full", boundary="fill", fillvalue=0):
    return _in_two_dimensions("correlate2d", in1, in2, mode, boundary, fillvalue, True)


# ---- changes of the rate ----


def zeros_between(x, up):
    """Elements of the last axis with up - 1 zeros after each."""
    if up == 1:
        return x
    shape = tuple(x.shape)
    zeros = np.zeros((*shape, up - 1))
    wide = np.concatenate([reshape(x, (*shape, 1)), zeros], axis=-1)
    return reshape(wide, (*shape[:-1], shape[-1] * up))


def filtered(h, x):
    """The full convolution of a vector with the last axis of an array."""
    ndim = len(x.shape)
    kernel = reshape(h, (*[1] * (ndim - 1), shape_of(h)[0]))
    method = "fft" if ndim > 1 or math.prod(x.shape) > 500 else "direct"
    return convolved(Convolution(method, (ndim - 1,)), x, kernel)
