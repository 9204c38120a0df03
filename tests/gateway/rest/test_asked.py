from __future__ import annotations

import pytest

from gateway.rest import asked
from gateway.rest.asked import BadQuery


@pytest.mark.parametrize("text", ["0", "201", "-1", "1e2", "٣", "", "1.0", " 1", "9" * 5000])
def test_a_depth_that_can_not_be_is_refused(text: str) -> None:
    with pytest.raises(BadQuery, match="depth must be 1 to 200"):
        asked.depth({"depth": text})


@pytest.mark.parametrize("text", ["0", "-1", "1e400", "x", "", "0.001", "1_000", "nan", "9" * 400])
def test_an_amount_that_can_not_be_is_refused(text: str) -> None:
    with pytest.raises(BadQuery, match="qty must be"):
        asked.amount({"qty": text}, "qty", 2)


def test_an_amount_is_exact() -> None:
    assert asked.amount({"qty": "0.10"}, "qty", 2) == 10
    assert asked.amount({}, "qty", 2) is None


@pytest.mark.parametrize(("text", "units"), [("0", 0), ("2.5", 2_5000), ("-1.25", -1_2500)])
def test_the_least_edge_may_be_below_zero(text: str, units: int) -> None:
    assert asked.least_bps({"min_bps": text}) == units


@pytest.mark.parametrize("text", ["", "-", "--1", "1.00001", "five"])
def test_a_least_edge_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(BadQuery):
        asked.least_bps({"min_bps": text})


def test_sides_and_truths_are_words() -> None:
    assert (asked.side({"side": "buy"}), asked.side({"side": "sell"})) == ("buy", "sell")
    assert (asked.truth({}, "net", True), asked.truth({"net": "0"}, "net", True)) == (True, False)
    for ask in (
        lambda: asked.side({"side": "b"}),
        lambda: asked.side({}),
        lambda: asked.truth({"net": "x"}, "net", True),
    ):
        with pytest.raises(BadQuery):
            ask()
