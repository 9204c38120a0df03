"""Counters behind their streams and checkpoints beside their publications are found; missing ones are no violation."""

from __future__ import annotations

import orjson
import pytest

from tests.thalweg.cli.test_checks import EPOCH, VENUE, records
from thalweg.cli.ledger import check_checkpoint, check_counter

TOPS = {"a": (5, 9), "b": (7, 1)}


def kept(seq: int, n: int) -> bytes:
    return orjson.dumps({"v": 1, "seq": seq, "epoch": EPOCH, "cursors": {VENUE: [EPOCH, n]}, "snapshots": {}})


@pytest.mark.parametrize("counter", [None, b"7", b"99"])
def test_a_counter_at_or_above_its_streams_is_right(counter: bytes | None) -> None:
    assert check_counter("k", counter, TOPS) == []


def test_a_counter_behind_a_stream_is_found() -> None:
    assert check_counter("k", b"6", TOPS) == ["k is 6, but b is in epoch 7 already"]
    assert check_counter("k", b"six", TOPS) == ["k is b'six', not an epoch"]


@pytest.mark.parametrize(("seq", "n"), [(7, 7), (6, 5), (5, 3)])
def test_a_checkpoint_where_the_publications_are_is_right(seq: int, n: int) -> None:
    assert check_checkpoint("k", kept(seq, n), records()) == []


def test_what_is_not_kept_can_not_be_compared() -> None:
    assert check_checkpoint("k", None, records()) == []
    assert check_checkpoint("k", kept(7, 7), []) == []
    assert check_checkpoint("k", kept(3, 1), records()) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (kept(8, 7), "k stands at 8, but the newest publication is 7"),
        (kept(7, 6), "k says that kraken is published up to 7-6, but up to 7 it is 7-7"),
        (kept(6, 7), "k says that kraken is published up to 7-7, but up to 6 it is 7-5"),
        (b'{"seq": 7, "cursors": {}}', "k says that kraken is published up to nothing, but up to 7 it is 7-7"),
        (b"garbage", "k can't be read"),
        (b"[]", "k can't be read"),
    ],
)
def test_a_checkpoint_elsewhere_is_found(text: bytes, wrong: str) -> None:
    (found,) = check_checkpoint("k", text, records())
    assert found.startswith(wrong)
