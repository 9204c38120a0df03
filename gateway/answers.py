"""Answers to requests, and what else is said to one client or to all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.protocol import HEARTBEAT_MS, LIMITS, NAME_LENGTH, RETRIED, VERSION, Close, Code
from gateway.requests import Ask, Refused
from gateway.shapes import encode
from gateway.shapes.control import Ack, Error, Granted, Hello, LagState
from gateway.shapes.fields import RequestId


def hello(node: str, epoch: int, token_needed: bool, micros: int, replay: str | None = None) -> bytes:
    """Give the first message of a connection; `replay` tells what is replayed, and is left out when all is live."""
    message: Hello = {
        "t": "hello",
        "v": VERSION,
        "node": node,
        "epoch": epoch,
        "hb_ms": HEARTBEAT_MS,
        "limits": LIMITS,
        "srv": micros,
        "auth": "token" if token_needed else "none",
    }
    if replay is not None:
        message["replay"] = replay
    return encode(message)


def acknowledgement(
    identity: RequestId,
    names: Sequence[str] = (),
    errors: Mapping[str, Code] | None = None,
    granted: Granted | None = None,
) -> bytes:
    """Say which channels of a request were accepted, and what of depth and rate."""
    refused = errors or {}
    message: Ack = {
        "t": "ack",
        "id": identity,
        "ok": [name for name in names if name not in refused],
        "err": [{"ch": name[:NAME_LENGTH], "code": int(code), "msg": code.words} for name, code in refused.items()],
    }
    if granted is not None:
        message["granted"] = granted
    return encode(message)


def refusal(refused: Refused) -> bytes:
    """Say why a request is not served."""
    code = refused.code
    message: Error = {"t": "err", "code": int(code), "msg": refused.text or code.words, "retry": code in RETRIED}
    if refused.id is not None:
        message["id"] = refused.id
    return encode(message)


def pong(ask: Ask, micros: int) -> bytes:
    """Answer a ping with the client's instant and ours."""
    return encode({"t": "pong", "id": ask.id, "c": ask.echo, "srv": micros})


def heartbeat(n: int, micros: int) -> bytes:
    """Give the sign of life that all clients get each second."""
    return encode({"t": "hb", "n": n, "srv": micros})


def lag(state: LagState, skipped: int, floor_ms: int) -> bytes:
    """Say how a slow client is treated, how many ticks this lag left out, and how long frames are apart at least."""
    return encode({"t": "lag", "st": state, "skipped": skipped, "rate_ms": floor_ms})


def farewell(close: Close, after_ms: int) -> bytes:
    """Say that the server will close, and when to come back."""
    return encode({"t": "bye", "code": int(close), "after_ms": after_ms})
