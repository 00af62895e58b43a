"""One polynomial through all nodes: Newton's form, and the barycentric one."""

import math

import numpy as np
import scipy.interpolate as _scipy

from ..._trees import shape_of
from ...errors import NotDifferentiableError
from ...rules.primitives import below, concatenate, reshape
from .._leaves import array
from . import _places as places


def _rows(yi, axis):
    """(yi with the axis first and all others in one, their shape, the axis)."""
    yi, axis = places.moved_first(array(yi, "yi"), axis)
    return reshape(yi, (shape_of(yi)[0], -1)), shape_of(yi)[1:], axis


class _Polynomial:
    """What both do: evaluation of Newton's form of traced data, all derivatives at once."""

    captured_attributes = True

    def _newton(self, nodes, c):
        self._nodes, self._newton_c = nodes, c

    def _traced_at(self, x):
        return self._newton_c is not None or places.traced(x)

    def _form(self):
        """(nodes, coefficients) of Newton's form."""
        if self._newton_c is None:
            self._newton(*_newton_form(self.xi, self.yi))
        return self._nodes, self._newton_c

    def _finish(self, out, shape):
        return places.finished(reshape(out, (-1, *self._y_extra_shape)), shape, self._y_axis)

    def _evaluated(self, x, der):
        """Derivatives of orders 0 to `der` at a vector of places.

        The value alone as SciPy adds it up, which keeps more digits than Horner's scheme.
        """
        nodes, c = self._form()
        n = shape_of(c)[0]
        if der == 0:
            total, product = x[:, None] * 0.0 + c[0], 1.0
            for k in range(1, n):
                product = (x - nodes[k - 1])[:, None] * product
                total = total + product * c[k]
            return [total]
        found = [x[:, None] * 0.0 + c[n - 1]]
        found += [0.0 * found[0] for _ in range(der)]
        for k in range(n - 2, -1, -1):
            w = (x - nodes[k])[:, None]
            for j in range(der, 0, -1):  # found[j] is the derivative over j!
                found[j] = found[j] * w + found[j - 1]
            found[0] = found[0] * w + c[k]
        return [v * float(math.factorial(j)) for j, v in enumerate(found)]

    def derivative(self, x, der=1):
        """The derivative of an order at x."""
        if not self._traced_at(x):
            return super().derivative(x, der)
        at, shape = places.flat(x)
        return self._finish(self._evaluated(at, der)[der], shape)

    def derivatives(self, x, der=None):
        """Derivatives of orders 0 to der - 1 at x, along the first axis."""
        if not self._traced_at(x):
            return super().derivatives(x, der)
        at, shape = places.flat(x)
        der = self.n if der is None else der
        found = [self._finish(v, shape) for v in self._evaluated(at, max(der, 1) - 1)[:der]]
        return concatenate([reshape(v, (1, *shape_of(v))) for v in found], 0)


def _newton_form(xi, rows):
    """(nodes, divided differences): equal nodes, side by side, give derivatives."""
    n = shape_of(xi)[0]
    plain = below(xi)
    c, column = [rows[0]], [None] * n  # column[i]: of the first i nodes and node k
    same = 0  # how many of the nodes just before node k are equal to it
    for k in range(1, n):
        same = same + 1 if bool(plain[k] == plain[k - 1]) else 0
        column[0] = rows[k] / float(math.factorial(same)) if same else rows[k]
        for i in range(k - same):
            step = xi[i] - xi[k]
            if bool(below(step) == 0.0):
                raise ValueError("Elements of `xi` can't be equal.")
            column[i + 1] = ((column[i + 1] if same else c[i]) - column[i]) / step
        c.append(column[k - same])
    return xi, concatenate([reshape(v, (1, -1)) for v in c], 0)


class KroghInterpolator(_Polynomial, _scipy.KroghInterpolator):
    """scipy.interpolate.KroghInterpolator, differentiable in xi, yi and where it is called.

    Equal nodes, side by side, have derivatives in yi; they stay equal, so that what is derived in
    them is where both are.
    """

    def __init__(self, xi, yi, axis=0):
        self._newton_c = None
        if not places.traced(xi, yi):
            super().__init__(xi, yi, axis)
            return
        self.xi = array(xi, "xi")
        self.yi, self._y_extra_shape, self._y_axis = _rows(yi, axis)
        if shape_of(self.xi) != (shape_of(self.yi)[0],):
            raise ValueError("x and y arrays must be equal in length along interpolation axis.")
        self.n, self.r = shape_of(self.yi)
        self.dtype = np.float64
        self._newton(*_newton_form(self.xi, self.yi))
        self.c = self._newton_c

    def __call__(self, x):
        """The value at x."""
        if not self._traced_at(x):
            return super().__call__(x)
        at, shape = places.flat(x)
        return self._finish(self._evaluated(at, 0)[0], shape)


class BarycentricInterpolator(_Polynomial, _scipy.BarycentricInterpolator):
    """scipy.interpolate.BarycentricInterpolator, differentiable in xi, yi and its argument."""

    def __init__(self, xi, yi=None, axis=0, *, wi=None, rng=None):
        self._newton_c = None
        if not places.traced(xi, yi, wi):
            super().__init__(xi, yi, axis, wi=wi, rng=rng)
            return
        if yi is None or wi is not None:
            raise NotDifferentiableError(
                "BarycentricInterpolator of tensors needs yi at once, and finds wi itself"
            )
        self.xi = array(xi, "xi")
        self.yi, self._y_extra_shape, self._y_axis = _rows(yi, axis)
        if shape_of(self.xi) != (shape_of(self.yi)[0],):
            raise ValueError("x and y arrays must be equal in length along interpolation axis.")
        self.n, self.r = shape_of(self.yi)
        self.dtype = np.float64
        self._newton(*_newton_form(*_spread(self.xi, self.yi)))

    def _form(self):
        if self._newton_c is None:
            self._newton(*_newton_form(*_spread(self.xi, self.yi)))
        return self._nodes, self._newton_c

    def set_yi(self, yi, axis=None):
        """Set values, plain ones."""
        self._refuse("set_yi", yi)
        super().set_yi(yi, axis)

    def add_xi(self, xi, yi=None):
        """Add nodes, plain ones."""
        self._refuse("add_xi", xi, yi)
        super().add_xi(xi, yi)

    def _refuse(self, name, *given):
        if self._newton_c is not None or places.traced(*given):
            raise NotDifferentiableError(
                f"BarycentricInterpolator.{name} takes no tensors; make a new one of all nodes"
            )

    def __call__(self, x):
        """The value at x."""
        if not self._traced_at(x):
            return super().__call__(x)
        at, shape = places.flat(x)
        return self._finish(self._evaluated(at, 0)[0], shape)


def _spread(xi, rows):
    """Nodes and values in Leja's order, in which Newton's form is as stable as barycentric."""
    plain = places.numbers(xi)
    order = [int(np.argmax(np.abs(plain - plain.mean())))]
    left = [i for i in range(len(plain)) if i != order[0]]
    gain = np.zeros(len(plain))
    while left:
        with np.errstate(divide="ignore"):
            gain = gain + np.log(np.abs(plain - plain[order[-1]]))
        best = max(left, key=lambda i: gain[i])
        order.append(best)
        left.remove(best)
    order = np.array(order)
    return xi[order], rows[order]


def krogh_interpolate(xi, yi, x, der=0, axis=0):
    """scipy.interpolate.krogh_interpolate, differentiable in xi, yi and x."""
    return _interpolated(KroghInterpolator(xi, yi, axis=axis), x, der)


def barycentric_interpolate(xi, yi, x, axis=0, *, der=0, rng=None):
    """scipy.interpolate.barycentric_interpolate, differentiable in xi, yi and x."""
    return _interpolated(BarycentricInterpolator(xi, yi, axis=axis, rng=rng), x, der)


def _interpolated(p, x, der):
    if np.ndim(der) == 0:
        return p(x) if der == 0 else p.derivative(x, der=der)
    return p.derivatives(x, der=np.amax(der) + 1)[der]
