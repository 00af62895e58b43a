"""What derivatives of high order cost: by order, by row of the op table, on arrays.

Run it as `python bench/bench_taylor.py`; `--check` fails on a missed limit.  The baselines are the
same recurrences written in plain Python and in NumPy.  Every result is checked before it is timed.
"""

import itertools
import math
import sys
from functools import partial

import mpmath
import numpy as np

import adcore
import common

ORDER = 10
N = 100_000


class Series:
    """Taylor coefficients in a list, or in the rows of an array: the recurrences by hand."""

    def __init__(self, c):
        self.c = c

    def __add__(self, other):
        if not isinstance(other, Series):
            return Series([self.c[0] + other, *self.c[1:]])
        return Series([a + b for a, b in zip(self.c, other.c, strict=True)])

    __radd__ = __add__

    def __mul__(self, other):
        a, b = self.c, other.c
        return Series([sum(a[j] * b[k - j] for j in range(k + 1)) for k in range(len(a))])

    def __truediv__(self, other):
        a, b, y = self.c, other.c, []
        for k in range(len(a)):
            y.append((a[k] - sum(b[j] * y[k - j] for j in range(1, k + 1))) / b[0])
        return Series(y)

    def exp(self):
        """Exponential: y' = y x'."""
        x, y = self.c, [np.exp(self.c[0])]
        for k in range(1, len(x)):
            y.append(sum(j * x[j] * y[k - j] for j in range(1, k + 1)) / k)
        return Series(y)

    def sin(self):
        """Sine: s' = c x', c' = -s x'."""
        return self._circle()[0]

    def cos(self):
        """Cosine, found with the sine."""
        return self._circle()[1]

    def _circle(self):
        x, s, c = self.c, [np.sin(self.c[0])], [np.cos(self.c[0])]
        for k in range(1, len(x)):
            s.append(sum(j * x[j] * c[k - j] for j in range(1, k + 1)) / k)
            c.append(-sum(j * x[j] * s[k - j] for j in range(1, k + 1)) / k)
        return Series(s), Series(c)


def curve(module, x):
    """Twelve operations of one variable."""
    u = module.sin(module.exp(x) * x) / (x * x + 1.0)
    v = module.cos(u * x) + x
    return module.exp(u) * v + u / v


class ByHand:
    """The functions of curve() on Series."""

    exp, sin, cos = Series.exp, Series.sin, Series.cos


def exact(order, x):
    """The derivative of curve() by mpmath."""
    with mpmath.workdps(20 + 5 * order):
        c = mpmath.taylor(lambda t: curve(mpmath, t), mpmath.mpf(x), order)[order]
        return float(c * mpmath.factorial(order))


def by_order(report, turns):
    """One derivative of a function of 12 operations, afresh, at orders from 5 to 80."""
    x, orders = 0.7, (5, 10, 20, 40, 80)
    work = "k-th derivative of a function of 12 operations, afresh"
    calls = {}
    for k in orders:
        calls[f"k = {k}"] = partial(adcore.derivative(lambda t: curve(adcore, t), k), x)
        if k <= 40:
            common.agree(calls[f"k = {k}"](), exact(k, x), 1e-9, f"{work}, k = {k}")

    def by_hand():
        series = curve(ByHand, Series([x, 1.0] + [0.0] * (ORDER - 1)))
        return series.c[ORDER] * math.factorial(ORDER)

    common.agree(by_hand(), exact(ORDER, x), 1e-9, "the recurrences in plain Python")
    calls[f"k = {ORDER}, the recurrences in plain Python"] = by_hand
    seconds = common.interleaved(calls, turns)
    for name, samples in seconds.items():
        limit = 30.0 if name == f"k = {ORDER}" else None
        report.add(work, name, [1e6 * s for s in samples], "us", limit)
    for few, many in itertools.pairwise(orders):
        growth = common.ratios(seconds, f"k = {many}", f"k = {few}")
        report.add(work, f"k = {many} / k = {few}", growth, "x", 4.0)


def by_row(report, turns):
    """Ten coefficients of each row of the op table, recording included; the slowest by name."""
    work = f"Taylor series of order {ORDER}, each row of the op table at one point"
    calls = {}
    for op in adcore.OPS:
        if op.hidden:
            continue
        x = [max(lo, -1.0) + 0.4 * min(hi - max(lo, -1.0), 1.0) for lo, hi in op.domain]
        f = partial(op.function, 0) if op.family else op.function

        def along(t, f=f, x=x):
            return f(t, *x[1:])

        series = adcore.taylor(along, x[0], 1.0, ORDER)
        common.agree(series[0], f(*x), 1e-14, f"{work}: {op.name}")
        calls[op.name] = partial(adcore.taylor, along, x[0], 1.0, ORDER)
    seconds = common.interleaved(calls, max(3, turns // 4), 0.001)
    best = {name: 1e6 * min(samples) for name, samples in seconds.items()}
    order = sorted(best, key=best.get, reverse=True)
    for name in order[:8]:
        report.add(work, name, best[name], "us")
    report.add(work, f"the other {len(order) - 8}", [best[name] for name in order[8:]], "us")


def on_arrays(report, turns):
    """The same function on many elements at once, beside the recurrences in NumPy."""
    order = 5
    x, v = np.linspace(0.1, 1.0, N), np.ones(N)
    work = f"Taylor series of order {order} of that function, elementwise on {N} numbers"

    def by_hand():
        series = curve(ByHand, Series([x, v, *np.zeros((order - 1, N))]))
        return np.array(series.c)

    calls = {
        "the recurrences in NumPy": by_hand,
        "adcore": lambda: adcore.taylor(lambda t: curve(adcore, t), x, v, order),
    }
    common.agree(calls["adcore"](), by_hand(), 1e-11, work)
    report.compare(work, calls, "the recurrences in NumPy", turns=turns)


def third_derivatives(report, turns):
    """third() beside the gradient of the same function."""
    n = 1000
    rng = np.random.default_rng(0)
    x, u, v = rng.normal(size=(3, n))

    def f(x):
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    # d^3/dx_i^3 = 2400 x_i, d^3/dx_i^2 dx_{i+1} = -400
    exact = np.zeros(n)
    exact[:-1] = 2400.0 * x[:-1] * u[:-1] * v[:-1] - 400.0 * (u[:-1] * v[1:] + u[1:] * v[:-1])
    exact[1:] -= 400.0 * u[:-1] * v[:-1]
    work = f"third derivative along two directions, Rosenbrock as array code, n = {n}"
    calls = {
        "gradient": partial(adcore.grad(f), x),
        "third": partial(adcore.third, f, x, u, v),
    }
    common.agree(calls["third"](), exact, 1e-12, work)
    report.compare(work, calls, "gradient", turns=turns)


WORKS = (by_order, by_row, on_arrays, third_derivatives)


def main():
    """Print the report."""
    return common.run("taylor", WORKS, __doc__)


if __name__ == "__main__":
    sys.exit(main())
