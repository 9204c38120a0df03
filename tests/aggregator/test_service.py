"""The aggregator on a real server: what goes in comes out once."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest
import redis

from aggregator import bells
from aggregator.shard import service as shard
from tests.aggregator.checks import assert_nothing_lost_or_twice, opened, published, read_report, settled
from tests.aggregator.conftest import Start, stop
from tests.aggregator.entries import a_status
from tests.aggregator.feed import NAME, PATIENCE_S, Feed, Watcher, covers, line_of
from tests.looking import eventually
from thalweg import keys
from thalweg.events import State
from thalweg.ladder import Quote
from thalweg.publication import Kind
from thalweg.settings import Settings

pytestmark = pytest.mark.anyio


async def test_entries_become_publications_in_out_and_on_book_alike(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, start: Start
) -> None:
    start()
    for feed in feeds:
        feed.open()
        feed.change([(100, 7)], [(101, 0)])
    await settled(watcher, feeds)

    entries: Any = client.xrange(keys.out(NAME))
    assert [entry[b"r"] for _, entry in entries][: len(watcher.records)] == watcher.records
    assert watcher.view("binance") == watcher.view("kraken") == ({100: 7, 99: 2}, {102: 4})
    assert watcher.last is not None
    assert watcher.last.quote == Quote(100, 14, 102, 8)
    assert_nothing_lost_or_twice(client, feeds)


async def test_the_first_record_opens_and_the_second_is_a_key_record(
    client: redis.Redis, watcher: Watcher, start: Start
) -> None:
    start()
    await watcher.until(lambda one: one.kind is Kind.KEY)

    assert [(one.seq, one.kind) for one in published(client)[:2]] == [(1, Kind.OPEN), (2, Kind.KEY)]


async def test_what_was_there_before_the_first_start_is_read_from_the_beginning(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, settings: Settings, start: Start
) -> None:
    for feed in feeds:
        feed.open()
        feed.walk(random.Random(1), 600)
    task = start()
    await settled(watcher, feeds)
    await stop(task)

    assert_nothing_lost_or_twice(client, feeds)
    report = read_report(settings)
    assert (report["read"], report["lapped"], report["lag"]) == (sum(feed.appended for feed in feeds), 0, 0)


async def test_a_stop_drains_what_no_bell_told_of(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, settings: Settings, start: Start
) -> None:
    task = start()
    await opened(watcher, feeds)
    for feed in feeds:
        feed.trade(ring=False)
    await stop(task)

    assert_nothing_lost_or_twice(client, feeds)
    report = read_report(settings)
    assert (report["lag"], report["pending"], report["read"]) == (0, 0, sum(feed.appended for feed in feeds))
    assert json.loads(client.get(keys.checkpoint(NAME)) or b"")["seq"] == len(published(client)) == report["published"]


async def test_a_writer_that_goes_on_does_not_keep_a_stop(
    client: redis.Redis,
    feeds: list[Feed],
    watcher: Watcher,
    settings: Settings,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shard, "DRAIN_NS", 0)
    task = start()
    await opened(watcher, feeds)
    for _ in range(7):
        feeds[0].trade(ring=False)
    await stop(task)

    report = read_report(settings)
    assert (report["read"] + report["lag"], report["pending"]) == (sum(feed.appended for feed in feeds), 0)


async def test_a_silent_ingest_leaves_the_ladder_and_comes_back_by_ringing(
    feeds: list[Feed], watcher: Watcher, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bells, "SILENT_NS", 300_000_000)
    start()
    await opened(watcher, feeds)
    for feed in feeds:
        feed.alive = False
    silent = await watcher.until(lambda one: all(line.state is State.STALE for line in one.venues))
    feeds[0].ring()
    back = await watcher.until(lambda one: line_of(one, "binance") == (State.LIVE, ""))

    assert silent.quote == Quote()
    assert back.quote == Quote(100, 1, 101, 3)


async def test_a_state_is_published_when_it_changes(feeds: list[Feed], watcher: Watcher, start: Start) -> None:
    start()
    await opened(watcher, feeds)
    feeds[1].append(a_status(State.STALE, "gap"))

    one = await watcher.until(covers(feeds[1]))
    assert line_of(one, "kraken") == (State.STALE, "gap")
    assert one.quote == Quote(100, 1, 101, 3)


@pytest.mark.usefixtures("client")
async def test_the_heartbeat_tells_epoch_and_heads(redis_url: str, watcher: Watcher, start: Start) -> None:
    async with redis.asyncio.Redis.from_url(redis_url) as client, client.pubsub() as pubsub:
        await pubsub.subscribe(keys.HEARTBEAT)
        start()
        one = await watcher.until(lambda one: one.kind is Kind.KEY)
        async with asyncio.timeout(PATIENCE_S):
            beat: dict[str, Any] = {}
            while not beat.get("heads"):
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
                beat = json.loads(message["data"]) if message else {}

    assert beat["epoch"] == one.epoch
    assert beat["heads"][NAME] >= one.seq
    assert beat["trouble"] is None


async def test_the_latency_of_every_hop_is_published(client: redis.Redis, feeds: list[Feed], start: Start) -> None:
    def hops() -> dict[str, Any]:
        feeds[0].change([(100, 5)], [])
        text: Any = client.get(keys.latency("aggregator"))
        found: dict[str, Any] = json.loads(text)["hops"] if text else {}
        return found

    start()
    feeds[0].open()
    await eventually(lambda: set(hops()) == {"stream", "apply", "merge", "publish", "loop"})

    assert all(hop["count"] > 0 for hop in hops().values())
