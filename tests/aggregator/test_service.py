"""The aggregator on a real server: what goes in comes out once, whatever happens to it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from aggregator import bells, service
from tests.aggregator.conftest import FUNCTIONS, Start, stop
from tests.aggregator.entries import a_status
from tests.aggregator.feed import NAME, PATIENCE_S, Feed, Watcher, covers, line_of
from thalweg import keys
from thalweg.errors import Fenced, RedisTrouble
from thalweg.events import State
from thalweg.ladder import Quote
from thalweg.publication import Kind, Publication, decode_publication
from thalweg.settings import Settings
from thalweg.transport import TIMEOUT_S, RedisLink, Reply

pytestmark = pytest.mark.anyio
STREAMS = {venue: index for index, venue in enumerate(("binance", "kraken"))}


def published(client: redis.Redis) -> list[Publication]:
    """What `out:` holds."""
    entries: Any = client.xrange(keys.out(NAME))
    return [decode_publication(entry[b"r"]) for _, entry in entries]


def assert_nothing_lost_or_twice(client: redis.Redis, feeds: list[Feed]) -> None:
    """Sequence dense, every entry in exactly one run, every trade once and in order."""
    records = published(client)
    assert [one.seq for one in records] == list(range(1, len(records) + 1))
    for feed in feeds:
        index = STREAMS[feed.venue]
        runs = [row[1:] for one in records for row in one.runs.tolist() if row[0] == index]
        covered = [(epoch, n) for epoch, first, last in runs for n in range(first, last + 1)]
        entries: Any = client.xrange(feed.key)
        assert [b"%d-%d" % number for number in covered] == [identity for identity, _ in entries]
        assert [trade.id for one in records for trade in one.trades if trade.venue == index] == feed.trades


def read_report(settings: Settings) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(Path(str(settings.report)).read_text())
    skipped = sum(report["skipped"].values())
    assert report["read"] == report["applied"] + skipped + report["unreadable"]
    assert report["read"] == report["covered"] + report["pending"]
    return report


async def settled(watcher: Watcher, feeds: list[Feed]) -> None:
    """Wait until every feed's book is published live and its last entry is covered."""
    marks = [covers(feed) for feed in feeds]
    done = [False for _ in feeds]

    def all_there(one: Publication) -> bool:
        for at, mark in enumerate(marks):
            done[at] = done[at] or mark(one)
        return all(done) and all(line.state is State.LIVE for line in one.venues)

    for feed in feeds:
        feed.trade()
    await watcher.until(all_there)


async def eventually(true: Callable[[], bool]) -> None:
    """Look again and again at what can't be awaited."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


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


async def test_a_stop_drains_what_no_bell_told_of(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, settings: Settings, start: Start
) -> None:
    task = start()
    for feed in feeds:
        feed.open()
    await settled(watcher, feeds)
    for feed in feeds:
        feed.trade(ring=False)
    await stop(task)

    assert_nothing_lost_or_twice(client, feeds)
    report = read_report(settings)
    assert (report["lag"], report["pending"], report["read"]) == (0, 0, sum(feed.appended for feed in feeds))
    assert json.loads(client.get(keys.checkpoint(NAME)) or b"")["seq"] == len(published(client)) == report["published"]


async def test_a_restart_goes_on_where_the_last_one_stopped(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, settings: Settings, start: Start
) -> None:
    first = start()
    for feed in feeds:
        feed.open()
    await settled(watcher, feeds)
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
    monkeypatch.setattr(service, "BACKOFF_S", (0.001, 0.002))
    rng = random.Random(seed)
    task = start()
    for feed in feeds:
        feed.open()
    await settled(watcher, feeds)
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
    monkeypatch.setattr(service, "RedisLink", UnsureLink)
    monkeypatch.setattr(service, "BACKOFF_S", (0.001, 0.002))
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
    for feed in feeds:
        feed.open()
    await settled(watcher, feeds)
    before = len(published(client))
    cut(client)
    client.flushall()
    for feed in feeds:
        feed.open()
    await settled(watcher, feeds)

    first = published(client)[0]
    assert (first.kind, first.seq > before) == (Kind.OPEN, True)
    for feed in feeds:
        assert watcher.view(feed.venue) == (feed.bids, feed.asks)


async def test_a_second_aggregator_takes_over_and_the_first_ends(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, start: Start
) -> None:
    first = start()
    for feed in feeds:
        feed.open()
    await settled(watcher, feeds)
    start()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(ExceptionGroup) as caught:
            await first
    await settled(watcher, feeds)

    assert caught.group_contains(Fenced, match="another aggregator took over")
    assert_nothing_lost_or_twice(client, feeds)


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


async def test_a_silent_ingest_leaves_the_ladder_and_comes_back_by_ringing(
    feeds: list[Feed], watcher: Watcher, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bells, "SILENT_NS", 300_000_000)
    start()
    for feed in feeds:
        feed.open()
    await settled(watcher, feeds)
    for feed in feeds:
        feed.alive = False
    silent = await watcher.until(lambda one: all(line.state is State.STALE for line in one.venues))
    feeds[0].ring()
    back = await watcher.until(lambda one: line_of(one, "binance") == (State.LIVE, ""))

    assert silent.quote == Quote()
    assert back.quote == Quote(100, 1, 101, 3)


async def test_a_state_is_published_when_it_changes(feeds: list[Feed], watcher: Watcher, start: Start) -> None:
    start()
    for feed in feeds:
        feed.open()
    await settled(watcher, feeds)
    feeds[1].append(a_status(State.STALE, "gap"))

    one = await watcher.until(covers(feeds[1]))
    assert line_of(one, "kraken") == (State.STALE, "gap")
    assert one.quote == Quote(100, 1, 101, 3)


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
    await eventually(lambda: set(hops()) == {"stream", "apply", "merge", "publish"})

    assert all(hop["count"] > 0 for hop in hops().values())
