"""A session that talks to a simulated venue without a socket; the oracle judges its books at every position.

The session is the worker's; the truth is the simulator's, which is told before any fault touches a frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from ingest.effects import Effects
from ingest.session import Session
from ingest.tally import Tally
from ingest.venues import VENUES
from simulator.oracle import digest, position
from simulator.topic import Close
from tests.simulator.bench import Bench
from thalweg.events import Event, Flag, State, Status
from thalweg.instruments import load_instruments

INSTRUMENTS = ("BTC-USDT", "ETH-USDT")
STEP_MS = 25


class Play:
    """One connection at a time; `run` lets time pass."""

    def __init__(self, venue: str, instruments: Iterable[str] = INSTRUMENTS, seed: int = 1) -> None:
        self.bench, self.tally, self.venue = Bench(venue, instruments, seed), Tally(), VENUES[venue]
        listings = load_instruments().only(instruments, [venue]).listings(venue)
        self.session = Session(self.venue, listings, self.tally, lambda: 0.5)
        self.events: list[Event] = []
        self.sent: list[str] = []
        self.closed: list[str] = []
        self.compared = 0
        self.connect()

    def connect(self) -> None:
        """Open a connection."""
        self.client = self.bench.connect()
        self.do(self.session.connected(self.bench.now, self.bench.now))

    def do(self, effects: Effects) -> None:
        """Do what the session wants."""
        self.events += effects.events
        self.sent += effects.send
        for text in effects.send:
            self.bench.exchange.receive(self.client, text, self.bench.now)
        self.bench._collect()
        for symbol in effects.fetch:
            assert self.venue.rest_snapshot
            parts = urlsplit(self.venue.rest_snapshot.url("", symbol))
            reply = self.bench.get(parts.path, **dict(parse_qsl(parts.query)))
            self.do(self.session.book_fetched(symbol, reply.body, self.bench.now, self.bench.now))
        if effects.close:
            self.closed.append(effects.close)
            self.again("closed")

    def again(self, reason: str) -> None:
        """Come back after the end of a connection."""
        self.bench.exchange.disconnect(self.client)
        self.do(self.session.disconnected(reason, self.bench.now))
        self.connect()

    def step(self) -> None:
        """Let a moment pass, deliver what came, judge, and tick."""
        self.bench.run(STEP_MS)
        client = self.client
        for frame in self.bench.frames(client):
            self.do(self.session.frame(frame.encode("utf-8", "surrogateescape"), self.bench.now, self.bench.now))
            self.judge()
            if self.client is not client:  # what is left was of a connection that is no more
                break
        self.do(self.session.tick(self.bench.now, self.bench.now))
        ended = [end for number, end in self.bench.ends if number == self.client.number]
        self.bench.ends = [one for one in self.bench.ends if one[0] != self.client.number]
        if any(isinstance(end, Close) for end in ended):
            self.again("closed by the venue")

    def run(self, seconds: float) -> Play:
        """Let time pass."""
        for _ in range(round(seconds * 1000 / STEP_MS)):
            self.step()
        return self

    def judge(self) -> None:
        """A live book is what the venue's book was at its position."""
        dialect = self.bench.exchange.dialect
        depth = min(dialect.verified, self.venue.depth or dialect.verified)
        for track in self.session.tracks:
            _, last, ts_event = track.position
            if track.state is State.LIVE and not track.flags & Flag.CROSSED:
                mine = digest(track.book.bids().tolist(), track.book.asks().tolist(), depth)
                assert self.bench.truth[track.name, position(last, ts_event)] == mine
                self.compared += 1

    @property
    def told(self) -> list[Status]:
        """What was said of its books."""
        return [event for event in self.events if isinstance(event, Status)]

    @property
    def states(self) -> list[str]:
        """The states of its books."""
        return [str(track.state) for track in self.session.tracks]

    @property
    def reasons(self) -> list[str]:
        """Why books were not live, as was said."""
        return [status.reason for status in self.told if status.reason]

    def balanced(self) -> bool:
        """Whether every event is accounted for."""
        tally = self.tally
        came = tally.decoded + sum(tally.made.values())
        return came == len(self.events) + sum(tally.dropped.values()) + self.session.held
