"""A writer of input streams and a reader of publications, as ingest and the gateway would do it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any, Self

import redis
import redis.asyncio

from tests.aggregator.entries import Pairs, a_delta, a_snapshot, a_status, a_trade, an_open
from thalweg import keys
from thalweg.events import Event, Made, State
from thalweg.instruments import Instrument, Instruments, shard_of
from thalweg.publication import Kind, Publication, decode_publication
from thalweg.wire import encode_entry, format_id

NAME = "BTC-USDT"
VENUES = ("binance", "kraken")
INSTRUMENTS = Instruments({NAME: Instrument(NAME, 8, 8, dict.fromkeys(VENUES, "BTC"))})
BIDS, ASKS = [(100, 1), (99, 2)], [(101, 3), (102, 4)]
PATIENCE_S = 10.0  # far more than anything here takes, so that only a real failure runs into it


class Feed:
    """One instrument at one venue: dense entries, rings, the status hash, and the true book."""

    def __init__(self, client: redis.Redis, venue: str) -> None:
        self.client: Any = client  # parts of redis-py are without types
        self.venue = venue
        self.key = keys.stream(NAME, venue)
        self.bell = keys.bell(venue, shard_of(NAME))
        self.epoch = self.n = 0
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.trades: list[str] = []
        self.appended = 0
        self.alive = True

    def append(self, *events: Event, ring: bool = True) -> None:
        for event in events:
            self.n += 1
            self.appended += 1
            words = encode_entry(event, time.time_ns())
            self.client.execute_command("XADD", self.key, format_id(self.epoch, self.n), *words)
        if ring:
            self.client.publish(self.bell, f"{NAME} {self.epoch}-{self.n}\n")

    def ring(self) -> None:
        """Give a sign of life."""
        self.client.publish(self.bell, "")

    def open(self) -> None:
        names = (keys.lease(self.venue, shard_of(NAME)), keys.epoch(self.venue, shard_of(NAME)))
        epoch = self.client.fcall("thalweg_acquire", 2, *names, "feed", 3000)
        self.epoch, self.n = int(str(epoch)), 0
        self.append(an_open(venue=self.venue), a_status(State.SYNCING))
        self.snapshot(BIDS, ASKS)

    def snapshot(self, bids: Pairs, asks: Pairs, made: Made = Made.VENUE) -> None:
        self.bids, self.asks = dict(bids), dict(asks)
        self.append(a_snapshot(bids, asks, last=self.n, at=time.time_ns(), venue=self.venue, made=made))
        words = ("state", "live", "flags", 0, "reason", "", "since", 1, "snap_id", format_id(self.epoch, self.n))
        self.client.fcall("thalweg_status", 1, keys.status(NAME, self.venue), self.epoch, *words)

    def periodic(self) -> None:
        self.snapshot(sorted(self.bids.items(), reverse=True), sorted(self.asks.items()), Made.PERIODIC)

    def change(self, bids: Pairs, asks: Pairs, *, ring: bool = True) -> None:
        for side, pairs in ((self.bids, bids), (self.asks, asks)):
            side.update(pairs)
            for price, size in pairs:
                if not size:
                    del side[price]
        self.append(a_delta(bids, asks, last=self.n, at=time.time_ns(), venue=self.venue), ring=ring)

    def trade(self, *, ring: bool = True) -> None:
        self.trades.append(f"{self.epoch}/{self.n}")
        self.append(a_trade(self.trades[-1], at=time.time_ns(), venue=self.venue), ring=ring)

    def walk(self, rng: random.Random, steps: int) -> None:
        """Append random deltas, trades and snapshots, some without a ring."""
        for _ in range(steps):
            ring = rng.random() < 0.9
            match rng.random():
                case x if x < 0.3:
                    self.trade(ring=ring)
                case x if x < 0.4:
                    self.periodic()
                case _:
                    pairs = [(rng.randrange(1, 100), rng.randrange(3))]
                    self.change(pairs, [(price + 100, size) for price, size in pairs], ring=ring)


class Watcher:
    """Everything published of the instrument, as bytes, and a replica of the views."""

    def __init__(self, url: str) -> None:
        self.client = redis.asyncio.Redis.from_url(url)
        self.pubsub: Any = self.client.pubsub()
        self.records: list[bytes] = []
        self.last: Publication | None = None
        self.views: dict[int, dict[int, int]] = {}

    async def __aenter__(self) -> Self:
        await self.pubsub.subscribe(keys.book(NAME))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pubsub.aclose()
        await self.client.aclose()

    async def until(self, true: Callable[[Publication], bool]) -> Publication:
        """Read publications until one is as wished."""
        async with asyncio.timeout(PATIENCE_S):
            while self.last is None or not true(self.last):
                await self._next()
        return self.last

    async def drain(self) -> None:
        """Read what has been published so far: until a mark sent by the same server comes back."""
        await self.pubsub.subscribe("mark")
        await self.client.publish("mark", b"")
        async with asyncio.timeout(PATIENCE_S):
            while await self._next() != b"mark":
                pass
        await self.pubsub.unsubscribe("mark")

    async def _next(self) -> bytes:
        message: dict[str, Any] | None = await self.pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
        if message is None:
            return b""
        if message["channel"] == keys.book(NAME).encode():
            self.records.append(message["data"])
            self._apply(decode_publication(message["data"]))
        return bytes(message["channel"])

    def _apply(self, one: Publication) -> None:
        self.last = one
        if one.kind is Kind.KEY:
            self.views = {}
        for code, price, size in one.changes.tolist():
            side = self.views.setdefault(code, {})
            side[price] = size
            if not size:
                del side[price]

    def view(self, venue: str) -> tuple[dict[int, int], dict[int, int]]:
        code = 2 * VENUES.index(venue)
        return self.views.get(code, {}), self.views.get(code + 1, {})


def covers(feed: Feed) -> Callable[[Publication], bool]:
    """Whether a publication has the feed's newest entry and shows its book live."""
    index = VENUES.index(feed.venue)

    def check(one: Publication) -> bool:
        runs = one.runs.tolist()
        return [index, feed.epoch, feed.n] in ([at, epoch, last] for at, epoch, _, last in runs)

    return check


def line_of(one: Publication, venue: str) -> tuple[State, str]:
    line = one.venues[VENUES.index(venue)]
    return line.state, line.reason
