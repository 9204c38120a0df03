"""How old what a venue tells is: measured against the least delay lately, which holds the skew of the two clocks.

A delay is our wall instant less the venue's stamp. It may be below zero, and is never clamped: then the venue's clock
is ahead. Its minimum over some minutes is the skew, with the fastest way in it. When either clock is set, delays jump
as no line of frames can, and the minimum starts anew.
"""

from __future__ import annotations

import numpy as np

from ingest.beats import DELAY_CELLS, LEAST, LEAST_BEFORE, OFFSET, UNKNOWN, Cells, lateness

LATE_NS = 2_000_000_000  # above the skew
CLEAR_NS = 1_000_000_000  # below this it is in time again
SUSTAINED_NS = 1_000_000_000
DAY_NS = 86_400_000_000_000


class Skew:
    """The least delay of one connection lately; monotonic instants are `now`."""

    __slots__ = ("_cells",)

    def __init__(self, cells: Cells | None = None) -> None:
        """Know nothing. `cells` of a row keep what is learnt."""
        self._cells: Cells = np.zeros(DELAY_CELLS, dtype=np.int64) if cells is None else cells
        self._cells[[LEAST_BEFORE, LEAST, OFFSET]] = UNKNOWN

    @property
    def ns(self) -> int | None:
        """The skew; `None` before the first delay."""
        known = [one for one in self._cells[[LEAST_BEFORE, LEAST]].tolist() if one != UNKNOWN]
        return min(known, default=None)

    def note(self, ts_event: int, ts_recv: int, now: int) -> int:
        """Take the stamp and the arrival of news, and give by how much later than usual they came."""
        return lateness(self._cells, ts_event, ts_recv, now)


class Lateness:
    """Whether a book's news have been late for a while; monotonic instants are `now`."""

    __slots__ = ("_over_since", "calm", "late")

    def __init__(self) -> None:
        """Start in time; `calm` while nothing was late lately, and what is in time teaches nothing."""
        self.late, self.calm = False, True
        self._over_since: int | None = None

    def note(self, behind_ns: int, now: int) -> bool:
        """Take by how much news came late; tells whether the verdict has changed."""
        before = self.late
        if behind_ns <= LATE_NS:
            self._over_since = None
            self.late = before and behind_ns > CLEAR_NS
        elif self._over_since is None:
            self._over_since = now
        elif now - self._over_since >= SUSTAINED_NS:
            self.late = True
        self.calm = self._over_since is None and not self.late
        return self.late != before


def plausible(ts_event: int | None, ts_recv: int) -> int | None:
    """Give a venue's stamp of news, or `None` for one that is more than a day off: it means something else."""
    return ts_event if ts_event is not None and abs(ts_recv - ts_event) <= DAY_NS else None
