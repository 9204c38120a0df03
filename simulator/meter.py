"""What a venue's doorkeeper counts: connections, requests, and what was asked for while it said no."""

from __future__ import annotations

from collections import deque
from typing import Any

from simulator.texts import SECOND_NS

WINDOW_NS = 10 * SECOND_NS  # of the highest number of connections
GRACE_NS = SECOND_NS // 2  # after the first refusal: requests that were under way then are no offence
MINUTE_NS = 60 * SECOND_NS


class Meter:
    """Counters of one venue since the start."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.connects = self.connects_most = 0  # the most in 10 s
        self.refused_handshakes = 0
        self.open = self.open_most = 0
        self.carried_most = 0  # sockets that carried one and the same book
        self.requests = self.acks = 0  # texts from clients; subscriptions taken
        self.rest_calls = self.rest_refused = self.rest_banned = 0
        self.weight = self.weight_most = 0  # of one minute
        self._recent: deque[int] = deque()
        self._minute = 0
        self._told: int | None = None

    def handshake(self, now: int, *, refused: bool) -> None:
        """Note that someone wants to connect; refused ones count as connections too, as they do at venues."""
        self.refused_handshakes += refused
        self.connects += 1
        self._recent.append(now)
        while self._recent[0] <= now - WINDOW_NS:
            self._recent.popleft()
        self.connects_most = max(self.connects_most, len(self._recent))

    def opened(self) -> None:
        """Note an open connection."""
        self.open += 1
        self.open_most = max(self.open_most, self.open)

    def carried(self, sockets: int) -> None:
        """Note how many sockets carry a book by now."""
        self.carried_most = max(self.carried_most, sockets)

    def spend(self, weight: int, now: int) -> int:
        """Count a request's weight and give what this minute has seen."""
        if now // MINUTE_NS != self._minute:
            self._minute, self.weight = now // MINUTE_NS, 0
        self.weight += weight
        self.weight_most = max(self.weight_most, self.weight)
        return self.weight

    def asked(self, now: int, *, banned: bool) -> None:
        """Note an HTTP request; one that comes after the ban was told is an offence."""
        self.rest_calls += 1
        self.rest_refused += banned
        if not banned:
            self._told = None
        elif self._told is None:
            self._told = now
        elif now > self._told + GRACE_NS:
            self.rest_banned += 1

    def report(self) -> dict[str, Any]:
        """Give the counters by name."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}
