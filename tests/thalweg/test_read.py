"""A follower goes on through whatever happens to the server, and its books are live only while that is known."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable

import pytest

from tests.thalweg.test_followed import NAME, OPEN, VENUE, E, delta, snapshot, status
from thalweg import keys, read
from thalweg.cursor import Position
from thalweg.errors import RedisTrouble, SettingsError
from thalweg.events import Event, State
from thalweg.followed import FollowedBook
from thalweg.read import BookItem, Connected, Disconnected, Entry, Follower, Lapped, Regressed, Silent, Unreadable
from thalweg.resp import pack_words
from thalweg.streams import source
from thalweg.transport import RedisLink, checked
from thalweg.wire import encode_entry, format_id

STREAM, READER = keys.stream(NAME, VENUE), "a-reader"
Items = AsyncGenerator[BookItem, None]


class Writer:
    """Another connection that writes what a worker would."""

    def __init__(self, link: RedisLink) -> None:
        self.link = link

    async def append(self, epoch: int, first: int, *events: Event) -> None:
        for n, event in enumerate(events, first):
            words = [b"XADD", STREAM.encode(), format_id(epoch, n), *encode_entry(event, 11)]
            checked((await self.link.run([pack_words(words)]))[0])

    async def cut(self) -> None:
        """Close the reader's connection at the server."""
        said = (await self.link.call("CLIENT", "LIST")).decode().splitlines()
        for line in said:
            fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
            if fields["name"] == READER:
                await self.link.call("CLIENT", "KILL", "ID", fields["id"])


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BLOCK_MS", 20)
    monkeypatch.setattr(source, "LOOK_S", 0.05)
    monkeypatch.setattr(read, "FIRST_BACKOFF_S", 0.01)


@pytest.fixture
async def writer(redis_url: str) -> AsyncIterator[Writer]:
    link = RedisLink(redis_url, "writer")
    await link.connect()
    yield Writer(link)
    await link.close()


@pytest.fixture
async def followed(redis_url: str) -> AsyncIterator[tuple[FollowedBook, Items]]:
    follower = Follower(redis_url, [(NAME, VENUE)], READER)
    items = follower.items()
    yield follower.books[NAME, VENUE], items
    await items.aclose()


async def until(items: Items, holds: Callable[[BookItem], bool]) -> list[BookItem]:
    """Take items up to the first of which this holds; the test's own time limit is the bound."""
    found = []
    async for item in items:
        found.append(item)
        if holds(item):
            break
    return found


def at(epoch: int, n: int) -> Callable[[BookItem], bool]:
    return lambda item: isinstance(item, Entry) and (item.epoch, item.n) == (epoch, n)


async def begin(writer: Writer, items: Items) -> None:
    await writer.append(E, 1, OPEN, snapshot(), delta(98, 5))
    await until(items, lambda item: isinstance(item, Connected))


@pytest.mark.anyio
async def test_a_book_is_live_once_all_that_is_there_has_been_read(
    writer: Writer, followed: tuple[FollowedBook, Items]
) -> None:
    book, items = followed
    await writer.append(E, 1, OPEN, snapshot(), delta(98, 5))
    await until(items, at(E, 3))
    live_before = book.live  # more might have been there
    await until(items, lambda item: isinstance(item, Connected))
    assert (live_before, book.live) == (False, True)
    assert book.bids().tolist() == [[100, 1], [99, 2], [98, 5]]


@pytest.mark.anyio
async def test_the_units_are_known_when_joining_in_the_middle_of_an_epoch(
    writer: Writer, followed: tuple[FollowedBook, Items]
) -> None:
    book, items = followed
    await writer.append(E, 1, OPEN, snapshot())
    fields = ("snap_id", f"{E}-2", "price_decimals", 2, "size_decimals", 6)
    await writer.link.call("HSET", keys.status(NAME, VENUE), *fields)
    assert len(await until(items, at(E, 2))) == 1
    assert book.decimals == (2, 6)


@pytest.mark.anyio
async def test_a_lost_connection_is_told_and_nothing_of_the_stream_is_lost(
    writer: Writer, followed: tuple[FollowedBook, Items]
) -> None:
    book, items = followed
    await begin(writer, items)
    await writer.cut()
    await until(items, lambda item: isinstance(item, Disconnected))
    live_meanwhile = book.live
    await writer.append(E, 4, delta(97, 1), delta(96, 1))
    told = await until(items, lambda item: isinstance(item, Connected))
    assert [item for item in told if isinstance(item, Lapped | Regressed)] == []
    assert (live_meanwhile, book.live) == (False, True)
    assert len(book.bids()) == 5


@pytest.mark.anyio
async def test_a_lost_stream_is_told_and_the_new_one_is_followed(
    writer: Writer, followed: tuple[FollowedBook, Items]
) -> None:
    book, items = followed
    await begin(writer, items)
    await writer.link.call("DEL", STREAM)
    told = await until(items, lambda item: isinstance(item, Regressed))
    assert told[-1] == Regressed(STREAM, (E, 3), (0, 0))
    assert not book.live
    await writer.append(E + 1, 1, OPEN, snapshot(), delta(90, 1))
    await until(items, at(E + 1, 3))
    assert book.bids().tolist() == [[100, 1], [99, 2], [90, 1]]


async def replace_tail(writer: Writer, follows: Position) -> None:
    """A failover lost the entry that was read last; the next epoch goes on from what is left."""
    await writer.link.call("DEL", STREAM)
    await writer.append(E, 1, OPEN, snapshot())
    await writer.append(E + 1, 1, OPEN, status(State.LIVE, follows), delta(90, 1), delta(89, 1))


@pytest.mark.anyio
async def test_a_tail_that_was_lost_and_written_over_costs_the_book(
    writer: Writer, followed: tuple[FollowedBook, Items]
) -> None:
    book, items = followed
    await begin(writer, items)
    await replace_tail(writer, (E, 2))
    await until(items, at(E + 1, 4))
    live_before = book.live
    await writer.append(E + 1, 5, snapshot())
    await until(items, at(E + 1, 5))
    assert (live_before, book.live) == (False, True)


@pytest.mark.anyio
async def test_what_was_trimmed_unread_is_told(writer: Writer, followed: tuple[FollowedBook, Items]) -> None:
    book, items = followed
    await begin(writer, items)
    await writer.append(E, 4, *(delta(97, size) for size in range(1, 5)))
    await writer.link.call("XTRIM", STREAM, "MINID", f"{E}-7")
    told = await until(items, at(E, 7))
    assert Lapped(STREAM, E, 4, 6) in told
    assert not book.live


@pytest.mark.anyio
async def test_a_lost_stream_is_found_while_others_are_busy(writer: Writer, redis_url: str) -> None:
    other = keys.stream(NAME, "bybit")
    follower = Follower(redis_url, [(NAME, VENUE), (NAME, "bybit")], READER)
    items = follower.items()
    await begin(writer, items)
    await writer.link.call("DEL", STREAM)
    found: list[BookItem] = []
    for n in range(1, 1000):
        await writer.link.call("XADD", other, f"{E}-{n}", "kind", "beat")
        found.append(await anext(items))
        if isinstance(found[-1], Regressed):
            break
    await items.aclose()
    assert found[-1] == Regressed(STREAM, (E, 3), (0, 0))


@pytest.mark.anyio
async def test_a_book_is_followed_in_three_lines(writer: Writer, redis_url: str) -> None:
    await writer.append(E, 1, OPEN, snapshot(), delta(98, 5))
    async with read.follow(redis_url, f"{VENUE}:{NAME}", READER) as book:
        async for event in book:
            if isinstance(event, Connected):
                break
        assert book.live
        assert (book.at, book.bids(2).dtype.name, book.bids(2).tolist()) == ((E, 3), "int64", [[100, 1], [99, 2]])
        await writer.append(E, 4, delta(97, 1))
        async for event in book:  # goes on where it was left
            if at(E, 4)(event):
                break
    while f"name={READER} ".encode() in await writer.link.call("CLIENT", "LIST"):  # the server sees it a little later
        pass


@pytest.mark.anyio
async def test_each_time_a_lost_book_is_mended_is_counted(writer: Writer, followed: tuple[FollowedBook, Items]) -> None:
    book, items = followed
    await begin(writer, items)
    await writer.append(E + 1, 1, OPEN, status(State.LIVE, (E, 3)), snapshot())  # goes on: nothing was lost
    await writer.append(E + 1, 4, status(State.STALE), snapshot())
    await writer.append(E + 2, 1, OPEN, snapshot())
    await until(items, at(E + 2, 2))
    assert (book.live, book.resyncs) == (True, 2)


@pytest.mark.anyio
@pytest.mark.parametrize("joined", [True, False])
async def test_an_epoch_of_another_layout_is_told_once_and_never_shown(
    joined: bool, writer: Writer, followed: tuple[FollowedBook, Items]
) -> None:
    book, items = followed
    if joined:  # in the middle of it: its `open` is never seen
        await writer.link.call("HSET", keys.status(NAME, VENUE), "v", "2")
    else:
        await writer.link.call("XADD", STREAM, f"{E}-1", *("kind", "open", "v", "2", "ts_append", "1"))
    await writer.append(E, 2, snapshot(), delta(98, 5))
    told = await until(items, lambda item: isinstance(item, Connected))
    assert [type(item) for item in told] == [Unreadable, Connected]
    assert "entries of layout version 2; this reader knows 1: update it" in str(told[0])
    assert (book.live, len(book.bids())) == (False, 0)
    await writer.append(E + 1, 1, OPEN, snapshot())
    await until(items, at(E + 1, 2))
    assert book.live


@pytest.mark.anyio
async def test_a_stream_that_nobody_writes_is_told(
    writer: Writer, followed: tuple[FollowedBook, Items], monkeypatch: pytest.MonkeyPatch
) -> None:
    book, items = followed
    await begin(writer, items)
    monkeypatch.setattr("thalweg.followed.QUIET_NS", 1)
    assert await anext(items) == Silent(STREAM)
    assert not book.live


@pytest.mark.anyio
async def test_what_no_waiting_mends_is_raised_at_once() -> None:
    for url, stream, error in (
        ("redis://127.0.0.1:1/0", "binance:BTC-USDT", RedisTrouble),
        ("http://127.0.0.1/", "binance:BTC-USDT", SettingsError),
        ("redis://127.0.0.1:1/0", "BTC-USDT", SettingsError),
    ):
        with pytest.raises(error):
            async with read.follow(url, stream):
                pytest.fail("it was entered")
