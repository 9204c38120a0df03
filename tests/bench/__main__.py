"""Run the benches, each in its own process: `python -m tests.bench`; `make bench` does that.

--only NAME      only this one; may be repeated     --seconds-scale X   longer or shorter than usual
--json FILE      where all figures go, as JSON      --compare FILE      print ratios to such a file
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.host import description, yardstick_ms
from tests.bench.plan import BENCHES, BY_NAME_ONLY, ROOT, Plan, bench, captures
from tests.bench.report import STEAL_MAX, Table, as_object, from_object, ratios_of, text_of

LIMIT_S = 420  # before a bench is given up
VERSION = 1  # of the document


def measure(name: str, scale: float) -> tuple[list[Table], str]:
    """Run a bench in a process of its own; give its tables, or what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tables.json"
        command = [sys.executable, "-m", "tests.bench", "--inside", name, "--json", str(path)]
        try:
            done = subprocess.run([*command, "--seconds-scale", str(scale)], cwd=ROOT, timeout=LIMIT_S * max(1, scale))
        except subprocess.TimeoutExpired:
            return [], "did not end"
        if done.returncode or not path.exists():
            return [], f"exit code {done.returncode}"
        return [from_object(table) for table in json.loads(path.read_text())], ""


def measure_quietly(name: str, scale: float) -> tuple[list[Table], str]:
    """Run a bench, and once more where the host stole too much; give the quieter run, which says so."""
    tables, failure = measure(name, scale)
    stolen = max((table.steal for table in tables), default=0.0)
    if failure or stolen <= STEAL_MAX:
        return tables, failure
    again, failure = measure(name, scale)
    other = max((table.steal for table in again), default=100.0)
    kept, left = (again, stolen) if other < stolen else (tables, other)
    for table in kept:
        table.notes.append(f"of two runs, since the host stole more than {STEAL_MAX:g} %; the other had {left:.1f} %")
    return kept, failure if not kept else ""


def run(names: list[str], options: argparse.Namespace) -> int:
    """Run the benches and print their tables; give the exit code."""
    host, yardstick, started = description(), yardstick_ms(), time.monotonic()
    print(f"{host}; the yardstick takes {yardstick:.2f} ms\n", flush=True)
    found: dict[str, list[Table]] = {}
    failures, took = {}, dict[str, float]()
    for name in names:
        began = time.monotonic()
        found[name], failure = measure_quietly(name, options.seconds_scale)
        took[name] = round(time.monotonic() - began, 1)
        for table in found[name]:
            print(text_of(table), flush=True)
        if failure:
            failures[name] = failure
            print(f"{name} FAILED: {failure}\n", flush=True)
    tables = [table for tables in found.values() for table in tables]
    document = {
        "version": VERSION,
        "host": host,
        "yardstick_ms": yardstick,
        "seconds": round(time.monotonic() - started, 1),
        "seconds_by_bench": took,
        "seconds_scale": options.seconds_scale,
        "tables": [as_object(table) for table in tables],
    }
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if options.compare:
        compare(tables, yardstick, json.loads(options.compare.read_text(encoding="utf-8")))
    print("seconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in took.items()))
    for name, reason in BY_NAME_ONLY.items():
        if name not in names:
            print(f"left out unless named: {name}, since {reason}")
    print(f"{len(names)} benches in {document['seconds']} s; failed: {', '.join(failures) or 'none'}")
    return 1 if failures else 0


def compare(tables: list[Table], yardstick: float, before: dict[str, Any]) -> None:
    """Print ratios to an older document."""
    print(f"before: {before['host']}; the yardstick took {before['yardstick_ms']:.2f} ms, now {yardstick:.2f}\n")
    known = {table["name"]: from_object(table) for table in before["tables"]}
    for table in tables:
        if table.name in known:
            print(ratios_of(table, known[table.name]))


def main() -> int:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], choices=BENCHES)
    parser.add_argument("--seconds-scale", type=float, default=1.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--compare", type=Path)
    parser.add_argument("--inside", choices=BENCHES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        tables = bench(options.inside)(Plan(options.seconds_scale, captures()))
        options.json.write_text(json.dumps([as_object(table) for table in tables]), encoding="utf-8")
        return 0
    return run(options.only or [name for name in BENCHES if name not in BY_NAME_ONLY], options)


if __name__ == "__main__":
    sys.exit(main())
