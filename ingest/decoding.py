"""A capture through the sessions that the live worker runs, for `thalweg decode` and for tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from ingest.session import Session
from ingest.tally import Tally
from ingest.track import Track
from ingest.venue import Listing, Venue
from thalweg.capture import MAX_LINE, Line, parse_line
from thalweg.errors import CaptureError, DecodeError
from thalweg.events import Delta, Event, Snapshot, Status, Trade, flag_names
from thalweg.fixed import Levels, format_fixed
from thalweg.instruments import DEFAULT_DECIMALS, MAX_DECIMALS, SYMBOL, Instrument, load_instruments

SYMBOLS_MAX = 20_000  # a capture with more symbols than any venue lists is not one
EARLY_MAX = MAX_LINE  # bytes of whole books kept for connections that have not told their symbol yet


class _Listings(dict[str, Instrument]):
    """Our instruments at a venue, and one made up for every other symbol that a capture has."""

    def __init__(self, venue: str) -> None:
        super().__init__()
        self._venue = venue
        self._known = load_instruments().listings(venue)
        self.by_name: dict[str, Instrument] = {}
        self.metadata: dict[str, Listing] = {}

    def __missing__(self, symbol: str) -> Instrument:
        """Take our own instrument, or make one: named by the metadata, at least 8 decimals."""
        made = self._known.get(symbol) or self._make(symbol)
        self[symbol] = self.by_name[made.name] = made
        return made

    def _make(self, symbol: str) -> Instrument:
        if not SYMBOL.fullmatch(symbol) or len(self) >= SYMBOLS_MAX:
            raise KeyError(symbol)
        found = self.metadata.get(symbol)
        decimals = (DEFAULT_DECIMALS, DEFAULT_DECIMALS)
        if found:
            decimals = (max(decimals[0], found.price_decimals), max(decimals[1], found.size_decimals))
        name = f"{found.base}-{found.quote}" if found else symbol
        price_decimals, size_decimals = (min(places, MAX_DECIMALS) for places in decimals)
        return Instrument(name, price_decimals, size_decimals, {self._venue: symbol})


class _Fed(dict[str, Instrument]):
    """The part of the listings that one connection feeds: what its frames have named."""

    def __init__(self, listings: _Listings) -> None:
        super().__init__()
        self._listings = listings

    def __missing__(self, symbol: str) -> Instrument:
        """Take it from what the whole capture shares."""
        return self.setdefault(symbol, self._listings[symbol])


class Decoding:
    """One run over a capture: a session per connection, one tally for all."""

    def __init__(self, venue: Venue) -> None:
        """Start with nothing read."""
        self.tally = Tally()
        self._venue = venue
        self._listings = _Listings(venue.name)
        self._sessions: list[Session] = []
        self._open: dict[int, Session] = {}
        self._early: dict[str, Line] = {}

    def run(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Read a capture's lines and give its events as JSON lines, a chunk a capture line.

        Raises:
            CaptureError: a line is not in the capture format; says which.
        """
        for number, text in enumerate(lines, 1):
            if len(text) > MAX_LINE:
                raise CaptureError(f"line {number}: longer than {MAX_LINE} bytes")
            try:
                line = parse_line(text)
            except CaptureError as error:
                raise CaptureError(f"line {number}: {error}") from error
            if line is not None:
                yield b"".join(map(self._format, self.take(line)))
        for session in [*self._open.values()][-1:]:  # books of which nothing changed: no frame told whose they are
            yield b"".join(map(self._format, self._spliced(session, [*self._early])))

    def take(self, line: Line) -> list[Event]:
        """Give the events of one line."""
        if line.direction == "<":
            return self._in(line)
        if line.direction == "h":
            return self._answer(line)
        if line.direction == "x":
            closed = self._open.pop(line.connection, None)
            return closed.disconnected(f"closed {line.status or ''}".strip(), line.ts).events if closed else []
        self._session(line)
        return []

    def _in(self, line: Line) -> list[Event]:
        """Take a frame; time passes by the capture's own instants."""
        session = self._session(line)
        events = session.frame(line.data, line.ts, line.ts).events
        return events + self._spliced(session, [symbol for symbol in self._early if session.knows(symbol)])

    def _session(self, line: Line) -> Session:
        """Give the session of a line's connection; after its close the same number is a new connection."""
        session = self._open.get(line.connection)
        if session is None:
            session = Session(self._venue, _Fed(self._listings), self.tally, lambda: 1.0)
            session.connected(line.ts, line.ts)
            self._open[line.connection] = session
            self._sessions.append(session)
        return session

    def _answer(self, line: Line) -> list[Event]:
        """Take a REST answer: a list of symbols, or a whole book for the newest connection that feeds its symbol."""
        url, rest, metadata = line.url or "", self._venue.rest_snapshot, self._venue.metadata
        if line.status not in (None, 200):
            return []
        if metadata is not None and metadata.matches(url):
            try:
                self._listings.metadata.update(metadata.decode(line.data))
            except DecodeError:
                self.tally.bad_frames += 1
        elif rest is not None and (symbol := rest.symbol(url)):
            fed = [one for one in self._open.values() if one.knows(symbol)]
            if fed:
                return fed[-1].book_fetched(symbol, line.data, line.ts, line.ts).events
            if sum(len(early.data) for early in self._early.values()) + len(line.data) <= EARLY_MAX:
                self._early[symbol] = line
        return []

    def _spliced(self, session: Session, symbols: list[str]) -> list[Event]:
        """Give a connection the whole books that came before the first frame of their symbols."""
        early = [(symbol, self._early.pop(symbol)) for symbol in symbols]
        return [e for symbol, line in early for e in session.book_fetched(symbol, line.data, line.ts, line.ts).events]

    def _format(self, event: Event) -> bytes:
        """Give an event as one JSON line, numbers as exact decimal text."""
        one = self._listings.by_name[event.instrument]
        found: dict[str, Any] = {"kind": type(event).__name__.lower(), "venue": event.venue}
        found["instrument"] = event.instrument
        match event:
            case Snapshot() | Delta():
                found |= {"first": event.first, "last": event.last, "ts_event": event.ts_event}
                found |= {"bids": _texts(event.bids, one), "asks": _texts(event.asks, one)}
            case Trade():
                found |= {"price": format_fixed(event.price, one.price_decimals)}
                found |= {"size": format_fixed(event.size, one.size_decimals)}
                found |= {"taker": event.taker, "id": event.id, "ts_event": event.ts_event}
            case Status():
                found |= {"state": event.state, "flags": flag_names(event.flags), "reason": event.reason}
        found["ts_recv"] = event.ts_recv
        return orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE)

    def books(self) -> bytes:
        """Give every book as it stands, one JSON object a line."""
        lines = []
        for session in self._sessions:
            for track in session.tracks:
                if any(track.book.counts):
                    one, book = track.instrument, track.book
                    found: dict[str, object] = {"instrument": one.name, "symbol": track.symbol, "state": track.state}
                    found |= {"bids": _texts(book.bids(), one), "asks": _texts(book.asks(), one)}
                    lines.append(orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE))
        return b"".join(lines)

    def stats(self) -> bytes:
        """Give the counts and each book's end, as one JSON object."""
        tally = self.tally
        books: dict[str, object] = {}
        for session in self._sessions:
            for track in session.tracks:
                if track.touched:
                    books[track.instrument.name] = self._book_stats(track.instrument, track)
        found = {
            "frames": tally.frames,
            "events": {
                "snapshot": tally.snapshots,
                "delta": tally.deltas,
                "trade": tally.trades,
                "status": tally.made["status"],
            },
            "bad_frames": tally.bad_frames,
            "ignored": dict(tally.ignored),
            "refused": dict(tally.refused),
            "gaps": tally.gaps,
            "checksums_ok": tally.checksums_ok,
            "checksums_bad": tally.checksums_bad,
            "books": books,
        }
        return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def _book_stats(self, one: Instrument, track: Track) -> dict[str, object]:
        book = track.book
        bids, asks = book.counts
        bid, ask = book.best_bid, book.best_ask
        return {
            "state": track.state,
            "flags": flag_names(track.flags),
            "verified_depth": self._venue.capability.verified_depth,
            "sequence": track.sequence,
            "bids": bids,
            "asks": asks,
            "best_bid": format_fixed(bid[0], one.price_decimals) if bid else None,
            "best_ask": format_fixed(ask[0], one.price_decimals) if ask else None,
            "crossed": book.crossed,
        }


def _texts(levels: Levels, one: Instrument) -> list[list[str]]:
    """Give levels as pairs of exact decimal text."""
    return [
        [format_fixed(price, one.price_decimals), format_fixed(size, one.size_decimals)]
        for price, size in levels.tolist()
    ]
