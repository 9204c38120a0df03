"""Faults at work on one venue: frames lost, repeated, swapped or broken; sockets cut or silenced; requests refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simulator.answers import Answers
from simulator.faults import Fault, FaultLog
from simulator.kinds import ALL, BOOKS, FRAMES, GAP, KINDS, REQUESTS, SOCKETS, UNDETECTABLE, VENUES, Kind
from simulator.spoiling import JUNK, LIES, SPOILS, crossing, with_bid
from simulator.texts import SECOND_NS
from simulator.topic import BOOK, TRADES, Client, Desk, Effect, Frame, Lateness, Topic

if TYPE_CHECKING:
    from simulator.exchange import Exchange

PATIENCE_NS = 2 * SECOND_NS  # how long a fault waits for a book that no other fault is busy with
TRICK_CALM_S = 3.0
GHOST_STEPS = 300  # of a market while its reader is away

Sendings = Sequence[tuple[Client, Effect]]


@dataclass(slots=True, eq=False)
class Armed:
    """A fault that waits for frames of one topic; `lost` is the first frame a consumer has not seen in its place."""

    fault: Fault
    left: int
    lost: Frame | None = None
    held: Sendings = ()
    since: int = 0  # when the first frame was kept back


class Tamper:
    """What goes wrong at one venue. The truth is not its business: the oracle has been told before."""

    def __init__(self, exchange: Exchange, log: FaultLog) -> None:
        """Start with nothing wrong."""
        self._exchange = exchange
        self._log = log
        self._waiting: list[tuple[Fault, int]] = []  # with the instant from which it is not choosy any more
        self.answers = Answers(exchange, self._note)
        self._muted: list[tuple[int, Client, str]] = []
        self._lying: list[tuple[int, Desk]] = []
        self._busy: dict[str, int] = {}  # until when a book is left alone, by instrument

    def inject(self, fault: Fault, now: int) -> None:
        """Take a fault; it happens as soon as there is something it can happen to."""
        if fault.kind in REQUESTS:
            self.answers.arm(fault)
        elif fault.kind in VENUES:
            self._exchange.outages.begin(fault, now)
        elif fault.instruments:
            for name in sorted(self._exchange.desks) if fault.instruments == ALL else fault.instruments:
                self._waiting.append((_only(fault, name), now))
        else:
            self._waiting.append((fault, now + PATIENCE_NS))

    def tick(self, now: int) -> None:
        """Let waiting faults happen and timed ones end."""
        self._waiting = [
            (fault, patience) for fault, patience in self._waiting if not self._start(fault, patience, now)
        ]
        for _, client, name in [one for one in self._muted if one[0] <= now]:
            client.muted.discard(name)
        self._muted = [one for one in self._muted if one[0] > now]
        for _, desk in [one for one in self._lying if one[0] <= now]:
            desk.lie = None
        self._lying = [one for one in self._lying if one[0] > now]

    def _start(self, fault: Fault, patience: int, now: int) -> bool:
        """Begin one fault; tells whether it could."""
        desk = self._choose(fault, now, choosy=now < patience)
        if desk is None:
            return False
        trick = self._exchange.dialect.tricks.get(fault.kind)
        if trick is not None:
            clients = desk.carriers()
            if not trick.act(self._exchange, desk, now):
                return False
            names = [desk.instrument] if trick.scope == "book" else self._books(clients)
            names = self._books(self._exchange.clients.values()) if trick.scope == "venue" else names
            self._note(fault, names, now, Kind(trick.expect, trick.scope, TRICK_CALM_S))
        elif fault.kind in BOOKS:
            self._mistell(fault, desk, now)
        elif fault.kind in SOCKETS:
            self._break_sockets(fault, desk, now)
        else:
            kind = _topic_kind(fault)
            topic = next(topic for topic in desk.topics.values() if topic.kind == kind and topic.heard())
            topic.armed.append(Armed(fault, fault.count))
            self._calm([desk.instrument], now, KINDS[fault.kind].calm_s)
        return True

    def _choose(self, fault: Fault, now: int, *, choosy: bool) -> Desk | None:
        """Find an instrument the fault can happen to."""
        desks = self._exchange.desks
        if fault.instruments:
            candidates = [desks[name] for name in fault.instruments if name in desks]
        else:
            candidates = sorted(desks.values(), key=lambda desk: self._busy.get(desk.instrument, 0))
        for desk in candidates:
            heard = any(topic.kind == _topic_kind(fault) and topic.heard() for topic in desk.topics.values())
            names = self._concerned(fault, desk)
            if heard and not (choosy and any(self._busy.get(name, 0) > now for name in names)):
                return desk
        return None

    def _concerned(self, fault: Fault, desk: Desk) -> list[str]:
        """Give the books that a fault at this instrument is going to concern."""
        trick = self._exchange.dialect.tricks.get(fault.kind)
        kind = None if trick is not None else KINDS[fault.kind]
        scope = trick.scope if trick is not None else KINDS[fault.kind].scope
        counted = fault.kind in FRAMES and kind is not None and not kind.arrives and fault.kind != "duplicate"
        wide = scope == "socket" or (self._exchange.dialect.numbered and counted)
        return self._books(desk.carriers()) if wide else [desk.instrument]

    def _mistell(self, fault: Fault, desk: Desk, now: int) -> None:
        """Tell one book wrongly for a time, or not at all."""
        if fault.kind == "delist":
            self._exchange.outages.delist(fault, desk, now)
        elif fault.kind == "silent_book":
            self._silence_book(fault, desk, now)
        else:
            desk.lie = LIES[fault.kind]
            self._lying.append((now + int(fault.seconds * SECOND_NS), desk))
            self._note(fault, [desk.instrument], now)

    def _silence_book(self, fault: Fault, desk: Desk, now: int) -> None:
        """Stop one book while its socket goes on: until it is subscribed to again, or, where that shows, for a time."""
        for topic in desk.topics.values():
            for client in topic.clients.values() if topic.kind == BOOK else ():
                client.muted.add(topic.name)
                if not self._exchange.dialect.numbered:
                    self._muted.append((now + int(fault.seconds * SECOND_NS), client, topic.name))
        self._note(fault, [desk.instrument], now)

    def _break_sockets(self, fault: Fault, desk: Desk, now: int) -> None:
        """Cut, close, silence or delay the sockets that carry a book, or pour junk into them."""
        clients, books = desk.carriers(), self._books(desk.carriers())
        self._note(fault, books, now)
        for client in clients:
            if fault.kind == "silent_socket":
                client.silent = True
            elif fault.kind == "heartbeats_only":
                client.wordless = True
            elif fault.kind == "late":
                most = int(fault.much * SECOND_NS)
                client.late = Lateness(now, now + int(fault.seconds * SECOND_NS), most)
            elif fault.kind == "bad_burst":
                for _ in range(fault.count):
                    self._exchange.send(client, JUNK)
            else:
                self._exchange.close(client, None if fault.kind in ("cut", "ghosts") else 1001, "going away")
        for name in books if fault.kind == "ghosts" else ():  # who comes back finds other levels than were there
            for _ in range(GHOST_STEPS):
                self._exchange.step(self._exchange.desks[name], now)

    def pass_on(self, topic: Topic, frame: Frame) -> None:
        """Send a frame as the first fault that waits for one of this topic lets it through."""
        sendings = self._exchange.rendered(topic, frame)
        if sendings:
            armed = topic.armed[0]
            if self._tamper(armed, topic, frame, sendings):
                topic.armed.remove(armed)

    def _tamper(self, armed: Armed, topic: Topic, frame: Frame, sendings: Sendings) -> bool:
        """Do to one frame what the fault says; tells whether the fault is over."""
        kind = armed.fault.kind
        if kind in ("duplicate", "duplicate_trade"):
            self._send(topic, [*sendings, *sendings])
        elif kind in SPOILS or kind in ("corrupt_checksum", "crossed"):
            spoilt = [(client, self._spoilt(armed.fault, topic, body)) for client, body in sendings]
            self._send(topic, spoilt)
            if spoilt == sendings:  # there is nothing to spoil in this frame
                return False
        elif kind == "reorder":
            return self._swap(armed, topic, frame, sendings)
        else:
            return self._lose(armed, topic, frame, sendings)
        armed.left -= 1
        self._note_topic(armed.fault, topic)
        return armed.left <= 0

    def _spoilt(self, fault: Fault, topic: Topic, body: Effect) -> Effect:
        """Give what is sent in place of a frame."""
        dialect = self._exchange.dialect
        if not isinstance(body, bytes):
            return body
        if fault.kind == "corrupt_checksum" and dialect.spoil is not None:
            return dialect.spoil(body)
        if fault.kind == "crossed" and dialect.bid is not None:
            return with_bid(body, dialect.mark, dialect.bid(topic.desk, *crossing(topic.desk)).encode())
        return SPOILS[fault.kind](body, fault.much)

    def _lose(self, armed: Armed, topic: Topic, frame: Frame, sendings: Sendings) -> bool:
        """Lose frames (or break the first); where only content shows a loss, until it does show."""
        reveals = self._exchange.dialect.reveals if topic.kind == BOOK else None
        if armed.lost is None:
            if reveals is not None and not reveals(frame, None):
                self._send(topic, sendings)
                return False
            armed.lost = frame
            self._note_topic(armed.fault, topic)
            if armed.fault.kind == "truncate":
                cut = [(client, body[: len(body) * 2 // 3]) for client, body in sendings if isinstance(body, bytes)]
                self._send(topic, cut)
        elif armed.left <= 0 and (reveals is None or reveals(armed.lost, frame)):
            self._send(topic, sendings)
            return True
        armed.left -= 1
        return armed.left <= 0 and reveals is None

    def _swap(self, armed: Armed, topic: Topic, frame: Frame, sendings: Sendings) -> bool:
        """Send the next two frames in the wrong order, if that shows."""
        reveals = self._exchange.dialect.reveals
        if armed.lost is None:
            if reveals is not None and not reveals(frame, None):
                self._send(topic, sendings)
            else:
                armed.lost, armed.held, armed.since = frame, sendings, self._exchange.now
            if self._exchange.dialect.numbered:  # the next frame of any topic shows it
                self._note_topic(armed.fault, topic)
            return False
        shows = reveals is None or reveals(armed.lost, frame)
        self._send(topic, [*sendings, *armed.held] if shows else [*armed.held, *sendings])
        armed.lost, armed.held = None, ()
        if shows and not self._exchange.dialect.numbered:
            self._note_topic(armed.fault, topic, armed.since)
        return shows

    def _send(self, topic: Topic, sendings: Sendings) -> None:
        """Send to those that still are subscribed."""
        for client, body in sendings:
            if client.topics.get(topic.name) is topic:
                self._exchange.send(client, body)

    def _note_topic(self, fault: Fault, topic: Topic, since: int | None = None) -> None:
        """Log a fault that happened to a frame; a numbered connection loses all its books by it."""
        names = [topic.desk.instrument]
        dialect = self._exchange.dialect
        expect = dialect.expects.get(fault.kind, KINDS[fault.kind].expect)
        kind = replace(KINDS[fault.kind], expect=expect)
        if kind.scope == "socket" or (dialect.numbered and expect == GAP and not kind.arrives):
            names = self._books(topic.clients.values())
            kind = Kind(GAP, "socket", kind.calm_s)
        elif fault.kind == "drop_trade" and not dialect.trade_ids:
            kind = Kind(UNDETECTABLE, kind.scope, kind.calm_s)
        self._note(fault, names, self._exchange.now if since is None else since, kind)

    def _note(self, fault: Fault, names: list[str], now: int, kind: Kind | None = None) -> None:
        """Log a fault and leave its books alone for a while."""
        kind = kind or KINDS[fault.kind]
        self._calm(names, now, kind.calm_s)
        self._log.add(fault.kind, self._exchange.dialect.venue, names, now, kind.expect, kind.scope)

    def _calm(self, names: list[str], now: int, calm_s: float) -> None:
        """Leave books alone for a while."""
        for name in names:
            self._busy[name] = max(self._busy.get(name, 0), now + int(calm_s * SECOND_NS))

    def _books(self, clients: Iterable[Client]) -> list[str]:
        """Give the books that these connections carry."""
        return sorted({name for client in clients for name in self._exchange.books_of(client)})


def _only(fault: Fault, name: str) -> Fault:
    """Give the fault for one of its instruments."""
    return replace(fault, instruments=(name,))


def _topic_kind(fault: Fault) -> str:
    """Give what kind of topic a fault happens to."""
    return TRADES if fault.kind in ("drop_trade", "duplicate_trade") else BOOK
