"""Names in Redis: spelt out once more, in one Cluster slot per instrument, and read back."""

from __future__ import annotations

import pytest

from thalweg import keys
from thalweg.instruments import SHARDS, load_instruments, shard_of

INSTRUMENT, VENUE = "BTC-USDT", "binance"


def test_every_name_is_spelt_as_documented() -> None:
    assert keys.stream(INSTRUMENT, VENUE) == "st:{BTC-USDT}:binance"
    assert keys.bell(VENUE, 3) == "bell:{3}:binance"
    assert keys.out(INSTRUMENT) == "out:{BTC-USDT}"
    assert keys.book(INSTRUMENT) == "book:{BTC-USDT}"
    assert keys.checkpoint(INSTRUMENT) == "ckpt:{BTC-USDT}"
    assert keys.status(INSTRUMENT, VENUE) == "status:{BTC-USDT}:binance"
    assert keys.previous_checkpoint(INSTRUMENT) == "ckpt:{BTC-USDT}:prev"
    assert keys.lease(VENUE, 3) == "lease:{3}:binance"
    assert keys.epoch(VENUE, 3) == "epoch:{3}:binance"
    assert keys.workers(keys.OUT, 0) == "workers:{0}:out"
    assert keys.budget(VENUE, "local") == "budget:{binance}:local"
    assert keys.latency("ingest:binance") == "lat:ingest:binance"
    assert (keys.HEARTBEAT, keys.OUT) == ("hb", "out")


def test_all_that_one_instrument_needs_has_one_hash_tag() -> None:
    names = [keys.stream(INSTRUMENT, VENUE), keys.out(INSTRUMENT), keys.book(INSTRUMENT), keys.checkpoint(INSTRUMENT)]
    names += [keys.status(INSTRUMENT, VENUE), keys.previous_checkpoint(INSTRUMENT)]
    assert {name[name.index("{") + 1 : name.index("}")] for name in names} == {INSTRUMENT}


@pytest.mark.parametrize(
    ("name", "number"),
    # What `CLUSTER KEYSLOT` of a server says.
    [("123456789", 12739), ("out:{BTC-USDT}", 2688), ("{}x", 10595), ("a{b", 13340), ("{{x}}", 11068), ("hb", 3687)],
)
def test_a_name_s_slot_is_the_one_that_servers_have(name: str, number: int) -> None:
    assert keys.slot(name.encode()) == number


@pytest.mark.parametrize("group", [VENUE, keys.OUT])
def test_all_that_a_shard_needs_is_in_its_quarter_of_the_slots(group: str) -> None:
    for shard in range(SHARDS):
        own = [name(group, shard) for name in (keys.bell, keys.lease, keys.epoch, keys.workers)]
        theirs = [keys.out(name) for name in load_instruments().by_name if shard_of(name) == shard]
        assert {keys.slot(name.encode()) // (keys.SLOTS // SHARDS) for name in own + theirs} == {SHARDS - 1 - shard}
        assert len({keys.slot(name.encode()) for name in own}) == 1


@pytest.mark.parametrize("stream", [("BTC-USDT", "binance"), ("BTC-USDT-PERP", "okx")])
def test_a_stream_is_read_back_from_its_name(stream: tuple[str, str]) -> None:
    assert keys.parse_stream(keys.stream(*stream)) == stream


NO_STREAMS = ("", "st:", "st:{}:binance", "st:{BTC-USDT}:", "st:{BTC-USDT}", "out:{BTC-USDT}:x", "st:BTC:x")


@pytest.mark.parametrize("key", NO_STREAMS)
def test_what_is_no_input_stream_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="not an input stream"):
        keys.parse_stream(key)
