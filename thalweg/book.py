"""One venue's order book as `int64` arrays, at the full depth of the feed."""

from __future__ import annotations

import numpy as np

from thalweg.fixed import NO_LEVELS, Levels
from thalweg.kernels import COUNT_BITS, NO_CHANGE, Counts, apply_side, change_book, cut_side, load_side, sum_digits

BID_SIGN, ASK_SIGN = 1, -1
BIDS, ASKS = 0, 1
FIRST_CAPACITY = 256  # levels a side; doubles as needed


class Book:
    """Bids and asks of one instrument at one venue; sizes at prices, no orders."""

    __slots__ = ("_asks", "_bids", "_counts", "_summed", "crossed", "longest")

    def __init__(self) -> None:
        """Start empty.

        A side is `(2, capacity)`, prices above sizes, best price last. `crossed` says whether the best bid is at or
        above the best ask, `longest` how many levels the longer side has.
        """
        self._bids: Levels = np.zeros((2, FIRST_CAPACITY), dtype=np.int64)
        self._asks: Levels = np.zeros((2, FIRST_CAPACITY), dtype=np.int64)
        self._counts: Counts = np.zeros(2, dtype=np.int64)
        self._summed: tuple[int, tuple[int, int], int] | None = None  # depth, shift, and the checksum they gave
        self.crossed, self.longest = False, 0

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
        self.crossed, self.longest = found & 1 == 1, found >> 1 & NO_CHANGE
        if self._summed is not None and found >> COUNT_BITS + 1 < self._summed[0]:
            self._summed = None

    def _reserve(self, bids: int, asks: int) -> None:
        """Make room for so many more levels."""
        self._bids = _grown(self._bids, self._counts.item(BIDS), bids)
        self._asks = _grown(self._asks, self._counts.item(ASKS), asks)

    def deeper_than(self, depth: int) -> bool:
        """Whether a side has more levels."""
        return self.longest > depth

    def truncate(self, depth: int) -> tuple[Levels, Levels]:
        """Keep the best `depth` levels a side; give the removals, `(n, 2)` with size 0, bids and asks."""
        if self._summed is not None and depth < self._summed[0]:
            self._summed = None
        self.crossed, self.longest = self.crossed and depth > 0, min(self.longest, depth)
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
        self._summed, self.crossed, self.longest = None, False, 0

    def bids(self, depth: int | None = None) -> Levels:
        """Copy the best `depth` bids, `(n, 2)`, best first; all of them without a depth."""
        return _top(self._bids, self._counts.item(BIDS), depth)

    def asks(self, depth: int | None = None) -> Levels:
        """Copy the best `depth` asks, `(n, 2)`, best first; all of them without a depth."""
        return _top(self._asks, self._counts.item(ASKS), depth)

    def sum_digits(self, depth: int, shift: tuple[int, int]) -> int:
        """Give the CRC32 of the digits of the best `depth` asks, then bids: price and size of each, best first.

        The digits are those of units times `10 ** shift` (price, size), cut to a whole number, as ASCII. It is not
        worked out again while nothing among these levels has changed.
        """
        known = self._summed
        if known is not None and known[0] == depth and known[1] == shift:
            return known[2]
        bids, asks = self._counts.tolist()
        found = sum_digits(self._asks, asks, self._bids, bids, depth, shift[0], shift[1])
        self._summed = depth, shift, found
        return found

    @property
    def counts(self) -> tuple[int, int]:
        """The number of bid and ask levels."""
        return self._counts.item(BIDS), self._counts.item(ASKS)

    @property
    def best_bid(self) -> tuple[int, int] | None:
        """Price and size of the best bid."""
        count = self._counts.item(BIDS)
        return (self._bids.item(0, count - 1), self._bids.item(1, count - 1)) if count else None

    @property
    def best_ask(self) -> tuple[int, int] | None:
        """Price and size of the best ask."""
        count = self._counts.item(ASKS)
        return (self._asks.item(0, count - 1), self._asks.item(1, count - 1)) if count else None


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
