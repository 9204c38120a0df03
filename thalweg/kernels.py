"""Compiled loops over price levels: apply changes to a book side, sum its digits, and compare two views of it.

A book side is two rows of an `int64` array: prices and sizes, **best price last**, so that changes near
the touch move few elements. `sign` is +1 for bids (ascending) and -1 for asks (descending).
The kernels are compiled when they are installed (`python -m ingest.warming`) and cached on disk;
with `NUMBA_DISABLE_JIT=1` the same source runs as Python.
"""

from __future__ import annotations

from typing import TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

from thalweg.fixed import Levels

_I8 = nb.int64
_SIDE = nb.int64[:, ::1]
_LEVELS = nb.types.Array(nb.int64, 2, "C", readonly=True)
_TABLE = nb.int64[:, ::1]
_COUNTS = nb.int64[::1]
GALLOP = 8  # levels: most changes are nearer to the touch than this
NO_CHANGE = (1 << 24) - 1  # levels that are as they were, where all are

Counts: TypeAlias = npt.NDArray[np.int64]
"""How many levels are in use, `(2,)`: bids, asks."""


@nb.njit(_I8(_SIDE, _I8, _I8, _I8), cache=True)
def find(side: Levels, count: int, price: int, sign: int) -> int:
    """Give the position of `price`, or where it would go: gallop from the best, then bisect."""
    high = count
    step = GALLOP
    while high - step > 0 and sign * side[0, high - step] >= sign * price:
        high -= step
        step += step
    low = max(high - step, 0)
    while low < high:
        middle = (low + high) >> 1
        if sign * side[0, middle] < sign * price:
            low = middle + 1
        else:
            high = middle
    return low


@nb.njit()
def _close_gap(row: Levels, at: int, count: int) -> None:
    """Move what is after `at` one place down, over it; unsigned places, which the compiler can move many at once."""
    place, last, one = np.uint64(at), np.uint64(count - 1), np.uint64(1)
    while place < last:
        row[place] = row[place + one]
        place += one


@nb.njit()
def _open_gap(row: Levels, at: int, count: int) -> None:
    """Move what is from `at` on one place up."""
    place, first, one = np.uint64(count), np.uint64(at), np.uint64(1)
    while place > first:
        row[place] = row[place - one]
        place -= one


@nb.njit()
def apply_levels(side: Levels, count: int, levels: Levels, sign: int) -> tuple[int, int]:
    """Apply levels as `apply_side` does; give the new count, and how many levels at the best end are as they were."""
    same = NO_CHANGE
    for k in range(levels.shape[0]):
        price = levels[k, 0]
        size = levels[k, 1]
        at = find(side, count, price, sign)
        if at < count and side[0, at] == price:
            same = min(same, count - 1 - at)
            if size == 0:
                _close_gap(side[0], at, count)
                _close_gap(side[1], at, count)
                count -= 1
            else:
                side[1, at] = size
        elif size != 0:
            _open_gap(side[0], at, count)
            _open_gap(side[1], at, count)
            side[0, at] = price
            side[1, at] = size
            same = min(same, count - at)
            count += 1
    return count, same


@nb.njit(_I8(_SIDE, _I8, _LEVELS, _I8), cache=True)
def apply_side(side: Levels, count: int, levels: Levels, sign: int) -> int:
    """Apply absolute sizes in order (0 removes) and give the new count of levels.

    The side must have room for `count + len(levels)`. Removing a price that is not there is no error.
    """
    return apply_levels(side, count, levels, sign)[0]


@nb.njit(_I8(_SIDE, _SIDE, _COUNTS, _LEVELS, _LEVELS), cache=True)
def change_book(bids: Levels, asks: Levels, counts: Counts, new_bids: Levels, new_asks: Levels) -> int:
    """Apply absolute sizes to both sides, whose `counts` are (bids, asks), in one call.

    Gives two numbers in one: how many levels at the best end of both sides are as they were, `<< 1`, and 1 if the book
    is crossed. Or -1 if a side has no room for all that is new, and then nothing was done.
    """
    if counts[0] + new_bids.shape[0] > bids.shape[1] or counts[1] + new_asks.shape[0] > asks.shape[1]:
        return -1
    counts[0], same_bids = apply_levels(bids, counts[0], new_bids, 1)
    counts[1], same_asks = apply_levels(asks, counts[1], new_asks, -1)
    both = counts[0] > 0 and counts[1] > 0
    crossed = both and bids[0, counts[0] - 1] >= asks[0, counts[1] - 1]
    found: int = min(same_bids, same_asks) << 1 | (1 if crossed else 0)
    return found


@nb.njit(_I8(_SIDE, _I8, _I8, _TABLE), cache=True)
def cut_side(side: Levels, count: int, depth: int, gone: Levels) -> int:
    """Keep the best `depth` levels, write the others' prices into `gone` with size 0, and give how many they are."""
    excess = count - depth
    if excess <= 0:
        return 0
    for k in range(excess):
        gone[k, 0] = side[0, k]
        gone[k, 1] = 0
    for row in range(2):
        for k in range(depth):
            side[row, k] = side[row, k + excess]
    return excess


@nb.njit(_I8(_SIDE, _LEVELS, _I8), cache=True)
def load_side(side: Levels, levels: Levels, sign: int) -> int:
    """Replace the side with levels that come best first and give their count, or -1 if they do not.

    Levels out of order, twice, or of size 0 make it -1, and the side is then undefined.
    """
    count: int = levels.shape[0]
    for k in range(count):
        if levels[k, 1] == 0 or (k and sign * levels[k, 0] >= sign * levels[k - 1, 0]):
            return -1
        side[0, count - 1 - k] = levels[k, 0]
        side[1, count - 1 - k] = levels[k, 1]
    return count


@nb.njit(_I8(_LEVELS, _LEVELS, _I8, nb.int64[:, ::1]), cache=True)
def compare_views(old: Levels, new: Levels, sign: int, changes: Levels) -> int:
    """Write the changes that make `old` into `new` (both best first) and give their count.

    A price that is gone gets size 0. `changes` must have room for `len(old) + len(new)`.
    """
    i = 0
    j = 0
    count = 0
    while i < old.shape[0] or j < new.shape[0]:
        if j == new.shape[0] or (i < old.shape[0] and sign * old[i, 0] > sign * new[j, 0]):
            changes[count, 0] = old[i, 0]
            changes[count, 1] = 0
            count += 1
            i += 1
        elif i == old.shape[0] or sign * new[j, 0] > sign * old[i, 0]:
            changes[count, 0] = new[j, 0]
            changes[count, 1] = new[j, 1]
            count += 1
            j += 1
        else:
            if old[i, 1] != new[j, 1]:
                changes[count, 0] = new[j, 0]
                changes[count, 1] = new[j, 1]
                count += 1
            i += 1
            j += 1
    return count


def _crc_table() -> npt.NDArray[np.int64]:
    """Give the CRC32 of each byte alone (reflected polynomial of IEEE 802.3)."""
    table = np.arange(256, dtype=np.int64)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ 0xEDB88320, table >> 1)
    return table


_CRC = _crc_table()
_POLYNOMIAL, _ALL = 0xEDB88320, 0xFFFFFFFF
_TEN = np.uint64(10)
_MAX_DIGITS = 20  # of an int64, with room
# What is known of a book's sum, in cells: for which shifts; of how many of the best asks, and of the best bids, the sum
# up to each and the length of what was summed are written down; then these, and room for the digits of a number.
SUM_PRICES, SUM_SIZES, ASKS_KNOWN, BIDS_KNOWN = range(4)
SUM_LEVELS = 10  # a side are written down: what venues sum
_ASK_SUMS, _BID_SUMS, _DIGITS = 4, 4 + 2 * SUM_LEVELS, 4 + 4 * SUM_LEVELS
SUM_CELLS = _DIGITS + _MAX_DIGITS


def _times(one: int, other: int) -> int:
    """Multiply two polynomials modulo the CRC's, both reflected."""
    product, bit = 0, 1 << 31
    while bit:
        if one & bit:
            product ^= other
        bit >>= 1
        other = other >> 1 ^ _POLYNOMIAL if other & 1 else other >> 1
    return product


def _shifts() -> npt.NDArray[np.int64]:
    """Give what a CRC is multiplied by so that 0, 1, 2 ... bytes may follow."""
    powers = [1 << 31]
    for _ in range(_FAR):
        powers.append(_times(powers[-1], 1 << 23))
    return np.array(powers, dtype=np.int64)


_FAR = 511  # bytes: a side of ten levels has fewer
_SHIFTS = _shifts()
_multiplied = nb.njit()(_times)


@nb.njit()
def _sum_side(side: Levels, count: int, taken: int, cells: Counts, known: int, sums: int) -> tuple[int, int]:
    """Give the CRC32, not yet inverted, and the length of the best levels' digits; those known are not summed again."""
    start = min(cells[known], taken)
    crc, length = _ALL, 0
    if start:
        crc, length = cells[sums + start - 1], cells[sums + SUM_LEVELS + start - 1]
    for k in range(start, taken):
        for row in range(2):
            shift = cells[SUM_SIZES] if row else cells[SUM_PRICES]
            left = np.uint64(side[row, count - 1 - k])  # unsigned divides faster
            for _ in range(-shift):
                left //= _TEN
            digits = 0
            while left or not digits:
                cells[_DIGITS + digits] = 48 + np.int64(left % _TEN)
                left //= _TEN
                digits += 1
            for place in range(digits - 1, -1, -1):
                crc = _CRC[(crc ^ cells[_DIGITS + place]) & 255] ^ (crc >> 8)
            for _ in range(shift):
                crc = _CRC[(crc ^ 48) & 255] ^ (crc >> 8)
            length += digits + max(shift, 0)
        if k < SUM_LEVELS:
            cells[sums + k], cells[sums + SUM_LEVELS + k] = crc, length
    cells[known] = max(cells[known], min(taken, SUM_LEVELS))
    return crc, length


@nb.njit(_I8(_COUNTS, _SIDE, _I8, _SIDE, _I8, _I8, _I8, _I8), cache=True)
def sum_digits(
    cells: Counts,
    asks: Levels,
    ask_count: int,
    bids: Levels,
    bid_count: int,
    depth: int,
    price_shift: int,
    size_shift: int,
) -> int:
    """Give the CRC32 of the digits of the best `depth` asks, then bids: price and size of each, best first.

    A number's digits are those of `units * 10 ** shift`, cut to a whole number. Units are above 0. `cells` keep what is
    known of the sum; whoever changes the book lowers `ASKS_KNOWN` and `BIDS_KNOWN` to the levels that are as they were.
    Each side is summed by itself, so that a change of one costs nothing of the other.
    """
    if cells[SUM_PRICES] != price_shift or cells[SUM_SIZES] != size_shift:
        cells[SUM_PRICES], cells[SUM_SIZES] = price_shift, size_shift
        cells[ASKS_KNOWN] = cells[BIDS_KNOWN] = 0
    first, _ = _sum_side(asks, ask_count, min(ask_count, depth), cells, ASKS_KNOWN, _ASK_SUMS)
    second, length = _sum_side(bids, bid_count, min(bid_count, depth), cells, BIDS_KNOWN, _BID_SUMS)
    first ^= _ALL
    while length > 0:
        step = min(length, _FAR)
        first = _multiplied(_SHIFTS[step], first)
        length -= step
    return first ^ second ^ _ALL


def warm() -> None:
    """Call each kernel once, so that the first frame does not pay for loading it."""
    side = np.zeros((2, 8), dtype=np.int64)
    levels = np.array([[2, 1], [1, 1]], dtype=np.int64)
    count = load_side(side, levels, 1)
    count = apply_side(side, count, levels, 1)
    change_book(side, side, np.array([0, 0]), levels[:0], levels[:0])
    cut_side(side, count, count, levels)
    sum_digits(np.zeros(SUM_CELLS, dtype=np.int64), side, count, side, count, 1, 0, 0)
    compare_views(levels, levels, 1, np.empty((4, 2), dtype=np.int64))
