"""A new epoch that goes on where the last one ended needs no snapshot; any other does."""

from __future__ import annotations

import pytest

from aggregator.books import Cursor
from aggregator.counters import Counters
from tests.aggregator.entries import a_delta, a_status, an_open
from tests.aggregator.test_books import E, a_book, state, take
from thalweg.events import State


def test_an_epoch_that_follows_what_we_read_needs_no_snapshot() -> None:
    book, counters = a_book(), Counters()
    take(book, counters, (E, 3, a_delta([(98, 7)], [])), (E + 1, 1, an_open()))
    assert state(book) == (State.CONNECTING, "new epoch")

    take(book, counters, (E + 1, 2, a_status(State.LIVE, follows=(E, 3))), (E + 1, 3, a_delta([(97, 1)], [])))

    assert state(book) == (State.LIVE, "")
    assert book.book.bids().tolist() == [[100, 1], [99, 2], [98, 7], [97, 1]]
    assert counters.not_live == 0


@pytest.mark.parametrize("follows", [(E, 3), (E, 1), (E - 1, 2), None])
def test_an_epoch_that_follows_something_else_waits_for_a_snapshot(follows: Cursor | None) -> None:
    book, counters = a_book(), Counters()

    take(book, counters, (E + 1, 1, an_open()), (E + 1, 2, a_status(State.LIVE, follows=follows)))

    assert state(book)[0] is State.CONNECTING
    take(book, counters, (E + 1, 3, a_delta([(98, 7)], [])))
    assert counters.not_live == 1


def test_an_epoch_does_not_go_on_from_a_book_that_was_not_live() -> None:
    book, counters = a_book(), Counters()
    take(book, counters, (E, 3, a_status(State.STALE, "gap")), (E + 1, 1, an_open()))

    take(book, counters, (E + 1, 2, a_status(State.LIVE, follows=(E, 3))))

    assert state(book)[0] is State.CONNECTING


def test_only_the_entry_after_open_can_say_that_the_epoch_goes_on() -> None:
    book, counters = a_book(), Counters()
    take(book, counters, (E + 1, 1, an_open()), (E + 1, 2, a_status(State.SYNCING)))

    take(book, counters, (E + 1, 3, a_status(State.LIVE, follows=(E, 2))))

    assert state(book)[0] is State.SYNCING


def test_an_epoch_in_other_decimals_never_goes_on() -> None:
    book, counters = a_book(), Counters()

    take(book, counters, (E + 1, 1, an_open(2)), (E + 1, 2, a_status(State.LIVE, follows=(E, 2))))

    assert state(book) == (State.STALE, "other decimals")
