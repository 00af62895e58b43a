"""Initial value problems: SciPy's solvers, and derivatives as solutions of variational equations.

Where y' = f(t, y; theta), a derivative of y along a direction of the initial values and the
parameters solves z' = (df/dy) z + (df/dtheta) thetadot.  y and z together are integrated by the
same solver, method and tolerances, with z in the error norm: the derivative is found with error
control of its own, where the solver's steps for y alone may be far too long for it.  As this is an
initial value problem again, its own derivatives are found so, to any order, by any method, stiff
ones too.  In times the derivative is f.
"""

import math

import numpy as np
from scipy.linalg import block_diag

from ... import _calls, _core
from ..._core import Dual
from ..._named import CALLS_BACK
from ..._trees import shape_of
from ...errors import NotDifferentiableError
from ...rules.primitives import as_array, concatenate, reshape, stack_nested, values
from ...rules.products import matmul
from ...rules.table import is_traced
from ...transforms import jvp
from . import _families as families

T0, T1, TIMES, Y0, THETA = range(5)  # leaves of a Solution; all from THETA on are parameters


class Start:
    """The initial state as it depends on a vector v of free numbers: constant + matrix v.

    Both are plain; None for the state that is v itself.
    """

    def __init__(self, constant=None, matrix=None):
        self.constant, self.matrix = constant, matrix

    def state(self, v):
        """The initial state."""
        return v if self.matrix is None else self.constant + matmul(self.matrix, v)

    def moved(self, vdot):
        """Its tangent."""
        return vdot if self.matrix is None else matmul(self.matrix, vdot)

    def pulled(self, adjoint):
        """The adjoint of v, given that of the state."""
        return adjoint if self.matrix is None else matmul(self.matrix.T, adjoint)

    def parts(self, n):
        """(constant, matrix) for n free numbers."""
        return (np.zeros(n), np.eye(n)) if self.matrix is None else (self.constant, self.matrix)


class Problem:
    """An equation: bind(theta), a function of (t, y), how it starts, and how to solve it.

    Parameters
    ----------
    engine : object
        With solve(f, t0, t1, times, y0, theta) -> y, a column per time, for the problem itself, and
        solve_derived(f, t0, t1, times, y0, units) for those derived from it.
    units : callable
        units(v, theta) -> what absolute tolerances of each component of y are multiplied by.
    order : int
        How often the equation was differentiated.
    plain : callable
        What the engine is given instead of bind where the problem itself is solved.
    """

    def __init__(self, engine, bind, units=None, order=0, plain=None, start=None):
        self.engine, self.bind, self.order = engine, bind, order
        self.plain, self.start = plain or bind, start or Start()
        self.units = units or _ones
        self.bound = families.Fast(bind, 2) if order else None

    def solved(self, t0, t1, times, v, theta):
        """The solution at the times, in plain numbers."""
        y0 = self.start.state(v)
        if self.order == 0:
            return self.engine.solve(self.plain(theta), t0, t1, times, y0, theta)
        if len(times) == 0 or np.all(times == t0):
            return np.repeat(y0[:, None], len(times), axis=1)
        # No further than is asked for: there may be no solution.
        t1 = times[np.argmax(np.abs(times - t0))]
        units = self.units(v, theta)
        return self.engine.solve_derived(self.bound(theta), t0, t1, times, y0, units)


def _ones(v, theta):
    del theta
    return np.ones(len(v))


def variational(problem, moved, n, n_v):
    """The problem of y and z, z the derivative along directions of y0 and of `moved` parameters.

    Its free numbers are those of the problem, n_v, and all of z at the start; its parameters are
    theta, n of them, and the directions of those moved.
    """

    def bind(theta):
        theta, directions = list(theta[:n]), list(theta[n:])

        def function(t, both):
            size = shape_of(both)[0] // 2

            def at(y, *chosen):
                full = list(theta)
                for i, v in zip(moved, chosen, strict=True):
                    full[i] = v
                return families.flat(problem.bind(full)(t, y))

            primals = (both[:size], *[theta[i] for i in moved])
            return families.joined(jvp(at, primals, (both[size:], *directions)))

        return function

    def units(v, theta):
        v, z0 = v[:n_v], v[n_v:]
        base = problem.units(v, theta[:n])
        chosen = [theta[i] for i in moved]
        of_start = families.along([problem.start.state(v)], [z0]) if z0.any() else 0.0
        of_theta = families.along(chosen, theta[n:]) if chosen else 0.0
        return np.concatenate([base, base * (max(of_start, of_theta) or 1.0)])

    constant, matrix = problem.start.parts(n_v)
    size = len(constant)
    start = Start(np.concatenate([constant, np.zeros(size)]), block_diag(matrix, np.eye(size)))
    return Problem(problem.engine, bind, units, problem.order + 1, start=start)


def sensitivity(problem, chosen, shapes, n_v, whole):
    """The problem of y and of its derivatives in what is free, a row of derivatives each.

    These are its n_v free numbers, or if `whole` all of y at the start, and then all elements of
    the `chosen` parameters, whose shapes are `shapes`.
    """
    constant, matrix = problem.start.parts(n_v)
    size = len(constant)
    first = np.eye(size) if whole else matrix.T
    sizes = [math.prod(s) for s in shapes]
    at, rows = len(first), len(first) + sum(sizes)
    seeds = []
    for shape, count in zip(shapes, sizes, strict=True):
        lanes = [None] * rows
        for j in range(count):
            one = np.zeros(count)
            one[j] = 1.0
            lanes[at + j] = one.reshape(shape) if shape else 1.0
        seeds.append(tuple(lanes))
        at += count

    def bind(theta):
        def function(t, state):
            y = state[:size]
            s = reshape(state[size:], (rows, size))
            tag = _core.new_tag()
            full = list(theta)
            for i, lanes in zip(chosen, seeds, strict=True):
                full[i] = Dual(tag, theta[i], lanes)
            y = Dual(tag, y, tuple([s[j] for j in range(rows)]))
            out = families.flat(problem.bind(full)(t, y))
            if type(out) is not Dual or out.tag != tag:
                return families.joined([out, np.zeros(rows * size)])
            zero = np.zeros(size)
            moves = [zero if v is None else v for v in out.tangents]
            return families.joined([out.value, *moves])

        return function

    def units(v, theta):
        base = problem.units(v, theta)
        of = [problem.start.state(v) if whole else v, *[theta[i] for i in chosen]]
        each = np.concatenate([np.ravel(families.unit(x)) for x in of])
        return np.concatenate([base, np.ravel(each[:, None] * base)])

    lanes = np.concatenate([first.ravel(), np.zeros((rows - len(first)) * size)])
    start = Start(
        np.concatenate([constant, lanes]), np.concatenate([matrix, np.zeros((len(lanes), n_v))])
    )
    return Problem(problem.engine, bind, units, problem.order + 1, start=start)


class Solution:
    """What _calls.py has to know of a solution, which is y with a column per time.

    Its leaves are [t0, t1, times, v, *theta]; v is what is free in the initial state.  The solver
    goes from t0 to t1, on which y does not depend.
    """

    remedy = "it solves the variational equation"
    unsaved = CALLS_BACK

    def __init__(self, problem):
        self.problem = problem
        self.name = problem.engine.name
        self.kept = None  # the last sensitivities, and what they are of

    def rule(self, mode):
        """The name of a rule, for errors."""
        return f"the {mode} rule of {self.name}"

    def value(self, leaves):
        """The output of plain leaves."""
        return self.run(leaves)[0]

    def run(self, leaves):
        """(y, nothing) of plain leaves."""
        t0, t1, times, v, *theta = leaves
        return _core.aside(self.problem.solved, t0, t1, times, v, theta), None

    def push(self, leaves, output, saved, tangents):
        """The tangent of y."""
        del saved
        t0, _, times, v, *theta = leaves
        t0dot, _, tdot, vdot, *thetadot = tangents
        f = self.problem.bind(theta)
        moved = [i for i, x in enumerate(thetadot) if x is not None]
        ydot = None
        if t0dot is not None or vdot is not None or moved:
            y0dot = moved_start(self.problem, t0, v, theta, t0dot, vdot)
            ydot = along(self.problem, leaves, times, y0dot, moved, thetadot)[1]
        if tdot is not None:
            moving = rates(f, times, output) * tdot
            ydot = moving if ydot is None else ydot + moving
        return [ydot]

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves."""
        del saved
        t0, _, times, v, *theta = leaves
        ct = ct[0]
        found = dict.fromkeys(wanted)
        if ct is None:
            return [None] * len(wanted)
        f = self.problem.bind(theta)
        chosen = [i - THETA for i in wanted if i >= THETA]
        if chosen or {T0, Y0} & set(wanted):
            shapes = [shape_of(theta[i]) for i in chosen]
            whole = T0 in found
            s = self._sensitivities(leaves, chosen, shapes, whole)
            g = matmul(s, reshape(ct, (-1,)))
            n = shape_of(g)[0] - sum([math.prod(s) for s in shapes])
            if Y0 in found:
                found[Y0] = self.problem.start.pulled(g[:n]) if whole else g[:n]
            if T0 in found:
                found[T0] = -(g[:n] * families.flat(f(t0, self.problem.start.state(v)))).sum()
            parts = families.split(g[n:], shapes)
            found.update({i + THETA: p for i, p in zip(chosen, parts, strict=True)})
        if TIMES in found:
            found[TIMES] = (rates(f, times, output) * ct).sum(0)
        return [found[i] for i in wanted]

    def _sensitivities(self, leaves, chosen, shapes, whole):
        """Derivatives of all elements of y, a row for each number that they are in."""
        plain = not is_traced(leaves)
        key = plain and (chosen, whole, [np.asarray(x).tobytes() for x in leaves])
        if plain and self.kept is not None and self.kept[0] == key:
            return self.kept[1]  # one gradient after another, of the same solution
        problem = sensitivity(self.problem, chosen, shapes, shape_of(leaves[Y0])[0], whole)
        size = len(self.problem.start.parts(shape_of(leaves[Y0])[0])[0])
        s = _calls.call(Solution(problem), leaves)[size:]
        s = reshape(s, (shape_of(s)[0] // size, -1))
        if plain:
            self.kept = key, s
        return s


def moved_start(problem, t0, v, theta, t0dot, vdot):
    """The tangent of y at t0, which a solution passes that starts at another time or place."""
    y0dot = None if vdot is None else problem.start.moved(families.flat(vdot))
    if t0dot is None:
        return y0dot
    shift = -t0dot * families.flat(problem.bind(theta)(t0, problem.start.state(v)))
    return shift if y0dot is None else y0dot + shift


def along(problem, leaves, times, y0dot, moved, thetadot):
    """(y, ydot) at `times`: the solution, and its derivative at fixed times along a direction."""
    t0, t1, _, v, *theta = leaves
    n_v = shape_of(v)[0]
    size = len(problem.start.parts(n_v)[0])
    y0dot = np.zeros(size) if y0dot is None else y0dot
    both = variational(problem, moved, len(theta), n_v)
    directions = [thetadot[i] for i in moved]
    free = concatenate([v, y0dot], 0)
    found = _calls.call(Solution(both), [t0, t1, times, free, *theta, *directions])
    return found[:size], found[size:]


def rates(f, times, y):
    """The right-hand side at the times, a column each."""
    columns = [families.flat(f(times[i], y[:, i])) for i in range(shape_of(times)[0])]
    return stack_nested(columns).T if columns else np.zeros(shape_of(y))


def tolerances(settings, rtol, atol, size, units):
    """The tolerances for a variational equation; `rtol` and `atol` are the defaults.

    Solvers take the mean of squares over all components, each error over its tolerance.  So that
    the mean over each solution, y itself or a derivative of it, is as small as it would be alone,
    tolerances are divided by the square root of how many solutions there are.
    """
    share = math.sqrt(size / len(units)) if size else 1.0
    rtol, atol = (
        default if settings.get(name) is None else settings[name]
        for name, default in (("rtol", rtol), ("atol", atol))
    )
    least = 100.0 * np.finfo(float).eps  # of which solvers are capable
    rtol = np.resize(rtol, len(units)) if np.ndim(rtol) else rtol
    return {
        "rtol": np.maximum(rtol * share, np.minimum(rtol, least)),
        "atol": np.resize(atol, len(units)) * units * share,
    }


def checked(rate, size, what):
    """What a right-hand side returned for plain numbers, as a vector of `size` floats."""
    if is_traced([rate]):
        rate = as_array(rate)
        if type(rate) is Dual or rate.requires_grad:
            raise NotDifferentiableError(
                f"the right-hand side of {what} uses a tracked tensor that was not found in its "
                "closure, globals or attributes; pass it through args"
            )
    return np.asarray(values(rate), dtype=float).reshape(size)
