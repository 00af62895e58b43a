"""The surface of least area over an obstacle: COPS 17.

    python examples/obstacle.py [--size 200]

A film hangs over the unit square from a curve, which is 0 along two sides and 1 - (2x - 1)^2 along
the others, and has to stay above a table of height 1 in the middle.  The unknowns are the heights
of its m x m inner points, with the table as their lower bound; the method is Newton's between
bounds.

Known are the areas of the COPS report, whose grids have 50 points along x, and more and more along
y.  What tells a minimum is checked with slopes of the area that are written out by hand.

References: E. D. Dolan, J. J. Moré and T. S. Munson, Benchmarking optimization software with
COPS 3.0, ANL/MCS-TM-273, 2004, section 17.
"""

import sys

import numpy as np

import adcore
import newton
from checks import Checks, size_given

COPS = {(50, 25): 2.51948, (50, 50): 2.51488, (50, 75): 2.50568, (50, 100): 2.50694}  # cut off


def around(nx, ny):
    """The heights at the boundary, with zeros inside, of nx x ny inner points."""
    edge = np.zeros((nx + 2, ny + 2))
    edge[:, 0] = edge[:, -1] = 1.0 - (2.0 * np.linspace(0.0, 1.0, nx + 2) - 1.0) ** 2
    return edge


def table(nx, ny):
    """The least heights of the inner points, as a vector: 1 at the table, 0 elsewhere."""
    inside = [
        (i >= np.floor(0.25 * (n + 1))) & (i <= np.ceil(0.75 * (n + 1)))
        for n, i in ((nx, np.arange(1, nx + 1)), (ny, np.arange(1, ny + 1)))
    ]
    return np.outer(*inside).astype(float).ravel()


def slopes(z):
    """Both components of the slope, of the lower and of the upper triangles of a grid."""
    p = (z[1:] - z[:-1]) * (z.shape[0] - 1)
    q = (z[:, 1:] - z[:, :-1]) * (z.shape[1] - 1)
    return (p[:, :-1], q[:-1]), (p[:, 1:], q[1:])


def area(nx, ny):
    """The area as a function of the inner heights."""
    edge = around(nx, ny)

    def f(x):
        inner = np.reshape(x, (nx, ny))
        middle = np.concatenate([edge[1:-1, :1], inner, edge[1:-1, -1:]], axis=1)
        z = np.concatenate([edge[:1], middle, edge[-1:]], axis=0)
        total = sum(np.sum(np.sqrt(1.0 + p**2 + q**2)) for p, q in slopes(z))
        return 0.5 * total / ((nx + 1) * (ny + 1))

    return f


def solve(nx, ny):
    """The Solution and its area, from where COPS starts."""
    f = adcore.compile(area(nx, ny))
    start = np.repeat(around(nx, ny)[1:-1, :1], ny, axis=1).ravel()
    found = newton.minimize(
        lambda x: f.value_grad_and_hessian(x, sparse=True), start, table(nx, ny), gtol=1e-12
    )
    return found, float(f(found.x))


def optimality(nx, ny, x):
    """What is left of the conditions for a minimum, slopes of the area being written out."""
    z = around(nx, ny)
    z[1:-1, 1:-1] = x.reshape(nx, ny)
    down = np.zeros_like(z)
    for upper, (p, q) in enumerate(slopes(z)):
        share = 0.5 / np.sqrt(1.0 + p**2 + q**2) / ((nx + 1) * (ny + 1))
        across, along = share * p * (nx + 1), share * q * (ny + 1)
        half = slice(1, None) if upper else slice(None, -1)  # of the sides that triangles have
        down[1:, half] += across
        down[:-1, half] -= across
        down[half, 1:] += along
        down[half, :-1] -= along
    least = table(nx, ny)
    return np.max(np.abs(x - np.maximum(x - down[1:-1, 1:-1].ravel(), least)))


def main(arguments=None):
    """Solve on a grid of one's own and on those of COPS, print the checks; the exit status."""
    m = size_given(__doc__.partition("\n")[0], 200, "inner points along a side", arguments)
    checks = Checks()
    found, least = solve(m, m)
    touching = 100.0 * np.mean(found.x <= table(m, m))
    print(
        f"{m} x {m} heights: area {least:.8f}, {touching:.1f} % on the table or at 0, "
        f"{found.n_steps} Newton steps"
    )
    checks.small("conditions for a minimum", optimality(m, m, found.x), 1e-12)
    mirrored = found.x.reshape(m, m)[::-1, ::-1].ravel()
    checks.small("difference from the mirror image", np.max(np.abs(found.x - mirrored)), 1e-8)
    for (nx, ny), known in COPS.items():
        _, least = solve(nx, ny)
        checks.near(f"area of COPS, {nx} x {ny}", least, known, 1e-5)
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
