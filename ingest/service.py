"""One worker of one venue: beats, takes the shards that are its own, stands by for others, and leaves in order."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

import orjson

from ingest.line import Line
from ingest.measures import Health, measures
from ingest.notices import Notices
from ingest.outside.source import Outside
from ingest.session import Session
from ingest.shard import Shard
from ingest.sink import Sink
from ingest.source import Feed
from ingest.tally import Tally
from ingest.venue import Venue
from ingest.venues import VENUES
from ingest.warming import warm
from thalweg import keys
from thalweg.clock import Clock, SystemClock
from thalweg.errors import RedisTrouble, SettingsError
from thalweg.events import State
from thalweg.instruments import Instrument, shard_of
from thalweg.latency import Rings
from thalweg.lease import BEAT_S, BEAT_TIMEOUT_S, Steward, beats, view_of
from thalweg.loop.service import watch
from thalweg.probe.measure import Distribution, Measure, about
from thalweg.probe.service import probe
from thalweg.service import write_report
from thalweg.settings import Settings
from thalweg.transport import RedisLink, answered

DRAIN_S = 3.0
LATENCY_S = 1.0
RECHECK_S = 3600.0  # between two looks at the venue's list of symbols
LEAVE_S = 2.0  # for another worker to take over what this one leaves
LEAVING_BEAT_S = 0.1
AGE_SPREAD = 0.043  # an hour of 23.5
HOPS = ("venue", "decode", "append", "engine", "engine_snapshot", "loop")
LOG = logging.getLogger("thalweg.ingest")


async def serve(settings: Settings, name: str) -> None:
    """Run a worker of a venue until cancelled, then report.

    Raises:
        SettingsError: no such venue, or it has no instrument.
    """
    venue = VENUES.get(name)
    if venue is None:
        raise SettingsError(f"unknown venue {name!r}; known: {', '.join(VENUES)}")
    worker = Worker(settings, venue, SystemClock())
    warm()
    try:
        async with probe(settings.metrics, worker.measures, worker.health):
            with watch(worker.rings["loop"]):
                await worker.run()
    finally:
        write_report(settings.report, worker.report())


class Worker:
    """A member of the group of a venue's workers."""

    def __init__(self, settings: Settings, venue: Venue, clock: Clock) -> None:
        """Be nobody yet.

        Raises:
            SettingsError: the venue has no instrument.
        """
        self.me = (
            f"{os.getpid()}-{secrets.token_hex(4)}"  # random: one that comes back must not pass for the one before
        )
        self._settings, self._venue, self._clock = settings, venue, clock
        self._tally, self.rings, self._notices = Tally(), Rings(*HOPS), Notices()
        self._outside, self._parts = Outside(settings, venue, clock), _parts(settings, venue)
        self._steward = Steward(self.me, venue.name)
        self._link = RedisLink(settings.redis_url, f"thalweg-ingest-{venue.name}")
        self._sequenced = venue.capability.detector == "sequence"
        self._connected = self._leaving = self._failed = False
        self._group = asyncio.TaskGroup()
        self._beating = asyncio.Lock()
        self._writing: dict[int, asyncio.Task[None]] = {}
        self.shards = {number: self._shard(number) for number in self._parts}
        self._beats, self._health, self._started_ns = 0, Health(settings.snapshot_s), clock.monotonic_ns()
        self._switches = dict.fromkeys(self._parts, 0)

    def report(self) -> dict[str, object]:
        """Give the counters, for when the worker has stopped."""
        held = sum(shard.held for shard in self.shards.values())
        return self._tally.report(self._venue.name, held) | {"samples": self.rings.samples()}

    def measures(self) -> Iterable[Measure | Distribution]:
        """Give all metrics."""
        uptime_s = (self._clock.monotonic_ns() - self._started_ns) / 1e9
        yield from about(f"ingest:{self._venue.name}", self.me, uptime_s, self.rings)
        yield from measures(self._venue.name, self._tally, self.shards)

    def health(self) -> list[str]:
        """Give why we do not get on, if so; one that leaves is well."""
        now = self._clock.monotonic_ns()
        return [] if self._leaving else self._health.look(self._beats, self._tally, self.shards, now)

    async def run(self) -> None:
        """Work until cancelled, then hand over and stop."""
        books = sum(map(len, self._parts.values()))
        LOG.info("%s: worker %s, %d books in %d shards", self._venue.name, self.me, books, len(self._parts))
        async with self._group:
            self._writing = {number: self._start(shard.sink.run()) for number, shard in self.shards.items()}
            self._start(self._beat_on())
            self._start(self._publish_latency())
            self._start(self._check_listings())
            try:
                await asyncio.Event().wait()
            finally:
                if not self._failed:
                    await self._leave()

    def _start(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a job for as long as the worker runs."""
        return self._group.create_task(self._watched(job))

    async def _watched(self, job: Coroutine[Any, Any, None]) -> None:
        """Run a job; a bug in it ends the worker at once, without a handover."""
        try:
            await job
        except Exception:
            self._failed = True
            raise

    async def _beat_on(self) -> None:
        """Beat, so that others know of this worker, and do what the beats show is to be done."""
        while not self._leaving:
            self._beats += 1
            began = self._clock.monotonic_ns()
            await self._beat()
            self._tick()
            await asyncio.sleep(max(BEAT_S - (self._clock.monotonic_ns() - began) / 1e9, 0))

    def _tick(self) -> None:
        """Let time pass in every shard, and say where a connection was replaced since the last time."""
        for number, shard in self.shards.items():
            shard.tick(self._clock.monotonic_ns())
            if self._switches[number] != shard.switches:
                self._switches[number] = shard.switches
                LOG.info("%s shard %d: went over to a new connection", self._venue.name, number)

    async def _beat(self) -> None:
        """Beat once; without an answer all roles stay as they are."""
        async with self._beating:  # the last beat of work may still be under way when we begin to leave
            await self._beat_once()

    async def _beat_once(self) -> None:
        venue, sent_at = self._venue.name, self._clock.monotonic_ns()
        try:
            if not self._connected:
                await self._link.connect()
            self._connected = True
            asked = beats(venue, self.shards, self.me, leaving=self._leaving)
            shown, _ = answered(self.shards, await self._link.run_each(asked, BEAT_TIMEOUT_S))
        except RedisTrouble as trouble:
            self._connected = False
            if self._notices.fresh(str(trouble), sent_at):
                LOG.warning("%s: worker %s has no sign of the others: %s", venue, self.me, trouble)
            return
        view = view_of(shown)
        duties = self._steward.look(view, sent_at, lambda number: self.shards[number].warm)
        for number, owner in view.owners.items():
            self.shards[number].assign(duties[number], sent_at, mine=owner == self.me)

    async def _leave(self) -> None:
        """Let others take over what this worker owns, for as long as there are any; then stop all books and report."""
        self._leaving = True
        deadline = self._clock.monotonic_ns() + int(LEAVE_S * 1e9)
        while self._clock.monotonic_ns() < deadline:
            await self._beat()
            if not self._connected or self._steward.alone or not any(s.sink.wanted for s in self.shards.values()):
                break
            await asyncio.sleep(LEAVING_BEAT_S)
        await asyncio.gather(*(self._stop(number, shard) for number, shard in self.shards.items()))
        await self._link.close()
        await self._outside.close()

    async def _stop(self, number: int, shard: Shard) -> None:
        """Tell the streams of a shard that nobody watches them, see it appended, and free the lease."""
        shard.silence()
        await shard.sink.drain(DRAIN_S)
        self._writing[number].cancel()  # or it would take a closed connection for trouble, and begin an epoch
        await shard.sink.close()
        if self._connected:
            with suppress(RedisTrouble):
                await self._link.call("FCALL", "thalweg_release", 1, keys.lease(self._venue.name, number), self.me)

    def _shard(self, number: int) -> Shard:
        sink = Sink(self._settings, self._venue, number, self.me, self._tally, self.rings, self._clock)
        return Shard(sink, self._clock, self._tally, partial(self._draw, number), sequenced=self._sequenced)

    def _draw(self, number: int, shard: Shard) -> Line:
        """Make a session and start a connection for it."""
        settings, venue, rings, clock = self._settings, self._venue, self.rings, self._clock
        session = Session(venue, self._parts[number], self._tally, random.random, int(settings.snapshot_s * 1e9))
        line = Line(session, self._tally, books=self._sequenced, age_ns=self._age_ns())
        put = partial(shard.put, line)
        line.feed = feed = Feed(settings, venue, session, put, rings, clock, self._notices, self._outside)
        self._start(self._hold(line, feed))
        return line

    def _age_ns(self) -> int | None:
        """Draw the age at which a connection is replaced: a little below the venue's, and not the same for all."""
        age_s = self._settings.max_age_s or self._venue.max_age_s
        return int(age_s * (1 - AGE_SPREAD * random.random()) * 1e9) if age_s else None

    async def _hold(self, line: Line, feed: Feed) -> None:
        """Hold a connection until it is stopped; whatever its session still has then is let go."""
        try:
            await feed.run()
        finally:
            line.end(self._clock.wall_ns())

    async def _check_listings(self) -> None:
        """Compare our instruments with the venue's own list, now and every hour."""
        name = self._venue.name
        while True:
            listings = await self._outside.listings()
            for shard in self.shards.values() if listings else ():
                shard.listed(listings)
                for track in shard.line.session.tracks if shard.line else ():
                    if track.state is State.DELISTED:
                        LOG.error("%s: %s (%s): %s", name, track.instrument.name, track.symbol, track.reason)
            await asyncio.sleep(RECHECK_S)

    async def _publish_latency(self) -> None:
        """Publish the latency summary once a second, if the first shard is ours; trouble is the sinks' to tell."""
        link = RedisLink(self._settings.redis_url, f"thalweg-ingest-{self._venue.name}-latency")
        service, connected = f"ingest:{self._venue.name}", False
        while True:
            await asyncio.sleep(LATENCY_S)
            if not next(iter(self.shards.values())).sink.owning:
                continue
            now = self._clock.monotonic_ns()
            summary = {"ts": self._clock.wall_ns(), "service": service, "hops": self.rings.summaries(now)}
            try:
                if not connected:
                    await link.connect()
                connected = True
                await link.call("SET", keys.latency(service), orjson.dumps(summary | {"worker": self.me}), "EX", 10)
            except RedisTrouble:
                connected = False


def _parts(settings: Settings, venue: Venue) -> dict[int, dict[str, Instrument]]:
    """Split the venue's instruments over its shards."""
    parts = dict[int, dict[str, Instrument]]()
    for symbol, instrument in settings.instruments.listings(venue.name).items():
        parts.setdefault(shard_of(instrument.name), {})[symbol] = instrument
    if not parts:
        raise SettingsError(f"no instrument is listed on {venue.name}; see the instruments file")
    return dict(sorted(parts.items()))
