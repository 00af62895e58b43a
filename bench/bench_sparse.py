"""Sparse Hessians: the first one of a function, and those that follow, beside NumPy, SciPy and C.

Run it as `python bench/bench_sparse.py`; `--only surface` takes a part, `--check` fails on a
missed limit.  Every result is checked before it is timed.

The first Hessian is made in a process of its own, from recording to the numbers in a CSR array;
imports are not timed, but count in its memory.  Steady are the calls of a compiled function.
"By hand" is the construction that anybody writes: diagonals by NumPy, the matrix by SciPy's
diags_array().tocsr().  For information there are also one whose index arrays are made beforehand,
as adcore's are, and for small n one that makes the three CSR arrays itself.
"""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np

import adcore
import common
import compare_compiled
import problems
import sparse_problems
from sparse_problems import PROBLEMS

HAND = "NumPy and SciPy by hand"
MEMORY_LIMIT_MB = 3000


def first(report, turns, name, n, limit, memory=None):
    """Rows for the first sparse Hessian of a problem, each turn in a new process."""
    work = f"{PROBLEMS[name].what}, n = {n}: first sparse Hessian"
    script = Path(sparse_problems.__file__)
    for way, label in (("once", "adcore.sparse.hessian"), ("compiled", "adcore.compile")):
        command = [sys.executable, str(script), name, str(n), way]
        runs = []
        for _ in range(min(turns, 5)):
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode:
                raise AssertionError(f"{work}: {run.stderr}")
            runs.append(json.loads(run.stdout))
        megabytes = [run["megabytes"] for run in runs]
        report.add(work, label, [run["seconds"] for run in runs], "s", limit)
        report.add(work, f"{label}, memory at most", megabytes, "MB", memory)


class Data:
    """A candidate that makes CSR arrays, compared by their entries: all have the same pattern."""

    def __init__(self, call):
        self.call, self.result = call, call().data

    def __call__(self):
        """Make the matrix."""
        return self.call()


def steady(report, turns, name, n, limits=None, microseconds=None, more=()):
    """Rows for the calls of a compiled function, once it knows pattern and colours."""
    problem = PROBLEMS[name]
    work = f"{problem.what}, n = {n}: sparse Hessian, compiled"
    x = problem.point(n)
    f = partial(problem.f, np)
    hessian = partial(adcore.compile(f).hessian, x, sparse=True)
    expected = problem.by_hand(x)
    sparse_problems.check(hessian(), expected, work)  # the pattern too; below the entries only
    candidates = {
        HAND: Data(partial(problem.by_hand, x)),
        "by hand, index arrays made beforehand": Data(problem.on_pattern(x)),
        **{title: Data(partial(call, x)) for title, call in more},
        "C by hand, entries only": problem.in_c(x),
        "adcore": Data(hessian),
    }
    if name == "loop":
        builders = compare_compiled.loop_hessian_nonzeros(problems.rosenbrock, x)
    else:
        builders = compare_compiled.array_hessian_nonzeros(problem.f, x)
    candidates |= common.built(report, work, builders)
    seconds = report.check_and_compare(work, candidates, expected.data, HAND, limits, turns=turns)
    if microseconds:
        samples = [1e6 * s for s in seconds["adcore"]]
        report.add(work, "adcore, per call", samples, "us", microseconds)


def sliced(report, turns):
    """Chained Rosenbrock function written with array slices."""
    first(report, turns, "sliced", 1_000_000, 1.0, MEMORY_LIMIT_MB)
    steady(report, turns, "sliced", 1_000_000, {"adcore": 1.0})
    more = [("by hand, CSR arrays by NumPy", sparse_problems.rosenbrock_by_arrays)]
    steady(report, turns, "sliced", 1000, microseconds=25.0, more=more)


def loop(report, turns):
    """The same as a scalar Python loop."""
    first(report, turns, "loop", 100_000, 1.0)
    steady(report, turns, "loop", 100_000, microseconds=1000.0)


def surface(report, turns):
    """Minimal surface, nine entries a row."""
    for m, limit in ((316, 0.5), (1000, 4.0)):
        first(report, turns, "surface", m * m, limit)
        steady(report, turns, "surface", m * m, {"adcore": 1.0})


WORKS = [sliced, loop, surface]


def main():
    """Print the report."""
    return common.run("sparse", WORKS, __doc__)


if __name__ == "__main__":
    sys.exit(main())
