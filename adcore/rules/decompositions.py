"""numpy.linalg on tensors: systems, determinants, decompositions and what is made of them.

Their public names are in adcore.numpy.linalg; here they answer NumPy's functions.
"""

import functools
import math
import operator

import numpy as np

from .. import _core
from ..errors import DomainError, NotDifferentiableError
from . import kernels as k
from . import products, reductions
from . import spectra as s
from .primitives import as_array, broadcast_to, concatenate, matmul, reshape, sum_axes, transpose
from .recorded import is_recorded, observe, observed
from .table import array_function, refuse


@functools.cache
def result_types():
    """NumPy's named tuples of results, by function."""
    one = np.eye(1)
    names = ("eig", "eigh", "svd", "qr", "slogdet")
    return {name: type(getattr(np.linalg, name)(one)) for name in names}


def matrices(name, a):
    """`a` as an array of matrices."""
    a = as_array(a)
    if a.ndim < 2:
        raise np.linalg.LinAlgError(
            f"{name} takes matrices, at least two-dimensional; got an array of shape {a.shape}"
        )
    return a


def squares(name, a):
    """`a` as an array of square matrices."""
    a = matrices(name, a)
    shape = a.shape
    if shape[-1] != shape[-2]:
        raise np.linalg.LinAlgError(f"{name} takes square matrices, got shape {shape}")
    return a


# ---- systems ----


def solve_with(solver, factor, b):
    """solver(factor, b) for matrices b; many systems of one matrix are solved as one."""
    if factor.ndim == 2 and b.ndim > 2:
        last = b.ndim - 1
        n, width = b.shape[-2:]
        order = (last - 1, *range(last - 1), last)
        x = solver(factor, reshape(transpose(b, order), (n, -1)))
        x = reshape(x, (n, *b.shape[:-2], width))
        return transpose(x, (*range(1, last), 0, last))
    return solver(factor, b)


def solve_system(solver, factor, b, vector):
    """The same for b that may be one vector."""
    if not vector:
        return solve_with(solver, factor, b)
    if factor.ndim == 2:
        return reshape(solver(factor, k.spread_columns(b)), b.shape)
    return solve_with(solver, factor, k.spread_columns(b))[..., 0]


@array_function(np.linalg.solve)
def _solve(a, b):
    a, b = squares("solve", a), as_array(b)
    shape = b.shape
    vector = len(shape) == 1
    if not shape or shape[0 if vector else -2] != a.shape[-1]:
        raise ValueError(
            f"solve: a of shape {a.shape} needs b with {a.shape[-1]} rows, got shape {b.shape}"
        )
    return solve_system(k.lu_solve, k.lu(a), b, vector)


@array_function(np.linalg.inv)
def _inv(a):
    factor = k.lu(squares("inv", a))
    return k.lu_solve(factor, k.identity_like(factor))


@array_function(np.linalg.tensorsolve)
def _tensorsolve(a, b, axes=None):
    a, b = as_array(a), as_array(b)
    if axes is not None:
        rest = [d for d in range(a.ndim) if d not in {ax % a.ndim for ax in axes}]
        a = transpose(a, (*rest, *[ax % a.ndim for ax in axes]))
    shape = a.shape[b.ndim :]
    size = math.prod(shape)
    if math.prod(a.shape) != size * size:
        raise np.linalg.LinAlgError(
            f"tensorsolve: a of shape {a.shape} is not square when {b.ndim} dimensions are rows"
        )
    return reshape(_solve(reshape(a, (size, size)), reshape(b, (size,))), shape)


@array_function(np.linalg.tensorinv)
def _tensorinv(a, ind=2):
    a = as_array(a)
    if ind <= 0:
        raise ValueError(f"tensorinv: ind must be positive, got {ind!r}")
    first, last = a.shape[:ind], a.shape[ind:]
    size = math.prod(last)
    return reshape(_inv(reshape(a, (size, -1))), last + first)


@array_function(np.linalg.matrix_power)
def _matrix_power(a, n):
    a = squares("matrix_power", a)
    try:
        n = operator.index(n)
    except TypeError:
        raise TypeError(f"matrix_power takes integers, got {n!r}") from None
    if n < 0:
        a, n = _inv(a), -n
    if n == 0:
        return broadcast_to(np.eye(a.shape[-1]), a.shape)
    power = None
    while n:
        if n % 2:
            power = a if power is None else products.matmul(power, a)
        n //= 2
        if n:
            a = products.matmul(a, a)
    return power


# ---- determinants ----


@array_function(np.linalg.det)
def _det(a):
    return k.lu_det(k.lu(squares("det", a)))


@array_function(np.linalg.slogdet)
def _slogdet(a):
    both = k.lu_logdet(k.lu(squares("slogdet", a)))
    return result_types()["slogdet"](both[..., 0], both[..., 1])


# ---- triangular and orthogonal factors ----


def mirrored(a, low):
    """Symmetric matrices of the lower, or of the upper, triangles of `a`."""
    return k.from_lower(a if low else k.flipped(a))


@array_function(np.linalg.cholesky)
def _cholesky(a, /, *, upper=False):
    a = squares("cholesky", a)
    return k.flipped(k.cholesky(k.flipped(a))) if upper else k.cholesky(a)


def thin_qr(a):
    """(Q, R) of matrices; of wide ones Q is that of their first columns."""
    m, n = a.shape[-2:]
    if m >= n:
        both = k.qr(a)
        return both[..., :m, :], both[..., m:, :]
    q, r = thin_qr(a[..., :m])
    return q, concatenate([r, matmul(k.flipped(q), a[..., m:])], a.ndim - 1)


@array_function(np.linalg.qr)
def _qr(a, mode="reduced"):
    a = matrices("qr", a)
    if mode not in ("reduced", "complete", "r"):
        known = "'reduced', 'complete' and 'r'"
        raise NotDifferentiableError(f"qr of a tensor has the modes {known}, got {mode!r}")
    if mode == "complete" and a.shape[-2] > a.shape[-1]:
        raise NotDifferentiableError(
            f"qr in mode 'complete' of matrices of shape {a.shape[-2:]}: the columns of q beyond "
            "the first may be any that complete it, and have no derivative; use mode='reduced'"
        )
    q, r = thin_qr(a)
    return r if mode == "r" else result_types()["qr"](q, r)


# ---- eigenvalues ----


def symmetric(name, a, low):
    """The factor of symmetric matrices, of which one triangle is read."""
    return s.eigh(mirrored(squares(name, a), low), flags=0 if low else k.FROM_UPPER)


def _reads_lower(name, uplo):
    if not isinstance(uplo, str) or uplo.upper() not in ("L", "U"):
        raise ValueError(f"{name}: UPLO is 'L' or 'U', got {uplo!r}")
    return uplo.upper() == "L"


@array_function(np.linalg.eigh)
def _eigh(a, UPLO="L"):
    f = symmetric("eigh", a, _reads_lower("eigh", UPLO))
    return result_types()["eigh"](s.spectrum(f), s.all_vectors(f))


@array_function(np.linalg.eigvalsh)
def _eigvalsh(a, UPLO="L"):
    return s.spectrum(symmetric("eigvalsh", a, _reads_lower("eigvalsh", UPLO)))


def _eigensystem(name, a):
    """The factor, or None if eigenvalues are complex, or may be in a compiled function."""
    a = squares(name, a)
    if is_recorded(a):
        return None
    try:
        return s.eig(a)
    except DomainError:
        return None


@array_function(np.linalg.eig)
def _eig(a):
    f = _eigensystem("eig", a)
    if f is None:
        return _core.METHODS["_complex_function"](np.linalg.eig, (a,), {})
    return result_types()["eig"](s.eig_values(f), s.eig_vectors(f))


@array_function(np.linalg.eigvals)
def _eigvals(a):
    f = _eigensystem("eigvals", a)
    if f is None:
        return _core.METHODS["_complex_function"](np.linalg.eigvals, (a,), {})
    return s.eig_values(f)


# ---- singular values ----


@array_function(np.linalg.svd)
def _svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    a = matrices("svd", a)
    if hermitian:
        a = mirrored(squares("svd", a), True)
    if not compute_uv:
        return s.singular_values(a)
    return result_types()["svd"](*s.singular_vectors(a, full_matrices))


@array_function(np.linalg.svdvals)
def _svdvals(x, /):
    return s.singular_values(matrices("svdvals", x))


@array_function(np.linalg.cond)
def _cond(x, p=None):
    x = matrices("cond", x)
    if p is None or p in (2, -2):
        found = s.singular_values(x)
        least, most = found[..., -1], found[..., 0]
        return least / most if p == -2 else most / least
    x = squares("cond", x)
    return reductions.norm(x, p, (-2, -1)) * reductions.norm(_inv(x), p, (-2, -1))


observe(np.linalg.matrix_rank, "linalg.matrix_rank")


@array_function(np.linalg.matrix_rank)
def _matrix_rank(A, tol=None, hermitian=False, *, rtol=None):
    return observed(np.linalg.matrix_rank, A, tol, hermitian, rtol=rtol)


# ---- least squares ----


@array_function(np.linalg.pinv)
def _pinv(a, rcond=None, hermitian=False, *, rtol=np._NoValue):
    a = matrices("pinv", a)
    if hermitian:
        a = mirrored(squares("pinv", a), True)
    if rcond is not None and rtol is not np._NoValue:
        raise ValueError("pinv: rtol and rcond are the same; give one of them")
    if rcond is None:
        rcond = 1e-15 if rtol is np._NoValue else rtol
    if rcond is None:
        rcond = max(a.shape[-2:]) * np.finfo(np.float64).eps
    if np.ndim(rcond) > 0:
        raise NotDifferentiableError("pinv of a tensor takes one number as rcond, for all matrices")
    return k.pinv(a, p=float(rcond))


def least_squares(a, b, rank, rcond):
    """The least solution x of a x = b, for matrices b."""
    m, n = a.shape
    if rank == n <= m:
        q, r = thin_qr(a)
        return k.solve_triangular(r, matmul(k.flipped(q), b))
    return matmul(k.pinv(a, p=rcond), b)


@array_function(np.linalg.lstsq)
def _lstsq(a, b, rcond=None):
    a, b = matrices("lstsq", a), as_array(b)
    if a.ndim != 2 or b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise np.linalg.LinAlgError(
            f"lstsq takes a matrix and a vector or matrix of as many rows; got shapes {a.shape} "
            f"and {b.shape}"
        )
    m, n = a.shape
    eps = np.finfo(np.float64).eps
    rcond = eps * max(m, n) if rcond is None else eps if rcond == -1 else float(rcond)
    found = s.singular_values(a)
    most = found[0] if len(found) else 0.0
    rank = sum(bool(v > rcond * most) for v in found)
    columns = k.spread_columns(b) if b.ndim == 1 else b
    x = least_squares(a, columns, rank, rcond)
    rest = columns - matmul(a, x)
    residuals = sum_axes(rest * rest, (0,)) if rank == n < m else np.empty(0)
    return (x[:, 0] if b.ndim == 1 else x), residuals, rank, found


# ---- products ----


@array_function(np.linalg.multi_dot)
def _multi_dot(arrays, *, out=None):
    if out is not None:
        refuse("multi_dot", out=out)
    arrays = [as_array(a) for a in arrays]
    if len(arrays) < 2:
        raise ValueError(f"multi_dot takes two arrays or more, got {len(arrays)}")
    row, column = arrays[0].ndim == 1, arrays[-1].ndim == 1
    if row:
        arrays[0] = k.spread_rows(arrays[0])
    if column:
        arrays[-1] = k.spread_columns(arrays[-1])
    for a in arrays:
        if a.ndim != 2:
            raise np.linalg.LinAlgError(
                "multi_dot takes matrices, and vectors at its ends; got shapes "
                f"{[x.shape for x in arrays]}"
            )
    x = _cheapest_product(arrays)
    if row:
        x = x[0]
    return x[..., 0] if column else x


def _cheapest_product(arrays):
    """The product in the order of the fewest multiplications."""
    lengths = (*[a.shape[0] for a in arrays], arrays[-1].shape[1])
    return _product_of(arrays, lengths, 0, len(arrays) - 1)


def _product_of(arrays, lengths, first, last):
    if first == last:
        return arrays[first]
    split = _cheapest_split(lengths, first, last)[1]
    return products.matmul(
        _product_of(arrays, lengths, first, split), _product_of(arrays, lengths, split + 1, last)
    )


@functools.lru_cache(4096)
def _cheapest_split(lengths, first, last):
    """(multiplications, the end of the left part) for matrices first ... last of these lengths."""
    if first == last:
        return 0, first
    return min(
        (
            _cheapest_split(lengths, first, split)[0]
            + _cheapest_split(lengths, split + 1, last)[0]
            + lengths[first] * lengths[split + 1] * lengths[last + 1],
            split,
        )
        for split in range(first, last)
    )
