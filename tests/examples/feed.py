"""Writes what ingest and the aggregator would: a book's entries and, from a dict kept beside them, its key records."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from thalweg import keys
from thalweg.events import Delta, Event, Made, Open, Snapshot, State, Status
from thalweg.fixed import NO_LEVELS, Levels
from thalweg.publication import Kind, Publication, VenueLine, encode_publication
from thalweg.resp import pack, pack_words
from thalweg.transport import RedisLink, checked
from thalweg.wire import encode_entry, format_id

LEVELS = 300  # a side: more than a record shows
MIDDLE = 2**55 + 1  # beyond what a double holds exactly


class Feed:
    """One instrument at one venue; `wrong` makes every key record differ from the book in one size."""

    def __init__(self, link: RedisLink, venue: str, instrument: str, *, wrong: bool = False) -> None:
        self.link, self.venue, self.instrument, self.wrong = link, venue, instrument, wrong
        self.stream, self.out = keys.stream(instrument, venue), keys.out(instrument)
        self.bids = {MIDDLE - 2 * k: k for k in range(1, LEVELS + 1)}
        self.asks = {MIDDLE + 2 * k: k for k in range(1, LEVELS + 1)}
        self.epoch, self.n, self.read, self.seq = 1000, 0, 0, 0

    async def append(self, *events: Event) -> None:
        """Append events one after the other."""
        for event in events:
            self.n += 1
            words = [b"XADD", self.stream.encode(), format_id(self.epoch, self.n), *encode_entry(event, 11)]
            checked((await self.link.run([pack_words(words)]))[0])

    async def open(self, follows: bool = False) -> None:
        """Begin the next epoch, that goes on from the last entry or begins with a snapshot."""
        left, self.epoch, self.n, self.read = (self.epoch, self.n), self.epoch + 1, 0, 0
        await self.append(Open(self.venue, self.instrument, 8, 8, None, "sequence", None, 1))
        await self.append(Status(self.venue, self.instrument, State.LIVE, 0, "", 1, 1, left if follows else None))
        if not follows:
            await self.snapshot()

    async def snapshot(self) -> None:
        """Append the whole book, and say in the hash where."""
        bids, asks = _levels(sorted(self.bids.items(), reverse=True)), _levels(sorted(self.asks.items()))
        live = State.LIVE
        await self.append(Snapshot(self.venue, self.instrument, bids, asks, None, 1, 1, 1, Made.VENUE, live, 0))
        words = ("v", 1, "snap_id", f"{self.epoch}-{self.n}", "price_decimals", 8, "size_decimals", 8)
        await self.link.call("HSET", keys.status(self.instrument, self.venue), *words)

    async def stale(self) -> None:
        """Append a gap: a status, and then one that alone may not be believed."""
        for state in (State.STALE, State.LIVE):
            await self.append(Status(self.venue, self.instrument, state, 0, "gap", 1, 1))

    async def deltas(self, count: int) -> None:
        """Append changes of sizes, a new best level and one that goes."""
        for k in range(count):
            best = max(self.bids)
            changes = [(best - 2, 7 + k), (best + 1, 1), (best, 0)] if k % 2 else [(best - 4, 9 + k)]
            for price, size in changes:
                self.bids[price] = size
            self.bids = {price: size for price, size in self.bids.items() if size}
            await self.append(Delta(self.venue, self.instrument, _levels(changes), NO_LEVELS, None, 1, 1, 1))

    async def key(self, kind: Kind = Kind.KEY) -> None:
        """Publish the view, or nothing but what was read, with the entries since the last record as its run."""
        self.seq += 1
        rows = [(2, *level) for level in sorted(self.bids.items(), reverse=True)[:200]]
        rows += [(3, *level) for level in sorted(self.asks.items())[:200]]
        if self.wrong:
            rows[-1] = (3, rows[-1][1], rows[-1][2] + 1)
        venues = [VenueLine("another"), VenueLine(self.venue, State.LIVE)]
        run = [(1, self.epoch, self.read + 1, self.n)] if self.n > self.read else []
        self.read = self.n
        one = Publication(kind, self.instrument, self.seq, 5, 8, 8, venues=venues)
        one.runs = np.array(run, dtype=np.int64).reshape(-1, 4)
        one.changes = np.array(rows if kind is Kind.KEY else [], dtype=np.int64).reshape(-1, 3)
        await self.link.run([pack("XADD", self.out, f"5-{self.seq}", "r", encode_publication(one))])


def _levels(pairs: Iterable[tuple[int, int]]) -> Levels:
    return np.array(list(pairs), dtype=np.int64).reshape(-1, 2)
