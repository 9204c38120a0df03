"""What clients read of a replica: quotes, venues and stamps in the words of the protocol."""

from __future__ import annotations

from functools import cache
from typing import Literal

from gateway.levels import Scale
from gateway.replica import Replica, ShownTrade
from gateway.shapes.fields import TradeText
from gateway.shapes.market import BestText, QuoteText, VenueText
from gateway.shapes.market import Stamps as StampsText
from gateway.topic import Now
from thalweg.events import State, Taker, flag_names
from thalweg.fixed import format_fixed
from thalweg.ladder import Quote
from thalweg.publication import Stamps

_STAMPS: tuple[tuple[Literal["x", "r", "w", "a", "p"], str], ...] = (
    ("x", "ts_event"),
    ("r", "ts_recv"),
    ("w", "ts_append"),
    ("a", "ts_applied"),
    ("p", "ts_published"),
)


def stamps_text(stamps: Stamps, now: Now) -> StampsText:
    """Give the stamps that are there, in microseconds, and the gateway's own."""
    texts: StampsText = {"g": now.micros}
    for short, name in _STAMPS:
        ts = getattr(stamps, name)
        if ts is not None:
            texts[short] = ts // 1000
    return texts


def quote_text(quote: Quote, scale: Scale) -> QuoteText:
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


def venue_text(replica: Replica, venue: str, now: Now) -> VenueText:
    """Give a venue's state, flags and age."""
    flags = flags_text(replica.lines[venue].flags)
    return {"st": replica.state(venue), "fl": flags, "age_ms": replica.age_ms(venue, now.wall)}


def best_text(replica: Replica, venue: str, age_ms: int | None) -> BestText:
    """Give a venue's best bid and offer, whatever its state, which is beside them."""
    scale = replica.scale
    bid, ask = replica.best(venue)
    return {
        "bid": _fixed(bid and bid[0], scale.price_decimals),
        "bid_size": _fixed(bid and bid[1], scale.size_decimals),
        "ask": _fixed(ask and ask[0], scale.price_decimals),
        "ask_size": _fixed(ask and ask[1], scale.size_decimals),
        "st": replica.state(venue),
        "fl": flags_text(replica.lines[venue].flags),
        "age_ms": age_ms,
    }


def ladder_state(replica: Replica) -> State:
    """Give the state of the consolidated ladder: live when any book is, else the best there is."""
    states = [replica.state(venue) for venue in replica.scale.venues]
    order = (State.LIVE, State.STALE, State.SYNCING, State.CONNECTING, State.HALTED, State.DELISTED)
    return min(states, key=order.index)


def trade_text(trade: ShownTrade, scale: Scale) -> TradeText:
    """Give a trade as a row: microseconds, price, size, taker, id, venue."""
    return [
        trade.ts // 1000,
        format_fixed(trade.price, scale.price_decimals),
        format_fixed(trade.size, scale.size_decimals),
        "b" if trade.taker is Taker.BUY else "s",
        trade.id,
        trade.venue,
    ]
