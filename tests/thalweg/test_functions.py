"""The server functions on a real server: what they refuse, and that a refusal changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

import thalweg
from thalweg import keys
from thalweg.publication import SEQ_OFFSET, Kind, Publication, decode_publication, encode_publication

NAME = "BTC-USDT"
OUT, CHECKPOINT, CHANNEL, STATUS = keys.out(NAME), keys.checkpoint(NAME), keys.book(NAME), keys.status(NAME, "kraken")
FENCED = pytest.raises(redis.ResponseError, match="FENCED")


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        client.function_load(Path(thalweg.__file__).with_name("functions.lua").read_text(encoding="utf-8"))
        yield client


def call(server: redis.Redis, name: str, names: list[str], *args: str | bytes | int) -> Any:
    return server.fcall(f"thalweg_{name}", len(names), *names, *args)


def record(kind: Kind, epoch: int, seq: int = 0) -> bytes:
    return encode_publication(Publication(kind, NAME, seq, epoch, 8, 8))


def open_out(server: redis.Redis, epoch: int) -> Any:
    return call(server, "open_out", [OUT, CHECKPOINT], epoch, CHANNEL, SEQ_OFFSET, record(Kind.OPEN, epoch))


def publish(server: redis.Redis, epoch: int, *sequences: int) -> Any:
    pairs = [part for seq in sequences for part in (f"{epoch}-{seq}", record(Kind.DELTA, epoch, seq))]
    return call(server, "publish", [OUT], CHANNEL, *pairs)


def kept(server: redis.Redis) -> list[tuple[bytes, bytes]]:
    entries: Any = server.xrange(OUT)
    return [(identity, entry[b"r"]) for identity, entry in entries]


def heard(server: redis.Redis) -> Any:
    listener = server.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    listener.subscribe(CHANNEL)
    listener.get_message(timeout=1)
    return listener


def test_the_first_record_of_all_has_sequence_1_written_into_it(server: redis.Redis) -> None:
    listener = heard(server)

    assert open_out(server, 7) == 1

    expected = record(Kind.OPEN, 7, 1)
    assert kept(server) == [(b"7-1", expected)]
    assert listener.get_message(timeout=1)["data"] == expected
    assert decode_publication(expected).seq == 1


def test_opening_goes_on_after_the_last_record_of_another_epoch(server: redis.Redis) -> None:
    open_out(server, 7)
    publish(server, 7, 2, 3)

    assert open_out(server, 8) == 4
    assert [identity for identity, _ in kept(server)] == [b"7-1", b"7-2", b"7-3", b"8-4"]


@pytest.mark.parametrize("epoch", [6, 7])
def test_opening_is_refused_below_or_at_the_epoch_of_the_top(server: redis.Redis, epoch: int) -> None:
    open_out(server, 7)

    with FENCED:
        open_out(server, epoch)
    assert len(kept(server)) == 1


def test_a_lost_stream_goes_on_after_its_checkpoint(server: redis.Redis) -> None:
    server.set(CHECKPOINT, json.dumps({"seq": 41, "epoch": 7}))

    assert open_out(server, 8) == 42


def test_a_stream_that_lost_its_tail_goes_on_after_its_checkpoint(server: redis.Redis) -> None:
    open_out(server, 7)
    server.set(CHECKPOINT, json.dumps({"seq": 41, "epoch": 7}))

    assert open_out(server, 8) == 42


def test_no_sequence_at_or_below_the_floor_is_used(server: redis.Redis) -> None:
    open_out(server, 7)
    names, record_of_8 = [OUT, CHECKPOINT], record(Kind.OPEN, 8)

    assert call(server, "open_out", names, 8, CHANNEL, SEQ_OFFSET, record_of_8, 99) == 100


@pytest.mark.parametrize("garbage", ["", "not json", "[]", "7", '{"seq": null}'])
def test_a_checkpoint_that_is_none_does_not_keep_a_stream_from_opening(server: redis.Redis, garbage: str) -> None:
    server.set(CHECKPOINT, garbage)

    assert open_out(server, 7) == 1
    assert call(server, "checkpoint", [CHECKPOINT], 7, json.dumps({"epoch": 7, "seq": 1})) == 1


def test_the_checkpoint_before_the_last_is_kept(server: redis.Redis) -> None:
    names = [CHECKPOINT, keys.previous_checkpoint(NAME)]
    first, second = (json.dumps({"epoch": 7, "seq": seq}) for seq in (1, 2))
    call(server, "checkpoint", names, 7, first)
    call(server, "checkpoint", names, 7, second)

    assert server.mget(names) == [second.encode(), first.encode()]


def test_the_same_bytes_are_appended_and_published_in_order(server: redis.Redis) -> None:
    open_out(server, 7)
    listener = heard(server)

    assert publish(server, 7, 2, 3) == 2

    assert [listener.get_message(timeout=1)["data"] for _ in range(2)] == [one for _, one in kept(server)[1:]]


def test_who_is_fenced_appends_and_publishes_nothing(server: redis.Redis) -> None:
    open_out(server, 7)
    open_out(server, 8)
    listener = heard(server)

    with FENCED:
        publish(server, 7, 2)

    publish(server, 8, 3)
    assert listener.get_message(timeout=1)["data"] == record(Kind.DELTA, 8, 3)
    assert [identity for identity, _ in kept(server)] == [b"7-1", b"8-2", b"8-3"]


def test_repeating_a_record_is_refused(server: redis.Redis) -> None:
    open_out(server, 7)
    publish(server, 7, 2)

    with FENCED:
        publish(server, 7, 2)
    assert len(kept(server)) == 2


def test_a_refusal_that_is_no_takeover_is_not_called_one(server: redis.Redis) -> None:
    server.set(OUT, "not a stream")

    with pytest.raises(redis.ResponseError, match="wrong kind of value") as caught:
        publish(server, 7, 2)
    assert "FENCED" not in str(caught.value)


def test_a_full_server_is_not_called_a_takeover(server: redis.Redis) -> None:
    open_out(server, 7)
    found: Any = server.config_get("maxmemory")
    server.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.ResponseError) as caught:
            publish(server, 7, 2)
    finally:
        server.config_set("maxmemory", found["maxmemory"])
    assert "FENCED" not in str(caught.value)
    assert publish(server, 7, 2) == 1


def test_a_status_of_an_older_epoch_is_refused(server: redis.Redis) -> None:
    call(server, "status", [STATUS], 7, "state", "live", "flags", 0)
    call(server, "status", [STATUS], 7, "state", "stale")

    with FENCED:
        call(server, "status", [STATUS], 6, "state", "live")
    assert server.hgetall(STATUS) == {b"epoch": b"7", b"state": b"stale", b"flags": b"0"}


def test_a_checkpoint_of_an_older_epoch_is_refused(server: redis.Redis) -> None:
    newer = json.dumps({"epoch": 7, "seq": 1})
    call(server, "checkpoint", [CHECKPOINT], 7, newer)

    with FENCED:
        call(server, "checkpoint", [CHECKPOINT], 6, json.dumps({"epoch": 6}))
    assert server.get(CHECKPOINT) == newer.encode()
    assert call(server, "checkpoint", [CHECKPOINT], 7, json.dumps({"epoch": 7, "seq": 2})) == 1


def test_epochs_and_sequences_beyond_32_bits_keep_every_digit(server: redis.Redis) -> None:
    epoch, seq = 1_999_999_999_999, 9_007_199_254_740_000
    server.set(CHECKPOINT, json.dumps({"seq": seq, "epoch": 1}))

    assert open_out(server, epoch) == seq + 1
    assert kept(server)[0] == (b"%d-%d" % (epoch, seq + 1), record(Kind.OPEN, epoch, seq + 1))
