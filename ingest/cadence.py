"""When a book's silence is worth asking about: learned from how often it usually changes."""

from __future__ import annotations

import numpy as np

from ingest.beats import GAPS, LAST, LONG_SINCE, RHYTHM_CELLS, UNKNOWN, Cells, beat

FLOOR_NS = 4_000_000_000  # a busy book that is silent this long is asked about
CAP_NS = 60_000_000_000  # and the thinnest one after this long
PATIENCE = 20  # usual gaps
LONGEST = 2  # longest gaps lately: what comes in bursts is quiet between them
LEARNT = 10  # gaps, before a habit is believed


class Cadence:
    """The running mean and the longest of the gaps between a book's updates; monotonic nanoseconds."""

    __slots__ = ("_cells",)

    def __init__(self, cells: Cells | None = None) -> None:
        """Know nothing: the first silences are judged as the thinnest book's. `cells` of a row keep what is learnt."""
        self._cells: Cells = np.zeros(RHYTHM_CELLS, dtype=np.int64) if cells is None else cells
        self._cells[LAST] = UNKNOWN

    def beat(self, now: int, *, news: bool = True) -> None:
        """Note an update; or, if it is no `news`, a proof that nothing was missed, which teaches patience alone."""
        beat(self._cells, now, news)

    def pause(self) -> None:
        """Leave out the time until the next update: the book was not being told."""
        self._cells[LAST] = UNKNOWN

    @property
    def patience_ns(self) -> int:
        """How long a silence this book's habit allows."""
        gaps, gap, long, long_before = self._cells[GAPS:LONG_SINCE].tolist()
        if gaps < LEARNT:
            return CAP_NS
        patience: int = min(max(gap * PATIENCE, max(long, long_before) * LONGEST, FLOOR_NS), CAP_NS)
        return patience

    def silence_ns(self, now: int) -> int:
        """How long it has been silent; nothing before the first beat."""
        last: int = self._cells.item(LAST)
        return now - last if last != UNKNOWN else 0

    def never_late_before(self, now: int) -> int:
        """Give until when it can't be late, whatever comes: each update from now on allows `FLOOR_NS` at least."""
        last: int = self._cells.item(LAST)
        floor = now + FLOOR_NS
        return min(last + self.patience_ns, floor) if last != UNKNOWN else floor

    def late(self, now: int) -> bool:
        """Say whether the silence is longer than the habit allows."""
        return self.silence_ns(now) > self.patience_ns
