"""One venue's order book as `int64` arrays, at the full depth of the feed."""

from __future__ import annotations

import numpy as np

from thalweg.fixed import NO_LEVELS, Levels
from thalweg.kernels import (
    ASKS_KNOWN,
    BIDS_KNOWN,
    SUM_CELLS,
    Counts,
    apply_side,
    change_book,
    cut_side,
    load_side,
    sum_digits,
)

BID_SIGN, ASK_SIGN = 1, -1
BIDS, ASKS = 0, 1
FIRST_CAPACITY = 256  # levels a side; doubles as needed
# The cells of a book's row: counts, where the sides are in memory and how many levels they hold, and what is known of
# the sum of its digits (see `kernels.sum_digits`).
BIDS_AT, ASKS_AT, BIDS_ROOM, ASKS_ROOM = range(2, 6)
SUM = slice(6, 6 + SUM_CELLS)
BOOK_CELLS = SUM.stop


class Book:
    """Bids and asks of one instrument at one venue; sizes at prices, no orders."""

    __slots__ = ("_asks", "_bids", "_cells", "_counts", "_numbers", "_sum", "_views", "crossed")

    def __init__(self, cells: Counts | None = None) -> None:
        """Start empty.

        A side is `(2, capacity)`, prices above sizes, best price last. `crossed` says whether the best bid is at or
        above the best ask. `cells`, of a row that compiled code shares, keep what it needs: see above.
        """
        self._cells: Counts = np.zeros(BOOK_CELLS, dtype=np.int64) if cells is None else cells
        self._counts, self._sum = self._cells[:BIDS_AT], self._cells[SUM]
        self._numbers = self._counts.data
        self._keep(
            np.zeros((2, FIRST_CAPACITY), dtype=np.int64),
            np.zeros((2, FIRST_CAPACITY), dtype=np.int64),
        )
        self.crossed = False

    def _keep(self, bids: Levels, asks: Levels) -> None:
        """Have these sides, and tell where they are."""
        self._bids, self._asks = bids, asks
        self._views = bids[0].data, bids[1].data, asks[0].data, asks[1].data  # a view's cells are read faster
        self._cells[BIDS_AT : ASKS_ROOM + 1] = bids.ctypes.data, asks.ctypes.data, bids.shape[1], asks.shape[1]

    def load(self, bids: Levels, asks: Levels) -> None:
        """Replace the whole book; `(n, 2)`, best first for speed, any order for correctness."""
        self.clear()
        self._reserve(len(bids), len(asks))
        self._counts[BIDS] = _load(self._bids, bids, BID_SIGN)
        self._counts[ASKS] = _load(self._asks, asks, ASK_SIGN)
        self.apply(NO_LEVELS, NO_LEVELS)

    def apply(self, bids: Levels, asks: Levels) -> None:
        """Apply absolute sizes at changed prices, in order; size 0 removes."""
        found = change_book(self._bids, self._asks, self._counts, bids, asks)
        if found < 0:
            self._reserve(len(bids), len(asks))
            found = change_book(self._bids, self._asks, self._counts, bids, asks)
        self.crossed = found & 1 == 1
        self._know_sum_to(found >> 1)

    def _know_sum_to(self, levels: int) -> None:
        """Forget what is known of the sum beyond so many of the best levels of each side."""
        for side in (ASKS_KNOWN, BIDS_KNOWN):
            if levels < self._sum.item(side):
                self._sum[side] = levels

    def look(self) -> None:
        """See whether it is crossed, after changes by compiled code that has its cells."""
        bid, ask = self.bbo
        self.crossed = bid is not None and ask is not None and bid[0] >= ask[0]

    def _reserve(self, bids: int, asks: int) -> None:
        """Make room for so many more levels."""
        counts = self.counts
        self._keep(_grown(self._bids, counts[BIDS], bids), _grown(self._asks, counts[ASKS], asks))

    def deeper_than(self, depth: int) -> bool:
        """Whether a side has more levels."""
        return max(self.counts) > depth

    def truncate(self, depth: int) -> tuple[Levels, Levels]:
        """Keep the best `depth` levels a side; give the removals, `(n, 2)` with size 0, bids and asks."""
        self._know_sum_to(depth)
        self.crossed = self.crossed and depth > 0
        return self._cut(self._bids, BIDS, depth), self._cut(self._asks, ASKS, depth)

    def _cut(self, side: Levels, which: int, depth: int) -> Levels:
        count = self._counts.item(which)
        if count <= depth:
            return NO_LEVELS
        gone = np.empty((count - depth, 2), dtype=np.int64)
        self._counts[which] = count - cut_side(side, count, depth, gone)
        return gone

    def clear(self) -> None:
        """Forget everything."""
        self._counts[:] = 0
        self._know_sum_to(0)
        self.crossed = False

    def bids(self, depth: int | None = None) -> Levels:
        """Copy the best `depth` bids, `(n, 2)`, best first; all of them without a depth."""
        return _top(self._bids, self._counts.item(BIDS), depth)

    def asks(self, depth: int | None = None) -> Levels:
        """Copy the best `depth` asks, `(n, 2)`, best first; all of them without a depth."""
        return _top(self._asks, self._counts.item(ASKS), depth)

    def sum_digits(self, depth: int, shift: tuple[int, int]) -> int:
        """Give the CRC32 of the digits of the best `depth` asks, then bids: price and size of each, best first.

        The digits are those of units times `10 ** shift` (price, size), cut to a whole number, as ASCII. Levels that
        are as they were, and have only such before them, are not summed again.
        """
        bids, asks = self.counts
        return sum_digits(self._sum, self._asks, asks, self._bids, bids, depth, shift[0], shift[1])

    @property
    def counts(self) -> tuple[int, int]:
        """The number of bid and ask levels."""
        return self._counts.item(BIDS), self._counts.item(ASKS)

    @property
    def bbo(self) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        """Price and size of the best bid, and of the best ask."""
        bids, asks = self._numbers
        bid_prices, bid_sizes, ask_prices, ask_sizes = self._views
        bid = (bid_prices[bids - 1], bid_sizes[bids - 1]) if bids else None
        return bid, (ask_prices[asks - 1], ask_sizes[asks - 1]) if asks else None

    @property
    def best_bid(self) -> tuple[int, int] | None:
        """Price and size of the best bid."""
        return self.bbo[BIDS]

    @property
    def best_ask(self) -> tuple[int, int] | None:
        """Price and size of the best ask."""
        return self.bbo[ASKS]


def _grown(side: Levels, count: int, more: int) -> Levels:
    """Give a side with room for more levels, those in use in it: itself if it has the room."""
    capacity = side.shape[1]
    if count + more <= capacity:
        return side
    while capacity < count + more:
        capacity *= 2
    grown = np.zeros((2, capacity), dtype=np.int64)
    grown[:, :count] = side[:, :count]
    return grown


def _load(side: Levels, levels: Levels, sign: int) -> int:
    """Replace everything and give the count; levels in another order than best first are sorted in one by one."""
    count = load_side(side, levels, sign)
    return count if count >= 0 else apply_side(side, 0, levels, sign)


def _top(side: Levels, count: int, depth: int | None) -> Levels:
    """Copy the best levels, `(n, 2)`, best first."""
    start = 0 if depth is None else max(count - depth, 0)
    return np.ascontiguousarray(side[:, start:count][:, ::-1].T)
