"""What clients read of a replica: quotes, venues and stamps in the words of the protocol."""

from __future__ import annotations

from functools import cache
from typing import Any

from gateway.levels import Scale
from gateway.replica import Replica, ShownTrade
from gateway.topic import Now
from thalweg.events import State, Taker, flag_names
from thalweg.fixed import format_fixed
from thalweg.ladder import Quote
from thalweg.publication import Stamps

_STAMPS = (
    ("x", "ts_event"),
    ("r", "ts_recv"),
    ("w", "ts_append"),
    ("a", "ts_applied"),
    ("p", "ts_published"),
)


def stamps_text(stamps: Stamps, now: Now) -> dict[str, int]:
    """Give the stamps that are there, in microseconds, and the gateway's own."""
    found = ((short, getattr(stamps, name)) for short, name in _STAMPS)
    return {short: ts // 1000 for short, ts in found if ts is not None} | {"g": now.micros}


def quote_text(quote: Quote, scale: Scale) -> dict[str, Any]:
    """Give a quote; the mid is exact, microprice and imbalance are rounded for display."""
    price, size = scale.price_decimals, scale.size_decimals
    mid, micro, imbalance = quote.mid_doubled, quote.microprice, quote.imbalance
    return {
        "bid": _fixed(quote.bid, price),
        "bid_size": _fixed(quote.bid_size, size),
        "ask": _fixed(quote.ask, price),
        "ask_size": _fixed(quote.ask_size, size),
        "spread": _fixed(quote.spread, price),
        "mid": None if mid is None else format_fixed(mid * 5, price + 1),
        "micro": None if micro is None else format_fixed(round(micro), price),
        "imbalance": None if imbalance is None else f"{imbalance:.4f}",
        "crossed": quote.crossed,
    }


def _fixed(value: int | None, decimals: int) -> str | None:
    return None if value is None else format_fixed(value, decimals)


@cache
def flags_text(flags: int) -> list[str]:
    """Give the names of the flags that are set; there are few combinations, and every frame asks."""
    return flag_names(flags)


def venue_text(replica: Replica, venue: str, now: Now) -> dict[str, Any]:
    """Give a venue's state, flags and age."""
    flags = flags_text(replica.lines[venue].flags)
    return {"st": replica.state(venue), "fl": flags, "age_ms": replica.age_ms(venue, now.wall)}


def best_text(replica: Replica, venue: str) -> dict[str, str | None]:
    """Give a venue's best bid and offer, whatever its state."""
    scale = replica.scale
    bid, ask = replica.best(venue)
    return {
        "bid": _fixed(bid and bid[0], scale.price_decimals),
        "bid_size": _fixed(bid and bid[1], scale.size_decimals),
        "ask": _fixed(ask and ask[0], scale.price_decimals),
        "ask_size": _fixed(ask and ask[1], scale.size_decimals),
    }


def ladder_state(replica: Replica) -> State:
    """Give the state of the consolidated ladder: live when any book is, else the best there is."""
    states = [replica.state(venue) for venue in replica.scale.venues]
    order = (State.LIVE, State.STALE, State.SYNCING, State.CONNECTING, State.HALTED, State.DELISTED)
    return min(states, key=order.index)


def trade_text(trade: ShownTrade, scale: Scale) -> list[Any]:
    """Give a trade as a row: microseconds, price, size, taker, id, venue."""
    return [
        trade.ts // 1000,
        format_fixed(trade.price, scale.price_decimals),
        format_fixed(trade.size, scale.size_decimals),
        "b" if trade.taker is Taker.BUY else "s",
        trade.id,
        trade.venue,
    ]
