"""The consolidated ladder: the views of several venues merged, every level saying who quotes how much.

A view is one side of one venue, `(n, 2)` price and size, best first. Only the views of live books are merged;
a ladder whose best bid is at or above its best ask is crossed, and is shown so.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from thalweg.fixed import Levels


@dataclass(slots=True)
class LadderSide:
    """One side, best first: `prices` is `(n,)`; `sizes` is `(n, venues)`, 0 where a venue quotes nothing."""

    prices: npt.NDArray[np.int64]
    sizes: Levels


@dataclass(slots=True)
class Quote:
    """Best bid and offer in instrument units, sizes summed over venues; `None` where a side is empty."""

    bid: int | None = None
    bid_size: int | None = None
    ask: int | None = None
    ask_size: int | None = None

    @property
    def spread(self) -> int | None:
        """Ask minus bid, exact; negative when crossed."""
        return None if self.bid is None or self.ask is None else self.ask - self.bid

    @property
    def mid_doubled(self) -> int | None:
        """Twice the mid price, so that it stays a whole number."""
        return None if self.bid is None or self.ask is None else self.bid + self.ask

    @property
    def microprice(self) -> float | None:
        """Mid weighted by the opposite sizes, in price units; a derived figure, so a float."""
        if self.bid is None or self.ask is None or not self.bid_size or not self.ask_size:
            return None
        return (self.bid * self.ask_size + self.ask * self.bid_size) / (self.bid_size + self.ask_size)

    @property
    def imbalance(self) -> float | None:
        """(bid size - ask size) / (bid size + ask size) at the best prices: -1 to 1."""
        if not self.bid_size or not self.ask_size:
            return None
        return (self.bid_size - self.ask_size) / (self.bid_size + self.ask_size)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        return self.bid is not None and self.ask is not None and self.bid >= self.ask


def merge_side(views: Sequence[Levels], sign: int, depth: int | None = None) -> LadderSide:
    """Merge the views of one side; `sign` is +1 for bids, -1 for asks; column k is `views[k]`."""
    cut = [view[:depth] for view in views]
    filled = [view[:, 0] for view in cut if len(view)]
    ordered = np.unique(np.concatenate(filled)) if filled else np.empty(0, dtype=np.int64)
    prices = (ordered[::-1] if sign > 0 else ordered)[:depth]
    sizes = np.zeros((len(prices), len(views)), dtype=np.int64)
    for column, view in enumerate(cut):
        at = np.searchsorted(-prices if sign > 0 else prices, -view[:, 0] if sign > 0 else view[:, 0])
        kept = at < len(prices)
        sizes[at[kept], column] = view[kept, 1]
    return LadderSide(prices, sizes)


class Ladder:
    """One side that is changed level by level, where `merge_side` merges all of it: equal at every depth.

    `sign` is +1 for bids, -1 for asks; venues are columns. Prices are kept times `sign`, best last, so that changes
    near the touch move little.
    """

    __slots__ = ("_columns", "_keys", "_rows", "_sign")

    def __init__(self, sign: int, columns: int) -> None:
        """Start with nobody quoting."""
        self._sign, self._columns = sign, columns
        self._keys: list[int] = []
        self._rows: dict[int, list[int]] = {}

    def __len__(self) -> int:
        """Count the prices."""
        return len(self._keys)

    def change(self, column: int, price: int, size: int) -> None:
        """Set what a venue quotes at a price; 0 removes, also where nothing is."""
        key = price * self._sign
        row = self._rows.get(key)
        if row is None:
            if size:
                insort(self._keys, key)
                row = self._rows[key] = [0] * self._columns
                row[column] = size
            return
        row[column] = size
        if not size and not any(row):
            del self._rows[key], self._keys[bisect_left(self._keys, key)]

    def load(self, column: int, view: Levels) -> None:
        """Replace all that a venue quotes; nothing once it is no longer live."""
        rows, sign = self._rows, self._sign
        for quoted in rows.values():
            quoted[column] = 0
        for price, size in view.tolist():
            row = rows.get(price * sign)
            if row is None:
                row = rows[price * sign] = [0] * self._columns
            row[column] = size
        self._rows = {key: row for key, row in rows.items() if any(row)}
        self._keys = sorted(self._rows)

    @property
    def best(self) -> tuple[int, int] | None:
        """The best price and the sum of the sizes there."""
        return (self._keys[-1] * self._sign, sum(self._rows[self._keys[-1]])) if self._keys else None

    def top(self, depth: int | None = None) -> dict[int, tuple[int, ...]]:
        """Give the best `depth` levels, best first: by price, what each venue quotes there."""
        rows, sign = self._rows, self._sign
        first = 0 if depth is None else max(len(self._keys) - depth, 0)
        return {key * sign: tuple(rows[key]) for key in reversed(self._keys[first:])}


def best_quote(bids: Iterable[tuple[int, int] | None], asks: Iterable[tuple[int, int] | None]) -> Quote:
    """Give the best bid and offer over each venue's best; sizes at the same price are summed."""
    return Quote(*_best(bids, 1), *_best(asks, -1))


def _best(levels: Iterable[tuple[int, int] | None], sign: int) -> tuple[int | None, int | None]:
    """Give the best price and the sum of the sizes there; a plain loop, since it runs for every publication."""
    best: int | None = None
    total: int | None = None
    for level in levels:
        if level is None:
            continue
        price, size = level
        if best is None or total is None or sign * price > sign * best:
            best, total = price, size
        elif price == best:
            total += size
    return best, total
