"""When a book's silence is worth asking about: learned from how often it usually changes."""

from __future__ import annotations

FLOOR_NS = 4_000_000_000  # a busy book that is silent this long is asked about
CAP_NS = 60_000_000_000  # and the thinnest one after this long
PATIENCE = 20  # usual gaps
WEIGHT = 0.1  # of the newest gap in the running mean
LONGEST = 2  # longest gaps lately: what comes in bursts is quiet between them
LATELY_NS = 300_000_000_000
LEARNT = 10  # gaps, before a habit is believed


class Cadence:
    """The running mean and the longest of the gaps between a book's updates; monotonic nanoseconds."""

    __slots__ = ("_gap_ns", "_gaps", "_last_ns", "_long_before_ns", "_long_ns", "_since_ns")

    def __init__(self) -> None:
        """Know nothing: the first silences are judged as the thinnest book's."""
        self._gap_ns = 0.0
        self._last_ns: int | None = None
        self._gaps = self._long_ns = self._long_before_ns = self._since_ns = 0

    def beat(self, now: int, *, news: bool = True) -> None:
        """Note an update; or, if it is no `news`, a proof that nothing was missed, which teaches patience alone."""
        last, self._last_ns = self._last_ns, now
        if last is None:
            return
        gap = now - last
        if not news and gap <= self._gap_ns:
            return
        self._gaps += news
        self._gap_ns += (WEIGHT if self._gap_ns else 1.0) * (gap - self._gap_ns)
        if now - self._since_ns > LATELY_NS:
            self._long_before_ns, self._long_ns, self._since_ns = self._long_ns, 0, now
        if gap > self._long_ns:
            self._long_ns = gap

    def pause(self) -> None:
        """Leave out the time until the next update: the book was not being told."""
        self._last_ns = None

    @property
    def patience_ns(self) -> int:
        """How long a silence this book's habit allows."""
        if self._gaps < LEARNT:
            return CAP_NS
        longest = max(self._long_ns, self._long_before_ns)
        return min(max(int(self._gap_ns * PATIENCE), longest * LONGEST, FLOOR_NS), CAP_NS)

    def silence_ns(self, now: int) -> int:
        """How long it has been silent; nothing before the first beat."""
        return now - self._last_ns if self._last_ns is not None else 0

    def late(self, now: int) -> bool:
        """Say whether the silence is longer than the habit allows."""
        return self.silence_ns(now) > self.patience_ns
