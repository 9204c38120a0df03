"""What a market order over all live books would come to: the ladder walked, in integers."""

from __future__ import annotations

from typing import Literal

from gateway.replica import Replica
from gateway.rest.books import consolidated
from gateway.rest.ratios import bps_text, ratio_text
from gateway.shapes.answers import ImpactAnswer, Taken
from gateway.topic import Now
from thalweg.fixed import format_fixed
from thalweg.publication import VIEW_DEPTH

EXTRA_PLACES = 2  # of an average price beyond those of prices


def impact(replica: Replica, side: Literal["buy", "sell"], qty: int, now: Now) -> ImpactAnswer:
    """Take `qty` size units from the best price on; at one price from the venues in the order that they are listed."""
    scale = replica.scale
    taken = take(replica, side, qty)
    filled, cost = sum(size for _, _, size in taken), sum(price * size for _, price, size in taken)
    price, size = scale.price_decimals, scale.size_decimals
    best, worst = (taken[0][1], taken[-1][1]) if taken else (None, None)
    worse = 0 if best is None else (cost - best * filled) * (1 if side == "buy" else -1)
    return {
        **consolidated(replica, now),
        "side": side,
        "qty": format_fixed(qty, size),
        "filled": format_fixed(filled, size),
        "left": format_fixed(qty - filled, size),
        "best": None if best is None else format_fixed(best, price),
        "worst": None if worst is None else format_fixed(worst, price),
        "average": ratio_text(cost, filled * 10**price, price + EXTRA_PLACES) if filled else None,
        "exact": not filled or cost * 10**EXTRA_PLACES % filled == 0,
        "slippage_bps": bps_text(worse, best * filled) if best and filled else None,
        "cost": format_fixed(cost, price + size),
        "venues": _by_venue(replica, taken),
    }


def take(replica: Replica, side: Literal["buy", "sell"], qty: int) -> list[tuple[int, int, int]]:
    """Give what is taken from whom: `(column, price, size)`, in order."""
    bids, asks = replica.ladder(VIEW_DEPTH * len(replica.scale.venues))
    taken, left = [], qty
    for price, sizes in (asks if side == "buy" else bids).items():
        for column, quoted in enumerate(sizes):
            size = min(quoted, left)
            if size:
                taken.append((column, price, size))
                left -= size
        if not left:
            break
    return taken


def _by_venue(replica: Replica, taken: list[tuple[int, int, int]]) -> dict[str, Taken]:
    """Add up what is taken from each venue."""
    price, size = replica.scale.price_decimals, replica.scale.size_decimals
    found: dict[str, Taken] = {}
    for column, venue in enumerate(replica.scale.venues):
        rows = [(at, units) for own, at, units in taken if own == column]
        if rows:
            found[venue] = {
                "size": format_fixed(sum(units for _, units in rows), size),
                "cost": format_fixed(sum(at * units for at, units in rows), price + size),
            }
    return found
