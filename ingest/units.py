"""A venue's numbers in the units of our instruments: books and trades, or why one can't be taken.

A number or symbol that we can't take costs the one update that has it, which is told as `Refused`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ingest.fields import Object
from ingest.venue import BookUpdate, Listing, Refused, Scales, TradeUpdate
from thalweg.errors import DecodeError, NumberRefused
from thalweg.events import Taker
from thalweg.fixed import MAX_TEXT, Levels, format_fixed, parse_fixed, parse_levels
from thalweg.instruments import MAX_DECIMALS, SYMBOL

Pairs: TypeAlias = Sequence[tuple[object, object]]
"""(price, size) as the venue wrote them."""


@dataclass(slots=True)
class Written:
    """Levels as the general decoder finds them."""

    bids: Pairs
    asks: Pairs

    units: tuple[int, int] = (0, 0)

    def read(self, price_decimals: int, size_decimals: int) -> tuple[Levels, Levels]:
        """Give bids and asks in units, `(n, 2)` each.

        Raises:
            NumberRefused: a number does not fit exactly, or a price is zero.
        """
        self.units = units = price_decimals, size_decimals
        return parse_levels(self.bids, *units), parse_levels(self.asks, *units)

    def shift(self) -> tuple[int, int]:
        """After `read`, give by which powers of ten its units (price, size) become the digits written, at most."""
        pairs = [*self.bids, *self.asks]
        prices = max((written_places(str(price)) for price, _ in pairs), default=0)
        sizes = max((written_places(str(size)) for _, size in pairs), default=0)
        return prices - self.units[0], sizes - self.units[1]


def read_book(
    scales: Scales,
    symbol: str,
    written: Written,
    *,
    whole: bool,
    first: int | None = None,
    last: int | None = None,
    ts_event: int | None = None,
) -> BookUpdate | Refused:
    """Give a book update in the instrument's units, or why it can't be taken."""
    places = scales(symbol)
    if places is None:
        return _unknown(symbol, "book")
    try:
        levels = written.read(*places)
    except NumberRefused as error:
        return Refused(symbol, "book", error.reason)
    return BookUpdate(symbol, whole, *levels, first, last, ts_event)


def taken(found: BookUpdate | Refused) -> BookUpdate:
    """Give a whole book that was asked for apart from the feed.

    Raises:
        DecodeError: it can't be taken.
    """
    if isinstance(found, Refused):
        raise DecodeError(f"book of {found.symbol} refused: {found.reason}")
    return found


def read_trade(
    scales: Scales,
    symbol: str,
    *,
    price: object,
    size: object,
    taker: Taker,
    name: str,
    number: int | None,
    ts_event: int | None,
    history: bool = False,
) -> TradeUpdate | Refused:
    """Give the trade that the venue's id names, in the instrument's units, or why it can't be taken."""
    places = scales(symbol)
    if places is None:
        return _unknown(symbol, "trade")
    try:
        units = parse_fixed(price, places[0]), parse_fixed(size, places[1])
    except NumberRefused as error:
        return Refused(symbol, "trade", error.reason)
    if 0 in units:  # nothing trades for nothing, and nothing is no trade
        return Refused(symbol, "trade", "zero")
    return TradeUpdate(symbol, *units, taker, name, number, ts_event, history)


def _unknown(symbol: str, kind: str) -> Refused:
    """Refuse what is not ours; a text that can't be a symbol does not travel on."""
    return Refused(symbol if SYMBOL.fullmatch(symbol) else None, kind, "unknown_symbol")


def as_javascript(units: int, places: int) -> str:
    """Write a number of units as JavaScript would: in its shortest form, with an exponent below 1e-6."""
    digits = str(units)
    exponent = len(digits) - 1 - places
    if exponent >= -6 or not units:
        return format_fixed(units, places)
    return f"{digits[0]}.{digits[1:]}".rstrip("0").rstrip(".") + f"e{exponent}"


def written_places(number: str) -> int:
    """Give the decimal places a number that `parse_fixed` took is written with: `0.500` has 3, `5e-8` has 8."""
    mantissa, _, exponent = number.lower().partition("e")
    places = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return min(max(places, 0), MAX_TEXT)  # a zero may be written with any exponent


def step_places(step: str) -> int:
    """Give the decimal places that multiples of a step need: `0.0100` needs 2, `10` none, `1e-8` 8.

    Raises:
        NumberRefused: not a number, or finer than any instrument can be.
    """
    for places in range(MAX_DECIMALS):
        try:
            parse_fixed(step, places)
        except NumberRefused as error:
            if error.reason != "decimals":
                raise
            continue
        return places
    parse_fixed(step, MAX_DECIMALS)
    return MAX_DECIMALS


def read_listings(entries: Iterable[Object], read: Callable[[Object], tuple[str, Listing]]) -> dict[str, Listing]:
    """Give a venue's listings by symbol; an entry that `read` can't read counts as not listed."""
    listings = {}
    for entry in entries:
        try:
            symbol, listing = read(entry)
        except DecodeError:
            continue
        listings[symbol] = listing
    return listings
