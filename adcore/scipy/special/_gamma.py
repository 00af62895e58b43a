"""The gamma and beta functions, their incomplete forms and inverses, and the zeta function."""

import math

import numpy as np
import scipy.special as sp

from ... import _core, ops
from ...errors import NotDifferentiableError
from ...rules.choices import where
from ...rules.primitives import below
from ...rules.table import Dual, Tensor
from ._function import CKernel, Family, Function, Kernel, composed, define, holds, register
from ._normal import log_ratio

_ROOT_2PI = math.sqrt(2 * math.pi)


# ---- smooth parts of gamma functions, free of cancellation ----

# psi_n(a + b) - psi_n(a)
psi_difference = Family(
    "psi_difference",
    CKernel("psi_difference"),
    lambda family, orders: [
        family.raised(orders, 0),
        lambda y, a, b: ops.polygamma(orders[0] + 1, a + b),
    ],
    most=8,
)

# The n-th derivative of log(Gamma(x)) - (x - 1/2) log(x) + x - log(2 pi) / 2.
stirling = Family(
    "stirling", CKernel("stirling"), lambda family, orders: [family.raised(orders, 0)], most=8
)


# x - z - z log(x / z), which is 0 for x = z and else positive.
deviance = Function(
    "deviance",
    lambda x, z: _core.special("deviance", (), x, z),
    [lambda y, x, z: (x - z) / x, lambda y, x, z: log_ratio(z, x)],
)


_MODERATE = 40.0  # parameters up to which a density is computed as it is usually written


def gamma_density(a, x):
    """x^(a-1) exp(-x) / Gamma(a), for large a too."""
    usual = (a < _MODERATE) | (x == 0.0)
    if holds(usual):
        return ops.pow(x, a - 1.0) * ops.exp(-x - ops.lgamma(a))
    b, z = where(usual, 1.0, a), where(usual, 1.0, x)
    c = where(usual, a, 1.0)
    large = ops.sqrt(b) / (_ROOT_2PI * z) * ops.exp(-stirling.member(0)(b) - deviance(z, b))
    return where(usual, ops.pow(x, c - 1.0) * ops.exp(-x - ops.lgamma(c)), large)


def beta_density(a, b, x):
    """x^(a-1) (1-x)^(b-1) / B(a, b), for large a and b too."""
    usual = (a + b < _MODERATE) | (x == 0.0) | (x == 1.0)
    if holds(usual):
        return ops.pow(x, a - 1.0) * ops.pow(1.0 - x, b - 1.0) * ops.exp(-betaln(a, b))
    a_1, b_1, a_2, b_2 = (where(usual, *pair) for pair in ((a, 1.0), (b, 1.0), (1.0, a), (1.0, b)))
    small = ops.pow(x, a_1 - 1.0) * ops.pow(1.0 - x, b_1 - 1.0) * ops.exp(-betaln(a_1, b_1))
    z = where(usual, 0.5, x)
    n, y = a_2 + b_2, 1.0 - z
    s = stirling.member(0)
    smooth = s(n) - s(a_2) - s(b_2) - deviance(n * z, a_2) - deviance(n * y, b_2)
    large = ops.sqrt(a_2 / n) * ops.sqrt(b_2) / (_ROOT_2PI * z * y) * ops.exp(smooth)
    return where(usual, small, large)


# ---- gamma functions ----

gamma = ops.gamma
loggamma = define("loggamma", lambda y, x: ops.digamma(x))


def _rgamma(y, x):
    """From the reflection formula left of 1/2, which has no poles."""
    low = x < 0.5
    far, near = where(low, 1.0, x), where(low, x, 0.0)
    turn = ops.rint(near)
    angle, side = math.pi * (near - turn), 1.0 - 2.0 * ops.remainder(turn, 2.0)
    slope = ops.cos(angle) - ops.sin(angle) / math.pi * ops.digamma(1.0 - near)
    return where(low, side * gamma(1.0 - near) * slope, -rgamma(far) * ops.digamma(far))


rgamma = define("rgamma", _rgamma)


@composed("polygamma")
def polygamma(n, x):
    """scipy.special.polygamma; of tensors for one integer n."""
    if isinstance(n, (Tensor, Dual)) or np.ndim(n) or n != int(n):
        raise NotDifferentiableError(
            "scipy.special.polygamma of a tensor takes one integer n; call it for each n"
        )
    return ops.polygamma(int(n), x)


@composed("multigammaln")
def multigammaln(a, d):
    """scipy.special.multigammaln, also of tensors."""
    if d != int(d) or d < 1:
        raise ValueError("d should be a positive integer (dimension)")
    if np.any(below(a) <= 0.5 * (d - 1)):
        raise ValueError(f"condition a ({below(a)}) > 0.5 * (d-1) ({0.5 * (d - 1)}) not met")
    total = 0.25 * d * (d - 1) * math.log(math.pi)
    for j in range(int(d)):
        total = total + ops.lgamma(a - 0.5 * j)
    return total


@composed("factorial")
def factorial(n, exact=False, extend="zero"):
    """scipy.special.factorial, also of tensors: gamma(n + 1), and 0 for negative n."""
    if exact:
        raise NotDifferentiableError("factorial of a tensor is not exact; leave exact=True out")
    if extend != "zero":
        raise NotDifferentiableError("factorial of a tensor takes extend='zero' only")
    inside = n >= 0
    if holds(inside):
        return gamma(n + 1.0)
    return where(inside, gamma(where(inside, n, 0.0) + 1.0), 0.0)


poch = define(
    "poch",
    lambda y, z, m: y * psi_difference.member(0)(z, m),
    lambda y, z, m: y * ops.digamma(z + m),
)
beta = define(
    "beta",
    lambda y, a, b: -y * psi_difference.member(0)(a, b),
    lambda y, a, b: -y * psi_difference.member(0)(b, a),
)
betaln = define(
    "betaln",
    lambda y, a, b: -psi_difference.member(0)(a, b),
    lambda y, a, b: -psi_difference.member(0)(b, a),
)
binom = define(
    "binom",
    lambda y, n, k: y * psi_difference.member(0)(n - k + 1.0, k),
    lambda y, n, k: y * psi_difference.member(0)(k + 1.0, n - 2.0 * k),
)


@composed("comb")
def comb(N, k, *, exact=False, repetition=False):
    """scipy.special.comb, also of tensors: binom, and 0 outside of 0 <= k <= N."""
    if exact:
        raise NotDifferentiableError("comb of a tensor is not exact; leave exact=True out")
    if repetition:
        return comb(N + k - 1, k)
    inside = (k <= N) & (k >= 0)
    if holds(inside):
        return binom(N, k)
    return where(inside, binom(where(inside, N, 1.0), where(inside, k, 0.0)), 0.0)


@composed("perm")
def perm(N, k, exact=False):
    """scipy.special.perm, also of tensors: poch(N - k + 1, k), and 0 outside of 0 <= k <= N."""
    if exact:
        raise NotDifferentiableError("perm of a tensor is not exact; leave exact=True out")
    inside = (k <= N) & (k >= 0)
    if holds(inside):
        return poch(N - k + 1.0, k)
    return where(inside, poch(where(inside, N - k + 1.0, 1.0), where(inside, k, 0.0)), 0.0)


# ---- incomplete gamma functions ----


def _both_gamma_tails(a, x):
    return sp.gammainc(a, x), sp.gammaincc(a, x)


def _gammainc_partials(sign):
    def partials(family, orders):
        in_x = (
            (lambda y, a, x: sign * gamma_density(a, x))
            if orders == (0,)
            else _density_order(sign, orders[0])
        )
        return [family.raised(orders, 0), in_x]

    return partials


def _density_order(sign, n):
    """The n-th derivative of the density in a, by the derivatives of its logarithm."""

    def in_x(y, a, x):
        slopes = [ops.log(x) - ops.digamma(a), *[-ops.polygamma(k, a) for k in range(1, n)]]
        if n >= 1:
            slopes[0] = log_ratio(x, a) - stirling.member(1)(a) + 0.5 / a
        return sign * gamma_density(a, x) * bell(slopes)

    return in_x


def bell(slopes):
    """The n-th derivative of exp(g) over exp(g), given the n derivatives of g."""
    ratios = [1.0]
    for n in range(len(slopes)):
        terms = [math.comb(n, k) * slopes[k] * ratios[n - k] for k in range(n + 1)]
        ratios.append(sum(terms[1:], terms[0]))
    return ratios[-1]


_gammainc = Family(
    "gammainc",
    Kernel("gammainc", sp.gammainc, _both_gamma_tails),
    _gammainc_partials(1.0),
    most=6,
)
_gammaincc = Family(
    "gammaincc",
    Kernel("gammainc", sp.gammaincc, _both_gamma_tails, sign=-1.0),
    _gammainc_partials(-1.0),
    most=6,
)
gammainc, gammaincc = _gammainc.member(0), _gammaincc.member(0)
register(sp.gammainc, gammainc)
register(sp.gammaincc, gammaincc)
gammaincinv = define(
    "gammaincinv",
    lambda x, a, p: -_gammainc.member(1)(a, x) / gamma_density(a, x),
    lambda x, a, p: 1.0 / gamma_density(a, x),
)
gammainccinv = define(
    "gammainccinv",
    lambda x, a, q: -_gammainc.member(1)(a, x) / gamma_density(a, x),
    lambda x, a, q: -1.0 / gamma_density(a, x),
)

# ---- incomplete beta functions ----


def _both_beta_tails(a, b, x):
    return sp.betainc(a, b, x), sp.betaincc(a, b, x)


def _beta_density_orders(sign, i, j):
    """The derivatives of orders (i, j) of the density in a and b."""

    def in_x(y, a, b, x):
        d = psi_difference
        # log density: derivatives in a alone, b alone, and mixed, which is psi_k(a + b).
        s = stirling.member(1)
        n, z = a + b, 1.0 - x
        in_a = log_ratio(n * x, a) + s(n) - s(a) - 0.5 / n + 0.5 / a
        in_b = log_ratio(n * z, b) + s(n) - s(b) - 0.5 / n + 0.5 / b

        def slope(k, m):
            if k and m:
                return ops.polygamma(k + m - 1, n)
            if k + m == 1:
                return in_a if k else in_b
            return d.member(k - 1)(a, b) if k else d.member(m - 1)(b, a)

        return sign * beta_density(a, b, x) * bell_two(slope, i, j)

    return in_x


def bell_two(slope, i, j):
    """The derivative of orders (i, j) of exp(g) over exp(g), given slope(k, m) of g."""
    if i == 0 and j == 0:
        return 1.0
    # One derivative in the first variable that has any, by Leibniz.
    a, b = (1, 0) if i else (0, 1)
    total = 0.0
    for k in range(i - a + 1):
        for m in range(j - b + 1):
            weight = math.comb(i - a, k) * math.comb(j - b, m)
            total = total + weight * slope(k + a, m + b) * bell_two(slope, i - a - k, j - b - m)
    return total


def _betainc_partials(sign):
    def partials(family, orders):
        return [
            family.raised(orders, 0),
            family.raised(orders, 1),
            _beta_density_orders(sign, *orders),
        ]

    return partials


_betainc = Family(
    "betainc",
    Kernel("betainc", sp.betainc, _both_beta_tails),
    _betainc_partials(1.0),
    most=4,
    n_orders=2,
)
_betaincc = Family(
    "betaincc",
    Kernel("betainc", sp.betaincc, _both_beta_tails, sign=-1.0),
    _betainc_partials(-1.0),
    most=4,
    n_orders=2,
)
betainc, betaincc = _betainc.member(0, 0), _betaincc.member(0, 0)
register(sp.betainc, betainc)
register(sp.betaincc, betaincc)


def _inverse_beta(name, sign):
    return define(
        name,
        lambda x, a, b, p: -_betainc.member(1, 0)(a, b, x) / beta_density(a, b, x),
        lambda x, a, b, p: -_betainc.member(0, 1)(a, b, x) / beta_density(a, b, x),
        lambda x, a, b, p: sign / beta_density(a, b, x),
    )


betaincinv = _inverse_beta("betaincinv", 1.0)
betainccinv = _inverse_beta("betainccinv", -1.0)
btdtria = define(
    "btdtria",
    lambda a, p, b, x: 1.0 / _betainc.member(1, 0)(a, b, x),
    lambda a, p, b, x: -_betainc.member(0, 1)(a, b, x) / _betainc.member(1, 0)(a, b, x),
    lambda a, p, b, x: -beta_density(a, b, x) / _betainc.member(1, 0)(a, b, x),
)
btdtrib = define(
    "btdtrib",
    lambda b, a, p, x: -_betainc.member(1, 0)(a, b, x) / _betainc.member(0, 1)(a, b, x),
    lambda b, a, p, x: 1.0 / _betainc.member(0, 1)(a, b, x),
    lambda b, a, p, x: -beta_density(a, b, x) / _betainc.member(0, 1)(a, b, x),
)

# ---- samples of the gamma and the beta distribution, as their parameters move them ----

gamma_sample = Function(
    "gamma_sample",
    lambda a, drawn: drawn + 0.0 * a,
    [lambda x, a, drawn: -_gammainc.member(1)(a, x) / gamma_density(a, x), None],
)
beta_sample = Function(
    "beta_sample",
    lambda a, b, drawn: drawn + 0.0 * (a + b),
    [
        lambda x, a, b, drawn: -_betainc.member(1, 0)(a, b, x) / beta_density(a, b, x),
        lambda x, a, b, drawn: -_betainc.member(0, 1)(a, b, x) / beta_density(a, b, x),
        None,
    ],
)

# ---- the zeta function ----


def _zeta_partials(family, orders):
    n = orders[0]

    def in_q(y, s, q):
        # d/dq zeta_n(s, q), where d/dq zeta(s, q) = -s zeta(s + 1, q).
        out = -s * family.member(n)(s + 1.0, q)
        return out - n * family.member(n - 1)(s + 1.0, q) if n else out

    return [family.raised(orders, 0), in_q]


_hurwitz = Family("zeta", Kernel("zeta", sp._ufuncs._zeta), _zeta_partials, most=6)
_riemann = Family(
    "riemann_zeta",
    Kernel("riemann_zeta", sp._ufuncs._riemann_zeta),
    lambda family, orders: [family.raised(orders, 0)],
    most=6,
)
_of_hurwitz, _of_riemann = _hurwitz.member(0), _riemann.member(0)
register(sp._ufuncs._zeta, _of_hurwitz)
register(sp._ufuncs._riemann_zeta, _of_riemann)


@composed("zeta")
def zeta(x, q=None, out=None):
    """scipy.special.zeta, differentiable in x and in q."""
    if out is not None:
        raise NotDifferentiableError("zeta of a tensor does not take out=")
    return _of_riemann(x) if q is None else _of_hurwitz(x, q)


zetac = define("zetac", lambda y, x: _riemann.member(1)(x))

# ---- distribution functions that are these ----


@composed("chdtr", valued=True)
def chdtr(v, x):
    return gammainc(0.5 * v, 0.5 * x)


@composed("chdtrc", valued=True)
def chdtrc(v, x):
    return gammaincc(0.5 * v, 0.5 * x)


@composed("chdtri", valued=True)
def chdtri(v, p):
    return 2.0 * gammainccinv(0.5 * v, p)


@composed("chdtriv", valued=True)
def chdtriv(p, x):
    return 2.0 * _gamma_shape(p, 0.5 * x)


_gamma_shape = Function(
    "gamma_shape",  # a with gammainc(a, x) = p
    lambda p, x: sp.gdtrib(1.0, p, x),
    [
        lambda a, p, x: 1.0 / _gammainc.member(1)(a, x),
        lambda a, p, x: -gamma_density(a, x) / _gammainc.member(1)(a, x),
    ],
)


@composed("gdtr", valued=True)
def gdtr(a, b, x):
    return gammainc(b, a * x)


@composed("gdtrc", valued=True)
def gdtrc(a, b, x):
    return gammaincc(b, a * x)


@composed("gdtria", valued=True)
def gdtria(p, b, x):
    return gammaincinv(b, p) / x


@composed("gdtrib", valued=True)
def gdtrib(a, p, x):
    return _gamma_shape(p, a * x)


@composed("gdtrix", valued=True)
def gdtrix(a, b, p):
    return gammaincinv(b, p) / a


def _whole(name, k):
    """An argument that SciPy rounds down: a constant."""
    if isinstance(k, (Tensor, Dual)):
        raise NotDifferentiableError(
            f"scipy.special.{name} rounds the count k down, so it has no derivative with respect "
            "to it; pass k.detach().numpy()"
        )
    return np.floor(np.asarray(k, dtype=float))[()]


@composed("pdtr", valued=True)
def pdtr(k, m):
    return gammaincc(_whole("pdtr", k) + 1.0, m)


@composed("pdtrc", valued=True)
def pdtrc(k, m):
    return gammainc(_whole("pdtrc", k) + 1.0, m)


@composed("pdtri", valued="of integers")
def pdtri(k, y):
    return gammainccinv(_whole("pdtri", k) + 1.0, y)


@composed("bdtr", valued="of integers")
def bdtr(k, n, p):
    k = _whole("bdtr", k)
    return betaincc(k + 1.0, n - k, p)


@composed("bdtrc", valued="of integers")
def bdtrc(k, n, p):
    k = _whole("bdtrc", k)
    return betainc(k + 1.0, n - k, p)


@composed("bdtri", valued="of integers")
def bdtri(k, n, y):
    k = _whole("bdtri", k)
    return betainccinv(k + 1.0, n - k, y)


@composed("nbdtr", valued="of integers")
def nbdtr(k, n, p):
    return betainc(n, _whole("nbdtr", k) + 1.0, p)


@composed("nbdtrc", valued="of integers")
def nbdtrc(k, n, p):
    return betaincc(n, _whole("nbdtrc", k) + 1.0, p)


@composed("nbdtri", valued="of integers")
def nbdtri(k, n, y):
    return betaincinv(n, _whole("nbdtri", k) + 1.0, y)


@composed("fdtr", valued=True)
def fdtr(dfn, dfd, x):
    return _f_distribution(dfn, dfd, x, betainc, betaincc)


@composed("fdtrc", valued=True)
def fdtrc(dfn, dfd, x):
    return _f_distribution(dfn, dfd, x, betaincc, betainc)


def _f_distribution(dfn, dfd, x, lower, upper):
    """Of u = dfn x / (dfd + dfn x) or of 1 - u, whichever is the smaller."""
    top, total = dfn * x, dfd + dfn * x
    a, b = 0.5 * dfn, 0.5 * dfd
    low = top < dfd
    left = lower(a, b, where(low, top / total, 0.5))
    right = upper(b, a, where(low, 0.5, dfd / total))
    return where(low, left, right)


@composed("fdtri", valued=True)
def fdtri(dfn, dfd, p):
    y = betainccinv(0.5 * dfd, 0.5 * dfn, p)  # dfd / (dfd + dfn x)
    z = betaincinv(0.5 * dfn, 0.5 * dfd, p)  # 1 - y
    return dfd * z / (dfn * y)


# ---- Student's distribution ----

_student_peak = Family(
    "student_peak",
    CKernel("student_peak"),
    lambda family, orders: [family.raised(orders, 0)],
    most=6,
)
# log(1 + r) - r / (1 + r)
_excess = Function(
    "log1p_excess",
    lambda r: _core.special("log1p_excess", (), r),
    [lambda y, r: r / ((1.0 + r) * (1.0 + r))],
)


def _log_student_df(y, df, t):
    del y
    r = t * t / df
    return _student_peak.member(1)(df) - 0.5 * _excess(r) + 0.5 * r / (1.0 + r) / df


# The logarithm of the density.
_log_student = Function(
    "student_log_density",
    lambda df, t: _core.special("student_peak", (0,), df) - 0.5 * (df + 1.0) * np.log1p(t * t / df),
    [_log_student_df, lambda y, df, t: -(df + 1.0) * t / (df + t * t)],
)


def student_density(df, t):
    """The density of Student's distribution."""
    return ops.exp(_log_student(df, t))


def _student_density_orders(n):
    """The n-th derivative of the density in df, n <= 2."""

    def in_t(y, df, t):
        density = student_density(df, t)
        if n == 0:
            return density
        slope = _log_student_df(None, df, t)
        if n == 1:
            return density * slope
        total, r = df + t * t, t * t / df
        second = _student_peak.member(2)(df) + 0.5 * r * r / (df * (1.0 + r) * (1.0 + r))
        second = second - 0.5 * r * (df + total) / (df * total * total)
        return density * (slope * slope + second)

    return in_t


def _tail(df, t):
    return (sp.stdtr(df, -np.abs(t)),)


_stdtr = Family(
    "stdtr",
    Kernel("stdtr", sp.stdtr, _tail),
    lambda family, orders: [
        family.raised(orders, 0),
        _student_density_orders(orders[0])
        if orders[0] < 3
        else "third derivatives in df are not differentiated in t",
    ],
    most=3,
)
stdtr = _stdtr.member(0)
register(sp.stdtr, stdtr)
stdtrit = define(
    "stdtrit",
    lambda t, df, p: -_stdtr.member(1)(df, t) / student_density(df, t),
    lambda t, df, p: 1.0 / student_density(df, t),
)
stdtridf = define(
    "stdtridf",
    lambda df, p, t: 1.0 / _stdtr.member(1)(df, t),
    lambda df, p, t: -student_density(df, t) / _stdtr.member(1)(df, t),
)
