"""Functions of samples: moments, means, scores, correlation, likelihoods and densities of data."""

import functools
import math

import numpy as np
import scipy.stats as _scipy

from ... import ops
from ...errors import NotDifferentiableError
from ...rules import functions as array_functions
from ...rules.primitives import as_array, axes_of, reshape, shape_of, sum_axes
from ...rules.table import is_traced, refuse
from .._surface import with_plain
from ..special import _normal as special_normal
from ..special._arrays import logsumexp
from ._distribution import LOG_2PI
from ._gamma import beta


def _differentiable(name, **fixed):
    """Register a rule for tensors; of other options than these values it takes none."""

    def decorate(rule):
        @functools.wraps(rule)
        def checked(*args, **kwargs):
            for option, value in fixed.items():
                if kwargs.pop(option, value) != value:
                    raise NotDifferentiableError(
                        f"scipy.stats.{name} of tensors takes no other {option} than {value!r}"
                    )
            return rule(*args, **kwargs)

        doc = f"scipy.stats.{name}, also of tensors and duals."
        return with_plain(checked, getattr(_scipy, name), doc)

    return decorate


_OPTIONS = {"nan_policy": "propagate", "keepdims": False}


def _along(a, axis):
    """(the array, its axes, the number of elements along them)."""
    a = as_array(a)
    if axis is None:
        a = reshape(a, (-1,))
        axis = 0
    axes = axes_of(axis, len(shape_of(a)))
    return a, axes, math.prod([shape_of(a)[i] for i in axes])


def _central(a, axes, n, order):
    mean = sum_axes(a, axes, True) / n
    return sum_axes((a - mean) ** order, axes) / n


@_differentiable("moment", **_OPTIONS)
def moment(a, order=1, axis=0, *, center=None):
    if np.ndim(order):
        raise NotDifferentiableError("moment of a tensor takes one order; call it for each")
    a, axes, n = _along(a, axis)
    if center is not None:
        return sum_axes((a - center) ** order, axes) / n
    if order in (0, 1):  # exactly 1 and 0
        return sum_axes(0.0 * a, axes) + (1.0 - order)
    return _central(a, axes, n, order)


@_differentiable("skew", **_OPTIONS)
def skew(a, axis=0, bias=True):
    a, axes, n = _along(a, axis)
    g = _central(a, axes, n, 3) / _central(a, axes, n, 2) ** 1.5
    return g if bias or n < 3 else math.sqrt(n * (n - 1.0)) / (n - 2.0) * g


@_differentiable("kurtosis", **_OPTIONS)
def kurtosis(a, axis=0, fisher=True, bias=True):
    a, axes, n = _along(a, axis)
    g = _central(a, axes, n, 4) / _central(a, axes, n, 2) ** 2
    if not bias and n > 3:
        g = ((n * n - 1.0) * g - 3.0 * (n - 1.0) ** 2) / ((n - 2.0) * (n - 3.0)) + 3.0
    return g - 3.0 if fisher else g


def _weighted(a, axes, n, weights):
    """The mean of `a` with weights."""
    if weights is None:
        return sum_axes(a, axes) / n
    weights = as_array(weights)
    if shape_of(weights) != shape_of(a):
        weights = reshape(weights, [n if i in axes else 1 for i in range(len(shape_of(a)))])
    return sum_axes(a * weights, axes) / sum_axes(weights + 0.0 * a, axes)


@_differentiable("gmean", **_OPTIONS)
def gmean(a, axis=0, dtype=None, weights=None):
    refuse("gmean", dtype=dtype)
    a, axes, n = _along(a, axis)
    return ops.exp(_weighted(ops.log(a), axes, n, weights))


@_differentiable("hmean", **_OPTIONS)
def hmean(a, axis=0, dtype=None, *, weights=None):
    refuse("hmean", dtype=dtype)
    a, axes, n = _along(a, axis)
    return 1.0 / _weighted(1.0 / a, axes, n, weights)


@_differentiable("pmean", **_OPTIONS)
def pmean(a, p, *, axis=0, dtype=None, weights=None):
    refuse("pmean", dtype=dtype)
    a, axes, n = _along(a, axis)
    if not is_traced([p]) and p == 0:
        return ops.exp(_weighted(ops.log(a), axes, n, weights))
    return ops.pow(_weighted(a**p, axes, n, weights), 1.0 / p)


@_differentiable("sem", **_OPTIONS)
def sem(a, axis=0, ddof=1):
    a, axes, n = _along(a, axis)
    return ops.sqrt(_central(a, axes, n, 2) / (n - ddof))


@_differentiable("variation", **_OPTIONS)
def variation(a, axis=0, *, ddof=0):
    a, axes, n = _along(a, axis)
    deviation = ops.sqrt(_central(a, axes, n, 2) * (n / (n - ddof)))
    return deviation / (sum_axes(a, axes) / n)


@_differentiable("zmap", nan_policy="propagate")
def zmap(scores, compare, axis=0, ddof=0):
    scores = as_array(scores)
    compare, axes, n = _along(compare, axis)
    mean = sum_axes(compare, axes, True) / n
    deviation = ops.sqrt(sum_axes((compare - mean) ** 2, axes, True) / (n - ddof))
    return (scores - mean) / deviation


@_differentiable("zscore", nan_policy="propagate")
def zscore(a, axis=0, ddof=0):
    a = as_array(a)
    if axis is None:
        return reshape(zmap(reshape(a, (-1,)), reshape(a, (-1,)), 0, ddof), shape_of(a))
    return zmap(a, a, axis, ddof)


@_differentiable("gzscore", nan_policy="propagate")
def gzscore(a, *, axis=0, ddof=0):
    return zscore(ops.log(as_array(a)), axis, ddof)


@_differentiable("gstd", **_OPTIONS)
def gstd(a, axis=0, ddof=1):
    a, axes, n = _along(ops.log(as_array(a)), axis)
    return ops.exp(ops.sqrt(_central(a, axes, n, 2) * (n / (n - ddof))))


@_differentiable("iqr", interpolation="linear", **_OPTIONS)
def iqr(x, axis=None, rng=(25, 75), scale=1.0):
    x, axes, _ = _along(x, axis)
    if scale == "normal":
        scale = 1.3489795003921634  # between the quartiles of the normal distribution
    low, high = (array_functions["percentile"](x, p, axis=axes) for p in sorted(rng))
    return (high - low) / scale


@_differentiable("entropy", **_OPTIONS)
def entropy(pk, qk=None, base=None, axis=0):
    if base is not None and base <= 0:
        raise ValueError("`base` must be a positive number or `None`.")
    pk, axes, _ = _along(pk, axis)
    p = pk / sum_axes(pk, axes, True)
    if qk is None:
        out = sum_axes(ops.entr(p), axes)
    else:
        qk, _, _ = _along(qk, axis)
        q = qk / sum_axes(qk, axes, True)
        out = sum_axes(ops.xlogy(p, p) - ops.xlogy(p, q), axes)
    return out if base is None else out / math.log(base)


class PearsonRResult(tuple):
    """(statistic, pvalue) of pearsonr; the statistic is differentiable, the pvalue a constant."""

    __slots__ = ()
    statistic = property(lambda self: self[0])
    correlation = statistic
    pvalue = property(lambda self: self[1])


@_differentiable("pearsonr", alternative="two-sided", method=None)
def pearsonr(x, y, *, axis=0):
    x, axes, n = _along(x, axis)
    y, _, _ = _along(y, axis)
    x = x - sum_axes(x, axes, True) / n
    y = y - sum_axes(y, axes, True) / n
    product = sum_axes(x * y, axes)
    r = product / (ops.sqrt(sum_axes(x * x, axes)) * ops.sqrt(sum_axes(y * y, axes)))
    half = 0.5 * n - 1.0
    return PearsonRResult((r, 2.0 * beta.sf(ops.abs(r), half, half, loc=-1.0, scale=2.0)))


@_differentiable("boxcox", alpha=None, optimizer=None)
def boxcox(x, lmbda=None):
    if lmbda is None:
        raise NotDifferentiableError(
            "boxcox of a tensor takes the parameter lmbda; maximise boxcox_llf for the best one"
        )
    return special_normal.boxcox(x, lmbda)


@_differentiable("boxcox_llf", **_OPTIONS)
def boxcox_llf(lmb, data, *, axis=0):
    data, axes, n = _along(data, axis)
    logs = ops.log(data)
    total = sum_axes(logs, axes)
    variance = _central(special_normal.boxcox(data, lmb), axes, n, 2)
    return (lmb - 1.0) * total - 0.5 * n * ops.log(variance)


class gaussian_kde:
    """scipy.stats.gaussian_kde, differentiable in the points, the data, the weights.

    Without tensors among the data, `dataset`, `covariance` and all the rest are SciPy's own.
    """

    def __init__(self, dataset, bw_method=None, weights=None):
        traced = is_traced([dataset, bw_method, weights])
        self.plain = None if traced else _scipy.gaussian_kde(dataset, bw_method, weights)
        if traced and callable(bw_method):
            raise NotDifferentiableError("gaussian_kde of tensors takes no function as bw_method")
        data = as_array(dataset)
        data = reshape(data, (1, -1)) if len(shape_of(data)) < 2 else data
        self.d, self.n = d, n = shape_of(data)
        w = np.full(n, 1.0 / n) if weights is None else as_array(weights)
        self._weights = w = w / sum_axes(w, None)
        self._neff = neff = 1.0 / sum_axes(w * w, None)
        if not traced:
            self._factor = self.plain.factor
        elif bw_method is None or bw_method == "scott":
            self._factor = neff ** (-1.0 / (d + 4))
        elif bw_method == "silverman":
            self._factor = (neff * (d + 2.0) / 4.0) ** (-1.0 / (d + 4))
        elif isinstance(bw_method, str):
            raise ValueError("`bw_method` should be 'scott', 'silverman', or a number.")
        else:
            self._factor = bw_method
        mean = sum_axes(data * w, (1,), True)
        spread = data - mean
        matrix = (spread * w) @ spread.T / (1.0 - sum_axes(w * w, None))
        self._cholesky = np.linalg.cholesky(matrix) * self._factor
        self._data = data

    def __getattr__(self, name):
        """What SciPy's estimate has, of plain data."""
        if name.startswith("__") or name == "plain":
            raise AttributeError(name)
        if self.plain is None:
            raise NotDifferentiableError(
                f"gaussian_kde.{name} of tensors has no rule; evaluate and logpdf have"
            )
        return getattr(self.plain, name)

    def logpdf(self, x):
        """The logarithm of the estimated density at points (d, n)."""
        if self.plain is not None and not is_traced([x]):
            return self.plain.logpdf(x)
        x = as_array(x)
        x = reshape(x, (1, -1)) if len(shape_of(x)) < 2 else x
        if shape_of(x)[0] != self.d and shape_of(x) == (1, self.d):
            x = reshape(x, (self.d, 1))
        if shape_of(x)[0] != self.d:
            raise ValueError(
                f"points have dimension {shape_of(x)[0]}, dataset has dimension {self.d}"
            )
        m = shape_of(x)[1]
        points = reshape(np.linalg.solve(self._cholesky, x), (self.d, m, 1))
        centres = reshape(np.linalg.solve(self._cholesky, self._data), (self.d, 1, self.n))
        energy = -0.5 * sum_axes((points - centres) ** 2, (0,)) + ops.log(self._weights)
        each = np.arange(self.d)
        norm = 0.5 * self.d * LOG_2PI + sum_axes(ops.log(self._cholesky[each, each]), None)
        return logsumexp(energy, axis=1) - norm

    def evaluate(self, points):
        """The estimated density at points (d, n)."""
        if self.plain is not None and not is_traced([points]):
            return self.plain.evaluate(points)
        return ops.exp(self.logpdf(points))

    __call__ = pdf = evaluate
