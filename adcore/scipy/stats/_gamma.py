"""Distributions made of the incomplete gamma and beta functions."""

import math

from ... import ops
from ..special._gamma import (
    _log_student,
    beta_density,
    betainc,
    betaincc,
    betainccinv,
    betaincinv,
    betaln,
    fdtr,
    fdtrc,
    fdtri,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    stdtr,
    stdtrit,
)
from ..special._tails import log_betainc, log_gammainc, log_gammaincc
from ._distribution import EULER, INF, LOG_2, Continuous, exclude, pick, valued


class Gamma(Continuous):
    """The gamma distribution of the shape a."""

    def support_(self, a):
        return 0.0, INF

    def logpdf_(self, y, a):
        return ops.xlogy(a - 1.0, y) - y - ops.lgamma(a)

    def logcdf_(self, y, a):
        return log_gammainc(a, y)

    def logsf_(self, y, a):
        return log_gammaincc(a, y)

    def cdf_(self, y, a):
        return gammainc(a, y)

    def sf_(self, y, a):
        return gammaincc(a, y)

    def ppf_(self, q, a):
        return gammaincinv(a, q)

    def isf_(self, q, a):
        return gammainccinv(a, q)

    def mean_(self, a):
        return a

    def var_(self, a):
        return a

    def skew_(self, a):
        return 2.0 / ops.sqrt(a)

    def kurtosis_(self, a):
        return 6.0 / a

    def entropy_(self, a):
        return a + (1.0 - a) * ops.digamma(a) + ops.lgamma(a)


class Chi2(Continuous):
    """Twice a gamma variable of the shape df / 2."""

    def support_(self, df):
        return 0.0, INF

    def logpdf_(self, y, df):
        half = 0.5 * df
        return ops.xlogy(half - 1.0, y) - 0.5 * y - ops.lgamma(half) - half * LOG_2

    def logcdf_(self, y, df):
        return log_gammainc(0.5 * df, 0.5 * y)

    def logsf_(self, y, df):
        return log_gammaincc(0.5 * df, 0.5 * y)

    def cdf_(self, y, df):
        return gammainc(0.5 * df, 0.5 * y)

    def sf_(self, y, df):
        return gammaincc(0.5 * df, 0.5 * y)

    def ppf_(self, q, df):
        return 2.0 * gammaincinv(0.5 * df, q)

    def isf_(self, q, df):
        return 2.0 * gammainccinv(0.5 * df, q)

    def mean_(self, df):
        return df

    def var_(self, df):
        return 2.0 * df

    def skew_(self, df):
        return 2.0 * ops.sqrt(2.0 / df)

    def kurtosis_(self, df):
        return 12.0 / df

    def entropy_(self, df):
        half = 0.5 * df
        return half + LOG_2 + ops.lgamma(half) + (1.0 - half) * ops.digamma(half)


class Invgamma(Continuous):
    """The reciprocal of a gamma variable."""

    open_ends = True

    def support_(self, a):
        return 0.0, INF

    def logpdf_(self, y, a):
        return -(a + 1.0) * ops.log(y) - ops.lgamma(a) - 1.0 / y

    def logcdf_(self, y, a):
        return log_gammaincc(a, 1.0 / y)

    def logsf_(self, y, a):
        return log_gammainc(a, 1.0 / y)

    def cdf_(self, y, a):
        return gammaincc(a, 1.0 / y)

    def sf_(self, y, a):
        return gammainc(a, 1.0 / y)

    def ppf_(self, q, a):
        return 1.0 / gammainccinv(a, q)

    def isf_(self, q, a):
        return 1.0 / gammaincinv(a, q)

    def mean_(self, a):
        return exclude(a > 1.0, 1.0 / (a - 1.0), INF)

    def var_(self, a):
        return exclude(a > 2.0, 1.0 / ((a - 1.0) ** 2 * (a - 2.0)), INF)

    def skew_(self, a):
        return exclude(a > 3.0, 4.0 * ops.sqrt(a - 2.0) / (a - 3.0), math.nan)

    def kurtosis_(self, a):
        value = 6.0 * (5.0 * a - 11.0) / ((a - 3.0) * (a - 4.0))
        return exclude(a > 4.0, value, math.nan)

    def entropy_(self, a):
        return a - (a + 1.0) * ops.digamma(a) + ops.lgamma(a)


class Maxwell(Continuous):
    """The length of a normal vector in three dimensions."""

    def support_(self):
        return 0.0, INF

    def logpdf_(self, y):
        return 0.5 * math.log(2.0 / math.pi) + 2.0 * ops.log(y) - 0.5 * y * y

    def pdf_(self, y):
        return math.sqrt(2.0 / math.pi) * y * y * ops.exp(-0.5 * y * y)

    def logcdf_(self, y):
        return log_gammainc(1.5, 0.5 * y * y)

    def logsf_(self, y):
        return log_gammaincc(1.5, 0.5 * y * y)

    def cdf_(self, y):
        return gammainc(1.5, 0.5 * y * y)

    def sf_(self, y):
        return gammaincc(1.5, 0.5 * y * y)

    def ppf_(self, q):
        return ops.sqrt(2.0 * gammaincinv(1.5, q))

    def isf_(self, q):
        return ops.sqrt(2.0 * gammainccinv(1.5, q))

    def mean_(self):
        return 2.0 * math.sqrt(2.0 / math.pi)

    def var_(self):
        return 3.0 - 8.0 / math.pi

    def skew_(self):
        return math.sqrt(2.0) * (32.0 - 10.0 * math.pi) / (3.0 * math.pi - 8.0) ** 1.5

    def kurtosis_(self):
        return (-12.0 * math.pi**2 + 160.0 * math.pi - 384.0) / (3.0 * math.pi - 8.0) ** 2

    def entropy_(self):
        return EULER + 0.5 * math.log(2.0 * math.pi) - 0.5


class Beta(Continuous):
    """The beta distribution."""

    def support_(self, a, b):
        return 0.0, 1.0

    def logpdf_(self, y, a, b):
        return ops.xlog1py(b - 1.0, -y) + ops.xlogy(a - 1.0, y) - betaln(a, b)

    @valued
    def pdf_(self, y, a, b):
        return beta_density(a, b, y)

    def logcdf_(self, y, a, b):
        return log_betainc(a, b, y / (1.0 - y))

    def logsf_(self, y, a, b):
        return log_betainc(b, a, (1.0 - y) / y)

    def cdf_(self, y, a, b):
        return betainc(a, b, y)

    def sf_(self, y, a, b):
        return betaincc(a, b, y)

    def ppf_(self, q, a, b):
        return betaincinv(a, b, q)

    def isf_(self, q, a, b):
        return betainccinv(a, b, q)

    def mean_(self, a, b):
        return a / (a + b)

    def var_(self, a, b):
        return a * b / ((a + b) ** 2 * (a + b + 1.0))

    def skew_(self, a, b):
        total = a + b
        return 2.0 * (b - a) * ops.sqrt(total + 1.0) / (ops.sqrt(a * b) * (total + 2.0))

    def kurtosis_(self, a, b):
        total = a + b
        top = (a - b) ** 2 * (total + 1.0) - a * b * (total + 2.0)
        return 6.0 * top / (a * b * (total + 2.0) * (total + 3.0))

    def entropy_(self, a, b):
        psi = ops.digamma
        return betaln(a, b) - (a - 1.0) * psi(a) - (b - 1.0) * psi(b) + (a + b - 2.0) * psi(a + b)


class F(Continuous):
    """Fisher's distribution."""

    def support_(self, dfn, dfd):
        return 0.0, INF

    def logpdf_(self, y, dfn, dfd):
        n, m = 0.5 * dfn, 0.5 * dfd
        ratio = dfn / dfd
        out = n * ops.log(ratio) + ops.xlogy(n - 1.0, y)
        return out - (n + m) * ops.log1p(ratio * y) - betaln(n, m)

    def logcdf_(self, y, dfn, dfd):
        return log_betainc(0.5 * dfn, 0.5 * dfd, dfn * y / dfd)

    def logsf_(self, y, dfn, dfd):
        return log_betainc(0.5 * dfd, 0.5 * dfn, dfd / (dfn * y))

    def cdf_(self, y, dfn, dfd):
        return fdtr(dfn, dfd, y)

    def sf_(self, y, dfn, dfd):
        return fdtrc(dfn, dfd, y)

    def ppf_(self, q, dfn, dfd):
        return fdtri(dfn, dfd, q)

    def isf_(self, q, dfn, dfd):
        return 1.0 / fdtri(dfd, dfn, q)

    def mean_(self, dfn, dfd):
        return exclude(dfd > 2.0, dfd / (dfd - 2.0), INF)

    def var_(self, dfn, dfd):
        value = 2.0 * dfd**2 * (dfn + dfd - 2.0) / (dfn * (dfd - 2.0) ** 2 * (dfd - 4.0))
        return exclude(dfd > 4.0, value, INF)

    def entropy_(self, dfn, dfd):
        a, b = 0.5 * dfn, 0.5 * dfd
        psi = ops.digamma
        out = ops.log(dfd) - ops.log(dfn) + betaln(a, b)
        return out + (1.0 - a) * psi(a) - (1.0 + b) * psi(b) + (a + b) * psi(a + b)


_FAR = 5.0  # from here on a tail of Student's distribution is an incomplete beta function


class T(Continuous):
    """Student's distribution."""

    def logpdf_(self, y, df):
        return _log_student(df, y)

    def logcdf_(self, y, df):
        near = pick(y < -_FAR, lambda: y + _FAR, lambda: y)  # inside of (-FAR, inf)

        def tail():
            return log_betainc(0.5 * df, 0.5, df / (y * y)) - LOG_2

        def central():
            return pick(
                near < 0.0,
                lambda: ops.log(stdtr(df, near)),
                lambda: ops.log1p(-stdtr(df, -near)),
            )

        return pick(y < -_FAR, tail, central)

    def logsf_(self, y, df):
        return self.logcdf_(-y, df)

    def cdf_(self, y, df):
        return stdtr(df, y)

    def sf_(self, y, df):
        return stdtr(df, -y)

    def ppf_(self, q, df):
        return stdtrit(df, q)

    def isf_(self, q, df):
        return -stdtrit(df, q)

    def mean_(self, df):
        return exclude(df > 1.0, 0.0 * df, math.nan)

    def var_(self, df):
        value = exclude(df > 2.0, df / (df - 2.0), INF)
        return exclude(df > 1.0, value, math.nan)

    def skew_(self, df):
        return exclude(df > 3.0, 0.0 * df, math.nan)

    def kurtosis_(self, df):
        value = exclude(df > 4.0, 6.0 / (df - 4.0), INF)
        return exclude(df > 2.0, value, math.nan)

    def entropy_(self, df):
        half, up = 0.5 * df, 0.5 * (df + 1.0)
        rise = ops.digamma(up) - ops.digamma(half)
        return up * rise + 0.5 * ops.log(df) + betaln(half, 0.5)


gamma = Gamma("gamma")
chi2 = Chi2("chi2")
invgamma = Invgamma("invgamma")
maxwell = Maxwell("maxwell")
beta = Beta("beta")
f = F("f")
t = T("t")
