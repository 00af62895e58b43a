"""scipy.optimize.least_squares and curve_fit with exact Jacobians, and errors of what they find."""

import contextlib
import functools

import numpy as np
from scipy import linalg, optimize

from .._evaluated import Scalar, Vector, vector
from .._problem import Problem
from .._progress import Line
from ..errors import DomainError

# Up to so many unknowns least_squares gives errors with its result.
MOST_ERRORS = 500


def least_squares(
    fun, x0, jac=None, bounds=(-np.inf, np.inf), method="trf", *, args=(), kwargs=None,
    progress=None, **options,
):  # fmt: skip
    """scipy.optimize.least_squares, with the exact Jacobian where none is given.

    Parameters
    ----------
    fun, x0, bounds, method, args, kwargs, options
        As SciPy has them; `fun` is written in operations that adcore records.
    jac : optional
        As SciPy has it; one that is given is used as it is.  Left out, it is exact: sparse where it
        has more than a million entries, less than a tenth of them other than zero, and the method
        takes one; else dense.
    progress : bool, optional
        Whether to show a line on standard error; by default on a terminal, after 2 seconds.

    Returns
    -------
    scipy.optimize.OptimizeResult
        With SciPy's fields and, for up to 500 unknowns and loss="linear", `cov` and `se`: the
        covariance of x, s^2 H^-1 where H is the exact Hessian of the cost, J^T J + sum of
        r_i times the Hessian of r_i, and s^2 = 2 cost / (m - n) for m residuals; and the square
        roots of its diagonal.  What a bound holds is known exactly where it is, and the rest is
        varied without it: it has zeros there.  If H is not positive definite, or m is not larger
        than n, all are infinite.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> t = np.arange(6.0)
    >>> y = 3.0 * np.exp(-0.5 * t) + [0.01, -0.02, 0.01, 0.02, -0.01, 0.0]
    >>> fit = adcore.optimize.least_squares(lambda p: p[0] * np.exp(-p[1] * t) - y, [1.0, 1.0])
    >>> fit.x.round(3), fit.se.round(3)
    (array([3.003, 0.5  ]), array([0.015, 0.005]))
    """
    called = functools.partial(fun, **kwargs) if kwargs else fun
    if jac is not None:
        return optimize.least_squares(
            fun, x0, jac, bounds, method, args=args, kwargs=kwargs or {}, **options
        )
    problem = Problem(called, None, None, x0, tuple(args))
    dense = method == "lm" or options.get("tr_solver") == "exact"
    settings = problem.for_least_squares(False if dense else None)
    settings.pop("jac_sparsity", None)
    with Line(progress, f"least_squares ({method})") as line:

        def watched(x):
            r = problem.residuals(x)
            count = problem.residual.counts["value"]
            line.show(f"{count} evaluations, cost {0.5 * (r @ r):.8g}")
            return r

        settings["fun"] = watched
        found = optimize.least_squares(bounds=bounds, method=method, **settings, **options)
    if problem.n <= MOST_ERRORS and options.get("loss", "linear") == "linear":
        m, held = found.fun.size, found.active_mask != 0
        curvature = problem.residual.hessian(found.x, found.fun).toarray()
        j = problem.residual.jacobian(found.x)
        excess = m - np.count_nonzero(~held)
        scale = 2.0 * found.cost / excess if excess > 0 else np.inf
        found.cov = _inverse(j.T @ j + curvature, held, scale)
        found.se = np.sqrt(np.diag(found.cov))
    return found


def _inverse(curvature, held, scale):
    """The inverse of a Hessian among what is not held, times `scale`; infinite if there is none."""
    n = len(curvature)
    free = np.flatnonzero(~held)
    out = np.zeros((n, n))
    inner = np.full((free.size, free.size), np.inf)
    if np.isfinite(scale):
        with contextlib.suppress(linalg.LinAlgError):
            inner = scale * _positive_inverse(curvature[np.ix_(free, free)])
    out[np.ix_(free, free)] = inner
    return out


def _positive_inverse(matrix):
    """The inverse of a positive definite matrix; LinAlgError if it is not one."""
    d = np.sqrt(np.diag(matrix)) if (np.diag(matrix) > 0.0).all() else None
    if d is None or not np.isfinite(matrix).all():
        raise linalg.LinAlgError("not positive definite")
    factor = linalg.cho_factor(matrix / np.outer(d, d), lower=True)
    if np.diag(factor[0]).min(initial=1.0) ** 2 < len(d) * np.finfo(float).eps:
        raise linalg.LinAlgError("singular to working precision")
    inverse = linalg.cho_solve(factor, np.eye(len(d))) / np.outer(d, d)
    return 0.5 * (inverse + inverse.T)


def covariance(fun, x, args=()):
    """The covariance of a maximum-likelihood estimate: the inverse of an exact Hessian.

    Parameters
    ----------
    fun : callable
        The negative logarithm of the likelihood, fun(x, *args).
    x : array, (n,)
        Where it is lowest, as minimize() found it.
    args : tuple
        Further arguments.

    Returns
    -------
    array, (n, n)
        The inverse of the Hessian of `fun` at x, the observed information.  Standard errors are the
        square roots of its diagonal.

    Raises
    ------
    DomainError
        If the Hessian is not positive definite, so that x is no minimum, or one that is flat.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> data = np.array([1.0, 2.0, 4.0, 5.0])           # exponential; p is the rate's logarithm
    >>> def loss(p):
    ...     return (np.exp(p[0]) * data - p[0]).sum()
    >>> found = adcore.optimize.minimize(loss, [0.0])
    >>> np.exp(found.x).round(4), adcore.optimize.covariance(loss, found.x).round(4)
    (array([0.3333]), array([[0.25]]))
    """
    args = args if isinstance(args, tuple) else (args,)
    point = vector("x", x)
    name = getattr(fun, "__name__", type(fun).__name__)
    curvature = Scalar(lambda x: fun(x, *args), point.size, name).hessian(point)
    try:
        return _positive_inverse(curvature)
    except linalg.LinAlgError as error:
        raise DomainError(
            f"covariance: the Hessian of {name} is not positive definite at x = {point!r}: it is "
            "no minimum there, or one that is flat"
        ) from error


def curve_fit(
    f, xdata, ydata, p0=None, sigma=None, absolute_sigma=False, check_finite=None,
    bounds=(-np.inf, np.inf), method=None, jac=None, *, full_output=False, nan_policy=None,
    hessian="gauss-newton", **kwargs,
):  # fmt: skip
    """scipy.optimize.curve_fit, with the exact Jacobian where none is given.

    Parameters
    ----------
    f, xdata, ydata, p0, sigma, absolute_sigma, check_finite, bounds, method
        As SciPy has them; `f` is written in operations that adcore records.
    jac : optional
        As SciPy has it; one that is given is used as it is.
    full_output, nan_policy, kwargs
        As SciPy has them.
    hessian : "gauss-newton" or "exact"
        What the covariance is the inverse of.  "gauss-newton" is SciPy's s^2 (J^T J)^-1 with the
        Jacobian J of the weighted residuals r, and s^2 = r^T r / (m - n), or 1 with
        absolute_sigma.  "exact" adds the curvature of the model, s^2 (J^T J + sum of r_i times the
        Hessian of r_i)^-1, for residuals that are not small; parameters at a bound have zeros
        in it.

    Returns
    -------
    popt, pcov, and what full_output adds
        Standard errors are the square roots of the diagonal of pcov.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> def decay(t, a, k):
    ...     return a * np.exp(-k * t)
    >>> t = np.arange(6.0)
    >>> y = decay(t, 3.0, 0.5) + [0.01, -0.02, 0.01, 0.02, -0.01, 0.0]
    >>> best, cov = adcore.optimize.curve_fit(decay, t, y)
    >>> best.round(3), np.sqrt(np.diag(cov)).round(3)
    (array([3.003, 0.5  ]), array([0.015, 0.005]))
    """
    if hessian not in ("gauss-newton", "exact"):
        raise ValueError(f'hessian must be "gauss-newton" or "exact", got {hessian!r}')
    if hessian == "exact" and nan_policy == "omit":
        raise ValueError('hessian="exact" needs data without nan; leave out nan_policy="omit"')
    model = _Model(f)
    out = optimize.curve_fit(
        model.fun if jac is None else f, xdata, ydata, p0, sigma, absolute_sigma, check_finite,
        bounds, method, model.jac if jac is None else jac, full_output=full_output,
        nan_policy=nan_policy, **kwargs,
    )  # fmt: skip
    if hessian == "gauss-newton":
        return out
    xdata = model.xdata if jac is None else xdata
    exact = model.covariance(xdata, ydata, out[0], sigma, absolute_sigma, bounds)
    return (out[0], exact, *out[2:])


class _Model:
    """A model f(xdata, *p), recorded as a function of p for the data that SciPy hands over."""

    def __init__(self, f):
        self.f, self.xdata, self.recorded = f, None, None
        self.fun = functools.wraps(f)(lambda xdata, *p: self._of(xdata, len(p)).value(p))

    def jac(self, xdata, *p):
        """The Jacobian in p, (m, n)."""
        return self._of(xdata, len(p)).jacobian(p)

    def _of(self, xdata, n):
        if self.recorded is None or xdata is not self.xdata:
            f, self.xdata = self.f, xdata
            name = getattr(f, "__name__", type(f).__name__)
            self.recorded = Vector(lambda p: f(xdata, *(p[i] for i in range(n))), n, name)
        return self.recorded

    def covariance(self, xdata, ydata, p, sigma, absolute_sigma, bounds):
        """As curve_fit with hessian="exact" describes it."""
        model = self._of(xdata, p.size)
        away = model.value(p) - np.asarray(ydata, dtype=np.float64).reshape(-1)
        j = model.jacobian(p)
        if sigma is None:
            pull, weighted = away, j
        elif np.size(sigma) == away.size or np.ndim(sigma) == 0:
            variance = np.square(np.asarray(sigma, dtype=np.float64).reshape(-1))
            pull, weighted = away / variance, j / variance[:, None]
        else:
            factor = linalg.cho_factor(np.asarray(sigma, dtype=np.float64), lower=True)
            pull, weighted = linalg.cho_solve(factor, away), linalg.cho_solve(factor, j)
        curvature = j.T @ weighted + model.hessian(p, pull).toarray()
        sides = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else bounds
        held = (p == np.asarray(sides[0], float)) | (p == np.asarray(sides[1], float))
        excess = away.size - np.count_nonzero(~held)
        scale = 1.0 if absolute_sigma else away @ pull / excess if excess > 0 else np.inf
        return _inverse(curvature, held, scale)
