"""IDs are dense in every stream of an epoch, and what is trimmed is never the place a late reader starts."""

from __future__ import annotations

import re

from ingest.numbering import Numbering
from thalweg.events import Event, Made, Open, Snapshot, State, Taker, Trade
from thalweg.fixed import NO_LEVELS

SECOND = 1_000_000_000


def opened(name: str) -> Open:
    """Give the open entry of a stream."""
    return Open("toy", name, 8, 8, None, "sequence", None, 1)


def trade(name: str) -> Trade:
    """Give a trade."""
    return Trade("toy", name, 1, 1, Taker.SELL, "7", None, 1)


def snapshot(name: str) -> Snapshot:
    """Give an empty snapshot."""
    return Snapshot("toy", name, NO_LEVELS, NO_LEVELS, None, None, None, 1, Made.VENUE, State.LIVE, 0)


def appends(commands: list[bytes]) -> list[tuple[str, str]]:
    """Give the key and ID of each XADD."""
    found = re.findall(rb"XADD\r\n\$\d+\r\n(.*?)\r\n\$\d+\r\n(.*?)\r\n", b"".join(commands))
    return [(key.decode(), id_.decode()) for key, id_ in found]


def numbering(retention_s: float = 10, cap: int = 1000) -> Numbering:
    """Give two streams of one shard in epoch 5."""
    return Numbering("bell:{0}:toy", 5, [opened("A-B"), opened("C-D")], retention_s, cap)


def test_each_stream_counts_for_itself_from_its_open() -> None:
    one = numbering()
    commands = one.opens(1).commands + one.pack([trade("A-B"), trade("C-D"), trade("A-B")], 1).commands
    assert appends(commands) == [
        ("st:{A-B}:toy", "5-1"),
        ("st:{C-D}:toy", "5-1"),
        ("st:{A-B}:toy", "5-2"),
        ("st:{C-D}:toy", "5-2"),
        ("st:{A-B}:toy", "5-3"),
    ]


def test_a_batch_ends_with_one_bell_that_names_what_grew() -> None:
    one = numbering()
    one.opens(1)
    batch = one.pack([trade("A-B"), trade("C-D"), trade("A-B")], 1)
    assert b"bell:{0}:toy\r\n$15\r\nA-B 5-3\nC-D 5-2" in batch.commands[-1]
    assert batch.placed[-1] is None
    assert len(batch.commands) == len(batch.placed)


def test_snapshots_keep_the_status_hash_fenced_by_the_epoch() -> None:
    one = numbering()
    one.opens(1)
    batch = one.pack([snapshot("A-B")], 1)
    assert b"thalweg_status" in batch.commands[1]
    assert b"snap_id\r\n$3\r\n5-2" in batch.commands[1]


def test_trimming_keeps_the_newest_snapshot() -> None:
    one = numbering(retention_s=10)
    one.opens(1)
    events: list[Event] = [snapshot("A-B")]
    one.pack(events + [trade("A-B")] * 20, 1)
    assert one.trim(0) == []
    assert b"5-2" in b"".join(one.trim(20 * SECOND))
    one.pack([snapshot("A-B")], 1)
    assert b"5-22" in b"".join(one.trim(40 * SECOND))


def test_the_cap_holds_whatever_the_retention() -> None:
    one = numbering(retention_s=1e6, cap=10)
    one.opens(1)
    one.pack([trade("A-B")] * 50, 1)
    assert b"MINID\r\n$1\r\n~\r\n$4\r\n5-42" in b"".join(one.trim(0))
