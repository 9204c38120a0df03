"""The compiled loops on their own: what changes one view into another, where a price goes, sides told from disorder."""

from __future__ import annotations

import os
import subprocess
import sys
from bisect import bisect_left

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.fixed import INT64_MAX, Levels
from thalweg.kernels import apply_side, compare_views, find, load_side, warm

SIGNS = pytest.mark.parametrize("sign", [1, -1])
PRICES = st.integers(1, 60) | st.integers(INT64_MAX - 5, INT64_MAX)
VIEWS = st.dictionaries(PRICES, st.integers(1, 4), max_size=40)


def view(sizes: dict[int, int], sign: int) -> Levels:
    ordered = sorted(sizes.items(), reverse=sign > 0)
    return np.array(ordered, dtype=np.int64).reshape(-1, 2)


def compared(old: dict[int, int], new: dict[int, int], sign: int) -> list[tuple[int, int]]:
    changes = np.full((len(old) + len(new), 2), -7, dtype=np.int64)
    count = compare_views(view(old, sign), view(new, sign), sign, changes)
    assert (changes[count:] == -7).all()
    return [(price, size) for price, size in changes[:count].tolist()]


@SIGNS
@settings(max_examples=100, deadline=None)
@given(VIEWS, VIEWS)
def test_the_changes_between_two_views_are_the_difference_of_two_dicts(
    sign: int, old: dict[int, int], new: dict[int, int]
) -> None:
    changes = compared(old, new, sign)
    wanted = {price: new.get(price, 0) for price in old.keys() | new.keys() if old.get(price) != new.get(price)}
    assert dict(changes) == wanted
    assert len(changes) == len(wanted)
    assert [price for price, _ in changes] == sorted(wanted, reverse=sign > 0)


@SIGNS
def test_equal_and_empty_views_differ_in_nothing(sign: int) -> None:
    assert compared({5: 1, 6: 2}, {5: 1, 6: 2}, sign) == []
    assert compared({}, {}, sign) == []


@SIGNS
@settings(max_examples=100, deadline=None)
@given(st.sets(PRICES | st.integers(1, 2_000), max_size=150), PRICES | st.integers(1, 2_000))
def test_a_price_is_found_where_bisection_puts_it(sign: int, prices: set[int], price: int) -> None:
    ordered = sorted(sign * one for one in prices)
    side = np.zeros((2, len(ordered) + 1), dtype=np.int64)
    side[0, : len(ordered)] = [sign * one for one in ordered]
    assert find(side, len(ordered), price, sign) == bisect_left(ordered, sign * price)


@SIGNS
@pytest.mark.parametrize("levels", [[(5, 1), (5, 1)], [(5, 0)], [(5, 1), (6, 1), (5, 1)]])
def test_a_side_out_of_order_is_told_from_one_best_first(sign: int, levels: list[tuple[int, int]]) -> None:
    assert load_side(np.zeros((2, 8), dtype=np.int64), np.array(levels, dtype=np.int64), sign) == -1


@SIGNS
def test_a_side_best_first_is_stored_best_last(sign: int) -> None:
    side = np.zeros((2, 4), dtype=np.int64)
    assert load_side(side, view({1: 10, 2: 20, 3: 30}, sign), sign) == 3
    assert side[0, :3].tolist() == sorted([1, 2, 3], reverse=sign < 0)
    assert side[1, :3].tolist() == [10 * price for price in side[0, :3].tolist()]


@SIGNS
def test_a_later_size_at_the_same_price_wins(sign: int) -> None:
    side = np.zeros((2, 4), dtype=np.int64)
    levels = np.array([(5, 1), (5, 0), (5, 3)], dtype=np.int64)
    assert apply_side(side, 0, levels, sign) == 1
    assert side[:, 0].tolist() == [5, 3]


def test_warming_needs_nothing_and_leaves_nothing() -> None:
    warm()


def test_the_kernels_run_as_plain_python_too() -> None:
    """With `NUMBA_DISABLE_JIT=1`, as a debugger sees them; integer wrap is then hidden, so all else runs compiled."""
    code = "from thalweg.kernels import find, warm; warm(); print(type(find).__name__)"
    environ = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ)
    assert (run.returncode, run.stdout) == (0, "function\n"), run.stderr
