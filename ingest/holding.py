"""The updates of a book that wait for its whole book, in order; bounded, and all or none of them are kept."""

from __future__ import annotations

from collections import deque

from ingest.venue import BookUpdate

HELD_MAX = 2_000  # 200 s at ten a second; more means that the whole book never comes


class Holding:
    """The waiting updates of one book, each with its `ts_recv`."""

    __slots__ = ("_updates",)

    def __init__(self) -> None:
        """Hold nothing."""
        self._updates: deque[tuple[BookUpdate, int]] = deque()

    def __len__(self) -> int:
        """Count them."""
        return len(self._updates)

    @property
    def full(self) -> bool:
        """Whether there is no room for another."""
        return len(self._updates) >= HELD_MAX

    def add(self, update: BookUpdate, ts_recv: int) -> None:
        """Keep one more."""
        self._updates.append((update, ts_recv))

    def take(self) -> tuple[BookUpdate, int] | None:
        """Give the oldest, `None` when all are taken."""
        return self._updates.popleft() if self._updates else None

    def drop(self) -> int:
        """Forget all and say how many they were."""
        count = len(self._updates)
        self._updates.clear()
        return count
