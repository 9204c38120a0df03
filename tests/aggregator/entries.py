"""Entries for tests: events in one line each, as fields or as the server's own reply."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.events import Delta, Event, Made, Open, Snapshot, State, Status, Taker, Trade
from thalweg.fixed import NO_LEVELS, Levels
from thalweg.wire import encode_entry, format_id

VENUE, INSTRUMENT = "binance", "BTC-USDT"
Pairs = list[tuple[int, int]]


def levels(pairs: Pairs) -> Levels:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2) if pairs else NO_LEVELS


def an_open(decimals: int = 8, venue: str = VENUE, instrument: str = INSTRUMENT, at: int = 1) -> Open:
    return Open(venue, instrument, decimals, decimals, None, "sequence", None, at)


def a_snapshot(bids: Pairs, asks: Pairs, last: int | None = 1, at: int = 1, **changes: Any) -> Snapshot:
    values: dict[str, Any] = {"venue": VENUE, "instrument": INSTRUMENT, "made": Made.VENUE, "state": State.LIVE}
    values |= {"flags": 0, "first": None, "last": last, "ts_event": at, "ts_recv": at}
    return Snapshot(bids=levels(bids), asks=levels(asks), **(values | changes))


def a_delta(bids: Pairs, asks: Pairs, last: int = 2, at: int = 2, venue: str = VENUE) -> Delta:
    return Delta(venue, INSTRUMENT, levels(bids), levels(asks), last, last, at, at)


def a_trade(identity: str, price: int = 100, at: int = 2, venue: str = VENUE) -> Trade:
    return Trade(venue, INSTRUMENT, price, 5, Taker.BUY, identity, at, at)


def a_status(
    state: State, reason: str = "", flags: int = 0, at: int = 3, follows: tuple[int, int] | None = None
) -> Status:
    return Status(VENUE, INSTRUMENT, state, flags, reason, at, at, follows)


def fields_of(event: Event, ts_append: int = 10) -> dict[bytes, bytes]:
    words = encode_entry(event, ts_append)
    return dict(zip(words[::2], words[1::2], strict=True))


def reply(epoch: int, first: int, *events: Event, ts_append: int = 10) -> list[tuple[bytes, list[bytes]]]:
    """What the server gives for entries numbered from `first` on."""
    return [(format_id(epoch, n), encode_entry(event, ts_append)) for n, event in enumerate(events, first)]
