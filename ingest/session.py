"""One connection to a venue and the books it feeds, without I/O: bytes and ticks in, effects out.

The live worker and `thalweg decode` run the same session. It decides what is admitted, what is asked for again,
and when a connection is no longer worth having; whoever owns it does what the effects say.

Monotonic instants are `now`, wall instants `ts_recv`, both in nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingest.asking import SECOND, Asking
from ingest.backoff import Uniform
from ingest.effects import Effects
from ingest.liveness import Liveness
from ingest.rota import Rota
from ingest.tally import Tally
from ingest.track import Track
from ingest.venue import BookUpdate, Control, Ignored, Listing, Message, Refused, Sign, TradeUpdate, Venue
from thalweg.errors import DecodeError
from thalweg.events import Event, State
from thalweg.instruments import Instrument


class Session:
    """The state of one connection; `connected` starts it, `disconnected` ends it, and it can start again.

    Args:
        venue: what the venue's file says.
        listings: our instruments by the venue's symbol; a mapping that makes missing ones serves `decode`.
        tally: counters, shared by the worker's sessions.
        uniform: random numbers from 0 to 1, for jitter.
        snapshot_ns: time between in-stream snapshots of a live book.
    """

    def __init__(
        self,
        venue: Venue,
        listings: Mapping[str, Instrument],
        tally: Tally,
        uniform: Uniform,
        snapshot_ns: int = 30 * SECOND,
    ) -> None:
        """Make a track for each listing known so far."""
        self._venue, self._listings, self._tally, self._uniform = venue, listings, tally, uniform
        self._liveness = Liveness(venue.keepalive, venue.max_age_s)
        self._rota = Rota(snapshot_ns)
        self._effects = Effects()
        self._asking: dict[str, Asking] = {}
        self._open = False
        self._sequence: int | None = None
        for symbol in listings:
            self._find(symbol)

    @property
    def tracks(self) -> list[Track]:
        """The books of this connection."""
        return [asking.track for asking in self._asking.values()]

    def knows(self, symbol: str) -> bool:
        """Whether a book of this symbol is fed by this connection."""
        return symbol in self._asking

    @property
    def held(self) -> int:
        """How many updates wait for their whole book."""
        return sum(track.held for track in self.tracks)

    def connected(self, ts_recv: int, now: int) -> Effects:
        """A new connection: nothing of the old one holds; subscribe to all."""
        self._open, self._sequence = True, None
        self._liveness.opened(now)
        wanted = [symbol for symbol, asking in self._asking.items() if not asking.resting(now)]
        for symbol in wanted:
            self._asking[symbol].subscribed(ts_recv, now, by_rest=self._venue.rest_snapshot is not None)
        self._effects.send += self._venue.subscribe(wanted) if wanted else []
        return self._take()

    def disconnected(self, reason: str, ts_recv: int) -> Effects:
        """The connection is gone: what was live is stale."""
        self._open = False
        for track in self.tracks:
            if track.state is not State.DELISTED:
                once_live = track.state in (State.LIVE, State.STALE)
                track.set_state(State.STALE if once_live else State.CONNECTING, reason, ts_recv)
        self._tally.reconnects += 1
        return self._take()

    def stopped(self, ts_recv: int) -> Effects:
        """The worker stops: nobody watches these books any more."""
        self._all_to(State.STALE, "ingest stopped", ts_recv)
        return self._take()

    def frame(self, data: bytes, ts_recv: int, now: int) -> Effects:
        """Take one frame."""
        self._tally.frames += 1
        self._liveness.frame(now)
        try:
            if len(data) > self._venue.max_frame:
                raise DecodeError(f"{len(data)} bytes")
            decoded = self._venue.decode(data, self._scales)
        except DecodeError:
            self._tally.bad_frames += 1
            if self._liveness.too_bad(now):
                self._close("too many bad frames")
            return self._take()
        self._tally.fallbacks += decoded.fallbacks
        if self._in_sequence(decoded.connection_sequence, ts_recv):
            for message in decoded.messages:
                self._dispatch(message, ts_recv, now)
        else:
            self._drop(decoded.messages)
        return self._take()

    def book_fetched(self, symbol: str, body: bytes, ts_recv: int, now: int) -> Effects:
        """Take the answer to a fetch."""
        rest = self._venue.rest_snapshot
        asking = self._find(symbol)
        if rest is None or asking is None:
            return self._take()
        asking.waiting = False
        try:
            update = rest.decode(body, symbol, self._scales)
        except DecodeError:
            self._tally.bad_frames += 1
            asking.postpone(now)
            return self._take()
        self._book(update, ts_recv, now, fetched=True)
        if asking.track.wants_book:
            asking.postpone(now)
        return self._take()

    def fetch_failed(self, symbol: str, after_s: float | None, now: int) -> Effects:
        """A fetch came to nothing; `after_s` is what the venue asked us to wait."""
        asking = self._find(symbol)
        if asking is not None:
            asking.postpone(now, after_s)
        return self._take()

    def listed(self, listings: Mapping[str, Listing], ts_recv: int, now: int) -> Effects:
        """Take the venue's own list: what it lacks, or what our units can't hold, is not waited for.

        A book that is live is not missing, whatever the list says; a list without any of ours says nothing.
        """
        known = any(symbol in listings for symbol in self._asking)
        for symbol, asking in self._asking.items() if known else ():
            found, track = listings.get(symbol), asking.track
            one = track.instrument
            if found is None:
                if track.state is not State.LIVE:
                    asking.give_up("not listed", ts_recv, now)
            elif found.price_decimals > one.price_decimals or found.size_decimals > one.size_decimals:
                asking.give_up(f"needs {found.price_decimals} and {found.size_decimals} decimals", ts_recv, now)
        return self._take()

    def tick(self, ts_recv: int, now: int) -> Effects:
        """Let time pass; call a few times a second."""
        if self._open:
            if reason := self._liveness.why_close(now):
                self._close(reason)
            if ping := self._liveness.ping(now):
                self._effects.send.append(ping)
            for asking in self._asking.values():
                asking.track.check(ts_recv, now)
                self._ask(asking, ts_recv, now)
        for track in self._rota.due(self.tracks, now):
            track.periodic(ts_recv)
        return self._take()

    def _in_sequence(self, sequence: int | None, ts_recv: int) -> bool:
        """Check the connection's own sequence; a jump costs every book of the connection."""
        if sequence is None:
            return True
        last = self._sequence
        if last is not None and sequence <= last:
            return False
        self._sequence = sequence
        if last is not None and sequence != last + 1:
            self._tally.gaps += 1
            self._all_to(State.STALE, "connection gap", ts_recv)
            self._close("connection gap")
        return True

    def _drop(self, messages: list[Message]) -> None:
        """Count the events of a frame that came again."""
        again = sum(isinstance(message, BookUpdate | TradeUpdate | Refused) for message in messages)
        self._tally.decoded += again
        self._tally.dropped["duplicate"] += again

    def _dispatch(self, message: Message, ts_recv: int, now: int) -> None:
        match message:
            case BookUpdate():
                self._book(message, ts_recv, now)
            case TradeUpdate():
                asking = self._find(message.symbol)
                if asking:
                    self._effects.moved = self._effects.moved or not message.history
                    asking.track.trade(message, ts_recv)
            case Control():
                self._control(message, ts_recv, now)
            case Ignored():
                self._tally.ignore(message.type)
            case Refused():
                self._refuse(message, ts_recv)

    def _book(self, update: BookUpdate, ts_recv: int, now: int, *, fetched: bool = False) -> None:
        asking = self._find(update.symbol)
        if asking is None:
            return
        if update.whole:
            self._effects.whole = True
        else:
            self._effects.moved = True
        asking.track.update(update, ts_recv, now, fetched=fetched)
        if update.whole and asking.track.state is State.LIVE:
            asking.answered()
        elif asking.track.held:
            asking.confirm(now, held=True)

    def _refuse(self, refused: Refused, ts_recv: int) -> None:
        """Count what can't be taken; a book that may have changed unseen is stale, a lost trade is told."""
        self._tally.decoded += 1
        self._tally.dropped["refused"] += 1
        self._tally.refused[refused.reason] += 1
        asking = self._find(refused.symbol) if refused.symbol else None
        if asking is None or asking.track.state is not State.LIVE:
            return
        if refused.kind == "trade":
            asking.track.lost_trade(refused.reason, ts_recv)
        else:
            asking.track.lose(f"refused: {refused.reason}", ts_recv)

    def _control(self, control: Control, ts_recv: int, now: int) -> None:
        concerned = [found for symbol in control.symbols if (found := self._find(symbol))]
        if control.sign is Sign.CLOSING:
            self._close(control.text or "the venue is closing the connection")
        elif control.sign is Sign.ACK:
            for asking in concerned:
                asking.confirm(now, held=False)
                if control.depth is not None:
                    asking.track.grant(control.depth)
        elif control.sign is Sign.NACK:
            for asking in concerned:
                asking.refused(control.text, ts_recv, now)
            for asking in () if concerned else self._asking.values():
                asking.hasten(now)
        elif control.sign is Sign.STATE and control.state is not None:
            tracks = [asking.track for asking in concerned] if control.symbols else self.tracks
            for track in tracks:
                track.halt(control.state, control.text, ts_recv)

    def _ask(self, asking: Asking, ts_recv: int, now: int) -> None:
        """Ask for a whole book that is wanted and due: by REST, or by subscribing again."""
        if self._effects.close or not asking.ready(ts_recv, now):
            return
        track = asking.track
        self._tally.resyncs += 1
        if self._venue.rest_snapshot and asking.confirmed:
            self._effects.fetch.append(track.symbol)
        if track.deaf or not self._venue.rest_snapshot:
            track.deaf = False
            self._effects.send += self._venue.resubscribe(track.symbol)

    def _all_to(self, state: State, reason: str, ts_recv: int) -> None:
        """Put every book that the venue has into a state."""
        for track in self.tracks:
            if track.state is not State.DELISTED:
                track.set_state(state, reason, ts_recv)

    def _scales(self, symbol: str) -> tuple[int, int] | None:
        asking = self._find(symbol)
        if asking is None:
            return None
        instrument = asking.track.instrument
        return instrument.price_decimals, instrument.size_decimals

    def _find(self, symbol: str) -> Asking | None:
        """Give the book of a symbol; one that the listings have newly made gets its track."""
        found = self._asking.get(symbol)
        if found is not None:
            return found
        try:
            instrument = self._listings[symbol]
        except KeyError:
            return None
        track = Track(
            self._venue.name, instrument, symbol, self._venue.rule(), self._venue.depth, self._emit, self._tally
        )
        return self._asking.setdefault(symbol, Asking(track, self._uniform))

    def _emit(self, event: Event) -> None:
        self._effects.events.append(event)

    def _close(self, reason: str) -> None:
        self._effects.close = self._effects.close or reason

    def _take(self) -> Effects:
        effects, self._effects = self._effects, Effects()
        return effects
