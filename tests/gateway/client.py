"""A client that believes nothing: it applies what it gets by the protocol's own rules and checks every step."""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import Any

import orjson

from gateway.hub import Hub
from gateway.joined import Joined
from gateway.message import Message as Outgoing
from gateway.protocol import Close
from gateway.session import Session
from gateway.topic import Now
from tests.gateway.conforming import judge
from tests.gateway.publications import START_NS

Message = dict[str, Any]


class Book:
    """One channel's book, by price, as text."""

    def __init__(self) -> None:
        self.s = -1
        self.sides: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        self.snapshots = self.merged = self.skipped = self.checked = 0
        self.since: int | None = None
        self.state = ""

    def take(self, message: Message) -> None:
        if message["t"] == "snap":
            self.skipped += 0 if self.since is None else message["s"] - self.s
            self.since = message["s"] if self.since is None else self.since
            self.sides = ({}, {})
            self.snapshots += 1
        else:
            assert message["p"] == self.s
            self.merged += message["n"]
        self.s, self.state = message["s"], message["st"]
        for side, levels in zip(self.sides, (message["b"], message["a"]), strict=True):
            for price, size, *venues in levels:
                if size == "0":
                    del side[price]
                else:
                    side[price] = [size, *venues]
        if "crc" in message:
            self.checked += 1
            assert message["crc"] == self.checksum()
        assert self.since is not None
        assert self.s - self.since == self.merged + self.skipped

    def ranked(self) -> list[list[list[Any]]]:
        bids, asks = ([[price, *rest] for price, rest in side.items()] for side in self.sides)
        return [sorted(bids, key=_price, reverse=True), sorted(asks, key=_price)]

    def checksum(self) -> int:
        rows = [f"{row[0]}:{row[1]}" for side in self.ranked() for row in side[:10]]
        return zlib.crc32("|".join(rows).encode())


def _price(row: list[Any]) -> Decimal:
    return Decimal(row[0])


class Reader:
    """All books of a client, and all else it got."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = {}
        self.messages: list[Message] = []

    def take(self, text: str | bytes) -> list[Message]:
        """Apply a frame, which may hold several messages."""
        messages = [orjson.loads(line) for line in (text.encode() if isinstance(text, str) else text).split(b"\n")]
        for message in messages:
            judge(message)
            self.messages.append(message)
            if message["t"] in ("snap", "d"):
                self.books.setdefault(message["ch"], Book()).take(message)
        return messages

    def of(self, kind: str) -> list[Message]:
        return [message for message in self.messages if message["t"] == kind]


class RecordingWire:
    """A wire whose network takes nothing unless it is told to."""

    def __init__(self, stalled: bool = False) -> None:
        self.reader = Reader()
        self.stalled = stalled
        self.unsent: list[bytes] = []
        self.writes = 0
        self.closed: Close | None = None

    def write(self, text: bytes) -> None:
        self.writes += 1
        if self.stalled:
            self.unsent.append(text)
        else:
            self.reader.take(text)

    def deliver(self, message: Outgoing) -> None:
        self.write(message.text)

    def buffered(self) -> int:
        return sum(map(len, self.unsent))

    def close(self, close: Close) -> None:
        self.closed = close

    def drain(self) -> None:
        self.stalled = False
        for text in self.unsent:
            self.reader.take(text)
        self.unsent = []


class Ticker:
    """Drives a hub as the service does, at instants that are given."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.number = 0
        self.sessions: list[Session] = []

    @property
    def now(self) -> Now:
        return Now(START_NS + self.number * 100_000_000, self.number * 100_000_000)

    def connect(self, wire: RecordingWire, *channels: str, **options: int) -> Session:
        session = Session(self.hub, wire, self.now)
        self.sessions.append(session)
        if channels:
            session.receive(orjson.dumps({"op": "subscribe", "id": 1, "ch": channels, **options}).decode(), self.now)
        return session

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.number += 1
            frames = self.hub.tick(self.number, self.now)
            joined = Joined(frames, b"", self.now)
            for session in self.sessions:
                session.flush(joined)
