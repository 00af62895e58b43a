"""Kernels of linear algebra, and the rules of those that factor by elimination and solve.

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
OF_VALUES = 1  # of vectors; AD_OF_VALUES
FROM_UPPER, ONE_TRIANGLE = 1, 2  # of eigh; AD_FROM_UPPER, AD_ONE_TRIANGLE
BELOW, UNIT = 2, 4  # of triangles; AD_BELOW, AD_UNIT
DEFINITE, ONE_SIDE = 2, 4  # of solve_banded; AD_DEFINITE, AD_ONE_SIDE


def _kernel(number):
    """The kernel of a number, from here or from the other modules of kernels."""
    for module in ("decompositions", "sequences"):
        if number not in _by_number:
            importlib.import_module(f"adcore.rules.{module}")
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


def _lu_inverse_push(call, args, out, tangents):
    del call, args
    return -matmul(out, matmul(tangents[0][..., :-1, :], out))


def _lu_inverse_pull(call, args, out, g, wanted):
    del call, args, wanted
    transposed = flipped(out)
    return [of_lu(-matmul(transposed, matmul(g, transposed)))]


lu = Kernel("lu", _lu_push, _lu_pull)
lu_solve = Kernel("lu_solve", _lu_solve_push, _lu_solve_pull)
lu_inverse = Kernel("lu_inverse", _lu_inverse_push, _lu_inverse_pull)


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
    return triangle(packed, flags=BELOW | UNIT), triangle(packed)


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


def _plu_solve_steps(packed, pivots, x, transposed):
    """Both results of triangles, one after the other, and the solution, by the kernels of each."""
    if transposed:
        first = solve_triangular(packed, x, flags=1)
        second = solve_triangular(packed, first, flags=1 | BELOW | UNIT)
        return first, second, interchange(pivots, second, flags=1)
    first = solve_triangular(packed, interchange(pivots, x), flags=BELOW | UNIT)
    second = solve_triangular(packed, first)
    return first, second, second


def _plu_solve_push(call, args, out, tangents):
    packed, pivots, _ = args
    dp, _, db = tangents
    if dp is None:
        return plu_solve.run(call, [packed, pivots, db])
    transposed = call.flags & 1
    below, above = strictly_below(dp), triangle(dp)
    if transposed:  # U^T y = b, L^T z = y, x = P^T z
        z = interchange(pivots, out)
        y = matmul(flipped(triangle(packed, flags=BELOW | UNIT)), z)
        moved = total(db, -matmul(flipped(above), y))
        moved = solve_triangular(packed, moved, flags=1) - matmul(flipped(below), z)
        moved = solve_triangular(packed, moved, flags=1 | BELOW | UNIT)
        return interchange(pivots, moved, flags=1)
    y = matmul(triangle(packed), out)  # L y = P b, U x = y
    moved = total(None if db is None else interchange(pivots, db), -matmul(below, y))
    moved = solve_triangular(packed, moved, flags=BELOW | UNIT) - matmul(above, out)
    return solve_triangular(packed, moved)


def _plu_solve_pull(call, args, out, g, wanted):
    packed, pivots, _ = args
    if call.flags & 1:
        z = interchange(pivots, out)
        gy = solve_triangular(packed, interchange(pivots, g), flags=BELOW | UNIT)
        gb = solve_triangular(packed, gy)
        if 0 not in wanted:
            return [None, None, gb]
        y = matmul(flipped(triangle(packed, flags=BELOW | UNIT)), z)
        moved = strictly_below(matmul(z, flipped(gy))) + triangle(matmul(y, flipped(gb)))
        return [-moved, None, gb]
    gy = solve_triangular(packed, g, flags=1)
    gc = solve_triangular(packed, gy, flags=1 | BELOW | UNIT)
    gb = interchange(pivots, gc, flags=1)
    if 0 not in wanted:
        return [None, None, gb]
    y = matmul(triangle(packed), out)
    moved = strictly_below(matmul(gc, flipped(y))) + triangle(matmul(gy, flipped(out)))
    return [-moved, None, gb]


plu = Kernel("plu", _plu_push, _plu_pull)
plu_solve = Kernel("plu_solve", _plu_solve_push, _plu_solve_pull)
interchange = Kernel("interchange", _interchange_push, _interchange_pull)


# ---- triangles, Cholesky ----


def strictly_below(x):
    """What is below the diagonals of matrices, with zeros in the place of the rest."""
    return x - triangle(x)


def _triangle_push(call, args, out, tangents):
    del args, out
    moved = tangents[0]
    if not call.flags & UNIT:
        return triangle.run(call, [moved])
    return moved - triangle(moved, flags=(call.flags ^ BELOW) & BELOW)


def _triangle_pull(call, args, out, g, wanted):
    del wanted
    return [_triangle_push(call, args, out, [g])]


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
def doubled(n):
    """Twos below the diagonal, ones on it."""
    return 2.0 * np.tri(n) - np.eye(n)


def from_lower(x):
    """Symmetric matrices of the lower triangles of `x`."""
    n = x.shape[-1]
    return x * lower(n) + flipped(x * lower(n, -1))


def _cholesky_push(call, args, out, tangents):
    del args
    if call.flags:  # U = L^T of A^T
        return flipped(_cholesky_push(cholesky.usual, None, flipped(out), [flipped(tangents[0])]))
    x = solve_triangular(out, from_lower(tangents[0]), flags=2)
    x = solve_triangular(out, flipped(x), flags=2)
    return matmul(out, x * _half_lower(out.shape[-1]))


def _cholesky_pull(call, args, out, g, wanted):
    del args
    if call.flags:
        (x,) = _cholesky_pull(cholesky.usual, None, flipped(out), flipped(g), wanted)
        return [flipped(x)]
    n = out.shape[-1]
    x = matmul(flipped(out), g * lower(n)) * _half_lower(n)
    x = solve_triangular(out, symmetric_part(x), flags=3)
    x = solve_triangular(out, flipped(x), flags=3)
    return [x * doubled(n)]


def _cholesky_solve_push(call, args, out, tangents):
    factor, _ = args
    df, db = tangents
    if df is None:
        return cholesky_solve.run(call, [factor, db])
    if call.flags:
        factor, df = flipped(factor), flipped(df)
    df, factor = triangle(df, flags=BELOW), triangle(factor, flags=BELOW)
    moved = matmul(df, matmul(flipped(factor), out)) + matmul(factor, matmul(flipped(df), out))
    return cholesky_solve.run(call, [args[0], total(db, -moved)])


def _cholesky_solve_pull(call, args, out, g, wanted):
    back = cholesky_solve.run(call, [args[0], g])  # it is symmetric
    if 0 not in wanted:
        return [None, back]
    factor = flipped(args[0]) if call.flags else args[0]
    factor = flipped(triangle(factor, flags=BELOW))
    x = matmul(back, flipped(matmul(factor, out))) + matmul(out, flipped(matmul(factor, back)))
    x = -triangle(x, flags=BELOW)
    return [flipped(x) if call.flags else x, back]


triangle = Kernel("triangle", _triangle_push, _triangle_pull)
cholesky_solve = Kernel("cholesky_solve", _cholesky_solve_push, _cholesky_solve_pull)
solve_triangular = Kernel("solve_triangular", _triangular_push, _triangular_pull)
cholesky = Kernel("cholesky", _cholesky_push, _cholesky_pull)
