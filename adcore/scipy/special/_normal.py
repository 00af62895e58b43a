"""The error functions, the normal distribution, logistic functions, entropies, losses, powers."""

import functools
import math

import numpy as np
import scipy.special as sp

from ... import _core, ops
from ...rules.choices import where
from ._function import Function, composed, define, register
from ._hypergeometric import hyp1f1, hyp2f1

_ROOT_PI = math.sqrt(math.pi)
_ROOT_2PI = math.sqrt(2 * math.pi)
_DEGREE = math.pi / 180

# ---- rows of the op table: the ufunc finds them by itself ----

_ROWS = {
    **{name: name for name in ("erf", "erfc", "erfinv", "log_ndtr", "entr", "xlogy", "xlog1py")},
    **{name: name for name in ("erfcinv", "ndtr", "ndtri", "gamma", "logit", "log_expit", "cosm1")},
    **{name: name for name in ("exp2", "expm1", "log1p", "cbrt", "softplus")},
    "gammaln": "lgamma",
    "psi": "digamma",
    "digamma": "digamma",
    "expit": "logistic",
}


def _row(name, row):
    @composed(name)
    def function(*args):
        return row(*args)

    function.__doc__ = f"scipy.special.{name}, also of tensors and duals."
    return functools.update_wrapper(_core.RowFunction(row, function), function)


rows = {name: _row(name, ops.functions[row]) for name, row in _ROWS.items()}
erfcx = _row("erfcx", functools.partial(ops.erfcx, 0))
round = _row("round", ops.rint)


# ---- error functions ----


def normal_density(x):
    """exp(-x^2 / 2) / sqrt(2 pi)."""
    return ops.exp(-0.5 * x * x) / _ROOT_2PI


erfi = define("erfi", lambda y, x: 2 / _ROOT_PI * ops.exp(x * x))
ndtri = ops.ndtri
ndtri_exp = define("ndtri_exp", lambda y, x: 1.0 / ops.mills(0, y))


def _owens_t_h(y, h, a):
    return -ops.exp(-0.5 * h * h) * ops.erf(a * h * math.sqrt(0.5)) / (2 * _ROOT_2PI)


def _owens_t_a(y, h, a):
    return ops.exp(-0.5 * h * h * (1.0 + a * a)) / (2 * math.pi * (1.0 + a * a))


owens_t = define("owens_t", _owens_t_h, _owens_t_a)

# The real and the imaginary part of w((x + iy) / (sigma sqrt(2))), which obey
# w' = 2i / sqrt(pi) - 2 z w and the equations of Cauchy and Riemann.
_real = Function(
    "wofz.real",
    lambda x, y: sp.wofz(x + 1j * y).real,
    [
        lambda u, x, y: -2.0 * (x * u - y * _imag(x, y)),
        lambda u, x, y: 2.0 * (x * _imag(x, y) + y * u) - 2 / _ROOT_PI,
    ],
)
_imag = Function(
    "wofz.imag",
    lambda x, y: sp.wofz(x + 1j * y).imag,
    [
        lambda v, x, y: 2 / _ROOT_PI - 2.0 * (x * v + y * _real(x, y)),
        lambda v, x, y: -2.0 * (x * _real(x, y) - y * v),
    ],
)


@composed("voigt_profile", valued=True)
def voigt_profile(x, sigma, gamma):
    scale = sigma * math.sqrt(2.0)
    return _real(x / scale, gamma / scale) / (sigma * _ROOT_2PI)


# ---- the logistic function and its like ----

exprel = define("exprel", lambda y, x: 0.5 * hyp1f1(2.0, 3.0, x))
exp10 = define("exp10", lambda y, x: math.log(10.0) * y)
sindg = define("sindg", lambda y, x: _DEGREE * cosdg(x))
cosdg = define("cosdg", lambda y, x: -_DEGREE * sindg(x))
tandg = define("tandg", lambda y, x: _DEGREE * (1.0 + y * y))
cotdg = define("cotdg", lambda y, x: -_DEGREE * (1.0 + y * y))
wrightomega = define("wrightomega", lambda y, x: y / (1.0 + y))
radian = define(
    "radian",
    lambda y, d, m, s: _DEGREE,
    lambda y, d, m, s: _DEGREE / 60,
    lambda y, d, m, s: _DEGREE / 3600,
)
powm1 = define("powm1", lambda y, x, p: p * x ** (p - 1.0), lambda y, x, p: ops.xlogy(x**p, x))


def log_ratio(x, z):
    """log(x / z), with its digits where x is near z."""
    near = (x < 2.0 * z) & (z < 2.0 * x)
    return where(near, ops.log1p((x - z) / z), ops.log(x / z))


def _spence(y, x):
    """log(x) / (1 - x), near 1 by its power series."""
    near = (x > 0.5) & (x < 2.0)
    inner, outer = where(near, x, 1.0), where(near, 3.0, x)
    return where(near, -hyp2f1(1.0, 1.0, 2.0, 1.0 - inner), ops.log(outer) / (1.0 - outer))


spence = define("spence", _spence)

# ---- entropies and losses ----

rel_entr = define("rel_entr", lambda v, x, y: log_ratio(x, y) + 1.0, lambda v, x, y: -x / y)
kl_div = define("kl_div", lambda v, x, y: log_ratio(x, y), lambda v, x, y: (y - x) / y)


@composed("huber", valued=True)
def huber(delta, r):
    size = ops.abs(r)
    outside = delta * (size - 0.5 * delta)
    return where(delta < 0, math.inf, where(size <= delta, 0.5 * r * r, outside))


def _pseudo_huber_delta(y, delta, r):
    u = r / delta
    s = ops.hypot(1.0, u)
    return delta * (u * u / (1.0 + s)) ** 2 / s


pseudo_huber = define(
    "pseudo_huber", _pseudo_huber_delta, lambda y, delta, r: r / ops.hypot(1.0, r / delta)
)

# ---- powers, after Box and Cox ----


def _boxcox_lambda(log_x, lmbda):
    """The derivative of log_x exprel(lmbda log_x) with respect to lmbda."""
    return 0.5 * log_x * log_x * hyp1f1(2.0, 3.0, lmbda * log_x)


boxcox = define(
    "boxcox",
    lambda y, x, lmbda: x ** (lmbda - 1.0),
    lambda y, x, lmbda: _boxcox_lambda(ops.log(x), lmbda),
)
boxcox1p = define(
    "boxcox1p",
    lambda y, x, lmbda: ops.exp((lmbda - 1.0) * ops.log1p(x)),
    lambda y, x, lmbda: _boxcox_lambda(ops.log1p(x), lmbda),
)


def _inv_boxcox_lambda(power, x, lmbda):
    """The derivative of exp(x g(lmbda x)), g(u) = log1p(u) / u; `power` is its value."""
    return -0.5 * power * x * x * hyp2f1(2.0, 2.0, 3.0, -lmbda * x)


inv_boxcox = define(
    "inv_boxcox",
    lambda y, x, lmbda: y / (1.0 + lmbda * x),
    lambda y, x, lmbda: _inv_boxcox_lambda(y, x, lmbda),
)
inv_boxcox1p = define(
    "inv_boxcox1p",
    lambda y, x, lmbda: (1.0 + y) / (1.0 + lmbda * x),
    lambda y, x, lmbda: _inv_boxcox_lambda(1.0 + y, x, lmbda),
)


# ---- the normal distribution's parameters ----


@composed("nrdtrimn", valued=True)
def nrdtrimn(p, std, x):
    return x - std * ndtri(p)


@composed("nrdtrisd", valued=True)
def nrdtrisd(mn, p, x):
    return (x - mn) / ndtri(p)


# ---- Lambert's function ----


def _lambert(k):
    def value(x):
        w = np.asarray(sp._ufuncs._lambertw(x, k, 1e-8))
        real = w.imag == 0.0
        return w.real if real.all() else np.where(real, w.real, math.nan)

    return Function(f"lambertw[{k}]", value, [lambda w, x: ops.exp(-w) / (1.0 + w)])


_branches = {0: _lambert(0), -1: _lambert(-1)}


@composed("lambertw")
def lambertw(z, k=0, tol=1e-8):
    """scipy.special.lambertw; of tensors the real branches k = 0 and k = -1, as real numbers.

    Outside of their domains, x >= -1/e and -1/e <= x < 0, they are nan.
    """
    if type(k) is not int:
        k = np.asarray(k)[()]
    if (type(k) is not int and np.ndim(k)) or k not in _branches:
        raise ValueError(f"lambertw of a tensor has the real branches k = 0 and -1, got k = {k}")
    return _branches[k](z)


register(sp._ufuncs._lambertw, lambertw)
