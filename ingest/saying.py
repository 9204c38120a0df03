"""What is said to a venue on one connection: not before its welcome, stamped, and no more than it takes."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.venue import Venue


class Saying:
    """The frames of one connection, other than answers; `ts_recv` is the wall instant at which they are sent."""

    __slots__ = ("_said", "_unsaid", "_venue", "_welcome")

    def __init__(self, venue: Venue) -> None:
        """Wait for a connection."""
        self._venue = venue
        self._unsaid: list[str] = []
        self._welcome, self._said = not venue.greets, 0

    def opened(self, symbols: Sequence[str], ts_recv: int) -> list[str]:
        """A new connection: give its subscriptions, or keep them for the welcome."""
        self._welcome, self._said = not self._venue.greets, 0
        self._unsaid = self._venue.subscribe(symbols) if symbols else []
        return self.welcomed(ts_recv) if self._welcome else []

    def welcomed(self, ts_recv: int) -> list[str]:
        """The venue listens: give what was kept for this moment."""
        frames, self._unsaid, self._welcome = self._unsaid, [], True
        return self._count(frames, ts_recv)

    def again(self, frames: list[str], ts_recv: int) -> list[str] | None:
        """Give frames that bring a fresh book; `None` if the connection may not send so many any more."""
        most = self._venue.most_requests
        return None if most is not None and self._said + len(frames) > most else self._count(frames, ts_recv)

    def ping(self, text: str, ts_recv: int) -> list[str]:
        """Give a ping, if the venue listens."""
        return [self._venue.stamp(text, ts_recv)] if self._welcome else []

    def _count(self, frames: list[str], ts_recv: int) -> list[str]:
        self._said += len(frames)
        return [self._venue.stamp(frame, ts_recv) for frame in frames]
