"""The owner's loop: wait for a bell, read what grew, apply it all, publish once per instrument.

| happens | then |
|---|---|
| a bell names streams | they are read in one pipeline, applied, published in one flush |
| 250 ms passed | all streams are read; silent bells are noticed; the heartbeat goes out |
| a second passed | checkpoints that changed, trims |
| told to stop | drain until two sweeps find nothing, publish, checkpoint |
| the lease is another's, or lost | publish what was read, checkpoint, and end |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aggregator.bells import Bells, channel_of
from aggregator.books import Cursor
from aggregator.checkpoint import Checkpoint, checkpoint_of
from aggregator.consolidate import Entries, Ladder, Part
from aggregator.restore.source import RestoreSource
from aggregator.sink import Outlet, acquire, flush, heartbeat
from aggregator.source import ROUND, BellSource, EntrySource, Stream, next_entries

if TYPE_CHECKING:
    from aggregator.shard.service import Shard
    from aggregator.standby.service import Standby

TICK_S = 0.25  # a lost ring costs no more than this
KEEP_NS = 950_000_000  # looked at each tick, so once a second; a crash costs so much work and no data
LOG = logging.getLogger("thalweg.aggregator")


class Owner:
    """Fresh ladders of a shard's instruments under one epoch."""

    def __init__(self, shard: Shard, standby: Standby | None) -> None:
        """Prepare; nothing is read or written. The books of a standby, if there is one, are taken over."""
        settings, instruments = shard.settings, shard.instruments
        self._shard = shard
        self._clock = shard.clock
        self._link = shard.link
        self._source = EntrySource(shard.link)
        self._bells = Bells(instruments)
        self.hearing = BellSource(shard.bell_link, self._bells, shard.clock, shard.wake)
        self._restoring = RestoreSource(shard.link)
        self._known: dict[str, Checkpoint] = dict(standby.known) if standby else {}
        fresh = {name: Ladder(one, instruments.venues(name)) for name, one in instruments.by_name.items()}
        ladders = (standby.ladders if standby else fresh).values()
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
        """Take the lease and an epoch, open every `out:`, restore every book and publish every whole view.

        Raises:
            Held: another aggregator has the lease, or goes first since it published what the server lost.
            Fenced: a newer aggregator was faster.
            RedisTrouble: the connection failed or the server refused.
        """
        shard, heads = self._shard, dict(self._shard.heads)
        ends = await self._source.ends(list(self._outlets))
        floors = {name: shard.floor(name, end, heads.get(name, 0)) for name, end in ends.items()}
        last = max(end.epoch for end in ends.values())
        self._epoch = await acquire(self._link, shard.number, shard.me, shard.duty.expected, last)
        shard.own(self._epoch)
        if not shard.troubled:  # else Redis may be back sooner than those who write into it
            await self._believe()
        for name, outlet in self._outlets.items():
            await self._restore(outlet, floors[name])
            outlet.ladder.live_since = self._clock.wall_ns()
        self._alarm()
        names = ", ".join(self._outlets)
        LOG.info("shard %d, epoch %d: %s (%d books)", shard.number, self._epoch, names, len(self._streams))

    async def _believe(self) -> None:
        """Take books over as they are shown where their ingest lives: its next ring comes within half a second."""
        now, fed = self._clock.monotonic_ns(), await self._source.fed({v for _, v in self._streams}, self._shard.number)
        for (name, venue), stream in self._streams.items():
            if venue in fed:
                self._bells.assume(channel_of(name, venue), now)
                stream.book.hear(heard=True, now_ns=self._clock.wall_ns())

    async def _restore(self, outlet: Outlet, floor: int) -> None:
        """Open one `out:`, so that nobody else can add to it, and go on exactly where it ends."""
        ladder, source = outlet.ladder, self._source
        name = ladder.instrument.name
        before = self._shard.standing.get(name)
        known = checkpoint_of(before) if before is not None else Checkpoint()
        known = max(known, self._known.get(name, known), key=lambda one: one.seq)
        await outlet.open(self._link, self._epoch, floor)
        point = await source.point(name, known)
        foreign = await source.advance(point, ladder, self._shard.epochs)
        for index in range(len(ladder.books)):
            await self._restoring.restore(Stream(ladder, index), point)
        if before is not None:
            landed = before.pending > 0 and await source.landed(before)
            ladder.succeed(before, landed=landed, dense=not foreign)
        self._shard.standing[name] = ladder
        key = self._step(outlet, (), self._clock.wall_ns(), self._clock.monotonic_ns())
        await self._exchange([key], ())

    async def follow(self) -> None:
        """Read and publish until ousted or stopped; a stop waits until two sweeps in a row find nothing, or too long.

        Raises:
            Fenced: another aggregator took over.
            RedisTrouble: the connection failed or the server refused.
        """
        shard, streams, commands, quiet = self._shard, [*self._streams.values()], list[bytes](), 0
        while quiet < 2 and self._clock.monotonic_ns() < shard.drain_until and not shard.ousted:
            replies = await self._exchange(commands, streams)
            commands = self._turn(streams, replies)
            quiet = quiet + 1 if shard.stopping.is_set() and not any(replies) else 0
            more = [stream for stream, entries in zip(streams, replies, strict=True) if len(entries) == ROUND]
            streams = await self._next(more, idle=not (commands or more))
        await self._close(commands)

    async def _next(self, more: list[Stream], *, idle: bool) -> list[Stream]:
        """Give the streams to read next: all for a sweep, else `more` and those rung for; if idle, wait for any."""
        wake, stopping = self._shard.wake, self._shard.stopping
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
            stream.book.fall_behind(len(entries) == ROUND, now)
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
        return outlet.step(parts, ts_read, now, self._clock, self._shard.rings)

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
        self._shard.sweeps += 1
        asyncio.get_running_loop().call_later(TICK_S, self._alarm)
        heads = {name: outlet.ladder.seq for name, outlet in self._outlets.items()}
        return heartbeat(self._clock.wall_ns(), self._epoch, heads, None)

    def _keep(self, now: int) -> list[bytes]:
        """Give the commands that are due each second; as all is settled, checkpoints tell what is in `out:`."""
        self._next_keep, ts_now = now + KEEP_NS, self._clock.wall_ns()
        return [command for outlet in self._outlets.values() for command in outlet.keep(now, ts_now)]

    def _alarm(self) -> None:
        """Make the next turn a sweep."""
        self._due = True
        self._shard.wake.set()

    async def _close(self, commands: Sequence[bytes]) -> None:
        """Send the last turn's commands, then the last checkpoints; see how far the streams are ahead of us."""
        await self._exchange(commands, ())
        await flush(self._link, self._keep(self._clock.monotonic_ns()))
        streams = [*self._streams.values()]
        tops = await self._source.tops(streams)
        behind = sum(map(_behind, (stream.book.cursor for stream in streams), tops))
        self._shard.lag = behind if self._shard.stopping.is_set() else 0  # else the next owner reads on


def _behind(cursor: Cursor, top: Cursor) -> int:
    """Give how many entries a cursor is behind, as far as n can tell."""
    return top[1] - (cursor[1] if cursor[0] == top[0] else 0) if top > cursor else 0
