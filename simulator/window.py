"""Books that are shown only down to some depth: what a consumer sees, and what changes between two views."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.market import Ladder, Market

Changes = list[tuple[int, int]]


@dataclass(slots=True)
class View:
    """The best levels of both sides: sizes by price, best first."""

    bids: dict[int, int]
    asks: dict[int, int]


def view(market: Market, depth: int) -> View:
    """Look at a market's book down to a depth."""
    return View(dict(market.bids.top(depth)), dict(market.asks.top(depth)))


def difference(before: dict[int, int], after: dict[int, int], book: Ladder | None = None) -> Changes:
    """Give the levels that entered or changed and those that left, the latter with size 0.

    With a `book` only levels that are gone from it count as left: a venue that does so leaves cutting to the consumer.
    """
    changes = [(price, size) for price, size in after.items() if before.get(price) != size]
    kept = {} if book is None else book.sizes
    changes += [(price, 0) for price in before if price not in after and price not in kept]
    return changes


def applied(side: dict[int, int], changes: Changes, depth: int, bids: bool) -> dict[int, int]:
    """Give what a consumer holds who applies changes and then cuts to the depth."""
    held = dict(side)
    for price, size in changes:
        if size:
            held[price] = size
        else:
            held.pop(price, None)
    return {price: held[price] for price in sorted(held, reverse=bids)[:depth]}
