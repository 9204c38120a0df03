"""The aggregator's process: it beats for its place among the aggregators and runs the shards that are its own.

| happens | then |
|---|---|
| a beat shows who lives and owns what | each shard is told its duty |
| a second passed | the latency summary goes out |
| cancelled | leave the group, drain and checkpoint every shard, release the leases, report |
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Iterable

from aggregator.measures import Health, measures
from aggregator.report import report_of
from aggregator.shard.service import Shard
from aggregator.sink import latency_command, release
from aggregator.source import HeadSource
from thalweg.clock import Clock, SystemClock
from thalweg.errors import RedisTrouble
from thalweg.instruments import SHARDS, Instruments, shard_of
from thalweg.kernels import warm
from thalweg.keys import OUT
from thalweg.latency import Rings
from thalweg.lease import BEAT_S, BEAT_TIMEOUT_S, Role, Steward, beats, view_of
from thalweg.loop.service import watch
from thalweg.probe.measure import Distribution, Measure, about
from thalweg.probe.service import probe
from thalweg.service import write_report
from thalweg.settings import Settings
from thalweg.transport import RedisLink, answered

STOP_S = 4.0  # for all of the stop; the supervisor gives us 5 s
SPARE_MS = 5  # after the end of a lease, so that it is surely over
SUMMARY_NS = 950_000_000
LOG = logging.getLogger("thalweg.aggregator")


async def serve(settings: Settings) -> None:
    """Run the aggregator until cancelled; then drain and write the report."""
    warm()
    service = Aggregator(settings, SystemClock())
    async with probe(settings.metrics, service.measures, service.health):
        with watch(service.rings["loop"]):
            await _work(settings, service)


async def _work(settings: Settings, service: Aggregator) -> None:
    """Run until cancelled, then stop in order and report."""
    async with asyncio.TaskGroup() as group:
        work = group.create_task(service.run())
        try:
            await asyncio.wait({work})
        finally:
            service.stop()
            await asyncio.wait({work}, timeout=STOP_S)
            work.cancel()
            ladders = [ladder for shard in service.shards.values() for ladder in shard.standing.values()]
            lag = sum(shard.lag for shard in service.shards.values())
            report, violations = report_of(ladders, lag, service.rings.samples())
            for violation in violations:
                LOG.error("conservation: %s", violation)
            write_report(settings.report, report)


class Aggregator:
    """One process among those that share the shards."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Prepare; nothing is connected.

        Raises:
            SettingsError: `REDIS_URL` is not one.
        """
        self.me = f"{os.getpid()}-{secrets.token_hex(4)}"  # random: whoever comes back is another one
        self.rings = Rings("stream", "apply", "merge", "publish", "loop")
        self._heard = HeadSource(RedisLink(settings.redis_url, "thalweg-aggregator-heads"))
        self.shards = {
            number: Shard(settings, part, number, self.me, clock, self.rings, self._heard.heads)
            for number, part in parts_of(settings.instruments).items()
        }
        self._clock = clock
        self._link = RedisLink(settings.redis_url, "thalweg-aggregator-steward")
        self._steward = Steward(self.me, OUT)
        self._stopping = asyncio.Event()
        self._health, self._started_ns = Health(), clock.monotonic_ns()
        self._connected = False
        self._trouble: str | None = None
        self._lapse_s = BEAT_S  # until the next lease of another's ends, if that is sooner than the next beat
        self._next_summary = self.beats = 0

    def stop(self) -> None:
        """Ask for the end: all shards drain, the others are told that we leave."""
        self._stopping.set()
        for shard in self.shards.values():
            shard.stop()

    def measures(self) -> Iterable[Measure | Distribution]:
        """Give all metrics."""
        yield from about("aggregator", self.me, (self._clock.monotonic_ns() - self._started_ns) / 1e9, self.rings)
        yield from measures(self.shards)

    def health(self) -> list[str]:
        """Give why we do not get on, if so."""
        return self._health.look(self.beats, self.shards, self._clock.monotonic_ns())

    async def run(self) -> None:
        """Run all shards and keep our place until stopped."""
        async with asyncio.TaskGroup() as group:
            work = [group.create_task(shard.run()) for shard in self.shards.values()]
            beside = [group.create_task(self._beat_on()), group.create_task(self._hear())]
            await asyncio.wait(work)
            for task in beside:
                task.cancel()
        with contextlib.suppress(RedisTrouble):
            await self._link.run([release(number, self.me) for number in self.shards])
        await self._link.close()

    async def _hear(self) -> None:
        """Hear heartbeats until cancelled."""
        while True:
            with contextlib.suppress(RedisTrouble):
                await self._heard.listen()
            await asyncio.sleep(BEAT_S)

    async def _beat_on(self) -> None:
        """Beat until cancelled; when we stop, say so at once and go on for the leases we hold."""
        while True:
            self.beats += 1
            try:
                await self._beat()
            except RedisTrouble as error:
                self._connected = False
                await self._tell(str(error), self.shards)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(BEAT_S, self._lapse_s)):
                    await self._stopped()

    async def _tell(self, trouble: str, numbers: Iterable[int]) -> None:
        """Say what keeps us from beating: once in the log, and as heartbeats of those shards that nobody owns."""
        if trouble != self._trouble:
            LOG.warning("no place among the aggregators: %s; trying again until it works", trouble.rstrip("."))
        self._trouble = trouble
        shards = [self.shards[number] for number in numbers]
        idle = [shard.complaint(trouble) for shard in shards if shard.duty.role is not Role.OWNER]
        with contextlib.suppress(RedisTrouble):
            await self._link.run_each(idle, BEAT_TIMEOUT_S)

    async def _stopped(self) -> None:
        """Wait for the stop to be asked for; for ever if it was."""
        if self._stopping.is_set():
            await asyncio.Event().wait()
        await self._stopping.wait()

    async def _beat(self) -> None:
        """Beat once and tell every shard what that showed.

        Raises:
            RedisTrouble: the connection failed or the server refused.
        """
        if not self._connected:
            await self._link.connect()
            self._connected = True
        sent_at = self._clock.monotonic_ns()
        commands = beats(OUT, self.shards, self.me, leaving=self._stopping.is_set())
        replies = await self._link.run_each([*commands, *self._summary(sent_at)], BEAT_TIMEOUT_S)
        shown, away = answered(self.shards, replies[: len(commands)])
        if away:
            await self._tell(str(next(iter(away.values()))), away)
        else:
            self._trouble = None
        view = view_of(shown)
        duties = self._steward.look(view, sent_at, lambda number: self.shards[number].warm)
        left_ms = [BEAT_S * 1000]
        for number, owner in view.owners.items():
            self.shards[number].assign(duties[number], owner, sent_at)
            left = shown[number][2][0]
            if left > 0 and owner != self.me:
                left_ms.append(left + SPARE_MS)
        self._lapse_s = min(left_ms) / 1000

    def _summary(self, now: int) -> list[bytes]:
        """Give the command that writes the latency summary, once a second and if there is anything to tell."""
        owning = any(shard.duty.role is Role.OWNER for shard in self.shards.values())
        if now < self._next_summary or not owning:
            return []
        self._next_summary = now + SUMMARY_NS
        return [latency_command(self._clock.wall_ns(), self.rings.summaries(now))]


def parts_of(instruments: Instruments) -> dict[int, Instruments]:
    """Give the instruments of each shard; a shard without any has no owner."""
    parts = {number: [name for name in instruments.by_name if shard_of(name) == number] for number in range(SHARDS)}
    return {number: instruments.only(names) for number, names in parts.items() if names}
