"""How much may be asked of a venue: a bucket that fills up again, as the server's `thalweg_spend` keeps one for all."""

from __future__ import annotations

from ingest.venue import Limit

SECOND = 1_000_000_000


class Bucket:
    """The bucket of one process, which stands in when the shared one can't be asked; monotonic instants are `now`."""

    __slots__ = ("_at", "_banned", "_left", "_limit")

    def __init__(self, limit: Limit) -> None:
        """Start full."""
        self._limit = limit
        self._left, self._at, self._banned = float(limit.most), 0, 0

    def spend(self, weight: int, now: int) -> float:
        """Spend a weight and give 0, or give the seconds to wait before asking again."""
        if now < self._banned:
            return (self._banned - now) / SECOND
        self._fill(now)
        missing = weight - self._left
        if missing > 0:
            return missing * self._limit.window_s / self._limit.most
        self._left -= weight
        return 0.0

    def note(self, weight: int, now: int) -> None:
        """Note what was spent out of the shared bucket, so that this one is no second helping."""
        self._fill(now)
        self._left = max(self._left - weight, 0.0)

    def ban(self, seconds: float, now: int) -> None:
        """Spend nothing for so long."""
        self._banned = max(self._banned, now + int(seconds * SECOND))

    def _fill(self, now: int) -> None:
        passed_s = max(now - self._at, 0) / SECOND
        self._left = min(self._limit.most, self._left + passed_s * self._limit.most / self._limit.window_s)
        self._at = now
