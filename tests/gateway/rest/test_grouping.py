from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.levels import Shown
from gateway.rest.grouping import grouped

SIDES = st.dictionaries(st.integers(1, 500), st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=30)


@pytest.mark.parametrize("sign", [1, -1])
@given(levels=SIDES, step=st.integers(1, 60), depth=st.integers(1, 8))
def test_rows_are_those_of_decimals(levels: Shown, step: int, depth: int, sign: int) -> None:
    rounding = ROUND_FLOOR if sign > 0 else ROUND_CEILING
    expected: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    side = dict(sorted(levels.items(), reverse=sign > 0))
    for price, sizes in side.items():
        row = int((Decimal(price) / step).to_integral_value(rounding)) * step
        for column, size in enumerate(sizes):
            expected[row][column] += size
    best = sorted(expected, reverse=sign > 0)[:depth]
    assert list(grouped(side, sign, step, depth).items()) == [(row, tuple(expected[row])) for row in best]
