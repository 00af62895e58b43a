"""NumPy's linalg on numbers, arrays, tensors and duals; see adcore.numpy."""

import numpy as _numpy

from ..rules import decompositions as _decompositions  # noqa: F401  (its rules are registered)
from ..rules import table as _table

__all__ = list(_numpy.linalg.__all__)


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(_numpy.linalg, name)
    globals()[name] = _table.public.get(found, found) if callable(found) else found
    return globals()[name]


def __dir__():
    return sorted(__all__)
