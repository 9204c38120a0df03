"""How long each book was live, and how often it ceased to be, by the hour, in Redis for a week.

Time is counted while an aggregator publishes the instrument and its venue trades it: halted or delisted is no loss.
What is lost with a process that ends is at most `FLUSH_NS` of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from aggregator.books import VenueBook
from thalweg import keys
from thalweg.events import State
from thalweg.resp import pack

FLUSH_NS = 10_000_000_000
HOUR_NS = 3_600_000_000_000
KEPT_S = 8 * 24 * 3600  # a week, and the day that it ends in
UNTRADED = (State.HALTED, State.DELISTED)
MS_NS = 1_000_000


class History:
    """One instrument's books, looked at whenever they are published."""

    __slots__ = ("_at", "_counts", "_flushed_at", "_instrument", "_live")

    def __init__(self, instrument: str, now_ns: int) -> None:
        """Begin at a monotonic instant; nothing is known of the time before."""
        self._instrument = instrument
        self._at = self._flushed_at = now_ns
        self._live: dict[str, bool | None] = {}  # of each venue at the last look; None: not traded
        self._counts: dict[str, int] = {}  # nanoseconds, and falls, by field

    def look(self, books: Iterable[VenueBook], now_ns: int) -> None:
        """Count the time since the last look as what was seen then, and see what is now."""
        passed, self._at = now_ns - self._at, now_ns
        for book in books:
            venue = book.line.name
            before, now = self._live.get(venue), None if book.line.state in UNTRADED else book.live
            if before is not None:
                self._add(f"{venue}.observed_ms", passed)
                self._add(f"{venue}.live_ms", passed if before else 0)
            if before and now is False:
                self._add(f"{venue}.falls", 1)
            self._live[venue] = now

    def _add(self, field: str, amount: int) -> None:
        if amount:
            self._counts[field] = self._counts.get(field, 0) + amount

    def due(self, now_ns: int, ts_now: int) -> list[bytes]:
        """Give the commands that add what was counted to this hour's, every 10 s.

        Args:
            now_ns: monotonic instant.
            ts_now: the same as a wall instant; what was counted goes into the hour that it ends in.
        """
        if now_ns - self._flushed_at < FLUSH_NS:
            return []
        self._flushed_at = now_ns
        key, commands = keys.uptime(self._instrument, ts_now // HOUR_NS), list[bytes]()
        for field, amount in self._counts.items():
            whole = amount if field.endswith(".falls") else amount // MS_NS
            self._counts[field] = 0 if field.endswith(".falls") else amount % MS_NS
            if whole:
                commands.append(pack("HINCRBY", key, field, whole))
        return [*commands, pack("EXPIRE", key, KEPT_S)] if commands else []
