"""Square roots and logarithms of matrices: SciPy's values, with rules of their own."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from .. import _calls
from .._named import Named
from .._trees import shape_of
from ..complexes import both, pair
from ..errors import DomainError, NotDifferentiableError
from ..rules import kernels as k
from ..rules.dense import move_of, sylvester
from ..rules.table import is_traced


def _real(name, found):
    """Matrices that are to be real."""
    if found.dtype.kind == "c":
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
        return [sylvester(output, output, tangents[0])]

    def pull(self, leaves, output, saved, ct, wanted):
        """The same of the transposed."""
        del leaves, saved, wanted
        return [sylvester(output, output, ct[0], flags=1)]


@dataclass
class _Logarithm(Named, saved_as="linalg.logm"):
    name = "logm"

    def run(self, leaves):
        """(output, nothing) of plain leaves."""
        return _real("logm", scipy.linalg.logm(leaves[0])), None

    def push(self, leaves, output, saved, tangents):
        """The derivative along the tangent."""
        del output, saved
        return [move_of(logarithm, leaves[0], tangents[0])]

    def pull(self, leaves, output, saved, ct, wanted):
        """That of the transposed along the adjoint."""
        del output, saved, wanted
        return [move_of(logarithm, k.flipped(leaves[0]), ct[0])]


# ---- complex matrices ----


def _adjoint(a):
    return np.conj(np.matrix_transpose(a))


def _moves(leaves, tangents):
    """Tangents of pairs of leaves as complex arrays, zeros where there are none."""
    pairs = zip(tangents, leaves, strict=True)
    return _paired([np.zeros(shape_of(v)) if t is None else t for t, v in pairs])


def _paired(leaves):
    return [pair(*parts) for parts in zip(leaves[::2], leaves[1::2], strict=True)]


def _call_of_pairs(definition, *args):
    leaves = [part for a in args for part in both(a)]
    return _calls.call(definition, leaves) if is_traced(leaves) else definition.run(leaves)[0]


@dataclass
class _ComplexSylvester(Named, saved_as="linalg.complex_sylvester"):
    name = "solve_sylvester"

    def run(self, leaves):
        """(X with A X + X B = C, nothing)."""
        return scipy.linalg.solve_sylvester(*_paired(leaves)), None

    def push(self, leaves, output, saved, tangents):
        """A dX + dX B = dC - dA X - X dB."""
        del saved
        a, b, _ = _paired(leaves)
        a_move, b_move, move = _moves(leaves, tangents)
        move = move - a_move @ output - output @ b_move
        return list(both(_call_of_pairs(self, a, b, move)))

    def pull(self, leaves, output, saved, ct, wanted):
        """A^H C' + C' B^H = X', A' = - C' X^H and B' = - X^H C'."""
        del saved
        a, b, _ = _paired(leaves)
        adjoint = _call_of_pairs(self, _adjoint(a), _adjoint(b), pair(*ct))
        back = _adjoint(output)
        found = [*both(-(adjoint @ back)), *both(-(back @ adjoint)), *both(adjoint)]
        return [found[i] for i in wanted]


@dataclass
class _ComplexSquareRoot(Named, saved_as="linalg.complex_sqrtm"):
    name = "sqrtm"

    def run(self, leaves):
        """(output, nothing) of plain leaves."""
        return scipy.linalg.sqrtm(pair(*leaves)) + 0j, None

    def push(self, leaves, output, saved, tangents):
        """X with S X + X S = dA."""
        del saved
        (move,) = _moves(leaves, tangents)
        return list(both(_call_of_pairs(_ComplexSylvester(), output, output, move)))

    def pull(self, leaves, output, saved, ct, wanted):
        """The same of the adjoint."""
        del leaves, saved
        root = _adjoint(output)
        found = both(_call_of_pairs(_ComplexSylvester(), root, root, pair(*ct)))
        return [found[i] for i in wanted]


def complex_square_root(a):
    """The principal square root of a matrix that is complex, or has a complex one."""
    if len(np.shape(a)) != 2:
        raise NotDifferentiableError(
            f"sqrtm of complex matrices takes one matrix, got shape {np.shape(a)}"
        )
    return _call_of_pairs(_ComplexSquareRoot(), a)


# ---- functions ----


_SQUARE_ROOT, _LOGARITHM = _SquareRoot(), _Logarithm()


def square_root(a):
    """The principal square roots of matrices."""
    return _calls.call(_SQUARE_ROOT, [a])


def logarithm(a):
    """The principal logarithms of matrices."""
    return _calls.call(_LOGARITHM, [a])
