"""Channel names as clients write them, matched against what there is before anything else is done with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from thalweg.instruments import Instruments

DEPTHS = (10, 25, 50, 200)  # levels a side; few, so that clients share frames
RAW_MS = 0  # a frame for every batch of publications, as soon as it is here
TICK_MS = 100
RATES_MS = (RAW_MS, TICK_MS, 250, 1000)  # at most one frame in this long
ANY_VENUE = "*"


@dataclass(frozen=True, slots=True)
class Channel:
    """One thing that can be subscribed to; `instrument` and `venue` are empty where the kind has none."""

    name: str
    kind: str
    instrument: str = ""
    venue: str = ""


def parse_channel(name: str, instruments: Instruments) -> Channel | None:
    """Give the channel of a name; `None` where no such thing exists."""
    parts = name.split(":")
    match parts:
        case ["status" | "metrics" as kind]:
            return Channel(name, kind)
        case ["cbook", instrument] if instrument in instruments.by_name:
            return Channel(name, "cbook", instrument)
        case ["bbo" | "trades" as kind, "*", instrument] if instrument in instruments.by_name:
            return Channel(name, kind, instrument, ANY_VENUE)
        case ["book", venue, instrument] if instrument in instruments.by_name:
            return Channel(name, "book", instrument, venue) if venue in instruments.venues(instrument) else None
    return None


def quantise(asked: int, steps: Sequence[int]) -> int:
    """Give the smallest step that is at least what was asked, else the largest."""
    return next((step for step in steps if step >= asked), steps[-1])
