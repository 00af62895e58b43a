"""How the modules beside this one give NumPy's functions a meaning on tensors."""

import numpy as np

from .. import _core
from .._trees import is_tracked
from ..errors import NotDifferentiableError
from ..rules import table
from ..rules.primitives import as_array, values
from ..rules.table import Dual, Tensor

ours = {}  # name in NumPy's main namespace -> what adcore.numpy has in its place
refused = {}  # name -> what to write instead
constants = set()  # names of functions whose results do not vary


def numpy_function(name):
    """NumPy's function of a name, also a dotted one; None where this NumPy has none."""
    found = np
    for part in name.split("."):
        found = vars(found).get(part)
        if found is None:
            return None
    return found


def rule(*names, constant=False):
    """Register a rule for NumPy's functions of these names, or of the rule's own name.

    NumPy's function is called where no tensor is among the arguments.  Names that this NumPy does
    not have are passed over.
    """

    def register(function):
        for name in names or (function.__name__,):
            plain = numpy_function(name)
            if plain is None:
                continue
            _core.ARRAY_FUNCTIONS[plain] = function
            table.public[plain] = table.with_plain(function, plain)
            if constant:
                constants.add(name)
        return function

    return register


def constructor(*names, looks=False):
    """Register what adcore.numpy has under these names, where NumPy's own cannot see tensors.

    Of arguments without tensors it is NumPy's function, which one that `looks` itself calls.
    """

    def register(function):
        for name in names or (function.__name__,):
            plain = numpy_function(name)
            if plain is not None:
                ours[name] = function if looks else table.with_plain(function, plain)
        return function

    return register


def refuse_tensors(name, remedy):
    """Let a function of NumPy's refuse tensors, and say what to write instead."""
    plain = numpy_function(name)
    if plain is None:
        return
    refused[name] = remedy

    def function(*args, **kwargs):
        del args, kwargs
        raise NotDifferentiableError(f"numpy.{name} of a tensor has no derivative; {remedy}")

    if isinstance(plain, np.ufunc):
        return  # see rules/ufuncs.py
    _core.ARRAY_FUNCTIONS[plain] = function
    table.public[plain] = table.with_plain(function, plain)


def constant_of(name, x):
    """The plain numbers of an argument that has no derivative; an error if it is tracked."""
    if is_tracked(x):
        raise NotDifferentiableError(
            f"{name} has no derivative with respect to this argument; pass x.detach(), a constant"
        )
    return values(x) if type(x) is Tensor else x


def tensor_to_change(name, x):
    """`x`, whose elements are to be assigned: a tensor of one dimension or more."""
    if type(x) is not Tensor and type(x) is not Dual:
        raise NotDifferentiableError(
            f"numpy.{name} cannot put tensors into a {type(x).__name__} of plain numbers; "
            "make it a tensor first: x = adcore.tensor(x)"
        )
    return x


def vector(x):
    """`x` with one dimension."""
    x = as_array(x)
    return x if x.ndim == 1 else x.reshape(-1)
