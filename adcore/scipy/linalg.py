"""SciPy's linalg on numbers, arrays, tensors and duals: ``import adcore.scipy.linalg``.

Functions without a tensor among their arguments are SciPy's own.  Options that mean nothing to the
result, as overwrite_a, are taken and left aside; others that tensors cannot have raise an error.
"""

import functools

import numpy as np
import scipy.linalg as _scipy

from .. import _core
from .._core import is_complex
from ..errors import DomainError, NotDifferentiableError
from ..rules import decompositions as _d
from ..rules import dense as _ds
from ..rules import kernels as _k
from ..rules import spectra as _s
from ..rules.primitives import (
    as_array,
    as_vector,
    below,
    broadcast_to,
    concatenate,
    linear_in_all,
    matmul,
    reshape,
)
from ..rules.products import kron as _kron
from ..rules.reductions import norm as _norm
from ..rules.table import Dual, Tensor
from ._matrix_functions import complex_square_root, logarithm, square_root
from ._surface import refused, with_plain

__all__ = [name for name in _scipy.__all__ if callable(getattr(_scipy, name))]

_rules = {}


def _differentiable(rule):
    """Let a rule of real numbers stand for SciPy's function where there is a tensor or a dual."""

    @functools.wraps(rule)
    def of_reals(*args, **kwargs):
        if is_complex(args) or is_complex(tuple(kwargs.values())):
            raise NotDifferentiableError(
                f"scipy.linalg.{rule.__name__} of a complex array has no rule; numpy.linalg's "
                "functions take complex arrays, or write it with z.real and z.imag"
            )
        return rule(*args, **kwargs)

    return _of_complex_too(of_reals)


def _of_complex_too(rule):
    """The same of a rule that takes complex numbers as well."""
    _rules[rule.__name__] = function = with_plain(rule, getattr(_scipy, rule.__name__))
    return function


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(_scipy, name)
    if not callable(found) or isinstance(found, type):
        return found
    remedy = "write it with those that have one, or pass x.detach()"
    globals()[name] = function = refused(f"scipy.linalg.{name}", found, remedy)
    return function


def __dir__():
    return sorted(__all__)


def _refuse(name, remedy, **options):
    """Raise for the first of `options` that is given."""
    for option, value in options.items():
        if value is not None and value is not False:
            raise NotDifferentiableError(f"{name} of a tensor does not take {option}=; {remedy}")


def _numbers(x):
    """The numbers below duals and tensors, only to be looked at."""
    while type(x) is Dual:
        x = x.value
    return _core.peek(x) if type(x) is Tensor else x


def _finite(check, *arrays):
    """As check_finite asks: a compiled function asks again at every replay."""
    if not check:
        return
    arrays = [as_array(a) for a in arrays]
    if _core.is_compiling():
        finite = all(np.all(np.isfinite(below(a))) for a in arrays)
    else:
        arrays = [a if type(a) is Tensor else below(a) for a in arrays]
        finite = not any(_core.has_nan(a, True) for a in arrays)
    if not finite:
        raise ValueError("array must not contain infs or NaNs")


def _vector_or_matrix(name, a, b):
    """B as an array, and whether it is one vector; its rows are to be as many as a's."""
    b = as_array(b)
    if b.ndim == 0 or b.shape[0 if b.ndim == 1 else -2] != a.shape[-2]:
        raise ValueError(
            f"{name}: a matrix of shape {a.shape} needs b with {a.shape[-2]} rows, got shape "
            f"{b.shape}"
        )
    return b, b.ndim == 1


# ---- systems ----

_STRUCTURES = {
    None: "general",
    "gen": "general",
    "sym": "symmetric",
    "her": "symmetric",
    "hermitian": "symmetric",
    "pos": "positive definite",
}


def _by_lu(factor, b, transposed):
    return _k.lu_solve(factor, b, flags=int(transposed))


def _by_cholesky(factor, b, transposed):
    del transposed  # it is symmetric
    return _k.cholesky_solve(factor, b)


def _by_upper_cholesky(factor, b, transposed):
    del transposed
    return _k.cholesky_solve(factor, b, flags=1)


def _by_upper(factor, b, transposed):
    return _k.solve_triangular(factor, b, flags=int(transposed))


def _by_lower(factor, b, transposed):
    return _k.solve_triangular(factor, b, flags=2 | int(transposed))


def _by_diagonal(factor, b, transposed):
    del transposed
    return b / factor


def _factored(name, a, assume_a, lower):
    """(factor, solver(factor, b, transposed)) of a matrix of which something is known."""
    kind = _STRUCTURES.get(assume_a, assume_a)
    if kind == "symmetric":
        a, kind = _d.mirrored(a, lower), "general"
    if kind == "general":
        return _k.lu(a), _by_lu
    if kind == "positive definite":
        if lower:
            return _k.cholesky(a), _by_cholesky
        return _k.cholesky(a, flags=1), _by_upper_cholesky
    if kind == "upper triangular":
        return a, _by_upper
    if kind == "lower triangular":
        return a, _by_lower
    if kind == "diagonal":
        return _k.spread_columns(_k.diagonals(a)), _by_diagonal
    raise NotDifferentiableError(
        f"{name} of a tensor does not take assume_a={assume_a!r}; solve_banded takes the diagonals "
        "of a banded matrix, and 'general' takes any"
    )


@_differentiable
def solve(
    a,
    b,
    lower=False,
    overwrite_a=False,
    overwrite_b=False,
    check_finite=True,
    assume_a=None,
    transposed=False,
):
    a = _d.squares("solve", a)
    b, vector = _vector_or_matrix("solve", a, b)
    _finite(check_finite, a, b)
    factor, solver = _factored("solve", a, assume_a, lower)
    return _d.solve_system(lambda f, x: solver(f, x, bool(transposed)), factor, b, vector)


@_differentiable
def inv(a, overwrite_a=False, check_finite=True, *, assume_a=None, lower=False):
    a = _d.squares("inv", a)
    _finite(check_finite, a)
    factor, solver = _factored("inv", a, assume_a, lower)
    if solver is _by_lu:
        return _k.lu_inverse(factor)
    eye = _k.eye(a.shape[-1])
    return solver(factor, eye if a.ndim == 2 else np.broadcast_to(eye, a.shape), False)


@_differentiable
def det(a, overwrite_a=False, check_finite=True):
    _finite(check_finite, a)
    return _k.lu_det(_k.lu(_d.squares("det", a)))


@_differentiable
def solve_triangular(
    a, b, trans=0, lower=False, unit_diagonal=False, overwrite_b=False, check_finite=True
):
    a = _d.squares("solve_triangular", a)
    b, vector = _vector_or_matrix("solve_triangular", a, b)
    _finite(check_finite, a, b)
    flags = _transposed("solve_triangular", trans) | 2 * bool(lower) | 4 * bool(unit_diagonal)
    return _d.solve_system(lambda f, x: _k.solve_triangular(f, x, flags=flags), a, b, vector)


def _transposed(name, trans):
    known = {0: 0, 1: 1, 2: 1, "N": 0, "T": 1, "C": 1}
    if trans not in known:
        raise ValueError(f"{name}: trans is one of {list(known)}, got {trans!r}")
    return known[trans]


@_differentiable
def solve_banded(l_and_u, ab, b, overwrite_ab=False, overwrite_b=False, check_finite=True):
    below, above = l_and_u
    ab = _d.matrices("solve_banded", ab)
    b = as_array(b)
    if ab.shape[-2] != below + above + 1:
        raise ValueError(
            f"solve_banded: l_and_u = {l_and_u} are {below + above + 1} diagonals, and ab has "
            f"{ab.shape[-2]} rows"
        )
    _finite(check_finite, ab, b)
    places = {"first": below, "count": above}
    vector = b.ndim == 1
    rows = _k.spread_columns(b) if vector else b
    x = _ds.solve_banded(ab, rows, **places)
    return x[..., 0] if vector else x


@_differentiable
def solveh_banded(ab, b, overwrite_ab=False, overwrite_b=False, lower=False, check_finite=True):
    ab = _d.matrices("solveh_banded", ab)
    b = as_array(b)
    _finite(check_finite, ab, b)
    most = ab.shape[-2] - 1
    places = {"first": most} if lower else {"count": most}
    vector = b.ndim == 1
    x = _ds.solve_banded(
        ab, _k.spread_columns(b) if vector else b, flags=_k.DEFINITE | _k.ONE_SIDE, **places
    )
    return x[..., 0] if vector else x


@_differentiable
def solve_toeplitz(c_or_cr, b, check_finite=True):
    c, r = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, None)
    _finite(check_finite, c, b)
    return solve(toeplitz(c, r), b)


# ---- triangular and orthogonal factors ----


@_differentiable
def cholesky(a, lower=False, overwrite_a=False, check_finite=True):
    a = _d.squares("cholesky", a)
    _finite(check_finite, a)
    return _k.cholesky(a, flags=0 if lower else 1)


@_differentiable
def cho_factor(a, lower=False, overwrite_a=False, check_finite=True):
    return cholesky(a, lower, check_finite=check_finite), lower


@_differentiable
def cho_solve(c_and_lower, b, overwrite_b=False, check_finite=True):
    c, lower = c_and_lower
    c = _d.squares("cho_solve", c)
    b, vector = _vector_or_matrix("cho_solve", c, b)
    _finite(check_finite, c, b)
    flags = 0 if lower else 1
    return _d.solve_system(lambda f, x: _k.cholesky_solve(f, x, flags=flags), c, b, vector)


@_differentiable
def lu(a, permute_l=False, overwrite_a=False, check_finite=True, p_indices=False):
    _refuse("lu", "take the matrix p, or permute_l=True", p_indices=p_indices)
    a = _plain_square("lu", a, check_finite)
    both = _k.plu(a)
    below, above = _k.plu_parts(both)
    p = _k.flipped(_k.rows_taken(both))
    return (matmul(p, below), above) if permute_l else (p, below, above)


def _plain_square(name, a, check_finite):
    a = _d.matrices(name, a)
    _finite(check_finite, a)
    if a.shape[-1] != a.shape[-2]:
        raise NotDifferentiableError(
            f"{name} of a tensor takes square matrices, got shape {a.shape}; qr takes others"
        )
    return a


@_differentiable
def lu_factor(a, overwrite_a=False, check_finite=True):
    both = _k.plu(_plain_square("lu_factor", a, check_finite))
    n = both.shape[-1]
    return both[..., :n, :], both[..., n + 1, :]


@_differentiable
def lu_solve(lu_and_piv, b, trans=0, overwrite_b=False, check_finite=True):
    packed, pivots = lu_and_piv
    packed = _d.squares("lu_solve", packed)
    b, vector = _vector_or_matrix("lu_solve", packed, b)
    _finite(check_finite, packed, b)
    pivots = as_array(pivots)
    pivots = pivots if type(pivots) in (Tensor, Dual) else pivots.astype(np.float64)
    x = _k.spread_columns(b) if vector else b
    x = _k.plu_solve(packed, pivots, x, flags=_transposed("lu_solve", trans))
    return x[..., 0] if vector else x


@_differentiable
def qr(a, overwrite_a=False, lwork=None, mode="full", pivoting=False, check_finite=True):
    _refuse("qr", "leave it out", pivoting=pivoting)
    a = _d.matrices("qr", a)
    _finite(check_finite, a)
    m, n = a.shape[-2:]
    if mode == "r":
        r = _d.thin_qr(a)[1]
        return (_k.join_rows(r, np.zeros((*a.shape[:-2], m - n, n))) if m > n else r,)
    if mode not in ("full", "economic"):
        raise NotDifferentiableError(
            f"qr of a tensor has the modes 'full', 'r' and 'economic', got {mode!r}"
        )
    if mode == "full" and m > n:
        raise NotDifferentiableError(
            f"qr of matrices of shape {(m, n)} in mode 'full': the columns of q beyond the first "
            "may be any that complete it, and have no derivative; use mode='economic'"
        )
    return _d.thin_qr(a)


# ---- eigenvalues, singular values ----


@_differentiable
def eigh(
    a,
    b=None,
    *,
    lower=True,
    eigvals_only=False,
    overwrite_a=False,
    overwrite_b=False,
    type=1,
    check_finite=True,
    subset_by_index=None,
    subset_by_value=None,
    driver=None,
):
    _refuse("eigh", "take a slice of the results instead", subset_by_value=subset_by_value)
    a = _d.squares("eigh", a)
    flags = _d.FROM_LOWER if lower else _d.FROM_UPPER
    _finite(check_finite, a, *(() if b is None else (b,)))
    factor = None
    if b is not None:
        b = _d.squares("eigh", b)
        factor = _k.cholesky(b if lower else _k.flipped(b))
        a, flags = _reduced(_d.mirrored(a, lower), factor, type), 0
    n = a.shape[-1]
    low, high = (0, n - 1) if subset_by_index is None else subset_by_index
    f = None if eigvals_only else _s.eigh(a, flags=flags)
    w = _s.eigvalsh(a, flags=flags) if eigvals_only else _s.spectrum(f)
    if high - low + 1 < n:
        w = w[..., low : high + 1]
    if eigvals_only:
        return w
    v = _s.vectors(f, first=low, count=high - low + 1)
    if factor is not None:
        third = type == 3
        v = matmul(factor, v) if third else _k.solve_triangular(factor, v, flags=3)
    return w, v


def _reduced(a, factor, kind):
    """The symmetric matrix with the eigenvalues of a v = w b v, or of type 2 or 3."""
    if kind == 1:
        x = _k.solve_triangular(factor, a, flags=2)
        return _k.symmetric_part(_k.solve_triangular(factor, _k.flipped(x), flags=2))
    if kind not in (2, 3):
        raise ValueError(f"eigh: type is 1, 2 or 3, got {kind!r}")
    return _k.symmetric_part(matmul(_k.flipped(factor), matmul(a, factor)))


@_differentiable
def eigvalsh(a, b=None, **options):
    return eigh(a, b, eigvals_only=True, **options)


@_differentiable
def eig(
    a,
    b=None,
    left=False,
    right=True,
    overwrite_a=False,
    overwrite_b=False,
    check_finite=True,
    homogeneous_eigvals=False,
):
    remedy = "eigh takes a second matrix, and the left vectors are those of a.T"
    _refuse("eig", remedy, b=b, left=left, homogeneous_eigvals=homogeneous_eigvals)
    a = _d.squares("eig", a)
    _finite(check_finite, a)
    if not right:
        return _s.eigvals(a)
    f = _s.eig(a)
    return _s.eig_values(f), _s.eig_vectors(f)


@_differentiable
def eigvals(a, b=None, overwrite_a=False, check_finite=True, homogeneous_eigvals=False):
    return eig(a, b, False, False, False, False, check_finite, homogeneous_eigvals)


@_differentiable
def svd(
    a,
    full_matrices=True,
    compute_uv=True,
    overwrite_a=False,
    check_finite=True,
    lapack_driver="gesdd",
):
    a = _d.matrices("svd", a)
    _finite(check_finite, a)
    return _s.singular_vectors(a, full_matrices) if compute_uv else _s.svdvals(a)


@_differentiable
def svdvals(a, overwrite_a=False, check_finite=True):
    return svd(a, compute_uv=False, check_finite=check_finite)


@_differentiable
def norm(a, ord=None, axis=None, keepdims=False, check_finite=True):
    _finite(check_finite, a)
    return _norm(a, ord, axis, keepdims)


# ---- least squares ----


@_differentiable
def lstsq(
    a,
    b,
    cond=None,
    overwrite_a=False,
    overwrite_b=False,
    check_finite=True,
    lapack_driver=None,
):
    _finite(check_finite, a, b)
    cond = np.finfo(np.float64).eps if cond is None else cond
    return np.linalg.lstsq(as_array(a), as_array(b), cond)


@_differentiable
def pinv(a, *, atol=None, rtol=None, return_rank=False, check_finite=True):
    _refuse("pinv", "rtol is taken", atol=atol)
    _refuse("pinv", "numpy.linalg.matrix_rank has it", return_rank=return_rank)
    a = _d.matrices("pinv", a)
    _finite(check_finite, a)
    rtol = max(a.shape[-2:]) * np.finfo(np.float64).eps if rtol is None else rtol
    return _ds.pinv(a, p=float(rtol))


# ---- functions of matrices ----


@_differentiable
def expm(A):
    return _ds.expm(_d.squares("expm", A))


@_differentiable
def logm(A, disp=None):
    _refuse("logm", "leave it out", disp=disp)
    return logarithm(_d.squares("logm", A))


@_of_complex_too
def sqrtm(A, disp=None, blocksize=None):
    if disp is not None or blocksize is not None:
        _refuse("sqrtm", "leave it out", disp=disp, blocksize=blocksize)
    if _core.is_complex(A):
        return complex_square_root(A)
    a = _d.squares("sqrtm", A)
    try:
        return square_root(a)
    except DomainError:  # it is complex
        return complex_square_root(a)


@_differentiable
def polar(a, side="right"):
    a = _d.matrices("polar", a)
    if side not in ("right", "left"):
        raise ValueError(f"polar: side is 'right' or 'left', got {side!r}")
    if side == "left":
        u, p = polar(_k.flipped(a))
        return _k.flipped(u), p
    m, n = a.shape[-2:]
    if m < n:
        raise NotDifferentiableError(
            f"polar of a tensor takes matrices of no more columns than rows, got shape {a.shape}: "
            "p has no derivative; side='left' takes it"
        )
    both = _ds.polar(a)
    return both[..., :m, :], both[..., m:, :]


# ---- equations ----


@_differentiable
def solve_sylvester(a, b, q):
    return _ds.sylvester(_d.squares("solve_sylvester", a), _d.squares("solve_sylvester", b), q)


@_differentiable
def solve_continuous_lyapunov(a, q):
    a = _d.squares("solve_continuous_lyapunov", a)
    return _ds.sylvester(a, _k.flipped(a), q)


@_differentiable
def solve_lyapunov(a, q):
    return solve_continuous_lyapunov(a, q)


@_differentiable
def solve_discrete_lyapunov(a, q, method=None):
    a, q = _d.squares("solve_discrete_lyapunov", a), as_array(q)
    n = a.shape[0]
    if method is None:
        method = "bilinear" if n >= 10 else "direct"
    if method == "direct":
        x = np.linalg.solve(np.eye(n * n) - _kron(a, a), reshape(q, (n * n,)))
        return reshape(x, (n, n))
    if method != "bilinear":
        raise ValueError(f"solve_discrete_lyapunov: method {method!r} is not known")
    eye = np.eye(n)
    at = _k.flipped(a)
    inverse = inv(at + eye)
    b = matmul(at - eye, inverse)
    c = 2.0 * matmul(matmul(inv(a + eye), q), inverse)
    return solve_continuous_lyapunov(_k.flipped(b), -c)


# ---- matrices of vectors ----


@_differentiable
def toeplitz(c, r=None):
    c = as_vector("toeplitz of tensors", c)
    r = c if r is None else as_vector("toeplitz of tensors", r)
    n = c.shape[0]
    ends = concatenate([c[::-1], r[1:]], 0)
    return _core.strided(ends, n - 1, (n, r.shape[0]), (-1, 1))


@_differentiable
def hankel(c, r=None):
    c = as_vector("hankel of tensors", c)
    r = np.zeros(len(c)) if r is None else as_vector("hankel of tensors", r)
    return _core.strided(concatenate([c, r[1:]], 0), 0, (c.shape[0], r.shape[0]), (1, 1))


@_differentiable
def circulant(c):
    c = as_vector("circulant of tensors", c)
    n = c.shape[0]
    return _core.strided(concatenate([c, c], 0), n, (n, n), (1, -1))


@_differentiable
def companion(a):
    a = as_vector("companion of tensors", a)
    n = len(a) - 1
    if n < 1:
        raise ValueError(f"companion takes two coefficients or more, got {len(a)}")
    return concatenate([reshape(-a[1:] / a[0], (1, n)), np.eye(n)[:-1]], 0)


@_differentiable
def block_diag(*arrs):
    blocks = [as_array(a) for a in arrs]
    blocks = [reshape(a, (1, -1)) if a.ndim < 2 else a for a in blocks]
    leading = [a.shape[:-2] for a in blocks]
    if leading.count(leading[0]) < len(leading):
        shape = np.broadcast_shapes(*leading)
        blocks = [broadcast_to(a, (*shape, *a.shape[-2:])) for a in blocks]
    return _block_diagonal(blocks)


def _block_diagonal(blocks):
    """Blocks with the same leading dimensions; of duals it is linear in all of them together."""
    kinds = {type(a) for a in blocks}
    if Dual in kinds:
        return linear_in_all(_block_diagonal, blocks)
    return _core.block_diagonal(blocks) if Tensor in kinds else _scipy.block_diag(*blocks)


@_differentiable
def khatri_rao(a, b):
    a, b = _d.matrices("khatri_rao", a), _d.matrices("khatri_rao", b)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(
            f"khatri_rao takes matrices of as many columns, got shapes {a.shape} and {b.shape}"
        )
    return reshape(a[:, None, :] * b[None, :, :], (-1, a.shape[1]))
