"""The shape of every message of the protocol, in both directions: the one place where fields are declared.

What the gateway writes is checked against these types by mypy, and by the tests on every message that their clients
read; the AsyncAPI document is made from them. A field that may be missing is `NotRequired`; the text in an `Annotated`
says what the value means. Unknown fields and unknown `t` must be ignored, so that both may be added to.
"""

from __future__ import annotations

from typing import TypeAlias

import orjson

from gateway.shapes.asked import ClientMessage as ClientMessage
from gateway.shapes.control import Ack, Bye, Error, Heartbeat, Hello, Lag, ListAnswer, Pong, StatsAnswer
from gateway.shapes.market import Best, BookStatus, Delta, Metrics, PartStatus, Snap, Trades

ServerMessage: TypeAlias = (
    Hello | Ack | Error | Heartbeat | Pong | ListAnswer | StatsAnswer | Lag | Bye
    | Snap | Delta | Best | Trades | BookStatus | PartStatus | Metrics
)  # fmt: skip


def encode(message: ServerMessage) -> bytes:
    """Give a message as it is sent."""
    return orjson.dumps(message)
