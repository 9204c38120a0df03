"""The end of a measured run: everything is drained in order, counted, and put into the summary.

The simulator pauses; ingest flushes; the aggregator has read all of it; ingest stops, then the aggregator; the gateway
and its client catch up with the `out:` streams; then the counts are compared.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import orjson

from thalweg.cli.fleet import AGGREGATOR, GATEWAY, SIMULATOR, Fleet
from thalweg.cli.history import judge_faults
from thalweg.cli.observation import Observation
from thalweg.cli.plan import Plan, report_name
from thalweg.cli.simulated import ask
from thalweg.cli.subscriber import missing
from thalweg.cli.summary import Findings, summarise, verdict
from thalweg.cli.witness import Appended, look, out_heads, sum_of_numbers
from thalweg.conserve import Accounts, Report
from thalweg.errors import ThalwegError

STEP_S, HURRIED_S = 10.0, 1.0  # for each step; the second when Ctrl-C began it
POLL_S = 0.05
SETTLED_POLLS = 4  # unchanged that often in a row: nothing is on the way any more


@dataclass(slots=True)
class Ended:
    """What a measured run leaves: the summary and the sentences about what is wrong."""

    summary: dict[str, Any]
    violations: list[str]


@dataclass(slots=True)
class _Course:
    """The stop as it goes: how long each step may take and took."""

    step_s: float
    began: float = field(default_factory=monotonic)
    steps: dict[str, float] = field(default_factory=dict)

    def done(self, name: str) -> None:
        """Note the end of a step."""
        now = monotonic()
        self.steps[name] = now - self.began
        self.began = now

    async def until(self, name: str, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until a condition has held for some polls in a row, or the step's time is over."""
        deadline, row = monotonic() + self.step_s, 0
        while row < SETTLED_POLLS and monotonic() < deadline:
            row = row + 1 if await holds() else 0
            await asyncio.sleep(POLL_S)
        self.done(name)


async def measured_stop(plan: Plan, fleet: Fleet, observation: Observation, folder: Path, *, hurried: bool) -> Ended:
    """Stop all services in the order that loses nothing and give the summary.

    Raises:
        ThalwegError: Redis or the simulator does not answer.
    """
    course = _Course(HURRIED_S if hurried else STEP_S)
    judge, subscriber = observation.judge, observation.subscriber
    stopped_at, books_live, not_live = monotonic(), subscriber.live, missing(subscriber)
    if plan.simulator_port is not None:
        await ask(plan.simulator_socket("control"), "pause")
    frames, ts_end = await observation.frames(), time.time_ns()
    last = Appended()

    async def drained() -> bool:
        nonlocal last
        before, last = last, await look(observation.link, plan.streams)
        tops = {stream: top for stream, top in last.tops.items() if top != (0, 0)}
        return before == last and all(judge.covered.get(stream) == top for stream, top in tops.items())

    await course.until("drain", drained)
    await fleet.stop(*fleet.ingest, within_s=course.step_s)
    course.done("ingest")
    await fleet.stop(AGGREGATOR, within_s=course.step_s)
    course.done("aggregator")
    heads = await out_heads(observation.link, list(plan.settings.instruments.by_name))

    async def caught_up() -> bool:
        return judge.heads == heads and subscriber.caught_up(heads) and not judge.waiting

    await course.until("gateway", caught_up)
    faults = (await observation.report())["faults"] if plan.simulator_port is not None else []
    await fleet.stop(GATEWAY, SIMULATOR, within_s=course.step_s)
    course.done("rest")
    judge.expire(float("inf"))
    accounts = await _accounts(plan, fleet, observation, folder)
    accounts.all_live = books_live == subscriber.books
    live_at = subscriber.all_live_at
    found = Findings(
        accounts=accounts,
        seconds=stopped_at - observation.exec_at,
        venues=plan.venues,
        instruments=list(plan.settings.instruments.by_name),
        all_live_s=observation.all_live_s,
        books=subscriber.books,
        books_live=books_live,
        missing=not_live,
        frames=frames - (observation.frames_at_live or 0),
        measured_s=stopped_at - (observation.exec_at if live_at is None else live_at),
        subscribers=subscriber.report(),
        oracle=judge.report(),
        faults=judge_faults(judge.history, faults, ts_end),
        wrong=judge.wrong,
        wrong_details=judge.details,
        losses=observation.losses,
        demo=plan.wishes.demo,
        steps=course.steps,
    )
    summary = summarise(found)
    return Ended(summary, verdict(found, summary))


async def _accounts(plan: Plan, fleet: Fleet, observation: Observation, folder: Path) -> Accounts:
    """Gather the services' reports and ask the witnesses."""
    reports = {name: _report(folder, name) for name in (*fleet.ingest, AGGREGATOR, GATEWAY)}
    after = await look(observation.link, plan.streams)
    ingest = {name.removeprefix("ingest:"): reports[name] for name in fleet.ingest}
    return Accounts(
        ingest={venue: report for venue, report in ingest.items() if report is not None},
        aggregator=reports[AGGREGATOR],
        gateway=reports[GATEWAY],
        expected=list(reports),
        restarts=fleet.restarts,
        added=sum(after.added.values()) - sum(observation.before.added.values()),
        numbers=await sum_of_numbers(observation.link, plan.streams, observation.before),
        runs=observation.judge.runs,
        subscriber=observation.subscriber.violations(),
    )


def _report(folder: Path, name: str) -> Report | None:
    """Read a service's report; `None` where it left none.

    Raises:
        ThalwegError: it is not JSON.
    """
    try:
        found: Report = orjson.loads((folder / report_name(name)).read_bytes())
    except FileNotFoundError:
        return None
    except orjson.JSONDecodeError as error:
        raise ThalwegError(f"the report of {name} is not JSON: {error}") from error
    return found
