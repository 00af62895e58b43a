"""Newton's method with a million unknowns, and Ipopt with ten thousand, through adcore.

`solve` is the whole of it, recording included, in wall-clock seconds; `memory` is the largest
resident size of the process so far.
"""

import resource
import sys
import time

import numpy as np
from scipy.optimize import NonlinearConstraint

import adcore
import common

SECONDS, GIGABYTES, SHARE = 120.0, 6.0, 20.0


def resident():
    """The largest resident size of this process so far, in gigabytes."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1e9 if sys.platform == "darwin" else 1e6)


def enneper(n):
    """Enneper's minimal surface over [-1/2, 1/2]^2, on a grid with n x n unknown heights.

    Returns the area of a surface with its boundary, where MINPACK-2 starts, and the surface.
    """
    t = np.linspace(-0.5, 0.5, n + 2)
    x, y = np.meshgrid(t, t, indexing="ij")
    u, v = x.copy(), -y
    for _ in range(20):  # Newton's method for x = u + u v^2 - u^3 / 3, y = -v - u^2 v + v^3 / 3
        f, g = u + u * v**2 - u**3 / 3 - x, -v - u**2 * v + v**3 / 3 - y
        a, b, d = 1 - u**2 + v**2, 2 * u * v, -1 - u**2 + v**2  # Jacobian [[a, b], [-b, d]]
        scale = 1.0 / (a * d + b * b)
        u, v = u - scale * (d * f - b * g), v - scale * (b * f + a * g)
    exact = u**2 - v**2
    edge = exact.copy()
    edge[1:-1, 1:-1] = 0.0
    h = 1.0 / (n + 1)
    s = h * np.arange(1, n + 1)
    across = np.outer(1 - s, edge[0, 1:-1]) + np.outer(s, edge[-1, 1:-1])
    along = np.outer(edge[1:-1, 0], 1 - s) + np.outer(edge[1:-1, -1], s)

    def area(x):
        rows = np.concatenate([edge[1:-1, :1], x.reshape(n, n), edge[1:-1, -1:]], axis=1)
        z = np.concatenate([edge[:1], rows, edge[-1:]], axis=0)
        p, q = (z[1:] - z[:-1]) / h, (z[:, 1:] - z[:, :-1]) / h
        lower = np.sqrt(1.0 + p[:, :-1] ** 2 + q[:-1] ** 2).sum()
        upper = np.sqrt(1.0 + p[:, 1:] ** 2 + q[1:] ** 2).sum()
        return 0.5 * h * h * (lower + upper)

    return area, 0.5 * (across + along).ravel(), exact[1:-1, 1:-1].ravel()


def rosenbrock(x):
    """The chained function of Rosenbrock."""
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def solve(report, work, function, x0, gtol):
    """Minimise, check that it converged, and report time and memory."""
    start = time.perf_counter()
    found = adcore.optimize.minimize(
        function, x0, method="newton-sparse", options={"gtol": gtol}, progress=False
    )
    seconds = time.perf_counter() - start
    if not found.success:
        raise AssertionError(f"{work}: {found.message}")
    note = f"{found.nit} steps, {found.n_factors} factorisations, {found.n_products} products"
    report.add(work, "solve", seconds, "s", SECONDS, note)
    report.add(work, "memory", resident(), "GB", GIGABYTES)
    return found.x


def chained_rosenbrock(report, turns):
    """Rosenbrock, chained, a million unknowns, from 0.9 and 1.1 in turns."""
    del turns
    x = solve(report, chained_rosenbrock.__doc__, rosenbrock, np.tile([0.9, 1.1], 500_000), 1e-8)
    common.agree(x, np.ones(1_000_000), 1e-7, "Rosenbrock")


def minimal_surface(report, turns):
    """Minimal surface, 1000 x 1000, from the start of MINPACK-2."""
    n = 1000 if turns > 5 else 316
    work = minimal_surface.__doc__.replace("1000 x 1000", f"{n} x {n}")
    area, x0, exact = enneper(n)
    x = solve(report, work, area, x0, 1e-12)
    common.agree(x, exact, 2.0 / n**2, work)  # to the error of the grid


def ipopt(report, turns):
    """Ipopt, ten thousand unknowns and constraints (Luksan and Vlcek 1)."""
    try:
        import cyipopt
    except ImportError:
        print("\nIpopt left out: cyipopt is not installed")
        return
    n, work = 10_000, ipopt.__doc__

    def constraints(x):
        a, b, c = x[:-2], x[1:-1], x[2:]
        return 3 * b**3 + 2 * c - 5 + np.sin(b - c) * np.sin(b + c) + 4 * b - a * np.exp(a - b) - 3

    samples = {"derivatives, in the search": [], "recording and derivatives": [], "solve": []}
    for _ in range(min(turns, 5)):
        start = time.perf_counter()
        problem = adcore.problem(
            lambda x: (100 * (x[:-1] ** 2 - x[1:]) ** 2 + (x[:-1] - 1) ** 2).sum(),
            NonlinearConstraint(constraints, 0.0, 0.0),
            x0=np.tile([-1.2, 1.0], n // 2),
        )
        callbacks = _Timed(problem.for_ipopt())
        recorded = time.perf_counter() - start
        solver = cyipopt.Problem(
            n=problem.n, m=problem.m, problem_obj=callbacks, lb=problem.lower, ub=problem.upper,
            cl=problem.constraint_lower, cu=problem.constraint_upper,
        )  # fmt: skip
        solver.add_option("print_level", 0)
        solver.add_option("sb", "yes")
        _, info = solver.solve(problem.x0)
        whole = time.perf_counter() - start
        if info["status"] != 0:
            raise AssertionError(f"{work}: {info['status_msg']}")
        samples["derivatives, in the search"].append(100 * callbacks.seconds / (whole - recorded))
        samples["recording and derivatives"].append(100 * (recorded + callbacks.seconds) / whole)
        samples["solve"].append(whole)
    report.add(work, "solve", samples.pop("solve"), "s")
    for name, values in samples.items():
        report.add(work, name, values, "%", SHARE)


class _Timed:
    """Callbacks whose time is added up."""

    def __init__(self, callbacks):
        self.seconds = 0.0
        for name in ("objective", "gradient", "constraints", "jacobian", "hessian"):
            setattr(self, name, self._timed(getattr(callbacks, name)))
        self.jacobianstructure = callbacks.jacobianstructure
        self.hessianstructure = callbacks.hessianstructure

    def _timed(self, call):
        def timed(*args):
            start = time.perf_counter()
            try:
                return call(*args)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


if __name__ == "__main__":
    WORKS = [ipopt, chained_rosenbrock, minimal_surface]
    sys.exit(common.run("newton", WORKS, __doc__))
