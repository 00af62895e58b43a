"""Convolutions, differences, interpolation, and elementwise functions that are no ufuncs."""

import numpy as np

from .. import _core, ops
from ..errors import ShapeError
from ..rules import choices, diagonals, primitives, reductions, sequences, shapes
from ..rules.primitives import as_array, axes_of, axis_of, below, reshape, shape_of, values
from ..rules.table import Tensor, refuse
from ._table import constant_of, rule, vector

# ---- convolutions ----


@rule()
def convolve(a, v, mode="full"):
    """The sums of products a[i] v[k - i]."""
    if type(a) is not Tensor or a.ndim != 1:
        a = primitives.as_vector("convolve", a)
    if type(v) is not Tensor or v.ndim != 1:
        v = primitives.as_vector("convolve", v)
    return sequences.convolved(a, v, mode)


@rule()
def correlate(a, v, mode="valid"):
    """The sums of products a[i + k] v[i]."""
    if type(a) is not Tensor:
        a = primitives.as_vector("correlate", a)
    if type(v) is not Tensor:
        v = primitives.as_vector("correlate", v)
    n, m = a.shape, v.shape
    if len(n) != 1 or len(m) != 1:
        a, v = primitives.as_vector("correlate", a), primitives.as_vector("correlate", v)
        n, m = a.shape, v.shape
    if n >= m:
        return sequences.convolved(a, v, mode, True)
    return sequences.convolved(v, a, mode, True)[::-1]


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
    if type(x) is not Tensor:
        x = as_array(x)
    xp, fp = as_array(xp), as_array(fp)
    if period is not None:
        period = abs(period)
        x, xp = np.remainder(x, period), np.remainder(xp, period)
        order = np.argsort(xp)
        xp, fp = shapes.take(xp, order), shapes.take(fp, order)
        xp = shapes.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = shapes.concatenate([fp[-1:], fp, fp[:1]])
        left = right = None
    flat = x.ndim == 1
    try:
        found = sequences.interpolated(x if flat else reshape(x, (-1,)), xp, fp)
    except ShapeError:
        raise ShapeError(
            f"interp: xp and fp must be vectors of one length that are not empty, got shapes "
            f"{shape_of(xp)} and {shape_of(fp)}"
        ) from None
    if not flat:
        found = reshape(found, tuple(x.shape))
    if left is not None:
        found = choices.where(below(x) < below(xp)[0], left, found)
    if right is not None:
        found = choices.where(below(x) > below(xp)[-1], right, found)
    return found


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


FEW_ANGLES = 256  # up to which NumPy's arc tangents take no longer than the signs


@rule()
def angle(z, deg=False):
    """Of real numbers 0 or pi, which does not vary."""
    z = as_array(z)
    half_turn = 180.0 if deg else np.pi
    x = below(z)
    if _core.is_compiling():
        side = np.copysign(1.0, x)  # that of -0.0 is negative
        return choices.where(x != x, x, choices.where(side < 0, half_turn, 0.0))
    few = type(x) is not np.ndarray or x.size < FEW_ANGLES or np.isnan(x).any()
    return choices.constant_like(z, np.angle(x, deg) if few else np.signbit(x) * half_turn)


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
