"""Appends a shard's events to Redis: one epoch at a time, one flush a loop turn, nothing sent twice.

When Redis fails, what was in flight may have landed or not. The next epoch opens first, which fences the old one off;
only then is the old tail read, so that each event in flight is known to be appended or not. Trades that were not
are appended again; deltas and snapshots that were not are replaced by one snapshot of ingest's own book.

The queue is bounded (`PENDING_MAX`). When it is full, its deltas and snapshots are dropped, counted as coalesced,
and replaced by a snapshot in the same way; trades go last, and their loss is told in the stream.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence

from ingest.backoff import Backoff
from ingest.numbering import Batch, Numbering, Placed
from ingest.tally import Tally
from ingest.track import Track
from ingest.venue import Venue
from thalweg import keys
from thalweg.clock import Clock
from thalweg.errors import Fenced, RedisTrouble
from thalweg.events import Delta, Event, Open, Trade
from thalweg.latency import Rings
from thalweg.settings import Settings
from thalweg.transport import RedisLink, checked
from thalweg.wire import parse_id

PENDING_MAX = 20_000  # events: 20 s at a thousand a second; a delta is a few hundred bytes
RING_S = 0.5  # a bell rings at least this often, as a sign of life
TRIM_NS = 1_000_000_000
LOG = logging.getLogger("thalweg.ingest")


class Sink:
    """One shard's way into Redis."""

    def __init__(self, settings: Settings, venue: Venue, shard: int, tally: Tally, rings: Rings, clock: Clock) -> None:
        """Connect later, in `run`; `tracks` is set by the owner before that, `ready` once the first epoch is open."""
        self.tracks: Sequence[Track] = ()
        self.ready = asyncio.Event()
        self._settings, self._venue, self._shard = settings, venue, shard
        self._tally, self._rings, self._clock = tally, rings, clock
        self._link = RedisLink(settings.redis_url, f"thalweg-ingest-{venue.name}-{shard}")
        self._pending: list[tuple[Event, int]] = []
        self._flight: list[tuple[int, Placed]] = []
        self._bridge_due = False
        self._wake = asyncio.Event()
        self._trimmed_at = 0

    @property
    def held(self) -> int:
        """How many events are not yet known to be appended."""
        return len(self._pending) + len(self._flight)

    def put(self, events: list[Event], ts_decoded: int) -> None:
        """Queue events; they are flushed at the loop's next turn."""
        if not events:
            return
        self._pending += [(event, ts_decoded) for event in events]
        if len(self._pending) > PENDING_MAX:
            self._coalesce()
        self._wake.set()

    async def run(self) -> None:
        """Append until cancelled; Redis trouble begins a new epoch.

        Raises:
            Fenced: another worker has taken this shard over.
        """
        backoff = Backoff(0.1, 2.0, random.random)
        while True:
            try:
                numbering = await self._begin_epoch()
                backoff.reset()
                self.ready.set()
                while True:
                    await self._flush(numbering)
            except RedisTrouble as trouble:
                if not backoff.attempts:
                    LOG.warning("%s shard %d: %s; trying again", self._venue.name, self._shard, trouble)
                await asyncio.sleep(backoff.next_s())
            except Fenced as fenced:
                self._tally.dropped["fenced"] += self.held
                self._pending, self._flight = [], []
                raise Fenced(f"{self._venue.name} shard {self._shard}: another worker took over ({fenced})") from fenced

    async def drain(self, timeout_s: float) -> None:
        """Wait until everything queued is appended, or the time runs out."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.held:
                    self._wake.set()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            LOG.warning("%s shard %d: %d events not appended", self._venue.name, self._shard, self.held)

    async def _begin_epoch(self) -> Numbering:
        """Open a new epoch in every stream of the shard, then settle what was in flight in older ones."""
        await self._link.connect()
        venue, settings, now = self._venue, self._settings, self._clock.wall_ns()
        epoch = int(await self._link.call("FCALL", "thalweg_epoch", 1, keys.epoch(venue.name, self._shard)))
        opens = [self._open(track, now) for track in self.tracks]
        bell = keys.bell(venue.name, self._shard)
        numbering = Numbering(bell, epoch, opens, settings.retention_s, settings.stream_cap)
        self._tally.made["open"] += len(opens)
        older = self._flight
        batch = numbering.opens(now)
        self._flight = older + _placed(epoch, batch)
        for reply in await self._link.run(batch.commands):
            checked(reply)
        kept = await self._settle()
        self._queue_bridge([(event, now) for event in kept], "redis_down")
        return numbering

    def _open(self, track: Track, now: int) -> Open:
        one, venue = track.instrument, self._venue
        capability = venue.capability
        return Open(
            venue.name,
            one.name,
            one.price_decimals,
            one.size_decimals,
            track.depth,
            capability.detector,
            capability.verified_depth,
            now,
        )

    async def _settle(self) -> list[Event]:
        """Find out what of the flight landed; give the trades that did not."""
        landed: dict[tuple[int, str], int] = {}
        for epoch, name in {(epoch, placed.event.instrument) for epoch, placed in self._flight}:
            key = keys.stream(name, self._venue.name)
            tail = await self._link.call("XREVRANGE", key, epoch, epoch, "COUNT", 1)
            landed[epoch, name] = parse_id(tail[0][0])[1] if tail else 0
        flight, self._flight = self._flight, []
        lost = [placed.event for epoch, placed in flight if placed.n > landed[epoch, placed.event.instrument]]
        self._tally.appended += len(flight) - len(lost)
        trades: list[Event] = [event for event in lost if isinstance(event, Trade)]
        self._tally.dropped["redis_down"] += len(lost) - len(trades)
        return trades

    def _queue_bridge(self, first: list[tuple[Event, int]], reason: str) -> None:
        """Replace what is queued but for trades by the state and book of every track."""
        now = self._clock.wall_ns()
        trades = [item for item in self._pending if isinstance(item[0], Trade)]
        self._tally.dropped[reason] += len(self._pending) - len(trades)
        bridges = [(event, now) for track in self.tracks for event in track.bridge(now)]
        self._pending = bridges + first + trades
        self._bridge_due = False
        self._wake.set()

    def _coalesce(self) -> None:
        """The queue is full: keep the newest trades, and bridge the books at the next flush."""
        trades = [item for item in self._pending if isinstance(item[0], Trade)]
        self._tally.dropped["coalesced"] += len(self._pending) - len(trades)
        spare = len(trades) - PENDING_MAX // 2
        if spare > 0:
            del trades[:spare]
            self._tally.dropped["redis_down"] += spare
        self._pending = trades
        self._bridge_due = True

    async def _flush(self, numbering: Numbering) -> None:
        """Send what is queued, or a sign of life, and trim about once a second."""
        try:
            async with asyncio.timeout(RING_S):
                await self._wake.wait()
        except TimeoutError:
            await self._link.run([numbering.ring()])
        self._wake.clear()
        if self._bridge_due:
            self._queue_bridge([], "coalesced")
        if self._pending:
            pending, self._pending = self._pending, []
            ts_append = self._clock.wall_ns()
            for event, ts_decoded in pending:
                if isinstance(event, Delta | Trade):
                    self._rings["append"].add(ts_append - ts_decoded)
            await self._send(numbering.epoch, numbering.pack([event for event, _ in pending], ts_append))
        await self._trim(numbering)

    async def _send(self, epoch: int, batch: Batch) -> None:
        """Send a batch and check every reply."""
        self._flight = _placed(epoch, batch)
        for reply in await self._link.run(batch.commands):
            checked(reply)
        self._tally.appended += len(self._flight)
        self._flight = []

    async def _trim(self, numbering: Numbering) -> None:
        now = self._clock.monotonic_ns()
        if now - self._trimmed_at < TRIM_NS:
            return
        self._trimmed_at = now
        commands = numbering.trim(now)
        for reply in await self._link.run(commands) if commands else ():
            checked(reply)

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()


def _placed(epoch: int, batch: Batch) -> list[tuple[int, Placed]]:
    """Give the appends of a batch with their epoch."""
    return [(epoch, placed) for placed in batch.placed if placed is not None]
