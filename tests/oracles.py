"""What is true: every row of the op table as an mpmath function, its derivatives, where to look.

Independent of the library: nothing here imports it.  A new row needs one line in ORACLES.
"""

import itertools
import math
import sys
from functools import cache

from mpmath import mp, mpf


def _lgamma(x):
    return mp.re(mp.loggamma(x))


def _log_ndtr(x):
    return mp.log1p(-mp.erfc(x / mp.sqrt(2)) / 2) if x > 0 else mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


def _mills(p, x):
    """Derivatives of the logarithm, from the recurrence of phi / Phi with digits to spare."""
    with mp.extradps(20 + 4 * p + 2 * p * max(0, int(mp.log10(abs(x) + 1)))):
        d = [mp.npdf(x) / mp.erfc(-x / mp.sqrt(2)) * 2]
        for n in range(p):
            d.append(-x * d[n] - (n * d[n - 1] if n else 0))
            d[-1] -= sum(mp.binomial(n, k) * d[k] * d[n - k] for k in range(n + 1))
        return d[p]


def _erfcx(p, x):
    """Parabolic cylinder functions: DLMF 7.18.11."""
    if p == 0:
        return mp.exp(x * x) * mp.erfc(x)
    scale = (-2) ** p * mp.factorial(p) / mp.sqrt(mp.ldexp(mp.pi, p - 1))
    return scale * mp.exp(x * x / 2) * mp.pcfu(p + mpf(1) / 2, mp.sqrt(2) * x)


def _sinc(p, x):
    """The power series of sin(z) / z, z = pi x, differentiated; far out the product rule."""
    with mp.extradps(30 + 2 * p + (int(abs(x)) * 2 if abs(x) < 10 else 0)):
        z = mp.pi * x
        if abs(x) > 10:
            f = mp.fsum(
                mp.binomial(p, k) * (-1) ** k * mp.factorial(k) / z ** (k + 1) * _dsin(p - k, z)
                for k in range(p + 1)
            )
        else:
            k = (p + 1) // 2
            power = (-1) ** k * (z if p % 2 else mpf(1))  # (-1)^k z^(2k-p) / (2k-p)!
            f = mpf(0)
            while abs(power) > mp.eps * mp.eps or 2 * k < 3 * abs(z):
                f += power / (2 * k + 1)
                k += 1
                power *= -z * z / ((2 * k - p) * (2 * k - p - 1))
        return f * mp.pi**p


def _dsin(n, z):
    return (mp.sin, mp.cos, lambda a: -mp.sin(a), lambda a: -mp.cos(a))[n % 4](z)


def _fmod(x, z):
    quotient = x / z
    return x - z * (mp.floor(quotient) if quotient > 0 else mp.ceil(quotient))


# The arguments are mpf; p, of a FAMILY row, is an int and comes first.
ORACLES = {
    "neg": lambda x: -x,
    "abs": abs,
    "sign": mp.sign,
    "floor": mp.floor,
    "ceil": mp.ceil,
    "trunc": lambda x: mp.floor(x) if x > 0 else mp.ceil(x),
    "rint": mp.nint,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "sqrt": mp.sqrt,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "exp": mp.exp,
    "exp2": lambda x: mpf(2) ** x,
    "expm1": mp.expm1,
    "log": mp.log,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10),
    "log1p": mp.log1p,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "tanh_slope": lambda x: mp.sech(x) ** 2,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "deg2rad": lambda x: x * mp.pi / 180,
    "rad2deg": lambda x: x * 180 / mp.pi,
    "erf": mp.erf,
    "erfc": mp.erfc,
    "erfinv": mp.erfinv,
    "erfcinv": lambda x: mp.erfinv(1 - x),
    "ndtr": lambda x: mp.erfc(-x / mp.sqrt(2)) / 2,
    "ndtri": lambda x: mp.sqrt(2) * mp.erfinv(2 * x - 1),
    "gamma": mp.gamma,
    "lgamma": _lgamma,
    "digamma": mp.digamma,
    "logistic": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log1p(mp.exp(x)),
    "log_ndtr": _log_ndtr,
    "logit": lambda x: mp.log(x / (1 - x)),
    "log_expit": lambda x: -mp.log1p(mp.exp(-x)),
    "cosm1": lambda x: -2 * mp.sin(x / 2) ** 2,
    "entr": lambda x: -x * mp.log(x),
    "flow": lambda x, z: x * z if x else mpf(0),
    "stop": lambda x: x,
    "recip0": lambda x: 1 / x if x else mpf(0),
    "nonzero": lambda x: mpf(x != 0),
    "mantissa": lambda x: mp.frexp(x)[0],
    "mantissa_slope": lambda x: mpf(2) ** -mp.frexp(x)[1],
    "powi": lambda p, x: x**p,
    "polygamma": mp.psi,
    "sinc": _sinc,
    "mills": _mills,
    "erfcx": _erfcx,
    "add": lambda x, z: x + z,
    "sub": lambda x, z: x - z,
    "mul": lambda x, z: x * z,
    "div": lambda x, z: x / z,
    "pow": lambda x, z: x**z,
    "atan2": mp.atan2,
    "hypot": mp.hypot,
    "maximum": max,
    "minimum": min,
    "fmax": max,
    "fmin": min,
    "fmod": _fmod,
    "remainder": lambda x, z: x - z * mp.floor(x / z),
    "floor_divide": lambda x, z: mp.floor(x / z),
    "lerp": lambda x, z, w: z + x * (w - z),
    "heaviside": lambda x, z: z if x == 0 else mp.mpf(x > 0),
    "copysign": lambda x, z: abs(x) * (1 if z >= 0 else -1),
    "logaddexp": lambda x, z: max(x, z) + mp.log1p(mp.exp(-abs(x - z))),
    "logaddexp2": lambda x, z: max(x, z) + mp.log1p(mpf(2) ** -abs(x - z)) / mp.log(2),
    "xlogy": lambda x, z: x * mp.log(z) if x else mpf(0),
    "xlog1py": lambda x, z: x * mp.log1p(z) if x else mpf(0),
    "mul0": lambda x, z: x * z,
    "mul00": lambda x, z: x * z,
    "div0": lambda x, z: x / z,
    "powlog": lambda x, z: mp.log(x),
    "sub0": lambda x, z: x - z,
    "above": lambda x, z: (1 + mp.sign(x - z)) / 2,
    "equal": lambda x, z: mpf(x == z),
    "same": lambda x, z: mpf(x == z),
    "not_equal": lambda x, z: mpf(x != z),
    "less": lambda x, z: mpf(x < z),
    "less_equal": lambda x, z: mpf(x <= z),
    "gate": lambda x, z: x * z,
    "plus0": lambda x, z: x + z,
    "taint": lambda x, z: x + z,
    "where": lambda x, z, w: z if x else w,
    "clip": lambda x, z, w: min(max(x, z), w),
    "fma": lambda x, z, w: x * z + w,
}

# Derivatives are asked for up to this order.
MAX_ORDER = 4

# Arguments that a row takes for constants: (row, index of the argument).
CONSTANT_ARGUMENTS = {
    ("gate", 0),  # a partial that SELECT ops hand down; it is piecewise constant
    ("stop", 0),  # the purpose of the row
}


def oracle(name):
    """The mpmath function of row `name`."""
    try:
        return ORACLES[name]
    except KeyError:
        raise LookupError(f"no oracle for {name}; add one line to tests/oracles.py") from None


def multi_indices(n_args, order):
    """All derivative orders per argument with total `order` or less."""
    return [k for k in itertools.product(range(order + 1), repeat=n_args) if sum(k) <= order]


@cache
def derivatives(name, parameter, args, order, digits=25):
    """All partial derivatives of row `name` at `args` of total order `order` or less.

    Returns a dict from orders per argument to mpf, right to `digits` digits.  `parameter` is None
    but for FAMILY rows.

    Forward differences over steps h = 2^-100 and shorter near a singularity, whose own error is of
    relative size h, with so many digits that enough are left of the differences: those of order n
    lose 30 n and more.  Working precision rises until they are, or until a derivative is known to
    be zero as far as a float can tell.
    """
    f = oracle(name)
    n_args = len(args)
    indices = multi_indices(n_args, order)
    moving = [i for i in range(n_args) if (name, i) not in CONSTANT_ARGUMENTS]
    step = [mp.ldexp(1, math.frexp(_room(x))[1] - 100) for x in args]
    far = 2 * max(0, *(math.frexp(x)[1] // 3 for x in args))  # exp(x * x) needs the digits of x * x
    for digits_used in (70 + 32 * order, 600, 1200, 2400, 4800):
        with mp.workdps(digits_used + far):
            exact = [mpf(x) for x in args]
            values = {}
            for k in indices:
                point = [x + j * h for x, j, h in zip(exact, k, step, strict=True)]
                values[k] = f(*point) if parameter is None else f(parameter, *point)
            noise = max(map(abs, values.values())) * mpf(10) ** (digits + 10 - digits_used)
            _differences(values, order)
            result = {}
            settled = True
            for k in indices:
                if any(k[i] for i in range(n_args) if i not in moving):
                    result[k] = mpf(0)
                    continue
                scale = mp.fprod(h**j for h, j in zip(step, k, strict=True))
                result[k] = values[k] / scale
                if abs(values[k]) <= noise:
                    settled &= abs(noise / scale) < mpf(10) ** -330
                    result[k] = mpf(0)
        if settled:
            return result
    raise ArithmeticError(f"derivatives of {name} at {args} are not settled with 4800 digits")


def _room(x):
    """Distance from x to 0, 1 and -1, where functions have their singularities; 1 at most."""
    return min(distance for distance in (1.0, abs(x), abs(x - 1), abs(x + 1)) if distance)


def _differences(values, order):
    """Forward differences in place: values[k] becomes that of order k[i] in argument i."""
    downwards = sorted(values, reverse=True)
    for i in range(len(downwards[0])):
        for n in range(1, order + 1):
            for k in downwards:
                if k[i] >= n:
                    values[k] -= values[(*k[:i], k[i] - 1, *k[i + 1 :])]


def derivative(name, orders, args, digits=25):
    """One partial derivative, `orders` per argument; `args` as of the oracle, parameter first."""
    parameter = args[0] if len(args) > len(orders) else None
    point = tuple(map(float, args[len(args) - len(orders) :]))
    return derivatives(name, parameter, point, sum(orders), digits)[tuple(orders)]


# ---- how near is near ----------------------------------------------------------------------------

# Allowed errors in ulp, see ulps(); of values 8 and of derivatives 64 if not named here.
VALUE_ULP = {
    "mills": 4096,  # from the order 3 on near 0, where the cumulants it is made of cancel
    "polygamma": 16,  # one rounding for each power in a sum of 20
    "sinc": 16,  # as many roundings as orders
    "erfcx": 16,  # as many roundings as orders
}
DERIVATIVE_ULP = {
    "mills": 4096,  # its derivatives are its own next orders
    "logaddexp": 512,  # exp(x - z) has the rounding error of x - z, which may be 700
    "logaddexp2": 512,  # the same
}
# Rows whose partials are measured against the largest of the same order, not one by one.
BY_NORM = {
    "hypot",  # d^2/dx^2 = 1/y - (x/y)^2/y: absolute digits of 1/y, although z^2/y^3 may be tiny
}


def ulps(got, name, parameter, args, k, most=MAX_ORDER):
    """Error of `got` as the partial derivative of orders `k`, in ulp of its scale.

    A value is measured against itself.  A derivative, which may vanish, is measured against the
    largest of itself and its neighbours one order up and down, brought to its unit by the distance
    from the next singularity (1 at most), over which the function changes by about its own size.
    Scales below 1e-280 count as 1e-280, because what they are made of may be subnormal.  Infinity
    if `got` is nan or infinite and should not be.  `most` is the highest order asked for at this
    point.
    """
    table = derivatives(name, parameter, args, most + 1 if any(k) else 1)
    return _in_ulps(got, table[k], _scale(table, name, parameter, args, k))


def taylor_ulps(got, name, parameter, args, direction, n):
    """The same for the Taylor coefficient t^n of t -> f(args + t direction)."""
    table = derivatives(name, parameter, args, MAX_ORDER + 1)
    true = scale = mpf(0)
    for k in table:
        if sum(k) == n:
            weight = math.prod(v**j / math.factorial(j) for v, j in zip(direction, k, strict=True))
            true += table[k] * weight
            scale += _scale(table, name, parameter, args, k) * abs(weight)
    return _in_ulps(got, true, scale)


def _scale(table, name, parameter, args, k):
    order = sum(k)
    scale = abs(table[k])
    for i, x in enumerate(args):
        up, down = ((*k[:i], k[i] + step, *k[i + 1 :]) for step in (1, -1))
        if order or parameter:
            scale = max(scale, abs(table[up]) * _room(x))
        if order > 1 and k[i]:
            scale = max(scale, abs(table[down]) / _room(x))
    if name in BY_NORM:
        scale = max(abs(d) for other, d in table.items() if sum(other) == order)
    return scale


def _in_ulps(got, true, scale):
    if scale > sys.float_info.max / 2**40:
        return 0.0  # overflow on the way is nobody's fault
    if not math.isfinite(got):
        return math.inf
    return float(abs(mpf(got) - true) / max(scale, mpf("1e-280")) / sys.float_info.epsilon)


# ---- where to look -------------------------------------------------------------------------------

# Parameters of the FAMILY rows.  A new family is met at the first two derivatives.
PARAMETERS = {
    "powi": (-2, -1, 0, 1, 2, 3, 7),
    "polygamma": (0, 1, 2, 5, 30),
    "sinc": (0, 1, 2, 3, 8, 30),
    "mills": (0, 1, 2, 5, 12),
    "erfcx": (0, 1, 2, 4, 9, 20),
}

# Rows that cannot be followed everywhere: the magnitudes of their arguments.
MAGNITUDES = {
    "floor": (0, 1e15),  # beyond 2^52 every number is an integer
    "ceil": (0, 1e15),
    "trunc": (0, 1e15),
    "rint": (0, 1e15),
    "pow": (0, 300),
    "fmod": (1e-3, 1e6),  # the quotient's integer part changes within a rounding of x
    "remainder": (1e-3, 1e6),
    "floor_divide": (1e-3, 1e6),
}


def samples(op, rng):
    """Argument tuples for row `op` (.name .n_args .family .domain): interior, ends, far away.

    The tuples of a FAMILY row start with the parameter.  Every number is jittered, so that no two
    arguments are equal and none is an integer: kinks are tested where their rule is stated.
    """
    smallest, largest = MAGNITUDES.get(op.name, (0, math.inf))
    columns = []
    for lo, hi in op.domain:
        numbers = _spread(lo, hi, rng)
        columns.append([x for x in numbers if smallest <= abs(x) <= largest])
    if op.family:
        return [(p, x) for p in PARAMETERS.get(op.name, (0, 1)) for x in columns[0]]
    points = list(zip(*(_cycle_to(column, 24, rng) for column in columns), strict=True))
    if op.n_args == 1:
        points = [(x,) for x in columns[0]]
    return points


def _spread(lo, hi, rng):
    """Numbers of the open interval (lo, hi), from everywhere a float can be."""

    def jitter(x):
        return float(x * rng.uniform(0.8, 1.0))

    if lo == -math.inf and hi == math.inf:
        sizes = [1e-300, 1e-8, 1e-3, 40, 300, 1e8, 1e150]
        numbers = [*rng.normal(0, 2, 6), *(s * jitter(x) for x in sizes for s in (1, -1))]
    elif hi == math.inf:
        ends = [1e-8, 1e-3, 40, 300, 1e8, 1e150]
        ends += [1e-300, 1e-14] if lo == 0 else [1e-12]
        numbers = [lo + x for x in [*rng.exponential(2, 6), *map(jitter, ends)]]
        numbers += [1 + jitter(1e-8), 1 - jitter(1e-8)] if lo <= 0 else []
    else:
        width = hi - lo
        numbers = [*rng.uniform(lo, hi, 6)]
        for x in (1e-12, 1e-8, 1e-3):
            numbers += [lo + jitter(x) * width, hi - jitter(x) * width]
        numbers += [jitter(1e-8), -jitter(1e-300)] if lo < 0 < hi else []
    return [float(x) for x in numbers]


def _cycle_to(column, length, rng):
    """`column` in random order, again and again, up to `length`."""
    order = [column[i] for i in rng.permutation(len(column))]
    return [order[i % len(order)] for i in range(length)]
