from __future__ import annotations

import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.levels import ASK, BID, Scale, apply_changes, changed_levels, cut, level_texts, top_checksum
from thalweg.fixed import Levels, format_fixed
from thalweg.ladder import LadderSide

PLAIN = Scale(2, 3)
LADDER = Scale(2, 3, ("binance", "kraken"))
SIGNS = st.sampled_from((BID, ASK))
CHANGES = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5)), max_size=60)


def side_of(book: dict[int, int], sign: int) -> Levels:
    rows = sorted(book.items(), reverse=sign == BID)
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


@given(st.dictionaries(st.integers(1, 40), st.integers(1, 5)), st.lists(CHANGES, max_size=5), SIGNS)
def test_a_side_equals_a_dict_after_any_changes(
    book: dict[int, int], batches: list[list[tuple[int, int]]], sign: int
) -> None:
    side = side_of(book, sign)
    for changes in batches:
        side = apply_changes(side, np.array(changes, dtype=np.int64).reshape(-1, 2), sign)
        book = {price: size for price, size in (book | dict(changes)).items() if size}
        assert side.tolist() == side_of(book, sign).tolist()


LADDER_BOOK = st.dictionaries(st.integers(1, 30), st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=20)


def ladder_of(book: dict[int, tuple[int, int]], sign: int) -> LadderSide:
    rows = sorted(book.items(), reverse=sign == BID)
    prices = np.array([price for price, _ in rows], dtype=np.int64)
    return LadderSide(prices, np.array([sizes for _, sizes in rows], dtype=np.int64).reshape(-1, 2))


@given(LADDER_BOOK, LADDER_BOOK, SIGNS)
def test_changed_levels_turn_the_old_side_into_the_new(
    before: dict[int, tuple[int, int]], after: dict[int, tuple[int, int]], sign: int
) -> None:
    old, new = ladder_of(before, sign), ladder_of(after, sign)
    shown = {level[0]: level[1:] for level in level_texts(old, LADDER)}
    changed = changed_levels(old, new, sign, LADDER)
    for price, size, *venues in changed:
        if size == "0":
            del shown[price]
        else:
            assert shown.get(price) != [size, *venues], "an unchanged level was sent"
            shown[price] = [size, *venues]
    assert shown == {level[0]: level[1:] for level in level_texts(new, LADDER)}
    assert len({level[0] for level in changed}) == len(changed)


def test_a_ladder_level_says_who_quotes_how_much() -> None:
    side = LadderSide(np.array([12345]), np.array([[1500, 250]]))
    assert level_texts(side, LADDER) == [["123.45", "1.75", {"binance": "1.5", "kraken": "0.25"}]]


def test_a_venue_that_quotes_nothing_is_not_named() -> None:
    side = LadderSide(np.array([12345]), np.array([[0, 250]]))
    assert level_texts(side, LADDER) == [["123.45", "0.25", {"kraken": "0.25"}]]


def test_sizes_that_sum_beyond_int64_stay_exact() -> None:
    largest = 2**63 - 1
    side = LadderSide(np.array([1]), np.array([[largest, largest]]))
    assert level_texts(side, LADDER)[0][1] == format_fixed(2 * largest, 3)


def test_a_cut_keeps_the_best_levels() -> None:
    side = cut(side_of({100: 1, 99: 2, 98: 3}, BID), 2)
    assert level_texts(side, PLAIN) == [["1", "0.001"], ["0.99", "0.002"]]


def test_the_checksum_is_over_the_best_ten_of_each_side_bids_first() -> None:
    bids = cut(side_of(dict.fromkeys(range(100, 112), 1), BID), 25)
    asks = cut(side_of({200: 2}, ASK), 25)
    text = "|".join([f"{format_fixed(price, 2)}:0.001" for price in range(111, 101, -1)] + ["2:0.002"])
    assert top_checksum(bids, asks, PLAIN) == zlib.crc32(text.encode())


def test_the_checksum_of_nothing_is_zero() -> None:
    empty = side_of({}, BID)
    assert top_checksum(cut(empty, 10), cut(empty, 10), PLAIN) == 0
