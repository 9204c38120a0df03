"""A reader's book is live exactly while its stream says so, and equals a dict that is kept beside it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from thalweg.cursor import Cursor, Position
from thalweg.events import Delta, Event, Made, Open, Snapshot, State, Status, Taker, Trade
from thalweg.fixed import NO_LEVELS, Levels
from thalweg.followed import QUIET_NS, FollowedBook
from thalweg.wire import encode_entry

NAME, VENUE, E = "BTC-USDT", "binance", 5
OPEN = Open(VENUE, NAME, 8, 8, None, "sequence", None, 1)
TRADE = Trade(VENUE, NAME, 100, 5, Taker.BUY, "7", 5, 6)


def levels(*pairs: tuple[int, int]) -> Levels:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def snapshot(state: State = State.LIVE, last: int = 1) -> Snapshot:
    bids, asks = levels((100, 1), (99, 2)), levels((101, 3))
    return Snapshot(VENUE, NAME, bids, asks, None, last, 9, 10, Made.VENUE, state, 0)


def delta(price: int, size: int, last: int = 2) -> Delta:
    return Delta(VENUE, NAME, levels((price, size)), NO_LEVELS, last, last, 9, 10)


def status(state: State, follows: Position | None = None) -> Status:
    return Status(VENUE, NAME, state, 0, "why", 1, 1, follows)


class Reader:
    """A book with its cursor, fed as `thalweg.read` feeds it."""

    def __init__(self) -> None:
        self.now = 0
        self.book, self.cursor = FollowedBook(NAME, VENUE, lambda: self.now), Cursor("k")
        self.book.connected = True

    def take(self, epoch: int, n: int, event: Event, **more: bytes) -> FollowedBook:
        for told in self.cursor.admit(epoch, n):
            self.book.pass_by(told)
        extra = [word for name, value in more.items() for word in (name.encode(), value)]
        self.book.take((epoch, n), [*encode_entry(event, 11), *extra])
        return self.book


def a_live_reader() -> Reader:
    reader = Reader()
    events: list[Event] = [OPEN, status(State.SYNCING), snapshot(), status(State.LIVE)]
    for n, event in enumerate(events, 1):
        reader.take(E, n, event)
    assert reader.book.live
    return reader


def test_a_book_is_live_from_a_live_snapshot_on() -> None:
    reader = Reader()
    assert not reader.take(E, 1, OPEN).live
    assert not reader.take(E, 2, status(State.LIVE)).live
    assert not reader.take(E, 3, delta(98, 1)).live
    assert reader.take(E, 4, snapshot()).live


def test_a_reader_that_joins_late_is_live_from_its_snapshot_on() -> None:
    reader = Reader()
    reader.cursor.at = (E, 41)
    assert reader.take(E, 42, snapshot()).live


def test_a_snapshot_of_a_book_that_is_not_live_is_not_live() -> None:
    assert not Reader().take(E, 2, snapshot(State.STALE)).live


def test_deltas_change_the_book_and_trades_do_not() -> None:
    reader = a_live_reader()
    reader.take(E, 5, delta(100, 0, last=7))
    book = reader.take(E, 6, TRADE)
    assert book.bids().tolist() == [[99, 2]]
    assert book.asks(1).tolist() == [[101, 3]]
    assert (book.sequence, book.live) == (7, True)


def test_a_book_that_is_told_stale_waits_for_a_snapshot_whatever_is_said_next() -> None:
    reader = a_live_reader()
    assert not reader.take(E, 5, status(State.STALE)).live
    assert not reader.take(E, 6, status(State.LIVE)).live
    assert not reader.take(E, 7, delta(98, 1)).live
    assert reader.take(E, 8, snapshot()).live


def test_a_hole_costs_the_book_until_the_next_snapshot() -> None:
    reader = a_live_reader()
    assert not reader.take(E, 6, delta(98, 1)).live
    assert reader.take(E, 7, snapshot()).live


def test_a_new_epoch_costs_the_book_unless_it_follows_what_was_read() -> None:
    for follows, live in (((E, 4), True), ((E, 3), False), ((E - 1, 4), False), (None, False)):
        reader = a_live_reader()
        assert not reader.take(E + 1, 1, OPEN).live
        assert reader.take(E + 1, 2, status(State.LIVE, follows)).live is live
        assert reader.take(E + 1, 3, delta(98, 1)).bids().tolist() == [[100, 1], [99, 2], *([[98, 1]] if live else [])]


def test_an_epoch_in_other_units_never_goes_on() -> None:
    reader = a_live_reader()
    reader.take(E + 1, 1, Open(VENUE, NAME, 2, 8, None, "sequence", None, 1))
    book = reader.take(E + 1, 2, status(State.LIVE, (E, 4)))
    assert (book.live, book.decimals) == (False, (2, 8))


def test_a_reader_that_does_not_know_follows_is_right_too() -> None:
    old = a_live_reader()
    events: list[Event] = [OPEN, status(State.LIVE), delta(98, 1)]  # those of a continuation, without the field
    for n, event in enumerate(events, 1):
        assert not old.take(E + 1, n, event).live
    assert old.take(E + 1, 4, snapshot()).live


def test_fields_of_a_later_writer_are_passed_over() -> None:
    assert a_live_reader().take(E, 5, delta(98, 1), colour=b"blue").live


def test_an_entry_of_another_layout_costs_the_book_until_the_next_snapshot() -> None:
    reader = a_live_reader()
    reader.cursor.admit(E, 5)
    reader.book.take((E, 5), [b"kind", b"auction"])
    assert (reader.book.live, reader.book.unreadable) == (False, 1)
    assert reader.take(E, 6, snapshot()).live


def test_nothing_of_an_epoch_in_another_layout_is_guessed_at() -> None:
    reader = a_live_reader()
    flat = encode_entry(OPEN, 11)
    flat[flat.index(b"v") + 1] = b"2"
    reader.book.take((E + 1, 1), flat)
    reader.cursor.at = (E + 1, 1)
    assert not reader.take(E + 1, 2, snapshot()).live
    assert reader.book.unreadable == 2
    reader.take(E + 2, 1, OPEN)
    assert reader.take(E + 2, 2, snapshot()).live


def test_a_lost_connection_costs_the_book_only_as_long_as_it_lasts() -> None:
    book = a_live_reader().book
    book.connected = False
    assert not book.live
    book.connected = True
    assert book.live


def test_a_book_is_not_live_when_nobody_writes_its_stream_any_more() -> None:
    reader = a_live_reader()
    reader.now = QUIET_NS
    assert reader.book.live
    reader.now += 1
    live_unwritten = reader.book.live
    assert (live_unwritten, reader.take(E, 5, TRADE).live) == (False, True)


def test_a_snapshot_that_is_not_live_and_a_status_that_says_live_make_no_book() -> None:
    reader = a_live_reader()
    reader.take(E, 5, status(State.STALE))
    reader.take(E, 6, snapshot(State.STALE))
    assert not reader.take(E, 7, status(State.LIVE)).live


@pytest.mark.parametrize("seed", range(5))
def test_a_live_book_equals_a_dict_through_holes_statuses_and_epochs(seed: int) -> None:
    rng, reader, truth = random.Random(seed), Reader(), dict[int, int]()
    epoch, n, told_live, whole = E, 0, False, False
    for _ in range(2_000):
        n += 1
        roll = rng.random()
        if n == 1:
            event: Event = OPEN
            told_live = whole = False
        elif roll < 0.03:
            event, told_live, whole = snapshot(), True, True
            truth = {100: 1, 99: 2}
        elif roll < 0.05:
            event, told_live, whole = status(State.STALE), False, False
        elif roll < 0.07:
            n += 1
            event, whole = TRADE, False  # one entry before it was lost
        elif roll < 0.09:
            epoch, n = epoch + 1, 0
            continue
        else:
            price, size = rng.randrange(50, 100), rng.randrange(3)
            event = delta(price, size)
            truth[price] = size
        book = reader.take(epoch, n, event)
        assert book.live == (told_live and whole)
        if book.live:
            assert dict(map(tuple, book.bids().tolist())) == {price: size for price, size in truth.items() if size}
