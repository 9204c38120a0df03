"""Faults that wait for a request: the next subscription or snapshot of a book is answered otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simulator.faults import Fault
from simulator.kinds import KINDS, Kind
from simulator.texts import SECOND_NS
from simulator.topic import Desk, Lateness

if TYPE_CHECKING:
    from simulator.exchange import Exchange

RETRY_AFTER_S = 1


@dataclass(slots=True, eq=False)
class _Waiting:
    """A fault and how many requests it still concerns."""

    fault: Fault
    left: int


class Answers:
    """The requests of one venue that are to go wrong; `note` logs one that has."""

    def __init__(self, exchange: Exchange, note: Callable[[Fault, list[str], int, Kind], None]) -> None:
        """Start with nothing wrong."""
        self._exchange, self._note = exchange, note
        self._waiting: list[_Waiting] = []

    def arm(self, fault: Fault) -> None:
        """Take a fault; it happens at the next request that it can happen to."""
        self._waiting.append(_Waiting(fault, fault.count))

    def refused(self, desk: Desk, now: int) -> bool:
        """Tell whether a subscription is to be refused."""
        return self._take("refuse", desk, now) is not None

    def silent_after_ack(self, desk: Desk, now: int) -> bool:
        """Tell whether a subscription is to be acknowledged and then left without a word."""
        return self._take("ack_silence", desk, now) is not None

    def too_many(self, desk: Desk, now: int) -> int | None:
        """Give the seconds to wait if a request is to be answered by 429."""
        return RETRY_AFTER_S if self._take("rest_429", desk, now) is not None else None

    def stale_snapshot(self, desk: Desk, now: int) -> bool:
        """Tell whether a request is to be answered by the last snapshot again."""
        return self._take("stale_snapshot", desk, now) is not None

    def slow_snapshot(self, desk: Desk, now: int) -> float:
        """Give the seconds by which an answer is to be late, and so old."""
        fault = self._take("slow_snapshot", desk, now)
        return 0.0 if fault is None else fault.much

    def new_snapshot(self, desk: Desk, now: int) -> None:
        """Hold up the stream of those who carry the book where a request is to be answered ahead of it."""
        fault = self._take("new_snapshot", desk, now)
        for client in desk.carriers() if fault is not None else ():
            most = int(fault.much * SECOND_NS) if fault is not None else 0
            client.late = Lateness(now - most, now + most, 2 * most)

    def _take(self, kind: str, desk: Desk, now: int) -> Fault | None:
        """Use up one of the faults that wait for a request."""
        for waiting in self._waiting:
            fault = waiting.fault
            if fault.kind == kind and fault.concerns(desk.instrument):
                waiting.left -= 1
                if waiting.left <= 0:
                    self._waiting.remove(waiting)
                expect = self._exchange.dialect.expects.get(kind, KINDS[kind].expect)
                self._note(fault, [desk.instrument], now, replace(KINDS[kind], expect=expect))
                return fault
        return None
