"""One venue's book as its stream tells it: continuity of entry numbers, state, levels at full depth.

The state follows the entries alone, since they are the authority:

| entry | book | state |
|---|---|---|
| `open` | kept, but not trusted until a snapshot | `connecting` until the next entry says more |
| `status` after it that `follows` the entry we stood at with a live book | trusted again | the status's |
| `snapshot` | replaced, trusted again if it is live | the snapshot's |
| `delta` on a live book | applied | - |
| `delta` on any other book | skipped, not trusted until a snapshot | - |
| `status` | not trusted until a snapshot if it is not live | the status's, but never `live` on a book not trusted |
| a hole in n, an entry we can't read | kept, but not trusted until a snapshot | `stale` |

The loss of an epoch's last entries can't be seen by n; the `open` entry that follows costs the book its trust anyway.
On top of that a book whose ingest is not heard from is shown `connecting` (never heard) or `stale` (silent), and one
whose stream we have not caught up with for a second is flagged `late`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from aggregator.counters import Counters
from thalweg.book import Book
from thalweg.errors import WireError
from thalweg.events import Delta, Event, Flag, Open, Snapshot, State, Status
from thalweg.instruments import Instrument
from thalweg.publication import VenueLine
from thalweg.wire import Fields, decode_entry

Cursor: TypeAlias = tuple[int, int]
"""Where a reader stands in a stream: epoch and n of the last entry read."""

LAPPED = "lapped"
UNREADABLE = "unreadable entry"
UNOPENED = "epoch without open entry"
OTHER_DECIMALS = "other decimals"
NEW_EPOCH = "new epoch"
UNKNOWN = "waits for a snapshot"
SILENT = "ingest silent"
UNHEARD = "ingest not heard yet"
FIRST_SAID = 2  # n of the entry after `open`
BEHIND_NS = 1_000_000_000  # of reading full rounds: what is shown is older than a reader would think
REMARK_NS = 30_000_000_000  # how long a remark on a live book is shown


class VenueBook:
    """One instrument at one venue.

    `cursor` is the last entry read, `snapshot` the last one that held the whole book, `line` what the entries
    say of the book. `heard` is whether its ingest gives signs of life; `None` before the first. `late` is whether our
    reading falls behind the stream.
    """

    __slots__ = (
        "_behind_since",
        "_left_at",
        "_remarked_at",
        "_since_heard",
        "_trusted",
        "_understood",
        "book",
        "cursor",
        "heard",
        "instrument",
        "late",
        "line",
        "snapshot",
    )

    def __init__(self, instrument: Instrument, venue: str) -> None:
        """Start empty, before the first entry."""
        self.instrument = instrument
        self.line = VenueLine(venue)
        self.book = Book()
        self.cursor: Cursor = (0, 0)
        self.snapshot: Cursor | None = None
        self.heard: bool | None = None
        self.late = False
        self._since_heard: int | None = None
        self._behind_since: int | None = None
        self._remarked_at = 0
        self._left_at: Cursor | None = None
        self._trusted = False
        self._understood = True

    @property
    def live(self) -> bool:
        """Whether the book feeds the ladder."""
        return self.line.state is State.LIVE and self.heard is True

    def hear(self, heard: bool | None, now_ns: int) -> bool:
        """Note whether ingest gives signs of life, as of a wall instant; give whether that changed."""
        changed = heard is not self.heard
        if changed:
            self.heard, self._since_heard = heard, now_ns
        return self._forget_remark(now_ns) or changed

    def fall_behind(self, more: bool, now_ns: int) -> None:
        """Note whether the stream had more than we took in one round, at a monotonic instant."""
        since = self._behind_since if self._behind_since is not None else now_ns
        self._behind_since = since if more else None
        self.late = more and now_ns - since >= BEHIND_NS

    def _forget_remark(self, now_ns: int) -> bool:
        """Drop what was remarked on a live book a while ago, as that trades were lost; give whether there was any."""
        line = self.line
        if line.state is not State.LIVE or not line.reason or now_ns - self._remarked_at < REMARK_NS:
            return False
        line.reason = ""
        return True

    def shown(self) -> VenueLine:
        """Give the line to publish."""
        if self.heard:
            return replace(self.line, flags=self.line.flags | Flag.LATE) if self.late else self.line
        state, reason = (State.CONNECTING, UNHEARD) if self.heard is None else (State.STALE, SILENT)
        return replace(self.line, state=state, reason=reason, since=self._since_heard)

    def join(self, cursor: Cursor, line: VenueLine | None = None) -> None:
        """Stand at `cursor` with an empty book, not to be trusted; `line` is what is known of it from elsewhere.

        A book that is said to be live is stale here until its next snapshot.
        """
        self.cursor = cursor
        self.book.clear()
        self._trusted = False
        self.line = line or self.line
        if self.line.state is State.LIVE:
            self.line.state, self.line.reason = State.STALE, UNKNOWN

    def take(self, number: Cursor, fields: Fields, ts_read: int, counters: Counters) -> tuple[Event, int] | None:
        """Read the next entry: check its number, count it, apply it.

        Args:
            number: epoch and n of its ID.
            fields: the entry.
            ts_read: when it was in our hands.
            counters: where it is counted.

        Returns:
            The event and the instant it was packed; `None` for an entry that is not in our layout.
        """
        counters.read += 1
        missing = self._missing_before(number)
        if number[1] == 1:
            self._left_at = self.cursor if self._trusted and self.line.state is State.LIVE else None
        self.cursor = number
        if missing:
            counters.lapped += missing
            self._distrust(LAPPED, ts_read)
        try:
            event, ts_append = decode_entry(self.line.name, self.instrument.name, fields)
        except WireError:
            counters.unreadable += 1
            self._understood = self._understood and number[1] != 1  # an epoch in another layout is not guessed at
            self._distrust(UNREADABLE, ts_read)
            return None
        if number[1] == 1 and not isinstance(event, Open):
            self._distrust(UNOPENED, ts_read)
        self._admit(event, counters)
        return event, ts_append

    def _missing_before(self, number: Cursor) -> int:
        """Give how many entries are missing between the cursor and `number`, as far as n can tell."""
        epoch, n = number
        return n - 1 - (self.cursor[1] if epoch == self.cursor[0] else 0)

    def _distrust(self, reason: str, since: int) -> None:
        """Make the book stale until the next snapshot."""
        self._trusted = False
        self.line.state, self.line.reason, self.line.since = State.STALE, reason, since

    def _admit(self, event: Event, counters: Counters) -> None:
        """Apply one event, or count why not."""
        match event:
            case Open():
                counters.open += 1
                self._open(event)
            case Status():
                counters.status += 1
                self._status(event)
            case Delta() if self.line.state is not State.LIVE:
                counters.not_live += 1
                self._trusted = False
            case _ if not self._understood:
                counters.not_live += 1
            case Delta():
                counters.applied += 1
                self.book.apply(event.bids, event.asks)
                self._stand_at(event)
            case Snapshot():
                counters.applied += 1
                self._load(event)
            case _:
                counters.applied += 1

    def _open(self, event: Open) -> None:
        """Begin an epoch: nothing is known of the book until its snapshot."""
        mine = (self.instrument.price_decimals, self.instrument.size_decimals)
        self._understood = mine == (event.price_decimals, event.size_decimals)
        self._distrust(NEW_EPOCH if self._understood else OTHER_DECIMALS, event.ts_recv)
        if self._understood:
            self.line.state = State.CONNECTING

    def _status(self, event: Status) -> None:
        """Take the state over, unless it says live of a book we can't trust.

        A new epoch may go on where the last one ended: then the book is as good as it was there.
        """
        if event.follows is not None and self.cursor[1] == FIRST_SAID and event.follows == self._left_at:
            self._trusted = self._understood
        self._trusted = self._trusted and event.state is State.LIVE
        if self._understood and (self._trusted or event.state is not State.LIVE):
            line = self.line
            line.state, line.flags, line.reason, line.since = event.state, event.flags, event.reason, event.since
            self._remarked_at = event.ts_recv

    def _load(self, event: Snapshot) -> None:
        """Start afresh from a whole book."""
        self.book.load(event.bids, event.asks)
        self._trusted = event.state is State.LIVE
        self.snapshot = self.cursor
        line = self.line
        if line.state is not event.state:
            line.state, line.reason, line.since = event.state, "", event.ts_recv
        line.flags = event.flags
        self._stand_at(event)

    def _stand_at(self, event: Snapshot | Delta) -> None:
        """Note the venue's position after a book entry."""
        line = self.line
        line.last, line.ts_event, line.ts_book = event.last, event.ts_event, event.ts_recv
