"""Complex arrays under differentiation: pairs of real tensors or duals.

Complex(re, im) stands for re + i im and answers NumPy's operators, ufuncs and functions; everything
it does is real operations on its two parts, so that both modes, every order and compiled functions
hold without a rule more.  Where nothing in a result is tracked it is NumPy's own complex array.

In the formulas z = a + i b and w = c + i d; a part None is exactly zero, as that of a real number.
Branch cuts are NumPy's, and the forms that keep their digits near them are those of W. Kahan,
"Branch cuts for complex elementary functions, or much ado about nothing's sign bit" (1987).
"""

import functools
import math

import numpy as np

from . import _core, ops
from .errors import NotDifferentiableError
from .rules.primitives import shape_of, values
from .rules.table import Dual, Tensor, is_traced, public

_LN2, _LN10 = math.log(2.0), math.log(10.0)


class Complex:
    """A complex array whose real and imaginary parts are tensors, duals or arrays of one shape.

    Attributes
    ----------
    real, imag : Tensor, Dual, array or float
        Its parts, in the shape of the array.

    Examples
    --------
    >>> x = adcore.tensor([1.0, 2.0], requires_grad=True)
    >>> np.exp(1j * x).real
    tensor([ 0.54030231, -0.41614684], requires_grad=True)
    """

    __slots__ = ("imag", "real")
    __complex_pair__ = True
    __array_priority__ = 2000
    dtype = np.dtype(np.complex128)

    def __init__(self, real, imag):
        self.real, self.imag = real, imag

    # -- shape --

    @property
    def shape(self):
        """The lengths of its dimensions."""
        return shape_of(self.real)

    @property
    def ndim(self):
        """The number of its dimensions."""
        return len(self.shape)

    @property
    def size(self):
        """The number of its elements."""
        return math.prod(self.shape)

    @property
    def T(self):
        """The array with its dimensions reversed."""
        return np.transpose(self)

    @property
    def mT(self):
        """The array with its last two dimensions exchanged."""
        return np.matrix_transpose(self)

    @property
    def requires_grad(self):
        """Whether a part is tracked."""
        return any(type(x) is Tensor and x.requires_grad for x in (self.real, self.imag))

    def __len__(self):
        if not self.shape:
            raise TypeError("len() of a complex scalar")
        return self.shape[0]

    def __iter__(self):
        return iter([self[i] for i in range(len(self))])

    def __getitem__(self, key):
        return pair(self.real[key], self.imag[key])

    # -- out of differentiation --

    def detach(self):
        """The numbers, a complex or a complex array."""
        return _numbers(self)

    numpy = detach

    def item(self):
        """The number of an array of one element."""
        return _numbers(self).item()

    def tolist(self):
        """The numbers as nested lists."""
        return np.asarray(_numbers(self)).tolist()

    def __complex__(self):
        raise NotDifferentiableError(
            "complex() of a tracked complex number would lose its derivative; use it as it is, or "
            "z.item() for a constant"
        )

    __float__ = __int__ = __index__ = __complex__

    def __array__(self, dtype=None, copy=None):
        del dtype, copy
        raise NotDifferentiableError(
            "np.asarray() of a tracked complex array would lose its derivative; use it as it is, "
            "or z.detach() for a constant"
        )

    def __bool__(self):
        if self.size != 1:
            raise ValueError("the truth of a complex array is ambiguous; use z.any() or z.all()")
        return bool((self.real != 0) | (self.imag != 0))

    def __repr__(self):
        return f"Complex({_numbers(self)})"

    __hash__ = object.__hash__

    # -- operators --

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return apply_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        del types
        return apply_function(function, args, kwargs)

    def __getattr__(self, name):
        function = _METHODS.get(name)
        if function is None:
            raise AttributeError(f"a complex array under differentiation has no attribute {name!r}")
        return functools.partial(function, self)


def pair(real, imag):
    """real + i imag: Complex if a part is a tensor or a dual, else NumPy's."""
    if is_traced((real, imag)):
        return Complex(*_alike(real, imag))
    out = np.empty(np.broadcast_shapes(np.shape(real), np.shape(imag)), np.complex128)
    out.real, out.imag = real, imag
    return out if out.ndim else complex(out)


def parts(x):
    """(re, im) of anything array-like; im is None of what is real."""
    if type(x) is Complex:
        return x.real, x.imag
    if type(x) is Tensor or type(x) is Dual:
        return x, None
    if isinstance(x, (list, tuple)) and _has_complex(x):
        x = stacked(x)
        return x.real, x.imag
    if isinstance(x, (list, tuple)) and is_traced(x):
        return public[np.stack](list(x)), None
    x = np.asarray(x)
    if x.dtype.kind != "c":
        return (x, None) if x.ndim else (x.item(), None)
    return (x.real.copy(), x.imag.copy()) if x.ndim else (float(x.real), float(x.imag))


def both(x):
    """(re, im) of anything array-like, zeros where it is real."""
    real, imag = parts(x)
    if imag is None:
        imag = np.zeros(shape_of(real)) if shape_of(real) else 0.0
    return real, imag


def stacked(items):
    """A nested list of numbers and Complex as one Complex."""
    pairs = [both(i) for i in items]
    stack = public[np.stack]
    return pair(stack([re for re, _ in pairs]), stack([im for _, im in pairs]))


def _alike(real, imag):
    """Both parts in their common shape."""
    shape = np.broadcast_shapes(shape_of(real), shape_of(imag))
    return tuple(
        x if shape_of(x) == shape else public[np.broadcast_to](x, shape) for x in (real, imag)
    )


def _has_complex(items):
    for x in items:
        if type(x) is Complex or isinstance(x, (complex, np.complexfloating)):
            return True
        if isinstance(x, np.ndarray) and x.dtype.kind == "c":
            return True
        if isinstance(x, (list, tuple)) and _has_complex(x):
            return True
    return False


def _numbers(x):
    """The numbers of anything, complex where `x` is."""
    if type(x) is Complex:
        return pair(values(x.real), values(x.imag))
    return values(x)


def _choose(truth, x, y):
    """x where the result of one of the three below is 1, else y; what it hangs on is data."""
    return _core.apply("where", truth, x, y)


def _at_least(x, y):
    return _core.apply("less_equal", y, x)


def _below(x, y):
    return _core.apply("less", x, y)


def _equal(x, y):
    return _core.apply("equal", x, y)


# ---- elementwise functions of pairs; every argument is (re, im or None), and so is the result ----


def _plus(x, y):
    return y if x is None else x if y is None else x + y


def _minus(x, y):
    if y is None:
        return x
    return -y if x is None else x - y


def _times(x, y):
    """A product of parts; what 1j lacks is no factor."""
    if any(p is None or (type(p) is float and p == 0) for p in (x, y)):
        return None
    return x * y


def _negative(x):
    return None if x is None else -x


def _zero(x):
    return 0.0 if x is None else x


def _add(z, w):
    return _plus(z[0], w[0]), _plus(z[1], w[1])


def _subtract(z, w):
    return _minus(z[0], w[0]), _minus(z[1], w[1])


def _multiply(z, w):
    (a, b), (c, d) = z, w
    re = _minus(_times(a, c), _times(b, d))
    return _zero(re), _plus(_times(a, d), _times(b, c))


def _scale(z, factor):
    return z[0] * factor, _times(z[1], factor)


def _divide(z, w):
    """Smith's algorithm, as NumPy's: by the ratio of the lesser to the greater part of w."""
    (a, b), (c, d) = z, w
    if d is None:
        return a / c, None if b is None else b / c
    b = _zero(b)
    first = _at_least(abs(c), abs(d))
    great, small = _choose(first, c, d), _choose(first, d, c)
    ratio = small / great
    scale = great + small * ratio
    p, q = _choose(first, a, b), _choose(first, b, a)
    return (p + q * ratio) / scale, _choose(first, 1.0, -1.0) * (q - p * ratio) / scale


def _square(z):
    a, b = z
    return (a * a, None) if b is None else ((a - b) * (a + b), 2.0 * (a * b))


def _conjugate(z):
    return z[0], _negative(z[1])


def _exp(z):
    a, b = z
    e = ops.exp(a)
    return (e, None) if b is None else (e * ops.cos(b), e * ops.sin(b))


def _expm1(z):
    a, b = z[0], _zero(z[1])
    return ops.expm1(a) * ops.cos(b) - 2.0 * ops.sin(0.5 * b) ** 2, ops.exp(a) * ops.sin(b)


def _log_of_modulus(a, b):
    """log |z|; near |z| = 1 by what |z|^2 differs from 1."""
    great, small = ops.maximum(abs(a), abs(b)), ops.minimum(abs(a), abs(b))
    near = _below(0.5, great) * _below(great, 2.0)
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
    t = ops.sqrt(0.5 * (abs(a) + ops.hypot(a, b)))
    other = _choose(_equal(t, 0.0), b, 0.5 * b / t)
    right = _at_least(a, 0.0)
    return _choose(right, t, abs(other)), _choose(right, other, ops.copysign(t, b))


def _sin(z):
    a, b = z[0], _zero(z[1])
    return ops.sin(a) * ops.cosh(b), ops.cos(a) * ops.sinh(b)


def _cos(z):
    a, b = z[0], _zero(z[1])
    return ops.cos(a) * ops.cosh(b), -ops.sin(a) * ops.sinh(b)


def _sinh(z):
    a, b = z[0], _zero(z[1])
    return ops.sinh(a) * ops.cos(b), ops.cosh(a) * ops.sin(b)


def _cosh(z):
    a, b = z[0], _zero(z[1])
    return ops.cosh(a) * ops.cos(b), ops.sinh(a) * ops.sin(b)


def _tanh(z):
    """Kahan's: no overflow, no cancellation next to the poles."""
    a, b = z[0], _zero(z[1])
    far = _below(20.0, abs(a))
    sinh = ops.sinh(_choose(far, 0.0, a))
    t = ops.tan(b)
    sec2 = 1.0 + t * t
    scale = 1.0 + sec2 * sinh * sinh
    decay = 4.0 * ops.exp(-2.0 * abs(a))
    return (
        _choose(far, ops.tanh(a), sec2 * ops.sqrt(1.0 + sinh * sinh) * sinh / scale),
        _choose(far, decay * ops.sin(b) * ops.cos(b), t / scale),
    )


def _times_i(z):
    return -_zero(z[1]), z[0]


def _over_i(z):
    return _zero(z[1]), -z[0]


def _turned(function):
    """The circular function of a hyperbolic one, f(i z) / i, or the other way round."""
    return lambda z: _over_i(function(_times_i(z)))


def _one_minus(z):
    return 1.0 - z[0], _negative(z[1])


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
    a, b = z[0], _zero(z[1])
    below, above = 1.0 - a, 1.0 + a
    return (
        0.25 * ops.log1p(4.0 * a / (below * below + b * b)),
        0.5 * ops.atan2(2.0 * b, below * above - b * b),
    )


def _sign(z):
    a, b = z[0], _zero(z[1])
    modulus = ops.hypot(a, b)
    modulus = _choose(_equal(modulus, 0.0), 1.0, modulus)
    return a / modulus, b / modulus


def _absolute(z):
    return (abs(z[0]) if z[1] is None else ops.hypot(*z)), None


def _reciprocal(z):
    return _divide((1.0, None), z)


def _integer_power(z, n):
    """z**n by squaring, as NumPy's for small n."""
    if n < 0:
        return _reciprocal(_integer_power(z, -n))
    out, square = None, z
    while n:
        if n & 1:
            out = square if out is None else _multiply(out, square)
        n >>= 1
        if n:
            square = _square(square)
    if out is None:
        return 1.0 + 0.0 * values(z[0]), None
    return out


def _power(z, w):
    """z**w; an integer constant w gives products, and 0**w is 0 for w with a positive real part."""
    c, d = w
    if not is_traced(w) and np.ndim(c) == 0 and not d and c == int(c) and abs(c) <= 100:
        return _integer_power(z, int(c))
    a, b = z[0], _zero(z[1])
    zero = _equal(a, 0.0) * _equal(b, 0.0)
    safe = _choose(zero, 1.0, a), b
    re, im = _exp(_multiply(w, _log(safe)))
    none = zero * _equal(c, 0.0) * _equal(_zero(d), 0.0)
    at_zero = _choose(none, 1.0, _choose(_below(0.0, c), 0.0, np.nan))
    return _choose(zero, at_zero, re), _choose(zero, 0.0 * at_zero, im)


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
    **{"add": _add, "subtract": _subtract, "multiply": _multiply, "divide": _divide},
    **{"negative": lambda z: (-z[0], _negative(z[1])), "positive": lambda z: z},
    **{"square": _square, "reciprocal": _reciprocal, "power": _power, "float_power": _power},
    **{"conjugate": _conjugate, "absolute": _absolute, "sign": _sign, "sqrt": _sqrt},
    **{"exp": _exp, "expm1": _expm1, "log": _log, "log1p": _log1p},
    "exp2": lambda z: _exp(_scale(z, _LN2)),
    "log2": lambda z: _scale(_log(z), 1.0 / _LN2),
    "log10": lambda z: _scale(_log(z), 1.0 / _LN10),
    **{"sin": _sin, "cos": _cos, "tan": _tan, "sinh": _sinh, "cosh": _cosh, "tanh": _tanh},
    **{"arcsin": _arcsin, "arccos": _arccos, "arctan": _arctan},
    **{"arcsinh": _arcsinh, "arccosh": _arccosh, "arctanh": _arctanh},
    **{"equal": _is_equal, "not_equal": _is_not_equal, "isfinite": _isfinite},
    **{"isnan": _either(np.isnan), "isinf": _either(np.isinf)},
}


# ---- ufuncs ----

_REAL = {"absolute", "equal", "not_equal", "isfinite", "isnan", "isinf"}  # of real results
_LOGICAL = {"logical_and", "logical_or", "logical_not", "logical_xor"}


def _elementwise(name, args):
    real, imag = UFUNCS[name](*[parts(x) for x in args])
    return real if name in _REAL else pair(real, 0.0 if imag is None else imag)


def apply_ufunc(ufunc, method, inputs, kwargs):
    """What Complex.__array_ufunc__ hands on."""
    name = ufunc.__name__
    kwargs = {k: v for k, v in kwargs.items() if v is not None}
    if method == "reduce" and name in ("add", "multiply"):
        kwargs.setdefault("axis", 0)
        return apply_function(np.sum if name == "add" else np.prod, inputs, kwargs)
    if method == "__call__" and not kwargs:
        if name in UFUNCS:
            return _elementwise(name, inputs)
        if ufunc in _FUNCTIONS:
            return _FUNCTIONS[ufunc](*inputs)
        if name in _LOGICAL:
            return ufunc(*[x != 0 for x in inputs])
    called = name if method == "__call__" else f"{name}.{method}"
    if kwargs:
        raise NotDifferentiableError(
            f"{called} of a complex array under differentiation takes no {next(iter(kwargs))}="
        )
    raise NotDifferentiableError(
        f"{called} of a complex array is not supported; write it with z.real and z.imag"
    )


_ufunc_of_op = {op.name: op.ufunc for op in _core.OPS}


def op_on_complex(name, p, *args):
    """The row `name` of the op table on operands of which some are complex."""
    if name == "powi":
        return pair(*_integer_power(both(args[0]), int(p)))
    if name == "where":
        return apply_function(np.where, args, {})
    name = _ufunc_of_op[name]
    if not any(is_traced((x,)) or type(x) is Complex for x in args):
        return getattr(np, name)(*args)
    if name not in UFUNCS:
        raise NotDifferentiableError(
            f"{name} of a complex array is not supported; write it with z.real and z.imag"
        )
    return _elementwise(name, args)


# ---- functions of arrays ----


def _linear(function, *at):
    """A function that is linear in the arguments `at`, together: of either part by itself."""
    rule = public.get(function, function)

    def apply(*args, **kwargs):
        given = [_halves(a) if i in at else (a, a) for i, a in enumerate(args)]
        real = rule(*[re for re, _ in given], **kwargs)
        return _joined(real, rule(*[im for _, im in given], **kwargs))

    return apply


def _halves(x):
    """(re, im) of an array, or of a list of arrays."""
    if isinstance(x, (list, tuple)):
        return tuple(list(half) for half in zip(*map(_halves, x), strict=True)) or (x, x)
    return both(x)


def _joined(real, imag):
    if isinstance(real, (list, tuple)):
        return type(real)([pair(*p) for p in zip(real, imag, strict=True)])
    return pair(real, imag)


def _bilinear(function, conjugate=None):
    """A product: linear in each of two arguments, of which one may enter as its conjugate."""
    rule = public.get(function, function)

    def apply(z, w, *args, **kwargs):
        (a, b), (c, d) = parts(z), parts(w)
        if conjugate == 0:
            b = _negative(b)
        elif conjugate == 1:
            d = _negative(d)

        def times(x, y):
            return None if x is None or y is None else rule(x, y, *args, **kwargs)

        re, im = _minus(times(a, c), times(b, d)), _plus(times(a, d), times(b, c))
        return pair(re, 0.0 * re if im is None else im)

    return apply


def _einsum(subscripts, *operands, **kwargs):
    """Products of more than two factors from the left, part by part."""
    rule = public[np.einsum]
    terms = [(1.0, [], 0)]  # sign, factors, power of i
    for operand in operands:
        a, b = parts(operand)
        grown = [(sign, [*factors, a], i) for sign, factors, i in terms]
        if b is not None:
            grown += [(sign, [*factors, b], i + 1) for sign, factors, i in terms]
        terms = grown
    halves = [None, None]
    for sign, factors, i in terms:
        term = rule(subscripts, *factors, **kwargs)
        term = -term if (i // 2) % 2 else sign * term
        halves[i % 2] = _plus(halves[i % 2], term)
    return pair(halves[0], 0.0 * halves[0] if halves[1] is None else halves[1])


def _prod(z, axis=None, **kwargs):
    """The product along an axis, by halves."""
    if any(v is not None and v is not False for v in kwargs.values()):
        raise NotDifferentiableError("prod of a complex array takes axis= alone")
    z = np.reshape(z, (-1,)) if axis is None else np.moveaxis(z, axis, 0)
    while len(z) > 1:
        half = len(z) // 2
        rest = z[2 * half :]
        z = z[:half] * z[half : 2 * half]
        z = np.concatenate([z, rest]) if len(rest) else z
    return z[0] if len(z) else np.ones(z.shape[1:], np.complex128)[()]


def _var(z, axis=None, ddof=0, keepdims=False):
    (a, b) = both(z)
    options = {"axis": axis, "ddof": ddof, "keepdims": keepdims}
    return public[np.var](a, **options) + public[np.var](b, **options)


def _std(z, axis=None, ddof=0, keepdims=False):
    return ops.sqrt(_var(z, axis, ddof, keepdims))


def _angle(z, deg=False):
    a, b = both(z)
    angle = ops.atan2(b, a)
    return ops.rad2deg(angle) if deg else angle


def _norm(x, ord=None, axis=None, keepdims=False):
    """Of moduli; the 2-norm of vectors from the squares of the parts, so that it has no pole."""
    a, b = both(x)
    rule = public[np.linalg.norm]
    if ord in (None, "fro", 2) and (axis is None or np.ndim(axis) == 0 or ord != 2):
        if axis is None and ord is None:
            flat = [np.reshape(p, (-1,)) for p in (a, b)]
            out = rule(public[np.concatenate](flat))
            return np.reshape(out, (1,) * len(shape_of(a))) if keepdims else out
        if ord != 2 or len(shape_of(a)) == 1 or np.ndim(axis) == 0 and axis is not None:
            return ops.hypot(*[rule(p, None if ord == 2 else ord, axis, keepdims) for p in (a, b)])
        raise NotDifferentiableError("the spectral norm of a complex matrix: use svdvals(x).max()")
    return rule(ops.hypot(a, b), ord, axis, keepdims)


def _of_numbers(function):
    """A function whose results are constants."""
    return lambda *args, **kwargs: function(*[_numbers(a) for a in args], **kwargs)


def _like(function):
    def apply(z, *args, dtype=None, **kwargs):
        return function(_numbers(z), *args, dtype=dtype, **kwargs)

    return apply


_FIRST = (
    *(np.reshape, np.ravel, np.transpose, np.permute_dims, np.matrix_transpose, np.swapaxes),
    *(np.moveaxis, np.rollaxis, np.squeeze, np.expand_dims, np.broadcast_to, np.atleast_1d),
    *(np.atleast_2d, np.atleast_3d, np.roll, np.flip, np.fliplr, np.flipud, np.rot90, np.repeat),
    *(np.tile, np.sum, np.mean, np.cumsum, np.diff, np.trace, np.diag, np.diagonal, np.diagflat),
    *(np.tril, np.triu, np.take, np.take_along_axis, np.concatenate, np.concat, np.stack),
    *(np.hstack, np.vstack, np.dstack, np.column_stack, np.split, np.array_split, np.hsplit),
    *(np.vsplit, np.delete, np.pad, np.copy, np.nan_to_num, np.trapezoid, np.linalg.trace),
    *(np.linalg.diagonal, np.linalg.matrix_transpose),
)

_FUNCTIONS = {
    **{f: _linear(f, 0) for f in _FIRST},
    **{f: _linear(f, 1) for f in (np.compress, np.extract)},
    np.append: _linear(np.append, 0, 1),
    np.where: _linear(np.where, 1, 2),
    np.select: _linear(np.select, 1),
    **{f: _bilinear(f) for f in (np.matmul, np.dot, np.inner, np.outer, np.kron, np.cross)},
    **{f: _bilinear(f) for f in (np.tensordot, np.matvec)},
    **{f: _bilinear(f, 0) for f in (np.vdot, np.vecdot, np.vecmat, np.linalg.vecdot)},
    np.einsum: _einsum,
    np.prod: _prod,
    **{np.var: _var, np.std: _std, np.angle: _angle, np.linalg.norm: _norm},
    np.real: lambda z: both(z)[0],
    np.imag: lambda z: both(z)[1],
    **{f: _of_numbers(f) for f in (np.isreal, np.iscomplex, np.iscomplexobj, np.isrealobj)},
    **{f: _of_numbers(f) for f in (np.allclose, np.isclose, np.array_equal, np.array_equiv)},
    **{f: _of_numbers(f) for f in (np.any, np.all, np.nonzero, np.count_nonzero, np.argsort)},
    **{f: _of_numbers(f) for f in (np.shape, np.size, np.ndim, np.result_type)},
    **{f: _like(f) for f in (np.zeros_like, np.ones_like, np.full_like, np.empty_like)},
}


def apply_function(function, args, kwargs):
    """What Complex.__array_function__ hands on."""
    rule = _FUNCTIONS.get(function)
    if rule is None:
        raise NotDifferentiableError(
            f"{function.__module__}.{function.__name__} of a complex array under differentiation "
            "is not supported; write it with z.real and z.imag"
        )
    return rule(*args, **kwargs)


def _reshape(z, *shape):
    return np.reshape(z, shape[0] if len(shape) == 1 else shape)


_METHODS = {
    **{"conj": np.conjugate, "conjugate": np.conjugate, "abs": np.abs, "reshape": _reshape},
    **{"ravel": np.ravel, "flatten": np.ravel, "transpose": np.transpose, "sum": np.sum},
    **{"mean": np.mean, "prod": np.prod, "cumsum": np.cumsum, "trace": np.trace, "dot": np.dot},
    **{"diagonal": np.diagonal, "take": np.take, "squeeze": np.squeeze, "repeat": np.repeat},
    **{"swapaxes": np.swapaxes, "var": np.var, "std": np.std, "any": np.any, "all": np.all},
    "copy": np.copy,
}


# ---- operators ----


def _operator(name, reflected=False):
    ufunc = getattr(np, name)

    def apply(self, other):
        args = (other, self) if reflected else (self, other)
        return _FUNCTIONS[np.matmul](*args) if ufunc is np.matmul else _elementwise(name, args)

    return apply


_SYMBOLS = {
    **{"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide"},
    **{"pow": "power", "matmul": "matmul"},
}
for _symbol, _name in _SYMBOLS.items():
    setattr(Complex, f"__{_symbol}__", _operator(_name))
    setattr(Complex, f"__r{_symbol}__", _operator(_name, reflected=True))
for _symbol, _name in {"neg": "negative", "pos": "positive", "abs": "absolute"}.items():
    setattr(Complex, f"__{_symbol}__", functools.partialmethod(lambda z, n: _elementwise(n, (z,)), _name))
for _symbol, _name in {"eq": "equal", "ne": "not_equal"}.items():
    setattr(Complex, f"__{_symbol}__", _operator(_name))
