"""The surface of least area through a given curve: MINPACK-2's Enneper problem.

    python examples/minimal_surface.py [--size 200]

The heights of a surface over a square of m x m inner points are the unknowns; its area is a sum
over triangles, written with array slices.  The curve is the boundary of Enneper's surface, which is
minimal, so that the heights themselves are known: they are approached as 1 / m^2.

References: B. M. Averick, R. G. Carter, J. J. Moré and G.-L. Xue, The MINPACK-2 test problem
collection, 1992, section 4.3.
"""

import sys

import numpy as np

import adcore
from checks import Checks, size_given


def enneper(x, y):
    """Heights of Enneper's surface over points: z = u^2 - v^2, where x and y determine u and v."""
    u, v = x.copy(), -y
    for _ in range(50):  # Newton's method on all points at once
        fx = u + u * v**2 - u**3 / 3.0 - x
        fy = -v - u**2 * v + v**3 / 3.0 - y
        a, b, d = 1.0 + v**2 - u**2, 2.0 * u * v, -1.0 - u**2 + v**2
        determinant = a * d + b * b  # of [[a, b], [-b, d]]
        du, dv = (d * fx - b * fy) / determinant, (a * fy + b * fx) / determinant
        u, v = u - du, v - dv
        if max(np.abs(du).max(), np.abs(dv).max()) < 1e-15:
            break
    return u**2 - v**2


def grid(m):
    """Heights of Enneper's surface at m x m inner points of a square, and the points around."""
    t = np.linspace(-0.5, 0.5, m + 2)
    return enneper(*np.meshgrid(t, t, indexing="ij"))


def area(m, around):
    """The area as a function of the inner heights; `around` has the heights at the boundary."""
    h = 1.0 / (m + 1)

    def f(x):
        inner = np.reshape(x, (m, m))
        middle = np.concatenate([around[1:-1, :1], inner, around[1:-1, -1:]], axis=1)
        u = np.concatenate([around[:1], middle, around[-1:]], axis=0)
        dx, dy = (u[1:] - u[:-1]) / h, (u[:, 1:] - u[:, :-1]) / h
        lower = np.sqrt(1.0 + dx[:, :-1] ** 2 + dy[:-1] ** 2)
        upper = np.sqrt(1.0 + dx[:, 1:] ** 2 + dy[1:] ** 2)
        return 0.5 * h * h * (np.sum(lower) + np.sum(upper))

    return f


def solve(m):
    """What SciPy calls a result, for m x m inner points, and its largest error in height."""
    exact = grid(m)
    found = adcore.optimize.minimize(
        area(m, exact), np.zeros(m * m), method="newton-sparse", options={"gtol": 1e-12}
    )
    error = np.max(np.abs(found.x.reshape(m, m) - exact[1:-1, 1:-1]))
    return found, float(error)


def main(arguments=None):
    """Solve on two grids, print the checks; the exit status."""
    m = size_given(__doc__.partition("\n")[0], 200, "inner points along a side", arguments)
    checks, errors = Checks(), []
    for points in ((m + 1) // 2 - 1, 2 * ((m + 1) // 2) - 1):  # the distance is halved
        found, error = solve(points)
        errors.append(error)
        print(f"{points} x {points} heights: area {found.fun:.10f} after {found.nit} Newton steps")
        checks.small("gradient", np.abs(found.jac).max(), 1e-12)
    checks.small("difference from Enneper's surface", errors[1], 0.5 / m**2)
    checks.between(
        "the same, of the coarse grid over the fine one", errors[0] / errors[1], 3.6, 4.4
    )
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
