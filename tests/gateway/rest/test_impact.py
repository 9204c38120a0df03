from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rest.impact import impact
from tests.gateway.publications import Book
from tests.gateway.rest.held import NOW, held

UNIT = 10**8
BOOK = st.dictionaries(st.integers(9_000, 9_050), st.integers(1, 50), max_size=8)


@pytest.mark.parametrize("side", ["buy", "sell"])
@given(one=BOOK, other=BOOK, qty=st.integers(1, 300))
def test_an_order_costs_what_its_units_cost(one: Book, other: Book, qty: int, side: Literal["buy", "sell"]) -> None:
    books = (({}, one), ({}, other)) if side == "buy" else ((one, {}), (other, {}))
    units = sorted([price for book in (one, other) for price, size in book.items() for _ in range(size)])
    units = (units if side == "buy" else units[::-1])[:qty]
    answer = impact(held(*books).replicas["BTC-USDT"], side, qty, NOW)
    assert Decimal(answer["filled"]) == Decimal(len(units)) / UNIT
    assert Decimal(answer["filled"]) + Decimal(answer["left"]) == Decimal(answer["qty"])
    assert Fraction(Decimal(answer["cost"])) == Fraction(sum(units), 100 * UNIT)
    assert sum(Decimal(taken["size"]) for taken in answer["venues"].values()) == Decimal(answer["filled"])
    if not units:
        assert (answer["average"], answer["best"], answer["slippage_bps"]) == (None, None, None)
        return
    assert (Decimal(str(answer["best"])), Decimal(str(answer["worst"]))) == (
        Decimal(units[0]) / 100, Decimal(units[-1]) / 100,
    )  # fmt: skip
    exact = Fraction(sum(units), 100 * len(units))
    assert abs(Fraction(Decimal(str(answer["average"]))) - exact) <= Fraction(1, 20_000)
    assert answer["exact"] == (Fraction(Decimal(str(answer["average"]))) == exact)
    assert Decimal(str(answer["slippage_bps"])) >= 0


def test_at_one_price_the_venues_come_in_their_order() -> None:
    hub = held(({}, {10_000: 2 * UNIT}), ({}, {10_000: UNIT, 10_100: UNIT}))
    answer = impact(hub.replicas["BTC-USDT"], "buy", 3 * UNIT // 2 + UNIT, NOW)
    assert answer["venues"] == {"binance": {"size": "2", "cost": "200"}, "kraken": {"size": "0.5", "cost": "50"}}
    assert (answer["average"], answer["exact"], answer["slippage_bps"]) == ("100", True, "0.00")


def test_a_book_that_is_not_live_is_not_taken_from() -> None:
    hub = held(({}, {10_000: UNIT}), ({}, {10_000: UNIT}), stale="binance")
    answer = impact(hub.replicas["BTC-USDT"], "buy", 2 * UNIT, NOW)
    assert (list(answer["venues"]), answer["left"]) == (["kraken"], "1")
