"""The judge: equal books pass, a wrong, unknown or overdue one is counted, and only live ones are looked at."""

from __future__ import annotations

import json

import numpy as np

from thalweg.cli.judge import PATIENCE_S, Judge, position_of
from thalweg.cli.views import View
from thalweg.events import State
from thalweg.publication import Kind, Publication, Stamps, VenueLine

NAME = "BTC-USDT"
BINANCE, KRAKEN = ("binance", NAME), ("kraken", NAME)
Row = tuple[int, int, int]
BID, ASK, KRAKEN_BID = 0, 1, 2


def digest(bids: list[tuple[int, int]], asks: list[tuple[int, int]], depth: int = 200) -> int:
    view = View()
    view.bids.load(bids)
    view.asks.load(asks)
    return view.digest(depth)


def told(venue: str, key: str, value: int) -> str:
    return json.dumps({"o": [[venue, NAME, key, value]]})


def line(last: int | None = 5, state: State = State.LIVE, ts_event: int | None = 70) -> VenueLine:
    return VenueLine("binance", state, 0, last, ts_event, 1, 1, "")


def publication(seq: int, rows: list[Row], *lines: VenueLine, kind: Kind = Kind.DELTA) -> Publication:
    changes = np.array(rows, dtype=np.int64).reshape(-1, 3)
    runs = np.array([[0, 9, 2 * seq, 2 * seq + 1]], dtype=np.int64)
    stamps = Stamps(ts_published=seq * 1000)
    return Publication(kind, NAME, seq, 9, 8, 8, stamps, venues=list(lines), runs=runs, changes=changes)


def test_a_live_book_that_is_the_true_one_is_equal() -> None:
    judge = Judge()
    judge.learn(told("binance", "5/70", digest([(100, 1)], [(101, 2)])))
    judge.watch(publication(1, [(BID, 100, 1), (ASK, 101, 2)], line(), kind=Kind.KEY), 0.0)
    assert (judge.compared, judge.equal, judge.wrong) == (1, 1, 0)


def test_a_delta_changes_the_book_and_a_key_record_replaces_it() -> None:
    judge = Judge()
    judge.learn(told("binance", "6/71", digest([(100, 3)], [])))
    judge.learn(told("binance", "7/72", digest([(99, 1)], [])))
    judge.watch(publication(1, [(BID, 100, 1), (ASK, 101, 2)], line(state=State.SYNCING), kind=Kind.KEY), 0.0)
    judge.watch(publication(2, [(BID, 100, 3), (ASK, 101, 0)], line(6, ts_event=71)), 0.0)
    judge.watch(publication(3, [(BID, 99, 1)], line(7, ts_event=72), kind=Kind.KEY), 0.0)
    assert (judge.compared, judge.equal) == (2, 2)


def test_a_wrong_level_is_a_wrong_event_with_its_place() -> None:
    judge = Judge()
    judge.learn(told("binance", "5/70", digest([(100, 1)], [])))
    judge.watch(publication(1, [(BID, 100, 2)], line(), kind=Kind.KEY), 0.0)
    assert (judge.compared, judge.equal, judge.wrong) == (1, 0, 1)
    assert judge.details == ["binance:BTC-USDT at 5/70 (publication 1) differs from the venue's true book"]


def test_the_record_that_opens_an_epoch_says_nothing_of_books() -> None:
    judge = Judge()
    judge.watch(publication(1, [(BID, 100, 1)], line(), kind=Kind.KEY), 0.0)
    judge.watch(publication(2, [], line(None, State.CONNECTING, None), kind=Kind.OPEN), 0.0)
    judge.watch(publication(3, [(BID, 100, 1)], line(), kind=Kind.KEY), 0.0)
    assert list(judge.history.interruptions()) == []


def test_a_stale_book_may_be_wrong() -> None:
    judge = Judge()
    judge.learn(told("binance", "5/70", digest([(100, 1)], [])))
    judge.watch(publication(1, [(BID, 100, 2)], line(state=State.STALE), kind=Kind.KEY), 0.0)
    assert (judge.compared, judge.wrong) == (0, 0)


def test_a_position_is_judged_once_until_it_changes_or_the_book_was_away() -> None:
    judge = Judge()
    judge.learn(told("binance", "5/70", digest([(100, 1)], [])))
    judge.watch(publication(1, [(BID, 100, 1)], line(), kind=Kind.KEY), 0.0)
    judge.watch(publication(2, [], line()), 0.0)
    assert judge.compared == 1
    judge.watch(publication(3, [], line(state=State.STALE)), 0.0)
    judge.watch(publication(4, [], line()), 0.0)
    assert judge.compared == 2


def test_a_key_that_comes_late_is_waited_for() -> None:
    judge = Judge()
    judge.watch(publication(1, [(BID, 100, 1)], line(), kind=Kind.KEY), 10.0)
    judge.expire(10.0 + PATIENCE_S - 0.1)
    assert judge.waiting == 1
    judge.learn(told("binance", "5/70", digest([(100, 1)], [])))
    assert (judge.compared, judge.equal, judge.waiting) == (1, 1, 0)


def test_a_key_that_never_comes_is_a_wrong_event() -> None:
    judge = Judge()
    judge.watch(publication(1, [(BID, 100, 1)], line(), kind=Kind.KEY), 10.0)
    judge.expire(10.0 + PATIENCE_S)
    assert (judge.wrong, judge.waiting) == (1, 0)
    assert "the venue was never at that position" in judge.details[0]


def test_a_book_is_compared_to_its_verified_depth_only() -> None:
    judge = Judge({KRAKEN: 2})
    kraken = VenueLine("kraken", State.LIVE, 0, None, 70, 1, 1, "")
    judge.learn(told("kraken", "-/70", digest([(100, 1), (99, 1)], [], 2)))
    rows = [(KRAKEN_BID, 100, 1), (KRAKEN_BID, 99, 1), (KRAKEN_BID, 98, 777)]
    judge.watch(publication(1, rows, line(state=State.STALE), kraken, kind=Kind.KEY), 0.0)
    assert (judge.compared, judge.equal, judge.books) == (1, 1, {KRAKEN})


def test_positions_are_the_oracles_keys() -> None:
    assert position_of(line(5, ts_event=None)) == "5/-"
    assert position_of(VenueLine("coinbase", State.LIVE, 0, None, 70)) == "-/70"


def test_runs_are_counted_and_heads_and_cover_kept() -> None:
    judge = Judge()
    judge.watch(publication(1, [], line(state=State.STALE), kind=Kind.KEY), 0.0)
    judge.watch(publication(2, [], line(state=State.STALE)), 0.0)
    assert (judge.runs, judge.published) == (4, 2)
    assert judge.covered == {(NAME, "binance"): (9, 5)}
    assert judge.heads == {NAME: 2}
