"""Whether a book's checksums are believed, and when they are believed again.

A miss costs the book once: it is asked for again. Misses that this does not cure make the checksum the suspect. What
is doubted, or withdrawn by the venue, costs nothing any more: the book is live and flagged as unverified, over
reconnects too, until checksums are right many times in a row.
"""

from __future__ import annotations

from collections import deque

from ingest.sequence import Proof

MISSES_MAX = 3
WINDOW_NS = 60_000_000_000
GOOD_MIN = 10  # in a row, until a doubted checksum is believed again
SUSPECT_NS = 600_000_000_000  # for so long one miss is enough to doubt it anew


class Trust:
    """The latest misses of one book; monotonic instants are `now`."""

    __slots__ = ("_good", "_instants", "_suspect_until", "doubted")

    def __init__(self) -> None:
        """Believe."""
        self.doubted = False
        self._good = 0
        self._suspect_until = 0
        self._instants: deque[int] = deque(maxlen=MISSES_MAX)

    def weigh(self, proof: Proof, now: int) -> bool:
        """Take what an update proves and tell whether it costs the book."""
        if proof is Proof.BAD:
            return self._missed(now)
        if proof is Proof.WITHDRAWN:
            self._good, self.doubted = 0, True
        elif proof is Proof.GOOD and self.doubted:
            self._good += 1
            self.doubted = self._good < GOOD_MIN
        return False

    def _missed(self, now: int) -> bool:
        self._good = 0
        if self.doubted or now < self._suspect_until:
            self._doubt(now)
            return False
        self._instants.append(now)
        if len(self._instants) == MISSES_MAX and now - self._instants[0] < WINDOW_NS:
            self._doubt(now)
        return True

    def _doubt(self, now: int) -> None:
        self.doubted, self._suspect_until = True, now + SUSPECT_NS
        self._instants.clear()
