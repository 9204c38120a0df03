"""The instants venues write, as nanoseconds since the Unix epoch; exact, never through a float."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from thalweg.errors import DecodeError, NumberRefused
from thalweg.fixed import INT64_MAX, parse_fixed

SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000
MICROSECOND_NS = 1_000
DAY_S = 86_400
EPOCH_DAY = date(1970, 1, 1).toordinal()
FRACTION_DIGITS = 9  # a nanosecond
MILLISECOND_PLACES = 6  # nanoseconds in a millisecond
HEAD = len("2026-08-16T23:37:02")


def from_milliseconds(milliseconds: int) -> int | None:
    """Give an instant; `None` for one that does not fit, which is no reason to lose what it stands beside."""
    return from_units(milliseconds, MILLISECOND_NS)


def from_units(count: int, unit_ns: int) -> int | None:
    """Give the instant that is so many units of so many nanoseconds after the epoch; `None` as above."""
    instant = count * unit_ns
    return instant if 0 <= instant <= INT64_MAX else None


def from_milliseconds_text(text: str) -> int | None:
    """Read milliseconds with a fraction or without one, `1606292218213.4578`, exactly; `None` as above.

    Raises:
        DecodeError: another form.
    """
    try:
        return parse_fixed(text, MILLISECOND_PLACES)
    except NumberRefused as error:
        if error.reason == "overflow":
            return None
        raise DecodeError(f"not an instant: {text[:40]!r}") from error


def from_rfc3339(text: str) -> int | None:
    """Read `2026-08-16T23:37:02.742599Z`: UTC, no fraction or one of 1 to 9 digits.

    Returns:
        The instant; `None` for years that do not fit.

    Raises:
        DecodeError: another form.
    """
    whole, fraction = _second(text[:HEAD]), text[HEAD + 1 : -1]
    if text[-1:] != "Z" or len(text) == HEAD:
        raise DecodeError(f"not an instant: {text[:40]!r}")
    if len(text) > HEAD + 1:
        if text[HEAD] != "." or len(fraction) > FRACTION_DIGITS or not (fraction.isascii() and fraction.isdigit()):
            raise DecodeError(f"not an instant: {text[:40]!r}")
        whole += int(fraction.ljust(FRACTION_DIGITS, "0"))
    return whole if 0 <= whole <= INT64_MAX else None


@lru_cache(maxsize=256)
def _second(text: str) -> int:
    """Give the instant of `2026-08-16T23:37:02`; a frame's second is most often the one before's."""
    clock = text[11:]
    digits = clock[:2] + clock[3:5] + clock[6:8]
    if text[10:11] != "T" or clock[2::3] != "::" or len(text) != HEAD or not (digits.isascii() and digits.isdigit()):
        raise DecodeError(f"not an instant: {text!r}")
    hour, minute, second = int(clock[:2]), int(clock[3:5]), int(clock[6:8])
    if hour > 23 or minute > 59 or second > 60:  # 60 is a leap second
        raise DecodeError(f"no such time: {text!r}")
    return (_day(text[:10]) * DAY_S + hour * 3600 + minute * 60 + second) * SECOND_NS


@lru_cache(maxsize=16)
def _day(text: str) -> int:
    """Give the days since the Unix epoch of `2026-08-16`."""
    digits = text[:4] + text[5:7] + text[8:10]
    if text[4:8:3] != "--" or not (digits.isascii() and digits.isdigit() and len(digits) == len("20260816")):
        raise DecodeError(f"not a date: {text!r}")
    try:
        return date(int(text[:4]), int(text[5:7]), int(text[8:10])).toordinal() - EPOCH_DAY
    except ValueError as error:  # the 30th of February, the year 0
        raise DecodeError(f"no such date: {text!r}") from error
