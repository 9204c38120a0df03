"""Publications: every value survives the bytes, and the bytes of version 1 never change."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.errors import WireError
from thalweg.events import State, Taker
from thalweg.fixed import INT64_MAX
from thalweg.ladder import Quote
from thalweg.publication import (
    SEQ_OFFSET,
    Kind,
    Publication,
    PublishedTrade,
    Rows,
    Stamps,
    VenueLine,
    decode_publication,
    encode_publication,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "publication-v1.bin"

NUMBERS = st.integers(0, INT64_MAX)
MAYBE = st.none() | NUMBERS
NAMES = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=16)
REASONS = st.text("abc äé,.", max_size=16).filter(lambda text: len(text.encode()) <= 32)


def rows(columns: int) -> st.SearchStrategy[Rows]:
    row = st.lists(NUMBERS, min_size=columns, max_size=columns)
    return st.lists(row, max_size=6).map(lambda found: np.array(found, dtype=np.int64).reshape(-1, columns))


VENUES = st.builds(VenueLine, NAMES, st.sampled_from(State), st.integers(0, 255), MAYBE, MAYBE, MAYBE, MAYBE, REASONS)
TRADES = st.builds(
    PublishedTrade, st.integers(0, 9), st.sampled_from(Taker), NUMBERS, NUMBERS, st.text(max_size=40), MAYBE, NUMBERS
)
PUBLICATIONS = st.builds(
    Publication,
    kind=st.sampled_from(Kind),
    instrument=st.sampled_from(("BTC-USDT", "A-BC", "ABCDEFGHIJKLMNOPQRST-UVWXYZ-PERP")),
    seq=NUMBERS,
    epoch=NUMBERS,
    price_decimals=st.integers(0, 18),
    size_decimals=st.integers(0, 18),
    stamps=st.builds(Stamps, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE),
    quote=st.builds(Quote, MAYBE, MAYBE, MAYBE, MAYBE),
    venues=st.lists(VENUES, max_size=5),
    runs=rows(4),
    changes=rows(3),
    trades=st.lists(TRADES, max_size=4),
)


def plain(one: Publication) -> dict[str, Any]:
    """A publication as values that `==` and JSON know."""
    return asdict(one) | {"runs": one.runs.tolist(), "changes": one.changes.tolist()}


@given(PUBLICATIONS)
def test_every_value_survives_the_bytes(one: Publication) -> None:
    assert plain(decode_publication(encode_publication(one))) == plain(one)


@given(PUBLICATIONS, st.data())
def test_a_record_that_is_cut_or_continued_is_an_error(one: Publication, data: st.DataObject) -> None:
    record = encode_publication(one)
    at = data.draw(st.integers(0, len(record) - 1))

    for broken in (record[:at], record + b"\0"):
        with pytest.raises(WireError):
            decode_publication(broken)


@pytest.mark.parametrize(("at", "byte"), [(0, b"x"), (1, b"\2"), (2, b"\7"), (160 + 16, b"\x63")])
def test_a_byte_that_version_1_does_not_have_is_an_error(at: int, byte: bytes) -> None:
    record = encode_publication(Publication(Kind.KEY, "BTC-USDT", 1, 1, 8, 8, venues=[VenueLine("kraken")]))

    with pytest.raises(WireError):
        decode_publication(record[:at] + byte + record[at + 1 :])


def test_sizes_above_int64_are_clipped_and_a_long_reason_is_cut() -> None:
    one = Publication(Kind.KEY, "BTC-USDT", 1, 1, 8, 8, quote=Quote(1, 2 * INT64_MAX, 2, INT64_MAX + 1))
    one.venues = [VenueLine("kraken", reason="é" * 40)]

    read = decode_publication(encode_publication(one))

    assert read.quote == Quote(1, INT64_MAX, 2, INT64_MAX)
    assert read.venues[0].reason == "é" * 16


def golden() -> Publication:
    """The publication whose bytes are kept."""
    return Publication(
        kind=Kind.DELTA,
        instrument="BTC-USD",
        seq=4_294_967_298,
        epoch=1_764_000_000_000,
        price_decimals=8,
        size_decimals=6,
        stamps=Stamps(None, *(1_764_000_000_000_000_001 + k for k in range(6))),
        quote=Quote(9_000_000_000_000, 1_500_000, 9_000_010_000_000, INT64_MAX),
        venues=[
            VenueLine("kraken", State.LIVE, 12, None, 1_764_000_000_000_000_000, 1_764_000_000_000_000_001, 17, ""),
            VenueLine("coinbase", State.STALE, 0, 77, None, None, 18, "connection sequence gap"),
        ],
        runs=np.array([[0, 1_763_999_999_000, 41, 44], [1, 1_763_999_999_001, 7, 7]], dtype=np.int64),
        changes=np.array([[0, 9_000_000_000_000, 1_500_000], [1, 9_000_020_000_000, 0]], dtype=np.int64),
        trades=[
            PublishedTrade(0, Taker.SELL, 9_000_000_000_000, 250_000, "4619", 1_764_000_000_000_000_000, 1),
            PublishedTrade(1, Taker.BUY, 9_000_010_000_000, 1, "é-1", None, 2),
        ],
    )


def test_the_bytes_of_version_1_are_the_ones_kept() -> None:
    assert encode_publication(golden()) == GOLDEN.read_bytes()


def test_the_kept_bytes_say_what_their_twin_says() -> None:
    twin = json.loads(GOLDEN.with_suffix(".json").read_text(encoding="utf-8"))

    assert json.loads(json.dumps(plain(decode_publication(GOLDEN.read_bytes())))) == twin


@pytest.mark.parametrize(
    ("offset", "form", "value"),
    [
        (0, "<4B", (ord("t"), 1, 1, 0)),
        (4, "<BBH", (8, 6, 2)),
        (8, "<4I", (2, 2, 2, 8)),
        (SEQ_OFFSET, "<2q", (4_294_967_298, 1_764_000_000_000)),
        (40, "<2q", (-1, 1_764_000_000_000_000_001)),
        (96, "<4q", (9_000_000_000_000, 1_500_000, 9_000_010_000_000, INT64_MAX)),
        (128, "<32s", (b"BTC-USD".ljust(32, b"\0"),)),
        (160, "<16s2B6xq", (b"kraken".ljust(16, b"\0"), 2, 12, -1)),
        (160 + 2 * 88, "<4q", (0, 1_763_999_999_000, 41, 44)),
        (160 + 2 * 88 + 2 * 32 + 24, "<3q", (1, 9_000_020_000_000, 0)),
        (160 + 2 * 88 + 2 * 32 + 2 * 24, "<6q", (1, 9_000_000_000_000, 250_000, 1_764_000_000_000_000_000, 1, 4)),
        (160 + 2 * 88 + 2 * 32 + 2 * 24 + 2 * 48, "<8s", ("4619é-1".encode(),)),
    ],
)
def test_the_layout_is_the_documented_one(offset: int, form: str, value: tuple[Any, ...]) -> None:
    assert struct.unpack_from(form, GOLDEN.read_bytes(), offset) == value


@pytest.mark.parametrize("lengths", [(3, 4), (4, 5), (-1, 9), (2**62, 4)])
def test_ids_that_do_not_fill_their_place_are_refused(lengths: tuple[int, int]) -> None:
    record = bytearray(GOLDEN.read_bytes())
    end = 160 + 2 * 88 + 2 * 32 + 2 * 24
    for k, length in enumerate(lengths):
        struct.pack_into("<q", record, end + k * 48 + 40, length)
    with pytest.raises(WireError):
        decode_publication(bytes(record))
