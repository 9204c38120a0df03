"""A hub that holds one instrument whose books are given level by level."""

from __future__ import annotations

from gateway.hub import AGGREGATOR, REDIS, Hub
from gateway.topic import Now
from tests.gateway.publications import MS, START_NS, Book, Maker, instruments
from thalweg.events import State

NOW = Now(START_NS + 40 * MS, 1)


def held(binance: tuple[Book, Book], kraken: tuple[Book, Book], *, stale: str = "", flags: int = 0) -> Hub:
    """Books by price in hundredths and size in 1e-8, bids and asks, 100 ms old; `stale` is not live."""
    hub, maker = Hub(instruments()), Maker(flags=flags)
    for part in (REDIS, AGGREGATOR):
        hub.set_part(part, True, "", NOW)
    hub.hear(NOW, None)
    maker.books = {"binance": binance, "kraken": kraken}
    if stale:
        maker.states[stale], maker.reason = State.STALE, "gap"
    hub.replicas["BTC-USDT"].join([maker.key()], NOW.wall)
    return hub
