from simulator.market import Ladder
from simulator.window import applied, difference

BEFORE = {100: 1, 99: 2, 98: 3}


def test_a_level_that_left_the_window_is_deleted() -> None:
    assert difference(BEFORE, {101: 5, 100: 1, 99: 4}) == [(101, 5), (99, 4), (98, 0)]


def test_a_level_that_only_fell_out_of_scope_is_not_mentioned() -> None:
    book = Ladder(bids=True)
    for price, size in ((101, 5), (100, 1), (98, 3)):
        book.set(price, size)
    assert difference(BEFORE, {101: 5, 100: 1}, book) == [(101, 5), (99, 0)]


def test_a_consumer_cuts_after_applying() -> None:
    assert applied(BEFORE, [(101, 5), (99, 0)], 3, bids=True) == {101: 5, 100: 1, 98: 3}
    assert applied(BEFORE, [(97, 5)], 2, bids=False) == {97: 5, 98: 3}
