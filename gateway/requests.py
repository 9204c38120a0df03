"""What clients ask, read and checked: every message becomes a request or the reason why it is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from gateway.channels import DEPTHS, RATES_MS, TICK_MS, quantise
from gateway.protocol import MAX_ID_INT, MAX_ID_TEXT, REQUEST_BYTES, Close, Code
from gateway.shapes.fields import RequestId

OPS = ("subscribe", "unsubscribe", "set", "list", "stats", "ping", "auth")


@dataclass(slots=True)
class Subscribe:
    """Follow channels; depth and rate are granted ones already.

    `resume` are the epochs and sequences that the client has come to, by channel, as told by the gateway `node`.
    """

    id: RequestId
    names: list[str]
    depth: int
    rate_ms: int
    node: str = ""
    resume: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Unsubscribe:
    """Stop following channels."""

    id: RequestId
    names: list[str]


@dataclass(slots=True)
class Adjust:
    """Change depth or rate of channels that are followed, to granted ones; what is `None` stays."""

    id: RequestId
    names: list[str]
    depth: int | None
    rate_ms: int | None


@dataclass(slots=True)
class Authenticate:
    """Show the token."""

    id: RequestId
    token: str


@dataclass(slots=True)
class Ask:
    """A request without channels: `list`, `stats` or `ping`; `echo` is the client's own instant."""

    op: str
    id: RequestId
    echo: int | None = None


@dataclass(slots=True)
class Refused:
    """A request that can't be served; `fatal` ends the connection. Its `id` may be what was wrong with it."""

    id: RequestId | None
    code: Code
    text: str
    fatal: Close | None = None


Request: TypeAlias = Subscribe | Unsubscribe | Adjust | Authenticate | Ask | Refused


def parse_request(text: str | bytes) -> Request:
    """Give the request of a client's message, or why it is refused."""
    if isinstance(text, bytes):
        return Refused(None, Code.BAD_REQUEST, "requests are text frames", Close.BAD_FRAME)
    if len(text) > REQUEST_BYTES or len(text.encode(errors="surrogatepass")) > REQUEST_BYTES:
        return Refused(None, Code.LIMIT, f"a request has at most {REQUEST_BYTES} bytes", Close.TOO_BIG)
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Refused(None, Code.BAD_REQUEST, "not JSON", Close.BAD_FRAME)
    if not isinstance(message, dict):
        return Refused(None, Code.BAD_REQUEST, "not a JSON object", Close.BAD_FRAME)
    return _request(message)


def _request(message: dict[str, Any]) -> Request:
    identity, op = _id(message.get("id")), message.get("op")
    if identity is None:
        limits = f"a whole number or a text of at most {MAX_ID_TEXT} characters"
        return Refused(None, Code.BAD_REQUEST, f"id must be {limits}")
    match op:
        case "ping":
            echo = message.get("c")
            return Ask("ping", identity, echo if _is_int(echo) else None)
        case "list" | "stats":
            return Ask(op, identity)
        case "auth":
            return _authenticate(identity, message)
        case "subscribe" | "unsubscribe" | "set":
            return _of_channels(op, identity, message)
    return Refused(identity, Code.BAD_REQUEST, f"op must be one of {', '.join(OPS)}")


def _authenticate(identity: RequestId, message: dict[str, Any]) -> Authenticate | Refused:
    token = message.get("token")
    if not isinstance(token, str):
        return Refused(identity, Code.BAD_REQUEST, "token must be a text")
    return Authenticate(identity, token)


def _of_channels(op: str, identity: RequestId, message: dict[str, Any]) -> Request:
    names = message.get("ch")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return Refused(identity, Code.BAD_REQUEST, "ch must be a list of channel names")
    names = list(dict.fromkeys(names))
    if op == "unsubscribe":
        return Unsubscribe(identity, names)
    depth, rate_ms = message.get("depth"), message.get("rate_ms")
    if not (_is_at_least(1, depth) and _is_at_least(0, rate_ms)):
        return Refused(identity, Code.BAD_REQUEST, "depth and rate_ms must be whole numbers")
    depth = None if depth is None else quantise(depth, DEPTHS)
    rate_ms = None if rate_ms is None else quantise(rate_ms, RATES_MS)
    if op == "subscribe":
        subscribe = Subscribe(identity, names, depth or DEPTHS[1], TICK_MS if rate_ms is None else rate_ms)
        return _resuming(subscribe, message)
    if depth is None and rate_ms is None:
        return Refused(identity, Code.BAD_REQUEST, "set needs depth or rate_ms")
    return Adjust(identity, names, depth, rate_ms)


def _resuming(subscribe: Subscribe, message: dict[str, Any]) -> Subscribe | Refused:
    """Give a request together with the places that the client has come to."""
    node, resume = message.get("node", ""), _positions(message.get("resume", {}))
    if resume is None or not isinstance(node, str):
        return Refused(subscribe.id, Code.BAD_REQUEST, "resume must be {channel: {epoch, seq}}, and node a text")
    subscribe.node, subscribe.resume = node, resume
    return subscribe


def _positions(asked: object) -> dict[str, tuple[int, int]] | None:
    """Give epochs and sequences by channel; `None` if there is anything else in it."""
    if not isinstance(asked, dict):
        return None
    found = {}
    for name, place in asked.items():
        if not isinstance(place, dict) or not (_is_int(place.get("epoch")) and _is_int(place.get("seq"))):
            return None
        found[name] = place["epoch"], place["seq"]
    return found


def _is_at_least(least: int, value: object) -> bool:
    """Whether a value is no smaller whole number, or is not there."""
    return value is None or (isinstance(value, int) and _is_int(value) and value >= least)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_ID_INT


def _id(value: object) -> RequestId | None:
    if isinstance(value, str):
        return value if 0 < len(value) <= MAX_ID_TEXT else None
    return value if isinstance(value, int) and _is_int(value) else None
