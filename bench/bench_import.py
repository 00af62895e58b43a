"""What adcore adds to the start of a process, over NumPy's own import.

Each sample is a fresh interpreter.  Interpreters that import NumPy alone and interpreters that
import adcore, or go on to a first 10x10 Hessian, take turns; a sample is the difference within one
turn.
"""

import os
import subprocess
import sys
import time

import common

try:
    import resource
except ImportError:  # not on Windows, where both clocks are the wall's
    resource = None

IMPORT_LIMIT_MS = 20.0
HESSIAN_LIMIT_MS = 30.0

HESSIAN = """
import numpy as np
import adcore

def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total = total + 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total

hessian = adcore.hessian(rosenbrock)(np.ones(10))
"""
CHECK = (
    HESSIAN
    + """
expected = np.zeros((10, 10))
for i in range(9):
    expected[i, i] += 802.0
    expected[i + 1, i + 1] += 200.0
    expected[i, i + 1] = expected[i + 1, i] = -400.0
assert np.allclose(hessian, expected, rtol=1e-12, atol=0), hessian
"""
)
PROGRAMS = {"numpy": "import numpy", "import": "import adcore", "hessian": HESSIAN}


def run_seconds(code):
    """Wall-clock and processor seconds of one interpreter that runs `code`."""
    # Bytecode is cached, as it is after an installation, whatever this process was told about it.
    # Idle threads of NumPy's BLAS spin, which would count as processor time of the import.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= dict.fromkeys(common.THREAD_VARIABLES, "1")
    before, start = _child_seconds(), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    return time.perf_counter() - start, _child_seconds() - before


def _child_seconds():
    if resource is None:
        return time.perf_counter()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(turns):
    """Milliseconds per turn: NumPy's start, and what the two programs take beyond it.

    Returns
    -------
    dict of (str, str) to list of float
        ("numpy", clock) is the whole start; ("import", clock) and ("hessian", clock) are the
        difference to it in the same turn.  The clocks are "wall" and "cpu"; the second does not
        count what others make the processor do.
    """
    run_seconds(CHECK)
    for code in PROGRAMS.values():
        run_seconds(code)
    samples = {(name, clock): [] for name in PROGRAMS for clock in ("wall", "cpu")}
    for _ in range(turns):
        spent = {name: run_seconds(code) for name, code in PROGRAMS.items()}
        for i, clock in enumerate(("wall", "cpu")):
            base = spent["numpy"][i]
            samples["numpy", clock].append(1e3 * base)
            for name in ("import", "hessian"):
                samples[name, clock].append(1e3 * (spent[name][i] - base))
    return samples


def main():
    """Print the report."""
    options = common.arguments(__doc__)
    report = common.Report("import")
    samples = measure(turns=9 if options.quick else 31)
    titles = {
        "numpy": ("python -c 'import numpy'", None),
        "import": ("import adcore, beyond that", IMPORT_LIMIT_MS),
        "hessian": ("first 10x10 Hessian, beyond that", HESSIAN_LIMIT_MS),
    }
    for clock, work in (("wall", "start of a process"), ("cpu", "the same, processor time")):
        for name, (title, limit) in titles.items():
            report.add(work, title, samples[name, clock], "ms", limit)
    return report.finish(options.check)


if __name__ == "__main__":
    sys.exit(main())
