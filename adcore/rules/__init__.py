"""The array functions, written on the few primitives of primitives.py."""

from .. import ops  # noqa: F401  (first: rules take the place of some of its methods)
from . import (  # noqa: F401
    choices,
    diagonals,
    einstein,
    linalg,
    ordering,
    parts,
    products,
    reductions,
    shapes,
    ufuncs,
)
from .primitives import stack_nested
from .table import functions

functions["stack_nested"] = stack_nested
globals().update(functions)
__all__ = [*functions]
