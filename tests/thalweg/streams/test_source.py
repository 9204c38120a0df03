"""The reader: joins at the newest snapshot, follows, and tells holes, epochs and lost data as items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import numpy as np
import pytest

from thalweg import keys
from thalweg.cursor import Cursor, Entry, EpochBegan, Item, Lapped, Published, Regressed
from thalweg.errors import WireError
from thalweg.events import Delta, Event, Made, Open, Snapshot, State, Status, Taker, Trade
from thalweg.publication import Kind, Publication, encode_publication
from thalweg.resp import pack, pack_words
from thalweg.streams import source
from thalweg.streams.source import entries, publications
from thalweg.transport import RedisLink, checked
from thalweg.wire import encode_entry, format_id

NAME, VENUE = "BTC-USDT", "kraken"
STREAM = keys.stream(NAME, VENUE)
LEVELS = np.array([[100, 5]], dtype=np.int64)

OPEN = Open(VENUE, NAME, 8, 8, 25, "checksum", 10, 1)
LIVE = Status(VENUE, NAME, State.LIVE, 0, "synced", 3, 3)
TRADE = Trade(VENUE, NAME, 100, 5, Taker.BUY, "7", 5, 6)


def snapshot(made: Made = Made.VENUE) -> Snapshot:
    return Snapshot(VENUE, NAME, LEVELS, LEVELS[:0], None, None, 9, 10, made, State.LIVE, 0)


def delta(ts: int) -> Delta:
    return Delta(VENUE, NAME, LEVELS, LEVELS[:0], None, None, ts, ts)


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[RedisLink]:
    link = RedisLink(redis_url, "test")
    await link.connect()
    yield link
    await link.close()


async def append(link: RedisLink, epoch: int, first: int, events: Sequence[Event]) -> None:
    for n, event in enumerate(events, first):
        words = [b"XADD", STREAM.encode(), format_id(epoch, n), *encode_entry(event, 11)]
        checked((await link.run([pack_words(words)]))[0])


@pytest.mark.anyio
async def test_an_epoch_of_another_layout_is_refused_where_it_is_joined(link: RedisLink) -> None:
    await append(link, 5, 2, [snapshot()])
    await link.call("HSET", keys.status(NAME, VENUE), "snap_id", "5-2", "v", "2")
    with pytest.raises(WireError, match="layout version 2; this reader knows 1: update it"):
        await all_of(link)


async def all_of(link: RedisLink, whole: bool = False) -> list[Item]:
    return [item async for item in entries(link, [(NAME, VENUE)], wait=False, whole=whole)]


def numbers(items: Sequence[object]) -> list[int]:
    return [item.n for item in items if isinstance(item, Entry)]


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([(5, 1), (5, 2)], []),
        ([(5, 7), (5, 8)], []),
        ([(5, 1), (5, 4)], [Lapped("k", 5, 2, 3)]),
        ([(5, 9), (6, 1)], [EpochBegan("k", 6, 5)]),
        ([(5, 9), (6, 3)], [EpochBegan("k", 6, 5), Lapped("k", 6, 1, 2)]),
    ],
)
def test_a_cursor_tells_what_lies_between_two_entries(steps: list[tuple[int, int]], told: list[object]) -> None:
    cursor = Cursor("k")
    assert [one for step in steps for one in cursor.admit(*step)] == told


def test_publications_count_on_over_epochs() -> None:
    cursor = Cursor("k", (5, 9), counts_on=True)
    assert cursor.admit(6, 10) == [EpochBegan("k", 6, 5)]
    assert cursor.admit(6, 12) == [Lapped("k", 6, 11, 11)]


@pytest.mark.anyio
async def test_a_whole_read_gives_every_event_as_it_was_appended(link: RedisLink) -> None:
    events: list[Event] = [OPEN, LIVE, TRADE]
    await append(link, 5, 1, events)
    items = await all_of(link, whole=True)
    assert items == [Entry(NAME, VENUE, 5, n, event, 11) for n, event in enumerate(events, 1)]


@pytest.mark.anyio
async def test_a_late_reader_begins_at_the_newest_snapshot(link: RedisLink) -> None:
    await append(link, 5, 1, [OPEN, snapshot(), LIVE, delta(12), snapshot(Made.PERIODIC), delta(13)])
    await link.call("HSET", keys.status(NAME, VENUE), "snap_id", "5-5")
    items = await all_of(link)
    assert numbers(items) == [5, 6]
    assert isinstance(items[0], Entry)
    assert isinstance(items[0].event, Snapshot)


@pytest.mark.anyio
async def test_a_snapshot_that_was_trimmed_meanwhile_is_told(link: RedisLink) -> None:
    await append(link, 5, 1, [OPEN, snapshot(), delta(12), delta(13)])
    await link.call("HSET", keys.status(NAME, VENUE), "snap_id", "5-2")
    await link.call("XTRIM", STREAM, "MINID", "5-4")
    items = await all_of(link)
    assert items[0] == Lapped(STREAM, 5, 2, 3)
    assert numbers(items) == [4]


@pytest.mark.anyio
async def test_a_hole_and_a_new_epoch_are_told_before_the_next_entry(link: RedisLink) -> None:
    await append(link, 5, 1, [OPEN, LIVE])
    await append(link, 5, 4, [TRADE])
    await append(link, 6, 1, [OPEN])
    told = [item if not isinstance(item, Entry) else item.n for item in await all_of(link, whole=True)]
    assert told == [1, 2, Lapped(STREAM, 5, 3, 3), 4, EpochBegan(STREAM, 6, 5), 1]


@pytest.mark.anyio
async def test_following_waits_for_what_comes(link: RedisLink, redis_url: str) -> None:
    writer = RedisLink(redis_url, "writer")
    await writer.connect()
    await append(writer, 5, 1, [OPEN])
    async with aclosing(entries(link, [(NAME, VENUE)])) as items:
        assert numbers([await anext(items)]) == [1]
        await append(writer, 5, 2, [LIVE])
        assert numbers([await anext(items)]) == [2]
    await writer.close()


@pytest.mark.anyio
async def test_a_server_that_lost_its_data_is_told(
    link: RedisLink, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BLOCK_MS", 10)
    monkeypatch.setattr(source, "LOOK_S", 0.02)
    writer = RedisLink(redis_url, "writer")
    await writer.connect()
    await append(writer, 6, 1, [OPEN, LIVE])
    async with aclosing(entries(link, [(NAME, VENUE)])) as items:
        assert numbers([await anext(items), await anext(items)]) == [1, 2]
        await writer.call("FLUSHALL")
        await append(writer, 5, 1, [OPEN])
        assert await anext(items) == Regressed(STREAM, (6, 2), (5, 1))
        assert numbers([await anext(items)]) == [1]
    await writer.close()


@pytest.mark.anyio
async def test_publications_are_followed_with_their_bytes(link: RedisLink) -> None:
    records = [encode_publication(Publication(Kind.KEY, NAME, seq, 5, 8, 8)) for seq in (1, 2, 4)]
    for seq, record in zip((1, 2, 4), records, strict=True):
        checked((await link.run([pack("XADD", keys.out(NAME), f"5-{seq}", "r", record)]))[0])
    items = [item async for item in publications(link, [NAME], wait=False)]
    assert [item.record for item in items if isinstance(item, Published)] == records
    assert items[2] == Lapped(keys.out(NAME), 5, 3, 3)
    later = [item async for item in publications(link, [NAME], after={NAME: (5, 2)}, wait=False)]
    assert later[0] == items[2]
    assert [item.seq for item in later if isinstance(item, Published)] == [4]
