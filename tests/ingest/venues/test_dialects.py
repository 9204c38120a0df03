"""Every venue against its own simulated self, in simulated time: live books are true, and what goes wrong is marked.

The session is the worker's; the truth is the simulator's oracle, which is told before any fault touches a frame.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from ingest.effects import Effects
from ingest.session import Session
from ingest.tally import Tally
from ingest.venues import VENUES
from simulator.faults import why_not
from simulator.kinds import GAP, REQUESTS
from simulator.oracle import digest, position
from simulator.topic import Close
from simulator.venues import DIALECTS
from tests.simulator.bench import CONSUMERS, Bench
from thalweg.events import Flag, State, Status
from thalweg.instruments import load_instruments

SECOND = 1_000_000_000
NAMES = ("BTC-USDT", "BTC-USD")
STEP_MS = 25
PATIENCE_S = 15  # of simulated time, for a book to come back
KINDS = ("drop", "duplicate", "reorder", "truncate", "garbage", "number_null", "number_exponent", "corrupt_checksum")
MORE = ("refuse", "ack_silence", "cut", "close", "silent_socket", "heartbeats_only", "delist")
NEW = [venue for venue in VENUES if venue not in CONSUMERS]  # the others have consumers of their own in the tests


class Followed:
    """One instrument of a venue, followed by a session as the worker would."""

    def __init__(self, name: str) -> None:
        self.venue, self.dialect = VENUES[name], DIALECTS[name]
        listings = load_instruments().listings(name)
        self.symbol, self.instrument = next((s, one) for s, one in listings.items() if one.name in NAMES)
        self.bench = Bench(name, [self.instrument.name])
        self.session = Session(self.venue, {self.symbol: self.instrument}, Tally(), lambda: 0.5)
        self.told: list[Status] = []
        self.compared = self.frames = 0
        self.connect()

    @property
    def live(self) -> bool:
        return self.session.tracks[0].state is State.LIVE

    def connect(self) -> None:
        self.client = self.bench.connect()
        self.do(self.session.connected(self.bench.now, self.bench.now))

    def do(self, effects: Effects) -> None:
        """Do what the session wants."""
        self.told += [event for event in effects.events if isinstance(event, Status)]
        for text in effects.send:
            self.bench.exchange.receive(self.client, text, self.bench.now)
        now = self.bench.now
        for symbol in effects.fetch:
            assert self.venue.rest_snapshot
            parts = urlsplit(self.venue.rest_snapshot.url("", symbol))
            reply = self.bench.get(parts.path, **dict(parse_qsl(parts.query)))
            self.do(self.session.book_fetched(symbol, reply.body, now, now))
        if effects.close:
            self.bench.exchange.disconnect(self.client)
            self.again(effects.close)

    def again(self, reason: str) -> None:
        """Come back after the end of a connection."""
        self.do(self.session.disconnected(reason, self.bench.now))
        self.connect()

    def step(self) -> None:
        """Let time pass, deliver what came, judge, and tick."""
        self.bench.run(STEP_MS)
        client = self.client
        for frame in self.bench.frames(client):
            if self.client is not client:  # what is left was of a connection that is no more
                break
            self.frames += 1
            self.do(self.session.frame(frame.encode("utf-8", "surrogateescape"), self.bench.now, self.bench.now))
            self.judge()
        self.do(self.session.tick(self.bench.now, self.bench.now))
        if any(number == self.client.number and isinstance(end, Close) for number, end in self.bench.ends):
            self.bench.exchange.disconnect(self.client)
            self.again("closed")
        self.bench.ends.clear()

    def judge(self) -> None:
        """A live book is what the venue's book was at its position."""
        (track,) = self.session.tracks
        if track.state is State.LIVE and not track.flags & Flag.CROSSED:
            depth = min(self.dialect.verified, self.venue.depth or self.dialect.verified)
            key = position(track.sequence, track.position[2])
            if (self.instrument.name, key) in self.bench.truth:
                found = digest(track.book.bids().tolist(), track.book.asks().tolist(), depth)
                assert found == self.bench.truth[self.instrument.name, key], f"wrong at {key}"
                self.compared += 1

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
        self.bench.fault(kind, instruments=[self.instrument.name], seconds=2.0)
        if kind in REQUESTS:  # who comes back asks
            self.bench.fault("cut", instruments=[self.instrument.name])
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
    dialect = followed.dialect
    for kind in [one for one in (*KINDS, *dialect.tricks, *MORE) if why_not(one, dialect) is None]:
        for _ in range(8):
            followed.step()
        followed.strike(kind)
    tally = followed.session._tally
    assert followed.compared > 200
    assert followed.session.held == 0
    assert not tally.ignored
    assert tally.trades > 0
