"""Faults of the venues, made by the simulator: every kind it knows, at every venue that can have it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic

from simulator.faults import why_not
from simulator.kinds import ALL as EVERY_BOOK
from simulator.kinds import KINDS as FAULTS
from simulator.kinds import REQUESTS
from simulator.venues import DIALECTS
from tests.chaos.kinds import Kind, Strike

HOT = ("BTC-USDT", "ETH-USDT")
TOLD_S = 8.0  # the longest that is waited until a silence is told
SECONDS = {
    "silent_book": 12.0,
    "late": 3.0,
    "delist": 3.0,
    "maintenance": 2.0,
    "skew": 3.0,
    "rest_slow": 4.0,
    "rest_418": 5.0,
}
AMOUNT = {"oversized": 20.0, "late": 2.0, "skew": 5.0, "slow_snapshot": 1.0}
LASTS_S = {"silent_book": 5.0, "silent_socket": 6.0, "heartbeats_only": 6.0, "ack_silence": 4.0, "late": 3.0}
LASTS_S |= {"delist": 3.5, "maintenance": 2.0, "checksum_zero": 3.0, "checksum_gone": 3.0, "checksum_stuck": 3.0}
LASTS_S |= {"skew": 3.0, "halt": 3.5, "server_shutdown": 3.0, "crossed": 2.0, "rest_418": 1.0}
EXCUSED_S = 8.0  # a crossed book is wrong until it is caught
DEFAULT_S, FOREVER_S = 3.0, 1e9
MEASURED = {"cut": "venue cut"}
NOT_AT = {("silent_book", "coinbase")}  # a book that says nothing there may simply not move


def act(kind: str) -> Callable[[Strike], Awaitable[None]]:
    """Make the fault that lets the simulator do one of its own."""

    async def strike_venue(strike: Strike) -> None:
        more: dict[str, object] = {"seconds": SECONDS.get(kind, DEFAULT_S)}
        if kind in AMOUNT:
            more["amount"] = AMOUNT[kind]
        if kind == "silent_book":
            more["instruments"], strike.books = [HOT[0]], [(strike.venue, HOT[0])]
        if kind == "crossed":
            for book in strike.mine():
                strike.recorder.oracle.excused[book] = monotonic() + EXCUSED_S
        if kind in ("cut", "close", "ghosts"):
            more["instruments"], strike.books = list(EVERY_BOOK), strike.mine()
        strike.begin()
        await strike.inject(kind, **more)
        if kind in REQUESTS or kind.startswith("rest_"):  # the next requests come when everybody comes back
            strike.system.proxies[f"venue:{strike.venue}"].reset()
        await strike.last(LASTS_S.get(kind, 0.5))
        if kind in MEASURED:
            await strike.began_at(kind)
        if kind == "max_age":
            await strike.inject(kind, seconds=FOREVER_S)
        strike.end()

    return strike_venue


def fall_silent(instrument: str) -> Callable[[Strike], Awaitable[None]]:
    """Make the fault that silences a book that is never silent, until that is told."""

    async def act(strike: Strike) -> None:
        strike.books = [(strike.venue, instrument)]
        strike.begin()
        await strike.inject("silent_book", instruments=[instrument], seconds=TOLD_S)
        await strike.last(1.0)
        await strike.began_at("silent_book")
        for _ in range(int(TOLD_S / 0.05)):
            if any(
                at >= strike.began and (venue, name) == strike.books[0] for at, venue, name, _ in strike.recorder.words
            ):
                break
            await strike.last(0.05)
        strike.end()

    return act


def venues_of(kind: str) -> tuple[str, ...]:
    """Give the venues that can have a kind."""
    found = []
    for venue, dialect in DIALECTS.items():
        rest = kind not in ("rest_418", "rest_slow") or dialect.rest_snapshots
        if why_not(kind, dialect) is None and rest and (kind, venue) not in NOT_AT:
            found.append(venue)
    return tuple(found)


TRICKS = sorted({trick for dialect in DIALECTS.values() for trick in dialect.tricks})
KINDS = tuple(
    Kind(f"venue: {kind}", act(kind), venues_of(kind), 1, MEASURED.get(kind, "")) for kind in [*FAULTS, *TRICKS]
)
KINDS += tuple(
    Kind(f"{name} falls silent", fall_silent(name), venues_of("silent_book"), 0, "hot silent book told") for name in HOT
)
