"""Instants are read exactly, to the nanosecond, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.instants import from_milliseconds, from_rfc3339
from thalweg.errors import DecodeError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(
    moment=st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2262, 1, 1)),  # noqa: DTZ001
    nanoseconds=st.integers(0, 999),
)
def test_an_instant_is_exact_to_the_nanosecond(moment: datetime, nanoseconds: int) -> None:
    text = f"{moment.replace(microsecond=0).isoformat()}.{moment.microsecond:06}{nanoseconds:03}Z"
    microseconds = (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    assert from_rfc3339(text) == microseconds * 1000 + nanoseconds


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-08-16T23:37:02Z", 1786923422_000_000_000),
        ("2026-08-16T23:37:02.9Z", 1786923422_900_000_000),
        ("2026-08-16T23:37:02.000000001Z", 1786923422_000_000_001),
        ("2024-02-29T00:00:00.5Z", 1709164800_500_000_000),
        ("2016-12-31T23:59:60Z", 1483228800_000_000_000),
        ("2262-04-11T23:47:16.854775807Z", 2**63 - 1),
    ],
)
def test_known_instants(text: str, instant: int) -> None:
    assert from_rfc3339(text) == instant


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2262-04-11T23:47:16.854775808Z"])
def test_an_instant_that_does_not_fit_is_none(text: str) -> None:
    assert from_rfc3339(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-08-16",
        "2026-08-16T23:37:02",
        "2026-08-16T23:37:02.Z",
        "2026-08-16T23:37:02.1234567890Z",
        "2026-08-16T23:37:02,5Z",
        "2026-08-16T23:37:02+00:00",
        "2026-08-16 23:37:02Z",
        "2026-08-16T23-37-02Z",
        "2026/08/16T23:37:02Z",
        "2026-08-16T24:00:00Z",
        "2026-08-16T23:60:02Z",
        "2026-08-16T23:37:61Z",
        "2026-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-08-16T23:37:٣٣Z",
        "٢٠٢٦-08-16T23:37:02Z",
        "2026-08-16T+1:37:02Z",
        "2026-8-16T23:37:02.1Z",
    ],
)
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        from_rfc3339(text)


@given(text=st.text(max_size=32) | st.text("0123456789-:.TZ", max_size=32))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        from_rfc3339(text)
    except DecodeError:
        pass


def test_milliseconds_become_nanoseconds_if_they_fit() -> None:
    assert from_milliseconds(1787600123456) == 1787600123456000000
    assert from_milliseconds(0) == 0
    assert from_milliseconds(2**63 - 1) is None
