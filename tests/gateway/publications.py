"""Synthetic publications for the gateway's tests: an aggregator of one instrument, in a few lines."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np

from thalweg.events import State, Taker
from thalweg.instruments import Instrument, Instruments
from thalweg.publication import Kind, Publication, PublishedTrade, Stamps, VenueLine, encode_publication

VENUES = ("binance", "kraken")
EPOCH = 1_700_000_000_000
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
Book = dict[int, int]


def instruments(*names: str) -> Instruments:
    return Instruments({name: Instrument(name, 2, 8, dict.fromkeys(VENUES, name)) for name in names or ("BTC-USDT",)})


@dataclass
class Maker:
    """Changes its books at random and gives what an aggregator would publish of it."""

    instrument: str = "BTC-USDT"
    seed: int = 1
    seq: int = 0
    epoch: int = EPOCH
    ts: int = START_NS
    states: dict[str, State] = field(default_factory=lambda: dict.fromkeys(VENUES, State.LIVE))
    flags: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.books: dict[str, tuple[Book, Book]] = {venue: ({}, {}) for venue in VENUES}
        self.traded = 0

    def _record(self, kind: Kind, changes: list[list[int]], trades: list[PublishedTrade]) -> Publication:
        self.seq += 1
        ts = self.ts
        return Publication(
            kind,
            self.instrument,
            self.seq,
            self.epoch,
            2,
            8,
            stamps=Stamps(ts - 9 * MS, ts - 5 * MS, ts - 4 * MS, ts - 3 * MS, ts - 2 * MS, ts - MS, ts),
            venues=[
                VenueLine(
                    venue,
                    self.states[venue],
                    self.flags,
                    7,
                    ts - 9 * MS,
                    ts - 60 * MS,
                    START_NS,
                    self.reason,
                )
                for venue in VENUES
            ],
            changes=np.array(changes, dtype=np.int64).reshape(-1, 3),
            trades=trades,
        )

    def key(self) -> Publication:
        rows = []
        for index, venue in enumerate(VENUES):
            for side, book in enumerate(self.books[venue]):
                prices = sorted(book, reverse=side == 0)
                rows += [[2 * index + side, price, book[price]] for price in prices]
        return self._record(Kind.KEY, rows, [])

    def open(self) -> Publication:
        return self._record(Kind.OPEN, [], [])

    def delta(self, changes: int = 6, trades: int = 0) -> Publication:
        rows: dict[tuple[int, int], int] = {}
        for _ in range(changes):
            index, side = self.random.randrange(len(VENUES)), self.random.randrange(2)
            price = 10_000 + (self.random.randrange(1, 40) * (1 if side else -1)) + self.random.randrange(3)
            book = self.books[VENUES[index]][side]
            size = self.random.choice((0, self.random.randrange(1, 10**12)))
            if size:
                book[price] = size
            elif book.pop(price, None) is None:
                continue
            rows[2 * index + side, price] = size
        made = [self._trade() for _ in range(trades)]
        return self._record(Kind.DELTA, [[code, price, size] for (code, price), size in rows.items()], made)

    def _trade(self) -> PublishedTrade:
        self.traded += 1
        taker = self.random.choice((Taker.BUY, Taker.SELL))
        return PublishedTrade(self.traded % 2, taker, 10_000, 5 * 10**7, str(self.traded), self.ts, self.ts)


def encoded(one: Publication) -> tuple[str, bytes]:
    """A record with its ID in `out:`."""
    return f"{one.epoch}-{one.seq}", encode_publication(one)
