"""Square roots and logarithms of matrices: SciPy's values, with rules of their own."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from .. import _calls, _core
from .._named import Named
from ..errors import DomainError
from ..rules import kernels as k
from ..rules.primitives import concatenate, sum_axes


def _real(name, found):
    """Matrices that are to be real."""
    if np.iscomplexobj(found):
        if np.any(found.imag):
            raise DomainError(
                f"{name} of a matrix with eigenvalues on the negative real axis, or none that is "
                "real, is complex, and tensors are real; pass x.detach() for its value alone"
            )
        found = found.real
    return np.ascontiguousarray(found)


@dataclass
class _SquareRoot(Named, saved_as="linalg.sqrtm"):
    name = "sqrtm"

    def run(self, leaves):
        """(output, nothing) of plain leaves."""
        return _real("sqrtm", scipy.linalg.sqrtm(leaves[0])), None

    def push(self, leaves, output, saved, tangents):
        """X with S X + X S = dA."""
        del leaves, saved
        return [k.sylvester(output, output, tangents[0])]

    def pull(self, leaves, output, saved, ct, wanted):
        """The same of the transposed."""
        del leaves, saved, wanted
        return [k.sylvester(output, output, ct[0], flags=1)]


def _move_of_logarithm(a, e):
    """The derivative of the logarithm of `a` along `e`, which is a block of a larger one."""
    n = a.shape[-1]
    last = len(a.shape) - 1
    size = _core.apply("stop", sum_axes(abs(e), (last - 1, last), True))
    size = _core.apply("where", _core.apply("equal", size, 0.0), 1.0, size)
    above = concatenate([a, e / size], last)
    below = concatenate([np.zeros(a.shape), a], last)
    return logarithm(k.join_rows(above, below))[..., :n, n:] * size


@dataclass
class _Logarithm(Named, saved_as="linalg.logm"):
    name = "logm"

    def run(self, leaves):
        """(output, nothing) of plain leaves."""
        return _real("logm", scipy.linalg.logm(leaves[0])), None

    def push(self, leaves, output, saved, tangents):
        """The derivative along the tangent."""
        del output, saved
        return [_move_of_logarithm(leaves[0], tangents[0])]

    def pull(self, leaves, output, saved, ct, wanted):
        """That of the transposed along the adjoint."""
        del output, saved, wanted
        return [_move_of_logarithm(k.flipped(leaves[0]), ct[0])]


def square_root(a):
    """The principal square roots of matrices."""
    return _calls.call(_SquareRoot(), [a])


def logarithm(a):
    """The principal logarithms of matrices."""
    return _calls.call(_Logarithm(), [a])
