"""Every venue against its own simulated self, in simulated time: live books are true, and what goes wrong is marked.

The session is the worker's; the truth is the simulator's oracle, which is told before any fault touches a frame.
"""

from __future__ import annotations

import pytest

from ingest.venues import VENUES
from simulator.faults import why_not
from simulator.kinds import GAP, REQUESTS
from tests.ingest.venues.play import STEP_MS, Play
from tests.simulator.bench import CONSUMERS
from thalweg.events import Flag, State
from thalweg.instruments import load_instruments

SECOND = 1_000_000_000
NAMES = ("BTC-USDT", "BTC-USD")
PATIENCE_S = 15  # of simulated time, for a book to come back
KINDS = ("drop", "duplicate", "reorder", "truncate", "garbage", "number_null", "number_exponent", "corrupt_checksum")
MORE = ("refuse", "ack_silence", "cut", "close", "silent_socket", "heartbeats_only", "delist")
NEW = [venue for venue in VENUES if venue not in CONSUMERS]  # the others have consumers of their own in the tests


class Followed(Play):
    """One instrument of a venue, followed by a session as the worker would."""

    def __init__(self, name: str) -> None:
        self.instrument = next(one.name for one in load_instruments().listings(name).values() if one.name in NAMES)
        super().__init__(name, [self.instrument])

    @property
    def live(self) -> bool:
        return self.session.tracks[0].state is State.LIVE

    def until(self, seconds: float, *, live: bool) -> bool:
        """Let time pass until the book is live, or is not."""
        for _ in range(int(seconds * 1000 / STEP_MS)):
            if self.live is live:
                return True
            self.step()
        return False

    def strike(self, kind: str) -> None:
        """Let one thing go wrong; what can be detected is marked, and the book comes back."""
        before, marked = len(self.bench.faults), len(self.told)
        deadline = self.bench.now + PATIENCE_S * SECOND
        self.bench.fault(kind, instruments=[self.instrument], seconds=2.0)
        if kind in REQUESTS:  # who comes back asks
            self.bench.fault("cut", instruments=[self.instrument])
        while not (found := self.bench.faults[before:]) and self.bench.now < deadline:
            self.step()
        assert found, f"{kind} did not happen"
        while found[0].expect == GAP and not self.marked(marked) and self.bench.now < deadline:
            self.step()
        assert found[0].expect != GAP or self.marked(marked), f"{kind} is not marked"
        assert self.until(PATIENCE_S, live=True), f"the book does not come back after {kind}"

    def marked(self, since: int) -> bool:
        """Whether the book was said to be anything but live and in time."""
        return any(one.state is not State.LIVE or one.flags & Flag.LATE for one in self.told[since:])


@pytest.mark.parametrize("name", NEW)
def test_books_are_true_and_whatever_goes_wrong_is_marked_and_mended(name: str) -> None:
    followed = Followed(name)
    assert followed.until(5, live=True)
    dialect = followed.bench.exchange.dialect
    for kind in [one for one in (*KINDS, *dialect.tricks, *MORE) if why_not(one, dialect) is None]:
        for _ in range(8):
            followed.step()
        followed.strike(kind)
    tally = followed.tally
    assert followed.compared > 200
    assert followed.session.held == 0
    assert not tally.ignored
    assert tally.trades > 0
