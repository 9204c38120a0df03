"""Answers about the system: what runs, what there is, whether it is well, and what it has counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import thalweg
from gateway.hub import AGGREGATOR, REDIS, Hub
from gateway.protocol import SUBPROTOCOL
from gateway.shapes.answers import (
    Health,
    InstrumentList,
    Readiness,
    StatsAnswer,
    VenueFacts,
    VenueList,
    Version,
)
from gateway.topic import Now
from thalweg.events import State
from thalweg.fixed import format_fixed
from thalweg.instruments import Instruments
from thalweg.settings import FEE_DECIMALS

Capabilities: TypeAlias = Mapping[tuple[str, str], Mapping[str, str]]
"""By instrument and venue, the fields of the book's status hash."""
TICK_LATE_NS = 2_000_000_000  # a tick comes every 100 ms
RECORDS_LATE_NS = 10_000_000_000  # an instrument is published at least each second


def version(replay: str | None) -> Version:
    """Give what runs here; `replay` tells what is replayed, and is left out when all is live."""
    found: Version = {"name": "thalweg", "version": thalweg.__version__, "protocol": SUBPROTOCOL}
    if replay is not None:
        found["replay"] = replay
    return found


def instruments(known: Instruments) -> InstrumentList:
    """Give all instruments with their scales and venues."""
    return {
        "instruments": [
            {
                "name": one.name,
                "price_decimals": one.price_decimals,
                "size_decimals": one.size_decimals,
                "venues": list(one.symbols),
            }
            for one in known.by_name.values()
        ]
    }


def venues(hub: Hub, capabilities: Capabilities, fees: Mapping[str, int]) -> VenueList:
    """Give all venues: what finds a loss in their feeds, to which depth, how many books are live, and the taker fee.

    Args:
        hub: knows all books.
        capabilities: what the status hashes say.
        fees: those that are set, in units of `10 ** -FEE_DECIMALS` basis points; one that is not is null.
    """
    found: dict[str, VenueFacts] = {}
    for replica in hub.replicas.values():
        for venue in replica.scale.venues:
            line = found.setdefault(venue, _venue(venue, fees.get(venue)))
            line["books"]["total"] += 1
            line["books"]["live"] += replica.state(venue) is State.LIVE
            fields = capabilities.get((replica.instrument.name, venue))
            if fields and "detector" in fields:
                line["detector"] = fields["detector"]
                line["depth"], line["verified_depth"] = _levels(fields, "depth"), _levels(fields, "verified_depth")
    return {"venues": list(found.values())}


def _venue(name: str, fee: int | None) -> VenueFacts:
    return {
        "name": name,
        "books": {"live": 0, "total": 0},
        "fee_bps": None if fee is None else format_fixed(fee, FEE_DECIMALS),
        "detector": None,
        "depth": None,
        "verified_depth": None,
    }


def _levels(fields: Mapping[str, str], name: str) -> int | None:
    """Give a number of levels; an absent one means all of them and is null."""
    text = fields.get(name, "")
    return int(text) if text.isdigit() else None


def health(hub: Hub, progress_ns: int, now: Now) -> tuple[int, Health]:
    """Give an HTTP status and the reasons: 503 when the process lives but does not get on, so that a restart may help.

    Redis or aggregator that are gone are no reason: a restart brings neither back, and `readiness` tells of them.

    Args:
        hub: knows when what was received.
        progress_ns: monotonic instant of the last tick, or of the start before the first.
        now: the instant.
    """
    why = []
    if now.monotonic - progress_ns > TICK_LATE_NS:
        why.append(f"no tick for {(now.monotonic - progress_ns) / 1e9:.0f} s")
    parts = [hub.parts[name] for name in (REDIS, AGGREGATOR)]
    newest = max([part.since_ns for part in parts] + [one.ts_received for one in hub.replicas.values()])
    if all(part.live for part in parts) and now.wall - newest > RECORDS_LATE_NS:
        why.append(f"no publication for {(now.wall - newest) / 1e9:.0f} s, though Redis and the aggregator are heard")
    return 503 if why else 200, {"status": "STUCK" if why else "OK", "why": why}


def readiness(hub: Hub) -> tuple[int, Readiness]:
    """Give an HTTP status and the reasons: OK when all books are live, DOWN when none is or nothing can be heard."""
    reasons: dict[str, list[str]] = {}
    live = 0
    for name, replica in hub.replicas.items():
        for venue in replica.scale.venues:
            state = replica.state(venue)
            live += state is State.LIVE
            if state is not State.LIVE:
                why = replica.reason(venue)
                reasons.setdefault(venue, []).append(f"{name} {state}" + (f": {why}" if why else ""))
    parts: dict[str, str] = {name: part.why for name, part in hub.parts.items() if not part.live}
    if parts or not live:
        return 503, {"status": "DOWN", "parts": parts, "venues": reasons}
    return 200, {"status": "DEGRADED" if reasons else "OK", "parts": parts, "venues": reasons}


def stats(hub: Hub, node: str, clients: tuple[int, int], started_ns: int, now: Now) -> StatsAnswer:
    """Give the gateway's own counts; `clients` are those of WebSockets and of event streams."""
    return {
        "node": node,
        "as_of": now.micros,
        "uptime_s": round((now.monotonic - started_ns) / 1e9, 1),
        "connections": clients[0],
        "event_streams": clients[1],
        "topics": hub.following,
        "parts": {
            name: {"live": part.live, "why": part.why, "since": part.since_ns // 1000}
            for name, part in hub.parts.items()
        },
        "instruments": hub.report(),
    }
