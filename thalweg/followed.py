"""One book as a reader of its stream has it, and whether it may be trusted: the recipe of `docs/wire.md`. Pure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from thalweg.book import Book
from thalweg.cursor import BookItem, EpochBegan, Lapped, Position
from thalweg.errors import WireError
from thalweg.events import Delta, Event, Open, Snapshot, State, Status
from thalweg.fixed import Levels
from thalweg.wire import decode_entry

QUIET_NS = 45_000_000_000  # a live book is written whole at least every 30 s: with nothing for so long nobody writes
FIRST_SAID = 2  # n of the entry after `open`


class FollowedBook:
    """One instrument at one venue.

    `state`, `flags` and `reason` are what the stream said last; `sequence` and `ts_event` are the venue's, of the last
    change; `at` is the last entry read, (epoch, n); `decimals` are of prices and sizes, (8, 8) until something says
    otherwise. `resyncs` counts how often the book was lost and is trusted again; `unreadable`, entries of a layout that
    this version does not know: one costs the book until its next snapshot, an `open` until the next `open`.
    `connected` and `feed` are set by whoever reads.
    """

    def __init__(self, instrument: str, venue: str, clock: Callable[[], int]) -> None:
        """Know nothing of the book; `clock` gives monotonic nanoseconds."""
        self.instrument, self.venue = instrument, venue
        self.decimals = (8, 8)
        self.state, self.flags, self.reason = State.CONNECTING, 0, ""
        self.sequence: int | None = None
        self.ts_event: int | None = None
        self.at: Position | None = None
        self.resyncs = self.unreadable = 0
        self.connected = False
        self.feed: AsyncIterator[BookItem] | None = None
        self._clock = clock
        self._book = Book()
        self._trusted = False
        self._known = True
        self._left_at: Position | None = None
        self._told_at = 0
        self._silent = self._joined = False

    def __aiter__(self) -> AsyncIterator[BookItem]:
        """Give what happens, each item after the book has taken it; of a book that `thalweg.read.follow` gave.

        Raises:
            TypeError: the book is one of a `Follower`'s, whose `items` are those of all its books.
        """
        if self.feed is None:
            raise TypeError("iterate over the `items` of the Follower that has this book")
        return self.feed

    @property
    def live(self) -> bool:
        """Whether the book is the venue's as far as the stream tells, and somebody still writes the stream."""
        written = self._clock() - self._told_at <= QUIET_NS
        return self.connected and self._trusted and self.state is State.LIVE and written

    def bids(self, depth: int | None = None) -> Levels:
        """Copy the best bids, `(n, 2)`, best first; all without a depth. Not to be believed unless `live`."""
        return self._book.bids(depth)

    def asks(self, depth: int | None = None) -> Levels:
        """Copy the best asks, likewise."""
        return self._book.asks(depth)

    def falls_silent(self) -> bool:
        """Say once, when it begins, that nobody writes the stream of a book that would be live."""
        before, self._silent = self._silent, self._trusted and self._clock() - self._told_at > QUIET_NS
        return self._silent and not before

    def lose(self) -> None:
        """Something is missing: the next snapshot mends it."""
        self._trusted, self._left_at = False, None

    def pass_by(self, told: EpochBegan | Lapped) -> None:
        """Take what happened between two entries; a new epoch is judged by its own first entries."""
        if isinstance(told, Lapped):
            self.lose()
            self.at = None

    def take(self, at: Position, flat: Sequence[bytes]) -> tuple[Event, int] | WireError | None:
        """Apply the next entry.

        Returns:
            The event and the instant it was packed; for an entry of another layout, which is counted, why it can't be
            read; `None` for one that follows in an epoch of which that was said.
        """
        before, self.at, self._told_at = self.at, at, self._clock()
        try:
            event, ts_append = decode_entry(self.venue, self.instrument, dict(zip(flat[::2], flat[1::2], strict=True)))
        except (WireError, ValueError) as error:
            return self._refuse(at, WireError(str(error)))
        if not self._known and not isinstance(event, Open):
            return self._refuse(at)
        match event:
            case Open():
                self._left_at = before if self._trusted and self.state is State.LIVE else None
                self._left_at = self._left_at if (event.price_decimals, event.size_decimals) == self.decimals else None
                self.decimals = event.price_decimals, event.size_decimals
                self._known, self._trusted, self.state = True, False, State.CONNECTING
            case Status():
                if at[1] == FIRST_SAID and event.follows is not None and event.follows == self._left_at:
                    self._trusted = True
                self.state, self.flags, self.reason = event.state, event.flags, event.reason
                self._trusted = self._trusted and event.state is State.LIVE
            case Snapshot():
                self._book.load(event.bids, event.asks)
                self.resyncs += self._joined and event.state is State.LIVE and not self._trusted
                self._joined = self._joined or event.state is State.LIVE
                self._trusted, self.state, self.flags = event.state is State.LIVE, event.state, event.flags
                self._stand_at(event)
            case Delta() if self._trusted:
                self._book.apply(event.bids, event.asks)
                self._stand_at(event)
            case _:
                pass
        return event, ts_append

    def refuse_epoch(self) -> None:
        """Read nothing of the epoch that is joined: it is in another layout."""
        self._known = False
        self.lose()

    def _refuse(self, at: Position, why: WireError | None = None) -> WireError | None:
        """Count an entry that can't be read; after an `open` that can't, nothing of its epoch can be."""
        first, self._known = self._known or at[1] == 1, self._known and at[1] != 1
        self.unreadable += 1
        self.lose()
        return why if first else None

    def _stand_at(self, event: Snapshot | Delta) -> None:
        self.sequence, self.ts_event = event.last, event.ts_event
