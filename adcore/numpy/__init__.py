"""NumPy's main namespace on numbers, arrays, tensors and duals: ``import adcore.numpy as np``.

Every public name of NumPy's is here.  Ufuncs are NumPy's own, which tensors answer by themselves;
so are functions whose rules stand in adcore.rules or in a module beside this one, except that lists
of tensors may be given for arrays.  Constants, types and files are NumPy's.
"""

import importlib

import numpy as _numpy

from ..rules import table as _table

__all__ = list(_numpy.__all__)

_SUBMODULES = ("fft", "linalg")  # of adcore's own


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    found = getattr(_numpy, name)
    if callable(found) and not isinstance(found, (type, _numpy.ufunc)):
        found = _table.public.get(found, found)
    globals()[name] = found
    return found


def __dir__():
    return sorted({*_numpy.__dir__(), *_SUBMODULES})
