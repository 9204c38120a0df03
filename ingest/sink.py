"""Appends a shard's events to Redis while this worker owns it: one epoch at a time, nothing sent twice.

To own is to hold the lease, to have opened a new epoch in every stream of the shard (which fences off whoever wrote
before), and then to have read what the streams end with. The same when Redis has failed: what was in flight may have
landed or not, and only behind the fence of a new epoch is that known. Trades that did not land are appended again;
deltas and snapshots that did not are replaced by one snapshot of ingest's own book.

What waits for Redis is bounded: see `ingest.waiting`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import suppress

from ingest.backoff import Backoff
from ingest.claim import Claim
from ingest.numbering import Batch, Numbering, Placed, opens_of
from ingest.relief import relieve
from ingest.ring import Item
from ingest.splice import Resumed, behind
from ingest.tails import COLD, WARM, Tail, highest_epoch, not_landed, read_tails
from ingest.tally import Tally
from ingest.track import Track
from ingest.venue import Venue
from ingest.waiting import Waiting
from thalweg import keys
from thalweg.clock import Clock
from thalweg.errors import Fenced, Held, RedisFull, RedisTrouble
from thalweg.events import Delta, Event, Open, State, Trade
from thalweg.latency import Rings
from thalweg.lease import TTL_S
from thalweg.loop.service import every
from thalweg.settings import Settings
from thalweg.transport import RedisLink, checked

RING_S = 0.5  # a bell rings at least this often, as a sign of life
SLOW_NS, MANY = 1_000_000_000, 256  # a batch that took longer, and as many events waiting behind it: conflate
TRIM_NS = 1_000_000_000
CATCH_UP_S = 0.5  # connections of one venue are rarely further apart
LOOK_S = 0.01
SETTLE_TRIES, SETTLE_S = 20, 0.1  # to find out what landed before the fence: as long as a takeover may take
FLOORS = 3  # tries to get above a stream whose epochs are ahead of the counter
LOG = logging.getLogger("thalweg.ingest")
_TIMED = (Delta, Trade)


class Sink:
    """One shard's way into Redis; `own` and `leave` say whether to write."""

    def __init__(
        self, settings: Settings, venue: Venue, shard: int, owner: str, tally: Tally, rings: Rings, clock: Clock
    ) -> None:
        """Connect later, in `run`.

        `tracks`, `resume` and `lost` are set by whoever gives the events: the books, what a new epoch begins with, and
        who takes back what waits when it is over. `owning` says whether `put` is the way, `epoch` is the last begun.
        """
        self.tracks: Sequence[Track] = ()
        self.resume: Callable[[dict[str, Tail], list[Item]], Resumed] = lambda tails, kept: Resumed()
        self.lost: Callable[[list[Item]], None] = lambda items: None
        self.owning = False
        self.epoch = 0
        self._settings, self._venue, self._shard, self._owner = settings, venue, shard, owner
        self._tally, self._rings, self._clock = tally, rings, clock
        self._link = RedisLink(settings.redis_url, f"thalweg-ingest-{venue.name}-{shard}")
        self._waiting = Waiting(tally)
        self._flight: list[tuple[int, Placed]] = []
        self._refused: list[Event] = []
        self._wanted, self._wake, self._ring_due = asyncio.Event(), asyncio.Event(), False
        self._claim, self._trimmed_at, self._trouble, self._slow = Claim(), 0, "", False
        self._backoff = Backoff(0.1, 2.0, random.random)

    @property
    def held(self) -> int:
        """How many events are not yet known to be appended."""
        return len(self._waiting.items) + len(self._flight) + len(self._refused)

    @property
    def wanted(self) -> bool:
        """Whether this worker writes the shard, or is about to."""
        return self._wanted.is_set()

    def own(self, expected: str, seen_at: int, *, mine: bool) -> None:
        """Write this shard; take its lease from `expected` if need be. `seen_at` is when a beat showed whose it is."""
        if self._claim.outdated(seen_at):
            return
        if self._claim.seen(seen_at, mine=mine):
            self._wake.set()
        if not self._wanted.is_set():
            self._claim.expected = expected
            self._wanted.set()

    def leave(self, seen_at: int) -> None:
        """Another worker is to write this shard: go on until it does, but not for long."""
        if self._wanted.is_set():
            self._claim.leave(seen_at, self._clock.monotonic_ns())

    def put(self, events: list[Event], ts_decoded: int) -> None:
        """Queue events; they are flushed at the loop's next turn."""
        if events:
            self._waiting.put(events, ts_decoded)
            self._wake.set()

    async def run(self) -> None:
        """Own the shard whenever it is wanted, until cancelled; Redis trouble begins a new epoch."""
        with every(RING_S, self._give_sign):
            while True:
                await self._wanted.wait()
                try:
                    await self._own()
                    reason = "nobody has fenced us off"
                except Fenced:
                    reason = "another worker has opened a newer epoch"
                except Held as error:
                    reason = str(error)
                LOG.info("%s shard %d: not mine any more (%s)", self._venue.name, self._shard, reason)
                await self._hand_over()

    def _give_sign(self) -> None:
        self._ring_due = True
        self._wake.set()

    async def drain(self, timeout_s: float) -> None:
        """Wait until everything queued is appended, or the time runs out."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.held and (self.owning or self._flight):  # also what opens an epoch that is about to begin
                    self._wake.set()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            LOG.warning("%s shard %d: %d events not appended", self._venue.name, self._shard, self.held)

    async def _own(self) -> None:
        """Write, epoch after epoch, until another worker does or it is time to leave.

        Raises:
            Fenced: another worker has opened an epoch.
            Held: another worker has the lease.
        """
        while not self._claim.over(self._clock.monotonic_ns()):
            try:
                numbering = await self._begin_epoch()
                self._backoff.reset()
                self._trouble = ""
                while not self._claim.over(self._clock.monotonic_ns()):
                    await self._flush(numbering)
            except RedisTrouble as trouble:
                if str(trouble) != self._trouble:
                    self._trouble = str(trouble)
                    LOG.warning("%s shard %d: %s; trying again", self._venue.name, self._shard, trouble)
                if isinstance(trouble, RedisFull):
                    with suppress(RedisTrouble):
                        await relieve(self._link, self._venue.name, self._names, self.epoch, self._clock.wall_ns())
                await asyncio.sleep(self._backoff.next_s())

    async def _hand_over(self) -> None:
        """Write no more: give back what was not sent, count what landed, and what was refused as fenced."""
        self.owning = False
        self._wanted.clear()
        self._claim.lost(self._clock.monotonic_ns())
        self.lost(self._waiting.take())
        for _ in range(SETTLE_TRIES if self._flight else 0):
            with suppress(RedisTrouble):
                await self._link.connect()
                if await highest_epoch(self._link, self._venue.name, self._names) > self._flight[-1][0]:  # fenced
                    await self._settle()
                    break
            await asyncio.sleep(SETTLE_S)
        self._tally.dropped["fenced"] += len(self._refused)
        self._refused = []

    async def _begin_epoch(self) -> Numbering:
        """Take the lease, open a new epoch in every stream of the shard, and only then see what the streams hold."""
        await self._link.connect()
        numbering = await self._open_above()
        await self._settle()
        count = WARM if any(track.state is State.LIVE for track in self.tracks) else COLD
        tails = await read_tails(self._link, self._venue.name, self._names, numbering.epoch, count)
        await self._catch_up(tails)
        left = [(event, self._clock.wall_ns()) for event in self._refused] + self._waiting.take()
        resumed = self.resume(tails, left)
        self._tally.dropped["redis_down" if self.owning else "standby"] += resumed.dropped
        self._refused = []
        self._waiting.begin(resumed.items)
        if not self.owning:
            kept = f"; {resumed.continued} of {len(self.tracks)} books go on" if resumed.continued else ""
            LOG.info("%s shard %d: mine from epoch %d on%s", self._venue.name, self._shard, numbering.epoch, kept)
        self.owning, self.epoch = True, numbering.epoch
        self._wake.set()
        return numbering

    async def _catch_up(self, tails: dict[str, Tail]) -> None:
        """Wait a moment for books that are about to reach what their streams have."""
        if self._venue.capability.detector == "sequence":
            for _ in range(round(CATCH_UP_S / LOOK_S)):  # books have no event
                if not behind(self.tracks, tails):
                    return
                await asyncio.sleep(LOOK_S)

    async def _open_above(self) -> Numbering:
        """Acquire and open; streams that are ahead of a lost counter are passed in a second try."""
        floor = self.epoch  # a server that lost its latest data may have lost the counter with it
        for _ in range(FLOORS):
            numbering, batch = self._opens(await self._acquire(floor))
            try:
                await self._send(numbering.epoch, batch)
            except Fenced:
                floor = await highest_epoch(self._link, self._venue.name, self._names)
            else:
                return numbering
        raise Fenced(f"epoch {floor} is above every one we are given")

    async def _acquire(self, floor: int) -> int:
        """Take the lease, or renew it, and give the epoch that comes with it."""
        sent_at, expected = self._clock.monotonic_ns(), self._claim.expected
        names = keys.lease(self._venue.name, self._shard), keys.epoch(self._venue.name, self._shard)
        taken = "FCALL", "thalweg_acquire", 2, *names, self._owner, int(TTL_S * 1000), expected, floor
        epoch = int(await self._link.call(*taken))
        self._claim.acquired(sent_at, self._clock.monotonic_ns())
        return epoch

    def _opens(self, epoch: int) -> tuple[Numbering, Batch]:
        """Give the streams of an epoch and what opens them."""
        settings, now = self._settings, self._clock.wall_ns()
        opens = opens_of(self._venue, self.tracks, now)
        bell = keys.bell(self._venue.name, self._shard)
        self._tally.made["open"] += len(opens)
        numbering = Numbering(bell, epoch, opens, settings.retention_s, settings.stream_cap)
        return numbering, numbering.opens(now)

    @property
    def _names(self) -> list[str]:
        return [track.instrument.name for track in self.tracks]

    async def _settle(self) -> None:
        """Find out what of the flight landed; what did not was refused. Only a newer epoch makes the answer final."""
        lost = await not_landed(self._link, self._venue.name, self._flight)
        self._tally.appended += len(self._flight) - len(lost)
        self._refused += lost
        self._flight = []

    async def _flush(self, numbering: Numbering) -> None:
        """Send what is queued, or a sign of life, and trim about once a second."""
        if self._claim.doubtful(self._clock.monotonic_ns()):
            raise RedisTrouble("the lease was not renewed in time")
        await self._wake.wait()
        self._wake.clear()
        if self._slow and len(self._waiting.items) > MANY:
            self._waiting.conflate()
        if self._waiting.bridge_due:
            self._waiting.bridge(self.tracks, self._clock.wall_ns())
        if self._waiting.items:
            pending = self._waiting.take()
            ts_append = self._clock.wall_ns()
            append = self._rings["append"]
            for event, ts_decoded in pending:
                if isinstance(event, _TIMED):
                    append.add(ts_append - ts_decoded)
            began = self._clock.monotonic_ns()
            await self._send(numbering.epoch, numbering.pack([event for event, _ in pending], ts_append))
            self._slow = self._clock.monotonic_ns() - began > SLOW_NS
        elif self._ring_due:
            await self._link.run([numbering.ring()])
        self._ring_due = False
        await self._trim(numbering)

    async def _send(self, epoch: int, batch: Batch) -> None:
        """Send a batch and look at every reply: each append has landed, was refused, or is in flight for ever."""
        older = self._flight
        self._flight = older + batch.appends(epoch)
        replies = await (self._link.run_whole if batch.whole else self._link.run)(batch.commands)
        self._flight = older
        refusal = None
        for placed, reply in zip(batch.placed, replies, strict=True):
            if isinstance(reply, Exception):
                refusal = refusal or reply
                if placed is not None and not isinstance(placed.event, Open):
                    self._refused.append(placed.event)
                elif placed is not None:  # an epoch that did not begin
                    self._tally.dropped["redis_down"] += 1
            elif placed is not None:
                self._tally.appended += 1
        checked(refusal)

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
