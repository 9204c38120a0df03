"""Sides of books as clients get them: what changed between two of them, as text, and checksummed.

A side has its sizes by price, best first: one size (a venue's book) or one of each venue (the ladder).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, TypeAlias

from thalweg.fixed import format_fixed

CHECKED = 10  # levels a side under the checksum
Shown: TypeAlias = dict[int, tuple[int, ...]]
"""A side: sizes by price, best first."""
LevelText: TypeAlias = list[Any]
"""`[price, size]`, in a ladder `[price, size, {venue: size}]`, all decimal text."""


_price_text = lru_cache(maxsize=8192)(format_fixed)  # of the few thousand prices near the best; sizes hardly recur


@dataclass(slots=True)
class Scale:
    """Decimal places of prices and sizes, and the venues of a ladder's columns (none for a venue's book)."""

    price_decimals: int
    size_decimals: int
    venues: Sequence[str] = ()


def changed_levels(old: Shown, new: Shown, scale: Scale) -> list[LevelText]:
    """Give the levels that turn `old` into `new`: removed ones with size `"0"`, then the others best first."""
    if old == new:
        return []
    decimals = scale.price_decimals
    removed: list[LevelText] = [[_price_text(price, decimals), "0"] for price in old if price not in new]
    return removed + level_texts({price: sizes for price, sizes in new.items() if old.get(price) != sizes}, scale)


def level_texts(side: Shown, scale: Scale) -> list[LevelText]:
    """Give every level of a side as text, best first."""
    if scale.venues:
        return [_level_text(price, sizes, scale) for price, sizes in side.items()]
    price_decimals, size_decimals = scale.price_decimals, scale.size_decimals
    return [[_price_text(price, price_decimals), format_fixed(size, size_decimals)] for price, (size,) in side.items()]


def _level_text(price: int, sizes: Sequence[int], scale: Scale) -> LevelText:
    decimals = scale.size_decimals
    total = format_fixed(sum(sizes), decimals)
    quoting = [(venue, size) for venue, size in zip(scale.venues, sizes, strict=True) if size]
    alone = len(quoting) == 1  # most levels: the venue's size is the total, and its text is at hand
    quoted = {venue: total if alone else format_fixed(size, decimals) for venue, size in quoting}
    return [_price_text(price, scale.price_decimals), total, quoted]


def checksum(bids: Iterable[LevelText], asks: Iterable[LevelText]) -> int:
    """Give the CRC32 that a client can check: `price:size` of the given levels, bids then asks, joined by `|`."""
    return zlib.crc32("|".join(f"{level[0]}:{level[1]}" for side in (bids, asks) for level in side).encode())


def top_checksum(bids: Shown, asks: Shown, scale: Scale) -> int:
    """Give the checksum of the best ten levels a side."""
    tops = (dict(islice(side.items(), CHECKED)) for side in (bids, asks))
    return checksum(*(level_texts(top, scale) for top in tops))
