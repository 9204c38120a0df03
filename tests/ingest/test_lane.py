"""The express lane against the general way: the same frames give the same events, counts and books on both."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from ingest import plan, rows
from ingest.beats import UNKNOWN
from ingest.effects import Effects
from ingest.session import Session
from ingest.tally import Tally
from ingest.track import Track
from ingest.venues import VENUES
from tests.simulator.bench import Bench
from thalweg.events import Event, State
from thalweg.instruments import Instrument, load_instruments

SECOND = 1_000_000_000
INSTRUMENTS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
FAULTS = ("drop", "duplicate", "reorder", "garbage", "crossed", "number_null", "number_exponent", "skew", "cut")
FAULTS_OF_SUMS = ("corrupt_checksum", "checksum_zero", "checksum_gone", "checksum_stuck")


def told(event: Event) -> list[object]:
    """An event as plain values."""
    values = [getattr(event, name) for name in event.__dataclass_fields__]
    return [type(event).__name__, *(one.tolist() if isinstance(one, np.ndarray) else one for one in values)]


class Twins:
    """Two sessions of a venue that get the same, one of them without the lane; a fault now and then."""

    def __init__(self, name: str, seed: int) -> None:
        self.draw = Random(seed)
        self.bench = Bench(name, INSTRUMENTS, seed)
        listings = dict(load_instruments().only(INSTRUMENTS, [name]).listings(name))
        other = next(iter(listings))
        listings[other] = Instrument(listings[other].name, 10, 9, {name: other})  # not the usual units
        venue = VENUES[name]
        self.sessions = [
            Session(one, listings, Tally(), lambda: 0.5, 3 * SECOND) for one in (venue, replace(venue, express=None))
        ]
        self.express = 0
        self.closed = True
        self.fetches: list[str] = []

    @property
    def now(self) -> int:
        return self.bench.now

    def do(self, call: Callable[[Session], Effects]) -> None:
        """Let both do the same, compare what they want, and do it."""
        effects, plain = (call(session) for session in self.sessions)
        assert [told(event) for event in effects.events] == [told(event) for event in plain.events]
        assert replace(effects, events=[]) == replace(plain, events=[])
        for text in effects.send:
            self.bench.exchange.receive(self.client, text, self.now)
        self.fetches += effects.fetch
        self.closed = self.closed or effects.close is not None

    def same(self) -> None:
        """Whatever can be asked of the one, the other answers."""
        one, other = self.sessions
        assert asdict(one._tally) == asdict(other._tally)
        for mine, theirs in zip(one.tracks, other.tracks, strict=True):
            assert (mine.state, mine.flags, mine.reason) == (theirs.state, theirs.flags, theirs.reason)
            assert (mine.position, mine.held) == (theirs.position, theirs.held)
            assert mine.book.bids().tolist() == theirs.book.bids().tolist()
            assert mine.book.asks().tolist() == theirs.book.asks().tolist()
            assert mine.book.crossed == theirs.book.crossed

    def step(self) -> None:
        """Let 50 ms pass, deliver what the venue says, answer what was asked, and tick."""
        if self.closed:
            self.closed = False
            self.do(lambda session: session.disconnected("closed", self.now))
            self.client = self.bench.connect()
            self.do(lambda session: session.connected(self.now, self.now))
        if self.draw.random() < 0.02:
            kinds = FAULTS + (FAULTS_OF_SUMS if VENUES[self.bench.venue].capability.detector == "checksum" else ())
            self.bench.fault(self.draw.choice(kinds))
        self.bench.run(50)
        for text in self.bench.frames(self.client):
            self.deliver(text.encode())
        for symbol in self.fetches:
            self.answer(symbol)
        self.fetches.clear()
        self.do(lambda session: session.tick(self.now, self.now))
        self.closed = self.closed or any(number == self.client.number for number, _ in self.bench.ends)
        self.bench.ends.clear()

    def deliver(self, frame: bytes) -> None:
        """Give both a frame; it may come a few seconds after the venue's stamp."""
        delay = self.draw.choice((0, 0, 0, 3 * SECOND)) if self.draw.random() < 0.05 else 0
        lane = self.sessions[0]._lane
        assert lane is not None
        before = lane._sheet[plan.USED]
        self.do(lambda session: session.frame(frame, self.now + delay, self.now))
        self.express += int(lane._sheet[plan.USED] != before)

    def answer(self, symbol: str) -> None:
        """Give both the book that they asked for."""
        rest = VENUES[self.bench.venue].rest_snapshot
        assert rest is not None
        reply = self.bench.get("/api/v3/depth", symbol=symbol, limit="1000")
        self.do(lambda session: session.book_fetched(symbol, reply.body, self.now, self.now))


def run(venue: str, seed: int, steps: int = 250) -> None:
    twins = Twins(venue, seed)
    for _ in range(steps):
        twins.step()
        twins.same()
    assert twins.express > steps // 2, "hardly any frame took the lane"
    assert twins.sessions[0]._tally.gaps or steps < 100, "nothing went wrong"


@pytest.mark.parametrize("seed", range(1))
@pytest.mark.parametrize("venue", sorted(name for name, venue in VENUES.items() if venue.express))
def test_the_lane_does_what_the_general_way_does(venue: str, seed: int) -> None:
    run(venue, seed)


def test_the_same_source_runs_as_python() -> None:
    """With `NUMBA_DISABLE_JIT=1`, as a debugger sees it; integer wrap is then hidden, so all else runs compiled."""
    code = "from tests.ingest.test_lane import run; run('kraken', 3, steps=80)"
    environ = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ, cwd=Path(__file__).parents[2])


def test_a_lane_that_takes_what_it_must_not_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge is awake: a book that counts as usual when it is not gives other events."""

    def always(self: Track) -> None:
        self.row[rows.READY], self.row[rows.DEPTH] = 1, UNKNOWN

    monkeypatch.setattr(Track, "_settle", always)
    with pytest.raises(AssertionError):
        run("kraken", 1)


@pytest.mark.parametrize("count", [1, 5, 300])
def test_every_symbol_finds_its_own_book(count: int) -> None:
    venue = VENUES["bybit"]
    listings = {f"S{k}USDT": Instrument(f"S{k}-USDT", 8, 8, {"bybit": f"S{k}USDT"}) for k in range(count)}
    session = Session(venue, listings, Tally(), lambda: 0.5)
    session.connected(1, 1)
    for kind, number in (("snapshot", 1), ("delta", 2)):
        for k, symbol in enumerate(listings):
            levels = f'"b":[["{k + 1}","1"]],"a":[],"u":{number},"seq":1'
            frame = f'{{"topic":"orderbook.200.{symbol}","type":"{kind}","ts":1,"data":{{"s":"{symbol}",{levels}}}}}'
            session.frame(frame.encode(), 2, 2)
    assert [track.book.best_bid for track in session.tracks] == [((k + 1) * 10**8, 10**8) for k in range(count)]
    assert all(track.state is State.LIVE and track.sequence == 2 for track in session.tracks)
