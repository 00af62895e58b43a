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

# A bound or a constraint holds x if without it x would move much farther than it is away.
LEAST_FORCE = 1e-8


class Minimum:
    """What to solve for a minimum of value(functions, data, x) over vectors x of n.

    bounds(data)                        (least, greatest), or None
    constraints(functions, data, x)     (vector that is 0, vector that is at least 0), or None
    """

    def __init__(self, name, value, n, bounds=None, constraints=None):
        self.name, self.value, self.n = name, value, n
        self.bounds, self.constraints = bounds, constraints

    def residual(self, functions, data, z):
        """The equations, as many as unknowns."""
        n = self.n
        x, rest = z[:n], z[n:]
        held = rest[:n] if self.bounds else None
        if self.bounds:
            rest = rest[n:]

        def lagrangian(x, forces):
            y = self.value(functions, data, x)
            if forces is None:
                return y
            return y - sum_axes(forces * self.all_constraints(functions, data, x), None)

        if self.constraints is None:
            force = grad(lagrangian)(x, None)
            parts = []
        else:
            zero, positive = self.constraints(functions, data, x)
            p, q = zero.shape[0], positive.shape[0]
            forces, active = rest[: p + q], rest[p + q :]
            force = grad(lagrangian)(x, forces)
            parts = [zero, where(active > 0.5, positive, forces[p:]), active**3 - active]
        if self.bounds:
            least, greatest = self.bounds(data)
            force = where(held < -0.5, x - least, where(held > 0.5, x - greatest, force))
            parts = [held**3 - held, *parts]
        return concatenate([force, *parts], 0) if parts else force

    def all_constraints(self, functions, data, x):
        """Equations and inequalities as one vector."""
        return concatenate(list(self.constraints(functions, data, x)), 0)

    # -- in plain numbers --

    def unknowns(self, functions, data, x):
        """The vector z of the minimum x that a solver found."""
        x = np.array(x, float).reshape(-1)
        if self.bounds is None and self.constraints is None:
            return x
        g = self.gradient(functions, data, x)
        pull = np.abs(np.diag(self.curvature(functions, data, x)))
        held, forces, active = np.zeros(self.n), np.zeros(0), np.zeros(0)
        if self.bounds:
            held = self.held(data, x, g, pull)
        if self.constraints:
            forces, active = self.forces(functions, data, x, g, held == 0.0)
            if self.bounds:
                rows = jacobian(lambda x: self.all_constraints(functions, data, x))(x)
                held = self.held(data, x, g - forces @ rows, pull)
        return np.concatenate([x, held if self.bounds else np.zeros(0), forces, active])

    def gradient(self, functions, data, x):
        """Of the function."""
        g = grad(lambda x: self.value(functions, data, x))(x)
        return np.asarray(numbers(self.name, g), float)

    def curvature(self, functions, data, x):
        """The Hessian of the function."""
        return jacobian(grad(lambda x: self.value(functions, data, x)))(x)

    def held(self, data, x, g, pull):
        """Which bounds hold x, given the gradient and the diagonal of the Hessian."""
        least, greatest = (np.broadcast_to(b, x.shape) for b in self.bounds(data))
        with np.errstate(divide="ignore", invalid="ignore"):
            wish = np.where(g == 0.0, 0.0, g / pull)  # how far x would go without the bound
        low = (g > 0.0) & (x - least < wish)
        high = (g < 0.0) & (greatest - x < -wish)
        scale = LEAST_FORCE * np.max(np.abs(x), initial=0.0)
        on = (x <= least) | (x >= greatest)
        loose = on & (np.abs(wish) <= scale) & (least < greatest)
        if loose.any():
            i = int(np.flatnonzero(loose)[0])
            raise DomainError(
                f"{self.name}: no derivative of the minimum: x[{i}] = {float(x[i])!r} is at its "
                "bound but would be there without it, so that it moves to one side only"
            )
        return np.where(low | (least == greatest), -1.0, np.where(high, 1.0, 0.0))

    def forces(self, functions, data, x, g, free):
        """Lagrange's multipliers, and which inequalities hold x."""
        zero, positive = (np.asarray(c, float) for c in self.constraints(functions, data, x))
        rows = np.asarray(jacobian(lambda x: self.all_constraints(functions, data, x))(x), float)
        p, q = zero.size, positive.size
        size = np.max(np.abs(rows), axis=1, initial=0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            away = np.abs(positive) / size[p:]  # in units of x
        near = away <= 1e-4 * np.max(np.abs(x), initial=1e-300)
        chosen = np.concatenate([np.ones(p, bool), near])
        while True:
            forces = np.zeros(p + q)
            at = np.flatnonzero(chosen)
            forces[at] = np.linalg.lstsq(rows[np.ix_(at, free)].T, g[free], rcond=None)[0]
            wrong = np.flatnonzero(chosen[p:] & (forces[p:] < 0.0))
            if not wrong.size:
                break
            chosen[p + wrong[np.argmin(forces[p + wrong] * size[p + wrong])]] = False
        strength = forces * size
        most = np.max(np.abs(g), initial=0.0)
        weak = np.concatenate([np.zeros(p, bool), near & (strength[p:] <= LEAST_FORCE * most)])
        weak[p:] &= away <= LEAST_FORCE * np.max(np.abs(x), initial=0.0)
        if weak.any():
            raise DomainError(
                f"{self.name}: no derivative of the minimum: inequality {int(np.argmax(weak)) - p} "
                "of the constraints touches it without holding it, so that it moves to one side "
                "only"
            )
        return forces, chosen[p:].astype(float)
