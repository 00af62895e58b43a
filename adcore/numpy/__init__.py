"""NumPy's main namespace on numbers, arrays, tensors and duals: ``import adcore.numpy as np``.

Every public name of NumPy's is here.  Ufuncs are NumPy's own, which tensors answer by themselves;
so are functions whose rules stand in adcore.rules or in a module beside this one, except that lists
of tensors may be given for arrays.  Where NumPy's own function could not see a tensor, as array(),
the one of _creation.py or _elements.py stands for it.  Constants, types and files are NumPy's.

`state(name)` of _states.py tells which names are differentiable; docs/numpy.md lists them.
"""

import importlib

import numpy as _numpy

from ..rules.table import public as _public
from . import (  # noqa: F401  (their rules are registered)
    _calculus,
    _creation,
    _elements,
    _histograms,
    _polynomials,
    _reductions,
    _sets,
    _shapes,
    _states,
)
from ._table import ours as _ours

__all__ = list(_numpy.__all__)

_SUBMODULES = ("fft", "linalg", "random")  # of adcore's own

_ours.update({"r_": _creation.r_, "c_": _creation.c_, "vectorize": _elements.vectorize})


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    found = getattr(_numpy, name)
    if name in _ours:
        found = _ours[name]
    elif callable(found) and not isinstance(found, (type, _numpy.ufunc)):
        found = _public.get(found, found)
    globals()[name] = found
    return found


def __dir__():
    return sorted({*_numpy.__dir__(), *_SUBMODULES})
