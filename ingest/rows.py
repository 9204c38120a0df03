"""Where the numbers of a book and of a connection are that change with every frame: in rows of `int64` cells.

Each cell has one owner, which reads and writes it as its own field: the book, the continuity rule, the rhythm and so
on, each on its slice of the row. The express lane (`ingest.lane`) works on the same cells in compiled code, so that
there is one truth and nothing to carry back and forth.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.beats import DELAY_CELLS, RHYTHM_CELLS
from thalweg.book import BOOK_CELLS

Cells: TypeAlias = npt.NDArray[np.int64]

# Of a continuity rule.
LAST, EVENT, JOINED, SHIFT_PRICES, SHIFT_SIZES = range(5)
RULE_CELLS = 5

# A book's row: its book, its rhythm, its rule, and what the express lane may take.
BOOK = slice(0, BOOK_CELLS)
RHYTHM = slice(BOOK.stop, BOOK.stop + RHYTHM_CELLS)
RULE = slice(RHYTHM.stop, RHYTHM.stop + RULE_CELLS)
READY, PRICE_DECIMALS, SIZE_DECIMALS, DEPTH = range(RULE.stop, RULE.stop + 4)
BOOK_ROW = DEPTH + 1

# A connection's row: its count, its liveness and rhythm, the delay of its news.
COUNT_LAST, COUNT_AGAIN = range(2)
COUNT = slice(0, 2)
FRAME_AT, TOLD_AT, WITHHELD_AT, HEARD = range(2, 6)
ALL_RHYTHM = slice(6, 6 + RHYTHM_CELLS)
DELAY = slice(ALL_RHYTHM.stop, ALL_RHYTHM.stop + DELAY_CELLS)
CONNECTION_ROW = DELAY.stop


def book_row() -> Cells:
    """Make a book's row; its owners fill it."""
    return np.zeros(BOOK_ROW, dtype=np.int64)


def connection_row() -> Cells:
    """Make a connection's row; its owners fill it."""
    return np.zeros(CONNECTION_ROW, dtype=np.int64)
