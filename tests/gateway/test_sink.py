from __future__ import annotations

import asyncio

import orjson
import pytest
import redis

from gateway.hub import Hub
from gateway.sink import Board, hop_lines
from tests.gateway.publications import instruments
from tests.gateway.redis_side import until
from thalweg import keys
from thalweg.errors import RedisTrouble
from thalweg.latency import BY_NAME, Rings
from thalweg.settings import Settings

SUMMARY = {"count": 1, "window_s": 1.0, "mean": 5.0, "p50": 5.0, "p95": 5.0, "p99": 5.0, "max": 5.0}


class Bench:
    """A board on a real server."""

    def __init__(self, url: str) -> None:
        self.settings = Settings(instruments(), redis_url=url)
        self.hub = Hub(self.settings.instruments)
        self.rings = Rings("pubsub", "hold", "fanout", "total")
        self.board = Board(self.settings, self.hub, self.rings)

    def shown(self) -> set[tuple[str, str]]:
        return {(one["hop"], one["by"]) for one in self.hub.metrics.hops}


def test_hops_are_in_the_order_of_the_walk_with_their_definitions() -> None:
    lines = hop_lines({"aggregator": {"merge": SUMMARY}, "ingest:kraken": {"decode": SUMMARY, "unheard": SUMMARY}})
    assert [(one["hop"], one["by"], one["p50"]) for one in lines] == [
        ("decode", "ingest:kraken", 5.0),
        ("merge", "aggregator", 5.0),
    ]
    assert lines[0]["what"] == BY_NAME["decode"].what


@pytest.mark.anyio
async def test_latencies_of_all_services_are_gathered_and_ours_written(redis_url: str) -> None:
    bench = Bench(redis_url)
    client = redis.Redis.from_url(redis_url)
    client.set(keys.latency("ingest:kraken"), orjson.dumps({"ts": 1, "hops": {"decode": SUMMARY}}))
    client.set(keys.latency("aggregator"), b"nonsense")
    bench.rings["hold"].add(7_000)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.board.run())
        await until(lambda: bench.hub.metrics.hops)
        task.cancel()
    assert bench.shown() == {("decode", "ingest:kraken"), ("hold", "gateway")}
    written = client.get(keys.latency("gateway"))
    assert isinstance(written, bytes)
    assert orjson.loads(written)["hops"]["hold"]["p50"] == 7.0
    assert 0 < client.ttl(keys.latency("gateway")) <= 10


@pytest.mark.anyio
async def test_without_redis_our_own_latencies_are_still_shown() -> None:
    bench = Bench("redis://127.0.0.1:1/0")
    bench.rings["hold"].add(7_000)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.board.run())
        await until(lambda: bench.hub.metrics.hops)
        task.cancel()
    assert bench.shown() == {("hold", "gateway")}


@pytest.mark.anyio
async def test_capabilities_are_those_of_the_status_hashes(redis_url: str) -> None:
    bench = Bench(redis_url)
    client = redis.Redis.from_url(redis_url)
    client.hset(keys.status("BTC-USDT", "kraken"), mapping={"detector": "checksum", "verified_depth": "10"})
    found = await bench.board.capabilities()
    assert found["BTC-USDT", "kraken"] == {"detector": "checksum", "verified_depth": "10"}
    assert found["BTC-USDT", "binance"] == {}


@pytest.mark.anyio
async def test_capabilities_need_redis() -> None:
    with pytest.raises(RedisTrouble):
        await Bench("redis://127.0.0.1:1/0").board.capabilities()
