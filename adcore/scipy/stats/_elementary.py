"""Distributions whose functions are elementary: exponentials, powers and logarithms."""

import math

import numpy as np

from ... import ops
from ...rules.choices import where
from ..special._function import Function
from ..special._gamma import gamma as gamma_function
from ..special._hypergeometric import hyp2f1
from ..special._normal import exprel, rows
from ._distribution import EULER, INF, LOG_2, Continuous, exclude, pick

log_expit, logit = rows["log_expit"], rows["logit"]
_ZETA3 = 1.2020569031595942


def log_one_minus(level):
    """log(1 - exp(-t)), t = exp(level), also where t underflows."""
    return pick(
        level < 0.0,
        lambda: level + ops.log(exprel(-ops.exp(level))),
        lambda: ops.log1p(-ops.exp(-ops.exp(level))),
    )


class Expon(Continuous):
    """The exponential distribution."""

    def support_(self):
        return 0.0, INF

    def logpdf_(self, y):
        return -y

    def logcdf_(self, y):
        return pick(y < 0.7, lambda: ops.log(-ops.expm1(-y)), lambda: ops.log1p(-ops.exp(-y)))

    def logsf_(self, y):
        return -y

    def cdf_(self, y):
        return -ops.expm1(-y)

    def ppf_(self, q):
        return -ops.log1p(-q)

    def isf_(self, q):
        return -ops.log(q)

    def mean_(self):
        return 1.0

    def var_(self):
        return 1.0

    def skew_(self):
        return 2.0

    def kurtosis_(self):
        return 6.0

    def entropy_(self):
        return 1.0


class Laplace(Continuous):
    """Laplace's distribution, whose density has a kink at its centre."""

    def logpdf_(self, y):
        return -ops.abs(y) - LOG_2

    def logcdf_(self, y):
        return pick(y < 0.0, lambda: y - LOG_2, lambda: ops.log1p(-0.5 * ops.exp(-y)))

    def logsf_(self, y):
        return self.logcdf_(-y)

    def cdf_(self, y):
        return pick(y < 0.0, lambda: 0.5 * ops.exp(y), lambda: 1.0 - 0.5 * ops.exp(-y))

    def sf_(self, y):
        return self.cdf_(-y)

    def ppf_(self, q):
        return pick(q <= 0.5, lambda: ops.log(2.0 * q), lambda: -ops.log(2.0 * (1.0 - q)))

    def isf_(self, q):
        return -self.ppf_(q)

    def mean_(self):
        return 0.0

    def var_(self):
        return 2.0

    skew_ = mean_

    def kurtosis_(self):
        return 3.0

    def entropy_(self):
        return LOG_2 + 1.0


class Logistic(Continuous):
    """The logistic distribution."""

    def logpdf_(self, y):
        return -(ops.softplus(y) + ops.softplus(-y))

    def logcdf_(self, y):
        return log_expit(y)

    def logsf_(self, y):
        return log_expit(-y)

    def cdf_(self, y):
        return ops.logistic(y)

    def sf_(self, y):
        return ops.logistic(-y)

    def ppf_(self, q):
        return logit(q)

    def isf_(self, q):
        return -logit(q)

    def mean_(self):
        return 0.0

    def var_(self):
        return math.pi**2 / 3.0

    skew_ = mean_

    def kurtosis_(self):
        return 1.2

    def entropy_(self):
        return 2.0


class GumbelR(Continuous):
    """The distribution of greatest values."""

    side = 1.0

    def logpdf_(self, y):
        z = self.side * y
        return -z - ops.exp(-z)

    def _lower(self, z):
        return -ops.exp(-z)

    def _upper(self, z):
        return log_one_minus(-z)

    def logcdf_(self, y):
        return self._lower(y)

    def logsf_(self, y):
        return self._upper(y)

    def ppf_(self, q):
        return -ops.log(-ops.log(q))

    def isf_(self, q):
        return -ops.log(-ops.log1p(-q))

    def mean_(self):
        return self.side * EULER

    def var_(self):
        return math.pi**2 / 6.0

    def skew_(self):
        return self.side * 12.0 * math.sqrt(6.0) / math.pi**3 * _ZETA3

    def kurtosis_(self):
        return 2.4

    def entropy_(self):
        return EULER + 1.0


class GumbelL(GumbelR):
    """The distribution of smallest values."""

    side = -1.0

    def logcdf_(self, y):
        return self._upper(-y)

    def logsf_(self, y):
        return self._lower(-y)

    def ppf_(self, q):
        return ops.log(-ops.log1p(-q))

    def isf_(self, q):
        return ops.log(-ops.log(q))


class WeibullMin(Continuous):
    """Weibull's distribution of smallest values."""

    side = 1.0

    def support_(self, c):
        return 0.0, INF

    def logpdf_(self, y, c):
        z = self.side * y
        return ops.log(c) + ops.xlogy(c - 1.0, z) - ops.pow(z, c)

    def pdf_(self, y, c):
        z = self.side * y
        return c * ops.pow(z, c - 1.0) * ops.exp(-ops.pow(z, c))

    def _near(self, z, c):
        return log_one_minus(c * ops.log(z))

    def _far(self, z, c):
        return -ops.pow(z, c)

    def logcdf_(self, y, c):
        return self._near(y, c)

    def logsf_(self, y, c):
        return self._far(y, c)

    def ppf_(self, q, c):
        return ops.pow(-ops.log1p(-q), 1.0 / c)

    def isf_(self, q, c):
        return ops.pow(-ops.log(q), 1.0 / c)

    def _moments(self, c):
        return [gamma_function(1.0 + k / c) for k in range(1, 5)]

    def mean_(self, c):
        return self.side * gamma_function(1.0 + 1.0 / c)

    def var_(self, c):
        m = self._moments(c)
        return m[1] - m[0] ** 2

    def skew_(self, c):
        m = self._moments(c)
        third = m[2] - 3.0 * m[0] * m[1] + 2.0 * m[0] ** 3
        return self.side * third / self.var_(c) ** 1.5

    def kurtosis_(self, c):
        m = self._moments(c)
        fourth = m[3] - 4.0 * m[0] * m[2] + 6.0 * m[0] ** 2 * m[1] - 3.0 * m[0] ** 4
        return fourth / self.var_(c) ** 2 - 3.0

    def entropy_(self, c):
        return -EULER / c - ops.log(c) + EULER + 1.0


class WeibullMax(WeibullMin):
    """Weibull's distribution of greatest values."""

    side = -1.0

    def support_(self, c):
        return -INF, 0.0

    def logcdf_(self, y, c):
        return self._far(-y, c)

    def logsf_(self, y, c):
        return self._near(-y, c)

    def ppf_(self, q, c):
        return -ops.pow(-ops.log(q), 1.0 / c)

    def isf_(self, q, c):
        return -ops.pow(-ops.log1p(-q), 1.0 / c)


class Rayleigh(Continuous):
    """The length of a normal vector in two dimensions."""

    def support_(self):
        return 0.0, INF

    def logpdf_(self, y):
        return ops.log(y) - 0.5 * y * y

    def pdf_(self, y):
        return y * ops.exp(-0.5 * y * y)

    def logcdf_(self, y):
        return log_one_minus(2.0 * ops.log(y) - LOG_2)

    def cdf_(self, y):
        return -ops.expm1(-0.5 * y * y)

    def logsf_(self, y):
        return -0.5 * y * y

    def ppf_(self, q):
        return ops.sqrt(-2.0 * ops.log1p(-q))

    def isf_(self, q):
        return ops.sqrt(-2.0 * ops.log(q))

    def mean_(self):
        return math.sqrt(0.5 * math.pi)

    def var_(self):
        return 0.5 * (4.0 - math.pi)

    def skew_(self):
        return 2.0 * (math.pi - 3.0) * math.sqrt(math.pi) / (4.0 - math.pi) ** 1.5

    def kurtosis_(self):
        return 6.0 * math.pi / (4.0 - math.pi) - 16.0 / (4.0 - math.pi) ** 2

    def entropy_(self):
        return 0.5 * EULER + 1.0 - 0.5 * LOG_2


class Cauchy(Continuous):
    """Cauchy's distribution."""

    def logpdf_(self, y):
        size = ops.abs(y)
        wide = size > 1e9  # where the square might overflow
        return -math.log(math.pi) - pick(
            wide, lambda: 2.0 * ops.log(size), lambda: ops.log1p(y * y)
        )

    def pdf_(self, y):
        return 1.0 / math.pi / (1.0 + y * y)

    def cdf_(self, y):
        return ops.atan2(1.0, -y) / math.pi

    def sf_(self, y):
        return ops.atan2(1.0, y) / math.pi

    def logcdf_(self, y):
        return pick(y < 0.0, lambda: ops.log(self.cdf_(y)), lambda: ops.log1p(-self.sf_(y)))

    def logsf_(self, y):
        return self.logcdf_(-y)

    def ppf_(self, q):
        low = q <= 0.5
        side, tail = where(low, -1.0, 1.0), where(low, q, 1.0 - q)
        return side / ops.tan(math.pi * tail)

    def isf_(self, q):
        return -self.ppf_(q)

    def entropy_(self):
        return math.log(4.0 * math.pi)


class Pareto(Continuous):
    """Pareto's distribution."""

    def support_(self, b):
        return 1.0, INF

    def logpdf_(self, y, b):
        return ops.log(b) - (b + 1.0) * ops.log(y)

    def pdf_(self, y, b):
        return b * ops.pow(y, -b - 1.0)

    def logsf_(self, y, b):
        return -b * ops.log(y)

    def sf_(self, y, b):
        return ops.pow(y, -b)

    def cdf_(self, y, b):
        return -ops.expm1(-b * ops.log(y))

    def logcdf_(self, y, b):
        t = b * ops.log(y)
        return pick(t < 0.7, lambda: ops.log(-ops.expm1(-t)), lambda: ops.log1p(-ops.exp(-t)))

    def ppf_(self, q, b):
        return ops.exp(-ops.log1p(-q) / b)

    def isf_(self, q, b):
        return ops.pow(q, -1.0 / b)

    def mean_(self, b):
        return exclude(b > 1.0, b / (b - 1.0), INF)

    def var_(self, b):
        return exclude(b > 2.0, b / ((b - 2.0) * (b - 1.0) ** 2), INF)

    def skew_(self, b):
        value = 2.0 * (b + 1.0) * ops.sqrt(b - 2.0) / ((b - 3.0) * ops.sqrt(b))
        return exclude(b > 3.0, value, math.nan)

    def kurtosis_(self, b):
        value = 6.0 * (b**3 + b**2 - 6.0 * b - 2.0) / (b * (b - 3.0) * (b - 4.0))
        return exclude(b > 4.0, value, math.nan)

    def entropy_(self, b):
        return 1.0 + 1.0 / b - ops.log(b)


class Uniform(Continuous):
    """The uniform distribution on (loc, loc + scale)."""

    def support_(self):
        return 0.0, 1.0

    def logpdf_(self, y):
        return 0.0 * y

    def pdf_(self, y):
        return 0.0 * y + 1.0

    def cdf_(self, y):
        return y

    def sf_(self, y):
        return 1.0 - y

    def logsf_(self, y):
        return ops.log1p(-y)

    def ppf_(self, q):
        return q

    def isf_(self, q):
        return 1.0 - q

    def mean_(self):
        return 0.5

    def var_(self):
        return 1.0 / 12.0

    def skew_(self):
        return 0.0

    def kurtosis_(self):
        return -1.2

    entropy_ = skew_


class Triang(Continuous):
    """The triangular distribution on (0, 1) with its peak at c."""

    def valid_(self, c):
        return (c >= 0) & (c <= 1)

    def support_(self, c):
        return 0.0, 1.0

    def _sides(self, y, c, left, right):
        return pick((y < c) | (c == 1.0), left, right)

    def pdf_(self, y, c):
        return self._sides(y, c, lambda: 2.0 * y / c, lambda: 2.0 * (1.0 - y) / (1.0 - c))

    def logpdf_(self, y, c):
        return ops.log(self.pdf_(y, c))

    def cdf_(self, y, c):
        return self._sides(y, c, lambda: y * y / c, lambda: 1.0 - (1.0 - y) * (1.0 - y) / (1.0 - c))

    def sf_(self, y, c):
        return self._sides(y, c, lambda: 1.0 - y * y / c, lambda: (1.0 - y) * (1.0 - y) / (1.0 - c))

    def logcdf_(self, y, c):
        return self._sides(
            y,
            c,
            lambda: ops.log(y * y / c),
            lambda: ops.log1p(-(1.0 - y) * (1.0 - y) / (1.0 - c)),
        )

    def logsf_(self, y, c):
        return self._sides(
            y, c, lambda: ops.log1p(-y * y / c), lambda: ops.log((1.0 - y) * (1.0 - y) / (1.0 - c))
        )

    def ppf_(self, q, c):
        return pick(
            q < c,
            lambda: ops.sqrt(c * q),
            lambda: 1.0 - ops.sqrt((1.0 - c) * (1.0 - q)),
        )

    def isf_(self, q, c):
        return pick(
            1.0 - q < c,
            lambda: ops.sqrt(c * (1.0 - q)),
            lambda: 1.0 - ops.sqrt((1.0 - c) * q),
        )

    def mean_(self, c):
        return (c + 1.0) / 3.0

    def var_(self, c):
        return (1.0 - c + c * c) / 18.0

    def skew_(self, c):
        top = math.sqrt(2.0) * (2.0 * c - 1.0) * (c + 1.0) * (c - 2.0)
        return top / (5.0 * (1.0 - c + c * c) ** 1.5)

    def kurtosis_(self, c):
        return -0.6 + 0.0 * c

    def entropy_(self, c):
        return 0.5 - LOG_2 + 0.0 * c


class Loguniform(Continuous):
    """exp of a uniform variable; the support is (a, b)."""

    def valid_(self, a, b):
        return (a > 0) & (b > a)

    def support_(self, a, b):
        return a, b

    def _width(self, a, b):
        return ops.log1p((b - a) / a)

    def logpdf_(self, y, a, b):
        return -ops.log(y) - ops.log(self._width(a, b))

    def pdf_(self, y, a, b):
        return 1.0 / (y * self._width(a, b))

    def cdf_(self, y, a, b):
        return self._width(a, y) / self._width(a, b)

    def sf_(self, y, a, b):
        return self._width(y, b) / self._width(a, b)

    def ppf_(self, q, a, b):
        return a * ops.exp(q * self._width(a, b))

    def isf_(self, q, a, b):
        return b * ops.exp(-q * self._width(a, b))

    def mean_(self, a, b):
        return (b - a) / self._width(a, b)

    def var_(self, a, b):
        mean = self.mean_(a, b)
        return (b - a) * (b + a) / (2.0 * self._width(a, b)) - mean * mean

    def entropy_(self, a, b):
        return 0.5 * (ops.log(a) + ops.log(b)) + ops.log(self._width(a, b))


def _level_value(y, c):
    u = c * y
    with np.errstate(all="ignore"):
        return np.where(u == 0.0, y, -np.log1p(-u) / c)


def _level_c(level, y, c):
    """In closed form (1/(1-u) + log(1-u)/u) y^2/u, which cancels for small u = c y."""
    u = c * y
    small = ops.abs(u) < 0.5
    return pick(
        small,
        lambda: 0.5 * y * y * hyp2f1(2.0, 2.0, 3.0, exclude(small, u, 0.0)),
        lambda: (y / (1.0 - u) - level) / c,
    )


# -log1p(-c y) / c, which is smooth in c at 0.
_level = Function(
    "genextreme.level", _level_value, [lambda level, y, c: 1.0 / (1.0 - c * y), _level_c]
)


class Genextreme(Continuous):
    """The generalised distribution of extreme values; c = 0 is Gumbel's."""

    def valid_(self, c):
        return ops.abs(c) < INF

    def support_(self, c):
        return (
            exclude(c < 0, 1.0 / c if _nonzero(c) else 0.0, -INF),
            exclude(c > 0, 1.0 / c if _nonzero(c) else 0.0, INF),
        )

    def logpdf_(self, y, c):
        level = _level(y, c)
        return -ops.exp(-level) - level - ops.log1p(-c * y)

    def logcdf_(self, y, c):
        return -ops.exp(-_level(y, c))

    def logsf_(self, y, c):
        return log_one_minus(-_level(y, c))

    def _at(self, level, c):
        return level * exprel(-c * level)

    def ppf_(self, q, c):
        return self._at(-ops.log(-ops.log(q)), c)

    def isf_(self, q, c):
        return self._at(-ops.log(-ops.log1p(-q)), c)

    def entropy_(self, c):
        return EULER * (1.0 - c) + 1.0


def _nonzero(c):
    """False only for the number 0, which has no reciprocal in Python."""
    return not (type(c) is float and c == 0.0)


expon = Expon("expon")
laplace = Laplace("laplace")
logistic = Logistic("logistic")
gumbel_r = GumbelR("gumbel_r")
gumbel_l = GumbelL("gumbel_l")
weibull_min = WeibullMin("weibull_min")
weibull_max = WeibullMax("weibull_max")
rayleigh = Rayleigh("rayleigh")
cauchy = Cauchy("cauchy")
pareto = Pareto("pareto")
uniform = Uniform("uniform")
triang = Triang("triang")
loguniform = Loguniform("loguniform")
reciprocal = Loguniform("reciprocal")
genextreme = Genextreme("genextreme")
