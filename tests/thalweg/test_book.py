"""A book against a plain dict: random walks, prices near the limits of `int64`, growth beyond the first capacity.

These run the compiled kernels. `NUMBA_DISABLE_JIT=1` runs the same source as Python, which is handy in a debugger but
hides how integers wrap. The one product that could wrap, `sign * price` at -2**63, can't occur: prices are above 0.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from itertools import cycle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.book import FIRST_CAPACITY, Book
from thalweg.fixed import INT64_MAX, NO_LEVELS, Levels

Pairs = list[tuple[int, int]]

NEAR = st.integers(1, 40)  # few prices, so that walks hit the same ones again
FAR = st.integers(1, INT64_MAX)
EDGE = st.integers(INT64_MAX - 20, INT64_MAX) | st.integers(1, 20)
SIZES = st.integers(0, 3) | st.integers(0, INT64_MAX)


def pairs(prices: st.SearchStrategy[int], longest: int = 30) -> st.SearchStrategy[Pairs]:
    return st.lists(st.tuples(prices, SIZES), max_size=longest)


STEPS = st.one_of(
    *(st.tuples(st.just(op), pairs(prices), pairs(prices)) for op in ("load", "apply") for prices in (NEAR, FAR, EDGE)),
    st.tuples(st.just("truncate"), st.integers(0, 12)),
    st.just(("clear",)),
)


def array(levels: Iterable[tuple[int, int]]) -> Levels:
    return np.array(list(levels), dtype=np.int64).reshape(-1, 2)


class Oracle:
    """One side as a dict of sizes by price."""

    def __init__(self, *, bids: bool) -> None:
        self.bids = bids
        self.sizes: dict[int, int] = {}

    def apply(self, levels: Pairs) -> None:
        for price, size in levels:
            self.sizes.pop(price, None)
            if size:
                self.sizes[price] = size

    def load(self, levels: Pairs) -> None:
        self.sizes.clear()
        self.apply(levels)

    def top(self) -> list[list[int]]:
        return [[price, self.sizes[price]] for price in sorted(self.sizes, reverse=self.bids)]

    def truncate(self, depth: int) -> set[tuple[int, int]]:
        gone = {(price, 0) for price, _ in self.top()[depth:]}
        self.apply(list(gone))
        return gone


def assert_equal(book: Book, bids: Oracle, asks: Oracle) -> None:
    whole = bids.top(), asks.top()
    assert (book.bids().tolist(), book.asks().tolist()) == whole
    assert (book.bids(3).tolist(), book.asks(3).tolist()) == (whole[0][:3], whole[1][:3])
    assert book.counts == (len(whole[0]), len(whole[1]))
    best_bid, best_ask = (tuple(side[0]) if side else None for side in whole)
    assert (book.best_bid, book.best_ask) == (best_bid, best_ask)
    assert book.crossed == (best_bid is not None and best_ask is not None and best_bid[0] >= best_ask[0])


@settings(max_examples=120, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_a_random_walk_keeps_the_book_equal_to_a_dict(steps: list[tuple[object, ...]]) -> None:
    book, bids, asks = Book(), Oracle(bids=True), Oracle(bids=False)
    for step in steps:
        match step:
            case ("load", list() as new_bids, list() as new_asks):
                book.load(array(new_bids), array(new_asks))
                bids.load(new_bids)
                asks.load(new_asks)
            case ("apply", list() as new_bids, list() as new_asks):
                book.apply(array(new_bids), array(new_asks))
                bids.apply(new_bids)
                asks.apply(new_asks)
            case ("truncate", int() as depth):
                gone = book.truncate(depth)
                assert [{(price, size) for price, size in side.tolist()} for side in gone] == [
                    bids.truncate(depth),
                    asks.truncate(depth),
                ]
            case _:
                book.clear()
                bids.load([])
                asks.load([])
        assert_equal(book, bids, asks)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_seeded_walk_near_the_touch_outgrows_the_first_capacity(seed: int) -> None:
    random = np.random.default_rng(seed)
    book, bids, asks = Book(), Oracle(bids=True), Oracle(bids=False)
    for _ in range(60):
        changes = [array(zip(random.integers(1, 2_000, 40), random.integers(0, 4, 40), strict=True)) for _ in range(2)]
        book.apply(*changes)
        for side, levels in zip((bids, asks), changes, strict=True):
            side.apply([(price, size) for price, size in levels.tolist()])
    assert min(book.counts) > FIRST_CAPACITY
    assert_equal(book, bids, asks)


def test_a_load_larger_than_the_capacity_keeps_every_level() -> None:
    book = Book()
    count = 5 * FIRST_CAPACITY + 1
    bids = array((price, 1) for price in range(count, 0, -1))
    asks = array((price, 2) for price in range(count + 1, 2 * count + 1))
    book.load(bids, asks)
    assert book.counts == (count, count)
    assert book.bids().tolist() == bids.tolist()
    assert book.asks().tolist() == asks.tolist()
    assert not book.crossed


@pytest.mark.parametrize("count", [FIRST_CAPACITY - 1, FIRST_CAPACITY, FIRST_CAPACITY + 1, 2 * FIRST_CAPACITY + 1])
def test_a_side_grows_exactly_when_it_must(count: int) -> None:
    """The kernels check no bounds, so one level too many would be written over another."""
    book = Book()
    book.load(array((price, price) for price in range(count, 0, -1)), NO_LEVELS)
    assert book.bids().tolist() == [[price, price] for price in range(count, 0, -1)]
    book.apply(array([(count + 1, 7)]), NO_LEVELS)
    assert book.bids().tolist() == [[count + 1, 7], *([price, price] for price in range(count, 0, -1))]


def test_a_load_replaces_and_leaves_no_ghost_level() -> None:
    book = Book()
    book.load(array([(10, 1), (9, 1), (8, 1)]), array([(11, 1), (12, 1)]))
    book.load(array([(7, 2)]), NO_LEVELS)
    assert book.bids().tolist() == [[7, 2]]
    assert book.counts == (1, 0)
    assert book.best_ask is None


def test_levels_in_any_order_twice_or_of_size_0_load_as_if_applied() -> None:
    book = Book()
    book.load(array([(8, 1), (10, 1), (9, 0), (10, 5)]), array([(12, 1), (11, 1), (12, 0)]))
    assert book.bids().tolist() == [[10, 5], [8, 1]]
    assert book.asks().tolist() == [[11, 1]]


def test_removing_a_level_that_is_not_there_changes_nothing() -> None:
    book = Book()
    book.load(array([(10, 1)]), array([(11, 1)]))
    book.apply(array([(9, 0)]), array([(INT64_MAX, 0)]))
    assert book.counts == (1, 1)


def test_truncation_tells_each_level_it_took_so_that_readers_can_remove_it() -> None:
    book = Book()
    book.load(array([(10, 1), (9, 2), (8, 3)]), array([(11, 1), (12, 2), (13, 3)]))
    reader = Book()
    reader.load(book.bids(), book.asks())
    reader.apply(*book.truncate(2))
    assert reader.bids().tolist() == book.bids().tolist() == [[10, 1], [9, 2]]
    assert reader.asks().tolist() == book.asks().tolist() == [[11, 1], [12, 2]]


def test_truncation_of_a_shallow_book_takes_nothing() -> None:
    book = Book()
    book.load(array([(10, 1)]), NO_LEVELS)
    bids, asks = book.truncate(1)
    assert (len(bids), len(asks)) == (0, 0)
    assert book.counts == (1, 0)


@pytest.mark.parametrize(("bid", "crossed"), [(99, False), (100, True), (101, True)])
def test_a_book_is_crossed_from_equal_prices_on(bid: int, crossed: bool) -> None:
    book = Book()
    book.load(array([(bid, 1)]), array([(100, 1)]))
    assert book.crossed is crossed


def test_what_a_book_gives_is_a_copy() -> None:
    book = Book()
    book.load(array([(10, 1)]), NO_LEVELS)
    given_out = book.bids()
    given_out[0, 1] = 99
    assert book.best_bid == (10, 1)


def test_levels_that_are_read_only_are_taken() -> None:
    levels = array([(10, 1), (9, 1)])
    levels.flags.writeable = False
    book = Book()
    book.load(levels, NO_LEVELS)
    book.apply(levels, levels)
    assert book.counts == (2, 2)


def digits(levels: Levels, shift: tuple[int, int]) -> bytes:
    """The digits of levels, written plainly with integers of any size."""
    scaled = [
        number * 10**power if power >= 0 else number // 10**-power
        for level in levels.tolist()
        for number, power in zip(level, shift, strict=True)
    ]
    return "".join(map(str, scaled)).encode()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 200) | FAR | EDGE, FAR | EDGE), max_size=14),
    st.lists(st.tuples(st.integers(1, 200) | FAR | EDGE, FAR | EDGE), max_size=14),
    st.integers(0, 12),
    st.tuples(st.integers(-20, 64), st.integers(-20, 64)) | st.tuples(st.integers(-8, 2), st.integers(-8, 2)),
)
def test_the_sum_of_digits_is_zlibs(bids: Pairs, asks: Pairs, depth: int, shift: tuple[int, int]) -> None:
    book = Book()
    book.load(array(bids), array(asks))
    wanted = zlib.crc32(digits(book.asks(depth), shift) + digits(book.bids(depth), shift))
    assert book.sum_digits(depth, shift) == wanted


@settings(max_examples=150, deadline=None)
@given(
    st.lists(STEPS, max_size=16),
    st.lists(
        st.sampled_from([(4, (0, 0)), (1, (0, 0)), (4, (1, 0)), (10, (0, 0)), (12, (0, 0))]), min_size=1, max_size=3
    ),
)
def test_a_sum_that_is_remembered_is_what_it_would_be_now(
    steps: list[tuple[object, ...]], asked: list[tuple[int, tuple[int, int]]]
) -> None:
    book = Book()
    for step, (depth, shift) in zip(steps, cycle(asked), strict=False):
        match step:
            case ("load", list() as bids, list() as asks):
                book.load(array(bids), array(asks))
            case ("apply", list() as bids, list() as asks):
                book.apply(array(bids), array(asks))
            case ("truncate", int() as cut):
                book.truncate(cut)
            case _:
                book.clear()
        assert book.sum_digits(depth, shift) == zlib.crc32(
            digits(book.asks(depth), shift) + digits(book.bids(depth), shift)
        )
