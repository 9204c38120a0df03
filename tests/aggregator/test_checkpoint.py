from __future__ import annotations

import json

import numpy as np
import pytest

from aggregator.checkpoint import Checkpoint, checkpoint_of, decode_checkpoint, encode_checkpoint
from aggregator.consolidate import Ladder
from tests.aggregator.entries import a_snapshot, an_open, reply
from thalweg.errors import WireError
from thalweg.instruments import Instrument
from thalweg.publication import Kind, Publication, VenueLine, encode_publication

POINT = Checkpoint(8, 3, {"binance": (7, 41), "kraken": (0, 0)}, {"binance": (7, 30)})


def test_a_checkpoint_is_the_documented_json() -> None:
    assert json.loads(encode_checkpoint(POINT)) == {
        "v": 1,
        "seq": 8,
        "epoch": 3,
        "cursors": {"binance": [7, 41], "kraken": [0, 0]},
        "snapshots": {"binance": "7-30"},
    }


def test_a_checkpoint_survives_the_round_trip() -> None:
    assert decode_checkpoint(encode_checkpoint(POINT)) == POINT


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{}", b"[]", b'{"v":2}', b'{"v":1,"seq":1,"epoch":1,"cursors":[],"snapshots":{}}'),
        b'{"v":1,"seq":1,"epoch":1,"cursors":{"kraken":[-1,2]},"snapshots":{}}',
        b'{"v":1,"seq":9223372036854775808,"epoch":1,"cursors":{},"snapshots":{}}',
    ],
)
def test_what_is_not_a_checkpoint_is_an_error(text: bytes) -> None:
    with pytest.raises(WireError):
        decode_checkpoint(text)


@pytest.mark.parametrize("number", [b"-1", b"1.5", b"1e30", b'"7"', b"true", b"9223372036854775808", b"null"])
@pytest.mark.parametrize("place", [b'"seq":8', b'"epoch":3', b"41"])
def test_a_number_that_is_none_is_not_made_one(place: bytes, number: bytes) -> None:
    text = encode_checkpoint(POINT)
    assert place in text
    with pytest.raises(WireError):
        decode_checkpoint(text.replace(place, place.rstrip(b"0123456789") + number))


@pytest.mark.parametrize("index", [-1, 2])
def test_a_run_of_no_venue_moves_nothing(index: int) -> None:
    point = decode_checkpoint(encode_checkpoint(POINT))
    runs = np.array([[0, 7, 42, 44], [index, 9, 1, 5]], dtype=np.int64)
    venues = [VenueLine("binance"), VenueLine("kraken")]
    with pytest.raises(WireError):
        point.advance(encode_publication(Publication(Kind.DELTA, "BTC-USDT", 9, 4, 8, 8, venues=venues, runs=runs)))
    assert point == POINT


def test_a_later_publication_moves_the_cursors_it_has_runs_for() -> None:
    point = decode_checkpoint(encode_checkpoint(POINT))
    runs = np.array([[1, 9, 1, 5], [0, 7, 42, 44], [0, 8, 1, 2]], dtype=np.int64)
    venues = [VenueLine("binance"), VenueLine("kraken")]

    point.advance(encode_publication(Publication(Kind.DELTA, "BTC-USDT", 9, 4, 8, 8, venues=venues, runs=runs)))

    assert (point.seq, point.epoch) == (9, 4)
    assert point.cursors == {"binance": (8, 2), "kraken": (9, 5)}


def test_the_checkpoint_of_a_ladder_has_its_cursors_and_snapshots() -> None:
    ladder = Ladder(Instrument("BTC-USDT", 8, 8, {}), ("binance", "kraken"))
    ladder.seq, ladder.epoch = 5, 6

    ladder.take(0, reply(7, 1, an_open(), a_snapshot([(1, 1)], []), a_snapshot([(2, 1)], [])), 20)

    assert checkpoint_of(ladder) == Checkpoint(5, 6, {"binance": (7, 3), "kraken": (0, 0)}, {"binance": (7, 3)})
