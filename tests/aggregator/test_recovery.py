"""Restarts, cut connections, takeovers and losses on a real server: nothing is lost or repeated unmarked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from aggregator import source
from aggregator.shard import service as shard
from tests.aggregator.checks import assert_nothing_lost_or_twice, opened, published, read_report, settled
from tests.aggregator.conftest import FUNCTIONS, Start, stop
from tests.aggregator.feed import Feed, Watcher, covers, line_of
from tests.looking import eventually
from thalweg.errors import RedisTrouble
from thalweg.events import State
from thalweg.publication import Kind
from thalweg.settings import Settings
from thalweg.transport import TIMEOUT_S, RedisLink, Reply

pytestmark = pytest.mark.anyio


async def test_a_stream_without_its_head_is_joined_at_its_snapshot(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, settings: Settings, start: Start
) -> None:
    feed = feeds[0]
    feed.open()
    feed.change([(100, 8)], [])
    feed.periodic()
    feed.change([(99, 9)], [])
    client.xtrim(feed.key, minid=f"{feed.epoch}-4", approximate=False)
    task = start()
    await watcher.until(covers(feed))
    await stop(task)

    assert watcher.view("binance")[0] == {100: 8, 99: 9}
    assert (read_report(settings)["lapped"], read_report(settings)["read"]) == (0, 2)


async def test_a_restart_goes_on_where_the_last_one_stopped(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, settings: Settings, start: Start
) -> None:
    first = start()
    await opened(watcher, feeds)
    await stop(first)
    for feed in feeds:
        feed.walk(random.Random(2), 30)
    start()
    await settled(watcher, feeds)
    for feed in feeds:
        feed.walk(random.Random(3), 30)
    await settled(watcher, feeds)

    assert_nothing_lost_or_twice(client, feeds)
    for feed in feeds:
        assert watcher.view(feed.venue) == (feed.bids, feed.asks)
    assert [one.kind for one in published(client)].count(Kind.OPEN) == 2


@pytest.mark.parametrize("seed", range(3))
async def test_connections_cut_at_any_moment_lose_and_repeat_nothing(
    seed: int,
    client: redis.Redis,
    feeds: list[Feed],
    watcher: Watcher,
    settings: Settings,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shard, "BACKOFF_S", (0.001, 0.002))
    rng = random.Random(seed)
    task = start()
    await opened(watcher, feeds)
    for _ in range(6):
        for feed in feeds:
            feed.walk(rng, rng.randrange(1, 40))
            await asyncio.sleep(0)
        cut(client)
        for feed in feeds:
            feed.walk(rng, rng.randrange(1, 10))
        await settled(watcher, feeds)
    await stop(task)
    await watcher.drain()

    assert_nothing_lost_or_twice(client, feeds)
    for feed in feeds:
        assert watcher.view(feed.venue) == (feed.bids, feed.asks)
    report = read_report(settings)
    assert (report["read"], report["lapped"]) == (sum(feed.appended for feed in feeds), 0)
    assert report["published"] == len(published(client))


class UnsureLink(RedisLink):
    """Fails now and then: half of the time before the server got the commands, half of the time after."""

    rng = random.Random(0)
    rate = 0.1
    failures = 0

    async def run(self, commands: Sequence[bytes], timeout_s: float = TIMEOUT_S) -> list[Reply]:
        chance = self.rng.random()
        replies = [] if chance < self.rate / 2 else await super().run(commands, timeout_s)
        if chance < self.rate:
            type(self).failures += 1
            await self.close()
            raise RedisTrouble("nobody knows what became of it")
        return replies


async def test_flushes_of_unknown_outcome_lose_and_repeat_nothing(
    client: redis.Redis,
    feeds: list[Feed],
    watcher: Watcher,
    settings: Settings,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shard, "RedisLink", UnsureLink)
    monkeypatch.setattr(shard, "BACKOFF_S", (0.001, 0.002))
    rng = random.Random(7)
    task = start()
    for feed in feeds:
        feed.open()
    for _ in range(30):
        for feed in feeds:
            feed.walk(rng, 3)
        await settled(watcher, feeds)
    monkeypatch.setattr(UnsureLink, "rate", 0)
    await stop(task)
    await watcher.drain()

    assert UnsureLink.failures > 5
    assert_nothing_lost_or_twice(client, feeds)
    report = read_report(settings)
    assert (report["read"], report["lapped"]) == (sum(feed.appended for feed in feeds), 0)
    assert report["published"] == len(published(client))


def cut(client: redis.Redis) -> None:
    """Close the aggregator's connections at the server's end."""
    clients: Any = client.client_list()
    for one in clients:
        if one["name"].startswith("thalweg-aggregator"):
            client.client_kill_filter(_id=one["id"])


async def test_a_server_that_lost_everything_does_not_start_the_sequence_over(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, start: Start
) -> None:
    start()
    await opened(watcher, feeds)
    before = len(published(client))
    cut(client)
    client.flushall()
    await opened(watcher, feeds)

    first = published(client)[0]
    assert (first.kind, first.seq > before) == (Kind.OPEN, True)
    for feed in feeds:
        assert watcher.view(feed.venue) == (feed.bids, feed.asks)


async def test_entries_trimmed_before_they_were_read_are_lapped_until_a_snapshot(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, settings: Settings, start: Start
) -> None:
    feed = feeds[0]
    first = start()
    feed.open()
    await watcher.until(covers(feed))
    await stop(first)
    for _ in range(5):
        feed.change([(100, 5)], [])
    client.xtrim(feed.key, minid=f"{feed.epoch}-{feed.n}", approximate=False)
    second = start()
    await watcher.until(lambda one: line_of(one, "binance") == (State.STALE, "lapped"))
    feed.periodic()
    await watcher.until(lambda one: line_of(one, "binance") == (State.LIVE, ""))
    await stop(second)

    assert watcher.view("binance") == (feed.bids, feed.asks)
    report = read_report(settings)
    assert (report["lapped"], report["skipped"]["not_live"], report["lag"]) == (4, 1, 0)


async def test_functions_that_are_missing_are_waited_for(
    client: redis.Redis, watcher: Watcher, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    client.function_flush()
    task = start()
    await eventually(lambda: "redis-init" in caplog.text)
    client.function_load(FUNCTIONS.read_text(encoding="utf-8"))
    await watcher.until(lambda one: one.kind is Kind.KEY)

    assert not task.done()
    assert caplog.text.count("redis-init") == 1


async def test_a_bell_connection_that_hears_nothing_is_made_anew(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bell_connections() -> set[str]:
        clients: Any = client.client_list()
        return {one["id"] for one in clients if one["name"] == "thalweg-aggregator-bells"}

    monkeypatch.setattr(source, "DEAF_S", 0.02)
    start()
    await watcher.until(lambda one: one.kind is Kind.KEY)
    first = bell_connections()
    await eventually(lambda: bool(bell_connections()) and first.isdisjoint(bell_connections()))
    await opened(watcher, feeds)

    assert [one.kind for one in published(client)].count(Kind.OPEN) == 1
