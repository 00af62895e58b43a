"""Exponential, trigonometric and Fresnel integrals, and orthogonal polynomials."""

import math

import numpy as np
import scipy.special as sp

from ... import ops
from ...rules.choices import where
from ._function import INTEGER, Family, Kernel, composed, define, outputs, register
from ._hypergeometric import hyp0f1

exp1 = define("exp1", lambda y, x: -ops.exp(-x) / x)
expi = define("expi", lambda y, x: ops.exp(x) / x)


def _expn(y, n, x):
    """-E_(n-1), where E_0 is exp(-x) / x."""
    first = np.asarray(n) < 1.0
    rest = -expn(np.where(first, 0.0, np.asarray(n) - 1.0)[()], x)
    return where(first, -ops.exp(-x) * (1.0 + x) / (x * x), rest)


expn = define("expn", INTEGER, _expn)


def _sinc(x):
    """sin(x) / x."""
    return ops.sinc(0, x / math.pi)


def _sinhc(x):
    """sinh(x) / x."""
    return hyp0f1(1.5, 0.25 * x * x)


sici, _ = outputs("sici", [lambda y, x: _sinc(x)], [lambda y, x: ops.cos(x) / x])
shichi, _ = outputs("shichi", [lambda y, x: _sinhc(x)], [lambda y, x: ops.cosh(x) / x])
fresnel, _ = outputs(
    "fresnel",
    [lambda y, x: ops.sin(0.5 * math.pi * x * x)],
    [lambda y, x: ops.cos(0.5 * math.pi * x * x)],
)
_dawsn = Family(
    "dawsn",
    Kernel("dawsn", sp.dawsn, lambda x: (sp.dawsn(x),)),
    lambda family, orders: [family.raised(orders, 0)],
    most=12,
)
dawsn = _dawsn.member(0)
register(sp.dawsn, dawsn)


@composed("sinc")
def sinc(x):
    """scipy.special.sinc, sin(pi x) / (pi x), also of tensors."""
    return ops.sinc(0, x)


# ---- orthogonal polynomials of integer degree ----

_SHAPE = "there is no rule for this parameter of a polynomial"


def _lowered(f, n, *args):
    """F of degree n - 1, and 0 for n = 0."""
    first = np.asarray(n) < 1.0
    below = np.where(first, 0, np.asarray(n).astype(int) - 1)[()]
    return where(first, 0.0, f(below, *args))


def _polynomial(name, slope, parameters=0):
    """A polynomial p_n of degree n, with its derivative in x, slope(n, *parameters, x)."""
    rest = [_SHAPE] * parameters
    ufunc = getattr(sp, name)

    def value(n, *args):
        return ufunc(np.asarray(n).astype(int), *args)

    return define(name, INTEGER, *rest, lambda y, n, *args: slope(n, *args), value=value)


eval_legendre = _polynomial("eval_legendre", lambda n, x: _lowered(eval_gegenbauer, n, 1.5, x))
eval_chebyt = _polynomial("eval_chebyt", lambda n, x: n * _lowered(eval_chebyu, n, x))
eval_chebyu = _polynomial("eval_chebyu", lambda n, x: 2.0 * _lowered(eval_gegenbauer, n, 2.0, x))
eval_chebyc = _polynomial("eval_chebyc", lambda n, x: n * _lowered(eval_chebyu, n, 0.5 * x))
eval_chebys = _polynomial("eval_chebys", lambda n, x: _lowered(eval_gegenbauer, n, 2.0, 0.5 * x))
eval_hermite = _polynomial("eval_hermite", lambda n, x: 2.0 * n * _lowered(eval_hermite, n, x))
eval_hermitenorm = _polynomial(
    "eval_hermitenorm", lambda n, x: n * _lowered(eval_hermitenorm, n, x)
)
eval_laguerre = _polynomial("eval_laguerre", lambda n, x: -_lowered(eval_genlaguerre, n, 1.0, x))
eval_genlaguerre = _polynomial(
    "eval_genlaguerre", lambda n, a, x: -_lowered(eval_genlaguerre, n, a + 1.0, x), 1
)
eval_gegenbauer = _polynomial(
    "eval_gegenbauer", lambda n, a, x: 2.0 * a * _lowered(eval_gegenbauer, n, a + 1.0, x), 1
)
eval_jacobi = _polynomial(
    "eval_jacobi",
    lambda n, a, b, x: 0.5 * (n + a + b + 1.0) * _lowered(eval_jacobi, n, a + 1.0, b + 1.0, x),
    2,
)
eval_sh_legendre = _polynomial(
    "eval_sh_legendre", lambda n, x: 2.0 * _lowered(eval_gegenbauer, n, 1.5, 2.0 * x - 1.0)
)
eval_sh_chebyt = _polynomial(
    "eval_sh_chebyt", lambda n, x: 2.0 * n * _lowered(eval_chebyu, n, 2.0 * x - 1.0)
)
eval_sh_chebyu = _polynomial(
    "eval_sh_chebyu", lambda n, x: 4.0 * _lowered(eval_gegenbauer, n, 2.0, 2.0 * x - 1.0)
)
