"""Each service does on a Cluster what it does, as its own user and with its rights alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from thalweg import keys
from thalweg.access import users
from thalweg.cli.masters import Master, url_of
from thalweg.cli.server import load_functions
from thalweg.lease import beats
from thalweg.resp import pack
from thalweg.transport import RedisLink, answered, checked

pytestmark = pytest.mark.anyio
SHARDS = range(4)
NAME, RECORD = "BTC-USDT", b"x" * 64


@pytest.fixture
def place(redis_cluster: list[Master]) -> Iterator[str]:
    """The Cluster's address, where every user is known by a password that is its name."""
    known = users(["binance"])
    for master in redis_cluster:
        with master.client() as client:
            for user in known:
                client.execute_command("ACL", "SETUSER", user.name, "on", f">{user.name}", *user.rules())
    yield url_of(redis_cluster).removeprefix("redis+cluster://")
    for master in redis_cluster:
        with master.client() as client:
            client.execute_command("ACL", "DELUSER", *(user.name for user in known))


@asynccontextmanager
async def acting(place: str, user: str) -> AsyncIterator[RedisLink]:
    link = RedisLink(f"redis+cluster://{user}:{user}@{place}", "test")
    await link.connect()
    try:
        yield link
    finally:
        await link.close()


async def test_what_one_publishes_another_hears(place: str) -> None:
    async with acting(place, "loader") as loader:
        await load_functions(loader)
    async with acting(place, "gateway") as gateway, acting(place, "aggregator") as aggregator:
        await gateway.subscribe([keys.book(NAME).encode(), keys.HEARTBEAT.encode()])
        await gateway.next_push(0.05)
        where = keys.out(NAME), keys.checkpoint(NAME)
        await aggregator.call("FCALL", "thalweg_open_out", 2, *where, 10**14, keys.book(NAME), 0, RECORD, 0)
        await aggregator.call("PUBLISH", keys.HEARTBEAT, "{}")
        heard = [push for _ in range(4) if (push := await gateway.next_push(0.2)) and push[0] == b"message"]
        assert sorted(channel for _, channel, _ in heard) == [keys.book(NAME).encode(), keys.HEARTBEAT.encode()]
    async with acting(place, "gateway") as gateway:
        await gateway.ping([keys.out(NAME)])
    async with acting(place, "reader") as reader:
        await reader.subscribe([keys.bell("binance", shard).encode() for shard in SHARDS])
    async with acting(place, "aggregator") as aggregator:
        await aggregator.call("DEL", keys.out(NAME))


async def test_ingest_keeps_its_leases_and_writes(place: str) -> None:
    async with acting(place, "loader") as loader:
        await load_functions(loader)
    async with acting(place, "ingest") as ingest:
        heard, away = answered(SHARDS, await ingest.run_each(beats("binance", SHARDS, "me", leaving=False)))
        assert (sorted(heard), away) == ([*SHARDS], {})
        key = keys.stream(NAME, "binance")
        await ingest.call("DEL", key)  # the servers are those of other tests, too
        commands = [pack("XADD", key, f"9-{n}", "k", "v") for n in (1, 2)]
        commands.append(pack("PUBLISH", keys.bell("binance", 3), f"{NAME} 9-2"))
        assert [checked(reply) for reply in await ingest.run_whole(commands)][:2] == [b"9-1", b"9-2"]
        await ingest.call("DEL", key)
