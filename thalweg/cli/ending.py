"""The end of a measured run: everything is drained in order, counted, and put into the summary.

The simulator pauses; ingest flushes; the aggregator has read all of it; ingest stops, then the aggregator; the gateway
and its client catch up with the `out:` streams; then the counts are compared.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import orjson

from thalweg.cli.fleet import GATEWAY, SIMULATOR, Fleet
from thalweg.cli.history import judge_faults
from thalweg.cli.observation import Observation
from thalweg.cli.plan import Plan, report_name
from thalweg.cli.simulated import ask
from thalweg.cli.subscriber import missing
from thalweg.cli.summary import Findings, summarise, verdict
from thalweg.cli.witness import Appended, look, out_heads, sum_of_numbers
from thalweg.conserve import Accounts, Report
from thalweg.errors import ThalwegError

STEPS = 5
TOTAL_S, HURRIED_S = 50.0, 4.8  # for all steps; the second when Ctrl-C began it
POLL_S = 0.05
SETTLED_POLLS = 4  # unchanged that often in a row: nothing is on the way any more


@dataclass(slots=True)
class Ended:
    """What a measured run leaves: the summary and the sentences about what is wrong."""

    summary: dict[str, Any]
    violations: list[str]


class Stop:
    """One stop: what was seen when it began, and how long each step took."""

    def __init__(self, plan: Plan, fleet: Fleet, observation: Observation, folder: Path, *, hurried: bool) -> None:
        """Prepare; a hurried stop, as by Ctrl-C, has less time."""
        self._plan, self._fleet, self._observation, self._folder = plan, fleet, observation, folder
        self._total_s = HURRIED_S if hurried else TOTAL_S
        self._began = self._step_began = monotonic()
        self._steps: dict[str, float] = {}
        self._books_live, self._missing = observation.subscriber.live, missing(observation.subscriber)
        self._frames, self._ts_end = 0, 0
        self._faults: list[dict[str, Any]] = []
        self._seen = Appended()
        self._heads: dict[str, int] = {}

    async def run(self) -> Ended:
        """Stop all services in the order that loses nothing and give the summary.

        Raises:
            ThalwegError: Redis or the simulator does not answer.
        """
        plan, fleet, observation = self._plan, self._fleet, self._observation
        if plan.simulator_port is not None:
            await ask(plan.simulator_socket("control"), "pause")
        self._frames, self._ts_end = await observation.frames(), time.time_ns()
        await self._until("drain", self._drained, self._total_s / STEPS)  # live venues never end
        for names in (fleet.ingest, fleet.aggregators):
            await fleet.stop(*names, within_s=self._step_s())
            self._done(names[0].partition(":")[0])
        heads = await out_heads(observation.link, plan.settings.instruments.by_name)
        self._heads = {name: seq for name, (_, seq) in heads.items()}
        if not await self._until("gateway", self._caught_up, self._step_s()):
            waited_s = self._steps["gateway"]
            observation.losses.append(f"stop: not all publications had come back after {waited_s:.1f} s; not counted")
        if plan.simulator_port is not None:
            self._faults = (await observation.report())["faults"]
        await fleet.stop(GATEWAY, SIMULATOR, within_s=self._step_s())
        self._done("rest")
        observation.judge.expire(float("inf"))
        found = self._findings(await _accounts(plan, fleet, observation, self._folder))
        summary = summarise(found)
        return Ended(summary, verdict(found, summary))

    def _step_s(self) -> float:
        """Give the seconds of the next step: all that is left, less half a share for each of the later ones."""
        share, later = self._total_s / STEPS, STEPS - 1 - len(self._steps)
        return max(share / 2, self._began + self._total_s - monotonic() - later * share / 2)

    async def _until(self, name: str, holds: Callable[[], Awaitable[bool]], within_s: float) -> bool:
        """Wait until a condition has held for some polls in a row, or the time is over; tell whether it held."""
        deadline, row = monotonic() + within_s, 0
        while row < SETTLED_POLLS and monotonic() < deadline:
            row = row + 1 if await holds() else 0
            await asyncio.sleep(POLL_S)
        self._done(name)
        return row == SETTLED_POLLS

    def _done(self, name: str) -> None:
        """Note the end of a step."""
        now = monotonic()
        self._steps[name] = now - self._step_began
        self._step_began = now

    async def _drained(self) -> bool:
        """Tell whether nothing was appended since the last look and the publications cover all of it."""
        before, self._seen = self._seen, await look(self._observation.link, self._plan.streams)
        covered = self._observation.judge.covered
        tops = ((stream, top) for stream, top in self._seen.tops.items() if top != (0, 0))
        return before == self._seen and all(covered.get(stream) == top for stream, top in tops)

    async def _caught_up(self) -> bool:
        """Tell whether judge and client have seen the last publication of every instrument."""
        judge, subscriber = self._observation.judge, self._observation.subscriber
        return judge.heads == self._heads and subscriber.caught_up(self._heads) and not judge.waiting

    def _findings(self, accounts: Accounts) -> Findings:
        """Put together what was seen."""
        plan, observation = self._plan, self._observation
        judge, subscriber, wishes = observation.judge, observation.subscriber, plan.wishes
        accounts.all_live = self._books_live == subscriber.books
        frames, since = self._frames - (observation.frames_at_live or 0), subscriber.all_live_at
        if wishes.counted:  # a replay: all of it is measured
            frames, since = sum(report["frames"] for report in accounts.ingest.values()), observation.exec_at
        return Findings(
            accounts=accounts,
            seconds=self._began - observation.exec_at,
            venues=plan.venues,
            instruments=list(plan.settings.instruments.by_name),
            all_live_s=observation.all_live_s,
            books=subscriber.books,
            books_live=self._books_live,
            missing=self._missing,
            frames=frames,
            measured_s=self._began - (observation.exec_at if since is None else since),
            subscribers=subscriber.report(),
            oracle=judge.report(),
            faults=judge_faults(judge.history, self._faults, self._ts_end, observation.outages),
            wrong=judge.wrong,
            wrong_details=judge.details,
            losses=observation.losses,
            outages=observation.outages,
            demo=wishes.demo,
            partial=wishes.counted,
            steps=self._steps,
        )


async def _accounts(plan: Plan, fleet: Fleet, observation: Observation, folder: Path) -> Accounts:
    """Gather the services' reports and ask the witnesses."""
    reports = {name: _report(folder, name) for name in (*fleet.ingest, *fleet.aggregators, GATEWAY)}
    after = await look(observation.link, plan.streams)
    ingest = {name.removeprefix("ingest:"): reports[name] for name in fleet.ingest}
    return Accounts(
        ingest={venue: report for venue, report in ingest.items() if report is not None},
        aggregators={name: report for name in fleet.aggregators if (report := reports[name]) is not None},
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
