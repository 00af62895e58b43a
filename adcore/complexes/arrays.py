"""NumPy's functions of arrays on complex ones: of either part by itself, or from products of parts.

FUNCTIONS has them by NumPy's functions, METHODS by the names of methods.
"""

import math

import numpy as np

from .. import _core, ops
from ..errors import NotDifferentiableError
from ..rules.choices import chooser
from ..rules.primitives import shape_of
from ..rules.table import Tensor, public, refuse
from .elementwise import minus, negative, plus
from .pairs import Complex, both, pair, parts

ARRAY_FUNCTIONS = _core.ARRAY_FUNCTIONS

# Keywords whose values are among the numbers, so that they have two parts too.
_VALUES = {
    *("constant_values", "end_values", "prepend", "append", "to_begin", "to_end", "initial"),
    *("default", "fp", "left", "right", "values"),
}


def linear(function, *at):
    """A function that is linear in the arguments `at`, together: of either part by itself."""
    first = at == (0,)

    def apply(*args, dtype=None, **kwargs):
        if first and type(args[0]) is Complex and dtype is None and not kwargs:
            real, imag = args[0].real, args[0].imag
            rest = args[1:]
            if type(real) is type(imag) is Tensor and not (rest and _core.is_complex(rest)):
                rule = ARRAY_FUNCTIONS.get(function)
                if rule is not None:
                    return _joined(rule(real, *rest), rule(imag, *rest))
        _refuse_real(function.__name__, dtype)
        rule = public.get(function, function)
        others = [a for i, a in enumerate(args) if i not in at]
        others += [v for k, v in kwargs.items() if k not in _VALUES]
        if _core.is_complex(others):
            raise NotDifferentiableError(
                f"{function.__name__} takes complex numbers for what it is linear in alone; give "
                "real ones for its other arguments"
            )
        given = [_halves(a) if i in at else (a, a) for i, a in enumerate(args)]
        named = {k: _halves(v) if k in _VALUES else (v, v) for k, v in kwargs.items()}
        real, imag = (
            rule(*[pair[half] for pair in given], **{k: v[half] for k, v in named.items()})
            for half in range(2)
        )
        return _joined(real, imag)

    return apply


def _refuse_real(name, dtype):
    """Refuse a type that would lose imaginary parts."""
    if dtype is not None and np.dtype(dtype) != np.complex128:
        raise NotDifferentiableError(
            f"{name} of a complex array does not take dtype={dtype!r}; take z.real or z.imag for "
            "real numbers"
        )


def linear_in_all(function):
    """The same for a function of any number of arrays."""
    return lambda *args, **kwargs: linear(function, *range(len(args)))(*args, **kwargs)


def _halves(x):
    """(re, im) of an array, or of a list of arrays."""
    if isinstance(x, (list, tuple)):
        return tuple(list(half) for half in zip(*map(_halves, x), strict=True)) or (x, x)
    return both(x)


def _joined(real, imag):
    if isinstance(real, (list, tuple)):
        return type(real)([pair(*p) for p in zip(real, imag, strict=True)])
    return pair(real, imag)


def bilinear(function, conjugate=None):
    """A product: linear in each of two arguments, of which one may enter as its conjugate."""

    def apply(z, w, *args, **kwargs):
        rule = public.get(function, function)
        (a, b), (c, d) = parts(z), parts(w)
        if conjugate == 0:
            b = negative(b)
        elif conjugate == 1:
            d = negative(d)

        def times(x, y):
            return None if x is None or y is None else rule(x, y, *args, **kwargs)

        re, im = minus(times(a, c), times(b, d)), plus(times(a, d), times(b, c))
        return pair(re, np.zeros(shape_of(re))[()] if im is None else im)

    return apply


def _dot(z, w):
    if len(shape_of(z)) in (1, 2) and len(shape_of(w)) in (1, 2):
        return np.matmul(z, w)
    return bilinear(np.dot)(z, w)


def _vdot(z, w):
    if len(shape_of(z)) == len(shape_of(w)) == 1:
        return np.matmul(np.conjugate(z), w)
    return bilinear(np.vdot, 0)(z, w)


def _outer(z, w):
    return np.multiply(np.reshape(z, (-1, 1)), np.reshape(w, (1, -1)))


def _where(condition, *choices):
    if len(choices) != 2 or _core.is_complex(condition):
        return linear(np.where, 1, 2)(condition, *choices)
    c = chooser(condition)
    if type(c) is np.ndarray and c.dtype != np.float64:
        c = c.astype(np.float64)  # once for both parts
    first, second = (parts(x) for x in choices)
    return pair(
        *[
            _core.apply("where", c, 0.0 if x is None else x, 0.0 if y is None else y)
            for x, y in zip(first, second, strict=True)
        ]
    )


def _is_product(subscripts):
    """The dimensions of both operands of einsum, if it is what matmul does; else ()."""
    given, arrow, out = subscripts.replace(" ", "").partition("->")
    operands = given.split(",")
    if not arrow or len(operands) != 2 or not given.replace(",", "").isalpha():
        return ()
    a, b = operands
    fits = (
        len(set(a)) == len(a) in (1, 2)
        and len(set(b)) == len(b) in (1, 2)
        and set(a) & set(b) == {a[-1]} == {b[0]}
        and out == a[:-1] + b[1:]
    )
    return (len(a), len(b)) if fits else ()


_core.set_products_of_subscripts(_is_product)


def _einsum(subscripts, *operands, **kwargs):
    """Every product of one part of each operand, with its power of i."""
    if type(subscripts) is not str:
        raise NotDifferentiableError("einsum of complex arrays takes subscripts as a string")
    terms = [([], 0)]  # factors, power of i
    for operand in operands:
        a, b = parts(operand)
        grown = [([*factors, a], i) for factors, i in terms]
        if b is not None:
            grown += [([*factors, b], i + 1) for factors, i in terms]
        terms = grown
    halves = [None, None]
    for factors, i in terms:
        term = public[np.einsum](subscripts, *factors, **kwargs)
        halves[i % 2] = (minus if i % 4 > 1 else plus)(halves[i % 2], term)
    return pair(*halves)


def _prod(z, axis=None, keepdims=False):
    """The product along axes, by halves, so that zeros do no harm."""
    shape = z.shape
    axes = tuple(range(len(shape))) if axis is None else axis
    axes = [a % len(shape) for a in np.atleast_1d(axes).tolist()]
    z = np.moveaxis(z, axes, list(range(len(axes))))
    z = np.reshape(z, (-1, *z.shape[len(axes) :]))
    while len(z) > 1:
        half = len(z) // 2
        rest = z[2 * half :]
        z = z[:half] * z[half : 2 * half]
        z = np.concatenate([z, rest]) if len(rest) else z
    out = z[0] if len(z) else np.ones(z.shape[1:], np.complex128)[()]
    if keepdims:
        out = np.reshape(out, tuple([1 if i in axes else n for i, n in enumerate(shape)]))
    return out


def _cumprod(z, axis=None):
    z = np.reshape(z, (-1,)) if axis is None else np.moveaxis(z, axis, 0)
    reach = 1
    while reach < len(z):
        z = np.concatenate([z[:reach], z[reach:] * z[:-reach]])
        reach *= 2
    return z if axis is None else np.moveaxis(z, 0, axis)


def _var(z, axis=None, ddof=0, keepdims=False):
    """Of the real part, and of the imaginary part."""
    options = {"axis": axis, "ddof": ddof, "keepdims": keepdims}
    a, b = both(z)
    return public[np.var](a, **options) + public[np.var](b, **options)


def _std(z, axis=None, ddof=0, keepdims=False):
    options = {"axis": axis, "ddof": ddof, "keepdims": keepdims}
    a, b = (public[np.std](part, **options) for part in both(z))
    # Of one element both are a constant 0, of which the modulus would have no second derivative.
    return a + b if z.size == math.prod(shape_of(a)) else ops.hypot(a, b)


def _extremum(name, least):
    """The least or greatest in NumPy's order: by real parts, of equal ones by imaginary parts."""
    worst = np.inf if least else -np.inf

    def apply(z, axis=None, out=None, keepdims=False, **others):
        if out is not None or others:
            refuse(f"{name} of a complex array", out=out, **others)
        rule, choose = public[np.min if least else np.max], public[np.where]
        a, b = both(z)
        none = np.isnan(a) | np.isnan(b)  # of which the result is one
        a, b = choose(none, np.nan, a), choose(none, np.nan, b)
        first = (a == rule(a, axis=axis, keepdims=True)) | none
        among = choose(first, b, worst)
        chosen = first & ((among == rule(among, axis=axis, keepdims=True)) | none)
        return pair(*[rule(choose(chosen, p, worst), axis=axis, keepdims=keepdims) for p in (a, b)])

    return apply


def _average(z, axis=None, weights=None):
    if weights is None:
        return np.mean(z, axis=axis)
    if axis is not None and np.ndim(weights) == 1:
        weights = np.reshape(weights, (-1, *[1] * (z.ndim - 1 - axis % z.ndim)))
    return np.sum(z * weights, axis=axis) / np.sum(weights * np.ones(z.shape), axis=axis)


def _angle(z, deg=False):
    a, b = both(z)
    angle = ops.atan2(b, a)
    return ops.rad2deg(angle) if deg else angle


def _norm(x, ord=None, axis=None, keepdims=False):
    """Those of the squares of moduli from one real norm, so that they are smooth where it is."""
    a, b = both(x)
    rule, join = public[np.linalg.norm], public[np.concatenate]
    ndim = len(shape_of(a))
    if axis is None and ord is None:
        out = rule(join([np.reshape(p, (-1,)) for p in (a, b)]))
        return np.reshape(out, (1,) * ndim) if keepdims else out
    axes = tuple(range(ndim)) if axis is None else tuple(np.atleast_1d(axis).tolist())
    if ord is None or (len(axes) == 1 and ord == 2) or (len(axes) == 2 and ord == "fro"):
        return rule(join([a, b], axis=axes[0]), None, axis, keepdims)
    if len(axes) == 2 and ord in (2, -2, "nuc"):
        s = np.linalg.svdvals(np.moveaxis(x, axes, (-2, -1)))
        out = np.sum(s, axis=-1) if ord == "nuc" else s[..., 0 if ord == 2 else -1]
        axes = tuple([a % ndim for a in axes])
        return np.expand_dims(out, axes) if keepdims else out
    return rule(ops.hypot(a, b), ord, axis, keepdims)


def _polyval(p, x):
    out = 0.0
    for coefficient in p:
        out = out * x + coefficient
    return out


def _interp(x, xp, fp, *args, **kwargs):
    if any(parts(v)[1] is not None for v in (x, xp)):
        raise NotDifferentiableError("interp takes real x and xp; only fp may be complex")
    return linear(np.interp, 2)(x, xp, fp, *args, **kwargs)


def _isclose(z, w, rtol=1e-05, atol=1e-08, equal_nan=False):
    close = (abs(z - w) <= atol + rtol * abs(w)) | (z == w)
    return close | (np.isnan(z) & np.isnan(w)) if equal_nan else close


def _array_equal(z, w):
    return shape_of(z) == shape_of(w) and bool(np.all(z == w))


def _real_if_close(z, tol=100):
    limit = tol if tol < 1 else tol * np.finfo(np.float64).eps
    return z.real if bool(np.all(abs(z.imag) < limit)) else z


def _of_truths(function):
    """A function of which elements are zero."""
    return lambda z, *args, **kwargs: function(z != 0, *args, **kwargs)


def _of_shape(function):
    """A function that makes constants in the shape of an array."""

    def apply(z, *args, **kwargs):
        return function(np.broadcast_to(np.complex128(0), shape_of(z)), *args, **kwargs)

    return apply


def _created(name, least=0, copies=None):
    """A constructor of an array from lists with complex numbers and tensors in them."""

    def apply(x, dtype=None, *, copy=copies, order=None, ndmin=least, **others):
        device, others = others.pop("device", None), {"order": order, **others}
        others.pop("subok", None)
        if others["order"] in ("K", "A", "C"):
            others["order"] = None
        if device not in (None, "cpu"):
            raise TypeError(f"{name} of a tensor does not take a device but 'cpu'")
        _refuse_real(name, dtype)
        refuse(f"numpy.{name} of complex numbers", **others)
        z = x if type(x) is Complex else pair(*both(x))
        if ndmin > z.ndim:
            z = np.reshape(z, (1,) * (ndmin - z.ndim) + z.shape)
        return np.copy(z) if copy and z is x else z

    return apply


def _full(shape, fill_value, dtype=None, **others):
    others.pop("order", None)
    refuse("numpy.full of complex numbers", **others)
    return np.broadcast_to(_created("full")(fill_value, dtype), shape)


def _full_like(z, fill_value):
    return np.copy(np.broadcast_to(fill_value + 0j, shape_of(z)))


LINEAR = (  # in the first argument
    *(np.reshape, np.ravel, np.transpose, np.permute_dims, np.matrix_transpose, np.swapaxes),
    *(np.moveaxis, np.rollaxis, np.squeeze, np.expand_dims, np.broadcast_to, np.atleast_1d),
    *(np.atleast_2d, np.atleast_3d, np.roll, np.flip, np.fliplr, np.flipud, np.rot90, np.repeat),
    *(np.tile, np.sum, np.mean, np.cumsum, np.trace, np.diag, np.diagonal, np.diagflat),
    *(np.tril, np.triu, np.take, np.take_along_axis, np.concatenate, np.concat, np.stack),
    *(np.hstack, np.vstack, np.dstack, np.column_stack, np.split, np.array_split, np.hsplit),
    *(np.vsplit, np.delete, np.pad, np.copy, np.nan_to_num, np.trapezoid, np.linalg.trace),
    *(np.linalg.diagonal, np.linalg.matrix_transpose, np.block, np.gradient),
    *(np.round, np.around, np.unstack, np.resize),
)

FUNCTIONS = {
    **{f: linear(f, 0) for f in LINEAR},
    **{f: linear(f, 1) for f in (np.compress, np.extract)},
    np.select: linear(np.select, 1, 2),
    np.diff: linear(np.diff, 0, 3, 4),
    np.ediff1d: linear(np.ediff1d, 0, 1, 2),
    np.append: linear(np.append, 0, 1),
    np.insert: linear(np.insert, 0, 2),
    np.where: _where,
    np.interp: _interp,
    **{f: linear_in_all(f) for f in (np.meshgrid, np.broadcast_arrays)},
    **{f: bilinear(f) for f in (np.matmul, np.inner, np.kron, np.cross)},
    **{f: bilinear(f) for f in (np.tensordot, np.matvec, np.convolve, np.linalg.tensordot)},
    np.dot: _dot,
    np.linalg.matmul: np.matmul,
    **dict.fromkeys((np.outer, np.linalg.outer), _outer),
    np.vdot: _vdot,
    **{f: bilinear(f, 0) for f in (np.vecdot, np.vecmat, np.linalg.vecdot)},
    np.correlate: bilinear(np.correlate, 1),
    np.einsum: _einsum,
    np.prod: _prod,
    np.cumprod: _cumprod,
    np.average: _average,
    np.var: _var,
    np.std: _std,
    **{f: _extremum("max", False) for f in (np.max, np.amax)},
    **{f: _extremum("min", True) for f in (np.min, np.amin)},
    np.angle: _angle,
    np.polyval: _polyval,
    np.linalg.norm: _norm,
    np.real_if_close: _real_if_close,
    np.real: lambda z: both(z)[0],
    np.imag: lambda z: both(z)[1],
    np.isreal: lambda z: both(z)[1] == 0,
    np.iscomplex: lambda z: both(z)[1] != 0,
    np.iscomplexobj: lambda _: True,
    np.isrealobj: lambda _: False,
    np.isclose: _isclose,
    np.array_equal: _array_equal,
    np.allclose: lambda *args, **kwargs: bool(np.all(_isclose(*args, **kwargs))),
    **{f: _of_truths(f) for f in (np.any, np.all, np.nonzero, np.flatnonzero, np.argwhere)},
    np.count_nonzero: _of_truths(np.count_nonzero),
    **{f: _of_shape(f) for f in (np.shape, np.size, np.ndim)},
    **{f: _of_shape(f) for f in (np.zeros_like, np.ones_like, np.empty_like)},
    np.full_like: _full_like,
    np.full: _full,
    np.array: _created("array", copies=True),
    np.asarray: _created("asarray"),
    np.asanyarray: _created("asanyarray"),
    np.ascontiguousarray: _created("ascontiguousarray", 1),
}


def _astype(z, dtype):
    if np.dtype(dtype) != np.complex128:
        raise NotDifferentiableError(
            f"astype({np.dtype(dtype)}) of a complex array would lose its imaginary part; write "
            "z.real or abs(z)"
        )
    return np.copy(z)


METHODS = {
    "conj": np.conjugate,
    "conjugate": np.conjugate,
    "abs": np.abs,
    "angle": np.angle,
    "ravel": np.ravel,
    "flatten": lambda z, *order: +np.ravel(z, *order),
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "cumsum": np.cumsum,
    "var": np.var,
    "cumprod": np.cumprod,
    "std": np.std,
    "max": np.max,
    "min": np.min,
    "any": np.any,
    "all": np.all,
    "trace": np.trace,
    "dot": np.dot,
    "diagonal": np.diagonal,
    "take": np.take,
    "squeeze": np.squeeze,
    "repeat": np.repeat,
    "swapaxes": np.swapaxes,
    "round": np.round,
    "nonzero": np.nonzero,
    "copy": np.copy,
    "clone": np.copy,
    "astype": _astype,
}
