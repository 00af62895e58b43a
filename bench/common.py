"""How everything here is measured: one core, interleaved, medians of ratios, checked results.

Candidates that do the same work are timed in turns, so that whatever else the machine does falls on
all of them alike, and a ratio is taken within each turn.  What is reported is the median over the
turns with the smallest and the largest: `2.41 x (2.35 ... 2.60)`.
"""

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).resolve().parents[1]

# Processor time of this process, so that time given to others does not count; wall-clock time where
# the system's clock for it is coarse.
FINE = time.get_clock_info("process_time").resolution <= 1e-6
CLOCK = time.process_time if FINE else time.perf_counter


THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def pin():
    """Start this script again on one core, with one thread for linear algebra (Linux).

    Both must be settled before NumPy is imported.  Returns whether the process is pinned.
    """
    if not hasattr(os, "sched_setaffinity"):
        return False
    one_thread = dict.fromkeys(THREAD_VARIABLES, "1")
    if len(os.sched_getaffinity(0)) > 1 or not one_thread.items() <= os.environ.items():
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        os.environ.update(one_thread)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    return True


def machine():
    """What the numbers were measured on: processor, versions, commit."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "commit": commit(),
    }


def commit():
    """The commit checked out, with a '+' if files differ from it, or 'none' outside git."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "none"


def _git(*arguments):
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def agree(got, expected, rtol, what):
    """Raise unless `got` is `expected` to `rtol`, relative to the largest entry."""
    got, expected = np.asarray(got, dtype=float), np.asarray(expected, dtype=float)
    if got.shape != expected.shape:
        raise AssertionError(f"{what}: shape {got.shape}, expected {expected.shape}")
    apart = ~(np.isinf(expected) & (got == expected))  # elsewhere both are the same infinity
    error = np.max(np.abs(got[apart] - expected[apart]), initial=0.0)
    scale = np.max(np.abs(expected[apart]), initial=0.0)
    if not error <= rtol * scale:
        raise AssertionError(f"{what}: off by {error:.3g} where the largest entry is {scale:.3g}")


def result_of(call):
    """What a candidate computes: what it returns, or the arrays that it writes to.

    The latter stand in its attribute `result`, for calls too short to make a result at each.
    """
    got = call()
    return getattr(call, "result", got)


def agree_all(got, expected, rtol, what):
    """agree() on each entry of two tuples or lists, or on two arrays."""
    if not isinstance(expected, tuple | list):
        return agree(got, expected, rtol, what)
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        agree(a, b, rtol, f"{what}, result {i}")
    return None


MORE_MICROSECONDS, TIMES = 1.0, 1.2  # what a recorded call may cost more than a plain one


def numbers(x):
    """Results, which may be tensors, as one of NumPy's arrays."""
    parts = x if isinstance(x, tuple | list) else [x]
    parts = [p.detach().numpy() if type(p).__name__ == "Tensor" else np.asarray(p) for p in parts]
    return np.concatenate([np.ravel(p) for p in parts])


def beside_plain(report, name, size, plain, recorded, turns):
    """Add the row of a call: how much longer (small), or how many times as long, as the plain.

    Of a solver, a size that is neither, it is a ratio without a limit.
    """
    expected = plain()
    if expected is not None:
        rtol = 1e-9 if size in ("small", "large") else 1e-4  # what solvers stop at
        agree(numbers(recorded()), numbers(expected), rtol, name)
    seconds = interleaved({"plain": plain, "recorded": recorded}, turns, 0.002)
    if size == "large":
        less = [s - 1e-6 * MORE_MICROSECONDS for s in seconds["recorded"]]
        figure = ratios({**seconds, "recorded": less}, "recorded", "plain")
        report.add(name, "large: (adcore - 1 us) / plain", figure, "x", TIMES)
        return
    note = f"plain {1e6 * np.median(seconds['plain']):.3g} us"
    if size != "small":
        report.add(name, "adcore / plain", ratios(seconds, "recorded", "plain"), "x", note=note)
        return
    more = [1e6 * (a - b) for a, b in zip(seconds["recorded"], seconds["plain"], strict=True)]
    report.add(name, "small: adcore - plain", more, "us", MORE_MICROSECONDS, note)


def built(report, work, builders):
    """Build the candidates of other packages, and add the time of each that took any."""
    calls = {}
    for name, build in builders.items():
        start = time.perf_counter()
        calls[name] = build()
        seconds = time.perf_counter() - start
        if seconds > 1e-3:
            report.add(work, f"{name}, built in", seconds, "s")
    return calls


@dataclass
class Spread:
    """Median of some samples, with the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, samples):
        """Summarise a sequence of numbers."""
        return cls(float(median(samples)), float(min(samples)), float(max(samples)))


def interleaved(candidates, turns=21, sample_seconds=0.005):
    """Time callables in turns.

    Parameters
    ----------
    candidates : dict of str to callable without arguments
        One with an attribute `times` does its work so many times per call.
    turns : int
        How many times each is sampled.
    sample_seconds : float
        A sample repeats its call until it lasts at least this long: the clock's own cost vanishes.

    Returns
    -------
    dict of str to list of float
        Seconds per work, the same turn at the same index.  A call of half a second or more is
        sampled in fewer turns, at least one.
    """
    repeats, n_turns = {}, {}
    for name, call in candidates.items():
        repeats[name], spent = _repeats(call, sample_seconds)
        n_turns[name] = min(turns, max(1, int(0.5 * turns / spent)))
    seconds = {name: [] for name in candidates}
    names = list(candidates)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(turns):
            # Start each turn with another candidate: none always runs in the wake of the same one.
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                if turn < n_turns[name]:
                    spent = _seconds(candidates[name], repeats[name])
                    seconds[name].append(spent / getattr(candidates[name], "times", 1))
            gc.collect()
    finally:
        if collecting:
            gc.enable()
    return seconds


def ratios(seconds, name, reference):
    """Time of one candidate over that of another, turn by turn."""
    return [a / b for a, b in zip(seconds[name], seconds[reference], strict=False)]


def _seconds(call, repeats):
    start = CLOCK()
    for _ in range(repeats):
        call()
    return (CLOCK() - start) / repeats


def seconds_of(call):
    """Seconds that the second of two calls takes."""
    return min(_seconds(call, 1), _seconds(call, 1))


def _repeats(call, sample_seconds):
    """How many calls make a sample, and the seconds they take."""
    repeats = 1
    while (spent := _seconds(call, repeats) * repeats) < sample_seconds and repeats < 1_000_000:
        enough = int(1.1 * repeats * sample_seconds / max(spent, 1e-9))
        repeats = min(max(2 * repeats, enough), 1_000_000)
    return repeats, spent


@dataclass
class Row:
    """One line of a report: a figure, its spread, and its limit if it has one."""

    work: str
    candidate: str
    figure: Spread
    unit: str
    limit: float | None = None
    note: str = ""

    @property
    def passed(self):
        """Whether the median keeps the limit; None without a limit."""
        return None if self.limit is None else self.figure.median <= self.limit


@dataclass
class Report:
    """Rows of one script, printed as they come, written as JSON at the end."""

    name: str
    rows: list = field(default_factory=list)
    on: dict = field(default_factory=machine)

    def __post_init__(self):
        """Print what the rows below were measured on."""
        print(f"# {self.name}: " + ", ".join(f"{key} {value}" for key, value in self.on.items()))
        self._work = None

    def add(self, work, candidate, figure, unit, limit=None, note=""):
        """Add a row; `figure` is a Spread, a number, or a sequence of samples."""
        if not isinstance(figure, Spread):
            figure = Spread.of(np.atleast_1d(figure).tolist())
        row = Row(work, candidate, figure, unit, limit, note)
        self.rows.append(row)
        if work != self._work:
            print(f"\n{work}")
            self._work = work
        print("  " + format_row(row), flush=True)
        return row

    def compare(self, work, candidates, reference, limits=None, turns=21, sample_seconds=0.005):
        """Time candidates in turns; add the time of each and its ratio to the reference.

        `limits` maps a candidate to the largest ratio it may have.  Returns seconds per candidate.
        """
        limits = limits or {}
        seconds = interleaved(candidates, turns, sample_seconds)
        for name, samples in seconds.items():
            self.add(work, name, [1e6 * sample for sample in samples], "us")
            if name != reference:
                figure = ratios(seconds, name, reference)
                self.add(work, f"{name} / {reference}", figure, "x", limits.get(name))
        return seconds

    def check_and_compare(self, work, candidates, expected, reference, limits=None, **settings):
        """compare(), once the results are found to be `expected`, to 1e-10.

        A candidate that is there for scale says in its name that it computes the value only, and
        has nothing to be compared with.
        """
        for name, call in candidates.items():
            if not name.endswith("value only"):
                agree_all(result_of(call), expected, 1e-10, f"{work}, {name}")
        return self.compare(work, candidates, reference, limits, **settings)

    def finish(self, check=False):
        """Print the verdict, write build/bench/<name>.json, and return the exit status.

        The status is 0: a report is not a failure.  With `check` it is 1 if a limit was missed.
        """
        bounded = [row for row in self.rows if row.limit is not None]
        missed = [row for row in bounded if not row.passed]
        if bounded:
            print(f"\n{len(bounded) - len(missed)} of {len(bounded)} limits kept")
        for row in missed:
            print(f"  falls short: {row.work}: {format_row(row)}")
        target = ROOT / "build" / "bench" / f"{self.name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        rows = [{**asdict(row), "passed": row.passed} for row in self.rows]
        target.write_text(json.dumps({"on": self.on, "rows": rows}, indent=1) + "\n")
        print(f"written: {target.relative_to(ROOT)}")
        return 1 if check and missed else 0


def format_row(row):
    """One row as text: candidate, median, spread, limit and verdict."""
    text = f"{row.candidate:<44} {row.figure.median:>10.4g} {row.unit:<5}"
    if row.figure.low != row.figure.high:
        text += f" ({row.figure.low:.4g} ... {row.figure.high:.4g})"
    if row.limit is not None:
        text += f"  limit {row.limit:g}: {'kept' if row.passed else 'FALLS SHORT'}"
    return text + (f"  {row.note}" if row.note else "")


def arguments(description):
    """The options every script here has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="exit 1 if a limit is missed")
    parser.add_argument("--quick", action="store_true", help="fewer turns, rougher figures")
    parser.add_argument("--only", default="", metavar="TEXT", help="only works whose name has TEXT")
    options = parser.parse_args()
    if not pin():
        print("not pinned to a core: this system cannot", file=sys.stderr)
    return options


def run(name, works, description):
    """The main program of a script: each work that is asked for; returns the exit status.

    A work is a function of a report and a number of turns, found by its name and docstring.
    """
    options = arguments(description)
    report = Report(name)
    for work in works:
        if options.only in work.__name__ or options.only in work.__doc__:
            work(report, turns=5 if options.quick else 21)
    return report.finish(options.check)
