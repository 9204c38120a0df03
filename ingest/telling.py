"""What a book's track tells readers: whole books and states, made of where the book stands now."""

from __future__ import annotations

from collections.abc import Callable

from ingest import rows
from ingest.tally import Tally
from thalweg.book import Book
from thalweg.events import Event, Flag, Made, Snapshot, State, Status

LIVE = State.LIVE


class Telling:
    """A book, where it stands, and the events that say so; `position` is the last update's first, last, ts_event."""

    def __init__(self, venue: str, name: str, emit: Callable[[Event], None], tally: Tally) -> None:
        """Start with no book, in state connecting; `row` has the book's cells and those of others (`ingest.rows`)."""
        self.row = rows.book_row()
        self.book = Book(self.row[rows.BOOK])
        self.name = name
        self.state, self.flags, self.reason, self.since = State.CONNECTING, Flag(0), "starting", 0
        self.position: tuple[int | None, int | None, int | None] = (None, None, None)
        self._venue, self._emit, self._tally = venue, emit, tally

    @property
    def sequence(self) -> int | None:
        """The venue sequence of the last update in the book."""
        return self.position[1]

    def explain(self, reason: str, ts_recv: int) -> None:
        """Say why a book that is not live still is not."""
        if reason and self.state in (State.STALE, State.SYNCING, State.CONNECTING) and reason != self.reason:
            self.reason = reason
            self._emit_status(ts_recv)

    def lost_trade(self, reason: str, ts_recv: int) -> None:
        """Tell that a trade could not be taken."""
        self._emit_status(ts_recv, f"trade refused: {reason}")

    def periodic(self, ts_recv: int) -> None:
        """Emit the whole book as it stands, so that late readers can join; only of a live book."""
        if self.state is LIVE:
            self._tally.made["periodic"] += 1
            self._emit(self._snapshot(Made.PERIODIC, ts_recv))

    def bridge(self, ts_recv: int) -> list[Event]:
        """Give what a new epoch starts with after `open`: the state, and the book if it is live."""
        events: list[Event] = [self.status(ts_recv)]
        if self.state is LIVE:
            self._tally.made["bridge"] += 1
            events.append(self._snapshot(Made.BRIDGE, ts_recv))
        return events

    def _snapshot(self, made: Made, ts_recv: int) -> Snapshot:
        bids, asks = self.book.bids(), self.book.asks()
        return Snapshot(self._venue, self.name, bids, asks, *self.position, ts_recv, made, self.state, int(self.flags))

    def status(self, ts_recv: int, note: str | None = None) -> Status:
        """Make the status of now; `note` stands in for the state's reason."""
        self._tally.made["status"] += 1
        reason = self.reason if note is None else note
        return Status(self._venue, self.name, self.state, int(self.flags), reason, self.since, ts_recv)

    def _emit_status(self, ts_recv: int, note: str | None = None) -> None:
        self._emit(self.status(ts_recv, note))
