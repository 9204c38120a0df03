"""Numbers that can't be taken cost the one update that has them, and say why."""

from __future__ import annotations

import pytest

from ingest.venue import BookUpdate, Refused, TradeUpdate
from ingest.venues import VENUES
from tests.ingest.venues.shapes import decoded, frames

# Venue, kind, symbol, case, line, and the digits of a price and of a size in it.
PLACES = [
    ("binance", "book", "BTCUSDT", "delta", 0, "62801.11000000", "1.20000000"),
    ("binance", "trade", "BTCUSDT", "trade", 0, "62801.11000000", "0.00250000"),
    ("bybit", "book", "BTCUSDT", "book", 0, "30245.40", "0.224"),
    ("bybit", "trade", "BTCUSDT", "trade", 0, "16578.50", "0.001"),
    ("kraken", "book", "BTC/USD", "book", 1, "62818.8", "0.65540712"),
    ("kraken", "trade", "BTC/USD", "trade", 0, "62806.9", "0.01470022"),
    ("coinbase", "book", "BTC-USD", "book", 1, "68900.00", "2"),
    ("coinbase", "trade", "BTC-USD", "trade", 1, "68900.50", "0.2"),
    ("cryptocom", "book", "BTC_USDT", "book", 1, "84142.1", "5.4582"),
    ("cryptocom", "trade", "BTC_USDT", "trade", 1, "51327.5", "0.01470022"),
]
TEXTS = {
    "": "empty",
    "1_000": "syntax",
    " 1": "syntax",
    "+1": "syntax",
    "٣": "syntax",
    "NaN": "syntax",
    "Infinity": "syntax",
    "0x10": "syntax",
    "1,5": "syntax",
    "-1": "negative",
    "1e400": "overflow",
    "9" * 30: "overflow",
    "9" * 5000: "overflow",
    "0." + "0" * 20 + "1": "decimals",
}
OTHERS = {"null": "syntax", "true": "syntax", "[]": "syntax", "{}": "syntax", '["1"]': "syntax"}
BARE = {"NaN": "syntax", "-Infinity": "syntax", "1e400": "overflow", "-1": "negative", "-1.5": "negative",
        "9" * 30: "overflow", "1E-30": "decimals"}  # fmt: skip


def spoilt(place: tuple[str, str, str, str, int, str, str], part: int, value: str) -> bytes:
    """The frame of a place with another price (part 5) or size (part 6) as JSON."""
    frame = frames(place[0], place[3])[place[4]]
    digits = str(place[part]).encode()
    old = digits if place[0] == "kraken" else b'"%b"' % digits
    assert old in frame
    return frame.replace(old, value.encode(), 1)


@pytest.mark.parametrize("part", [5, 6], ids=["price", "size"])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[0]}-{place[1]}")
def test_a_number_that_is_none_is_refused_with_its_reason(
    place: tuple[str, str, str, str, int, str, str], part: int
) -> None:
    venue, kind, symbol = VENUES[place[0]], place[1], place[2]
    cases = {f'"{text}"': reason for text, reason in TEXTS.items()} | OTHERS
    if venue.name == "kraken":
        cases |= BARE
    found = {value: decoded(venue, spoilt(place, part, value)) for value in cases}
    refused = {value: [one for one in messages if isinstance(one, Refused)] for value, messages in found.items()}
    assert refused == {value: [Refused(symbol, kind, reason)] for value, reason in cases.items()}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[0]}-{place[1]}")
def test_a_price_of_zero_is_refused(place: tuple[str, str, str, str, int, str, str]) -> None:
    zero = "0.00" if place[0] == "kraken" else '"0.00"'
    found = decoded(VENUES[place[0]], spoilt(place, 5, zero))
    assert Refused(place[2], place[1], "zero") in found


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[0]}-{place[1]}")
def test_a_size_of_zero_removes_a_level_and_is_no_trade(place: tuple[str, str, str, str, int, str, str]) -> None:
    zero = "0" if place[0] == "kraken" else '"0.00000000000"'
    found = decoded(VENUES[place[0]], spoilt(place, 6, zero))
    assert (Refused(place[2], "trade", "zero") in found) == (place[1] == "trade")


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[0]}-{place[1]}")
def test_the_frames_are_taken_as_they_are(place: tuple[str, str, str, str, int, str, str]) -> None:
    found = decoded(VENUES[place[0]], frames(place[0], place[3])[place[4]])
    assert found
    assert all(isinstance(message, BookUpdate | TradeUpdate) for message in found)
