"""The judge of a demo: follows every publication and compares the books it shows with the simulator's truth.

Whenever the position of a live book has changed, the digest of its view down to its verified depth must be the one the
oracle gives for that position. A key the oracle has not pushed yet is waited for; one it never pushes is wrong too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from thalweg.cli.history import History
from thalweg.cli.views import View
from thalweg.cursor import Position
from thalweg.events import State
from thalweg.publication import VIEW_DEPTH, Kind, Publication, VenueLine

Book: TypeAlias = tuple[str, str]
"""Venue and instrument."""

KEYS_KEPT = 4096  # of the oracle, of one book: minutes of it, while a key is looked up within a second
PATIENCE_S = 5.0  # for a key that has not arrived
DETAILS = 10  # of wrong events kept for the report


@dataclass(slots=True)
class Awaited:
    """A digest that waits for the oracle's word."""

    digest: int
    seq: int
    until: float


@dataclass(slots=True)
class Truth:
    """The oracle's digests of one book by position, oldest first."""

    digests: dict[str, int] = field(default_factory=dict)
    order: deque[str] = field(default_factory=deque)

    def add(self, key: str, value: int) -> None:
        """Keep one and forget the oldest."""
        if key not in self.digests:
            self.order.append(key)
        self.digests[key] = value
        if len(self.order) > KEYS_KEPT:
            del self.digests[self.order.popleft()]


@dataclass(slots=True)
class _Instrument:
    """The views of one instrument's venues and where they were compared last."""

    views: list[View] = field(default_factory=list)
    positions: list[str | None] = field(default_factory=list)


class Judge:
    """Counts what was compared and what was equal; keeps the history of states and what the runs cover."""

    def __init__(self, depths: Mapping[Book, int] | None = None) -> None:
        """Start; `depths` are verified depths by book, filled as they become known; 200 where nothing is said."""
        self.compared = 0
        self.equal = 0
        self.wrong = 0
        self.details: list[str] = []
        self.runs = 0
        self.published = 0
        self.covered: dict[tuple[str, str], Position] = {}
        self.heads: dict[str, int] = {}
        self.history = History()
        self.depths: dict[Book, int] = dict(depths or {})
        self.books: set[Book] = set()
        self._truth: dict[Book, Truth] = {}
        self._awaited: dict[tuple[Book, str], Awaited] = {}
        self._instruments: dict[str, _Instrument] = {}

    @property
    def waiting(self) -> int:
        """How many digests wait for the oracle."""
        return len(self._awaited)

    def learn(self, text: str | bytes) -> None:
        """Take one batch of the oracle."""
        for venue, instrument, key, value in orjson.loads(text)["o"]:
            book = venue, instrument
            self._truth.setdefault(book, Truth()).add(key, value)
            awaited = self._awaited.pop((book, key), None) if self._awaited else None
            if awaited is not None:
                self._compare(book, key, awaited.digest, value, awaited.seq)

    def watch(self, one: Publication, now: float, *, judging: bool = True) -> None:
        """Take the next publication of its instrument; `now` is a monotonic instant in seconds."""
        self._count(one)
        at = one.stamps.ts_published or 0
        if one.kind is not Kind.OPEN:  # which begins before the books are known, and says nothing of them
            for line in one.venues:
                self.history.note((line.name, one.instrument), at, line)
        if not judging:
            return
        kept = self._instruments.setdefault(one.instrument, _Instrument())
        while len(kept.views) < len(one.venues):
            kept.views.append(View())
            kept.positions.append(None)
        _apply(kept.views, one)
        for index, line in enumerate(one.venues):
            position = position_of(line)
            if line.state is not State.LIVE:
                kept.positions[index] = None
            elif position != kept.positions[index]:
                kept.positions[index] = position
                self._judge((line.name, one.instrument), position, kept.views[index], one.seq, now)

    def _count(self, one: Publication) -> None:
        self.published += 1
        self.heads[one.instrument] = one.seq
        for index, epoch, first, last in one.runs.tolist():
            self.runs += last - first + 1
            self.covered[one.instrument, one.venues[index].name] = (epoch, last)

    def _judge(self, book: Book, position: str, view: View, seq: int, now: float) -> None:
        digest = view.digest(self.depths.get(book, VIEW_DEPTH))
        truth = self._truth.get(book)
        value = truth.digests.get(position) if truth else None
        if value is None:
            self._awaited[book, position] = Awaited(digest, seq, now + PATIENCE_S)
        else:
            self._compare(book, position, digest, value, seq)

    def _compare(self, book: Book, position: str, digest: int, value: int, seq: int) -> None:
        self.compared += 1
        self.books.add(book)
        if digest == value:
            self.equal += 1
        else:
            self._wrong(f"{book[0]}:{book[1]} at {position} (publication {seq}) differs from the venue's true book")

    def expire(self, now: float) -> None:
        """Judge what the oracle has not spoken of in time."""
        late = [key for key, awaited in self._awaited.items() if awaited.until <= now]
        for book, position in late:
            seq = self._awaited.pop((book, position)).seq
            self._wrong(f"{book[0]}:{book[1]} at {position} (publication {seq}): the venue was never at that position")

    def _wrong(self, text: str) -> None:
        self.wrong += 1
        if len(self.details) < DETAILS:
            self.details.append(text)

    def report(self) -> dict[str, Any]:
        """Give the figures for the summary."""
        return {"compared": self.compared, "equal": self.equal, "books": len(self.books)}


def position_of(line: VenueLine) -> str:
    """Give a book's position as the oracle names it: its sequence, where the venue numbers books, and its instant."""
    return "/".join("-" if part is None else str(part) for part in (line.last, line.ts_event))


def _apply(views: list[View], one: Publication) -> None:
    """Apply a publication's changes to the views of its venues."""
    if one.kind is not Kind.DELTA:
        for view in views:
            view.clear()
    for code, price, size in one.changes.tolist():
        view = views[code >> 1]
        (view.asks if code & 1 else view.bids).put(price, size)
