from __future__ import annotations

from typing import Any

from tests.chaos.client import Client
from tests.chaos.invariants import Tally

CHANNEL = "cbook:BTC-USDT"
LIVE, STALE = {"st": "live"}, {"st": "stale"}


def snap(seq: int, **states: dict[str, str]) -> dict[str, Any]:
    level = ["100.5", "3", {"binance": "1", "kraken": "2"}]
    return {"t": "snap", "ch": CHANNEL, "s": seq, "b": [level], "a": [], "v": states}


def delta(before: int, seq: int, levels: list[list[Any]], **states: dict[str, str]) -> dict[str, Any]:
    return {"t": "d", "ch": CHANNEL, "p": before, "s": seq, "b": levels, "a": [], "v": states}


def test_a_client_keeps_what_it_shows_at_every_sequence() -> None:
    tally = Tally()
    client = Client(("BTC-USDT",), tally)
    client.take(snap(5, binance=LIVE, kraken=LIVE), 1.0)
    client.take(delta(5, 8, [["100.5", "0"], ["99", "4", {"kraken": "4"}]], binance=LIVE, kraken=LIVE), 2.0)
    assert [one.seq for one in client.shown] == [5, 8]
    assert client.shown[0].sides[0] == {"100.5": {"binance": "1", "kraken": "2"}}
    assert client.shown[1].sides[0] == {"99": {"kraken": "4"}}
    assert tally.counts == {}


def test_a_frame_that_does_not_go_on_is_a_violation() -> None:
    tally = Tally()
    client = Client(("BTC-USDT",), tally)
    client.take(snap(5, binance=LIVE, kraken=LIVE), 1.0)
    client.take(delta(6, 8, [], binance=LIVE, kraken=LIVE), 2.0)
    assert tally.counts == {"I10": 1}


def test_a_ladder_that_quotes_a_stale_venue_is_a_violation() -> None:
    tally = Tally()
    Client(("BTC-USDT",), tally).take(snap(5, binance=LIVE, kraken=STALE), 1.0)
    assert tally.counts == {"I10": 1}


def test_states_are_kept_with_their_instants() -> None:
    client = Client(("BTC-USDT",), Tally())
    client.take({"t": "status", "ex": "kraken", "sym": "BTC-USDT", "st": "stale"}, 3.0)
    client.take({"t": "status", "sys": "redis", "st": "down"}, 4.0)
    assert list(client.told) == [(3.0, "kraken", "BTC-USDT", "stale"), (4.0, "sys", "redis", "down")]
