"""Entire functions of complex numbers: SciPy's values, and derivatives in closed form."""

import importlib
import math
from dataclasses import dataclass

import numpy as np

from .. import _calls
from .._named import Named
from ..rules.primitives import shape_of
from ..rules.table import is_traced
from .pairs import both, pair

_SLOPE = 2.0 / math.sqrt(math.pi)

# f'(z), by the names of scipy.special.
_DERIVATIVES = {
    "erf": lambda z: _SLOPE * np.exp(-(z * z)),
    "erfc": lambda z: -_SLOPE * np.exp(-(z * z)),
}


@dataclass
class _Entire(Named, saved_as="special.complex"):
    """One function of the real and the imaginary part."""

    function: str  # of _DERIVATIVES

    elementwise = True

    def __post_init__(self):
        if self.function not in _DERIVATIVES:
            raise ValueError("no entire function that has a rule")
        self.name = f"scipy.special.{self.function}"

    def run(self, leaves):
        """(output, nothing) of plain leaves."""
        return getattr(importlib.import_module("scipy.special"), self.function)(pair(*leaves)), None

    def push(self, leaves, output, saved, tangents):
        """The derivative times the tangent."""
        del output, saved
        move = [
            np.zeros(shape_of(v))[()] if t is None else t
            for t, v in zip(tangents, leaves, strict=True)
        ]
        return list(both(_DERIVATIVES[self.function](pair(*leaves)) * pair(*move)))

    def pull(self, leaves, output, saved, ct, wanted):
        """The conjugate of the derivative times the adjoint."""
        del output, saved
        found = both(np.conj(_DERIVATIVES[self.function](pair(*leaves))) * pair(*ct))
        return [found[i] for i in wanted]


def _function(name):
    definition = _Entire(name)

    def apply(z):
        leaves = list(both(z))
        return _calls.call(definition, leaves) if is_traced(leaves) else definition.run(leaves)[0]

    return apply


ENTIRE = {name: _function(name) for name in _DERIVATIVES}
