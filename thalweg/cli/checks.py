"""The offline checks of one instrument's streams: density, snapshot == deltas, publications == inputs.

Everything is redone with dicts from the bytes alone; each violation is a sentence. Heads that were trimmed are no
violation: a check begins at the first snapshot, or the first key record, that is still there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from thalweg.cli.views import View
from thalweg.errors import WireError
from thalweg.events import Delta, Event, Open, Snapshot, State, Status, Trade
from thalweg.publication import VIEW_DEPTH, Kind, Publication, decode_publication
from thalweg.read import Cursor, Lapped, Position
from thalweg.wire import decode_entry

Raw: TypeAlias = tuple[Position, Sequence[bytes]]
"""Position of an entry and its field names and values in turn."""

MOST = 20  # violations told of one stream; more say no more
SHOWN_TRADES = 3
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
        told = self._cursor.admit(epoch, n)
        for one in told:
            if isinstance(one, Lapped):
                self.found.say(f"{self.key}: {one.first} to {one.last} of epoch {epoch} are missing before {epoch}-{n}")
                self.known = False
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
        return event

    def _apply(self, event: Event, at: Position) -> None:
        match event:
            case Open():
                self.known, self.state = False, None
            case Status():
                self._go_on(event, at)
                self.state, self.flags = event.state, event.flags
            case Snapshot():
                self._load(event, at)
            case Delta():
                if self.known and self.state is not State.LIVE:
                    self.found.say(f"{self.key}: {at[0]}-{at[1]} changes a book that is {self.state}")
                self._put(event)
                self.position = event.last, event.ts_event

    def _go_on(self, event: Status, at: Position) -> None:
        """See whether the epoch goes on from the entry that it says it does, and with it the book."""
        if event.follows is None:
            return
        first = at[1] == FIRST_SAID
        if first and event.follows == self._left_at:
            self.known = self._left_known
        elif self._left_at is not None or not first:
            wrong = (
                f"{self.key}: {at[0]}-{at[1]} says that it follows {event.follows[0]}-{event.follows[1]}, and does not"
            )
            self.found.say(wrong)

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
                    difference = _difference(made, told)
                    self.found.say(
                        f"{self.key}: snapshot {at[0]}-{at[1]} is not what the deltas make: {name} {difference}"
                    )
        self.view, self.known, self.snapshot = whole, True, at
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


class Inputs:
    """The input streams of one instrument, advanced run by run as the publications say."""

    def __init__(self, instrument: str, streams: Mapping[str, tuple[str, Sequence[Raw]]]) -> None:
        """Take every venue's key and entries."""
        self.replays = {venue: Replay(instrument, venue, key) for venue, (key, _) in streams.items()}
        self._entries = {venue: entries for venue, (_, entries) in streams.items()}
        self._next = dict.fromkeys(streams, 0)
        self.covered: dict[str, Position] = {}

    def advance(self, venue: str, epoch: int, last: int) -> list[Trade]:
        """Take a venue's entries up to a run's last and give the trades among them."""
        entries, replay, at = self._entries[venue], self.replays[venue], self._next[venue]
        trades = []
        while at < len(entries) and entries[at][0] <= (epoch, last):
            event = replay.take(entries[at])
            at += 1
            if isinstance(event, Trade):
                trades.append(event)
        self._next[venue] = at
        return trades

    def first(self, venue: str) -> Position | None:
        """Give the position of a venue's oldest entry."""
        entries = self._entries[venue]
        return entries[0][0] if entries else None


def check_publications(
    key: str, records: Sequence[Raw], instrument: str, streams: Mapping[str, tuple[str, Sequence[Raw]]]
) -> Found:
    """Check one `out:` stream, and that what it shows is what its inputs make."""
    found, inputs, cursor = Found(), Inputs(instrument, streams), Cursor(key, counts_on=True)
    views: list[View] | None = None
    for (epoch, seq), flat in records:
        found.publications += 1
        for told in cursor.admit(epoch, seq):
            if isinstance(told, Lapped):
                found.say(f"{key}: {told.first} to {told.last} are missing before {epoch}-{seq}")
                views = None
        try:
            one = decode_publication(flat[1])
        except (WireError, IndexError) as error:
            found.say(f"{key}: {epoch}-{seq} can't be read: {error}")
            continue
        if (one.epoch, one.seq) != (epoch, seq):
            found.say(f"{key}: the record at {epoch}-{seq} says it is {one.epoch}-{one.seq}")
        views = _shown(views, one)
        touched = _follow_runs(key, one, inputs, found)
        if views is not None:
            _compare(key, one, views, inputs, touched, found)
    return found


def _shown(views: list[View] | None, one: Publication) -> list[View] | None:
    """Apply a record to the views it changes; `None` before the first key record."""
    if one.kind is Kind.KEY:
        views = [View() for _ in one.venues]
    if views is None or one.kind is Kind.OPEN:
        return None if one.kind is Kind.OPEN else views
    for code, price, size in one.changes.tolist():
        view = views[code >> 1]
        (view.asks if code & 1 else view.bids).put(price, size)
    return views


def _follow_runs(key: str, one: Publication, inputs: Inputs, found: Found) -> set[int]:
    """Advance the inputs by a record's runs; check that these leave nothing out, and carry all trades."""
    touched, trades, whole = set(), list[tuple[str, int, int, str]](), True
    for index, epoch, first, last in one.runs.tolist():
        venue = one.venues[index].name
        touched.add(index)
        before = inputs.covered.get(venue)
        expected = before[1] + 1 if before and before[0] == epoch else 1
        if before is not None and first != expected:
            found.say(f"{key}: {one.seq} takes {venue} from {epoch}-{first}, but {epoch}-{expected} is next")
        if before is None:  # what came earlier was in publications that are trimmed away
            inputs.advance(venue, epoch, first - 1)
        inputs.covered[venue] = (epoch, last)
        oldest = inputs.first(venue)
        whole = whole and oldest is not None and oldest <= (epoch, first)
        trades += [(venue, trade.price, trade.size, trade.id) for trade in inputs.advance(venue, epoch, last)]
    told = [(one.venues[trade.venue].name, trade.price, trade.size, trade.id) for trade in one.trades]
    if whole and told != trades:
        found.say(f"{key}: {one.seq} has trades {told[:SHOWN_TRADES]}, its inputs have {trades[:SHOWN_TRADES]}")
    return touched


def _compare(key: str, one: Publication, views: list[View], inputs: Inputs, touched: set[int], found: Found) -> None:
    """Compare what a record shows of live books with what their inputs make."""
    for index, line in enumerate(one.venues):
        replay = inputs.replays.get(line.name)
        if line.state is not State.LIVE or replay is None or not replay.known:
            continue
        if index not in touched and one.kind is not Kind.KEY:
            continue
        if replay.at != inputs.covered.get(line.name):
            continue
        found.views += 1
        place = f"{key}: {one.seq} shows {line.name}"
        if replay.state is not State.LIVE:
            found.say(f"{place} as live, but its stream says {replay.state}")
        if replay.position != (line.last, line.ts_event):
            found.say(f"{place} at {line.last}/{line.ts_event}, but its stream is at {replay.position}")
        for name in ("bids", "asks"):
            shown, made = getattr(views[index], name).best(VIEW_DEPTH), getattr(replay.view, name).best(VIEW_DEPTH)
            if shown != made or len(getattr(views[index], name).sizes) != len(shown):
                found.say(f"{place} with other {name} than its inputs make: {_difference(dict(made), dict(shown))}")


def _difference(expected: dict[int, int], found: dict[int, int]) -> str:
    """Say how two sides differ, by the first price that does."""
    prices = sorted(price for price in expected.keys() | found.keys() if expected.get(price) != found.get(price))
    if not prices:
        return "more levels than a view has"
    price = prices[0]
    return f"differ at {len(prices)} prices, first {price}: {found.get(price, 0)} instead of {expected.get(price, 0)}"


def _kind(event: Event) -> str:
    return f"`{type(event).__name__.lower()}`"
