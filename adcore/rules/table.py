"""The table of array functions: one line above a rule gives it every name it is reached by."""

import functools
import importlib
import inspect

import numpy as np

from .. import _core
from ..errors import NotDifferentiableError

Tensor = _core.Tensor
Dual = _core.Dual

traced_types = _core.TRACED_TYPES  # and complex pairs of them, once there are any
is_traced = _core.is_traced  # is_traced(items)
functions = {}  # public name -> function of numbers, arrays, tensors and duals
public = {}  # NumPy's function -> the same of numbers, arrays, tensors and duals, lists of them too
AWARE = _core.AWARE  # NumPy's functions whose rules take an Index too, without a tensor beside it
# What has the rules of rarer functions; imported when a tensor first meets a function without rule.
SURFACES = [
    "adcore.rules.decompositions",
    "adcore.numpy",
    "adcore.numpy.fft",
    "adcore.complexes",
    "adcore.scipy._matrix_functions",
]


def array_function(*numpy_functions, method=None):
    """Register a rule, which takes a Tensor or a Dual somewhere among its arguments.

    It becomes the meaning of `numpy_functions` on tensors, the method called `method` (or each of
    a tuple of names), and the public function of its own name unless that has an underscore first,
    which hands arguments without tensors to the first of `numpy_functions`.
    """

    def register(rule):
        for function in numpy_functions:
            _core.ARRAY_FUNCTIONS[function] = rule
            public[function] = with_plain(rule, function)
        names = () if method is None else (method,) if isinstance(method, str) else method
        _core.add_methods(dict.fromkeys(names, rule))
        if not rule.__name__.startswith("_"):
            functions[rule.__name__] = public[numpy_functions[0]]
        return rule

    return register


def with_plain(rule, plain, names=None):
    """`rule` where a tensor is among the arguments, `plain` else; `names` are other keywords."""
    return functools.update_wrapper(_core.ArrayFunction(rule, plain, names), rule)


@functools.cache
def _respellings(plain, rule):
    """{NumPy's name of a parameter: the rule's}, where the two differ."""
    try:
        theirs = list(inspect.signature(plain).parameters.values())
    except ValueError:  # it has none
        return {}
    ours = list(inspect.signature(rule).parameters.values())
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    pairs = zip(
        [p.name for p in theirs if p.kind in places],
        [p.name for p in ours if p.kind in places],
        strict=False,
    )
    return {a: b for a, b in pairs if a != b}


def respelled(plain, kwargs, rule=None):
    """Arguments of NumPy's function by the names that its rule has for them."""
    names = _respellings(plain, rule or _core.ARRAY_FUNCTIONS[plain])
    return {names.get(name, name): value for name, value in kwargs.items()} if names else kwargs


_core.add_methods({"_respelled": respelled, "_respellings": _respellings})


def late_rule(function):
    """The rule of a function that has none yet: with all surfaces imported, else an error."""
    while SURFACES and function not in _core.ARRAY_FUNCTIONS:
        importlib.import_module(SURFACES.pop(0))
    if function not in _core.ARRAY_FUNCTIONS:
        raise NotDifferentiableError(
            f"{function.__module__}.{function.__name__} of a tensor is not supported; write it "
            "with adcore's functions, or pass x.detach().numpy() for a constant"
        )
    return _core.ARRAY_FUNCTIONS[function]


def import_surfaces():
    """Import whatever has rules."""
    while SURFACES:
        importlib.import_module(SURFACES.pop(0))


def _late_kernel_rule(*instruction):
    """The rule of a kernel of linear algebra, which a program had that was loaded from a file."""
    importlib.import_module("adcore.rules.decompositions")
    return importlib.import_module("adcore.rules.kernels").Bound(*instruction)


def _complex(name):
    """A function of adcore.complexes, which is imported when a complex number is first met."""
    found = None

    def function(*args):
        nonlocal found
        if found is None:
            found = getattr(importlib.import_module("adcore.complexes"), name)
        return found(*args)

    return function


_core.add_methods(
    {
        "_late_rule": late_rule,
        "_complex_op": _complex("op_on_complex"),
        "_complex_function": _complex("apply_function"),
        "_complex_ufunc": _complex("apply_ufunc"),
        "_complex_pair": _complex("pair"),
        "_complex_power": _complex("power"),
        "_complex_set": _complex("assign"),
        "_complex_tensor": _complex("tensor"),
    }
)
_core.set_kernel_rule(_late_kernel_rule)


_REMEDIES = {
    "out": "bind the result to a name instead: y = {name}(x)",
    "dtype": "derivatives are in float64; leave dtype out",
    "where": "mask the argument instead, for instance x[mask] or adcore.where(mask, x, 0.0)",
    "initial": "combine the result with the initial value instead",
    "casting": "leave it out",
    "ndmax": "leave it out",
    "order": "leave it out",
    "subok": "leave it out",
    "axes": "move the axes first",
}


def refuse(name, **options):
    """Raise for the first of `options` that is given (not None) and means something."""
    for option, value in options.items():
        if value is None or (option == "dtype" and np.dtype(value) == np.float64):
            continue
        if option == "casting" and value != "no":  # of float64 to float64
            continue
        if option not in _REMEDIES:
            raise TypeError(f"{name}() got an unexpected keyword argument {option!r}")
        raise NotDifferentiableError(
            f"{name} of a tensor does not take {option}=; " + _REMEDIES[option].format(name=name)
        )
