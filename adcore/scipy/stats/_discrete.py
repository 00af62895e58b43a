"""Distributions on whole numbers."""

import numpy as np

from ... import ops
from ...rules.primitives import below, reshape, shape_of, sum_axes
from ..special._gamma import beta_density, betainc, betaincc, betaln, gammainc, gammaincc
from ..special._tails import log_betainc, log_gammainc, log_gammaincc
from ._distribution import INF, Discrete, exclude, valued, whole


class Poisson(Discrete):
    """Poisson's distribution."""

    def valid_(self, mu):
        return mu >= 0

    def support_(self, mu):
        return 0.0, INF

    def logpmf_(self, k, mu):
        return ops.xlogy(k, mu) - ops.lgamma(k + 1.0) - mu

    def logcdf_(self, k, mu):
        return log_gammaincc(k + 1.0, mu)

    def logsf_(self, k, mu):
        return log_gammainc(k + 1.0, mu)

    def cdf_(self, k, mu):
        return gammaincc(k + 1.0, mu)

    def sf_(self, k, mu):
        return gammainc(k + 1.0, mu)

    def mean_(self, mu):
        return mu

    def var_(self, mu):
        return mu

    def skew_(self, mu):
        return 1.0 / ops.sqrt(mu)

    def kurtosis_(self, mu):
        return 1.0 / mu


class Binom(Discrete):
    """The number of successes in n trials."""

    counts = ("n",)

    def valid_(self, n, p):
        return (n >= 0) & whole(n) & (p >= 0) & (p <= 1)

    def support_(self, n, p):
        return 0.0, n

    def logpmf_(self, k, n, p):
        ways = -ops.log(n + 1.0) - betaln(n - k + 1.0, k + 1.0)
        return ways + ops.xlogy(k, p) + ops.xlog1py(n - k, -p)

    @valued
    def pmf_(self, k, n, p):
        return beta_density(k + 1.0, n - k + 1.0, p) / (n + 1.0)

    @valued
    def cdf_(self, k, n, p):
        return betaincc(k + 1.0, n - k, p)

    @valued
    def sf_(self, k, n, p):
        return betainc(k + 1.0, n - k, p)

    def logcdf_(self, k, n, p):
        return log_betainc(n - k, k + 1.0, (1.0 - p) / p)

    def logsf_(self, k, n, p):
        return log_betainc(k + 1.0, n - k, p / (1.0 - p))

    def mean_(self, n, p):
        return n * p

    def var_(self, n, p):
        return n * p * (1.0 - p)

    def skew_(self, n, p):
        return (1.0 - 2.0 * p) / ops.sqrt(self.var_(n, p))

    def kurtosis_(self, n, p):
        variance = self.var_(n, p)
        return 1.0 / variance - 6.0 / n


class Bernoulli(Discrete):
    """One trial: 1 with the probability p, else 0."""

    def valid_(self, p):
        return (p >= 0) & (p <= 1)

    def support_(self, p):
        return 0.0, 1.0

    def logpmf_(self, k, p):
        return ops.xlogy(k, p) + ops.xlog1py(1.0 - k, -p)

    def pmf_(self, k, p):
        return exclude(k == 1.0, p, 1.0 - p)

    def cdf_(self, k, p):
        return 1.0 - p + 0.0 * k

    def sf_(self, k, p):
        return p + 0.0 * k

    def logcdf_(self, k, p):
        return ops.log1p(-p) + 0.0 * k

    def mean_(self, p):
        return p

    def var_(self, p):
        return p * (1.0 - p)

    def skew_(self, p):
        return (1.0 - 2.0 * p) / ops.sqrt(self.var_(p))

    def kurtosis_(self, p):
        return 1.0 / self.var_(p) - 6.0

    def entropy_(self, p):
        return ops.entr(p) + ops.entr(1.0 - p)


class Nbinom(Discrete):
    """The number of failures before n successes; n need not be whole."""

    def valid_(self, n, p):
        return (n > 0) & (p > 0) & (p <= 1)

    def support_(self, n, p):
        return 0.0, INF

    def logpmf_(self, k, n, p):
        ways = -ops.log(n + k) - betaln(n, k + 1.0)
        return ways + n * ops.log(p) + ops.xlog1py(k, -p)

    @valued
    def cdf_(self, k, n, p):
        return betainc(n, k + 1.0, p)

    @valued
    def sf_(self, k, n, p):
        return betaincc(n, k + 1.0, p)

    def logcdf_(self, k, n, p):
        return log_betainc(n, k + 1.0, p / (1.0 - p))

    def logsf_(self, k, n, p):
        return log_betainc(k + 1.0, n, (1.0 - p) / p)

    def mean_(self, n, p):
        return n * (1.0 - p) / p

    def var_(self, n, p):
        return n * (1.0 - p) / (p * p)

    def skew_(self, n, p):
        return (2.0 - p) / ops.sqrt(n * (1.0 - p))

    def kurtosis_(self, n, p):
        return (p * p - 6.0 * p + 6.0) / (n * (1.0 - p))


class Geom(Discrete):
    """The number of trials up to the first success."""

    def valid_(self, p):
        return (p > 0) & (p <= 1)

    def support_(self, p):
        return 1.0, INF

    def logpmf_(self, k, p):
        return ops.xlog1py(k - 1.0, -p) + ops.log(p)

    def pmf_(self, k, p):
        return p * ops.exp(ops.xlog1py(k - 1.0, -p))

    def logsf_(self, k, p):
        return k * ops.log1p(-p)

    def cdf_(self, k, p):
        return -ops.expm1(k * ops.log1p(-p))

    def mean_(self, p):
        return 1.0 / p

    def var_(self, p):
        return (1.0 - p) / (p * p)

    def skew_(self, p):
        return (2.0 - p) / ops.sqrt(1.0 - p)

    def kurtosis_(self, p):
        return (p * p - 6.0 * p + 6.0) / (1.0 - p)

    def entropy_(self, p):
        return -ops.log(p) - ops.xlog1py(1.0 - p, -p) / p


class Betabinom(Discrete):
    """A binomial variable whose p has a beta distribution."""

    counts = ("n",)

    def valid_(self, n, a, b):
        return (n >= 0) & whole(n) & (a > 0) & (b > 0)

    def support_(self, n, a, b):
        return 0.0, n

    def logpmf_(self, k, n, a, b):
        ways = -ops.log(n + 1.0) - betaln(n - k + 1.0, k + 1.0)
        return ways + betaln(k + a, n - k + b) - betaln(a, b)

    def _sum(self, k, n, a, b, upper):
        """Of the probabilities up to k, or from k + 1 on."""
        size = int(np.max(below(n), initial=0)) + 1
        shape = np.broadcast_shapes(*[shape_of(v) for v in (k, n, a, b)])
        k, n, a, b = (reshape(v, (*shape_of(v), 1)) if shape_of(v) else v for v in (k, n, a, b))
        j = np.arange(float(size))
        kept = (j > k) & (j <= n) if upper else (j <= k) & (j <= n)
        terms = exclude(kept, ops.exp(self.logpmf_(j, n, a, b)), 0.0)
        return sum_axes(terms, (len(shape),))

    def cdf_(self, k, n, a, b):
        return self._sum(k, n, a, b, upper=False)

    def sf_(self, k, n, a, b):
        return self._sum(k, n, a, b, upper=True)

    def mean_(self, n, a, b):
        return n * a / (a + b)

    def var_(self, n, a, b):
        total = a + b
        return n * (total + n) * a * b / (total * total * (total + 1.0))


class Hypergeom(Discrete):
    """Draws without replacement: all its parameters count, so nothing is differentiable."""

    counts = ("M", "n", "N")

    def _numbers(self, method, args, kwargs):
        remedy = "its parameters count and cannot be differentiated; pass x.detach().numpy()"
        return self._numbers_only(method, remedy, args, kwargs)

    def _mass(self, method, k, args, kwargs, outside):
        return self._numbers(method, (k, *args), kwargs)

    def _distribution(self, method, k, args, kwargs, below, above):
        return self._numbers(method, (k, *args), kwargs)

    def _of_parameters(self, what, args, kwargs, combine):
        return self._numbers(what, args, kwargs)

    def stats(self, *args, **kwargs):
        """Moments, by SciPy."""
        return self._numbers("stats", args, kwargs)


poisson = Poisson("poisson")
binom = Binom("binom")
bernoulli = Bernoulli("bernoulli")
nbinom = Nbinom("nbinom")
geom = Geom("geom")
betabinom = Betabinom("betabinom")
hypergeom = Hypergeom("hypergeom")
