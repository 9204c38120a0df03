"""Targets: decimal text to units, against `decimal` and a grammar written apart from the parser."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext

from ingest.units import step_places, written_places
from tests.fuzz.mutation import ODD
from tests.fuzz.target import Target
from thalweg.errors import NumberRefused
from thalweg.fixed import INT64_MAX, MAX_TEXT, format_fixed, parse_fixed, parse_levels
from thalweg.instruments import MAX_DECIMALS

GRAMMAR = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
EXPONENT_MAX = 200  # beyond it nothing but zero fits: a text has at most 64 digits


def read(text: str) -> Decimal | None:
    """The number of a text; 0 whatever its exponent if it is zero; `None` where it is none of ours in any units."""
    found = GRAMMAR.fullmatch(text)
    if not found or len(text) > MAX_TEXT:
        return None
    sign, whole, fraction, exponent = found.groups(default="")
    if not (whole + fraction).strip("0"):
        return Decimal(0)
    if sign or abs(int(exponent or 0)) > EXPONENT_MAX:
        return None
    return Decimal(text)


def reference(text: str, decimals: int) -> int | None:
    """The units of a text; `None` where it is to be refused."""
    number = read(text)
    if number is None:
        return None
    with localcontext(prec=999):
        units = number.scaleb(decimals)
        return int(units) if units <= INT64_MAX and units == units.to_integral_value() else None


def judge(data: bytes) -> object:
    """Parse one number in any units; the first byte says which."""
    decimals, text = (data[0] % (MAX_DECIMALS + 1) if data else 0), data[1:].decode(errors="replace")
    expected = reference(text, decimals)
    try:
        units = parse_fixed(text, decimals)
    except NumberRefused as error:
        assert expected is None, f"refused, but it is {expected}"
        return error.reason
    assert units == expected
    assert parse_fixed(format_fixed(units, decimals), decimals) == units
    if units:
        assert parse_levels([(text, text)], decimals, decimals).tolist() == [[units, units]]
        exponent = Decimal(text).as_tuple().exponent
        assert isinstance(exponent, int)
        assert written_places(text) == min(max(-exponent, 0), MAX_TEXT)
    return units == 0, len(text) > 20, "e" in text.lower()


def judge_step(data: bytes) -> object:
    """The decimal places that multiples of a step need: the least with which it is a whole number of units."""
    text = data.decode(errors="replace")
    fitting = [places for places in range(MAX_DECIMALS + 1) if reference(text, places) is not None]
    try:
        places = step_places(text)
    except NumberRefused as error:
        assert not fitting, f"refused, but it needs {fitting[0]}"
        return error.reason
    assert places == fitting[0]
    return places


def _numbers() -> list[bytes]:
    texts = [b"62801.10", b"0.41230000", b"1e-7", b"-0.0", b"5E+3", b"92233720368.54775807", *ODD]
    return [bytes([places]) + text for places in (0, 2, 8, 18) for text in texts]


TARGETS = [
    Target("fixed", judge, _numbers, least=100_000),
    Target("step", judge_step, lambda: [*ODD, b"0.0100", b"10", b"1e-8", b"0.5"], least=100_000, share=0.5),
]
