"""Fit the 27 NIST reference problems from both starting points, and count the correct digits.

    python examples/nist_fit.py [--plot FILE] [--json FILE] [NAME ...]

The models are ordinary NumPy functions (nist_models.py).  adcore gives their exact Jacobians and
the exact Hessians of the sum of squares; SciPy solves.  Every problem is treated alike:

1. `scipy.optimize.least_squares` (Levenberg and Marquardt) on the exact Jacobian, each parameter
   measured in units of its starting value, brings any start into the valley;
2. `scipy.optimize.minimize(method="trust-exact")` on the exact Hessian goes to its bottom, each
   parameter measured in units of its own standard error;
3. Newton steps with the exact Hessian remove what rounding has left: see `refine`.

Certified values serve for scoring only.  The status is non-zero if a parameter has fewer than 8
correct digits or a standard deviation fewer than 6.  One Hessian of each fit is also computed by
plain Python automatic differentiation (bench/pure_python.py), compared, and timed.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from timeit import timeit

import numpy as np
from scipy import linalg, optimize, special

import adcore
from nist_digits import Digits
from nist_models import load, load_all

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))
import pure_python

CERTIFIED_DIGITS = 11.0  # as many as the files print
LIMITS = {"parameters": 8.0, "deviations": 6.0, "rss": 6.0}  # least correct digits
PICTURED = ("BoxBOD", "Thurber")


@dataclass
class Fit:
    """The least-squares fit of a problem with p parameters."""

    parameters: np.ndarray  # (p,)
    deviations: np.ndarray  # (p,) standard deviations of the parameters
    root: np.ndarray  # (p, p) their covariance is root @ root.T
    rss: float  # residual sum of squares
    iterations: int  # of the three steps together


class SumOfSquares:
    """Half the residual sum of squares of a problem, with its exact derivatives."""

    def __init__(self, problem):
        self.problem = problem
        self.residuals = problem.residuals()
        self.jacobian = adcore.jacobian(self.residuals)  # of the residuals
        self.value_and_grad = adcore.value_and_grad(self.value)
        self.hessian = adcore.hessian(self.value)

    def value(self, b):
        """Half the residual sum of squares at the parameters `b`."""
        return 0.5 * np.sum(self.residuals(b) ** 2)


def fit(problem, start):
    """Fit `problem` from the parameters `start`, shape (p,)."""
    start = np.asarray(start, dtype=float)
    squares = SumOfSquares(problem)
    with np.errstate(all="ignore"):  # a trial step may overflow; the solvers then shorten it
        valley = optimize.least_squares(
            squares.residuals,
            start,
            squares.jacobian,
            method="lm",
            x_scale=np.abs(start),
            # 1e-8, the default, would stop MGH17 on the plateau where it starts.
            ftol=1e-10,
            xtol=1e-10,
            gtol=1e-15,
            max_nfev=5000,
        )
        bottom, descents = descend(squares, valley.x)
        parameters, refinements = refine(squares, bottom)
    return Fit(**statistics(squares, parameters), iterations=valley.njev + descents + refinements)


def descend(squares, b):
    """Parameters at the minimum near `b`, and the iterations of SciPy's trust-exact.

    The function is handed over in statistical units: u counts standard errors (as if the
    parameters were uncorrelated) and the sum of squares is divided by the variance, so that one
    tolerance of the gradient suits all problems: 1e-8, or what rounding leaves of it.
    """
    sigma = np.sqrt(2 * squares.value(b) / squares.problem.degrees_of_freedom)
    unit = sigma / np.linalg.norm(squares.jacobian(b), axis=0)

    def value_and_slope(u):
        value, slope = squares.value_and_grad(b + unit * u)
        return value / sigma**2, unit * slope / sigma**2

    def curvature(u):
        return unit[:, None] * squares.hessian(b + unit * u) * unit / sigma**2

    y, _ = squares.problem.read()
    rounding = np.finfo(float).eps * np.linalg.norm(y) / sigma
    solution = optimize.minimize(
        value_and_slope,
        np.zeros_like(b),
        method="trust-exact",
        jac=True,
        hess=curvature,
        options={"gtol": max(1e-8, rounding), "maxiter": 200},
    )
    return b + unit * solution.x, solution.nit


def refine(squares, b, limit=20):
    """Parameters (as Digits) at which the gradient vanishes, from `b` by Newton steps; their count.

    The gradient is J'r.  At the solution it vanishes by cancellation, and residuals rounded to
    float64 leave an error of 1e-16 |y| in r: too much for Lanczos1, whose residuals are 1e-13, and
    whose 13-digit data are no floats to begin with.  So r is evaluated from the decimal data with
    34 digits and the parameters are kept with as many, while J and the Hessian need to be right to
    float64 only: iterative refinement, as for linear equations.
    """
    residuals = squares.problem.residuals(Digits)
    b = np.array([Digits(value) for value in b])
    for count in range(1, limit + 1):
        at = b.astype(float)
        slope = squares.jacobian(at).T @ residuals(b).astype(float)
        curvature = squares.hessian(at)
        unit = 1 / np.sqrt(np.diag(curvature))
        factor = linalg.cho_factor(unit[:, None] * curvature * unit)
        step = -unit * linalg.cho_solve(factor, unit * slope)
        b = b + step
        if np.all(np.abs(step) <= 1e-15 * np.abs(at)):
            return b, count
    return b, limit


def statistics(squares, parameters):
    """The fields of Fit that follow from the parameters, which are given as Digits.

    With s^2 = rss / (n - p), the covariance is s^2 inv(J'J); by J = QR it is root root' with
    root = s inv(R), and J'J, which would square the condition number, is never formed.  The sum of
    squares is that of the 34-digit residuals, for the reason given in `refine`.
    """
    rss = float(np.sum(squares.problem.residuals(Digits)(parameters) ** 2))
    b = parameters.astype(float)
    slopes = squares.jacobian(b)
    length = np.linalg.norm(slopes, axis=0)
    triangle = linalg.qr(slopes / length, mode="r")[0][: len(b)]
    inverse = linalg.solve_triangular(triangle, np.eye(len(b))) / length[:, None]
    root = np.sqrt(rss / squares.problem.degrees_of_freedom) * inverse
    return {
        "parameters": b,
        "deviations": np.linalg.norm(root, axis=1),
        "root": root,
        "rss": rss,
    }


def correct_digits(value, certified):
    """Least number of correct significant digits (log relative error) over the entries."""
    error = np.max(np.abs(np.asarray(value) / certified - 1))
    if not np.isfinite(error):
        return 0.0
    return min(CERTIFIED_DIGITS, max(0.0, -np.log10(error))) if error else CERTIFIED_DIGITS


def score(problem, found):
    """Correct digits of a fit by kind, in the order of LIMITS."""
    return {
        "parameters": correct_digits(found.parameters, problem.parameters),
        "deviations": correct_digits(found.deviations, problem.deviations),
        "rss": correct_digits(found.rss, problem.rss),
    }


def half_rss_in_python(problem):
    """Half the residual sum of squares as a plain loop, for pure_python: list of p -> number."""
    model = pure_python.rebind(problem.model)
    y, x = problem.read()
    rows = list(zip(y.tolist(), np.transpose(x).tolist(), strict=True))

    def half_rss(b):
        total = 0.0
        for y_i, x_i in rows:
            residual = y_i - model(b, x_i)
            total = total + residual * residual
        return 0.5 * total

    return half_rss


def time_hessians(problem, b):
    """Seconds for one Hessian of half the residual sum of squares at `b`: adcore, plain Python.

    Both record afresh; the best of five, taken in turns, which the load of the machine disturbs
    least.  Raises if the two Hessians differ.
    """
    hessian = SumOfSquares(problem).hessian
    in_python, point = half_rss_in_python(problem), b.tolist()
    here, there = hessian(b), np.array(pure_python.hessian(in_python, point)[2])
    size = np.sqrt(np.abs(np.diag(there)))
    if not np.all(np.abs(here - there) <= 1e-9 * np.outer(size, size)):
        raise AssertionError(f"{problem.name}: the Hessians differ:\n{here}\n{there}")
    ours, plain = [], []
    for _ in range(5):
        ours.append(timeit(lambda: hessian(b), number=10) / 10)
        plain.append(timeit(lambda: pure_python.hessian(in_python, point), number=1))
    return min(ours), min(plain)


class Progress:
    """A bar on the last line of a terminal; nothing where standard error is not a terminal."""

    WIDTH = 40

    def __init__(self, total):
        self.done, self.total, self.shown = 0, total, sys.stderr.isatty()

    def show(self, text):
        """Draw the bar, with `text` behind it."""
        if self.shown:
            filled = self.WIDTH * self.done // self.total
            bar = "#" * filled + "." * (self.WIDTH - filled)
            print(f"\r\033[K[{bar}] {self.done}/{self.total} {text}", end="", file=sys.stderr)
            sys.stderr.flush()

    def clear(self):
        """Take the bar away, so that a line can be printed."""
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


@dataclass
class Row:
    """One line of the report."""

    problem: str
    start: int  # 1 or 2
    digits: dict  # of LIMITS' kinds
    iterations: int
    adcore_seconds: float
    python_seconds: float
    failure: str = ""

    @property
    def short(self):
        """Whether something has fewer correct digits than it must."""
        return any(self.digits[kind] < least for kind, least in LIMITS.items())

    def __str__(self):
        if self.failure:
            return f"{self.problem:<9} {self.start:>5}  {self.failure}"
        return (
            f"{self.problem:<9} {self.start:>5}"
            f"{self.digits['parameters']:>11.1f}{self.digits['deviations']:>11.1f}"
            f"{self.digits['rss']:>6.1f}{self.iterations:>12d}"
            f"{1e6 * self.adcore_seconds:>12.1f}{1e6 * self.python_seconds:>9.0f}"
            f"{self.python_seconds / self.adcore_seconds:>7.1f}"
            + ("  FALLS SHORT" if self.short else "")
        )


HEADING = (
    f"{'':<15}{'correct digits of':^28}{'':<12}{'one Hessian, us':^28}\n"
    "problem   start parameters deviations   rss  iterations      adcore   Python  ratio"
)


def run(problem, start):
    """Fit a problem from its start 1 or 2; the Row of the report, and the Fit or None."""
    try:
        found = fit(problem, problem.starts[start - 1])
    except (linalg.LinAlgError, ValueError) as error:  # not a minimum, or not finite
        none = dict.fromkeys(LIMITS, 0.0)
        return Row(problem.name, start, none, 0, np.nan, np.nan, f"no fit: {error}"), None
    return (
        Row(
            problem.name,
            start,
            score(problem, found),
            found.iterations,
            *time_hessians(problem, found.parameters),
        ),
        found,
    )


def summary(rows, elapsed):
    """The closing lines: worst digits, speed, and what falls short."""
    yield ""
    for kind, least in LIMITS.items():
        row = min(rows, key=lambda row: row.digits[kind])
        yield (
            f"least correct digits of {kind}: {row.digits[kind]:.1f} "
            f"({row.problem}, start {row.start}); needed: {least:g}"
        )
    ratios = [row.python_seconds / row.adcore_seconds for row in rows if not row.failure]
    if ratios:
        yield (
            f"one Hessian by plain Python takes {median(ratios):.3g} times as long as by adcore "
            f"(median; {min(ratios):.3g} to {max(ratios):.3g})"
        )
    short = [f"{row.problem} start {row.start}" for row in rows if row.short]
    fell = "fall short: " + ", ".join(short) if short else "fall short"
    yield f"{len(rows)} fits in {elapsed:.1f} s, {len(short)} {fell}"


def band(problem, found, x):
    """The fitted curve at the points `x`, and half the width of its 95 % confidence band there."""
    b = found.parameters
    slopes = adcore.jacobian(lambda b: problem.model(b, x))(b)
    quantile = special.stdtrit(problem.degrees_of_freedom, 0.975)
    return problem.model(b, x), quantile * np.linalg.norm(slopes @ found.root, axis=1)


def picture(fits, file):
    """Draw the fits, a list of (problem, Fit), beside each other into `file`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * len(fits), 4.2), layout="constrained")
    panels = figure.subplots(1, len(fits), squeeze=False)[0]
    for axes, (problem, found) in zip(panels, fits, strict=True):
        y, x = problem.read()
        margin = 0.06 * np.ptp(x)
        grid = np.linspace(x.min() - margin, x.max() + margin, 300)
        curve, half_width = band(problem, found, grid)
        axes.fill_between(
            grid, curve - half_width, curve + half_width, alpha=0.25, label="95 % confidence"
        )
        axes.plot(grid, curve, label="fit")
        axes.plot(x, y, "k.", label="data")
        axes.set(title=problem.name, xlabel="x", ylabel="y")
        axes.legend()
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)


def main(arguments=None):
    """Run the demo; the exit status."""
    parser = argparse.ArgumentParser(description="Fit the NIST reference problems with adcore.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="problems (default: all 27)")
    parser.add_argument("--plot", metavar="FILE", help="draw two fits with their confidence bands")
    parser.add_argument("--json", metavar="FILE", help="write the table as JSON")
    options = parser.parse_args(arguments)

    problems = [load(name) for name in options.names] if options.names else load_all()
    began = time.perf_counter()
    progress = Progress(2 * len(problems))
    rows, fits = [], []
    print(HEADING, flush=True)
    for problem in problems:
        for start in (1, 2):
            progress.show(f"{problem.name}, start {start}")
            row, found = run(problem, start)
            progress.done += 1
            progress.clear()
            print(row, flush=True)
            rows.append(row)
        if found is not None and problem.n_predictors == 1:
            fits.append((problem, found))
    print(*summary(rows, time.perf_counter() - began), sep="\n")

    if options.json:
        Path(options.json).parent.mkdir(parents=True, exist_ok=True)
        Path(options.json).write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
        print(f"written: {options.json}")
    if options.plot and fits:
        try:
            picture([pair for pair in fits if pair[0].name in PICTURED] or fits[:2], options.plot)
            print(f"written: {options.plot}")
        except ImportError:
            print("no picture: it needs matplotlib, pip install adcore[plot]")
    return 1 if any(row.short for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
