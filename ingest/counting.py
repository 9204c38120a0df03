"""The count that some venues keep of every frame of a connection: what follows, what came again, what is missing."""

from __future__ import annotations

from enum import Enum, auto

import numpy as np

from ingest.beats import UNKNOWN
from ingest.rows import COUNT_AGAIN, Cells

AGAIN_MAX = 2  # frames in a row that are not above the last: a repeat is one, a second means that the venue counts anew


class Place(Enum):
    """Where a frame stands in its connection's count."""

    NEXT = auto()
    """It follows, or the venue does not count."""
    AGAIN = auto()
    """It came before."""
    GAP = auto()
    """Something is missing before it, or the count went back: nothing of this connection can be trusted."""


class Count:
    """The count of one connection."""

    __slots__ = ("_cells",)

    def __init__(self, cells: Cells | None = None) -> None:
        """Keep the count in these cells of the connection's row."""
        self._cells: Cells = np.zeros(2, dtype=np.int64) if cells is None else cells
        self.reset()

    def reset(self) -> None:
        """Wait for the first frame."""
        self._cells[:] = UNKNOWN, 0

    def admit(self, number: int | None) -> Place:
        """Say where a frame of this number stands."""
        if number is None:
            return Place.NEXT
        last, again = self._cells.tolist()
        known = last != UNKNOWN
        if known and number <= last:
            self._cells[COUNT_AGAIN] = again + 1
            return Place.AGAIN if again + 1 < AGAIN_MAX else Place.GAP
        self._cells[:] = number, 0
        return Place.NEXT if not known or number == last + 1 else Place.GAP
