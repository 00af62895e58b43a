"""Least squares: linear and not, with bounds, and curves through data."""

import inspect

import numpy as np
import scipy.optimize as _scipy

from ... import ops
from ..._implicit import raveled, solution
from ..._minima import Minimum
from ...errors import NotDifferentiableError
from ...rules.choices import where
from ...rules.primitives import as_array, matmul, reshape, sum_axes, transpose
from ...rules.reductions import norm
from ...transforms import jacobian
from ._call import result, solver
from ._minima import read
from ._roots import refuse_full_output, shape_at

functions = {}


def _define(rule, *may_vary, names):
    """Let `rule(call)` answer functions of SciPy's."""
    for name in names:
        functions[name] = solver(rule, getattr(_scipy, name), may_vary)


def _total(x):
    return sum_axes(x, None)


def both_sides(bounds):
    """A pair of bounds, each one number or a vector; None if both are infinite."""
    if isinstance(bounds, _scipy.Bounds):
        bounds = bounds.lb, bounds.ub
    least, greatest = map(as_array, bounds)
    if all(type(b) is np.ndarray and np.isinf(b).all() for b in (least, greatest)):
        return None
    return least, greatest


# ---- loss functions: of the squared residual, for small and large ones ----


def _soft_l1(z):
    return 2.0 * (ops.sqrt(1.0 + z) - 1.0)


def _huber(z):
    return where(z <= 1.0, z, 2.0 * ops.sqrt(where(z <= 1.0, 1.0, z)) - 1.0)


_LOSSES = {
    "soft_l1": _soft_l1,
    "huber": _huber,
    "cauchy": ops.log1p,
    "arctan": ops.atan,
}


def cost(residuals, loss="linear", scale=1.0):
    """Half of the sum of losses."""
    if loss == "linear":
        return 0.5 * _total(residuals * residuals)
    z = (residuals / scale) ** 2
    rho = loss(z)[0] if callable(loss) else _LOSSES[loss](z)
    return 0.5 * scale**2 * _total(rho)


# ---- of any function ----


def _least_squares(call):
    n = int(np.prod(shape_at(call["x0"])))
    if isinstance(call["bounds"], _scipy.Bounds):
        call["bounds"] = (call["bounds"].lb, call["bounds"].ub)

    def f(given, x):
        return raveled(given["fun"](x, *given["args"], **(given["kwargs"] or {})))

    def value(given, x):
        return cost(f(given, x), given["loss"], given["f_scale"])

    bounded = None
    if both_sides(call["bounds"]) is not None:

        def bounded(given):
            return both_sides(given["bounds"])

    z, found = call.solved(Minimum(call.name, value, n, bounded), read)
    x, given = z[:n], call.arguments
    late = {"jac": lambda: jacobian(lambda x: f(given, x))(x)}
    return result(found, {"x": x, "fun": f(given, x), "cost": value(given, x)}, late)


_define(_least_squares, *("args", "kwargs", "x0", "bounds", "f_scale"), names=("least_squares",))


def _leastsq(call):
    refuse_full_output(call, "scipy.optimize.least_squares has what is differentiable")
    n = int(np.prod(shape_at(call["x0"])))

    def value(given, x):
        return cost(raveled(given["func"](x, *given["args"])))

    call["full_output"] = True
    x, found = call.solved(
        Minimum(call.name, value, n), lambda r: (r[0], r[4] in (1, 2, 3, 4), r[3])
    )
    return x, found[4]


_define(_leastsq, "args", "x0", names=("leastsq",))


# ---- curves ----


def _curve_fit(call):
    refuse_full_output(call, "the covariance and the parameters are all that is differentiable")
    given = call.arguments
    parameters = inspect.signature(given["f"]).parameters.values()
    n = len([p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]) - 1
    if given["p0"] is not None:
        n = int(np.prod(shape_at(given["p0"])))
    if isinstance(given["bounds"], _scipy.Bounds):
        call["bounds"] = (given["bounds"].lb, given["bounds"].ub)
    if given["nan_policy"] is not None:
        raise NotDifferentiableError("curve_fit of tensors takes no nan_policy; leave nan out")
    for name in ("xdata", "ydata"):
        if isinstance(given[name], (list, tuple)):
            call[name] = as_array(given[name])
    weights = None
    if given["sigma"] is not None and len(shape_at(given["sigma"])) == 2:
        if not isinstance(given["sigma"], (np.ndarray, list)):
            raise NotDifferentiableError(
                "curve_fit of a tensor as a matrix sigma has no derivative; pass whitened data"
            )
        weights = np.linalg.inv(np.linalg.cholesky(np.asarray(given["sigma"], float)))

    def off(given, x):
        r = raveled(given["f"](given["xdata"], *[x[i] for i in range(n)]))
        r = r - raveled(given["ydata"])
        if weights is not None:
            return matmul(weights, r)
        return r if given["sigma"] is None else r / as_array(given["sigma"])

    def value(given, x):
        return cost(off(given, x))

    bounded = None
    if both_sides(given["bounds"]) is not None:

        def bounded(given):
            return both_sides(given["bounds"])

    z, _ = call.solved(Minimum(call.name, value, n, bounded), lambda found: (found[0], True, ""))
    x = z[:n]
    J = jacobian(lambda x: off(given, x))(x)
    C = inverse(call.name, matmul(transpose(J, (1, 0)), J))
    m = J.shape[0]
    if not given["absolute_sigma"] and m > n:
        C = C * (2.0 * value(given, x) / (m - n))
    return x, C


def inverse(name, A):
    """Of a matrix, by the same rules as all solutions here."""
    n = A.shape[0]

    def residual(functions, data, x):
        del functions
        return reshape(matmul(data[0], reshape(x, (n, n))), (-1,)) - np.eye(n).reshape(-1)

    def solve(functions, data):
        del functions
        return np.linalg.inv(data[0])

    return reshape(solution(name, [], [A], residual, solve), (n, n))


_define(_curve_fit, *("xdata", "ydata", "p0", "sigma", "bounds"), names=("curve_fit",))


# ---- linear ----


def _linear_off(given, x):
    A = given["A"]
    A = A.toarray() if hasattr(A, "toarray") else as_array(A)
    if not hasattr(A, "shape") or len(A.shape) != 2:
        raise NotDifferentiableError("lsq_linear of tensors takes a matrix A, sparse or not")
    return matmul(A, x) - as_array(given["b"])


def _as_arrays(call):
    for name in ("A", "b"):
        if isinstance(call[name], (list, tuple)):
            call.arguments[name] = as_array(call[name])


def _lsq_linear(call):
    _as_arrays(call)
    n = call["A"].shape[1]
    if isinstance(call["bounds"], _scipy.Bounds):
        call["bounds"] = (call["bounds"].lb, call["bounds"].ub)

    def value(given, x):
        return cost(_linear_off(given, x))

    bounded = None
    if both_sides(call["bounds"]) is not None:

        def bounded(given):
            return both_sides(given["bounds"])

    z, found = call.solved(Minimum(call.name, value, n, bounded), read)
    x, given = z[:n], call.arguments
    return result(found, {"x": x, "fun": _linear_off(given, x), "cost": value(given, x)})


_define(_lsq_linear, "A", "b", "bounds", names=("lsq_linear",))


def _nnls(call):
    _as_arrays(call)
    n = call["A"].shape[1]

    def value(given, x):
        return cost(_linear_off(given, x))

    def bounded(given):
        del given
        return np.zeros(n), np.full(n, np.inf)

    problem = Minimum(call.name, value, n, bounded)
    z, _ = call.solved(problem, lambda found: (found[0], True, ""))
    return z[:n], norm(_linear_off(call.arguments, z[:n]))


_define(_nnls, "A", "b", names=("nnls",))
