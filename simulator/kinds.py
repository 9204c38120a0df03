"""The kinds of faults: what each concerns, how long it disturbs, and what a correct consumer can make of it."""

from __future__ import annotations

from dataclasses import dataclass

GAP = "gap"
ABSORBED = "absorbed"
UNDETECTABLE = "undetectable"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of fault concerns and what a correct consumer can make of it, unless the venue differs.

    `scope` is book, socket, trades, subscription, rest or venue. For `calm_s` its books are left alone by faults that
    choose their own. `amount` is what a fault's own stands in for. A frame that `arrives` is whole for who counts
    frames: only what it says is wrong, so it costs its book alone.
    """

    expect: str
    scope: str
    calm_s: float = 2.5
    amount: float = 0.0
    arrives: bool = False


FRAMES = {  # something happens to the next frames of one topic
    "drop": Kind(GAP, "book"),
    "duplicate": Kind(ABSORBED, "book", 1.0),
    "reorder": Kind(GAP, "book"),
    "truncate": Kind(GAP, "book"),
    "garbage": Kind(GAP, "book"),
    "compressed": Kind(GAP, "socket", 3.0),
    "oversized": Kind(GAP, "socket", 3.0, amount=20.0),  # MiB
    "corrupt_checksum": Kind(GAP, "book", arrives=True),
    "crossed": Kind(GAP, "book", 4.0, arrives=True),
    "number_null": Kind(GAP, "book", arrives=True),
    "number_nan": Kind(GAP, "book", arrives=True),
    "number_exponent": Kind(ABSORBED, "book", 1.0, arrives=True),
    "drop_trade": Kind(GAP, "trades", 1.0),
    "duplicate_trade": Kind(ABSORBED, "trades", 1.0),
}
BOOKS = {  # one book is told wrongly, or not, for a while
    "silent_book": Kind(GAP, "book", 6.0),
    "checksum_zero": Kind(ABSORBED, "book", 6.0, arrives=True),
    "checksum_gone": Kind(ABSORBED, "book", 6.0, arrives=True),
    "checksum_stuck": Kind(GAP, "book", 6.0, arrives=True),
    "delist": Kind(GAP, "book", 6.0),
}
SOCKETS = {  # the sockets that carry a book break, or say less than they should
    "silent_socket": Kind(GAP, "socket", 7.0),
    "heartbeats_only": Kind(GAP, "socket", 7.0),
    "cut": Kind(GAP, "socket", 3.0),
    "close": Kind(GAP, "socket", 3.0),
    "ghosts": Kind(GAP, "socket", 3.0),
    "late": Kind(ABSORBED, "socket", 6.0, amount=4.0),  # seconds behind at the end
    "bad_burst": Kind(ABSORBED, "socket", 3.0),
}
REQUESTS = {  # the next requests are answered otherwise
    "refuse": Kind(ABSORBED, "subscription", 0.0),
    "ack_silence": Kind(ABSORBED, "subscription", 6.0),
    "rest_429": Kind(ABSORBED, "rest", 0.0),
    "stale_snapshot": Kind(ABSORBED, "rest", 0.0),
    "slow_snapshot": Kind(ABSORBED, "rest", 3.0, amount=2.0),  # seconds
    "new_snapshot": Kind(ABSORBED, "rest", 3.0, amount=1.0),  # seconds the stream is behind it
}
VENUES = {  # all of a venue
    "maintenance": Kind(GAP, "venue", 5.0),
    "rest_418": Kind(ABSORBED, "rest", 0.0),
    "rest_slow": Kind(ABSORBED, "rest", 0.0, amount=2.0),  # seconds
    "skew": Kind(ABSORBED, "venue", 0.0, amount=5.0),  # seconds its clock is ahead; below zero behind
    "max_age": Kind(GAP, "socket", 0.0),
}
KINDS = FRAMES | BOOKS | SOCKETS | REQUESTS | VENUES
NEEDS_A_CHECKSUM = {"corrupt_checksum", "checksum_zero", "checksum_gone", "checksum_stuck"}
NEEDS_REST = {"rest_429", "rest_418", "stale_snapshot", "slow_snapshot", "new_snapshot"}
ALL = ("*",)  # as a fault's instruments: every book of its venue
