"""One shard as this worker has it: a connection while there is use for one, and whether its events are written.

What the connection tells goes to the sink while this worker owns the shard, else into a ring that the sink begins its
epoch with. Connection, session and ring outlive the change of roles; only an idle shard lets go of them.

A connection that has reached its age is replaced by a second one before the venue ends it. That one fills its ring
until its books are where the old ones are, and goes on from there in the same epoch: there is never a second writer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ingest.line import Line
from ingest.ring import Item
from ingest.splice import Resumed, resume, switch
from ingest.tails import Tail
from ingest.tally import Tally
from ingest.venue import Listing
from thalweg.clock import Clock
from thalweg.events import Event
from thalweg.lease import Duty, Role

if TYPE_CHECKING:
    from ingest.sink import Sink

TRIAL_NS = 30_000_000_000  # for a second connection to get where the first is
RETRY_NS = 60_000_000_000  # and until the next is tried


class Shard:
    """The part of a venue's instruments that one socket carries."""

    def __init__(
        self, sink: Sink, clock: Clock, tally: Tally, draw: Callable[[Shard], Line], *, sequenced: bool
    ) -> None:
        """Be idle; `draw` makes a line of this shard and starts it; `sequenced` as in `splice.resume`."""
        self.sink, self.role = sink, Role.IDLE
        self.line: Line | None = None
        self.next: Line | None = None
        self._next_since = self.switches = 0
        self._clock, self._tally, self._draw, self._sequenced = clock, tally, draw, sequenced
        self._listings: Mapping[str, Listing] = {}
        sink.resume, sink.lost = self._resume, self._lost

    @property
    def warm(self) -> bool:
        """Whether this worker could go on with the shard without a break."""
        return self.line is not None and self.line.warm

    @property
    def held(self) -> int:
        """How many updates and events are neither appended nor dropped."""
        return self.sink.held + sum(line.held for line in (self.line, self.next) if line is not None)

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
            if line is self.next:
                self._try_switch()

    def tick(self, now: int) -> None:
        """Let time pass, `now` monotonic: begin to replace a connection that is old, or give it up."""
        line = self.line
        if line is None or (self.next is None and not line.old(now)):
            return
        if self.next is None:
            self.next, self._next_since = self._draw(self), now
            self._tell(self.next)
        elif now - self._next_since > TRIAL_NS and self.next.covers(line):
            self._switch(line, self.next)
        elif now - self._next_since > TRIAL_NS:
            line.age_ns = (line.age_ns or 0) + RETRY_NS
            self._end_next()

    def listed(self, listings: Mapping[str, Listing]) -> None:
        """Learn the venue's own list, for this line and the next ones."""
        self._listings = listings
        for line in (self.line, self.next):
            if line is not None:
                self._tell(line)

    def _tell(self, line: Line) -> None:
        """Let a line know the venue's list."""
        if self._listings:
            now = self._clock.wall_ns()
            self.put(line, line.session.listed(self._listings, now, self._clock.monotonic_ns()).events, now)

    def silence(self) -> None:
        """Tell the streams that nobody watches these books any more; nothing is told after that."""
        if self.line is not None and self.sink.owning:
            now = self._clock.wall_ns()
            self.sink.put(self.line.session.stopped(now).events, now)
        self.end()

    def end(self) -> None:
        """Let go of the line."""
        self._end_next()
        line, self.line = self.line, None
        if line is not None:
            line.end(self._clock.wall_ns())

    def _end_next(self) -> None:
        line, self.next = self.next, None
        if line is not None:
            line.end(self._clock.wall_ns())

    def _begin(self) -> None:
        self.line = line = self._draw(self)
        self.sink.tracks = line.session.tracks
        self._tell(line)

    def _try_switch(self) -> None:
        """Go over to the second connection as soon as nothing is lost by it."""
        line, after = self.line, self.next
        if line and after and after.covers(line) and not (self._sequenced and after.behind(line)):
            self._switch(line, after)

    def _switch(self, line: Line, after: Line) -> None:
        """Go over to another connection, between two of its frames."""
        if self.sink.wanted and not self.sink.owning:
            return  # the epoch that is about to begin has the tail of the first one's events
        now = self._clock.wall_ns()
        tracks = after.session.tracks
        if self.sink.owning:
            done = switch(line.session.tracks, tracks, after.ring.take(), now, sequenced=self._sequenced)
            self._tally.dropped["standby"] += done.dropped
            for event, ts_decoded in done.items:
                self.sink.put([event], ts_decoded)
        self.sink.tracks = tracks
        self.line, self.next, self.switches = after, None, self.switches + 1
        line.end(now)

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
