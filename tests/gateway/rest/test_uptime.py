"""Uptime is summed over hours and books; a share is rounded down, so that 1 means all of it."""

from __future__ import annotations

from gateway.rest.uptime import HOUR_NS, hours_before, uptime
from gateway.topic import Now

NOW = Now(495_000 * HOUR_NS + 7, 1)


def test_hours_end_with_the_present_one() -> None:
    assert list(hours_before(NOW.wall, 3)) == [494_998, 494_999, 495_000]


def test_books_and_venues_are_summed() -> None:
    kept = {
        "BTC-USDT": [
            {"kraken.observed_ms": "3600000", "kraken.live_ms": "3599999", "kraken.falls": "1"},
            {"kraken.observed_ms": "1000", "kraken.live_ms": "1000", "binance.observed_ms": "1000"},
        ],
        "ETH-USDT": [{"kraken.observed_ms": "3601000", "kraken.live_ms": "1801000", "kraken.falls": "4"}, {}],
    }
    found = uptime(kept, 2, NOW)
    assert found["hours"] == 2
    assert {one["venue"]: (one["books"], one["live_share"], one["falls"]) for one in found["venues"]} == {
        "kraken": (2, "0.75006", 5),
        "binance": (1, "0.00000", 0),
    }
    shares = {(one["instrument"], one["venue"]): one["live_share"] for one in found["books"]}
    assert shares == {
        ("BTC-USDT", "kraken"): "0.99999",
        ("BTC-USDT", "binance"): "0.00000",
        ("ETH-USDT", "kraken"): "0.50013",
    }


def test_nothing_observed_has_no_share_and_odd_fields_are_no_figures() -> None:
    assert uptime({"BTC-USDT": [{}]}, 1, NOW)["books"] == []
    odd = uptime({"BTC-USDT": [{"kraken.observed_ms": "x", "kraken.falls": "2"}]}, 1, NOW)
    assert odd["books"][0]["live_share"] is None
    assert odd["books"][0]["falls"] == 2
