"""Two aggregators as processes: one is stopped for longer than its lease and goes on, the other is killed."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest
import redis

from tests.aggregator.checks import assert_nothing_lost_or_twice, settled
from tests.aggregator.feed import NAME, VENUES, Feed, Watcher
from tests.looking import eventually
from thalweg import keys
from thalweg.instruments import shard_of

pytestmark = pytest.mark.anyio

LEASE = keys.lease(keys.OUT, shard_of(NAME))


@pytest.fixture
def processes(redis_url: str, client: redis.Redis, tmp_path: Path) -> Iterator[list[Popen[bytes]]]:
    instruments = tmp_path / "instruments.toml"
    instruments.write_text(f'["{NAME}"]\n' + "".join(f'{venue} = "BTC"\n' for venue in VENUES))
    environ = {**os.environ, "REDIS_URL": redis_url, "THALWEG_INSTRUMENTS": str(instruments)}
    started = [Popen([sys.executable, "-m", "aggregator"], env=environ) for _ in range(2)]
    yield started
    for one in started:
        one.kill()
        one.wait(10)


def owner(client: redis.Redis) -> int:
    """The process that has the shard; 0 for none."""
    held = client.get(LEASE)
    return int(held.partition(b"-")[0]) if isinstance(held, bytes) else 0


async def test_a_stopped_owner_is_replaced_and_replaces_its_heir_when_that_is_killed(
    client: redis.Redis, processes: list[Popen[bytes]], feeds: list[Feed], watcher: Watcher
) -> None:
    rng = random.Random(6)
    for feed in feeds:
        feed.open()
    await eventually(lambda: client.zcard(keys.workers(keys.OUT, shard_of(NAME))) == 2)
    await settled(watcher, feeds)
    stopped = owner(client)
    os.kill(stopped, signal.SIGSTOP)
    for feed in feeds:
        feed.walk(rng, 50)
    await eventually(lambda: owner(client) not in (0, stopped))
    heir = owner(client)
    await settled(watcher, feeds)
    os.kill(stopped, signal.SIGCONT)
    await eventually(lambda: client.zcard(keys.workers(keys.OUT, shard_of(NAME))) == 2)
    await settled(watcher, feeds)
    os.kill(heir, signal.SIGKILL)
    for feed in feeds:
        feed.walk(rng, 50)
    await eventually(lambda: owner(client) == stopped)
    await settled(watcher, feeds)

    assert_nothing_lost_or_twice(client, feeds)
    assert [one.pid for one in processes if one.poll() is None] == [stopped]
