"""Radial basis functions, in the places and values of the data and in the argument."""

import numpy as np
import scipy.interpolate as _scipy

from ... import ops
from ..._trees import shape_of
from ...errors import NotDifferentiableError
from ...rules.primitives import concatenate, matmul, norm_last, reshape, sum_axes, transpose
from .._leaves import array
from . import _places as places
from ._banded import band_of, solve_banded

# Of the squared distance; smooth where it is 0.
_SMOOTH = {
    "multiquadric": lambda r2: -ops.sqrt(r2 + 1.0),
    "inverse_multiquadric": lambda r2: 1.0 / ops.sqrt(r2 + 1.0),
    "inverse_quadratic": lambda r2: 1.0 / (r2 + 1.0),
    "gaussian": lambda r2: ops.exp(-r2),
}
# The same, 0 where the distance is, and in general not smooth there.
_POINTED = {
    "linear": lambda r2: -ops.sqrt(r2),
    "thin_plate_spline": lambda r2: 0.5 * r2 * ops.log(r2),
    "cubic": lambda r2: r2 * ops.sqrt(r2),
    "quintic": lambda r2: -r2 * r2 * ops.sqrt(r2),
}
_FLAT = ("cubic", "quintic")  # whose first two derivatives are 0 at 0


def _kernel(name, a, b, same=False):
    """The kernel of all pairs; `same` where a and b are, where a pair of one place is constant."""
    n, m = shape_of(a)[0], shape_of(b)[0]
    difference = reshape(a, (n, 1, -1)) - reshape(b, (1, m, -1))
    r2 = sum_axes(difference * difference, (2,))
    if name in _SMOOTH:
        return _SMOOTH[name](r2)
    zero = np.eye(n, dtype=bool) if same else r2 == 0.0
    value = _POINTED[name](np.where(zero, 1.0, r2))
    # norm_last: 0, with derivatives 0 and, of second order where there is none, nan.
    there = 0.0 if same or name in _FLAT else norm_last(difference)
    return np.where(zero, there, value)


class RBFInterpolator(_scipy.RBFInterpolator):
    """scipy.interpolate.RBFInterpolator, differentiable in y, d, smoothing, epsilon and argument.

    Of tensors without `neighbors`.
    """

    captured_attributes = True

    def __init__(
        self,
        y,
        d,
        neighbors=None,
        smoothing=0.0,
        kernel="thin_plate_spline",
        epsilon=None,
        degree=None,
    ):
        self._of_tensors = None
        given = [y, d, smoothing, epsilon]
        is_traced = places.traced(*given)
        if is_traced and neighbors is not None:
            raise NotDifferentiableError(
                "RBFInterpolator of tensors takes no neighbors: which they are jumps"
            )
        joined = [array(v, "y") if places.traced(v) else v for v in given]
        plain = [places.numbers(v) if places.traced(v) else v for v in joined]
        plain[3] = None if epsilon is None else float(plain[3])
        super().__init__(plain[0], plain[1], neighbors, plain[2], kernel, plain[3], degree)
        if is_traced:
            y, d = array(joined[0], "y"), array(joined[1], "d")
            epsilon = self.epsilon if epsilon is None else joined[3]
            self._of_tensors = y, self._solved(y, d, joined[2], epsilon), epsilon

    def _monomials(self, x):
        """The monomials of the scaled coordinates, a column each."""
        x = (x - self._shift) / self._scale
        found = []
        for powers in self.powers:
            column = x[:, 0] * 0.0 + 1.0
            for j, p in enumerate(powers):
                for _ in range(int(p)):
                    column = column * x[:, j]
            found.append(reshape(column, (-1, 1)))
        return found

    def _solved(self, y, d, smoothing, epsilon):
        """Coefficients of the kernels and of the monomials."""
        n = shape_of(y)[0]
        d = reshape(d, (n, -1))
        k = _kernel(self.kernel, epsilon * y, epsilon * y, same=True)
        k = k + np.eye(n) * smoothing
        monomials = self._monomials(y)
        m = len(monomials)
        if m:
            p = concatenate(monomials, 1)
            right = concatenate([transpose(p, (1, 0)), np.zeros((m, m))], 1)
            k = concatenate([concatenate([k, p], 1), right], 0)
            d = concatenate([d, np.zeros((m, shape_of(d)[1]))], 0)
        size = n + m
        rows, columns = np.divmod(np.arange(size * size), size)
        band = band_of(reshape(k, (-1,)), rows, columns, size, size - 1, size - 1)
        return solve_banded(band, d, size - 1, size - 1)

    def __call__(self, x):
        """The value at each row of x."""
        if self._of_tensors is None and not places.traced(x):
            return super().__call__(x)
        if self.neighbors is not None:
            raise NotDifferentiableError(
                "RBFInterpolator with neighbors takes no tensors: which they are jumps"
            )
        x = array(x, "x")
        if len(shape_of(x)) != 2 or shape_of(x)[1] != self.y.shape[1]:
            raise ValueError(
                f"`x` must be of shape (any number, {self.y.shape[1]}), got {shape_of(x)}"
            )
        y, c, epsilon = self._of_tensors or (self.y, np.asarray(self._coeffs), self.epsilon)
        k = _kernel(self.kernel, epsilon * x, epsilon * y)
        k = concatenate([k, *self._monomials(x)], 1)
        return reshape(matmul(k, c), (shape_of(x)[0], *self.d_shape))
