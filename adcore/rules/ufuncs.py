"""NumPy's ufuncs on tensors: those without a row in the op table, and the methods of ufuncs."""

import importlib
import math
import operator
import sys

import numpy as np

from .. import _core, _named, ops
from ..errors import NotDifferentiableError
from . import products, reductions
from .primitives import as_array, axis_of, reshape, sum_axes
from .recorded import observe, observed
from .table import refuse

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


def _heaviside(x, at_zero):
    step = _core.apply("less", 0.0, x)
    step = _core.apply("where", _core.apply("equal", x, 0.0), at_zero, step)
    return _core.apply("where", _core.apply("not_equal", x, x), np.nan, step)


def _divmod(x, z):
    return ops.floor_divide(x, z), ops.remainder(x, z)


def _modf(x):
    whole = _core.apply("trunc", x)
    return x - whole, whole


def _row_sums(x):
    return sum_axes(x, (x.ndim - 1,))


def _vecmat(x, a):
    x = as_array(x)
    return reductions.sum(reshape(x, (*x.shape, 1)) * a, -2)


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
    "heaviside": _heaviside,
    "ldexp": lambda x, n: x * np.exp2(n),
    "matmul": products.matmul,
    "vecdot": lambda a, b: _row_sums(a * b),
    "matvec": lambda a, x: _row_sums(a * reshape(as_array(x), (*x.shape[:-1], 1, x.shape[-1]))),
    "vecmat": _vecmat,
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
_ACCUMULATE = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "maximum": ops.maximum,
    "minimum": ops.minimum,
}


def _reduce(ufunc, x, axis=0, dtype=None, out=None, keepdims=False, **others):
    name = ufunc.__name__
    if name in _COMBINE:
        refuse(f"numpy.{name}.reduce", dtype=dtype, out=out, **others)
        return reductions.reduce_by(*_COMBINE[name], as_array(x), axis, keepdims)
    rule = _REDUCE[name]
    if dtype is not None:
        others["dtype"] = dtype
    return rule(x, axis=axis, out=out, keepdims=keepdims, **others)


def _accumulate(ufunc, x, axis=0, dtype=None, out=None):
    refuse(f"numpy.{ufunc.__name__}.accumulate", dtype=dtype, out=out)
    op = _ACCUMULATE[ufunc.__name__]
    if ufunc is np.add:
        return reductions.cumsum(x, axis)
    return reductions.along(lambda y: reductions.scan(op, y), as_array(x), axis_of(axis, x.ndim))


def _outer(rule, a, b):
    a, b = as_array(a), as_array(b)
    return rule(reshape(a, (*a.shape, *[1] * b.ndim)), b)


# Filled by the module of ours that stands for the package, which is imported when such a ufunc is
# first met.
FOREIGN = _core.FOREIGN_UFUNCS
_SURFACES = {"scipy.special": "adcore.scipy.special"}


def _foreign(ufunc):
    """The rule for a ufunc of another package, or None."""
    for package, surface in _SURFACES.items():
        if package in sys.modules and surface not in sys.modules:
            importlib.import_module(surface)
    return FOREIGN.get(ufunc)


def _import_surfaces():
    """Import what may have registered a definition that a file names."""
    for surface in _SURFACES.values():
        importlib.import_module(surface)


_named.late.append(_import_surfaces)


def array_ufunc(ufunc, method, inputs, kwargs):
    """What Tensor.__array_ufunc__ hands on: all but a plain call of a row's ufunc."""
    if _core.is_complex(inputs):
        return _core.METHODS["_complex_ufunc"](ufunc, method, inputs, kwargs)
    name = ufunc.__name__
    out = kwargs.pop("out", None)
    if out is not None and any(o is not None for o in out):
        raise NotDifferentiableError(
            f"{name} of a tensor does not take out=; write y = {name}(...), or x = x + y for "
            "x += y of an array x"
        )
    if kwargs.get("where", True) is not True:
        raise NotDifferentiableError(
            f"{name} of a tensor does not take where=; choose with adcore.where(mask, a, b)"
        )
    if name in CONSTANT and method == "__call__" and _core.is_compiling() and name in _TRUTHS:
        return _TRUTHS[name](*inputs)
    if name in CONSTANT:
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return observed(function, *inputs, **kwargs)
    if method == "reduce" and (name in _REDUCE or name in _COMBINE):
        return _reduce(ufunc, *inputs, **kwargs)
    if method == "accumulate" and name in _ACCUMULATE:
        return _accumulate(ufunc, *inputs, **kwargs)
    rule = COMPOSED.get(name) or _rows.get(name) or _foreign(ufunc)
    if rule is not None and method in ("__call__", "outer"):
        kwargs.pop("where", None)
        refuse(name, **kwargs)
        return rule(*inputs) if method == "__call__" else _outer(rule, *inputs)
    called = name if method == "__call__" else f"{name}.{method}"
    known = getattr(np, name, None) is ufunc
    raise NotDifferentiableError(
        f"{'numpy.' if known else 'the ufunc '}{called} has no derivative rule; write it with "
        "adcore's functions, or pass x.detach().numpy() for a constant"
    )


_rows = {op.ufunc: op.function for op in _core.OPS if not op.hidden}
_core.add_methods({"__array_ufunc__": array_ufunc})
