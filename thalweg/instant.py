"""A compiled reader of `2026-08-16T23:37:02.742599Z` in the midst of a frame, as venues write it in every book change.

It takes the years 1970 to 2261, no fraction or one of 1 to 9 digits, and no leap second; a text that is anything else
is declined, for the general reader to judge. It reads no further than the first byte that does not fit. As in
`thalweg.kernels`, the same source runs as Python.
"""

from __future__ import annotations

import numba as nb
import numpy as np

_CLOCK = np.array([*b"0000-00-00T00:00:00"], dtype=np.int64)
_BEFORE = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365], dtype=np.int64)  # days, by month


@nb.njit(nb.int64(nb.types.Bytes(nb.uint8, 1, "C", readonly=True), nb.int64), cache=True)
def read_instant(frame: bytes, at: int) -> int:
    """Give the nanoseconds since the Unix epoch of an instant that begins here and ends with a quote; else -1."""
    digits, fraction, weight = 0, 0, 1_000_000_000
    for k in range(len(_CLOCK)):
        digit = frame[at + k] - _CLOCK[k]
        if digit < 0 or digit > (9 if _CLOCK[k] == 48 else 0):
            return -1
        digits = digits * 10 + digit if _CLOCK[k] == 48 else digits
    at += len(_CLOCK)
    if frame[at] == 46 and 48 <= frame[at + 1] <= 57:  # .
        at += 1
        while weight > 1 and 48 <= frame[at] <= 57:
            weight //= 10
            fraction += (frame[at] - 48) * weight
            at += 1
    year, month, day = digits // 10**10, digits // 10**8 % 100, digits // 10**6 % 100
    hour, minute, second = digits // 10**4 % 100, digits // 100 % 100, digits % 100
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if frame[at] != 90 or frame[at + 1] != 34 or not (1970 <= year <= 2261 and 1 <= month <= 12):  # Z"
        return -1
    length = _BEFORE[month] - _BEFORE[month - 1] + (1 if leap and month == 2 else 0)
    if day < 1 or day > length or hour > 23 or minute > 59 or second > 59:
        return -1
    leaps = (year - 1) // 4 - (year - 1) // 100 + (year - 1) // 400 - 477 + (1 if leap and month > 2 else 0)
    days = 365 * (year - 1970) + leaps + _BEFORE[month - 1] + day - 1
    found: int = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000 + fraction
    return found


def warm() -> None:
    """Call it once, so that the first frame does not pay for loading it."""
    read_instant(b"?", 0)
