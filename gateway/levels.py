"""Sides of books as clients get them: what changed between two of them, as text, and checksummed.

A side is best first; `sizes` has one column (a venue's book) or one column a venue (the ladder).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from thalweg.fixed import Levels, format_fixed
from thalweg.ladder import LadderSide

BID, ASK = 1, -1
CHECKED = 10  # levels a side under the checksum
LevelText: TypeAlias = list[Any]
"""`[price, size]`, in a ladder `[price, size, {venue: size}]`, all decimal text."""


@dataclass(slots=True)
class Scale:
    """Decimal places of prices and sizes, and the venues of a ladder's columns (none for a venue's book)."""

    price_decimals: int
    size_decimals: int
    venues: Sequence[str] = ()


def apply_changes(side: Levels, changes: Levels, sign: int) -> Levels:
    """Give a side, `(n, 2)` best first, after absolute changes `(c, 2)`; size 0 removes, a later change wins."""
    keys = side[:, 0] * -sign
    changes = changes[(changes[:, 0] * -sign).argsort(kind="stable")]
    newest = np.ones(len(changes), dtype=bool)
    newest[:-1] = changes[1:, 0] != changes[:-1, 0]
    changes = changes[newest]
    at, hit = _find(keys, changes[:, 0] * -sign)
    after = side.copy()
    after[at[hit], 1] = changes[hit, 1]
    if not hit.all():
        after = np.concatenate((after, changes[~hit]))
        after = after[(after[:, 0] * -sign).argsort(kind="stable")]
    return after[after[:, 1] > 0]


def _find(keys: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]) -> tuple[Any, Any]:
    """Give where each wanted key stands among ascending keys, and whether it is there."""
    at = keys.searchsorted(wanted)
    hit = at < len(keys)
    hit[hit] = keys[at[hit]] == wanted[hit]
    return at, hit


def cut(levels: Levels, depth: int) -> LadderSide:
    """Give the best `depth` levels of a venue's side."""
    return LadderSide(levels[:depth, 0], levels[:depth, 1:2])


def changed_levels(old: LadderSide, new: LadderSide, sign: int, scale: Scale) -> list[LevelText]:
    """Give the levels that turn `old` into `new`: removed ones with size `"0"`, then the others best first."""
    keys = new.prices * -sign
    at, hit = _find(keys, old.prices * -sign)
    same = np.zeros(len(keys), dtype=bool)
    same[at[hit]] = (new.sizes[at[hit]] == old.sizes[hit]).all(axis=1)
    removed: list[LevelText] = [[format_fixed(price, scale.price_decimals), "0"] for price in old.prices[~hit].tolist()]
    return removed + level_texts(LadderSide(new.prices[~same], new.sizes[~same]), scale)


def level_texts(side: LadderSide, scale: Scale) -> list[LevelText]:
    """Give every level of a side as text, best first."""
    pairs = zip(side.prices.tolist(), side.sizes.tolist(), strict=True)
    return [_level_text(price, sizes, scale) for price, sizes in pairs]


def _level_text(price: int, sizes: list[int], scale: Scale) -> LevelText:
    decimals = scale.size_decimals
    total = format_fixed(sum(sizes), decimals)
    text: LevelText = [format_fixed(price, scale.price_decimals), total]
    if scale.venues:
        quoting = [(venue, size) for venue, size in zip(scale.venues, sizes, strict=True) if size]
        alone = len(quoting) == 1  # most levels: the venue's size is the total, and its text is at hand
        text.append({venue: total if alone else format_fixed(size, decimals) for venue, size in quoting})
    return text


def checksum(bids: Iterable[LevelText], asks: Iterable[LevelText]) -> int:
    """Give the CRC32 that a client can check: `price:size` of the given levels, bids then asks, joined by `|`."""
    return zlib.crc32("|".join(f"{level[0]}:{level[1]}" for side in (bids, asks) for level in side).encode())


def top_checksum(bids: LadderSide, asks: LadderSide, scale: Scale) -> int:
    """Give the checksum of the best ten levels a side."""
    tops = (LadderSide(side.prices[:CHECKED], side.sizes[:CHECKED]) for side in (bids, asks))
    return checksum(*(level_texts(top, scale) for top in tops))
