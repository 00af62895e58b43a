"""Distributions of vectors and matrices, through the Cholesky factor of their scale matrix."""

import math

import numpy as np
import scipy.stats as _scipy

from ... import ops
from ...errors import NotDifferentiableError, ShapeError
from ...rules.choices import where
from ...rules.primitives import as_array, below, reshape, shape_of, sum_axes, transpose
from ...rules.table import Dual, Tensor, is_traced
from .._leaves import leaf
from ..special._gamma import multigammaln
from ._distribution import INF, LOG_2, LOG_2PI, count, exclude


def _array(x):
    """Something with a shape, of floats."""
    x = as_array(x)
    return x if type(x) is Tensor or type(x) is Dual else np.asarray(x, dtype=float)


def _swapped(a):
    n = len(shape_of(a))
    return transpose(a, (*range(n - 2), n - 1, n - 2))


def _log_det(factor):
    """Log det of L L', from L."""
    each = np.arange(shape_of(factor)[-1])
    return 2.0 * sum_axes(ops.log(factor[..., each, each]), (len(shape_of(factor)) - 2,))


def _norms(factor, rows):
    """|L^-1 x|^2 of each of the rows x, (..., n)."""
    shape = shape_of(rows)
    flat = reshape(rows, (math.prod(shape[:-1]), shape[-1]))
    half = np.linalg.solve(factor, _swapped(flat))
    return reshape(sum_axes(half * half, (0,)), shape[:-1])


class Multivariate:
    """What all of them share: SciPy's own answer to plain arguments, freezing, errors."""

    methods = ("logpdf", "pdf", "entropy", "mean", "var", "cov", "mode", "rvs", "cdf", "logcdf")
    parameters = ()  # names, in SciPy's order
    optional = ()  # those that have a default, and options without derivatives

    def __init__(self, name):
        self.name, self.plain = name, getattr(_scipy, name)
        self.__doc__ = f"scipy.stats.{name}, also of tensors and duals."

    def __repr__(self):
        return f"<distribution {self.name} of adcore.scipy.stats>"

    def __call__(self, *args, **kwargs):
        return FrozenMultivariate(self, args, kwargs)

    def _named(self, args, kwargs):
        names = (*self.parameters, *self.optional)
        given = dict(zip(names, args, strict=False))
        unknown = [k for k in kwargs if k not in names and k != "seed"]
        if unknown or len(args) > len(names) or set(given) & set(kwargs):
            raise TypeError(f"{self.name} takes {', '.join(names)}, each once")
        return {**given, **kwargs}

    def _call(self, method, first, args, kwargs):
        if not (is_traced([*first, *args]) or is_traced(kwargs.values())):
            return getattr(self.plain, method)(*first, *args, **kwargs)
        formula = getattr(self, f"_{method}", None)
        if formula is None:
            raise NotDifferentiableError(
                f"scipy.stats.{self.name}.{method} of tensors has no derivative rule; pass "
                "x.detach().numpy() for a constant"
            )
        return formula(*[_array(x) for x in first], **self._named(args, kwargs))

    def __getattr__(self, name):
        """A method by name, differentiable where there is a rule."""
        if name.startswith("_") or name == "plain":
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        if not hasattr(self.plain, name):
            raise AttributeError(f"{self.name} has no attribute {name!r}, nor has SciPy's")
        points = 1 if name in ("logpdf", "pdf", "logpmf", "pmf", "cdf", "logcdf") else 0

        def method(*args, **kwargs):
            return self._call(name, args[:points], args[points:], kwargs)

        method.__name__ = name
        return method

    def _pdf(self, x, **parameters):
        return ops.exp(self._logpdf(x, **parameters))


class FrozenMultivariate:
    """A distribution of vectors or matrices with its parameters."""

    def __init__(self, dist, args, kwargs):
        self.dist, self.args, self.kwds = dist, args, kwargs
        if not (is_traced(args) or is_traced(kwargs.values())):
            self.plain = dist.plain(*args, **kwargs)
        else:
            dist._named(args, kwargs)
            self.plain = None

    def __repr__(self):
        return f"<frozen distribution {self.dist.name} of adcore.scipy.stats>"

    def __getattr__(self, name):
        """A method, given the parameters after its own first argument."""
        if name.startswith("_"):
            raise AttributeError(name)

        def frozen(*first, **kwargs):
            if self.plain is not None and not is_traced(first):
                return getattr(self.plain, name)(*first, **kwargs)
            return getattr(self.dist, name)(*first, *self.args, **self.kwds, **kwargs)

        return frozen


def _square(matrix, n):
    """A scale as a matrix: of a number times the identity, of a vector the diagonal."""
    matrix = _array(1.0 if matrix is None else matrix)
    ndim = len(shape_of(matrix))
    if ndim == 0:
        return matrix * np.eye(n)
    if ndim == 1:
        return reshape(matrix, (n, 1)) * np.eye(n)
    if shape_of(matrix) != (n, n):
        raise ShapeError(f"the matrix has shape {shape_of(matrix)}, and there are {n} variables")
    return matrix


def _dimension(location, matrix):
    for part in (location, matrix):
        shape = () if part is None else shape_of(_array(part))
        if shape:
            return shape[-1]
    return 1


def _centred(x, location, n):
    """(points - location, shape of the result)."""
    shape = shape_of(x)
    if n == 1 and (not shape or shape[-1] != 1):
        x = reshape(x, (*shape, 1))
    elif len(shape) == 0 or shape[-1] != n:
        raise ShapeError(f"points have shape {shape}, and there are {n} variables")
    return x if location is None else x - _array(location)


class MultivariateNormal(Multivariate):
    """The normal distribution of vectors; `cov` is to be positive definite."""

    parameters = ("mean", "cov")
    optional = ("allow_singular",)

    def _factor(self, mean, cov, allow_singular):
        n = _dimension(mean, cov)
        cov = _square(cov, n)
        if allow_singular:
            w = np.linalg.eigvalsh(cov)
            if bool(w[0] <= _SMALLEST * abs(w[-1])):
                raise NotDifferentiableError(
                    "multivariate_normal of tensors takes allow_singular=True where cov is a "
                    "constant or positive definite: the density of a singular covariance has no "
                    "derivative in it"
                )
        return n, np.linalg.cholesky(cov)

    def _logpdf(self, x, mean=None, cov=1.0, allow_singular=False):
        if allow_singular and not is_traced([cov]):
            return _on_support(x, mean, _square(cov, _dimension(mean, cov)))
        n, factor = self._factor(mean, cov, allow_singular)
        return -0.5 * (n * LOG_2PI + _log_det(factor) + _norms(factor, _centred(x, mean, n)))

    def _entropy(self, mean=None, cov=1.0, allow_singular=False):
        n, factor = self._factor(mean, cov, allow_singular)
        return 0.5 * (n * (LOG_2PI + 1.0) + _log_det(factor))


# SciPy's bound, relative to the greatest eigenvalue of a covariance, on those that count as 0.
_SMALLEST = 1e6 * np.finfo(np.float64).eps


def _on_support(x, mean, cov):
    """The normal log density in the directions that a constant covariance has, -inf off them."""
    n = len(cov)
    w, v = np.linalg.eigh(cov)
    bound = _SMALLEST * np.max(abs(w))
    if w[0] < -bound:
        raise ValueError("the covariance must be symmetric and positive semidefinite")
    some = w > bound
    centred = _centred(x, mean, n)
    last = (len(shape_of(centred)) - 1,)
    scaled, off = centred @ (v[:, some] / np.sqrt(w[some])), centred @ v[:, ~some]
    log_density = -0.5 * (
        np.sum(some) * LOG_2PI + np.sum(np.log(w[some])) + sum_axes(scaled * scaled, last)
    )
    near = 1e3 * bound  # SciPy's too: as far from the support is on it
    return where(sum_axes(off * off, last) < near**2, log_density, -INF)


class MultivariateT(Multivariate):
    """Student's distribution of vectors."""

    parameters = ("loc", "shape", "df")
    optional = ("allow_singular",)

    def _logpdf(self, x, loc=None, shape=1.0, df=1.0, allow_singular=False):
        if allow_singular:
            raise NotDifferentiableError("multivariate_t of tensors takes no allow_singular=True")
        n, df = _dimension(loc, shape), leaf(df)
        factor = np.linalg.cholesky(_square(shape, n))
        x = _centred(x, loc, n)
        if not is_traced([df]) and df == INF:
            return -0.5 * (n * LOG_2PI + _log_det(factor) + _norms(factor, x))
        up = 0.5 * (df + n)
        out = ops.lgamma(up) - ops.lgamma(0.5 * df) - 0.5 * n * ops.log(math.pi * df)
        return out - 0.5 * _log_det(factor) - up * ops.log1p(_norms(factor, x) / df)


def _trace_of_solved(factor, matrix):
    """trace((L L')^-1 A) of matrices A (..., n, n)."""
    solved = np.linalg.solve(factor, matrix)
    both = np.linalg.solve(factor, _swapped(solved))
    n = shape_of(both)[-1]
    diagonal = both[..., np.arange(n), np.arange(n)]
    return sum_axes(diagonal, (len(shape_of(diagonal)) - 1,))


def _stack(x, n):
    """Matrices with their first dimension first: SciPy has those of wishart in (n, n, many)."""
    ndim = len(shape_of(x))
    if ndim == 0:
        return x * np.ones((1, 1))
    if ndim == 1 and n == 1:
        return reshape(x, (*shape_of(x), 1, 1))
    return transpose(x, (2, 0, 1)) if ndim == 3 else x


class Wishart(Multivariate):
    """Wishart's distribution of positive definite matrices."""

    parameters = ("df", "scale")

    def _logpdf(self, x, df, scale):
        n, df = _dimension(None, scale), leaf(df)
        factor = np.linalg.cholesky(_square(scale, n))
        x = _stack(x, n)
        inner = np.linalg.cholesky(x)
        out = 0.5 * (df - (n + 1.0)) * _log_det(inner) - 0.5 * _trace_of_solved(factor, x)
        # In SciPy's order: a density loses as many digits as its logarithm has before the point.
        scaling = 0.5 * df * n * LOG_2 + 0.5 * df * _log_det(factor)
        return out - (scaling + multigammaln(0.5 * df, n))

    def _mean(self, df, scale):
        return leaf(df) * _square(scale, _dimension(None, scale))


class Invwishart(Multivariate):
    """The distribution of the inverse of a matrix of Wishart's distribution."""

    parameters = ("df", "scale")

    def _logpdf(self, x, df, scale):
        n, df = _dimension(None, scale), leaf(df)
        scale = _square(scale, n)
        x = _stack(x, n)
        inner = np.linalg.cholesky(x)
        out = 0.5 * df * (_log_det(np.linalg.cholesky(scale)) - n * LOG_2)
        out = out - multigammaln(0.5 * df, n)
        return out - 0.5 * (df + n + 1.0) * _log_det(inner) - 0.5 * _trace_of_solved(inner, scale)


class Dirichlet(Multivariate):
    """Dirichlet's distribution; points are along the first dimension, with or without the last."""

    parameters = ("alpha",)

    def _parts(self, x, alpha):
        alpha = _array(alpha)
        shape, k = shape_of(x), shape_of(alpha)[0]
        if shape[0] not in (k, k - 1):
            raise ShapeError(
                f"points have {shape[0]} components; with {k} parameters it is {k} or {k - 1}"
            )
        if shape[0] == k - 1:
            last = 1.0 - sum_axes(x, (0,), True)
            x = np.concatenate([x, last])
        numbers = below(x)
        if not is_traced([numbers]) and np.any(np.abs(np.sum(numbers, axis=0) - 1.0) > 1e-9):
            raise ValueError("the components of a point are to have the sum 1")
        return x, reshape(alpha, (k, *[1] * (len(shape) - 1))), alpha

    def _logpdf(self, x, alpha):
        x, column, alpha = self._parts(x, alpha)
        norm = sum_axes(ops.lgamma(alpha), None) - ops.lgamma(sum_axes(alpha, None))
        return sum_axes(ops.xlogy(column - 1.0, x), (0,)) - norm

    def _mean(self, alpha):
        alpha = _array(alpha)
        return alpha / sum_axes(alpha, None)

    def _var(self, alpha):
        alpha = _array(alpha)
        total = sum_axes(alpha, None)
        return alpha * (total - alpha) / (total * total * (total + 1.0))

    def _entropy(self, alpha):
        alpha = _array(alpha)
        k, total = shape_of(alpha)[0], sum_axes(alpha, None)
        norm = sum_axes(ops.lgamma(alpha), None) - ops.lgamma(total)
        inner = sum_axes((alpha - 1.0) * ops.digamma(alpha), None)
        return norm + (total - k) * ops.digamma(total) - inner


class Multinomial(Multivariate):
    """Counts of n draws from classes with probabilities p, of which SciPy ignores the last."""

    parameters = ("n", "p")

    def _probabilities(self, p):
        p = _array(p)
        rest = 1.0 - sum_axes(p[..., :-1], (len(shape_of(p)) - 1,), True)
        return np.concatenate([p[..., :-1], rest], axis=-1)

    def _logpmf(self, x, n, p):
        x = count(x) if is_traced([x]) else x
        n = leaf(n)
        n = count(n) if is_traced([n]) else n
        p = self._probabilities(p)
        axis = (len(np.broadcast_shapes(shape_of(x), shape_of(p))) - 1,)
        terms = ops.xlogy(x, p) - ops.lgamma(x + 1.0)
        total = sum_axes(x, (len(shape_of(x)) - 1,))
        wrong = sum_axes((x < 0) | (x != ops.floor(x)), (len(shape_of(x)) - 1,))
        inside = (total == n) & (wrong == 0)
        return exclude(inside, ops.lgamma(n + 1.0) + sum_axes(terms, axis), -INF)

    def _pmf(self, x, n, p):
        return ops.exp(self._logpmf(x, n, p))

    def _mean(self, n, p):
        return leaf(n) * self._probabilities(p)


class MatrixNormal(Multivariate):
    """The normal distribution of matrices: cov(vec X) is the Kronecker product of the two."""

    parameters = ("mean", "rowcov", "colcov")

    def _logpdf(self, x, mean=None, rowcov=1.0, colcov=1.0):
        if len(shape_of(x)) < 2:
            raise ShapeError(f"points are matrices, got shape {shape_of(x)}")
        m, n = shape_of(x)[-2:]
        rows = np.linalg.cholesky(_square(rowcov, m))
        columns = np.linalg.cholesky(_square(colcov, n))
        x = x if mean is None else x - _array(mean)
        half = np.linalg.solve(columns, _swapped(np.linalg.solve(rows, x)))
        k = len(shape_of(half))
        out = m * n * LOG_2PI + n * _log_det(rows) + m * _log_det(columns)
        return -0.5 * (out + sum_axes(half * half, (k - 2, k - 1)))

    def _entropy(self, mean=None, rowcov=1.0, colcov=1.0):
        m = shape_of(_array(rowcov))[0] if mean is None else shape_of(_array(mean))[0]
        n = shape_of(_array(colcov))[0] if mean is None else shape_of(_array(mean))[1]
        rows = np.linalg.cholesky(_square(rowcov, m))
        columns = np.linalg.cholesky(_square(colcov, n))
        return 0.5 * (m * n * (LOG_2PI + 1.0) + n * _log_det(rows) + m * _log_det(columns))


multivariate_normal = MultivariateNormal("multivariate_normal")
multivariate_t = MultivariateT("multivariate_t")
wishart = Wishart("wishart")
invwishart = Invwishart("invwishart")
dirichlet = Dirichlet("dirichlet")
multinomial = Multinomial("multinomial")
matrix_normal = MatrixNormal("matrix_normal")
