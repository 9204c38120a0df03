"""What happens to a book: the events of the streams, and the states and flags of a book.

Events are written once and never changed. Prices and sizes are in instrument units; instants are
nanoseconds since the Unix epoch; what a venue does not give is `None`, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag, StrEnum
from typing import TypeAlias

from thalweg.fixed import Levels


class State(StrEnum):
    """Whether a book can be trusted. Only `LIVE` books feed the consolidated ladder."""

    CONNECTING = "connecting"
    SYNCING = "syncing"
    LIVE = "live"
    STALE = "stale"
    HALTED = "halted"
    DELISTED = "delisted"


STATES: tuple[State, ...] = tuple(State)
"""States by their number in binary records."""


class Flag(IntFlag):
    """What else is true of a book; any of them together."""

    UNVERIFIED = 1
    LATE = 2
    CROSSED = 4
    CONFLATED = 8


def flag_names(flags: int) -> list[str]:
    """Give the names of the flags that are set, in lower case."""
    return [flag.name.lower() for flag in Flag if flags & flag and flag.name]


class Taker(StrEnum):
    """The side that took liquidity in a trade."""

    BUY = "buy"
    SELL = "sell"


class Made(StrEnum):
    """Who made a snapshot: the venue, or ingest from its own book."""

    VENUE = "venue"
    PERIODIC = "periodic"
    BRIDGE = "bridge"


@dataclass(slots=True)
class Open:
    """The first entry of every epoch of a stream: how to read what follows."""

    venue: str
    instrument: str
    price_decimals: int
    size_decimals: int
    depth: int | None
    detector: str
    verified_depth: int | None
    ts_recv: int


@dataclass(slots=True)
class Snapshot:
    """A whole book; `bids` and `asks` are `(n, 2)`, best first."""

    venue: str
    instrument: str
    bids: Levels
    asks: Levels
    first: int | None
    last: int | None
    ts_event: int | None
    ts_recv: int
    made: Made
    state: State
    flags: int


@dataclass(slots=True)
class Delta:
    """Absolute sizes at changed prices, `(n, 2)` in the venue's order; size 0 removes; a later one wins."""

    venue: str
    instrument: str
    bids: Levels
    asks: Levels
    first: int | None
    last: int | None
    ts_event: int | None
    ts_recv: int


@dataclass(slots=True)
class Trade:
    """One trade; `id` is the venue's own, as text."""

    venue: str
    instrument: str
    price: int
    size: int
    taker: Taker
    id: str
    ts_event: int | None
    ts_recv: int


@dataclass(slots=True)
class Status:
    """The state of a book changed, or trades were lost (`reason` says).

    `follows`, right after an `open`: the entry (epoch, n) from which the book of the new epoch goes on without a break.
    """

    venue: str
    instrument: str
    state: State
    flags: int
    reason: str
    since: int
    ts_recv: int
    follows: tuple[int, int] | None = None


BookEvent: TypeAlias = Snapshot | Delta
Event: TypeAlias = Open | Snapshot | Delta | Trade | Status
