"""One simulated venue: its markets in motion, who is subscribed to what, and an outbox of what to send to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simulator.dialect import Dialect, Reply
from simulator.faults import FaultLog
from simulator.market import Listing, Market, Reference
from simulator.oracle import Levels, Oracle, digest, position
from simulator.outages import Outages
from simulator.tamper import Tamper
from simulator.texts import SECOND_NS
from simulator.topic import BOOK, Client, Close, Desk, Effect, Frame, Topic

BEHIND_NS = SECOND_NS // 2  # markets that are later than this skip steps instead of catching up
PHASES = 16  # topics of one cadence are spread over it


class Exchange:
    """The state of one venue. Everything it wants done to sockets is appended to `outbox`, in order."""

    def __init__(self, dialect: Dialect, oracle: Oracle, faults: FaultLog) -> None:
        """Start without instruments."""
        self.dialect = dialect
        self.desks: dict[str, Desk] = {}
        self.by_symbol: dict[str, Desk] = {}
        self.clients: dict[int, Client] = {}
        self.outbox: list[tuple[Client, Effect]] = []
        self.tamper = Tamper(self, faults)
        self.outages = Outages(self, faults)
        self.frames = 0  # handed to sockets
        self.now = 0  # the instant of the call in progress
        self.memory: dict[str, Any] = {}  # the dialect's own
        self._oracle = oracle
        self._awake: list[Desk] = []

    def list_instrument(self, instrument: str, symbol: str, reference: Reference, seed: int, interval: int) -> None:
        """Open a market of this instrument that steps once in that many nanoseconds."""
        base = instrument.split("-", maxsplit=1)[0]
        prices, sizes = self.dialect.decimals.get(base, self.dialect.other_decimals)
        market = Market(self.dialect.venue, Listing(instrument, symbol, prices, sizes), reference, seed)
        desk = Desk(market, interval)
        self.desks[instrument] = desk
        self.by_symbol[symbol] = desk

    def connect(self, number: int, path: str, now: int) -> Client:
        """Take a new connection in and greet it."""
        self.now = now
        client = Client(number, self.dialect.venue, path, now, ts_sent=now, ts_idle=now)
        self.clients[number] = client
        self.outages.meter.opened()
        self.dialect.open(self, client, now)
        return client

    def disconnect(self, client: Client) -> None:
        """Forget a connection and its subscriptions."""
        if self.clients.pop(client.number, None) is not None:
            self.outages.meter.open -= 1
        for name in list(client.topics):
            self.unsubscribe(client, name)

    def receive(self, client: Client, text: str, now: int) -> None:
        """Hand a client's text to the dialect, unless a fault has made the socket silent."""
        self.now = now
        self.outages.meter.requests += 1
        if not client.silent:
            self.dialect.receive(self, client, text, now)

    def beat(self, now: int) -> None:
        """Do what is done about once a second: heartbeats, and connections that are too old."""
        self.now = now
        limit = self.dialect.max_age_ns
        self.outages.aged(now)
        for client in list(self.clients.values()):
            if limit is not None and now - client.ts_opened > limit:
                self.close(client, 1000, "maximum age")
            elif not client.silent:
                self.dialect.beat(self, client, now)

    def advance(self, now: int) -> None:
        """Move the markets that are due and publish the topics that are."""
        self.now = now
        for desk in self._awake:
            if now - desk.due > BEHIND_NS:
                desk.due = now
            while desk.due <= now:
                desk.due += desk.interval
                self.step(desk, now)
            for topic in desk.topics.values():
                if topic.interval and topic.due <= now:
                    topic.due += topic.interval * (1 + (now - topic.due) // topic.interval)
                    self.flush(topic, now)

    def step(self, desk: Desk, now: int) -> None:
        """Move one market once; topics without a cadence publish at once."""
        step = desk.market.step()
        desk.sequence += len(step.bids) + len(step.asks)
        desk.recent.extend((trade, now) for trade in step.trades)
        for topic in desk.topics.values():
            topic.collect(step)
            if not topic.interval:
                self.flush(topic, now)

    def settle(self, now: int) -> None:
        """Publish everything that waits for its cadence."""
        self.now = now
        for desk in self._awake:
            for topic in desk.topics.values():
                self.flush(topic, now)

    def flush(self, topic: Topic, now: int) -> None:
        """Publish what has happened to a topic, if anything has."""
        if topic.pending():
            self.dialect.publish(self, topic, self.venue_time(now))
            topic.clear()

    def subscribe(
        self, client: Client, name: str, desk: Desk, kind: str, interval: int, depth: int | None = None
    ) -> Topic:
        """Add a client to a topic, which is made if it is the first; the market wakes with its first topic."""
        topic = desk.topics.get(name)
        if topic is None:
            topic = Topic(name, kind, desk, interval, depth)
            topic.due = desk.due + interval * (len(self._awake) % PHASES) // PHASES
            if not desk.topics:
                self._awake.append(desk)
            desk.topics[name] = topic
        topic.clients[client.number] = client
        client.topics[name] = topic
        client.muted.discard(name)
        self.outages.meter.acks += 1
        self.outages.meter.carried(len(topic.clients))
        if kind == BOOK and self.tamper.answers.silent_after_ack(desk, self.now):
            client.muted.add(name)
        return topic

    def unsubscribe(self, client: Client, name: str) -> bool:
        """Take a client off a topic; tells whether it was on it."""
        topic = client.topics.pop(name, None)
        if topic is not None:
            topic.clients.pop(client.number, None)
            client.ts_idle = self.now
        return topic is not None

    def publish(self, topic: Topic, frame: Frame) -> None:
        """Send a topic's frame to its subscribers, by way of the faults that wait for one."""
        if topic.armed:
            self.tamper.pass_on(topic, frame)
        else:
            for client, body in self.rendered(topic, frame):
                self.send(client, body)

    def rendered(self, topic: Topic, frame: Frame) -> list[tuple[Client, bytes]]:
        """Give what each subscriber that may hear of it gets; numbers the frames where the venue does."""
        return [
            (client, self._render(client, topic, frame))
            for client in topic.clients.values()
            if client.hears(topic.name)
        ]

    def _render(self, client: Client, topic: Topic, frame: Frame) -> bytes:
        """Give a topic's frame as one client gets it, with what a fault makes of it."""
        render = self.dialect.render
        body = frame.body if render is None else render(client, topic, frame)
        lie = topic.desk.lie
        return body if lie is None or topic.kind != BOOK else lie(body)

    def show(self, client: Client, topic: Topic, frame: Frame) -> None:
        """Send one client a frame of a topic that is for it alone, as the book when it joins."""
        if client.hears(topic.name):
            self.send(client, self._render(client, topic, frame))

    def send(self, client: Client, body: Effect) -> None:
        """Put one frame into the outbox, or on its long way there."""
        if client.silent:
            return
        self.frames += 1
        client.ts_sent = self.now
        arrival = self.now if client.late is None else client.late.arrival(self.now)
        if client.backlog or arrival > self.now:
            client.backlog.append((arrival, body))
        else:
            self.outbox.append((client, body))

    def arrive(self, now: int) -> None:
        """Put what was under way into the outbox, in order."""
        for client in self.clients.values():
            while client.backlog and client.backlog[0][0] <= now:
                self.outbox.append((client, client.backlog.popleft()[1]))

    def venue_time(self, now: int) -> int:
        """Give what the venue's clock shows."""
        return now + self.outages.skew_ns

    def respond(self, path: str, query: Mapping[str, str], now: int) -> Reply | None:
        """Answer an HTTP request, unless the venue is down or has had enough; `None` for a path it does not have."""
        refusal = self.outages.intercept(now)
        if refusal is not None or self.dialect.respond is None:
            return refusal
        reply = self.dialect.respond(self, path, query, now)
        if reply is not None and self.outages.reply_delay_s:
            reply = replace(reply, delay_s=reply.delay_s + self.outages.reply_delay_s)
        return reply

    def close(self, client: Client, code: int | None, reason: str = "") -> None:
        """End a connection; without a code its TCP connection is dropped."""
        client.ending = True
        self.outbox.append((client, Close(code, reason)))

    def expire(self, client: Client, idle_ns: int) -> None:
        """End a connection that has had no subscription for that long."""
        if not client.topics and self.now - client.ts_idle > idle_ns:
            self.close(client, 1000, "nothing subscribed")

    def witness(
        self, topic: Topic, sequence: int | None, ts_event: int | None, told: tuple[Levels, Levels] | None = None
    ) -> None:
        """Tell the oracle that the true book is at this position; as deep as the feed shows and can be verified.

        `told` is the book, best first, as far as it has been told where a change is told level by level.
        """
        if not topic.clients:
            return
        depth = self.dialect.verified if topic.depth is None else min(self.dialect.verified, topic.depth)
        if told is None:
            self.witness_book(topic.desk, depth, sequence, ts_event)
        else:
            value = digest(*told, depth)
            self._oracle.record(self.dialect.venue, topic.desk.instrument, position(sequence, ts_event), value)

    def witness_book(self, desk: Desk, depth: int, sequence: int | None, ts_event: int | None) -> None:
        """Tell the oracle that an instrument's true book is at this position."""
        value = digest(desk.market.bids.top(depth), desk.market.asks.top(depth), depth)
        self._oracle.record(self.dialect.venue, desk.instrument, position(sequence, ts_event), value)

    def refuses(self, desk: Desk, client: Client, now: int) -> bool:
        """Tell whether a fault wants this subscription refused; each such fault says so once."""
        return self.tamper.answers.refused(desk, now)

    def watched(self) -> set[str]:
        """Give the instruments whose book has a subscriber."""
        return {name for name, desk in self.desks.items() if desk.watched()}

    def books_of(self, client: Client) -> list[str]:
        """Give the instruments whose book this connection is subscribed to."""
        return sorted({topic.desk.instrument for topic in client.topics.values() if topic.kind == BOOK})
