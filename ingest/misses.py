"""How many checksum misses it takes to doubt the checksum rather than the book."""

from __future__ import annotations

from collections import deque

MISSES_MAX = 3
WINDOW_NS = 60_000_000_000


class Misses:
    """The latest misses of one book; monotonic instants are `now`."""

    __slots__ = ("_instants",)

    def __init__(self) -> None:
        """Start with none."""
        self._instants: deque[int] = deque(maxlen=MISSES_MAX)

    def too_many(self, now: int) -> bool:
        """Note a miss and say whether resyncs no longer help: three in a minute."""
        self._instants.append(now)
        return len(self._instants) == MISSES_MAX and now - self._instants[0] < WINDOW_NS

    def forgive(self) -> None:
        """Forget them, on a new connection."""
        self._instants.clear()
