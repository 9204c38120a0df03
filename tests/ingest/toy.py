"""A venue that is nothing but the seam: frames are JSON with the fields of our own messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ingest.effects import Effects
from ingest.sequence import Rule, Spliced, Step
from ingest.session import Session
from ingest.tally import Tally
from ingest.venue import (
    BookUpdate,
    Capability,
    Control,
    Decoded,
    Ignored,
    Keepalive,
    Message,
    RestSnapshot,
    Scales,
    Sign,
    TradeUpdate,
    Venue,
)
from thalweg.book import Book
from thalweg.errors import DecodeError
from thalweg.events import Delta, Event, Snapshot, State, Status, Taker
from thalweg.fixed import parse_levels
from thalweg.instruments import Instrument

SECOND = 1_000_000_000
BTC = Instrument("BTC-USDT", 8, 8, {"toy": "BTC"})
ETH = Instrument("ETH-USDT", 8, 8, {"toy": "ETH"})
UNIT = 10**8


def _levels(pairs: list[list[int]]) -> Any:
    return parse_levels([(str(price), str(size)) for price, size in pairs], 8, 8)


def _message(found: dict[str, Any]) -> Message:
    kind = found.pop("kind")
    if kind == "book":
        found["bids"], found["asks"] = _levels(found.get("bids", [])), _levels(found.get("asks", []))
        return BookUpdate(**found)
    if kind == "trade":
        number = found.get("number")
        return TradeUpdate(found["symbol"], UNIT, UNIT, Taker.BUY, str(found.get("id", number)), number, 1)
    if kind == "control":
        state = found.get("state")
        symbols, sign = tuple(found.get("symbols", ())), Sign(found["sign"])
        return Control(sign, symbols, found.get("text", ""), State(state) if state else None, found.get("depth"))
    return Ignored(kind)


def decode(frame: bytes, scales: Scales) -> Decoded:
    """Give the messages of a toy frame."""
    try:
        found = json.loads(frame)
    except ValueError as error:
        raise DecodeError(str(error)) from error
    return Decoded([_message(one) for one in found["messages"]], found.get("sequence"))


def subscribe(symbols: Sequence[str]) -> list[str]:
    """Ask for everything at once."""
    return ["subscribe " + " ".join(symbols)]


TOY = Venue(
    name="toy",
    ws="ws://toy",
    rest=None,
    capability=Capability("sequence", None),
    depth=None,
    keepalive=Keepalive(silence_s=15.0, ping="ping", every_s=20.0),
    connect=lambda base: base,
    subscribe=subscribe,
    resubscribe=lambda symbol: [f"resubscribe {symbol}"],
    decode=decode,
    rule=Step,
)


def _body(body: bytes, symbol: str, scales: Scales) -> BookUpdate:
    update = decode(body, scales).messages[0]
    assert isinstance(update, BookUpdate)
    return update


BY_REST = replace(
    TOY, rule=Spliced, rest_snapshot=RestSnapshot(lambda base, symbol: f"{base}/{symbol}", lambda url: None, _body)
)


def with_rule(rule: Callable[[], Rule], **changes: Any) -> Venue:
    """Give the toy venue with another rule."""
    return replace(TOY, rule=rule, **changes)


class Desk:
    """A session, its clock, and everything it did."""

    def __init__(
        self, venue: Venue = TOY, instruments: Sequence[Instrument] = (BTC,), tally: Tally | None = None
    ) -> None:
        self.tally = tally or Tally()
        self.venue = venue
        listings = {one.symbols["toy"]: one for one in instruments}
        self.session = Session(venue, listings, self.tally, lambda: 1.0, snapshot_ns=30 * SECOND)
        self.now = 1_000 * SECOND
        self.events: list[Event] = []
        self.sent: list[str] = []
        self.fetched: list[str] = []
        self.closed: list[str] = []

    def do(self, effects: Effects) -> list[Event]:
        """Keep the effects and give the new events."""
        self.events += effects.events
        self.sent += effects.send
        self.fetched += effects.fetch
        self.closed += [effects.close] if effects.close else []
        return effects.events

    def connect(self) -> list[Event]:
        return self.do(self.session.connected(self.now, self.now))

    def frame(self, *messages: dict[str, Any], sequence: int | None = None) -> list[Event]:
        self.now += 1_000_000
        data = json.dumps({"messages": messages, "sequence": sequence}).encode()
        return self.do(self.session.frame(data, self.now, self.now))

    def answer(self, message: dict[str, Any]) -> list[Event]:
        body = json.dumps({"messages": [message]}).encode()
        return self.do(self.session.book_fetched(message["symbol"], body, self.now, self.now))

    def wait(self, seconds: float) -> list[Event]:
        """Let time pass in the worker's ticks."""
        events = []
        for _ in range(round(seconds * 10)):
            self.now += SECOND // 10
            events += self.do(self.session.tick(self.now, self.now))
        return events

    @property
    def state(self) -> State:
        return self.session.tracks[0].state

    def balance(self) -> tuple[int, int]:
        """Give both sides of ingest's conservation equation, with what was emitted as appended."""
        tally = self.tally
        came = tally.decoded + sum(tally.made.values())
        return came, len(self.events) + sum(tally.dropped.values()) + self.session.held


def whole(last: int | None = None, bids: Any = ((100, 1),), asks: Any = ((101, 1),), **more: Any) -> dict[str, Any]:
    """Give a whole book."""
    found = {"kind": "book", "symbol": "BTC", "whole": True, "bids": list(bids), "asks": list(asks), "last": last}
    return found | more


def delta(first: int, last: int, bids: Any = ((100, 2),), asks: Any = (), **more: Any) -> dict[str, Any]:
    """Give changes to a book."""
    found = {"kind": "book", "symbol": "BTC", "whole": False, "bids": list(bids), "asks": list(asks)}
    return found | {"first": first, "last": last} | more


def kinds(events: Sequence[Event]) -> list[str]:
    """Give the events in short: their kind, and a status's state."""
    return [str(e.state) if isinstance(e, Status) else type(e).__name__.lower() for e in events]


def replay(events: Sequence[Event]) -> Book | None:
    """Give the book a reader of these events has; `None` while it may not be trusted."""
    book, live = Book(), False
    for event in events:
        if isinstance(event, Snapshot):
            book.load(event.bids, event.asks)
            live = event.state is State.LIVE
        elif isinstance(event, Delta):
            book.apply(event.bids, event.asks)
        elif isinstance(event, Status):
            live = event.state is State.LIVE
    return book if live else None


def live(desk: Desk) -> Desk:
    """Connect and bring the book live."""
    desk.connect()
    if desk.venue.rest_snapshot:
        desk.frame(delta(1, 1))
        desk.wait(0.1)
        desk.answer(whole(1))
    else:
        desk.frame(whole(1))
    assert desk.state is State.LIVE
    return desk
