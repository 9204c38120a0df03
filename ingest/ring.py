"""What a connection told lately that is not written yet: kept for the moment when this worker takes the shard over.

Bounded by time, count and bytes; what falls out is counted as `standby`. Where a takeover can't go on from the last
entry (the venue's sequence does not belong to the book) only trades are kept.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from ingest.tally import Tally
from thalweg.events import Delta, Event, Made, Snapshot, Trade

Item: TypeAlias = tuple[Event, int]
"""An event and the instant it was admitted."""

KEPT_NS = 10_000_000_000  # three times what it takes to notice a dead owner
COUNT_MAX = 20_000  # events: as many as wait for Redis at most
BYTES_MAX = 8 * 2**20
ENTRY_BYTES = 400  # of an event without levels, roughly: the object and its numbers


def weight(event: Event) -> int:
    """Give about how many bytes an event holds."""
    if isinstance(event, Delta | Snapshot):
        return ENTRY_BYTES + event.bids.nbytes + event.asks.nbytes
    return ENTRY_BYTES


class Ring:
    """The newest events of one connection, oldest first."""

    def __init__(self, tally: Tally, *, books: bool) -> None:
        """Start empty; `books` says whether changes to books are worth keeping."""
        self._tally, self._books = tally, books
        self._items: deque[Item] = deque()
        self._bytes = 0

    @property
    def held(self) -> int:
        """How many events are kept."""
        return len(self._items)

    def add(self, events: list[Event], ts_decoded: int) -> None:
        """Keep events, and let go of what is too old or too much."""
        for event in events:
            self._keep((event, ts_decoded))
        self._trim(ts_decoded)

    def back(self, items: list[Item]) -> None:
        """Keep events that were taken or told before this; none was kept since."""
        for item in items:
            self._keep(item)
        if items:
            self._trim(items[-1][1])

    def _keep(self, item: Item) -> None:
        if isinstance(item[0], Trade) or (self._books and not _again(item[0])):
            self._items.append(item)
            self._bytes += weight(item[0])
        else:
            self._tally.dropped["standby"] += 1

    def _trim(self, now: int) -> None:
        items = self._items
        while items and (items[0][1] < now - KEPT_NS or len(items) > COUNT_MAX or self._bytes > BYTES_MAX):
            self._bytes -= weight(items.popleft()[0])
            self._tally.dropped["standby"] += 1

    def take(self) -> list[Item]:
        """Give all and be empty; whoever takes them counts them."""
        items, self._items, self._bytes = list(self._items), deque(), 0
        return items

    def clear(self) -> None:
        """Let go of everything."""
        self._tally.dropped["standby"] += len(self.take())


def _again(event: Event) -> bool:
    """Whether an event only says again what the events before it made."""
    return isinstance(event, Snapshot) and event.made is not Made.VENUE
