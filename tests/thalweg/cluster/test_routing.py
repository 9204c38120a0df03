"""Where a command goes in a Cluster: its slot from the packed bytes, and who has it."""

from __future__ import annotations

import pytest

from thalweg.cluster.routing import SlotMap, routed, slot_map, subscriptions
from thalweg.keys import slot
from thalweg.resp import pack, pack_words

TAG = slot(b"BTC-USDT")
A, B = ("a", 1), ("b", 2)


@pytest.mark.parametrize(
    "words",
    [
        ("XADD", "st:{BTC-USDT}:binance", "1-1", "k", b"\r\n$3\r\nbin"),
        ("MGET", "out:{BTC-USDT}"),
        ("XRANGE", b"out:{BTC-USDT}", "-", "+"),
        ("XINFO", "STREAM", "st:{BTC-USDT}:binance"),
        ("XREAD", "COUNT", 5, "STREAMS", "st:{BTC-USDT}:binance", "0-0"),
        ("FCALL", "thalweg_publish", 1, "out:{BTC-USDT}", "book:{BTC-USDT}", "1-1", b"x" * 100),
        ("FCALL", "f", 1, "out:{BTC-USDT}"),
        ("GET", "{BTC-USDT}"),
    ],
)
def test_a_command_goes_where_its_key_is(words: tuple[bytes | str | int, ...]) -> None:
    command = pack(*words)
    assert routed(command) == (command, TAG)


@pytest.mark.parametrize(
    "words", [("PING",), ("TIME",), ("INFO", "server"), ("FUNCTION", "LIST"), ("PUBLISH", "hb", "x")]
)
def test_a_command_without_a_key_goes_to_any_node(words: tuple[str, ...]) -> None:
    assert routed(pack(*words)) == (pack(*words), None)


def test_a_ring_is_published_where_its_tag_is() -> None:
    assert routed(pack("PUBLISH", "bell:{3}:x", "PUBLISH")) == (pack("SPUBLISH", "bell:{3}:x", "PUBLISH"), slot(b"3"))


def test_channels_with_a_tag_are_subscribed_to_one_by_one_as_sharded() -> None:
    assert subscriptions([b"bell:{3}:x", b"hb"]) == [
        pack_words([b"SSUBSCRIBE", b"bell:{3}:x"]), pack_words([b"SUBSCRIBE", b"hb"])
    ]  # fmt: skip


def test_a_map_is_read_as_a_node_tells_it_and_single_slots_win() -> None:
    reply = [[100, 200, [b"b", 2, b"id", []], [b"c", 3, b"id"]], [0, 99, [b"", 1, b"id"]]]
    found = slot_map(reply, "a")
    assert [found.owner(number) for number in (0, 99, 100, 200, 201)] == [A, A, B, B, None]
    assert (found.nodes, found.missing) == ([A, B], 16384 - 201)

    found.moved[99] = B
    assert (found.owner(99), found.owner(98)) == (B, A)


def test_an_empty_map_has_nobody() -> None:
    assert (SlotMap().owner(5), SlotMap().nodes) == (None, [])
