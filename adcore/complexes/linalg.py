"""Linear algebra of complex matrices, and eigenvalues of real ones, which may be complex.

Each function is one call whose values are NumPy's; a rule gives its tangent in operations on
complex arrays, and the transpose of that is the adjoint.  Hermitian matrices are read from their
lower triangles, as NumPy does.  Eigenvectors and singular vectors have a factor of modulus 1 that
is free: its derivative is taken to be zero where LAPACK does not fix it, so only what does not hang
on it has a derivative.  Where eigenvalues or singular values are equal, derivatives of vectors are
nan, and so are second derivatives of values.
"""

from dataclasses import dataclass

import numpy as np

from .. import _calls, _core
from .._named import Named
from .._trees import PAIR, flatten, shape_of
from ..errors import NotDifferentiableError
from ..rules import table
from ..rules.decompositions import result_types
from .arrays import FUNCTIONS
from .pairs import both, pair


def _adjoint(a):
    return np.conj(np.matrix_transpose(a))


def _eye(a):
    return np.eye(shape_of(a)[-1])


def _column(x):
    """Numbers for each row of a matrix."""
    return np.expand_dims(x, -1)


def _row(x):
    """Numbers for each column of a matrix."""
    return np.expand_dims(x, -2)


def _of_diagonal(a):
    return np.diagonal(a, axis1=-2, axis2=-1)


def _trace(a):
    return np.sum(_of_diagonal(a), axis=-1)


def _hermitian(a):
    """The Hermitian matrix whose lower triangle is that of `a`."""
    below = np.tril(a, -1)
    return below + _adjoint(below) + _of_diagonal(a).real[..., None, :] * _eye(a)


def _inverse_gaps(x):
    """1 / (x_j - x_i), 0 on the diagonal; nan where two are equal."""
    one = _eye(np.expand_dims(x, -2))
    gap = _row(x) - _column(x)
    poles = (gap == 0) & (one == 0)
    safe = np.where(poles, np.nan, gap + one)
    return (1.0 - one) / safe


# ---- tangents: of the arguments, the output and the tangents of the arguments ----


def _inv(args, x, moves):
    del args
    return -(x @ moves[0] @ x)


def _det(args, det, moves):
    try:
        return det * _trace(np.linalg.solve(args[0], moves[0]))
    except np.linalg.LinAlgError:
        return _trace(_adjugate(args[0]) @ moves[0])


def _adjugate(a):
    """det(a) a^-1 from singular values, of which some may be zero."""
    u, s, vh = _call("svd", a)
    others = np.where(np.eye(shape_of(s)[-1]) > 0, 1.0, _row(s))  # row i has all but the i-th
    unit = np.linalg.det(u) * np.linalg.det(vh)
    return unit[..., None, None] * ((_adjoint(vh) * _row(np.prod(others, axis=-1))) @ _adjoint(u))


def _slogdet(args, output, moves):
    sign, _ = output
    move = _trace(np.linalg.solve(args[0], moves[0]))
    return sign * (1j * move.imag), move.real


def _cholesky(args, lower, moves):
    del args
    inner = np.linalg.solve(lower, _adjoint(np.linalg.solve(lower, _hermitian(moves[0]))))
    half = np.tril(inner, -1) + 0.5 * (_of_diagonal(inner).real[..., None, :] * _eye(inner))
    return lower @ half


def _eigh(args, output, moves):
    del args
    w, v = output
    inner = _adjoint(v) @ _hermitian(moves[0]) @ v
    return _of_diagonal(inner).real, v @ (_inverse_gaps(w) * inner)


def _eig(args, output, moves):
    """Vectors have length 1 and, as LAPACK makes them, a real greatest element."""
    del args
    w, v = output
    inner = np.linalg.solve(v, moves[0] @ v)
    move = v @ (_inverse_gaps(w) * inner)
    move = move - v * _row(np.sum(np.conj(v) * move, axis=-2).real)
    size = np.abs(v)
    greatest = size >= np.max(size, axis=-2, keepdims=True)
    turns = np.where(greatest, (np.conj(v) * move).imag / (size * size), 0.0)
    return _of_diagonal(inner), move - v * _row(1j * np.sum(turns, axis=-2))


def _svd(args, output, moves):
    """The free factors are put into the left vectors."""
    u, s, vh = output
    (move,) = moves
    v = _adjoint(vh)
    inner = _adjoint(u) @ move @ v
    gaps = _inverse_gaps(s * s)
    turned = _adjoint(inner)
    diagonal = _of_diagonal(inner)
    by_u = gaps * (inner * _row(s) + _column(s) * turned) + 1j * _row(diagonal.imag / s) * _eye(
        inner
    )
    by_v = gaps * (_column(s) * inner + turned * _row(s))
    u_move, v_move = u @ by_u, v @ by_v
    m, n = shape_of(args[0])[-2:]
    if m > n:
        u_move = u_move + (move @ v - u @ inner) / _row(s)
    if n > m:
        v_move = v_move + (_adjoint(move) @ u - v @ turned) / _row(s)
    return u_move, diagonal.real, _adjoint(v_move)


def _qr(args, output, moves):
    """The diagonal of r is real, as LAPACK makes it."""
    del args
    q, r = output
    quotient = _adjoint(np.linalg.solve(_adjoint(r), _adjoint(moves[0])))
    inner = _adjoint(q) @ quotient
    below = np.tril(inner, -1)
    turn = below - _adjoint(below) + 1j * _row(_of_diagonal(inner).imag) * _eye(inner)
    return quotient - q @ (inner - turn), (inner - turn) @ r


# ---- calls ----

_RULES = {
    "inv": _inv,
    "det": _det,
    "slogdet": _slogdet,
    "cholesky": _cholesky,
    "eigh": _eigh,
    "eig": _eig,
    "svd": _svd,
    "qr": _qr,
}


@dataclass
class _Call(Named, saved_as="linalg.complex"):
    """One function; leaves are real and imaginary parts, in turn."""

    function: str

    def __post_init__(self):
        if self.function not in _RULES:
            raise ValueError("no function of numpy.linalg's that has a rule")
        self.name = f"numpy.linalg.{self.function}"

    def run(self, leaves):
        """(output, nothing) of plain leaves."""
        args = _paired(leaves)
        options = {"full_matrices": False} if self.function == "svd" else {}
        if self.function == "eig" and not np.any(leaves[1]):
            args = leaves[:1]  # eigenvalues in exact pairs, as of a real matrix
        output = getattr(np.linalg, self.function)(*args, **options)
        if self.function == "eig":
            output = [x + 0j for x in output]
        return (tuple(output) if isinstance(output, (tuple, list)) else output), None

    def push(self, leaves, output, saved, tangents):
        """Tangents of the leaves of the output."""
        del saved
        moves = _moves(leaves, tangents)
        return flatten(_RULES[self.function](_paired(leaves), output, moves))[0]


@dataclass
class _Solve(Named, saved_as="linalg.complex_solve"):
    """Solutions of linear equations.  Its adjoint is written out: other rules call it."""

    name = "numpy.linalg.solve"

    def run(self, leaves):
        """(output, nothing) of plain leaves."""
        return np.linalg.solve(*_paired(leaves)), None

    def push(self, leaves, output, saved, tangents):
        """A dx = db - da x."""
        del saved
        a, b = _paired(leaves)
        a_move, move = _moves(leaves, tangents)
        if tangents[0] is not None or tangents[1] is not None:
            move = move - _product(a_move, output, shape_of(b))
        return flatten(np.linalg.solve(a, move))[0]

    def pull(self, leaves, output, saved, ct, wanted):
        """B' = a^-H x' and a' = - b' x^H, summed over what was broadcast."""
        del saved
        a, b = _paired(leaves)
        w = np.linalg.solve(_adjoint(a), pair(*ct))
        found = [None] * 4
        if wanted[0] < 2:
            rows, columns = (x[..., None] if len(shape_of(b)) == 1 else x for x in (w, output))
            found[:2] = both(_summed(-(rows @ _adjoint(columns)), shape_of(a)))
        if wanted[-1] > 1:
            found[2:] = both(_summed(w, shape_of(b)))
        return [found[i] for i in wanted]


@dataclass
class _Product(Named, saved_as="linalg.complex_product"):
    """Products of two matrices."""

    name = "numpy.matmul"

    def run(self, leaves):
        """(output, nothing) of plain leaves."""
        return np.matmul(*_paired(leaves)), None

    def push(self, leaves, output, saved, tangents):
        """Of da b + a db, what there is."""
        del output, saved
        (a, b), (a_move, move) = _paired(leaves), _moves(leaves, tangents)
        terms = []
        if tangents[0] is not None or tangents[1] is not None:
            terms.append(a_move @ b)
        if tangents[2] is not None or tangents[3] is not None:
            terms.append(a @ move)
        return list(both(sum(terms[1:], terms[0])))

    def pull(self, leaves, output, saved, ct, wanted):
        """A' = y' b^H and b' = a^H y'."""
        del output, saved
        (a, b), ct = _paired(leaves), pair(*ct)
        found = [None] * 4
        if wanted[0] < 2:
            found[:2] = both(ct @ _adjoint(b))
        if wanted[-1] > 1:
            found[2:] = both(_adjoint(a) @ ct)
        return [found[i] for i in wanted]


def _product(a, x, shape):
    """A x, for equations whose right side has the given shape."""
    return (a @ x[..., None])[..., 0] if len(shape) == 1 else a @ x


def _summed(x, shape):
    """The adjoint of what was broadcast from `shape`."""
    more = len(shape_of(x)) - len(shape)
    x = np.sum(x, axis=tuple(range(more))) if more else x
    axes = tuple([i for i, n in enumerate(shape) if n == 1 and shape_of(x)[i] != 1])
    return np.sum(x, axis=axes, keepdims=True) if axes else x


def _moves(leaves, tangents):
    """Tangents as complex arrays, zeros where there are none."""
    moves = [
        np.zeros(shape_of(v))[()] if t is None else t for t, v in zip(tangents, leaves, strict=True)
    ]
    return _paired(moves)


def _paired(leaves):
    return [pair(*parts) for parts in zip(leaves[::2], leaves[1::2], strict=True)]


def _call(definition, *args):
    definition = _Call(definition) if type(definition) is str else definition
    leaves = [part for a in args for part in both(a)]
    return _calls.call(definition, leaves) if table.is_traced(leaves) else definition.run(leaves)[0]


# Where NumPy has its loops; a release that has them elsewhere is asked by its functions.
_LOOPS = getattr(np.linalg, "_umath_linalg", None)


def _loop(function, *shapes):
    """The ComplexLoop of a function of matrices of such shapes; None if there is none."""
    first, last = shapes[0], shapes[-1]
    if _LOOPS is None or len(first) != 2 or not 0 < len(last) <= 2:
        return None
    n = first[0]
    if function is np.matmul:
        if len(last) != 2 or first[1] != last[0]:
            return None
        loop = _Product(), np.matmul, (n, first[1], last[1]), (n, last[1])
    elif first[1] != n or last[0] != n:
        return None
    elif function is np.linalg.solve:
        name = "solve1" if len(last) == 1 else "solve"
        loop = _Solve(), getattr(_LOOPS, name), (n, *last[1:]), last
    elif function is np.linalg.inv:
        loop = _Call("inv"), _LOOPS.inv, (n,), first
    else:
        loop = _Call("det"), _LOOPS.det, (n,), ()
    definition, ufunc, core, out = loop
    found = _core.ComplexLoop(definition, ufunc, core, [*shapes, out], PAIR)
    return found if found.usable() else None


_core.add_methods({"_complex_loop": _loop})


def _plainly(name):
    return lambda *args: _call(name, *args)


def _lower(a, uplo):
    """The matrix with the triangle that is read below; the other one is its mirror image."""
    if uplo.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return a if uplo.upper() == "L" else _adjoint(a)


def _np_cholesky(a, /, *, upper=False):
    return _adjoint(_call("cholesky", _adjoint(a))) if upper else _call("cholesky", a)


def _np_eigh(a, UPLO="L"):
    return result_types()["eigh"](*_call("eigh", _lower(a, UPLO)))


def _np_eigvalsh(a, UPLO="L"):
    return _call("eigh", _lower(a, UPLO))[0]


def _real_if_all(*results):
    """The results without imaginary parts, if there are none."""
    if all(bool(np.all(x.imag == 0)) for x in results):
        return [x.real for x in results]
    return results


def _np_eig(a):
    results = _call("eig", a)
    return result_types()["eig"](*(results if _core.is_complex(a) else _real_if_all(*results)))


def _np_eigvals(a):
    w = _call("eig", a)[0]
    return w if _core.is_complex(a) else _real_if_all(w)[0]


def _np_svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    if hermitian or (compute_uv and full_matrices and len({*shape_of(a)[-2:]}) > 1):
        raise NotDifferentiableError(
            "svd of a complex matrix needs full_matrices=False and hermitian=False: what else "
            "there is has no derivative"
        )
    found = _call("svd", a)
    return result_types()["svd"](*found) if compute_uv else found[1]


def _np_qr(a, mode="reduced"):
    m, n = shape_of(a)[-2:]
    if mode not in ("reduced", "r") or m < n:
        raise NotDifferentiableError(
            f"qr of a complex {m} x {n} matrix in mode {mode!r} has no derivative; it has one in "
            "mode 'reduced' or 'r', with as many rows as columns or more"
        )
    found = _call("qr", a)
    return found[1] if mode == "r" else result_types()["qr"](*found)


def _np_lstsq(a, b, rcond=None):
    """Of full rank, by the QR factors; those of the adjoint where there are more unknowns."""
    m, n = shape_of(a)
    s = np.linalg.svdvals(a)
    rank = min(m, n)
    limit = max(m, n) * np.finfo(float).eps if rcond is None else max(rcond, 0.0)
    if rank and not bool(s[rank - 1] > limit * s[0]):
        raise NotDifferentiableError(
            f"lstsq of a complex {m} x {n} matrix of a rank below {rank}: its solution jumps where "
            "the rank changes; give it full rank, as by more rows with small numbers on a diagonal"
        )
    if m >= n:
        q, r = np.linalg.qr(a)
        x = np.linalg.solve(r, _adjoint(q) @ b)
    else:
        q, r = np.linalg.qr(_adjoint(a))
        x = q @ np.linalg.solve(_adjoint(r), b)
    rest = b - a @ x
    squares = np.sum(np.real(rest) ** 2 + np.imag(rest) ** 2, axis=0)
    return x, np.reshape(squares, (-1,)) if m > n else np.zeros(0), rank, s


def _np_pinv(a, rcond=None, hermitian=False, *, rtol=None):
    """Singular values below the limit count for nothing, and stay so."""
    if hermitian:
        raise NotDifferentiableError("pinv of a complex matrix needs hermitian=False")
    limit = rcond if rcond is not None else rtol
    if limit is None:
        limit = 1e-15
    u, s, vh = _call("svd", a)
    kept = s > np.max(s, axis=-1, keepdims=True) * limit
    inverse = np.where(kept, 1.0 / np.where(kept, s, 1.0), 0.0)
    return (_adjoint(vh) * _row(inverse)) @ _adjoint(u)


def _np_cond(a, p=None):
    if p not in (None, 2, -2):
        return np.linalg.norm(a, p, (-2, -1)) * np.linalg.norm(np.linalg.inv(a), p, (-2, -1))
    s = _call("svd", a)[1]
    return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]


def _np_matrix_norm(x, /, *, keepdims=False, ord="fro"):
    return np.linalg.norm(x, ord, (-2, -1), keepdims)


def _np_vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    if axis is None and not keepdims:
        x, axis = np.reshape(x, (-1,)), 0
    if np.ndim(axis) or axis is None:
        raise NotDifferentiableError("vector_norm of a complex array is over one axis, or all")
    return np.linalg.norm(x, ord, axis, keepdims)


def _np_matrix_power(a, n):
    if n < 0:
        a, n = np.linalg.inv(a), -n
    out = None
    while n:
        if n & 1:
            out = a if out is None else out @ a
        n >>= 1
        a = a @ a if n else a
    return _eye(a) + 0 * a if out is None else out


def _np_multi_dot(arrays):
    out = arrays[0]
    for a in arrays[1:]:
        out = out @ a
    return out


def _np_slogdet(a):
    return result_types()["slogdet"](*_call("slogdet", a))


FUNCTIONS.update(
    {
        **{getattr(np.linalg, name): _plainly(name) for name in ("inv", "det")},
        np.linalg.solve: lambda a, b: _call(_Solve(), a, b),
        np.linalg.slogdet: _np_slogdet,
        np.linalg.cholesky: _np_cholesky,
        np.linalg.eigh: _np_eigh,
        np.linalg.eigvalsh: _np_eigvalsh,
        np.linalg.svd: _np_svd,
        np.linalg.eig: _np_eig,
        np.linalg.eigvals: _np_eigvals,
        np.linalg.qr: _np_qr,
        np.linalg.svdvals: lambda a: _call("svd", a)[1],
        np.linalg.pinv: _np_pinv,
        np.linalg.lstsq: _np_lstsq,
        np.linalg.cond: _np_cond,
        np.linalg.matrix_norm: _np_matrix_norm,
        np.linalg.vector_norm: _np_vector_norm,
        np.linalg.matrix_power: _np_matrix_power,
        np.linalg.multi_dot: _np_multi_dot,
    }
)
