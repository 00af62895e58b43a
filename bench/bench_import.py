"""What adcore adds to the start of a process, over NumPy's own import.

Each sample is a fresh interpreter.  Interpreters that import NumPy alone and interpreters that
import adcore, or go on to a first 10x10 Hessian, take turns; a sample is the difference within one
turn.
"""

import subprocess
import sys
import time

import common

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
    """Wall-clock seconds of one interpreter that runs `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def measure(turns):
    """Milliseconds per turn: NumPy's start, and what the two programs take beyond it.

    Returns
    -------
    dict of str to list of float
        "numpy": the whole start; "import" and "hessian": the difference to it in the same turn.
    """
    run_seconds(CHECK)
    for code in PROGRAMS.values():
        run_seconds(code)
    samples = {name: [] for name in PROGRAMS}
    for _ in range(turns):
        spent = {name: 1e3 * run_seconds(code) for name, code in PROGRAMS.items()}
        samples["numpy"].append(spent["numpy"])
        for name in ("import", "hessian"):
            samples[name].append(spent[name] - spent["numpy"])
    return samples


def main():
    """Print the report."""
    options = common.arguments(__doc__)
    report = common.Report("import")
    samples = measure(turns=9 if options.quick else 31)
    work = "start of a process"
    report.add(work, "python -c 'import numpy'", samples["numpy"], "ms")
    report.add(work, "import adcore, beyond that", samples["import"], "ms", IMPORT_LIMIT_MS)
    report.add(work, "first 10x10 Hessian, beyond that", samples["hessian"], "ms", HESSIAN_LIMIT_MS)
    return report.finish(options.check)


if __name__ == "__main__":
    sys.exit(main())
