"""Faults to plant in the code under test, to see that the judge goes red: `python -m tests.virtual --mutant NAME`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import aggregator.checkpoint
import ingest.numbering
import ingest.sequence
from ingest.beats import UNKNOWN
from ingest.numbering import Batch, Numbering
from ingest.rows import LAST
from ingest.sequence import Verdict
from ingest.venue import BookUpdate
from tests.virtual.server import Id, Server, Stream
from thalweg.events import Event, Trade

EVERY = 20  # of the trades


def no_fence() -> None:
    """The server takes any ID, as it would take `*`."""

    def append(self: Server, key: bytes, number: Id, words: list[bytes]) -> bytes:
        stream = self.keys.setdefault(key, Stream())
        if number not in stream.entries:
            stream.ids.append(number)
        stream.entries[number] = words
        stream.top = max(stream.top, number)
        return b""

    Server._append = append  # type: ignore[method-assign]


def no_gap_check() -> None:
    """Every change of a book is taken for the next one."""

    def admit(self: ingest.sequence.Spliced | ingest.sequence.Step, update: BookUpdate) -> Verdict:
        if not update.whole and self.cells[LAST] == UNKNOWN:
            return Verdict.NOT_LIVE
        self.cells[LAST] = update.last or 0
        return Verdict.APPLY

    for rule in (ingest.sequence.Spliced, ingest.sequence.Step):
        rule.admit = admit  # type: ignore[method-assign]


def checkpoint_alone() -> None:
    """A successor goes on from the checkpoint, without what was published after it."""
    aggregator.checkpoint.Checkpoint.advance = lambda self, record: None  # type: ignore[method-assign]


def lost_trade() -> None:
    """Now and then a trade is not packed."""
    pack, seen = Numbering.pack, [0]

    def packed(self: Numbering, events: Iterable[Event], ts_append: int) -> Batch:
        kept = []
        for event in events:
            seen[0] += isinstance(event, Trade)
            if not isinstance(event, Trade) or seen[0] % EVERY:
                kept.append(event)
        return pack(self, kept, ts_append)

    Numbering.pack = packed  # type: ignore[method-assign]


MUTANTS: dict[str, Callable[[], None]] = {
    one.__name__: one for one in (no_fence, no_gap_check, checkpoint_alone, lost_trade)
}
