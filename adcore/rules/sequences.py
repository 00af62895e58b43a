"""Kernels of what runs along vectors: running products, convolutions, broken lines.

They are closed under derivatives: those of products are linear recurrences, those of a convolution
are convolutions, those of a broken line's values are its slopes.  No rule divides by what was
multiplied, so that they are exact at zeros, at every order.  src_c/ad_sequence.h says what the
kernels compute; see kernels.py for what rules are.
"""

import numpy as np

from .. import _core
from .kernels import Kernel, call_of, total
from .primitives import concatenate
from .shapes import flip

# enum ad_overlap, by NumPy's names
OVERLAPS = {"full": 0, "valid": 1, "same": 2}
BACKWARDS = 4  # AD_BACKWARDS, beside them


def _before(y, first):
    """What stands before each element along the last dimension; before all of them `first`."""
    if y.shape[-1] == 0:
        return y
    edge = np.full((*y.shape[:-1], 1), first)
    return concatenate([edge, y[..., :-1]], len(y.shape) - 1)


def _behind(y):
    """What stands behind each element along the last dimension; behind all of them 0."""
    if y.shape[-1] == 0:
        return y
    return concatenate([y[..., 1:], np.zeros((*y.shape[:-1], 1))], len(y.shape) - 1)


# ---- products ----


def _cumprod_push(call, args, out, tangents):
    del call
    return recurrence(args[0], _core.apply("flow", tangents[0], _before(out, 1.0)))


def _cumprod_pull(call, args, out, g, wanted):
    del call, wanted
    return [_core.apply("mul0", recurrence(args[0], g, flags=1), _before(out, 1.0))]


def _recurrence_push(call, args, out, tangents):
    da, db = tangents
    if da is not None:
        moved = _behind(da * out) if call.flags else da * _before(out, 0.0)
        db = total(moved, db)
    return recurrence.run(call, [args[0], db])


def _recurrence_pull(call, args, out, g, wanted):
    back = recurrence(args[0], g, flags=1 - call.flags)
    if 0 not in wanted:
        return [None, back]
    product = _before(back, 0.0) * out if call.flags else back * _before(out, 0.0)
    return [product, back]


cumprod = Kernel("cumprod", _cumprod_push, _cumprod_pull)
recurrence = Kernel("recurrence", _recurrence_push, _recurrence_pull)


# ---- convolutions ----


def _convolve_push(call, args, out, tangents):
    del out
    a, b = args
    da, db = tangents
    return total(
        None if da is None else convolve.run(call, [da, b]),
        None if db is None else convolve.run(call, [a, db]),
    )


def _convolve_pull(call, args, out, g, wanted):
    """The adjoint of all sums, convolved with the other vector in reverse order."""
    a, b = args
    n, m = a.shape[-1], b.shape[-1]
    lead = tuple(g.shape[:-1])
    least = n if n < m else m
    before = (0, least - 1, (least - 1) // 2)[call.flags & ~BACKWARDS]
    behind = n + m - 1 - out.shape[-1] - before
    if before or behind:
        edges = [np.zeros((*lead, k)) for k in (before, behind)]
        g = concatenate([edges[0], g, edges[1]], len(lead))
    valid = OVERLAPS["valid"]
    turned = valid | BACKWARDS
    found = [None, None]
    if 0 in wanted:
        found[0] = convolve(g, b, flags=valid if call.flags & BACKWARDS else turned)
    if 1 in wanted:
        of_b = convolve(g, a, flags=turned)
        found[1] = flip(of_b, len(lead)) if call.flags & BACKWARDS else of_b
    return found


convolve = Kernel("convolve", _convolve_push, _convolve_pull)
_CALLS = {
    (mode, back): call_of("convolve", flags + (BACKWARDS if back else 0))
    for mode, flags in OVERLAPS.items()
    for back in (False, True)
}


def convolved(a, b, mode, backwards=False):
    """The convolution of two vectors with elements, the second as it is or from its end."""
    call = _CALLS.get((mode, backwards))
    if call is None:
        raise ValueError(f"convolve: mode is 'full', 'same' or 'valid', got {mode!r}")
    found = _core.apply_kernel(call.extra, call.p, [a, b])
    return convolve.run(call, [a, b]) if found is NotImplemented else found


# ---- broken lines ----

# enum ad_line
VALUES, VALUES_LEFT, VALUES_RIGHT, SLOPES, SLOPES_LEFT, SLOPES_RIGHT = range(6)


def _sides(kind):
    """The kinds of which one is the mean; none if it is of one side."""
    return (kind + 1, kind + 2) if kind in (VALUES, SLOPES) else ()


def _apply(kind, x, xp, f):
    return line(x, xp, f, first=kind)


def _transpose(kind, x, xp, g):
    return line(x, xp, g, first=kind, flags=1)


def _line_move(kind, transposed, args, moves):
    """How a line moves with its points and knots; None where it does not."""
    x, xp, f = args
    dx, dxp = moves
    if (dxp is not None or kind != VALUES) and _sides(kind):
        parts = [_line_move(side, transposed, args, moves) for side in _sides(kind)]
        both = total(*parts)
        return None if both is None else 0.5 * both
    if kind < SLOPES:
        rate = total(dx, None if dxp is None else -_apply(kind, x, xp, dxp))
        slopes = kind + SLOPES
        if transposed:
            return _transpose(slopes, x, xp, _core.apply("mul0", f, rate))
        return _core.apply("flow", rate, _apply(slopes, x, xp, f))
    if dxp is None:
        return None
    stretch = _apply(kind, x, xp, dxp)
    if transposed:
        return -_transpose(kind, x, xp, f * stretch)
    return -_apply(kind, x, xp, f) * stretch


def _line_push(call, args, out, tangents):
    del out
    *moves, df = tangents
    moved = None if df is None else line.run(call, [args[0], args[1], df])
    if all(m is None for m in moves):
        return moved
    return total(moved, _line_move(call.first, call.flags, args, moves))


def _line_adjoints(kind, transposed, args, g, knots):
    """Adjoints of points, and of knots if they are wanted; None for zero."""
    x, xp, f = args
    if (knots or kind != VALUES) and _sides(kind):
        parts = [_line_adjoints(side, transposed, args, g, knots) for side in _sides(kind)]
        both = [total(*pair) for pair in zip(*parts, strict=True)]
        return [None if a is None else 0.5 * a for a in both]
    of_points, of_knots = (f, g) if transposed else (g, f)
    slopes = kind + SLOPES if kind < SLOPES else kind
    rate = _core.apply("mul0", of_points, _apply(slopes, x, xp, of_knots))
    back = -_transpose(kind, x, xp, rate) if knots else None
    return [rate if kind < SLOPES else None, back]


def _line_pull(call, args, out, g, wanted):
    del out
    x, xp, _ = args
    back = line(x, xp, g, first=call.first, flags=1 - call.flags) if 2 in wanted else None
    if 0 not in wanted and 1 not in wanted:
        return [None, None, back]
    return [*_line_adjoints(call.first, call.flags, args, g, 1 in wanted), back]


line = Kernel("line", _line_push, _line_pull)
_VALUES = call_of("line")


def interpolated(x, xp, f):
    """The values at points of the broken line through knots, flat outside of them: vectors."""
    found = _core.apply_kernel(_VALUES.extra, _VALUES.p, [x, xp, f])
    return line.run(_VALUES, [x, xp, f]) if found is NotImplemented else found
