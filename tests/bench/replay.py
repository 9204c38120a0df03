"""A capture's frames through a session, again and again: whole books and then every change, as they came."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.effects import Effects
from ingest.session import Session
from ingest.tally import Tally
from ingest.track import Track
from ingest.venue import Venue
from ingest.venues import VENUES
from thalweg.capture import Line, parse_line
from thalweg.events import State
from thalweg.instruments import DEFAULT_DECIMALS, Instrument, load_instruments

CAPTURES = {
    "binance": "binance-us.jsonl.gz",
    "bybit": "bybit-spot.jsonl.gz",
    "coinbase": "coinbase-advanced.jsonl.gz",
    "kraken": "kraken-btcusd-d25.jsonl.gz",
}


class Listings(dict[str, Instrument]):
    """The instruments of a venue, and one made up for every other symbol."""

    def __init__(self, venue: str) -> None:
        """Know none until it is asked for, so that no book is waited for."""
        super().__init__()
        self._venue, self._known = venue, load_instruments().listings(venue)

    def __missing__(self, symbol: str) -> Instrument:
        """Take our own instrument, or make one with the usual units."""
        usual = (DEFAULT_DECIMALS, DEFAULT_DECIMALS)
        return self.setdefault(symbol, self._known.get(symbol) or Instrument(symbol, *usual, {self._venue: symbol}))


@dataclass(slots=True)
class Step:
    """One frame, or the body of a fetched book (then with its `fetched` symbol)."""

    data: bytes
    ts: int
    fetched: str | None = None


class Replay:
    """The frames of one connection at one venue, and what it answered to requests by HTTP, by URL."""

    def __init__(self, venue: Venue, steps: list[Step], answers: dict[str, bytes] | None = None) -> None:
        """Keep the frames."""
        self.venue, self.steps, self.answers = venue, steps, answers or {}

    @classmethod
    def of(cls, venue: str, steps: list[Step]) -> Replay:
        """Give a replay by the venue's name."""
        return cls(VENUES[venue], steps)

    def session(self) -> tuple[Session, Tally]:
        """Give a connected session that has seen nothing, and its counters."""
        tally = Tally()
        session = Session(self.venue, Listings(self.venue.name), tally, lambda: 1.0)
        session.connected(self.steps[0].ts, self.steps[0].ts)
        return session, tally

    def take(self, session: Session, step: Step) -> Effects:
        """Give a session one step."""
        if step.fetched is None:
            return session.frame(step.data, step.ts, step.ts)
        return session.book_fetched(step.fetched, step.data, step.ts, step.ts)

    def tracks(self) -> list[int | None]:
        """Play it once and tell, for each step, which of the session's tracks it moved."""
        session, _ = self.session()
        moved: list[int | None] = []
        for step in self.steps:
            effects = self.take(session, step)
            names = [track.instrument.name for track in session.tracks]
            told = effects.events[-1:] if effects.moved and not effects.whole else []
            moved.append(names.index(told[0].instrument) if told else None)
        if faults := [track.symbol for track in session.tracks if track.touched and track.state is not State.LIVE]:
            raise ValueError(f"the frames of {self.venue.name} do not leave these books live: {faults}")
        return moved


def from_capture(folder: Path, venue: str) -> Replay:
    """Give the frames of a venue's capture that a session takes; a fetched book where its symbol is first fed."""
    found = VENUES[venue]
    lines = list(_lines(folder / CAPTURES[venue]))
    steps = [Step(line.data, line.ts) for line in lines if line.direction == "<"]
    answers = {line.url or "": line.data for line in lines if line.direction == "h"}
    if found.rest_snapshot is not None:
        steps = _with_books(steps, answers, found.rest_snapshot.symbol)
    return Replay(found, steps, answers)


def _with_books(steps: list[Step], answers: dict[str, bytes], symbol_of: Callable[[str], str | None]) -> list[Step]:
    """Put each fetched book after the first frame that names its symbol."""
    bodies = {symbol: body for url, body in answers.items() if (symbol := symbol_of(url))}
    merged = []
    for step in steps:
        merged.append(step)
        named = [symbol for symbol in bodies if f'"s":"{symbol}"'.encode() in step.data]
        merged += [Step(bodies.pop(symbol), step.ts, symbol) for symbol in named]
    return merged


def _lines(path: Path) -> Iterator[Line]:
    with gzip.open(path) as file:
        yield from (line for text in file if (line := parse_line(text)) is not None)


def bbo(track: Track) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Read the best bid and offer, as whoever uses a book does."""
    return track.book.bbo
