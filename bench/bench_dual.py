"""What dual numbers cost: an operation, a loop, a derivative of derivatives, an array.

Run it as `python bench/bench_dual.py`; `--only arrays` takes a part, `--check` fails on a missed
limit.  Every result is checked before it is timed.
"""

import itertools
import math
import sys
from functools import partial

import mpmath
import numpy as np

import adcore
import common
import pure_python
from adcore import _core

OPS = 100  # repetitions of an operation in one timed call
# By the number of directions: how many times the same loop on plain floats an operation may take.
LIMITS = {1: 2.5, 8: 3.0}
OPERATIONS = {
    "x + z": lambda x, z: [x + z for _ in range(OPS)],
    "x * z": lambda x, z: [x * z for _ in range(OPS)],
    "x / z": lambda x, z: [x / z for _ in range(OPS)],
    "2.0 * x": lambda x, _z: [2.0 * x for _ in range(OPS)],
    "x - 1": lambda x, _z: [x - 1 for _ in range(OPS)],
    "x**2": lambda x, _z: [x**2 for _ in range(OPS)],
}
X, Z = 1.5, 0.75


def operation(report, turns):
    """One arithmetic operation on scalar duals, a hundred times over."""
    for text, run in OPERATIONS.items():
        work = f"operation {text}, scalars"
        candidates = {"plain floats": partial(run, X, Z)}
        if text != "x**2":  # the dual number in Python has no integer powers
            x, z = pure_python.Dual(X, 1.0), pure_python.Dual(Z, -1.0)
            candidates["pure-Python dual number"] = partial(run, x, z)
        slopes = adcore.grad(lambda v, run=run: run(v[0], v[1])[0])([X, Z])
        for k in LIMITS:
            tag = _core.new_tag()
            x = _core.Dual(tag, X, [float(j == 0) for j in range(k)])
            z = _core.Dual(tag, Z, [float(j == k - 1) for j in range(k)])
            candidates[f"adcore, k = {k}"] = partial(run, x, z)
            y = run(x, z)[-1]
            expected = np.zeros(k)
            expected[0] += slopes[0]
            expected[-1] += slopes[1]
            common.agree(y.value, run(X, Z)[0], 1e-15, work)
            common.agree(y.tangents, expected, 1e-15, work)
        limits = {f"adcore, k = {k}": limit for k, limit in LIMITS.items()}
        seconds = report.compare(work, candidates, "plain floats", limits, turns=turns)
        for name in limits:
            report.add(work, f"{name}, per op", [1e9 * s / OPS for s in seconds[name]], "ns")


def distance(x):
    """A smooth function of any number of scalars, as a loop."""
    total = 0.0
    for a, b in itertools.pairwise(x):
        total = total + a * b / (1.0 + a * a) + adcore.sin(a - b)
    return total


def chunk(report, turns):
    """The gradient of a scalar loop over 8 variables: 8 directions in one run of the function."""
    work = "chunk of 8: gradient of a scalar loop over 8 variables"
    x = [0.1 * (i + 1) for i in range(8)]
    rows = np.eye(8).tolist()

    def in_one():
        tag = _core.new_tag()
        y = distance([_core.Dual(tag, v, row) for v, row in zip(x, rows, strict=True)])
        return y.tangents

    def one_by_one():
        return [adcore.jvp(distance, (x,), (row,))[1] for row in rows]

    candidates = {
        "plain floats, value only": lambda: distance(x),
        "adcore, 8 directions at once": in_one,
        "adcore, one direction at a time": one_by_one,
        "adcore, tape": lambda: adcore.grad(distance)(x),
    }
    exact = adcore.grad(distance)(x)
    for name in list(candidates)[1:]:
        common.agree(candidates[name](), exact, 1e-14, f"{work}, {name}")
    report.compare(work, candidates, "plain floats, value only", turns=turns)


def smooth(x):
    """A function of twelve operations."""
    return adcore.sin(adcore.exp(x) * x) / (1 + x**2)


def by_nesting(order, x):
    """The derivative of `smooth` by duals of duals."""
    f = smooth
    for _ in range(order):
        f = _next(f)
    return f(x)


def _next(f):
    return lambda x: adcore.jvp(f, (x,), (1.0,))[1]


def nested(report, turns):
    """Derivatives of derivatives, each by a dual of its own."""
    x = 0.625
    work = "nested duals: derivatives of a function of one variable"
    candidates = {"plain floats, value only": lambda: smooth(x)}
    for order in range(1, 6):
        name = f"adcore, order {order}"
        candidates[name] = lambda order=order: by_nesting(order, x)
        with mpmath.workdps(40):
            exact = mpmath.diff(
                lambda t: mpmath.sin(mpmath.exp(t) * t) / (1 + t**2), mpmath.mpf(x), order
            )
        common.agree(candidates[name](), float(exact), 1e-12, f"{work}, {name}")
    report.compare(work, candidates, "plain floats, value only", turns=turns)


def forward_over_reverse(report, turns):
    """A Hessian product of a scalar loop: duals over tensors beside the second-order sweep."""
    n = 200
    x = (0.5 + 0.001 * np.arange(n)).tolist()
    v = np.cos(np.arange(n)).tolist()
    work = f"duals over tensors: Hessian product of a scalar loop over {n} variables"
    candidates = {
        "plain floats, value only": lambda: distance(x),
        "adcore, second-order sweep": lambda: adcore.hvp(distance, (x,), (v,))[1],
        "adcore, dual over tensors": lambda: adcore.jvp(adcore.grad(distance), (x,), (v,))[1],
    }
    exact = np.array(adcore.hessian(lambda z: distance(list(z)))(np.array(x))) @ v
    for name in list(candidates)[1:]:
        common.agree(candidates[name](), exact, 1e-12, f"{work}, {name}")
    report.compare(work, candidates, "plain floats, value only", turns=turns)


def expression(np, x):
    """An elementwise expression of eight operations, by the functions of a NumPy-like module."""
    return np.sin(x) * x + np.exp(-x * x) / (1.0 + x)


def by_hand(x, v):
    """Its value and tangent, written in NumPy."""
    sine, bell, base = np.sin(x), np.exp(-x * x), 1.0 + x
    slope = np.cos(x) * x + sine - bell * (2.0 * x * base + 1.0) / (base * base)
    return sine * x + bell / base, slope * v


def arrays(report, turns):
    """An elementwise expression on arrays: value and one tangent."""
    for n in (10, 1000, 1_000_000):
        work = f"arrays: elementwise expression of 8 ops on {n} elements, value and tangent"
        x, v = np.linspace(0.1, 1.0, n), np.linspace(1.0, -1.0, n)
        candidates = {
            "NumPy, value only": lambda x=x: expression(np, x),
            "NumPy by hand": lambda x=x, v=v: by_hand(x, v),
            "adcore": lambda x=x, v=v: adcore.jvp(lambda z: expression(np, z), (x,), (v,)),
        }
        for got, exact in zip(candidates["adcore"](), by_hand(x, v), strict=True):
            common.agree(got, exact, 1e-14, work)
        report.compare(work, candidates, "NumPy by hand", turns=turns)


def elements(report, turns):
    """A scalar loop over the elements of an array."""
    n = 1000
    x, v = np.linspace(0.1, 1.0, n), np.linspace(1.0, -1.0, n)
    work = f"elements: scalar loop over an array of {n} elements, one directional derivative"

    def loop(x):
        total = 0.0
        for i in range(len(x)):
            total = total + x[i] * x[i]
        return total

    candidates = {
        "plain floats, value only": partial(loop, x.tolist()),
        "NumPy's elements, value only": lambda: loop(x),
        "adcore": lambda: adcore.jvp(loop, (x,), (v,)),
    }
    value, slope = candidates["adcore"]()
    common.agree(value, math.fsum(x * x), 1e-13, work)
    common.agree(slope, 2 * math.fsum(x * v), 1e-13, work)
    report.compare(work, candidates, "plain floats, value only", turns=turns)


WORKS = (operation, chunk, nested, forward_over_reverse, arrays, elements)


def main():
    """Print the report."""
    return common.run("dual", WORKS, __doc__)


if __name__ == "__main__":
    sys.exit(main())
