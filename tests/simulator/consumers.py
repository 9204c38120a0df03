"""Consumers of the four venues, straight from the fact sheets, with plain dicts; independent of everything they test.

Each takes one frame's text and gives `(instrument symbol, key, digest)` for every book position it reached. A loss it
finds is noted in `gaps`. Prices and sizes are decimals times 1e8 as integers.
"""

from __future__ import annotations

import json
import struct
import zlib
from calendar import timegm
from dataclasses import dataclass, field
from functools import lru_cache
from time import strptime
from typing import Any

Position = tuple[str, str, int]
Side = dict[int, int]


def units(text: str) -> int:
    whole, _, fraction = text.partition(".")
    assert whole.isdigit(), text
    assert len(fraction) <= 8, text
    return int(whole + fraction.ljust(8, "0"))


@lru_cache
def seconds(stamp: str) -> int:
    return timegm(strptime(stamp, "%Y-%m-%dT%H:%M:%S"))


def nanoseconds(stamp: str) -> int:
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return seconds(whole) * 10**9 + int(fraction.ljust(9, "0"))


@dataclass
class Book:
    bids: Side = field(default_factory=dict)
    asks: Side = field(default_factory=dict)
    last: int = 0
    buffer: list[Any] = field(default_factory=list)
    live: bool = False

    def best(self, depth: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        bids = sorted(self.bids.items(), reverse=True)[:depth]
        return bids, sorted(self.asks.items())[:depth]

    def cut(self, depth: int) -> None:
        bids, asks = self.best(depth)
        self.bids, self.asks = dict(bids), dict(asks)

    def digest(self, depth: int = 200) -> int:
        bids, asks = self.best(depth)
        assert not bids or not asks or bids[0][0] < asks[0][0], "crossed"
        flat = [number for level in (*bids, (-1, -1), *asks) for number in level]
        return zlib.crc32(struct.pack(f"<{len(flat)}q", *flat))


def put(side: Side, price: str, size: str) -> None:
    if units(size):
        side[units(price)] = units(size)
    else:
        side.pop(units(price), None)


@dataclass
class Consumer:
    books: dict[str, Book] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    bad: int = 0
    trades: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    other: list[Any] = field(default_factory=list)

    def book(self, symbol: str) -> Book:
        return self.books.setdefault(symbol, Book())

    def lose(self, symbol: str) -> None:
        self.gaps.append(symbol)
        self.books[symbol] = Book()

    def read(self, text: str) -> list[Position]:
        try:
            frame = json.loads(text, parse_float=str, parse_int=str)
        except ValueError:
            self.bad += 1
            return []
        return self.take(frame)

    def take(self, frame: Any) -> list[Position]:
        raise NotImplementedError


class Binance(Consumer):
    """Section 4: buffer, REST snapshot, splice, then `U == last + 1`."""

    def take(self, frame: Any) -> list[Position]:
        data = frame.get("data", frame)
        if data.get("e") == "trade":
            self.trades.setdefault(data["s"], []).append(data)
            return []
        if data.get("e") != "depthUpdate":
            self.other.append(frame)
            return []
        book = self.book(data["s"])
        if not book.live:
            book.buffer.append(data)
            return []
        return self.diff(book, data)

    def diff(self, book: Book, data: Any) -> list[Position]:
        first, last = int(data["U"]), int(data["u"])
        if last <= book.last:
            return []
        if first > book.last + 1:
            self.lose(data["s"])
            return []
        for side, levels in ((book.bids, data["b"]), (book.asks, data["a"])):
            for price, size in levels:
                put(side, price, size)
        book.last = last
        return [(data["s"], f"{last}/{int(data['E']) * 10**6}", book.digest())]

    def snapshot(self, symbol: str, text: str) -> list[Position]:
        data, book = json.loads(text), self.book(symbol)
        if book.buffer and data["lastUpdateId"] < int(book.buffer[0]["U"]):
            return []
        book.bids = {units(p): units(s) for p, s in data["bids"]}
        book.asks = {units(p): units(s) for p, s in data["asks"]}
        book.last, book.live = data["lastUpdateId"], True
        reached = [(symbol, f"{book.last}/-", book.digest())]
        for one in book.buffer:
            reached += self.diff(book, one)
        return reached


class Bybit(Consumer):
    """Section 4: a snapshot replaces, a delta has `u == last + 1`."""

    def take(self, frame: Any) -> list[Position]:
        kind, _, rest = frame.get("topic", "").partition(".")
        if kind == "publicTrade":
            self.trades.setdefault(rest, []).extend(frame["data"])
        if kind != "orderbook":
            self.other.append(frame)
            return []
        depth, symbol = rest.split(".")
        book, data = self.book(symbol), frame["data"]
        if frame["type"] == "snapshot":
            book.bids, book.asks, book.live = {}, {}, True
        elif not book.live:
            return []
        elif int(data["u"]) != book.last + 1:
            self.lose(symbol)
            return []
        for side, levels in ((book.bids, data["b"]), (book.asks, data["a"])):
            for price, size in levels:
                put(side, price, size)
        assert len(book.bids) <= int(depth)
        assert len(book.asks) <= int(depth)
        book.last = int(data["u"])
        return [(symbol, f"{book.last}/{int(frame['cts']) * 10**6}", book.digest())]


class Kraken(Consumer):
    """Sections 4 and 5: apply, cut to the depth, compare the checksum of the literal digits."""

    depth = 25

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[tuple[str, int], tuple[str, str]] = {}
        self.checked = 0

    def take(self, frame: Any) -> list[Position]:
        if frame.get("channel") == "trade":
            for row in frame["data"]:
                self.trades.setdefault(row["symbol"], []).append(row)
        if frame.get("channel") != "book":
            self.other.append(frame)
            return []
        data = frame["data"][0]
        symbol = data["symbol"]
        book = self.book(symbol)
        if frame["type"] == "snapshot":
            book.bids, book.asks, book.live = {}, {}, True
        elif not book.live:
            return []
        for side, levels in ((book.bids, data["bids"]), (book.asks, data["asks"])):
            for level in levels:
                put(side, level["price"], level["qty"])
                self.texts[symbol, units(level["price"])] = level["price"], level["qty"]
        book.cut(self.depth)
        if self.checksum(symbol, book) != int(data["checksum"]):
            self.lose(symbol)
            return []
        self.checked += 1
        return [(symbol, f"-/{nanoseconds(data['timestamp'])}", book.digest(10))]

    def checksum(self, symbol: str, book: Book) -> int:
        bids, asks = book.best(10)
        tokens = [self.texts[symbol, price] for price, _ in [*asks, *bids]]
        text = "".join(token.replace(".", "").lstrip("0") for pair in tokens for token in pair)
        return zlib.crc32(text.encode())


class Coinbase(Consumer):
    """Sections 2.6 and 2.7: one counter for all frames of the connection; a jump loses every book."""

    def __init__(self) -> None:
        super().__init__()
        self.expected = 0

    def take(self, frame: Any) -> list[Position]:
        if "sequence_num" not in frame:
            self.other.append(frame)
            return []
        number = int(frame["sequence_num"])
        if number < self.expected:
            return []
        if number > self.expected:
            for symbol in list(self.books):
                self.lose(symbol)
        self.expected = number + 1
        reached = []
        for event in frame["events"]:
            reached += self.event(frame, event)
        return reached

    def event(self, frame: Any, event: Any) -> list[Position]:
        if frame["channel"] == "market_trades":
            for row in event["trades"]:
                self.trades.setdefault(row["product_id"], []).append(row)
        if frame["channel"] != "l2_data":
            self.other.append(frame)
            return []
        symbol = event["product_id"]
        book = self.book(symbol)
        if event["type"] == "snapshot":
            book.bids, book.asks, book.live = {}, {}, True
        elif not book.live:
            return []
        for one in event["updates"]:
            put(book.bids if one["side"] == "bid" else book.asks, one["price_level"], one["new_quantity"])
        return [(symbol, f"-/{nanoseconds(frame['timestamp'])}", book.digest())]
