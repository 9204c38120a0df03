from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.side import ASK, BID, Side

SIGNS = st.sampled_from((BID, ASK))
CHANGES = st.lists(st.tuples(st.integers(1, 40), st.integers(-1, 5)), max_size=60)


def ranked(book: dict[int, int], sign: int) -> list[list[int]]:
    return [list(level) for level in sorted(book.items(), reverse=sign == BID)]


@given(CHANGES, st.lists(CHANGES, max_size=5), SIGNS)
def test_a_side_equals_a_dict_after_any_changes(
    first: list[tuple[int, int]], batches: list[list[tuple[int, int]]], sign: int
) -> None:
    side = Side(sign)
    side.fill(np.array(first, dtype=np.int64).reshape(-1, 2))
    book: dict[int, int] = {}
    for changes in [first, *batches]:
        for price, size in [] if changes is first else changes:
            side.put(price, size)
        book = {price: size for price, size in (book | dict(changes)).items() if size > 0}
        expected = ranked(book, sign)
        assert side.array().tolist() == expected
        assert [[price, *sizes] for price, sizes in side.top(7).items()] == expected[:7]
        assert (side.best(), len(side)) == (tuple(expected[0]) if expected else None, len(expected))


@given(st.dictionaries(st.integers(1, 40), st.integers(1, 5)), SIGNS)
def test_a_side_filled_in_order_equals_one_that_was_put_together(book: dict[int, int], sign: int) -> None:
    filled, put = Side(sign), Side(sign)
    filled.fill(np.array(ranked(book, sign), dtype=np.int64).reshape(-1, 2))
    for price, size in book.items():
        put.put(price, size)
    for side in (filled, put):
        side.put(20, 7)
        side.put(21, 0)
    assert filled.array().tolist() == put.array().tolist()


def test_an_empty_side_has_two_columns() -> None:
    side = Side(BID)
    assert side.array().shape == (0, 2)
    side.put(1, 0)
    assert (side.array().shape, side.best(), side.top(5)) == ((0, 2), None, {})
