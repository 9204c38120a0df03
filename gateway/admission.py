"""Who may connect, and how often a client may ask."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Collection
from enum import Enum

from gateway.protocol import REFUSED_BURST, REQUESTS_BURST, REQUESTS_PER_S, Close


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_everywhere(host: str) -> bool:
    """Whether to listen on an address is to listen on all of this machine's."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return not host


def origin_allowed(origin: str | None, host: str | None, allowed: Collection[str], programs: bool) -> bool:
    """Say whether a page from `origin` may open a WebSocket here.

    Args:
        origin: the `Origin` header; absent for programs that are no browsers.
        host: the `Host` header; a page that this server gave has the same host and port.
        allowed: further origins, as `https://books.example.org`.
        programs: whether these are let in: the server listens on loopback alone, wants a token, or is told so.
    """
    if origin is None:
        return programs
    if origin in allowed:
        return True
    scheme, _, address = origin.lower().partition("://")
    return scheme in ("http", "https") and bool(host) and address == str(host).lower()


class Doorkeeper:
    """Counts the connections of the node and of each address."""

    def __init__(self, most: int, most_per_address: int) -> None:
        """Begin without any; let in so many at once, and so many of one address."""
        self._most, self._most_per_address = most, most_per_address
        self._by_address: Counter[str] = Counter()

    def enter(self, address: str) -> Close | None:
        """Count a connection, or say why it is one too many."""
        if self._by_address.total() >= self._most:
            return Close.OVERLOADED
        if self._by_address[address] >= self._most_per_address:
            return Close.CONNECTION_LIMIT
        self._by_address[address] += 1
        return None

    def leave(self, address: str) -> None:
        """Forget a connection that was let in."""
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


class Verdict(Enum):
    """What becomes of a request."""

    SERVED = "served"
    LATER = "later"  # refused: the client asks too often
    FLOOD = "flood"  # and has not taken that for an answer


class Allowance:
    """How many requests a client may make just now: a bucket that fills with time, and has a little below its floor."""

    __slots__ = ("_left", "_ts")

    def __init__(self, now_ns: int) -> None:
        """Begin with a full bucket."""
        self._left, self._ts = REQUESTS_BURST, now_ns

    def take(self, now_ns: int) -> Verdict:
        """Count a request at this monotonic instant; one that is refused counts too."""
        filled = self._left + (now_ns - self._ts) / 1e9 * REQUESTS_PER_S
        self._ts = now_ns
        self._left = min(filled, REQUESTS_BURST) - 1
        if self._left >= 0:
            return Verdict.SERVED
        return Verdict.LATER if self._left >= -REFUSED_BURST else Verdict.FLOOD
