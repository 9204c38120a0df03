"""The client protocol, version 1, in numbers: limits, error codes, close codes. See `docs/gateway.md`."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from gateway.channels import DEPTHS, RATES_MS
from gateway.shapes.control import Limits

VERSION: Literal[1] = 1
SUBPROTOCOL = "thalweg.v1+json"
HEARTBEAT_MS = 1000
REQUEST_BYTES = 16 * 1024  # of one request; 256 channel names take 8 KiB
REQUESTS_PER_S, REQUESTS_BURST = 10.0, 20.0
REFUSED_BURST = 20  # requests beyond the burst that are refused before the connection is
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

    INTERNAL = 100
    UNAUTHORISED = 101
    UNKNOWN_CHANNEL = 102
    ALREADY_SUBSCRIBED = 105
    LIMIT = 106
    BAD_REQUEST = 107
    RATE_LIMITED = 111
    UNRECOVERABLE_POSITION = 112
    NOT_SUBSCRIBED = 113

    @property
    def words(self) -> str:
        """The reason as text."""
        return self.name.lower().replace("_", " ")


RETRIED = frozenset({Code.INTERNAL, Code.RATE_LIMITED})  # the same request may be served a second later


class Close(IntEnum):
    """Why the server ends a connection; up to 4199 a client may reconnect, with backoff."""

    SHUTDOWN = 4001
    SLOW = 4008
    NOTHING_SUBSCRIBED = 4010
    SILENT = 4011
    OVERLOADED = 4100
    BAD_FRAME = 4400
    UNAUTHORISED = 4401
    TOO_MANY_REQUESTS = 4409
    TOO_BIG = 4413
    CONNECTION_LIMIT = 4429

    @property
    def reason(self) -> str:
        """The reason as text, as it goes into the close frame."""
        return self.name.lower().replace("_", " ")
