"""Cubic interpolants: coefficients from values and derivatives at the nodes."""

import numpy as np
import scipy.interpolate as _scipy

from ... import ops
from ..._trees import shape_of
from ...rules.primitives import below, broadcast_to, concatenate, reshape, values
from .._leaves import array
from . import _places as places
from ._banded import solve_banded
from ._piecewise import Piecewise


def _prepared(x, y, axis, dydx=None):
    """(x, steps of x, y, dydx, axis), checked; y with its axis first."""
    x, y = array(x, "x"), array(y, "y")
    if dydx is not None:
        dydx = array(dydx, "dydx")
        if shape_of(y) != shape_of(dydx):
            raise ValueError("The shapes of `y` and `dydx` must be identical.")
    y, axis = places.moved_first(y, axis)
    if dydx is not None:
        dydx, _ = places.moved_first(dydx, axis)
    if len(shape_of(x)) != 1:
        raise ValueError("`x` must be 1-dimensional.")
    if shape_of(x)[0] < 2:
        raise ValueError("`x` must contain at least 2 elements.")
    if shape_of(x)[0] != shape_of(y)[0]:
        raise ValueError(f"The length of `y` along `axis`={axis} doesn't match the length of `x`")
    for name, v in (("x", x), ("y", y), ("dydx", dydx)):
        if v is not None and type(v) is np.ndarray:
            places.finite(v, name)
    places.increasing(x)
    return x, x[1:] - x[:-1], y, dydx, axis


def _hermite(dx, y, dydx):
    """Coefficients of the cubics with given values and derivatives at both ends."""
    h = places.columns(dx, len(shape_of(y)))
    slope = (y[1:] - y[:-1]) / h
    bend = (dydx[:-1] + dydx[1:] - 2.0 * slope) / h
    parts = [bend / h, (slope - dydx[:-1]) / h - bend, dydx[:-1], y[:-1]]
    return concatenate([reshape(p, (1, *shape_of(p))) for p in parts], 0)


class CubicHermiteSpline(Piecewise, _scipy.CubicHermiteSpline):
    """scipy.interpolate.CubicHermiteSpline, differentiable in x, y, dydx and where it is called."""

    def __init__(self, x, y, dydx, axis=0, extrapolate=None):
        if not places.traced(x, y, dydx):
            super().__init__(x, y, dydx, axis, extrapolate)
            return
        x, dx, y, dydx, axis = _prepared(x, y, axis, dydx)
        self._set(_hermite(dx, y, dydx), x, _or_true(extrapolate), axis)


def _or_true(extrapolate):
    return True if extrapolate is None else extrapolate


# ---- pchip ----


def _sign(x):
    return np.sign(below(x))


class PchipInterpolator(Piecewise, _scipy.PchipInterpolator):
    """scipy.interpolate.PchipInterpolator, differentiable in x, y and where it is called."""

    def __init__(self, x, y, axis=0, extrapolate=None):
        if not places.traced(x, y):
            super().__init__(x, y, axis, extrapolate)
            return
        x, dx, y, _, axis = _prepared(x, y, axis)
        h = places.columns(dx, len(shape_of(y)))
        slope = (y[1:] - y[:-1]) / h
        if shape_of(y)[0] == 2:
            d = concatenate([slope, slope], 0)
        else:
            d = concatenate(
                [
                    self._end(h[:1], h[1:2], slope[:1], slope[1:2]),
                    self._inner(h, slope),
                    self._end(h[-1:], h[-2:-1], slope[-1:], slope[-2:-1]),
                ],
                0,
            )
        self._set(_hermite(dx, y, d), x, _or_true(extrapolate), axis)

    @staticmethod
    def _inner(h, slope):
        """The weighted harmonic mean of two slopes, and 0 unless both have one sign."""
        left, right = slope[:-1], slope[1:]
        flat = (_sign(left) != _sign(right)) | (_sign(left) == 0.0) | (_sign(right) == 0.0)
        w1, w2 = 2.0 * h[1:] + h[:-1], h[1:] + 2.0 * h[:-1]
        safe_left, safe_right = np.where(flat, 1.0, left), np.where(flat, 1.0, right)
        return np.where(flat, 0.0, 1.0 / ((w1 / safe_left + w2 / safe_right) / (w1 + w2)))

    @staticmethod
    def _end(h0, h1, slope0, slope1):
        """The parabola's derivative at an end, kept from going the other way or too steep.

        C. Moler, Numerical Computing with MATLAB, sec. 3.6.
        """
        d = ((2.0 * h0 + h1) * slope0 - h0 * slope1) / (h0 + h1)
        wrong = _sign(d) != _sign(slope0)
        steep = (_sign(slope0) != _sign(slope1)) & (np.abs(below(d)) > 3.0 * np.abs(below(slope0)))
        return np.where(wrong, 0.0, np.where(steep, 3.0 * slope0, d))


# ---- Akima ----


class Akima1DInterpolator(Piecewise, _scipy.Akima1DInterpolator):
    """scipy.interpolate.Akima1DInterpolator, differentiable in x, y and where it is called."""

    def __init__(self, x, y, axis=0, *, method="akima", extrapolate=None):
        if not places.traced(x, y):
            super().__init__(x, y, axis, method=method, extrapolate=extrapolate)
            return
        if method not in ("akima", "makima"):
            raise NotImplementedError(f"`method`={method} is unsupported.")
        x, dx, y, _, axis = _prepared(x, y, axis)
        slope = (y[1:] - y[:-1]) / places.columns(dx, len(shape_of(y)))
        if shape_of(y)[0] == 2:
            d = concatenate([slope, slope], 0)
        else:
            d = self._derivatives(slope, method)
        self._set(_hermite(dx, y, d), x, bool(extrapolate), axis)

    @staticmethod
    def _derivatives(slope, method):
        """Derivatives at the nodes: means of the slopes, weighted by the changes opposite."""
        first = 2.0 * slope[:1] - slope[1:2]
        last = 2.0 * slope[-1:] - slope[-2:-1]
        m = concatenate([2.0 * first - slope[:1], first, slope, last, 2.0 * last - slope[-1:]], 0)
        change = ops.abs(m[1:] - m[:-1])
        if method == "makima":
            mean = ops.abs(m[1:] + m[:-1])
            change = change + 0.5 * mean
        after, before = change[2:], change[:-2]
        both = after + before
        numbers = below(both)
        known = numbers > 1e-9 * np.max(numbers)
        weight = before / np.where(known, both, 1.0)
        weighted = m[1:-2] + weight * (m[2:-1] - m[1:-2])
        return np.where(known, weighted, 0.5 * (m[3:] + m[:-3]))


# ---- C2 splines ----


class CubicSpline(Piecewise, _scipy.CubicSpline):
    """scipy.interpolate.CubicSpline, differentiable in x, y and where it is called.

    Also in the values of the boundary conditions (order, value) of `bc_type`.
    """

    def __init__(self, x, y, axis=0, bc_type="not-a-knot", extrapolate=None):
        given = bc_type if isinstance(bc_type, str) else [*bc_type]
        if not places.traced(x, y, given):
            super().__init__(x, y, axis, bc_type, extrapolate)
            return
        x, dx, y, _, axis = _prepared(x, y, axis)
        shape = shape_of(y)
        ends = _conditions(bc_type, shape[1:], y, axis)
        if extrapolate is None:
            extrapolate = "periodic" if ends[0] == "periodic" else True
        rows = reshape(y, (shape[0], -1))
        s = _slopes(dx, rows, ends)
        self._set(_hermite(dx, y, reshape(s, shape)), x, extrapolate, axis)


def _conditions(bc_type, shape, y, axis):
    """Both boundary conditions: a name, or (order, value with the elements in a row)."""
    if isinstance(bc_type, str):
        if bc_type == "periodic" and not np.allclose(
            values(y[0]), values(y[-1]), rtol=1e-15, atol=1e-15
        ):
            raise ValueError(
                f"The first and last `y` point along axis {axis} must be identical (within "
                "machine precision) when bc_type='periodic'."
            )
        bc_type = (bc_type, bc_type)
    elif len(bc_type) != 2:
        raise ValueError("`bc_type` must contain 2 elements to specify start and end conditions.")
    elif any(isinstance(b, str) and b == "periodic" for b in bc_type):
        raise ValueError(
            "'periodic' `bc_type` is defined for both curve ends and cannot be used with other "
            "boundary conditions."
        )
    found = []
    for bc in bc_type:
        if isinstance(bc, str):
            if bc in ("not-a-knot", "periodic"):
                found.append(bc)
            elif bc in ("clamped", "natural"):
                found.append((1 if bc == "clamped" else 2, np.zeros((1, int(np.prod(shape))))))
            else:
                raise ValueError(f"bc_type={bc} is not allowed.")
            continue
        order, value = bc
        if order not in (1, 2):
            raise ValueError("The specified derivative order must be 1 or 2.")
        value = array(value, "a boundary condition")
        if shape_of(value) != shape:
            raise ValueError(
                f"`deriv_value` shape {shape_of(value)} is not the expected one {shape}."
            )
        found.append((order, reshape(value, (1, -1))))
    return found


def _slopes(dx, y, ends):
    """First derivatives at the nodes, of y with shape (n, m): the second ones are continuous."""
    n = shape_of(y)[0]
    if 0 in shape_of(y):
        return y
    h = dx[:, None]
    slope = (y[1:] - y[:-1]) / h
    if n == 2:
        ends = [(1, slope) if _name(b) else b for b in ends]
    start, end = ends
    if n == 3 and _name(start) == _name(end) == "not-a-knot":
        return _parabola(h, slope)
    if _name(start) == "periodic":
        return _periodic(dx, h, slope, n)
    # Continuity at each inner node; SciPy's scaling of the rows.
    diagonal, upper, lower = 2.0 * (dx[:-1] + dx[1:]), dx[:-1], dx[1:]
    right = 3.0 * (h[1:] * slope[:-1] + h[:-1] * slope[1:])
    first = _end_row(start, h[0], h[1] if n > 2 else None, slope[0], slope[1] if n > 2 else None, 1)
    last = _end_row(
        end, h[-1], h[-2] if n > 2 else None, slope[-1], slope[-2] if n > 2 else None, -1
    )
    band = concatenate(
        [
            reshape(concatenate([np.zeros(1), first[1], upper], 0), (1, n)),
            reshape(concatenate([first[0], diagonal, last[0]], 0), (1, n)),
            reshape(concatenate([lower, last[1], np.zeros(1)], 0), (1, n)),
        ],
        0,
    )
    return solve_banded(band, concatenate([first[2], right, last[2]], 0), 1, 1)


def _name(bc):
    """What a condition is called; nothing if it is a derivative."""
    return bc if isinstance(bc, str) else ""


def _end_row(bc, h0, h1, slope0, slope1, sign):
    """(diagonal, its neighbour, right-hand side) of the row of an end; h0, slope0 are nearest."""
    one, m = np.ones(1), shape_of(slope0)[0]
    if isinstance(bc, str):  # the third derivative is continuous at the next node
        d = h0 + h1
        right = ((h0 + 2.0 * d) * h1 * slope0 + h0 * h0 * slope1) / d
        return h1, d, reshape(right, (1, m))
    order, value = bc
    if order == 1:
        return one, 0.0 * one, broadcast_to(value, (1, m))
    right = 3.0 * h0 * slope0 - sign * 0.5 * value * h0 * h0
    return 2.0 * h0, h0, reshape(right, (1, m))


def _parabola(h, slope):
    """Through three nodes."""
    bend = (slope[1] - slope[0]) / (h[0] + h[1])
    first = slope[0] - bend * h[0]
    rows = [first, slope[0] + bend * h[0], slope[1] + bend * h[1]]
    return concatenate([reshape(r, (1, -1)) for r in rows], 0)


def _periodic(dx, h, slope, n):
    """The same at both ends, and so for the second derivatives: a cyclic system."""
    if n == 3:
        both = (slope / h).sum(0) / (1.0 / h).sum(0)
        return broadcast_to(reshape(both, (1, -1)), (3, shape_of(slope)[1]))
    # Unknowns s[0] to s[n-2]; the last of them is found after the others, which make a band.
    size = n - 2
    right = concatenate(
        [
            3.0 * (h[:1] * slope[-1:] + h[-1:] * slope[:1]),
            3.0 * (h[1:-1] * slope[:-2] + h[:-2] * slope[1:-1]),
        ],
        0,
    )
    closing = 3.0 * (h[-1] * slope[-2] + h[-2] * slope[-1])
    diagonal = 2.0 * concatenate([dx[-1:] + dx[:1], dx[:-2] + dx[1:-1]], 0)
    # Row 0: dx[0] s[-1] + 2 (dx[-1] + dx[0]) s[0] + dx[-1] s[1]; row i: dx[i] s[i-1] + ...
    upper = concatenate([np.zeros(1), dx[-1:], dx[: size - 2]], 0)
    lower = concatenate([dx[1:size], np.zeros(1)], 0)
    band = concatenate([reshape(v, (1, size)) for v in (upper, diagonal, lower)], 0)
    edge = concatenate([-dx[:1], np.zeros(size - 2), -dx[n - 4 : n - 3]], 0)
    both = solve_banded(band, concatenate([right, reshape(edge, (size, 1))], 1), 1, 1)
    free, share = both[:, :-1], both[:, -1:]
    last = (closing - dx[-2] * free[0] - dx[-1] * free[-1]) / (
        2.0 * (dx[-1] + dx[-2]) + dx[-2] * share[0] + dx[-1] * share[-1]
    )
    last = reshape(last, (1, -1))
    inner = free + share * last
    return concatenate([inner, last, inner[:1]], 0)


def pchip_interpolate(xi, yi, x, der=0, axis=0):
    """scipy.interpolate.pchip_interpolate, differentiable in xi, yi and x."""
    p = PchipInterpolator(xi, yi, axis=axis)
    if np.ndim(der) == 0:
        return p(x) if der == 0 else p.derivative(der)(x)
    return [p.derivative(nu)(x) for nu in der]
