"""What changed between our book and a whole one, for venues that only ever send whole books."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ingest.venue import BookUpdate
from thalweg.book import Book
from thalweg.fixed import NO_LEVELS, Levels


def as_changes(update: BookUpdate, book: Book) -> BookUpdate:
    """Give the changes that turn our book into the whole one."""
    bids, asks = _changes(book.bids(), update.bids), _changes(book.asks(), update.asks)
    return replace(update, whole=False, bids=bids, asks=asks, depth=None)


def _changes(before: Levels, after: Levels) -> Levels:
    """Give the levels of a side that came or have another size, and those that went, with size 0."""
    old, new = dict(before.tolist()), dict(after.tolist())
    rows = [(price, size) for price, size in new.items() if old.get(price) != size]
    rows += [(price, 0) for price in old if price not in new]
    return np.array(rows, dtype=np.int64) if rows else NO_LEVELS
