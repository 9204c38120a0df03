"""Decimal text to `int64` units and back: exact or refused, never through a float.

A number with `decimals` places is kept as an integer in units of `10 ** -decimals`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from thalweg.errors import NumberRefused

Levels: TypeAlias = npt.NDArray[np.int64]
"""Price levels, shape `(n, 2)`: price and size in instrument units."""

INT64_MAX = 2**63 - 1
MAX_TEXT = 64  # characters; the longest number a venue has a reason to send is under 30
POWERS: tuple[int, ...] = tuple(10**k for k in range(MAX_TEXT + 1))
NO_LEVELS: Levels = np.empty((0, 2), dtype=np.int64)


def parse_fixed(text: object, decimals: int) -> int:
    """Give the number in units of `10 ** -decimals`.

    Args:
        text: what the venue sent: ASCII digits, an optional point, an optional exponent.
        decimals: how many decimal places the unit has.

    Raises:
        NumberRefused: no text, another syntax, negative, more places than fit, or over `int64`.
    """
    if not isinstance(text, str):
        raise NumberRefused("syntax", type(text).__name__)
    whole, point, fraction = text.partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit() and whole and (fraction or not point) and len(text) <= MAX_TEXT):
        return _parse_unusual(text, decimals)
    spare = decimals - len(fraction)
    if spare < 0:
        if fraction[spare:].strip("0"):
            raise NumberRefused("decimals", text)
        digits, spare = digits[:spare], 0
    value = int(digits) * POWERS[spare]
    if value > INT64_MAX:
        raise NumberRefused("overflow", text)
    return value


def _parse_unusual(text: str, decimals: int) -> int:
    """Read the rarer forms (`1e-7`, `-0`), or say exactly why the text is refused."""
    if not text:
        raise NumberRefused("empty", text)
    if len(text) > MAX_TEXT:
        raise NumberRefused("overflow", text)
    negative = text.startswith("-")
    mantissa, mark, exponent = text.removeprefix("-").replace("E", "e").partition("e")
    whole, point, fraction = mantissa.partition(".")
    shift = exponent.removeprefix("-").removeprefix("+") if mark else "0"
    if exponent[:2] in ("+-", "-+") or (point and not fraction):
        raise NumberRefused("syntax", text)
    if not all(part.isascii() and part.isdigit() for part in (whole, fraction or "0", shift)):
        raise NumberRefused("syntax", text)
    coefficient = int(whole + fraction)
    if negative and coefficient:
        raise NumberRefused("negative", text)
    if not coefficient:
        return 0
    return _scale(text, coefficient, decimals - len(fraction) + int(shift) * (-1 if exponent.startswith("-") else 1))


def _scale(text: str, coefficient: int, power: int) -> int:
    """Give `coefficient * 10 ** power` if that is a whole number within `int64`."""
    if power >= 0:
        if power >= len(POWERS) or coefficient * POWERS[power] > INT64_MAX:
            raise NumberRefused("overflow", text)
        return coefficient * POWERS[power]
    if -power >= len(POWERS) or coefficient % POWERS[-power]:
        raise NumberRefused("decimals", text)
    value = coefficient // POWERS[-power]
    if value > INT64_MAX:
        raise NumberRefused("overflow", text)
    return value


def parse_levels(pairs: Iterable[tuple[object, object]], price_decimals: int, size_decimals: int) -> Levels:
    """Give price levels as `int64`, shape `(n, 2)`, in the order they came.

    Raises:
        NumberRefused: a number does not fit exactly, or a price is zero.
    """
    flat: list[int] = []
    for price, size in pairs:
        units = parse_fixed(price, price_decimals)
        if not units:
            raise NumberRefused("zero", str(price))
        flat.append(units)
        flat.append(parse_fixed(size, size_decimals))
    return np.array(flat, dtype=np.int64).reshape(-1, 2) if flat else NO_LEVELS


def joined(levels: Levels, more: Levels) -> Levels:
    """Give levels and more levels after them."""
    return np.concatenate((levels, more)) if len(more) else levels


def format_fixed(value: int, decimals: int) -> str:
    """Give the shortest exact decimal text: `123450000` with 8 decimals is `1.2345`."""
    if not decimals:
        return str(value)
    sign, digits = ("-", str(-value)) if value < 0 else ("", str(value))
    digits = digits.rjust(decimals + 1, "0")
    return (sign + digits[:-decimals] + "." + digits[-decimals:]).rstrip("0").rstrip(".")


def count_decimals(text: str) -> int:
    """Give the number of digits after the point, as written: `0.500` has 3."""
    return len(text.partition(".")[2])
