"""Convolutions, differences, interpolation, and elementwise functions that are no ufuncs."""

from dataclasses import dataclass

import numpy as np

from .. import _calls, _core, ops
from .._named import Named
from ..errors import ShapeError
from ..rules import choices, diagonals, primitives, reductions, shapes
from ..rules.primitives import as_array, axes_of, axis_of, below, reshape, shape_of, values
from ..rules.recorded import is_recorded
from ..rules.table import refuse
from ._table import constant_of, rule, vector

# ---- convolutions ----


@dataclass
class Convolution(Named, saved_as="numpy.convolve"):
    """numpy.convolve of two vectors; it is linear in each, and its transposes are convolutions."""

    mode: str

    name = "convolve"

    def __post_init__(self):
        if self.mode not in ("full", "same", "valid"):
            raise ValueError(f"convolve: mode is 'full', 'same' or 'valid', got {self.mode!r}")

    def run(self, leaves):
        """(value, nothing) of plain vectors."""
        return np.convolve(*leaves, self.mode), None

    def push(self, leaves, output, saved, tangents):
        """Each tangent in the place of its vector."""
        del output, saved
        a, b = leaves
        terms = [] if tangents[0] is None else [_calls.call(self, [tangents[0], b])]
        if tangents[1] is not None:
            terms.append(_calls.call(self, [a, tangents[1]]))
        return [terms[0] if len(terms) == 1 else terms[0] + terms[1]]

    def pull(self, leaves, output, saved, ct, wanted):
        """The adjoint of all sums, convolved with the other vector in reverse order."""
        del output, saved
        n, m = [shape_of(v)[0] for v in leaves]
        least, most = min(n, m), max(n, m)
        before = {"full": 0, "same": (least - 1) // 2, "valid": least - 1}[self.mode]
        length = {"full": n + m - 1, "same": most, "valid": most - least + 1}[self.mode]
        g = shapes.pad(ct[0], (before, n + m - 1 - length - before))
        return [_calls.call(Convolution("valid"), [g, shapes.flip(leaves[1 - i])]) for i in wanted]


def _vectors(name, a, v):
    a, v = [shapes.atleast_1d(as_array(x)) for x in (a, v)]
    for x in (a, v):
        if x.ndim != 1 or x.shape[0] == 0:
            raise ShapeError(f"{name} takes vectors that are not empty, got shape {x.shape}")
    return [x.astype(np.float64) if type(x) is np.ndarray else x for x in (a, v)]


@rule()
def convolve(a, v, mode="full"):
    """The sums of products a[i] v[k - i]."""
    return _calls.call(Convolution(mode), _vectors("convolve", a, v))


@rule()
def correlate(a, v, mode="valid"):
    """The sums of products a[i + k] v[i]."""
    a, v = _vectors("correlate", a, v)
    if a.shape[0] >= v.shape[0]:
        return _calls.call(Convolution(mode), [a, shapes.flip(v)])
    return shapes.flip(_calls.call(Convolution(mode), [v, shapes.flip(a)]))


# ---- differences ----


@rule()
def ediff1d(x, to_end=None, to_begin=None):
    """The differences of neighbours, in one dimension, and what is to stand around them."""
    x = reshape(as_array(x), (-1,))
    parts = [x[1:] - x[:-1]]
    if to_begin is not None:
        parts.insert(0, reshape(as_array(to_begin), (-1,)))
    if to_end is not None:
        parts.append(reshape(as_array(to_end), (-1,)))
    return shapes.concatenate(parts) if len(parts) > 1 else parts[0]


@rule()
def gradient(f, *varargs, axis=None, edge_order=1):
    """Slopes by central differences inside and one-sided ones at the ends, along each of `axis`."""
    f = as_array(f)
    axes = axes_of(axis, f.ndim)
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    if len(varargs) == 0:
        spacings = [1.0] * len(axes)
    elif len(varargs) == 1 and len(shape_of(varargs[0])) == 0:
        spacings = list(varargs) * len(axes)
    elif len(varargs) == len(axes):
        spacings = [as_array(v) for v in varargs]
    else:
        raise TypeError("invalid number of arguments")
    out = [_slopes(f, h, a, edge_order) for h, a in zip(spacings, axes, strict=True)]
    return out[0] if len(axes) == 1 else tuple(out)


def _slopes(f, spacing, axis, edge_order):
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least "
            f"(edge_order + 1) elements are required; got {n}"
        )
    last_axis = f.ndim - 1
    if axis != last_axis:
        f = shapes.moveaxis(f, axis, -1)
    if edge_order == 1 and len(shape_of(spacing)) == 0:
        inner = (f[..., 2:] - f[..., : n - 2]) * 0.5
        first = f[..., 1:2] - f[..., :1]
        last = f[..., n - 1 :] - f[..., n - 2 : n - 1]
        out = primitives.concatenate([first, inner, last], last_axis)
        out = out if type(spacing) is float and spacing == 1.0 else out / spacing
        return out if axis == last_axis else shapes.moveaxis(out, -1, axis)
    if len(shape_of(spacing)) == 0:
        inner = (f[..., 2:] - f[..., :-2]) / (2.0 * spacing)
        weights = [-1.5 / spacing, 2.0 / spacing, -0.5 / spacing]
        first = _weighted(f, weights, (0, 1, 2))
        weights = [0.5 / spacing, -2.0 / spacing, 1.5 / spacing]
        last = _weighted(f, weights, (n - 3, n - 2, n - 1))
    else:
        if shape_of(spacing) != (n,):
            raise ValueError(
                "when 1d, distances must match the length of the corresponding dimension"
            )
        d = spacing[1:] - spacing[:-1]
        a, b = d[:-1], d[1:]
        inner = (
            -b / (a * (a + b)) * f[..., :-2]
            + (b - a) / (a * b) * f[..., 1:-1]
            + a / (b * (a + b)) * f[..., 2:]
        )
        if edge_order == 1:
            first = (f[..., 1:2] - f[..., :1]) / d[0]
            last = (f[..., n - 1 :] - f[..., n - 2 : n - 1]) / d[n - 2]
        else:
            p, q = d[0], d[1]
            weights = [-(2.0 * p + q) / (p * (p + q)), (p + q) / (p * q), -p / (q * (p + q))]
            first = _weighted(f, weights, (0, 1, 2))
            p, q = d[n - 3], d[n - 2]
            weights = [q / (p * (p + q)), -(q + p) / (p * q), (2.0 * q + p) / (q * (p + q))]
            last = _weighted(f, weights, (n - 3, n - 2, n - 1))
    return shapes.moveaxis(shapes.concatenate([first, inner, last], -1), -1, axis)


def _weighted(f, weights, places):
    a, b, c = [w * f[..., i : i + 1] for w, i in zip(weights, places, strict=True)]
    return a + b + c


# ---- interpolation ----


@rule()
def interp(x, xp, fp, left=None, right=None, period=None):
    """Linear interpolation between points; at a point the slopes beside it share evenly.

    The points may be tensors too, and so may be what stands outside of them.
    """
    x, xp, fp = as_array(x), as_array(xp), as_array(fp)
    if xp.ndim != 1 or fp.ndim != 1 or xp.shape != fp.shape:
        raise ValueError("fp and xp are not of the same length, or not of one dimension")
    if xp.shape[0] == 0:
        raise ValueError("array of sample points is empty")
    if period is not None:
        period = abs(period)
        x, xp = np.remainder(x, period), np.remainder(xp, period)
        order = np.argsort(xp)
        xp, fp = shapes.take(xp, order), shapes.take(fp, order)
        xp = shapes.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = shapes.concatenate([fp[-1:], fp, fp[:1]])
        left = right = None
    shape = tuple(x.shape)
    x = reshape(x, (-1,))
    found = _interpolated(x, xp, fp)
    numbers, points = below(x), below(xp)
    if left is not None:
        found = choices.where(numbers < points[0], left, found)
    if right is not None:
        found = choices.where(numbers > points[-1], right, found)
    return reshape(found, shape)


def _interpolated(x, xp, fp):
    """The broken line through the points, flat outside of them."""
    n = xp.shape[0]
    numbers, points = below(x), below(xp)
    after = np.searchsorted(points, numbers, side="right")
    before = np.searchsorted(points, numbers, side="left")
    right = _on_piece(x, xp, fp, after, n)
    if not is_recorded([x, xp]) and np.array_equal(after, before):
        return right
    left = _on_piece(x, xp, fp, before, n)
    at_point = numbers == shapes.take(points, np.minimum(np.maximum(before, 0), n - 1))
    # Of the value the point's own; the mean of both sides has the mean of both slopes.
    mean = (left + right) * 0.5
    return choices.where(at_point, mean, right)


def _on_piece(x, xp, fp, place, n):
    """The values on the pieces that end at the points of these numbers, 0 to n."""
    ends = np.minimum(place, n - 1)
    starts = np.maximum(place - 1, 0)
    x0, x1 = shapes.take(xp, starts), shapes.take(xp, ends)
    y0, y1 = shapes.take(fp, starts), shapes.take(fp, ends)
    flat = below(x0) == below(x1)  # outside: both are the same point
    slope = (y1 - y0) / choices.where(flat, 1.0, x1 - x0)
    return choices.where(flat, y0, slope * (x - x0) + y0)


@rule()
def unwrap(p, discont=None, axis=-1, *, period=2 * np.pi):
    """`p` without jumps of more than half a period: whole periods are added."""
    p = as_array(p)
    axis = axis_of(axis, p.ndim)
    lead = (slice(None),) * axis
    head, tail = p[(*lead, slice(None, 1))], p[(*lead, slice(1, None))]
    half = period / 2.0
    if isinstance(period, (int, float)) and not _core.is_compiling():
        return p + _whole_periods(values(p), lead, half if discont is None else discont, period)
    step = tail - p[(*lead, slice(None, -1))]
    turns = np.floor((step + half) / period)
    reduced = below(step - turns * period)
    # A jump of half a period up stays one up.
    turns = turns - choices.where((reduced == -below(half)) & (below(step) > 0), 1.0, 0.0)
    small = abs(below(step)) < below(half if discont is None else np.maximum(discont, half))
    moved = tail + reductions.cumsum(choices.where(small, 0.0, -turns * period), axis)
    return shapes.concatenate([head, moved], axis)


def _whole_periods(x, lead, discont, period):
    """What unwrap() adds to numbers, which does not vary with them."""
    half = period / 2.0
    step = x[(*lead, slice(1, None))] - x[(*lead, slice(None, -1))]
    turns = np.floor((step + half) / period)
    if not turns.any():
        return 0.0
    turns[(step - turns * period == -half) & (step > 0)] -= 1.0
    turns[abs(step) < max(discont, half)] = 0.0
    added = np.zeros(x.shape)
    np.cumsum(turns * -period, axis=len(lead), out=added[(*lead, slice(1, None))])
    return added


# ---- elementwise ----


@rule()
def i0(x):
    """The modified Bessel function of order 0."""
    from ..scipy.special import i0 as bessel

    return bessel(x)


@rule()
def fix(x, out=None):
    """The whole number towards zero."""
    if out is not None:
        refuse("fix", out=out)
    return ops.trunc(x)


@rule()
def angle(z, deg=False):
    """Of real numbers 0 or pi, which does not vary."""
    z = as_array(z)
    if not _core.is_compiling():
        return choices.constant_like(z, np.angle(values(z), deg))
    half_turn = 180.0 if deg else np.pi
    x = below(z)
    return choices.where(x < 0, half_turn, z * 0.0)


@rule()
def imag(val):
    """Of real numbers 0."""
    val = as_array(val)
    return choices.constant_like(val, np.zeros(val.shape))


@rule()
def real_if_close(a, tol=100):
    """Tensors, which are real, as they are."""
    del tol
    return as_array(a)


def _weight_row(name, weights):
    weights = vector(weights)
    if np.any(below(weights) < 0):
        raise ValueError(f"cov: {name} cannot be negative")
    return weights


@rule()
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    """The covariances of variables, which are rows, or columns if rowvar is false."""
    refuse("cov", dtype=dtype)
    x = _variables(m, rowvar)
    if y is not None:
        x = shapes.concatenate([x, _variables(y, rowvar)], 0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    w = None
    if fweights is not None:
        w = np.asarray(constant_of("cov", fweights), dtype=np.float64)
        if np.any(w != np.rint(w)):
            raise TypeError("fweights must be integer")
        w = _weight_row("fweights", w)
    if aweights is not None:
        aweights = _weight_row("aweights", aweights)
        w = aweights if w is None else w * aweights
    n = x.shape[1]
    if w is None:
        total = float(n)
        center = reductions.sum(x, 1, keepdims=True) / total if n else x
        factor = total - ddof
    else:
        total = reductions.sum(w)
        center = reductions.sum(x * w, 1, keepdims=True) / total
        if ddof == 0:
            factor = total
        elif aweights is None:
            factor = total - ddof
        else:
            factor = total - ddof * reductions.sum(w * aweights) / total
    x = x - center
    right = shapes.transpose(x if w is None else x * w)
    factor = np.true_divide(1.0, np.maximum(factor, 0.0))
    return shapes.squeeze(primitives.matmul(x, right) * factor)


def _variables(m, rowvar):
    x = as_array(m)
    if x.ndim > 2:
        raise ValueError("m has more than 2 dimensions")
    one = x.ndim < 2
    x = shapes.atleast_2d(x)
    return x if rowvar or one or x.shape[0] == 1 else shapes.transpose(x)


@rule()
def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    """The correlations of variables, which are rows, or columns if rowvar is false."""
    refuse("corrcoef", dtype=dtype)
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    scale = np.sqrt(diagonals.diagonal(c))
    return c / reshape(scale, (-1, 1)) / scale
