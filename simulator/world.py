"""All simulated venues together: which there are, how fast their markets move, and the report on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from simulator.dialect import Dialect
from simulator.exchange import Exchange
from simulator.faults import Fault, FaultLog, Schedule, Script, parse_fault
from simulator.market import ASSETS, OTHER_ASSET, Reference
from simulator.oracle import Oracle
from simulator.texts import MILLISECOND_NS, SECOND_NS
from simulator.venues import DIALECTS
from thalweg.errors import SettingsError
from thalweg.instruments import Instruments

DEFAULT_RATE = 1_500.0  # frames a second, all venues together
DEFAULT_SEED = 1
TRADES_PER_STEP = 0.17  # measured over the model's markets
REFERENCE_NS = 100 * MILLISECOND_NS
SHOWN = 0.93  # of the steps end in a frame; the others happen below what the feed shows
MAX_STEPS_S = 2_000.0  # of one market; more than any rate needs


class World:
    """The venues, their shared references, the oracle and the faults."""

    def __init__(
        self, instruments: Instruments, rate: float, seed: int, script: Script, now: int, venues: Sequence[str] = ()
    ) -> None:
        """List the instruments at each venue; nothing moves before someone subscribes.

        Raises:
            SettingsError: no venue is left, or a venue is not simulated.
        """
        chosen = tuple(venues) or tuple(venue for venue in DIALECTS if instruments.listings(venue))
        if set(chosen) - set(DIALECTS):
            unknown = ", ".join(sorted(set(chosen) - set(DIALECTS)))
            raise SettingsError(f"no such simulated venue: {unknown}; there are {', '.join(DIALECTS)}")
        self.oracle = Oracle()
        self.log = FaultLog()
        self.running = True
        self.exchanges: dict[str, Exchange] = {}
        self._schedule = Schedule(script, now)
        self._references: dict[str, Reference] = {}
        self._moved = now
        self._beaten = now
        self._list_all(instruments, chosen, rate, seed)

    def _list_all(self, instruments: Instruments, venues: Sequence[str], rate: float, seed: int) -> None:
        """Open every market of every venue."""
        listed = {venue: instruments.listings(venue) for venue in venues}
        markets = [(DIALECTS[venue], one.name) for venue in venues for one in listed[venue].values()]
        if not markets:
            raise SettingsError("no instrument is listed on any of these venues")
        steps = steps_a_second(rate, markets)
        for venue in venues:
            exchange = self.exchanges[venue] = Exchange(DIALECTS[venue], self.oracle, self.log)
            for symbol, one in listed[venue].items():
                base = one.name.split("-")[0]
                reference = self._references.setdefault(base, Reference(base, seed))
                interval = int(SECOND_NS / (steps * _activity(one.name)))
                exchange.list_instrument(one.name, symbol, reference, seed, interval)

    def advance(self, now: int) -> None:
        """Do all that is due; called every few milliseconds."""
        beat = now - self._beaten >= SECOND_NS
        if beat:
            self._beaten = now
        if self.running:
            while now - self._moved >= REFERENCE_NS:
                self._moved = max(self._moved + REFERENCE_NS, now - SECOND_NS)
                for reference in self._references.values():
                    reference.step()
            self._start_faults(now)
        for exchange in self.exchanges.values():
            if self.running:
                exchange.now = now
                exchange.tamper.tick(now)
                exchange.advance(now)
            exchange.outages.tick(now)
            exchange.arrive(now)
            if beat:
                exchange.beat(now)

    def _start_faults(self, now: int) -> None:
        """Hand the faults whose time has come to their venues; those of venues that are not simulated go unheeded."""
        for fault in self._schedule.due(now, self._all_subscribed):
            if fault.venue in self.exchanges:
                self.exchanges[fault.venue].tamper.inject(fault, now)

    def _all_subscribed(self) -> bool:
        """Tell whether every book has a subscriber."""
        return self.books() == self.listed()

    def inject(self, row: Mapping[str, Any], now: int) -> None:
        """Take one fault from outside the script; its time is now.

        Raises:
            SettingsError: it is not a fault, or not of a venue that is simulated.
        """
        fault: Fault = parse_fault(row, DIALECTS)
        if fault.venue not in self.exchanges:
            raise SettingsError(f"venue {fault.venue} is not simulated here")
        self.exchanges[fault.venue].tamper.inject(fault, now)

    def pause(self, now: int) -> None:
        """Stop the markets; what is under way is published first. Sockets stay open and heartbeats go on."""
        for exchange in self.exchanges.values():
            exchange.settle(now)
        self.running = False

    def resume(self, now: int) -> None:
        """Let the markets move again."""
        self._moved = now
        self.running = True

    def mute(self, venue: str, instrument: str | None, now: int) -> None:
        """Silence one book until it is subscribed to again, or all sockets of a venue for good.

        Raises:
            SettingsError: the venue or the instrument is unknown here.
        """
        exchange = self.exchanges.get(venue)
        if exchange is None or (instrument is not None and instrument not in exchange.desks):
            raise SettingsError(f"nothing to mute: {venue} {instrument or ''}".strip())
        if instrument is not None:
            self.inject({"kind": "silent_book", "venue": venue, "instruments": [instrument], "seconds": 1e9}, now)
            return
        for client in exchange.clients.values():
            client.silent = True

    def books(self) -> int:
        """Give how many books have a subscriber."""
        return sum(len(exchange.watched()) for exchange in self.exchanges.values())

    def listed(self) -> int:
        """Give how many books there are."""
        return sum(len(exchange.by_symbol) for exchange in self.exchanges.values())

    def report(self) -> dict[str, Any]:
        """Say what has been sent and what has gone wrong."""
        frames = {venue: exchange.frames for venue, exchange in self.exchanges.items()}
        return {
            "frames": sum(frames.values()),
            "frames_by_venue": frames,
            "books": self.books(),
            "listed": self.listed(),
            "running": self.running,
            "meters": {venue: exchange.outages.meter.report() for venue, exchange in self.exchanges.items()},
            "faults": [asdict(record) for record in self.log.records],
        }


def steps_a_second(rate: float, markets: Iterable[tuple[Dialect, str]]) -> float:
    """Find how often a market of activity 1 must step for all markets to make that many frames a second."""
    known, rate = list(markets), rate / SHOWN
    low, high = 0.0, MAX_STEPS_S
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if expected_frames(middle, known) < rate else (low, middle)
    return max(high, 0.01)


def expected_frames(steps: float, markets: Iterable[tuple[Dialect, str]]) -> float:
    """Give the frames a second that markets make whose activity-1 market steps that often."""
    total = 0.0
    for dialect, instrument in markets:
        own = steps * _activity(instrument)
        total += own * dialect.frames_a_step
        for frames, interval in ((own, dialect.book_interval), (own * TRADES_PER_STEP, dialect.trade_interval)):
            total += min(frames, SECOND_NS / interval) if interval else frames
    return total


def _activity(instrument: str) -> float:
    """Give how busy an instrument is."""
    return ASSETS.get(instrument.split("-", maxsplit=1)[0], OTHER_ASSET).activity
