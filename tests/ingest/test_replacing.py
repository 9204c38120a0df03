"""The changes between two whole books turn the one into the other, and say nothing of what stayed."""

from __future__ import annotations

from random import Random

import numpy as np

from ingest.replacing import as_changes
from ingest.venue import BookUpdate
from thalweg.book import Book
from thalweg.fixed import Levels


def side(random: Random, lowest: int, best_last: bool) -> Levels:
    prices = sorted(random.sample(range(lowest, lowest + 8), random.randint(0, 6)), reverse=not best_last)
    return np.array([(price, random.randint(1, 2)) for price in prices], dtype=np.int64).reshape(-1, 2)


def test_changes_turn_any_book_into_any_other() -> None:
    random, book = Random(5), Book()
    for _ in range(300):
        bids, asks = side(random, 10, best_last=False), side(random, 30, best_last=True)
        before = {int(price): int(size) for price, size in [*book.bids().tolist(), *book.asks().tolist()]}
        update = as_changes(BookUpdate("X", True, bids, asks, 1, 2, 3, depth=9), book)
        assert (update.whole, update.first, update.last, update.ts_event, update.depth) == (False, 1, 2, 3, None)
        told = [*update.bids.tolist(), *update.asks.tolist()]
        assert all(before.get(price, 0) != size for price, size in told)
        book.apply(update.bids, update.asks)
        assert (book.bids().tolist(), book.asks().tolist()) == (bids.tolist(), asks.tolist())
