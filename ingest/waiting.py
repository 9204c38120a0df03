"""Events that wait for Redis: bounded by count and bytes, and what gives way when there are too many.

Batches grow first: whatever waits is one batch. When a batch took too long and many wait again, or the bounds are hit,
deltas and snapshots go, counted as coalesced: one snapshot of ingest's own book, flagged `conflated`, stands for all of
them, and as long as it is due no more are kept. Trades go last, the oldest first, counted as lost to Redis' trouble.
"""

from __future__ import annotations

from collections.abc import Sequence

from ingest.ring import BYTES_MAX, COUNT_MAX, Item, weight
from ingest.tally import Tally
from ingest.track import Track
from thalweg.events import Event, Flag, Snapshot, Status, Trade

WEIGH_EVERY = 256  # events; weighing costs a microsecond each, and the queue is rarely so long


class Waiting:
    """The queue of one shard."""

    __slots__ = ("_tally", "_weigh_at", "bridge_due", "items")

    def __init__(self, tally: Tally) -> None:
        """Nothing waits; `bridge_due` when snapshots must stand for what was dropped."""
        self.items: list[Item] = []
        self.bridge_due = False
        self._tally = tally
        self._weigh_at = WEIGH_EVERY

    def put(self, events: list[Event], ts_decoded: int) -> None:
        """Queue events; now and then, look whether they are too many or too heavy."""
        self.items += [(event, ts_decoded) for event in events]
        if len(self.items) > self._weigh_at:
            self._weigh()

    def begin(self, items: list[Item]) -> None:
        """Start anew with what an epoch begins with."""
        self.items, self.bridge_due, self._weigh_at = items, False, WEIGH_EVERY

    def take(self) -> list[Item]:
        """Give all and be empty."""
        items, self.items, self._weigh_at = self.items, [], WEIGH_EVERY
        return items

    def conflate(self) -> None:
        """Drop what a snapshot can stand for."""
        self.items, self.bridge_due = self._trades(), True

    def bridge(self, tracks: Sequence[Track], now: int) -> None:
        """Put the state and book of every track, flagged, in the place of what was dropped."""
        trades = self._trades()
        bridges = [event for track in tracks for event in track.bridge(now)]
        for event in bridges:
            if isinstance(event, Snapshot | Status):
                event.flags |= Flag.CONFLATED  # until the next one: the track's own flags do not have it
        self.items = [(event, now) for event in bridges] + trades
        self.bridge_due = False

    def _weigh(self) -> None:
        self._weigh_at = len(self.items) + WEIGH_EVERY
        heavy = len(self.items) > COUNT_MAX or sum(weight(event) for event, _ in self.items) > BYTES_MAX
        if not heavy and not self.bridge_due:
            return
        self.conflate()
        spare = len(self.items) - COUNT_MAX // 2
        if spare > 0:
            del self.items[:spare]
            self._tally.dropped["redis_down"] += spare
        self._weigh_at = len(self.items) + WEIGH_EVERY

    def _trades(self) -> list[Item]:
        """Give the trades and count all else as coalesced."""
        trades = [item for item in self.items if isinstance(item[0], Trade)]
        self._tally.dropped["coalesced"] += len(self.items) - len(trades)
        return trades
