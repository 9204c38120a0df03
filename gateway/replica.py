"""Replicas: what has been published of one instrument, put together from binary records.

A `key` record replaces a venue's book, a `delta` changes it; the sequence must be dense, and every step is counted:
head - joined_at == received + refilled.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from gateway.levels import Scale, Shown
from gateway.side import ASK, BID, Side
from thalweg.events import State, Taker
from thalweg.fixed import Levels
from thalweg.instruments import Instrument
from thalweg.ladder import Ladder, Quote, best_quote
from thalweg.publication import Kind, Publication, Rows, Stamps, VenueLine

TRADES_KEPT = 1000  # trades of one instrument; more than five times what the busiest second has brought
MANY = 64  # changes, as of a key record: more are sorted at once where nothing was before
UNSETTLED = 256  # records whose changes may wait until somebody looks; a key record comes that often

Best = tuple[int, int] | None


def is_sound(one: Publication) -> bool:
    """Whether changes and trades name venues that the record has; one that does not must not be applied."""
    venues = len(one.venues)
    codes = one.changes[:, 0]
    known = not len(codes) or (codes.min() >= 0 and codes.max() < 2 * venues)
    return bool(known) and all(0 <= trade.venue < venues for trade in one.trades)


class Step(Enum):
    """What a record is to a replica."""

    NEXT = "next"
    REPEATED = "repeated"
    HOLE = "hole"  # records before it are missing: fetch them from `out:`
    RESET = "reset"  # a newer epoch counts from lower: the stream was lost; join again
    EARLY = "early"  # no key record yet
    JOIN = "join"  # the key record that an unjoined replica waits for


@dataclass(slots=True)
class ShownTrade:
    """A trade as the replica keeps it."""

    venue: str
    price: int
    size: int
    taker: Taker
    id: str
    ts: int


class Replica:
    """One instrument as published. `trouble` says why nothing of it may be called live, `troubled_at` since when."""

    def __init__(self, instrument: Instrument) -> None:
        """Begin with nothing known of any venue that lists the instrument."""
        self.instrument = instrument
        self.scale = Scale(instrument.price_decimals, instrument.size_decimals, tuple(instrument.symbols))
        self.lines = {venue: VenueLine(venue) for venue in instrument.symbols}
        self._books = {venue: (Side(BID), Side(ASK)) for venue in instrument.symbols}
        self._ladders: tuple[Ladder, Ladder] | None = None  # bids and asks, from the first look after a key record on
        self._merged: tuple[bool, ...] = ()  # which venues are in the ladders
        self._changes: list[Rows] = []
        self._names: list[str] = []
        self.trades: deque[ShownTrade] = deque(maxlen=TRADES_KEPT)
        self.traded = 0
        self.stamps = Stamps()
        self.ts_received = 0
        self.seq = 0
        self.epoch = 0
        self.joined_at: int | None = None
        self.received = 0
        self.refilled = 0
        self.applied = 0
        self.generation = 0
        self.trouble: str | None = None
        self.troubled_at = 0

    def step(self, one: Publication) -> Step:
        """Say what a record is to this replica."""
        if self.joined_at is None:
            return Step.JOIN if one.kind is Kind.KEY else Step.EARLY
        if one.seq == self.seq + 1:
            return Step.NEXT
        if one.seq > self.seq + 1:
            return Step.HOLE
        return Step.RESET if one.epoch > self.epoch else Step.REPEATED

    def join(self, records: Sequence[Publication], now_ns: int) -> None:
        """Start over from a key record and those after it; what they hold counts as known before joining."""
        self.generation += 1
        self.received = self.refilled = 0
        for one in records:
            self._apply(one, one.stamps.ts_published or now_ns)
        self.joined_at = self.seq

    def receive(self, one: Publication, now_ns: int) -> None:
        """Apply the next record, pushed to us."""
        self.received += 1
        self._apply(one, now_ns)

    def refill(self, one: Publication, now_ns: int) -> None:
        """Apply the next record, fetched from `out:`."""
        self.refilled += 1
        self._apply(one, one.stamps.ts_published or now_ns)

    def _apply(self, one: Publication, ts_received: int) -> None:
        """Apply a record; one that was fetched counts as received when it was published, so that ages are true."""
        self.seq, self.epoch, self.stamps, self.ts_received = one.seq, one.epoch, one.stamps, ts_received
        self.applied += 1
        if one.kind is Kind.KEY:
            self._changes.clear()
            self._ladders = None
            self._books = {venue: (Side(BID), Side(ASK)) for venue in self._books}
            self.lines = {venue: VenueLine(venue) for venue in self.lines}
        if one.kind is Kind.OPEN:
            self._reopen()
        self.scale.price_decimals, self.scale.size_decimals = one.price_decimals, one.size_decimals
        self.lines.update((line.name, line) for line in one.venues if line.name in self.lines)
        names = [line.name for line in one.venues]
        if names != self._names or len(self._changes) >= UNSETTLED:
            self._settle()
            self._names = names
        self._changes.append(one.changes)
        for trade in one.trades:
            shown = ShownTrade(
                names[trade.venue], trade.price, trade.size, trade.taker, trade.id, trade.ts_event or trade.ts_recv
            )
            self.trades.append(shown)
            self.traded += 1

    def _reopen(self) -> None:
        """Trust no book until the new aggregator's key record: it may have missed what the old one knew."""
        for venue, line in self.lines.items():
            self.lines[venue] = VenueLine(venue, State.SYNCING, since=line.since, reason="aggregator took over")

    def _settle(self) -> None:
        """Bring the changes since the last look into the books: a later one wins.

        Most records are never looked at one by one, and a key record empties the list.
        """
        if not self._changes:
            return
        sides = [side for name in self._names for side in self._books.get(name) or (Side(BID), Side(ASK))]
        for changes in self._changes:
            if len(changes) < MANY or any(map(len, sides)):
                rows = changes.tolist()
                for code, price, size in rows:
                    sides[code].put(price, size)
                if self._ladders is not None:
                    self._change(self._ladders, rows)
            else:
                self._ladders = None
                for code, side in enumerate(sides):
                    side.fill(changes[changes[:, 0] == code, 1:])
        self._changes.clear()

    def _change(self, ladders: tuple[Ladder, Ladder], rows: Sequence[Sequence[int]]) -> None:
        """Bring changes into the ladders, as far as their venues are in there."""
        venues = dict(zip(self.scale.venues, enumerate(self._merged), strict=True))
        places = [venues.get(name, (0, False)) for name in self._names]
        for code, price, size in rows:
            column, merged = places[code >> 1]
            if merged:
                ladders[code & 1].change(column, price, max(size, 0))

    def trust(self, trouble: str | None, now_ns: int) -> None:
        """Note what speaks against calling anything live, as of a wall instant; `None` if nothing does."""
        if trouble != self.trouble:
            self.trouble, self.troubled_at = trouble, now_ns

    def since(self, venue: str) -> int | None:
        """Give since when a book is in its state."""
        line = self.lines[venue]
        return self.troubled_at if self.trouble and line.state is State.LIVE else line.since

    def state(self, venue: str) -> State:
        """Give a book's state as it may be shown: one that we can't hear of is not live."""
        state = self.lines[venue].state
        return State.STALE if self.trouble and state is State.LIVE else state

    def reason(self, venue: str) -> str:
        """Give why a book is in its state."""
        line = self.lines[venue]
        return self.trouble if self.trouble and line.state is State.LIVE else line.reason

    def age_ms(self, venue: str, now_ns: int) -> int | None:
        """Give how long ago the book last changed: its age when published and the time since."""
        ts_book, ts_published = self.lines[venue].ts_book, self.stamps.ts_published
        if ts_book is None:
            return None
        before = (ts_published or self.ts_received) - ts_book
        return max(0, before + now_ns - self.ts_received) // 1_000_000

    def sides(self, venue: str) -> tuple[Levels, Levels]:
        """Give a venue's bids and asks, `(n, 2)`, best first."""
        self._settle()
        bids, asks = self._books[venue]
        return bids.array(), asks.array()

    def tops(self, venue: str, depth: int) -> tuple[Shown, Shown]:
        """Give the best of a venue's bids and asks, best first."""
        self._settle()
        bids, asks = self._books[venue]
        return bids.top(depth), asks.top(depth)

    def best(self, venue: str) -> tuple[Best, Best]:
        """Give a venue's best bid and offer, whatever its state."""
        self._settle()
        bids, asks = self._books[venue]
        return bids.best(), asks.best()

    def ladder(self, depth: int) -> tuple[Shown, Shown]:
        """Give the best of the live books together; one column a venue, whether it is live or not."""
        self._settle()
        live = tuple(self.state(venue) is State.LIVE for venue in self.scale.venues)
        if self._ladders is None or live != self._merged:
            self._ladders, self._merged = self._merge(live), live
        bids, asks = self._ladders
        return bids.top(depth), asks.top(depth)

    def _merge(self, live: Sequence[bool]) -> tuple[Ladder, Ladder]:
        """Make the ladders anew."""
        ladders = Ladder(BID, len(live)), Ladder(ASK, len(live))
        for column, venue in enumerate(self.scale.venues):
            if live[column]:
                for ladder, side in zip(ladders, self._books[venue], strict=True):
                    ladder.load(column, side.array())
        return ladders

    def quote(self) -> Quote:
        """Give the best bid and offer over the live books."""
        tops = [self.best(venue) for venue in self.scale.venues if self.state(venue) is State.LIVE]
        return best_quote([bid for bid, _ in tops], [ask for _, ask in tops])

    def recent(self, first: int, end: int) -> list[ShownTrade]:
        """Give the trades numbered `first` to `end` (not included) that are still kept, oldest first."""
        oldest = self.traded - len(self.trades)
        return list(itertools.islice(self.trades, max(first - oldest, 0), max(end - oldest, 0)))
