"""Each invariant is shown to bite on a history that breaks it, and to be content with one that does not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.chaos.invariants import InputCheck, Oracle, OutCheck, Tally, position_key
from thalweg.cli.checks import Raw
from thalweg.cli.views import View
from thalweg.events import Delta, Event, Made, Open, Snapshot, State, Status, Taker, Trade
from thalweg.wire import encode_entry

BTC, NOW = "BTC-USDT", 100.0
BIDS, ASKS = [(100, 5), (99, 2)], [(101, 4)]
NONE = np.zeros((0, 2), dtype=np.int64)


def levels(*pairs: tuple[int, int]) -> np.ndarray:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def opened(venue: str = "binance") -> Open:
    return Open(venue, BTC, 8, 8, None, "sequence", None, 1)


def live(follows: tuple[int, int] | None = None, state: State = State.LIVE) -> Status:
    return Status("binance", BTC, state, 0, "", 1, 1, follows)


def whole(last: int = 10, made: Made = Made.VENUE) -> Snapshot:
    return Snapshot("binance", BTC, levels(*BIDS), levels(*ASKS), last, last, last, 1, made, State.LIVE, 0)


def change(first: int, last: int, price: int = 100, size: int = 7) -> Delta:
    return Delta("binance", BTC, levels((price, size)), NONE, first, last, last, 1)


def trade(number: int) -> Trade:
    return Trade("binance", BTC, 100, 1, Taker.BUY, str(number), 5, 1)


def raw(epoch: int, n: int, event: Event) -> Raw:
    return (epoch, n), encode_entry(event, 2)


def digest(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> int:
    view = View()
    view.bids.load(bids)
    view.asks.load(asks)
    return view.digest(200)


class Bench:
    def __init__(self, *, truth: bool = False) -> None:
        self.tally = Tally()
        self.oracle = Oracle(self.tally)
        self.check = InputCheck(BTC, "binance", self.tally, self.oracle)
        self._truth = truth
        if not truth:
            self.oracle.excused["binance", BTC] = 1e9

    def read(self, epoch: int, *events: Event, start: int = 1) -> Bench:
        for n, event in enumerate(events, start):
            self.check.take(raw(epoch, n, event), NOW)
        self.oracle.expire(NOW + 60)
        return self

    @property
    def counts(self) -> dict[str, int]:
        return self.tally.counts


def test_a_whole_history_is_content() -> None:
    bench = Bench().read(1, opened(), live(state=State.SYNCING), whole(), live(), change(11, 12), trade(1), trade(2))
    assert bench.counts == {}


def test_a_sequence_that_jumps_unmarked_is_a_gap() -> None:
    assert Bench().read(1, opened(), whole(), live(), change(11, 12), change(14, 15)).counts == {"I2": 1}


def test_a_jump_behind_a_status_and_a_snapshot_is_none() -> None:
    told = (live(state=State.STALE), whole(20), live(), change(21, 22))
    assert Bench().read(1, opened(), whole(), live(), change(11, 12), *told).counts == {}


def test_a_change_that_comes_again_is_a_duplicate() -> None:
    assert Bench().read(1, opened(), whole(), live(), change(11, 12), change(11, 12)).counts == {"I1": 1}


def test_a_trade_that_comes_again_is_a_duplicate() -> None:
    assert Bench().read(1, opened(), trade(7), trade(7)).counts["I1"] == 1


def test_a_trade_that_is_missing_needs_a_status() -> None:
    assert Bench().read(1, opened(), trade(7), trade(9)).counts == {"I2": 1}
    assert Bench().read(1, opened(), trade(7), live(state=State.SYNCING), trade(9)).counts == {}


def test_a_hole_in_n_is_one() -> None:
    bench = Bench().read(1, opened(), whole(), live())
    assert bench.read(1, change(11, 12), start=5).counts["I3"] == 1


def test_an_older_epoch_behind_a_newer_one_is_a_zombie() -> None:
    bench = Bench().read(1, opened(), whole(), live()).read(2, opened())
    assert bench.read(1, change(11, 12), start=4).counts["zombies"] == 1


def test_an_epoch_that_follows_goes_on_from_its_sequence() -> None:
    bench = Bench().read(1, opened(), whole(), live()).read(2, opened(), live((1, 3)), change(11, 12))
    assert bench.counts == {}
    bench = Bench().read(1, opened(), whole(), live()).read(2, opened(), live((1, 3)), change(12, 13))
    assert bench.counts == {"I2": 1}


def test_a_snapshot_that_the_deltas_do_not_make_is_a_gap() -> None:
    bench = Bench().read(1, opened(), whole(), live(), change(11, 12), whole(12, Made.PERIODIC))
    assert bench.counts == {"I2": 1}


def test_what_is_read_again_after_a_loss_is_no_duplicate() -> None:
    bench = Bench().read(1, opened(), whole(), live(), change(11, 12), trade(1), trade(2))
    bench.check.lost()
    assert bench.read(1, opened(), whole(), live(), change(11, 12), trade(1)).counts == {}
    assert bench.read(2, opened(), whole(13), live(), change(14, 14), trade(2)).counts == {}


def test_an_epoch_may_follow_what_a_failover_has_left() -> None:
    bench = Bench().read(1, opened(), whole(), live(), change(11, 12), change(13, 13))
    bench.check.lost()
    bench.read(1, opened(), whole(), live(), change(11, 12))
    assert bench.read(2, opened(), live((1, 4)), change(13, 13)).counts == {}


@pytest.mark.parametrize(("wrong", "found"), [(False, {}), (True, {"I4": 2})])
def test_a_live_book_is_what_the_venue_had(wrong: bool, found: dict[str, int]) -> None:
    bench = Bench(truth=True)
    bench.oracle.learn("binance", BTC, "10/10", digest(BIDS, ASKS) + wrong)
    bench.oracle.learn("binance", BTC, "12/12", digest([(100, 7), (99, 2)], ASKS) + wrong)
    assert bench.read(1, opened(), whole(), live(), change(11, 12)).counts == found
    assert bench.tally.looked["books compared with the oracle"] == 2


def test_a_position_the_venue_never_had_is_wrong() -> None:
    assert Bench(truth=True).read(1, opened(), whole(), live()).counts == {"I4": 1}


def test_a_book_that_is_not_live_may_be_anything() -> None:
    assert Bench(truth=True).read(1, opened(), live(state=State.STALE), change(11, 12)).counts.get("I4") is None


def test_publications_step_by_one_over_epochs() -> None:
    tally = Tally()
    check = OutCheck(BTC, tally)
    assert all(check.take(epoch, seq) for epoch, seq in [(1, 5), (1, 6), (2, 7)])
    assert tally.counts == {}
    check.take(2, 9)
    assert tally.counts == {"I5": 1}
    check.take(3, 9)
    assert tally.counts == {"I5": 2}
    check.take(1, 10)
    assert tally.counts["zombies"] == 1


def test_lost_publications_may_leave_a_hole_and_no_repeat() -> None:
    tally = Tally()
    check = OutCheck(BTC, tally)
    for seq in range(1, 9):
        check.take(1, seq)
    check.lost()
    assert not check.take(1, 5)
    assert check.take(2, 20)
    assert tally.counts == {}
    check.lost()
    assert check.take(3, 20)
    assert tally.counts == {"I5": 1}


def test_keys_are_written_as_the_oracle_writes_them() -> None:
    assert position_key(None, 5) == "-/5"
    assert position_key(4, None) == "4/-"
