"""The venues, one file each; this is the table of all there are."""

from __future__ import annotations

from collections.abc import Mapping

from ingest.venue import Venue
from ingest.venues import binance, bybit, coinbase, cryptocom, kraken

VENUES: Mapping[str, Venue] = {
    venue.name: venue
    for venue in (
        binance.VENUE,
        bybit.VENUE,
        kraken.VENUE,
        coinbase.VENUE,
        cryptocom.VENUE,
    )
}
