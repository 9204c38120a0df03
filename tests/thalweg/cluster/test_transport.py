"""A link to three real masters: each command where its slot is, slots that move, and masters that go away."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from redis.exceptions import ResponseError

from thalweg.cli.masters import Master, url_of
from thalweg.errors import RedisTrouble, SettingsError
from thalweg.keys import slot
from thalweg.resp import pack
from thalweg.transport import RedisLink, answered

pytestmark = pytest.mark.anyio
PLACES = {"3": 0, "2": 1, "1": 2, "0": 2}  # by tag, the master that has it


@asynccontextmanager
async def linked(masters: list[Master]) -> AsyncIterator[RedisLink]:
    link = RedisLink(url_of(masters), "test")
    await link.connect()
    try:
        yield link
    finally:
        await link.close()


def ask(master: Master, *words: str | int) -> Any:
    with master.client() as client:
        return client.execute_command(*words)


async def follow(link: RedisLink) -> None:
    while True:
        await link.next_push(2.0)


@contextmanager
def hung(master: Master) -> Iterator[None]:
    assert master.process is not None
    os.kill(master.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(master.process.pid, signal.SIGCONT)


@contextmanager
def moved(tag: str, old: Master, new: Master) -> Iterator[None]:
    """Give an empty slot to another master, and give it back at the end."""
    number, ids = slot(tag.encode()), {master.port: ask(master, "CLUSTER MYID") for master in (old, new)}

    def give(owner: Master) -> None:
        for master in (owner, new if owner is old else old):
            ask(master, "CLUSTER SETSLOT", number, "NODE", ids[owner.port])

    give(new)
    try:
        yield
    finally:
        ask(new, "DEL", f"{{{tag}}}k")
        give(old)


async def test_each_command_goes_where_its_slot_is_and_replies_come_in_order(redis_cluster: list[Master]) -> None:
    async with linked(redis_cluster) as link:
        tags = ["0", "3", "2", "1", "0", "2"]
        assert await link.run([pack("SET", f"{{{tag}}}k", n) for n, tag in enumerate(tags)]) == [b"OK"] * 6
        assert await link.run([pack("GET", f"{{{tag}}}k") for tag in "0123"]) == [b"4", b"3", b"5", b"1"]
    for tag, place in PLACES.items():
        assert ask(redis_cluster[place], "EXISTS", f"{{{tag}}}k") == 1


async def test_all_or_none_is_so_for_each_slot(redis_cluster: list[Master]) -> None:
    async with linked(redis_cluster) as link:
        await link.run([pack("DEL", f"{{{tag}}}s") for tag in "03"])
        commands = [
            pack("XADD", "{0}s", "5-1", "k", "v"),
            pack("XADD", "{3}s", "5-1", "k", "v"),
            pack("NONSENSE", "{0}s"),
        ]
        first, second, third = await link.run_whole(commands)
        assert second == b"5-1"
        assert isinstance(first, ResponseError)
        assert isinstance(third, ResponseError)
        assert await link.run([pack("XLEN", "{0}s"), pack("XLEN", "{3}s")]) == [0, 1]


async def test_a_slot_that_moved_before_anything_was_done_in_it_is_followed(redis_cluster: list[Master]) -> None:
    one, other, _ = redis_cluster
    async with linked(redis_cluster) as link:
        with moved("c", other, one):
            assert await link.call("SET", "{c}k", 1) == b"OK"
            assert ask(one, "EXISTS", "{c}k") == 1


async def test_a_slot_that_moves_under_a_writer_is_trouble_and_nothing_is_written(redis_cluster: list[Master]) -> None:
    one, other, _ = redis_cluster
    async with linked(redis_cluster) as link:
        await link.call("SET", "{c}k", 1)
        await link.call("DEL", "{c}k")
        with moved("c", other, one):
            with pytest.raises(RedisTrouble, match="has moved"):
                await link.run([pack("SET", "{c}k", 2)])
            assert ask(one, "EXISTS", "{c}k") == 0
            await link.connect()
            assert await link.call("SET", "{c}k", 2) == b"OK"


@pytest.mark.parametrize("whole", [False, True])
async def test_keys_that_are_on_the_way_are_asked_for_where_they_go(
    redis_cluster: list[Master], *, whole: bool
) -> None:
    one, other, _ = redis_cluster
    number = slot(b"c")
    ask(one, "CLUSTER SETSLOT", number, "IMPORTING", ask(other, "CLUSTER MYID"))
    ask(other, "CLUSTER SETSLOT", number, "MIGRATING", ask(one, "CLUSTER MYID"))
    try:
        async with linked(redis_cluster) as link:
            commands = [pack("XADD", "{c}k", f"7-{n}", "k", "v") for n in (1, 2)]
            assert await (link.run_whole if whole else link.run)(commands) == [b"7-1", b"7-2"]
            with one.client() as client:
                assert [client.execute_command(*words) for words in (("ASKING",), ("DEL", "{c}k"))][1] == 1
    finally:
        for master in (one, other):
            ask(master, "CLUSTER SETSLOT", number, "STABLE")


async def test_a_master_that_hangs_costs_what_it_has_and_nothing_else(redis_cluster: list[Master]) -> None:
    async with linked(redis_cluster) as link:
        asked = [pack("SET", f"{{{tag}}}k", tag) for tag in "0123"]
        await link.run(asked)
        with hung(redis_cluster[1]):
            with pytest.raises(RedisTrouble, match=f"127.0.0.1:{redis_cluster[1].port}"):
                await link.run(asked, 0.1)
            assert await link.call("PUBLISH", "hb", "x") == 0  # by another node
        with pytest.raises(RedisTrouble, match="not connected"):  # and stays so, until someone connects afresh
            await link.call("GET", "{2}k")
        await link.connect()
        assert await link.call("GET", "{2}k") == b"2"


async def test_who_stays_connected_finds_a_master_again_after_a_rest(redis_cluster: list[Master]) -> None:
    async with linked(redis_cluster) as link, asyncio.timeout(10):
        asked = [pack("SET", f"{{{tag}}}k", tag) for tag in "0123"]
        with hung(redis_cluster[1]):
            heard, away = answered("0123", await link.run_each(asked, 0.1))
            assert (sorted(heard), list(away)) == (["0", "1", "3"], ["2"])
        while answered("0123", await link.run_each(asked, 1.0))[1]:  # noqa: ASYNC110 - it is asked again as services ask
            await asyncio.sleep(0.05)


async def test_messages_come_from_every_master_by_one_link(redis_cluster: list[Master]) -> None:
    channels = [b"bell:{%d}:toy" % shard for shard in range(4)]
    async with linked(redis_cluster) as link, linked(redis_cluster) as other:
        await link.subscribe([*channels, b"hb"])
        sent = [[b"message", channel, b"x%d" % n] for n, channel in enumerate([*channels, b"hb"])]
        for _, channel, text in sent:
            await other.call("PUBLISH", channel, text)
        found = list[list[bytes]]()
        while len(found) < len(sent):
            push = await link.next_push(2.0)
            assert push is not None
            if push[0] == b"message":
                found.append(push)
        assert sorted(found) == sorted(sent)
        assert await link.next_push(0.02) is None


async def test_channels_that_move_are_told_as_trouble(redis_cluster: list[Master]) -> None:
    one, other, _ = redis_cluster
    async with linked(redis_cluster) as link, asyncio.timeout(10):
        await link.subscribe([b"book:{c}"])
        with moved("c", other, one), pytest.raises(RedisTrouble, match="has moved"):
            await follow(link)


async def test_every_master_is_given_once(redis_cluster: list[Master]) -> None:
    async with linked(redis_cluster[:1]) as link:
        names = [await server.call("CONFIG", "GET", "port") for server in await link.servers()]
    assert [int(name[1]) for name in names] == [master.port for master in redis_cluster]


async def test_a_cluster_of_which_nobody_answers_is_trouble() -> None:
    link = RedisLink("redis+cluster://127.0.0.1:1,127.0.0.1:2", "test")
    with pytest.raises(RedisTrouble, match="can't connect"):
        await link.connect()
    with pytest.raises(RedisTrouble):
        await link.call("GET", "k")
    await link.close()


def test_an_option_that_redis_py_does_not_know_is_refused() -> None:
    with pytest.raises(SettingsError, match="REDIS_URL"):
        RedisLink("redis+cluster://127.0.0.1:1?nonsense=1", "test")
