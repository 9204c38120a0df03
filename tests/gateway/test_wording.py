from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.levels import Scale
from gateway.topic import Now
from gateway.wording import quote_text, stamps_text
from thalweg.ladder import Quote
from thalweg.publication import Stamps

SCALE = Scale(2, 3)
UNITS = st.integers(1, 2**62)


@given(UNITS, UNITS, UNITS, UNITS)
def test_spread_and_mid_are_exact(bid: int, bid_size: int, ask: int, ask_size: int) -> None:
    text = quote_text(Quote(bid, bid_size, ask, ask_size), SCALE)
    assert Decimal(text["mid"] or "") == (Decimal(bid) + Decimal(ask)) / 200
    assert Decimal(text["spread"] or "") == (Decimal(ask) - Decimal(bid)) / 100
    assert text["crossed"] is (bid >= ask)


def test_a_quote_is_in_words() -> None:
    assert quote_text(Quote(9_999, 3_000, 10_004, 1_000), SCALE) == {
        "bid": "99.99",
        "bid_size": "3",
        "ask": "100.04",
        "ask_size": "1",
        "spread": "0.05",
        "mid": "100.015",
        "micro": "100.03",
        "imbalance": "0.5000",
        "crossed": False,
    }


def test_what_is_absent_is_null() -> None:
    text = quote_text(Quote(bid=1, bid_size=2), SCALE)
    assert [name for name, value in text.items() if value is None] == [
        *("ask", "ask_size", "spread", "mid", "micro", "imbalance")
    ]


def test_stamps_are_microseconds_and_absent_ones_are_left_out() -> None:
    assert stamps_text(Stamps(ts_recv=5_000, ts_published=9_999), Now(12_345, 0)) == {"r": 5, "p": 9, "g": 12}
