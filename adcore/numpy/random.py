"""NumPy's random numbers, differentiable in the parameters of their distributions.

Without tensors among the arguments the numbers are NumPy's own, bit for bit; with them they are the
same to rounding, and the stream goes on at the same place.  A sample is a smooth function of the
parameters and of what the generator drew: of a location and a scale as it stands, of a shape
through the distribution function, which stays the same where sample and shape move together
(implicit reparametrisation).

A compiled function would draw once and replay that for ever, so drawing in one is an error.
"""

import functools
import math

import numpy as _numpy
import numpy.random as _random

from .. import _core
from .._core import Tensor, peek
from ..errors import NotDifferentiableError
from ..rules import primitives as _primitives
from ..rules import reductions as _reductions
from ..rules import shapes as _shapes
from ..rules.primitives import as_array, shape_of, values
from ..rules.table import is_traced as _is_traced
from . import _samples

__all__ = list(_random.__all__)


# ---- distributions: functions of `draw`, which has NumPy's methods ----

_rules = {}


def _rule(function):
    _rules[function.__name__.strip("_")] = function
    return function


def _shape(size, *parameters):
    """The shape of a sample, as NumPy takes it: that of the parameters unless it is given."""
    for p in parameters:
        if type(p) is not float and shape_of(p):
            break
    else:
        return size
    shape = _numpy.broadcast_shapes(*[shape_of(p) for p in parameters])
    if size is None:
        return shape
    size = (size,) if isinstance(size, (int, _numpy.integer)) else tuple(size)
    new = len(size) - len(shape)
    if new < 0 or any(n not in (1, m) for n, m in zip(shape, size[new:], strict=True)):
        raise ValueError(
            f"parameters of shape {shape} do not broadcast to a sample of shape {size}"
        )
    return size


def _numbers(x):
    """The numbers of a parameter, for NumPy."""
    if type(x) is Tensor:
        x = peek(x)
        return x if type(x) is float else _numpy.asarray(x)
    return x if type(x) is float else _numpy.asarray(values(as_array(x)))


def _check(name, parameter, x):
    """Refuse a parameter that is negative."""
    low = _numbers(x) < 0.0
    if low if type(low) is bool else low.any():
        raise ValueError(f"{parameter} < 0 in {name}")


def _check_positive(name, parameter, x):
    low = _numbers(x) <= 0.0
    if low if type(low) is bool else low.any():
        raise ValueError(f"{parameter} <= 0 in {name}")


def _located(name, standard, arguments=(), scale="scale"):
    """Distributions of loc + scale z, with z drawn by NumPy's method `standard`."""

    def rule(draw, loc, spread, size):
        _check(name, scale, spread)
        z = getattr(draw, standard)(*arguments, size=_shape(size, loc, spread))
        return loc + spread * z

    return rule


_normal_of = _located("normal", "standard_normal")
_laplace_of = _located("laplace", "laplace", (0.0, 1.0))
_logistic_of = _located("logistic", "logistic", (0.0, 1.0))
_gumbel_of = _located("gumbel", "gumbel", (0.0, 1.0))


@_rule
def _normal(draw, loc=0.0, scale=1.0, size=None):
    return _normal_of(draw, loc, scale, size)


@_rule
def _laplace(draw, loc=0.0, scale=1.0, size=None):
    return _laplace_of(draw, loc, scale, size)


@_rule
def _logistic(draw, loc=0.0, scale=1.0, size=None):
    return _logistic_of(draw, loc, scale, size)


@_rule
def _gumbel(draw, loc=0.0, scale=1.0, size=None):
    return _gumbel_of(draw, loc, scale, size)


@_rule
def _lognormal(draw, mean=0.0, sigma=1.0, size=None):
    _check("lognormal", "sigma", sigma)
    return _numpy.exp(_normal_of(draw, mean, sigma, size))


@_rule
def _uniform(draw, low=0.0, high=1.0, size=None):
    width = high - low
    _check_width(draw, _numbers(width))
    return low + width * draw.random(size=_shape(size, low, high))


def _check_width(draw, width):
    fits = (width >= 0.0) & (width < math.inf)
    if fits if type(fits) is bool else fits.all():
        return
    if not _numpy.all(_numpy.isfinite(width)):
        raise OverflowError("high - low range exceeds valid bounds")
    if hasattr(draw, "integers"):  # a Generator; of others the order is free
        raise ValueError("high - low < 0")


@_rule
def _exponential(draw, scale=1.0, size=None):
    _check("exponential", "scale", scale)
    return scale * draw.standard_exponential(size=_shape(size, scale))


@_rule
def _rayleigh(draw, scale=1.0, size=None):
    _check("rayleigh", "scale", scale)
    return scale * draw.rayleigh(1.0, size=_shape(size, scale))


@_rule
def _weibull(draw, a, size=None):
    _check("weibull", "a", a)
    return draw.standard_exponential(size=_shape(size, a)) ** (1.0 / as_array(a))


@_rule
def _pareto(draw, a, size=None):
    _check_positive("pareto", "a", a)
    return _numpy.expm1(draw.standard_exponential(size=_shape(size, a)) / as_array(a))


@_rule
def _power(draw, a, size=None):
    _check_positive("power", "a", a)
    base = -_numpy.expm1(-draw.standard_exponential(size=_shape(size, a)))
    return base ** (1.0 / as_array(a))


@_rule
def _triangular(draw, left, mode, right, size=None):
    p = left, mode, right
    return _samples.triangular(*p, draw.triangular(*map(_numbers, p), size=_shape(size, *p)))


@_rule
def _standard_gamma(draw, shape, size=None):
    drawn = draw.standard_gamma(_numbers(shape), size=_shape(size, shape))
    return _samples.standard_gamma(shape, drawn)


@_rule
def _gamma(draw, shape, scale=1.0, size=None):
    _check("gamma", "scale", scale)
    z = draw.standard_gamma(_numbers(shape), size=_shape(size, shape, scale))
    return scale * (_samples.standard_gamma(shape, z) if _is_traced((shape,)) else z)


@_rule
def _chisquare(draw, df, size=None):
    return _samples.chisquare(df, draw.chisquare(_numbers(df), size=_shape(size, df)))


@_rule
def _beta(draw, a, b, size=None):
    drawn = draw.beta(_numbers(a), _numbers(b), size=_shape(size, a, b))
    return _samples.beta(a, b, drawn)


@_rule
def _standard_t(draw, df, size=None):
    return _samples.standard_t(df, draw.standard_t(_numbers(df), size=_shape(size, df)))


@_rule
def _f(draw, dfnum, dfden, size=None):
    drawn = draw.f(_numbers(dfnum), _numbers(dfden), size=_shape(size, dfnum, dfden))
    return _samples.f(dfnum, dfden, drawn)


@_rule
def _dirichlet(draw, alpha, size=None):
    alpha = as_array(alpha)
    if _numpy.max(_numbers(alpha), initial=0.0) < 0.1:
        raise NotDifferentiableError(
            "dirichlet of tensors needs an alpha of 0.1 or more: NumPy draws in another way if all "
            "are smaller; write it with gamma"
        )
    lead = () if size is None else (size,) if isinstance(size, (int, _numpy.integer)) else size
    z = _standard_gamma(draw, alpha, (*lead, *shape_of(alpha)))
    return z / _reductions.sum(z, -1, keepdims=True)


@_rule
def _multivariate_normal(draw, mean, cov, size=None, check_valid="warn", tol=1e-8, *, method="svd"):
    mean, n = as_array(mean), shape_of(mean)[-1]
    lead = () if size is None else (size,) if isinstance(size, (int, _numpy.integer)) else size
    if not _is_traced([cov]):
        options = {} if method == "svd" else {"method": method}
        zero = _numpy.zeros(n)
        return mean + draw.multivariate_normal(zero, cov, size, check_valid, tol, **options)
    if method != "cholesky":
        raise NotDifferentiableError(
            f"multivariate_normal with a covariance of tensors has the method 'cholesky', got "
            f"{method!r}: singular vectors do not vary smoothly; pass method='cholesky'"
        )
    z = draw.standard_normal(size=(*lead, n))
    return mean + _primitives.matmul(z, _shapes.matrix_transpose(_numpy.linalg.cholesky(cov)))


# ---- generators ----

_REMEDIES = {
    "vonmises": "add a tracked mu to a sample around 0; kappa has no rule",
    "wald": "write it with normal and uniform, or pass x.detach() for a constant",
}
_DISCRETE = {
    *("binomial", "geometric", "hypergeometric", "integers", "logseries", "multinomial"),
    *("multivariate_hypergeometric", "negative_binomial", "poisson", "randint", "zipf"),
    *("random_integers",),
}
_NOT_DRAWING = {"bit_generator", "spawn", "seed", "get_state", "set_state"}


def _refused(name):
    if name in _DISCRETE:
        remedy = (
            "its samples are whole numbers, which do not vary smoothly with the parameters; pass "
            "x.detach().numpy() for a constant"
        )
    else:
        remedy = _REMEDIES.get(name, "pass x.detach().numpy() for a constant")
    return NotDifferentiableError(f"numpy.random's {name} has no derivative; {remedy}")


def _drawing(name):
    """A function that draws by NumPy's of this name, of `draw`, but of tensors too."""
    rule = _rules.get(name)

    def function(draw, *args, **kwargs):
        if _core.is_compiling():
            raise NotDifferentiableError(
                f"random numbers by {name} in a compiled function would be the same at every call; "
                "draw them outside and pass them as an argument"
            )
        if not (_is_traced(args) or (kwargs and _is_traced(kwargs.values()))):
            return getattr(draw, name)(*args, **kwargs)
        if rule is None:
            raise _refused(name)
        return rule(draw, *args, **kwargs)

    return function


def _method(cls, name):
    """A method of a class, that draws by those of NumPy's below it."""
    function = _drawing(name)

    @functools.wraps(getattr(cls.__base__, name))
    def method(self, *args, **kwargs):
        return function(super(cls, self), *args, **kwargs)

    return method


def _drawing_names(base):
    names = [n for n in dir(base) if not n.startswith("_") and n not in _NOT_DRAWING]
    return [n for n in names if callable(getattr(base, n))]


class Generator(_random.Generator):
    """numpy.random.Generator, whose samples are differentiable in tensors among the parameters."""

    def spawn(self, n_children):
        """More generators like this, that are independent of each other."""
        return [type(self)(child.bit_generator) for child in super().spawn(n_children)]


class RandomState(_random.RandomState):
    """numpy.random.RandomState, with samples differentiable in tensors among the parameters."""


def _add_methods(cls):
    for name in _drawing_names(cls.__base__):
        setattr(cls, name, _method(cls, name))


_add_methods(Generator)
_add_methods(RandomState)


def default_rng(seed=None):
    """A generator of NumPy's numbers, made of a seed, a bit generator or a generator."""
    return Generator(_random.default_rng(seed).bit_generator)


def _module_function(name):
    plain = getattr(_random, name)
    return functools.wraps(plain)(functools.partial(_drawing(name), _random))


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(_random, name)
    if name in _drawing_names(_random.RandomState) or name in ("ranf", "sample"):
        found = _module_function(name)
    globals()[name] = found
    return found


def __dir__():
    return sorted({*_random.__dir__()})
