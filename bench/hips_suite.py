"""HIPS autograd's own tests, with its names bound to adcore.

    python bench/hips_suite.py [--version 1.9.1] [--sdist FILE] [-k EXPRESSION] [--verbose]

The sdist of autograd is downloaded by pip into a temporary directory, its tests are run there
without its package, and what passed and failed is printed, the failures grouped by their reasons.
"""

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

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
    path = {"PYTHONPATH": str(into), "PYTHONWARNINGS": "ignore"}
    subprocess.run(
        ["env", *(f"{k}={v}" for k, v in path.items()), *command],
        cwd=into,
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    results = []
    for case in ElementTree.parse(report).iter("testcase"):
        bad = [*case.iter("failure"), *case.iter("error")]
        if case.find("skipped") is None or bad:
            name = f"{case.get('classname', '')}::{case.get('name')}".removeprefix("tests.")
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
    failed = [(test, why) for test, why in results if why]
    by_file = defaultdict(lambda: [0, 0])
    for test, why in results:
        by_file[test.partition("::")[0]][bool(why)] += 1
    for file, (good, bad) in sorted(by_file.items()):
        print(f"  {file:24} {good:4} passed {bad:4} failed")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    groups = defaultdict(list)
    for test, why in failed:
        groups[kind(why)].append((test, why))
    for members in sorted(groups.values(), key=len, reverse=True):
        print(f"{len(members):4}  {members[0][1]}")
        for test, _ in members if options.verbose else members[:3]:
            print(f"        {test}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
