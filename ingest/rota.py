"""Whose in-stream snapshot is next: each book once a period, spread so that they do not come all at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from ingest.track import Track


class Rota:
    """The order of the books of one session; monotonic instants are `now`."""

    __slots__ = ("_period_ns", "_turns")

    def __init__(self, period_ns: int) -> None:
        """Give every book a turn each period."""
        self._period_ns = period_ns
        self._turns: deque[tuple[int, Track]] = deque()

    def due(self, tracks: Sequence[Track], now: int) -> Iterator[Track]:
        """Give the books whose turn it is; a set of another size starts the rota anew."""
        if len(self._turns) != len(tracks):
            step = self._period_ns // max(len(tracks), 1)
            self._turns = deque((now + (k + 1) * step, track) for k, track in enumerate(tracks))
        while self._turns and self._turns[0][0] <= now:
            turn, track = self._turns.popleft()
            self._turns.append((max(turn + self._period_ns, now), track))
            yield track
