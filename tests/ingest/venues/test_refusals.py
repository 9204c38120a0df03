"""Numbers that can't be taken cost the one update that has them, and say why."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

import pytest

from ingest.venue import BookUpdate, Refused, TradeUpdate
from ingest.venues import VENUES
from tests.ingest.venues.shapes import FRAMES, decoded, frames


@dataclass(frozen=True)
class Place:
    """A price and a size of a frame, by their digits; `bare` ones are JSON numbers, `signed` sizes have a side."""

    venue: str
    kind: str
    symbol: str
    case: str
    line: int
    price: str
    size: str
    bare: bool = False
    signed: bool = False


def places(venue: str) -> list[Place]:
    """What a venue's provenance says of its frames."""
    return [Place(venue, **row) for row in tomllib.loads((FRAMES / venue / "provenance.toml").read_text())["numbers"]]


BY_PLACE = pytest.mark.parametrize(
    "place", [place for venue in VENUES for place in places(venue)], ids=lambda place: f"{place.venue}-{place.kind}"
)
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


def spoilt(place: Place, part: str, value: str) -> bytes:
    """The frame of a place with another price or size as JSON."""
    frame = frames(place.venue, place.case)[place.line]
    digits = str(getattr(place, part)).encode()
    old = digits if place.bare else b'"%b"' % digits
    assert old in frame
    return frame.replace(old, value.encode(), 1)


def test_every_venue_has_a_place_for_books_and_trades() -> None:
    assert [venue for venue in VENUES if {place.kind for place in places(venue)} != {"book", "trade"}] == []


@pytest.mark.parametrize("part", ["price", "size"])
@BY_PLACE
def test_a_number_that_is_none_is_refused_with_its_reason(place: Place, part: str) -> None:
    venue = VENUES[place.venue]
    cases = {f'"{text}"': reason for text, reason in TEXTS.items()} | OTHERS | (BARE if place.bare else {})
    if place.signed and part == "size":
        cases = {value: reason for value, reason in cases.items() if reason != "negative"}
    found = {value: decoded(venue, spoilt(place, part, value)) for value in cases}
    refused = {value: [one for one in messages if isinstance(one, Refused)] for value, messages in found.items()}
    assert refused == {value: [Refused(place.symbol, place.kind, reason)] for value, reason in cases.items()}


@BY_PLACE
def test_a_price_of_zero_is_refused(place: Place) -> None:
    found = decoded(VENUES[place.venue], spoilt(place, "price", "0.00" if place.bare else '"0.00"'))
    assert Refused(place.symbol, place.kind, "zero") in found


@BY_PLACE
def test_a_size_of_zero_removes_a_level_and_is_no_trade(place: Place) -> None:
    found = decoded(VENUES[place.venue], spoilt(place, "size", "0" if place.bare else '"0.00000000000"'))
    assert (Refused(place.symbol, "trade", "zero") in found) == (place.kind == "trade")


@BY_PLACE
def test_the_frames_are_taken_as_they_are(place: Place) -> None:
    found = decoded(VENUES[place.venue], frames(place.venue, place.case)[place.line])
    assert found
    assert all(isinstance(message, BookUpdate | TradeUpdate) for message in found)
