from __future__ import annotations

import pytest

from gateway.channels import DEPTHS, RATES_MS, Channel, parse_channel, quantise
from tests.gateway.publications import instruments

KNOWN = instruments("BTC-USDT")


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("status", Channel("status", "status")),
        ("metrics", Channel("metrics", "metrics")),
        ("cbook:BTC-USDT", Channel("cbook:BTC-USDT", "cbook", "BTC-USDT")),
        ("bbo:*:BTC-USDT", Channel("bbo:*:BTC-USDT", "bbo", "BTC-USDT", "*")),
        ("trades:*:BTC-USDT", Channel("trades:*:BTC-USDT", "trades", "BTC-USDT", "*")),
        ("book:kraken:BTC-USDT", Channel("book:kraken:BTC-USDT", "book", "BTC-USDT", "kraken")),
    ],
)
def test_a_known_name_is_a_channel(name: str, channel: Channel) -> None:
    assert parse_channel(name, KNOWN) == channel


@pytest.mark.parametrize(
    "name",
    [
        *("", ":", "status:", "cbook", "cbook:ETH-USDT", "book:bybit:BTC-USDT", "book:*:BTC-USDT", "hb"),
        *("bbo:kraken:BTC-USDT", "book:kraken:btc-usdt", "book:kraken:BTC-USDT:", "cbook:BTC-USDT\n", "trades:*"),
        "x" * 5000,
    ],
)
def test_any_other_name_is_none(name: str) -> None:
    assert parse_channel(name, KNOWN) is None


@pytest.mark.parametrize(("asked", "granted"), [(1, 10), (10, 10), (11, 25), (50, 50), (51, 200), (9999, 200)])
def test_a_depth_is_granted_in_steps(asked: int, granted: int) -> None:
    assert quantise(asked, DEPTHS) == granted


@pytest.mark.parametrize(("asked", "granted"), [(0, 0), (1, 100), (100, 100), (101, 250), (5000, 1000)])
def test_a_rate_is_granted_in_steps(asked: int, granted: int) -> None:
    assert quantise(asked, RATES_MS) == granted
