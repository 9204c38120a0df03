"""The books of one connection, by the venue's symbol; made when the listings first know a symbol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ingest.asking import Asking
from ingest.backoff import Uniform
from ingest.tally import Tally
from ingest.track import Track
from ingest.venue import Venue
from thalweg.events import Event, State
from thalweg.instruments import Instrument


class Books:
    """A track and its questions for each symbol."""

    __slots__ = ("_emit", "_listings", "_made", "_scales", "_tally", "_uniform", "_venue")

    def __init__(
        self,
        venue: Venue,
        listings: Mapping[str, Instrument],
        emit: Callable[[Event], None],
        tally: Tally,
        uniform: Uniform,
    ) -> None:
        """Make a track for each listing known so far."""
        self._venue, self._listings, self._emit = venue, listings, emit
        self._tally, self._uniform = tally, uniform
        self._made: dict[str, Asking] = {}
        self._scales: dict[str, tuple[int, int]] = {}
        for symbol in listings:
            self.find(symbol)

    def __iter__(self) -> Iterator[Asking]:
        """Go through all of them, in the order they were made."""
        return iter(self._made.values())

    def __len__(self) -> int:
        """Count them."""
        return len(self._made)

    def __contains__(self, symbol: str) -> bool:
        """Tell whether one has been made."""
        return symbol in self._made

    @property
    def tracks(self) -> list[Track]:
        """The tracks alone."""
        return [asking.track for asking in self._made.values()]

    @property
    def expected(self) -> int:
        """How many of them the venue is to be heard of: those that it has."""
        return sum(track.state is not State.DELISTED for track in self.tracks)

    @property
    def unanswered(self) -> bool:
        """Whether none is live and one was asked for."""
        live = any(track.state is State.LIVE for track in self.tracks)
        return not live and any(asking.waiting for asking in self)

    def find(self, symbol: str) -> Asking | None:
        """Give the book of a symbol; one that the listings have newly made gets its track."""
        found = self._made.get(symbol)
        if found is not None:
            return found
        try:
            instrument = self._listings[symbol]
        except KeyError:
            return None
        venue = self._venue
        track = Track(venue.name, instrument, symbol, venue.rule(), venue.depth, self._emit, self._tally)
        self._scales[symbol] = instrument.price_decimals, instrument.size_decimals
        return self._made.setdefault(symbol, Asking(track, self._uniform))

    def scales(self, symbol: str) -> tuple[int, int] | None:
        """Give the price and size decimals of a symbol; `None` for any text that is not one of ours."""
        known = self._scales.get(symbol)
        if known is None and self.find(symbol) is not None:
            known = self._scales[symbol]
        return known
