"""Targets: what clients send to the gateway. Every message is answered as documented, or ends the connection so."""

from __future__ import annotations

import orjson

from gateway.channels import DEPTHS, RATES_MS
from gateway.hub import Hub
from gateway.message import Message
from gateway.protocol import (
    CHANNELS,
    MAX_ID_INT,
    MAX_ID_TEXT,
    NAME_LENGTH,
    REQUEST_BYTES,
    Close,
    Code,
)
from gateway.requests import Adjust, Ask, Authenticate, Refused, Subscribe, Unsubscribe, parse_request
from gateway.session import Session
from gateway.topic import Now
from tests.fuzz.target import Target
from tests.gateway.publications import instruments

SECOND_NS = 1_000_000_000
CODES = {int(code) for code in Code}
FATAL = {None, Close.BAD_FRAME, Close.TOO_BIG}
ANSWERS = {"ack", "err", "pong", "list", "stats"}
NAMES = ("status", "metrics", "cbook:BTC-USDT", "book:kraken:BTC-USDT", "bbo:*:BTC-USDT", "trades:*:BTC-USDT")
HUB = Hub(instruments())


class Wire:
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed: Close | None = None

    def write(self, text: bytes) -> None:
        self.written.append(text)

    def deliver(self, message: Message) -> None:
        self.write(message.text)

    def buffered(self) -> int:
        return 0

    def close(self, close: Close) -> None:
        self.closed = close


def judge_request(data: bytes) -> object:
    """One request, checked."""
    request = parse_request(data.decode(errors="replace"))
    if isinstance(request, Refused):
        assert request.code in Code
        assert request.fatal in FATAL
        assert len(request.text) < 120
        return request.code, request.fatal, request.text[:30]
    number = request.id
    assert isinstance(number, str | int)
    assert not isinstance(number, bool)
    assert 0 < len(number) <= MAX_ID_TEXT if isinstance(number, str) else abs(number) <= MAX_ID_INT
    if isinstance(request, Subscribe):
        assert request.depth in DEPTHS
        assert request.rate_ms in RATES_MS
    if isinstance(request, Adjust):
        assert request.depth in (None, *DEPTHS)
        assert request.rate_ms in (None, *RATES_MS)
    if isinstance(request, Subscribe | Unsubscribe | Adjust):
        assert 0 < len(request.names) == len(set(request.names))
        assert all(isinstance(name, str) for name in request.names)
        return type(request).__name__, min(len(request.names), 4)
    if isinstance(request, Authenticate):
        return "auth"
    assert isinstance(request, Ask)
    return request.op, request.echo is None


def judge_client(data: bytes) -> object:
    """A client's messages, one a line, one a second; a line that begins with byte 0 is a binary frame."""
    wire, seen = Wire(), list[str]()
    session = Session(HUB, wire, Now(0, 0))
    for number, line in enumerate(data.split(b"\n")[:18], 1):
        closed, before = wire.closed, len(wire.written)
        text = line if line[:1] == b"\0" else line.decode(errors="replace")
        session.receive(text, Now(number * SECOND_NS, number * SECOND_NS))
        if closed is not None:
            assert len(wire.written) == before, "an answer after the end"
            continue
        assert wire.closed in FATAL
        (answer,) = [orjson.loads(text) for text in wire.written[before:]]
        seen.append(_checked(answer))
        assert session.outbox.subscriptions.keys() <= set(NAMES)
        assert len(session.outbox.subscriptions) <= CHANNELS
    session.leave()
    assert HUB.following == 0
    return tuple(seen[:4]), wire.closed


def _checked(answer: dict[str, object]) -> str:
    kind = answer["t"]
    assert isinstance(kind, str)
    assert kind in ANSWERS
    if kind == "err":
        assert answer["code"] in CODES
    if kind == "ack":
        refused = answer["err"]
        assert isinstance(refused, list)
        assert all(one["code"] in CODES and len(one["ch"]) <= NAME_LENGTH for one in refused)
    return kind


def _requests() -> list[bytes]:
    names = list(NAMES)
    asks = [{"op": op, "id": number} for op in ("list", "stats", "ping", "auth") for number in (1, "x")]
    subscriptions = [{"op": "subscribe", "id": 1, "ch": names, "depth": 12, "rate_ms": 250}]
    places = {name: {"epoch": 1, "seq": 2} for name in names[2:]}
    subscriptions.append({"op": "subscribe", "id": 2, "ch": names, "node": "n", "resume": places})
    subscriptions.append({"op": "set", "id": 3, "ch": names, "depth": 200, "rate_ms": 0})
    more = [{"op": "unsubscribe", "id": "a", "ch": names[:2]}, {"op": "ping", "id": 1, "c": 7}, {"op": "x", "id": 5}]
    return [orjson.dumps(one) for one in (*subscriptions, *asks, *more)]


_WORDS = [*(name.encode() for name in NAMES), b'"op":', b'"id":', b'"ch":', b'"depth":', b'"subscribe"', b"\0", b"\n"]

TARGETS = [
    Target(
        "request",
        judge_request,
        lambda: [*_requests(), b" " * (REQUEST_BYTES - 9)],
        least=100_000,
        share=0.5,
        words=_WORDS,
    ),
    Target("client", judge_client, lambda: [*_requests(), b"\n".join(_requests())], least=100_000, words=_WORDS),
]
