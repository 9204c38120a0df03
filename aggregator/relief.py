"""What is cut from `out:` when the server is full: its oldest tenth, but nothing a successor or reader needs."""

from __future__ import annotations

from aggregator.books import Cursor

STEP = 10  # a step cuts one part of so many
SPARED = 512  # records; a key record, which readers start at, comes at least every 256


def cut(first: Cursor, last: Cursor, kept: Cursor) -> Cursor | None:
    """Give the position below which a stream of publications is cut; `None` if there is nothing to spare.

    Sequences are dense over all epochs, so the step is that part of the records at most.

    Args:
        first: epoch and sequence of the oldest record.
        last: those of the newest.
        kept: those of the checkpoint, from which a successor reads on.
    """
    lowest = min(first[1] + (last[1] - first[1]) // STEP, last[1] - SPARED)
    keep = min((first[0], lowest), kept)
    return keep if keep > first else None
