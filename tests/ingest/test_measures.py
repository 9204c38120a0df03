"""What a worker tells of itself, and when it says that it does not get on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ingest.measures import Health, measures
from ingest.tally import Tally
from thalweg.events import State
from thalweg.lease import Role

SECOND = 1_000_000_000


def shard(*states: State, owning: bool = True) -> Any:
    tracks = [SimpleNamespace(state=state) for state in states]
    return SimpleNamespace(sink=SimpleNamespace(owning=owning, tracks=tracks), role=Role.OWNER, held=3)


def test_counters_roles_and_states_are_told() -> None:
    tally = Tally(frames=7, gaps=2, deltas=5, checksums_bad=1, skew_ns=-2_000_000)
    tally.ignored.update({"from outside": 3, "and more": 4})
    shards = {0: shard(State.LIVE, State.STALE), 1: shard(State.LIVE, owning=False)}
    found = {
        (one.name, *sorted(labels.items())): value
        for one in measures("kraken", tally, shards)
        for labels, value in one.samples
    }
    kraken = ("venue", "kraken")
    assert found["thalweg_ingest_frames", kraken] == 7
    assert found["thalweg_ingest_gaps", kraken] == 2
    assert found["thalweg_ingest_events", ("kind", "delta"), kraken] == 5
    assert found["thalweg_ingest_checksums", ("result", "bad"), kraken] == 1
    assert found["thalweg_ingest_ignored_frames", kraken] == 7
    assert found["thalweg_venue_clock_skew_seconds", kraken] == -0.002
    assert found["thalweg_ingest_held", kraken] == 6
    assert found["thalweg_ingest_shards", ("role", "owner"), kraken] == 2
    assert found["thalweg_ingest_books", ("state", "live"), kraken] == 1
    assert found["thalweg_ingest_books", ("state", "halted"), kraken] == 0
    assert "outside" not in str(found)


def test_a_worker_that_beats_and_appends_is_well() -> None:
    health, tally = Health(30.0), Tally()
    for second in range(0, 300, 10):
        tally.appended += 1
        assert health.look(second, tally, {0: shard(State.LIVE)}, second * SECOND) == []


def test_a_worker_without_beats_is_not_well() -> None:
    health, tally = Health(30.0), Tally()
    assert health.look(5, tally, {}, 0) == []
    assert health.look(5, tally, {}, 10 * SECOND) == []
    assert health.look(5, tally, {}, 11 * SECOND) == ["no beat for 11 s"]
    assert health.look(6, tally, {}, 12 * SECOND) == []


def test_live_books_without_entries_are_not_well_but_stale_ones_are() -> None:
    for state, owning, wrong in ((State.LIVE, True, 1), (State.STALE, True, 0), (State.LIVE, False, 0)):
        health, tally = Health(30.0), Tally(appended=9)
        looks = [
            health.look(second, tally, {0: shard(state, owning=owning)}, second * SECOND) for second in range(0, 80, 10)
        ]
        assert looks[6] == []
        assert len(looks[7]) == wrong
