"""One venue's order book as `int64` arrays, at the full depth of the feed."""

from __future__ import annotations

import numpy as np

from thalweg.fixed import NO_LEVELS, Levels
from thalweg.kernels import apply_side, load_side, sum_digits

BID_SIGN, ASK_SIGN = 1, -1
FIRST_CAPACITY = 256  # levels a side; doubles as needed


class _Side:
    """One side: `levels` is `(2, capacity)`, prices above sizes, best price last; `count` are in use."""

    __slots__ = ("count", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.count = 0
        self.levels: Levels = np.zeros((2, FIRST_CAPACITY), dtype=np.int64)

    def reserve(self, count: int) -> None:
        """Make room for `count` levels, keeping those in use."""
        capacity = self.levels.shape[1]
        if count <= capacity:
            return
        while capacity < count:
            capacity *= 2
        grown = np.zeros((2, capacity), dtype=np.int64)
        grown[:, : self.count] = self.levels[:, : self.count]
        self.levels = grown

    def load(self, levels: Levels) -> None:
        """Replace everything; levels in another order than best first are sorted in one by one."""
        self.count = 0
        self.reserve(len(levels))
        count = load_side(self.levels, levels, self.sign)
        self.count = count if count >= 0 else apply_side(self.levels, 0, levels, self.sign)

    def apply(self, levels: Levels) -> None:
        """Apply absolute sizes in order."""
        self.reserve(self.count + len(levels))
        self.count = apply_side(self.levels, self.count, levels, self.sign)

    def top(self, depth: int | None) -> Levels:
        """Copy the best `depth` levels, `(n, 2)`, best first."""
        start = 0 if depth is None else max(self.count - depth, 0)
        return np.ascontiguousarray(self.levels[:, start : self.count][:, ::-1].T)

    def truncate(self, depth: int) -> Levels:
        """Keep the best `depth` levels and give the rest, `(n, 2)`, with size 0."""
        excess = self.count - depth
        if excess <= 0:
            return NO_LEVELS
        gone = np.zeros((excess, 2), dtype=np.int64)
        gone[:, 0] = self.levels[0, :excess]
        self.levels[:, :depth] = self.levels[:, excess : self.count].copy()
        self.count = depth
        return gone


class Book:
    """Bids and asks of one instrument at one venue; sizes at prices, no orders."""

    __slots__ = ("_asks", "_bids")

    def __init__(self) -> None:
        """Start empty."""
        self._bids = _Side(BID_SIGN)
        self._asks = _Side(ASK_SIGN)

    def load(self, bids: Levels, asks: Levels) -> None:
        """Replace the whole book; `(n, 2)`, best first for speed, any order for correctness."""
        self._bids.load(bids)
        self._asks.load(asks)

    def apply(self, bids: Levels, asks: Levels) -> None:
        """Apply absolute sizes at changed prices, in order; size 0 removes."""
        if len(bids):
            self._bids.apply(bids)
        if len(asks):
            self._asks.apply(asks)

    def deeper_than(self, depth: int) -> bool:
        """Whether a side has more levels."""
        return self._bids.count > depth or self._asks.count > depth

    def truncate(self, depth: int) -> tuple[Levels, Levels]:
        """Keep the best `depth` levels a side; give the removals, `(n, 2)` with size 0, bids and asks."""
        return self._bids.truncate(depth), self._asks.truncate(depth)

    def clear(self) -> None:
        """Forget everything."""
        self._bids.count = self._asks.count = 0

    def bids(self, depth: int | None = None) -> Levels:
        """Copy the best `depth` bids, `(n, 2)`, best first; all of them without a depth."""
        return self._bids.top(depth)

    def asks(self, depth: int | None = None) -> Levels:
        """Copy the best `depth` asks, `(n, 2)`, best first; all of them without a depth."""
        return self._asks.top(depth)

    def sum_digits(self, depth: int, shift: tuple[int, int]) -> int:
        """Give the CRC32 of the digits of the best `depth` asks, then bids: price and size of each, best first.

        The digits are those of units times `10 ** shift` (price, size), cut to a whole number, as ASCII.
        """
        asks, bids = self._asks, self._bids
        return sum_digits(asks.levels, asks.count, bids.levels, bids.count, depth, shift[0], shift[1])

    @property
    def counts(self) -> tuple[int, int]:
        """The number of bid and ask levels."""
        return self._bids.count, self._asks.count

    @property
    def best_bid(self) -> tuple[int, int] | None:
        """Price and size of the best bid."""
        return self._best(self._bids)

    @property
    def best_ask(self) -> tuple[int, int] | None:
        """Price and size of the best ask."""
        return self._best(self._asks)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        bids, asks = self._bids, self._asks
        if not bids.count or not asks.count:
            return False
        return bids.levels.item(0, bids.count - 1) >= asks.levels.item(0, asks.count - 1)

    @staticmethod
    def _best(side: _Side) -> tuple[int, int] | None:
        if not side.count:
            return None
        return side.levels.item(0, side.count - 1), side.levels.item(1, side.count - 1)
