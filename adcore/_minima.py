"""The equations of a minimum, with bounds and constraints: which of them hold it, and how hard.

The unknowns are, one after the other in a vector z,

    x           of the function, n
    held        for each x with bounds: -1 if its least, 1 if its greatest value holds it, else 0
    forces      one for each equation among the constraints, and each inequality
    active      for each inequality: 1 if it holds x, else 0

What holds x is decided once, in plain numbers, when the minimum is found.  From then on it is a
number among others that solves h**3 = h, which is all that is asked of it: so its derivatives are
zero, and the equations of a bound that holds x, and of one that does not, are told apart by it.
"""

import numpy as np

from ._implicit import numbers
from .errors import DomainError
from .rules.choices import where
from .rules.primitives import concatenate, sum_axes
from .transforms import grad, jacobian

# Relative to x: where solvers leave it, of what holds it.
LEAST_DISTANCE = 1e-4
# Relative to x or to the gradient: what is told from nothing.
LEAST_FORCE = 1e-8


class Minimum:
    """What to solve for a minimum of value(given, x) over vectors x of n.

    `given` is whatever the function, the bounds and the constraints are made from.

    bounds(given)               (least, greatest), or None
    constraints(given, x)       (vector that is 0, vector that is at least 0), or None
    """

    def __init__(self, name, value, n, bounds=None, constraints=None):
        self.name, self.value, self.n = name, value, n
        self.bounds, self.constraints = bounds, constraints

    def residual(self, given, z):
        """The equations, as many as unknowns."""
        n = self.n
        x, rest = z[:n], z[n:]
        held = rest[:n] if self.bounds else None
        if self.bounds:
            rest = rest[n:]

        def lagrangian(x, forces):
            y = self.value(given, x)
            if forces is None:
                return y
            return y - sum_axes(forces * self.all_constraints(given, x), None)

        if self.constraints is None:
            force = grad(lagrangian)(x, None)
            parts = []
        else:
            zero, positive = self.constraints(given, x)
            p, q = zero.shape[0], positive.shape[0]
            forces, active = rest[: p + q], rest[p + q :]
            force = grad(lagrangian)(x, forces)
            parts = [zero, where(active > 0.5, positive, forces[p:]), active**3 - active]
        if self.bounds:
            least, greatest = self.bounds(given)
            force = where(held < -0.5, x - least, where(held > 0.5, x - greatest, force))
            parts = [held**3 - held, *parts]
        return concatenate([force, *parts], 0) if parts else force

    def all_constraints(self, given, x):
        """Equations and inequalities as one vector."""
        return concatenate(list(self.constraints(given, x)), 0)

    # -- in plain numbers --

    def unknowns(self, given, x):
        """The vector z of the minimum x that a solver found, as far as can be told from it."""
        x = np.array(x, float).reshape(-1)
        if self.bounds is None and self.constraints is None:
            return x
        state = _State(self, given, x)
        near = LEAST_DISTANCE * np.max(np.abs(x), initial=0.0)
        if self.constraints is None:
            state.held = state.pulled()
        else:
            state.held = np.where(x - state.least <= near, -1.0, 0.0)
            state.held[state.greatest - x <= near] = 1.0
            state.active = state.away <= near
            state.let_go()
        return state.vector()

    def revised(self, given, start, z):
        """None if the minimum z is one: nothing pulls, or is crossed.  Else where to start again.

        `start` is what z was found from; what has to change there are the bounds and constraints
        that hold it.
        """
        if self.bounds is None and self.constraints is None:
            return None
        now, new = _State.of(self, given, z), _State.of(self, given, start)
        held, active = now.held.copy(), now.active.copy()
        held[(held == 0.0) & (now.x < now.least)] = -1.0
        held[(held == 0.0) & (now.x > now.greatest)] = 1.0
        loose = now.force * now.held > 0.0
        held[loose & (now.least < now.greatest)] = 0.0
        active[~now.active & (now.inequalities < 0.0)] = True
        active[now.active & (now.inequality_forces < 0.0)] = False
        now.refuse_degenerate()  # before it is held and let go in turns
        if np.array_equal(held, now.held) and np.array_equal(active, now.active):
            return None
        new.held, new.active = held, active
        new.find_forces()
        return new.vector()

    def gradient(self, given, x):
        """Of the function."""
        g = grad(lambda x: self.value(given, x))(x)
        return np.asarray(numbers(self.name, g), float)

    def curvature(self, given, x):
        """The Hessian of the function."""
        return jacobian(grad(lambda x: self.value(given, x)))(x)


class _State:
    """A point in plain numbers: bounds, constraints and forces there.

    held, active        what holds x
    forces              of all constraints, equations first; those that are not active are 0
    """

    def __init__(self, problem, given, x):
        self.problem, self.given, self.x = problem, given, x
        n = problem.n
        sides = problem.bounds(given) if problem.bounds else (-np.inf, np.inf)
        self.least, self.greatest = (np.broadcast_to(b, (n,)) for b in sides)
        self.held = np.zeros(n)
        self.g = problem.gradient(given, x)
        self.rows, self.n_zero = np.zeros((0, n)), 0
        self.inequalities = np.zeros(0)
        if problem.constraints:
            zero, positive = problem.constraints(given, x)
            self.n_zero = zero.shape[0]
            self.inequalities = np.asarray(numbers(problem.name, positive), float)
            rows = jacobian(lambda x: problem.all_constraints(given, x))(x)
            self.rows = np.asarray(rows, float)
        self.active = np.zeros(self.inequalities.size, bool)
        self.forces = np.zeros(len(self.rows))

    @classmethod
    def of(cls, problem, given, z):
        """The state that a vector of unknowns stands for."""
        n = problem.n
        state = cls(problem, given, z[:n])
        rest = z[n:]
        if problem.bounds:
            state.held, rest = np.rint(rest[:n]), rest[n:]
        state.forces = rest[: len(state.rows)]
        state.active = rest[len(state.rows) :] > 0.5
        return state

    def vector(self):
        """The unknowns."""
        held = self.held if self.problem.bounds else np.zeros(0)
        return np.concatenate([self.x, held, self.forces, self.active.astype(float)])

    @property
    def inequality_forces(self):
        """Those of inequalities alone."""
        return self.forces[self.n_zero :]

    @property
    def force(self):
        """The gradient that is left for bounds to hold."""
        return self.g - self.forces @ self.rows

    @property
    def sizes(self):
        """Of the gradient of each constraint."""
        return np.max(np.abs(self.rows), axis=1, initial=0.0)

    @property
    def away(self):
        """How far x is from each inequality, in units of x."""
        size = self.sizes[self.n_zero :]
        return np.abs(self.inequalities) / np.where(size > 0.0, size, 1.0)

    @property
    def wish(self):
        """How far x would move against the force, each by itself, if bounds did not hold it."""

        def lagrangian(x):
            y = self.problem.value(self.given, x)
            if not len(self.rows):
                return y
            return y - np.sum(self.forces * self.problem.all_constraints(self.given, x))

        pull = np.abs(np.diag(jacobian(grad(lagrangian))(self.x)))
        force = self.force
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(force == 0.0, 0.0, force / pull)

    def pulled(self):
        """What bounds hold x, where there are no constraints: those that it is pulled across."""
        wish = self.wish
        low = self.x - self.least < wish
        high = self.greatest - self.x < -wish
        return np.where(low | (self.least == self.greatest), -1.0, np.where(high, 1.0, 0.0))

    def find_forces(self):
        """Forces for what is active, that leave least for x that no bound holds."""
        at = np.flatnonzero(np.concatenate([np.ones(self.n_zero, bool), self.active]))
        free = self.held == 0.0
        self.forces = np.zeros(len(self.rows))
        if at.size and free.any():
            self.forces[at] = np.linalg.lstsq(
                self.rows[np.ix_(at, free)].T, self.g[free], rcond=None
            )[0]

    def let_go(self):
        """Find forces, and let go of what pulls instead of holding, one after the other."""
        while True:
            self.find_forces()
            wrong = np.concatenate(
                [
                    np.where(self.least < self.greatest, self.force * self.held, 0.0),
                    np.where(self.active, -self.inequality_forces * self.sizes[self.n_zero :], 0.0),
                ]
            )
            if not wrong.size or np.max(wrong) <= 0.0:
                return
            worst = int(np.argmax(wrong))
            if worst < self.x.size:
                self.held[worst] = 0.0
            else:
                self.active[worst - self.x.size] = False

    def refuse_degenerate(self):
        """An error where something touches x without holding it."""
        name = self.problem.name
        scale = LEAST_FORCE * np.max(np.abs(self.x), initial=0.0)
        most = LEAST_FORCE * np.max(np.abs(self.g), initial=0.0)
        if self.problem.bounds:
            moves = self.least < self.greatest
            gap = np.minimum(self.x - self.least, self.greatest - self.x)
            weak = np.where(self.held == 0.0, np.abs(gap) <= scale, np.abs(self.wish) <= scale)
            if (weak & moves).any():
                i = int(np.argmax(weak & moves))
                raise DomainError(
                    f"{name}: no derivative of the minimum: x[{i}] = {float(self.x[i])!r} is at "
                    "its bound but would be there without it, so that it moves to one side only"
                )
        strength = np.abs(self.inequality_forces) * self.sizes[self.n_zero :]
        weak = np.where(self.active, strength <= most, self.away <= scale)
        if weak.any():
            raise DomainError(
                f"{name}: no derivative of the minimum: inequality {int(np.argmax(weak))} of the "
                "constraints touches it without holding it, so that it moves to one side only"
            )
