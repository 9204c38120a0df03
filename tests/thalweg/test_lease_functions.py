"""Leases and budgets on a real server: who gets what, and that it works when memory is full."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

import thalweg
from thalweg import keys

TTL = 3000
VENUE = "binance"
LEASE, EPOCH, WORKERS, BUDGET = (
    keys.lease(VENUE, 0), keys.epoch(VENUE, 0), keys.workers(VENUE, 0), keys.budget(VENUE, "local")
)  # fmt: skip
HELD = pytest.raises(redis.ResponseError, match="HELD")


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        client.function_load(Path(thalweg.__file__).with_name("functions.lua").read_text(encoding="utf-8"))
        yield client


def call(server: redis.Redis, name: str, names: list[str], *args: str | bytes | int) -> Any:
    return server.fcall(f"thalweg_{name}", len(names), *names, *args)


def acquire(server: redis.Redis, owner: str, expected: str = "", floor: int = 0) -> Any:
    return call(server, "acquire", [LEASE, EPOCH], owner, TTL, expected, floor)


def beat(server: redis.Redis, owner: str, *, leaving: bool = False, shards: int = 2) -> Any:
    leases = [keys.lease(VENUE, shard) for shard in range(shards)]
    return call(server, "beat", [WORKERS, *leases], owner, TTL, int(leaving))


@contextmanager
def full(server: redis.Redis) -> Iterator[None]:
    found: Any = server.config_get("maxmemory")
    server.config_set("maxmemory", 1)
    try:
        yield
    finally:
        server.config_set("maxmemory", found["maxmemory"])


def test_an_epoch_is_the_server_time_and_above_the_last(server: redis.Redis) -> None:
    before = time.time_ns() // 1_000_000
    first, second = acquire(server, "a"), acquire(server, "a")

    assert before - 1000 < first < second < before + 60_000


def test_an_epoch_is_above_the_last_and_the_floor_also_when_the_clock_is_behind(server: redis.Redis) -> None:
    server.set(EPOCH, "99999999999999")

    assert acquire(server, "a") == 100_000_000_000_000
    assert acquire(server, "a", floor=200_000_000_000_000) == 200_000_000_000_001
    assert server.get(EPOCH) == b"200000000000001"


def test_a_held_lease_is_given_to_nobody_else(server: redis.Redis) -> None:
    acquire(server, "a")
    epoch = server.get(EPOCH)

    with HELD:
        acquire(server, "b")
    with HELD:
        acquire(server, "b", expected="c")
    assert (server.get(LEASE), server.get(EPOCH)) == (b"a", epoch)


def test_a_live_shard_is_taken_from_the_owner_that_is_named(server: redis.Redis) -> None:
    first = acquire(server, "a")

    assert acquire(server, "b", expected="a") > first
    assert server.get(LEASE) == b"b"


def test_a_lease_runs_out(server: redis.Redis) -> None:
    acquire(server, "a")
    server.pexpire(LEASE, 1)
    while server.exists(LEASE):
        pass

    assert acquire(server, "b") > 0


def test_a_beat_tells_who_lives_and_who_owns_and_renews_what_is_mine(server: redis.Redis) -> None:
    acquire(server, "a")
    server.pexpire(LEASE, 500)
    beat(server, "b")

    members, owners, left = beat(server, "a")

    assert (sorted(members), owners) == ([b"a", b"b"], [b"a", b""])
    assert left[0] > TTL - 100
    assert left[1] == -2


def test_a_beat_renews_no_lease_of_another(server: redis.Redis) -> None:
    acquire(server, "a")
    server.pexpire(LEASE, 500)

    _, owners, left = beat(server, "b")
    assert owners[0] == b"a"
    assert left[0] <= 500


def test_who_leaves_is_no_member_but_keeps_its_lease(server: redis.Redis) -> None:
    acquire(server, "a")
    beat(server, "a")

    members, owners, left = beat(server, "a", leaving=True)
    assert (members, owners[0]) == ([], b"a")
    assert left[0] > TTL - 100


def test_who_is_silent_or_ahead_of_the_clock_is_no_member(server: redis.Redis) -> None:
    now = time.time_ns() // 1_000_000
    server.zadd(WORKERS, {"silent": now - TTL - 1, "ahead": now + 10 * TTL})

    assert beat(server, "a")[0] == [b"a"]


def test_a_lease_is_released_by_its_owner_alone(server: redis.Redis) -> None:
    acquire(server, "a")

    assert call(server, "release", [LEASE], "b") == 0
    assert call(server, "release", [LEASE], "a") == 1
    assert acquire(server, "b") > 0


def test_leases_are_kept_taken_and_told_when_memory_is_full(server: redis.Redis) -> None:
    acquire(server, "a")
    with full(server):
        assert beat(server, "a")[1][0] == b"a"
        assert acquire(server, "b", expected="a") > 0
        assert call(server, "status", [keys.status("BTC-USDT", VENUE)], 7, "state", "stale") == 1
        assert call(server, "spend", [BUDGET], 1, 10, 1000) == 0


def test_a_budget_is_spent_up_to_its_limit_and_comes_back_with_time(server: redis.Redis) -> None:
    window = 60_000
    assert [call(server, "spend", [BUDGET], 40, 100, window) for _ in range(2)] == [0, 0]

    wait = call(server, "spend", [BUDGET], 40, 100, window)
    assert 11_000 < wait <= 12_000  # 20 of 100 are left, and the missing 20 come back in a fifth of the window
    server.hset(BUDGET, "at", int(server.time()[0]) * 1000 - 13_000)
    assert call(server, "spend", [BUDGET], 40, 100, window) == 0


def test_what_no_budget_could_pay_is_refused(server: redis.Redis) -> None:
    with pytest.raises(redis.ResponseError, match="above the limit"):
        call(server, "spend", [BUDGET], 101, 100, 1000)


def test_nobody_spends_during_a_ban_and_a_shorter_one_does_not_end_it(server: redis.Redis) -> None:
    call(server, "ban", [BUDGET], 60_000)
    call(server, "ban", [BUDGET], 10)

    assert 59_000 < call(server, "spend", [BUDGET], 1, 100, 1000) <= 60_000
