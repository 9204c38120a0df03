"""The queue before Redis: what gives way, in which order, and what is told of it."""

from __future__ import annotations

import pytest

import ingest.waiting
from ingest.tally import Tally
from ingest.waiting import Waiting
from tests.ingest.test_ring import delta, trade
from tests.ingest.toy import Desk, live
from thalweg.events import Flag, Made, Snapshot, Status, Trade


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest.waiting, "COUNT_MAX", 20)
    monkeypatch.setattr(ingest.waiting, "WEIGH_EVERY", 4)


def test_what_fits_stays_as_it_came() -> None:
    waiting = Waiting(Tally())
    waiting.put([delta(1), trade(1)], 7)
    waiting.put([delta(2)], 8)
    assert [ts for _, ts in waiting.take()] == [7, 7, 8]
    assert waiting.items == []


def test_deltas_go_first_and_then_the_oldest_trades() -> None:
    tally = Tally()
    waiting = Waiting(tally)
    for k in range(100):
        waiting.put([delta(k), trade(k)], k)
    kept = [int(event.id) for event, _ in waiting.items if isinstance(event, Trade)]
    assert waiting.bridge_due
    assert kept == list(range(100 - len(kept), 100))
    assert len(waiting.items) <= 20
    assert sum(tally.dropped.values()) + len(waiting.items) == 200
    assert tally.dropped["redis_down"] == 100 - len(kept)


def test_bytes_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest.waiting, "BYTES_MAX", 20_000)
    tally = Tally()
    waiting = Waiting(tally)
    for k in range(8):
        waiting.put([delta(k, 400)], k)
    assert waiting.bridge_due
    assert tally.dropped["coalesced"] >= 5


def test_one_flagged_snapshot_stands_for_all_that_was_dropped() -> None:
    desk = live(Desk())
    waiting = Waiting(desk.tally)
    for k in range(2, 40):
        waiting.put([delta(k)], k)
    waiting.put([trade(1)], 50)
    waiting.bridge(desk.session.tracks, 60)
    status, snapshot, last = (event for event, _ in waiting.items)
    assert isinstance(status, Status)
    assert isinstance(snapshot, Snapshot)
    assert isinstance(last, Trade)
    assert snapshot.made is Made.BRIDGE
    assert status.flags == snapshot.flags == Flag.CONFLATED
    assert not desk.session.tracks[0].flags
    assert not waiting.bridge_due
