"""Views rebuilt from publications with dicts and sorted lists, sharing nothing with the aggregator's books."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable
from zlib import crc32

DIVIDER = (-1, -1)  # between bids and asks in a digest


class Side:
    """One side of a book: sizes by price; `sign` is +1 for bids, -1 for asks."""

    __slots__ = ("_ranks", "_sign", "sizes")

    def __init__(self, sign: int) -> None:
        """Start empty."""
        self._sign = sign
        self._ranks: list[int] = []  # price * -sign, so that the best is first
        self.sizes: dict[int, int] = {}

    def put(self, price: int, size: int) -> None:
        """Set the size at a price; 0 removes."""
        rank = -self._sign * price
        if not size:
            if self.sizes.pop(price, None) is not None:
                del self._ranks[bisect_left(self._ranks, rank)]
            return
        if price not in self.sizes:
            insort(self._ranks, rank)
        self.sizes[price] = size

    def load(self, levels: Iterable[tuple[int, int]]) -> None:
        """Replace everything."""
        self.sizes = {price: size for price, size in levels if size}
        self._ranks = sorted(-self._sign * price for price in self.sizes)

    def truncate(self, depth: int) -> None:
        """Keep the best `depth` levels."""
        for rank in self._ranks[depth:]:
            del self.sizes[-self._sign * rank]
        del self._ranks[depth:]

    def best(self, depth: int) -> list[tuple[int, int]]:
        """Give the best levels, best first."""
        prices = [-self._sign * rank for rank in self._ranks[:depth]]
        return [(price, self.sizes[price]) for price in prices]

    def flat(self, depth: int) -> list[int]:
        """Give the best levels as one list of price, size, price, size, best first."""
        sizes, found = self.sizes, list[int]()
        for rank in self._ranks[:depth]:
            price = -self._sign * rank
            found += (price, sizes[price])
        return found


class View:
    """Both sides of one venue's book."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        """Start empty."""
        self.bids = Side(1)
        self.asks = Side(-1)

    def clear(self) -> None:
        """Forget everything."""
        self.bids.load(())
        self.asks.load(())

    def digest(self, depth: int) -> int:
        """Give what the oracle gives for a book: CRC32 over the best levels of both sides as little-endian int64."""
        flat = array("q", [*self.bids.flat(depth), *DIVIDER, *self.asks.flat(depth)])
        if sys.byteorder == "big":
            flat.byteswap()
        return crc32(flat.tobytes())
