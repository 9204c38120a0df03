"""Faults are marked and mended as the publications tell it, and books without a fault are left alone."""

from __future__ import annotations

from typing import Any

import pytest

from thalweg.cli.history import WINDOW_NS, Change, History, Outage, judge_faults
from thalweg.events import Flag, State
from thalweg.publication import VenueLine

SECOND = 1_000_000_000
BOOK = ("kraken", "BTC-USD")
OTHER = ("kraken", "ETH-USD")
END = 60 * SECOND


def history(*changes: tuple[float, State], book: tuple[str, str] = BOOK) -> History:
    made = History()
    for at, state in changes:
        ts = int(at * SECOND)
        made.note(book, ts, VenueLine(book[0], state, since=ts))
    return made


def fault(at: float = 10, expect: str = "gap", scope: str = "book", *names: str) -> dict[str, Any]:
    return {
        "id": 1,
        "kind": "drop",
        "venue": "kraken",
        "instruments": list(names or ("BTC-USD",)),
        "ts_ns": int(at * SECOND),
        "expect": expect,
        "scope": scope,
    }


def counts(made: History, *faults: dict[str, Any], end: int = END) -> tuple[int, int, int, int]:
    found = judge_faults(made, list(faults), end)
    return found["injected"], found["marked"], found["resynced"], found["collateral"]


LIVE, STALE, SYNCING = State.LIVE, State.STALE, State.SYNCING


def test_a_gap_that_is_marked_and_mended_counts() -> None:
    made = history((1, LIVE), (10.2, STALE), (10.3, SYNCING), (11, LIVE))
    assert counts(made, fault()) == (1, 1, 1, 0)
    (detail,) = judge_faults(made, [fault()], END)["detail"]
    assert (detail["marked_ms"], detail["resynced_ms"]) == (200, 1000)


def test_a_gap_that_nothing_shows_is_not_marked() -> None:
    assert counts(history((1, LIVE)), fault()) == (1, 0, 0, 0)


def test_a_mark_after_the_window_is_too_late() -> None:
    late = 10 + WINDOW_NS / SECOND + 0.1
    assert counts(history((1, LIVE), (late, STALE), (late + 1, LIVE)), fault()) == (1, 0, 0, 1)


def test_a_book_that_stays_stale_is_not_resynced() -> None:
    assert counts(history((1, LIVE), (10.2, STALE)), fault()) == (1, 1, 0, 0)


def test_a_book_that_is_already_not_live_is_marked() -> None:
    assert counts(history((1, LIVE), (9, STALE), (11, LIVE)), fault(8.9, "absorbed"), fault()) == (1, 1, 1, 0)


def test_a_book_that_went_and_came_back_between_two_publications_is_marked() -> None:
    made = history((1, LIVE))
    made.changes[BOOK].append(Change(10 * SECOND + 5, LIVE, "synced", 10 * SECOND + 3))
    assert counts(made, fault()) == (1, 1, 1, 0)


def test_all_instruments_of_a_socket_must_be_marked() -> None:
    made = history((1, LIVE), (10.2, STALE), (11, LIVE))
    both = fault(10, "gap", "socket", "BTC-USD", "ETH-USD")
    made.note(OTHER, SECOND, VenueLine("kraken", LIVE, since=SECOND))
    assert counts(made, both)[:3] == (1, 0, 0)
    made.note(OTHER, 11 * SECOND, VenueLine("kraken", STALE, since=11 * SECOND))
    assert counts(made, both)[:3] == (1, 1, 0)
    made.note(OTHER, 12 * SECOND, VenueLine("kraken", LIVE, since=12 * SECOND))
    assert counts(made, both)[:3] == (1, 1, 1)


def test_lost_trades_are_marked_by_a_status_of_a_book_that_stays_live() -> None:
    made = history((1, LIVE))
    assert counts(made, fault(scope="trades"))[:3] == (1, 0, 0)
    made.note(BOOK, 11 * SECOND, VenueLine("kraken", LIVE, since=SECOND, reason="trades lost"))
    assert counts(made, fault(scope="trades"))[:3] == (1, 1, 1)


def test_a_silent_book_is_marked_by_late_and_mended_when_it_is_not() -> None:
    silent = fault() | {"kind": "silent_book"}
    made = history((1, LIVE))
    made.note(BOOK, 15 * SECOND, VenueLine("kraken", LIVE, Flag.LATE, since=SECOND))
    assert counts(made, silent)[:3] == (1, 1, 0)
    assert counts(made, fault())[:3] == (1, 0, 0)
    made.note(BOOK, 16 * SECOND, VenueLine("kraken", LIVE, 0, since=SECOND))
    assert counts(made, silent)[:3] == (1, 1, 1)


def test_silence_may_take_longer_to_show() -> None:
    made = history((1, LIVE), (22, STALE), (23, LIVE))
    assert counts(made, fault() | {"kind": "silent_socket"}) == (1, 1, 1, 0)
    assert counts(made, fault()) == (1, 0, 0, 1)


@pytest.mark.parametrize("expect", ["absorbed", "undetectable"])
def test_what_need_not_show_is_not_counted(expect: str) -> None:
    assert counts(history((1, LIVE)), fault(10, expect)) == (0, 0, 0, 0)


def test_a_fault_just_before_the_end_is_cut_off() -> None:
    made = history((1, LIVE))
    assert counts(made, fault(), end=12 * SECOND) == (0, 0, 0, 0)


def test_an_interruption_without_a_fault_is_collateral() -> None:
    made = history((1, LIVE), (20, STALE), (21, LIVE))
    found = judge_faults(made, [fault(10, "gap", "book", "ETH-USD")], END)
    assert found["unexplained"] == ["kraken:BTC-USD became stale () though no fault concerned it"]


@pytest.mark.parametrize(
    ("instrument", "begin", "end", "collateral"),
    [
        ("BTC-USD", 19, 21, 0),
        ("BTC-USD", 15, 16, 0),  # its new owner is heard of a little later
        ("BTC-USD", 21, None, 0),  # a service may find it before the judge does
        ("BTC-USD", 23, 24, 1),
        ("BTC-USD", 5, 9, 1),
        ("ETH-USD", 19, 21, 1),
    ],
)
def test_what_redis_kept_from_the_judge_explains_an_interruption(
    instrument: str, begin: int, end: int | None, collateral: int
) -> None:
    made = history((1, LIVE), (20, STALE), (21, LIVE))
    outage = Outage((instrument,), begin * SECOND, None if end is None else end * SECOND)
    assert judge_faults(made, [], END, [outage])["collateral"] == collateral


def test_what_happens_after_the_end_is_no_collateral() -> None:
    assert counts(history((1, LIVE), (61, STALE))) == (0, 0, 0, 0)
