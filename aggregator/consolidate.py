"""One instrument over all its venues: entries in, one publication a batch out.

A batch is taken entry by entry, then merged once (views compared with the last published ones, best bid and
offer over the live books), then made a publication, and settled when the server has confirmed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from aggregator.books import VenueBook
from aggregator.counters import Counters
from thalweg.book import ASK_SIGN, BID_SIGN
from thalweg.events import Delta, Event, Made, Snapshot, Trade
from thalweg.fixed import NO_LEVELS, Levels
from thalweg.instruments import Instrument
from thalweg.kernels import compare_views
from thalweg.ladder import Quote, best_quote
from thalweg.publication import (
    NO_CHANGES,
    NO_RUNS,
    VIEW_DEPTH,
    Kind,
    Publication,
    PublishedTrade,
    Rows,
    Stamps,
    VenueLine,
)

KEY_EVERY = 256  # records; a reader that lost one is whole again after at most so many
KEY_EVERY_NS = 900_000_000  # looked at every 250 ms at the latest, so a key record comes at least every 1.15 s
_CODES = ((0, BID_SIGN), (1, ASK_SIGN))

Entries = Sequence[tuple[bytes, Sequence[bytes]]]
"""A piece of a stream as the server gives it: ID, and field names and values in turn."""
Part = tuple[int, Entries]
"""What one venue's stream brought: the venue's index, and the entries."""


class Ladder:
    """One instrument: its venues' books, the views last published, and the batch at hand.

    `seq` is that of the last publication made, `confirmed` of the last the server has confirmed, `opened` of the
    epoch's first, `first` of the first since nobody else owned the instrument: sequences are dense, so they count the
    publications. `carried` are those of the process before that.

    `waits` holds, for each entry of the batch that came straight through, how long it was on its way through the
    stream. Snapshots that ingest made, status and open entries and entries older than `live_since` are left out of
    it and of the stamps: they were not on their way from a venue just now.
    """

    __slots__ = (
        *("_buffer", "_keyed_at", "_kind", "_oldest", "_runs", "_since_key", "_touched", "_trades", "_views"),
        *("batch", "books", "changes", "instrument", "live_since", "quote", "settled", "waits"),
        *("carried", "confirmed", "epoch", "first", "opened", "seq"),
    )

    def __init__(self, instrument: Instrument, venues: Iterable[str]) -> None:
        """Start with empty books."""
        self.instrument = instrument
        self.books = [VenueBook(instrument, venue) for venue in venues]
        self.epoch = self.seq = self.opened = self.first = self.confirmed = self.carried = self.live_since = 0
        self.settled = Counters()
        self.quote = Quote()
        self._views: list[list[Levels]] = [[NO_LEVELS, NO_LEVELS] for _ in self.books]
        self._buffer = np.empty((2 * VIEW_DEPTH, 2), dtype=np.int64)
        self._keyed_at: int | None = None
        self._since_key = 0
        self._kind = Kind.OPEN
        self._begin_batch()

    def _begin_batch(self) -> None:
        """Forget the batch; its entries are in a publication."""
        self.batch = Counters()
        self.waits: list[int] = []
        self.changes: Rows = NO_CHANGES
        self._runs: list[list[int]] = []
        self._trades: list[PublishedTrade] = []
        self._touched: set[int] = set()
        self._oldest: tuple[int, int | None, int] | None = None

    def take(self, index: int, entries: Entries, ts_read: int) -> None:
        """Read entries of venue `index`, which were in our hands at `ts_read`."""
        book = self.books[index]
        for identity, words in entries:
            head, _, tail = identity.partition(b"-")  # the server's own, so surely two numbers
            epoch, n = number = (int(head), int(tail))
            taken = book.take(number, dict(zip(words[::2], words[1::2], strict=True)), ts_read, self.batch)
            self._cover(index, epoch, n)
            if taken is not None:
                self._note(index, *taken, ts_read)

    def _cover(self, index: int, epoch: int, n: int) -> None:
        """Put an entry into the runs: the last one if it follows, else a new one."""
        last = self._runs[-1] if self._runs else None
        if last is not None and last[0] == index and last[1] == epoch and last[3] == n - 1:
            last[3] = n
        else:
            self._runs.append([index, epoch, n, n])

    def _note(self, index: int, event: Event, ts_append: int, ts_read: int) -> None:
        """Keep what the publication needs of an event beside its book: trades and stamps."""
        if isinstance(event, Trade):
            trade = PublishedTrade(index, event.taker, event.price, event.size, event.id, event.ts_event, event.ts_recv)
            self._trades.append(trade)
        else:
            self._touched.add(index)
            if not (isinstance(event, Delta) or (isinstance(event, Snapshot) and event.made is Made.VENUE)):
                return
        if ts_append < self.live_since:
            return
        self.waits.append(ts_read - ts_append)
        if self._oldest is None or event.ts_recv < self._oldest[0]:
            self._oldest = (event.ts_recv, event.ts_event, ts_append)

    def stand_at(self, seq: int) -> None:
        """Begin an epoch: the server has given `seq` to the record that opened it."""
        self.seq = self.opened = self.first = self.confirmed = seq

    def floor(self, top: int) -> int:
        """Give the sequence that a later epoch must stay above, where the server's stream ends with `top`.

        Normally the last one confirmed: one whose outcome is not known may not have been published, and would leave a
        hole. A server that lost what it had confirmed may have lost that one, too, after readers saw it.
        """
        return self.confirmed if top >= self.confirmed else self.seq

    def succeed(self, before: Ladder, *, landed: bool, dense: bool) -> None:
        """Go on counting where the ladder of an earlier epoch stopped.

        Args:
            before: that ladder.
            landed: the server got its last batch.
            dense: nobody else published since.
        """
        self.settled.add(before.settled)
        if landed:
            self.settled.add(before.batch)
        if dense:
            self.first, self.carried = before.first, before.carried
        else:
            self.carried = before.published + landed

    @property
    def published(self) -> int:
        """Publications of this process that the server has confirmed."""
        return self.carried + (self.confirmed - self.first + 1 if self.confirmed else 0)

    @property
    def pending(self) -> int:
        """Entries read that are in no publication the server has confirmed."""
        return self.batch.read

    def counts(self) -> Counters:
        """Give the counts; an entry counts as covered once the server has confirmed its publication."""
        counts = replace(self.batch, covered=0)
        counts.add(self.settled)
        return counts

    def key_due(self, now_ns: int) -> bool:
        """Whether the next record must be a key record, at a monotonic instant."""
        return self._keyed_at is None or now_ns - self._keyed_at >= KEY_EVERY_NS or self._since_key >= KEY_EVERY - 1

    def merge(self, kind: Kind) -> None:
        """Find the changes since the last publication, or for a key record the whole view; and the quote."""
        key = kind is Kind.KEY
        rows: list[Rows] = []
        for index, book in enumerate(self.books):
            if key or index in self._touched:
                views = [book.book.bids(VIEW_DEPTH), book.book.asks(VIEW_DEPTH)]
                rows += self._whole(index, views) if key else self._changed(index, views)
                self._views[index] = views
        self.changes = np.concatenate(rows) if rows else NO_CHANGES
        live = [book.book for book in self.books if book.live]
        self.quote = best_quote([book.best_bid for book in live], [book.best_ask for book in live])

    def _changed(self, index: int, views: list[Levels]) -> list[Rows]:
        """Give the rows that make the published views of a venue the new ones."""
        found = []
        for (side, sign), old, new in zip(_CODES, self._views[index], views, strict=True):
            count = compare_views(old, new, sign, self._buffer)
            if count:
                found.append(_rows(2 * index + side, self._buffer[:count]))
        return found

    def _whole(self, index: int, views: list[Levels]) -> list[Rows]:
        """Give a venue's whole view as rows."""
        return [_rows(2 * index + side, view) for (side, _), view in zip(_CODES, views, strict=True) if len(view)]

    def publication(self, kind: Kind, ts_read: int, ts_applied: int, ts_merged: int) -> Publication:
        """Make the batch, once merged, the next publication; its `ts_published` is still to be set.

        Args:
            kind: what was merged: changes (`DELTA`) or the whole view (`KEY`).
            ts_read: when the batch was in our hands.
            ts_applied: when all of it was in the books.
            ts_merged: when changes and quote were known.
        """
        self.seq += 1
        self._kind = kind
        stamps = Stamps()
        if self._oldest is not None:
            ts_recv, ts_event, ts_append = self._oldest
            stamps = Stamps(ts_event, ts_recv, ts_append, ts_read, ts_applied, ts_merged)
        runs = np.array(self._runs, dtype=np.int64) if self._runs else NO_RUNS
        self.batch.covered += sum(last - first + 1 for _, _, first, last in self._runs)
        return self._record(kind, stamps, runs, [book.shown() for book in self.books])

    def opening(self) -> Publication:
        """Give the record that begins an epoch of `out:`; the server sets its sequence.

        It has no levels, so it says live of no book, also where a standby has them all.
        """
        self.seq = 0
        return self._record(Kind.OPEN, Stamps(), NO_RUNS, [VenueLine(book.line.name) for book in self.books])

    def _record(self, kind: Kind, stamps: Stamps, runs: Rows, lines: list[VenueLine]) -> Publication:
        instrument = self.instrument
        return Publication(
            kind,
            instrument.name,
            self.seq,
            self.epoch,
            instrument.price_decimals,
            instrument.size_decimals,
            stamps,
            self.quote,
            lines,
            runs,
            self.changes,
            self._trades,
        )

    def abandon(self) -> None:
        """Forget the batch: its entries were not published, and another aggregator reads them again."""
        self._begin_batch()

    def settle(self, now_ns: int) -> None:
        """Close the batch: the server has its publication, read at this monotonic instant."""
        self._since_key += 1
        if self._kind is Kind.KEY:
            self._keyed_at, self._since_key = now_ns, 0
        self.confirmed = self.seq
        self.settled.add(self.batch)
        self._begin_batch()


def _rows(code: int, levels: Levels) -> Rows:
    """Give levels as rows of a publication: code, price, size."""
    rows = np.empty((len(levels), 3), dtype=np.int64)
    rows[:, 0] = code
    rows[:, 1:] = levels
    return rows
