"""The limits of all benchmarks in one table, from what they wrote to build/bench.

Run it as `python bench/summary.py SCRIPT=STATUS ...`: what ran, and the status that each returned.
It exits with 1 if one of them failed, and, with `--check`, if a limit was missed.
"""

import json
import sys
from pathlib import Path

import common


def main(arguments):
    """Print the table; returns the exit status."""
    ran = [a.rpartition("=") for a in arguments if "=" in a]
    failed = [script for script, _, status in ran if status != "0"]
    names = [Path(script).stem.removeprefix("bench_") for script, _, _ in ran]
    n_over = n_rows = 0
    print("\n# every limit: seen, limit, verdict")
    for name in names:
        path = common.ROOT / "build" / "bench" / f"{name}.json"
        rows = json.loads(path.read_text())["rows"] if path.exists() else []
        for row in rows:
            if row["limit"] is None:
                continue
            n_rows += 1
            n_over += not row["passed"]
            what = f"{name}: {row['work']}: {row['candidate']}"
            seen = f"{row['figure']['median']:.4g} {row['unit']}"
            verdict = "ok" if row["passed"] else "OVER"
            print(f"  {verdict:<4} {seen:>12}  of {row['limit']:<8g} {what}")
    print(f"{n_rows - n_over} of {n_rows} limits kept")
    for script in failed:
        print(f"failed: {script} ran into an error or, with --check, missed a limit")
    return 1 if failed or ("--check" in arguments and n_over) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
