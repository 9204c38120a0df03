"""Several aggregators on a real server: each instrument has one owner at a time, and nothing is lost or repeated.

Leases are short here, so that deaths are noticed within a fraction of a second. A cancelled `run` is a killed process:
nothing is drained, released or said.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable

import pytest
import redis

from aggregator import service, sink
from aggregator.service import Aggregator
from tests.aggregator.checks import assert_nothing_lost_or_twice, published, settled
from tests.aggregator.conftest import Start, stop
from tests.aggregator.feed import NAME, Feed, Watcher
from tests.looking import eventually
from thalweg import keys, lease
from thalweg.clock import SystemClock
from thalweg.instruments import shard_of
from thalweg.publication import Kind, decode_publication
from thalweg.settings import Settings

pytestmark = pytest.mark.anyio

SHARD = shard_of(NAME)
LEASE = keys.lease(keys.OUT, SHARD)
Member = tuple[Aggregator, "asyncio.Task[None]"]
Join = Callable[[], Member]


@pytest.fixture(autouse=True)
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BEAT_S", 0.04)
    monkeypatch.setattr(sink, "TTL_S", 0.3)
    monkeypatch.setattr(lease, "PATIENCE_NS", 80_000_000)
    monkeypatch.setattr(lease, "COLD_NS", 120_000_000)
    monkeypatch.setattr(lease, "STABLE_NS", 200_000_000)


@pytest.fixture
async def join(settings: Settings) -> AsyncIterator[Join]:
    """Start members that are killed at the end."""
    members: list[Member] = []

    def begin() -> Member:
        one = Aggregator(settings, SystemClock())
        members.append((one, asyncio.ensure_future(one.run())))
        return members[-1]

    yield begin
    for _, task in members:
        await kill(task)


async def kill(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def owner(client: redis.Redis) -> str:
    held = client.get(LEASE)
    return held.decode() if isinstance(held, bytes) else ""


@pytest.mark.parametrize("seed", range(3))
async def test_owners_killed_at_any_moment_lose_and_repeat_nothing(
    seed: int, client: redis.Redis, feeds: list[Feed], watcher: Watcher, join: Join
) -> None:
    rng = random.Random(seed)
    for feed in feeds:
        feed.open()
    members = {one.me: task for one, task in (join(), join())}
    for _ in range(3):
        await settled(watcher, feeds)
        for feed in feeds:
            feed.walk(rng, rng.randrange(1, 60))
        await asyncio.sleep(rng.random() * 0.02)
        dead = owner(client)
        await kill(members.pop(dead))
        for feed in feeds:
            feed.walk(rng, rng.randrange(1, 60))
        one, task = join()
        members[one.me] = task
    await settled(watcher, feeds)

    assert_nothing_lost_or_twice(client, feeds)
    for feed in feeds:
        assert watcher.view(feed.venue) == (feed.bids, feed.asks)


async def test_a_member_of_better_rank_takes_over_and_the_other_goes_on_living(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, join: Join
) -> None:
    for feed in feeds:
        feed.open()
    members = [join()]
    await settled(watcher, feeds)
    while lease.rank(keys.OUT, SHARD, frozenset(one.me for one, _ in members))[0] != members[-1][0].me:
        members.append(join())
    if len(members) == 1:
        members.append(join())
    best = lease.rank(keys.OUT, SHARD, frozenset(one.me for one, _ in members))[0]
    await eventually(lambda: owner(client) == best)
    await settled(watcher, feeds)

    assert_nothing_lost_or_twice(client, feeds)
    assert not any(task.done() for _, task in members)


async def test_one_that_was_stopped_for_longer_than_its_lease_is_fenced_and_stands_by(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    for feed in feeds:
        feed.open()
    first, task = join()
    await settled(watcher, feeds)
    mute = asyncio.Event()  # its beats stop, its shards do not know
    monkeypatch.setattr(first, "_beat", mute.wait)
    await eventually(lambda: owner(client) == "")
    second, _ = join()
    await eventually(lambda: owner(client) == second.me)
    await settled(watcher, feeds)
    await eventually(lambda: first.shards[SHARD].duty.role is not lease.Role.OWNER)

    assert_nothing_lost_or_twice(client, feeds)
    assert not task.done()


async def test_a_standby_is_warm_and_takes_over_where_the_owner_died(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, join: Join
) -> None:
    for feed in feeds:
        feed.open()
        feed.walk(random.Random(4), 300)
    (one, task), (two, other) = join(), join()
    await settled(watcher, feeds)
    tasks = {one.me: (task, two), two.me: (other, one)}
    await eventually(lambda: owner(client) in tasks and tasks[owner(client)][1].shards[SHARD].warm)
    owning, heir = tasks[owner(client)]
    await kill(owning)
    await settled(watcher, feeds)

    assert owner(client) == heir.me
    assert_nothing_lost_or_twice(client, feeds)
    for feed in feeds:
        assert watcher.view(feed.venue) == (feed.bids, feed.asks)


async def test_a_stop_hands_over_at_once(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, start: Start, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    for feed in feeds:
        feed.open()
    first = start()
    await settled(watcher, feeds)
    monkeypatch.setattr(sink, "TTL_S", 60.0)  # nobody waits for a lease to end
    second, _ = join()
    await eventually(lambda: client.zcard(keys.workers(keys.OUT, SHARD)) == 2)
    await stop(first)
    await eventually(lambda: owner(client) == second.me)
    await settled(watcher, feeds)

    assert_nothing_lost_or_twice(client, feeds)


@pytest.mark.parametrize("garbage", [b"\xff", b"{}", b'{"v":1,"seq":-1,"epoch":"x","cursors":{},"snapshots":{}}'])
@pytest.mark.parametrize("both", [False, True])
async def test_a_checkpoint_that_cannot_be_read_costs_nothing(
    garbage: bytes, both: bool, client: redis.Redis, feeds: list[Feed], watcher: Watcher, join: Join
) -> None:
    for feed in feeds:
        feed.open()
    _, task = join()
    await settled(watcher, feeds)
    await kill(task)
    client.set(keys.checkpoint(NAME), garbage)
    if both:
        client.set(keys.previous_checkpoint(NAME), garbage)
    for feed in feeds:
        feed.walk(random.Random(5), 20)
    join()
    await settled(watcher, feeds)

    assert_nothing_lost_or_twice(client, feeds)
    assert [one.kind for one in published(client)].count(Kind.OPEN) == 2


async def test_a_publication_that_cannot_be_read_is_passed_over(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, join: Join
) -> None:
    for feed in feeds:
        feed.open()
    _, task = join()
    await settled(watcher, feeds)
    await kill(task)
    client.delete(keys.checkpoint(NAME), keys.previous_checkpoint(NAME))
    last = published(client)[-1]
    client.xadd(keys.out(NAME), {"r": b"garbage"}, id=f"{last.epoch}-{last.seq + 1}")
    join()
    await settled(watcher, feeds)

    assert watcher.last is not None
    assert watcher.last.seq > last.seq + 1


async def test_an_epoch_counter_that_was_lost_does_not_lock_the_owner_out(
    client: redis.Redis, feeds: list[Feed], watcher: Watcher, join: Join
) -> None:
    ahead = 99_999_999_999_999  # as if the clock had been there once
    client.set(keys.epoch(keys.OUT, SHARD), ahead)
    _, task = join()
    await watcher.until(lambda one: one.kind is Kind.KEY)
    await kill(task)
    client.delete(keys.epoch(keys.OUT, SHARD), LEASE)
    for feed in feeds:
        feed.open()
    join()
    await settled(watcher, feeds)

    assert_nothing_lost_or_twice(client, feeds)
    assert watcher.last is not None
    assert watcher.last.epoch > ahead


@pytest.mark.parametrize("dead", [False, True])
async def test_a_server_that_lost_all_has_no_sequence_used_twice_whoever_opens_it(
    dead: bool, client: redis.Redis, feeds: list[Feed], watcher: Watcher, join: Join
) -> None:
    for feed in feeds:
        feed.open()
    members = {one.me: task for one, task in (join(), join())}
    for _ in range(20):
        await settled(watcher, feeds)
    assert watcher.last is not None
    before = watcher.last.epoch
    if dead:
        await kill(members[owner(client)])
    client.flushall()
    for feed in feeds:
        feed.open()
    await watcher.until(lambda one: one.epoch > before)
    await settled(watcher, feeds)
    await watcher.drain()

    sequences = [decode_publication(record).seq for record in watcher.records]
    assert sequences == sorted(set(sequences))
