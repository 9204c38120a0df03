"""Frames made wrong: each is what its kind says, and stays what else it was."""

import gzip
import json
import zlib

import pytest

from simulator.spoiling import LIES, SPOILS, with_bid
from simulator.topic import Raw

BINANCE = b'{"u":7,"b":[["62801.10000000","0.41230000"]],"a":[]}'
KRAKEN = b'{"bids":[{"price":62807.0,"qty":0.50930100}],"asks":[],"checksum":17,"timestamp":"x"}'
TRIPLE = b"[10092,[6280,2,-0.5],7]"
COINBASE = b'{"updates":[{"side":"bid","price_level":"68900.5","new_quantity":"2"}]}'


def spoilt(kind: str, body: bytes, amount: float = 0.0) -> bytes:
    found = SPOILS[kind](body, amount)
    assert isinstance(found, bytes)
    return found


@pytest.mark.parametrize(
    ("kind", "body", "after"),
    [
        ("number_null", BINANCE, b'["62801.10000000",null]'),
        ("number_null", KRAKEN, b'"qty":null'),
        ("number_null", COINBASE, b'"new_quantity":null'),
        ("number_nan", BINANCE, b'["62801.10000000","NaN"]'),
        ("number_nan", KRAKEN, b'"qty":NaN'),
        ("number_exponent", BINANCE, b'["62801.10000000","41230000e-8"]'),
        ("number_exponent", KRAKEN, b'"qty":50930100e-8'),
        ("number_null", TRIPLE, b"[6280,2,null]"),
        ("number_exponent", TRIPLE, b"[6280,2,-5e-1]"),
        ("number_exponent", COINBASE, b'"new_quantity":"2e-0"'),
    ],
)
def test_a_size_is_written_another_way(kind: str, body: bytes, after: bytes) -> None:
    assert after in spoilt(kind, body)


def test_a_frame_without_levels_has_no_size_to_spoil() -> None:
    body = b'{"u":7,"b":[],"a":[]}'
    assert spoilt("number_null", body) == body


def test_an_oversized_frame_is_json_of_its_size() -> None:
    body = spoilt("oversized", KRAKEN, 0.5)
    assert 2**19 <= len(body) < 2**19 + 100
    assert json.loads(body)


def test_garbage_is_gzip_and_a_compressed_frame_inflates_a_lot() -> None:
    garbage, bomb = SPOILS["garbage"](KRAKEN, 0.0), SPOILS["compressed"](KRAKEN, 0.0)
    assert isinstance(garbage, Raw)
    assert isinstance(bomb, Raw)
    assert (garbage.opcode, garbage.reserved, gzip.decompress(garbage.payload)) == (2, False, KRAKEN)
    assert (bomb.opcode, bomb.reserved) == (1, True)
    assert len(zlib.decompressobj(-15).decompress(bomb.payload)) > 500 * len(bomb.payload)


def test_a_checksum_is_nothing_or_always_the_same() -> None:
    assert json.loads(LIES["checksum_zero"](KRAKEN))["checksum"] == 0
    assert "checksum" not in json.loads(LIES["checksum_gone"](KRAKEN))
    assert json.loads(LIES["checksum_stuck"](KRAKEN))["checksum"] == 1234567890
    alone = b'[10092,"cs",-890884919,23]'
    told = [json.loads(LIES[f"checksum_{how}"](alone)) for how in ("zero", "gone", "stuck")]
    assert told == [[10092, "cs", 0, 23], [10092, "hb", 23], [10092, "cs", 1234567890, 23]]


@pytest.mark.parametrize("rest", [b"", b'["1","2"]'])
def test_a_bid_is_put_first(rest: bytes) -> None:
    found = json.loads(with_bid(b'{"b":[' + rest + b'],"a":[]}', b'"b":[', b'["9","1"]'))
    assert found["b"][0] == ["9", "1"]
    assert len(found["b"]) == 1 + bool(rest)
