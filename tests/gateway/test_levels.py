from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from gateway.levels import Scale, Shown, changed_levels, level_texts, top_checksum
from gateway.side import ASK, BID
from thalweg.fixed import format_fixed

PLAIN = Scale(2, 3)
LADDER = Scale(2, 3, ("binance", "kraken"))
SIGNS = st.sampled_from((BID, ASK))


def side_of(book: dict[int, int], sign: int) -> Shown:
    return {price: (size,) for price, size in sorted(book.items(), reverse=sign == BID)}


LADDER_BOOK = st.dictionaries(st.integers(1, 30), st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=20)


def ladder_of(book: dict[int, tuple[int, int]], sign: int) -> Shown:
    return dict(sorted(book.items(), reverse=sign == BID))


@given(LADDER_BOOK, LADDER_BOOK, SIGNS)
def test_changed_levels_turn_the_old_side_into_the_new(
    before: dict[int, tuple[int, int]], after: dict[int, tuple[int, int]], sign: int
) -> None:
    old, new = ladder_of(before, sign), ladder_of(after, sign)
    shown = {level[0]: level[1:] for level in level_texts(old, LADDER)}
    changed = changed_levels(old, new, LADDER)
    for price, size, *venues in changed:
        if size == "0":
            del shown[price]
        else:
            assert shown.get(price) != [size, *venues], "an unchanged level was sent"
            shown[price] = [size, *venues]
    assert shown == {level[0]: level[1:] for level in level_texts(new, LADDER)}
    assert len({level[0] for level in changed}) == len(changed)


def test_a_ladder_level_says_who_quotes_how_much() -> None:
    assert level_texts({12345: (1500, 250)}, LADDER) == [["123.45", "1.75", {"binance": "1.5", "kraken": "0.25"}]]


def test_a_venue_that_quotes_nothing_is_not_named() -> None:
    assert level_texts({12345: (0, 250)}, LADDER) == [["123.45", "0.25", {"kraken": "0.25"}]]


def test_sizes_that_sum_beyond_int64_stay_exact() -> None:
    largest = 2**63 - 1
    assert level_texts({1: (largest, largest)}, LADDER)[0][1] == format_fixed(2 * largest, 3)


def test_a_level_of_a_venues_book_is_price_and_size() -> None:
    assert level_texts(side_of({100: 1, 99: 2}, BID), PLAIN) == [["1", "0.001"], ["0.99", "0.002"]]


def test_the_checksum_is_over_the_best_ten_of_each_side_bids_first() -> None:
    bids = side_of(dict.fromkeys(range(100, 112), 1), BID)
    asks = side_of({200: 2}, ASK)
    text = "|".join([f"{format_fixed(price, 2)}:0.001" for price in range(111, 101, -1)] + ["2:0.002"])
    assert top_checksum(bids, asks, PLAIN) == zlib.crc32(text.encode())


def test_the_checksum_of_nothing_is_zero() -> None:
    assert top_checksum({}, {}, PLAIN) == 0
