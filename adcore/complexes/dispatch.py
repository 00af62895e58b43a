"""What complex arrays answer to operators, ufuncs, functions and rows of the op table."""

import functools

import numpy as np

from .. import _core
from ..errors import NotDifferentiableError
from ..rules import table
from .arrays import FUNCTIONS, LINEAR, METHODS
from .elementwise import LOOKING, REAL, UFUNCS, WAYS, general_power, integer_power
from .entire import ENTIRE
from .pairs import Complex, both, pair, parts

_LOGICAL = {"logical_and", "logical_or", "logical_not", "logical_xor"}


# Formulas by ufuncs, which are recorded at once.
_formulas = {
    getattr(np, name): _core.ComplexFunction(
        getattr(np, name), function, name in REAL, WAYS.get(name)
    )
    for name, function in UFUNCS.items()
    if name not in LOOKING
}
_general_power = _core.ComplexFunction(np.power, general_power, False)
_core.set_complex_type(Complex, _formulas, LINEAR, _general_power)


@functools.cache
def _power_of(n):
    """The formula of an integer power: there are 200 at most."""
    if n == 2:
        return _formulas[np.square]
    return _core.ComplexFunction(np.power, lambda z: integer_power(z, n), False, "steps")


def _recorded(name, args):
    """The result of a formula, or None: see ComplexFunction.recorded()."""
    formula = _formulas.get(getattr(np, name))
    if formula is not None:
        return formula.recorded(*args)
    if name not in ("power", "float_power"):
        return None
    z, w = args
    if type(w) in (int, float, complex):
        if w.imag == 0 and w.real and abs(w.real) <= 100 and w.real == int(w.real):
            return _power_of(int(w.real)).recorded(z)
        return _general_power.recorded(z, w) if w.real or w.imag else None
    return _general_power.recorded(z, w) if type(w) is Complex or type(w) is table.Tensor else None


def _elementwise(name, args):
    found = _recorded(name, args)
    if found is not None:
        return found
    real, imag = UFUNCS[name](*[(x.real, x.imag) if type(x) is Complex else parts(x) for x in args])
    if name in REAL:
        return real
    return pair(_core.part_alone(real), 0.0 if imag is None else _core.part_alone(imag))


def _missing(name):
    remedy = "write it with z.real and z.imag"
    if name.removeprefix("numpy.") in _OF_ORDER:
        remedy = "complex numbers have no order: sort or compare z.real or abs(z), index z by that"
    return NotDifferentiableError(f"{name} of a complex array is not supported; {remedy}")


_OF_ORDER = {
    *("sort", "argsort", "sort_complex", "partition", "argpartition", "lexsort", "unique"),
    *("max", "min", "amax", "amin", "argmax", "argmin", "nanmax", "nanmin", "maximum", "minimum"),
    *("median", "percentile", "quantile", "searchsorted", "clip"),
    *("less", "greater", "less_equal", "greater_equal"),
}


# ---- ufuncs and rows of the op table ----


def apply_ufunc(ufunc, method, inputs, kwargs):
    """A method of a ufunc, as __array_ufunc__ gives it, of which some inputs are complex."""
    name = ufunc.__name__
    kwargs = {k: v for k, v in kwargs.items() if v is not None}
    if method == "reduce" and name in ("add", "multiply"):
        kwargs.setdefault("axis", 0)
        return apply_function(np.sum if name == "add" else np.prod, inputs, kwargs)
    if method == "reduce" and name in ("maximum", "minimum"):
        kwargs.setdefault("axis", 0)
        return apply_function(np.max if name == "maximum" else np.min, inputs, kwargs)
    if method == "accumulate" and name in ("add", "multiply"):
        kwargs.setdefault("axis", 0)
        return apply_function(np.cumsum if name == "add" else np.cumprod, inputs, kwargs)
    if kwargs.get("dtype") is not None and np.dtype(kwargs["dtype"]) == np.complex128:
        del kwargs["dtype"]
    if not kwargs and method == "outer":
        z, w = inputs
        z = np.reshape(pair(*both(z)), (*np.shape(z), *[1] * np.ndim(w)))
        return apply_ufunc(ufunc, "__call__", (z, w), {})
    if not kwargs and method == "__call__":
        if name in UFUNCS:
            return _elementwise(name, inputs)
        if ufunc in FUNCTIONS:
            return FUNCTIONS[ufunc](*inputs)
        if name in ENTIRE:
            return ENTIRE[name](*inputs)
        if name in _LOGICAL:
            return ufunc(*[x != 0 for x in inputs])
    called = name if method == "__call__" else f"{name}.{method}"
    if kwargs:
        raise NotDifferentiableError(
            f"{called} of a complex array under differentiation takes no {next(iter(kwargs))}=; "
            "bind the result to a name, and choose with adcore.where"
        )
    raise _missing(called)


_ufunc_of_op = {op.name: op.ufunc for op in _core.OPS}


def op_on_complex(name, p, *args):
    """The row `name` of the op table on operands of which some are complex."""
    if name == "powi":
        return pair(*integer_power(both(args[0]), int(p)))
    if name == "where":
        return apply_function(np.where, args, {})
    if name in ENTIRE:
        return ENTIRE[name](*args)
    ufunc = _ufunc_of_op.get(name)
    if ufunc not in UFUNCS:
        raise _missing(name)
    if not table.is_traced(args):
        return getattr(np, ufunc)(*args)
    return _elementwise(ufunc, args)


def power(z, w):
    """z**w, of which one is complex."""
    found = _recorded("power", (z, w))
    return apply_ufunc(np.power, "__call__", (z, w), {}) if found is None else found


# ---- functions of arrays ----


def apply_function(function, args, kwargs):
    """A function of NumPy's of which some arguments are complex, as __array_function__ gives it."""
    while function not in FUNCTIONS and table.SURFACES:
        table.import_surfaces()
    rule = FUNCTIONS.get(function)
    if rule is None:
        raise _missing(f"{function.__module__}.{function.__name__}")
    return rule(*args, **kwargs)


# ---- methods ----


def _alone(name):
    return lambda self: _elementwise(name, (self,))


def _missing_attribute(self, name):
    del self
    raise AttributeError(f"a complex array under differentiation has no attribute {name!r}")


def _method(name, function):
    """A method of arrays: the function with the array put first; torch's names of arguments too."""
    of_part = getattr(table.Tensor, name, None) if function in _BY_PARTS else None

    def method(self, *args, **kwargs):
        real, imag = self.real, self.imag
        if of_part and not kwargs and type(real) is type(imag) is table.Tensor:
            return pair(of_part(real, *args), of_part(imag, *args))
        return function(self, *args, **{_SPELLINGS.get(k, k): v for k, v in kwargs.items()})

    method.__name__ = name
    return method


_SPELLINGS = {"dim": "axis", "keepdim": "keepdims"}
# Functions whose methods are linear, and so those of either part.
_BY_PARTS = {*LINEAR} - {np.round, np.copy}
for _op in _core.OPS:
    if _op.ufunc in UFUNCS:
        METHODS.setdefault(_op.name, _alone(_op.ufunc))
for _name, _function in METHODS.items():
    if _name not in ("conj", "conjugate"):
        setattr(Complex, _name, _method(_name, _function))
Complex.__getattr__ = _missing_attribute
