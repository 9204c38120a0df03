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
    """One book's continuity."""

    def reset(self) -> None:
        """Forget the book: the next whole book starts afresh."""
        ...

    def admit(self, update: BookUpdate) -> Verdict:
        """Say what to do with an update; the rule's numbers move only when it says APPLY."""
        ...

    def verify(self, update: BookUpdate, book: Book) -> Proof:
        """After applying: whether the book is what the venue says."""
        ...


class Step:
    """Sequence steps by one a delta; any whole book, whatever its sequence, starts afresh."""

    def __init__(self) -> None:
        """Wait for a whole book."""
        self._last: int | None = None

    def reset(self) -> None:
        """Forget the book."""
        self._last = None

    def admit(self, update: BookUpdate) -> Verdict:
        """Apply whole books and the delta that is next."""
        if not update.whole:
            if self._last is None:
                return NOT_LIVE
            if update.last != self._last + 1:
                return GAP
        self._last = update.last
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
        self._last: int | None = None
        self._held_from: int | None = None
        self._ts_event: int | None = None
        self._spliced = False

    def reset(self) -> None:
        """Forget the book and what was held."""
        self._last = self._held_from = self._ts_event = None
        self._spliced = False

    def admit(self, update: BookUpdate) -> Verdict:
        """Hold deltas before the whole book, then apply the ones that follow."""
        first, last = update.first, update.last
        if update.whole:
            if last is None or (self._held_from is not None and last + 1 < self._held_from):
                return Verdict.OLD
            if self._last is not None and last < self._last:
                return Verdict.DUPLICATE
            self._last, self._spliced, self._held_from, self._ts_event = last, False, None, None
            return APPLY
        if first is None or last is None or first > last:
            return GAP
        if self._last is None:
            if self._held_from is None:
                self._held_from = first
            return Verdict.HOLD
        if last < self._last and _later(update.ts_event, self._ts_event):
            return GAP
        if last <= self._last:
            return Verdict.DUPLICATE if self._spliced else Verdict.BEFORE_SNAPSHOT
        if first > self._last + 1 or (self._spliced and first != self._last + 1):
            return GAP
        self._last, self._spliced, self._ts_event = last, True, update.ts_event
        return APPLY

    def verify(self, update: BookUpdate, book: Book) -> Proof:
        """Say nothing: the sequence said it."""
        return UNCLAIMED


def _later(one: int | None, other: int | None) -> bool:
    """Tell whether both instants are known and the one is after the other."""
    return one is not None and other is not None and one > other


class Summed:
    """Every update carries a checksum of the book after it; there is no sequence.

    `checksum(book, shift)` works it out; `shift` says how many places the venue writes prices and sizes with
    (see `BookUpdate`), learned from the whole book and raised by any later number that has more.
    """

    def __init__(self, checksum: Callable[[Book, tuple[int, int]], int]) -> None:
        """Wait for a whole book."""
        self._checksum = checksum
        self._shift: tuple[int, int] | None = None

    def reset(self) -> None:
        """Forget the book."""
        self._shift = None

    def admit(self, update: BookUpdate) -> Verdict:
        """Apply whole books, and changes once there is one."""
        known, shift = self._shift, update.shift
        if update.whole:
            self._shift = shift
        elif known is None:
            return NOT_LIVE
        elif shift[0] > known[0] or shift[1] > known[1]:
            self._shift = (max(known[0], shift[0]), max(known[1], shift[1]))
        return APPLY

    def verify(self, update: BookUpdate, book: Book) -> Proof:
        """Compare the checksums; none, or 0 for a book that has another, is one withdrawn, as at OKX in 2026."""
        if update.checksum is None or self._shift is None:
            return Proof.WITHDRAWN
        if self._checksum(book, self._shift) == update.checksum:
            return GOOD
        return Proof.BAD if update.checksum else Proof.WITHDRAWN


class Unchecked:
    """Nothing in an update says what came before it."""

    def __init__(self) -> None:
        """Wait for a whole book."""
        self._started = False

    def reset(self) -> None:
        """Forget the book."""
        self._started = False

    def admit(self, update: BookUpdate) -> Verdict:
        """Apply whole books, and changes once there is one."""
        self._started = self._started or update.whole
        return APPLY if self._started else NOT_LIVE

    def verify(self, update: BookUpdate, book: Book) -> Proof:
        """Say nothing."""
        return UNCLAIMED
