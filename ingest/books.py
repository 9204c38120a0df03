"""The books of one connection, by the venue's symbol; made when the listings first know a symbol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ingest.asking import Asking
from ingest.backoff import Uniform
from ingest.lane import Lane
from ingest.tally import Tally
from ingest.telling import LIVE
from ingest.track import Track
from ingest.venue import Control, Refused, Sign, Venue
from thalweg.events import Event, Flag, State
from thalweg.instruments import Instrument


class Books:
    """A track and its questions for each symbol."""

    __slots__ = ("_emit", "_lane", "_listings", "_made", "_scales", "_tally", "_tracks", "_uniform", "_venue")

    def __init__(
        self,
        venue: Venue,
        listings: Mapping[str, Instrument],
        emit: Callable[[Event], None],
        tally: Tally,
        uniform: Uniform,
        lane: Lane | None = None,
    ) -> None:
        """Make a track for each listing known so far."""
        self._venue, self._listings, self._emit = venue, listings, emit
        self._tally, self._uniform, self._lane = tally, uniform, lane
        self._made: dict[str, Asking] = {}
        self._tracks: list[Track] = []
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
        """The tracks alone; not to be changed."""
        return self._tracks

    def astir(self, now: int) -> list[Asking]:
        """Give all but those that are live, are not asked for and can't be late or crossed for too long yet."""
        return [
            one
            for one in self._made.values()
            if (track := one.track).look_at <= now or one.waiting or track.wants_book or track.state is not LIVE
        ]

    def expected(self, astir: Sequence[Asking]) -> int:
        """Give how many of all the venue is to be heard of: those that it has."""
        return len(self) - sum(one.track.state is State.DELISTED for one in astir)

    def unanswered(self, astir: Sequence[Asking]) -> bool:
        """Tell whether of all none is live and one was asked for."""
        live = len(astir) < len(self) or any(one.track.state is LIVE for one in astir)
        return not live and any(one.waiting for one in astir)

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
        if not venue.capability.verifies:
            track.flags |= Flag.UNVERIFIED
        if self._lane is not None:
            self._lane.add(track)
        self._scales[symbol] = instrument.price_decimals, instrument.size_decimals
        self._tracks.append(track)
        return self._made.setdefault(symbol, Asking(track, self._uniform))

    def scales(self, symbol: str) -> tuple[int, int] | None:
        """Give the price and size decimals of a symbol; `None` for any text that is not one of ours."""
        known = self._scales.get(symbol)
        if known is None and self.find(symbol) is not None:
            known = self._scales[symbol]
        return known

    def put(self, state: State, reason: str, ts_recv: int) -> None:
        """Put every book that the venue has into a state."""
        for track in self.tracks:
            if track.state is not State.DELISTED:
                track.set_state(state, reason, ts_recv)

    def suspend(self, reason: str, ts_recv: int, *, down: bool) -> None:
        """There is no connection: what was live is stale, or halted where the venue says that it is `down`."""
        for track in self.tracks:
            if track.state is not State.DELISTED:
                once_live = track.state in (State.LIVE, State.STALE, State.HALTED)
                state = State.STALE if once_live else State.CONNECTING
                track.set_state(State.HALTED if down else state, reason, ts_recv)

    def heed(self, control: Control, ts_recv: int, now: int) -> None:
        """Do what the venue says about some of the books, or all of them."""
        concerned = [found for symbol in control.symbols if (found := self.find(symbol))]
        if control.sign is Sign.ACK:
            for asking in concerned:
                asking.confirm(now, held=False)
                if control.depth is not None:
                    asking.track.grant(control.depth)
        elif control.sign is Sign.NACK:
            for asking in concerned:
                asking.refused(control.text, ts_recv, now)
            for asking in () if concerned else self:
                asking.hasten(now)
        elif control.sign is Sign.STATE and control.state is not None:
            for asking in concerned if control.symbols else self:
                asking.halt(control.state, control.text, ts_recv, now)

    def refuse(self, refused: Refused, ts_recv: int) -> None:
        """Count what can't be taken; a book that may have changed unseen is stale, a lost trade is told."""
        self._tally.decoded += 1
        self._tally.dropped["refused"] += 1
        self._tally.refused[refused.reason] += 1
        asking = self.find(refused.symbol) if refused.symbol else None
        if asking is None or asking.track.state is not LIVE:
            return
        if refused.kind == "trade":
            asking.track.lost_trade(refused.reason, ts_recv)
        else:
            asking.track.lose(f"refused: {refused.reason}", ts_recv)
