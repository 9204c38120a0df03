"""The judge: reads what the model server holds as any reader would, and compares it with the markets' own truth.

| | must hold |
|---|---|
| I1 | no change of a book and no trade is in a stream twice |
| I2, I3 | n is dense from 1 in every epoch, which begins with `open`; epochs rise; a hole in trades is told |
| I4 | a book that a reader may trust is the true one at its own position, as deep as can be verified |
| I5 | sequences of publications are dense and none comes twice; runs cover every entry of every stream once |
| I6 | a published book that is called live is the true one at its own position |
| I7 | when nothing is wrong any more, everything is live again |

Only a server that lost data may break a stream or a sequence off; what comes after it is judged as ever.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from simulator.oracle import Levels, digest, position
from simulator.world import World
from tests.virtual.network import Network
from tests.virtual.server import Stream
from thalweg import keys
from thalweg.cursor import Cursor, Lapped
from thalweg.events import Delta, Flag, Open, Snapshot, State, Status, Trade
from thalweg.followed import FollowedBook
from thalweg.publication import Kind, Publication, decode_publication

DOUBTED = Flag.UNVERIFIED | Flag.CROSSED
COUNTED = ("binance", "kraken")  # whose trade ids step by one
LOST = "lost"  # in the reason of a status that tells of lost trades
Say = Callable[[str], None]


class Truth:
    """What the true books were at every position that a venue has stated."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[tuple[str, str, str], set[int]] = {}
        self.judged = self.unknown = 0

    def listen(self) -> None:
        """Take what the oracle has to say."""
        text = self._world.oracle.drain()
        for venue, name, key, value in json.loads(text)["o"] if text else ():
            self._known.setdefault((venue, name, key), set()).add(value)

    def depth(self, venue: str, name: str) -> int:
        """How deep a book can be verified."""
        exchange = self._world.exchanges[venue]
        depths = [topic.depth for topic in exchange.desks[name].topics.values() if topic.depth is not None]
        return min([exchange.dialect.verified, *depths])

    def agrees(self, venue: str, name: str, last: int | None, ts_event: int | None, sides: Sequence[Levels]) -> bool:
        """Whether a book is the true one at its position; one that nobody knows of is counted."""
        bids, asks = sides
        known = self._known.get((venue, name, position(last, ts_event)))
        if known is None:
            self.unknown += 1
            return True
        self.judged += 1
        return digest(bids, asks, self.depth(venue, name)) in known


@dataclass
class Reader:
    """One reader of one input stream, and what it has seen of it."""

    name: str
    venue: str
    book: FollowedBook
    cursor: Cursor
    reached: int | None = None
    trades: set[str] = field(default_factory=set)
    number: int | None = None
    told: bool = False
    forgiven: bool = False


class Judge:
    """Reads everything, a few times a second."""

    def __init__(self, network: Network, world: World, say: Say) -> None:
        self.truth = Truth(world)
        self.entries = self.records = 0
        self._network, self._say = network, say
        self._readers = [
            self._reader(name, venue) for venue, exchange in world.exchanges.items() for name in exchange.desks
        ]
        names = sorted({name for exchange in world.exchanges.values() for name in exchange.desks})
        self.outs = {name: Out(name, self.truth, say) for name in names}

    def _reader(self, name: str, venue: str) -> Reader:
        book = FollowedBook(name, venue, lambda: self._network.timeline.now)
        book.connected = True
        return Reader(name, venue, book, Cursor(keys.stream(name, venue)))

    def look(self) -> None:
        """Read what is new, and judge it."""
        for place, reader in enumerate(self._readers):
            stream = self._stream(reader.cursor.key)
            if reader.cursor.at is not None and stream.top < reader.cursor.at:
                fresh = self._reader(reader.name, reader.venue)  # the server lost data: start anew
                fresh.told = True
                reader = self._readers[place] = fresh
            for at in _after(stream, reader.cursor.at):
                self.entries += 1
                self._read(reader, at, stream.entries[at])
            self._compare(reader)
        for name, out in self.outs.items():
            stream = self._stream(keys.out(name))
            if stream.top < (out.cursor.at or (0, 0)):
                out.forgive()
                out.cursor = Cursor(out.cursor.key, counts_on=True)
            for at in _after(stream, out.cursor.at):
                self.records += 1
                out.read(at, stream.entries[at][1])

    def forgive(self) -> None:
        """The server has lost data: what was in the part that is gone may come again, or be missing."""
        for reader in self._readers:
            reader.trades, reader.number, reader.told, reader.reached = set(), None, True, None
            reader.forgiven = True
        for out in self.outs.values():
            out.forgive()

    def _stream(self, key: str) -> Stream:
        found = self._network.server.keys.get(key.encode())
        return found if isinstance(found, Stream) else Stream()

    def _read(self, reader: Reader, at: tuple[int, int], words: list[bytes]) -> None:
        key, first = reader.cursor.key, reader.cursor.at is None
        before = reader.cursor.at
        for told in reader.cursor.admit(*at):
            reader.book.pass_by(told)
            if isinstance(told, Lapped) and not reader.forgiven:
                self._say(f"I3 {key}: {told.first} to {told.last} of epoch {told.epoch} are missing")
        if before is not None and at[0] < before[0]:
            self._say(f"I3 {key}: epoch {at[0]} after {before[0]}")
        taken = reader.book.take(at, words)
        if not isinstance(taken, tuple):
            self._say(f"I2 {key}: {at} can't be read: {taken}")
            return
        event = taken[0]
        if (at[1] == 1) != isinstance(event, Open) and not first:
            self._say(f"I3 {key}: {at} is a {type(event).__name__}")
        match event:
            case Open():
                reader.forgiven = False
                reader.told = True  # trades that nobody saw while nobody wrote: numbers tell, where there are some
            case Snapshot():
                reader.reached = event.last
            case Delta():
                self._changes(reader, event)
            case Trade():
                self._trade(reader, event)
            case Status():
                reader.told = reader.told or LOST in event.reason or "trade" in event.reason

    def _changes(self, reader: Reader, event: Delta) -> None:
        if event.last is not None and reader.reached is not None and event.last <= reader.reached:
            self._say(f"I1 {reader.cursor.key}: changes up to {event.last} again, after {reader.reached}")
        reader.reached = event.last

    def _trade(self, reader: Reader, event: Trade) -> None:
        if event.id in reader.trades:
            self._say(f"I1 {reader.cursor.key}: trade {event.id} again")
        reader.trades.add(event.id)
        if event.id.isdigit() and reader.venue in COUNTED:
            number, before = int(event.id), reader.number
            if before is not None and number > before + 1 and not reader.told:
                self._say(
                    f"I2 {reader.cursor.key}: trades {before + 1} to {number - 1} are missing, and nothing says so"
                )
            reader.number, reader.told = number, False

    def _compare(self, reader: Reader) -> None:
        book = reader.book
        if not book.live or book.flags & DOUBTED:
            return
        sides = [book.bids().tolist(), book.asks().tolist()]
        if not self.truth.agrees(reader.venue, reader.name, book.sequence, book.ts_event, sides):
            self._say(f"I4 {reader.cursor.key}: live and wrong at {book.sequence}/{book.ts_event}")

    def all_live(self) -> list[str]:
        """Give what is not live."""
        found = [f"{one.cursor.key} {one.book.state} {one.book.reason}" for one in self._readers if not one.book.live]
        return found + [f"{keys.out(name)} {line}" for name, out in self.outs.items() for line in out.not_live()]


def _after(stream: Stream, at: tuple[int, int] | None) -> list[tuple[int, int]]:
    """The IDs after a position, oldest first."""
    return stream.ids[bisect_right(stream.ids, at) if at is not None else 0 :]


class Out:
    """One instrument's publications as a reader has them."""

    def __init__(self, name: str, truth: Truth, say: Say) -> None:
        self.cursor = Cursor(keys.out(name), counts_on=True)
        self._name, self._truth, self._say = name, truth, say
        self._forgiven = self._lost = False
        self._lines: dict[str, State] = {}
        self._views: dict[int, dict[int, int]] = {}
        self._covered: dict[str, tuple[int, int]] = {}

    def forgive(self) -> None:
        """The server has lost data: sequences may jump now, and runs and views begin anew."""
        self._forgiven = self._lost = True
        self._covered.clear()
        self._views.clear()

    def read(self, at: tuple[int, int], record: bytes) -> None:
        """Judge one record."""
        one = decode_publication(record)
        before = self.cursor.at
        for told in self.cursor.admit(*at):
            jumps = before is not None and (at[0] == before[0] or not self._lost)  # only a new epoch after a loss may
            if isinstance(told, Lapped) and jumps and not self._forgiven:
                self._say(f"I5 {self.cursor.key}: publications {told.first} to {told.last} are missing")
        if before is not None and at[1] <= before[1] and not (self._lost and at[0] > before[0]):
            self._say(f"I5 {self.cursor.key}: publication {at[1]} again")
        self._forgiven = False
        if (one.epoch, one.seq) != at:
            self._say(f"I5 {self.cursor.key}: record {one.epoch}-{one.seq} at {at}")
        self._cover(one)
        self._apply(one)

    def _cover(self, one: Publication) -> None:
        for index, epoch, first, last in one.runs.tolist():
            venue = one.venues[index].name
            before = self._covered.get(venue)
            if before is not None and first != (before[1] + 1 if epoch == before[0] else 1):
                self._say(f"I5 {self.cursor.key}: {venue} {epoch}-{first} after {before[0]}-{before[1]}")
            self._covered[venue] = epoch, last

    def _apply(self, one: Publication) -> None:
        if one.kind is Kind.KEY:
            self._views.clear()
        for code, price, size in one.changes.tolist():
            self._views.setdefault(code, {})[price] = size
        self._lines = {line.name: line.state for line in one.venues}
        for index, line in enumerate(one.venues if one.kind is Kind.KEY else ()):
            if line.state is not State.LIVE or line.flags & DOUBTED:
                continue
            sides = [self._side(2 * index, -1), self._side(2 * index + 1, 1)]
            if not self._truth.agrees(line.name, self._name, line.last, line.ts_event, sides):
                self._say(f"I6 {self.cursor.key}: {line.name} published live and wrong at {line.last}/{line.ts_event}")

    def _side(self, code: int, sign: int) -> list[tuple[int, int]]:
        view = self._views.get(code, {})
        return [(price, view[price]) for price in sorted(view, key=lambda price: sign * price) if view[price]]

    def not_live(self) -> list[str]:
        """Give the venues that are not published as live."""
        return [f"{venue} {state}" for venue, state in self._lines.items() if state is not State.LIVE] or (
            [] if self._lines else ["nothing published"]
        )
