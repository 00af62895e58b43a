"""interp1d on tensors and duals."""

import numpy as np
import scipy.interpolate as _scipy

from ..._trees import shape_of
from ...errors import NotDifferentiableError
from ...rules.primitives import below, reshape
from .._leaves import array
from .._valued import Valued
from . import _places as places
from ._bsplines import evaluate, found_by_scipy, spline_adjoints


class interp1d(_scipy.interp1d):
    """scipy.interpolate.interp1d, differentiable in x, y and where it is called."""

    captured_attributes = True

    def __init__(
        self,
        x,
        y,
        kind="linear",
        axis=-1,
        copy=True,
        bounds_error=None,
        fill_value=np.nan,
        assume_sorted=False,
    ):
        self._of_tensors, self._origin = None, None
        if places.traced(fill_value):
            raise NotDifferentiableError(
                "interp1d takes no tensors as fill_value; put them in with where()"
            )
        plain = [places.numbers(v) if places.traced(v) else v for v in (_joined(x), _joined(y))]
        is_traced = places.traced(x, y)
        options = (copy or is_traced, bounds_error, fill_value, assume_sorted)
        super().__init__(*plain, kind, axis, *options)  # checks, and what is to be outside
        if not is_traced:
            return
        x, y = array(x, "x"), array(y, "y")
        rows, _ = places.moved_first(y, axis)
        rows = reshape(rows, (shape_of(rows)[0], -1))
        if not assume_sorted and not (type(x) is np.ndarray and (x[1:] >= x[:-1]).all()):
            order = np.argsort(below(x), kind="stable")
            x, rows = places.take(x, order), places.take(rows, order)
        if self._kind not in _KINDS:
            x, rows = found_by_scipy(x, rows, self._spline)
        self._of_tensors = x, rows
        self._origin = places.Origin(None, self._of_tensors)

    def __call__(self, x):
        """The value at x."""
        if self._of_tensors is None and not places.traced(x):
            return super().__call__(x)
        found = Valued("interp1d", self._evaluated, self._computed, self._adjoints)
        return found(*(self._of_tensors or self._in_numbers()), places.as_leaf(x))

    def _in_numbers(self):
        """(nodes, values) of plain data, or (knots, coefficients) of its spline."""
        if self._kind in _KINDS:
            return self.x.astype(float), self._y.astype(float)
        return self._spline._t, self._spline._c

    def _computed(self, knots, rows, x):
        """SciPy's value if it was given the same numbers."""
        if self._origin is None or self._origin.is_of(self._of_tensors):
            return places.in_order(super().__call__, x, self._y_axis)
        return self._evaluated(knots, rows, x)

    def _adjoints(self, leaves, output, ct, wanted):
        """Adjoints in numbers: see Valued."""
        del output
        knots, rows, x = leaves
        at = np.asarray(x)
        shape, at = at.shape, at.reshape(-1)
        g = places.unfinished(ct, shape, self._y_axis)
        order = places.order_of(at)
        if order is not None:
            at, g = at[order], g[order]
        if not self._extrapolate:
            outside = (at < knots[0]) | (at > knots[-1])
            if outside.any():
                if isinstance(self._fill_value_orig, tuple) and self._kind in ("previous", "next"):
                    return None  # it may be one of the rows
                g = np.where(outside[:, None], 0.0, g)
        if self._kind == "linear":
            found = _linear_adjoints(knots, rows, at, g)
        elif self._kind in _STEPS:
            i = _STEPS[self._kind](knots, at)
            found = np.zeros(knots.shape), places.scattered(g, i, len(rows)), np.zeros(at.size)
        else:
            found = spline_adjoints(knots, rows, self._spline.k, at, g, 0, wanted)
            if found is None:
                return None
        found = [found[i] for i in wanted]
        if wanted[-1] == 2:
            found[-1] = places.put_back(found[-1], order).reshape(shape)
        return found

    def _evaluated(self, knots, rows, x):
        """The value at x; of a spline `knots` are its knots, `rows` its coefficients."""
        at, shape = places.flat(x)
        out = _KINDS.get(self._kind, _spline)(self, knots, rows, at)
        if not self._extrapolate:
            out = self._filled(out, knots, rows, at)
        return places.finished(
            reshape(out, (shape_of(out)[0], *self._y_extra_shape)), shape, self._y_axis
        )

    def _filled(self, out, knots, rows, at):
        """The values, with what is to be outside of the nodes."""
        low, high = at < knots[0], at > knots[-1]
        for outside, word in ((low, "below"), (high, "above")):
            if self.bounds_error and bool(np.any(outside)):
                raise ValueError(
                    f"A value in x_new is {word} the interpolation range, whose ends are "
                    f"{below(knots[0])} and {below(knots[-1])}."
                )
        below_fill = _row(self._fill_value_below, rows)
        above_fill = _row(self._fill_value_above, rows)
        if isinstance(self._fill_value_orig, tuple) and self._kind in ("previous", "next"):
            # SciPy puts the nearest value there if fill_value is "extrapolate".
            if self._kind == "previous" and self._is_end(self._fill_value_above, -1):
                above_fill = rows[-1]
            if self._kind == "next" and self._is_end(self._fill_value_below, 0):
                below_fill = rows[0]
        out = np.where(places.columns(low, 2), below_fill, out)
        return np.where(places.columns(high, 2), above_fill, out)

    def _is_end(self, fill, i):
        ends = np.ravel(np.take(self.y, i, self.axis))
        return np.array_equal(np.ravel(fill), ends, equal_nan=True)


def _joined(x):
    """Lists of tensors as one tensor."""
    return array(x, "x") if places.traced(x) else x


def _row(fill, rows):
    return np.broadcast_to(np.asarray(fill, float).ravel(), (1, shape_of(rows)[1]))


def _linear(self, knots, rows, at):
    del self
    i = places.place(knots[1:-1], at, "left")
    x0, x1 = places.take(knots, i), places.take(knots, i + 1)
    y0, y1 = places.take(rows, i), places.take(rows, i + 1)
    slope = (y1 - y0) / places.columns(x1 - x0, 2)
    return slope * places.columns(at - x0, 2) + y0


def _linear_adjoints(knots, rows, at, g):
    i = places.place(knots[1:-1], at, "left")
    width = knots[i + 1] - knots[i]
    share = (at - knots[i]) / width
    slope = np.einsum("ij,ij->i", rows[i + 1] - rows[i], g) / width
    at_low, at_high = slope * (1.0 - share), slope * share
    n = len(knots)
    low, high = g * (1.0 - share)[:, None], g * share[:, None]
    return (
        np.bincount(i, -at_low, n) + np.bincount(i + 1, -at_high, n),
        places.scattered(low, i, n) + places.scattered(high, i + 1, n),
        slope,
    )


def _between(side):
    def nearest(knots, at):
        half = knots / 2.0
        return places.place(half[1:] + half[:-1], at, side)

    return nearest


# Kind -> function of knots and places: the row that is taken for each.
_STEPS = {
    "nearest": _between("left"),
    "nearest-up": _between("right"),
    "previous": lambda knots, at: places.place(knots[1:], at, "right"),
    "next": lambda knots, at: places.place(knots[:-1], at, "left"),
}


def _step(self, knots, rows, at):
    """Values at nodes, which do not vary with the place."""
    i = _STEPS[self._kind](knots, at)
    return places.take(rows, i) + 0.0 * places.columns(np.where(np.isfinite(below(at)), at, 0.0), 2)


def _spline(self, knots, rows, at):
    return evaluate(knots, rows, self._spline.k, at)


_KINDS = {"linear": _linear, **dict.fromkeys(_STEPS, _step)}
