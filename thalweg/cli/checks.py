"""The offline check of one input stream: density, epochs, snapshot == deltas, the venue's own order, no repeats.

Everything is redone with dicts from the bytes alone; each violation is a sentence. Heads that were trimmed are no
violation: a check begins at the first snapshot that is still there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from thalweg.cli.chain import Chain
from thalweg.cli.views import View
from thalweg.cursor import Cursor, Lapped, Position
from thalweg.errors import WireError
from thalweg.events import Delta, Event, Open, Snapshot, State, Status
from thalweg.wire import decode_entry

Raw: TypeAlias = tuple[Position, Sequence[bytes]]
"""Position of an entry and its field names and values in turn."""

MOST = 20  # violations told of one stream; more say no more
FIRST_SAID = 2  # n of the entry after `open`


@dataclass(slots=True)
class Found:
    """What checking has found; counts say how much was really compared."""

    violations: list[str] = field(default_factory=list)
    entries: int = 0
    snapshots: int = 0
    publications: int = 0
    views: int = 0

    def say(self, text: str) -> None:
        """Note a violation, but not without end."""
        if len(self.violations) < MOST:
            self.violations.append(text)

    def add(self, other: Found) -> None:
        """Add another's findings to these."""
        self.violations += other.violations
        for name in ("entries", "snapshots", "publications", "views"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Replay:
    """One input stream read again: the book that its entries make, and whether its IDs are dense."""

    def __init__(self, instrument: str, venue: str, key: str) -> None:
        """Start before the first entry."""
        self.key = key
        self.view = View()
        self.known = False
        self.state: State | None = None
        self.flags = 0
        self.position: tuple[int | None, int | None] = (None, None)
        self.found = Found()
        self.snapshot: Position | None = None
        self._stream = (venue, instrument)
        self._cursor = Cursor(key)
        self._left_at: Position | None = None
        self._left_known = False
        self._left_judged = False
        self._opened = False
        self._chain = Chain()

    @property
    def at(self) -> Position | None:
        """The position of the last entry taken."""
        return self._cursor.at

    def take(self, raw: Raw) -> Event | None:
        """Check and apply the next entry; `None` for one that can't be read."""
        (epoch, n), flat = raw
        self.found.entries += 1
        if n == 1:
            self._left_at, self._left_known = self.at, self.known and self.state is State.LIVE
            self._left_judged = self._opened or self.state not in (None, State.LIVE)
        if self.at is not None and (epoch, n) <= self.at:
            self.found.say(f"{self.key}: {epoch}-{n} stands after {self.at[0]}-{self.at[1]}")
        for one in self._cursor.admit(epoch, n):
            if isinstance(one, Lapped):
                self.found.say(f"{self.key}: {one.first} to {one.last} of epoch {epoch} are missing before {epoch}-{n}")
                self.known = self._opened = False
        try:
            event, _ = decode_entry(*self._stream, dict(zip(flat[::2], flat[1::2], strict=True)))
        except (WireError, ValueError) as error:
            self.found.say(f"{self.key}: {epoch}-{n} can't be read: {error}")
            self.known = False
            return None
        if (n == 1) != isinstance(event, Open):
            self.found.say(
                f"{self.key}: {epoch}-{n} is {_kind(event)}; an epoch opens with `open` at 1 and nowhere else"
            )
        self._apply(event, (epoch, n))
        wrong = self._chain.take(event, followed=self.known)
        if wrong:
            self.found.say(f"{self.key}: {epoch}-{n} {wrong}")
        return event

    def _apply(self, event: Event, at: Position) -> None:
        match event:
            case Open():
                self.known, self.state, self._opened = False, None, True
            case Status():
                self._go_on(event, at)
                self.state, self.flags = event.state, event.flags
                self.known = self.known and event.state is State.LIVE
            case Snapshot():
                self._load(event, at)
            case Delta():
                if self.state is not None and self.state is not State.LIVE:
                    self.found.say(f"{self.key}: {at[0]}-{at[1]} changes a book that is {self.state}")
                elif not self.known and self._opened:
                    self.found.say(f"{self.key}: {at[0]}-{at[1]} changes a book that no snapshot has begun")
                self._put(event)
                self.position = event.last, event.ts_event

    def _go_on(self, event: Status, at: Position) -> None:
        """See whether the epoch goes on from the entry that it says it does, and with it the book."""
        if event.follows is None:
            return
        first = at[1] == FIRST_SAID
        if first and event.follows == self._left_at and self._left_known:
            self.known = True
        elif first and (self._left_at is None or (event.follows == self._left_at and not self._left_judged)):
            self._opened = False  # the head of the stream is gone, and with it the book that goes on here
        else:
            said = f"{event.follows[0]}-{event.follows[1]}"
            self.found.say(f"{self.key}: {at[0]}-{at[1]} says that it follows a live book at {said}, and does not")

    def _load(self, event: Snapshot, at: Position) -> None:
        """Compare a whole book that ingest made of its own with what the deltas gave, then begin from it."""
        whole = View()
        whole.bids.load(map(tuple, event.bids.tolist()))
        whole.asks.load(map(tuple, event.asks.tolist()))
        if self.known and event.made != "venue" and self.state is State.LIVE:
            self.found.snapshots += 1
            for name in ("bids", "asks"):
                made, told = getattr(self.view, name).sizes, getattr(whole, name).sizes
                if made != told:
                    place = f"{self.key}: snapshot {at[0]}-{at[1]}"
                    self.found.say(f"{place} is not what the deltas make: {name} {difference(made, told)}")
        self.view, self.known, self.snapshot = whole, event.state is State.LIVE, at
        self.state, self.flags = event.state, event.flags
        self.position = event.last, event.ts_event

    def _put(self, event: Delta) -> None:
        for price, size in event.bids.tolist():
            self.view.bids.put(price, size)
        for price, size in event.asks.tolist():
            self.view.asks.put(price, size)


def check_input(instrument: str, venue: str, key: str, entries: Iterable[Raw]) -> Replay:
    """Check one input stream from its first entry kept to its last."""
    replay = Replay(instrument, venue, key)
    for raw in entries:
        replay.take(raw)
    return replay


def difference(expected: dict[int, int], found: dict[int, int]) -> str:
    """Say how two sides differ, by the first price that does."""
    prices = sorted(price for price in expected.keys() | found.keys() if expected.get(price) != found.get(price))
    if not prices:
        return "more levels than a view has"
    price = prices[0]
    return f"differ at {len(prices)} prices, first {price}: {found.get(price, 0)} instead of {expected.get(price, 0)}"


def _kind(event: Event) -> str:
    return f"`{type(event).__name__.lower()}`"
