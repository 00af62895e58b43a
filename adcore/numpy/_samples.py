"""Samples as one call each: drawn by NumPy, moving with the parameters of their distribution.

Where sample and parameter move together the distribution function stays the same: the slope of a
sample x of F is -(dF/dp) / (dF/dx), a function of x and the parameters in closed form or in those
of scipy.special (implicit reparametrisation).
"""

from .._core import call
from .._named import Named
from ..rules.choices import where
from ..rules.primitives import as_array, broadcast_to, shape_of, summed_to


class Sample(Named):
    """A sample of leaves (*parameters, drawn), with the slope in each parameter.

    slopes: functions of (x, *parameters), in operations.
    """

    remedy = "pass x.detach() for a constant"

    def __init__(self, name, *slopes):
        self.name, self.slopes = name, slopes

    def __call__(self, *leaves):
        """The numbers drawn, the last of the leaves, as they depend on the parameters."""
        return call(self, [v if type(v) is float else as_array(v) for v in leaves])

    def run(self, leaves):
        """(The numbers drawn, nothing kept)."""
        return leaves[-1], None

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted parameters."""
        del saved
        return [
            summed_to(ct[0] * self.slopes[i](output, *leaves[:-1]), shape_of(leaves[i]))
            for i in wanted
        ]

    def push(self, leaves, output, saved, tangents):
        """The tangent of the sample."""
        del saved
        terms = [
            t * self.slopes[i](output, *leaves[:-1])
            for i, t in enumerate(tangents)
            if t is not None
        ]
        total, shape = sum(terms[1:], terms[0]), shape_of(output)
        return [total if shape_of(total) == shape else broadcast_to(total, shape)]


# ---- gamma and beta ----


def _gamma_slope(x, a):
    from ..scipy.special._gamma import gamma_sample

    return gamma_sample.partials[0](x, a, None)


def _beta_slope(i, x, a, b):
    from ..scipy.special._gamma import beta_sample

    return beta_sample.partials[i](x, a, b, None)


standard_gamma = Sample("standard_gamma", _gamma_slope)
chisquare = Sample("chisquare", lambda x, df: _gamma_slope(x / 2.0, df / 2.0))
beta = Sample(
    "beta", lambda x, a, b: _beta_slope(0, x, a, b), lambda x, a, b: _beta_slope(1, x, a, b)
)


def _odds_slope(i, odds, a, b):
    """The slope of v / (1 - v) in the parameter a (0) or b (1) of a sample v of beta(a, b).

    The smaller of v and 1 - v is what is looked at, for its digits.
    """
    small = odds < 1.0
    v = where(small, odds / (1.0 + odds), 0.5)
    w = where(small, 0.5, 1.0 / (1.0 + odds))
    slope = where(small, _beta_slope(i, v, a, b), -_beta_slope(1 - i, w, b, a))
    return slope * (1.0 + odds) ** 2


def _t_slope(x, df):
    odds = x * x / df
    return x / (2.0 * df) + df / (4.0 * x) * _odds_slope(1, odds, 0.5, df / 2.0)


def _f_slope(i):
    def slope(x, m, n):
        moved = _odds_slope(i, x * m / n, m / 2.0, n / 2.0) * n / (2.0 * m)
        return moved + (x / n if i else -x / m)

    return slope


standard_t = Sample("standard_t", _t_slope)
f = Sample("f", _f_slope(0), _f_slope(1))


# ---- triangular ----


def _shares(x, left, mode, right):
    """(whether x is left of the mode, the slopes there in the mode and in the other end)."""
    first = x <= mode
    distance = where(first, x - left, right - x) * 0.5
    return first, distance / where(first, mode - left, right - mode), distance / (right - left)


def _left_slope(x, left, mode, right):
    first, inner, outer = _shares(x, left, mode, right)
    return where(first, 1.0 - inner - outer, outer)


def _mode_slope(x, left, mode, right):
    return _shares(x, left, mode, right)[1]


def _right_slope(x, left, mode, right):
    first, inner, outer = _shares(x, left, mode, right)
    return where(first, outer, 1.0 - inner - outer)


triangular = Sample("triangular", _left_slope, _mode_slope, _right_slope)
