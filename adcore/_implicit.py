"""Solutions of equations as functions of what the equations depend on.

x with F(x, p) = 0 is found in plain numbers, by whatever solver; its derivatives are those of the
implicit function theorem, dx = -F_x^{-1} F_p dp, whatever way the solver went.  Two calls make all
orders of them, in both modes:

    Solution        p -> x:              its rules are one linear system and a derivative of F in p
    LinearSolution  (x, p, b) -> y:      F_x y = b, or the transposed system

F_x is a function of x and p, whose products with vectors are derivatives of F along them: so the
rules of a linear solution are another linear solution, and derivatives of such products.  No matrix
is ever recorded, none of the solver's steps is differentiated, and nothing hangs on the order.

Derivatives exist where F_x is regular.  What is factorised is checked: a matrix that is singular,
or that may be so within the accuracy to which x is known, is an error.
"""

import functools

import numpy as np

from . import _calls, _core
from ._captured import captured
from ._core import Dual, Tensor
from ._named import CALLS_BACK
from ._trees import flatten, flatten_values, is_tracked, shape_of, unflatten
from .errors import ConvergenceError, DomainError, NotDifferentiableError, ShapeError, TapeError
from .rules.primitives import as_array, concatenate, reshape, sum_axes
from .transforms import grad, jacobian, jvp, vjp

EPS = float(np.finfo(float).eps)
# By how much F_x may change, relative to itself, within the accuracy of x.
MOST_CHANGE = 1e-3


def raveled(tree):
    """The numbers of a tree as one vector."""
    leaves, _ = flatten_values(tree)
    parts = [reshape(as_array(v), (-1,)) for v in leaves]
    if len(parts) == 1:
        return parts[0]
    return concatenate(parts, 0) if parts else np.zeros(0)


def numbers(name, y):
    """What a function gave for plain numbers, as it is, without constant tensors."""
    if is_tracked(y):
        raise NotDifferentiableError(
            f"the function that {name} was given depends on a tracked tensor in a way that could "
            "not be traced; pass it in args, or name it in the function itself"
        )
    return _calls.plain(y) if type(y) is Tensor else y


def plain_function(name, f):
    """`f` for a solver: of plain numbers, also where tensors are constants inside of it."""
    if f is None or not callable(f):
        return f

    @functools.wraps(f)
    def plain(*args, **kwargs):
        leaves, structure = flatten_values(f(*args, **kwargs))
        return unflatten(structure, [numbers(name, v) for v in leaves])

    return plain


# ---- equations ----


class Equations:
    """F(x, p) = 0: what it is made of, and how it is solved.

    name                            whose equations they are, for errors
    rebuild                         gives the functions, from the last leaves of p
    structure                       of (data, leaves of the functions), whose leaves are p
    residual(functions, data, x)    F, a vector, in adcore's operations
    solve(functions, data)          the vector x, in plain numbers
    revised(functions, data, start, x)  None, or where to start again instead: see solution()
    linear                          "dense", or "gmres" or "cg" for products with F_x alone
    """

    def __init__(self, name, rebuild, structure, residual, solve, revised, linear):
        self.name, self.rebuild, self.structure = name, rebuild, structure
        self.residual, self.solve, self.linear = residual, solve, linear
        self.revised = revised
        self.known = None  # (x, p, factors) of the newest F_x
        self.left = None  # (x, p, F) of the newest solution

    def taken_apart(self, p):
        """(functions, data) of leaves."""
        data, outside = unflatten(self.structure, p)
        return self.rebuild(outside), data

    def at(self, p):
        """F as a function of x."""
        functions, data = self.taken_apart(p)
        return lambda x: self.residual(functions, data, x)

    def of(self, p, chosen):
        """F as a function of x and of chosen leaves."""

        def F(x, *moved):
            leaves = list(p)
            for i, v in zip(chosen, moved, strict=True):
                leaves[i] = v
            return self.at(leaves)(x)

        return F

    # -- in plain numbers --

    def found(self, p):
        """The solution, to all digits that Newton's method gets out of F."""
        x = self.searched(p)
        self.left = x, list(p), self.value(x, p)
        return x

    def searched(self, p):
        """The same, not yet kept."""
        functions, data = self.taken_apart(p)
        start = np.array(self.solve(functions, data), float).reshape(-1)
        x = self.polished(start, p)
        if self.revised is None:
            return x
        for _ in range(10 + start.size):
            new = self.revised(functions, data, start, x)
            if new is None:
                return x
            x = self.polished(new, p)
        raise ConvergenceError(
            f"{self.name} came to x = {_shown(start)}, where it could not be told which bounds and "
            "constraints hold the solution; it may not have converged"
        )

    def value(self, x, p):
        """F as an array."""
        r = np.asarray(numbers(self.name, self.at(p)(x)), float)
        if r.shape != x.shape:
            raise ShapeError(
                f"{self.name} needs as many equations as unknowns: {x.size} unknowns, but the "
                f"function returned {r.size} numbers"
            )
        return r

    def polished(self, x, p):
        """`x` after steps of Newton's method, as long as they contract."""
        r = self.value(x, p)
        last = np.inf
        for _ in range(20):
            if not r.any():
                break
            try:
                factors = self.factors(x, p)
            except (DomainError, ConvergenceError):
                break  # no derivative here; the value stands
            step = -factors.solve(r, False)
            size = np.max(np.abs(step))
            if not size < 0.5 * last:
                break
            new = x + step
            r_new = self.value(new, p)
            # Affine invariant: the next step, by the same matrix, must be shorter.
            if not np.max(np.abs(factors.solve(r_new, False))) < size:
                break
            x, r, last = new, r_new, size
        return x

    def factors(self, x, p):
        """F_x at a point, ready to solve systems with."""
        known = self.known
        if known is not None and _same(known[0], x) and all(map(_same, known[1], p)):
            return known[2]
        kind = _Dense if self.linear == "dense" else _Products
        factors = kind(self, x, p)
        self.known = (x, list(p), factors)
        return factors

    def expect_settled(self, x, p):
        """Refuse a point where F_x is not known well enough: its relative change counts.

        Where F_x is regular, x is known to within a few rounding errors, over which F_x does not
        change; at a double root x is known to within what F_x itself changes over.
        """
        factors = self.factors(x, p)
        if factors.settled:
            return factors
        F = self.at(p)
        for d in self.inaccuracies(x, p, factors):
            size = np.max(np.abs(d), initial=0.0)
            if size == 0.0:
                continue
            along = np.asarray(jvp(F, (x + d,), (d,))[1]) - factors.product(d)
            change = np.max(np.abs(factors.solve(along, False)))
            if not change <= MOST_CHANGE * size:
                raise DomainError(
                    f"{self.name}: no derivative of the solution: the Jacobian at x = {_shown(x)} "
                    f"is singular to the accuracy of x, {size:.0e} (a multiple root, or a solver "
                    "that had not converged)"
                )
        factors.settled = True
        return factors

    def expect_unchanged(self, x, p, r, factors):
        """Refuse F if it is no longer what it was when it was solved."""
        left = self.left
        if left is None or not (_same(left[0], x) and all(map(_same, left[1], p))):
            return
        moved = np.max(np.abs(factors.solve(r - left[2], False)), initial=0.0)
        if moved > 1e-9 * np.max(np.abs(x), initial=0.0):
            raise TapeError(
                f"{self.name}: what its function finds outside of its arguments has changed since "
                "it was solved, so that the derivative would be of other equations; pass it in args"
            )

    def inaccuracies(self, x, p, factors):
        """Displacements by which a solution may be off, each unknown in its own units."""
        r = self.value(x, p)
        self.expect_unchanged(x, p, r, factors)
        yield 2.0 * factors.solve(r, False)
        # The noise of F: what is not linear over a few rounding errors.
        noise = np.zeros_like(r)
        for k in (-3.0, -1.0, 2.0, 5.0):
            moved = x + k * EPS * np.abs(x)
            off = self.value(moved, p) - r - factors.product(moved - x)
            noise = np.maximum(noise, np.abs(off))
        yield factors.solve(noise, False)
        # Where all digits cancel F does not even change: along what it takes for its own terms.
        terms = np.abs(factors.matrix) @ np.abs(x)
        v = factors.solve(np.where(np.arange(r.size) % 2, -terms, terms), False)
        reach = EPS
        while reach <= 1e-4 and not np.any(self.value(x + reach * v, p) != r):
            reach *= 4.0
        yield reach * v


def _same(a, b):
    if type(a) is np.ndarray or type(b) is np.ndarray:
        return np.array_equal(a, b)
    return a is b or (type(a) is type(b) is float and a == b)


def _shown(x):
    return np.array2string(np.asarray(x), precision=6, threshold=6)


class _Dense:
    """F_x as a matrix and its LU factors."""

    settled = False

    def __init__(self, equations, x, p):
        from scipy.linalg import lapack

        n = x.size
        J = np.asarray(jacobian(equations.at(p))(x), float).reshape(n, n)
        if not np.isfinite(J).all():
            raise DomainError(
                f"{equations.name}: no derivative of the solution: the Jacobian at x = "
                f"{_shown(x)} is not finite"
            )
        self.matrix = J
        # Units of equations and unknowns do not count: rows and columns are brought to size 1.
        rows = np.max(np.abs(J), axis=1, initial=0.0)
        scaled = J / np.where(rows > 0.0, rows, 1.0)[:, None]
        columns = np.max(np.abs(scaled), axis=0, initial=0.0)
        scaled = scaled / np.where(columns > 0.0, columns, 1.0)
        self.rows, self.columns = rows, columns
        self.lapack = lapack
        condition = 0.0
        if rows.all() and columns.all():
            self.lu, self.pivots, _ = lapack.dgetrf(scaled)
            condition, _ = lapack.dgecon(self.lu, np.max(np.sum(np.abs(scaled), axis=0), initial=0))
        if n and not condition > EPS:
            raise DomainError(
                f"{equations.name}: no derivative of the solution: the Jacobian at x = "
                f"{_shown(x)} is singular"
            )

    def product(self, v):
        """F_x v."""
        return self.matrix @ v

    def solve(self, b, transposed):
        """F_x^{-1} b, or that of the transposed."""
        if not b.size:
            return b
        left, right = (self.columns, self.rows) if transposed else (self.rows, self.columns)
        return self.lapack.dgetrs(self.lu, self.pivots, b / left, trans=int(transposed))[0] / right


class _Products:
    """F_x by its products with vectors, systems by an iterative method."""

    settled = True

    def __init__(self, equations, x, p):
        from scipy.sparse import linalg

        self.equations, self.x, self.linalg = equations, x, linalg
        F = equations.at(p)
        self.product = lambda v: np.asarray(jvp(F, (x,), (v,))[1], float)
        self.back = vjp(F, x)[1]

    def solve(self, b, transposed):
        """F_x^{-1} b, or that of the transposed."""
        n = b.size
        symmetric = self.equations.linear == "cg"
        product = self.product if symmetric or not transposed else self.reverse
        A = self.linalg.LinearOperator((n, n), matvec=lambda v: product(v.reshape(-1)), dtype=float)
        method = self.linalg.cg if symmetric else self.linalg.gmres
        options = {} if symmetric else {"restart": min(n, 100)}
        y, info = method(A, b, rtol=1e-13, atol=0.0, maxiter=10 * n, **options)
        missed = np.max(np.abs(product(y) - b))
        if not missed <= 1e-9 * np.max(np.abs(b)):
            raise ConvergenceError(
                f"{self.equations.name}: {self.equations.linear} did not solve the linear system "
                f"of the derivative at x = {_shown(self.x)} (info {info}, residual {missed:.1e}); "
                'the Jacobian may be singular, else write linear="dense"'
            )
        return y

    def reverse(self, v):
        """A row vector times F_x."""
        return np.asarray(self.back(v)[0], float)


# ---- the calls ----


class _Implicit:
    """What both have in common; see _calls.py for what a definition is."""

    remedy = "it has one"
    unsaved = CALLS_BACK

    def __init__(self, equations):
        self.equations = equations
        self.name = equations.name

    def rule(self, mode):
        """The name of a rule, for errors."""
        return f"the {mode} rule of {self.name}"

    def value(self, leaves):
        """The output, of a call that nothing depends on."""
        return self.run(leaves)[0]


class Solution(_Implicit):
    """x of p."""

    def run(self, leaves):
        """The vector, and nothing to keep."""
        return _core.aside(self.equations.found, leaves), None

    def pull(self, leaves, output, saved, ct, wanted):
        """The adjoints -F_p^T F_x^{-T} ct."""
        del saved
        u = LinearSolution.of(self.equations, True, output, leaves, ct[0])
        F = self.equations.of(leaves, wanted)
        _, back = vjp(lambda *moved: F(output, *moved), *[leaves[i] for i in wanted])
        return list(back(-u))

    def push(self, leaves, output, saved, tangents):
        """The tangent -F_x^{-1} F_p dp."""
        del saved
        moving = [i for i, t in enumerate(tangents) if t is not None]
        F = self.equations.of(leaves, moving)
        _, moved = jvp(
            lambda *given: F(output, *given),
            tuple(leaves[i] for i in moving),
            tuple(tangents[i] for i in moving),
        )
        return [LinearSolution.of(self.equations, False, output, leaves, -moved)]


class LinearSolution(_Implicit):
    """y of (x, p, b) with F_x(x, p) y = b, or with the transposed matrix."""

    def __init__(self, equations, transposed):
        super().__init__(equations)
        self.transposed = transposed

    @classmethod
    def of(cls, equations, transposed, x, p, b):
        """The solution, of numbers or tensors."""
        return _calls.call(cls(equations, transposed), [x, *p, b])

    def run(self, leaves):
        """The vector, and nothing to keep."""
        x, *p, b = leaves

        def found():
            return self.equations.expect_settled(x, p).solve(np.asarray(b, float), self.transposed)

        return _core.aside(found), None

    def pull(self, leaves, output, saved, ct, wanted):
        """The adjoint of b is w = A^{-T} ct; those of the rest are -<w, dA y>."""
        del saved
        x, *p, _ = leaves
        w = self.of(self.equations, not self.transposed, x, p, ct[0])
        last = len(leaves) - 1
        rest = [i for i in wanted if i != last]
        found = {last: w}
        if rest:
            left, right = (output, w) if self.transposed else (w, output)
            F = self.equations.of(p, [i - 1 for i in rest if i])

            def form(*moved):
                at, moved = (moved[0], moved[1:]) if rest[0] == 0 else (x, moved)
                along = jvp(lambda x: F(x, *moved), (at,), (right,))[1]
                return -sum_axes(left * along, None) if shape_of(along) else 0.0

            parts = grad(form, argnums=tuple(range(len(rest))))(*[leaves[i] for i in rest])
            found.update(zip(rest, parts, strict=True))
        return [found[i] for i in wanted]

    def push(self, leaves, output, saved, tangents):
        """The tangent A^{-1} (db - dA y)."""
        del saved
        x, *p, _ = leaves
        moving = [i for i, t in enumerate(tangents[:-1]) if t is not None]
        db = tangents[-1]
        if moving:
            F = self.equations.of(p, [i - 1 for i in moving if i])

            def product(*moved):
                at, moved = (moved[0], moved[1:]) if moving[0] == 0 else (x, moved)
                if self.transposed:
                    return vjp(lambda x: F(x, *moved), at)[1](output)[0]
                return jvp(lambda x: F(x, *moved), (at,), (output,))[1]

            given = tuple(leaves[i] for i in moving), tuple(tangents[i] for i in moving)
            dAy = jvp(product, *given)[1]
            db = -dAy if db is None else db - dAy
        return [self.of(self.equations, self.transposed, x, p, db)]


def solution(name, functions, data, residual, solve, revised=None, linear="dense"):
    """The vector x that solves equations, a function of all that is tracked in them.

    Parameters
    ----------
    name : str
        For errors.
    functions : sequence of callable or None
        The user's; tracked values that they find outside of their arguments count.
    data : tree
        All else that may be tracked: arguments, starting points, bounds.
    residual : (functions, data, x) -> vector
        The equations, in adcore's operations.
    solve : (functions, data) -> vector
        How they are solved, in plain numbers: all that was tracked is plain here.
    revised : (functions, data, start, x) -> vector or None, optional
        Asked whether x, to which Newton's method came from `start`, is what is meant: None if so,
        else another vector to start at.
    linear : "dense", "gmres" or "cg"
        How linear systems with the Jacobian are solved.
    """
    if linear not in ("dense", "gmres", "cg"):
        raise ValueError(f'linear must be "dense", "gmres" or "cg", got {linear!r}')
    outside, rebuild = captured(tuple(functions))
    leaves, structure = flatten((data, outside))
    leaves = [np.array(v) if type(v) is np.ndarray else v for v in leaves]
    equations = Equations(name, rebuild, structure, residual, solve, revised, linear)
    return _calls.call(Solution(equations), leaves)


def expect_at_rest(name, F, x, message):
    """Accept a solution that a solver was not content with if Newton's method would not move it."""
    x = np.array(x, float).reshape(-1)
    r = np.asarray(F(x), float)
    try:
        step = np.linalg.solve(np.reshape(jacobian(F)(x), (x.size, x.size)), r)
    except (np.linalg.LinAlgError, ValueError):
        step = np.full(x.size, np.inf)
    # A tolerance as loose as solvers' own: what is accepted is then polished to full accuracy.
    if not np.max(np.abs(step), initial=0.0) <= 1e-6 * np.max(np.abs(x), initial=1e-300):
        raise ConvergenceError(
            f"{name} found no solution, so that there is nothing to differentiate: "
            f"{' '.join(str(message).split())}"
        )


def scalar(y):
    """One number, of a function that may give it as an array of one element."""
    y = as_array(y)
    if shape_of(y) == ():
        return y if type(y) in (Tensor, Dual) else float(y)
    return reshape(y, ())
