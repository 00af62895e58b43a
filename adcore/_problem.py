"""One recording of an objective and its constraints, with all that a solver asks of them."""

import numpy as np
from scipy.sparse import csr_array, issparse

from ._evaluated import Fixed, Scalar, Stack, Vector, one_number, vector
from ._implicit import raveled
from .compile import compile
from .errors import ShapeError

__all__ = ["Problem", "problem"]

# What methods of scipy.optimize.minimize take; all others take the gradient.
NO_GRADIENT = ("nelder-mead", "powell", "cobyla", "cobyqa")
PRODUCTS = ("newton-cg", "trust-ncg", "trust-krylov")
DENSE_HESSIAN = ("dogleg", "trust-exact")
# Constraint Jacobians with more entries than this are handed to trust-constr as sparse arrays.
MOST_DENSE = 10_000
# Jacobians of residuals are sparse where they have more entries, and are filled to less, than this.
MOST_ENTRIES, MOST_DENSITY = 1_000_000, 0.1


def problem(objective, constraints=None, bounds=None, x0=None, args=()):
    """One recording of an optimisation problem, for any solver.

    The functions are recorded when first called, and replayed in C from then on, with their exact
    derivatives; Jacobians of constraints and Hessians are sparse, with patterns found from the
    recording.  The value and the gradient at one point are computed together, and what was computed
    at the last point is kept.

    Parameters
    ----------
    objective : callable
        objective(x, *args) of a vector x of n numbers: one number to be minimised, or, for
        least squares and for equations, a vector of residuals.
    constraints : optional
        In SciPy's forms: a NonlinearConstraint, a LinearConstraint, a dict with "type" ("eq" or
        "ineq"), "fun" and "args", or a sequence of these.  Derivatives that they bring are not
        used.
    bounds : optional
        scipy.optimize.Bounds, or a sequence of n pairs (least, greatest), with None for none.
    x0 : array
        Where to start; it says how many unknowns there are.
    args : tuple
        Further arguments of the objective, which stay as they are.

    Returns
    -------
    Problem

    Examples
    --------
    >>> import adcore, numpy as np
    >>> from scipy.optimize import NonlinearConstraint, minimize
    >>> inside = NonlinearConstraint(lambda x: x[0] ** 2 + x[1] ** 2, -np.inf, 1.0)
    >>> p = adcore.problem(lambda x: (x[0] - 2.0) ** 2 + x[1] ** 4, inside, x0=[0.5, 0.5])
    >>> p.gradient([0.5, 0.5]), p.jacobian([0.5, 0.5]).toarray()
    (array([-3. ,  0.5]), array([[1., 1.]]))
    >>> p.hessian([0.5, 0.5], multipliers=[10.0]).toarray()
    array([[22.,  0.],
           [ 0., 23.]])
    >>> minimize(method="trust-constr", **p.for_minimize("trust-constr")).x.round(3) + 0.0
    array([1., 0.])
    """
    return Problem(objective, constraints, bounds, x0, args)


class Problem:
    """An objective, constraints and bounds, recorded: see problem().

    Attributes
    ----------
    n, m : int
        How many unknowns and constraints there are.
    x0, lower, upper : array, (n,)
        Where to start, and the bounds, infinite where there are none.
    constraint_lower, constraint_upper : array, (m,)

    Examples
    --------
    >>> import adcore, numpy as np
    >>> p = adcore.problem(lambda x: x[0] ** 2 * x[1], bounds=[(0, None), (1, 4)], x0=[1.0, 2.0])
    >>> p.value([3.0, 2.0]), p.gradient([3.0, 2.0]), p.hvp([3.0, 2.0], [1.0, 0.0])
    (18.0, array([12.,  9.]), array([4., 6.]))
    """

    def __init__(self, objective, constraints=None, bounds=None, x0=None, args=()):
        if not callable(objective):
            raise TypeError(f"problem needs a function to minimise, got {objective!r}")
        if x0 is None:
            raise TypeError("problem needs x0, a point to start from")
        args = args if isinstance(args, tuple) else (args,)
        name = getattr(objective, "__name__", type(objective).__name__)
        self.x0 = vector("x0", x0).copy()
        self.n = self.x0.size
        if not self.n:
            raise ShapeError("x0 is empty: there is nothing to solve for")
        self.lower, self.upper = _bounds(bounds, self.n)
        function = (lambda x: objective(x, *args)) if args else objective
        self._function = function
        self.objective = Scalar(function, self.n, name)
        self.residual = Vector(function, self.n, name)
        self.parts = [_constraint(c, self.n, self.x0) for c in _listed(constraints)]
        sides = [(c.lower, c.upper) for c in self.parts]
        self.constraint_lower = np.concatenate([s for s, _ in sides] or [np.zeros(0)])
        self.constraint_upper = np.concatenate([s for _, s in sides] or [np.zeros(0)])
        self.m = self.constraint_lower.size
        self._stack = Stack(self.n)
        self._lagrangian = None  # its sparse Hessian, when first asked for

    # -- plain functions --

    def value(self, x):
        """The objective, a float."""
        return self.objective.value(x)

    def gradient(self, x):
        """Its gradient, (n,)."""
        return self.objective.gradient(x)

    def residuals(self, x):
        """The objective as a vector, for least squares and equations."""
        return self.residual.value(x)

    def residual_jacobian(self, x, sparse=True):
        """The Jacobian of residuals(): a CSR array, or dense."""
        return self.residual.sparse_jacobian(x) if sparse else self.residual.jacobian(x)

    def constraints(self, x):
        """The values of all constraints, (m,)."""
        return np.concatenate([c.value(x) for c in self.parts] or [np.zeros(0)])

    def jacobian(self, x):
        """The Jacobian of the constraints, (m, n), a CSR array."""
        return self._stack([c.sparse_jacobian(x) for c in self.parts])

    def hessian(self, x, multipliers=None, sigma=1.0):
        """The Hessian of sigma * objective + multipliers @ constraints, (n, n), a CSR array.

        Without multipliers those of the constraints are zero.
        """
        sigma = float(sigma)
        given = np.zeros(self.m) if multipliers is None else vector("multipliers", multipliers)
        if given.size != self.m:
            raise ShapeError(f"{given.size} multipliers were given for {self.m} constraints")
        curved = [c for c in self.parts if c.curved]
        if not curved:
            found = self.objective.sparse_hessian(x)
            return found if sigma == 1.0 else found * sigma
        if self._lagrangian is None:
            self._lagrangian = self._recorded_lagrangian([c.function for c in curved])
        at = np.cumsum([0, *[c.m for c in self.parts]])
        pieces = zip(self.parts, at[:-1], at[1:], strict=True)
        weights = np.concatenate([given[i:j] for c, i, j in pieces if c.curved])
        return self._lagrangian.hessian(self._point(x), sigma, weights, sparse=True)

    def _recorded_lagrangian(self, functions):
        f, name = self._function, self.objective.name

        def lagrangian(x, sigma, weights):
            c = [raveled(g(x)) for g in functions]
            return sigma * one_number(f(x), name) + (weights * raveled(c)).sum()

        return compile(lagrangian)

    def hvp(self, x, p, multipliers=None, sigma=1.0):
        """The product of that Hessian and a vector p."""
        if multipliers is None and sigma == 1.0:
            return self.objective.hvp(x, p)
        return self.hessian(x, multipliers, sigma) @ vector("p", p)

    def _point(self, x):
        x = vector("x", x)
        if x.size != self.n:
            raise ShapeError(f"x has {x.size} numbers where the problem has {self.n} unknowns")
        return x

    # -- for SciPy --

    @property
    def bounds(self):
        """The bounds as SciPy has them; None if there are none."""
        if np.all(np.isneginf(self.lower)) and np.all(np.isposinf(self.upper)):
            return None
        from scipy.optimize import Bounds

        return Bounds(self.lower, self.upper)

    def for_minimize(self, method="trust-constr"):
        """The arguments of scipy.optimize.minimize but `method`, with the derivatives it takes.

        That is the gradient, and: products with the Hessian for Newton-CG, trust-ncg and
        trust-krylov; the dense Hessian for dogleg and trust-exact; sparse Hessians for
        trust-constr, and a sparse Jacobian of constraints where it is large.
        """
        method = method.lower()
        out = {"fun": self.value, "x0": self.x0}
        if method not in NO_GRADIENT:
            out["jac"] = self.gradient
        if method in PRODUCTS:
            out["hessp"] = self.objective.hvp
        if method in DENSE_HESSIAN:
            out["hess"] = self.objective.hessian
        if method == "trust-constr":
            out["hess"] = self.objective.sparse_hessian
        if self.bounds is not None:
            out["bounds"] = self.bounds
        if self.parts:
            sparse = method == "trust-constr" and self.m * self.n > MOST_DENSE
            second = method == "trust-constr"
            out["constraints"] = [c.for_scipy(sparse, second) for c in self.parts]
        return out

    def for_least_squares(self, sparse=None):
        """The arguments of scipy.optimize.least_squares, the objective being the residuals.

        `sparse` says whether the Jacobian is a sparse array, for which SciPy solves by LSMR; left
        out, it is where it has more than a million entries of which less than a tenth are not zero.
        jac_sparsity is for solvers that ask for it; SciPy itself has no use for it beside jac.
        """
        self._without_constraints("least_squares")
        out = {"fun": self.residuals, "x0": self.x0}
        if self.bounds is not None:
            out["bounds"] = self.lower, self.upper
        if sparse is None:
            sparse = self.n * self.residuals(self.x0).size > MOST_ENTRIES
            if sparse:
                pattern = self.residual.sparse_jacobian(self.x0)
                sparse = pattern.nnz < MOST_DENSITY * np.prod(pattern.shape)
        out["jac"] = self.residual.sparse_jacobian if sparse else self.residual.jacobian
        if sparse:
            out["jac_sparsity"] = self.sparsity()
        return out

    def for_root(self):
        """The arguments of scipy.optimize.root, the objective being the equations."""
        self._without_constraints("root")
        return {"fun": self.residuals, "x0": self.x0, "jac": self.residual.jacobian}

    def sparsity(self):
        """Where the Jacobian of the residuals may be other than zero: a CSR array of ones."""
        found = self.residual.sparse_jacobian(self.x0)
        return csr_array((np.ones(found.nnz), found.indices, found.indptr), shape=found.shape)

    def _without_constraints(self, solver):
        if self.parts:
            raise TypeError(f"{solver} takes no constraints; use minimize or adcore.ipopt.minimize")

    # -- for Ipopt --

    def for_ipopt(self):
        """An object with the callbacks that cyipopt.Problem takes as its problem_obj."""
        return Callbacks(self)


class Callbacks:
    """The callbacks of cyipopt, of a Problem: entries of fixed structures, the lower triangle.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> c = adcore.problem(lambda x: x[0] * x[1] ** 2, x0=[1.0, 2.0]).for_ipopt()
    >>> c.hessianstructure(), c.hessian(np.array([1.0, 2.0]), np.zeros(0), 1.0)
    ((array([1, 1]), array([0, 1])), array([4., 2.]))
    """

    def __init__(self, problem):
        self.problem = problem
        self.objective, self.gradient = problem.value, problem.gradient
        self._jacobian = Fixed(problem.jacobian(problem.x0), False, "the constraints' Jacobian")
        self._hessian = Fixed(problem.hessian(problem.x0), True, "the Hessian")
        self.n_hessians = 0

    def constraints(self, x):
        """The values of all constraints."""
        return self.problem.constraints(x)

    def jacobianstructure(self):
        """(rows, columns) of the Jacobian's entries."""
        return self._jacobian.rows, self._jacobian.columns

    def jacobian(self, x):
        """The Jacobian's entries."""
        return self._jacobian.entries(self.problem.jacobian(x))

    def hessianstructure(self):
        """(rows, columns) of the entries in the lower triangle of the Lagrangian's Hessian."""
        return self._hessian.rows, self._hessian.columns

    def hessian(self, x, lagrange, obj_factor):
        """These entries."""
        self.n_hessians += 1
        return self._hessian.entries(self.problem.hessian(x, lagrange, obj_factor))


class _Nonlinear:
    """Constraints lower <= c(x) <= upper."""

    curved = True

    def __init__(self, function, sides, n, x0, given):
        self.function, self.given = function, given
        self.recorded = Vector(function, n, getattr(function, "__name__", "the constraint"))
        self.value, self.sparse_jacobian = self.recorded.value, self.recorded.sparse_jacobian
        self.m = self.value(x0).size
        self.lower, self.upper = _sides(sides, self.m)

    def for_scipy(self, sparse, second):
        """As SciPy has it, with derivatives."""
        jac = self.recorded.sparse_jacobian if sparse else self.recorded.jacobian
        if isinstance(self.given, dict) and not second:
            return {"type": self.given["type"], "fun": self.value, "jac": jac}
        from scipy.optimize import NonlinearConstraint

        kept = getattr(self.given, "keep_feasible", False)
        hess = {"hess": self.recorded.hessian} if second else {}
        return NonlinearConstraint(
            self.value, self.lower, self.upper, jac=jac, keep_feasible=kept, **hess
        )


class _Linear:
    """Constraints lower <= A x <= upper."""

    curved = False

    def __init__(self, given, n):
        self.given = given
        if issparse(given.A):
            self.matrix = csr_array(given.A, dtype=np.float64)
        else:
            self.matrix = csr_array(np.atleast_2d(np.asarray(given.A, dtype=np.float64)))
        self.matrix.sum_duplicates()
        self.m = self.matrix.shape[0]
        if self.matrix.shape[1] != n:
            raise ShapeError(
                f"the matrix of a linear constraint has shape {self.matrix.shape} where there are "
                f"{n} unknowns"
            )
        self.lower, self.upper = _sides((given.lb, given.ub), self.m)

    def value(self, x):
        """A x."""
        return self.matrix @ vector("x", x)

    def sparse_jacobian(self, x):
        """A."""
        del x
        return self.matrix

    def for_scipy(self, sparse, second):
        """As SciPy has it."""
        del second
        from scipy.optimize import LinearConstraint

        kept = getattr(self.given, "keep_feasible", False)
        matrix = self.matrix if sparse else self.matrix.toarray()
        return LinearConstraint(matrix, self.lower, self.upper, kept)


def _listed(constraints):
    if constraints is None:
        return []
    return list(constraints) if isinstance(constraints, list | tuple) else [constraints]


def _constraint(given, n, x0):
    """A constraint in one of SciPy's forms."""
    if isinstance(given, dict):
        kind, function = given.get("type"), given.get("fun")
        if kind not in ("eq", "ineq"):
            raise ValueError(f'the type of a constraint must be "eq" or "ineq", got {kind!r}')
        if not callable(function):
            raise TypeError(f'a constraint needs a function under "fun", got {function!r}')
        args = tuple(given.get("args", ()))
        called = (lambda x: function(x, *args)) if args else function
        return _Nonlinear(called, (0.0, 0.0 if kind == "eq" else np.inf), n, x0, given)
    if hasattr(given, "A"):
        return _Linear(given, n)
    if hasattr(given, "fun") and hasattr(given, "lb"):
        return _Nonlinear(given.fun, (given.lb, given.ub), n, x0, given)
    raise TypeError(
        "a constraint must be a NonlinearConstraint, a LinearConstraint or a dict, as SciPy has "
        f"them, got {given!r}"
    )


def _sides(sides, m):
    out = []
    for name, side in zip(("lb", "ub"), sides, strict=True):
        try:
            out.append(np.broadcast_to(np.asarray(side, dtype=np.float64), (m,)).copy())
        except ValueError as error:
            raise ShapeError(
                f"{name} of a constraint has shape {np.shape(side)} where it has {m} values"
            ) from error
    return out


def _bounds(bounds, n):
    """(least, greatest), each of n numbers."""
    if bounds is None:
        return np.full(n, -np.inf), np.full(n, np.inf)
    if hasattr(bounds, "lb"):
        sides = bounds.lb, bounds.ub
    else:
        pairs = [tuple(pair) for pair in bounds]
        if len(pairs) != n or any(len(pair) != 2 for pair in pairs):
            raise ShapeError(f"bounds must be {n} pairs (least, greatest), got {bounds!r}")
        sides = (
            [-np.inf if low is None else low for low, _ in pairs],
            [np.inf if high is None else high for _, high in pairs],
        )
    lower, upper = (np.broadcast_to(np.asarray(s, float), (n,)).copy() for s in sides)
    if np.any(lower > upper):
        i = int(np.argmax(lower > upper))
        raise ValueError(f"the bounds of x[{i}] exclude each other: {lower[i]} > {upper[i]}")
    return lower, upper
