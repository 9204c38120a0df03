"""A session that talks to a simulated venue without a socket; the oracle judges its books at every position."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ingest.effects import Effects
from ingest.session import Session
from ingest.tally import Tally
from ingest.venues import VENUES
from simulator.oracle import digest, position
from simulator.topic import Close
from tests.simulator.bench import Bench
from thalweg.events import Event, State
from thalweg.instruments import load_instruments

INSTRUMENTS = ("BTC-USDT", "ETH-USDT")


class Play:
    """One connection at a time; `run` lets time pass, in steps of 50 ms."""

    def __init__(self, venue: str, instruments: Iterable[str] = INSTRUMENTS, seed: int = 1) -> None:
        self.bench, self.tally = Bench(venue, instruments, seed), Tally()
        listings = load_instruments().only(instruments, [venue]).listings(venue)
        self.session = Session(VENUES[venue], listings, self.tally, lambda: 0.5)
        self.events: list[Event] = []
        self.sent: list[str] = []
        self.closed: list[str] = []
        self.compared = 0
        self._connect()

    def _connect(self) -> None:
        self.client = self.bench.connect()
        self._do(lambda session: session.connected(self.bench.now, self.bench.now))

    def _do(self, call: Callable[[Session], Effects]) -> None:
        effects = call(self.session)
        assert not effects.fetch
        self.events += effects.events
        self.sent += effects.send
        for text in effects.send:
            self.bench.exchange.receive(self.client, text, self.bench.now)
        self.bench._collect()
        if effects.close:
            self.closed.append(effects.close)
            self.bench.exchange.disconnect(self.client)
            self._do(lambda session: session.disconnected("closed", self.bench.now))
            self._connect()

    def run(self, seconds: float) -> Play:
        """Deliver what the venue says, and compare each book that has moved with the truth at its position."""
        for _ in range(round(seconds * 20)):
            self.bench.run(50)
            for text in self.bench.frames(self.client):
                self._do(lambda session, text=text: session.frame(text.encode(), self.bench.now, self.bench.now))  # type: ignore[misc]  # mypy can't infer a lambda with a default
                self.judge()
            self._do(lambda session: session.tick(self.bench.now, self.bench.now))
            if any(number == self.client.number and isinstance(end, Close) for number, end in self.bench.ends):
                self.bench.ends.clear()
                self.bench.exchange.disconnect(self.client)
                self._do(lambda session: session.disconnected("closed by the venue", self.bench.now))
                self._connect()
        return self

    def judge(self) -> None:
        """No live book is ever another than the venue's at the position it is at."""
        depth = self.bench.exchange.dialect.verified
        for track in self.session.tracks:
            _, last, ts_event = track.position
            if track.state is State.LIVE and (last, ts_event) != (None, None):
                mine = digest(track.book.bids().tolist(), track.book.asks().tolist(), depth)
                assert self.bench.truth[track.name, position(last, ts_event)] == mine
                self.compared += 1

    @property
    def states(self) -> list[str]:
        """The states of its books."""
        return [str(track.state) for track in self.session.tracks]

    @property
    def reasons(self) -> list[str]:
        """Why books were not live, as the events tell."""
        return [event.reason for event in self.events if getattr(event, "reason", "")]  # type: ignore[union-attr]  # only a status has one

    def balanced(self) -> bool:
        """Whether every event is accounted for."""
        tally = self.tally
        came = tally.decoded + sum(tally.made.values())
        return came == len(self.events) + sum(tally.dropped.values()) + self.session.held
