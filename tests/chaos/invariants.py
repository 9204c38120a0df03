"""The judge of a chaos run: pure, fed with what was read, never with what anybody believes.

| invariant | violated when |
|---|---|
| I1 duplicates | a change or a trade stands in a stream twice |
| I2 gaps | a sequence or a trade id jumps, or the book is not what the venue's was, and nothing in band says so |
| I3 holes | n is not dense from `open` at 1 |
| zombies | an entry of an older epoch stands behind the `open` of a newer one |
| I4, I6 wrong | a live book differs from the oracle at its own position, to its verified depth |
| I5 publications | seq repeats, or steps by more than one though the server has lost nothing |

I7 to I10 need clocks, meters and clients: `recovery.py`, `recorder.py`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from ingest.venues import VENUES
from thalweg.cli.checks import Raw, Replay
from thalweg.cli.judge import Truth
from thalweg.cursor import Position
from thalweg.events import Delta, Event, Flag, Open, Snapshot, State, Status, Trade
from thalweg.publication import VIEW_DEPTH

DENSE_TRADES = ("binance", "kraken")  # their trade ids step by one
COUNTED_BOOKS = {name for name, venue in VENUES.items() if venue.capability.detector == "sequence"}
"""Their updates say which sequence they begin and end with."""
UNTRUSTED = int(Flag.UNVERIFIED) | int(Flag.CROSSED)
RECENT_TRADES = 20_000
MOST = 12  # violations told of one invariant; the rest is counted
PATIENCE_S = 5.0  # for the oracle
TOLD_BY_US = ("jumps from", "tells change", "tells trade")  # the shipped checker sees what this one finds by itself


@dataclass(slots=True)
class Tally:
    """Violations by invariant, and what was looked at."""

    counts: dict[str, int] = field(default_factory=dict)
    told: dict[str, list[str]] = field(default_factory=dict)
    looked: dict[str, int] = field(default_factory=dict)

    def say(self, invariant: str, text: str) -> None:
        """Note a violation."""
        self.counts[invariant] = self.counts.get(invariant, 0) + 1
        told = self.told.setdefault(invariant, [])
        if len(told) < MOST:
            told.append(text)

    def saw(self, what: str, count: int = 1) -> None:
        """Count what was looked at."""
        self.looked[what] = self.looked.get(what, 0) + count

    @property
    def violations(self) -> int:
        """How many there are."""
        return sum(self.counts.values())


class Oracle:
    """What the venues' books really were, and the digests that wait for its word."""

    def __init__(self, tally: Tally) -> None:
        self.excused: dict[tuple[str, str], float] = {}
        self._tally = tally
        self._truth: dict[tuple[str, str], Truth] = {}
        self._waiting: deque[tuple[float, tuple[str, str], str, int, str]] = deque()

    def learn(self, venue: str, instrument: str, key: str, value: int) -> None:
        """Take one of its words."""
        self._truth.setdefault((venue, instrument), Truth()).add(key, value)

    def compare(self, book: tuple[str, str], key: str, digest: int, where: str, now: float) -> None:
        """Compare a live book with the truth, later if that has not come yet."""
        if self.excused.get(book, 0.0) > now:
            return
        value = self._value(book, key)
        if value is None:
            self._waiting.append((now + PATIENCE_S, book, key, digest, where))
        else:
            self._judge(book, key, digest, value, where)

    def expire(self, now: float) -> None:
        """Judge what has waited long enough."""
        while self._waiting and self._waiting[0][0] <= now:
            _, book, key, digest, where = self._waiting.popleft()
            value = self._value(book, key)
            if self.excused.get(book, 0.0) > now:
                continue
            if value is None:
                self._tally.say("I4", f"{where}: the venue was never at {key}")
            else:
                self._judge(book, key, digest, value, where)

    def _value(self, book: tuple[str, str], key: str) -> int | None:
        truth = self._truth.get(book)
        return truth.digests.get(key) if truth else None

    def _judge(self, book: tuple[str, str], key: str, digest: int, value: int, where: str) -> None:
        self._tally.saw("books compared with the oracle")
        if digest != value:
            self._tally.say("I4", f"{where}: live, and not what {book[0]} had at {key}")


class InputCheck:
    """One input stream, entry by entry, over restarts and lost data."""

    def __init__(self, instrument: str, venue: str, tally: Tally, oracle: Oracle) -> None:
        self.venue, self.instrument = venue, instrument
        self.key = f"st:{instrument}:{venue}"
        self.newest = (0, 0)
        self.depth = VIEW_DEPTH
        self._tally, self._oracle = tally, oracle
        self._replay = Replay(instrument, venue, self.key)
        self._trades: OrderedDict[str, None] = OrderedDict()
        self._last_trade: int | None = None
        self._trade_told = True
        self._again = False
        self._counted: int | None = None  # the venue's sequence of the last change, while it must go on from there
        self._found = 0

    @property
    def state(self) -> State | None:
        """What the stream says of the book by now."""
        return self._replay.state

    def lost(self) -> None:
        """The server has lost what was read last: nothing that comes has to go on from it."""
        self._flush()
        self._replay = Replay(self.instrument, self.venue, self.key)
        self._found, self._trade_told, self._counted = 0, True, None
        self._last_trade = None
        self._again = True
        self._trades.clear()

    def _read_again(self, raw: Raw) -> None:
        """Bring the book to where it was before data was lost, as far as that is still there; it was judged then."""
        event = self._replay.take(raw)
        self._found = len(self._replay.found.violations)
        self._counted = self._replay.position[0] if self._replay.known else None
        if isinstance(event, Trade):
            self._trades[event.id] = None

    def take(self, raw: Raw, now: float) -> Event | None:
        """Take the next entry; one that was read before data was lost and is there still is passed over."""
        at = raw[0]
        self._again = self._again and at <= self.newest
        if self._again:
            self._read_again(raw)
            return None
        if at[0] < self.newest[0]:
            self._tally.say("zombies", f"{self.key}: {at[0]}-{at[1]} after epoch {self.newest[0]} had opened")
        elif at <= self.newest:
            self._tally.say("I3", f"{self.key}: {at[0]}-{at[1]} came after {self.newest}")
        self.newest = max(self.newest, at)
        self._tally.saw("entries")
        known = self._replay.known
        event = self._replay.take(raw)
        self._flush()
        match event:
            case Open():
                self.depth = min(event.verified_depth or VIEW_DEPTH, VIEW_DEPTH)
                self._trade_told, self._counted = True, None
            case Status():
                self._status(event)
            case Snapshot():
                self._counted = event.last
                self._compare(at, now)
            case Delta():
                self._change(event, at, known)
                self._compare(at, now)
            case Trade():
                self._trade(event, at)
        return event

    def _status(self, event: Status) -> None:
        self._trade_told = True
        if event.state is not State.LIVE:
            self._counted = None
        elif event.follows is not None:
            self._counted = self._replay.position[0]

    def _change(self, event: Delta, at: Position, known: bool) -> None:
        last, self._counted = self._counted, event.last
        if not known or self.venue not in COUNTED_BOOKS or event.first is None or event.last is None or last is None:
            return
        if event.last <= last:
            self._tally.say("I1", f"{self.key}: {at[0]}-{at[1]} brings {event.last} again after {last}")
        elif event.first > last + 1:
            self._tally.say("I2", f"{self.key}: {at[0]}-{at[1]} begins at {event.first} after {last}, unmarked")

    def _trade(self, event: Trade, at: Position) -> None:
        if event.id in self._trades:
            self._tally.say("I1", f"{self.key}: {at[0]}-{at[1]} is trade {event.id} again")
        self._trades[event.id] = None
        if len(self._trades) > RECENT_TRADES:
            self._trades.popitem(last=False)
        self._tally.saw("trades")
        if self.venue not in DENSE_TRADES:
            return
        number, told = int(event.id), self._trade_told
        if self._last_trade is not None and number != self._last_trade + 1 and not told:
            self._tally.say("I2", f"{self.key}: {at[0]}-{at[1]} is trade {number} after {self._last_trade}, unmarked")
        self._last_trade, self._trade_told = number, False

    def _compare(self, at: Position, now: float) -> None:
        replay = self._replay
        if replay.known and replay.state is State.LIVE and not replay.flags & UNTRUSTED:
            key = position_key(*replay.position)
            where = f"{self.key} {at[0]}-{at[1]}"
            self._oracle.compare((self.venue, self.instrument), key, replay.view.digest(self.depth), where, now)

    def _flush(self) -> None:
        """Hand on what the replay has found: density, layout, snapshots that deltas do not make."""
        found = self._replay.found.violations
        for text in found[self._found :]:
            if any(words in text for words in TOLD_BY_US):
                continue
            self._tally.say("I2" if "not what the deltas" in text else "I3", text)
        self._found = len(found)


def position_key(last: int | None, ts_event: int | None) -> str:
    """Give a position as the oracle names it."""
    return "/".join("-" if part is None else str(part) for part in (last, ts_event))


class OutCheck:
    """The sequence of one instrument's publications, for ever."""

    def __init__(self, instrument: str, tally: Tally) -> None:
        self.key = f"out:{instrument}"
        self.head = 0
        self.epoch = 0
        self._tally = tally
        self._excused = True
        self._ended: dict[int, int] = {}  # the last seq of each epoch

    def lost(self) -> None:
        """The server has lost data: a hole is allowed once; a repeat never is."""
        self._excused = True

    def take(self, epoch: int, seq: int) -> bool:
        """Take the next record; tells whether it is new (and not only read again after a loss)."""
        if seq <= self.head and self._seen(epoch, seq):
            return False
        self._tally.saw("publications")
        if epoch < self.epoch:
            self._tally.say("zombies", f"{self.key}: {epoch}-{seq} after epoch {self.epoch} had opened")
        if seq <= self.head:
            self._tally.say("I5", f"{self.key}: {epoch}-{seq} repeats a sequence; {self.epoch}-{self.head} was out")
        elif seq != self.head + 1 and not self._excused:
            self._tally.say("I5", f"{self.key}: {epoch}-{seq} after {self.head}, though the server lost nothing")
        self._excused = False
        self.head, self.epoch = max(self.head, seq), max(self.epoch, epoch)
        self._ended[epoch] = seq
        return True

    def _seen(self, epoch: int, seq: int) -> bool:
        return epoch in self._ended and seq <= self._ended[epoch]
