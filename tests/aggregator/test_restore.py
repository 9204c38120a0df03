"""Restored at any point, cold from a snapshot or warm from where it stood, a book is what it was to its owner."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import astuple
from typing import Any

import pytest
import redis

from aggregator.books import VenueBook
from aggregator.checkpoint import checkpoint_of, decode_checkpoint, encode_checkpoint
from aggregator.consolidate import Ladder
from aggregator.restore.source import RestoreSource
from aggregator.source import Stream
from tests.aggregator.entries import a_delta, a_status, a_trade
from tests.aggregator.feed import INSTRUMENTS, NAME, VENUES, Feed
from thalweg.events import State
from thalweg.transport import RedisLink

pytestmark = pytest.mark.anyio


@pytest.fixture
async def restoring(redis_url: str) -> AsyncIterator[RestoreSource]:
    link = RedisLink(redis_url, "restoring")
    await link.connect()
    yield RestoreSource(link)
    await link.close()


def a_ladder() -> Ladder:
    return Ladder(INSTRUMENTS.by_name[NAME], VENUES)


def seen(book: VenueBook) -> tuple[Any, ...]:
    """All that is shown of a book, but since when and with which remark: a replay from a snapshot begins there."""
    bids, asks = book.book.bids(1000), book.book.asks(1000)
    line = book.line
    return book.cursor, line.state, line.flags, line.last, line.ts_event, line.ts_book, bids.tolist(), asks.tolist()


def busy_stream(client: redis.Redis, seed: int) -> Feed:
    """A stream with everything in it: epochs, gaps and their ends, late snapshots, trades, unreadable entries."""
    rng, feed = random.Random(seed), Feed(client, VENUES[0])
    for _ in range(3):
        feed.open()
        for _ in range(rng.randrange(5, 25)):
            match rng.randrange(9):
                case 0:
                    feed.append(a_status(State.STALE, "gap"))
                    feed.append(a_delta([(1, 1)], []))
                    feed.periodic()
                case 1:
                    feed.append(a_trade("7"))
                case 2:
                    feed.n += 1
                    client.xadd(feed.key, {"x": "nothing of ours"}, id=f"{feed.epoch}-{feed.n}")
                case 3:
                    feed.periodic()
                case _:
                    feed.walk(rng, 1)
    return feed


@pytest.mark.parametrize("seed", range(4))
async def test_a_book_restored_at_any_entry_is_the_live_one(
    seed: int, client: redis.Redis, restoring: RestoreSource
) -> None:
    feed, live, warm, rng = busy_stream(client, seed), a_ladder(), a_ladder(), random.Random(seed)
    entries: Any = client.xrange(feed.key)
    for identity, fields in entries:
        live.take(0, [(identity, [part for pair in fields.items() for part in pair])], 0)
        point = decode_checkpoint(encode_checkpoint(checkpoint_of(live)))
        cold = a_ladder()
        await restoring.restore(Stream(cold, 0), point)
        assert seen(cold.books[0]) == seen(live.books[0]), identity
        if rng.random() < 0.3:
            await restoring.follow([(Stream(warm, 0), point)])
            assert seen(warm.books[0]) == seen(live.books[0]), identity
            assert astuple(warm.books[0].line) == astuple(live.books[0].line), identity


async def test_a_standby_whose_next_entries_are_gone_waits_for_a_snapshot(
    client: redis.Redis, restoring: RestoreSource
) -> None:
    feed, live, warm = Feed(client, VENUES[0]), a_ladder(), a_ladder()
    feed.open()
    for size in range(1, 31):
        feed.change([(99, size)], [])
    entries: Any = client.xrange(feed.key)
    for at, (identity, fields) in enumerate(entries):
        live.take(0, [(identity, [part for pair in fields.items() for part in pair])], 0)
        if at == 10:
            await restoring.follow([(Stream(warm, 0), checkpoint_of(live))])
    client.xtrim(feed.key, maxlen=3, approximate=False)
    await restoring.follow([(Stream(warm, 0), checkpoint_of(live))])

    assert warm.books[0].cursor == live.books[0].cursor
    assert warm.books[0].line.state is not State.LIVE
