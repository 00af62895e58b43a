"""A compiled function over the rows of a batch, beside NumPy expressions and C written by hand.

Run it as `python bench/bench_map.py`; `--check` fails on a missed limit.  Every candidate's result
is checked before it is timed.
"""

import sys
from functools import partial

import numpy as np

import adcore
import by_hand
import common
import compare_compiled
import problems

ROWS = 1_000_000


def gradients_by_adcore(compiled, rows):
    """The gradient at each row, on one thread like everything here."""
    return compiled.map(rows, derivative="gradient", threads=1)


def gradients_by_numpy(rows):
    """The same by the expressions of problems.of_row_gradient(), on columns laid out as such."""
    columns = np.ascontiguousarray(rows.T)
    return np.stack(problems.of_row_gradient(columns), axis=1)


def gradients(report, turns):
    """Gradient of a function of three inputs and 20 operations at each of a million rows."""
    rng = np.random.default_rng(4)
    rows = rng.uniform(0.5, 1.5, size=(ROWS, 3))
    work = f"gradient of a function of 3 inputs and 20 operations, {ROWS} rows: mapped"
    f = partial(problems.of_row, np)
    columns = np.ascontiguousarray(rows.T)
    candidates = {
        "NumPy by hand": partial(gradients_by_numpy, rows),
        "NumPy by hand, columns to columns": partial(problems.of_row_gradient, columns),
        "C by hand, functions of libm": by_hand.rows_gradient(rows),
        "adcore": partial(gradients_by_adcore, adcore.compile(f), rows),
    }
    candidates |= common.built(report, work, compare_compiled.row_gradients(problems.of_row, rows))
    expected = candidates["NumPy by hand"]()
    some = [0, ROWS // 2, ROWS - 1]
    exact = [adcore.grad(f)(rows[i]) for i in some]
    common.agree(expected[some], exact, 1e-12, f"{work}, NumPy by hand")
    columns_result = candidates["NumPy by hand, columns to columns"]()
    common.agree(np.stack(columns_result, axis=1), expected, 1e-12, work)
    for name, call in candidates.items():
        if not name.endswith("columns to columns"):
            common.agree(common.result_of(call), expected, 1e-10, f"{work}, {name}")
    report.compare(work, candidates, "NumPy by hand", {"adcore": 0.5}, turns)


def backends(report, turns):
    """Value, gradient and Hessian of the same by both backends, which agree bit by bit."""
    rng = np.random.default_rng(5)
    rows = rng.uniform(0.5, 1.5, size=(ROWS // 10, 3))
    f = partial(problems.of_row, np)
    interpreted, by_c = adcore.compile(f), adcore.compile(f, backend="c")
    some = [0, len(rows) // 2, len(rows) - 1]
    afresh = {"value": f, "gradient": adcore.grad(f), "hessian": adcore.hessian(f)}
    for derivative, exact in afresh.items():
        work = f"{derivative} of the same function, {len(rows)} rows: mapped by each backend"
        candidates = {
            "interpreter": partial(interpreted.map, rows, derivative=derivative, threads=1),
            'backend="c"': partial(by_c.map, rows, derivative=derivative, threads=1),
        }
        results = [call() for call in candidates.values()]
        common.agree(results[0][some], [exact(rows[r]) for r in some], 1e-12, work)
        if not np.array_equal(*results):
            raise AssertionError(f"{work}: the backends differ")
        report.compare(work, candidates, "interpreter", {'backend="c"': 1.1}, turns)


WORKS = [gradients, backends]


def main():
    """Print the report."""
    return common.run("map", WORKS, __doc__)


if __name__ == "__main__":
    sys.exit(main())
