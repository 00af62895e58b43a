"""The array functions, written on the few primitives of primitives.py."""

from .. import ops  # noqa: F401  (first: some of its methods are replaced by those made here)
from . import choices, einstein, linalg, products, reductions, shapes, ufuncs  # noqa: F401
from .primitives import stack_nested
from .table import functions

functions["stack_nested"] = stack_nested
globals().update(functions)
__all__ = [*functions]
