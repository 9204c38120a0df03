"""What a topic is: one variant of a channel, encoded once for all who subscribed to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Now:
    """The instant of a tick by both clocks, in nanoseconds."""

    wall: int
    monotonic: int

    @property
    def micros(self) -> int:
        """Microseconds since the Unix epoch, as clients get them."""
        return self.wall // 1000


@dataclass(slots=True)
class Position:
    """How far a topic's frames have come.

    `s` is the out sequence shown last, in `epoch`; `applied` and `trades` are how many publications and trades the
    replica had, so that all topics of one instrument count alike. A new `generation` means that `s` does not continue:
    every subscriber needs a keyframe. `resumed` is where a client that comes back was when it left.
    """

    s: int = 0
    applied: int = 0
    trades: int = 0
    generation: int = 0
    epoch: int = 0
    resumed: bool = False

    def is_before(self, other: Position) -> bool:
        """Whether this place is behind another one in the same count, or nothing is known here yet and is there."""
        return (self.generation == other.generation and self.s < other.s) or (not self.epoch and bool(other.epoch))


@dataclass(slots=True)
class Frame:
    """A topic's messages of one tick, with `n` publications merged.

    `text` is empty where there is nothing to say. `restart` tells every subscriber to take a keyframe instead.
    `before` is the position that subscribers had.
    """

    text: bytes
    before: Position
    n: int
    restart: bool = False


class Topic(Protocol):
    """One variant of a channel that has a subscriber."""

    @property
    def position(self) -> Position:
        """How far the frames have come."""
        ...

    def advance(self, now: Now) -> Frame | None:
        """Step to what is known now; `None` where subscribers need not be told."""
        ...

    def keyframe(self, left: Position | None, now: Now) -> Frame:
        """Give the whole at `position` to one who joins, or who left the topic at `left`; or all since, if resumed."""
        ...

    def find(self, epoch: int, seq: int) -> Position | None:
        """Give the place that a client says it was at; `None` where that can't be trusted."""
        ...
