"""Whether a connection is worth keeping: any frame is a sign of life, bad frames count against it."""

from __future__ import annotations

from collections import deque

from ingest.venue import Keepalive

SECOND = 1_000_000_000
BAD_FRAMES_MAX = 20  # a minute; more cost the connection
BAD_WINDOW_NS = 60 * SECOND


class Liveness:
    """The clockwork of one connection; monotonic instants are `now`."""

    __slots__ = ("_bad", "_frame_at", "_keepalive", "_max_age_s", "_opened_at", "_ping_at")

    def __init__(self, keepalive: Keepalive, max_age_s: float | None) -> None:
        """Wait for a connection."""
        self._keepalive, self._max_age_s = keepalive, max_age_s
        self._frame_at = self._ping_at = self._opened_at = 0
        self._bad: deque[int] = deque(maxlen=BAD_FRAMES_MAX)

    def opened(self, now: int) -> None:
        """A new connection starts with a clean slate."""
        self._frame_at = self._ping_at = self._opened_at = now
        self._bad.clear()

    def frame(self, now: int) -> None:
        """Note a frame, whatever it holds."""
        self._frame_at = now

    def too_bad(self, now: int) -> bool:
        """Note a bad frame and say whether it is one too many."""
        self._bad.append(now)
        return len(self._bad) == BAD_FRAMES_MAX and now - self._bad[0] < BAD_WINDOW_NS

    def why_close(self, now: int) -> str | None:
        """Give why the connection is to end: silence or old age."""
        if now - self._frame_at > self._keepalive.silence_s * SECOND:
            return "socket silent"
        if self._max_age_s and now - self._opened_at > self._max_age_s * SECOND:
            return "planned rotation"
        return None

    def ping(self, now: int) -> str | None:
        """Give the venue's ping when it is due."""
        if not self._keepalive.ping or now - self._ping_at <= self._keepalive.every_s * SECOND:
            return None
        self._ping_at = now
        return self._keepalive.ping
