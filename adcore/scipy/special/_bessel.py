"""Bessel functions, differentiable in the argument and in the order, and functions like them."""

import math

import numpy as np
import scipy.special as sp

from ...errors import NotDifferentiableError
from ...rules.table import is_traced
from ._function import INTEGER, Family, Function, Kernel, composed, define, outputs, register

MOST = 4  # the highest order of derivatives in the order of a Bessel function


def _bessel(name, before, after):
    """A family with d/dx f_v = before f_(v-1) + after f_(v+1), at every order in v."""

    def partials(family, orders):
        def in_x(y, v, x):
            f = family.member(*orders)
            return before * f(v - 1.0, x) + after * f(v + 1.0, x)

        return [family.raised(orders, 0), in_x]

    ufunc = getattr(sp, name)
    family = Family(name, Kernel(name, ufunc), partials, most=MOST)
    register(ufunc, family.member(0))
    return family.member(0)


jv = _bessel("jv", 0.5, -0.5)
yv = _bessel("yv", 0.5, -0.5)
iv = _bessel("iv", 0.5, 0.5)
kv = _bessel("kv", -0.5, -0.5)


def _scaled(name):
    """A family whose kernel has derivatives in the order and in x."""
    ufunc = getattr(sp, name)

    def partials(family, orders):
        return [family.raised(orders, 0), family.raised(orders, 1)]

    family = Family(name, Kernel(name, ufunc), partials, most=MOST, n_orders=2, parameters=1)
    register(ufunc, family.member(0, 0))
    return family


_ive, _kve = _scaled("ive"), _scaled("kve")
ive, kve = _ive.member(0, 0), _kve.member(0, 0)


@composed("jve", valued=True)
def jve(v, x):
    return jv(v, x)


@composed("yve", valued=True)
def yve(v, x):
    return yv(v, x)


jn = jv
yn = define("yn", INTEGER, lambda y, n, x: 0.5 * (yv(n - 1.0, x) - yv(n + 1.0, x)))
kn = define("kn", INTEGER, lambda y, n, x: -0.5 * (kv(n - 1.0, x) + kv(n + 1.0, x)))

# ---- of the orders 0 and 1 ----

j0 = define("j0", lambda y, x: -j1(x))
j1 = define("j1", lambda y, x: 0.5 * (j0(x) - jv(2.0, x)))
y0 = define("y0", lambda y, x: -y1(x))
y1 = define("y1", lambda y, x: 0.5 * (y0(x) - yv(2.0, x)))
i0 = define("i0", lambda y, x: i1(x))
i1 = define("i1", lambda y, x: 0.5 * (i0(x) + iv(2.0, x)))
k0 = define("k0", lambda y, x: -k1(x))
k1 = define("k1", lambda y, x: -0.5 * (k0(x) + kv(2.0, x)))


i0e = define("i0e", lambda y, x: _ive.member(0, 1)(0.0, x))
i1e = define("i1e", lambda y, x: _ive.member(0, 1)(1.0, x))
k0e = define("k0e", lambda y, x: _kve.member(0, 1)(0.0, x))
k1e = define("k1e", lambda y, x: _kve.member(0, 1)(1.0, x))

# ---- derivatives of Bessel functions, and spherical ones ----


def _derivative(name, f, before, after):
    """Jvp and its like, the n-th derivative of f_v where f_v' is before f_(v-1) + after f_(v+1)."""

    def rule(v, z, n=1):
        if n != int(n) or n < 0:
            raise ValueError("n must be a non-negative integer.")
        n = int(n)
        total = 0.0
        for k in range(n + 1):
            weight = math.comb(n, k) * before ** (n - k) * after**k
            total = total + weight * f(v - n + 2.0 * k, z)
        return total

    rule.__doc__ = f"scipy.special.{name}, also of tensors."
    return composed(name)(rule)


jvp = _derivative("jvp", jv, 0.5, -0.5)
yvp = _derivative("yvp", yv, 0.5, -0.5)
ivp = _derivative("ivp", iv, 0.5, 0.5)
kvp = _derivative("kvp", kv, -0.5, -0.5)


def _spherical(name, before, after):
    """f_n' = (before n f_(n-1) + after (n+1) f_(n+1)) / (2n + 1); n is an integer."""
    value, ufunc = getattr(sp, name), getattr(sp._ufuncs, f"_{name}")

    def plain(n, z):
        n, z = np.asarray(n).astype(int), np.asarray(z)
        # SciPy's function is this ufunc where it is not to reflect.
        return ufunc(n, z)[()] if z.dtype == float and (z > 0).all() else value(n, z)

    def partial(y, n, z):
        low = f(np.maximum(n - 1.0, 0.0), z)
        return (before * n * low + after * (n + 1.0) * f(n + 1.0, z)) / (2.0 * n + 1.0)

    f = Function(name, plain, [INTEGER, partial], plain=plain)

    def rule(n, z, derivative=False):
        if is_traced([n]):
            raise NotDifferentiableError(
                f"scipy.special.{name} has no derivative with respect to argument 0: {INTEGER}"
            )
        n = float(n) if type(n) is int else np.asarray(n, dtype=float)[()]
        return partial(None, n, z) if derivative else f(n, z)

    rule.__doc__ = f"scipy.special.{name}, also of tensors."
    return composed(name)(rule)


spherical_jn = _spherical("spherical_jn", 1.0, -1.0)
spherical_yn = _spherical("spherical_yn", 1.0, -1.0)
spherical_in = _spherical("spherical_in", 1.0, 1.0)
spherical_kn = _spherical("spherical_kn", -1.0, -1.0)

# ---- Airy, Kelvin and Struve functions, parabolic cylinders ----


airy, (_ai, _aip, _bi, _bip) = outputs(
    "airy",
    [lambda y, x: _aip(x)],
    [lambda y, x: x * _ai(x)],
    [lambda y, x: _bip(x)],
    [lambda y, x: x * _bi(x)],
)
ber = define("ber", lambda y, x: berp(x))
bei = define("bei", lambda y, x: beip(x))
ker = define("ker", lambda y, x: kerp(x))
kei = define("kei", lambda y, x: keip(x))
berp = define("berp", lambda y, x: -bei(x) - y / x)
beip = define("beip", lambda y, x: ber(x) - y / x)
kerp = define("kerp", lambda y, x: -kei(x) - y / x)
keip = define("keip", lambda y, x: ker(x) - y / x)

_ORDER = "there is no rule for its order"


def _struve_power(v, x):
    """What is left over in the recurrence of Struve functions."""
    return (0.5 * x) ** v / (math.sqrt(math.pi) * sp.gamma(np.asarray(v) + 1.5))


struve = define(
    "struve",
    _ORDER,
    lambda y, v, x: 0.5 * (struve(v - 1.0, x) - struve(v + 1.0, x) + _struve_power(v, x)),
)
modstruve = define(
    "modstruve",
    _ORDER,
    lambda y, v, x: 0.5 * (modstruve(v - 1.0, x) + modstruve(v + 1.0, x) + _struve_power(v, x)),
)

pbdv, (_dv, _dvp) = outputs(
    "pbdv",
    [_ORDER, lambda y, v, x: _dvp(v, x)],
    [_ORDER, lambda y, v, x: (0.25 * x * x - v - 0.5) * _dv(v, x)],
)
pbvv, (_vv, _vvp) = outputs(
    "pbvv",
    [_ORDER, lambda y, v, x: _vvp(v, x)],
    [_ORDER, lambda y, v, x: (0.25 * x * x - v - 0.5) * _vv(v, x)],
)
pbwa, (_wa, _wap) = outputs(
    "pbwa",
    [_ORDER, lambda y, a, x: _wap(a, x)],
    [_ORDER, lambda y, a, x: (a - 0.25 * x * x) * _wa(a, x)],
)

# ---- integrals of Bessel functions ----

itj0y0, _ = outputs("itj0y0", [lambda y, x: j0(x)], [lambda y, x: y0(x)])
iti0k0, _ = outputs("iti0k0", [lambda y, x: i0(x)], [lambda y, x: k0(x)])
it2j0y0, _ = outputs("it2j0y0", [lambda y, x: (1.0 - j0(x)) / x], [lambda y, x: -y0(x) / x])
it2i0k0, _ = outputs("it2i0k0", [lambda y, x: (i0(x) - 1.0) / x], [lambda y, x: -k0(x) / x])
itairy, _ = outputs(
    "itairy",
    [lambda y, x: _ai(x)],
    [lambda y, x: _bi(x)],
    [lambda y, x: _ai(-x)],
    [lambda y, x: _bi(-x)],
)
itstruve0 = define("itstruve0", lambda y, x: struve(0.0, x))
itmodstruve0 = define("itmodstruve0", lambda y, x: modstruve(0.0, x))
