"""One connection to a venue and the books it feeds, without I/O: bytes and ticks in, effects out.

The live worker and `thalweg decode` run the same session. It decides what is admitted, what is asked for again,
and when a connection is no longer worth having; whoever owns it does what the effects say.

Monotonic instants are `now`, wall instants `ts_recv`, both in nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingest import rows
from ingest.asking import SECOND, Asking
from ingest.backoff import Uniform
from ingest.books import Books
from ingest.counting import Count, Place
from ingest.delay import Skew, plausible
from ingest.effects import Effects
from ingest.lane import Lane
from ingest.liveness import Liveness
from ingest.replacing import as_changes
from ingest.rota import Rota
from ingest.saying import Saying
from ingest.tally import Tally
from ingest.telling import LIVE
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
        self._venue, self._tally = venue, tally
        self._row = rows.connection_row()
        self._liveness = Liveness(venue.keepalive, venue.max_age_s, self._row)
        self._rota = Rota(snapshot_ns)
        self._effects, self._saying, self._reader = Effects(), Saying(venue), venue.new_reader()
        self._lane = Lane(venue, venue.express, self._row, tally, self._unusual) if venue.express else None
        self._express = self._lane.take if self._lane else None
        self._books = Books(venue, listings, self._emit, tally, uniform, self._lane)
        self._open = False
        self._count, self._skew = Count(self._row[rows.COUNT]), Skew(self._row[rows.DELAY])

    @property
    def tracks(self) -> list[Track]:
        """The books of this connection."""
        return self._books.tracks

    def knows(self, symbol: str) -> bool:
        """Whether a book of this symbol is fed by this connection."""
        return symbol in self._books

    @property
    def held(self) -> int:
        """How many updates wait for their whole book."""
        return sum(track.held for track in self.tracks)

    @property
    def heard(self) -> bool:
        """Whether this connection has brought any frame."""
        return self._open and self._liveness.heard

    def connected(self, ts_recv: int, now: int) -> Effects:
        """A new connection: nothing of the old one holds; subscribe to all."""
        self._open = True
        self._reader = self._venue.new_reader()
        self._count.reset()
        self._liveness.opened(now)
        wanted = [asking for asking in self._books if not asking.resting(now)]
        for asking in wanted:
            asking.subscribed(ts_recv, now, by_rest=self._venue.by_rest)
        self._effects.send += self._saying.opened([one.track.symbol for one in wanted], ts_recv)
        return self._take()

    def disconnected(self, reason: str, ts_recv: int, *, down: bool = False) -> Effects:
        """The connection is gone: what was live is stale, or halted where the venue says that it is `down`."""
        self._tally.reconnects += 1
        return self.waiting(reason, ts_recv, down=down)

    def waiting(self, reason: str, ts_recv: int, *, down: bool = False) -> Effects:
        """There is no connection, and this is why; may be said again and again."""
        self._open = False
        self._books.suspend(reason, ts_recv, down=down)
        return self._take()

    def stopped(self, ts_recv: int) -> Effects:
        """The worker stops: nobody watches these books any more."""
        self._books.put(State.STALE, "ingest stopped", ts_recv)
        return self._take()

    def frame(self, data: bytes, ts_recv: int, now: int) -> Effects:
        """Take one frame."""
        if self._express is not None and (effects := self._express(data, ts_recv, now)) is not None:
            return effects
        tally, liveness = self._tally, self._liveness
        tally.frames += 1
        liveness.frame(now)
        try:
            if len(data) > self._venue.max_frame:
                raise DecodeError(f"{len(data)} bytes")
            decoded = self._reader.decode(data, self._books.scales)
        except DecodeError:
            tally.bad_frames += 1
            if liveness.too_bad(now):
                self._close("too many bad frames")
            return self._take()
        tally.fallbacks += decoded.fallbacks
        number, messages = decoded.connection_sequence, decoded.messages
        for message in messages if number is None else self._in_turn(number, messages, ts_recv):
            if isinstance(message, BookUpdate):
                self._book(message, ts_recv, now)
            else:
                self._dispatch(message, ts_recv, now)
        if self._effects.whole or self._effects.moved:
            liveness.told(now, news=self._effects.moved)
        return self._take()

    def _in_turn(self, number: int, messages: list[Message], ts_recv: int) -> list[Message]:
        """Give what is to be taken of a frame that the connection counts; events that came again are counted."""
        place = self._count.admit(number)
        if place is Place.GAP:  # it costs every book of the connection
            self._tally.gaps += 1
            self._books.put(State.STALE, "connection gap", ts_recv)
            self._close("connection gap")
        if place is not Place.AGAIN:
            return messages
        again = sum(isinstance(message, BookUpdate | TradeUpdate | Refused) for message in messages)
        self._tally.decoded += again
        self._tally.dropped["duplicate"] += again
        return []

    def book_fetched(self, symbol: str, body: bytes, ts_recv: int, now: int) -> Effects:
        """Take the answer to a fetch."""
        rest = self._venue.rest_snapshot
        asking = self._books.find(symbol)
        if rest is None or asking is None:
            return self._take()
        asking.waiting = False
        try:
            update = rest.decode(body, symbol, self._books.scales)
        except DecodeError:
            self._tally.bad_frames += 1
            asking.postpone(now)
            return self._take()
        probing = asking.track.probing
        self._book(update, ts_recv, now, fetched=True)
        if asking.track.wants_book:
            asking.postpone(now)
        if probing and not asking.track.probing:
            self._liveness.probed(now, quiet=asking.track.state is LIVE)
        return self._take()

    def fetch_failed(self, symbol: str, after_s: float | None, ts_recv: int, now: int, reason: str = "") -> Effects:
        """A fetch came to nothing, as the book says; `after_s` is how long to wait at least."""
        asking = self._books.find(symbol)
        if asking is not None:
            asking.postpone(now, after_s)
            asking.track.explain(reason, ts_recv)
        return self._take()

    def unlisted(self, symbol: str, ts_recv: int, now: int) -> Effects:
        """The venue says that it has no such symbol: the others do not wait for it."""
        asking = self._books.find(symbol)
        if asking is not None:
            asking.give_up("unknown to the venue", ts_recv, now)
        return self._take()

    def listed(self, listings: Mapping[str, Listing], ts_recv: int, now: int) -> Effects:
        """Take the venue's own list: what it lacks, or what our units can't hold, is not waited for.

        A book that is live is not missing, whatever the list says; a list without any of ours says nothing.
        """
        known = any(asking.track.symbol in listings for asking in self._books)
        for asking in self._books if known else ():
            asking.listed(listings.get(asking.track.symbol), ts_recv, now)
        return self._take()

    def tick(self, ts_recv: int, now: int) -> Effects:
        """Let time pass; call a few times a second."""
        if self._open:
            books, astir = self._books, self._books.astir(now)
            if reason := self._liveness.why_close(now, books.expected(astir), asked=books.unanswered(astir)):
                self._close(reason)
            if ping := self._liveness.ping(now):
                self._effects.send += self._saying.ping(ping, ts_recv)
            for asking in astir:
                asking.track.check(ts_recv, now)
            places = self._venue.answers_at_once - sum(asking.under_way(now) for asking in astir)
            for asking in sorted((one for one in astir if one.wanting), key=Asking.turn):
                if places > 0:
                    places -= self._ask(asking, ts_recv, now)
            self._tally.skew_ns = self._skew.ns
        for track in self._rota.due(self.tracks, now):
            track.periodic(ts_recv)
        return self._take()

    def _dispatch(self, message: Message, ts_recv: int, now: int) -> None:
        match message:
            case TradeUpdate():
                asking = self._books.find(message.symbol)
                if asking:
                    self._effects.moved = self._effects.moved or not message.history
                    if not message.history:
                        message.ts_event = plausible(message.ts_event, ts_recv)
                    asking.track.trade(message, ts_recv)
            case Control():
                self._control(message, ts_recv, now)
            case Ignored():
                self._tally.ignore(message.type)
            case Refused():
                self._books.refuse(message, ts_recv)

    def _book(self, update: BookUpdate, ts_recv: int, now: int, *, fetched: bool = False) -> None:
        asking = self._books.find(update.symbol)
        if asking is None:
            return
        track, answers = asking.track, update.whole
        if answers and self._venue.all_whole and track.state is LIVE and not fetched:
            update = as_changes(update, track.book)
        whole = update.whole
        update.ts_event = ts_event = plausible(update.ts_event, ts_recv)
        self._effects.whole, self._effects.moved = self._effects.whole or whole, self._effects.moved or not whole
        track.update(update, ts_recv, now, fetched=fetched)
        if ts_event is not None and not whole:  # a whole book may be stamped with its last change
            track.judge_delay(self._skew.note(ts_event, ts_recv, now), ts_recv, now)
        if answers and track.state is LIVE:
            asking.answered()
        elif track.state is not LIVE and track.held:
            asking.confirm(now, held=True)

    def _unusual(self, track: Track, update: BookUpdate, ts_recv: int, now: int) -> Effects:
        """Go on with a frame that the express lane has put into the book, and there found something to be looked at."""
        self._tally.frames += 1
        self._liveness.frame(now)
        track.applied(update, ts_recv, now)
        self._effects.moved = True
        if update.ts_event is not None:
            track.judge_delay(self._skew.note(update.ts_event, ts_recv, now), ts_recv, now)
        self._liveness.told(now, news=True)
        return self._take()

    def _control(self, control: Control, ts_recv: int, now: int) -> None:
        self._effects.send += [control.reply] if control.reply else []
        if control.sign is Sign.CLOSING:
            self._close(control.text or "the venue is closing the connection")
        elif control.sign is Sign.WELCOME:
            self._effects.send += self._saying.welcomed(ts_recv)
        else:
            self._books.heed(control, ts_recv, now)

    def _ask(self, asking: Asking, ts_recv: int, now: int) -> bool:
        """Ask for a whole book that is wanted and due, by REST or by subscribing again; tells whether it was."""
        again = asking.waiting
        if self._effects.close or not asking.ready(ts_recv, now):
            return False
        if not again:
            self._liveness.asked(now)
        track, rest = asking.track, self._venue.rest_snapshot
        self._tally.resyncs += 1
        spare = rest is not None and rest.spare and again and track.held > 0  # there is what to splice it with
        fetched = self._venue.by_rest or spare
        if fetched and asking.confirmed:
            self._effects.fetch.append(track.symbol)
        if track.deaf or not fetched:
            track.deaf = False
            if (frames := self._saying.again(self._reader.resubscribe(track.symbol), ts_recv)) is None:
                self._close("all requests of this connection are spent")
            self._effects.send += frames or []
        return True

    def _emit(self, event: Event) -> None:
        self._effects.events.append(event)

    def _close(self, reason: str) -> None:
        self._effects.close = self._effects.close or reason

    def _take(self) -> Effects:
        effects, self._effects = self._effects, Effects([], [], [])
        return effects
