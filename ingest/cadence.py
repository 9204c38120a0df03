"""When a book's silence is worth asking about: learned from how often it usually changes."""

from __future__ import annotations

FLOOR_NS = 4_000_000_000  # a busy book that is silent this long is asked about
CAP_NS = 60_000_000_000  # and the thinnest one after this long
PATIENCE = 20  # usual gaps
WEIGHT = 0.1  # of the newest gap in the running mean
LONGEST = 2  # longest gaps lately: what comes in bursts is quiet between them
LATELY_NS = 300_000_000_000


class Cadence:
    """The running mean and the longest of the gaps between a book's updates; monotonic nanoseconds."""

    __slots__ = ("_gap_ns", "_last_ns", "_long_before_ns", "_long_ns", "_since_ns")

    def __init__(self) -> None:
        """Know nothing: the first silence is judged as the thinnest book's."""
        self._gap_ns: float | None = None
        self._last_ns: int | None = None
        self._long_ns = self._long_before_ns = self._since_ns = 0

    def beat(self, now: int) -> None:
        """Note an update, or another proof that nothing was missed."""
        if self._last_ns is not None:
            gap = now - self._last_ns
            self._gap_ns = gap if self._gap_ns is None else self._gap_ns + WEIGHT * (gap - self._gap_ns)
            if now - self._since_ns > LATELY_NS:
                self._long_before_ns, self._long_ns, self._since_ns = self._long_ns, 0, now
            if gap > self._long_ns:
                self._long_ns = gap
        self._last_ns = now

    def pause(self) -> None:
        """Leave out the time until the next update: the book was not being told."""
        self._last_ns = None

    def late(self, now: int, floor_ns: int = FLOOR_NS) -> bool:
        """Say whether the silence is longer than this book's habit allows."""
        if self._last_ns is None:
            return False
        longest = max(self._long_ns, self._long_before_ns)
        usual = CAP_NS if self._gap_ns is None else max(self._gap_ns * PATIENCE, longest * LONGEST)
        return now - self._last_ns > min(max(usual, floor_ns), CAP_NS)
