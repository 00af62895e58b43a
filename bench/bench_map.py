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


WORKS = [gradients]


def main():
    """Print the report."""
    return common.run("map", WORKS, __doc__)


if __name__ == "__main__":
    sys.exit(main())
