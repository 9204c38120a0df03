"""What the query of a request asks for: numbers within their bounds, exact, or refused with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from thalweg.errors import NumberRefused, ThalwegError
from thalweg.fixed import parse_fixed
from thalweg.publication import VIEW_DEPTH
from thalweg.settings import FEE_DECIMALS

DEFAULT_DEPTH = 25  # levels a side
DEFAULT_TRADES, MOST_TRADES = 50, 1000
Query = Mapping[str, str]


class BadQuery(ThalwegError):
    """The client asks for what can't be meant; the text says what may be asked."""


def whole(query: Query, name: str, default: int, most: int) -> int:
    """Give a whole number from 1 to `most`.

    Raises:
        BadQuery: it is none.
    """
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= most):
        raise BadQuery(f"{name} must be 1 to {most}")
    return int(text)


def depth(query: Query) -> int:
    """Give how many levels a side are asked for.

    Raises:
        BadQuery: none, or more than there are.
    """
    return whole(query, "depth", DEFAULT_DEPTH, VIEW_DEPTH)


def amount(query: Query, name: str, decimals: int) -> int | None:
    """Give a decimal number above zero in units of `10 ** -decimals`; `None` where it is not asked for.

    Raises:
        BadQuery: it is none, or has more places than the instrument.
    """
    text = query.get(name)
    if text is None:
        return None
    try:
        value = parse_fixed(text, decimals)
    except NumberRefused as error:
        raise BadQuery(f"{name} must be a decimal number with at most {decimals} places ({error.reason})") from error
    if not value:
        raise BadQuery(f"{name} must be above 0")
    return value


def side(query: Query) -> Literal["buy", "sell"]:
    """Give which side is asked for.

    Raises:
        BadQuery: neither.
    """
    match query.get("side"):
        case "buy":
            return "buy"
        case "sell":
            return "sell"
    raise BadQuery("side must be buy or sell")


def least_bps(query: Query) -> int:
    """Give the least edge asked for in units of `10 ** -FEE_DECIMALS` basis points; it may be below zero.

    Raises:
        BadQuery: it is no number.
    """
    text = query.get("min_bps", "0")
    try:
        return parse_fixed(text.removeprefix("-"), FEE_DECIMALS) * (-1 if text.startswith("-") else 1)
    except NumberRefused as error:
        raise BadQuery(f"min_bps must be a number with at most {FEE_DECIMALS} places ({error.reason})") from error


def truth(query: Query, name: str, default: bool) -> bool:
    """Give a yes or no.

    Raises:
        BadQuery: it is neither.
    """
    text = query.get(name, "true" if default else "false")
    if text not in ("true", "false", "1", "0"):
        raise BadQuery(f"{name} must be true or false")
    return text in ("true", "1")
