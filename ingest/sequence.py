"""Continuity rules: whether a book update follows from the book we hold.

A rule is given every update of one book and says what to do with it. It holds only numbers; the session keeps
the book. Venues choose a rule in their own file:

| rule | finds | used where |
|---|---|---|
| `Step` | any lost update | each delta's sequence is the last plus one; whole books come in band |
| `Spliced` | any lost update | deltas span `first..last`; the whole book comes in band, or by REST and is spliced in |
| `Summed` | a wrong top of the book | updates carry a checksum of it, every one or some |
| `Dated` (`ingest.dated`) | nothing | updates only say when they are from: what is older than ours is dropped |
| `Unchecked` | nothing by itself | the connection's sequence guards it, or nothing does |

Where an update names the one before it (`previous`) in place of its own beginning, `first` is `previous + 1`.
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
    IDLE = auto()
    """It only says that nothing has changed since ours: a sign of life, and else dropped."""
    NOT_LIVE = auto()
    """There is no book to apply it to: drop it."""
    GAP = auto()
    """Something is missing before it: the book is stale."""
    OLD = auto()
    """A whole book that is older than the updates held: ask again."""


DROPS = {
    Verdict.BEFORE_SNAPSHOT: "before_snapshot",
    Verdict.DUPLICATE: "duplicate",
    Verdict.IDLE: "duplicate",
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


def new_cells() -> Cells:
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
        self.cells = new_cells()

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
    """Deltas span `first..last`; they go on from a whole book of sequence L.

    The first delta after it must have `first <= L + 1 <= last`, every later one `first == previous last + 1`. A delta
    from `previous last + 1` to `previous last` says that nothing has changed; one that ends before it, or is behind
    ours and yet happened later, that the venue counts anew, and ours would stand still unseen.

    `held` is for whole books that come by REST: deltas wait for one that falls inside them, and one that is older than
    ours is dropped. In band, any whole book replaces ours, and deltas before it are none of it.
    """

    def __init__(self, *, held: bool = True) -> None:
        """Wait for a whole book."""
        self.cells = new_cells()
        self._held = held
        self._held_from: int | None = None

    def reset(self) -> None:
        """Forget the book and what was held."""
        self._held_from = None
        self._stand(None, None, joined=False)

    def _stand(self, last: int | None, ts_event: int | None, *, joined: bool) -> None:
        self.cells[[LAST, EVENT, JOINED]] = _cell(last), _cell(ts_event), joined

    def admit(self, update: BookUpdate) -> Verdict:
        """Hold deltas before the whole book, or drop them, then apply the ones that follow."""
        first, last = update.first, update.last
        mine, ts_event, joined, *_ = self.cells.tolist()
        if update.whole:
            return self._replace(last, mine)
        if first is None or last is None:
            return GAP
        if mine == UNKNOWN:
            return self._wait(first, last)
        if first == mine + 1 == last + 1:
            return Verdict.IDLE
        if first > last:
            return GAP
        if last < mine and ts_event != UNKNOWN and update.ts_event is not None and update.ts_event > ts_event:
            return GAP
        if last <= mine:
            return Verdict.DUPLICATE if joined else Verdict.BEFORE_SNAPSHOT
        if first > mine + 1 or (joined and first != mine + 1):
            return GAP
        self._stand(last, update.ts_event, joined=True)
        return APPLY

    def _replace(self, last: int | None, mine: int) -> Verdict:
        """Take a whole book, unless it is of no use."""
        if last is None or (self._held_from is not None and last + 1 < self._held_from):
            return Verdict.OLD
        if self._held and mine != UNKNOWN and last < mine:
            return Verdict.DUPLICATE
        self._held_from = None
        self._stand(last, None, joined=False)
        return APPLY

    def _wait(self, first: int, last: int) -> Verdict:
        """Say what becomes of a delta before the whole book; one that only says that nothing has changed is no news."""
        if not self._held or first > last:
            return GAP if first > last + 1 else NOT_LIVE
        if self._held_from is None:
            self._held_from = first
        return Verdict.HOLD

    def verify(self, update: BookUpdate, book: Book) -> Proof:
        """Say nothing: the sequence said it."""
        return UNCLAIMED


class Summed:
    """Every update carries a checksum of the book after it, or only some do; there is no sequence.

    `checksum(book, shift)` works it out; `shift` says how many places the venue writes prices and sizes with
    (see `BookUpdate`), learned from the whole book and raised by any later number that has more.
    """

    def __init__(self, checksum: Callable[[Book, tuple[int, int]], int], *, every: bool = True) -> None:
        """Wait for a whole book; unless `every` update has one, those without claim nothing."""
        self._checksum, self._every = checksum, every
        self.cells = new_cells()

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
        if update.checksum is None and not self._every:
            return UNCLAIMED
        if update.checksum is None or not self.cells.item(JOINED):
            return Proof.WITHDRAWN
        if self._checksum(book, self._shift) == update.checksum:
            return GOOD
        return Proof.BAD if update.checksum else Proof.WITHDRAWN


class Unchecked:
    """Nothing in an update says what came before it."""

    def __init__(self) -> None:
        """Wait for a whole book."""
        self.cells = new_cells()

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
