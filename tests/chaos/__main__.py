"""`python -m tests.chaos`: the fault suite. `make chaos` and `make soak` call it."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

import uvloop

from tests.chaos.nemesis import KINDS
from tests.chaos.report import summary, text_of, write
from tests.chaos.run import run, say
from tests.chaos.servers import ENGINES, binary_of
from tests.chaos.system import USUAL, Shape
from thalweg.instruments import load_instruments

SPARE_S = 20.0  # of each server's share: to stop and to check


def main() -> int:
    """Run what the arguments ask for and give the exit code: 1 when a promise was broken."""
    asked = _arguments()
    if asked.kinds:
        for kind in KINDS:
            print(f"{kind.name}  ({', '.join(kind.venues) or 'alone'})")
        return 0
    logging.disable(logging.CRITICAL)  # of the libraries; what matters is in the report
    with suppress(PermissionError):
        os.nice(-5)  # what stands between the services must not be what is slow; they run as usual
    engines = [one.strip() for one in asked.servers.split(",")]
    for engine in engines:
        binary_of(engine)
    share = asked.minutes * 60 / len(engines) - SPARE_S
    say(f"seed {asked.seed}, {len(KINDS)} kinds, {share:.0f} s on each of {', '.join(engines)}")
    results = []
    for number, engine in enumerate(engines):
        venues = load_instruments().only(venues=asked.venues.split(",")).all_venues
        shape = Shape(engine=engine, venues=venues, seed=asked.seed + number, workers=asked.workers, rate=asked.rate)
        keep = Path(asked.logs) / engine if asked.logs else None
        results.append(uvloop.run(run(shape, share, asked.only, keep, record=asked.commands)))
    found = summary(results, asked.seed)
    write(found, Path(asked.json))
    print(text_of(found))
    return 0 if found["ok"] else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the schedule and the markets (1)")
    parser.add_argument("--minutes", type=float, default=11.5, help="for all servers together (11.5)")
    parser.add_argument("--servers", default=",".join(ENGINES), help="valkey, redis or both (both)")
    parser.add_argument(
        "--venues", default=",".join(USUAL), help="comma-separated (the usual four); `all` is every one"
    )
    parser.add_argument("--workers", type=int, default=2, help="of each venue (2)")
    parser.add_argument("--rate", type=float, default=200.0, help="frames a second of all books (200)")
    parser.add_argument("--only", default="", help="only kinds whose name has this in it")
    parser.add_argument("--json", default="build/chaos.json", help="where the report goes (build/chaos.json)")
    parser.add_argument("--logs", default="", help="a folder for the logs of all services")
    parser.add_argument("--commands", action="store_true", help="record the commands of every Redis user")
    parser.add_argument("--kinds", action="store_true", help="list the kinds of faults and end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
