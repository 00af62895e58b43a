"""What all distributions of one variable share: arguments, location and scale, edges, freezing.

A distribution gives formulas of the standardised variable, written in adcore's operations; with no
tensor among the arguments the answer is SciPy's own.
"""

import functools
import math

import numpy as np
import scipy.stats as _scipy

from ... import _core, ops
from ..._calls import missing
from ...errors import NotDifferentiableError
from ...rules.choices import where
from ...rules.primitives import broadcast_to, shape_of
from ...rules.table import is_traced
from .._leaves import leaf
from ..special._function import ByOperations, Function, as_float
from ..special._tails import pick

# ---- numbers that count ----


class _Count(Function):
    """The identity, of numbers that are whole: it cannot be differentiated."""

    def partial(self, i, output, leaves):
        """No derivative exists."""
        raise missing(
            "a distribution of scipy.stats on whole numbers has no derivative with respect to its "
            "argument or to counts such as n: it does not vary smoothly with them"
        )


count = _Count("count_of_distribution", lambda k: k, [""])


def whole(k):
    """Whether k is a whole number."""
    return k == ops.floor(k)


# ---- small helpers of the formulas ----

INF = math.inf
LOG_2 = math.log(2.0)
LOG_2PI = math.log(2.0 * math.pi)
EULER = 0.57721566490153286
_ROUNDING = 2.0**-46  # 64 ulp


def exclude(condition, value, otherwise):
    """`value`, and `otherwise` where the condition does not hold: a tensor if `value` is."""
    if condition is True or (type(condition) is np.ndarray and condition.all()):
        return value
    return where(condition, value, otherwise)


def by_scipy(distribution, q, *shapes, upper):
    """The quantile of q, or of 1 - q if `upper`: SciPy's value, made differentiable.

    Two steps of Newton's method on logarithms bring derivatives up to the third order.  A step that
    is no longer than rounding makes it has its derivatives alone: SciPy's value is as good.
    """
    half = q < 0.5
    fixed = [_core.apply("stop", v) for v in (q, *shapes)]
    y = quantile_value(distribution, upper)(*fixed)
    tail, sign = (distribution.logsf_, -1.0) if upper else (distribution.logcdf_, 1.0)
    other = distribution.logcdf_ if upper else distribution.logsf_
    for _ in range(2):
        density = distribution.logpdf_(y, *shapes)

        def near(y=y, density=density):
            level = tail(y, *shapes)
            return sign * (level - ops.log(q)) * ops.exp(level - density)

        def far(y=y, density=density):
            level = other(y, *shapes)
            return -sign * (level - ops.log1p(-q)) * ops.exp(level - density)

        step = pick(half, near, far)
        length = _core.apply("stop", step)
        y = y - (step - where(ops.abs(length) < _ROUNDING * ops.abs(y), length, 0.0))
    return y


@functools.cache
def quantile_value(distribution, upper):
    """SciPy's quantile of q and the shape parameters, which are constants; of 1 - q if `upper`."""
    method = distribution.plain.isf if upper else distribution.plain.ppf
    constant = [None] * (1 + len(distribution.shapes))
    return Function(f"{distribution.name}.{'isf' if upper else 'ppf'}", method, constant)


class _ByScipy(ByOperations):
    """The definition of a call of a `valued` formula."""

    def __init__(self, distribution, method, formula):
        super().__init__(f"{distribution.name}.{method}", functools.partial(formula, distribution))
        self.compute = getattr(distribution.plain, "_" + method)

    def value(self, leaves):
        """The value of plain leaves, of any that are not valid too."""
        with np.errstate(all="ignore"):
            return as_float(self.compute(*leaves))

    def run(self, leaves):
        """(value, nothing kept for the derivatives) of plain leaves."""
        return self.value(leaves), None


def valued(formula):
    """A formula of a distribution whose value is SciPy's, which is as good and takes less time.

    Recorded afresh it is one call, and only its derivatives are those of the operations: as of
    Valued of adcore.scipy.special.
    """
    method = formula.__name__.removesuffix("_")
    of = functools.cache(lambda distribution: _ByScipy(distribution, method, formula))

    @functools.wraps(formula)
    def called(self, *args):
        if _core.is_compiling() or not any(type(v) is _core.Tensor for v in args):
            return formula(self, *args)
        if any(type(v) is _core.Dual for v in args):
            return formula(self, *args)
        return _core.call(of(self), list(args))

    return called


def _log_of_part(part, rest, y, shapes):
    """The logarithm of one of two parts of 1."""
    other = rest(y, *shapes)
    return pick(other < 0.5, lambda: ops.log1p(-other), lambda: ops.log(part(y, *shapes)))


class Base:
    """Names, parameters and what is left to SciPy, of continuous and discrete distributions alike.

    A subclass defines `logpdf_` (or `logpmf_`) and `cdf_`, `sf_`, or better `logcdf_`, `logsf_`, of
    the standardised argument and the shape parameters, and what it has in closed form of `ppf_`,
    `isf_`, `mean_`, `var_`, `skew_`, `kurtosis_`, `entropy_`, of the shape parameters alone.
    """

    scaled = True  # whether there is a scale
    counts = ()  # names of shape parameters that are whole numbers

    def __init__(self, name):
        self.name, self.plain = name, getattr(_scipy, name)
        text = self.plain.shapes
        self.shapes = tuple([s.strip() for s in text.split(",")]) if text else ()
        self.__doc__ = f"scipy.stats.{name}, also of tensors and duals."

    def __repr__(self):
        return f"<distribution {self.name} of adcore.scipy.stats>"

    def __call__(self, *args, **kwargs):
        return Frozen(self, args, kwargs)

    freeze = __call__

    # ---- to be overridden ----

    def valid_(self, *shapes):
        """Whether the shape parameters are; by default, whether they are positive."""
        ok = True
        for shape in shapes:
            ok = ok & (shape > 0)
        return ok

    def support_(self, *shapes):
        """The ends of the support."""
        del shapes
        return -INF, INF

    def cdf_(self, y, *shapes):
        """The distribution function."""
        return ops.exp(self.logcdf_(y, *shapes))

    def sf_(self, y, *shapes):
        """The survival function."""
        return ops.exp(self.logsf_(y, *shapes))

    def logcdf_(self, y, *shapes):
        """The logarithm of cdf_, with its digits where that is near 1."""
        return _log_of_part(self.cdf_, self.sf_, y, shapes)

    def logsf_(self, y, *shapes):
        """The logarithm of sf_, with its digits where that is near 1."""
        return _log_of_part(self.sf_, self.cdf_, y, shapes)

    # ---- arguments ----

    def bound(self, args, kwargs):
        """(shapes, loc, scale) of arguments in SciPy's order, as leaves."""
        names = (*self.shapes, "loc", "scale") if self.scaled else (*self.shapes, "loc")
        if len(args) > len(names):
            raise TypeError(
                f"{self.name} takes {len(names)} parameters ({', '.join(names)}), got {len(args)}"
            )
        given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in names:
                raise TypeError(f"{self.name} got an unexpected parameter {name!r}")
            if name in given:
                raise TypeError(f"{self.name} got multiple values for parameter {name!r}")
            given[name] = value
        lacking = [name for name in self.shapes if name not in given]
        if lacking:
            raise TypeError(f"{self.name} lacks the parameter {lacking[0]!r}")
        shapes = [leaf(given[name]) for name in self.shapes]
        for i, name in enumerate(self.shapes):
            if name in self.counts and is_traced([shapes[i]]):
                shapes[i] = count(shapes[i])
        loc, scale = given.get("loc", 0.0), given.get("scale", 1.0)
        return shapes, leaf(loc), leaf(scale)

    def _valid(self, shapes, scale):
        valid = self.valid_(*shapes)
        return valid if type(scale) is float and scale > 0 else valid & (scale > 0)

    def _finished(self, out, valid, *args):
        """The result with nan for what is not valid, in the shape of all arguments together."""
        out = exclude(valid, out, math.nan)
        shape = np.broadcast_shapes(*[shape_of(a) for a in args])
        return out if shape_of(out) == shape else broadcast_to(leaf(out), shape)

    def _plainly(self, method, args, kwargs):
        """SciPy's own result, or None if there are tensors."""
        if is_traced(args) or is_traced(kwargs.values()):
            return None
        out = getattr(self.plain, method)(*args, **kwargs)
        return float(out) if isinstance(out, np.floating) else out

    def _formula(self, name, what):
        formula = getattr(self, name, None)
        if formula is None:
            raise NotDifferentiableError(
                f"scipy.stats.{self.name}.{what} of tensors is not in closed form; pass "
                "x.detach().numpy() for a constant"
            )
        return formula

    # ---- quantiles ----

    def _quantile(self, method, q, args, kwargs):
        plain = self._plainly(method, (q, *args), kwargs)
        if plain is not None:
            return plain
        formula = self._formula(method + "_", method)
        shapes, loc, scale = self.bound(args, kwargs)
        q = leaf(q)
        ends = self.support_(*shapes)
        first, last = ends if method == "ppf" else ends[::-1]
        y = exclude((q > 0) & (q < 1), formula(q, *shapes), math.nan)
        y = exclude(q != 0, y, first)
        y = exclude(q != 1, y, last)
        out = y * scale + loc
        return self._finished(out, self._valid(shapes, scale), q, *shapes, loc, scale)

    def ppf(self, q, *args, **kwargs):
        """The quantile: where the cdf is q."""
        return self._quantile("ppf", q, args, kwargs)

    def isf(self, q, *args, **kwargs):
        """Where the sf is q."""
        return self._quantile("isf", q, args, kwargs)

    def median(self, *args, **kwargs):
        """The quantile of 1/2."""
        return self.ppf(0.5, *args, **kwargs)

    def interval(self, confidence, *args, **kwargs):
        """The two quantiles around the median between which the probability is `confidence`."""
        plain = self._plainly("interval", (confidence, *args), kwargs)
        if plain is not None:
            return plain
        if is_traced([confidence]):
            confidence = leaf(confidence)
        low, high = (1.0 - confidence) / 2, (1.0 + confidence) / 2
        return self.ppf(low, *args, **kwargs), self.ppf(high, *args, **kwargs)

    def support(self, *args, **kwargs):
        """The ends of the support."""
        plain = self._plainly("support", args, kwargs)
        if plain is not None:
            return plain
        shapes, loc, scale = self.bound(args, kwargs)
        valid = self._valid(shapes, scale)
        return tuple(
            [
                self._finished(end * scale + loc, valid, *shapes, loc, scale)
                for end in self.support_(*shapes)
            ]
        )

    # ---- moments and entropy ----

    def _of_parameters(self, what, args, kwargs, combine):
        plain = self._plainly(what, args, kwargs)
        if plain is not None:
            return plain
        formula = self._formula({"std": "var"}.get(what, what) + "_", what)
        shapes, loc, scale = self.bound(args, kwargs)
        out = combine(formula(*shapes), loc, scale)
        return self._finished(out, self._valid(shapes, scale), *shapes, loc, scale)

    def mean(self, *args, **kwargs):
        """The expectation."""
        return self._of_parameters("mean", args, kwargs, lambda m, loc, scale: m * scale + loc)

    def var(self, *args, **kwargs):
        """The variance."""
        return self._of_parameters("var", args, kwargs, lambda v, loc, scale: v * scale * scale)

    def std(self, *args, **kwargs):
        """The standard deviation."""
        return self._of_parameters("std", args, kwargs, lambda v, loc, scale: ops.sqrt(v) * scale)

    def entropy(self, *args, **kwargs):
        """The entropy, differential for a continuous distribution."""

        def combine(h, loc, scale):
            return h + ops.log(scale) if self.scaled else h

        return self._of_parameters("entropy", args, kwargs, combine)

    def stats(self, *args, **kwargs):
        """Mean ("m"), variance ("v"), skewness ("s"), excess kurtosis ("k"): those of `moments`."""
        plain = self._plainly("stats", args, kwargs)
        if plain is not None:
            return plain
        moments = kwargs.pop("moments", "mv")
        shapes, loc, scale = self.bound(args, kwargs)
        valid = self._valid(shapes, scale)
        found = []
        for letter, what in (("m", "mean"), ("v", "var"), ("s", "skew"), ("k", "kurtosis")):
            if letter in moments:
                out = self._formula(what + "_", f"stats, its {what},")(*shapes)
                if letter == "m":
                    out = out * scale + loc
                elif letter == "v":
                    out = out * scale * scale
                found.append(self._finished(out, valid, *shapes, loc, scale))
        return found[0] if len(found) == 1 else tuple(found)

    # ---- what takes plain numbers alone ----

    def _numbers_only(self, method, remedy, args, kwargs):
        if is_traced(args) or is_traced(kwargs.values()):
            raise NotDifferentiableError(f"scipy.stats.{self.name}.{method} of tensors: {remedy}")
        return getattr(self.plain, method)(*args, **kwargs)

    def rvs(self, *args, **kwargs):
        """Random numbers, by SciPy."""
        remedy = (
            "a sample is not differentiated; write it as a function of one without parameters, "
            "such as loc + scale * z, or pass x.detach().numpy() for constants"
        )
        return self._numbers_only("rvs", remedy, args, kwargs)

    def fit(self, *args, **kwargs):
        """Parameters fitted to data, by SciPy."""
        remedy = "write the likelihood with its logpdf and minimise that"
        return self._numbers_only("fit", remedy, args, kwargs)

    def expect(self, *args, **kwargs):
        """Expectation of a function, by SciPy."""
        return self._numbers_only("expect", "write the integral with a fixed rule", args, kwargs)

    def moment(self, *args, **kwargs):
        """A moment about zero, by SciPy."""
        return self._numbers_only("moment", "use mean, var and stats", args, kwargs)

    def __getattr__(self, name):
        """What else SciPy's distribution has, as it is."""
        if name.startswith("_") or name.endswith("_") or name == "plain":
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.plain, name)


class Continuous(Base):
    """A distribution on real numbers."""

    open_ends = False  # whether the density is 0 at the ends of its support

    def pdf_(self, y, *shapes):
        """The density."""
        return ops.exp(self.logpdf_(y, *shapes))

    def _density(self, method, x, args, kwargs, outside):
        plain = self._plainly(method, (x, *args), kwargs)
        if plain is not None:
            return plain
        shapes, loc, scale = self.bound(args, kwargs)
        x = leaf(x)
        y = (x - loc) / scale
        a, b = self.support_(*shapes)
        out = getattr(self, method + "_")(y, *shapes)
        out = out - ops.log(scale) if outside else out / scale
        if self.open_ends:
            out = exclude((y > a) & (y < b), out, outside)
        elif not (_infinite(a) and _infinite(b)):
            out = exclude((y >= a) & (y <= b), out, outside)
        valid = self._valid(shapes, scale) & (x == x)
        return self._finished(out, valid, x, *shapes, loc, scale)

    def _distribution(self, method, x, args, kwargs, below, above):
        plain = self._plainly(method, (x, *args), kwargs)
        if plain is not None:
            return plain
        shapes, loc, scale = self.bound(args, kwargs)
        x = leaf(x)
        y = (x - loc) / scale
        a, b = self.support_(*shapes)
        out = exclude(y > a, getattr(self, method + "_")(y, *shapes), below)
        out = exclude(y < b, out, above)
        valid = self._valid(shapes, scale) & (x == x)
        return self._finished(out, valid, x, *shapes, loc, scale)

    def logpdf(self, x, *args, **kwargs):
        """The logarithm of the density."""
        return self._density("logpdf", x, args, kwargs, -INF)

    def pdf(self, x, *args, **kwargs):
        """The density."""
        return self._density("pdf", x, args, kwargs, 0.0)

    def logcdf(self, x, *args, **kwargs):
        """The logarithm of the distribution function."""
        return self._distribution("logcdf", x, args, kwargs, -INF, 0.0)

    def cdf(self, x, *args, **kwargs):
        """The distribution function."""
        return self._distribution("cdf", x, args, kwargs, 0.0, 1.0)

    def logsf(self, x, *args, **kwargs):
        """The logarithm of the survival function."""
        return self._distribution("logsf", x, args, kwargs, 0.0, -INF)

    def sf(self, x, *args, **kwargs):
        """The survival function, 1 - cdf."""
        return self._distribution("sf", x, args, kwargs, 1.0, 0.0)

    def nnlf(self, theta, x):
        """The negative log-likelihood of the data x, theta = (*shapes, loc, scale)."""
        if not is_traced([theta, x]):
            return self.plain.nnlf(theta, x)
        return -leaf(self.logpdf(x, *theta)).sum()


def _infinite(end):
    return type(end) is float and math.isinf(end)


class Discrete(Base):
    """A distribution on whole numbers.  Its pmf vanishes elsewhere, and its cdf has steps."""

    scaled = False

    def pmf_(self, k, *shapes):
        """The probability of k."""
        return ops.exp(self.logpmf_(k, *shapes))

    def _placed(self, k, loc):
        """K - loc, as a constant, and whether it is nan."""
        k = k - loc
        return count(k) if is_traced([k]) else k

    def _mass(self, method, k, args, kwargs, outside):
        plain = self._plainly(method, (k, *args), kwargs)
        if plain is not None:
            return plain
        shapes, loc, scale = self.bound(args, kwargs)
        k = leaf(k)
        y = self._placed(k, loc)
        a, b = self.support_(*shapes)
        out = getattr(self, method + "_")(y, *shapes)
        out = exclude((y >= a) & (y <= b) & whole(y), out, outside)
        valid = self._valid(shapes, scale) & (y == y)
        return self._finished(out, valid, k, *shapes, loc)

    def _distribution(self, method, k, args, kwargs, below, above):
        plain = self._plainly(method, (k, *args), kwargs)
        if plain is not None:
            return plain
        shapes, loc, scale = self.bound(args, kwargs)
        k = leaf(k)
        y = ops.floor(self._placed(k, loc))
        a, b = self.support_(*shapes)
        out = exclude(y >= a, getattr(self, method + "_")(y, *shapes), below)
        out = exclude(y < b, out, above)
        valid = self._valid(shapes, scale) & (y == y)
        return self._finished(out, valid, k, *shapes, loc)

    def logpmf(self, k, *args, **kwargs):
        """The logarithm of the probability of k."""
        return self._mass("logpmf", k, args, kwargs, -INF)

    def pmf(self, k, *args, **kwargs):
        """The probability of k."""
        return self._mass("pmf", k, args, kwargs, 0.0)

    def logcdf(self, k, *args, **kwargs):
        """The logarithm of the distribution function."""
        return self._distribution("logcdf", k, args, kwargs, -INF, 0.0)

    def cdf(self, k, *args, **kwargs):
        """The probability of k or less."""
        return self._distribution("cdf", k, args, kwargs, 0.0, 1.0)

    def logsf(self, k, *args, **kwargs):
        """The logarithm of the survival function."""
        return self._distribution("logsf", k, args, kwargs, 0.0, -INF)

    def sf(self, k, *args, **kwargs):
        """The probability of more than k."""
        return self._distribution("sf", k, args, kwargs, 1.0, 0.0)

    def _quantile(self, method, q, args, kwargs):
        remedy = "quantiles on whole numbers jump; pass x.detach().numpy() for constants"
        return self._numbers_only(method, remedy, (q, *args), kwargs)


class Frozen:
    """A distribution with its parameters, as norm(0, 2) is."""

    def __init__(self, dist, args, kwargs):
        self.dist, self.args, self.kwds = dist, args, kwargs
        if not (is_traced(args) or is_traced(kwargs.values())):
            dist.plain(*args, **kwargs)  # SciPy's errors, if there are any
        else:
            dist.bound(args, kwargs)

    def __repr__(self):
        return f"<frozen distribution {self.dist.name} of adcore.scipy.stats>"

    def __getattr__(self, name):
        """A method of the distribution, given the parameters after its own first arguments."""
        if name in _FIRST:
            method = getattr(self.dist, name)

            def frozen(*first, **kwargs):
                return method(*first, *self.args, **self.kwds, **kwargs)

            frozen.__name__ = name
            return frozen
        if name in ("rvs", "expect", "moment") and not (
            is_traced(self.args) or is_traced(self.kwds.values())
        ):
            return getattr(self.dist.plain(*self.args, **self.kwds), name)
        if name in ("rvs", "expect", "moment"):
            return lambda *args, **kwargs: getattr(self.dist, name)(*self.args, *args, **kwargs)
        if name in ("a", "b"):
            return self.support()[name == "b"]
        raise AttributeError(f"a frozen distribution has no attribute {name!r}")


_FIRST = {
    *("pdf", "logpdf", "pmf", "logpmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf"),
    *("median", "interval", "support", "mean", "var", "std", "entropy", "stats"),
}
