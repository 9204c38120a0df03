"""Where the aggregator stands with an instrument: what it writes each second, and how a successor goes on.

The checkpoint is JSON without arrays: `{"v": 1, "seq", "epoch", "cursors": {venue: [epoch, n]},
"snapshots": {venue: "epoch-n"}}`. Publications later than it advance its cursors by their runs, so a successor
knows exactly which entries its predecessor has published.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from aggregator.books import Cursor
from aggregator.consolidate import Ladder
from thalweg.errors import WireError
from thalweg.fixed import INT64_MAX
from thalweg.publication import decode_publication
from thalweg.wire import format_id, parse_id

VERSION = 1


@dataclass(slots=True)
class Checkpoint:
    """A point in an instrument's publications: cursors and last snapshots by venue."""

    seq: int = 0
    epoch: int = 0
    cursors: dict[str, Cursor] = field(default_factory=dict)
    snapshots: dict[str, Cursor] = field(default_factory=dict)

    def advance(self, record: bytes) -> None:
        """Move on by one later publication.

        Raises:
            WireError: not a publication.
        """
        later = decode_publication(record)
        runs = later.runs.tolist()
        if not all(0 <= index < len(later.venues) for index, *_ in runs):
            raise WireError(f"publication {later.seq} of {later.instrument}: a run of no venue")
        self.seq, self.epoch = later.seq, later.epoch
        for index, epoch, _, n in runs:
            self.cursors[later.venues[index].name] = (epoch, n)


def checkpoint_of(ladder: Ladder) -> Checkpoint:
    """Give where a ladder stands."""
    books = {book.line.name: book for book in ladder.books}
    return Checkpoint(
        ladder.seq,
        ladder.epoch,
        {venue: book.cursor for venue, book in books.items()},
        {venue: book.snapshot for venue, book in books.items() if book.snapshot},
    )


def encode_checkpoint(one: Checkpoint) -> bytes:
    """Give a checkpoint as JSON."""
    snapshots = {venue: format_id(*number).decode() for venue, number in one.snapshots.items()}
    return orjson.dumps(
        {"v": VERSION, "seq": one.seq, "epoch": one.epoch, "cursors": one.cursors, "snapshots": snapshots}
    )


def decode_checkpoint(text: bytes) -> Checkpoint:
    """Give the checkpoint of its JSON.

    Raises:
        WireError: not a checkpoint of version 1.
    """
    try:
        parts = orjson.loads(text)
        if parts["v"] != VERSION:
            raise ValueError(f"version {parts['v']}; this reader knows {VERSION}")
        cursors = {venue: (_count(epoch), _count(n)) for venue, (epoch, n) in parts["cursors"].items()}
        snapshots = {venue: parse_id(number) for venue, number in parts["snapshots"].items()}
        return Checkpoint(_count(parts["seq"]), _count(parts["epoch"]), cursors, snapshots)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WireError(f"checkpoint: {error!r}") from error


def _count(found: object) -> int:
    """Give a number of ours: `int` alone would also take `true`, `"7"` and 1.5, and more than we can write."""
    if type(found) is int and 0 <= found <= INT64_MAX:
        return found
    raise ValueError(f"not a number: {str(found)[:40]!r}")
