"""The seam between the simulator and a venue: one record of functions per venue, one file per record.

A function gets the `Exchange` (the venue's state and its outbox) and the instant; it never waits and reads no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.topic import Client, Desk, Frame, Topic

if TYPE_CHECKING:
    from simulator.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response: JSON text with a status and headers of its own, after a delay."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Trick:
    """A fault only this venue knows: what it does to an instrument's desk and what a consumer can make of it.

    Its function tells whether it could be done now; the simulator tries again until it could.
    """

    act: Callable[[Exchange, Desk, int], bool]
    expect: str
    scope: str


def _nothing(exchange: Exchange, client: Client, now: int) -> None:
    """Say nothing, as venues without greeting or heartbeat do."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one venue talks.

    Five functions are the protocol; all else says what the venue has or lacks. `open` runs when a client connects,
    `beat` about once a second for each client, `receive` for each text it sends, `publish` when a topic is due and
    something happened, `respond` for an HTTP request (path below the venue's own, query).
    """

    venue: str
    paths: tuple[str, ...]  # of WebSockets; a path that goes on after one of these belongs to it too
    decimals: Mapping[str, tuple[int, int]]  # by base asset: decimals of prices and of sizes
    book_interval: int  # ns between book frames of the topic that our ingest uses; 0 for one a change
    trade_interval: int
    receive: Callable[[Exchange, Client, str, int], None]
    publish: Callable[[Exchange, Topic, int], None]
    open: Callable[[Exchange, Client, int], None] = _nothing
    beat: Callable[[Exchange, Client, int], None] = _nothing
    respond: Callable[[Exchange, str, Mapping[str, str], int], Reply | None] | None = None
    render: Callable[[Client, Topic, Frame], bytes] | None = None  # where clients get different bytes
    other_decimals: tuple[int, int] = (4, 4)  # of an asset that is not in `decimals`
    verified: int = 200  # levels a side that a consumer can verify; the depth of the oracle's digests
    numbered: bool = False  # the venue numbers a connection's frames, so a loss concerns all its books
    trade_ids: bool = False  # trade ids step by one, so that a lost trade shows
    spoil: Callable[[bytes], bytes] | None = None  # breaks a frame's checksum
    mark: bytes = b""  # in a book frame: after it come the bids
    bid: Callable[[Desk, int, int], str] | None = None  # writes one bid, price and size
    # Tells whether one who lost the first frame notices at the second, or ever if nothing came after; None: always.
    reveals: Callable[[Frame, Frame | None], bool] | None = None
    frames_a_step: float = 0.0  # that a market's step adds to its book's, where levels are told one by one
    binary: bool = False  # its frames are binary, though text is in them
    rest_snapshots: bool = False
    expects: Mapping[str, str] = field(default_factory=dict)  # by fault kind, where it is not the usual
    tricks: Mapping[str, Trick] = field(default_factory=dict)
    max_age_ns: int | None = None  # the venue ends a connection at this age
