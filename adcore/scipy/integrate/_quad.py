"""Integrals over intervals: SciPy's, and their derivatives as integrals of derivatives.

The derivative of an integral in a parameter is the integral of the integrand's derivative, found
by the same routine with tolerances of its own, not by differentiating the sum that approximates
the integral: it is as accurate as the integral even where the integrand's derivative needs other
nodes than the integrand.  In the limits it is the integrand there.
"""

import functools

import numpy as np
import scipy.integrate as _scipy

from ... import _calls, _core
from ..._captured import captured
from ..._core import Dual, Tensor
from ..._named import CALLS_BACK
from ..._trees import is_tracked, shape_of
from ...errors import NotDifferentiableError
from ...ops import cos, sin
from ...rules.primitives import as_array, below, reshape, values
from .._leaves import leaf
from . import _families as families


class Integral:
    """The integral of bind(theta), a function of x; leaves are [a, b, break points, *theta].

    Parameters
    ----------
    solve : callable
        (f, a, b, points, units) -> (value, error, more), of plain numbers; units, a number or an
        array in the shape of the value, are what absolute tolerances are multiplied by.
    weighted : callable
        (f, x) -> what is integrated, at x.
    units : callable
        units(theta).
    """

    remedy = "it is the integral of the integrand's derivative"
    unsaved = CALLS_BACK

    def __init__(self, name, bind, solve, weighted, units=None, derived=False):
        self.name, self.bind, self.solve, self.weighted = name, bind, solve, weighted
        self.units, self.more = units or _one, ()
        self.bound = families.Fast(bind, 1) if derived else bind

    def rule(self, mode):
        """The name of a rule, for errors."""
        return f"the {mode} rule of {self.name}"

    def value(self, leaves):
        """The output of plain leaves."""
        return self.run(leaves)[0]

    def run(self, leaves):
        """((value, error), nothing) of plain leaves."""
        value, error, self.more = _core.aside(self._solved, *leaves)
        return (value, error), None

    def _solved(self, a, b, points, *theta):
        return self.solve(self.bound(theta), a, b, points, self.units(theta))

    def push(self, leaves, output, saved, tangents):
        """The tangent of the value; the error is constant."""
        del saved
        a, b, points, *theta = leaves
        moved = [i for i, t in enumerate(tangents[3:]) if t is not None]
        found = self._ends(leaves, tangents[0], tangents[1])
        if tangents[2] is not None:
            for jump, dot in zip(self._jumps(leaves), tangents[2], strict=True):
                found = jump * dot if found is None else found + jump * dot
        if moved:
            directions = [tangents[3 + i] for i in moved]
            n = len(theta)

            def units(both):
                chosen = [both[i] for i in moved]
                return self.units(both[:n]) * families.along(chosen, both[n:])

            rate = self._derived(families.tangent(self.bind, moved, n), units)
            part = _calls.call(rate, [a, b, points, *theta, *directions])[0]
            found = part if found is None else found + part
        if found is not None and shape_of(found) != shape_of(output[0]):
            found = reshape(found, shape_of(output[0]))
        return [found, None]

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves."""
        del saved
        a, b, points, *theta = leaves
        ct = ct[0]
        if ct is None:
            return [None] * len(wanted)
        found = dict.fromkeys(wanted)
        for i in {0, 1} & set(wanted):
            seeds = [1.0 if i == 0 else None, 1.0 if i == 1 else None]
            rate = self._ends(leaves, *seeds)
            found[i] = None if rate is None else families.total(ct * rate)
        if 2 in found and shape_of(points)[0]:
            found[2] = families.joined([families.total(ct * j) for j in self._jumps(leaves)])
        chosen = [i - 3 for i in wanted if i >= 3]
        if chosen:
            shapes = [shape_of(theta[i]) for i in chosen]
            n = len(theta)

            def units(both):
                size = np.max(np.abs(both[n]), initial=0.0) or 1.0
                each = [np.ravel(families.unit(both[i])) for i in chosen]
                return np.max(self.units(both[:n])) * size * np.concatenate(each)

            rate = self._derived(families.adjoint(self.bind, chosen, n), units)
            flat = _calls.call(rate, [a, b, points, *theta, ct])[0]
            parts = families.split(flat, shapes)
            found.update({i + 3: p for i, p in zip(chosen, parts, strict=True)})
        del output
        return [found[i] for i in wanted]

    def _derived(self, bind, units):
        return Integral(self.name, bind, self.solve, self.weighted, units, derived=True)

    def _jumps(self, leaves):
        """What moving the break points does: by how much the integrand falls at each."""
        f, points = self.bind(leaves[3:]), leaves[2]
        for i in range(shape_of(points)[0]):
            p = points[i]
            aside = np.finfo(float).eps * abs(families.constant(p)) + np.finfo(float).tiny
            before, after = (as_array(self.weighted(f, x)) for x in (p - aside, p + aside))
            yield before - after

    def _ends(self, leaves, adot, bdot):
        """What moving the limits does: the integrand there."""
        found = None
        f = self.bind(leaves[3:])
        for x, dot, sign in ((leaves[1], bdot, 1.0), (leaves[0], adot, -1.0)):
            if dot is None or bool(np.isinf(below(x))):  # a guard, where limits are recorded
                continue
            part = sign * dot * as_array(self.weighted(f, x))
            found = part if found is None else found + part
        return found


def _one(theta):
    del theta
    return 1.0


# ---- quad ----


def _unweighted(f, x):
    return f(x)


def _weighted(weight, wvar):
    if weight is None:
        return _unweighted
    if weight == "cos":
        return lambda f, x: cos(wvar * x) * f(x)
    if weight == "sin":
        return lambda f, x: sin(wvar * x) * f(x)
    if weight == "cauchy":
        return lambda f, x: f(x) / (x - wvar)

    def refuse(f, x):
        del f, x
        raise NotDifferentiableError(
            f"quad with weight={weight!r}, which is singular at the limits, has no derivative in "
            "them; scale the variable so that the limits are constant"
        )

    return refuse


def _solve_quad(f, a, b, points, units, options):
    """SciPy's quad, for each component if the integrand is a vector."""
    options = dict(options)
    if len(points):
        options["points"] = points
    if np.ndim(units) == 0:
        options["epsabs"] = options["epsabs"] * float(units)
        value, error, *more = _scipy.quad(lambda x: _as_float(f(x)), a, b, **options)
        return value, error, more
    seen = {}

    def component(i, x):
        if x not in seen:
            seen[x] = f(x)
        return seen[x][i]

    options["full_output"] = 0
    found = np.empty((len(units), 2))
    for i, scale in enumerate(units):
        options["epsabs"] = options["epsabs"] * float(scale)
        found[i] = _scipy.quad(functools.partial(component, i), a, b, **options)
        options["epsabs"] = options["epsabs"] / float(scale)
    return found[:, 0], float(np.max(found[:, 1], initial=0.0)), ()


def _as_float(y):
    """What an integrand returned for plain numbers."""
    if is_tracked(y):
        raise NotDifferentiableError(
            "the integrand of quad uses a tracked tensor that was not found in its closure, "
            "globals or attributes; pass it through args"
        )
    return float(values(y) if type(y) is Tensor else y)


def quad(
    func,
    a,
    b,
    args=(),
    full_output=0,
    epsabs=1.49e-8,
    epsrel=1.49e-8,
    limit=50,
    points=None,
    weight=None,
    wvar=None,
    wopts=None,
    maxp1=50,
    limlst=50,
    complex_func=False,
):
    """scipy.integrate.quad, differentiable in the limits, in args, and in what func closes over.

    Where the integrand has a jump, or a corner, at a place that depends on a tensor, give that
    place in `points`: a derivative, of second order for a corner, is due to the place's moving.

    Returns
    -------
    (value, error) or (value, error, info)
        The error, SciPy's estimate, is constant.
    """
    args = args if isinstance(args, tuple) else (args,)
    options = {
        "full_output": full_output, "epsabs": epsabs, "epsrel": epsrel, "limit": limit,
        "weight": weight, "wvar": wvar, "wopts": wopts, "maxp1": maxp1, "limlst": limlst,
    }  # fmt: skip
    theta, bind = families.binding(func, args)
    limits = [leaf(v, "a limit") if _is_traced(v) else v for v in (a, b)]
    if _is_traced([wvar, epsabs, epsrel]):
        raise NotDifferentiableError(
            "quad has no derivative in wvar or in tolerances; write the weight into the integrand"
        )
    if not theta and not any(map(_is_traced, [*limits, points])):
        return _scipy.quad(func, a, b, args, points=points, complex_func=complex_func, **options)
    if complex_func:
        raise NotDifferentiableError(
            "quad with complex_func=True takes no tensors; integrate real and imaginary parts"
        )
    points = np.empty(0) if points is None else leaf(points, "a break point")
    solve = functools.partial(_solve_quad, options=options)
    integral = Integral("quad", bind, solve, _weighted(weight, wvar))
    value, error = _calls.call(integral, [*map(_limit, limits), points, *theta])
    return (value, _as_constant(error), *integral.more)


def _limit(x):
    return x if type(x) in (Tensor, Dual) else float(x)


def _is_traced(x):
    if type(x) is list or type(x) is tuple:
        return any(map(_is_traced, x))
    return type(x) is Dual or type(x) is Tensor


def _as_constant(x):
    return families.constant(x)


# ---- integrals over more dimensions: integrals of integrals ----


def dblquad(func, a, b, gfun, hfun, args=(), epsabs=1.49e-8, epsrel=1.49e-8):
    """scipy.integrate.dblquad, differentiable as quad is."""
    if not captured((func, a, b, gfun, hfun, args))[0]:
        return _scipy.dblquad(func, a, b, gfun, hfun, args, epsabs, epsrel)

    def inner(x, *rest):
        del rest
        return [gfun(x) if callable(gfun) else gfun, hfun(x) if callable(hfun) else hfun]

    return nquad(func, [inner, [a, b]], args, {"epsabs": epsabs, "epsrel": epsrel})


def tplquad(func, a, b, gfun, hfun, qfun, rfun, args=(), epsabs=1.49e-8, epsrel=1.49e-8):
    """scipy.integrate.tplquad, differentiable as quad is."""
    if not captured((func, a, b, gfun, hfun, qfun, rfun, args))[0]:
        return _scipy.tplquad(func, a, b, gfun, hfun, qfun, rfun, args, epsabs, epsrel)

    def inner(y, x, *rest):
        del rest
        return [
            qfun(x, y) if callable(qfun) else qfun,
            rfun(x, y) if callable(rfun) else rfun,
        ]

    def middle(x, *rest):
        del rest
        return [gfun(x) if callable(gfun) else gfun, hfun(x) if callable(hfun) else hfun]

    return nquad(func, [inner, middle, [a, b]], args, {"epsabs": epsabs, "epsrel": epsrel})


def nquad(func, ranges, args=None, opts=None, full_output=False):
    """scipy.integrate.nquad, differentiable as quad is."""
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    if not captured((func, ranges, args, opts))[0]:
        return _scipy.nquad(func, ranges, args, opts, full_output)
    if full_output:
        raise NotDifferentiableError("nquad of tensors has no full_output; leave it out")
    depth = len(ranges)
    opts = list(opts) if isinstance(opts, (list, tuple)) else [opts or {}] * depth
    most = [0.0]  # the greatest error estimate of all, as SciPy has it

    def level(i, outer):
        """The integral over the variables 0 to i, for given ones from i + 1 on."""
        limits = ranges[i](*outer, *args) if callable(ranges[i]) else ranges[i]
        given = opts[i](*outer, *args) if callable(opts[i]) else opts[i]

        def integrand(x):
            return func(x, *outer, *args) if i == 0 else level(i - 1, (x, *outer))

        value, error, *_ = quad(integrand, limits[0], limits[1], **given)
        most[0] = max(most[0], float(families.numbers(error)))
        return value

    return level(depth - 1, ()), most[0]


# ---- vectors ----


def quad_vec(
    f,
    a,
    b,
    epsabs=1e-200,
    epsrel=1e-8,
    norm="2",
    cache_size=100e6,
    limit=10000,
    workers=1,
    points=None,
    quadrature=None,
    full_output=False,
    *,
    args=(),
):
    """scipy.integrate.quad_vec, differentiable in the limits, in args and in what f closes over.

    Returns
    -------
    (value, error) or (value, error, info)
        The error, SciPy's estimate, is constant.
    """
    args = args if isinstance(args, tuple) else (args,)
    options = {
        "epsabs": epsabs, "epsrel": epsrel, "norm": norm, "cache_size": cache_size,
        "limit": limit, "workers": workers, "quadrature": quadrature, "full_output": full_output,
    }  # fmt: skip
    theta, bind = families.binding(f, args)
    limits = [leaf(v, "a limit") if _is_traced(v) else v for v in (a, b)]
    if not theta and not any(map(_is_traced, [*limits, points])):
        return _scipy.quad_vec(f, a, b, points=points, args=args, **options)

    def solve(f, a, b, points, units):
        given = {**options, "points": points} if len(points) else options
        given = {**given, "epsabs": epsabs * float(np.min(units, initial=1.0))}
        value, error, *more = _scipy.quad_vec(f, a, b, **given)
        return value, float(error), more

    points = np.empty(0) if points is None else leaf(points, "a break point")
    integral = Integral("quad_vec", bind, solve, _unweighted)
    value, error = _calls.call(integral, [*map(_limit, limits), points, *theta])
    return (value, _as_constant(error), *integral.more)


@functools.lru_cache(32)
def _legendre(n):
    return np.polynomial.legendre.leggauss(n) if n > 0 else (np.empty(0), np.empty(0))


def fixed_quad(func, a, b, args=(), n=5):
    """scipy.integrate.fixed_quad, of tensors: the sum that it is, differentiated."""
    args = args if isinstance(args, tuple) else (args,)
    if not captured((func, a, b, args))[0]:
        return _scipy.fixed_quad(func, a, b, args, n)
    for x in (a, b):
        if not bool(np.isfinite(below(x))):
            raise ValueError("Gaussian quadrature is only available for finite limits.")
    nodes, weights = _legendre(n)
    half = 0.5 * (b - a)
    y = as_array(func(half * (nodes + 1.0) + a, *args))
    return half * (weights * y).sum(-1), None
