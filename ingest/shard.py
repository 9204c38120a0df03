"""One shard as this worker has it: a connection while there is use for one, and whether its events are written.

What the connection tells goes to the sink while this worker owns the shard, else into a ring that the sink begins its
epoch with. Connection, session and ring outlive the change of roles; only an idle shard lets go of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from ingest.ring import Item, Ring
from ingest.session import Session
from ingest.splice import Resumed, resume
from ingest.tails import Tail
from ingest.tally import Tally
from ingest.venue import Listing
from thalweg.clock import Clock
from thalweg.events import Event, State
from thalweg.lease import Duty, Role

if TYPE_CHECKING:
    from ingest.sink import Sink

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

    __slots__ = ("_tally", "feed", "over", "ring", "session")

    def __init__(self, session: Session, tally: Tally, *, books: bool) -> None:
        """Have a session and a ring; `feed` is set before anything is told."""
        self.session, self.ring = session, Ring(tally, books=books)
        self.feed: Feed
        self.over = False
        self._tally = tally

    @property
    def warm(self) -> bool:
        """Whether every book is as it will be: a shard can be moved here without a break."""
        return self.feed.opened_at is not None and all(track.state in SETTLED for track in self.session.tracks)

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


class Shard:
    """The part of a venue's instruments that one socket carries."""

    def __init__(self, sink: Sink, clock: Clock, draw: Callable[[Shard], Line], *, sequenced: bool) -> None:
        """Be idle; `draw` makes a line of this shard and starts it; `sequenced` as in `splice.resume`."""
        self.sink, self.role = sink, Role.IDLE
        self.line: Line | None = None
        self._clock, self._draw, self._sequenced = clock, draw, sequenced
        self._listings: Mapping[str, Listing] = {}
        sink.resume, sink.lost = self._resume, self._lost

    @property
    def warm(self) -> bool:
        """Whether this worker could go on with the shard without a break."""
        return self.line is not None and self.line.warm

    @property
    def held(self) -> int:
        """How many updates and events are neither appended nor dropped."""
        return self.sink.held + (self.line.held if self.line else 0)

    def assign(self, duty: Duty, seen_at: int, *, mine: bool) -> None:
        """Take on a role; `mine` if the lease was this worker's in the beat sent at `seen_at`."""
        self.role = duty.role
        if duty.role is not Role.IDLE and self.line is None:
            self._begin()
        if duty.role is Role.OWNER:
            self.sink.own(duty.expected, seen_at, mine=mine)
            return
        self.sink.leave(seen_at)
        self._let_go()

    def put(self, line: Line, events: list[Event], ts_decoded: int) -> None:
        """Take what a line tells."""
        if line is self.line and self.sink.owning:
            self.sink.put(events, ts_decoded)
        else:
            line.keep(events, ts_decoded)

    def listed(self, listings: Mapping[str, Listing]) -> None:
        """Learn the venue's own list, for this line and the next ones."""
        self._listings = listings
        if self.line is not None and listings:
            now = self._clock.wall_ns()
            effects = self.line.session.listed(listings, now, self._clock.monotonic_ns())
            self.put(self.line, effects.events, now)

    def silence(self) -> None:
        """Tell the streams that nobody watches these books any more; nothing is told after that."""
        if self.line is not None and self.sink.owning:
            now = self._clock.wall_ns()
            self.sink.put(self.line.session.stopped(now).events, now)
        self.end()

    def end(self) -> None:
        """Let go of the line."""
        line, self.line = self.line, None
        if line is not None:
            line.end(self._clock.wall_ns())

    def _begin(self) -> None:
        self.line = line = self._draw(self)
        self.sink.tracks = line.session.tracks
        self.listed(self._listings)

    def _resume(self, tails: dict[str, Tail], left: list[Item]) -> Resumed:
        """Give what a new epoch begins with."""
        kept = left + (self.line.ring.take() if self.line else [])
        return resume(self.sink.tracks, tails, kept, self._clock.wall_ns(), sequenced=self._sequenced)

    def _lost(self, items: list[Item]) -> None:
        """The sink writes no more; what it has not sent may still be of use, if the shard comes back soon."""
        if self.line is not None:
            self.line.ring.back(items)
        self._let_go()

    def _let_go(self) -> None:
        """An idle shard needs no line, but for as long as its sink still writes."""
        if self.role is Role.IDLE and not self.sink.wanted:
            self.end()
