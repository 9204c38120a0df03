from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rest.ratios import bps_text, divided, ratio_text


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**20))
def test_division_is_to_the_nearest_and_halves_go_away_from_zero(dividend: int, divisor: int) -> None:
    got, exact = divided(dividend, divisor), Fraction(dividend, divisor)
    assert abs(got - exact) <= Fraction(1, 2)
    if abs(got - exact) == Fraction(1, 2):
        assert abs(got) > abs(exact)


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6))
def test_basis_points_are_those_of_decimals(dividend: int, divisor: int) -> None:
    exact = Decimal(dividend) * 10_000 / Decimal(divisor)
    rounded = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert abs(Decimal(bps_text(dividend, divisor)) - rounded) <= (Decimal(0) if exact % 1 else Decimal("0.01"))


@pytest.mark.parametrize(
    ("dividend", "divisor", "text"), [(1, 10_000, "1.00"), (-1, 80_000, "-0.13"), (0, 7, "0.00"), (-1, 10**9, "0.00")]
)
def test_basis_points_have_two_places(dividend: int, divisor: int, text: str) -> None:
    assert bps_text(dividend, divisor) == text


def test_a_ratio_has_as_many_places_as_it_needs() -> None:
    assert [ratio_text(1, 8, 4), ratio_text(1, 3, 4), ratio_text(-2, 3, 2)] == ["0.125", "0.3333", "-0.67"]
