"""What holds for every venue in the table."""

from __future__ import annotations

import json
import tomllib

import pytest

from ingest.venue import Venue
from ingest.venues import VENUES
from simulator.venues import DIALECTS
from tests.ingest.venues.shapes import FRAMES
from thalweg.instruments import load_instruments

BY_VENUE = pytest.mark.parametrize("venue", VENUES.values(), ids=lambda venue: venue.name)


def test_the_table_has_every_venue_of_the_instruments_file() -> None:
    named = {venue for instrument in load_instruments().by_name.values() for venue in instrument.symbols}
    assert named == set(VENUES) == set(DIALECTS)


def test_the_usual_venues_are_in_the_table() -> None:
    assert set(load_instruments().usual) == {"binance", "bybit", "kraken", "coinbase"} <= set(VENUES)


@BY_VENUE
def test_requests_are_json_and_name_every_symbol(venue: Venue) -> None:
    symbols = list(load_instruments().listings(venue.name))
    requests = venue.subscribe(symbols)
    texts = "".join(requests)
    assert all(isinstance(json.loads(venue.stamp(text, 1)), dict) for text in requests)
    assert [symbol for symbol in symbols if symbol not in texts and symbol.lower() not in texts] == []


@BY_VENUE
def test_a_rule_belongs_to_one_book(venue: Venue) -> None:
    assert venue.rule() is not venue.rule()


@BY_VENUE
def test_its_socket_is_judged_by_something_that_comes_sooner_than_the_silence(venue: Venue) -> None:
    keepalive = venue.keepalive
    assert keepalive.heartbeat_s or keepalive.ping
    assert (keepalive.heartbeat_s or keepalive.every_s) < keepalive.silence_s


@BY_VENUE
def test_every_case_of_frames_says_where_its_shape_is_from(venue: Venue) -> None:
    folder = FRAMES / venue.name
    provenance = tomllib.loads((folder / "provenance.toml").read_text())
    assert provenance["source"]
    assert set(provenance["cases"]) == {path.stem for path in folder.glob("*.jsonl")}
