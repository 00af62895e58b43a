"""The Bratu problem of combustion, and where its solutions end: MINPACK-2's solid fuel ignition.

    python examples/bratu.py [--size 100]

    u_xx + u_yy + parameter exp(u) = 0 on the unit square, u = 0 on its boundary

Newton's method with sparse Jacobians solves it for a given parameter.  Above a certain parameter
there is no solution: the fuel ignites.  That fold is found as the solution of a larger system, in
which the Jacobian stands as a product: its own Jacobian has second derivatives in it, which adcore
takes through `adcore.jvp`.

Known are the solutions in one dimension, in closed form, and the parameter of the fold.

References: MINPACK-2, section 4.4; for the fold J. P. Abbott, An efficient algorithm for the
determination of certain bifurcation points, J. Comput. Appl. Math. 4, 1978.
"""

import sys

import numpy as np
from scipy import optimize, sparse

import adcore
import newton
from checks import Checks, size_given

FOLD = 6.808124423  # on the unit square


def square(m):
    """The equations at m x m inner points, times the squared distance, of u and the parameter."""
    h = 1.0 / (m + 1)

    def residual(u, parameter):
        v = np.pad(np.reshape(u, (m, m)), 1)
        around = v[:-2, 1:-1] + v[2:, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:]
        inner = v[1:-1, 1:-1]
        return np.reshape(4.0 * inner - around - h * h * parameter * np.exp(inner), -1)

    return residual


def line(m):
    """The same in one dimension, at m inner points."""
    h = 1.0 / (m + 1)

    def residual(u, parameter):
        v = np.pad(u, 1)
        return 2.0 * v[1:-1] - v[:-2] - v[2:] - h * h * parameter * np.exp(u)

    return residual


def solve(residual, n, parameter):
    """The solution of n unknowns that is reached from 0, the lower one of two."""
    f = adcore.compile(residual)
    return newton.root(
        lambda u: f(u, parameter),
        lambda u: f.jacobian(u, parameter, sparse=True),
        np.zeros(n),
        tolerance=1e-13,
    )


def fold(m, start):
    """The largest parameter, from a solution below it.

    Unknown are u, a direction d with sum(d) = n, and the parameter; the equations say that u is a
    solution and that its Jacobian takes d to zero (Moore and Spence 1980).
    """
    residual, n = square(m), m * m

    def singular(z):
        u, d, parameter = z[:n], z[n : 2 * n], z[2 * n]
        r, along = adcore.jvp(lambda u: residual(u, parameter), (u,), (d,))
        return np.concatenate([r, along])

    # The row of the sum is the same everywhere, and dense: it is put below the sparse ones.
    f, mean = adcore.compile(singular), np.concatenate([np.zeros(n), np.full(n, 1.0 / n), [0.0]])
    row = sparse.csr_array(mean[None])
    bell = np.sin(np.pi * np.linspace(0.0, 1.0, m + 2)[1:-1])
    direction = np.outer(bell, bell).ravel()
    z = np.concatenate([start, direction / direction.mean(), [6.5]])
    return newton.root(
        lambda z: np.append(f(z), mean @ z - 1.0),
        lambda z: sparse.vstack([f.jacobian(z, sparse=True), row]),
        z,
        tolerance=1e-12,
    )


def exact_line(m, parameter):
    """The lower solution in one dimension at m inner points, in closed form."""
    theta = optimize.brentq(
        lambda t: t - np.sqrt(2.0 * parameter) * np.cosh(t / 4.0), 0.0, 4.0, xtol=1e-15
    )
    x = np.linspace(0.0, 1.0, m + 2)[1:-1]
    return -2.0 * np.log(np.cosh((x - 0.5) * theta / 2.0) / np.cosh(theta / 4.0))


def main(arguments=None):
    """Solve in one and two dimensions, find the fold; print the checks; the exit status."""
    m = size_given(__doc__.partition("\n")[0], 100, "inner points along a side", arguments)
    checks = Checks()
    found = solve(line(10 * m), 10 * m, 2.0)
    error = np.max(np.abs(found.x - exact_line(10 * m, 2.0)))
    print(f"line, {10 * m} unknowns: {found.n_steps} Newton steps")
    checks.small("difference from the closed form", error, 1.0 / (10 * m) ** 2)

    folds = []
    for points in ((m + 1) // 2 - 1, 2 * ((m + 1) // 2) - 1):  # the distance is halved
        below = solve(square(points), points**2, 6.0)
        found = fold(points, below.x)
        folds.append(found.x[-1])
        print(
            f"square, {points} x {points} unknowns: highest {below.x.max():.6f} at 6, in "
            f"{below.n_steps} steps; fold at {folds[-1]:.8f}, in {found.n_steps}"
        )
    limit = (4.0 * folds[1] - folds[0]) / 3.0  # the error falls as the square of the distance
    checks.near("fold of the square, extrapolated", limit, FOLD, 200.0 / m**4 + 1e-9)
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
