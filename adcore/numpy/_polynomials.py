"""Polynomials by their coefficients, the highest power first."""

import sys
from dataclasses import dataclass

import numpy as np

from .. import _calls
from .._core import complex_pair, is_complex, polynomial_of_roots
from .._named import Named
from .._trees import flatten
from ..complexes.arrays import FUNCTIONS as complex_functions
from ..errors import NotDifferentiableError
from ..rules import dense, reductions, shapes
from ..rules.primitives import as_array, below, reshape, shape_of, values
from ..rules.recorded import is_recorded, observe, observed, truths
from ..rules.table import Tensor, is_traced
from ._calculus import convolve
from ._table import rule, vector


def _coefficients(p):
    """Coefficients as one vector; those of a poly1d too."""
    if type(p) is Tensor and p.ndim == 1:
        return p
    return vector(shapes.atleast_1d(np.asarray(p) if isinstance(p, np.poly1d) else p))


@rule()
def polyval(p, x):
    """The value at `x`, by Horner's rule; at a poly1d it is refused."""
    if isinstance(x, np.poly1d):
        raise NotDifferentiableError(
            "polyval of tensors at a poly1d is not supported; compose with polymul and polyadd"
        )
    p, x = _coefficients(p), as_array(x)
    n = p.shape[0]
    if n == 0:
        return x * 0.0
    y = p[0] + np.zeros(shape_of(x)) if n == 1 else p[0]
    for k in range(1, n):
        y = y * x + p[k]
    return y


def _added(a, b, sign):
    a, b = _coefficients(a), _coefficients(b)
    more = a.shape[0] - b.shape[0]
    if more < 0:
        a = shapes.concatenate([np.zeros(-more), a])
    elif more > 0:
        b = shapes.concatenate([np.zeros(more), b])
    return a + b if sign > 0 else a - b


@rule()
def polyadd(a1, a2):
    """The sum of two polynomials."""
    return _added(a1, a2, 1)


@rule()
def polysub(a1, a2):
    """The difference of two polynomials."""
    return _added(a1, a2, -1)


@rule()
def polymul(a1, a2):
    """The product of two polynomials."""
    return convolve(_coefficients(a1), _coefficients(a2))


@rule()
def polydiv(u, v):
    """(quotient, remainder) of two polynomials."""
    u, v = _coefficients(u), _coefficients(v)
    m, n = u.shape[0] - 1, v.shape[0] - 1
    r = u + 0.0
    quotient = []
    for k in range(m - n + 1):
        d = r[k] / v[0]
        quotient.append(d)
        r = shapes.concatenate([r[:k], r[k : k + n + 1] - d * v, r[k + n + 1 :]])
    q = shapes.stack(quotient) if quotient else np.zeros(1)
    small = truths(abs(below(r)) <= 1e-8) if r.shape[0] else np.zeros(0, bool)
    kept = np.flatnonzero(~small[:-1])
    first = int(kept[0]) if kept.size else max(r.shape[0] - 1, 0)
    return q, r[first:]


def _powers(n):
    """The numbers n ... 2, 1, which nobody can write to, so that they are kept without a copy."""
    powers = np.arange(n, 0.0, -1.0)
    powers.flags.writeable = False
    return powers


@rule()
def polyder(p, m=1):
    """The m-th derivative of a polynomial."""
    m = int(m)
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    p = _coefficients(p)
    for _ in range(m):
        n = p.shape[0] - 1
        p = p[:-1] * _powers(n)
    return p


@rule()
def polyint(p, m=1, k=None):
    """The m-th integral of a polynomial, with constants `k`."""
    m = int(m)
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    k = np.zeros(m) if k is None else _coefficients(k)
    if k.shape[0] == 1 and m > 1:
        k = shapes.broadcast_to(k, (m,))
    if k.shape[0] < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    p = _coefficients(p)
    for i in range(m):
        n = p.shape[0]
        p = shapes.concatenate([p / _powers(n), k[i : i + 1]])
    return p


@rule()
def poly(roots):
    """The coefficients of the polynomial with these roots."""
    roots = as_array(roots)
    if roots.ndim == 2 and roots.shape[0] == roots.shape[1] and roots.shape[0]:
        raise NotDifferentiableError(
            "poly of a matrix of tensors is not supported; write np.poly(np.linalg.eigvalsh(a)) "
            "if it is symmetric"
        )
    if roots.ndim > 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    roots = vector(roots)
    if type(roots) is Tensor:
        return polynomial_of_roots(roots)
    p = np.ones(1)
    zero = np.zeros(1)
    for k in range(roots.shape[0]):
        p = shapes.concatenate([p, zero]) - roots[k] * shapes.concatenate([zero, p])
    return p


@dataclass
class Roots(Named, saved_as="numpy.roots"):
    """The real roots of a polynomial without leading zeros: a root moves by -dp(r) / p'(r)."""

    name = "roots"
    remedy = "pass p.detach() for a constant"
    found = None  # the roots, until run() asks for them, if they are known

    def run(self, leaves):
        """(roots, nothing) of plain coefficients."""
        found, self.found = self.found, None
        if found is not None:
            return found, None
        found = np.roots(leaves[0])  # of a replay whose guard is about to fail, maybe complex
        return np.where(np.imag(found) == 0.0, np.real(found), np.nan), None

    def _slopes(self, leaves, output):
        return polyval(polyder(leaves[0]), output)

    def push(self, leaves, output, saved, tangents):
        """How the roots move."""
        del saved
        return [-polyval(tangents[0], output) / self._slopes(leaves, output)]

    def pull(self, leaves, output, saved, ct, wanted):
        """The transpose of push()."""
        del saved, wanted
        n = shape_of(leaves[0])[0]
        weights = -ct[0] / self._slopes(leaves, output)
        rows = [weights]
        for _ in range(n - 1):
            rows.append(rows[-1] * output)
        return [shapes.flip(shapes.stack([reductions.sum(row) for row in rows]))]


@dataclass
class ComplexRoots(Named, saved_as="numpy.complex_roots"):
    """The same where roots are complex; leaves are real, and maybe imaginary, coefficients."""

    name = "roots"
    remedy = "pass p.detach() for a constant"
    found = None  # as above

    def run(self, leaves):
        """(roots, nothing) of plain coefficients."""
        found, self.found = self.found, None
        return np.roots(_joined(leaves)) + 0j if found is None else found, None

    def push(self, leaves, output, saved, tangents):
        """How the roots move."""
        del saved
        moves = [
            np.zeros(shape_of(v)) if t is None else t for v, t in zip(leaves, tangents, strict=True)
        ]
        p = _joined(leaves)
        slopes = np.polyval(p[:-1] * np.arange(shape_of(p)[0] - 1, 0, -1.0), output)
        return flatten(-np.polyval(_joined(moves), output) / slopes)[0]


def _joined(leaves):
    """Coefficients of their real, and maybe imaginary, parts."""
    return leaves[0] if len(leaves) == 1 else complex_pair(*leaves)


def _roots_are_real(p):
    return np.isrealobj(np.roots(p))


observe(_roots_are_real, "numpy.roots_are_real")


@rule()
def roots(p):
    """The roots; where two are equal the derivative is infinite."""
    p, zeros = _trimmed(_coefficients(p))
    if shape_of(p)[0] < 2:
        return zeros
    if is_recorded(p):
        definition = Roots() if observed(_roots_are_real, p) else ComplexRoots()
    else:
        numbers = _eigenvalues(values(p))
        definition = Roots() if numbers.dtype == np.float64 else ComplexRoots()
        definition.found = numbers
    found = _calls.call(definition, [p])
    return np.concatenate([found, zeros]) if zeros.size else found


def _eigenvalues(p):
    """The roots of a polynomial whose first and last coefficients are not 0."""
    n = p.shape[0] - 1
    matrix = np.zeros((n, n))
    matrix.reshape(-1)[n :: n + 1] = 1.0
    matrix[0] = -p[1:] / p[0]
    return np.linalg.eigvals(matrix)


def _complex_roots(p):
    """The roots of a polynomial with complex coefficients."""
    p, zeros = _trimmed(np.atleast_1d(p))
    if shape_of(p)[0] < 2:
        return zeros
    found = _calls.call(ComplexRoots(), [np.real(p), np.imag(p)])
    return np.concatenate([found, zeros]) if zeros.size else found


complex_functions[np.roots] = _complex_roots


_NONE = np.zeros(0)


def _trimmed(p):
    """(coefficients between the first and the last that are not 0, a root 0 for each behind)."""
    if type(p) is Tensor and not is_recorded(p):
        numbers = values(p)
        if numbers.size and numbers[0] != 0 != numbers[-1]:
            return p, _NONE
    at = np.flatnonzero(p != 0 if is_complex((p,)) else truths(p))
    if not at.size:
        return p[:0], np.zeros(0)
    first, last = int(at[0]), int(at[-1])
    return p[first : last + 1], np.zeros(shape_of(p)[0] - last - 1)


def _floats(x):
    x = as_array(x)
    return x.astype(np.float64) if type(x) is np.ndarray and x.dtype != np.float64 else x


@rule()
def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    """The coefficients of the polynomial of least squares."""
    x, y = _floats(x), _floats(y)  # squares of whole numbers might overflow
    all_powers = np.ndim(deg) == 0
    powers = range(int(deg), -1, -1) if all_powers else sorted(map(int, deg), reverse=True)
    if (int(deg) if all_powers else powers[-1]) < 0:
        raise ValueError("expected deg >= 0")
    order = powers[0] + 1
    if x.ndim != 1 or x.shape[0] == 0:
        raise TypeError("expected 1D vector for x")
    if y.ndim not in (1, 2) or x.shape[0] != y.shape[0]:
        raise TypeError("expected x and y to have same length")
    rcond = x.shape[0] * sys.float_info.epsilon if rcond is None else rcond
    if is_traced([x]):
        columns = [np.ones(x.shape)]
        for _ in range(order - 1):
            columns.append(columns[-1] * x)
        left = shapes.stack([columns[k] for k in powers], axis=1)
    else:
        left = np.vander(x, order) if all_powers else np.power.outer(x, powers)
    if w is not None:
        w = as_array(w)
        left = left * reshape(w, (-1, 1))
        y = y * (w if y.ndim == 1 else reshape(w, (-1, 1)))
    squares = left * left
    plain = type(left) is np.ndarray
    scale = np.sqrt(np.add.reduce(squares) if plain else reductions.sum(squares, 0))
    if plain:
        left /= scale
        left.flags.writeable = False  # so that it is kept without a copy
    else:
        left = left / scale
    found = dense.lstsq(left, y if y.ndim == 2 else reshape(y, (-1, 1)), p=float(rcond))
    if y.ndim == 1:
        found = reshape(found, (-1,))
    found = found / (scale if y.ndim == 1 else reshape(scale, (-1, 1)))
    if not full and not cov:
        return found
    if not plain:
        _, residuals, rank, singular = np.linalg.lstsq(left, y, rcond)
    else:
        rest = y - left @ (found * (scale if y.ndim == 1 else reshape(scale, (-1, 1))))
        residuals = reductions.sum(rest * rest, 0)
        singular = np.linalg.svd(left, compute_uv=False)
        rank = int(np.sum(singular > rcond * singular[0]))
    if full:
        determined = rank == len(powers) and x.shape[0] > len(powers)
        residuals = shapes.atleast_1d(residuals) if determined else np.zeros(0)
        return found, residuals, rank, singular, rcond
    base = np.linalg.inv(shapes.transpose(left) @ left)
    base = base / (reshape(scale, (-1, 1)) * scale)
    if cov != "unscaled" and x.shape[0] <= len(powers):
        raise ValueError(
            "the number of data points must exceed order to scale the covariance matrix"
        )
    factor = 1.0 if cov == "unscaled" else residuals / (x.shape[0] - len(powers))
    if y.ndim == 2:
        base = reshape(base, (*base.shape, 1))
    return found, base * factor
