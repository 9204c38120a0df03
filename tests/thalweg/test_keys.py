"""Names in Redis: spelt out once more, in one Cluster slot per instrument, and read back."""

from __future__ import annotations

import pytest

from thalweg import keys

INSTRUMENT, VENUE = "BTC-USDT", "binance"


def test_every_name_is_spelt_as_documented() -> None:
    assert keys.stream(INSTRUMENT, VENUE) == "st:{BTC-USDT}:binance"
    assert keys.bell(VENUE, 3) == "bell:binance:3"
    assert keys.out(INSTRUMENT) == "out:{BTC-USDT}"
    assert keys.book(INSTRUMENT) == "book:{BTC-USDT}"
    assert keys.checkpoint(INSTRUMENT) == "ckpt:{BTC-USDT}"
    assert keys.status(INSTRUMENT, VENUE) == "status:{BTC-USDT}:binance"
    assert keys.previous_checkpoint(INSTRUMENT) == "ckpt:{BTC-USDT}:prev"
    assert keys.lease(VENUE, 3) == "lease:{binance}:3"
    assert keys.epoch(VENUE, 3) == "epoch:{binance}:3"
    assert keys.workers(keys.OUT) == "workers:{out}"
    assert keys.budget(VENUE, "local") == "budget:{binance}:local"
    assert keys.latency("ingest:binance") == "lat:ingest:binance"
    assert (keys.HEARTBEAT, keys.OUT) == ("hb", "out")


def test_all_that_one_instrument_needs_has_one_hash_tag() -> None:
    names = [keys.stream(INSTRUMENT, VENUE), keys.out(INSTRUMENT), keys.book(INSTRUMENT), keys.checkpoint(INSTRUMENT)]
    names += [keys.status(INSTRUMENT, VENUE), keys.previous_checkpoint(INSTRUMENT)]
    assert {name[name.index("{") + 1 : name.index("}")] for name in names} == {INSTRUMENT}


def test_all_leases_of_a_group_have_one_hash_tag() -> None:
    names = [keys.workers(VENUE), *(name(VENUE, shard) for name in (keys.lease, keys.epoch) for shard in range(4))]
    assert {name[name.index("{") + 1 : name.index("}")] for name in names} == {VENUE}


@pytest.mark.parametrize("stream", [("BTC-USDT", "binance"), ("BTC-USDT-PERP", "okx")])
def test_a_stream_is_read_back_from_its_name(stream: tuple[str, str]) -> None:
    assert keys.parse_stream(keys.stream(*stream)) == stream


NO_STREAMS = ("", "st:", "st:{}:binance", "st:{BTC-USDT}:", "st:{BTC-USDT}", "out:{BTC-USDT}:x", "st:BTC:x")


@pytest.mark.parametrize("key", NO_STREAMS)
def test_what_is_no_input_stream_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="not an input stream"):
        keys.parse_stream(key)
