"""A server that is full, hangs, is emptied, has no functions or becomes a replica: no process ends, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
import redis.asyncio

from aggregator import relief
from tests.aggregator.checks import assert_nothing_lost_or_twice, opened, published, settled
from tests.aggregator.conftest import FUNCTIONS, Start
from tests.aggregator.feed import NAME, PATIENCE_S, Feed, Watcher
from tests.looking import eventually
from thalweg import keys
from thalweg.events import State
from thalweg.instruments import shard_of
from thalweg.publication import Kind, decode_publication

pytestmark = pytest.mark.anyio


class Beats:
    """What the heartbeats say."""

    def __init__(self, pubsub: Any) -> None:
        self._pubsub = pubsub

    async def until(self, trouble: str | None) -> dict[str, int]:
        """Wait for a heartbeat that tells of this and give the heads it has."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
                beat = json.loads(message["data"]) if message else {}
                if beat and beat["trouble"] == trouble and NAME in beat["heads"]:
                    heads: dict[str, int] = beat["heads"]
                    return heads


@asynccontextmanager
async def beats(url: str) -> AsyncIterator[Beats]:
    async with redis.asyncio.Redis.from_url(url) as client, client.pubsub() as pubsub:
        await pubsub.subscribe(keys.HEARTBEAT)
        yield Beats(pubsub)


async def test_a_full_server_is_told_relieved_and_survived(
    redis_url: str,
    client: redis.Redis,
    feeds: list[Feed],
    watcher: Watcher,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relief, "SPARED", 10)
    task = start()
    for feed in feeds:
        feed.open()
    for _ in range(40):
        await settled(watcher, feeds)
    await eventually(lambda: json.loads(client.get(keys.checkpoint(NAME)) or b'{"seq":0}')["seq"] > 20)
    for feed in feeds:
        feed.walk(random.Random(1), 30)
    async with beats(redis_url) as told:
        client.config_set("maxmemory", 1)
        try:
            await told.until("redis full")
            await eventually(lambda: published(client)[0].seq > 1)
        finally:
            client.config_set("maxmemory", 0)
        await told.until(None)
    await settled(watcher, feeds)
    await watcher.drain()

    assert_nothing_lost_or_twice(client, feeds, [decode_publication(record) for record in watcher.records])
    assert not task.done()


async def test_a_server_made_a_replica_is_told_and_survived(
    redis_url: str, client: redis.Redis, feeds: list[Feed], watcher: Watcher, start: Start
) -> None:
    task = start()
    await opened(watcher, feeds)
    async with beats(redis_url) as told:
        client.replicaof("127.0.0.1", 1)
        try:
            await told.until("redis read-only")
        finally:
            client.replicaof("NO", "ONE")
        await told.until(None)
    await settled(watcher, feeds)

    assert_nothing_lost_or_twice(client, feeds)
    assert not task.done()


async def test_functions_lost_in_the_middle_are_told_and_waited_for(
    redis_url: str, client: redis.Redis, feeds: list[Feed], watcher: Watcher, start: Start
) -> None:
    task = start()
    await opened(watcher, feeds)
    async with beats(redis_url) as told:
        client.function_flush()
        heads = await told.until("redis has no server functions")
        client.function_load(FUNCTIONS.read_text(encoding="utf-8"))
        assert (await told.until(None))[NAME] > heads[NAME] > 0
    await settled(watcher, feeds)

    assert_nothing_lost_or_twice(client, feeds)
    assert not task.done()


async def test_after_trouble_no_book_is_live_before_its_ingest_has_rung(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, start: Start
) -> None:
    start()
    await opened(watcher, feeds)
    for feed in feeds:
        feed.alive = False
        client.set(keys.lease(feed.venue, shard_of(NAME)), "feed", px=3000)  # as if renewed just before the trouble
    before = published(client)[-1].epoch
    client.client_kill_filter(_type="normal", skipme=True)
    first = await watcher.until(lambda one: one.epoch > before and one.kind is Kind.KEY)
    assert State.LIVE not in [line.state for line in first.venues]
    for feed in feeds:
        feed.alive = True
    await settled(watcher, feeds)


async def test_a_server_that_hung_is_gone_on_with(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    task = start()
    await opened(watcher, feeds)
    pid = int(client.info("server")["process_id"])
    for feed in feeds:
        feed.alive = False  # their client would block the event loop
    os.kill(pid, signal.SIGSTOP)
    try:
        await eventually(lambda: "no answer in time" in caplog.text)
    finally:
        os.kill(pid, signal.SIGCONT)
    for feed in feeds:
        feed.alive = True
    await settled(watcher, feeds)

    assert_nothing_lost_or_twice(client, feeds)
    assert not task.done()


async def test_an_emptied_server_is_gone_on_with_above_every_sequence(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, start: Start
) -> None:
    task = start()
    await opened(watcher, feeds)
    before = watcher.last
    client.flushall()
    await opened(watcher, feeds)
    await watcher.drain()

    records = [decode_publication(record) for record in watcher.records]
    assert before is not None
    assert [one.seq for one in records] == sorted({one.seq for one in records})
    for feed in feeds:
        assert watcher.view(feed.venue) == (feed.bids, feed.asks)
    assert not task.done()


async def test_a_stream_that_ends_before_the_cursor_waits_for_its_next_snapshot(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, start: Start
) -> None:
    """As after a failover to a replica that was behind."""
    task = start()
    for feed in feeds:
        feed.open()
        feed.walk(random.Random(2), 20)
    await settled(watcher, feeds)
    kept: Any = client.xrange(feeds[0].key)
    client.delete(feeds[0].key)
    for identity, fields in kept[:5]:
        client.xadd(feeds[0].key, fields, id=identity)
    clients: Any = client.client_list()
    for one in clients:
        if one["name"].startswith("thalweg-aggregator"):
            client.client_kill_filter(_id=one["id"])
    await watcher.until(lambda one: one.venues[0].state != "live")
    feeds[0].open()
    await settled(watcher, feeds)

    assert watcher.view(feeds[0].venue) == (feeds[0].bids, feeds[0].asks)
    assert not task.done()
