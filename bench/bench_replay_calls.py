"""What one replay of something small costs, called from Python: is the call path short enough.

Run it as `python bench/bench_replay_calls.py`; `--only hessian` takes a part, `--check` fails on a
missed limit.  Every candidate's result is checked before it is timed.
"""

import sys
from functools import partial

import numpy as np

import adcore
import by_hand
import common
import compare
import compare_compiled
import problems

# Where a package is not installed its share of a limit is taken from what it measured once.
CASADI_HESSIAN_US = 1.26


def two_variables(report, turns):
    """Gradient and Hessian of the Rosenbrock function of two variables, from array to array."""
    x = np.array([0.3, 0.7])
    compiled = adcore.compile(problems.rosenbrock)
    replays = {"gradient": compiled.grad, "hessian": compiled.hessian}
    formulas = compare_compiled.rosenbrock_2_by_numba()
    closed_forms = {
        "gradient": problems.rosenbrock_gradient,
        "hessian": problems.rosenbrock_hessian,
    }
    for transform, closed_form in closed_forms.items():
        work = f"Rosenbrock function of two variables: {transform}, ordinary call, replayed"
        candidates = {
            "NumPy by hand": partial(closed_form, x),
            "adcore": partial(replays[transform], x),
        }
        if formulas:
            candidates["numba by hand"] = partial(formulas[transform], x)
        if transform == "hessian":
            builders = compare_compiled.loop_hessian(problems.rosenbrock, x, problems.LOOP_OPS)
            candidates |= common.built(report, work, builders)
            candidates |= compare.hessian(problems.rosenbrock, x)
        expected = closed_form(x)
        seconds = report.check_and_compare(work, candidates, expected, "NumPy by hand", turns=turns)
        # Either limit suffices: half a microsecond, or 0.6 times numba's call.
        limit, note = 0.5, ""
        if formulas:
            by_numba = 1e6 * float(np.median(seconds["numba by hand"]))
            limit, note = max(limit, 0.6 * by_numba), "(the larger of 0.5 us and 0.6 numba)"
            ratio = common.ratios(seconds, "adcore", "numba by hand")
            report.add(work, "adcore / numba by hand", ratio, "x")
        report.add(work, "adcore", [1e6 * s for s in seconds["adcore"]], "us", limit, note)


def full_hessian(report, turns):
    """Dense Hessian of the chained Rosenbrock function, n = 40, from a scalar loop."""
    n = 40
    x = 0.5 + 0.01 * np.arange(n)
    f = problems.rosenbrock
    work = f"chained Rosenbrock, scalar loop, n = {n}: dense Hessian, replayed"
    c, casadi = "C by hand, zeros standing", "CasADi, non-zeros"
    candidates = {
        c: by_hand.rosenbrock_hessian(x),
        "NumPy by hand": partial(problems.rosenbrock_hessian, x),
        "adcore": partial(adcore.compile(f).hessian, x),
    }
    ops = problems.LOOP_OPS * (n - 1)
    candidates |= common.built(report, work, compare_compiled.loop_hessian(f, x, ops))
    expected = problems.rosenbrock_hessian(x)
    nonzeros = common.built(report, work, compare_compiled.loop_hessian_nonzeros(f, x))
    for name, call in nonzeros.items():
        # Symmetric, so that columns and rows are one order.
        common.agree(common.result_of(call), expected[expected != 0.0], 1e-10, f"{work}, {name}")
        candidates[name] = call
    for name, call in candidates.items():
        if name not in nonzeros:
            common.agree(common.result_of(call), expected, 1e-10, f"{work}, {name}")
    seconds = report.compare(work, candidates, c, turns=turns)
    if nonzeros:
        report.add(work, f"adcore / {casadi}", common.ratios(seconds, "adcore", casadi), "x", 2.0)
    else:
        limit, note = 2.0 * CASADI_HESSIAN_US, "(2.0 times what CasADi measured once)"
        report.add(work, "adcore", [1e6 * s for s in seconds["adcore"]], "us", limit, note)


def small_arrays(report, turns):
    """Value and gradient of the array Rosenbrock function, beside NumPy by hand."""
    compiled = adcore.compile(partial(problems.rosenbrock_sliced, np))
    for n, limit in ((10, 0.1), (1000, 0.7)):
        x = 0.5 + 0.001 * np.arange(n)
        work = f"array Rosenbrock, n = {n}: value and gradient, ordinary call, replayed"
        candidates = {
            "NumPy by hand": partial(problems.rosenbrock_value_and_gradient, x),
            "C by hand": by_hand.rosenbrock_gradient(x),
            "adcore": partial(compiled.value_and_grad, x),
        }
        builders = compare_compiled.array_gradient(problems.rosenbrock_sliced, x)
        candidates |= common.built(report, work, builders)
        candidates |= compare.array_gradient(problems.rosenbrock_sliced, x)
        expected = (problems.rosenbrock(x.tolist()), problems.rosenbrock_gradient(x))
        report.check_and_compare(
            work, candidates, expected, "NumPy by hand", {"adcore": limit}, turns=turns
        )


WORKS = [two_variables, full_hessian, small_arrays]


def main():
    """Print the report."""
    return common.run("replay_calls", WORKS, __doc__)


if __name__ == "__main__":
    sys.exit(main())
