"""The other side of Redis, for tests: publishes through the server function, as the aggregator does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import orjson
import redis

import thalweg
from tests.gateway.publications import Maker, encoded
from thalweg import keys
from thalweg.publication import Publication

FUNCTIONS = Path(thalweg.__file__).with_name("functions.lua")
PATIENCE_S = 10.0


class Aggregator:
    """Writes records and heartbeats; `lost` records reach `out:` alone, as when pub/sub drops one."""

    def __init__(self, url: str) -> None:
        self.client = redis.Redis.from_url(url)
        self.client.function_load(FUNCTIONS.read_text(), replace=True)

    def publish(self, one: Publication) -> None:
        identity, record = encoded(one)
        channel = keys.book(one.instrument)
        self.client.fcall("thalweg_publish", 1, keys.out(one.instrument), channel, identity, record)

    def lose(self, one: Publication) -> None:
        identity, record = encoded(one)
        self.client.xadd(keys.out(one.instrument), {"r": record}, id=identity)

    def beat(self, *makers: Maker, trouble: str | None = None) -> None:
        heads = {maker.instrument: maker.seq for maker in makers}
        self.client.publish(keys.HEARTBEAT, orjson.dumps({"ts": 1, "epoch": 1, "heads": heads, "trouble": trouble}))


async def until(condition: Callable[[], object], meanwhile: Callable[[], object] = bool) -> None:
    """Wait for a condition, looking each 10 ms."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            meanwhile()
            await asyncio.sleep(0.01)
