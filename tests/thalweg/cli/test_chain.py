"""The venue's own order: lost, repeated and reordered changes and trades of a numbered book are all found."""

from __future__ import annotations

import random

import pytest

from tests.thalweg.test_followed import OPEN, delta, snapshot
from thalweg.cli.chain import Chain
from thalweg.events import Delta, Event, Open, Taker, Trade
from thalweg.fixed import NO_LEVELS

VENUE, NAME = "binance", "BTC-USDT"
BY_CONNECTION = Open(VENUE, NAME, 8, 8, None, "connection", None, 1)


def spanning(first: int | None, last: int) -> Delta:
    return Delta(VENUE, NAME, NO_LEVELS, NO_LEVELS, first, last, 9, 10)


def trade(name: str, ts_event: int = 1) -> Trade:
    return Trade(VENUE, NAME, 100, 5, Taker.BUY, name, ts_event, 6)


def wrongs(*events: Event) -> list[str]:
    chain = Chain()
    return [wrong for event in events if (wrong := chain.take(event, followed=True))]


@pytest.mark.parametrize(
    "changes",
    [
        [spanning(11, 12), spanning(13, 13), spanning(14, 20)],
        [spanning(5, 12), spanning(13, 13)],  # spliced to a snapshot inside
        [spanning(None, 11), spanning(None, 12)],
    ],
)
def test_changes_that_go_on_are_right(changes: list[Event]) -> None:
    assert wrongs(OPEN, snapshot(last=10), *changes) == []


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ([spanning(12, 12)], "jumps from 10 to 12, unmarked"),
        ([spanning(None, 12)], "jumps from 10 to 12, unmarked"),
        ([spanning(11, 11), spanning(13, 13)], "jumps from 11 to 13, unmarked"),
        ([spanning(11, 11), spanning(11, 11)], "tells change 11 again; the book was at 11"),
        ([spanning(9, 10)], "tells change 10 again; the book was at 10"),
        ([spanning(11, 12), spanning(12, 13)], "tells changes 12 to 12 again"),
    ],
)
def test_changes_that_do_not_are_found(changes: list[Event], wrong: str) -> None:
    assert wrongs(OPEN, snapshot(last=10), *changes) == [wrong]


def test_a_snapshot_begins_anew() -> None:
    assert wrongs(OPEN, snapshot(last=10), spanning(11, 11), snapshot(last=40), spanning(41, 41)) == []


def test_where_numbers_are_the_connections_nothing_can_be_said() -> None:
    assert wrongs(BY_CONNECTION, snapshot(last=10), spanning(None, 40), spanning(None, 40)) == []


def test_a_book_that_is_not_followed_is_not_judged() -> None:
    chain = Chain()
    chain.take(OPEN, followed=False)
    assert chain.take(spanning(40, 40), followed=False) is None
    assert chain.take(spanning(50, 50), followed=True) is None


def test_a_trade_that_is_told_again_is_found_and_a_number_that_comes_round_is_not() -> None:
    assert wrongs(OPEN, trade("7"), trade("8"), trade("7")) == ["tells trade '7' again"]
    assert wrongs(OPEN, trade("7"), trade("7", ts_event=99)) == []


@pytest.mark.parametrize("seed", range(20))
def test_one_change_left_out_repeated_or_swapped_is_always_found(seed: int) -> None:
    rng = random.Random(seed)
    changes = [delta(98, 1, last=number) for number in range(11, 61)]
    at, fault = rng.randrange(1, 48), rng.choice(("drop", "repeat", "swap"))
    if fault == "drop":
        del changes[at]
    elif fault == "repeat":
        changes.insert(at, changes[at])
    else:
        changes[at], changes[at + 1] = changes[at + 1], changes[at]
    assert wrongs(OPEN, snapshot(last=10), *changes)
