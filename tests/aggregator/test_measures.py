"""What an aggregator tells of itself, and when it says that it does not get on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aggregator.counters import Counters
from aggregator.measures import Health, measures
from thalweg.lease import Duty, Role

SECOND = 1_000_000_000


def shard(sweeps: int, role: Role = Role.OWNER, *names: str) -> Any:
    counts = Counters(read=10, lapped=2, applied=7, open=1, status=2)
    ladders = {
        name: SimpleNamespace(counts=lambda: counts, published=4, pending=1, instrument=SimpleNamespace(name=name))
        for name in names
    }
    return SimpleNamespace(sweeps=sweeps, owning=role is Role.OWNER, duty=Duty(role), standing=ladders)


def test_counters_are_summed_over_shards_and_publications_told_by_instrument() -> None:
    shards = {0: shard(3, Role.OWNER, "BTC-USDT", "ETH-USDT"), 1: shard(4, Role.IDLE, "SOL-USDT")}
    found = {(one.name, *sorted(labels.items())): value for one in measures(shards) for labels, value in one.samples}
    assert found["thalweg_aggregator_read",] == 30
    assert found["thalweg_aggregator_lapped",] == 6
    assert found["thalweg_aggregator_sweeps",] == 7
    assert found["thalweg_aggregator_pending",] == 3
    assert found["thalweg_aggregator_skipped", ("reason", "status")] == 6
    assert found["thalweg_aggregator_published", ("instrument", "SOL-USDT")] == 4
    assert found["thalweg_aggregator_shards", ("role", "owner")] == 1


def test_an_owner_that_does_not_sweep_is_not_well() -> None:
    health = Health()
    for second in (0, 10):
        assert health.look(second, {0: shard(5), 1: shard(5, Role.STANDBY)}, second * SECOND) == []
    said = health.look(11, {0: shard(5), 1: shard(5, Role.STANDBY)}, 11 * SECOND)
    assert said == ["shard 0: no sweep for 11 s"]
    assert health.look(12, {0: shard(6), 1: shard(5, Role.STANDBY)}, 12 * SECOND) == []


def test_an_aggregator_without_beats_is_not_well() -> None:
    health = Health()
    assert health.look(5, {}, 0) == []
    assert health.look(5, {}, 11 * SECOND) == ["no beat for 11 s"]
