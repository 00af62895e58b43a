"""Interpolation on a regular grid, in the values, the grid and the argument."""

import functools
import itertools
import math
import operator
from dataclasses import dataclass

import numpy as np
import scipy.interpolate as _scipy

from ..._trees import shape_of
from ...errors import NotDifferentiableError
from ...rules.primitives import as_array, below, broadcast_to, reshape
from ...rules.shapes import moveaxis
from .._leaves import array
from .._valued import Valued
from . import _places as places
from ._bsplines import basis, make_interp_spline

_DEGREES = {"slinear": 1, "cubic": 3, "quintic": 5}


class RegularGridInterpolator(_scipy.RegularGridInterpolator):
    """scipy.interpolate.RegularGridInterpolator, differentiable in points, values and argument.

    Of tensors the methods are linear, nearest, slinear, cubic and quintic; splines solve their
    equations directly, one dimension after the other.
    """

    captured_attributes = True

    def __init__(
        self,
        points,
        values,
        method="linear",
        bounds_error=True,
        fill_value=np.nan,
        *,
        solver=None,
        solver_args=None,
    ):
        self._splines, self._origin = {}, None
        if not places.traced([*points], values):
            options = {"solver": solver, "solver_args": solver_args}
            super().__init__(points, values, method, bounds_error, fill_value, **options)
            return
        if places.traced(fill_value):
            raise NotDifferentiableError(
                "RegularGridInterpolator takes no tensor as fill_value; put it in with where()"
            )
        if method not in self._ALL_METHODS:
            raise ValueError(f"Method '{method}' is not defined")
        values = array(values, "values")
        grid = [array(p, "points") for p in points]
        if len(grid) > len(shape_of(values)):
            raise ValueError(
                f"There are {len(grid)} point arrays, but values has {len(shape_of(values))} "
                "dimensions"
            )
        for d, p in enumerate(grid):
            if shape_of(p) != (shape_of(values)[d],):
                raise ValueError(
                    f"There are {shape_of(p)} points and {shape_of(values)[d]} values in "
                    f"dimension {d}"
                )
            steps = below(p[1:] - p[:-1])
            if not bool(np.all(steps > 0.0)):
                if not bool(np.all(steps < 0.0)):
                    raise ValueError(
                        f"The points in dimension {d} must be strictly ascending or descending"
                    )
                grid[d] = p[::-1]
                values = values[(slice(None),) * d + (slice(None, None, -1),)]
        self.method, self.bounds_error, self.fill_value = method, bounds_error, fill_value
        # Later changes of the values in place do not reach them.
        self._grid, self._values, self._spline = tuple(grid), values[...], None
        self._descending_dimensions, self._asarray = (), places.same
        self._origin = places.Origin(None, self._grid, self._values)
        # Now, as SciPy does: kept from a later call, under no_grad(), they would be constants.
        degree = _DEGREES.get(method.removesuffix("_legacy"))
        if degree is not None:
            self._splines[degree] = self._fit(degree)

    def __call__(self, xi, method=None, *, nu=None):
        """The values at xi, whose last axis has the coordinates."""
        grid = [*self._grid]
        method = self.method if method is None else method
        degree = _DEGREES.get(method.removesuffix("_legacy"))
        if not places.traced(grid, self._values, _listed(xi)) and (
            self._origin is None or degree is None
        ):
            return super().__call__(xi, method, nu=nu)
        if degree is None and method not in ("linear", "nearest"):
            if method not in self._ALL_METHODS:
                raise ValueError(f"Method '{method}' is not defined")
            raise NotDifferentiableError(
                f"RegularGridInterpolator of tensors has no method {method!r}; take linear, "
                "nearest, slinear, cubic or quintic"
            )
        if nu is not None and degree is None:
            raise ValueError(f"Can only compute derivatives for splines, got method={method!r}.")
        if degree is not None:
            order = (0,) * len(grid) if nu is None else tuple(nu)
            return self._evaluated(
                _Spline(degree, order, self._fitted(degree)), grid, self._values, xi
            )
        way = _linear if method == "linear" else _nearest
        if isinstance(xi, (list, tuple)):
            return self._evaluated(way, grid, self._values, xi)

        def evaluated(*leaves):
            return self._evaluated(way, leaves[:-2], *leaves[-2:])

        def compute(*leaves):
            plain = self._in_numbers()
            return evaluated(*leaves) if plain is None else plain(leaves[-1], method)

        adjoints = self._adjoints if method == "linear" else None
        found = Valued("RegularGridInterpolator", evaluated, compute, adjoints)
        return found(*grid, self._values, places.as_leaf(xi))

    def _in_numbers(self):
        """SciPy's own for the numbers that this was made of, None if it is of others now."""
        origin = self._origin
        if origin is None:
            return super().__call__
        if not origin.is_of(self._grid, self._values):
            return None
        if origin.plain is None:
            grid = tuple([places.numbers(p) for p in self._grid])
            origin.plain = _scipy.RegularGridInterpolator(
                grid, places.numbers(self._values), self.method, self.bounds_error, self.fill_value
            )
        return origin.plain

    def _evaluated(self, way, grid, values, xi):
        """The values at xi, found in one of the ways below."""
        at, shape = _coordinates(xi, len(grid))
        self._check_bounds(grid, at)
        out = way(grid, values, at)
        ndim = len(shape_of(out))
        if not self.bounds_error and self.fill_value is not None:
            outside = self._outside(grid, at)
            out = np.where(places.columns(outside, ndim), self.fill_value, out)
        unknown = np.isnan(below(sum(at[1:], at[0])))
        out = np.where(places.columns(unknown, ndim), np.nan, out)
        return reshape(out, (*shape, *shape_of(values)[len(grid) :]))

    def _adjoints(self, leaves, output, ct, wanted):
        """Adjoints of linear interpolation, in numbers: see Valued."""
        del output
        *grid, values, xi = leaves
        n = len(grid)
        if any(len(p) == 1 for p in grid):
            return None
        at, _ = _coordinates(xi, n)
        g = np.reshape(ct, (at[0].size, -1))
        without = np.isnan(sum(at))
        if not self.bounds_error and self.fill_value is not None:
            without |= self._outside(grid, at)
        if without.any():
            g = np.where(without[:, None], 0.0, g)
        rows, shape = _rows(values, n), [len(p) for p in grid]
        first = [_cells(p, x) for p, x in zip(grid, at, strict=True)]
        widths = [p[i + 1] - p[i] for p, i in zip(grid, first, strict=True)]
        shares = [(x - p[i]) / w for p, x, i, w in zip(grid, at, first, widths, strict=True)]
        # Both ends of the cell in each dimension, in one axis each before that of the places.
        place = 0
        for d, i in enumerate(first):
            ends = np.stack([i, i + 1]).reshape(2, *[1] * (n - 1 - d), -1)
            place = place * shape[d] + ends
        found = {}
        if n in wanted:
            weights = g.T[(slice(None), *[None] * n)]
            for d, share in enumerate(shares):
                ends = np.stack([1.0 - share, share])
                weights = weights * ends.reshape(2, *[1] * (n - 1 - d), -1)
            weights = np.moveaxis(weights, 0, -1).reshape(-1, g.shape[1])
            found[n] = places.scattered(weights, place.reshape(-1), len(rows)).reshape(values.shape)
        if wanted != [n]:
            slopes = _slopes((rows[place] * g).sum(-1), shares, widths)
            for d, slope in enumerate(slopes):
                if d in wanted:
                    low, high = slope * (1.0 - shares[d]), slope * shares[d]
                    i, m = first[d], shape[d]
                    found[d] = np.bincount(i, -low, m) + np.bincount(i + 1, -high, m)
            if n + 1 in wanted:
                found[n + 1] = np.stack(slopes, -1).reshape(np.shape(xi))
        return [found[i] for i in wanted]

    def _outside(self, grid, at):
        masks = [(x < p[0]) | (x > p[-1]) for p, x in zip(grid, at, strict=True)]
        return functools.reduce(operator.or_, masks)

    def _check_bounds(self, grid, at):
        if not self.bounds_error:
            return
        for d, (p, x) in enumerate(zip(grid, at, strict=True)):
            if bool(np.any((x < p[0]) | (x > p[-1]))):
                raise ValueError(f"One of the requested xi is out of bounds in dimension {d}")

    # -- splines --

    def _fitted(self, degree):
        """What _fit() gives, kept where it cannot be tracked."""
        if degree in self._splines:
            return self._splines[degree]
        found = self._fit(degree)
        if not places.traced([*self._grid], self._values):
            self._splines[degree] = found
        return found

    def _fit(self, degree):
        """(knots of each dimension, coefficients): splines in one dimension after the other."""
        c, knots = self._values, []
        for d, p in enumerate(self._grid):
            if shape_of(p)[0] <= degree:
                raise ValueError(
                    f"There are {shape_of(p)[0]} points in dimension {d}, but splines of "
                    f"degree {degree} require at least {degree + 1} points per dimension."
                )
            spline = make_interp_spline(p, c, degree, axis=d)
            knots.append(spline._t)
            c = moveaxis(spline._c, 0, d) if d else spline._c
        return knots, c


def _slopes(corners, shares, widths):
    """The slope in each dimension of linear interpolation between values at corners of cells."""
    slopes = []
    for d, width in enumerate(widths):
        left = corners
        for e, share in enumerate(shares):  # one dimension after the other, the first axis
            step = left[1] - left[0]
            left = step / width if e == d else left[0] + step * share
        slopes.append(left)
    return slopes


def _cells(p, x):
    """The cell of a grid that each place is in, the nearest beyond its ends: found by division.

    If that is not right for all of them, as the points are not at the same distances, by search.
    """
    n = len(p) - 1
    if x.size > 100 and n > 4:
        i = (x - p[0]) * (n / (p[-1] - p[0]))
        i = np.fmax(np.fmin(i, n - 1.0), 0.0).astype(np.intp)  # of nan the last
        i += (x >= p[i + 1]) & (i < n - 1)
        if (((p[i] <= x) | (i == 0)) & ((x < p[i + 1]) | (i == n - 1))).all():
            return i
    return p[1:-1].searchsorted(x, "right")


def _rows(values, n):
    """Values with all points of a grid of n dimensions in the first axis, others in the second."""
    if type(values) is np.ndarray:
        values = values.astype(float)
    return reshape(values, (math.prod(shape_of(values)[:n]), -1))


@dataclass
class _Spline:
    """A way of evaluation: tensor products of splines that are fitted to the values."""

    degree: int
    order: tuple  # of the derivative in each dimension
    fitted: tuple  # knots of each dimension, coefficients

    def __call__(self, grid, values, at):
        del grid, values
        degree, (knots, c) = self.degree, self.fitted
        shape = shape_of(c)[: len(knots)]
        first, weights = [], []
        for t, x, order in zip(knots, at, self.order, strict=True):
            size = shape_of(t)[0] - degree - 1
            i = places.place(t[degree + 1 : size], x) + degree
            first.append(i - degree)
            weights.append(
                basis(t, degree, x, i, order) if order <= degree else [0.0 * x] * (degree + 1)
            )
        return _tensor_product(_rows(c, len(knots)), shape, first, weights)


def _listed(xi):
    return [*xi] if isinstance(xi, (list, tuple)) else xi


def _coordinates(xi, n):
    """(one vector of coordinates per dimension, the shape of the places)."""
    if isinstance(xi, tuple) or (
        isinstance(xi, list) and len(xi) == n and n > 1 and any(len(shape_of(v)) for v in xi)
    ):
        parts = [array(v, "xi") for v in xi]
        shape = np.broadcast_shapes(*[shape_of(p) for p in parts])
        at = [reshape(broadcast_to(p, shape), (-1,)) for p in parts]
        found = len(parts)
    else:
        xi = array(as_array(xi), "xi")
        if len(shape_of(xi)) <= 1:
            xi = reshape(xi, (-1, n))
        found, shape = shape_of(xi)[-1], shape_of(xi)[:-1]
        flat = reshape(xi, (-1, found))
        at = [flat[:, d] for d in range(found)]
    if found != n:
        raise ValueError(
            f"The requested sample points xi have dimension {found} but this "
            f"RegularGridInterpolator has dimension {n}"
        )
    return at, shape


def _tensor_product(rows, shape, first, weights):
    """The sum over the corners of each place's cell of weights and values."""
    strides = [math.prod(shape[d + 1 :]) for d in range(len(shape))]
    total = None
    for corner in itertools.product(*[range(len(w)) for w in weights]):
        place, weight = 0, 1.0
        for i, a, w, stride in zip(first, corner, weights, strides, strict=True):
            place = (i + a) * stride + place
            weight = weight * w[a]
        term = places.take(rows, place) * places.columns(weight, 2)
        total = term if total is None else total + term
    return total


def _linear(grid, values, at):
    first, weights = [], []
    for p, x in zip(grid, at, strict=True):
        if shape_of(p)[0] == 1:
            first.append(np.zeros(shape_of(x), dtype=np.intp))
            weights.append([x * 0.0 + 1.0])
            continue
        i = places.place(p[1:-1], x)
        low = places.take(p, i)
        share = (x - low) / (places.take(p, i + 1) - low)
        first.append(i)
        weights.append([1.0 - share, share])
    rows = _rows(values, len(grid))
    return _tensor_product(rows, [shape_of(p)[0] for p in grid], first, weights)


def _nearest(grid, values, at):
    first = [places.place((p[1:] + p[:-1]) / 2.0, x, "left") for p, x in zip(grid, at, strict=True)]
    ones = [[np.ones(shape_of(x))] for x in at]
    rows = _rows(values, len(grid))
    return _tensor_product(rows, [shape_of(p)[0] for p in grid], first, ones)


def interpn(points, values, xi, method="linear", bounds_error=True, fill_value=np.nan):
    """scipy.interpolate.interpn, differentiable in points, values and xi."""
    if not places.traced([*points], values, _listed(xi)):
        return _scipy.interpn(points, values, xi, method, bounds_error, fill_value)
    if method == "splinef2d":
        raise NotDifferentiableError(
            'interpn of tensors has no method "splinef2d"; take linear, nearest, slinear, cubic or '
            "quintic"
        )
    made = RegularGridInterpolator(points, values, method, bounds_error, fill_value)
    return made(xi)
