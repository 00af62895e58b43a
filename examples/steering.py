"""Optimal control by collocation: the particle steering problem, COPS 9.

    python examples/steering.py [--size 2000]

A particle with a thrust of fixed size and free direction u is to reach the height 5 with the
velocity (45, 0), from rest and as soon as possible.  Positions, velocities and directions at n + 1
times, and the final time, are the unknowns; the trapezoidal rule ties them together.  At the
optimum the gradient of the Lagrangian vanishes, in the unknowns and in the multipliers, and the
Hessian of the Lagrangian in both is the matrix of Newton's method: one sparse Hessian is all it
needs.

Known are the optimum of the COPS report, and the exact final time: the tangent of the optimal
direction is linear in time, and what follows from that are two equations in closed form.

References: COPS 3.0, section 9; A. E. Bryson and Y.-C. Ho, Applied optimal control, 1975, 2.4.
"""

import sys

import numpy as np
from scipy import optimize

import adcore
import newton
from checks import Checks, size_given

THRUST, HEIGHT, SPEED = 100.0, 5.0, 45.0
COPS = {"size": 200, "time": 5.54577e-1}


def constraints(n):
    """What must vanish, as a function of the unknowns: (heights, velocities, direction, time)."""

    def c(x):
        y, v, w, u = (x[k * (n + 1) : (k + 1) * (n + 1)] for k in range(4))
        h = x[-1] / n
        forces = [(y, v), (v, THRUST * np.sin(u)), (w, THRUST * np.cos(u))]
        steps = [s[1:] - s[:-1] - 0.5 * h * (rate[1:] + rate[:-1]) for s, rate in forces]
        start = np.stack([y[0], v[0], w[0]])
        end = np.stack([y[-1] - HEIGHT, v[-1], w[-1] - SPEED])
        return np.concatenate([*steps, start, end])

    return c


def lagrangian(n):
    """The final time plus the constraints times their multipliers, of unknowns and multipliers."""
    c, n_unknowns = constraints(n), 4 * (n + 1) + 1

    def value(z):
        x, multipliers = z[:n_unknowns], z[n_unknowns:]
        return x[-1] + np.sum(multipliers * c(x))

    return value


def start(n):
    """A first guess, as COPS has it, but with directions that fall from 1 to -1."""
    t = np.linspace(0.0, 1.0, n + 1)
    return np.concatenate([HEIGHT * t, np.full(n + 1, HEIGHT), SPEED * t, 1.0 - 2.0 * t, [1.0]])


def solve(n):
    """The Solution of n intervals: unknowns, and multipliers after them."""
    c = adcore.compile(constraints(n))
    f = adcore.compile(lagrangian(n))
    x = start(n)
    jacobian = c.jacobian(x, sparse=True)
    # multipliers that make the gradient of the Lagrangian as small as it gets at the guess
    slope = np.zeros_like(x)
    slope[-1] = 1.0
    multipliers = newton.closest(jacobian.T, -slope)
    z = np.concatenate([x, multipliers])
    return newton.root(f.grad, lambda z: f.hessian(z, sparse=True), z, tolerance=1e-9)


def exact_time():
    """The final time T: with tan(u) = p (1 - 2 t / T), speed and height are integrals over u."""

    def height(p):
        time = SPEED / THRUST * p / np.arcsinh(p)
        # The velocity is THRUST T / (2 p) (sqrt(1 + p^2) - sqrt(1 + s^2)), s from p to -p.
        root = np.sqrt(1.0 + p * p)
        return THRUST * time**2 / (2.0 * p) * (root - 0.5 * (root + np.arcsinh(p) / p)) - HEIGHT

    p = optimize.brentq(height, 0.1, 10.0, xtol=1e-14)
    return SPEED / THRUST * p / np.arcsinh(p)


def main(arguments=None):
    """Solve with as many intervals as COPS has, and more; print the checks; the exit status."""
    n = size_given(__doc__.partition("\n")[0], 2000, "intervals of time", arguments)
    checks = Checks()
    for intervals in (COPS["size"], n):
        found, n_unknowns = solve(intervals), 4 * (intervals + 1) + 1
        time = found.x[n_unknowns - 1]
        print(f"{intervals} intervals: final time {time:.10f}, {found.n_steps} Newton steps")
        violated = np.max(np.abs(constraints(intervals)(found.x[:n_unknowns])))
        checks.small("violation of the constraints", violated, 1e-9)
        checks.near("final time, exact", time, exact_time(), 1.0 / intervals**2)
        if intervals == COPS["size"]:
            checks.near("final time of COPS", time, COPS["time"], 1e-6)
    u = found.x[3 * (n + 1) : 4 * (n + 1)]
    bend = np.max(np.abs(np.diff(np.tan(u), 2))) / np.ptp(np.tan(u))
    checks.small("bend of the tangent of the direction", bend, 1e-2)
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
