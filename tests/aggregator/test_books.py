from __future__ import annotations

import random

import pytest

from aggregator.books import BEHIND_NS, REMARK_NS, Cursor, VenueBook
from aggregator.counters import Counters
from tests.aggregator.entries import a_delta, a_snapshot, a_status, a_trade, an_open, fields_of
from thalweg.events import Event, Flag, Made, State
from thalweg.instruments import Instrument
from thalweg.publication import VenueLine

INSTRUMENT = Instrument("BTC-USDT", 8, 8, {"binance": "BTCUSDT"})
NOW = 77  # ts_read
E = 5  # epoch
LEVELS = ([(100, 1), (99, 2)], [(101, 3)])


def a_book(counters: Counters | None = None) -> VenueBook:
    """A live book that has read an open entry and a snapshot."""
    book = VenueBook(INSTRUMENT, "binance")
    take(book, counters or Counters(), (E, 1, an_open()), (E, 2, a_snapshot(*LEVELS)))
    book.hear(True, NOW)
    return book


def take(book: VenueBook, counters: Counters, *entries: tuple[int, int, Event]) -> None:
    for epoch, n, event in entries:
        book.take((epoch, n), fields_of(event), NOW, counters)


def state(book: VenueBook) -> tuple[State, str]:
    return book.line.state, book.line.reason


def test_deltas_change_the_book_and_its_position() -> None:
    book, counters = a_book(), Counters()

    take(book, counters, (E, 3, a_delta([(100, 0), (98, 7)], [(101, 9)], last=4, at=8)))

    assert book.book.bids().tolist() == [[99, 2], [98, 7]]
    assert book.book.asks().tolist() == [[101, 9]]
    assert book.line == VenueLine("binance", State.LIVE, 0, 4, 8, 8, 1, "")
    assert counters == Counters(read=1, applied=1)


def test_a_hole_in_n_makes_the_book_stale_and_is_counted() -> None:
    book, counters = a_book(), Counters()

    take(book, counters, (E, 6, a_delta([(98, 7)], [])))

    assert state(book) == (State.STALE, "lapped")
    assert book.line.since == NOW
    assert book.book.bids().tolist() == [[100, 1], [99, 2]]
    assert counters == Counters(read=1, lapped=3, not_live=1)


def test_a_lapped_book_is_live_again_from_the_next_snapshot() -> None:
    book, counters = a_book(), Counters()

    take(book, counters, (E, 6, a_trade("1")), (E, 7, a_snapshot([(90, 1)], [(91, 1)], made=Made.PERIODIC)))
    take(book, counters, (E, 8, a_delta([(90, 2)], [])))

    assert state(book) == (State.LIVE, "")
    assert book.book.bids().tolist() == [[90, 2]]
    assert counters == Counters(read=3, lapped=3, applied=3)


def test_a_lapped_book_does_not_become_live_by_a_status_entry() -> None:
    book, counters = a_book(), Counters()

    take(book, counters, (E, 4, a_status(State.LIVE)), (E, 5, a_delta([(98, 7)], [])))

    assert state(book) == (State.STALE, "lapped")
    assert counters == Counters(read=2, lapped=1, status=1, not_live=1)


def test_a_new_epoch_begins_with_n_1_and_is_no_hole() -> None:
    book, counters = a_book(), Counters()

    take(book, counters, (E + 1, 1, an_open()), (E + 1, 2, a_snapshot(*LEVELS, made=Made.BRIDGE)))

    assert state(book) == (State.LIVE, "")
    assert counters == Counters(read=2, applied=1, open=1)


def test_a_new_epoch_that_does_not_begin_with_n_1_is_a_hole() -> None:
    book, counters = a_book(), Counters()

    take(book, counters, (E + 1, 4, a_trade("1")))

    assert state(book) == (State.STALE, "lapped")
    assert counters.lapped == 3


def test_a_new_epoch_without_an_open_entry_is_stale() -> None:
    book, counters = a_book(), Counters()

    take(book, counters, (E + 1, 1, a_delta([(98, 7)], [])))

    assert state(book) == (State.STALE, "epoch without open entry")
    assert counters == Counters(read=1, not_live=1)


def test_after_open_nothing_is_live_before_a_snapshot() -> None:
    book, counters = a_book(), Counters()

    take(book, counters, (E + 1, 1, an_open()), (E + 1, 2, a_status(State.LIVE)), (E + 1, 3, a_delta([(98, 7)], [])))

    assert state(book) == (State.CONNECTING, "new epoch")
    assert counters == Counters(read=3, open=1, status=1, not_live=1)


def test_deltas_of_a_book_that_is_not_live_are_skipped_until_a_snapshot() -> None:
    book, counters = a_book(), Counters()

    take(book, counters, (E, 3, a_status(State.STALE, "gap")), (E, 4, a_delta([(98, 7)], [])))
    take(book, counters, (E, 5, a_status(State.LIVE)))

    assert state(book) == (State.STALE, "gap")
    assert counters == Counters(read=3, status=2, not_live=1)


def test_a_book_that_was_not_live_needs_a_snapshot_whatever_a_status_says() -> None:
    book, counters = a_book(), Counters()

    take(book, counters, (E, 3, a_status(State.HALTED, "auction")), (E, 4, a_status(State.LIVE, flags=2)))

    assert state(book) == (State.HALTED, "auction")
    take(book, counters, (E, 5, a_snapshot(*LEVELS)))
    assert state(book) == (State.LIVE, "")


def test_an_unreadable_entry_makes_the_book_stale_and_is_counted() -> None:
    book, counters = a_book(), Counters()

    taken = book.take((E, 3), {b"kind": b"rumour"}, NOW, counters)

    assert taken is None
    assert state(book) == (State.STALE, "unreadable entry")
    assert counters == Counters(read=1, unreadable=1)


def test_entries_in_other_decimals_are_never_applied() -> None:
    book, counters = a_book(), Counters()

    take(
        book, counters, (E + 1, 1, an_open(decimals=2)), (E + 1, 2, a_snapshot([(1, 1)], [])), (E + 1, 3, a_trade("1"))
    )
    take(book, counters, (E + 1, 4, a_status(State.LIVE)))

    assert state(book) == (State.STALE, "other decimals")
    assert book.book.bids().tolist() == [[100, 1], [99, 2]]
    assert counters == Counters(read=4, open=1, not_live=2, status=1)


@pytest.mark.parametrize(
    ("heard", "shown"),
    [
        (None, (State.CONNECTING, "ingest not heard yet", NOW + 1)),
        (False, (State.STALE, "ingest silent", NOW + 1)),
        (True, (State.LIVE, "", 1)),
    ],
)
def test_a_book_whose_ingest_is_not_heard_is_not_shown_live(heard: bool | None, shown: tuple[State, str, int]) -> None:
    book = a_book()

    book.hear(heard, NOW + 1)

    assert (book.shown().state, book.shown().reason, book.shown().since) == shown
    assert book.live is (heard is True)


def test_a_remark_on_a_live_book_is_shown_for_a_while() -> None:
    book = a_book()
    remark = a_status(State.LIVE, "2 trades lost")
    take(book, Counters(), (E, 3, remark))

    assert not book.hear(True, remark.ts_recv + REMARK_NS - 1)
    assert book.shown().reason == "2 trades lost"
    assert book.hear(True, remark.ts_recv + REMARK_NS)
    assert state(book) == (State.LIVE, "")


def test_a_book_whose_stream_is_not_caught_up_with_for_long_is_late() -> None:
    book = a_book()
    told = []

    for more, now in [(True, 0), (False, BEHIND_NS), (True, BEHIND_NS), (True, 2 * BEHIND_NS - 1)]:
        book.fall_behind(more, now)
        told.append(book.shown().flags)
    book.fall_behind(True, 2 * BEHIND_NS)

    assert told == [0, 0, 0, 0]
    assert (book.shown().flags, book.shown().state, book.live) == (Flag.LATE, State.LIVE, True)
    book.fall_behind(False, 2 * BEHIND_NS + 1)
    assert book.shown().flags == 0


def test_a_silent_book_goes_on_applying_deltas() -> None:
    book, counters = a_book(), Counters()

    book.hear(False, NOW)
    take(book, counters, (E, 3, a_delta([(100, 0)], [])))
    book.hear(True, NOW)

    assert book.live
    assert book.book.bids().tolist() == [[99, 2]]


@pytest.mark.parametrize("line", [None, VenueLine("binance", State.LIVE)])
def test_a_book_joined_without_its_entries_is_empty_and_not_live(line: VenueLine | None) -> None:
    book, counters = a_book(), Counters()

    book.join((E, 9), line)
    take(book, counters, (E, 10, a_status(State.LIVE)))

    assert not book.live
    assert state(book) == (State.STALE, "waits for a snapshot")
    assert book.book.counts == (0, 0)


def test_a_joined_book_shows_the_state_it_is_said_to_have() -> None:
    book = VenueBook(INSTRUMENT, "binance")

    book.join((E, 9), VenueLine("binance", State.DELISTED, reason="not listed"))

    assert state(book) == (State.DELISTED, "not listed")


@pytest.mark.parametrize("seed", range(20))
def test_any_walk_keeps_the_counts_and_is_live_only_with_the_true_book(seed: int) -> None:
    """A writer keeps a dict; entries get lost at random; a live book must be the dict."""
    rng = random.Random(seed)
    book, counters, lost, last_lost = VenueBook(INSTRUMENT, "binance"), Counters(), 0, False
    truth: dict[int, int] = {}
    number: Cursor = (0, 0)
    book.hear(True, NOW)
    for _ in range(400):
        number, event = next_entry(rng, number, truth, may_open=not last_lost)
        last_lost = rng.random() < 0.05 and number[1] > 1
        lost += last_lost
        if not last_lost:
            take(book, counters, (*number, event))
            if book.live:
                assert book.book.bids().tolist() == [[price, truth[price]] for price in sorted(truth, reverse=True)]
    take(book, counters, (number[0], number[1] + 1, a_trade("end")))
    assert counters.lapped == lost
    assert counters.read == counters.applied + counters.open + counters.status + counters.not_live


def next_entry(rng: random.Random, number: Cursor, truth: dict[int, int], *, may_open: bool) -> tuple[Cursor, Event]:
    """What a writer appends next; the truth follows it. The loss of an epoch's last entries can't be seen by n."""
    epoch, n = number
    if epoch == 0 or (may_open and rng.random() < 0.01):
        return (epoch + 1, 1), an_open()
    if n == 1 or rng.random() < 0.05:
        if rng.random() < 0.5:
            truth.clear()
            truth[rng.randrange(1, 50)] = 1
        return (epoch, n + 1), a_snapshot(sorted(truth.items(), reverse=True), [])
    if rng.random() < 0.1:
        return (epoch, n + 1), a_status(State.LIVE)
    price, size = rng.randrange(1, 50), rng.randrange(0, 3)
    truth[price] = size
    if not size:
        del truth[price]
    return (epoch, n + 1), a_delta([(price, size)], [])
