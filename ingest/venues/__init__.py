"""The venues, one file each; this is the table of all there are."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from ingest.venue import Venue

TABLE = (
    "binance",
    "bybit",
    "kraken",
    "coinbase",
    "cryptocom",
    "bitstamp",
    "bitfinex",
    "okx",
    "gate",
    "kucoin",
)
VENUES: Mapping[str, Venue] = {name: import_module(f"{__name__}.{name}").VENUE for name in TABLE}
