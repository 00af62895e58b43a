"""The rules of kernels of dense and banded matrices: QR, polar form, pseudo-inverse and others."""

import numpy as np

from .. import _core
from .kernels import (
    ONE_SIDE,
    Kernel,
    flipped,
    join_rows,
    lower,
    lu,
    lu_solve,
    not_lower,
    solve_triangular,
    spread_columns,
    spread_rows,
    total,
)
from .primitives import concatenate, matmul, sum_axes

# ---- QR ----


def _qr_parts(out):
    n = out.shape[-1]
    m = out.shape[-2] - n
    return out[..., :m, :], out[..., m:, :]


def _qr_push(call, args, out, tangents):
    del call, args
    n = out.shape[-1]
    q, r = _qr_parts(out)
    x = flipped(solve_triangular(r, flipped(tangents[0]), flags=1))
    c = matmul(flipped(q), x)
    y = c * not_lower(n, -1) + flipped(c * lower(n, -1))
    return join_rows(x - matmul(q, y), matmul(y, r))


def _qr_pull(call, args, out, g, wanted):
    del call, args, wanted
    n = out.shape[-1]
    q, r = _qr_parts(out)
    gq, gr = _qr_parts(g)
    y = matmul(gr * not_lower(n, -1), flipped(r)) - matmul(flipped(q), gq)
    c = y * not_lower(n, -1) + flipped(y * not_lower(n))
    x = gq + matmul(q, c)
    return [flipped(solve_triangular(r, flipped(x)))]


qr = Kernel("qr", _qr_push, _qr_pull)


# ---- pseudo-inverse, of matrices of constant rank ----


def _pinv_push(call, args, out, tangents):
    del call
    a, da = args[0], flipped(tangents[0])
    first = matmul(matmul(out, flipped(out)), da)
    last = matmul(da, matmul(flipped(out), out))
    return (
        (first - matmul(matmul(first, a), out))
        + (last - matmul(out, matmul(a, last)))
        - matmul(matmul(out, tangents[0]), out)
    )


def _pinv_pull(call, args, out, g, wanted):
    del call, wanted
    a, gt, pt = args[0], flipped(g), flipped(out)
    first = matmul(gt, matmul(out, pt))
    last = matmul(matmul(pt, out), gt)
    return [
        (first - matmul(a, matmul(out, first)))
        + (last - matmul(matmul(last, out), a))
        - matmul(matmul(pt, g), pt)
    ]


pinv = Kernel("pinv", _pinv_push, _pinv_pull)


# ---- least squares, of matrices of constant rank ----


def _lstsq_push(call, args, out, tangents):
    a, b = args
    da, db = tangents
    inverse = pinv(a, p=call.p)
    if da is None:
        return matmul(inverse, db)
    rest = b - matmul(a, out)
    beside = matmul(flipped(da), matmul(flipped(inverse), out))
    return (
        matmul(inverse, total(db, -matmul(da, out)))
        + matmul(inverse, matmul(flipped(inverse), matmul(flipped(da), rest)))
        + (beside - matmul(inverse, matmul(a, beside)))
    )


def _lstsq_pull(call, args, out, g, wanted):
    a, b = args
    inverse = pinv(a, p=call.p)
    back = matmul(flipped(inverse), g)
    if 0 not in wanted:
        return [None, back]
    rest = b - matmul(a, out)
    beside = g - matmul(flipped(a), back)
    return [
        matmul(rest, flipped(matmul(inverse, back)))
        - matmul(back, flipped(out))
        + matmul(matmul(flipped(inverse), out), flipped(beside)),
        back,
    ]


lstsq = Kernel("lstsq", _lstsq_push, _lstsq_pull)


# ---- exponential ----


def move_of(function, a, e):
    """The derivative of an analytic function of `a` along `e`: a block of that of a larger one."""
    n = a.shape[-1]
    last = len(a.shape) - 1
    size = _core.apply("stop", sum_axes(abs(e), (last - 1, last), True))
    # An e of any other size than a's would have the larger matrix scaled for its sake.
    size = _core.apply("where", _core.apply("equal", size, 0.0), 1.0, size)
    above = concatenate([a, e / size], last)
    below = concatenate([np.zeros(a.shape), a], last)
    return function(join_rows(above, below))[..., :n, n:] * size


def _expm_push(call, args, out, tangents):
    del call, out
    return move_of(expm, args[0], tangents[0])


def _expm_pull(call, args, out, g, wanted):
    del call, out, wanted
    return [move_of(expm, flipped(args[0]), g)]


expm = Kernel("expm", _expm_push, _expm_pull)


# ---- Sylvester's equation ----


def _sylvester_push(call, args, out, tangents):
    a, b, _ = args
    da, db, rhs = tangents
    if da is not None:
        rhs = total(rhs, -matmul(flipped(da) if call.flags else da, out))
    if db is not None:
        rhs = total(rhs, -matmul(out, flipped(db) if call.flags else db))
    return sylvester.run(call, [a, b, rhs])


def _sylvester_pull(call, args, out, g, wanted):
    a, b, _ = args
    back = sylvester(a, b, g, flags=1 - call.flags)
    ga = gb = None
    if 0 in wanted:
        ga = -(matmul(out, flipped(back)) if call.flags else matmul(back, flipped(out)))
    if 1 in wanted:
        gb = -(matmul(flipped(back), out) if call.flags else matmul(flipped(out), back))
    return [ga, gb, back]


sylvester = Kernel("sylvester", _sylvester_push, _sylvester_pull)


# ---- polar form, U above P; of matrices of full rank ----


def _polar_parts(out):
    n = out.shape[-1]
    return out[..., :-n, :], out[..., -n:, :]


def _across(p, x):
    """W where P W + W P = x."""
    return sylvester(p, p, x)


def _beyond_columns(u, p, x):
    """What is left of x P^-1 when what U reaches is taken away; None where it reaches all."""
    if u.shape[-2] == u.shape[-1]:
        return None
    x = x - matmul(u, matmul(flipped(u), x))
    return flipped(lu_solve(lu(p), flipped(x), flags=1))


def _polar_push(call, args, out, tangents):
    # With W = U^T dU, which is antisymmetric, U^T dA = W P + dP.
    del call, args
    u, p = _polar_parts(out)
    along = matmul(flipped(u), tangents[0])
    turn = _across(p, along - flipped(along))
    moved = total(matmul(u, turn), _beyond_columns(u, p, tangents[0]))
    return join_rows(moved, along - matmul(turn, p))


def _polar_pull(call, args, out, g, wanted):
    del call, args, wanted
    u, p = _polar_parts(out)
    gu, gp = _polar_parts(g)
    turn = _across(p, matmul(flipped(u), gu) - matmul(gp, p))
    return [total(matmul(u, turn - flipped(turn) + gp), _beyond_columns(u, p, gu))]


polar = Kernel("polar", _polar_push, _polar_pull)


# ---- bands ----


def _shifted(x, d):
    """Row j is row j + d of x, 0 beyond its ends."""
    n = x.shape[-2]
    if d == 0:
        return x
    zeros = np.zeros((*x.shape[:-2], min(abs(d), n), x.shape[-1]))
    if abs(d) >= n:
        return zeros
    return join_rows(x[..., d:, :], zeros) if d > 0 else join_rows(zeros, x[..., :d, :])


def _band_of_product(call, left, right):
    """The diagonals of left right^T."""
    last = len(left.shape) - 1
    return join_rows(
        *[
            spread_rows(sum_axes(_shifted(left, row - call.count) * right, (last,)))
            for row in range(call.first + call.count + 1)
        ]
    )


def _band_times(call, band, x, transposed):
    """The banded matrix, or its transpose, times x."""
    terms = []
    for row in range(call.first + call.count + 1):
        d = row - call.count  # A[j + d, j]
        diagonal = spread_columns(band[..., row, :])
        terms.append(diagonal * _shifted(x, d) if transposed else _shifted(diagonal * x, -d))
    return total(*terms)


def _one_side(call, band, x):
    """The symmetric matrix of which the band has the diagonals on one side, times x."""
    middle = spread_columns(band[..., call.count, :])
    both = [_band_times(call, band, x, transposed) for transposed in (False, True)]
    return total(*both, -(middle * x))


def _of_one_side(call, x):
    """Adjoints of a matrix and its transpose, added, as those of the diagonals on one side."""
    rows = x.shape[-2]
    return x * np.where(np.arange(rows) == call.count, 0.5, 1.0)[:, None]


def _banded_push(call, args, out, tangents):
    band, _ = args
    db, rhs = tangents
    if db is not None:
        one_side = call.flags & ONE_SIDE
        moved = _one_side(call, db, out) if one_side else _band_times(call, db, out, call.flags & 1)
        rhs = total(rhs, -moved)
    return solve_banded.run(call, [band, rhs])


def _banded_pull(call, args, out, g, wanted):
    places = {"first": call.first, "count": call.count}
    flags = call.flags if call.flags & ONE_SIDE else call.flags ^ 1
    back = solve_banded(args[0], g, flags=flags, **places)
    if 0 not in wanted:
        return [None, back]
    if call.flags & ONE_SIDE:
        pairs = [_band_of_product(call, *pair) for pair in ((back, out), (out, back))]
        return [_of_one_side(call, -pairs[0] - pairs[1]), back]
    pair = (out, back) if call.flags & 1 else (back, out)
    return [-_band_of_product(call, *pair), back]


solve_banded = Kernel("solve_banded", _banded_push, _banded_pull)
