"""Continuity rules: whether a book update follows from the book we hold.

A rule is given every update of one book and says what to do with it. It holds only numbers; the session keeps
the book. Venues choose a rule in their own file:

| rule | finds | used where |
|---|---|---|
| `Step` | any lost update | each delta's sequence is the last plus one; whole books come in band |
| `Spliced` | any lost update | deltas span `first..last`; the whole book comes by REST and is spliced in |
| `Summed` | a wrong top of the book | every update carries a checksum of it |
| `Unchecked` | nothing by itself | the connection's sequence guards it, or nothing does |
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

import numpy as np

from ingest.beats import UNKNOWN
from ingest.rows import EVENT, JOINED, LAST, RULE_CELLS, SHIFT_PRICES, SHIFT_SIZES, Cells
from ingest.venue import BookUpdate
from thalweg.book import Book


class Verdict(Enum):
    """What to do with an update."""

    APPLY = auto()
    """It follows: apply it."""
    HOLD = auto()
    """Keep it until the whole book is there."""
    BEFORE_SNAPSHOT = auto()
    """The whole book has it already: drop it."""
    DUPLICATE = auto()
    """It was applied before: drop it."""
    NOT_LIVE = auto()
    """There is no book to apply it to: drop it."""
    GAP = auto()
    """Something is missing before it: the book is stale."""
    OLD = auto()
    """A whole book that is older than the updates held: ask again."""


DROPS = {
    Verdict.BEFORE_SNAPSHOT: "before_snapshot",
    Verdict.DUPLICATE: "duplicate",
    Verdict.NOT_LIVE: "not_live",
    Verdict.OLD: "not_live",
}
"""The reason that an update which is dropped for a verdict is counted by."""


class Proof(Enum):
    """What a venue's own word says of the book after an update."""

    UNCLAIMED = auto()
    """Nothing: the sequence said it, or nobody does."""
    GOOD = auto()
    """The book is right."""
    BAD = auto()
    """It is not, or the word is wrong."""
    WITHDRAWN = auto()
    """The venue used to give its word, and gives none."""


APPLY, NOT_LIVE, GAP = Verdict.APPLY, Verdict.NOT_LIVE, Verdict.GAP
UNCLAIMED, GOOD = Proof.UNCLAIMED, Proof.GOOD  # a member looked up by its class costs a call before Python 3.12


class Rule(Protocol):
    """One book's continuity; what it knows is in its cells of the book's row."""

    cells: Cells

    def reset(self) -> None:
        """Forget the book: the next whole book starts afresh."""
        ...

    def admit(self, update: BookUpdate) -> Verdict:
        """Say what to do with an update; the rule's numbers move only when it says APPLY."""
        ...

    def verify(self, update: BookUpdate, book: Book) -> Proof:
        """After applying: whether the book is what the venue says."""
        ...


def _cells() -> Cells:
    """Give cells that know no book."""
    cells = np.zeros(RULE_CELLS, dtype=np.int64)
    cells[[LAST, EVENT]] = UNKNOWN
    return cells


def _cell(number: int | None) -> int:
    return UNKNOWN if number is None else number


class Step:
    """Sequence steps by one a delta; any whole book, whatever its sequence, starts afresh."""

    def __init__(self) -> None:
        """Wait for a whole book."""
        self.cells = _cells()

    def reset(self) -> None:
        """Forget the book."""
        self.cells[LAST] = UNKNOWN

    def admit(self, update: BookUpdate) -> Verdict:
        """Apply whole books and the delta that is next."""
        last = self.cells.item(LAST)
        if not update.whole:
            if last == UNKNOWN:
                return NOT_LIVE
            if update.last != last + 1:
                return GAP
        self.cells[LAST] = _cell(update.last)
        return APPLY

    def verify(self, update: BookUpdate, book: Book) -> Proof:
        """Say nothing: the sequence said it."""
        return UNCLAIMED


class Spliced:
    """Deltas span `first..last`; they are held until a whole book of sequence L falls inside them.

    After the splice the first delta must have `first <= L + 1 <= last`, every later one `first == previous last + 1`.
    A whole book that is older than ours is dropped. A delta that is behind ours and yet happened later is no repeat:
    the venue counts anew, and ours would stand still unseen.
    """

    def __init__(self) -> None:
        """Wait for a whole book."""
        self.cells = _cells()
        self._held_from: int | None = None

    def reset(self) -> None:
        """Forget the book and what was held."""
        self._held_from = None
        self._stand(None, None, joined=False)

    def _stand(self, last: int | None, ts_event: int | None, *, joined: bool) -> None:
        self.cells[[LAST, EVENT, JOINED]] = _cell(last), _cell(ts_event), joined

    def admit(self, update: BookUpdate) -> Verdict:
        """Hold deltas before the whole book, then apply the ones that follow."""
        first, last = update.first, update.last
        mine, ts_event, joined, *_ = self.cells.tolist()
        known = mine != UNKNOWN
        if update.whole:
            if last is None or (self._held_from is not None and last + 1 < self._held_from):
                return Verdict.OLD
            if known and last < mine:
                return Verdict.DUPLICATE
            self._held_from = None
            self._stand(last, None, joined=False)
            return APPLY
        if first is None or last is None or first > last:
            return GAP
        if not known:
            if self._held_from is None:
                self._held_from = first
            return Verdict.HOLD
        if last < mine and ts_event != UNKNOWN and update.ts_event is not None and update.ts_event > ts_event:
            return GAP
        if last <= mine:
            return Verdict.DUPLICATE if joined else Verdict.BEFORE_SNAPSHOT
        if first > mine + 1 or (joined and first != mine + 1):
            return GAP
        self._stand(last, update.ts_event, joined=True)
        return APPLY

    def verify(self, update: BookUpdate, book: Book) -> Proof:
        """Say nothing: the sequence said it."""
        return UNCLAIMED


class Summed:
    """Every update carries a checksum of the book after it; there is no sequence.

    `checksum(book, shift)` works it out; `shift` says how many places the venue writes prices and sizes with
    (see `BookUpdate`), learned from the whole book and raised by any later number that has more.
    """

    def __init__(self, checksum: Callable[[Book, tuple[int, int]], int]) -> None:
        """Wait for a whole book."""
        self._checksum = checksum
        self.cells = _cells()

    def reset(self) -> None:
        """Forget the book."""
        self.cells[JOINED] = False

    def admit(self, update: BookUpdate) -> Verdict:
        """Apply whole books, and changes once there is one."""
        shift = update.shift
        if not update.whole:
            if not self.cells.item(JOINED):
                return NOT_LIVE
            known = self._shift
            shift = max(known[0], shift[0]), max(known[1], shift[1])
        self.cells[JOINED:] = True, *shift
        return APPLY

    @property
    def _shift(self) -> tuple[int, int]:
        return self.cells.item(SHIFT_PRICES), self.cells.item(SHIFT_SIZES)

    def verify(self, update: BookUpdate, book: Book) -> Proof:
        """Compare the checksums; none, or 0 for a book that has another, is one withdrawn, as at OKX in 2026."""
        if update.checksum is None or not self.cells.item(JOINED):
            return Proof.WITHDRAWN
        if self._checksum(book, self._shift) == update.checksum:
            return GOOD
        return Proof.BAD if update.checksum else Proof.WITHDRAWN


class Unchecked:
    """Nothing in an update says what came before it."""

    def __init__(self) -> None:
        """Wait for a whole book."""
        self.cells = _cells()

    def reset(self) -> None:
        """Forget the book."""
        self.cells[JOINED] = False

    def admit(self, update: BookUpdate) -> Verdict:
        """Apply whole books, and changes once there is one."""
        if update.whole:
            self.cells[JOINED] = True
        return APPLY if self.cells.item(JOINED) else NOT_LIVE

    def verify(self, update: BookUpdate, book: Book) -> Proof:
        """Say nothing."""
        return UNCLAIMED
