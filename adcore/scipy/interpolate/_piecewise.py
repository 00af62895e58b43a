"""Piecewise polynomials, in the argument, the coefficients and the break points."""

import functools
import math

import numpy as np
import scipy.interpolate as _scipy

from ..._trees import shape_of
from ...errors import NotDifferentiableError
from ...rules.primitives import below, concatenate, cumsum_last, reshape
from ...rules.shapes import moveaxis
from .._leaves import array
from .._valued import Valued
from . import _places as places


def evaluate(c, x, at, nu=0):
    """The polynomials of coefficients c, of shape (k, m, ...), at a vector of places.

    c[j, i] is that of (x - x[i])**(k - 1 - j) between the break points x[i] and x[i + 1]; beyond
    the ends the first and the last polynomial go on.
    """
    i = _interval(x, at)
    s = at - places.take(x, i)
    c = places.take(c, i, axis=1)
    k, ndim = shape_of(c)[0], len(shape_of(c)) - 1
    s = places.columns(s, ndim)
    total, power = None, 1.0
    for j in range(nu, k):
        term = c[k - 1 - j] * (power * math.prod(range(j - nu + 1, j + 1)))
        total = term if total is None else total + term
        power = power * s
    return c[0] * 0.0 if total is None else total


def _interval(x, at):
    """The number of the polynomial for each place."""
    inner = x[1:-1]
    return places.place(-inner, -at) if _descends(x) else places.place(inner, at)


def _evaluated(c, knots, x, nu, extrapolate, axis):
    """What PPoly gives at places of any shape."""
    at, shape = places.flat(x)
    if extrapolate == "periodic":
        at = knots[0] + (at - knots[0]) % (knots[-1] - knots[0])
    out = evaluate(c, knots, at, nu)
    if not extrapolate:
        inside = _inside(knots, at)
        out = np.where(places.columns(inside, len(shape_of(out))), out, np.nan)
    return places.finished(out, shape, axis)


def _inside(knots, at):
    low, high = (knots[-1], knots[0]) if _descends(knots) else (knots[0], knots[-1])
    return (at >= low) & (at <= high)


def _adjoints(nu, extrapolate, axis):
    """Adjoints of _evaluated() with these options, in numbers: see Valued."""
    construct = _scipy.PPoly.construct_fast

    def adjoints(leaves, output, ct, wanted):
        del output
        c, knots, x = leaves
        at = np.asarray(x)
        shape, at = at.shape, at.reshape(-1)
        if extrapolate == "periodic":
            if 1 in wanted:
                return None
            at = knots[0] + (at - knots[0]) % (knots[-1] - knots[0])
        g = places.unfinished(ct, shape, axis)
        order = places.order_of(at)
        if order is not None:
            at, g = at[order], g[order]
        if not extrapolate:
            g = np.where(_inside(knots, at)[:, None], g, 0.0)
        k, m = c.shape[:2]
        c = c.reshape(k, m, -1)
        found = {}
        if wanted != [0]:
            slope = construct(c, knots)(at, nu + 1)
            at_bar = (slope * g).sum(1) if g.shape[1] > 1 else (slope * g)[:, 0]
            if 2 in wanted:
                found[2] = places.put_back(at_bar, order).reshape(shape)
        if wanted != [2]:
            i = _interval(knots, at)
        if 1 in wanted:
            found[1] = np.bincount(i, -at_bar, m + 1)
        if 0 in wanted:
            s = (at - knots[i])[:, None]
            weights = np.zeros((k, *g.shape))
            for j in range(nu, k):
                weights[k - 1 - j] = g * math.perm(j, nu) if nu else g
                if j + 1 < k:
                    g = g * s
            found[0] = places.scattered_each(weights, i, m).reshape(leaves[0].shape)
        return [found[i] for i in wanted]

    return adjoints


@functools.lru_cache(256)
def _evaluation(name, nu, extrapolate, axis):
    """_evaluated() with these options, valued by SciPy."""
    construct = _scipy.PPoly.construct_fast
    return Valued(
        name,
        lambda c, knots, x: _evaluated(c, knots, x, nu, extrapolate, axis),
        lambda c, knots, x: places.in_order(
            lambda x: construct(c, knots, extrapolate, axis)(x, nu), x, axis
        ),
        _adjoints(nu, extrapolate, axis),
    )


def _descends(x):
    return bool(below(x[-1]) < below(x[0]))


class Piecewise:
    """What PPoly and its like do where something is tracked; above SciPy's classes."""

    captured_attributes = True

    def _set(self, c, x, extrapolate, axis=0):
        """Make this a polynomial of tensors."""
        self._c, self._x, self.extrapolate, self.axis = c, x, extrapolate, axis
        self._asarray = places.same
        return self

    def _is_traced(self, *more):
        return places.traced(self._c, self._x, *more)

    def _like(self, c, extrapolate=None):
        made = object.__new__(PPoly)
        return made._set(
            c, self._x, self.extrapolate if extrapolate is None else extrapolate, self.axis
        )

    def __call__(self, x, nu=0, extrapolate=None):
        """The value, or the derivative of order nu, at x."""
        if not self._is_traced(x):
            return super().__call__(x, nu, extrapolate)
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        x = places.as_leaf(x)
        return _evaluation(type(self).__name__, nu, extrapolate, self.axis)(self._c, self._x, x)

    def derivative(self, nu=1):
        """The derivative, a PPoly."""
        if not self._is_traced():
            return _wrapped(super().derivative(nu))
        if nu < 0:
            return self.antiderivative(-nu)
        k, ndim = shape_of(self._c)[0], len(shape_of(self._c))
        if nu >= k:
            return self._like(self._c[:1] * 0.0)
        factors = [float(math.prod(range(j - nu + 1, j + 1))) for j in range(k - 1, nu - 1, -1)]
        return self._like(self._c[: k - nu] * places.columns(np.array(factors), ndim))

    def antiderivative(self, nu=1):
        """The antiderivative that is 0 at the first break point, a PPoly."""
        if not self._is_traced():
            return _wrapped(super().antiderivative(nu))
        if nu <= 0:
            return self.derivative(-nu)
        c = self._c
        for _ in range(nu):
            c = self._integrated(c)
        return self._like(c, False if self.extrapolate == "periodic" else None)

    def _integrated(self, c):
        k, ndim = shape_of(c)[0], len(shape_of(c))
        c = c / places.columns(np.arange(k, 0.0, -1.0), ndim)
        h = places.columns(self._x[1:] - self._x[:-1], ndim - 1)
        whole = 0.0  # over each interval
        for j in range(k):
            whole = (whole + c[j]) * h
        before = moveaxis(cumsum_last(moveaxis(whole, 0, -1)), -1, 0)[:-1]
        start = np.zeros((1, *shape_of(c)[2:]))
        before = concatenate([start, before], 0)
        return concatenate([c, reshape(before, (1, *shape_of(before)))], 0)

    def integrate(self, a, b, extrapolate=None):
        """The integral from a to b."""
        if not self._is_traced(a, b):
            return super().integrate(a, b, extrapolate)
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        whole = self._like(self._integrated(self._c), bool(extrapolate))
        whole.axis = 0
        if extrapolate != "periodic":
            return whole(b) - whole(a)
        start, end = self._x[0], self._x[-1]

        def up_to(t):
            turns = np.floor((t - start) / (end - start))
            return turns * whole(end) + whole(t - turns * (end - start))

        return up_to(b) - up_to(a)

    def extend(self, c, x):
        """Add break points and polynomials, in place."""
        self._refuse("extend", c, x)
        super().extend(c, x)

    def solve(self, y=0.0, discontinuity=True, extrapolate=None):
        """Where the polynomials are y, of plain coefficients."""
        self._refuse("solve", y)
        return super().solve(y, discontinuity, extrapolate)

    def roots(self, discontinuity=True, extrapolate=None):
        """Where the polynomials are 0, of plain coefficients."""
        self._refuse("roots")
        return super().roots(discontinuity, extrapolate)

    def _refuse(self, name, *more):
        if self._is_traced(*more):
            raise NotDifferentiableError(
                f"scipy.interpolate.{type(self).__name__}.{name} of a tensor has no derivative "
                "rule; find the root in numbers, by x.detach(), and take one step of Newton's "
                "method from it with the polynomial and its derivative()"
            )


def _wrapped(made):
    """A polynomial of SciPy's as one of ours."""
    made.__class__ = PPoly
    return made


class PPoly(Piecewise, _scipy.PPoly):
    """scipy.interpolate.PPoly, differentiable in c, x and where it is called."""

    def __init__(self, c, x, extrapolate=None, axis=0):
        if not places.traced(c, x):
            super().__init__(c, x, extrapolate, axis)
            return
        c, x = array(c, "c"), array(x, "x")
        extrapolate = True if extrapolate is None else extrapolate
        if extrapolate != "periodic":
            extrapolate = bool(extrapolate)
        if len(shape_of(c)) < 2:
            raise ValueError("Coefficients array must be at least 2-dimensional.")
        if not 0 <= axis < len(shape_of(c)) - 1:
            raise ValueError(f"axis={axis} must be between 0 and {len(shape_of(c)) - 1}")
        if axis:
            c = moveaxis(moveaxis(c, axis + 1, 0), axis + 1, 0)
        if len(shape_of(x)) != 1 or shape_of(x)[0] < 2:
            raise ValueError("x must be 1-dimensional, with at least 2 breakpoints")
        if shape_of(c)[1] != shape_of(x)[0] - 1:
            raise ValueError("number of coefficients != len(x)-1")
        steps = below(x[1:] - x[:-1])
        if not (bool(np.all(steps >= 0.0)) or bool(np.all(steps <= 0.0))):
            raise ValueError("`x` must be strictly increasing or decreasing.")
        self._set(c, x, extrapolate, axis)

    @classmethod
    def construct_fast(cls, c, x, extrapolate=None, axis=0):
        """A polynomial without checks."""
        made = object.__new__(cls)
        if places.traced(c, x):
            return made._set(c, x, True if extrapolate is None else extrapolate, axis)
        found = _scipy.PPoly.construct_fast(c, x, extrapolate, axis)
        for name in ("_c", "_x", "extrapolate", "axis", "_asarray"):
            setattr(made, name, getattr(found, name))
        return made

    @classmethod
    def from_spline(cls, tck, extrapolate=None):
        """The polynomials of a B-spline; of plain coefficients."""
        parts = (tck._t, tck._c) if isinstance(tck, _scipy.BSpline) else tck
        if places.traced(*parts):
            raise NotDifferentiableError(
                "scipy.interpolate.PPoly.from_spline of a tensor has no derivative rule; evaluate "
                "the BSpline itself, which is differentiable"
            )
        return _wrapped(_scipy.PPoly.from_spline(tck, extrapolate))
