"""`python -m tests.chaos.mutants`: break the build on purpose, and see that the judge says so every time.

A judge that finds nothing wrong proves nothing until it is seen to find what is wrong. Each mutant is a copy of the
packages with one promise broken (`patches.py`); it runs as real processes through a short scenario (`scenarios.py`),
and the recorder's invariants and `thalweg verify` must go red. The same scenarios on the build as it is must be green.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from tests.chaos.patches import MUTANTS, Mutant, PatchError, build
from tests.chaos.run import Result, run, say
from tests.chaos.scenarios import SCENARIOS, SHAPES, played, shape_of

PROOF = ("I1", "I2", "I3", "I4", "I5", "I10", "zombies", "verify")  # a mutant that only crashes was not found out
RUN_S = 110.0  # of a scenario, with start and end


@dataclass(slots=True)
class Trial:
    """One run: a mutant's, or a control's."""

    name: str
    control: bool
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    first: str = ""

    @property
    def proof(self) -> list[str]:
        """The invariants that were seen broken."""
        return [name for name in PROOF if self.counts.get(name)]

    @property
    def good(self) -> bool:
        """Whether it came out as it must: a control without any violation, a mutant found out."""
        return not self.counts if self.control else bool(self.proof)


def main() -> int:
    """Run what the arguments ask for and give the exit code: 1 if a mutant survives or a control is red."""
    asked = _arguments()
    logging.disable(logging.CRITICAL)
    chosen = [one for one in MUTANTS if asked.only.lower() in one.name.lower()]
    if not chosen:
        say(f"no mutant has {asked.only!r} in its name: {', '.join(one.name for one in MUTANTS)}")
        return 1
    began = monotonic()
    trials = asyncio.run(_run_all(chosen, asked.jobs))
    found = _summary(trials, monotonic() - began)
    if asked.json:
        Path(asked.json).parent.mkdir(parents=True, exist_ok=True)
        Path(asked.json).write_text(json.dumps(found, indent=2) + "\n")
    print(_table(trials, found))
    return 0 if found["ok"] else 1


async def _run_all(chosen: list[Mutant], jobs: int) -> list[Trial]:
    """Run the controls first, then the mutants, some at a time."""
    turns = asyncio.Semaphore(jobs)
    needed = {one.scenario for one in chosen}
    by_place = {
        place: [name for name, one in SCENARIOS.items() if one.place == place and name in needed] for place in SHAPES
    }
    controls = [_control(place, names, turns) for place, names in by_place.items() if names]
    return [*await asyncio.gather(*controls), *await asyncio.gather(*(_mutant(one, turns) for one in chosen))]


async def _control(place: str, names: list[str], turns: asyncio.Semaphore) -> Trial:
    trial = Trial(f"control: {place}: {', '.join(names)}", control=True)
    async with turns:
        began = monotonic()
        _judge(trial, await run(SHAPES[place], RUN_S, play=played(names)), began)
    return trial


async def _mutant(mutant: Mutant, turns: asyncio.Semaphore) -> Trial:
    trial = Trial(mutant.name, control=False)
    async with turns:
        began = monotonic()
        with TemporaryDirectory(prefix="thalweg-mutant-") as name:
            try:
                build(mutant.patches, Path(name))
            except PatchError as error:
                trial.first = str(error)
                return trial
            shape = shape_of(SCENARIOS[mutant.scenario], mutant.venue, Path(name))
            _judge(trial, await run(shape, RUN_S, play=played([mutant.scenario], mutant.venue)), began)
    return trial


def _judge(trial: Trial, result: Result, began: float) -> None:
    """Put into a trial what its run has found, and say it."""
    trial.seconds = monotonic() - began
    trial.counts = dict(result.tally.counts)
    told = [text for name in (*PROOF, *result.tally.told) for text in result.tally.told.get(name, ())]
    trial.first = told[0] if told else ""
    say(f"{'ok' if trial.good else 'NOT AS IT MUST BE'} ({trial.seconds:.0f} s): {trial.name}: {_counts(trial)}")
    if not trial.good:
        for text in told:
            say(f"  {text}")


def _counts(trial: Trial) -> str:
    return ", ".join(f"{name} {count}" for name, count in trial.counts.items()) or "no violation"


def _summary(trials: list[Trial], seconds: float) -> dict[str, Any]:
    mutants = [one for one in trials if not one.control]
    return {
        "ok": all(one.good for one in trials),
        "mutants": len(mutants),
        "caught": sum(one.good for one in mutants),
        "seconds": round(seconds, 1),
        "trials": [
            {
                "name": one.name,
                "control": one.control,
                "good": one.good,
                "seconds": round(one.seconds, 1),
                "violations": one.counts,
                "first": one.first,
            }
            for one in trials
        ],
    }


def _table(trials: list[Trial], found: dict[str, Any]) -> str:
    width = max(len(one.name) for one in trials if not one.control)
    lines = []
    for one in trials:
        if one.control:
            lines.append(f"{'green' if one.good else 'RED'}  {one.name}" + ("" if one.good else f"  {_counts(one)}"))
        else:
            lines.append(f"{one.name:{width}}  {', '.join(one.proof) or 'SURVIVED'}  ({one.first[:100]})")
    return "\n".join([*lines, f"caught {found['caught']} of {found['mutants']} in {found['seconds']:.0f} s"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="only mutants whose name has this in it")
    parser.add_argument("--json", default="build/mutants.json", help="where the report goes (build/mutants.json)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time (2)")
    for name in ("--seed", "--minutes", "--servers"):  # of `make chaos`
        parser.add_argument(name, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
