"""The count that some venues keep of every frame of a connection: what follows, what came again, what is missing."""

from __future__ import annotations

from enum import Enum, auto

AGAIN_MAX = 2  # frames in a row that are not above the last: a repeat is one, a second means that the venue counts anew


class Place(Enum):
    """Where a frame stands in its connection's count."""

    NEXT = auto()
    """It follows, or the venue does not count."""
    AGAIN = auto()
    """It came before."""
    GAP = auto()
    """Something is missing before it, or the count went back: nothing of this connection can be trusted."""


class Count:
    """The count of one connection."""

    __slots__ = ("_again", "_last")

    def __init__(self) -> None:
        """Wait for the first frame."""
        self._last: int | None = None
        self._again = 0

    def admit(self, number: int | None) -> Place:
        """Say where a frame of this number stands."""
        if number is None:
            return Place.NEXT
        last = self._last
        if last is not None and number <= last:
            self._again += 1
            return Place.AGAIN if self._again < AGAIN_MAX else Place.GAP
        self._last, self._again = number, 0
        return Place.NEXT if last is None or number == last + 1 else Place.GAP
