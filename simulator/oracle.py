"""The truth, in short: for each book frame a venue makes, the position it states and a digest of the true book then.

A digest is `zlib.crc32` over little-endian int64 pairs (price, size) in units of 1e-8: the best bids, best first, the
pair (-1, -1), the best asks, best first. A key is `last/ts_event`: the venue's own sequence of the frame and its own
book time in nanoseconds, each `-` where the frame has none. Nothing here is shared with the code under test.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Sequence
from itertools import chain
from zlib import crc32

Levels = Sequence[tuple[int, int]]
DEPTH = 200  # levels a side in a digest, where the venue's feed verifies all it shows
ABSENT = "-"


def digest(bids: Levels, asks: Levels, depth: int = DEPTH) -> int:
    """Give the digest of a book; levels are (price, size) in units of 1e-8, best first."""
    flat = array("q", chain(chain.from_iterable(bids[:depth]), (-1, -1), chain.from_iterable(asks[:depth])))
    if sys.byteorder == "big":
        flat.byteswap()
    return crc32(flat.tobytes())


def position(sequence: int | None, ts_event: int | None) -> str:
    """Give the key of a frame from the venue's sequence and the venue's book time in nanoseconds."""
    return f"{ABSENT if sequence is None else sequence}/{ABSENT if ts_event is None else ts_event}"


class Oracle:
    """Keeps what has not been pushed yet, and the last of each book for whoever joins late."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._pending: list[tuple[str, str, str, int]] = []
        self._last: dict[tuple[str, str], tuple[str, str, str, int]] = {}

    def record(self, venue: str, instrument: str, key: str, value: int) -> None:
        """Note that a book had this digest at this key."""
        entry = (venue, instrument, key, value)
        self._pending.append(entry)
        self._last[venue, instrument] = entry

    def drain(self) -> str | None:
        """Give what has come since the last time as one JSON text, or nothing."""
        if not self._pending:
            return None
        text = _batch(self._pending)
        self._pending = []
        return text

    def current(self) -> str:
        """Give each book's last entry as one JSON text; a new reader starts with it."""
        return _batch(list(self._last.values()))


def _batch(entries: list[tuple[str, str, str, int]]) -> str:
    """Write entries as one batch."""
    return json.dumps({"o": entries}, separators=(",", ":"))
