"""The client protocol, version 1: requests checked, answers written, codes and limits. See `docs/gateway.md`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal, TypeAlias

import orjson

from gateway.channels import DEPTHS, RATES_MS, TICK_MS, quantise
from gateway.shapes import encode
from gateway.shapes.control import Ack, Error, Lag, Limits
from gateway.shapes.fields import RequestId

VERSION: Literal[1] = 1
SUBPROTOCOL = "thalweg.v1+json"
HEARTBEAT_MS = 1000
REQUEST_BYTES = 16 * 1024  # of one request; 256 channel names take 8 KiB
REQUESTS_PER_S, REQUESTS_BURST = 10.0, 20.0
CHANNELS = 256  # of one connection
FIRST_SUBSCRIBE_NS = 10_000_000_000  # a connection that asks for nothing is closed after this long
MAX_ID_TEXT, MAX_ID_INT = 36, 2**53
NAME_LENGTH = 80  # characters of a channel's name that are repeated in an answer

LIMITS: Limits = {
    "request_bytes": REQUEST_BYTES,
    "requests_per_s": REQUESTS_PER_S,
    "requests_burst": REQUESTS_BURST,
    "channels": CHANNELS,
    "first_subscribe_ms": FIRST_SUBSCRIBE_NS // 1_000_000,
    "depths": DEPTHS,
    "rates_ms": RATES_MS,
}


class Code(IntEnum):
    """Why a request, or one of its channels, was refused."""

    UNKNOWN_CHANNEL = 102
    ALREADY_SUBSCRIBED = 105
    LIMIT = 106
    BAD_REQUEST = 107
    NOT_SUBSCRIBED = 113

    @property
    def words(self) -> str:
        """The reason as text."""
        return self.name.lower().replace("_", " ")


class Close(IntEnum):
    """Why the server ends a connection; up to 4199 a client may reconnect, with backoff."""

    SHUTDOWN = 4001
    SLOW = 4008
    NOTHING_SUBSCRIBED = 4010
    OVERLOADED = 4100
    BAD_FRAME = 4400
    TOO_MANY_REQUESTS = 4409
    TOO_BIG = 4413
    CONNECTION_LIMIT = 4429

    @property
    def reason(self) -> str:
        """The reason as text, as it goes into the close frame."""
        return self.name.lower().replace("_", " ")


@dataclass(slots=True)
class Subscribe:
    """Follow channels; depth and rate are granted ones already."""

    id: RequestId
    names: list[str]
    depth: int
    rate_ms: int


@dataclass(slots=True)
class Unsubscribe:
    """Stop following channels."""

    id: RequestId
    names: list[str]


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


Request: TypeAlias = Subscribe | Unsubscribe | Ask | Refused


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
    if op == "ping":
        echo = message.get("c")
        return Ask("ping", identity, echo if _is_int(echo) else None)
    if op in ("list", "stats"):
        return Ask(op, identity)
    if op not in ("subscribe", "unsubscribe"):
        return Refused(identity, Code.BAD_REQUEST, "op must be subscribe, unsubscribe, list, stats or ping")
    names = message.get("ch")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return Refused(identity, Code.BAD_REQUEST, "ch must be a list of channel names")
    names = list(dict.fromkeys(names))
    if op == "unsubscribe":
        return Unsubscribe(identity, names)
    depth, rate_ms = message.get("depth", DEPTHS[1]), message.get("rate_ms", TICK_MS)
    if not (_is_int(depth) and _is_int(rate_ms) and depth > 0 and rate_ms >= 0):
        return Refused(identity, Code.BAD_REQUEST, "depth and rate_ms must be whole numbers")
    return Subscribe(identity, names, quantise(depth, DEPTHS), quantise(rate_ms, RATES_MS))


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_ID_INT


def _id(value: object) -> RequestId | None:
    if isinstance(value, str):
        return value if 0 < len(value) <= MAX_ID_TEXT else None
    return value if isinstance(value, int) and _is_int(value) else None


def hello(node: str, epoch: int, micros: int) -> bytes:
    """Give the first message of a connection."""
    return encode(
        {
            "t": "hello",
            "v": VERSION,
            "node": node,
            "epoch": epoch,
            "hb_ms": HEARTBEAT_MS,
            "limits": LIMITS,
            "srv": micros,
            "auth": "none",
        }
    )


def acknowledgement(request: Subscribe | Unsubscribe, errors: dict[str, Code]) -> bytes:
    """Say which channels of a request were accepted."""
    message: Ack = {
        "t": "ack",
        "id": request.id,
        "ok": [name for name in request.names if name not in errors],
        "err": [{"ch": name[:NAME_LENGTH], "code": int(code), "msg": code.words} for name, code in errors.items()],
    }
    if isinstance(request, Subscribe):
        message["granted"] = {"depth": request.depth, "rate_ms": request.rate_ms}
    return encode(message)


def refusal(refused: Refused) -> bytes:
    """Say why a request is not served."""
    message: Error = {"t": "err", "code": int(refused.code), "msg": refused.text, "retry": False}
    if refused.id is not None:
        message["id"] = refused.id
    return encode(message)


def pong(ask: Ask, micros: int) -> bytes:
    """Answer a ping with the client's instant and ours."""
    return encode({"t": "pong", "id": ask.id, "c": ask.echo, "srv": micros})


def heartbeat(n: int, micros: int) -> bytes:
    """Give the sign of life that all clients get each second."""
    return encode({"t": "hb", "n": n, "srv": micros})


def recovered(skipped: int) -> bytes:
    """Say that a lag is over, and how many ticks were left out."""
    message: Lag = {"t": "lag", "st": "recovered", "skipped": skipped, "rate_ms": 0}
    return encode(message)


def farewell(close: Close, after_ms: int) -> bytes:
    """Say that the server will close, and when to come back."""
    return encode({"t": "bye", "code": int(close), "after_ms": after_ms})
