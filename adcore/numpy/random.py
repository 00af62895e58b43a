"""NumPy's random numbers, differentiable in the parameters of their distributions.

Without tensors among the arguments the numbers are NumPy's own, bit for bit; with them they are the
same to rounding, and the stream goes on at the same place.  A sample is a smooth function of the
parameters and of what the generator drew: of a location and a scale as it stands, of a shape
through the distribution function, which stays the same where sample and shape move together
(implicit reparametrisation).

A compiled function would draw once and replay that for ever, so drawing in one is an error.
"""

import functools

import numpy as _numpy
import numpy.random as _random

from .. import _core
from ..errors import NotDifferentiableError
from ..rules import choices as _choices
from ..rules import primitives as _primitives
from ..rules import reductions as _reductions
from ..rules import shapes as _shapes
from ..rules.primitives import as_array, below, shape_of, values
from ..rules.table import is_traced as _is_traced

__all__ = list(_random.__all__)


# ---- samples that follow their parameters ----


def _gamma_sample(a, drawn):
    """`drawn`, a sample of the gamma distribution, as it moves with its parameter."""
    from ..scipy.special._gamma import gamma_sample

    return gamma_sample(a, drawn)


def _beta_sample(a, b, drawn):
    """The same of the beta distribution."""
    from ..scipy.special._gamma import beta_sample

    return beta_sample(a, b, drawn)


def _beta_odds(a, b, odds):
    """V / (1 - v) of a sample v of the beta distribution, drawn as `odds`.

    The smaller of v and 1 - v is what follows the parameters, for its digits.
    """
    small = odds < 1
    v = _beta_sample(a, b, _numpy.where(small, odds / (1 + odds), 0.5))
    w = _beta_sample(b, a, _numpy.where(small, 0.5, 1 / (1 + odds)))
    return _choices.where(small, v / (1 - v), (1 - w) / w)


# ---- distributions: functions of `draw`, which calls NumPy's method of a name ----

_rules = {}


def _rule(function):
    _rules[function.__name__.strip("_")] = function
    return function


def _shape(size, *parameters):
    """The shape of a sample, as NumPy takes it: that of the parameters unless it is given."""
    shapes = [shape_of(p) for p in parameters]
    if not any(shapes):
        return size
    shape = _numpy.broadcast_shapes(*shapes)
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
    return _numpy.asarray(values(as_array(x)))


def _check(name, least=0.0, **parameters):
    """Refuse a parameter that is negative, or not positive where `least` is not 0."""
    for parameter, x in parameters.items():
        low = values(as_array(x)) < least
        if low if type(low) is bool else low.any():
            sign = "<=" if least else "<"
            raise ValueError(f"{parameter} {sign} 0 in {name}")


_POSITIVE = 5e-324  # the least number above 0


def _located(name, standard, arguments=(), scale="scale"):
    """Distributions of loc + scale z, with z drawn by NumPy's method `standard`."""

    def rule(draw, loc, spread, size):
        _check(name, **{scale: spread})
        return loc + spread * draw(standard, *arguments, size=_shape(size, loc, spread))

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
    _check("lognormal", sigma=sigma)
    return _numpy.exp(_normal_of(draw, mean, sigma, size))


@_rule
def _uniform(draw, low=0.0, high=1.0, size=None):
    return low + (high - low) * draw("random", size=_shape(size, low, high))


@_rule
def _exponential(draw, scale=1.0, size=None):
    _check("exponential", scale=scale)
    return scale * draw("standard_exponential", size=_shape(size, scale))


@_rule
def _rayleigh(draw, scale=1.0, size=None):
    _check("rayleigh", scale=scale)
    return scale * draw("rayleigh", 1.0, size=_shape(size, scale))


@_rule
def _weibull(draw, a, size=None):
    _check("weibull", a=a)
    return draw("standard_exponential", size=_shape(size, a)) ** (1.0 / as_array(a))


@_rule
def _pareto(draw, a, size=None):
    _check("pareto", _POSITIVE, a=a)
    return _numpy.expm1(draw("standard_exponential", size=_shape(size, a)) / as_array(a))


@_rule
def _power(draw, a, size=None):
    _check("power", _POSITIVE, a=a)
    base = -_numpy.expm1(-draw("standard_exponential", size=_shape(size, a)))
    return base ** (1.0 / as_array(a))


@_rule
def _triangular(draw, left, mode, right, size=None):
    if _numpy.any(_numbers(left) > _numbers(mode)) or _numpy.any(_numbers(mode) > _numbers(right)):
        raise ValueError("triangular needs left <= mode <= right")
    u = draw("random", size=_shape(size, left, mode, right))
    base = right - left
    first = below(u * base) <= below(mode - left)
    # Where the other branch is taken its root is of a positive number all the same.
    low = left + _numpy.sqrt(u * (mode - left) * base)
    high = right - _numpy.sqrt((1.0 - u) * (right - mode) * base)
    return _choices.where(first, low, high)


@_rule
def _standard_gamma(draw, shape, size=None):
    _check("standard_gamma", shape=shape)
    drawn = draw("standard_gamma", _numbers(shape), size=_shape(size, shape))
    return _gamma_sample(shape, drawn)


@_rule
def _gamma(draw, shape, scale=1.0, size=None):
    _check("gamma", scale=scale)
    return scale * _standard_gamma(draw, shape, _shape(size, shape, scale))


@_rule
def _chisquare(draw, df, size=None):
    _check("chisquare", _POSITIVE, df=df)
    return 2.0 * _standard_gamma(draw, as_array(df) / 2.0, size)


@_rule
def _beta(draw, a, b, size=None):
    drawn = draw("beta", _numbers(a), _numbers(b), size=_shape(size, a, b))
    return _beta_sample(a, b, drawn)


@_rule
def _standard_t(draw, df, size=None):
    drawn = draw("standard_t", _numbers(df), size=_shape(size, df))
    odds = _beta_odds(0.5, as_array(df) / 2.0, drawn * drawn / _numbers(df))
    return _numpy.sign(drawn) * _numpy.sqrt(df * odds)


@_rule
def _f(draw, dfnum, dfden, size=None):
    m, n = _numbers(dfnum), _numbers(dfden)
    drawn = draw("f", m, n, size=_shape(size, dfnum, dfden))
    dfnum, dfden = as_array(dfnum), as_array(dfden)
    return _beta_odds(dfnum / 2.0, dfden / 2.0, drawn * m / n) * dfden / dfnum


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
        return mean + draw("multivariate_normal", zero, cov, size, check_valid, tol, **options)
    if method != "cholesky":
        raise NotDifferentiableError(
            f"multivariate_normal with a covariance of tensors has the method 'cholesky', got "
            f"{method!r}: singular vectors do not vary smoothly; pass method='cholesky'"
        )
    z = draw("standard_normal", size=(*lead, n))
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


def _drawing(name, plain):
    """A function `plain` that draws, but of tensors too, by `draw`, which takes a name."""
    rule = _rules.get(name)

    @functools.wraps(plain)
    def function(draw, *args, **kwargs):
        if _core.is_compiling():
            raise NotDifferentiableError(
                f"random numbers by {name} in a compiled function would be the same at every call; "
                "draw them outside and pass them as an argument"
            )
        if not (_is_traced(args) or (kwargs and _is_traced(kwargs.values()))):
            return draw(name, *args, **kwargs)
        if rule is None:
            raise _refused(name)
        return rule(draw, *args, **kwargs)

    return function


def _draw(base, generator, name, *args, **kwargs):
    return getattr(base, name)(generator, *args, **kwargs)


def _method(base, name):
    function = _drawing(name, getattr(base, name))

    @functools.wraps(getattr(base, name))
    def method(self, *args, **kwargs):
        return function(functools.partial(_draw, base, self), *args, **kwargs)

    return method


def _drawing_names(base):
    names = [n for n in dir(base) if not n.startswith("_") and n not in _NOT_DRAWING]
    return [n for n in names if callable(getattr(base, n))]


class Generator(_random.Generator):
    """numpy.random.Generator, whose samples are differentiable in tensors among the parameters."""

    for _name in _drawing_names(_random.Generator):
        locals()[_name] = _method(_random.Generator, _name)
    del _name

    def spawn(self, n_children):
        """More generators like this, that are independent of each other."""
        return [type(self)(child.bit_generator) for child in super().spawn(n_children)]


class RandomState(_random.RandomState):
    """numpy.random.RandomState, with samples differentiable in tensors among the parameters."""

    for _name in _drawing_names(_random.RandomState):
        locals()[_name] = _method(_random.RandomState, _name)
    del _name


def default_rng(seed=None):
    """A generator of NumPy's numbers, made of a seed, a bit generator or a generator."""
    return Generator(_random.default_rng(seed).bit_generator)


def _module_function(name):
    def draw(called, *args, **kwargs):
        return getattr(_random, called)(*args, **kwargs)

    return functools.wraps(getattr(_random, name))(
        functools.partial(_drawing(name, getattr(_random, name)), draw)
    )


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
