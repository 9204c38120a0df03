"""Values out of bytes: every input is a valid script of draws, and a small change of it is a small change of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from thalweg.fixed import INT64_MAX

T = TypeVar("T")
_EDGES = (0, 1, 2, 9, 10, 2**31, 2**53, 2**62, INT64_MAX - 1, INT64_MAX)


class Draw:
    """The bytes of one input, taken from the front; what is not there is zero."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        """0 to 255."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def below(self, limit: int) -> int:
        """0 up to the limit, which is not included and at most 256."""
        return self.byte() % limit

    def choose(self, choices: Sequence[T]) -> T:
        """One of at most 256."""
        return choices[self.byte() % len(choices)]

    def number(self) -> int:
        """Not negative and within int64: small, on an edge, or anything."""
        kind = self.byte()
        if kind < 128:
            return kind
        if kind < 192:
            return _EDGES[kind % len(_EDGES)]
        return int.from_bytes(self.bytes(8)) & INT64_MAX

    def maybe(self) -> int | None:
        """A number, or none."""
        return self.number() if self.byte() & 1 else None

    def bytes(self, count: int) -> bytes:
        """At most so many bytes."""
        self._at += count
        return self._data[self._at - count : self._at]

    def text(self, most: int) -> str:
        """A short text of whatever characters."""
        return self.bytes(self.byte() % (most + 1)).decode(errors="replace")
