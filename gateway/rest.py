"""Answers to REST requests, made from the replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import thalweg
from gateway.hub import Hub
from gateway.levels import Scale, level_texts
from gateway.protocol import SUBPROTOCOL
from gateway.replica import Replica
from gateway.topic import Now
from gateway.wording import best_text, flags_text, ladder_state, quote_text, venue_text
from thalweg.events import State
from thalweg.fixed import format_fixed
from thalweg.instruments import Instruments
from thalweg.settings import FEE_DECIMALS

Answer: TypeAlias = dict[str, Any]
Capabilities: TypeAlias = Mapping[tuple[str, str], Mapping[str, str]]
"""By instrument and venue, the fields of the book's status hash."""


def version() -> Answer:
    """Give what runs here."""
    return {"name": "thalweg", "version": thalweg.__version__, "protocol": SUBPROTOCOL}


def instruments(known: Instruments) -> Answer:
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


def venues(hub: Hub, capabilities: Capabilities, fees: Mapping[str, int]) -> Answer:
    """Give all venues: what finds a loss in their feeds, to which depth, how many books are live, and the taker fee.

    Args:
        hub: knows all books.
        capabilities: what the status hashes say.
        fees: those that are set, in units of `10 ** -FEE_DECIMALS` basis points; one that is not is null.
    """
    found: dict[str, Answer] = {}
    for replica in hub.replicas.values():
        for venue in replica.scale.venues:
            line = found.setdefault(venue, _venue(venue, fees.get(venue)))
            line["books"]["total"] += 1
            line["books"]["live"] += replica.state(venue) is State.LIVE
            fields = capabilities.get((replica.instrument.name, venue))
            if fields and "detector" in fields:
                line |= _capability(fields)
    unknown = {"detector": None, "depth": None, "verified_depth": None}
    return {"venues": [unknown | line for line in found.values()]}


def _venue(name: str, fee: int | None) -> Answer:
    fee_bps = None if fee is None else format_fixed(fee, FEE_DECIMALS)
    return {"name": name, "books": {"live": 0, "total": 0}, "fee_bps": fee_bps}


def _capability(fields: Mapping[str, str]) -> Answer:
    """Give detector and depths; an absent depth means all levels and is null."""
    depths = {name: fields.get(name, "") for name in ("depth", "verified_depth")}
    return {"detector": fields["detector"]} | {
        name: int(text) if text.isdigit() else None for name, text in depths.items()
    }


def _standing(replica: Replica, state: State, age_ms: int | None) -> Answer:
    """Give where an answer about an instrument comes from, and how old it is."""
    ts = replica.stamps.ts_published
    return {
        "instrument": replica.instrument.name,
        "seq": replica.seq,
        "epoch": replica.epoch,
        "as_of": None if ts is None else ts // 1000,
        "age_ms": age_ms,
        "state": state,
    }


def book(replica: Replica, venue: str, depth: int, now: Now) -> Answer:
    """Give a venue's book."""
    scale = Scale(replica.scale.price_decimals, replica.scale.size_decimals)
    bids, asks = (level_texts(side, scale) for side in replica.tops(venue, depth))
    standing = _standing(replica, replica.state(venue), replica.age_ms(venue, now.wall))
    flags = flags_text(replica.lines[venue].flags)
    return standing | {"venue": venue, "flags": flags, "why": replica.reason(venue), "bids": bids, "asks": asks}


def ladder(replica: Replica, depth: int, now: Now) -> Answer:
    """Give the consolidated ladder; every level says who quotes how much."""
    bids, asks = (level_texts(side, replica.scale) for side in replica.ladder(depth))
    return _consolidated(replica, now) | {
        "venues": {venue: venue_text(replica, venue, now) for venue in replica.scale.venues},
        "bids": bids,
        "asks": asks,
    }


def _consolidated(replica: Replica, now: Now) -> Answer:
    ages = [replica.age_ms(venue, now.wall) for venue in replica.scale.venues]
    youngest = min((age for age in ages if age is not None), default=None)
    quote = quote_text(replica.quote(), replica.scale)
    return _standing(replica, ladder_state(replica), youngest) | {"quote": quote}


def best(hub: Hub, now: Now) -> Answer:
    """Give every instrument's best prices, consolidated and by venue."""
    return {
        "instruments": [
            _consolidated(replica, now)
            | {
                "venues": {
                    venue: best_text(replica, venue, replica.age_ms(venue, now.wall)) for venue in replica.scale.venues
                }
            }
            for replica in hub.replicas.values()
        ]
    }


def readiness(hub: Hub) -> tuple[int, Answer]:
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
    parts = {name: part.why for name, part in hub.parts.items() if not part.live}
    down = bool(parts) or not live
    overall = "DOWN" if down else "DEGRADED" if reasons else "OK"
    return 503 if down else 200, {"status": overall, "parts": parts, "venues": reasons}
