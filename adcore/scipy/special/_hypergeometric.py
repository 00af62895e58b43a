"""Hypergeometric functions, differentiable in their parameters, and the elliptic integrals."""

import math

import scipy.special as sp

from ... import ops
from ._function import Family, Kernel, define, outputs, register


def _raised_everywhere(family, orders):
    return [family.raised(orders, i) for i in range(len(orders))]


def _hypergeometric(name, parameters):
    """The family of a hypergeometric function: orders in the parameters, then in x."""
    ufunc = getattr(sp, name)
    kernel = Kernel(name, ufunc)
    family = Family(
        name, kernel, _raised_everywhere, most=3, n_orders=parameters + 1, parameters=parameters
    )
    function = family.member(*[0] * (parameters + 1))
    register(ufunc, function)
    return family, function


hyp0f1_family, hyp0f1 = _hypergeometric("hyp0f1", 1)
hyp1f1_family, hyp1f1 = _hypergeometric("hyp1f1", 2)
hyp2f1_family, hyp2f1 = _hypergeometric("hyp2f1", 3)

hyperu = define(
    "hyperu",
    "there is no rule for its parameters",
    "there is no rule for its parameters",
    lambda y, a, b, x: -a * hyperu(a + 1.0, b + 1.0, x),
)

# ---- complete elliptic integrals: pi/2 2F1(1/2, 1/2; 1; m) and pi/2 2F1(-1/2, 1/2; 1; m) ----


def _complete(name, a):
    def partial(y, m):
        return 0.5 * math.pi * hyp2f1_family.member(0, 0, 0, 1)(a, 0.5, 1.0, m)

    return define(name, partial)


ellipk = _complete("ellipk", 0.5)
ellipe = _complete("ellipe", -0.5)
# Of p = 1 - m, without the digits that 1 - m loses for small p.
_in_p = Family("ellipkm1", Kernel("ellipkm1", sp.ellipkm1), _raised_everywhere, most=12)
ellipkm1 = _in_p.member(0)
register(sp.ellipkm1, ellipkm1)


def _agm_slope(y, a, b):
    """The derivative in a of pi/4 (a + b) / K, K = ellipkm1(p), p = 4 a b / (a + b)^2."""
    total = a + b
    p = 4.0 * a * b / (total * total)
    return y / total - y * _in_p.member(1)(p) / ellipkm1(p) * 4.0 * b * (b - a) / total**3


agm = define("agm", _agm_slope, lambda y, a, b: _agm_slope(y, b, a))


# ---- incomplete elliptic integrals ----


def _root(phi, m):
    s = ops.sin(phi)
    return ops.sqrt(1.0 - m * s * s)


# The n-th derivative in m of int_0^phi (1 - m sin^2)^(-1/2) and of int_0^phi (1 - m sin^2)^(1/2).
def _power_of_root(power):
    def partials(family, orders):
        (n,) = orders

        def in_phi(y, phi, m):
            s = ops.sin(phi)
            factor = math.prod(k - power for k in range(n))
            out = factor * (1.0 - m * s * s) ** (power - n)
            return out * s ** (2 * n) if n else out

        return [in_phi, family.raised(orders, 0)]

    return partials


_first = Family("ellipkinc", Kernel("ellipkinc", sp.ellipkinc), _power_of_root(-0.5), most=6)
_second = Family("ellipeinc", Kernel("ellipeinc", sp.ellipeinc), _power_of_root(0.5), most=6)
ellipkinc, ellipeinc = _first.member(0), _second.member(0)
register(sp.ellipkinc, ellipkinc)
register(sp.ellipeinc, ellipeinc)

# The amplitude ph with ellipkinc(ph, m) = u, and sine, cosine and delta of it.


def _of_amplitude(slope, explicit=None):
    """The partials of f(ph, m) in u and m: `slope` is df/dph, `explicit` df/dm."""

    def in_u(y, u, m):
        ph = _amplitude(u, m)
        return slope(ph, m) * _root(ph, m)

    def in_m(y, u, m):
        ph = _amplitude(u, m)
        out = -slope(ph, m) * _first.member(1)(ph, m) * _root(ph, m)
        return out + explicit(ph, m) if explicit else out

    return [in_u, in_m]


def _delta_in_ph(ph, m):
    return -m * ops.sin(ph) * ops.cos(ph) / _root(ph, m)


def _delta_in_m(ph, m):
    return -0.5 * ops.square(ops.sin(ph)) / _root(ph, m)


ellipj, (_, _, _, _amplitude) = outputs(
    "ellipj",
    _of_amplitude(lambda ph, m: ops.cos(ph)),
    _of_amplitude(lambda ph, m: -ops.sin(ph)),
    _of_amplitude(_delta_in_ph, _delta_in_m),
    _of_amplitude(lambda ph, m: 1.0),
)
