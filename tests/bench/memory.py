"""`memory`: what a book takes in ingest and in the aggregator, and what an entry takes in Redis."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import redis

from aggregator.consolidate import Ladder
from ingest.tally import Tally
from ingest.track import Track
from ingest.venue import BookUpdate
from ingest.venues import VENUES
from tests.bench.host import watched
from tests.bench.plan import Plan
from tests.bench.report import Row, Table
from thalweg import keys
from thalweg.cli.children import Guardian
from thalweg.cli.embedded import free_port, start_server, stop_server
from thalweg.events import Delta, Event, Made, Snapshot, State, Taker, Trade
from thalweg.fixed import Levels
from thalweg.instruments import Instrument
from thalweg.publication import Kind
from thalweg.wire import encode_entry

LEVELS = (25, 200, 1_000, 23_000)  # a side
BOOKS, ENTRIES = 20, 5_000
NAME, VENUE = "BTC-USD", "coinbase"
INSTRUMENT = Instrument(NAME, 8, 8, {VENUE: NAME})
TS = 1_795_000_000_000_000_000


def run(plan: Plan) -> list[Table]:
    """Measure books of several depths, and streams of several kinds of entries."""
    del plan  # memory takes as long as it takes
    return [_books(), _entries()]


def _books() -> Table:
    table = Table(
        "memory-book",
        "memory of a book",
        f"{BOOKS} books of so many levels a side, as live as after the venue's snapshot and one change",
        "one process; what the allocator was asked for, arrays included",
        "before the books are made",
        "after",
    )
    for count in LEVELS:
        with watched() as host:
            ingest, ladder = _bytes(partial(_track, count)), _bytes(partial(_ladder, count))
        figures = {"ingest KiB": ingest / 1024, "aggregator KiB": ladder / 1024}
        figures |= {"ingest B/level": ingest / 2 / count, "aggregator B/level": ladder / 2 / count}
        table.rows.append(Row(f"{count:,} levels a side", figures, host))
    return table


def _bytes(make: Callable[[], object]) -> float:
    """Give the bytes that one of them takes."""
    make()
    gc.collect()
    tracemalloc.start()
    kept = [make() for _ in range(BOOKS)]
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return taken / len(kept)


def _side(count: int, best: int, step: int) -> Levels:
    return np.array([(best + step * at, 1 + at) for at in range(count)], dtype=np.int64)


def _sides(count: int) -> tuple[Levels, Levels]:
    return _side(count, 100_000_000, -100), _side(count, 100_000_100, 100)


def _track(count: int) -> Track:
    """Give a book as a worker has it."""
    venue = VENUES[VENUE]
    track = Track(VENUE, INSTRUMENT, NAME, venue.rule(), venue.depth, lambda event: None, Tally())
    bids, asks = _sides(count)
    track.update(BookUpdate(NAME, True, bids, asks, None, 1, TS, None), TS, 1)
    track.update(BookUpdate(NAME, False, bids[:1], asks[:1], None, 2, TS, None), TS, 2)
    if track.state is not State.LIVE:
        raise AssertionError(f"the book is {track.state}, not live")
    return track


def _ladder(count: int) -> Ladder:
    """Give a book as the aggregator has it, with the views that it compares."""
    ladder = Ladder(INSTRUMENT, [VENUE])
    book = ladder.books[0]
    book.hear(heard=True, now_ns=TS)
    book.book.load(*_sides(count))
    book.book.apply(*(side[:1] for side in _sides(1)))
    ladder.merge(Kind.KEY)
    return ladder


def _entries() -> Table:
    table = Table(
        "memory-entry",
        "memory of an entry in Redis",
        f"{ENTRIES:,} entries of a kind in one stream",
        "MEMORY USAGE of the stream, all samples; the embedded server",
        "an empty stream",
        "the stream with its entries",
    )
    with TemporaryDirectory() as folder, Guardian() as guardian:
        port = free_port()
        server = start_server(port, Path(folder))
        guardian.started(server.pid)
        with redis.Redis(port=port) as client:
            for name, event in _kinds().items():
                with watched() as host:
                    taken = _stream(client, event)
                table.rows.append(Row(name, {"B/entry": taken}, host))
        stop_server(server)
        guardian.ended(server.pid)
    return table


def _kinds() -> dict[str, Event]:
    """Give an event of each kind whose entries are many or large."""
    bids, asks = _sides(1_000)
    return {
        "trade": Trade(VENUE, NAME, 100_000_000, 1_000, Taker.BUY, "123456789", TS, TS),
        "delta of 3 levels": Delta(VENUE, NAME, bids[:2], asks[:1], 1, 2, TS, TS),
        "delta of 20 levels": Delta(VENUE, NAME, bids[:10], asks[:10], 1, 2, TS, TS),
        "snapshot of 1,000 levels a side": Snapshot(VENUE, NAME, bids, asks, 1, TS, TS, TS, Made.VENUE, State.LIVE, 0),
    }


def _stream(client: redis.Redis, event: Event) -> float:
    """Give the bytes that an entry of this event takes."""
    key = keys.stream(NAME, VENUE)
    client.delete(key)
    words = encode_entry(event, TS)
    fields: dict[Any, Any] = dict(zip(words[::2], words[1::2], strict=True))
    count = ENTRIES if len(b"".join(words)) < 4096 else ENTRIES // 50
    with client.pipeline(transaction=False) as batch:
        for n in range(1, count + 1):
            batch.xadd(key, fields, id=f"1795000000000-{n}")
        batch.execute()
    taken = client.memory_usage(key, samples=0)
    return float(taken or 0) / count
