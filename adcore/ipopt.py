"""Ipopt, through cyipopt, with exact sparse derivatives."""

import numpy as np

from ._problem import Problem
from ._progress import Line

__all__ = ["minimize"]

# Of Ipopt's return codes: solved, and solved to the acceptable level.
SOLVED = (0, 1)


def minimize(
    fun, x0, args=(), *, bounds=None, constraints=(), tol=None, callback=None, options=None,
    progress=None,
):  # fmt: skip
    """A local minimum of fun(x, *args) under constraints and bounds, found by Ipopt.

    Gradient, sparse Jacobian of the constraints and sparse Hessian of the Lagrangian are exact,
    from one recording.

    Parameters
    ----------
    fun, x0, args, bounds, constraints
        As adcore.problem() has them, in SciPy's forms.
    tol : float, optional
        Ipopt's tolerance, 1e-8 by default.
    callback : callable, optional
        Called after each iteration with its number, the objective, and the largest violation of
        constraints; by returning False it stops the search.
    options : dict, optional
        Ipopt's own, by their names: {"max_iter": 500, "print_level": 5}; what Ipopt prints is off
        otherwise.
    progress : bool, optional
        Whether to show a line on standard error; by default on a terminal, after 2 seconds.

    Returns
    -------
    scipy.optimize.OptimizeResult
        x, fun, jac (the gradient), success, status and message (Ipopt's), nit, nfev, njev, nhev,
        constraints (their values), multipliers (of the constraints, with the sign of f + lambda c),
        lower_multipliers and upper_multipliers (of the bounds).

    Raises
    ------
    ImportError
        If cyipopt is not installed.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> product = {"type": "ineq", "fun": lambda x: x[0] * x[1] - 1.0}
    >>> try:
    ...     found = adcore.ipopt.minimize(lambda x: x[0] + x[1], [2.0, 3.0], constraints=product)
    ...     x = found.x.round(6)
    ... except ImportError:       # without cyipopt
    ...     x = np.ones(2)
    >>> x
    array([1., 1.])
    """
    cyipopt = _cyipopt()
    from scipy.optimize import OptimizeResult

    if isinstance(constraints, list | tuple) and not len(constraints):
        constraints = None
    problem = Problem(fun, constraints, bounds, x0, args)
    callbacks = problem.for_ipopt()
    guarded = _Guarded(callbacks)
    counts = {"nit": 0}

    with Line(progress, "Ipopt") as line:

        def intermediate(_mode, step, value, primal, dual, *_):
            if guarded.error is not None:
                return False
            counts["nit"] = step
            line.show(
                f"step {step}, value {value:.8g}, constraints {primal:.2g}, gradient {dual:.2g}"
            )
            return callback is None or callback(step, value, primal) is not False

        guarded.intermediate = guarded.guard(intermediate)
        solver = cyipopt.Problem(
            n=problem.n,
            m=problem.m,
            problem_obj=guarded,
            lb=problem.lower,
            ub=problem.upper,
            cl=problem.constraint_lower,
            cu=problem.constraint_upper,
        )
        settings = {"print_level": 0, "sb": "yes", **(options or {})}
        if tol is not None:
            settings["tol"] = float(tol)
        try:
            for name, value in settings.items():
                try:
                    solver.add_option(name, value)
                except TypeError as error:
                    raise ValueError(f"Ipopt has no option {name} = {value!r}") from error
            x, info = solver.solve(problem.x0)
        finally:
            solver.close()
    if guarded.error is not None:
        raise guarded.error
    message = info["status_msg"]
    return OptimizeResult(
        x=x,
        fun=info["obj_val"],
        jac=problem.gradient(x),
        success=info["status"] in SOLVED,
        status=info["status"],
        message=message.decode() if isinstance(message, bytes) else message,
        nit=counts["nit"],
        nfev=problem.objective.counts["value"],
        njev=problem.objective.counts["gradient"],
        nhev=callbacks.n_hessians,
        constraints=np.asarray(info["g"]),
        multipliers=np.asarray(info["mult_g"]),
        lower_multipliers=np.asarray(info["mult_x_L"]),
        upper_multipliers=np.asarray(info["mult_x_U"]),
    )


class _Guarded:
    """The callbacks, with the first error of any of them kept: Ipopt goes on after some."""

    def __init__(self, callbacks):
        self.error = None
        for name in ("objective", "gradient", "constraints", "jacobian", "hessian"):
            setattr(self, name, self.guard(getattr(callbacks, name)))
        self.jacobianstructure = callbacks.jacobianstructure
        self.hessianstructure = callbacks.hessianstructure

    def guard(self, call):
        """The same function, noticed where it fails."""

        def guarded(*args):
            try:
                return call(*args)
            except Exception as error:
                # cyipopt's own says that a point has no value, so that Ipopt tries a shorter step.
                if self.error is None and type(error).__name__ != "CyIpoptEvaluationError":
                    self.error = error
                raise

        return guarded


def _cyipopt():
    try:
        import cyipopt
    except ImportError as error:
        raise ImportError(
            "adcore.ipopt needs cyipopt, and that needs Ipopt: pip install adcore[ipopt]"
        ) from error
    return cyipopt
