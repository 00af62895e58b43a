"""An initial value problem: Lotka-Volterra by solve_ivp, its value, gradient and Hessian.

The gradient is in the four rates and both initial values, of the sum of both populations at ten
times; SciPy's value alone is beside it, to the same tolerances.  The gradient is checked against
differences of values that are integrated to tighter ones.
"""

import sys

import numpy as np
import scipy.integrate

import adcore
import common
from adcore.scipy.integrate import solve_ivp

TIMES = np.linspace(1.0, 10.0, 10)
RATES, START = np.array([1.5, 1.0, 3.0, 1.0]), np.array([4.0, 2.0])
TOLERANCES = {"rtol": 1e-6, "atol": 1e-8}


def slope(t, y, p):
    """The right-hand side, as one writes it for SciPy."""
    del t
    return [p[0] * y[0] - p[1] * y[0] * y[1], p[3] * y[0] * y[1] - p[2] * y[1]]


def objective(solver, method, tolerances):
    """From x to the sum of the solution at all times; x is the rates and the initial values."""

    def f(x):
        span = (0.0, TIMES[-1])
        found = solver(slope, span, x[4:], method, TIMES, args=(x[:4],), **tolerances)
        return found.y.sum()

    return f


def differences(f, x, h=1e-5):
    """The gradient by central differences."""
    return np.array([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))])


def work(report, turns, method):
    """Value, gradient and Hessian by one method, beside SciPy's value."""
    plain = objective(scipy.integrate.solve_ivp, method, TOLERANCES)
    ours = objective(solve_ivp, method, TOLERANCES)
    gradient, hessian = adcore.grad(ours), adcore.hessian(ours)
    x = np.concatenate([RATES, START])
    tight = objective(scipy.integrate.solve_ivp, "DOP853", {"rtol": 1e-12, "atol": 1e-12})
    common.agree(ours(x), plain(x), 1e-13, f"value by {method}")
    expected = differences(tight, x)
    common.agree(gradient(x), expected, 1e-3, f"gradient by {method}")
    common.agree(hessian(x), hessian(x).T, 1e-3, f"Hessian by {method}, transposed")
    candidates = {
        "SciPy, value": lambda: plain(x),
        "adcore, value of plain numbers": lambda: ours(x),
        "adcore, gradient in 6 numbers": lambda: gradient(x),
        "adcore, Hessian in 6 numbers": lambda: hessian(x),
    }
    report.compare(f"Lotka-Volterra by {method}", candidates, "SciPy, value", None, turns)


def explicit(report, turns):
    """RK45, SciPy's default."""
    work(report, turns, "RK45")


def high_order(report, turns):
    """DOP853, for tight tolerances."""
    work(report, turns, "DOP853")


def stiff(report, turns):
    """LSODA, which serves stiff equations too."""
    work(report, turns, "LSODA")


if __name__ == "__main__":
    sys.exit(common.run("ode", [explicit, high_order, stiff], __doc__))
