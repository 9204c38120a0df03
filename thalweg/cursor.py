"""What a reader of a stream is told, and how far it has read: the meaning of each next ID. Pure.

IDs are `<epoch>-<n>`, n dense from 1 in each epoch, so a hole in n is exactly what was lost; in `out:` streams n counts
on over epochs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from thalweg.events import Event
from thalweg.publication import Publication
from thalweg.wire import format_id

Position: TypeAlias = tuple[int, int]
"""Epoch and number of an entry."""


@dataclass(slots=True)
class Entry:
    """One entry of an input stream; `ts_append` is when it was packed."""

    instrument: str
    venue: str
    epoch: int
    n: int
    event: Event
    ts_append: int


@dataclass(slots=True)
class Published:
    """One record of an `out:` stream, decoded, and its bytes."""

    instrument: str
    epoch: int
    seq: int
    publication: Publication
    record: bytes


@dataclass(slots=True)
class EpochBegan:
    """A new owner writes the stream from here on; `before` is the epoch that ended."""

    key: str
    epoch: int
    before: int


@dataclass(slots=True)
class Lapped:
    """Entries `first` to `last` of an epoch were trimmed before they were read; this reader has lost them."""

    key: str
    epoch: int
    first: int
    last: int


@dataclass(slots=True)
class Regressed:
    """The stream ends before what was read already: the server lost data. The reader goes on from its present start."""

    key: str
    read: Position
    top: Position


@dataclass(slots=True)
class Unreadable:
    """An entry that is not in a layout this version knows, and why; of an epoch that is not, only the first is told.

    The book is lost until its next snapshot, or with an epoch that can't be read until the next epoch.
    """

    key: str
    epoch: int
    n: int
    reason: str


@dataclass(slots=True)
class Silent:
    """A live book's stream has had no entry for so long that nobody can be writing it: the book is no longer live."""

    key: str


@dataclass(slots=True)
class Connected:
    """All that the server had of these instruments has been read: from here on their books are as live as streams say.

    On one server they are all that are followed; in a Cluster those that are read together.
    """

    instruments: tuple[str, ...] = ()


@dataclass(slots=True)
class Disconnected:
    """The server can't be used, for this reason; what it holds of these instruments is not known until `Connected`."""

    reason: str
    instruments: tuple[str, ...] = ()


Item: TypeAlias = Entry | EpochBegan | Lapped | Regressed
BookItem: TypeAlias = Item | Unreadable | Silent | Connected | Disconnected
"""What a reader that keeps books is told."""
OutItem: TypeAlias = Published | EpochBegan | Lapped | Regressed


class Cursor:
    """How far one stream has been read; says what each next ID means."""

    __slots__ = ("_counts_on", "at", "key")

    def __init__(self, key: str, at: Position | None = None, *, counts_on: bool = False) -> None:
        """Start after `at`, or before whatever comes first; `counts_on`: numbers go on over epochs."""
        self.key = key
        self.at = at
        self._counts_on = counts_on

    def join(self, at: Position) -> None:
        """Expect this entry next, so that one that was trimmed meanwhile shows as lapped; (0, 0): whatever is first."""
        self.at = (at[0], at[1] - 1) if at[0] else None

    def admit(self, epoch: int, n: int) -> list[EpochBegan | Lapped]:
        """Step to an entry and give what happened between it and the last one, oldest first."""
        before, self.at = self.at, (epoch, n)
        if before is None:
            return []
        told: list[EpochBegan | Lapped] = []
        expected = before[1] + 1
        if epoch != before[0]:
            told.append(EpochBegan(self.key, epoch, before[0]))
            expected = expected if self._counts_on else 1
        if n != expected:
            told.append(Lapped(self.key, epoch, expected, n - 1))
        return told

    @property
    def id(self) -> bytes:
        """The ID to read on after."""
        return format_id(*self.at) if self.at else b"0-0"
