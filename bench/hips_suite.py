"""HIPS autograd's own tests, with its names bound to adcore.

    python bench/hips_suite.py [--version 1.9.1] [--sdist FILE] [-k EXPRESSION] [--verbose]

The sdist of autograd is downloaded by pip into a temporary directory, its tests are run there
without its package, and what passed and failed is printed, the failures grouped by their reasons.
All tests are run; those of DIFFERENCES are to fail, as adcore does on purpose what they exclude,
and are counted for themselves.  The status is 1 if another one fails, or if one of these passes.
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

import adcore

# A plugin of pytest: from here on `import autograd` is `import adcore.hips`.
PLUGIN = """
import importlib
import pkgutil
import sys

import adcore.hips

for info in pkgutil.walk_packages(adcore.hips.__path__, "adcore.hips."):
    importlib.import_module(info.name)
for name in [*sys.modules]:
    if name == "adcore.hips" or name.startswith("adcore.hips."):
        sys.modules["autograd" + name.removeprefix("adcore.hips")] = sys.modules[name]
"""
OPTIONS = [
    "-q",
    "-x",
    "--maxfail=100000",
    "-p",
    "adcore_as_autograd",
    "--continue-on-collection-errors",
]
# Not tests of results: they time, need other packages, or draw pictures.
LEFT_OUT = ["_test_complexity.py", "profiling.py", "test_performance.py"]

# {test: why adcore differs}; docs/hips.md says it to users.
DIFFERENCES = {
    "test_fft::test_rfftn_odd_not_implemented": (
        "asks for NotImplementedError where the last axis is odd; adcore has that derivative"
    ),
    "test_graphs::test_assignment_raises_error": (
        "asks for TypeError at x[i] = y; adcore differentiates assignments to elements"
    ),
    "test_misc::test_const_graph_args": (
        "counts calls of a primitive; const_graph records, then replays, which is one more"
    ),
    "test_numpy::test_astype": "asks for a float32 gradient; adcore computes in float64 alone",
    "test_wrappers::test_dtypes": (
        "asks for float32 and float16 gradients; adcore computes in float64 alone"
    ),
}


def fetch(version, into):
    """The file of autograd's sdist."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--no-binary", ":all:", "--dest", str(into)),
            "autograd" + (f"=={version}" if version else ""),
        ],
        check=True,
    )
    return next(into.glob("autograd-*.tar.gz"))


def unpack(sdist, into):
    """The tests in an sdist, without the package; returns their directory."""
    with tarfile.open(sdist) as archive:
        members = [m for m in archive.getmembers() if re.match(r"[^/]+/tests/[^/]+\.py$", m.name)]
        archive.extractall(into, members, filter="data")
    found = next(into.glob("*/tests"))
    for name in LEFT_OUT:
        (found / name).unlink(missing_ok=True)
    return found


def run(tests, into, more):
    """[(name of a test, "" or the reason why it failed)] of a run of pytest."""
    (into / "adcore_as_autograd.py").write_text(PLUGIN)
    report = into / "report.xml"
    command = [sys.executable, "-m", "pytest", *OPTIONS, f"--junitxml={report}", *more, str(tests)]
    path = os.pathsep.join([str(into), str(Path(adcore.__file__).parents[1])])
    done = subprocess.run(
        command,
        cwd=into,
        env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"},
        check=False,
        capture_output=True,
        text=True,
    )
    if not report.exists():
        raise RuntimeError(f"pytest did not run:\n{done.stdout}{done.stderr}")
    results = []
    for case in ElementTree.parse(report).iter("testcase"):
        bad = [*case.iter("failure"), *case.iter("error")]
        if case.find("skipped") is None or bad:
            name = f"{case.get('classname', '')}::{case.get('name')}"
            name = re.sub(r"^.*\btests\.", "", name)
            results.append((name, reason(bad[0]) if bad else ""))
    return results


def reason(failure):
    """One line that says why a test failed."""
    lines = [line[1:].strip() for line in (failure.text or "").splitlines() if line[:1] == "E"]
    said = next((line for line in lines if line), failure.get("message") or "no reason given")
    return said.splitlines()[0][:160]


def kind(text):
    """A reason without what differs between tests that fail for the same one."""
    return re.sub(r"[-+]?\d[\d.e+-]*|'[^']*'|\[.*\]|\(.*\)", "…", text)[:100]


PASSED, STATED, FAILED = range(3)


def outcome(test, why):
    """Of a test and the reason why it failed."""
    if test in DIFFERENCES:
        return STATED if why else FAILED
    return FAILED if why else PASSED


def main():
    """Print what passed and what failed; the exit status is 1 if a test failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", help="of autograd; the newest if left out")
    parser.add_argument("--sdist", type=Path, help="its sdist, if it is there already")
    parser.add_argument("-k", help="which tests, as pytest takes it")
    parser.add_argument("--verbose", action="store_true", help="name every test that failed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        into = Path(name)
        sdist = options.sdist or fetch(options.version, into)
        results = run(unpack(sdist, into), into, ["-k", options.k] if options.k else [])
        print(f"{sdist.name}: {len(results)} tests")
    by_file = defaultdict(lambda: [0, 0, 0])
    for test, why in results:
        by_file[re.split("[.:]", test)[0]][outcome(test, why)] += 1
    for file, counts in sorted(by_file.items()):
        print(f"  {file:24} {counts[0]:4} passed {counts[1]:4} stated {counts[2]:4} failed")
    totals = [sum(counts) for counts in zip(*by_file.values(), strict=True)]
    print(f"{totals[0]} passed, {totals[1]} stated differences, {totals[2]} failed")
    for test, _ in [r for r in results if outcome(*r) == STATED]:
        print(f"  stated: {test}\n          {DIFFERENCES[test]}")
    groups = defaultdict(list)
    for test, why in [r for r in results if outcome(*r) == FAILED]:
        groups[kind(why)].append((test, why or "passes, and is stated not to: see DIFFERENCES"))
    for members in sorted(groups.values(), key=len, reverse=True):
        print(f"{len(members):4}  {members[0][1]}")
        for test, _ in members if options.verbose else members[:3]:
            print(f"        {test}")
    return bool(totals[FAILED])


if __name__ == "__main__":
    sys.exit(main())
