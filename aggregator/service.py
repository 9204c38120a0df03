"""The aggregator's loop: wait for a bell, read what grew, apply it all, publish once per instrument.

| happens | then |
|---|---|
| a bell names streams | they are read in one pipeline, applied, published in one flush |
| 250 ms passed | all streams are read; silent bells are noticed; the heartbeat goes out |
| a second passed | checkpoints that changed, trims, the latency summary |
| Redis fails | connect again with backoff, restore from what really landed, a new epoch |
| another aggregator opens `out:` | the process ends |
| cancelled | drain until two sweeps find nothing, publish, checkpoint, report |
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import sys
from collections.abc import Sequence

from aggregator.bells import Bells, channel_of
from aggregator.books import Cursor
from aggregator.checkpoint import checkpoint_of
from aggregator.consolidate import Entries, Ladder, Part
from aggregator.report import report_of
from aggregator.sink import Outlet, flush, heartbeat, latency_command
from aggregator.source import ROUND, BellSource, EntrySource, Stream, next_entries
from thalweg import keys
from thalweg.clock import Clock, SystemClock
from thalweg.errors import RedisTrouble
from thalweg.kernels import warm
from thalweg.latency import Rings
from thalweg.service import write_report
from thalweg.settings import Settings
from thalweg.transport import RedisLink

TICK_S = 0.25  # a lost ring costs no more than this
KEEP_NS = 950_000_000  # looked at each tick, so once a second; a crash costs so much work and no data
DRAIN_NS = 3_000_000_000  # writers that go on writing must not keep us
STOP_S = 4.0  # for all of the stop; the supervisor gives us 5 s
BACKOFF_S = (0.1, 2.0)
LOG = logging.getLogger("thalweg.aggregator")


async def serve(settings: Settings) -> None:
    """Run the aggregator until cancelled; then drain and write the report.

    Raises:
        Fenced: another aggregator took over (in a group).
        WireError: a checkpoint or publication in Redis is not in our layout (in a group).
    """
    warm()
    service = Aggregator(settings, SystemClock())
    async with asyncio.TaskGroup() as group:
        work = group.create_task(service.run())
        try:
            await asyncio.wait({work})
        finally:
            service.stop()
            await asyncio.wait({work}, timeout=STOP_S)
            work.cancel()
            report, violations = report_of(service.standing.values(), service.lag, service.rings.samples())
            for violation in violations:
                LOG.error("conservation: %s", violation)
            write_report(settings.report, report)


class Aggregator:
    """The process: sessions with Redis one after the other, and the counts of all of them.

    `standing` holds by instrument the last ladder that was restored: its counts stand.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Prepare; nothing is connected.

        Raises:
            SettingsError: `REDIS_URL` is not one.
        """
        self.settings = settings
        self.clock = clock
        self.link = RedisLink(settings.redis_url, "thalweg-aggregator")
        self.bell_link = RedisLink(settings.redis_url, "thalweg-aggregator-bells")
        self.rings = Rings("stream", "apply", "merge", "publish")
        self.wake = asyncio.Event()
        self.stopping = asyncio.Event()
        self.standing: dict[str, Ladder] = {}
        self.lag = 0
        self.drain_until = sys.maxsize
        self._trouble: str | None = None
        self._failures = 0

    def stop(self) -> None:
        """Ask the loop to drain and end."""
        self.drain_until = self.clock.monotonic_ns() + DRAIN_NS
        self.stopping.set()
        self.wake.set()

    async def run(self) -> None:
        """Aggregate until stopped, through any trouble with Redis.

        Raises:
            Fenced: another aggregator took over (in a group).
            WireError: a checkpoint or publication in Redis is not in our layout (in a group).
        """
        try:
            while True:
                try:
                    await self._run_once()
                except* RedisTrouble as group:
                    await self._back_off(str(group.exceptions[0]))
                if self.stopping.is_set() and self._failures != 1:
                    return
        finally:
            await self.link.close()
            await self.bell_link.close()

    async def _run_once(self) -> None:
        """Connect, restore, follow the streams until stopped or in trouble."""
        session = _Session(self)
        await self.link.connect()
        if self._trouble is not None:
            await self.link.run([heartbeat(self.clock.wall_ns(), 0, [], self._trouble)])
        await session.hearing.subscribe()
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(session.hearing.listen())
            await session.begin()
            if self._trouble is not None:
                LOG.info("Redis is back")
            self._trouble, self._failures = None, 0
            await session.follow()
            listening.cancel()

    async def _back_off(self, trouble: str) -> None:
        """Say what is wrong, once, and wait: full jitter, at most 2 s, ended by a stop."""
        if trouble != self._trouble:
            LOG.warning("%s; trying again until it works", trouble.rstrip("."))
        self._trouble = trouble
        low, cap = BACKOFF_S
        wait = random.uniform(low, min(cap, low * 2 ** min(self._failures + 1, 8)))
        self._failures += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), wait)


class _Session:
    """One life of the connections: fresh ladders under one epoch."""

    def __init__(self, service: Aggregator) -> None:
        settings, instruments = service.settings, service.settings.instruments
        self._service = service
        self._clock = service.clock
        self._link = service.link
        self._source = EntrySource(service.link)
        self._bells = Bells(instruments)
        self.hearing = BellSource(service.bell_link, self._bells, service.clock, service.wake)
        ladders = [Ladder(one, instruments.venues(name)) for name, one in instruments.by_name.items()]
        self._outlets = {
            ladder.instrument.name: Outlet(ladder, settings.retention_s, settings.stream_cap) for ladder in ladders
        }
        self._streams = {
            (ladder.instrument.name, book.line.name): Stream(ladder, index)
            for ladder in ladders
            for index, book in enumerate(ladder.books)
        }
        self._epoch = 0
        self._sent: list[Outlet] = []
        self._due = self._sweeping = False
        self._next_keep = 0

    async def begin(self) -> None:
        """Take an epoch, open every `out:`, restore every book and publish every whole view.

        Raises:
            Fenced: a newer aggregator was faster.
            RedisTrouble: the connection failed or the server refused.
            WireError: a checkpoint or publication is not in our layout.
        """
        self._epoch = await self._link.call(b"FCALL", b"thalweg_epoch", 1, keys.OUT_EPOCH)
        for outlet in self._outlets.values():
            await self._restore(outlet)
            outlet.ladder.live_since = self._clock.wall_ns()
        self._alarm()
        LOG.info("epoch %d: %d instruments, %d books", self._epoch, len(self._outlets), len(self._streams))

    async def _restore(self, outlet: Outlet) -> None:
        """Open one `out:`, so that nobody else can add to it, and go on exactly where it ends."""
        ladder, source = outlet.ladder, self._source
        name = ladder.instrument.name
        before = self._service.standing.get(name)
        if before is not None and await source.lost(name):
            await flush(self._link, [outlet.checkpoint(checkpoint_of(before))])
        await outlet.open(self._link, self._epoch)
        point = await source.checkpoint(name)
        await source.advance(point, ladder)
        for index in range(len(ladder.books)):
            await source.restore(Stream(ladder, index), point)
        if before is not None:
            ladder.succeed(before, landed=before.pending > 0 and await source.landed(before))
        self._service.standing[name] = ladder
        key = self._step(outlet, (), self._clock.wall_ns(), self._clock.monotonic_ns())
        await self._exchange([key], ())

    async def follow(self) -> None:
        """Read and publish until stopped; then until two sweeps in a row find nothing, or the drain's time is over.

        Raises:
            Fenced: another aggregator took over.
            RedisTrouble: the connection failed or the server refused.
        """
        streams, commands, quiet = [*self._streams.values()], list[bytes](), 0
        while quiet < 2 and self._clock.monotonic_ns() < self._service.drain_until:
            replies = await self._exchange(commands, streams)
            commands = self._turn(streams, replies)
            quiet = quiet + 1 if self._service.stopping.is_set() and not any(replies) else 0
            more = [stream for stream, entries in zip(streams, replies, strict=True) if len(entries) == ROUND]
            streams = await self._next(more, idle=not (commands or more))
        await self._close(commands)

    async def _next(self, more: list[Stream], *, idle: bool) -> list[Stream]:
        """Give the streams to read next: all for a sweep, else `more` and those rung for; if idle, wait for any."""
        wake, stopping = self._service.wake, self._service.stopping
        if idle and not stopping.is_set():
            await wake.wait()
        wake.clear()
        self._sweeping = self._due or stopping.is_set()
        if self._sweeping:
            return [*self._streams.values()]
        grown = ((self._streams[key], top) for key, top in self._bells.grown())
        return [*more, *(stream for stream, top in grown if top > stream.book.cursor and stream not in more)]

    async def _exchange(self, commands: Sequence[bytes], streams: Sequence[Stream]) -> list[Entries]:
        """Send what the last turn made and fetch what these streams have, in one write; nothing for nothing."""
        if not (commands or streams):
            return []
        replies = await flush(self._link, [*commands, *map(next_entries, streams)])
        now = self._clock.monotonic_ns()
        for outlet in self._sent:
            outlet.ladder.settle(now)
        self._sent = []
        return replies[len(commands) :]

    def _turn(self, streams: Sequence[Stream], replies: Sequence[Entries]) -> list[bytes]:
        """Apply what was read, instrument by instrument, and give the commands that publish what came of it."""
        ts_read, now = self._clock.wall_ns(), self._clock.monotonic_ns()
        parts: dict[str, list[Part]] = {}
        for stream, entries in zip(streams, replies, strict=True):
            if entries:
                parts.setdefault(stream.ladder.instrument.name, []).append((stream.index, entries))
        news = self._hear(ts_read, now) if self._sweeping else set()
        commands = self._keep(now) if self._sweeping and now >= self._next_keep else []
        for name in self._outlets if self._sweeping else parts:
            outlet = self._outlets[name]
            if name in parts or name in news or outlet.ladder.key_due(now):
                commands.append(self._step(outlet, parts.get(name, ()), ts_read, now))
        return [*commands, self._heartbeat()] if self._sweeping else commands

    def _step(self, outlet: Outlet, parts: Sequence[Part], ts_read: int, now: int) -> bytes:
        """Take one instrument's batch to the command that publishes it."""
        self._sent.append(outlet)
        return outlet.step(parts, ts_read, now, self._clock, self._service.rings)

    def _hear(self, ts_now: int, now: int) -> set[str]:
        """Notice bells that fell silent or ring again; give the instruments concerned."""
        return {
            name
            for (name, venue), stream in self._streams.items()
            if stream.book.hear(self._bells.heard(channel_of(name, venue), now), ts_now)
        }

    def _heartbeat(self) -> bytes:
        """Give the heartbeat of this sweep and set the alarm for the next."""
        self._due = False
        asyncio.get_running_loop().call_later(TICK_S, self._alarm)
        return heartbeat(self._clock.wall_ns(), self._epoch, [outlet.ladder for outlet in self._outlets.values()], None)

    def _keep(self, now: int) -> list[bytes]:
        """Give the commands that are due each second; as all is settled, checkpoints tell what is in `out:`."""
        self._next_keep = now + KEEP_NS
        commands = [command for outlet in self._outlets.values() for command in outlet.keep(now)]
        return [*commands, latency_command(self._clock.wall_ns(), self._service.rings.summaries(now))]

    def _alarm(self) -> None:
        """Make the next turn a sweep."""
        self._due = True
        self._service.wake.set()

    async def _close(self, commands: Sequence[bytes]) -> None:
        """Send the last turn's commands, then the last checkpoints; see how far the streams are ahead of us."""
        await self._exchange(commands, ())
        await flush(self._link, self._keep(self._clock.monotonic_ns()))
        streams = [*self._streams.values()]
        tops = await self._source.tops(streams)
        self._service.lag = sum(map(_behind, (stream.book.cursor for stream in streams), tops))


def _behind(cursor: Cursor, top: Cursor) -> int:
    """Give how many entries a cursor is behind, as far as n can tell."""
    return top[1] - (cursor[1] if cursor[0] == top[0] else 0) if top > cursor else 0
