"""Targets: a whole session of a venue, from frames to a reader: the reader's book is the session's, or neither is live.

An input is lines. The first byte of all chooses the venue, the first of each line what happens: a frame, an answer
to a fetch, time that passes, a connection that ends. A name stands for each of the frames that go on where they must.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from aggregator.books import VenueBook
from aggregator.counters import Counters
from ingest.effects import Effects
from ingest.session import Session
from ingest.tally import Tally
from ingest.venues import VENUES
from tests.fuzz.decoders import FRAMES, MODULES
from tests.fuzz.target import Target
from thalweg.events import Event, Open, Snapshot, State
from thalweg.instruments import Instrument, load_instruments
from thalweg.wire import encode_entry

SECOND = 1_000_000_000
START = 1_764_000_000 * SECOND
SYMBOLS = {name: next(iter(load_instruments().listings(name))) for name in VENUES}
SYMBOLS |= {"coinbase": "BTC-USD", "kraken": "BTC/USD"}  # as their frames have it
NAMES = tuple(MODULES)
PAUSES_S = (0.1, 0.5, 2.0, 11.0, 31.0, 70.0)


class Scene:
    """A session, its reader, and the clock."""

    def __init__(self, name: str) -> None:
        self.instrument = Instrument("BTC-USD", 8, 8, {name: SYMBOLS[name]})
        self.tally = Tally()
        self.venue = VENUES[name]
        self.session, self.plain = (
            Session(venue, {SYMBOLS[name]: self.instrument}, tally, lambda: 0.5)
            for venue, tally in ((self.venue, self.tally), (replace(self.venue, express=None), Tally()))
        )
        self.reader = VenueBook(self.instrument, name)
        self.reader.heard = True
        self.counters = Counters()
        self.now = START
        self.n = self.emitted = 0
        places = self.instrument.price_decimals, self.instrument.size_decimals
        capability = self.venue.capability
        found = capability.detector, capability.verified_depth
        self.read(Open(name, "BTC-USD", *places, self.venue.depth, *found, self.now))
        self.do(lambda session: session.connected(self.now, self.now))

    def read(self, event: Event) -> None:
        """Put an event through its entry to the reader."""
        self.n += 1
        words = encode_entry(event, self.now)
        fields = dict(zip(words[::2], words[1::2], strict=True))
        assert self.reader.take((7, self.n), fields, self.now, self.counters) is not None

    def do(self, call: Callable[[Session], Effects]) -> None:
        """Hand on what the session gave, and judge; one that has no express lane must give the same."""
        plain, effects = call(self.plain), call(self.session)
        assert list(map(repr, effects.events)) == list(map(repr, plain.events)), "the express lane tells other things"
        assert replace(effects, events=[]) == replace(plain, events=[]), "the express lane wants other things"
        for event in effects.events:
            self.read(event)
        self.emitted += len(effects.events)
        (track,) = self.session.tracks
        reader = self.reader
        assert (reader.line.state is State.LIVE) == (track.state is State.LIVE), "the states differ"
        if track.state is State.LIVE:
            assert reader.book.bids().tolist() == track.book.bids().tolist(), "the bids differ"
            assert reader.book.asks().tolist() == track.book.asks().tolist(), "the asks differ"
            assert reader.line.last == track.sequence
        else:
            assert not any(isinstance(event, Snapshot) for event in effects.events[-1:]), "a whole book, and not live"
        tally = self.tally
        came = tally.decoded + sum(tally.made.values())
        assert came == self.emitted + sum(tally.dropped.values()) + self.session.held, "events that vanished"

    def pause(self, seconds: float) -> None:
        """Let time pass in two ticks."""
        for _ in range(2):
            self.now += int(seconds * SECOND / 2)
            self.do(lambda session: session.tick(self.now, self.now))

    def line(self, line: bytes) -> None:
        """Do what one line says."""
        self.now += SECOND // 1000
        now, kind, rest, symbol = self.now, line[:1], line[1:], SYMBOLS[self.venue.name]
        if kind in (b"{", b"["):
            self.do(lambda session: session.frame(line, now, now))
        elif kind == b"@":
            self.do(lambda session: session.book_fetched(symbol, rest, now, now))
        elif kind == b"!":
            self.do(lambda session: session.disconnected("closed", now))
            self.do(lambda session: session.connected(now, now))
        elif kind == b"?":
            self.do(lambda session: session.fetch_failed(symbol, None, now, now))
        else:
            self.pause(PAUSES_S[(kind or b"\0")[0] % len(PAUSES_S)])


def _judge(name: str) -> Callable[[bytes], object]:
    def judge(data: bytes) -> object:
        scene = Scene(name)
        for line in data.split(b"\n")[:24]:
            scene.line(line)
        tally = scene.tally
        (track,) = scene.session.tracks
        dropped = tuple(sorted(name for name, count in tally.dropped.items() if count))
        return track.state, track.reason[:12], track.flags, dropped, min(tally.snapshots, 3), min(tally.deltas, 3)

    return judge


def _seeds(name: str) -> list[bytes]:
    found = {path.stem: path.read_bytes().splitlines() for path in sorted((FRAMES / name).glob("*.jsonl"))}
    lines = [line for case, some in found.items() if case not in ("listings", "snapshot") for line in some]
    books = [line for case in ("delta", "book", "vector") for line in found.get(case, [])]
    fetched = [b"@" + line for line in found.get("snapshot", [])]
    together = b"\n".join([*books, b"\x00", *fetched, *books])
    return [together, b"\n".join(lines), b"\n".join([together, b"!", *books, *fetched]), *lines]


_WORDS = [b"\n\x02", b"\n!", b"\n@", b"\n\x04"]


def _target(name: str) -> Target:
    return Target(f"session-{name}", _judge(name), lambda: _seeds(name), least=1_000, words=_WORDS)


TARGETS = [_target(name) for name in NAMES]
