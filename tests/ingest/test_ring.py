"""What is kept while standing by, against a list that keeps everything."""

from __future__ import annotations

import random

import numpy as np
import pytest

import ingest.ring
from ingest.ring import KEPT_NS, Ring, weight
from ingest.tally import Tally
from thalweg.events import Delta, Event, Made, Snapshot, State, Status, Taker, Trade
from thalweg.fixed import NO_LEVELS

SECOND = 1_000_000_000


def trade(number: int) -> Trade:
    return Trade("toy", "BTC-USDT", 1, 1, Taker.BUY, str(number), None, 1)


def delta(number: int, levels: int = 1) -> Delta:
    return Delta("toy", "BTC-USDT", np.ones((levels, 2), dtype=np.int64), NO_LEVELS, number, number, None, 1)


def whole(made: Made) -> Snapshot:
    return Snapshot("toy", "BTC-USDT", NO_LEVELS, NO_LEVELS, 1, 1, None, 1, made, State.LIVE, 0)


STATUS = Status("toy", "BTC-USDT", State.LIVE, 0, "", 1, 1)


@pytest.mark.parametrize("seed", range(5))
def test_the_newest_are_kept_in_order_and_the_rest_is_counted(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest.ring, "COUNT_MAX", 40)
    monkeypatch.setattr(ingest.ring, "BYTES_MAX", 40_000)
    rng, tally, now = random.Random(seed), Tally(), 100 * SECOND
    ring, told = Ring(tally, books=True), list[tuple[Event, int]]()
    for k in range(300):
        now += rng.choice([0, SECOND // 10, SECOND])
        events = [trade(k) if rng.random() < 0.5 else delta(k, rng.randint(0, 200)) for _ in range(rng.randint(0, 4))]
        some: list[Event] = [*events]
        ring.add(some, now)
        told += [(event, now) for event in events]
        kept = ring.held
        assert tally.dropped["standby"] == len(told) - kept
        if events:
            recent = told[len(told) - kept :]
            assert all(ts >= now - KEPT_NS for _, ts in recent)
            assert kept <= 40
            assert sum(weight(event) for event, _ in recent) <= 40_000
            older = told[len(told) - kept - 1] if kept < len(told) else None
            if older is not None and older[1] >= now - KEPT_NS:
                assert kept == 40 or sum(weight(event) for event, _ in [older, *recent]) > 40_000
        if rng.random() < 0.05:
            assert ring.take() == told[len(told) - kept :]
            told, tally.dropped["standby"] = [], 0


def test_where_books_can_t_go_on_only_trades_are_kept() -> None:
    tally = Tally()
    ring = Ring(tally, books=False)
    ring.add([delta(1), trade(1), whole(Made.VENUE), STATUS, trade(2)], SECOND)
    assert [event.id for event, _ in ring.take() if isinstance(event, Trade)] == ["1", "2"]
    assert tally.dropped["standby"] == 3


def test_snapshots_of_our_own_are_not_kept() -> None:
    tally = Tally()
    ring = Ring(tally, books=True)
    ring.add([whole(Made.PERIODIC), whole(Made.VENUE), whole(Made.BRIDGE)], SECOND)
    assert [event.made for event, _ in ring.take() if isinstance(event, Snapshot)] == [Made.VENUE]
    assert tally.dropped["standby"] == 2


def test_what_is_given_back_is_kept_and_cleared_like_the_rest() -> None:
    tally = Tally()
    ring = Ring(tally, books=True)
    ring.add([trade(1)], SECOND)
    items = ring.take()
    ring.back(items)
    assert ring.held == 1
    ring.clear()
    assert (ring.held, tally.dropped["standby"]) == (0, 1)
