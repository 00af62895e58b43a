"""Kernels of linear algebra, and the rules of those that factor, solve and decompose.

A kernel (src_c/ad_kernel.def) is one instruction.  Its rules are functions of what it was called
with:

    push(call, args, out, tangents)     the tangent of the result; a tangent None is zero
    pull(call, args, out, g, wanted)    adjoints of the operands, at least of those that are wanted

written in kernels and in operations that tensors, duals and arrays share, so that they hold in both
modes and at every order.  `call` has flags, first, count and p.

A factor F, of lu, eigh, svd or eig, stands for the matrix A it is of: the tangent and the adjoint
of F are those of A, in some of the rows of F, and what the rules of its users find there.  So they
use the factor again at every order, and no rule ever differentiates what LAPACK did.
"""

import functools
import importlib
from dataclasses import dataclass

import numpy as np

from .. import _core
from .primitives import (
    as_array,
    broadcast_to,
    concatenate,
    matmul,
    outermost,
    reshape,
    sum_axes,
    transpose,
)
from .table import Dual, Tensor

_by_number = {}

FAIL, NAN, NEAR_FAIL = 1, 2, 3  # enum ad_ties
SHOWN = 4  # beside them; AD_SHOWN
FROM_UPPER = 1  # of eigh; AD_FROM_UPPER


def _kernel(number):
    """The kernel of a number, from here or from the module of sequences."""
    if number not in _by_number:
        importlib.import_module("adcore.rules.sequences")
    return _by_number[number]


@dataclass(frozen=True, slots=True)
class Call:
    """What a kernel is called with beside its operands."""

    extra: int
    flags: int
    first: int
    count: int
    p: float


@functools.lru_cache(1024)
def _call(number, flags=0, first=0, count=0, p=0.0):
    return Call(_core.kernel_extra(number, flags, first, count), flags, first, count, p)


def call_of(name, flags=0, first=0, count=0, p=0.0):
    """What a kernel of this name is called with."""
    return _call(_core.KERNELS[name][0], flags, first, count, p)


@functools.lru_cache(1024)
def _call_of(extra, p):
    return Call(extra, extra >> 8 & 0xFF, extra >> 16 & 0x7FFFFF, extra >> 39, p)


class Kernel:
    """One kernel: a function of arrays, tensors and duals."""

    def __init__(self, name, push, pull):
        self.name, self.push, self.pull = name, push, pull
        self.number, self.dims = _core.KERNELS[name]
        self.usual = _call(self.number)
        _by_number[self.number] = self

    def __call__(self, *args, **options):
        """The result; leading dimensions broadcast.  Options: flags, first, count, p, all 0."""
        call = _call(self.number, **options) if options else self.usual
        tensors = False
        for a, dims in zip(args, self.dims, strict=True):
            if type(a) is Tensor:
                tensors = True
            elif type(a) is not np.ndarray:
                break
            if a.ndim != dims:
                break
        else:
            if tensors:  # of one matrix each, which is the quick way
                return _core.record_kernel(call.extra, call.p, [*args])
        return self.run(call, _same_leading([as_array(a) for a in args], self.dims))

    def run(self, call, args):
        """The result for operands of the same leading dimensions."""
        found = _core.apply_kernel(call.extra, call.p, args)
        return self._of_duals(call, args) if found is NotImplemented else found

    def _of_duals(self, call, args):
        tag = outermost(args)
        moving = [type(a) is Dual and a.tag == tag for a in args]
        values = [a.value if m else a for a, m in zip(args, moving, strict=True)]
        out = self.run(call, values)
        tangents = []
        for lane in range(max(len(a.tangents) for a, m in zip(args, moving, strict=True) if m)):
            given = [a.tangents[lane] if m else None for a, m in zip(args, moving, strict=True)]
            known = any(t is not None for t in given)
            tangents.append(self.push(call, values, out, given) if known else None)
        return Dual(tag, out, tuple(tangents))


def _same_leading(args, dims):
    """Operands with the leading dimensions that all of theirs broadcast to."""
    if len(args) == 1 or tuple([a.ndim for a in args]) == dims:
        return args
    leading = [a.shape[: len(a.shape) - d] for a, d in zip(args, dims, strict=True)]
    if leading.count(leading[0]) == len(leading):
        return args
    shape = np.broadcast_shapes(*leading)
    return [
        broadcast_to(a, shape + tuple(a.shape[len(a.shape) - d :]))
        for a, d in zip(args, dims, strict=True)
    ]


class Bound:
    """The rule of one instruction, as adcore/_calls.pxi asks for it."""

    def __init__(self, extra, p, shape, operands, result):
        self.kernel = _kernel(extra & 0xFF)
        self.call = _call_of(extra, p)
        self.shape, self.operands, self.result = shape, operands, result

    def reverse(self, g):
        """Adjoints of the operands in numbers."""
        wanted = range(len(self.operands))
        g = g.reshape(self.shape)
        found = self.kernel.pull(self.call, self.operands, self.result, g, wanted)
        return [None if a is None else np.asarray(a) for a in found]

    def forward(self, tangents):
        """The tangent of the result in numbers."""
        found = None
        if any(t is not None for t in tangents):
            found = self.kernel.push(self.call, self.operands, self.result, tangents)
        return np.zeros(self.shape) if found is None else found

    def emit_reverse(self, g, operands, results):
        """The same, recorded."""
        out = reshape(results, self.shape)
        wanted = [i for i, a in enumerate(operands) if a.requires_grad]
        operands = [_settled(a) for a in operands]
        g = _settled(reshape(g, self.shape))
        return self.kernel.pull(self.call, operands, out, g, wanted)

    def emit_forward(self, tangents, operands, results):
        """The same, recorded."""
        if all(t is None for t in tangents):
            return None
        operands, tangents = ([_settled(a) for a in items] for items in (operands, tangents))
        return self.kernel.push(self.call, operands, reshape(results, self.shape), tangents)


def _settled(x):
    """A constant tensor as an array: on the tape of a derivation what is computed has no values."""
    return _core.peek(x) if type(x) is Tensor and not x.requires_grad else x


_core.set_kernel_rule(Bound)


# ---- matrices ----


def flipped(x):
    """The transposes of matrices."""
    if type(x) is np.ndarray:
        return x.swapaxes(-1, -2)
    n = len(x.shape)
    return transpose(x, (*range(n - 2), n - 1, n - 2))


def symmetric_part(x):
    """(x + x^T) / 2."""
    return 0.5 * (x + flipped(x))


def spread_rows(v):
    """Vectors (..., n) as rows (..., 1, n)."""
    return reshape(v, (*v.shape[:-1], 1, v.shape[-1]))


def spread_columns(v):
    """Vectors (..., n) as columns (..., n, 1)."""
    return reshape(v, (*v.shape, 1))


def spread_numbers(v):
    """Numbers (...) as matrices (..., 1, 1)."""
    return reshape(v, (*np.shape(v), 1, 1))


def diagonals(x):
    """The diagonals of square matrices (..., n, n)."""
    n = x.shape[-1]
    flat = reshape(x, (*x.shape[:-2], n * n))
    return flat[..., :: n + 1]


def as_diagonals(v):
    """Square matrices with the vectors (..., n) on their diagonals."""
    return spread_rows(v) * eye(v.shape[-1])


def inner(a, b):
    """The sums of the products of matrices' elements."""
    n = len(a.shape)
    return sum_axes(a * b, (n - 2, n - 1))


_SMALL = 32  # up to this size, constant matrices are kept: making one costs what a product does


def _constant(make):
    """Let a function of a size keep the small matrices it makes, which cannot be written to."""

    @functools.lru_cache(4 * _SMALL)
    def kept(*args):
        matrix = make(*args)
        matrix.flags.writeable = False
        return matrix

    @functools.wraps(make)
    def matrix(n, *args):
        return kept(n, *args) if n <= _SMALL else make(n, *args)

    return matrix


@_constant
def eye(n):
    """The identity."""
    return np.eye(n)


@_constant
def lower(n, k=0):
    """Ones in and below the k-th diagonal."""
    return np.tri(n, n, k)


@_constant
def not_lower(n, k=0):
    """Ones above the k-th diagonal."""
    return 1.0 - np.tri(n, n, k)


def total(*terms):
    """The sum of what is not None; None if nothing is."""
    terms = [t for t in terms if t is not None]
    return sum(terms[1:], terms[0]) if terms else None


def join_rows(*parts):
    """Matrices one below the other."""
    return concatenate(list(parts), len(parts[0].shape) - 2)


def zero_row(m):
    """A row of zeros as wide as the matrices."""
    return np.zeros((*m.shape[:-2], 1, m.shape[-1]))


# ---- LU, in whose factor the first n rows are what A moves ----


def of_lu(m):
    """What is said of A as what is said of F."""
    return join_rows(m, zero_row(m))


def _lu_push(call, args, out, tangents):
    del call, args, out
    return of_lu(tangents[0])


def _lu_pull(call, args, out, g, wanted):
    del call, args, out, wanted
    return [g[..., :-1, :]]


def _lu_solve_push(call, args, out, tangents):
    f, _ = args
    df, rhs = tangents
    if df is not None:
        da = df[..., :-1, :]
        moved = matmul(flipped(da) if call.flags else da, out)
        rhs = -moved if rhs is None else rhs - moved
    return lu_solve.run(call, [f, rhs])


def _lu_solve_pull(call, args, out, g, wanted):
    back = lu_solve(args[0], g, flags=1 - call.flags)
    if 0 not in wanted:
        return [None, back]
    product = matmul(out, flipped(back)) if call.flags else matmul(back, flipped(out))
    return [of_lu(-product), back]


lu = Kernel("lu", _lu_push, _lu_pull)
lu_solve = Kernel("lu_solve", _lu_solve_push, _lu_solve_pull)


def identity_like(f):
    """The identity of the size of a factor's matrix."""
    n = f.shape[-1]
    return eye(n) if len(f.shape) == 2 else np.broadcast_to(eye(n), (*f.shape[:-2], n, n))


def _det_push(call, args, out, tangents):
    del call, out
    return inner(lu_cofactor(args[0]), tangents[0][..., :-1, :])


def _det_pull(call, args, out, g, wanted):
    del call, out, wanted
    return [of_lu(spread_numbers(g) * lu_cofactor(args[0]))]


def _logdet_push(call, args, out, tangents):
    del call, out
    inverse = lu_solve(args[0], identity_like(args[0]), flags=1)
    rate = spread_columns(inner(inverse, tangents[0][..., :-1, :]))
    return rate * np.array([0.0, 1.0])


def _logdet_pull(call, args, out, g, wanted):
    del call, out, wanted
    inverse = lu_solve(args[0], identity_like(args[0]), flags=1)
    return [of_lu(spread_numbers(g[..., 1]) * inverse)]


def _cofactor_push(call, args, out, tangents):
    del call, out
    return lu_cofactor_move(args[0], tangents[0][..., :-1, :])


def _cofactor_pull(call, args, out, g, wanted):
    del call, out, wanted
    return [of_lu(lu_cofactor_move(args[0], g))]  # a Hessian, symmetric


def _third_of_det(f, d, e):
    """The gradient of the second derivative of det along d and e; only of invertible matrices."""
    x = lu_solve(f, identity_like(f))
    det, xt = spread_numbers(lu_det(f)), flipped(x)
    xd, xe = matmul(x, d), matmul(x, e)
    td, te = spread_numbers(inner(xt, d)), spread_numbers(inner(xt, e))
    tde = spread_numbers(inner(xd, flipped(xe)))
    dt, et = flipped(xd), flipped(xe)
    rest = matmul(xt, matmul(et, dt) + matmul(dt, et) - te * dt - td * et)
    return det * ((td * te - tde) * xt + rest)


def _cofactor_move_push(call, args, out, tangents):
    del call, out
    f, e = args
    df, de = tangents
    return total(
        None if df is None else _third_of_det(f, df[..., :-1, :], e),
        None if de is None else lu_cofactor_move(f, de),
    )


def _cofactor_move_pull(call, args, out, g, wanted):
    del call, out
    f, e = args
    return [
        of_lu(_third_of_det(f, g, e)) if 0 in wanted else None,
        lu_cofactor_move(f, g) if 1 in wanted else None,
    ]


lu_det = Kernel("lu_det", _det_push, _det_pull)
lu_logdet = Kernel("lu_logdet", _logdet_push, _logdet_pull)
lu_cofactor = Kernel("lu_cofactor", _cofactor_push, _cofactor_pull)
lu_cofactor_move = Kernel("lu_cofactor_move", _cofactor_move_push, _cofactor_move_pull)


# ---- LU as it is, P A = L U: L and U in one matrix, above the permutation and the pivots ----


def rows_taken(out):
    """Matrices P of zeros and ones with P A = L U."""
    n = out.shape[-1]
    order = spread_columns(out[..., n, :])
    return _core.apply("equal", order, np.arange(float(n)))


def plu_parts(out):
    """(L, U)."""
    n = out.shape[-1]
    packed = out[..., :n, :]
    return packed * lower(n, -1) + eye(n), packed * not_lower(n, -1)


def _plu_push(call, args, out, tangents):
    del call, args
    n = out.shape[-1]
    below, above = plu_parts(out)
    x = solve_triangular(below, matmul(rows_taken(out), tangents[0]), flags=6)
    x = flipped(solve_triangular(above, flipped(x), flags=1))
    moved = matmul(below, x * lower(n, -1)) + matmul(x * not_lower(n, -1), above)
    return join_rows(moved, zero_row(moved), zero_row(moved))


def _plu_pull(call, args, out, g, wanted):
    del call, args, wanted
    n = out.shape[-1]
    below, above = plu_parts(out)
    strictly = lower(n, -1)
    g = g[..., :n, :]
    x = matmul(flipped(below), g * strictly) * strictly
    x = x + matmul(g * not_lower(n, -1), flipped(above)) * not_lower(n, -1)
    x = solve_triangular(below, x, flags=7)
    x = flipped(solve_triangular(above, flipped(x)))
    return [matmul(flipped(rows_taken(out)), x)]


def _interchange_push(call, args, out, tangents):
    del out
    return None if tangents[1] is None else interchange.run(call, [args[0], tangents[1]])


def _interchange_pull(call, args, out, g, wanted):
    del out, wanted
    return [None, interchange(args[0], g, flags=1 - call.flags)]


plu = Kernel("plu", _plu_push, _plu_pull)
interchange = Kernel("interchange", _interchange_push, _interchange_pull)


# ---- triangles, Cholesky ----


def _triangle(n, flags):
    """Ones where solve_triangular reads the matrix."""
    ones = lower(n, -1 if flags & 4 else 0)
    return ones if flags & 2 else ones.T


def _triangular_push(call, args, out, tangents):
    t, _ = args
    dt, rhs = tangents
    if dt is not None:
        dt = dt * _triangle(t.shape[-1], call.flags)
        moved = matmul(flipped(dt) if call.flags & 1 else dt, out)
        rhs = -moved if rhs is None else rhs - moved
    return solve_triangular.run(call, [t, rhs])


def _triangular_pull(call, args, out, g, wanted):
    t = args[0]
    back = solve_triangular(t, g, flags=call.flags ^ 1)
    if 0 not in wanted:
        return [None, back]
    product = matmul(out, flipped(back)) if call.flags & 1 else matmul(back, flipped(out))
    return [-product * _triangle(t.shape[-1], call.flags), back]


@_constant
def _half_lower(n):
    """Ones below the diagonal, halves on it."""
    return np.tri(n) - 0.5 * np.eye(n)


@_constant
def _doubled(n):
    """Twos below the diagonal, ones on it."""
    return 2.0 * np.tri(n) - np.eye(n)


def from_lower(x):
    """Symmetric matrices of the lower triangles of `x`."""
    n = x.shape[-1]
    return x * lower(n) + flipped(x * lower(n, -1))


def _cholesky_push(call, args, out, tangents):
    del call, args
    x = solve_triangular(out, from_lower(tangents[0]), flags=2)
    x = solve_triangular(out, flipped(x), flags=2)
    return matmul(out, x * _half_lower(out.shape[-1]))


def _cholesky_pull(call, args, out, g, wanted):
    del call, args, wanted
    n = out.shape[-1]
    x = matmul(flipped(out), g * lower(n)) * _half_lower(n)
    x = solve_triangular(out, symmetric_part(x), flags=3)
    x = solve_triangular(out, flipped(x), flags=3)
    return [x * _doubled(n)]


solve_triangular = Kernel("solve_triangular", _triangular_push, _triangular_pull)
cholesky = Kernel("cholesky", _cholesky_push, _cholesky_pull)


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


def _move_of_exponential(a, e):
    """The derivative of the exponential of `a` along `e`, which is a block of a larger one."""
    n = a.shape[-1]
    last = len(a.shape) - 1
    size = _core.apply("stop", sum_axes(abs(e), (last - 1, last), True))
    # An e of any other size than a's would have the exponential scaled for its sake.
    size = _core.apply("where", _core.apply("equal", size, 0.0), 1.0, size)
    above = concatenate([a, e / size], last)
    below = concatenate([np.zeros(a.shape), a], last)
    return expm(join_rows(above, below))[..., :n, n:] * size


def _expm_push(call, args, out, tangents):
    del call, out
    return _move_of_exponential(args[0], tangents[0])


def _expm_pull(call, args, out, g, wanted):
    del call, out, wanted
    return [_move_of_exponential(flipped(args[0]), g)]


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


def _banded_push(call, args, out, tangents):
    band, _ = args
    db, rhs = tangents
    if db is not None:
        rhs = total(rhs, -_band_times(call, db, out, call.flags & 1))
    return solve_banded.run(call, [band, rhs])


def _banded_pull(call, args, out, g, wanted):
    places = {"first": call.first, "count": call.count}
    back = solve_banded(args[0], g, flags=call.flags ^ 1, **places)
    if 0 not in wanted:
        return [None, back]
    pair = (out, back) if call.flags & 1 else (back, out)
    return [-_band_of_product(call, *pair), back]


solve_banded = Kernel("solve_banded", _banded_push, _banded_pull)
