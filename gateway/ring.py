"""The steps that one variant has made lately, so that a client that comes back gets those it missed.

A position that a client names is trusted only where it is one of ours beyond doubt: its sequence and epoch are those of
exactly one place between two steps. After a step that changed no sequence (only a state) there are two such places.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from gateway.topic import Frame, Position

RING_BYTES = 64 * 1024  # of one variant: 14 s of 25 levels at 10 frames a second, 4 s of a ladder
RING_NS = 10_000_000_000
STEP_BYTES = 128  # what a step takes beside its text
AMBIGUOUS = -1


@dataclass(slots=True)
class _Step:
    before: Position
    text: bytes
    at_ns: int


class Ring:
    """Steps without a hole, the oldest first; what is older than the bounds is forgotten."""

    def __init__(self, head: Position, sure: bool = False) -> None:
        """Begin at a position; unless `sure`, an earlier ring may have shown it otherwise, and it is not trusted."""
        self._sure = sure
        self._begin(head)

    def _begin(self, head: Position) -> None:
        self._steps: deque[_Step] = deque()
        self._first = 0  # the number of the oldest step
        self._numbers: dict[int, int] = {}  # of steps, by the sequence before them
        self._bytes = 0
        self._doubtful = not self._sure  # whether the place before the oldest step may be two
        self._head = head

    def add(self, frame: Frame, head: Position, now_ns: int) -> None:
        """Add the step that led to `head`; one that restarts leaves nothing that could be followed."""
        if frame.restart:
            self._begin(head)
            return
        before = frame.before
        number = AMBIGUOUS if before.s in self._numbers else self._first + len(self._steps)
        self._numbers[before.s] = number
        self._steps.append(_Step(before, frame.text, now_ns))
        self._bytes += len(frame.text) + STEP_BYTES
        self._head = head
        while self._bytes > RING_BYTES or now_ns - self._steps[0].at_ns > RING_NS:
            self._forget()

    def _forget(self) -> None:
        step = self._steps.popleft()
        self._first += 1
        self._bytes -= len(step.text) + STEP_BYTES
        after = self._steps[0].before if self._steps else self._head
        self._doubtful = after.s == step.before.s
        if not (self._doubtful and self._steps):
            del self._numbers[step.before.s]

    def find(self, epoch: int, seq: int) -> Position | None:
        """Give the place that a client names, marked as resumed; `None` where it can't be trusted."""
        number = self._number(seq)
        if number is None:
            return None
        at = number - self._first
        place = self._head if at == len(self._steps) else self._steps[at].before
        return replace(place, resumed=True) if place.epoch == epoch else None

    def _number(self, seq: int) -> int | None:
        """Give the number of the step that leads on from a sequence."""
        if seq == self._head.s:
            number = AMBIGUOUS if seq in self._numbers else self._first + len(self._steps)
        else:
            number = self._numbers.get(seq, AMBIGUOUS)
        return None if number == AMBIGUOUS or (number == self._first and self._doubtful) else number

    def since(self, place: Position) -> list[bytes] | None:
        """Give the texts of all steps after a place that was found here; `None` where it is forgotten meanwhile."""
        number = self._number(place.s)
        if number is None or self.find(place.epoch, place.s) != place:
            return None
        skipped = number - self._first
        return [step.text for count, step in enumerate(self._steps) if count >= skipped]
