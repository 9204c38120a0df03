"""Stands in for the aggregator under the fan-out benchmark: `python -m tests.bench.publisher URL RATE SECONDS NAME...`.

Every instrument is published RATE times a second, evenly spread; each record changes a few levels of every venue's
book near its best prices, so that each of the books has news for every tick of the gateway.
"""

from __future__ import annotations

import json
import random
import sys
import time

import numpy as np
import redis

from thalweg.events import State, Taker
from thalweg.instruments import Instrument, load_instruments
from thalweg.keys import HEARTBEAT, book, out
from thalweg.publication import (
    VIEW_DEPTH,
    Kind,
    Publication,
    PublishedTrade,
    Stamps,
    VenueLine,
    encode_publication,
)

DECIMALS = 8
TICK = 10**6  # 0.01
MID = 64_000 * 10**8
SLOTS = 250  # prices a side; about 200 of them hold a level
NEAR = 25  # changes are among so many best prices
CHANGES = 4  # a book and record
TRADING = 0.25  # the share of records that bring a trade
KEY_S = 1.0
BEAT_S = 0.25
KEPT = 1024  # records in `out:`


class Market:
    """One instrument's books at its venues, and its sequence."""

    def __init__(self, instrument: Instrument, epoch: int, seed: int) -> None:
        self.name, self._venues, self._epoch = instrument.name, list(instrument.symbols), epoch
        self._random = random.Random(seed)
        self._sizes = [
            [self._size() if slot < VIEW_DEPTH else 0 for slot in range(SLOTS)] for _ in range(2 * len(self._venues))
        ]
        self.seq = 0
        self._since = time.time_ns()
        self._key_at = 0.0

    def _size(self) -> int:
        return self._random.randrange(10**5, 10**10)

    def _row(self, code: int, slot: int) -> tuple[int, int, int]:
        return code, MID + (slot + 1) * (TICK if code & 1 else -TICK), self._sizes[code][slot]

    def record(self) -> bytes:
        """Give the next record: what changed, or once a second all there is."""
        now = time.monotonic()
        whole = now - self._key_at >= KEY_S
        rows = self._whole() if whole else self._changes()
        if whole:
            self._key_at = now
        self.seq += 1
        ts = time.time_ns()
        lines = [VenueLine(venue, State.LIVE, 0, self.seq, ts, ts, self._since) for venue in self._venues]
        return encode_publication(
            Publication(
                Kind.KEY if whole else Kind.DELTA,
                self.name,
                self.seq,
                self._epoch,
                DECIMALS,
                DECIMALS,
                stamps=Stamps(ts, ts, ts, ts, ts, ts, ts),
                venues=lines,
                changes=np.array(rows, dtype=np.int64).reshape(-1, 3),
                trades=[self._trade(ts)] if self._random.random() < TRADING else [],
            )
        )

    def _whole(self) -> list[tuple[int, int, int]]:
        return [
            self._row(code, slot) for code, sizes in enumerate(self._sizes) for slot, size in enumerate(sizes) if size
        ]

    def _changes(self) -> list[tuple[int, int, int]]:
        rows = []
        for code, sizes in enumerate(self._sizes):
            for slot in self._random.sample(range(NEAR), CHANGES // 2):
                sizes[slot] = 0 if sizes[slot] and self._random.random() < 0.3 else self._size()
                rows.append(self._row(code, slot))
        return rows

    def _trade(self, ts: int) -> PublishedTrade:
        venue, taker = self._random.randrange(len(self._venues)), self._random.choice((Taker.BUY, Taker.SELL))
        return PublishedTrade(venue, taker, MID, self._size(), str(self.seq), ts, ts)

    @property
    def identity(self) -> str:
        """The newest record's ID in `out:`."""
        return f"{self._epoch}-{self.seq}"


def publish(url: str, rate: float, seconds: float, names: list[str]) -> None:
    """Publish until the time is over, on schedule: what comes late is sent at once."""
    chosen = load_instruments().only(names, None).by_name.values()
    client = redis.Redis.from_url(url)
    epoch = time.time_ns() // 1_000_000
    markets = [Market(one, epoch, seed) for seed, one in enumerate(chosen)]
    start, step, beaten = time.monotonic(), 1 / rate / len(markets), 0.0
    for number in range(int(seconds / step)):
        time.sleep(max(0.0, start + number * step - time.monotonic()))
        market = markets[number % len(markets)]
        record = market.record()
        pipeline = client.pipeline(transaction=False)
        pipeline.xadd(out(market.name), {"r": record}, id=market.identity, maxlen=KEPT)
        pipeline.publish(book(market.name), record)
        if time.monotonic() - beaten > BEAT_S:
            beaten = time.monotonic()
            heads = {one.name: one.seq for one in markets}
            pipeline.publish(HEARTBEAT, json.dumps({"ts": 1, "epoch": epoch, "heads": heads, "trouble": None}))
        pipeline.execute()


if __name__ == "__main__":
    publish(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
