"""The consolidated ladder against a plain sort over dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.fixed import INT64_MAX, NO_LEVELS, Levels
from thalweg.ladder import Ladder, Quote, best_quote, merge_side

BID, ASK = 1, -1
PRICES = st.integers(1, 12) | st.integers(INT64_MAX - 3, INT64_MAX)
SIZES = st.integers(1, 9) | st.just(INT64_MAX)
VIEWS = st.lists(st.dictionaries(PRICES, SIZES, max_size=9), max_size=5)
SIGNS = st.sampled_from((BID, ASK))

View = Mapping[int, int]


def ordered(view: View, sign: int) -> list[tuple[int, int]]:
    return sorted(view.items(), reverse=sign == BID)


def array(view: View, sign: int) -> Levels:
    return np.array(ordered(view, sign), dtype=np.int64).reshape(-1, 2)


def merged(views: Sequence[View], sign: int, depth: int | None) -> list[tuple[int, list[int]]]:
    """The oracle: all prices sorted, and who quotes what at each."""
    prices = sorted({price for view in views for price in view}, reverse=sign == BID)[:depth]
    return [(price, [view.get(price, 0) for view in views]) for price in prices]


@given(VIEWS, SIGNS, st.none() | st.integers(1, 12))
def test_merging_is_sorting_all_prices(views: list[View], sign: int, depth: int | None) -> None:
    side = merge_side([array(view, sign) for view in views], sign, depth)

    assert list(zip(side.prices.tolist(), side.sizes.tolist(), strict=True)) == merged(views, sign, depth)


def rows(ladder: Ladder, depth: int | None) -> list[tuple[int, list[int]]]:
    return [(price, list(sizes)) for price, sizes in ladder.top(depth).items()]


CHANGES = st.lists(st.tuples(st.integers(0, 3), PRICES, st.just(0) | SIZES), max_size=40)


@given(CHANGES, SIGNS, st.none() | st.integers(1, 12))
def test_a_ladder_changed_level_by_level_is_the_merged_one(
    changes: list[tuple[int, int, int]], sign: int, depth: int | None
) -> None:
    ladder, views = Ladder(sign, 4), [dict[int, int]() for _ in range(4)]
    for column, price, size in changes:
        ladder.change(column, price, size)
        views[column].pop(price, None)
        if size:
            views[column][price] = size

    whole = merge_side([array(view, sign) for view in views], sign, depth)
    assert rows(ladder, depth) == list(zip(whole.prices.tolist(), whole.sizes.tolist(), strict=True))
    assert ladder.best == next(((price, sum(sizes)) for price, sizes in merged(views, sign, 1)), None)
    assert len(ladder) == len(merged(views, sign, None))


@given(st.lists(st.tuples(st.integers(0, 2), st.dictionaries(PRICES, SIZES, max_size=9)), max_size=8), SIGNS)
def test_a_venue_s_new_view_replaces_its_old_one(loads: list[tuple[int, View]], sign: int) -> None:
    ladder, views = Ladder(sign, 3), [dict[int, int]() for _ in range(3)]
    for column, view in loads:
        ladder.load(column, array(view, sign))
        views[column] = dict(view)

    assert rows(ladder, None) == merged(views, sign, None)
    assert ladder.best == next(((price, sum(sizes)) for price, sizes in merged(views, sign, 1)), None)


@given(VIEWS, VIEWS)
def test_the_quote_is_the_first_row_of_each_merged_side(bids: list[View], asks: list[View]) -> None:
    quote = best_quote([best(view, BID) for view in bids], [best(view, ASK) for view in asks])

    expected = [
        (price, sum(sizes)) for views, sign in ((bids, BID), (asks, ASK)) for price, sizes in first(views, sign)
    ]
    assert [part for part in ((quote.bid, quote.bid_size), (quote.ask, quote.ask_size)) if part[0]] == expected


def best(view: View, sign: int) -> tuple[int, int] | None:
    return next(iter(ordered(view, sign)), None)


def first(views: list[View], sign: int) -> list[tuple[int, list[int]]]:
    return merged(views, sign, 1)


def test_sizes_are_summed_beyond_int64() -> None:
    assert best_quote([(5, INT64_MAX), (5, INT64_MAX)], []).bid_size == 2 * INT64_MAX


def test_nothing_to_merge_is_an_empty_side() -> None:
    side = merge_side([NO_LEVELS, NO_LEVELS], BID)

    assert (side.prices.shape, side.sizes.shape) == ((0,), (0, 2))
    assert best_quote([None], [None]) == Quote()


def test_derived_figures_of_a_quote() -> None:
    quote = Quote(bid=100, bid_size=3, ask=104, ask_size=1)

    assert (quote.spread, quote.mid_doubled, quote.microprice, quote.imbalance) == (4, 204, 103.0, 0.5)
    assert not quote.crossed


@pytest.mark.parametrize(("bid", "ask", "crossed"), [(100, 101, False), (100, 100, True), (101, 100, True)])
def test_a_quote_is_crossed_when_the_bid_reaches_the_ask(bid: int, ask: int, crossed: bool) -> None:
    assert Quote(bid, 1, ask, 1).crossed is crossed
    assert Quote(bid, 1, ask, 1).spread == ask - bid


def test_a_quote_with_one_side_has_no_derived_figures() -> None:
    quote = Quote(bid=100, bid_size=3)

    assert (quote.spread, quote.mid_doubled, quote.microprice, quote.imbalance) == (None, None, None, None)
    assert not quote.crossed
