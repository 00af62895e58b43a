"""Solutions of equations and minima, differentiable by the implicit function theorem.

The solver runs in plain numbers, with exact derivatives of the function; nothing of the way it goes
is recorded.  What is differentiated is the solution as a function of everything that the equations
depend on: `args`, nested containers included, and tensors that the function closes over.  All
orders are exact, in both modes, under compile() too, where each replay solves again.
"""

import numpy as np

from ._implicit import expect_at_rest, numbers, raveled, scalar, solution
from ._minima import Minimum
from ._trees import flatten_values, shape_of, unflatten
from .rules.primitives import reshape, values
from .transforms import jacobian

__all__ = ["fixed_point", "minimize", "root"]

# Methods of scipy.optimize.minimize that take a Hessian.
_WITH_HESSIAN = ("newton-cg", "dogleg", "trust-ncg", "trust-krylov", "trust-exact", "trust-constr")


class _Unknown:
    """The tree of the unknowns, as one vector and back."""

    def __init__(self, tree):
        self.leaves, self.structure = flatten_values(tree)
        self.shapes = [shape_of(v) for v in self.leaves]
        self.only = len(self.leaves) == 1 and self.leaves[0] is tree

    def start(self):
        """The starting point in plain numbers."""
        return np.array(raveled([values(v) for v in self.leaves]), dtype=np.float64)

    def tree(self, x):
        """A vector, in the structure and shapes of the starting point."""
        parts, at = [], 0
        for shape in self.shapes:
            size = int(np.prod(shape))
            part = x[at : at + size]
            parts.append(reshape(part, shape) if shape else _element(part))
            at += size
        return unflatten(self.structure, parts)


def _element(part):
    """The only element of a vector, a float if it is plain."""
    return float(part[0]) if type(part) is np.ndarray else part[0]


def root(f, x0, args=(), *, method="hybr", tol=None, options=None, linear="dense"):
    """A solution x of f(x, *args) = 0, differentiable in all that f depends on.

    Parameters
    ----------
    f : callable
        f(x, *args) gives as many numbers as x has, in any shapes; in adcore's operations.
    x0 : number, array, or nested container of them
        Where to start; the solution has its structure, and no derivative with respect to it.
    args : tuple
        Further arguments.
    method, tol, options
        As in scipy.optimize.root; the Jacobian is exact where the method takes one.
    linear : "dense", "gmres" or "cg"
        How linear systems with the Jacobian are solved when the solution is differentiated:
        by LU factors, or, for many unknowns, by products with the Jacobian alone ("cg" if it is
        symmetric and positive).

    Raises
    ------
    ConvergenceError
        If no solution is found.
    DomainError
        When the solution is differentiated where the Jacobian is singular.

    Examples
    --------
    >>> import adcore
    >>> square_root = lambda a: adcore.implicit.root(lambda x, a: x * x - a, 1.0, (a,))
    >>> adcore.grad(square_root)(4.0), adcore.grad(adcore.grad(square_root))(4.0)
    (0.25, -0.03125)

    References
    ----------
    Krantz and Parks, The Implicit Function Theorem; Blondel et al., Efficient and Modular Implicit
    Differentiation, 2022.
    """
    unknown = _Unknown(x0)

    def residual(functions, data, x):
        return raveled(functions[0](unknown.tree(x), *data[1]))

    return _solved("root", f, x0, args, unknown, residual, method, tol, options, linear)


def fixed_point(f, x0, args=(), *, method="hybr", tol=None, options=None, linear="dense"):
    """A point x with f(x, *args) = x, differentiable in all that f depends on; see root().

    It is found as a root of f(x) - x, whether or not the iteration of f converges.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> half = lambda a: adcore.implicit.fixed_point(lambda x, a: 0.5 * (x + a / x), 1.0, (a,))
    >>> adcore.grad(half)(4.0)
    0.25
    """
    unknown = _Unknown(x0)

    def residual(functions, data, x):
        return raveled(functions[0](unknown.tree(x), *data[1])) - x

    return _solved("fixed_point", f, x0, args, unknown, residual, method, tol, options, linear)


def _solved(name, f, x0, args, unknown, residual, method, tol, options, linear):
    args = args if isinstance(args, tuple) else (args,)

    def solve(functions, data):
        from scipy import optimize

        start = _Unknown(data[0]).start()

        def F(x):
            return np.asarray(numbers(name, residual(functions, data, x)), float)

        def J(x):
            return jacobian(lambda x: residual(functions, data, x))(np.array(x, float))

        exact = {"jac": J} if method in ("hybr", "lm") else {}
        found = optimize.root(F, start, method=method, tol=tol, options=options, **exact)
        if not found.success and np.max(np.abs(found.fun), initial=0.0) > 0.0:
            expect_at_rest(name, lambda x: residual(functions, data, x), found.x, found.message)
        return found.x

    x = solution(name, [f], (x0, args), residual, solve, linear=linear)
    return unknown.tree(x)


def minimize(f, x0, args=(), *, method=None, bounds=None, tol=None, options=None, linear="dense"):
    """A local minimum x of f(x, *args), differentiable in all that f depends on.

    Parameters
    ----------
    f : callable
        f(x, *args) gives one number; in adcore's operations.
    x0 : number, array, or nested container of them
        Where to start; the minimum has its structure, and no derivative with respect to it.
    args : tuple
        Further arguments.
    bounds : pair (least, greatest), optional
        Of x, each a number or an array in the shape of the vector of unknowns; may be tracked.
        A bound that holds x decides its derivative.
    method, tol, options
        As in scipy.optimize.minimize: "BFGS" by default, "L-BFGS-B" with bounds; the gradient is
        exact, and so is the Hessian where the method takes one.
    linear : "dense", "gmres" or "cg"
        As in root(); the matrix is the Hessian of f.

    Raises
    ------
    ConvergenceError
        If no minimum is found.
    DomainError
        When the minimum is differentiated where the Hessian is singular, or where a bound holds x
        with no force.

    Examples
    --------
    >>> import adcore
    >>> best = lambda a: adcore.implicit.minimize(lambda x, a: (x - a**2) ** 2, 0.0, (a,))
    >>> round(adcore.grad(best)(3.0), 12)
    6.0
    """
    unknown = _Unknown(x0)
    args = args if isinstance(args, tuple) else (args,)

    def value(given, x):
        functions, data = given
        return scalar(functions[0](unknown.tree(x), *data[1]))

    def least_and_greatest(given):
        return given[1][2]

    n = unknown.start().size
    problem = Minimum("minimize", value, n, None if bounds is None else least_and_greatest)

    def residual(functions, data, z):
        return problem.residual((functions, data), z)

    def solve(functions, data):
        from scipy import optimize

        start = _Unknown(data[0]).start()
        given = functions, data
        limits = None if data[2] is None else optimize.Bounds(*data[2])
        how = method or ("BFGS" if limits is None else "L-BFGS-B")
        exact = {}
        if how.lower() not in ("nelder-mead", "powell", "cobyla", "cobyqa"):
            exact["jac"] = lambda x: problem.gradient(given, np.array(x, float))
        if how.lower() in _WITH_HESSIAN:
            exact["hess"] = lambda x: problem.curvature(given, np.array(x, float))
        found = optimize.minimize(
            lambda x: numbers("minimize", value(given, x)),
            start,
            method=how,
            bounds=limits,
            tol=tol,
            options=options,
            **exact,
        )
        z = problem.unknowns(given, found.x)
        if not found.success:
            expect_at_rest("minimize", lambda z: problem.residual(given, z), z, found.message)
        return z

    def revised(functions, data, start, z):
        return problem.revised((functions, data), start, z)

    z = solution("minimize", [f], (x0, args, bounds), residual, solve, revised, linear)
    return unknown.tree(z[:n])
