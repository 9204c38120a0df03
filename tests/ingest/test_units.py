"""How many places a number is written with, and how many a step needs."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.units import as_javascript, step_places, written_places
from thalweg.errors import NumberRefused


@pytest.mark.parametrize(
    ("text", "places"),
    [("0.500", 3), ("5", 0), ("5.0", 1), ("5e-8", 8), ("1.50e-7", 9), ("1.5E1", 0), ("62.8e3", 0), ("0e-99999", 64)],
)
def test_places_are_counted_as_written(text: str, places: int) -> None:
    assert written_places(text) == places


@given(coefficient=st.integers(1, 10**9), places=st.integers(0, 18))
def test_a_step_needs_as_many_places_as_it_has_when_shortest(coefficient: int, places: int) -> None:
    step = Decimal(coefficient).scaleb(-places)
    text = f"{step:f}"
    if step < 9:
        assert step_places(text) == max(-step.normalize().as_tuple().exponent, 0)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "places"), [("10", 0), ("1.00000000", 0), ("0.00000000", 0), ("1e-8", 8), ("0.10", 1), ("0.01e-10", 12)]
)
def test_steps(text: str, places: int) -> None:
    assert step_places(text) == places


@pytest.mark.parametrize("text", ["", ".", "1.", "1.1.", "step", "0.x", "-0.1", "1e-19", "٣"])
def test_what_is_no_step_is_refused(text: str) -> None:
    with pytest.raises(NumberRefused):
        step_places(text)


@pytest.mark.parametrize(
    ("units", "places", "text"),
    [
        (0, 8, "0"),
        (600000000000, 8, "6000"),
        (50000000, 8, "0.5"),
        (100, 8, "0.000001"),
        (99, 8, "9.9e-7"),
        (50, 8, "5e-7"),
        (1, 8, "1e-8"),
        (123, 12, "1.23e-10"),
        (100, 12, "1e-10"),
        (7, 0, "7"),
    ],
)
def test_numbers_as_javascript_writes_them(units: int, places: int, text: str) -> None:
    assert as_javascript(units, places) == text
