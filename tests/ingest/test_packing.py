"""Packed entries are the bytes of the general way, whatever is absent, odd or long."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import packing
from ingest.packing import Packer
from thalweg.events import Delta, Event, Status, Taker, Trade
from thalweg.events import State as BookState
from thalweg.fixed import INT64_MAX, Levels
from thalweg.resp import pack_words
from thalweg.wire import encode_entry, format_id

KEY, EPOCH, TS = b"st:{BTC-USD}:kraken", 1_795_000_000_000, 1_795_000_000_000_000_000

numbers = st.integers(0, INT64_MAX)
instants = st.one_of(st.integers(10**18 - 2, 10**18 + 2), st.integers(TS, INT64_MAX), numbers)
sides = st.lists(st.tuples(numbers, numbers), max_size=5).map(
    lambda levels: np.array(levels, dtype=np.int64).reshape(-1, 2)
)
deltas = st.builds(
    Delta,
    st.just("kraken"),
    st.just("BTC-USD"),
    sides,
    sides,
    st.none() | numbers,
    st.none() | numbers,
    st.none() | instants,
    instants,
)
trades = st.builds(
    Trade,
    st.just("kraken"),
    st.just("BTC-USD"),
    numbers,
    numbers,
    st.sampled_from(Taker),
    st.text(max_size=40),
    st.none() | instants,
    instants,
)


def generally(event: Event, n: int, ts_append: int) -> bytes:
    """The command, word by word."""
    return pack_words([b"XADD", KEY, format_id(EPOCH, n), *encode_entry(event, ts_append)])


@settings(max_examples=300, deadline=None)
@given(event=deltas | trades, n=st.integers(1, 10**12), ts_append=instants)
def test_packed_and_encoded_are_the_same_bytes(event: Event, n: int, ts_append: int) -> None:
    assert Packer(KEY, EPOCH).pack(event, n, ts_append) == generally(event, n, ts_append)


def test_levels_that_are_a_view_are_packed_in_order() -> None:
    every_other: Levels = np.arange(16, dtype=np.int64).reshape(-1, 2)[::2]
    event = Delta("kraken", "BTC-USD", every_other, every_other, None, None, None, TS)

    assert Packer(KEY, EPOCH).pack(event, 1, TS) == generally(event, 1, TS)


def test_a_status_goes_the_general_way() -> None:
    event = Status("kraken", "BTC-USD", BookState.STALE, 5, "gap: 13 to 14", TS, TS)

    assert Packer(KEY, EPOCH).pack(event, 2, TS) == generally(event, 2, TS)


def test_usual_events_need_no_word_by_word_packing(monkeypatch: pytest.MonkeyPatch) -> None:
    none: Levels = np.empty((0, 2), dtype=np.int64)
    usual = (
        Delta("kraken", "BTC-USD", none, none, 7, 9, TS, TS),
        Trade("kraken", "BTC-USD", 1, 2, Taker.BUY, "77", TS, TS),
    )
    wanted = [generally(event, 3, TS) for event in usual]
    monkeypatch.delattr(packing, "pack_words")

    assert [Packer(KEY, EPOCH).pack(event, 3, TS) for event in usual] == wanted
