"""A compiled scanner: a book frame's fields, and its levels straight from bytes to `int64`.

What a venue's frame holds is a table of keys, `(n, 6)`: where the key's text, quotes and colon included, starts and
ends in `words`; its kind; its depth, 0 or 1; its field; and for `WORD` the number of the word.

| kind | value | its field |
|---|---|---|
| `TEXT` | plain ASCII in quotes | where it starts, and where it ends `<< 32` |
| `WORD` | the word in quotes that is part of the key's text; a field may have several | its number |
| `INTEGER` | a whole number, not negative | the number |
| `OBJECT`, `LIST` | the object, or the list of one object, of the keys of depth 1 | |
| `BID_PAIRS`, `ASK_PAIRS` | `[["62801.10","0.4"],...]` | |
| `BID_OBJECTS`, `ASK_OBJECTS` | `[{"price":62801.1,"qty":0.40},...]`, bare numbers | |
| `UPDATES` | `[{"side":"bid","price_level":"62801.1","new_quantity":"0.4"},...]`, and `event_time` | |

A field that is not there is -1. The last four of `fields` are the numbers of bids and asks, and the most places that
prices and sizes are written with. Keys may be in any order, each once; white space, escapes, other keys, and numbers
with signs or exponents are declined. Levels come in units of so many decimals, in `levels`, shape `(2, n, 2)`, bids and
asks. The scanner reads no further than the first byte that does not fit, which at the latest is the zero that CPython
keeps after every `bytes`. As in `thalweg.kernels`, the same source runs as Python.
"""

from __future__ import annotations

from typing import TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

from thalweg.fixed import INT64_MAX, MAX_TEXT

BID_PAIRS, ASK_PAIRS, BID_OBJECTS, ASK_OBJECTS, UPDATES = range(5)
TEXT, WORD, INTEGER, OBJECT, LIST = range(5, 10)
AS_WRITTEN = -1  # decimals with which numbers are only looked at
DECLINED, UNFIT = -1, -2
LEAST_LEVEL = len('["1","0"],')  # bytes

Words: TypeAlias = npt.NDArray[np.uint8]
Table: TypeAlias = npt.NDArray[np.int64]
Fields: TypeAlias = npt.NDArray[np.int64]
Sides: TypeAlias = npt.NDArray[np.int64]

_I8 = nb.int64
_FRAME = nb.types.Bytes(nb.uint8, 1, "C", readonly=True)
_SIDES = nb.int64[:, :, ::1]
_WORDS = nb.types.Array(nb.uint8, 1, "C", readonly=True)
_TABLE = nb.int64[:, ::1]
_FIELDS = nb.int64[::1]

_NO_LEVELS = (-1, 0, 0, 0, 0)
_POWERS = np.array([10**power for power in range(19)], dtype=np.int64)
_ROOM = np.array([INT64_MAX // 10**power for power in range(19)], dtype=np.int64)
_TENTH = (INT64_MAX - 9) // 10  # one more digit still fits


def _word(text: str) -> Words:
    return np.frombuffer(text.encode(), dtype=np.uint8)


_PRICE, _QTY = _word('"price":'), _word('"qty":')
_BID, _OFFER = _word('"side":"bid"'), _word('"side":"offer"')
_LEVEL, _QUANTITY = _word('"price_level":"'), _word('"new_quantity":"')
_EVENT_TIME = _word('"event_time":"')


@nb.njit()
def _starts(frame: bytes, at: int, word: Words) -> bool:
    for k in range(len(word)):
        if frame[at + k] != word[k]:
            return False
    return True


@nb.njit()
def _number(frame: bytes, at: int, decimals: int) -> tuple[int, int, int]:
    """Give a number in units (-1 if it is not plain or does not fit), the places it has, and where it ends."""
    start = at
    point = -1
    units = 0
    while True:
        digit = frame[at] - 48
        if 0 <= digit <= 9:
            if units > _TENTH:
                return -1, 0, at
            units = units * 10 + digit
        elif digit == -2 and point < 0:
            point = at
        else:
            break
        at += 1
    whole = (at if point < 0 else point) - start
    places = 0 if point < 0 else at - point - 1
    if whole == 0 or (places == 0 and point >= 0) or (whole > 1 and frame[start] == 48) or at - start > MAX_TEXT:
        return -1, 0, at
    if decimals < 0:
        return units, places, at
    for _ in range(places - decimals):
        if units % 10:
            return -1, 0, at
        units //= 10
    spare = max(decimals - places, 0)
    if units > _ROOM[spare]:
        return -1, 0, at
    return units * _POWERS[spare], places, at


@nb.njit()
def _quoted(frame: bytes, at: int, decimals: int) -> tuple[int, int, int]:
    """Give a number as `_number` does, after its opening quote, and where its closing quote has ended or -1."""
    units, places, at = _number(frame, at, decimals)
    return units, places, at + 1 if units >= 0 and frame[at] == 34 else -1


@nb.njit()
def _pair(frame: bytes, at: int, scale: tuple[int, int]) -> tuple[int, int, int, int, int]:
    """Read one pair of texts after its bracket: price, size, their places, and where it has ended or -1."""
    price, size, price_places, size_places = -1, -1, 0, 0
    if frame[at] == 34:  # "
        price, price_places, at = _quoted(frame, at + 1, scale[0])
        if at >= 0 and frame[at] == 44 and frame[at + 1] == 34:  # ,"
            size, size_places, at = _quoted(frame, at + 2, scale[1])
    good = at >= 0 and price > 0 and size >= 0 and frame[at] == 93  # ]
    return price, size, price_places, size_places, at + 1 if good else -1


@nb.njit()
def _object(frame: bytes, at: int, scale: tuple[int, int]) -> tuple[int, int, int, int, int]:
    """Read one object after its brace: price, size, their places, and where it has ended or -1."""
    price, size, price_places, size_places = -1, -1, 0, 0
    for k in range(2):
        if k:
            if frame[at] != 44:  # ,
                break
            at += 1
        if price < 0 and _starts(frame, at, _PRICE):
            price, price_places, at = _number(frame, at + len(_PRICE), scale[0])
        elif size < 0 and _starts(frame, at, _QTY):
            size, size_places, at = _number(frame, at + len(_QTY), scale[1])
    return price, size, price_places, size_places, at + 1 if price > 0 and size >= 0 and frame[at] == 125 else -1  # }


@nb.njit()
def _past_text(frame: bytes, at: int) -> int:
    """Give where a plain ASCII text has ended, after its closing quote; -1 where it is not plain."""
    while frame[at] != 34:
        if frame[at] < 32 or frame[at] > 126 or frame[at] == 92:
            return -1
        at += 1
    return at + 1


@nb.njit()
def _update(frame: bytes, at: int, scale: tuple[int, int]) -> tuple[int, int, int, int, int, int]:
    """Read one object after its brace: price, size, their places, where it has ended or -1, and side (0 bid, 1 ask)."""
    side, price, size, price_places, size_places, timed = -1, -1, -1, 0, 0, False
    while True:
        if side < 0 and _starts(frame, at, _BID):
            side, at = 0, at + len(_BID)
        elif side < 0 and _starts(frame, at, _OFFER):
            side, at = 1, at + len(_OFFER)
        elif price < 0 and _starts(frame, at, _LEVEL):
            price, price_places, at = _quoted(frame, at + len(_LEVEL), scale[0])
        elif size < 0 and _starts(frame, at, _QUANTITY):
            size, size_places, at = _quoted(frame, at + len(_QUANTITY), scale[1])
        elif not timed and _starts(frame, at, _EVENT_TIME):
            timed, at = True, _past_text(frame, at + len(_EVENT_TIME))
        else:
            at = -1
        if at < 0 or frame[at] != 44:  # ,
            break
        at += 1
    good = at >= 0 and side >= 0 and price > 0 and size >= 0 and frame[at] == 125  # }
    return price, size, price_places, size_places, at + 1 if good else -1, side


@nb.njit()
def _levels(frame: bytes, at: int, kind: int, scale: tuple[int, int], levels: Sides) -> tuple[int, int, int, int, int]:
    """Read an array of levels of any kind: bids (-1: none) and asks, the most places, and where it has ended."""
    bids, asks, prices, sizes = 0, 0, 0, 0
    side = 1 if kind in (ASK_PAIRS, ASK_OBJECTS) else 0
    if frame[at] != 91:  # [
        return _NO_LEVELS
    at += 1
    if frame[at] == 93:  # ]
        return 0, 0, 0, 0, at + 1
    while bids + asks < levels.shape[1] and frame[at] == (91 if kind <= ASK_PAIRS else 123):  # [ {
        if kind == UPDATES:
            price, size, price_places, size_places, at, side = _update(frame, at + 1, scale)
        elif kind >= BID_OBJECTS:
            price, size, price_places, size_places, at = _object(frame, at + 1, scale)
        else:
            price, size, price_places, size_places, at = _pair(frame, at + 1, scale)
        if at < 0:
            break
        count = asks if side else bids
        levels[side, count, 0] = price
        levels[side, count, 1] = size
        bids, asks = bids + 1 - side, asks + side
        prices, sizes = max(prices, price_places), max(sizes, size_places)
        if frame[at] == 93:
            return bids, asks, prices, sizes, at + 1
        if frame[at] != 44:  # ,
            break
        at += 1
    return _NO_LEVELS


@nb.njit()
def _plain(frame: bytes, at: int, kind: int) -> tuple[int, int]:
    """Give the field of a value that is no object and no levels, and where the value has ended or -1."""
    if kind == TEXT:
        end = _past_text(frame, at + 1) if frame[at] == 34 else -1
        return (end - 1) << 32 | (at + 1), end
    units, places, end = _number(frame, at, 0)
    return units, end if units >= 0 and places == 0 else -1


@nb.njit()
def _key(frame: bytes, at: int, words: Words, keys: Table, depth: int, seen: int) -> int:
    """Give which of the keys of this depth, whose field is not yet seen, is here; -1 for none."""
    for k in range(keys.shape[0]):
        if keys[k, 3] == depth and not seen >> keys[k, 4] & 1:
            place, start, end = at, keys[k, 0], keys[k, 1]
            while start < end and frame[place] == words[start]:
                place, start = place + 1, start + 1
            if start == end:
                return k
    return -1


@nb.njit()
def _past_braces(frame: bytes, at: int, depth: int, listed: bool) -> tuple[int, int]:
    """Give where and at which depth the frame goes on after a value: depth -1 after all of it, -1 where it is wrong."""
    while depth >= 0 and frame[at] == 125:  # }
        at += 1
        if depth and listed:
            if frame[at] != 93:  # ]
                return -1, 0
            at += 1
        depth -= 1
    return at, depth


@nb.njit(_I8(_FRAME, _WORDS, _TABLE, _I8, _I8, _SIDES, _FIELDS), cache=True)
def scan_frame(frame: bytes, words: Words, keys: Table, prices: int, sizes: int, levels: Sides, fields: Fields) -> int:
    """Read a frame that has these keys alone; `prices` and `sizes` are the decimals of the units.

    Gives which fields were seen (bit k for field k), or `DECLINED`, or `UNFIT` where levels did not fit, which they
    may in other units.
    """
    seen: int = 0
    bids, asks, most = 0, 0, (0, 0)
    depth, listed, at = 0, False, 1
    fields[:] = -1
    if frame[0] != 123:  # {
        return DECLINED
    while True:
        k = _key(frame, at, words, keys, depth, seen)
        if k < 0:
            return DECLINED
        kind, field, at = keys[k, 2], keys[k, 4], at + keys[k, 1] - keys[k, 0]
        seen |= 1 << field
        if kind >= OBJECT:
            listed = kind == LIST
            if frame[at] != (91 if listed else 123) or (listed and frame[at + 1] != 123):
                return DECLINED
            depth, at = 1, at + 1 + listed
            continue
        if kind == WORD:
            fields[field] = keys[k, 5]
        elif kind >= TEXT:
            fields[field], at = _plain(frame, at, kind)
        else:
            more_bids, more_asks, price_places, size_places, at = _levels(frame, at, kind, (prices, sizes), levels)
            if more_bids < 0:
                return UNFIT
            bids, asks = bids + more_bids, asks + more_asks
            most = max(most[0], price_places), max(most[1], size_places)
        if at >= 0:
            at, depth = _past_braces(frame, at, depth, listed)
        if depth < 0 and at == len(frame):
            fields[-4], fields[-3], fields[-2], fields[-1] = bids, asks, most[0], most[1]
            return seen
        if at < 0 or depth < 0 or frame[at] != 44:  # ,
            return DECLINED
        at += 1


def warm() -> None:
    """Call the scanner once, so that the first frame does not pay for loading it."""
    levels, table = np.zeros((2, 1, 2), dtype=np.int64), np.zeros((1, 6), dtype=np.int64)
    scan_frame(b"?", _word("?"), table, 8, 8, levels, np.zeros(5, dtype=np.int64))
