"""One connection as a shard has it: what it makes of the frames, and what of that is not written yet."""

from __future__ import annotations

from typing import Protocol

from ingest.ring import Ring
from ingest.session import Session
from ingest.tally import Tally
from thalweg.events import Event, State

SETTLED = (State.LIVE, State.HALTED, State.DELISTED)  # states that a successor need not wait for


class Feed(Protocol):
    """What a shard needs of a connection."""

    opened_at: int | None
    """Since when it is connected; `None` while it is not."""

    def stop(self) -> None:
        """End it for good."""
        ...


class Line:
    """One connection, what it makes of the frames, and what of that is not written yet."""

    __slots__ = ("_tally", "age_ns", "feed", "over", "ring", "session")

    def __init__(self, session: Session, tally: Tally, *, books: bool, age_ns: int | None = None) -> None:
        """Have a session and a ring; `feed` is set before anything is told.

        `books` says whether changes to books are worth keeping, `age_ns` at what age another line is to replace it.
        """
        self.session, self.ring, self.age_ns = session, Ring(tally, books=books), age_ns
        self.feed: Feed
        self.over = False
        self._tally = tally

    @property
    def warm(self) -> bool:
        """Whether every book is as it will be: a shard can be moved here without a break."""
        return self.feed.opened_at is not None and all(track.state in SETTLED for track in self.session.tracks)

    def old(self, now: int) -> bool:
        """Whether the connection has reached its age."""
        return self.age_ns is not None and self.feed.opened_at is not None and now - self.feed.opened_at > self.age_ns

    def covers(self, other: Line) -> bool:
        """Whether every book that is live there is live here."""
        pairs = zip(self.session.tracks, other.session.tracks, strict=True)
        return all(mine.state is State.LIVE or theirs.state is not State.LIVE for mine, theirs in pairs)

    def behind(self, other: Line) -> bool:
        """Whether a book is further there, by the venue's sequence."""
        pairs = zip(self.session.tracks, other.session.tracks, strict=True)
        return any((mine.sequence or 0) < (theirs.sequence or 0) for mine, theirs in pairs)

    @property
    def held(self) -> int:
        """How many updates and events wait for something."""
        return self.session.held + self.ring.held

    def keep(self, events: list[Event], ts_decoded: int) -> None:
        """Take events that are not written."""
        if self.over:
            self._tally.dropped["standby"] += len(events)
        else:
            self.ring.add(events, ts_decoded)

    def end(self, now: int) -> None:
        """Let go of everything; what still comes is counted and forgotten."""
        self.over = True
        self.keep(self.session.stopped(now).events, now)
        self.ring.clear()
        self.feed.stop()
