"""How long a book may be crossed: venues cross their books for a moment within a batch, never for long."""

from __future__ import annotations

CROSSED_NS = 1_000_000_000  # for longer, and it is wrong
BATCHES_MAX = 3  # at the end of so many batches in a row, and it is too


class Crossing:
    """Since when a book is crossed; monotonic instants are `now`."""

    __slots__ = ("_batches", "_since", "on")

    def __init__(self) -> None:
        """Start with a book in order; `on` says whether it was crossed at the end of the last batch."""
        self._since: int | None = None
        self._batches, self.on = 0, False

    def note(self, crossed: bool, now: int) -> bool:
        """Take the book's state at the end of a batch and tell whether it has changed."""
        changed = crossed != self.on
        if changed:
            self._since, self._batches, self.on = (now if crossed else None), 0, crossed
        self._batches += crossed
        return changed

    def wrong(self, now: int) -> bool:
        """Tell whether the book has been crossed for too long."""
        return self._since is not None and (self._batches >= BATCHES_MAX or now - self._since > CROSSED_NS)

    def reset(self) -> None:
        """Forget the book."""
        self._since, self._batches, self.on = None, 0, False
