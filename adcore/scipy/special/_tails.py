"""Logarithms of the incomplete gamma and beta functions, which keep their digits in the tails.

SciPy has no such functions; the distributions of adcore.scipy.stats are made of them.  In a tail
the factor that makes the function small is taken off; what is left, G, is an integral of one sign
(src_c/ad_special_tails.h), and the derivatives of its logarithm cancel no digits.
"""

import numpy as np
import scipy.special as sp

from ... import _core, ops
from ...rules.choices import where
from ._function import CKernel, Family, Function
from ._gamma import (
    _betainc,
    _gammainc,
    beta_density,
    gamma_density,
    log_ratio,
    psi_difference,
    stirling,
)

_SMALL = 1e-250  # below it logarithms are summed, as the value itself may underflow
_NEAR_ONE = 0.75  # above it the logarithm is taken of what is missing to 1


def pick(condition, a, b):
    """where(condition, a(), b()), of which only what is needed is computed unless a recording is.

    A recording is replayed with other numbers, so it has both.
    """
    if isinstance(condition, (bool, np.bool_)):
        return a() if condition else b()
    if isinstance(condition, np.ndarray):
        if condition.all():
            return a()
        if not condition.any():
            return b()
    with np.errstate(all="ignore"):  # of what is computed for the others' sake
        return where(condition, a(), b())


def _moments(family, orders):
    return [family.raised(orders, i) for i in range(len(orders))]


_gamma_lower = Family("gamma_lower", CKernel("gamma_lower"), _moments, most=8, n_orders=2)
_gamma_upper = Family("gamma_upper", CKernel("gamma_upper"), _moments, most=8, n_orders=2)


def _in_odds(family, orders):
    """The derivative in r of log(R)^j R^(b-1-k), R = 1 + r w, which is of one more w and less R."""
    i, j, k = orders
    if sum(orders) >= family.most:
        return f"derivatives go to order {family.most}"

    def partial(y, a, b, r):
        out = (b - (1.0 + k)) * family.member(i, j, k + 1)(a, b, r)
        return out + j * family.member(i, j - 1, k + 1)(a, b, r) if j else out

    return partial


_beta_lower = Family(
    "beta_lower",
    CKernel("beta_lower"),
    lambda family, orders: [
        family.raised(orders, 0),
        family.raised(orders, 1),
        _in_odds(family, orders),
    ],
    most=8,
    n_orders=3,
)


def _log(x):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(x)


def _each(condition, f, g, *args):
    """`f` of the plain arguments where the condition holds, and `g` of the others."""
    if np.all(condition):
        return f(*args)
    if not np.any(condition):
        return g(*args)
    args = np.broadcast_arrays(*args)
    out = np.empty(args[0].shape)
    for mask, part in ((condition, f), (~condition, g)):
        out[mask] = part(*[a[mask] for a in args])
    return out


def _log_of(low, value, complement, small, *args):
    """log(value(*args)) of plain arguments, of which value is 1 - complement.

    The value is computed where it is `low`, the complement elsewhere, and the other of them where
    that guess was wrong.  Where the value may underflow it is small(*args).
    """
    with np.errstate(all="ignore"):
        args = np.broadcast_arrays(low, *args)

        def other(low, *args):
            return _each(
                low,
                lambda *a: np.log1p(-complement(*a)),
                lambda *a: np.log(value(*a)),
                *args,
            )

        found = _each(args[0], value, complement, *args[1:])
        out = np.where(args[0], np.log(found), np.log1p(-found))
        for mask, log in (
            (found > _NEAR_ONE, other),
            (args[0] & (found < _SMALL), lambda low, *a: small(*a)),
        ):
            if np.any(mask):
                out[mask] = log(*[a[mask] for a in args])
    return out[()]


# ---- incomplete gamma functions ----


def _gamma_factor(a, x):
    """log(x^a exp(-x) / Gamma(a)) of plain numbers."""
    z = np.where(x > 0, x, 1.0)

    def large():
        out = -_core.special("stirling", (0,), a) - _core.special("deviance", (), z, a)
        return out + 0.5 * np.log(a / (2 * np.pi))

    with np.errstate(invalid="ignore"):  # of inf - inf where x is infinite
        factor = pick(a < 10.0, lambda: a * np.log(z) - z - sp.gammaln(a), large)
    return np.where(x > 0, factor, -np.inf)


def _log_gamma_value(lower, kernel, of, complement):
    """The logarithm of one of the incomplete gamma functions of plain numbers."""

    def small(a, x):
        return _gamma_factor(a, x) + _log(_core.special(kernel, (0, 0), a, x))

    def value(a, x):
        return _log_of(np.asarray(lower(a, x)), of, complement, small, a, x)

    return value


def _low(a, x):
    return (x < a) & (a >= 0.05)  # G of a small a is nearly 1/a, which cancels in derivatives


def _high(a, x):
    return (x > a) & (x > 1.0)


def _shape_slope(a, x):
    """d/da log(x^a / Gamma(a))."""
    return pick(
        a < 10.0,
        lambda: ops.log(x) - ops.digamma(a),
        lambda: log_ratio(x, a) - stirling.member(1)(a) + 0.5 / a,
    )


def _log_gamma_partials(tail, kernel, sign):
    def in_a(y, a, x):
        return pick(
            tail(a, x),
            lambda: _shape_slope(a, x) + kernel.member(1, 0)(a, x) / kernel.member(0, 0)(a, x),
            lambda: sign * _gammainc.member(1)(a, x) * ops.exp(-y),
        )

    def in_x(y, a, x):
        return pick(
            tail(a, x),
            lambda: sign / (x * kernel.member(0, 0)(a, x)),
            lambda: sign * gamma_density(a, x) * ops.exp(-y),
        )

    return [in_a, in_x]


log_gammainc = Function(
    "log_gammainc",
    _log_gamma_value(np.greater, "gamma_lower", sp.gammainc, sp.gammaincc),
    _log_gamma_partials(_low, _gamma_lower, 1.0),
)
log_gammaincc = Function(
    "log_gammaincc",
    _log_gamma_value(np.less, "gamma_upper", sp.gammaincc, sp.gammainc),
    _log_gamma_partials(_high, _gamma_upper, -1.0),
)

# ---- the incomplete beta function of the odds r = x / (1 - x) ----


def _betainc_odds(a, b, r):
    """I_x(a, b) of plain numbers, from whichever of x and 1 - x is the smaller."""
    return _each(
        r <= 1,
        lambda a, b, r: sp.betainc(a, b, r / (1.0 + r)),
        lambda a, b, r: sp.betaincc(b, a, 1.0 / (1.0 + r)),
        a,
        b,
        r,
    )


def _log_beta_factor(a, b, r):
    """log(x^a y^(b-1) / B(a, b)) of plain numbers."""
    return -a * np.log1p(1.0 / r) - (b - 1.0) * np.log1p(r) - sp.betaln(a, b)


def _beta_tail(a, b, r):
    return (b * r < a) & (a >= 0.02)


def _log_betainc_value(a, b, r):
    def small(a, b, r):
        return _log_beta_factor(a, b, r) + _log(_core.special("beta_lower", (0, 0, 0), a, b, r))

    r = np.asarray(r, dtype=float)
    return _log_of(
        b * r < a,
        _betainc_odds,
        lambda a, b, r: _betainc_odds(b, a, 1.0 / r),
        small,
        a,
        b,
        r,
    )


def _log_betainc_shape(kernel_orders, factor, orders, swapped):
    """The partial in a or b: of the tail's form, or of I itself, by x or by y = 1 - x."""

    def central(y, a, b, r):
        return ops.exp(-y) * pick(
            r <= 1.0,
            lambda: _betainc.member(*orders)(a, b, r / (1.0 + r)),
            lambda: -_betainc.member(*swapped)(b, a, 1.0 / (1.0 + r)),
        )

    def partial(y, a, b, r):
        kernel = _beta_lower.member
        return pick(
            _beta_tail(a, b, r),
            lambda: factor(a, b, r) + kernel(*kernel_orders)(a, b, r) / kernel(0, 0, 0)(a, b, r),
            lambda: central(y, a, b, r),
        )

    return partial


def _log_betainc_r(y, a, b, r):
    def central():
        # The density in x, times dx/dr.
        density = pick(
            r <= 1.0,
            lambda: beta_density(a, b, r / (1.0 + r)),
            lambda: beta_density(b, a, 1.0 / (1.0 + r)),
        )
        return density * ops.exp(-y) / ((1.0 + r) * (1.0 + r))

    return pick(
        _beta_tail(a, b, r),
        lambda: 1.0 / (r * (1.0 + r) * _beta_lower.member(0, 0, 0)(a, b, r)),
        central,
    )


log_betainc = Function(
    "log_betainc",
    _log_betainc_value,
    [
        _log_betainc_shape(
            (1, 0, 0),
            lambda a, b, r: psi_difference.member(0)(a, b) - ops.log1p(1.0 / r),
            (1, 0),
            (0, 1),
        ),
        _log_betainc_shape(
            (0, 1, 0),
            lambda a, b, r: psi_difference.member(0)(b, a) - ops.log1p(r),
            (0, 1),
            (1, 0),
        ),
        _log_betainc_r,
    ],
)
