"""What the core must hold: each line with its limit, beside plain Python, NumPy and other packages.

Run it as `python bench/bench_core.py`; `--only rosenbrock` takes a part, `--check` fails on a
missed limit.  Every candidate's result is checked before it is timed.
"""

import math
import subprocess
import sys
from functools import partial

import mpmath
import numpy as np

import adcore
import common
import compare
import pure_python
from problems import LOOP_OPS, rosenbrock, rosenbrock_gradient, rosenbrock_hessian

RTOL = 1e-10


def scalar_loop(report, turns):
    """Value and gradient of a scalar Python loop, recorded afresh."""
    n = 1000
    array = 0.5 + 0.001 * np.arange(n)
    ops = LOOP_OPS * (n - 1)
    exact = rosenbrock_gradient(array)
    transform = adcore.value_and_grad(rosenbrock)
    for container, x in (("list", array.tolist()), ("array", array)):
        work = f"chained Rosenbrock, scalar loop, n = {n}, x: {container}: value and gradient"
        candidates = {
            "plain floats, value only": lambda x=x: rosenbrock(x),
            "adcore": lambda x=x: transform(x),
        }
        if container == "list":
            candidates["pure-Python tape"] = lambda x=x: pure_python.gradient(rosenbrock, x)
            candidates |= compare.gradient(rosenbrock, array)
        for name, call in candidates.items():
            if name != "plain floats, value only":
                value, gradient = call()
                common.agree(value, rosenbrock(array.tolist()), RTOL, f"{work}, {name}")
                common.agree(gradient, exact, RTOL, f"{work}, {name}")
        seconds = report.compare(
            work, candidates, "plain floats, value only", {"adcore": 2.7}, turns
        )
        report.add(work, "adcore, per op", [1e9 * s / ops for s in seconds["adcore"]], "ns", 45.0)


def scalar_loop_forward(report, turns):
    """One directional derivative of the scalar loop, by dual numbers."""
    n = 1000
    work = f"chained Rosenbrock, scalar loop, n = {n}: one directional derivative"
    x = (0.5 + 0.001 * np.arange(n)).tolist()
    v = np.cos(np.arange(n)).tolist()
    exact = rosenbrock_gradient(np.array(x)) @ v

    def by_pure_python():
        y = rosenbrock([pure_python.Dual(a, b) for a, b in zip(x, v, strict=True)])
        return y.value, y.tangent

    candidates = {
        "plain floats, value only": lambda: rosenbrock(x),
        "adcore": lambda: adcore.jvp(rosenbrock, (x,), (v,)),
        "pure-Python dual number": by_pure_python,
    }
    for name in ("adcore", "pure-Python dual number"):
        value, slope = candidates[name]()
        common.agree(value, rosenbrock(x), RTOL, f"{work}, {name}")
        common.agree(slope, exact, RTOL, f"{work}, {name}")
    report.compare(work, candidates, "plain floats, value only", turns=turns)


def expression(np, x):
    """An elementwise expression of eight operations, by the functions of a NumPy-like module."""
    return np.sin(x) * x + np.exp(-x * x) / (1.0 + x)


def expression_gradient(x):
    """Sum of the expression and its gradient, written by hand in NumPy."""
    sine, bell, base = np.sin(x), np.exp(-x * x), 1.0 + x
    gradient = np.cos(x) * x + sine - bell * (2.0 * x * base + 1.0) / (base * base)
    return np.sum(sine * x + bell / base), gradient


def small_arrays(report, turns):
    """Cost of recording, where the numbers are too few to hide it."""
    work = "elementwise expression of 8 ops on 10 elements: recorded"
    x = np.linspace(0.1, 1.0, 10)
    tracked = adcore.tensor(x, requires_grad=True)
    candidates = {
        "NumPy, value only": lambda: expression(np, x),
        "adcore, its own functions": lambda: expression(adcore, tracked),
        "adcore, NumPy's functions": lambda: expression(np, tracked),
    }
    for name, call in candidates.items():
        result = call()
        values = result if name == "NumPy, value only" else result.detach().numpy()
        common.agree(values, expression(np, x), RTOL, f"{work}, {name}")
    limits = {name: 1.2 for name in candidates if name.startswith("adcore")}
    report.compare(work, candidates, "NumPy, value only", limits, turns)


def large_arrays(report, turns):
    """Value and gradient where the arithmetic dominates."""
    n = 1_000_000
    work = f"sum of the expression on {n} elements: value and gradient"
    x = np.linspace(0.1, 2.0, n)
    transform = adcore.value_and_grad(lambda v: np.sum(expression(np, v)))
    candidates = {
        "NumPy by hand": lambda: expression_gradient(x),
        "adcore": lambda: transform(x),
        **compare.array_gradient(lambda np, v: np.sum(expression(np, v)), x),
    }
    exact_value, exact_gradient = expression_gradient(x)
    for name, call in candidates.items():
        value, gradient = call()
        common.agree(value, exact_value, RTOL, f"{work}, {name}")
        common.agree(gradient, exact_gradient, RTOL, f"{work}, {name}")
    report.compare(work, candidates, "NumPy by hand", {"adcore": 3.0}, turns)


def dense_hessian(report, turns):
    """A dense Hessian, recorded and computed afresh."""
    n = 40
    work = f"chained Rosenbrock, scalar loop, n = {n}: dense Hessian"
    x = 0.5 + 0.01 * np.arange(n)
    floats = x.tolist()
    transform = adcore.hessian(rosenbrock)
    candidates = {
        "plain floats, value only": lambda: rosenbrock(floats),
        "adcore": lambda: transform(x),
        "pure-Python tape": lambda: pure_python.hessian(rosenbrock, floats)[2],
        **compare.hessian(rosenbrock, x),
    }
    for name, call in candidates.items():
        if name != "plain floats, value only":
            common.agree(call(), rosenbrock_hessian(x), RTOL, f"{work}, {name}")
    seconds = report.compare(work, candidates, "plain floats, value only", turns=turns)
    report.add(work, "adcore", [1e3 * s for s in seconds["adcore"]], "ms", 0.3)


def curve(np, x):
    """Twelve operations of one variable."""
    return np.sin(np.exp(x) * x) / (1.0 + x**2)


def exact_derivatives(f, x, orders):
    """Derivatives by mpmath at 80 digits, from order 0 on."""
    with mpmath.workdps(80):
        coefficients = mpmath.taylor(f, mpmath.mpf(x), orders)
        return [c * mpmath.factorial(k) for k, c in enumerate(coefficients)]


def high_orders(report, turns):
    """Derivatives of a function of one variable: digits, growth of the time, the 10th afresh."""
    x, orders = 0.7, range(1, 21)
    exact = {
        "sin(exp(x) x) / (1 + x^2)": (
            lambda v: curve(adcore, v),
            exact_derivatives(lambda v: curve(mpmath, v), x, 20),
        ),
        "x^24": (
            lambda v: v**24,
            [math.perm(24, k) * mpmath.mpf(x) ** (24 - k) for k in range(21)],
        ),
    }
    for name, (f, expected) in exact.items():
        work = f"derivative(f, k) of {name}, k = 1 ... 20"
        errors = [abs(adcore.derivative(f, k)(x) / float(expected[k]) - 1.0) for k in orders]
        report.add(work, "largest relative error", max(errors), "", 1e-9)
        calls = {str(k): partial(adcore.derivative(f, k), x) for k in (5, 10, 20)}
        seconds = common.interleaved(calls, turns)
        for few, many in (("5", "10"), ("10", "20")):
            growth = common.ratios(seconds, many, few)
            report.add(work, f"time of order {many} / order {few}", growth, "x", 4.0)

    f, expected = exact["sin(exp(x) x) / (1 + x^2)"]
    work = "10th derivative of that function, afresh"
    candidates = {
        "adcore": lambda: adcore.derivative(f, 10)(x),
        **compare.derivative(curve, x, 10),
    }
    for name, call in candidates.items():
        common.agree(call(), float(expected[10]), 1e-9, f"{work}, {name}")
    seconds = common.interleaved(candidates, turns)
    for name, samples in seconds.items():
        limit = 30.0 if name == "adcore" else None
        report.add(work, name, [1e6 * sample for sample in samples], "us", limit)


MEMORY = """
import ctypes
import os
import sys
import adcore

# Gives blocks that were freed back to the system, if asked for (glibc; elsewhere nothing is done).
trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if "trim" in sys.argv else None

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def record(x, y, turns):
    for _ in range(turns):
        y = y * x + 0.5
    return y

x = adcore.tensor(0.5, requires_grad=True)
record(x, x, 1000)
before = resident()
y = x
samples = []
for n_ops in range(200_000, 4_000_001, 200_000):
    y = record(x, y, 100_000)
    if trim:
        trim(0)
    samples.append((resident() - before) / n_ops)
assert abs(y.item() - 1.0) < 1e-12, y
(slope,) = adcore.autograd.grad(y, [x])
assert abs(slope.item() - 2.0) < 1e-12, slope
print(adcore._core.tape_stats()["bytes_in_use"] / n_ops, *samples)
"""

TRAINING = """
import os
import adcore

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def train(x, steps):
    for _ in range(steps):
        loss = (x - 3.0) * (x - 3.0)
        (g,) = adcore.autograd.grad(loss, [x])
        x = (x - 0.1 * g).detach().requires_grad_()
    return x

x = train(adcore.tensor(0.0, requires_grad=True), 1000)
before = resident()
x = train(x, 1_000_000)
print((resident() - before) / 2**20)
assert abs(x.item() - 3.0) < 1e-12, x
"""


def fresh_process(code, *arguments):
    """The numbers that a program prints, run in a fresh interpreter."""
    command = [sys.executable, "-c", code, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(word) for word in run.stdout.split()]


def memory(report, turns):
    """What is recorded takes, as counted and as resident; and a loop that records and forgets."""
    del turns
    if not sys.platform.startswith("linux"):
        print("memory: needs /proc, left out")
        return
    work = "memory of a recorded scalar loop, one constant in two ops"
    contents, *resident = fresh_process(MEMORY, "trim")
    report.add(work, "per op, contents of the tape", contents, "bytes", 40.0)
    report.add(work, "per op, resident, 2e5 to 4e6 ops", resident, "bytes", 40.0)
    _, *resident = fresh_process(MEMORY)
    report.add(work, "the same with freed blocks that malloc keeps", resident, "bytes")
    work = "memory of a loop of gradient steps"
    report.add(work, "resident, growth over 1e6 steps", fresh_process(TRAINING), "MiB", 1.0)


WORKS = [
    scalar_loop,
    scalar_loop_forward,
    small_arrays,
    large_arrays,
    dense_hessian,
    high_orders,
    memory,
]


def main():
    """Print the report."""
    return common.run("core", WORKS, __doc__)


if __name__ == "__main__":
    sys.exit(main())
