"""One-shot sparse Hessians of scalar loops: edge-pushing against pattern, colours and a program.

Both start from a plain function: what is recorded, derived and compiled is in the time.
"""

import sys
import time

import numpy as np

import adcore
from common import agree, run

N = 1000


def rosenbrock(x):
    """The chained one: rows of 3."""
    total = 0.0
    for i in range(len(x) - 1):
        a, b = x[i + 1] - x[i] * x[i], 1.0 - x[i]
        total = total + 100.0 * a * a + b * b
    return total


def banded(width):
    """Products of overlapping sums: rows of 2 width - 1."""

    def f(x):
        total = 0.0
        for i in range(len(x) - width + 1):
            s = x[i]
            for k in range(1, width):
                s = s + (0.5 + 0.1 * k) * x[i + k]
            total = total + s * adcore.sin(s)
        return total

    return f


def irregular(x):
    """Terms of variables far apart, of which a few are in very many."""
    n, total = len(x), 0.0
    for i in range(n):
        s = x[i] * x[i * i * 7 % n] + x[i * 31 % 17] * x[i * 13 % n]
        total = total + adcore.exp(0.1 * s) * x[i // 40]
    return total


def compare(report, turns, name, f, limit):
    """Edges against colours, one after the other from nothing."""
    x = np.linspace(0.5, 1.5, N)  # one input: of a list each number would be one
    h = adcore.sparse.hessian(f, method="edges")(x)
    agree(h.toarray(), adcore.hessian(f)(x), 1e-10, name)
    agree(
        adcore.sparse.hessian(f, method="colored")(x).toarray(),
        h.toarray(),
        1e-10,
        f"{name}, by colours",
    )
    report.compare(
        f"{name}, n = {N}, {h.nnz / N:.1f} entries a row, at most {np.diff(h.indptr).max()}",
        {
            "edges": lambda: adcore.sparse.hessian(f, method="edges")(x),
            "pattern and colours": lambda: adcore.sparse.hessian(f, method="colored")(x),
        },
        "pattern and colours",
        {"edges": limit},
        turns=turns,
    )


def regular(report, turns):
    """Regular rows of 3 to 50 entries."""
    compare(report, turns, "chained Rosenbrock", rosenbrock, 2.0)
    for width in (3, 8, 25):
        compare(report, turns, f"bands of {width}", banded(width), 2.0)


def irregular_rows(report, turns):
    """Irregular rows."""
    compare(report, turns, "irregular rows", irregular, 1.0)


def long_loop(report, turns):
    """The chained Rosenbrock loop with n = 1e5, all in."""
    x = list(np.linspace(0.5, 1.5, 100_000))
    seconds = []
    for _ in range(min(turns, 5)):
        start = time.process_time()
        h = adcore.sparse.hessian(rosenbrock, method="edges")(x)
        seconds.append(time.process_time() - start)
        assert h.nnz == 3 * len(x) - 2
    report.add("chained Rosenbrock loop, n = 1e5", "edges, recording included", seconds, "s", 1.0)


if __name__ == "__main__":
    sys.exit(run("edges", [regular, irregular_rows, long_loop], __doc__))
