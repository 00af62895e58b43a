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

from ... import _calls, _core
from ..._core import Dual
from ..._trees import shape_of
from ...errors import NotDifferentiableError
from ...rules.primitives import as_array, concatenate, reshape, stack_nested, values
from ...rules.products import matmul
from ...rules.table import is_traced
from ...transforms import jvp
from . import _families as families

T0, T1, TIMES, Y0, THETA = range(5)  # leaves of a Solution; all from THETA on are parameters


class Problem:
    """An equation: bind(theta), a function of (t, y), and how to solve it.

    Parameters
    ----------
    engine : object
        With solve(problem, f, t0, t1, times, y0, units, theta) -> y, which has a column per time.
    units : callable
        units(y0, theta) -> what absolute tolerances of each component of y are multiplied by.
    order : int
        How often the equation was differentiated.
    plain : callable
        What the engine is given instead of bind where the problem itself is solved.
    """

    def __init__(self, engine, bind, units=None, order=0, plain=None):
        self.engine, self.bind, self.order = engine, bind, order
        self.plain = plain or bind
        self.units = units or _ones
        self.bound = families.Fast(bind) if order else None

    def solved(self, t0, t1, times, y0, theta):
        """The solution at the times, in plain numbers."""
        units = self.units(y0, theta)
        if self.order == 0:
            return self.engine.solve(self.plain(theta), t0, t1, times, y0, theta)
        if len(times) == 0 or np.all(times == t0):
            return np.repeat(y0[:, None], len(times), axis=1)
        # No further than is asked for: there may be no solution.
        t1 = times[np.argmax(np.abs(times - t0))]
        return self.engine.solve_derived(self.bound(theta), t0, t1, times, y0, units)


def _ones(y0, theta):
    del theta
    return np.ones(len(y0))


def variational(problem, moved, n):
    """The problem of y and z, z the derivative along directions of y0 and of `moved` parameters.

    Its parameters are theta, `n` of them, and the directions of those moved.
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

    def units(both, theta):
        y0, z0 = np.split(both, 2)
        base = problem.units(y0, theta[:n])
        chosen = [theta[i] for i in moved]
        return np.concatenate([base, base * families.along([y0, *chosen], [z0, *theta[n:]])])

    return Problem(problem.engine, bind, units, problem.order + 1)


def sensitivity(problem, chosen, shapes, n_y):
    """The problem of y and of its derivatives in y0 and in all elements of `chosen` parameters.

    Its state is y, then one row of derivatives for each element of y0 and of the parameters, whose
    shapes are `shapes`.
    """
    sizes = [math.prod(s) for s in shapes]
    rows = n_y + sum(sizes)
    seeds, at = [], n_y
    for shape, size in zip(shapes, sizes, strict=True):
        lanes = [None] * rows
        for j in range(size):
            one = np.zeros(size)
            one[j] = 1.0
            lanes[at + j] = one.reshape(shape) if shape else 1.0
        seeds.append(tuple(lanes))
        at += size

    def bind(theta):
        def function(t, state):
            y = state[:n_y]
            s = reshape(state[n_y:], (rows, n_y))
            tag = _core.new_tag()
            full = list(theta)
            for i, lanes in zip(chosen, seeds, strict=True):
                full[i] = Dual(tag, theta[i], lanes)
            y = Dual(tag, y, tuple([s[j] for j in range(rows)]))
            out = families.flat(problem.bind(full)(t, y))
            if type(out) is not Dual or out.tag != tag:
                return families.joined([out, np.zeros(rows * n_y)])
            zero = np.zeros(n_y)
            moves = [zero if v is None else v for v in out.tangents]
            return families.joined([out.value, *moves])

        return function

    def units(state, theta):
        y0 = state[:n_y]
        base = problem.units(y0, theta)
        of = [y0, *[theta[i] for i in chosen]]
        each = np.concatenate([np.ravel(families.unit(v)) for v in of])
        return np.concatenate([base, np.ravel(each[:, None] * base)])

    return Problem(problem.engine, bind, units, problem.order + 1)


class Solution:
    """What _calls.py has to know of a solution, which is y with a column per time.

    Its leaves are [t0, t1, times, y0, *theta].  The solver goes from t0 to t1, on which y does not
    depend.
    """

    remedy = "it solves the variational equation"

    def __init__(self, problem):
        self.problem = problem
        self.name = problem.engine.name

    def rule(self, mode):
        """The name of a rule, for errors."""
        return f"the {mode} rule of {self.name}"

    def value(self, leaves):
        """The output of plain leaves."""
        return self.run(leaves)[0]

    def run(self, leaves):
        """(y, nothing) of plain leaves."""
        t0, t1, times, y0, *theta = leaves
        with _core.outside_programs():
            return self.problem.solved(t0, t1, times, y0, theta), None

    def push(self, leaves, output, saved, tangents):
        """The tangent of y."""
        del saved
        t0, _, times, y0, *theta = leaves
        t0dot, _, tdot, y0dot, *thetadot = tangents
        f = self.problem.bind(theta)
        moved = [i for i, v in enumerate(thetadot) if v is not None]
        if t0dot is not None:
            shift = -t0dot * families.flat(f(t0, y0))
            y0dot = shift if y0dot is None else y0dot + shift
        ydot = None
        if y0dot is not None or moved:
            ydot = along(self.problem, leaves, times, y0dot, moved, thetadot)[1]
        if tdot is not None:
            moving = rates(f, times, output) * tdot
            ydot = moving if ydot is None else ydot + moving
        return [ydot]

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves."""
        del saved
        t0, t1, times, y0, *theta = leaves
        ct = ct[0]
        found = dict.fromkeys(wanted)
        if ct is None:
            return [None] * len(wanted)
        f = self.problem.bind(theta)
        chosen = [i - THETA for i in wanted if i >= THETA]
        if chosen or {T0, Y0} & set(wanted):
            n = shape_of(y0)[0]
            shapes = [shape_of(theta[i]) for i in chosen]
            all_of = sensitivity(self.problem, chosen, shapes, n)
            rows = n + sum([math.prod(s) for s in shapes])
            first = np.concatenate([np.eye(n), np.zeros((rows - n, n))])
            state = concatenate([y0, first.ravel()], 0)
            s = _calls.call(Solution(all_of), [t0, t1, times, state, *theta])
            s = reshape(s[n:], (rows, -1))
            g = matmul(s, reshape(ct, (-1,)))
            if Y0 in found:
                found[Y0] = g[:n]
            if T0 in found:
                found[T0] = -(g[:n] * families.flat(f(t0, y0))).sum()
            parts = families.split(g[n:], shapes)
            found.update({i + THETA: p for i, p in zip(chosen, parts, strict=True)})
        if TIMES in found:
            found[TIMES] = (rates(f, times, output) * ct).sum(0)
        return [found[i] for i in wanted]


def along(problem, leaves, times, y0dot, moved, thetadot):
    """(y, ydot) at `times`: the solution, and its derivative at fixed times along a direction."""
    t0, t1, _, y0, *theta = leaves
    n = shape_of(y0)[0]
    y0dot = np.zeros(n) if y0dot is None else families.flat(y0dot)
    state = concatenate([y0, y0dot], 0)
    both = variational(problem, moved, len(theta))
    directions = [thetadot[i] for i in moved]
    found = _calls.call(Solution(both), [t0, t1, times, state, *theta, *directions])
    return found[:n], found[n:]


def rates(f, times, y):
    """The right-hand side at the times, a column each."""
    columns = [families.flat(f(times[i], y[:, i])) for i in range(shape_of(times)[0])]
    return stack_nested(columns).T if columns else np.zeros(shape_of(y))


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
