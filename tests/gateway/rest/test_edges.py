from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hub import Hub
from gateway.levels import Shown
from gateway.rest.edges import ONE, arbitrage, walk
from gateway.topic import Now
from tests.gateway.publications import MS
from tests.gateway.rest.held import NOW, held

UNIT = 10**8
PAYS = ({9_990: UNIT}, {10_000: 2 * UNIT, 10_050: UNIT}), ({10_020: UNIT, 10_010: 3 * UNIT}, {10_100: UNIT})
BOOK = st.dictionaries(st.integers(50, 150), st.integers(1, 20), min_size=1, max_size=8)


def unit_by_unit(asks: dict[int, int], bids: dict[int, int], up: int, down: int) -> tuple[int, int]:
    """Size and profit of buying the cheapest unit and selling it at the dearest, one at a time."""
    offers = [price for price in sorted(asks) for _ in range(asks[price])]
    wants = [price for price in sorted(bids, reverse=True) for _ in range(bids[price])]
    gains = [want * down - offer * up for offer, want in zip(offers, wants, strict=False)]
    paying = [gain for gain in gains if gain > 0]
    return len(paying), sum(paying)


@given(BOOK, BOOK, st.integers(0, ONE // 50), st.integers(0, ONE // 50))
def test_the_walk_is_that_of_unit_by_unit(
    asks: dict[int, int], bids: dict[int, int], buy_fee: int, sell_fee: int
) -> None:
    up, down = ONE + buy_fee, ONE - sell_fee
    offers: Shown = {price: (asks[price],) for price in sorted(asks)}
    wants: Shown = {price: (bids[price],) for price in sorted(bids, reverse=True)}
    sums = walk(offers, wants, up, down)
    assert (sums.size, sums.got - sums.paid) == unit_by_unit(asks, bids, up, down)
    assert sums.whole or sums.size in (sum(asks.values()), sum(bids.values()))


def test_without_fees_an_edge_is_labelled_gross() -> None:
    (edge,) = arbitrage(held(*PAYS), {}, 0, True, NOW)["edges"]
    assert (edge["buy"], edge["sell"], edge["label"], edge["gross_of"]) == (
        "binance", "kraken", "gross", ["binance", "kraken"],
    )  # fmt: skip
    assert (edge["ask"], edge["bid"], edge["edge_bps"]) == ("100", "100.2", "20.00")
    assert (edge["size"], edge["cost"], edge["profit"], edge["whole"]) == ("2", "200", "0.3", True)
    assert (edge["age_ms"], edge["seq"]) == ({"binance": 100, "kraken": 100}, 1)


def test_one_fee_alone_is_taken_off_and_the_other_named() -> None:
    (edge,) = arbitrage(held(*PAYS), {"kraken": 5_0000}, 0, True, NOW)["edges"]
    assert (edge["label"], edge["gross_of"], edge["edge_bps"]) == ("gross", ["binance"], "14.99")


def test_net_is_of_both_fees() -> None:
    fees = {"binance": 7_5000, "kraken": 26_0000}
    answer = arbitrage(held(*PAYS), fees, -100_0000, True, NOW)
    edge = next(one for one in answer["edges"] if one["buy"] == "binance")
    bought, sold = 100 * Fraction("1.00075"), Fraction("100.2") * Fraction("0.9974")
    exact = (sold - bought) / bought * 10_000
    assert (edge["label"], edge["gross_of"], edge["size"]) == ("net", [], "0")
    assert abs(Fraction(Decimal(edge["edge_bps"])) - exact) <= Fraction(1, 200)
    assert answer["fees"] == {"binance": "7.5", "kraken": "26"}
    assert arbitrage(held(*PAYS), fees, 0, True, NOW)["edges"] == []
    assert len(arbitrage(held(*PAYS), fees, 0, False, NOW)["edges"]) == 1


@pytest.mark.parametrize(("least", "count"), [(19_9999, 1), (20_0000, 1), (20_0001, 0), (-1000_0000, 2)])
def test_the_least_edge_is_compared_exactly(least: int, count: int) -> None:
    assert len(arbitrage(held(*PAYS), {}, least, True, NOW)["edges"]) == count


@pytest.mark.parametrize(
    ("hub", "later_ms", "why"),
    [
        (held(*PAYS, stale="kraken"), 0, "stale: gap"),
        (held(*PAYS, flags=4), 0, "crossed in itself"),
        (held(*PAYS), 1901, "2001 ms old"),
    ],
)
def test_a_book_that_can_not_be_counted_on_has_no_edge(hub: Hub, later_ms: int, why: str) -> None:
    answer = arbitrage(hub, {}, 0, True, Now(NOW.wall + later_ms * MS, NOW.monotonic))
    assert answer["edges"] == []
    assert {"instrument": "BTC-USDT", "venue": "kraken", "why": why} in answer["barred"]


def test_a_book_that_ends_before_the_edge_does_is_not_whole() -> None:
    (edge,) = arbitrage(held(({}, {100: 1}), ({10_000: 5}, {})), {}, 0, True, NOW)["edges"]
    assert edge["whole"] is False
