"""Elementwise functions of complex numbers, in real operations.

z = a + i b and w = c + i d are pairs (a, b) and (c, d), in which a second part of None is that of a
real number, zero to every order; so are the results.

Branch cuts are NumPy's, and the forms that keep their digits near them are those of W. Kahan,
"Branch cuts for complex elementary functions, or much ado about nothing's sign bit" (1987).
Choices between forms are made with _choose() by constants, never by max, min or abs, whose ties
split derivatives: a form must have all derivatives of the function wherever it is chosen.
"""

import math

import numpy as np

from .. import _core, ops
from ..rules.primitives import shape_of
from ..rules.table import is_traced

_LN2, _LN10 = math.log(2.0), math.log(10.0)


def _choose(truth, x, y):
    """X where the result of one of the three below is 1, else y."""
    return _core.apply("where", truth, x, y)


def _at_least(x, y):
    return _core.apply("less_equal", y, x)


def _below(x, y):
    return _core.apply("less", x, y)


def _equal(x, y):
    return _core.apply("equal", x, y)


# ---- arithmetic ----


def plus(x, y):
    """The sum of two parts."""
    return y if x is None else x if y is None else x + y


def minus(x, y):
    """The difference of two parts."""
    if y is None:
        return x
    return -y if x is None else x - y


def _times(x, y):
    return None if x is None or y is None else x * y


def negative(x):
    """A part with the other sign."""
    return None if x is None else -x


def _zero(x):
    return 0.0 if x is None else x


def _add(z, w):
    return plus(z[0], w[0]), plus(z[1], w[1])


def _subtract(z, w):
    return minus(z[0], w[0]), minus(z[1], w[1])


def _multiply(z, w):
    (a, b), (c, d) = z, w
    # What is purely imaginary, as 1j, is no sum: 1j * x has no part 0 * x.
    if type(a) is float and a == 0.0 and b is not None:
        return _zero(_times(negative(b), d)), b * c
    if type(c) is float and c == 0.0 and d is not None:
        return _zero(_times(b, negative(d))), a * d
    return minus(a * c, _times(b, d)), plus(_times(a, d), _times(b, c))


def _scale(z, factor):
    return z[0] * factor, _times(z[1], factor)


def _ratio(c, d):
    """(whether |c| >= |d|, the lesser of c and d over the greater, |w|^2 over the greater)."""
    first = _at_least(abs(c), abs(d))
    great, small = _choose(first, c, d), _choose(first, d, c)
    ratio = small / great
    return first, ratio, great + small * ratio


def _divide(z, w):
    """Smith's algorithm, which is NumPy's: by the ratio of the parts of w."""
    (a, b), (c, d) = z, w
    if d is None:
        return a / c, None if b is None else b / c
    first, ratio, scale = _ratio(c, d)
    if b is None:
        p, q = a / scale, a / scale * ratio
        return _choose(first, p, q), -_choose(first, q, p)
    re = _choose(first, a + b * ratio, a * ratio + b)
    im = _choose(first, b - a * ratio, b * ratio - a)
    return re / scale, im / scale


def _reciprocal(z):
    if z[1] is None:
        return 1.0 / z[0], None
    first, ratio, scale = _ratio(*z)
    return _choose(first, 1.0, ratio) / scale, _choose(first, -ratio, -1.0) / scale


def _square(z):
    a, b = z
    return (a * a, None) if b is None else (a * a - b * b, 2.0 * (a * b))


def _conjugate(z):
    return z[0], negative(z[1])


def _absolute(z):
    """|z|, whose square is the sum of squares to every order, also at 0: hypot does that."""
    if z[1] is None:
        return abs(z[0]), None
    size = ops.hypot(*z)
    if type(size) is _core.Dual:
        size = _core.norm_dual(size, z[0] * z[0] + z[1] * z[1])
    return size, None


def _sign(z):
    a, b = z[0], _zero(z[1])
    modulus = ops.hypot(a, b)
    zero = _equal(modulus, 0.0)
    modulus = _choose(zero, 1.0, modulus)
    return _choose(zero, 0.0, a / modulus), _choose(zero, 0.0, b / modulus)


# ---- exponentials, logarithms, roots ----


def _exp(z):
    a, b = z
    e = ops.exp(a)
    return (e, None) if b is None else (e * ops.cos(b), e * ops.sin(b))


def _expm1(z):
    a, b = z[0], _zero(z[1])
    half = ops.sin(0.5 * b)
    return ops.expm1(a) * ops.cos(b) - 2.0 * (half * half), ops.exp(a) * ops.sin(b)


def _log_of_modulus(a, b):
    """Log |z|; near |z| = 1 by what |z|^2 differs from 1."""
    first = _at_least(abs(a), abs(b))
    great, small = _choose(first, a, b), _choose(first, b, a)
    near = _below(0.5, abs(great)) * _below(abs(great), 2.0)
    excess = (great - 1.0) * (great + 1.0) + small * small
    return _choose(near, 0.5 * ops.log1p(excess), ops.log(ops.hypot(a, b)))


def _log(z):
    a, b = z[0], _zero(z[1])
    return _log_of_modulus(a, b), ops.atan2(b, a)


def _log1p(z):
    a, b = z[0], _zero(z[1])
    near = _below(abs(a), 0.5) * _below(abs(b), 0.5)
    close = 0.5 * ops.log1p(a * (2.0 + a) + b * b)
    return _choose(near, close, _log_of_modulus(1.0 + a, b)), ops.atan2(b, 1.0 + a)


def _sqrt(z):
    a, b = z[0], _zero(z[1])
    right = _at_least(a, 0.0)
    t = ops.sqrt(0.5 * (_choose(right, a, -a) + ops.hypot(a, b)))
    other = _choose(_equal(t, 0.0), b, 0.5 * b / t)
    side = ops.copysign(1.0, b)
    return _choose(right, t, side * other), _choose(right, other, side * t)


def integer_power(z, n):
    """z**n for an integer n, by squaring as NumPy does for small ones."""
    if n < 0:
        return _reciprocal(integer_power(z, -n))
    out, square = None, z
    while n:
        if n & 1:
            out = square if out is None else _multiply(out, square)
        n >>= 1
        if n:
            square = _square(square)
    if out is None:
        return np.ones(shape_of(z[0]))[()], None
    return out


def _power(z, w):
    """z**w; a constant integer w gives products."""
    c, d = w
    if not is_traced(w) and np.ndim(c) == 0 and not d and abs(c) <= 100 and c == int(c):
        return integer_power(z, int(c))
    return general_power(z, w)


def general_power(z, w):
    """z**w by exponential and logarithm."""
    c, d = w
    a, b = z[0], _zero(z[1])
    zero = _equal(a, 0.0) * _equal(b, 0.0)
    re, im = _exp(_multiply(w, _log((_choose(zero, 1.0, a), b))))
    # At 0 each part is that of a real power, which has the limits of all derivatives: of
    # c * z**(c - 1) along either axis.  A power that is not above 0 is nan, as NumPy's.
    above = _below(0.0, c)
    exponent = _choose(above, c, 1.0)
    at_zero = [_choose(zero, p, 1.0) ** exponent for p in (a, b)]
    none = _equal(c, 0.0) * _equal(_zero(d), 0.0)
    outside = _choose(none, 1.0, np.nan), _choose(none, 0.0, np.nan)
    at_zero = [_choose(above, p, q) for p, q in zip(at_zero, outside, strict=True)]
    return _choose(zero, at_zero[0], re), _choose(zero, at_zero[1], _zero(im))


# ---- circular and hyperbolic functions ----


def _sin(z):
    a, b = z[0], _zero(z[1])
    return ops.sin(a) * ops.cosh(b), ops.cos(a) * ops.sinh(b)


def _cos(z):
    a, b = z[0], _zero(z[1])
    return ops.cos(a) * ops.cosh(b), -(ops.sin(a) * ops.sinh(b))


def _sinh(z):
    a, b = z[0], _zero(z[1])
    return ops.sinh(a) * ops.cos(b), ops.cosh(a) * ops.sin(b)


def _cosh(z):
    a, b = z[0], _zero(z[1])
    return ops.cosh(a) * ops.cos(b), ops.sinh(a) * ops.sin(b)


def _tanh(z):
    """No overflow, and no cancellation next to the poles."""
    a, b = z[0], _zero(z[1])
    far = _below(20.0, abs(a))
    near = _choose(far, 0.0, a)
    sinh, cosh, sin, cos = ops.sinh(near), ops.cosh(near), ops.sin(b), ops.cos(b)
    scale = sinh * sinh + cos * cos
    turn = sin * cos
    return (
        _choose(far, ops.tanh(a), sinh * cosh / scale),
        _choose(far, 4.0 * ops.exp(-2.0 * abs(a)) * turn, turn / scale),
    )


def _times_i(z):
    return -_zero(z[1]), z[0]


def _over_i(z):
    return _zero(z[1]), -z[0]


def _turned(function):
    """The circular function of a hyperbolic one, f(i z) / i, or the other way round."""
    return lambda z: _over_i(function(_times_i(z)))


def _one_minus(z):
    return 1.0 - z[0], negative(z[1])


def _one_plus(z):
    return 1.0 + z[0], z[1]


def _arcsin(z):
    z = z[0], _zero(z[1])
    (p, q), (r, s) = _sqrt(_one_minus(z)), _sqrt(_one_plus(z))
    return ops.atan2(z[0], p * r - q * s), ops.asinh(p * s - q * r)


def _arccos(z):
    z = z[0], _zero(z[1])
    (p, q), (r, s) = _sqrt(_one_minus(z)), _sqrt(_one_plus(z))
    return 2.0 * ops.atan2(p, r), ops.asinh(r * q - s * p)


def _arccosh(z):
    z = z[0], _zero(z[1])
    (p, q), (r, s) = _sqrt((z[0] - 1.0, z[1])), _sqrt(_one_plus(z))
    return ops.asinh(p * r + q * s), 2.0 * ops.atan2(q, r)


def _arctanh(z):
    """By log1p of 4 |a| / |1 - z|^2 away from the poles, at which both are turned to z = 1."""
    a, b = z[0], _zero(z[1])
    right = _at_least(a, 0.0)
    side = _choose(right, 1.0, -1.0)
    near, far = ops.hypot(1.0 - side * a, b), ops.hypot(1.0 + side * a, b)
    close = _below(near, 0.1)
    away = _choose(close, 1.0, near)
    re = _choose(
        close,
        side * 0.5 * ops.log(far / _choose(close, near, 1.0)),
        side * 0.25 * ops.log1p(4.0 * (side * a / away) / away),
    )
    return re, 0.5 * (ops.atan2(b, 1.0 - a) + ops.atan2(b, 1.0 + a))


# ---- comparisons ----


def _is_equal(z, w):
    return (z[0] == w[0]) & (_zero(z[1]) == _zero(w[1])), None


def _is_not_equal(z, w):
    return (z[0] != w[0]) | (_zero(z[1]) != _zero(w[1])), None


def _either(test):
    return lambda z: (test(z[0]) | test(_zero(z[1])), None)


def _isfinite(z):
    return np.isfinite(z[0]) & np.isfinite(_zero(z[1])), None


_tan, _arcsinh, _arctan = _turned(_tanh), _turned(_arcsin), _turned(_arctanh)

# By the names of NumPy's ufuncs.
UFUNCS = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "negative": lambda z: (-z[0], negative(z[1])),
    "positive": lambda z: z,
    "square": _square,
    "reciprocal": _reciprocal,
    "power": _power,
    "float_power": _power,
    "conjugate": _conjugate,
    "absolute": _absolute,
    "sign": _sign,
    "sqrt": _sqrt,
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "exp2": lambda z: _exp(_scale(z, _LN2)),
    "log2": lambda z: _scale(_log(z), 1.0 / _LN2),
    "log10": lambda z: _scale(_log(z), 1.0 / _LN10),
    "sin": _sin,
    "cos": _cos,
    "tan": _tan,
    "sinh": _sinh,
    "cosh": _cosh,
    "tanh": _tanh,
    "arcsin": _arcsin,
    "arccos": _arccos,
    "arctan": _arctan,
    "arcsinh": _arcsinh,
    "arccosh": _arccosh,
    "arctanh": _arctanh,
    "equal": _is_equal,
    "not_equal": _is_not_equal,
    "isfinite": _isfinite,
    "isnan": _either(np.isnan),
    "isinf": _either(np.isinf),
}
# Those that look at numbers, and so are called again for each of them.
LOOKING = {"power", "float_power", "equal", "not_equal", "isfinite", "isnan", "isinf"}
REAL = {"absolute", "equal", "not_equal", "isfinite", "isnan", "isinf"}  # of real results
# How values of arrays are computed if not by NumPy's loop: see ComplexFunction.  Its log1p loses
# all digits near 0; its arithmetic takes longer than ours where parts lie apart.
WAYS = {
    "log1p": "log1p",
    "divide": "quotient",
    "reciprocal": "quotient",
    "multiply": "product",
    "square": "product",
    "absolute": "modulus",
}
