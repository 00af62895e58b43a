"""Scalar Python loops recorded once and replayed in C, beside C written by hand.

Run it as `python bench/bench_replay.py`; `--only lotka` takes a part, `--check` fails on a missed
limit.  Every candidate's result is checked before it is timed.
"""

import sys
from functools import partial

import numpy as np

import adcore
import by_hand
import common
import compare_compiled
import problems

C = "C by hand"


def scalar_loop(report, turns):
    """Value and gradient of the chained Rosenbrock function, written as a scalar loop."""
    for n, limit_ns in ((1000, 0.4), (100_000, 0.5)):
        x = 0.5 + 0.001 * (np.arange(n) % 1000)
        floats, ops = x.tolist(), problems.LOOP_OPS * (n - 1)
        work = f"chained Rosenbrock, scalar loop, n = {n}: value and gradient, replayed"
        candidates = {
            C: by_hand.rosenbrock_gradient(x),
            "C by hand, sum in 16 lanes": by_hand.rosenbrock_gradient(x, reassociated=True),
            "adcore": partial(adcore.compile(problems.rosenbrock).value_and_grad, x),
            'adcore, backend="c"': partial(
                adcore.compile(problems.rosenbrock, backend="c").value_and_grad, x
            ),
        }
        candidates["plain floats, value only"] = partial(problems.rosenbrock, floats)
        builders = compare_compiled.loop_gradient(problems.rosenbrock, x, ops)
        candidates |= common.built(report, work, builders)
        expected = (problems.rosenbrock(floats), problems.rosenbrock_gradient(x))
        limits = {"adcore": 2.5, 'adcore, backend="c"': 1.3}
        seconds = report.check_and_compare(work, candidates, expected, C, limits, turns=turns)
        per_op = [1e9 * s / ops for s in seconds["adcore"]]
        report.add(work, "adcore, per op", per_op, "ns", limit_ns)


def sliced(report, turns):
    """The same function written with array slices, a million inputs."""
    n = 1_000_000
    x = 0.5 + 0.001 * (np.arange(n) % 1000)
    work = f"chained Rosenbrock, array slices, n = {n}: value and gradient, replayed"
    f = partial(problems.rosenbrock_sliced, np)
    compiled = adcore.compile(f)
    candidates = {
        C: by_hand.rosenbrock_gradient(x),
        "C by hand, sum in 16 lanes": by_hand.rosenbrock_gradient(x, reassociated=True),
        "NumPy by hand": lambda: (f(x), problems.rosenbrock_gradient(x)),
        "adcore": partial(compiled.value_and_grad, x),
        "adcore, out=": partial(compiled.value_and_grad, x, out=np.empty(n)),
    }
    builders = compare_compiled.array_gradient(problems.rosenbrock_sliced, x)
    candidates |= common.built(report, work, builders)
    expected = candidates["NumPy by hand"]()
    report.check_and_compare(work, candidates, expected, C, {"adcore": 2.5}, turns=turns)


def building(report, turns):
    """Recording, optimising and deriving the gradient program of the scalar loop."""
    work = "chained Rosenbrock, scalar loop: compiled afresh, to the first value and gradient"
    calls, ops = {}, {}
    for n in (25_000, 100_000):
        x = 0.5 + 0.001 * (np.arange(n) % 1000)
        name = f"n = {n}"
        ops[name] = problems.LOOP_OPS * (n - 1)
        calls[name] = lambda x=x: adcore.compile(problems.rosenbrock).value_and_grad(x)
        expected = (problems.rosenbrock(x.tolist()), problems.rosenbrock_gradient(x))
        common.agree_all(calls[name](), expected, 1e-10, f"{work}, {name}")
    seconds = common.interleaved(calls, turns)
    per_op = {name: np.divide(samples, ops[name]) for name, samples in seconds.items()}
    for name, samples in per_op.items():
        report.add(work, f"{name}, per op", 1e6 * samples, "us", 2.0)
    few, many = per_op.values()
    n_turns = min(len(few), len(many))
    growth = many[:n_turns] / few[:n_turns]
    report.add(work, "per op, n = 100000 / n = 25000", growth, "x", 1.25)


def lotka_volterra(report, turns):
    """Gradient and Hessian, in 6 inputs, of 1000 Runge-Kutta steps written as a scalar loop."""
    p, step = np.array(problems.LOTKA_VOLTERRA_INPUTS), problems.LOTKA_VOLTERRA_STEP
    f, floats = problems.lotka_volterra, p.tolist()
    compiled = adcore.compile(f)
    work = "1000 RK4 steps of Lotka-Volterra, scalar loop: value and gradient, replayed"
    adjoint = "C by hand, adjoint"
    candidates = {
        adjoint: by_hand.lotka_volterra_gradient(p, step),
        "C by hand, tangents in lanes": by_hand.lotka_volterra_gradient(p, step, forward=True),
        "adcore": partial(compiled.value_and_grad, p),
        'adcore, backend="c"': partial(adcore.compile(f, backend="c").value_and_grad, p),
        "plain floats, value only": partial(f, floats),
    }
    builders = compare_compiled.loop_gradient(f, p, ops=50_000)
    candidates |= common.built(report, work, builders)
    expected = adcore.value_and_grad(f)(p)
    report.check_and_compare(work, candidates, expected, adjoint, {"adcore": 5.0}, turns=turns)

    work = "1000 RK4 steps of Lotka-Volterra, scalar loop: Hessian, replayed"
    candidates = {
        C: by_hand.lotka_volterra_hessian(p, step),
        "adcore": partial(compiled.hessian, p),
        'adcore, backend="c"': partial(adcore.compile(f, backend="c").hessian, p),
    }
    candidates |= common.built(report, work, compare_compiled.loop_hessian(f, p, ops=50_000))
    expected = adcore.hessian(f)(p)
    report.check_and_compare(work, candidates, expected, C, {"adcore": 8.0}, turns=turns)


WORKS = [scalar_loop, sliced, building, lotka_volterra]


def main():
    """Print the report."""
    return common.run("replay", WORKS, __doc__)


if __name__ == "__main__":
    sys.exit(main())
