"""The rule for books whose updates only say when they are from: nothing that is lost shows."""

from __future__ import annotations

from ingest.beats import UNKNOWN
from ingest.rows import LAST
from ingest.sequence import APPLY, GAP, NOT_LIVE, UNCLAIMED, Proof, Verdict, new_cells
from ingest.venue import BookUpdate
from thalweg.book import Book


class Dated:
    """Updates say when they are from, by a number that grows; nothing in them says what came before."""

    def __init__(self) -> None:
        """Wait for a whole book."""
        self.cells = new_cells()

    def reset(self) -> None:
        """Forget the book."""
        self.cells[LAST] = UNKNOWN

    def admit(self, update: BookUpdate) -> Verdict:
        """Apply whole books, and once there is one, whatever is later than the last."""
        last, mine = update.last, self.cells.item(LAST)
        if last is None:
            return GAP
        if not update.whole and mine == UNKNOWN:
            return NOT_LIVE
        if mine != UNKNOWN and last <= mine:
            return Verdict.DUPLICATE
        self.cells[LAST] = last
        return APPLY

    def verify(self, update: BookUpdate, book: Book) -> Proof:
        """Say nothing."""
        return UNCLAIMED
