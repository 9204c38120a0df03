"""Answers about books: one venue's, the ladder, best prices, spreads, and the trades that are held."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from itertools import islice

from gateway.hub import Hub
from gateway.levels import Scale, level_texts
from gateway.replica import Replica
from gateway.rest.grouping import grouped
from gateway.rest.ratios import bps_text
from gateway.shapes.answers import (
    BestAnswer,
    BestList,
    BookAnswer,
    LadderAnswer,
    Placed,
    SpreadsAnswer,
    SpreadText,
    TradesAnswer,
)
from gateway.side import ASK, BID
from gateway.topic import Now
from gateway.wording import best_text, flags_text, ladder_state, quote_text, trade_text, venue_text
from thalweg.events import State
from thalweg.fixed import format_fixed
from thalweg.publication import VIEW_DEPTH


def _placed(replica: Replica, state: State, age_ms: int | None) -> Placed:
    """Give where an answer about an instrument comes from, and how old it is."""
    ts = replica.stamps.ts_published
    return {
        "instrument": replica.instrument.name,
        "seq": replica.seq,
        "epoch": replica.epoch,
        "as_of": None if ts is None else ts // 1000,
        "age_ms": age_ms,
        "state": state,
    }


def consolidated(replica: Replica, now: Now) -> Placed:
    """Give the same of all books together: as old as the youngest."""
    ages = [replica.age_ms(venue, now.wall) for venue in replica.scale.venues]
    youngest = min((age for age in ages if age is not None), default=None)
    return _placed(replica, ladder_state(replica), youngest)


def book(replica: Replica, venue: str, depth: int, now: Now) -> BookAnswer:
    """Give a venue's book."""
    scale = Scale(replica.scale.price_decimals, replica.scale.size_decimals)
    bids, asks = (level_texts(side, scale) for side in replica.tops(venue, depth))
    return {
        **_placed(replica, replica.state(venue), replica.age_ms(venue, now.wall)),
        "venue": venue,
        "flags": flags_text(replica.lines[venue].flags),
        "why": replica.reason(venue),
        "bids": bids,
        "asks": asks,
    }


def ladder(replica: Replica, depth: int, group: int | None, now: Now) -> LadderAnswer:
    """Give the consolidated ladder, in rows of `group` price units if that is asked for."""
    bids, asks = replica.ladder(depth if group is None else VIEW_DEPTH * len(replica.scale.venues))
    if group is not None:
        bids, asks = grouped(bids, BID, group, depth), grouped(asks, ASK, group, depth)
    return {
        **consolidated(replica, now),
        "quote": quote_text(replica.quote(), replica.scale),
        "venues": {venue: venue_text(replica, venue, now) for venue in replica.scale.venues},
        "group": None if group is None else format_fixed(group, replica.scale.price_decimals),
        "bids": level_texts(bids, replica.scale),
        "asks": level_texts(asks, replica.scale),
    }


def tag(replica: Replica, *parts: object) -> str:
    """Give a weak entity tag: another one whenever levels or states are, whatever the age."""
    states = [(replica.state(venue), replica.reason(venue)) for venue in replica.scale.venues]
    return f'W/"{replica.epoch}-{replica.seq}-{zlib.crc32(repr((states, parts)).encode()):08x}"'


def best(replica: Replica, now: Now) -> BestAnswer:
    """Give an instrument's best prices, consolidated and by venue."""
    ages = {venue: replica.age_ms(venue, now.wall) for venue in replica.scale.venues}
    return {
        **consolidated(replica, now),
        "quote": quote_text(replica.quote(), replica.scale),
        "venues": {venue: best_text(replica, venue, age) for venue, age in ages.items()},
    }


def all_best(hub: Hub, now: Now) -> BestList:
    """Give every instrument's best prices."""
    return {"instruments": [best(replica, now) for replica in hub.replicas.values()]}


def trades(replica: Replica, limit: int, now: Now) -> TradesAnswer:
    """Give the newest trades that are held, oldest first."""
    kept: Iterable[list[object]] = (trade_text(one, replica.scale) for one in replica.trades)
    newest = list(islice(kept, max(len(replica.trades) - limit, 0), None))
    return {**consolidated(replica, now), "trades": newest}


def spreads(replica: Replica, now: Now) -> SpreadsAnswer:
    """Give the spread of all live books together, and of each venue whatever its state."""
    quote = replica.quote()
    return {
        **consolidated(replica, now),
        "quote": quote_text(quote, replica.scale),
        "spread_bps": _spread_bps(quote.bid, quote.ask),
        "venues": {venue: _spread(replica, venue, now) for venue in replica.scale.venues},
    }


def _spread(replica: Replica, venue: str, now: Now) -> SpreadText:
    text = best_text(replica, venue, replica.age_ms(venue, now.wall))
    bid, ask = replica.best(venue)
    spread = None if bid is None or ask is None else format_fixed(ask[0] - bid[0], replica.scale.price_decimals)
    return {
        "bid": text["bid"],
        "ask": text["ask"],
        "spread": spread,
        "spread_bps": _spread_bps(bid and bid[0], ask and ask[0]),
        "st": text["st"],
        "fl": text["fl"],
        "age_ms": text["age_ms"],
    }


def _spread_bps(bid: int | None, ask: int | None) -> str | None:
    """Give a spread in basis points of the mid."""
    return None if bid is None or ask is None else bps_text(2 * (ask - bid), ask + bid)
