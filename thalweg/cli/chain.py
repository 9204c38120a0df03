"""The venue's own order in one input stream: no change is missing or told twice, no trade is told twice. Pure.

| detector | what is checked of a book's changes |
|---|---|
| `sequence` | each goes on from the one before: its `first`, or its `last` where it has no other, is the next number |
| others | their numbers are of the connection or there are none: nothing can be said |

A snapshot may be followed by a change that spans its end, as where a venue's changes are spliced to it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from thalweg.events import Delta, Event, Open, Snapshot, Trade

TRADES_KEPT = 5_000  # of one stream: more than any venue's recap
_Told: TypeAlias = tuple[str, int, int, int | None]


class Chain:
    """What came last in one stream, over its epochs."""

    def __init__(self) -> None:
        """Know nothing."""
        self._numbered = False
        self._last: int | None = None
        self._whole = False
        self._trades: OrderedDict[_Told, None] = OrderedDict()

    def take(self, event: Event, *, followed: bool) -> str | None:
        """Take the next event; `followed` says whether the book is known, so that changes must go on from it.

        Returns:
            What is wrong with it, to be put after its ID; `None` if nothing is.
        """
        match event:
            case Open():
                self._numbered = event.detector == "sequence"
            case Snapshot():
                self._last, self._whole = event.last, True
            case Trade():
                return self._trade(event)
            case Delta() if not followed:
                self._last = None
            case Delta():
                return self._delta(event)
            case _:
                pass
        return None

    def _delta(self, event: Delta) -> str | None:
        before, self._last = self._last, event.last
        whole, self._whole = self._whole, False
        if not self._numbered or before is None or event.last is None:
            return None
        first = event.last if event.first is None else event.first
        if event.last <= before:
            return f"tells change {event.last} again; the book was at {before}"
        if first > before + 1:
            return f"jumps from {before} to {first}, unmarked"
        if first <= before and not whole:
            return f"tells changes {first} to {before} again"
        return None

    def _trade(self, event: Trade) -> str | None:
        told = (event.id, event.price, event.size, event.ts_event)
        if told in self._trades:
            return f"tells trade {event.id!r} again"
        self._trades[told] = None
        if len(self._trades) > TRADES_KEPT:
            self._trades.popitem(last=False)
        return None
