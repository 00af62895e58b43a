"""The von Mises distribution, the normal one on the circle.

Its probabilities are integrals of the density, f(t) = exp(kappa (cos t - 1)) / (2 pi i0e(kappa)).
With them go H_n, the integral of (cos t - 1)^n f(t) from -pi to y, of which H_0 is the distribution
function: for dH_n/dkappa = H_(n+1) - H_1(pi) H_n, and dH_n/dy is what is integrated.
"""

import functools
import math

import numpy as np
import scipy.special as _special
import scipy.stats as _stats

from ... import ops
from ..special._bessel import i0e, ive
from ..special._function import Family, holds
from ..special._normal import rows
from ._distribution import LOG_2PI, Continuous

cosm1 = rows["cosm1"]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_SERIES = 50.0  # kappa below which SciPy's distribution function is a series, of absolute digits
_ALL_DIGITS = 0.05  # probability above which these are enough
_NEGLIGIBLE = 45.0  # exp(-45) of an integrand's greatest value is nothing


def _beyond(n, a, kappa):
    """The integral from a >= 0 to pi, with all its digits where it is small."""
    with np.errstate(all="ignore"):
        end = np.arccos(np.clip(np.cos(a) - _NEGLIGIBLE / kappa, -1.0, 1.0))
    half = 0.5 * np.expand_dims(end - a, -1)
    t = np.expand_dims(a, -1) + half * (1.0 + _NODES)
    height = _special.cosm1(t)
    density = np.exp(np.expand_dims(kappa, -1) * height) / (2.0 * math.pi)
    total = np.sum(half * _WEIGHTS * height**n * density, axis=-1)
    return total / _special.i0e(kappa)


def _by_quadrature(n, y, kappa):
    """H_n, with all its digits where it is small."""
    tail = _beyond(n, np.abs(y), kappa)
    whole = 2.0 * _beyond(n, np.zeros_like(y), kappa) if n else 1.0
    return np.where(y < 0.0, tail, whole - tail)


def _distribution(y, kappa):
    """H_0: SciPy's, where that is as good."""
    found = _stats.vonmises._cdf(y, kappa)
    rest = ~((kappa < _SERIES) & (found > _ALL_DIGITS))
    if np.any(rest):
        found = np.array(found)
        found[rest] = _by_quadrature(0, y[rest], kappa[rest])
    return found


class _Kernel:
    """H_n in numbers."""

    def __call__(self, orders, y, kappa):
        (n,) = orders
        y, kappa = np.broadcast_arrays(np.asarray(y, float), np.asarray(kappa, float))
        return _by_quadrature(n, y, kappa) if n else _distribution(y, kappa)

    def value(self, orders):
        """What computes a derivative."""
        return functools.partial(self, orders)


def _partials(family, orders):
    (n,) = orders

    def in_y(value, y, kappa):
        density = ops.exp(kappa * cosm1(y)) / (2.0 * math.pi * i0e(kappa))
        return density * cosm1(y) ** n if n else density

    def in_kappa(value, y, kappa):
        part = family.member
        return part(n + 1)(y, kappa) - part(1)(math.pi, kappa) * part(n)(y, kappa)

    return [in_y, in_kappa]


_part = Family("vonmises.part", _Kernel(), _partials, most=64)


class Vonmises(Continuous):
    """The normal distribution on the circle; its density is periodic."""

    def valid_(self, kappa):
        return kappa >= 0

    def logpdf_(self, y, kappa):
        return kappa * cosm1(y) - LOG_2PI - ops.log(i0e(kappa))

    def cdf_(self, y, kappa):
        if holds((y >= -math.pi) & (y <= math.pi)):
            return _part.member(0)(y, kappa)
        turns = ops.floor(y / (2.0 * math.pi) + 0.5)  # each adds 1
        return turns + _part.member(0)(y - 2.0 * math.pi * turns, kappa)

    def sf_(self, y, kappa):
        return self.cdf_(-y, kappa)

    def entropy_(self, kappa):
        ratio = ive(1.0, kappa) / i0e(kappa)
        return -kappa * ratio + LOG_2PI + ops.log(i0e(kappa)) + kappa


vonmises = Vonmises("vonmises")
