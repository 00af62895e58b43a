"""The state of every name of NumPy's main namespace: what it is of tensors.

    differentiable   of tensors it gives tensors, with derivatives of every order and in both modes
    constant         of tensors it gives plain truths, whole numbers or texts: they do not vary
    plain            NumPy's own: types, files, settings, and what no tensor is an argument of
    refused          NumPy's own of plain numbers; of tensors an error that says what to write

docs/numpy.md is made of it.
"""

import types

import numpy as np

from ..rules import choices, table, ufuncs
from ._table import constants, numpy_function, ours, refuse_tensors, refused

DIFFERENTIABLE, CONSTANT, PLAIN, REFUSED = "differentiable", "constant", "plain", "refused"

_DETACH = "pass x.detach().numpy() for a constant"
for _names, _remedy in {
    ("save", "savez", "savez_compressed", "savetxt"): "save x.detach().numpy()",
    ("asmatrix", "bmat"): "matrices hold plain numbers; use arrays of two dimensions and block",
    ("sort_complex",): "its result is complex; use sort",
    ("packbits", "unpackbits"): f"it is of bits; {_DETACH}",
    ("ravel_multi_index", "unravel_index"): f"it is of whole numbers; {_DETACH}",
    ("busday_count", "busday_offset", "is_busday", "datetime_as_string"): (
        "it is of dates; tensors hold numbers"
    ),
    ("in1d",): "use isin",
    ("trapz",): "use trapezoid",
}.items():
    for _name in _names:
        refuse_tensors(_name, _remedy)
for _name, _remedy in ufuncs.REFUSED.items():
    refused[_name] = _remedy

# Functions whose arguments are shapes, places, types, names and files.
_WITHOUT_TENSORS = {
    *("arange", "bartlett", "blackman", "hamming", "hanning", "empty", "eye", "identity", "ones"),
    *("zeros", "tri", "indices", "diag_indices", "mask_indices", "tril_indices", "triu_indices"),
    *("broadcast_shapes", "fromfunction", "base_repr", "binary_repr", "format_float_positional"),
    *("format_float_scientific", "iterable", "isscalar", "isfortran", "nested_iters"),
    *("can_cast", "datetime_data", "isdtype", "issubdtype", "min_scalar_type", "mintypecode"),
    *("promote_types", "typename", "from_dlpack", "frombuffer", "fromfile", "fromregex"),
    "frompyfunc",
    *("fromstring", "genfromtxt", "load", "loadtxt", "get_include", "get_printoptions"),
    *("getbufsize", "geterr", "geterrcall", "info", "printoptions", "set_printoptions"),
    *("setbufsize", "seterr", "seterrcall", "show_config", "show_runtime", "test"),
}
# Submodules that are adcore's own.
SUBMODULES = ("fft", "linalg", "random")


def names():
    """The public names of NumPy's main namespace, those of this NumPy."""
    return sorted({n for n in np.__dir__() if not n.startswith("_")})


def state(name):
    """The state of a name of NumPy's; a LookupError if none was given to it."""
    found = getattr(np, name)
    if name in refused:
        return REFUSED
    if name in ours:
        return DIFFERENTIABLE
    if isinstance(found, np.ufunc):
        return _state_of_ufunc(name, found)
    if isinstance(found, types.ModuleType):
        return DIFFERENTIABLE if name in SUBMODULES else PLAIN
    if isinstance(found, type) or not callable(found) or name in _WITHOUT_TENSORS:
        return PLAIN
    if name in constants or found in choices.CONSTANT or name in _COUNTS:
        return CONSTANT
    if found in table.public:
        return DIFFERENTIABLE
    raise LookupError(f"numpy.{name} has no state: give it a rule, or a place in _states.py")


_COUNTS = {"argsort", "argmax", "argmin", "count_nonzero"}


def _state_of_ufunc(name, ufunc):
    known = ufunc.__name__
    if known in ufuncs.REFUSED:
        return REFUSED
    if known in ufuncs.CONSTANT:
        return CONSTANT
    if ufuncs.has_rule(ufunc):
        return DIFFERENTIABLE
    raise LookupError(f"numpy.{name} has no state: give it a rule, or a place in rules/ufuncs.py")


def what_instead(name):
    """What an error of a refused name says to write."""
    ufunc = numpy_function(name)
    known = ufunc.__name__ if isinstance(ufunc, np.ufunc) else name
    return refused.get(name) or ufuncs.REFUSED[known]


__all__ = ["names", "state", "what_instead"]
