"""Fuzz all targets, two at a time: `python -m tests.fuzz`; `make fuzz` does that with atheris where it can be had.

--minutes M   how long in all (default 5)      --seed N        the seed (default: the time)
--target T    only this one; may be repeated   --engine own    do without atheris
--repeat F    judge one saved input again      --keep          bring tests/fuzz/corpus up to date
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.inputs import ROOT, inputs, keep
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

WORKERS = min(2, os.cpu_count() or 1)
START_S = 4  # to start a process and replay what is known
LIMIT_S = 120  # beyond its time, before a process is given up
FULL_MINUTES = 5  # the least numbers of cases are of a run of so long
FULL_CASES = 2_000_000


@dataclass
class Result:
    """What came of one target."""

    name: str
    cases: int
    seconds: float
    kept: int
    failed: str


def fuzz(target: Target, seconds: float, seed: int, engine: str) -> Result:
    """Fuzz one target in its own process."""
    command = [sys.executable, "-m", "tests.fuzz.engine", target.name, f"{seconds:.1f}", str(seed), engine]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3 * seconds + LIMIT_S)
    except subprocess.TimeoutExpired:
        return Result(target.name, 0, seconds, 0, "the process did not end")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    counts = json.loads(lines[-1]) if lines else {"cases": 0, "seconds": 0.0, "kept": 0}
    result = Result(target.name, **counts, failed=done.stderr if done.returncode or not lines else "")
    print(line_of(result), flush=True)
    return result


def line_of(result: Result) -> str:
    """Give a target's line of the table."""
    rate = result.cases / result.seconds if result.seconds else 0.0
    state = "FAILED" if result.failed else "ok"
    return f"{result.name:18} {result.cases:>10,} {rate:>10,.0f} {result.seconds:>7.1f}  {state}"


def run(names: list[str], minutes: float, seed: int, engine: str) -> int:
    """Fuzz the targets and print the table; give the exit code."""
    chosen = [TARGETS[name] for name in names or TARGETS]
    print(f"seed {seed}, {engine}, {len(chosen)} targets, {minutes:g} minutes, {WORKERS} at a time")
    print(f"{'target':18} {'cases':>10} {'cases/s':>10} {'seconds':>7}")
    whole = max(minutes * 60 * WORKERS - START_S * len(chosen), len(chosen))
    part = whole / sum(target.share for target in chosen)
    started = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(lambda target: fuzz(target, part * target.share, seed, engine), chosen))
    failures = [result for result in results if result.failed]
    for result in failures:
        print(f"\n{result.failed.strip()[-4000:]}")
    cases = sum(result.cases for result in results)
    few = [result.name for result in results if result.cases < TARGETS[result.name].least]
    print(f"{cases:,} cases in {time.monotonic() - started:.0f} s, {len(failures)} of {len(chosen)} targets failed")
    full = minutes >= FULL_MINUTES and not names
    if full and (few or cases < FULL_CASES):
        print(f"too few cases: {', '.join(few) or 'in all'}")
    return 1 if failures or (full and (few or cases < FULL_CASES)) else 0


def repeat(path: Path) -> int:
    """Judge one saved input, whose folder names its target."""
    print(f"outcome: {TARGETS[path.resolve().parent.name].judge(path.read_bytes())!r}")
    return 0


def main() -> int:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=FULL_MINUTES)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--target", action="append", default=[], choices=TARGETS)
    parser.add_argument("--engine", choices=("own", "atheris"))
    parser.add_argument("--repeat", type=Path)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    if options.repeat:
        return repeat(options.repeat)
    if options.keep:
        for target in (TARGETS[name] for name in options.target or TARGETS):
            print(f"{target.name:18} {keep(target):>4} of {len(inputs(target))} inputs")
        return 0
    engine = options.engine or ("atheris" if importlib.util.find_spec("atheris") else "own")
    return run(options.target, options.minutes, options.seed, engine)


if __name__ == "__main__":
    sys.exit(main())
