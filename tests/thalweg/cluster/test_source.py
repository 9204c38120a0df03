"""In a Cluster each instrument is read apart, so trouble with one keeps nothing of the others from us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.thalweg.test_followed import OPEN, E, snapshot
from thalweg import keys
from thalweg.cli.masters import Master, url_of
from thalweg.cluster.source import MOST_APART, merged, together
from thalweg.events import Event
from thalweg.instruments import shard_of
from thalweg.read import Connected, Disconnected, Entry, Follower
from thalweg.resp import pack_words
from thalweg.transport import RedisLink, checked
from thalweg.wire import encode_entry, format_id

VENUE, READER = "kraken", "a-reader-apart"
HERE, THERE = "BTC-USDT", "XRP-USDT"  # on the first master, and on the second
CLUSTER = "redis+cluster://127.0.0.1:7001"


def test_one_link_reads_all_on_one_server_and_each_instrument_its_own_in_a_cluster() -> None:
    names = [HERE, THERE, HERE]
    assert together("redis://127.0.0.1", names) == [(HERE, THERE)]
    assert together(CLUSTER, names) == [(HERE,), (THERE,)]


def test_of_very_many_instruments_those_of_a_shard_share_a_link() -> None:
    names = [f"{chr(65 + number % 26)}{number}-USD" for number in range(MOST_APART + 1)]
    groups = together(CLUSTER, names)
    assert sorted(name for group in groups for name in group) == sorted(names)
    assert [{shard_of(name) for name in group} for group in groups] == [{0}, {1}, {2}, {3}]


async def counting(name: str, asked: list[str], closed: list[str]) -> AsyncGenerator[str, None]:
    try:
        while True:
            asked.append(name)
            yield name
            await asyncio.sleep(0)
    finally:
        closed.append(name)


async def stuck(closed: list[str]) -> AsyncGenerator[str, None]:
    try:
        yield "once"
        await asyncio.Event().wait()
    finally:
        closed.append("stuck")


@pytest.mark.anyio
async def test_a_source_that_is_stuck_holds_up_no_other_and_all_are_closed() -> None:
    closed: list[str] = []
    asked: list[str] = []
    both = merged([stuck(closed), counting("on", asked, closed)])
    found = [await anext(both) for _ in range(6)]
    assert (found.count("once"), found.count("on")) == (1, 5)
    await both.aclose()
    assert sorted(closed) == ["on", "stuck"]


@pytest.mark.anyio
async def test_a_source_is_asked_again_only_when_its_last_was_dealt_with() -> None:
    asked: list[str] = []
    both = merged([counting("a", asked, []), counting("b", asked, [])])
    await anext(both)
    for _ in range(10):
        await asyncio.sleep(0)
    assert sorted(asked) == ["a", "b"]
    await both.aclose()


@pytest.mark.anyio
async def test_a_lost_connection_in_a_cluster_costs_the_books_behind_it_alone(redis_cluster: list[Master]) -> None:
    url = url_of(redis_cluster)
    follower = Follower(url, [(HERE, VENUE), (THERE, VENUE)], READER)
    writer = RedisLink(url, "writer")
    await writer.connect()
    events: list[Event] = [OPEN, snapshot()]
    for name in (HERE, THERE):
        key = keys.stream(name, VENUE).encode()
        words = [[b"XADD", key, format_id(E, n), *encode_entry(one, 11)] for n, one in enumerate(events, 1)]
        await writer.call("DEL", key)
        for reply in await writer.run([pack_words(one) for one in words]):
            checked(reply)
    items = follower.items()
    here, there = follower.books[HERE, VENUE], follower.books[THERE, VENUE]
    while not (here.live and there.live):
        await anext(items)
    for server in (await writer.servers())[1:2]:
        said = (await server.call("CLIENT", "LIST")).decode().splitlines()
        for line in [line for line in said if f"name={READER} " in line and "cmd=xread" in line]:
            await server.call("CLIENT", "KILL", "ID", line.partition("id=")[2].split()[0])
    while not isinstance(item := await anext(items), Disconnected):
        assert isinstance(item, Connected | Entry)
    assert (item.instruments, here.live, there.live) == ((THERE,), True, False)
    while not isinstance(item := await anext(items), Connected):
        assert here.live
    assert (item.instruments, there.live) == ((THERE,), True)
    await items.aclose()
    await writer.call("DEL", keys.stream(HERE, VENUE))
    await writer.call("DEL", keys.stream(THERE, VENUE))
    await writer.close()
