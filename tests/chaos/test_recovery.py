from __future__ import annotations

import random

import pytest

from tests.chaos.nemesis import KINDS, deck
from tests.chaos.recovery import BOUNDS, Outcome, beyond, first_told, last_back, stale_for, table
from tests.chaos.soak import slope
from thalweg.events import State

BTC, ETH = ("kraken", "BTC-USDT"), ("kraken", "ETH-USDT")
CHANGES = [
    (9.0, BTC, State.STALE),
    (9.5, BTC, State.LIVE),
    (11.0, BTC, State.STALE),
    (11.2, BTC, State.SYNCING),
    (11.5, ETH, State.STALE),
    (12.0, BTC, State.LIVE),
]
TOLD = [
    (9.0, "kraken", "ETH-USDT", "stale"),
    (11.1, *BTC, "stale"),
    (11.2, "sys", "redis", "down"),
    (13.0, *BTC, "live"),
]


def test_a_book_is_away_from_the_first_state_that_is_not_live_to_the_next_that_is() -> None:
    assert stale_for(CHANGES, BTC, 10.0, 20.0) == pytest.approx(1.0)
    assert stale_for(CHANGES, ETH, 10.0, 20.0) == pytest.approx(8.5)
    assert stale_for(CHANGES, BTC, 13.0, 20.0) == 0.0


def test_users_are_told_by_the_book_or_by_what_all_books_need() -> None:
    assert first_told(TOLD, [BTC], 10.0) == pytest.approx(1.1)
    assert first_told(TOLD, [ETH], 10.0) == pytest.approx(1.2)
    assert first_told(TOLD, [ETH], 11.5) is None


def test_all_is_back_with_the_last_that_comes_back() -> None:
    assert last_back(CHANGES, TOLD, [(13.5, BTC)], [BTC], 10.0) == 13.5
    assert last_back(CHANGES, TOLD, [], [BTC], 10.0) == 13.0
    assert last_back(CHANGES, TOLD, [], [ETH], 10.0) is None


def test_what_takes_too_long_or_is_never_told_is_beyond_its_bound() -> None:
    rows = table([Outcome("x", "redis hang told", "", 0.0, told=seconds) for seconds in (0.5, 1.5, None)])
    assert rows["redis hang told"] == {"n": 2, "p50": 1.5, "max": 1.5, "bound": 1.0, "never": 1}
    assert len(beyond(rows)) == 2


def test_every_bound_has_a_kind_and_there_are_enough_kinds() -> None:
    assert {kind.measured for kind in KINDS if kind.measured} == set(BOUNDS)
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 45


def test_a_seed_makes_the_same_schedule_and_another_another() -> None:
    def first(seed: int) -> list[str]:
        kinds = deck(list(KINDS), random.Random(seed), 1, 3)
        return [next(kinds).name for _ in range(50)]

    assert first(1) == first(1) != first(2)
    assert len(set(first(1))) > 30


def test_a_slope_is_what_is_gained_per_unit() -> None:
    assert slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) == pytest.approx(2.0)
    assert slope([(0.0, 1.0)]) == 0.0
