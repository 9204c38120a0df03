"""Numbers and instants as the venues write them; exact, from integers in units of 1e-8 and nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

UNIT_DECIMALS = 8  # everything in the simulator is an integer in units of 1e-8
UNIT = 10**UNIT_DECIMALS
SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000


def names(value: object) -> list[str]:
    """Give the strings of a list that a client sent; anything else it may have sent instead is not there."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


@lru_cache(maxsize=8_192)  # more than all books have levels; sizes seldom come again
def padded(value: int, decimals: int) -> str:
    """Write a number of units with exactly this many decimals (1 to 8), trailing zeros kept.

    The value must be a multiple of `10 ** (8 - decimals)`; the market model only makes such.
    """
    if decimals == 0:
        return str(value // UNIT)
    whole, rest = divmod(value // 10 ** (UNIT_DECIMALS - decimals), 10**decimals)
    return f"{whole}.{rest:0{decimals}d}"


@lru_cache(maxsize=8_192)  # more than all books have levels; sizes seldom come again
def trimmed(value: int) -> str:
    """Write a number of units in the shortest exact way: `0.5`, `62807`, `0`."""
    whole, rest = divmod(value, UNIT)
    return f"{whole}.{rest:08d}".rstrip("0") if rest else str(whole)


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    """Write a whole second as RFC 3339 without its zone."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def rfc3339(instant: int, digits: int = 6) -> str:
    """Write an instant in nanoseconds as RFC 3339 in UTC with that many digits of a second, cut, not rounded."""
    seconds, rest = divmod(instant, SECOND_NS)
    return f"{_second(seconds)}.{rest // 10 ** (9 - digits):0{digits}d}Z"
