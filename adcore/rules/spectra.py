"""The rules of eigenvalues and singular values.

A factor of eigh has the eigenvalues w in its first row and the eigenvectors V below; derivatives
have there what is said of the symmetric matrix A.  With P = V^T dA V, to first order

    dw = diag(P),    dV = V D,    D[i, j] = P[i, j] / (w[j] - w[i]), 0 where i is j.

Where eigenvalues are equal:

* The gradient of a function of w is V diag(g) V^T, whatever V was chosen, if g is the same for
  equal eigenvalues; else the kernels `spectral` and `alike` fail.
* Its derivative along dA, the second of the function, is taken with the vectors that dA moves one
  by one (`spectral_basis`): then dw are the rates of the eigenvalues on that line, and no term with
  a gap of 0 is left.  These vectors, and so all derivatives beyond, depend on the direction: their
  rules fail.  So does the derivative of the gradient in reverse mode, which has no direction.
  Nearly equal ones are treated alike, as quotients of their differences would be inexact.
* Vectors have no derivative.  In reverse mode asking for it is an error; in forward mode, where
  they may not be wanted, it is nan.

The singular values of A are eigenvalues of [[0, A], [A^T, 0]], in pairs s and -s; the vectors of s
are those of A, left above right, over sqrt(2).  Beside them are |m - n| vectors left over, of the
eigenvalue 0 whatever A is: no other vector and no singular value depends on which they are, so that
being equal their eigenvalues do no harm, unless full_matrices=True shows the vectors.
"""

import math

import numpy as np

from .dense import lstsq, qr
from .kernels import (
    FAIL,
    FROM_UPPER,
    NAN,
    NEAR_FAIL,
    OF_VALUES,
    ONE_TRIANGLE,
    SHOWN,
    Kernel,
    as_diagonals,
    call_of,
    diagonals,
    doubled,
    flipped,
    from_lower,
    join_rows,
    lu,
    lu_solve,
    spread_columns,
    spread_rows,
    symmetric_part,
    total,
    zero_row,
)
from .primitives import concatenate, matmul, reshape, sum_axes


def of_spectrum(m):
    """What is said of A as what is said of F."""
    return join_rows(zero_row(m), m)


def _mirrored(call, da):
    """The tangent of a symmetric matrix, of which one triangle may be all there is."""
    if not call.flags & ONE_TRIANGLE:
        return da
    return from_lower(flipped(da) if call.flags & FROM_UPPER else da)


def _folded(call, g):
    """An adjoint of a symmetric matrix as one of the triangle, if that is all there is."""
    if not call.flags & ONE_TRIANGLE:
        return g
    g = symmetric_part(g) * doubled(g.shape[-1])
    return flipped(g) if call.flags & FROM_UPPER else g


def _eigh_push(call, args, out, tangents):
    del args, out
    return of_spectrum(_mirrored(call, tangents[0]))


def _eigh_pull(call, args, out, g, wanted):
    del args, out, wanted
    return [_folded(call, g[..., 1:, :])]


def _svd_push(call, args, out, tangents):
    del call, args, out
    da = tangents[0]
    m, n = da.shape[-2:]
    last = len(da.shape) - 1
    leading = da.shape[:-2]
    above = concatenate([np.zeros((*leading, m, m)), da], last)
    below = concatenate([flipped(da), np.zeros((*leading, n, n))], last)
    return of_spectrum(join_rows(above, below))


def _svd_pull(call, args, out, g, wanted):
    del call, out, wanted
    m = args[0].shape[-2]
    g = g[..., 1:, :]
    return [g[..., :m, m:] + flipped(g[..., m:, :m])]


eigh = Kernel("eigh", _eigh_push, _eigh_pull)
svd = Kernel("svd", _svd_push, _svd_pull)


def all_vectors(f):
    """All columns of V."""
    return vectors(f, count=f.shape[-1])


def between(v, m):
    """V^T m V."""
    return matmul(flipped(v), matmul(m, v))


def back_to(v, m):
    """V m V^T."""
    return matmul(v, matmul(m, flipped(v)))


# ---- eigenvalues ----


def _spectrum_push(call, args, out, tangents):
    del call, out
    da = tangents[0][..., 1:, :]
    v = spectral_basis(args[0], da)
    return sum_axes(v * matmul(da, v), (len(v.shape) - 2,))


def _spectrum_pull(call, args, out, g, wanted):
    del call, out, wanted
    return [of_spectrum(spectral(args[0], g))]


def _differences(g):
    """g[j] - g[i]."""
    return spread_rows(g) - spread_columns(g)


def _spectral_push(call, args, out, tangents):
    del call, out
    f, g = args
    df, dg = tangents
    if df is None:
        return spectral(f, dg)
    da = df[..., 1:, :]
    v = spectral_basis(f, da)
    moved = gaps(f, between(v, da)) * _differences(alike(f, g))
    return back_to(v, moved if dg is None else moved + as_diagonals(dg))


def _spectral_pull(call, args, out, g, wanted):
    del call, out
    f, weights = args
    v = all_vectors(f)
    p = between(v, symmetric_part(g))
    moved = None
    if 0 in wanted:
        moved = of_spectrum(back_to(v, gaps(f, p) * _differences(alike(f, weights))))
    return [moved, diagonals(p)]


def _alike_push(call, args, out, tangents):
    del call, args, out
    return tangents[1]


def _alike_pull(call, args, out, g, wanted):
    del call, args, out, wanted
    return [None, g]


alike = Kernel("alike", _alike_push, _alike_pull)
spectrum = Kernel("spectrum", _spectrum_push, _spectrum_pull)
spectral = Kernel("spectral", _spectral_push, _spectral_pull)


# ---- eigenvectors ----


def _reversed(x, factor):
    """The columns in the other order, times a number."""
    return x[..., ::-1] * factor


def _vectors_push(call, args, out, tangents):
    f = args[0]
    if call.flags & OF_VALUES:
        moved = _vectors_push(_as_they_are(call), args, _reversed(out, math.sqrt(0.5)), tangents)
        return _reversed(moved, math.sqrt(2.0))
    v = all_vectors(f)
    p = matmul(flipped(v), matmul(tangents[0][..., 1:, :], out))
    return matmul(v, gaps(f, p, flags=NAN | call.flags, first=call.first))


def _as_they_are(call):
    """A call of `vectors` without AD_OF_VALUES."""
    return call_of("vectors", call.flags & ~OF_VALUES, call.first, call.count)


def _vectors_pull(call, args, out, g, wanted):
    f = args[0]
    if call.flags & OF_VALUES:
        out, g = _reversed(out, math.sqrt(0.5)), _reversed(g, math.sqrt(2.0))
        return _vectors_pull(_as_they_are(call), args, out, g, wanted)
    v = all_vectors(f)
    d = gaps(f, matmul(flipped(v), g), flags=FAIL | call.flags, first=call.first)
    return [of_spectrum(symmetric_part(matmul(matmul(v, d), flipped(out))))]


def _basis_push(call, args, out, tangents):
    del call
    f, df = args[0], tangents[0]
    # where no eigenvalues are equal it is V; elsewhere it moves with both, who knows where
    p = np.zeros(out.shape) if df is None else between(out, df[..., 1:, :])
    return matmul(out, gaps(f, p, flags=NEAR_FAIL))


def _basis_pull(call, args, out, g, wanted):
    del call, wanted
    d = gaps(args[0], matmul(flipped(out), g), flags=NEAR_FAIL)
    return [of_spectrum(symmetric_part(back_to(out, d))), None]


def _beyond(flags):
    """What derivatives of gaps() do about equal eigenvalues."""
    return flags if flags & ~SHOWN else flags | NEAR_FAIL


def _gaps_push(call, args, out, tangents):
    f, df, dm = args[0], *tangents
    if df is None:
        return gaps.run(call, [f, dm])
    first, n = call.first, out.shape[-1]
    dw = diagonals(between(all_vectors(f), df[..., 1:, :]))
    moved = -out * (spread_rows(dw[..., first : first + n]) - spread_columns(dw))
    return gaps(f, total(moved, dm), flags=_beyond(call.flags), first=first)


def _gaps_pull(call, args, out, g, wanted):
    f = args[0]
    gm = gaps(f, g, flags=_beyond(call.flags), first=call.first)
    if 0 not in wanted:
        return [None, gm]
    x = gm * out
    last = len(x.shape) - 1
    gw = sum_axes(x, (last,))
    size, n, first = f.shape[-1], out.shape[-1], call.first
    columns = sum_axes(x, (last - 1,))
    ends = [np.zeros((*x.shape[:-2], k)) for k in (first, size - first - n)]
    gw = gw - concatenate([ends[0], columns, ends[1]], last - 1)
    v = all_vectors(f)
    return [of_spectrum(matmul(v * spread_rows(gw), flipped(v))), gm]


vectors = Kernel("vectors", _vectors_push, _vectors_pull)
spectral_basis = Kernel("spectral_basis", _basis_push, _basis_pull)
gaps = Kernel("gaps", _gaps_push, _gaps_pull)


# ---- eigenvalues of any matrix; the factor holds what is said of A below its first row ----


def _eig_push(call, args, out, tangents):
    del call, args, out
    return of_spectrum(tangents[0])


def _eig_pull(call, args, out, g, wanted):
    del call, args, out, wanted
    return [g[..., 1:, :]]


def _eig_values_push(call, args, out, tangents):
    del call, out
    return diagonals(_in_eigenvectors(args[0], tangents[0][..., 1:, :])[1])


def _in_eigenvectors(f, m):
    """(V, V^-1 m V)."""
    v = eig_vectors(f)
    return v, lu_solve(lu(v), matmul(m, v))


def _eig_values_pull(call, args, out, g, wanted):
    del call, out, wanted
    v = eig_vectors(args[0])
    return [of_spectrum(lu_solve(lu(v), spread_columns(g) * flipped(v), flags=1))]


def _eig_vectors_push(call, args, out, tangents):
    del call
    f = args[0]
    v, c = _in_eigenvectors(f, tangents[0][..., 1:, :])
    return _keep_length(out, matmul(v, c * gap_inverses(eig_values(f), flags=NAN)))


def _keep_length(v, moved):
    """What is left of `moved` when the columns of v keep their length of 1."""
    last = len(v.shape) - 2
    return moved - v * sum_axes(v * moved, (last,), True)


def _eig_vectors_pull(call, args, out, g, wanted):
    del call, wanted
    f = args[0]
    factor = lu(out)
    d = matmul(flipped(out), _keep_length(out, g)) * gap_inverses(eig_values(f), flags=FAIL)
    return [of_spectrum(matmul(lu_solve(factor, d, flags=1), flipped(out)))]


def _gap_inverses_push(call, args, out, tangents):
    del call, args
    return -out * out * _differences(tangents[0])


def _gap_inverses_pull(call, args, out, g, wanted):
    del call, args, wanted
    x = g * out * out
    last = len(x.shape) - 1
    return [sum_axes(x, (last,)) - sum_axes(x, (last - 1,))]


eig = Kernel("eig", _eig_push, _eig_pull)
eig_values = Kernel("eig_values", _eig_values_push, _eig_values_pull)
eig_vectors = Kernel("eig_vectors", _eig_vectors_push, _eig_vectors_pull)
gap_inverses = Kernel("gap_inverses", _gap_inverses_push, _gap_inverses_pull)


# ---- values alone; a derivative asks for the factor ----


def _eigvalsh_push(call, args, out, tangents):
    f = eigh(args[0], flags=call.flags)
    return _spectrum_push(call, [f], out, [_eigh_push(call, args, f, tangents)])


def _eigvalsh_pull(call, args, out, g, wanted):
    f = eigh(args[0], flags=call.flags)
    (of_f,) = _spectrum_pull(call, [f], out, g, wanted)
    return _eigh_pull(call, args, f, of_f, wanted)


# Beyond so many rows or columns a matrix that is far from square is made square first.
MUCH = 64


def _is_tall(m, n):
    return m > n + MUCH and m > 3 * n


def _eigvals_push(call, args, out, tangents):
    f = eig_like(args[0], out)
    return _eig_values_push(call, [f], out, [of_spectrum(tangents[0])])


def _eigvals_pull(call, args, out, g, wanted):
    (of_f,) = _eig_values_pull(call, [eig_like(args[0], out)], out, g, wanted)
    return [of_f[..., 1:, :]]


def _eig_like_push(call, args, out, tangents):
    del call, args, out
    return None if tangents[0] is None else of_spectrum(tangents[0])


def _eig_like_pull(call, args, out, g, wanted):
    del call, args, out, wanted
    return [g[..., 1:, :], None]


def _svdvals_push(call, args, out, tangents):
    a, da = args[0], tangents[0]
    m, n = a.shape[-2:]
    if _is_tall(m, n):
        both = qr(a)
        moved = qr.push(qr.usual, [a], both, [da])
        return _svdvals_push(call, [both[..., m:, :]], out, [moved[..., m:, :]])
    if _is_tall(n, m):
        return _svdvals_push(call, [flipped(a)], out, [flipped(da)])
    f = svd(a)
    moved = _spectrum_push(call, [f], None, [_svd_push(call, args, f, tangents)])
    return moved[..., ::-1][..., : min(m, n)]


def _svdvals_pull(call, args, out, g, wanted):
    a = args[0]
    m, n = a.shape[-2:]
    if _is_tall(m, n):
        both = qr(a)
        (below,) = _svdvals_pull(call, [both[..., m:, :]], out, g, wanted)
        above = np.zeros((*below.shape[:-2], m, n))
        return qr.pull(qr.usual, [a], both, join_rows(above, below), wanted)
    if _is_tall(n, m):
        (found,) = _svdvals_pull(call, [flipped(a)], out, g, wanted)
        return [flipped(found)]
    f = svd(a)
    rest = np.zeros((*g.shape[:-1], max(m, n)))
    g = concatenate([rest, g[..., ::-1]], len(g.shape) - 1)
    (of_f,) = _spectrum_pull(call, [f], None, g, wanted)
    return _svd_pull(call, args, f, of_f, wanted)


eigvals = Kernel("eigvals", _eigvals_push, _eigvals_pull)
eig_like = Kernel("eig_like", _eig_like_push, _eig_like_pull)
eigvalsh = Kernel("eigvalsh", _eigvalsh_push, _eigvalsh_pull)
svdvals = Kernel("svdvals", _svdvals_push, _svdvals_pull)


# ---- least squares with singular values and rank ----


def lstsq_parts(args, out):
    """(X, singular values) of what lstsq_all gave for these operands."""
    (m, n), k = args[0].shape[-2:], args[1].shape[-1]
    return reshape(out[..., : n * k], (*out.shape[:-1], n, k)), out[..., n * k : n * k + min(m, n)]


def _lstsq_all_push(call, args, out, tangents):
    x, values = lstsq_parts(args, out)
    flat, zero = (*out.shape[:-1], -1), np.zeros((*out.shape[:-1], 1))
    moved = np.zeros(values.shape)
    if tangents[0] is not None:
        moved = _svdvals_push(call, args[:1], values, tangents[:1])
    x = reshape(lstsq.push(call, args, x, tangents), flat)
    return concatenate([x, moved, zero], len(out.shape) - 1)


def _lstsq_all_pull(call, args, out, g, wanted):
    x, values = lstsq_parts(args, out)
    gx, gs = lstsq_parts(args, g)
    ga, gb = lstsq.pull(call, args, x, gx, wanted)
    if 0 not in wanted:
        return [None, gb]
    return [ga + _svdvals_pull(call, args[:1], values, gs, (0,))[0], gb]


lstsq_all = Kernel("lstsq_all", _lstsq_all_push, _lstsq_all_pull)


# ---- singular vectors ----


def singular_vectors(a, full=False):
    """(U, singular values, V^T)."""
    m, n = a.shape[-2:]
    few = min(m, n)
    f = svd(a)
    both = vectors(f, flags=OF_VALUES, first=m + n - few, count=few)
    u, v = both[..., :m, :], both[..., m:, :]
    if full and m != n:
        rest = vectors(f, first=few, count=abs(m - n), flags=SHOWN)
        if m > n:
            u = concatenate([u, rest[..., :m, :]], a.ndim - 1)
        else:
            v = concatenate([v, rest[..., m:, :]], a.ndim - 1)
    return u, spectrum(f)[..., : -few - 1 : -1], flipped(v)
