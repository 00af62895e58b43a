"""Recursive filters: b, a and the signal of lfilter() alike.

y with A(a) y = B(b) x + z, A and B lower triangular and constant along diagonals, is one call.  The
inverse of A, and its transpose, which is A's inverse in reversed time, are filters themselves: so
are the rules, at every order.
"""

from dataclasses import dataclass

import numpy as np
import scipy.signal as _scipy

from ... import _calls
from ..._named import Named
from ..._trees import shape_of
from ...errors import NotDifferentiableError
from ...rules.primitives import as_array, broadcast_to, reshape, sum_axes, values
from ...rules.shapes import stack
from ...rules.table import is_traced
from ._adjoints import embedded, ends_taken_back, in_signal, of, steadily_back
from ._convolution import Convolution, convolved
from ._table import along_last, rule

_ONE = np.ones(1)
# Lags of coefficients that are summed one by one; more are found by a convolution.
_FEW = 12


@dataclass
class Filter(Named, saved_as="signal.lfilter"):
    """y of (b, a, x), or of (b, a, x, z), along the last axis; a[0] must be 1.

    z adds to the first elements of y before the recursion, as the state of SciPy's does.
    """

    state: bool  # whether there is z

    def run(self, leaves):
        """The filtered signal, and nothing to keep."""
        b, a, x, *z = (np.asarray(v, float) for v in leaves)
        if b.ndim != 1 or a.ndim != 1 or x.ndim == 0 or not a.size or a[0] != 1.0:
            raise ValueError("a filter needs vectors b and a, a[0] of 1, and a signal")
        if z:
            return _scipy.lfilter(b, a, x, zi=z[0])[0], None
        return _scipy.lfilter(b, a, x), None

    def push(self, leaves, output, saved, tangents):
        """A dy = B dx + dz + dB x - dA y."""
        del saved
        b, a, x = leaves[:3]
        db, da, dx, *dz = tangents
        terms, inner = [], []
        if dx is not None:
            terms.append(filtered(b, a, dx))
        if db is not None:
            inner.append(filtered(db, _ONE, x))
        if da is not None:
            inner.append(-filtered(da, _ONE, output))
        if dz and dz[0] is not None:
            inner.append(lengthened(dz[0], shape_of(x)[-1]))
        if inner:
            terms.append(filtered(_ONE, a, sum(inner[1:], inner[0])))
        return [sum(terms[1:], terms[0])]

    def pull(self, leaves, output, saved, ct, wanted):
        """With w = A^{-T} ct: B' w for x, w itself for z, lagged products for coefficients."""
        del saved
        b, a, x = leaves[:3]
        w = back(_ONE, a, ct[0])
        found = {}
        if 0 in wanted:
            found[0] = lagged(w, x, shape_of(b)[0])
        if 1 in wanted:
            found[1] = -lagged(w, output, shape_of(a)[0])
        if 2 in wanted:
            found[2] = back(b, a, ct[0])
        if 3 in wanted:
            n, m = shape_of(leaves[3])[-1], shape_of(w)[-1]
            found[3] = w[..., :n] if n <= m else lengthened(w, n)
        return [found[i] for i in wanted]


def unit(a):
    """The first unit vector in the shape of a."""
    return (np.arange(shape_of(a)[0]) == 0).astype(float)


def filtered(b, a, x, z=None):
    """A call; of plain numbers alone it is SciPy's."""
    leaves = [b, a, x] if z is None else [b, a, x, z]
    definition = Filter(z is not None)
    if is_traced(leaves):
        return _calls.call(definition, leaves)
    return definition.run(leaves)[0]


def back(b, a, x):
    """The transpose: filtered from the end to the beginning."""
    return filtered(b, a, x[..., ::-1])[..., ::-1]


def lengthened(z, n):
    """An array with zeros after it along the last axis, or cut off, to length n."""
    shape = shape_of(z)
    if shape[-1] >= n:
        return z[..., :n]
    return np.concatenate([z, np.zeros((*shape[:-1], n - shape[-1]))], axis=-1)


def lagged(w, x, k):
    """Sums of w[n] x[n - j] for lags j < k."""
    n = shape_of(x)[-1]
    if k <= _FEW:
        return stack([sum_axes(w[..., j:] * x[..., : max(n - j, 0)], None) for j in range(k)])
    last = len(shape_of(x)) - 1
    full = convolved(Convolution("fft", (last,)), w, x[..., ::-1])[..., n - 1 :]
    return lengthened(sum_axes(full, tuple(range(last))), k)


# ---- SciPy's functions ----


def _normalised(b, a):
    """The coefficients b and a as vectors with a[0] = 1."""
    b, a = (reshape(v, (1,)) if shape_of(v) == () else v for v in (as_array(b), as_array(a)))
    if len(shape_of(b)) != 1 or len(shape_of(a)) != 1:
        raise ValueError("object of too small depth for desired array: b and a must be vectors")
    first = a[0]
    if type(first) in (float, np.float64):
        if first == 0.0:
            raise ValueError("filter coefficient a[0] == 0 not supported yet")
        return (b, a) if first == 1.0 else (b / first, a / first)
    # The first coefficient of a is 1 from here on, whatever it was.
    rest = a[1:] / first
    return b / first, np.concatenate([_ONE, rest])


def in_last(b, a, x, zi):
    """Filter the last axis: y, and the final state or None; a[0] is 1."""
    k = max(shape_of(b)[0], shape_of(a)[0]) - 1
    if zi is None:
        return filtered(b, a, x), None
    shape = (*x.shape[:-1], k)
    given = shape_of(zi)
    if len(given) != len(shape) or any(g not in (1, s) for g, s in zip(given, shape, strict=True)):
        raise ValueError(f"Unexpected shape for zi: expected {tuple(shape)}, found {tuple(given)}.")
    if given[-1] != k:
        raise ValueError(f"Unexpected shape for zi: expected {tuple(shape)}, found {tuple(given)}.")
    z = broadcast_to(zi, shape)
    if k == 0:
        return filtered(b, a, x), z
    y = filtered(b, a, x, z)
    return y, _final(b, a, x, y, z, k)


def _final(b, a, x, y, z, k):
    """The state after the last element: what it will add to the next ones."""
    n = x.shape[-1]
    b, a = lengthened(b, k + 1), lengthened(a, k + 1)
    # Elements before the first count as zeros, and the old state is moved on.
    m = min(n, k)
    zeros = np.zeros((*x.shape[:-1], k - m))
    past_x = np.concatenate([zeros, x[..., n - m :]], axis=-1) if m < k else x[..., n - k :]
    past_y = np.concatenate([zeros, y[..., n - m :]], axis=-1) if m < k else y[..., n - k :]
    rows = np.arange(k)[:, None] + np.arange(k)[None, :] + 1  # b[i + 1 + j] x[n - 1 - j]
    mask = rows <= k
    rows = np.where(mask, rows, 0)
    B, A = b[rows] * mask, a[rows] * mask
    out = np.matmul(past_x[..., ::-1], np.transpose(B))
    out = out - np.matmul(past_y[..., ::-1], np.transpose(A))
    if n < k:
        out = out + lengthened(z[..., n:], k)
    return out


@of("x")
def _lfilter_back(ct, b, a, x, axis=-1, zi=None):
    del x
    if zi is not None:
        return None
    b, a = _normalised(b, a)
    ct, restore = along_last(ct, axis)
    return restore(back(b, a, ct))


@rule(tracked="b a x zi", constant="axis", adjoints=_lfilter_back, linear=in_signal("x", "zi"))
def lfilter(b, a, x, axis=-1, zi=None):
    b, a = _normalised(b, a)
    x, restore = along_last(x, axis)
    if zi is not None:
        zi, _ = along_last(zi, axis)
    y, zf = in_last(b, a, x, zi)
    return restore(y) if zi is None else (restore(y), restore(zf))


@rule
def lfilter_zi(b, a):
    b, a = _normalised(b, a)
    return steady(b, a)


def steady(b, a):
    """The state in which a signal of ones comes out of the filter without a beginning."""
    n = max(shape_of(b)[0], shape_of(a)[0])
    b, a = lengthened(b, n), lengthened(a, n)
    poles, zeros = np.cumsum(a[1:]), np.cumsum(b[1:] - a[1:] * b[0])
    if n == 1:
        return np.zeros(0)
    first = zeros[-1] / (1.0 + poles[-1])
    rest = (1.0 + poles[:-1]) * first - zeros[:-1]
    return np.concatenate([reshape(first, (1,)), rest])


@rule(tracked="b a y x")
def lfiltic(b, a, y, x=None):
    b, a = _normalised(b, a)
    k = max(shape_of(b)[0], shape_of(a)[0]) - 1
    given = np.zeros(k) if x is None else lengthened(as_array(x), k)
    before = lengthened(as_array(y), k)
    if k == 0:
        return np.zeros(0)
    # In the order of time, the newest last.
    return _final(b, a, given[::-1], before[::-1], None, k)


# ---- in both directions ----


def _extended(x, padtype, padlen, taps):
    """How much is added at both ends of the last axis, and the longer array."""
    if padtype not in ("even", "odd", "constant", None):
        raise ValueError(
            f"Unknown value '{padtype}' given to padtype. padtype must be 'even', 'odd', "
            "'constant', or None."
        )
    edge = _edge(padtype, padlen, taps)
    n = x.shape[-1]
    if n <= edge:
        raise ValueError(
            f"The length of the input vector x must be greater than padlen, which is {edge}."
        )
    return edge, with_ends(x, edge, padtype)


def _edge(padtype, padlen, taps):
    return 0 if padtype is None else 3 * taps if padlen is None else padlen


def with_ends(x, edge, kind):
    """The last axis with `edge` elements more at both ends: "even", "odd", "constant", "zeros"."""
    if edge == 0:
        return x
    first, last = x[..., :1], x[..., -1:]
    shape = (*x.shape[:-1], edge)
    if kind == "constant":
        low, high = broadcast_to(first, shape), broadcast_to(last, shape)
    elif kind == "zeros":
        low = high = np.zeros(shape)
    else:
        low, high = x[..., edge:0:-1], x[..., -2 : -(edge + 2) : -1]
        if kind == "odd":
            low, high = 2.0 * first - low, 2.0 * last - high
    return np.concatenate([low, x, high], axis=-1)


def _both_ways(x, edge, forward):
    """forward(signal, its first element) there and back, and the edges off."""
    y = forward(x, x[..., :1])
    y = forward(y[..., ::-1], y[..., -1:])[..., ::-1]
    return y[..., edge : y.shape[-1] - edge]


def _both_ways_back(ct, edge, padtype, sections, states):
    """The transpose of _both_ways() of what _extended() gives, along the last axis."""
    g = embedded(ct, ct.shape[-1] + 2 * edge, edge)
    for _ in range(2):
        g = steadily_back(sections, states, g)
    return ends_taken_back(g, edge, padtype)


@of("x")
def _filtfilt_back(ct, b, a, x, axis=-1, padtype="odd", padlen=None):
    del x
    b, a = _normalised(b, a)
    ct, restore = along_last(ct, axis)
    edge = _edge(padtype, padlen, max(len(b), len(a)))
    return restore(_both_ways_back(ct, edge, padtype, [(b, a)], [steady(b, a)]))


@rule(
    tracked="b a x",
    constant="axis padtype padlen",
    adjoints=_filtfilt_back,
    linear=in_signal("x"),
)
def filtfilt(b, a, x, axis=-1, padtype="odd", padlen=None, method="pad", irlen=None):
    if method != "pad":
        raise NotDifferentiableError(
            f"scipy.signal.filtfilt of a tensor takes method='pad', got {method!r} (irlen={irlen})"
        )
    b, a = _normalised(b, a)
    x, restore = along_last(x, axis)
    edge, x = _extended(x, padtype, padlen, max(shape_of(b)[0], shape_of(a)[0]))
    zi = steady(b, a)
    return restore(_both_ways(x, edge, lambda x, first: in_last(b, a, x, zi * first)[0]))


# ---- sections of second order ----


def _sections(sos):
    sos = as_array(sos)
    if len(shape_of(sos)) != 2 or shape_of(sos)[1] != 6:
        raise ValueError("sos array must be shape (n_sections, 6)")
    out = []
    for i in range(shape_of(sos)[0]):
        if np.any(values(sos[i, 3]) != 1.0):
            raise ValueError("sos[:, 3] should be all ones")
        out.append((sos[i, :3], np.concatenate([_ONE, sos[i, 4:]])))
    return out


def _through(sections, x, zi):
    """The last axis through all sections, one after the other: y and final states."""
    states = []
    for i, (b, a) in enumerate(sections):
        x, state = in_last(b, a, x, None if zi is None else zi[i])
        states.append(state)
    return x, states


@of("x")
def _sosfilt_back(ct, sos, x, axis=-1, zi=None):
    del x
    if zi is not None:
        return None
    ct, restore = along_last(ct, axis)
    return restore(_scipy.sosfilt(sos, ct[..., ::-1])[..., ::-1])


@rule(tracked="sos x zi", constant="axis", adjoints=_sosfilt_back, linear=in_signal("x", "zi"))
def sosfilt(sos, x, axis=-1, zi=None):
    x, restore = along_last(x, axis)
    sections = _sections(sos)
    if zi is None:
        return restore(_through(sections, x, None)[0])
    zi = as_array(zi)
    expected = (len(sections), *restore(np.broadcast_to(0.0, (*x.shape[:-1], 2))).shape)
    if tuple(zi.shape) != expected:
        raise ValueError(
            f"Invalid zi shape. With axis={axis!r}, an input with shape {x.shape}, and "
            f"{len(sections)} sections, zi must have shape {expected}, got {tuple(zi.shape)}."
        )
    y, states = _through(sections, x, [along_last(zi[i], axis)[0] for i in range(len(sections))])
    return restore(y), stack([restore(s) for s in states])


def _steady_sections(sections):
    """The state of each section that is fed by those before it with a signal of ones."""
    scale, states = 1.0, []
    for b, a in sections:
        states.append(scale * steady(b, a))
        scale = scale * np.sum(b) / np.sum(a)
    return states


@rule
def sosfilt_zi(sos):
    return stack(_steady_sections(_sections(sos)))


def _taps(sos):
    """The number of coefficients of all sections in one filter."""
    plain = np.asarray(values(as_array(sos)))
    return int(2 * len(plain) + 1 - min((plain[:, 2] == 0).sum(), (plain[:, 5] == 0).sum()))


@of("x")
def _sosfiltfilt_back(ct, sos, x, axis=-1, padtype="odd", padlen=None):
    del x
    sections = _sections(sos)
    ct, restore = along_last(ct, axis)
    edge = _edge(padtype, padlen, _taps(sos))
    return restore(_both_ways_back(ct, edge, padtype, sections, _steady_sections(sections)))


@rule(
    tracked="sos x",
    constant="axis padtype padlen",
    adjoints=_sosfiltfilt_back,
    linear=in_signal("x"),
)
def sosfiltfilt(sos, x, axis=-1, padtype="odd", padlen=None):
    sections = _sections(sos)
    x, restore = along_last(x, axis)
    edge, x = _extended(x, padtype, padlen, _taps(sos))
    states = _steady_sections(sections)

    def forward(x, first):
        return _through(sections, x, [s * first for s in states])[0]

    return restore(_both_ways(x, edge, forward))


@rule
def deconvolve(signal, divisor):
    num, den = as_array(signal), as_array(divisor)
    n, m = shape_of(num)[0], shape_of(den)[0]
    if n < m:
        return np.zeros(0), num
    b, a = _normalised(num, den)
    quotient = filtered(b, a, unit(np.zeros(n - m + 1)))
    rest = num - convolved(Convolution("direct", (0,)), den, quotient)
    return quotient, rest
