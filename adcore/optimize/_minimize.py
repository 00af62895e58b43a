"""scipy.optimize.minimize with the derivatives that its method takes."""

from scipy import optimize

from .._problem import Problem
from .._progress import Line
from ._newton import newton

SPARSE_NEWTON = "newton-sparse"
# From so many unknowns on the default is what needs no dense (n, n) matrix.
MANY = 1000


def minimize(
    fun,
    x0,
    args=(),
    method=None,
    jac=None,
    hess=None,
    hessp=None,
    bounds=None,
    constraints=(),
    tol=None,
    callback=None,
    options=None,
    *,
    progress=None,
):
    """scipy.optimize.minimize, with exact derivatives where none are given.

    The function is recorded once, and replayed in C with its derivatives.  What is filled in:

    ==========================================  ================================================
    method                                      derivatives
    ==========================================  ================================================
    CG, BFGS, L-BFGS-B, TNC, SLSQP              the gradient; SLSQP's Jacobian of constraints
    Newton-CG, trust-ncg, trust-krylov          the gradient, products with the Hessian
    dogleg, trust-exact                         the gradient, the dense Hessian
    trust-constr                                the gradient, the sparse Hessians of objective and
                                                constraints, their Jacobian
    newton-sparse                               the gradient, the sparse Hessian
    Nelder-Mead, Powell, COBYLA, COBYQA         none
    ==========================================  ================================================

    Parameters
    ----------
    fun, x0, args, bounds, constraints, tol, callback, options
        As SciPy has them; `fun` is written in operations that adcore records, as NumPy's are.
    method : str or callable, optional
        SciPy's, or "newton-sparse": Newton's method in a trust region, with sparse factors of the
        Hessian, for up to millions of unknowns without bounds and constraints.  Its options are
        gtol (largest entry of the gradient, 1e-5), maxiter, initial_trust_radius,
        max_trust_radius, eta and disp.  Left out, it is SciPy's choice for up to 1000 unknowns;
        for more, "newton-sparse", "trust-constr" where there are constraints, and "L-BFGS-B" where
        there are only bounds.
    jac, hess, hessp : optional
        As SciPy has them; those given are used as they are.
    progress : bool, optional
        Whether to show a line on standard error; by default on a terminal, after 2 seconds.

    Returns
    -------
    scipy.optimize.OptimizeResult

    Examples
    --------
    >>> import adcore, numpy as np
    >>> def rosenbrock(x):
    ...     return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()
    >>> adcore.optimize.minimize(rosenbrock, np.zeros(4), method="trust-exact").x.round(3)
    array([1., 1., 1., 1.])
    >>> many = adcore.optimize.minimize(rosenbrock, np.full(5000, 0.9), method="newton-sparse")
    >>> many.success, bool(abs(many.x - 1.0).max() < 1e-6)
    (True, True)
    """
    if isinstance(constraints, list | tuple) and not len(constraints):
        constraints = None
    if jac is True or (callable(jac) and (hess is not None or hessp is not None)):
        return _scipys(fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback,
                       options)  # fmt: skip
    problem = Problem(fun, constraints, bounds, x0, args)
    how = _default(problem) if method is None else method
    name = how if isinstance(how, str) else getattr(how, "__name__", "minimize")
    given = {"jac": jac, "hess": hess, "hessp": hessp}
    given = {key: _closed(value, args) for key, value in given.items() if value is not None}
    with Line(progress, f"minimize ({name})") as line:
        if isinstance(how, str) and how.lower() == SPARSE_NEWTON:
            _expect_unconstrained(problem, given)
            chosen = dict(options or {})
            if tol is not None:
                chosen.setdefault("gtol", tol)
            return newton(
                problem.objective, problem.x0, callback=callback, progress=line.show, **chosen
            )
        settings = problem.for_minimize(how) if isinstance(how, str) else _all_of_it(problem)
        if "hess" in given or "hessp" in given:
            settings.pop("hess", None)
            settings.pop("hessp", None)
        settings.update(given)
        settings["fun"] = _watched(problem, line)
        return optimize.minimize(
            method=how, tol=tol, callback=callback, options=options, **settings
        )


def _scipys(fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback, options):
    """SciPy's own, where all derivatives are given."""
    return optimize.minimize(
        fun, x0, args, method, jac, hess, hessp, bounds, constraints or (), tol, callback, options
    )


def _default(problem):
    many = problem.n > MANY
    if problem.parts:
        return "trust-constr" if many else "SLSQP"
    if problem.bounds is not None:
        return "L-BFGS-B"
    return SPARSE_NEWTON if many else "BFGS"


def _expect_unconstrained(problem, given):
    if problem.parts or problem.bounds is not None:
        raise ValueError(
            "newton-sparse takes neither bounds nor constraints; use trust-constr, L-BFGS-B, or "
            "adcore.ipopt.minimize"
        )
    if given:
        raise ValueError(
            f"newton-sparse finds its derivatives by itself; leave out {', '.join(given)}"
        )


def _all_of_it(problem):
    """For a method that is a function: the gradient and products, as SciPy hands them over."""
    settings = problem.for_minimize("trust-constr")
    settings["hess"], settings["hessp"] = problem.objective.hessian, problem.objective.hvp
    return settings


def _closed(function, args):
    """A derivative that was given, with its further arguments; anything but a function as it is."""
    args = args if isinstance(args, tuple) else (args,)
    if not args or not callable(function) or isinstance(function, optimize.HessianUpdateStrategy):
        return function
    return lambda *points: function(*points, *args)


def _watched(problem, line):
    """The value, with a word on how far it is."""

    def fun(x):
        value = problem.value(x)
        line.show(f"{problem.objective.counts['value']} evaluations, value {value:.8g}")
        return value

    return fun
