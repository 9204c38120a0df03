"""When a book's silence is worth asking about: learned from how often it usually changes."""

from __future__ import annotations

FLOOR_NS = 5_000_000_000  # a busy book that is silent this long is asked about
CAP_NS = 60_000_000_000  # and the thinnest one after this long
PATIENCE = 20  # usual gaps
WEIGHT = 0.1  # of the newest gap in the running mean


class Cadence:
    """The running mean of the gaps between a book's updates; monotonic nanoseconds."""

    __slots__ = ("_gap_ns", "_last_ns")

    def __init__(self) -> None:
        """Know nothing: the first silence is judged as the thinnest book's."""
        self._gap_ns: float | None = None
        self._last_ns: int | None = None

    def beat(self, now: int) -> None:
        """Note an update, or another proof that nothing was missed."""
        if self._last_ns is not None:
            gap = now - self._last_ns
            self._gap_ns = gap if self._gap_ns is None else self._gap_ns + WEIGHT * (gap - self._gap_ns)
        self._last_ns = now

    def pause(self) -> None:
        """Leave out the time until the next update: the book was not being told."""
        self._last_ns = None

    def late(self, now: int) -> bool:
        """Say whether the silence is longer than this book's habit allows."""
        if self._last_ns is None:
            return False
        usual = CAP_NS if self._gap_ns is None else self._gap_ns * PATIENCE
        return now - self._last_ns > min(max(usual, FLOOR_NS), CAP_NS)
