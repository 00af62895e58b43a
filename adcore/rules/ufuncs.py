"""NumPy's ufuncs on tensors: those without a row in the op table, and the methods of ufuncs."""

import functools
import importlib
import itertools
import math
import operator
import sys

import numpy as np

from .. import _core, ops
from ..errors import NotDifferentiableError, ShapeError
from . import choices, ordering, products, reductions, shapes
from .primitives import as_array, axes_of, axis_of, below, matmul, reshape
from .recorded import observe, observed
from .table import Dual, Tensor, refuse

# Results that do not vary with the arguments: plain arrays.
CONSTANT = {
    *("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"),
    *("isnan", "isinf", "isfinite", "signbit", "spacing"),
    *("logical_and", "logical_or", "logical_not", "logical_xor"),
}

for _name in CONSTANT:
    observe(getattr(np, _name))
    for _method in ("reduce", "accumulate", "outer") if getattr(np, _name).nin == 2 else ():
        observe(getattr(getattr(np, _name), _method), f"{_name}.{_method}")

# The same while a program is recorded: as masks, which vary.
_TRUTHS = {
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "isnan": lambda x: x != x,  # of nan alone
    "isinf": lambda x: abs(x) == np.inf,
    "isfinite": lambda x: abs(x) < np.inf,
}


# The same comparison with its operands exchanged: an array before a tensor would ask NumPy again.
_MIRRORED = {
    "less": "greater",
    "less_equal": "greater_equal",
    "equal": "equal",
    "not_equal": "not_equal",
    "greater": "less",
    "greater_equal": "less_equal",
}


def _compared(name, *inputs):
    if type(inputs[0]) is np.ndarray and len(inputs) == 2:
        name, inputs = _MIRRORED[name], inputs[::-1]
    return _TRUTHS[name](*inputs)


def _divmod(x, z):
    return ops.floor_divide(x, z), ops.remainder(x, z)


def _modf(x):
    whole = _core.apply("trunc", x)
    return x - whole, whole


def _exponents(x):
    return np.frexp(x)[1]


observe(_exponents, "exponents")


def _frexp(x):
    x = as_array(x)
    if _core.is_compiling():
        return _core.apply("mantissa", x), observed(_exponents, below(x))
    return _core.apply("mantissa", x), _core.exponents(x)


def _of_tensors(record, compose):
    """A product that is recorded at once, and composed where duals are among its operands."""

    def product(a, b):
        a, b = as_array(a), as_array(b)
        return compose(a, b) if type(a) is Dual or type(b) is Dual else record(a, b)

    return product


def _vecdot(a, b):
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"vecdot: vectors of shapes {a.shape} and {b.shape} differ in length")
    if a.ndim == 1 and b.ndim == 1:
        return matmul(a, b)
    return matmul(reshape(a, (*a.shape[:-1], 1, -1)), reshape(b, (*b.shape, 1)))[..., 0, 0]


def _matvec(a, x):
    if x.ndim == 1:
        return products.matmul(a, x)
    return products.matmul(a, reshape(x, (*x.shape, 1)))[..., 0]


def _vecmat(x, a):
    if x.ndim == 1:
        return products.matmul(x, a)
    return products.matmul(reshape(x, (*x.shape[:-1], 1, -1)), a)[..., 0, :]


def _ldexp(x, n):
    return x * (2.0**n if type(n) is int and abs(n) < 1000 else np.exp2(n))


# Ufuncs that are made of rows.
COMPOSED = {
    "positive": lambda x: +x,
    "conjugate": lambda x: +x,
    "fabs": abs,
    "radians": ops.deg2rad,
    "degrees": ops.rad2deg,
    "power": lambda x, z: x**z,
    "float_power": lambda x, z: x**z,
    "divmod": _divmod,
    "modf": _modf,
    "frexp": _frexp,
    "ldexp": _ldexp,
    "matmul": products.matmul,
    "vecdot": _of_tensors(_core.vecdot, _vecdot),
    "matvec": _of_tensors(_core.matvec, _matvec),
    "vecmat": _of_tensors(_core.vecmat, _vecmat),
}

_REDUCE = {
    "add": reductions.sum,
    "multiply": reductions.prod,
    "maximum": reductions.max,
    "minimum": reductions.min,
}
# Other associative and commutative ufuncs with what they make of nothing.
_COMBINE = {
    "logaddexp": (ops.logaddexp, -math.inf),
    "logaddexp2": (ops.logaddexp2, -math.inf),
    "hypot": (ops.hypot, 0.0),
}

# What to write instead of ufuncs that refuse tensors.
_WHOLE = "it is of whole numbers; pass x.detach().numpy().astype(int) for a constant"
REFUSED = {
    **dict.fromkeys(
        ("bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"), _WHOLE
    ),
    **dict.fromkeys(("bitwise_count", "gcd", "lcm"), _WHOLE),
    "isnat": "it is of times; tensors hold numbers",
    "nextafter": "write x itself, which it differs from in the last digit",
}
_RUNNING = {"add": reductions.cumsum, "multiply": reductions.cumprod}
_ACCUMULATE = {
    "maximum": ops.maximum,
    "minimum": ops.minimum,
}


def _rule_of(ufunc):
    """What a plain call of a ufunc means on tensors, or None."""
    name = ufunc.__name__
    return COMPOSED.get(name) or _rows.get(name) or _foreign(ufunc)


def has_rule(ufunc):
    """Whether a plain call of a ufunc means something on tensors."""
    return _rule_of(ufunc) is not None


def _reduce(ufunc, x, axis=0, dtype=None, out=None, keepdims=False, **others):
    name = ufunc.__name__
    x = as_array(x)
    if name in _COMBINE:
        refuse(f"numpy.{name}.reduce", dtype=dtype, out=out, **others)
        return reductions.reduce_by(*_COMBINE[name], x, axis, keepdims)
    if name in _REDUCE:
        if dtype is not None:
            others["dtype"] = dtype
        return _REDUCE[name](x, axis=axis, out=out, keepdims=keepdims, **others)
    refuse(f"numpy.{name}.reduce", dtype=dtype, out=out, **others)
    axes = axes_of(axis, x.ndim)
    if len(axes) != 1:
        raise ValueError(f"numpy.{name}.reduce of a tensor takes one axis, got {axis!r}")
    rows = shapes.moveaxis(x, axes[0], 0)
    if rows.shape[0] == 0:
        raise ValueError(f"numpy.{name}.reduce of no elements has no result")
    found = functools.reduce(_rule_of(ufunc), rows)
    return shapes.expand_dims(found, axes[0]) if keepdims else found


def _accumulate(ufunc, x, axis=0, dtype=None, out=None):
    name = ufunc.__name__
    refuse(f"numpy.{name}.accumulate", dtype=dtype, out=out)
    x = as_array(x)
    axis = axis_of(axis, x.ndim)
    if name in _RUNNING:
        return _RUNNING[name](x, axis)
    if name in _ACCUMULATE:
        op = _ACCUMULATE[name]
        return reductions.along(lambda y: reductions.scan(op, y), x, axis)
    if x.shape[axis] == 0:
        return x
    rows = itertools.accumulate(shapes.moveaxis(x, axis, 0), _rule_of(ufunc))
    return shapes.stack(list(rows), axis=axis)


def _reduceat(ufunc, x, indices, axis=0, dtype=None, out=None):
    refuse(f"numpy.{ufunc.__name__}.reduceat", dtype=dtype, out=out)
    x = as_array(x)
    axis = axis_of(axis, x.ndim)
    rows = shapes.moveaxis(x, axis, 0)
    n = rows.shape[0]
    starts = np.asarray(indices).tolist()
    if any(not 0 <= i < n for i in starts):
        raise IndexError(f"reduceat: an index of {starts} is out of bounds for {n} elements")
    parts = [
        _reduce(ufunc, rows[i:end]) if i < end else rows[i]
        for i, end in itertools.zip_longest(starts, starts[1:], fillvalue=n)
    ]
    return shapes.stack(parts, axis=axis)


def _at(ufunc, x, indices, *operands):
    """Assign to elements of a tensor what a ufunc gives of them, one after another."""
    if type(x) is not Tensor and type(x) is not Dual:
        raise NotDifferentiableError(
            f"numpy.{ufunc.__name__}.at cannot put tensors into an array of plain numbers; make it "
            "a tensor first: x = adcore.tensor(x)"
        )
    places = np.arange(math.prod(x.shape)).reshape(x.shape)[indices]
    operands = [reshape(shapes.broadcast_to(b, places.shape), (-1,)) for b in operands]
    places = places.ravel()
    if ufunc is np.add or ufunc is np.subtract:
        b = operands[0] if ufunc is np.add else -operands[0]
        x[...] = x + reshape(ordering.add_at(as_array(b), places, math.prod(x.shape)), x.shape)
        return
    rule = _rule_of(ufunc)
    for k, place in enumerate(places):
        key = np.unravel_index(place, x.shape)
        x[key] = rule(x[key], *[b[k] for b in operands])


def _outer(rule, a, b):
    a, b = as_array(a), as_array(b)
    return rule(reshape(a, (*a.shape, *[1] * b.ndim)), b)


# Those of other packages are added by the module of ours that stands for the package, which is
# imported when such a ufunc is first met.
RULES = _core.UFUNC_RULES
RULES.update({getattr(np, name): rule for name, rule in COMPOSED.items() if hasattr(np, name)})
_SURFACES = {"scipy.special": "adcore.scipy.special"}


def _foreign(ufunc):
    """The rule for a ufunc of another package, or None."""
    for package, surface in _SURFACES.items():
        if package in sys.modules and surface not in sys.modules:
            importlib.import_module(surface)
    return RULES.get(ufunc)


def array_ufunc(ufunc, method, inputs, kwargs):
    """What Tensor.__array_ufunc__ hands on: all but a plain call of a row's ufunc."""
    if _core.is_complex(inputs):
        return _core.METHODS["_complex_ufunc"](ufunc, method, inputs, kwargs)
    out = kwargs.pop("out", None)
    if out is not None and any(o is not None for o in out):
        return _into(ufunc, method, inputs, out, kwargs)
    name = ufunc.__name__
    if method == "__call__" and kwargs.pop("where", True) is not True:
        raise NotDifferentiableError(
            f"{name} of a tensor does not take where=; choose with adcore.where(mask, a, b), or "
            "give a tensor as out="
        )
    if name in CONSTANT and method == "__call__" and _core.is_compiling() and name in _TRUTHS:
        return _compared(name, *inputs)
    if name in CONSTANT:
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return observed(function, *inputs, **kwargs)
    rule = _rule_of(ufunc)
    if rule is not None and (ufunc.nin == 2 or method in ("__call__", "at")):
        if method in ("__call__", "outer"):
            refuse(name, **kwargs)
            return rule(*inputs) if method == "__call__" else _outer(rule, *inputs)
        if ufunc.nout == 1 and ufunc.signature is None:
            return _METHODS[method](ufunc, *inputs, **kwargs)
    if name in REFUSED:
        raise NotDifferentiableError(f"numpy.{name} of a tensor has no derivative; {REFUSED[name]}")
    called = name if method == "__call__" else f"{name}.{method}"
    known = getattr(np, name, None) is ufunc
    raise NotDifferentiableError(
        f"{'numpy.' if known else 'the ufunc '}{called} has no derivative rule; write it with "
        "adcore's functions, or pass x.detach().numpy() for a constant"
    )


_METHODS = {"reduce": _reduce, "accumulate": _accumulate, "reduceat": _reduceat, "at": _at}


def _into(ufunc, method, inputs, out, kwargs):
    """A call with out=: an assignment to all elements of a tensor, where the condition holds."""
    name = ufunc.__name__
    if len(out) != 1 or type(out[0]) not in (Tensor, Dual) or not out[0].ndim:
        raise NotDifferentiableError(
            f"{name} of a tensor does not take out=; write y = {name}(...), or x = x + y for "
            "x += y of an array x"
        )
    mask = kwargs.pop("where", True) if method == "__call__" else True
    found = array_ufunc(ufunc, method, inputs, kwargs)
    out[0][...] = found if mask is True else choices.where(mask, found, out[0].copy())
    return out[0]


_rows = {op.ufunc: op.function for op in _core.OPS if not op.hidden}
_core.add_methods({"__array_ufunc__": array_ufunc})
