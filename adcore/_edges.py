"""Sparse Hessians by edge-pushing: one reverse sweep over one recording, and nothing compiled."""

from scipy import sparse

from . import _core
from ._core import Tensor
from ._recording import is_real


def pushed(recording, most=2**63 - 1):
    """(gradient, Hessian) of a recording's scalar output; None where edges cannot be pushed.

    The gradient is a flat array, the Hessian a csr_array over all variables in their order.  It
    has an entry wherever the second derivative at this point is not 0: the pattern is that of the
    numbers, not of the function.  None is for recordings inside other derivatives, linear algebra,
    rules and hooks written in Python, and points where a norm is 0 or a second derivative is nan or
    out of range: dense_hessian() and its like have conventions for these; and for more than `most`
    edges.
    """
    y = recording.scalar("hessian", "a jacobian of gradients")
    if recording.flat is None or recording.nested or not (type(y) is Tensor or is_real(y)):
        return None
    n = recording.flat.size
    if type(y) is Tensor and y.requires_grad:
        found = _core.edge_hessian(y, recording.flat, most)
    else:
        found = _core.edge_hessian(_core.constant(0.0), recording.flat)
    if found is None:
        return None
    gradient, indptr, indices, data = found
    hessian = sparse.csr_array((data, indices, indptr), shape=(n, n), copy=False)
    hessian.has_sorted_indices = hessian.has_canonical_format = True
    return gradient, hessian


def edge_cost(recording):
    """What edge-pushing would have to go through, counted on the tape: see _core.edge_cost().

    The work grows with `operands` times the edges that meet at a number, which for a Hessian of r
    entries a row are about r, and somewhat more where rows of intermediate numbers are longer.
    """
    y = recording.output
    if recording.flat is None or recording.nested:
        return {"slots": 0, "operands": 0, "curved": 0, "known": False}
    if type(y) is not Tensor:
        return {"slots": 0, "operands": 0, "curved": 0, "known": is_real(y)}
    return _core.edge_cost(y, recording.flat)
