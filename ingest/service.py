"""One worker of one venue: a connection, a session and a sink for each shard that has instruments."""

from __future__ import annotations

import asyncio
import logging
import random

import orjson

from ingest.notices import Notices
from ingest.session import Session
from ingest.sink import Sink
from ingest.source import Feed, fetch_listings
from ingest.tally import Tally
from ingest.venue import Venue
from ingest.venues import VENUES
from thalweg import kernels, keys, scan
from thalweg.clock import Clock, SystemClock
from thalweg.errors import RedisTrouble, SettingsError
from thalweg.events import State
from thalweg.instruments import Instrument, shard_of
from thalweg.latency import Rings
from thalweg.service import write_report
from thalweg.settings import Settings
from thalweg.transport import RedisLink

DRAIN_S = 3.0
LATENCY_S = 1.0
LOG = logging.getLogger("thalweg.ingest")


class Shard:
    """One socket's worth of instruments."""

    def __init__(
        self,
        settings: Settings,
        venue: Venue,
        number: int,
        listings: dict[str, Instrument],
        tally: Tally,
        rings: Rings,
        clock: Clock,
        notices: Notices,
    ) -> None:
        """Wire session, sink and feed together."""
        self._clock = clock
        self.session = Session(venue, listings, tally, random.random, int(settings.snapshot_s * 1e9))
        self.sink = Sink(settings, venue, number, tally, rings, clock)
        self.sink.tracks = self.session.tracks
        self.feed = Feed(settings, venue, self.session, self.sink.put, rings, clock, notices)

    async def feed_sink(self) -> None:
        """Hold the connection, from when there is a stream to append to until cancelled."""
        await self.sink.ready.wait()
        await self.feed.run()

    async def stop(self) -> None:
        """Tell the streams that nobody watches these books any more, and see it appended."""
        now = self._clock.wall_ns()
        self.sink.put(self.session.stopped(now).events, now)
        await self.sink.drain(DRAIN_S)
        await self.sink.close()


async def serve(settings: Settings, name: str) -> None:
    """Run the worker of a venue until cancelled, then report.

    Raises:
        SettingsError: no such venue, or it has no instrument.
        Fenced: another worker has taken a shard over.
    """
    venue = VENUES.get(name)
    if venue is None:
        raise SettingsError(f"unknown venue {name!r}; known: {', '.join(VENUES)}")
    kernels.warm()
    scan.warm()
    tally, clock = Tally(), SystemClock()
    rings = Rings("venue", "decode", "append", "engine", "engine_snapshot")
    shards = _shards(settings, venue, tally, rings, clock)
    LOG.info("%s: %d books over %d sockets", name, sum(len(s.session.tracks) for s in shards), len(shards))
    try:
        await _run(settings, venue, shards, rings, clock)
    finally:
        held = sum(shard.session.held + shard.sink.held for shard in shards)
        report = tally.report(name, held)
        write_report(settings.report, report | {"samples": rings.samples()})


def _shards(settings: Settings, venue: Venue, tally: Tally, rings: Rings, clock: Clock) -> list[Shard]:
    """Split the venue's instruments over its shards."""
    notices, parts = Notices(), dict[int, dict[str, Instrument]]()
    for symbol, instrument in settings.instruments.listings(venue.name).items():
        parts.setdefault(shard_of(instrument.name), {})[symbol] = instrument
    if not parts:
        raise SettingsError(f"no instrument is listed on {venue.name}; see the instruments file")
    return [
        Shard(settings, venue, number, part, tally, rings, clock, notices) for number, part in sorted(parts.items())
    ]


async def _run(settings: Settings, venue: Venue, shards: list[Shard], rings: Rings, clock: Clock) -> None:
    """Run feeds inside sinks: when the feeds stop, the sinks still append what they hold."""
    async with asyncio.TaskGroup() as sinks:
        tasks = [sinks.create_task(shard.sink.run()) for shard in shards]
        tasks.append(sinks.create_task(_publish_latency(settings, venue.name, rings, clock)))
        try:
            async with asyncio.TaskGroup() as feeds:
                feeds.create_task(_check_listings(settings, venue, shards, clock))
                for shard in shards:
                    feeds.create_task(shard.feed_sink())
        finally:
            if not any(task.done() for task in tasks):
                await asyncio.gather(*(shard.stop() for shard in shards))
            for task in tasks:
                task.cancel()


async def _check_listings(settings: Settings, venue: Venue, shards: list[Shard], clock: Clock) -> None:
    """Compare our instruments with the venue's own list, once."""
    listings = await fetch_listings(settings, venue)
    for shard in shards if listings else ():
        now = clock.wall_ns()
        shard.sink.put(shard.session.listed(listings, now, clock.monotonic_ns()).events, now)
        for track in shard.session.tracks:
            if track.state is State.DELISTED:
                LOG.error("%s: %s (%s): %s", venue.name, track.instrument.name, track.symbol, track.reason)


async def _publish_latency(settings: Settings, name: str, rings: Rings, clock: Clock) -> None:
    """Publish the latency summary once a second; trouble is the sinks' to tell."""
    link = RedisLink(settings.redis_url, f"thalweg-ingest-{name}-latency")
    service, connected = f"ingest:{name}", False
    while True:
        await asyncio.sleep(LATENCY_S)
        summary = {"ts": clock.wall_ns(), "service": service, "hops": rings.summaries(clock.monotonic_ns())}
        try:
            if not connected:
                await link.connect()
            connected = True
            await link.call("SET", keys.latency(service), orjson.dumps(summary), "EX", 10)
        except RedisTrouble:
            connected = False
