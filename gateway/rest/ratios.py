"""Ratios of whole numbers as decimal text, rounded once, never through a float."""

from __future__ import annotations

from thalweg.fixed import format_fixed

BPS = 10_000


def divided(dividend: int, divisor: int) -> int:
    """Give the nearest whole number, halves away from zero; the divisor is above zero."""
    size = (2 * abs(dividend) + divisor) // (2 * divisor)
    return size if dividend >= 0 else -size


def ratio_text(dividend: int, divisor: int, places: int) -> str:
    """Give a ratio to so many places, without trailing zeros."""
    return format_fixed(divided(dividend * 10**places, divisor), places)


def bps_text(dividend: int, divisor: int) -> str:
    """Give a ratio in basis points to two places: `12.30`."""
    hundredths = divided(dividend * BPS * 100, divisor)
    sign, size = "-" if hundredths < 0 else "", abs(hundredths)
    return f"{sign}{size // 100}.{size % 100:02}"
