"""Edges between venues: buy on one and sell on another at once, walked through both books, in integers.

Only within one instrument, so never across quote currencies; only of books that are live, not crossed in themselves,
and heard of lately. Net of a venue's taker fee where it is set, else labelled gross: nothing is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

from gateway.hub import Hub
from gateway.levels import Shown
from gateway.replica import Replica
from gateway.rest.ratios import BPS, bps_text
from gateway.shapes.answers import ArbitrageAnswer, Barred, EdgeText
from gateway.topic import Now
from gateway.wording import flags_text
from thalweg.events import State
from thalweg.fixed import format_fixed
from thalweg.publication import VIEW_DEPTH
from thalweg.settings import FEE_DECIMALS

OLDEST_MS = 2_000  # a book that has not changed for longer is no offer that one may count on
ONE = BPS * 10**FEE_DECIMALS  # the whole, in the unit of fees


@dataclass(slots=True)
class Walk:
    """What two books give against each other; money is in price units times size units times `ONE`."""

    size: int = 0
    paid: int = 0
    got: int = 0
    whole: bool = True


def walk(asks: Shown, bids: Shown, up: int, down: int) -> Walk:
    """Take from both books while a unit more still pays.

    Args:
        asks: of the venue to buy on, best first.
        bids: of the venue to sell on, best first.
        up: what a unit of price costs with the fee, in parts of `ONE`.
        down: what a unit of price brings after the fee, likewise.
    """
    sums = Walk()
    offers, wants = iter(asks.items()), iter(bids.items())
    offer, want = next(offers, None), next(wants, None)
    offered, wanted = offer[1][0] if offer else 0, want[1][0] if want else 0
    while offer and want and want[0] * down > offer[0] * up:
        size = min(offered, wanted)
        sums.size += size
        sums.paid += offer[0] * up * size
        sums.got += want[0] * down * size
        offered -= size
        wanted -= size
        if not offered:
            offer = next(offers, None)
            offered = offer[1][0] if offer else 0
        if not wanted:
            want = next(wants, None)
            wanted = want[1][0] if want else 0
    sums.whole = bool(offer and want)
    return sums


def barred(replica: Replica, venue: str, now: Now) -> str:
    """Say why a book may not be part of an edge; nothing where it may."""
    state, age_ms = replica.state(venue), replica.age_ms(venue, now.wall)
    if state is not State.LIVE:
        return f"{state}: {replica.reason(venue)}".removesuffix(": ")
    if "crossed" in flags_text(replica.lines[venue].flags):
        return "crossed in itself"
    if age_ms is None or age_ms > OLDEST_MS:
        return "not heard of yet" if age_ms is None else f"{age_ms} ms old"
    return ""


def arbitrage(hub: Hub, fees: Mapping[str, int], least: int, net: bool, now: Now) -> ArbitrageAnswer:
    """Give all edges of at least `least`, the best first.

    Args:
        hub: knows all books.
        fees: those that are set, in units of `10 ** -FEE_DECIMALS` basis points.
        least: likewise; may be negative.
        net: whether fees count at all.
        now: the instant.
    """
    found: list[tuple[int, EdgeText]] = []
    closed: list[Barred] = []
    for name, replica in hub.replicas.items():
        reasons = {venue: barred(replica, venue, now) for venue in replica.scale.venues}
        closed += [{"instrument": name, "venue": venue, "why": why} for venue, why in reasons.items() if why]
        open_venues = [venue for venue, why in reasons.items() if not why]
        for buy, sell in permutations(open_venues, 2):
            edge = _edge(replica, buy, sell, fees if net else {}, least, now)
            if edge is not None:
                found.append(edge)
    found.sort(key=lambda pair: pair[0], reverse=True)
    venues = dict.fromkeys(venue for replica in hub.replicas.values() for venue in replica.scale.venues)
    return {
        "as_of": now.micros,
        "min_bps": format_fixed(least, FEE_DECIMALS),
        "net": net,
        "fees": {venue: format_fixed(fees[venue], FEE_DECIMALS) if venue in fees else None for venue in venues},
        "edges": [edge for _, edge in found],
        "barred": closed,
    }


def _edge(
    replica: Replica, buy: str, sell: str, fees: Mapping[str, int], least: int, now: Now
) -> tuple[int, EdgeText] | None:
    """Give an edge, with its size in units of `10 ** -FEE_DECIMALS` basis points, if it is large enough."""
    ask, bid = replica.best(buy)[1], replica.best(sell)[0]
    if ask is None or bid is None:
        return None
    up, down = ONE + fees.get(buy, 0), ONE - fees.get(sell, 0)
    paid, got = ask[0] * up, bid[0] * down
    if (got - paid) * ONE < least * paid:
        return None
    sums = walk(replica.tops(buy, VIEW_DEPTH)[1], replica.tops(sell, VIEW_DEPTH)[0], up, down)
    scale, gross_of = replica.scale, [venue for venue in (buy, sell) if venue not in fees]
    price, size = scale.price_decimals, scale.size_decimals
    ts = replica.stamps.ts_published
    edge: EdgeText = {
        "instrument": replica.instrument.name,
        "seq": replica.seq,
        "epoch": replica.epoch,
        "as_of": None if ts is None else ts // 1000,
        "buy": buy,
        "sell": sell,
        "ask": format_fixed(ask[0], price),
        "bid": format_fixed(bid[0], price),
        "edge_bps": bps_text(got - paid, paid),
        "label": "gross" if gross_of else "net",
        "gross_of": gross_of,
        "size": format_fixed(sums.size, size),
        "cost": format_fixed(-(-sums.paid // ONE), price + size),  # up, and what is left down: never more than there is
        "profit": format_fixed((sums.got - sums.paid) // ONE, price + size),
        "whole": sums.whole,
        "age_ms": {venue: replica.age_ms(venue, now.wall) or 0 for venue in (buy, sell)},
        "flags": {venue: flags_text(replica.lines[venue].flags) for venue in (buy, sell)},
    }
    return (got - paid) * ONE // paid, edge
