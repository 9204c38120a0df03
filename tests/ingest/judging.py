"""A stream judged as a reader sees it, by the written rules alone."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.events import Delta, Event, Open, Snapshot, Status, Trade


def followed(events: Sequence[Event]) -> int:
    """Check that every trade from the first on is there once, in order, or told as lost; give the last."""
    last = next((int(event.id) - 1 for event in events if isinstance(event, Trade)), 0)
    lost = 0
    for event in events:
        if isinstance(event, Trade):
            assert int(event.id) == last + lost + 1
            last, lost = int(event.id), 0
        elif isinstance(event, Status) and event.reason.endswith("trades lost"):
            lost += int(event.reason.split()[0])
    return last + lost


def judge(events: Sequence[Event]) -> list[list[int]]:
    """Follow the stream by the written rule, and check that no change is missing from a book that is trusted."""
    book, trusted, at, left = dict[int, int](), False, 0, False
    for event in events:
        if isinstance(event, Open):
            left, trusted = trusted, False
        elif isinstance(event, Status):
            trusted = (trusted or (left and event.follows is not None)) and event.state == "live"
        elif isinstance(event, Snapshot):
            book, trusted, at = {int(p): int(s) for p, s in event.bids}, True, event.last or 0
        elif isinstance(event, Delta) and trusted:
            assert event.first == at + 1
            at = event.last or 0
            for price, size in event.bids.tolist():
                book[price] = size
                if not size:
                    del book[price]
    assert trusted
    return [[price, size] for price, size in sorted(book.items(), reverse=True)]
