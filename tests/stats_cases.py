"""What is true of the distributions of scipy.stats: densities and both tails in mpmath.

Independent of the library: nothing here imports it.  A distribution of one variable without an
entry fails test_stats.py.  Points are of the standardised variable, and lie in both tails.
"""

from dataclasses import dataclass

from mpmath import mp, mpf

from special_cases import betainc, gammainc, gammaincc, ndtr, owens_t

HALF = mpf(1) / 2


@dataclass
class Truth:
    """Functions of the standardised variable and the shapes, and where to look: (y, *shapes)."""

    logpdf: object
    cdf: object
    sf: object
    points: list
    quantile: tuple = ()  # shapes at which the quantiles are looked at; none if there are none


def phi(y):
    return mp.exp(-y * y / 2) / mp.sqrt(2 * mp.pi)


def log(x):
    return mp.log(x)


def beta_of_odds(a, b, r):
    """The incomplete beta function at r / (1 + r)."""
    return betainc(a, b, r / (1 + r))


def student(y, df):
    half = betainc(df / 2, HALF, df / (df + y * y)) / 2
    return half if y < 0 else 1 - half


def log_student(y, df):
    peak = mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2) - log(mp.pi * df) / 2
    return peak - (df + 1) / 2 * log(1 + y * y / df)


def log_f(y, n, m):
    out = n / 2 * log(n / m) + (n / 2 - 1) * log(y) - (n + m) / 2 * log(1 + n * y / m)
    return out - log(mp.beta(n / 2, m / 2))


def mass(a, b):
    """The normal probability of (a, b)."""
    return ndtr(b) - ndtr(a) if b < 0 else ndtr(-a) - ndtr(-b)


def extreme(y, c):
    return (1 - c * y) ** (1 / c) if c else mp.exp(-y)


def skew_cdf(y, a):
    """By Owen's function, whose integrand is smooth."""
    return ndtr(y) - 2 * owens_t(y, a)


def exponnorm_log(y, K):
    return (1 / (2 * K) - y) / K + log(ndtr(y - 1 / K)) - log(K)


def exponnorm_sf(y, K):
    return ndtr(-y) + K * mp.exp(exponnorm_log(y, K))


def triang_cdf(y, c):
    return y * y / c if y < c else 1 - (1 - y) ** 2 / (1 - c)


def von_mises_log(y, k):
    return k * mp.cos(y) - log(2 * mp.pi * mp.besseli(0, k))


def von_mises_cdf(y, k):
    """The Fourier series, whose coefficients I_n(k) / I_0(k) come from the last to the first."""
    total = ratio = mpf(0)
    for n in range(int(90 + 20 * mp.sqrt(k)), 0, -1):
        ratio = 1 / (2 * n / k + ratio)
        total = ratio * (mp.sin(n * y) / n + total)
    return HALF + (y / 2 + total) / mp.pi


TINY, HUGE = 1e-60, 1e60  # squares of their squares are still numbers
CONTINUOUS = {
    "norm": Truth(lambda y: log(phi(y)), ndtr, lambda y: ndtr(-y), [-1e4, -40.0, -1.5, 0.5, 45.0]),
    "lognorm": Truth(
        lambda y, s: log(phi(log(y) / s) / (s * y)),
        lambda y, s: ndtr(log(y) / s),
        lambda y, s: ndtr(-log(y) / s),
        [(1e-30, 0.7), (0.6, 0.7), (2.0, 1.5), (1e30, 0.9)],
        (0.7,),
    ),
    "halfnorm": Truth(
        lambda y: log(2 * phi(y)),
        lambda y: mp.erf(y / mp.sqrt(2)),
        lambda y: 2 * ndtr(-y),
        [1e-8, 0.4, 2.0, 50.0],
    ),
    "truncnorm": Truth(
        lambda y, a, b: log(phi(y) / mass(a, b)),
        lambda y, a, b: mass(a, y) / mass(a, b),
        lambda y, a, b: mass(y, b) / mass(a, b),
        [(0.5, -1.0, 2.0), (-2.5, -3.0, 5.0), (41.0, 40.0, 45.0), (2.05, 2.0, 2.125)],
        (-1.0, 2.0),
    ),
    "skewnorm": Truth(
        lambda y, a: log(2 * phi(y) * ndtr(a * y)),
        skew_cdf,
        lambda y, a: skew_cdf(-y, -a),
        [(0.5, 2.0), (-3.0, 1.5), (5.0, 0.75)],
        (1.5,),
    ),
    "exponnorm": Truth(
        exponnorm_log,
        lambda y, K: 1 - exponnorm_sf(y, K),
        exponnorm_sf,
        [(0.5, 1.5), (-9.0, 0.75), (30.0, 0.5), (3.0, 0.02)],
        (1.5,),
    ),
    "gamma": Truth(
        lambda y, a: (a - 1) * log(y) - y - mp.loggamma(a),
        lambda y, a: gammainc(a, y),
        lambda y, a: gammaincc(a, y),
        [(1.5, 2.5), (TINY, 6.0), (2000.0, 2.5), (0.25, 0.125), (900.0, 1000.0), (1500.0, 1000.0)],
        (2.5,),
    ),
    "chi2": Truth(
        lambda y, k: (k / 2 - 1) * log(y / 2) - y / 2 - mp.loggamma(k / 2) - log(2),
        lambda y, k: gammainc(k / 2, y / 2),
        lambda y, k: gammaincc(k / 2, y / 2),
        [(1.5, 3.0), (TINY, 14.0), (4000.0, 3.0)],
        (3.0,),
    ),
    "invgamma": Truth(
        lambda y, a: -(a + 1) * log(y) - 1 / y - mp.loggamma(a),
        lambda y, a: gammaincc(a, 1 / y),
        lambda y, a: gammainc(a, 1 / y),
        [(0.5, 2.5), (5e-4, 3.0), (HUGE, 6.0)],
        (2.5,),
    ),
    "maxwell": Truth(
        lambda y: log(2 * y * y * phi(y)),
        lambda y: gammainc(mpf(3) / 2, y * y / 2),
        lambda y: gammaincc(mpf(3) / 2, y * y / 2),
        [1e-70, 0.5, 2.0, 60.0],
    ),
    "beta": Truth(
        lambda y, a, b: (a - 1) * log(y) + (b - 1) * log(1 - y) - log(mp.beta(a, b)),
        lambda y, a, b: betainc(a, b, y),
        lambda y, a, b: betainc(b, a, 1 - y),
        [(0.25, 2.0, 3.0), (TINY, 6.0, 3.0), (0.9375, 0.5, 200.0), (0.875, 20.0, 0.75)],
        (2.0, 3.0),
    ),
    "f": Truth(
        log_f,
        lambda y, n, m: beta_of_odds(n / 2, m / 2, n * y / m),
        lambda y, n, m: beta_of_odds(m / 2, n / 2, m / (n * y)),
        [(0.75, 3.0, 7.0), (TINY, 12.0, 7.0), (HUGE, 3.0, 12.0)],
        (3.0, 7.0),
    ),
    "t": Truth(
        log_student,
        student,
        lambda y, df: student(-y, df),
        [(0.5, 5.0), (-2.5, 3.5), (1e40, 10.0), (-30.0, 2000.0)],
        (5.0,),
    ),
    "expon": Truth(
        lambda y: -y, lambda y: 1 - mp.exp(-y), lambda y: mp.exp(-y), [1e-20, 0.5, 3.0, 1e4]
    ),
    "laplace": Truth(
        lambda y: -abs(y) - log(2),
        lambda y: mp.exp(y) / 2 if y < 0 else 1 - mp.exp(-y) / 2,
        lambda y: mp.exp(-y) / 2 if y > 0 else 1 - mp.exp(y) / 2,
        [-2000.0, -0.5, 0.75, 2000.0],
    ),
    "logistic": Truth(
        lambda y: -y - 2 * log(1 + mp.exp(-y)),
        lambda y: 1 / (1 + mp.exp(-y)),
        lambda y: 1 / (1 + mp.exp(y)),
        [-900.0, -0.5, 0.25, 900.0],
    ),
    "gumbel_r": Truth(
        lambda y: -y - mp.exp(-y),
        lambda y: mp.exp(-mp.exp(-y)),
        lambda y: -mp.expm1(-mp.exp(-y)),
        [-4.0, 0.5, 3.0, 900.0],
    ),
    "gumbel_l": Truth(
        lambda y: y - mp.exp(y),
        lambda y: -mp.expm1(-mp.exp(y)),
        lambda y: mp.exp(-mp.exp(y)),
        [-900.0, -2.0, 0.5, 4.0],
    ),
    "weibull_min": Truth(
        lambda y, c: log(c) + (c - 1) * log(y) - y**c,
        lambda y, c: -mp.expm1(-(y**c)),
        lambda y, c: mp.exp(-(y**c)),
        [(TINY, 6.0), (0.5, 0.75), (1.5, 2.5), (200.0, 1.5)],
        (1.75,),
    ),
    "weibull_max": Truth(
        lambda y, c: log(c) + (c - 1) * log(-y) - (-y) ** c,
        lambda y, c: mp.exp(-((-y) ** c)),
        lambda y, c: -mp.expm1(-((-y) ** c)),
        [(-TINY, 6.0), (-0.5, 0.75), (-200.0, 1.5)],
        (1.75,),
    ),
    "rayleigh": Truth(
        lambda y: log(y) - y * y / 2,
        lambda y: -mp.expm1(-y * y / 2),
        lambda y: mp.exp(-y * y / 2),
        [1e-20, 0.5, 2.0, 60.0],
    ),
    "cauchy": Truth(
        lambda y: -log(mp.pi * (1 + y * y)),
        lambda y: mp.atan2(1, -y) / mp.pi,
        lambda y: mp.atan2(1, y) / mp.pi,
        [-HUGE, -3.0, 0.5, HUGE],
    ),
    "pareto": Truth(
        lambda y, b: log(b) - (b + 1) * log(y),
        lambda y, b: 1 - y**-b,
        lambda y, b: y**-b,
        [(1.001, 3.0), (1.5, 2.5), (HUGE, 6.0)],
        (2.5,),
    ),
    "uniform": Truth(lambda y: mpf(0) * y, lambda y: y, lambda y: 1 - y, [1e-10, 0.25, 0.875]),
    "triang": Truth(
        lambda y, c: log(2 * y / c if y < c else 2 * (1 - y) / (1 - c)),
        triang_cdf,
        lambda y, c: 1 - triang_cdf(y, c),
        [(1e-9, 0.25), (0.125, 0.25), (0.875, 0.25)],
        (0.25,),
    ),
    "loguniform": Truth(
        lambda y, a, b: -log(y) - log(log(b / a)),
        lambda y, a, b: log(y / a) / log(b / a),
        lambda y, a, b: log(b / y) / log(b / a),
        [(0.50001, 0.5, 4.0), (1.5, 0.5, 4.0), (3.9375, 0.5, 4.0)],
        (0.5, 4.0),
    ),
    "genextreme": Truth(
        lambda y, c: -extreme(y, c) + log(extreme(y, c)) - log(1 - c * y),
        lambda y, c: mp.exp(-extreme(y, c)),
        lambda y, c: -mp.expm1(-extreme(y, c)),
        [(0.5, 0.25), (-2.0, 0.5), (1.5, 1e-6), (1e5, -0.25), (3.99, 0.25)],
        (0.25,),
    ),
    "vonmises": Truth(
        von_mises_log,
        von_mises_cdf,
        lambda y, k: von_mises_cdf(-y, k),
        [(0.5, 2.0), (-1.0, 12.0), (2.5, 0.5), (-0.05, 600.0)],
    ),
}
CONTINUOUS["reciprocal"] = CONTINUOUS["loguniform"]


def log_binomial(n, k):
    return mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)


def beta_binomial(k, n, a, b):
    return log_binomial(n, k) + log(mp.beta(k + a, n - k + b)) - log(mp.beta(a, b))


def up_to(pmf):
    return lambda k, n, *shapes: mp.fsum(mp.exp(pmf(j, n, *shapes)) for j in range(int(k) + 1))


def above(pmf):
    return lambda k, n, *shapes: mp.fsum(
        mp.exp(pmf(j, n, *shapes)) for j in range(int(k) + 1, int(n) + 1)
    )


# The same on whole numbers; the first shape is a count where it is an int.
DISCRETE = {
    "poisson": Truth(
        lambda k, m: k * log(m) - m - mp.loggamma(k + 1),
        lambda k, m: gammaincc(k + 1, m),
        lambda k, m: gammainc(k + 1, m),
        [(3, 2.5), (0, 2000.0), (400, 0.5)],
    ),
    "binom": Truth(
        lambda k, n, p: log_binomial(n, k) + k * log(p) + (n - k) * log(1 - p),
        lambda k, n, p: betainc(n - k, k + 1, 1 - p),
        lambda k, n, p: betainc(k + 1, n - k, p),
        [(3, 10, 0.25), (2, 4000, 0.25), (390, 400, 0.03125)],
    ),
    "bernoulli": Truth(
        lambda k, p: log(p if k else 1 - p),
        lambda k, p: mpf(1) if k else 1 - p,
        lambda k, p: mpf(0) if k else p,
        [(0, 0.25)],
    ),
    "nbinom": Truth(
        lambda k, n, p: (
            mp.loggamma(n + k) - mp.loggamma(k + 1) - mp.loggamma(n) + n * log(p) + k * log(1 - p)
        ),
        lambda k, n, p: betainc(n, k + 1, p),
        lambda k, n, p: betainc(k + 1, n, 1 - p),
        [(3, 2.5, 0.25), (2, 250.5, 0.03125), (3000, 2.5, 0.5)],
    ),
    "geom": Truth(
        lambda k, p: (k - 1) * log(1 - p) + log(p),
        lambda k, p: 1 - (1 - p) ** k,
        lambda k, p: (1 - p) ** k,
        [(3, 0.25), (1, 1e-12), (4000, 0.5)],
    ),
    "betabinom": Truth(
        beta_binomial,
        up_to(beta_binomial),
        above(beta_binomial),
        [(3, 10, 2.5, 1.5), (8, 9, 0.5, 4.0)],
    ),
}
