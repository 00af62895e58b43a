"""scipy.optimize.root with exact Jacobians, and Newton's method with sparse ones."""

import numpy as np
from scipy import optimize, sparse
from scipy.sparse.linalg import splu

from .._problem import Problem
from .._progress import Line
from ..errors import ShapeError

SPARSE_NEWTON = "newton-sparse"
WITH_JACOBIAN = ("hybr", "lm")
# From so many unknowns on the default needs no dense Jacobian.
MANY = 1000
MESSAGES = {
    1: "The solution converged.",
    2: "Maximum number of iterations has been exceeded.",
    3: "The Jacobian is singular.",
    4: "No step along Newton's direction makes the equations smaller.",
    5: "The equations are not finite at the starting point.",
}


def root(
    fun, x0, args=(), method=None, jac=None, tol=None, callback=None, options=None, *, progress=None
):
    """scipy.optimize.root, with the exact Jacobian where none is given.

    Parameters
    ----------
    fun, x0, args, tol, callback, options
        As SciPy has them; `fun` is written in operations that adcore records.
    method : str, optional
        SciPy's, of which hybr and lm take the Jacobian, or "newton-sparse": Newton's method with
        sparse factors of the Jacobian and shortened steps, with the options xtol (relative size of
        the last step, 1e-10), ftol (largest residual, 0), maxiter.  Left out, it is hybr for up to
        1000 unknowns, and "newton-sparse" for more.
    jac : optional
        As SciPy has it; one that is given is used as it is.
    progress : bool, optional
        Whether to show a line on standard error; by default on a terminal, after 2 seconds.

    Returns
    -------
    scipy.optimize.OptimizeResult

    Examples
    --------
    >>> import adcore, numpy as np
    >>> found = adcore.optimize.root(lambda x: [x[0] * x[1] - 2.0, x[0] - x[1] - 1.0], [1.0, 2.0])
    >>> found.x.round(10)
    array([2., 1.])
    """
    if jac is not None and jac is not False:
        return optimize.root(fun, x0, args, method or "hybr", jac, tol, callback, options)
    problem = Problem(fun, None, None, x0, args)
    how = method or (SPARSE_NEWTON if problem.n > MANY else "hybr")
    with Line(progress, f"root ({how})") as line:
        if how.lower() == SPARSE_NEWTON:
            chosen = dict(options or {})
            if tol is not None:
                chosen.setdefault("xtol", tol)
            return _newton(problem, callback, line, **chosen)
        settings = problem.for_root()
        if how.lower() not in WITH_JACOBIAN:
            del settings["jac"]

        def watched(x):
            y = problem.residuals(x)
            size = np.abs(y).max(initial=0.0)
            count = problem.residual.counts["value"]
            line.show(f"{count} evaluations, largest residual {size:.3g}")
            return y

        settings["fun"] = watched
        return optimize.root(method=how, tol=tol, callback=callback, options=options, **settings)


def _newton(problem, callback, line, xtol=1e-10, ftol=0.0, maxiter=100):
    """Newton's method, each step shortened until the sum of squares is lower."""
    x, y = problem.x0.copy(), problem.residuals(problem.x0)
    if y.size != x.size:
        raise ShapeError(f"root needs as many equations as unknowns, got {y.size} for {x.size}")
    n_steps, status = 0, None if np.isfinite(y).all() else 5
    while status is None:
        size = np.abs(y).max()
        line.show(f"step {n_steps}, largest residual {size:.3g}")
        if size <= ftol:
            status = 1
        elif n_steps >= maxiter:
            status = 2
        else:
            x, y, status = _step(problem, x, y, xtol)
            n_steps += 1
            if callback is not None:
                callback(x.copy(), y.copy())
    counts = problem.residual.counts
    return optimize.OptimizeResult(
        x=x,
        fun=y,
        nit=n_steps,
        nfev=counts["value"],
        njev=counts["jacobian"],
        status=status,
        success=status == 1,
        message=MESSAGES[status],
        method=SPARSE_NEWTON,
    )


def _step(problem, x, y, xtol):
    """(x, residuals, status) after one step; the status is None where the search goes on."""
    jacobian = sparse.csc_array(problem.residual.sparse_jacobian(x))
    try:
        p = -splu(jacobian).solve(y)
    except RuntimeError:  # exactly singular
        return x, y, 3
    if not np.isfinite(p).all():
        return x, y, 3
    before, part = y @ y, 1.0
    near = np.abs(p).max() <= xtol * max(np.abs(x).max(), np.finfo(float).tiny)
    while True:
        there = x + part * p
        value = problem.residuals(there)
        after = value @ value
        if after <= (1.0 - 1e-4 * part) * before:
            return there, value, 1 if near else None
        if near:  # as small as the rounding of the residuals lets it be
            return x, y, 1
        part *= 0.5
        if part < 1e-10:
            return x, y, 4
