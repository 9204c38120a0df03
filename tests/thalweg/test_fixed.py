"""Fixed point against `decimal`: what is exact and in range is accepted, everything else is refused by its reason.

A text longer than `MAX_TEXT` is refused as `overflow` whatever it says, so the properties stay below that.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from thalweg.errors import DecodeError, NumberRefused
from thalweg.fixed import INT64_MAX, MAX_TEXT, NO_LEVELS, count_decimals, format_fixed, parse_fixed, parse_levels

DECIMALS = st.integers(0, 18)
DIGITS = st.text("0123456789", min_size=1, max_size=22)
EXPONENTS = st.text("0123456789", min_size=1, max_size=15) | st.integers(0, 40).map(str)  # `decimal` reads 17 digits
MARKS = st.sampled_from(["e", "E", "e+", "E+", "e-", "E-"])
SHIFT = st.just("") | st.builds("{}{}".format, MARKS, EXPONENTS)
SIGNS = st.sampled_from(["", "", "", "-"])
FRACTIONS = st.just("") | DIGITS.map(".{}".format)
NUMBERS = st.builds("{}{}{}{}".format, SIGNS, DIGITS, FRACTIONS, SHIFT).filter(lambda text: len(text) <= MAX_TEXT)
PLAIN = st.builds("{}.{}".format, st.integers(0, 10**11), st.integers(0, 10**9))


def refusal(text: object, decimals: int = 8) -> str:
    with pytest.raises(NumberRefused) as caught:
        parse_fixed(text, decimals)
    return caught.value.reason


def parsed(text: str, decimals: int) -> int | str:
    try:
        return parse_fixed(text, decimals)
    except NumberRefused as refused:
        return refused.reason


def expected(text: str, decimals: int) -> int | set[str]:
    """What `decimal` says of a number: its units, or the reasons it may be refused for."""
    with localcontext(prec=200, Emin=-(10**17), Emax=10**17):
        value = Decimal(text)
        if value < 0:
            return {"negative"}
        if not value:
            return 0
        size = value.adjusted() + decimals
        if size < -1 or size > 100:  # too far off for `decimal` to scale it in 200 digits
            return {"decimals"} if size < 0 else {"overflow", "decimals"}
        units = value.scaleb(decimals)
        reasons = {name for name, holds in (("decimals", units % 1 != 0), ("overflow", units > INT64_MAX)) if holds}
        return reasons or int(units)


@settings(max_examples=150, deadline=None)
@given(NUMBERS | PLAIN, DECIMALS)
@example("9223372036854775807", 0)
@example("9223372036854775808", 0)
@example("92233720368.54775807", 8)
@example("92233720368.54775808", 8)
@example("0.000000010000", 8)
@example("0.000000001", 8)
@example("1000e-11", 8)
@example("0e99999", 8)
@example("-0.0", 8)
@example("9.223372036854775807e18", 0)
@example("922337203685477580800e-2", 0)
def test_a_number_is_taken_exactly_as_decimal_reads_it_or_refused(text: str, decimals: int) -> None:
    got, want = parsed(text, decimals), expected(text, decimals)
    assert got == want if isinstance(want, int) else got in want


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("0123456789.eE+-_ xN٣²\0"), max_size=12) | st.text(max_size=12))
def test_any_other_text_is_refused_and_never_taken_for_a_number(text: str) -> None:
    """What passes has the one grammar of JSON numbers, but for leading zeros; `-0` may pass."""
    got = parsed(text, 8)
    if isinstance(got, int):
        whole = text.removeprefix("-").replace("E", "e").partition("e")[0]
        assert text.isascii()
        assert whole[0].isdigit()
        assert whole[-1].isdigit()
        assert not set(text) - set("0123456789.eE+-")
        assert got == expected(text, 8)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("1_000", "syntax"),
        (" 1", "syntax"),
        ("1 ", "syntax"),
        ("1\n", "syntax"),
        ("٣", "syntax"),
        ("\N{ARABIC-INDIC DIGIT ONE}.5", "syntax"),
        ("²", "syntax"),
        ("+1", "syntax"),
        ("NaN", "syntax"),
        ("Infinity", "syntax"),
        ("0x10", "syntax"),
        ("1.", "syntax"),
        ("1.e3", "syntax"),
        (".5", "syntax"),
        (".", "syntax"),
        ("-", "syntax"),
        ("--1", "syntax"),
        ("1.2.3", "syntax"),
        ("1,5", "syntax"),
        ("1e", "syntax"),
        ("1e+-5", "syntax"),
        ("1e5.0", "syntax"),
        ("1e1e1", "syntax"),
        ("\ud800", "syntax"),
        ("-1", "negative"),
        ("-1e-400", "negative"),
        ("1e-9", "decimals"),
        ("1e-400", "decimals"),
        ("0.123456789", "decimals"),
        ("1e400", "overflow"),
        ("1e" + "9" * 40, "overflow"),
        ("9" * 30, "overflow"),
        ("92233720368.54775808", "overflow"),
        ("1" * (MAX_TEXT + 1), "overflow"),
        ("0." + "0" * MAX_TEXT, "overflow"),
    ],
)
def test_a_refusal_names_its_reason(text: str, reason: str) -> None:
    assert refusal(text) == reason


@pytest.mark.parametrize("value", [None, 1, 1.5, True, b"1", ["1"], {}])
def test_what_is_not_text_is_refused(value: object) -> None:
    assert refusal(value) == "syntax"


def test_a_value_nested_too_deep_to_print_is_refused_too() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert refusal(nested) == "syntax"
    while nested:  # taken apart level by level, so that freeing it does not recurse
        nested = nested.pop()  # type: ignore[assignment]


def test_a_refusal_is_a_decode_error_that_keeps_little_of_a_long_text() -> None:
    with pytest.raises(DecodeError) as caught:
        parse_fixed("x" * 10_000, 8)
    assert len(str(caught.value)) < 80


def test_small_numbers_in_exponent_form_are_exact() -> None:
    assert parse_fixed("1e-7", 8) == 10
    assert parse_fixed("1E-8", 8) == 1
    assert parse_fixed("2.5e+3", 8) == 250_000_000_000


@settings(max_examples=150, deadline=None)
@given(st.integers(0, INT64_MAX), DECIMALS)
def test_formatting_and_parsing_give_the_number_back(value: int, decimals: int) -> None:
    text = format_fixed(value, decimals)
    assert parse_fixed(text, decimals) == value
    assert Decimal(text) == Decimal(value).scaleb(-decimals)


@settings(max_examples=150, deadline=None)
@given(st.integers(-INT64_MAX, INT64_MAX), DECIMALS)
def test_formatted_text_is_the_shortest_exact_one(value: int, decimals: int) -> None:
    text = format_fixed(value, decimals)
    with localcontext(prec=40):
        exact = Decimal(value).scaleb(-decimals)
        shortest = format(exact.normalize(), "f")
    assert text == ("0" if not value else shortest)


def test_levels_keep_their_order_and_both_scales() -> None:
    levels = parse_levels([("2.5", "0"), ("1", "0.001")], 2, 3)
    assert levels.dtype == np.int64
    assert levels.tolist() == [[250, 0], [100, 1]]


def test_no_levels_have_two_columns() -> None:
    assert parse_levels([], 8, 8) is NO_LEVELS
    assert NO_LEVELS.shape == (0, 2)


@pytest.mark.parametrize(
    ("pair", "reason"), [(("0", "1"), "zero"), (("0.0", "1"), "zero"), (("1", ""), "empty"), ((None, "1"), "syntax")]
)
def test_one_bad_number_refuses_all_the_levels(pair: tuple[object, object], reason: str) -> None:
    with pytest.raises(NumberRefused) as caught:
        parse_levels([("1", "1"), pair], 8, 8)
    assert caught.value.reason == reason


def test_decimals_are_counted_as_written() -> None:
    assert [count_decimals(text) for text in ("0.500", "5", "1.0")] == [3, 0, 1]
