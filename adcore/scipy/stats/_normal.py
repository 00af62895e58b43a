"""Distributions made of the normal one."""

import math

import numpy as np

from ... import _core, ops
from ...rules.primitives import below, reshape, shape_of, sum_axes
from ..special._normal import ndtri, ndtri_exp, normal_density, owens_t, rows
from ._distribution import INF, LOG_2, LOG_2PI, Continuous, by_scipy, exclude, pick, valued

ndtr = rows["ndtr"]
_ROOT_HALF = math.sqrt(0.5)
_ROOT_2_PI = math.sqrt(2.0 / math.pi)


def log_normal_density(y):
    """Of the standard normal distribution."""
    return -0.5 * y * y - 0.5 * LOG_2PI


class Norm(Continuous):
    """The normal distribution."""

    def logpdf_(self, y):
        return log_normal_density(y)

    def pdf_(self, y):
        return normal_density(y)

    def logcdf_(self, y):
        return ops.log_ndtr(y)

    def logsf_(self, y):
        return ops.log_ndtr(-y)

    def cdf_(self, y):
        return ndtr(y)

    def sf_(self, y):
        return ndtr(-y)

    def ppf_(self, q):
        return ndtri(q)

    def isf_(self, q):
        return -ndtri(q)

    def mean_(self):
        return 0.0

    def var_(self):
        return 1.0

    skew_ = kurtosis_ = mean_

    def entropy_(self):
        return 0.5 * (LOG_2PI + 1.0)


class Lognorm(Continuous):
    """exp of a normal variable of the deviation s."""

    open_ends = True

    def support_(self, s):
        return 0.0, INF

    def logpdf_(self, y, s):
        z = ops.log(y)
        return -0.5 * (z / s) ** 2 - ops.log(s) - z - 0.5 * LOG_2PI

    def logcdf_(self, y, s):
        return ops.log_ndtr(ops.log(y) / s)

    def logsf_(self, y, s):
        return ops.log_ndtr(-ops.log(y) / s)

    def cdf_(self, y, s):
        return ndtr(ops.log(y) / s)

    def sf_(self, y, s):
        return ndtr(-ops.log(y) / s)

    def ppf_(self, q, s):
        return ops.exp(s * ndtri(q))

    def isf_(self, q, s):
        return ops.exp(-s * ndtri(q))

    def mean_(self, s):
        return ops.exp(0.5 * s * s)

    def var_(self, s):
        return ops.exp(s * s) * ops.expm1(s * s)

    def skew_(self, s):
        return ops.sqrt(ops.expm1(s * s)) * (2.0 + ops.exp(s * s))

    def kurtosis_(self, s):
        p = ops.exp(s * s)
        return ((p + 2.0) * p + 3.0) * p * p - 6.0

    def entropy_(self, s):
        return 0.5 * (LOG_2PI + 1.0) + ops.log(s)


class Halfnorm(Continuous):
    """The absolute value of a normal variable."""

    def support_(self):
        return 0.0, INF

    def logpdf_(self, y):
        return 0.5 * math.log(2.0 / math.pi) - 0.5 * y * y

    def cdf_(self, y):
        return ops.erf(_ROOT_HALF * y)

    def sf_(self, y):
        return 2.0 * ndtr(-y)

    def logsf_(self, y):
        return pick(
            y < 1.0,
            lambda: ops.log1p(-ops.erf(_ROOT_HALF * y)),
            lambda: LOG_2 + ops.log_ndtr(-y),
        )

    def logcdf_(self, y):
        return pick(
            y < 1.0,
            lambda: ops.log(ops.erf(_ROOT_HALF * y)),
            lambda: ops.log1p(-2.0 * ndtr(-y)),
        )

    def ppf_(self, q):
        return ops.erfinv(q) / _ROOT_HALF

    def isf_(self, q):
        return -ndtri(0.5 * q)

    def mean_(self):
        return _ROOT_2_PI

    def var_(self):
        return 1.0 - 2.0 / math.pi

    def skew_(self):
        return math.sqrt(2.0) * (4.0 - math.pi) / (math.pi - 2.0) ** 1.5

    def kurtosis_(self):
        return 8.0 * (math.pi - 3.0) / (math.pi - 2.0) ** 2

    def entropy_(self):
        return 0.5 * math.log(math.pi / 2.0) + 0.5


# ---- truncated ----

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


def _log_narrow_mass(a, b):
    """The logarithm of the normal probability of (a, b) by Gauss' rule, for b - a below 1."""
    middle, half = 0.5 * (a + b), 0.5 * (b - a)
    shape = shape_of(middle)
    m, h = (reshape(v, (*shape, 1)) if shape else v for v in (middle, half))
    u = h * _NODES
    total = sum_axes(_WEIGHTS * ops.exp(-u * (m + 0.5 * u)), (len(shape),))
    return log_normal_density(middle) + ops.log(half) + ops.log(total)


def _log_difference(larger, smaller):
    """log(exp(larger) - exp(smaller))."""
    return larger + ops.log(-ops.expm1(smaller - larger))


def log_mass(a, b):
    """The logarithm of the normal probability of (a, b), of narrow and distant intervals too."""
    narrow = (b - a < 1.0) & (ops.abs(a + b) * (b - a) < 16.0)

    def wide():
        left = pick(
            a > 0.0,
            lambda: _log_difference(ops.log_ndtr(-a), ops.log_ndtr(-b)),
            lambda: ops.log1p(-(ndtr(a) + ndtr(-b))),
        )
        return pick(
            b <= 0.0, lambda: _log_difference(ops.log_ndtr(b), ops.log_ndtr(a)), lambda: left
        )

    return pick(narrow, lambda: _log_narrow_mass(a, b), wide)


class Truncnorm(Continuous):
    """A normal variable on condition that it lies in (a, b)."""

    def valid_(self, a, b):
        return a < b

    def support_(self, a, b):
        return a, b

    def logpdf_(self, y, a, b):
        return log_normal_density(y) - log_mass(a, b)

    def logcdf_(self, y, a, b):
        total = log_mass(a, b)
        low = log_mass(a, y) - total
        return pick(low < -0.7, lambda: low, lambda: ops.log1p(-ops.exp(log_mass(y, b) - total)))

    def logsf_(self, y, a, b):
        total = log_mass(a, b)
        high = log_mass(y, b) - total
        return pick(high < -0.7, lambda: high, lambda: ops.log1p(-ops.exp(log_mass(a, y) - total)))

    def _between(self, log_below, log_above, a, b):
        """The point that has these shares of the probability, logarithms, below and above."""
        total = log_mass(a, b)
        return pick(
            a < 0.0,
            lambda: ndtri_exp(ops.logaddexp(ops.log_ndtr(a), log_below + total)),
            lambda: -ndtri_exp(ops.logaddexp(ops.log_ndtr(-b), log_above + total)),
        )

    def ppf_(self, q, a, b):
        return self._between(ops.log(q), ops.log1p(-q), a, b)

    def isf_(self, q, a, b):
        return self._between(ops.log1p(-q), ops.log(q), a, b)

    def _edges(self, a, b):
        """(density at a, at b, a times the first, b times the second)."""
        total = log_mass(a, b)
        p, q = (ops.exp(log_normal_density(v) - total) for v in (a, b))
        finite_a, finite_b = (ops.abs(v) < INF for v in (a, b))
        return p, q, exclude(finite_a, a * p, 0.0), exclude(finite_b, b * q, 0.0)

    def mean_(self, a, b):
        p, q, _, _ = self._edges(a, b)
        return p - q

    def var_(self, a, b):
        p, q, ap, bq = self._edges(a, b)
        mean = p - q
        return 1.0 + (ap - mean * p) - (bq - mean * q)

    def entropy_(self, a, b):
        _, _, ap, bq = self._edges(a, b)
        return 0.5 * (LOG_2PI + 1.0) + log_mass(a, b) + 0.5 * (ap - bq)


# ---- skewed ----

_S = np.exp((_T := np.arange(-3.75, 5.0, 0.0625)) - np.exp(-_T))  # as in src_c/ad_quadrature.c
_S_WEIGHTS = _S * (1.0 + np.exp(-_T)) * 0.0625


def _log_skew_tail(y, a):
    """Log P(Y < y), y below the median, by integrating the density leftwards from y."""
    shape = np.broadcast_shapes(shape_of(y), shape_of(a))
    # The integral does not vary with the scale of its variable.
    fixed_y, fixed_a = (_core.apply("stop", v) for v in (y, a))
    steep = fixed_a * fixed_y < 0.0
    rate = 1.0 + ops.abs(fixed_y) * (1.0 + pick(steep, lambda: fixed_a * fixed_a, lambda: 0.0))
    rate = reshape(below(rate), (*shape_of(rate), 1))
    u, c = (reshape(v, (*shape_of(v), 1)) if shape_of(v) else v for v in (y, a))
    s = _S / rate
    height = ops.log_ndtr(c * u)
    exponent = s * (u - 0.5 * s) + ops.log_ndtr(c * (u - s)) - height
    total = sum_axes(_S_WEIGHTS / rate * ops.exp(exponent), (len(shape),))
    return LOG_2 + log_normal_density(y) + ops.log_ndtr(a * y) + ops.log(total)


class Skewnorm(Continuous):
    """Azzalini's skew normal distribution."""

    def valid_(self, a):
        return ops.abs(a) < INF

    def logpdf_(self, y, a):
        return LOG_2 + log_normal_density(y) + ops.log_ndtr(a * y)

    def logcdf_(self, y, a):
        return pick(
            self.cdf_(y, a) < 0.5,
            lambda: _log_skew_tail(y, a),
            lambda: ops.log1p(-ops.exp(_log_skew_tail(-y, -a))),
        )

    def logsf_(self, y, a):
        return self.logcdf_(-y, -a)

    def cdf_(self, y, a):
        plain = ndtr(y) - 2.0 * owens_t(y, a)
        return pick(plain < 0.1, lambda: ops.exp(_log_skew_tail(y, a)), lambda: plain)

    def sf_(self, y, a):
        return self.cdf_(-y, -a)

    @valued
    def ppf_(self, q, a):
        return by_scipy(self, q, a, upper=False)

    @valued
    def isf_(self, q, a):
        return by_scipy(self, q, a, upper=True)

    def _delta(self, a):
        return _ROOT_2_PI * a / ops.hypot(1.0, a)

    def mean_(self, a):
        return self._delta(a)

    def var_(self, a):
        return 1.0 - self._delta(a) ** 2

    def skew_(self, a):
        d = self._delta(a)
        return 0.5 * (4.0 - math.pi) * (d / ops.sqrt(1.0 - d * d)) ** 3

    def kurtosis_(self, a):
        d = self._delta(a) ** 2
        return 2.0 * (math.pi - 3.0) * (d / (1.0 - d)) ** 2


class Exponnorm(Continuous):
    """The sum of a normal variable and an exponential one of the mean K."""

    def logpdf_(self, y, K):
        z = 1.0 / K - y
        return -ops.log(K) + pick(
            z > 0.0,
            lambda: -0.5 * y * y - LOG_2 + ops.log(ops.erfcx(0, _ROOT_HALF * z)),
            lambda: (0.5 / K - y) / K + ops.log_ndtr(-z),
        )

    def logsf_(self, y, K):
        return ops.logaddexp(ops.log_ndtr(-y), ops.log(K) + self.logpdf_(y, K))

    def logcdf_(self, y, K):
        def low():
            near, far = ops.erfcx(0, -_ROOT_HALF * y), ops.erfcx(0, _ROOT_HALF * (1.0 / K - y))
            return -0.5 * y * y - LOG_2 + ops.log(near - far)

        return pick(y < 0.0, low, lambda: ops.log1p(-ops.exp(self.logsf_(y, K))))

    def ppf_(self, q, K):
        return by_scipy(self, q, K, upper=False)

    def isf_(self, q, K):
        return by_scipy(self, q, K, upper=True)

    def mean_(self, K):
        return K

    def var_(self, K):
        return 1.0 + K * K

    def skew_(self, K):
        return 2.0 * K**3 * (1.0 + K * K) ** -1.5

    def kurtosis_(self, K):
        return 6.0 * K**4 / (1.0 + K * K) ** 2


norm = Norm("norm")
lognorm = Lognorm("lognorm")
halfnorm = Halfnorm("halfnorm")
truncnorm = Truncnorm("truncnorm")
skewnorm = Skewnorm("skewnorm")
exponnorm = Exponnorm("exponnorm")
