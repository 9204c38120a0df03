"""What goes wrong with all of a venue for a while: it is down, bans requests, its clock is off, a symbol is gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.dialect import Reply
from simulator.faults import Fault, FaultLog
from simulator.kinds import ABSORBED, GAP, KINDS
from simulator.meter import Meter
from simulator.texts import SECOND_NS
from simulator.topic import BOOK, Desk

if TYPE_CHECKING:
    from simulator.exchange import Exchange

RESTART = 1012  # the close code of a service that comes back
STRIKES = 5  # requests after a 429 in the same minute, before the venue bans
BAN_S = 120


class Outages:
    """The outages of one venue; each ends by itself."""

    def __init__(self, exchange: Exchange, log: FaultLog) -> None:
        """Start with a venue in good health."""
        self.meter = Meter()
        self.skew_ns = 0
        self.max_age_ns: int | None = None
        self.reply_delay_s = 0.0
        self._exchange, self._log = exchange, log
        self._down_until = self._banned_until = 0
        self._ends: list[tuple[int, Fault]] = []
        self._strikes = 0

    def begin(self, fault: Fault, now: int) -> None:
        """Let one of the faults of a whole venue happen."""
        until = now + int(fault.seconds * SECOND_NS)
        amount = fault.much
        if fault.kind == "maintenance":
            self._down_until = until
            for client in list(self._exchange.clients.values()):
                self._exchange.close(client, RESTART, "service restart")
        elif fault.kind == "rest_418":
            self._banned_until = until
        elif fault.kind == "rest_slow":
            self.reply_delay_s = amount
        elif fault.kind == "skew":
            self._set_clock(int(amount * SECOND_NS))
        elif fault.kind == "max_age":
            self.max_age_ns = int(fault.seconds * SECOND_NS)
            return  # each connection that ends by it is logged
        self._ends.append((until, fault))
        names = [] if KINDS[fault.kind].scope == "rest" else sorted(self._exchange.desks)
        self._note(fault.kind, names, now)

    def delist(self, fault: Fault, desk: Desk, now: int) -> None:
        """Take a symbol off the venue; it is back when the fault's time is over."""
        for topic in desk.topics.values():
            for client in list(topic.clients.values()):
                self._exchange.unsubscribe(client, topic.name)
        desk.listed = False
        self._exchange.by_symbol.pop(desk.symbol, None)
        self._ends.append((now + int(fault.seconds * SECOND_NS), replace(fault, instruments=(desk.instrument,))))
        self._note("delist", [desk.instrument], now)

    def tick(self, now: int) -> None:
        """End what is over."""
        over = [fault for until, fault in self._ends if until <= now]
        self._ends = [one for one in self._ends if one[0] > now]
        for fault in over:
            if fault.kind == "rest_slow":
                self.reply_delay_s = 0.0
            elif fault.kind == "skew":
                self._set_clock(0)
            elif fault.kind == "delist":
                desk = self._exchange.desks[fault.instruments[0]]
                desk.listed = True
                self._exchange.by_symbol[desk.symbol] = desk

    def _set_clock(self, skew_ns: int) -> None:
        """Set the venue's clock; stamps go on from it, also backwards."""
        self.skew_ns = skew_ns
        for desk in self._exchange.desks.values():
            desk.ts_event = 0

    def aged(self, now: int) -> None:
        """End the connections that are older than a fault allows; who carries its books elsewhere loses nothing."""
        for client in list(self._exchange.clients.values()) if self.max_age_ns is not None else ():
            if client.ending or now - client.ts_opened <= (self.max_age_ns or 0):
                continue
            alone = {
                topic.desk.instrument
                for topic in client.topics.values()
                if topic.kind == BOOK and not any(not other.ending for other in topic.others(client))
            }
            self._exchange.close(client, 1000, "maximum age")
            names = self._exchange.books_of(client)
            self._log.add("max_age", self._exchange.dialect.venue, names, now, GAP if alone else ABSORBED, "socket")

    def down(self, now: int) -> bool:
        """Tell whether the venue takes nobody in."""
        return now < self._down_until

    def handshake(self, now: int) -> bool:
        """Note that someone wants to connect and tell whether they may."""
        refused = self.down(now)
        self.meter.handshake(now, refused=refused)
        return not refused

    def intercept(self, now: int) -> Reply | None:
        """Give the answer to any HTTP request while the venue is down or bans; nothing otherwise."""
        self.meter.asked(now, banned=now < self._banned_until)
        if self.down(now):
            return Reply(b"<html>503 Service Temporarily Unavailable</html>", 503)
        if now < self._banned_until:
            wait = -(-(self._banned_until - now) // SECOND_NS)
            text = b'{"code":-1003,"msg":"Way too much request weight used; IP banned."}'
            return Reply(text, 418, (("Retry-After", str(wait)),))
        return None

    def struck(self, now: int) -> None:
        """Note a request beyond the limit; who goes on is banned, as venues do."""
        self._strikes += 1
        if self._strikes > STRIKES:
            self._strikes, self._banned_until = 0, now + BAN_S * SECOND_NS

    def _note(self, kind: str, names: list[str], now: int) -> None:
        found = KINDS[kind]
        self._log.add(kind, self._exchange.dialect.venue, names, now, found.expect, found.scope)
