"""Elastic-plastic torsion of a square bar: COPS 15, MINPACK-2.

    python examples/torsion.py [--size 200]

The stress function of a twisted bar minimises a quadratic energy, but may not rise from the sides
faster than the material bears: |v| <= distance to the boundary.  Where it does, the bar is plastic.
The unknowns are its m x m inner values; the method is Newton's between bounds.

Known are the optimum of the COPS report at m = 50, and two ends of the problem: twisted little, the
bar is elastic, and the energy follows from the torsion constant of a square; twisted much, all of
it is plastic, and the stress function is a pyramid.

References: E. D. Dolan, J. J. Moré and T. S. Munson, Benchmarking optimization software with
COPS 3.0, ANL/MCS-TM-273, 2004, section 15.
"""

import sys

import numpy as np

import adcore
import newton
from checks import Checks, size_given

COPS = {"size": 50, "twist": 5.0, "energy": -4.18087e-1}  # to the digits printed
TORSION_CONSTANT = 0.14057701  # of the unit square: Timoshenko and Goodier, art. 109


def energy(m):
    """The energy as a function of m * m inner values and of the twist."""
    h = 1.0 / (m + 1)

    def f(x, twist):
        v = np.pad(np.reshape(x, (m, m)), 1)
        # Each square of the grid is two triangles, on which the gradient is constant.
        slopes = np.sum((v[1:] - v[:-1]) ** 2) + np.sum((v[:, 1:] - v[:, :-1]) ** 2)
        return 0.5 * slopes - twist * h * h * np.sum(v)

    return f


def distance(m):
    """How far each inner point is from the boundary, as a vector."""
    t = np.linspace(0.0, 1.0, m + 2)[1:-1]
    side = np.minimum(t, 1.0 - t)
    return np.minimum(side[:, None], side).ravel()


def solve(m, twist):
    """The Solution, its energy, and the share of inner points that are plastic."""
    f, bound = adcore.compile(energy(m)), distance(m)

    def derivatives(x):
        return f.value_grad_and_hessian(x, twist, sparse=True)

    found = newton.minimize(derivatives, np.zeros(m * m), -bound, bound, gtol=1e-13)
    return found, float(f(found.x, twist)), float(np.mean(np.abs(found.x) >= bound))


def optimality(m, twist, x):
    """What is left of the conditions for a minimum, by the five-point stencil written out."""
    v = np.pad(x.reshape(m, m), 1)
    around = v[:-2, 1:-1] + v[2:, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:]
    slope = (4.0 * v[1:-1, 1:-1] - around).ravel() - twist / (m + 1) ** 2
    bound = distance(m)
    return np.max(np.abs(x - np.clip(x - slope, -bound, bound)))


def main(arguments=None):
    """Twist a little, as COPS does, and much; print the checks; the exit status."""
    m = size_given(__doc__.partition("\n")[0], 200, "inner points along a side", arguments)
    checks = Checks()
    for twist in (0.1, 5.0, 1e4):
        found, least, plastic = solve(m, twist)
        print(
            f"twist {twist:g}, {m} x {m}: energy {least:.8g}, {100.0 * plastic:.1f} % plastic, "
            f"{found.n_steps} Newton steps"
        )
        checks.small("conditions for a minimum", optimality(m, twist, found.x), 1e-12)
        if twist == 0.1:
            elastic = -0.5 * twist**2 * TORSION_CONSTANT / 4.0
            checks.near("energy, by the torsion constant", least, elastic, abs(elastic) * 20 / m**2)
        if twist == 1e4:
            checks.small("difference from a pyramid", np.max(np.abs(found.x - distance(m))), 1e-15)
    _, least, _ = solve(COPS["size"], COPS["twist"])
    checks.near("energy of COPS, 50 x 50", least, COPS["energy"], 1e-6)
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
