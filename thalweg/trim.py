"""Which part of a stream is old enough to go: time to stream ID, since IDs are not instants."""

from __future__ import annotations

from collections import deque


class TrimMarks:
    """The number each second began with, for one stream in one epoch.

    A stream is trimmed below the number that was current `retention_s` ago, and never keeps
    more than `cap` entries of this epoch.
    """

    __slots__ = ("_cap", "_marks", "_retention_ns")

    def __init__(self, retention_s: float, cap: int) -> None:
        """Keep `retention_s` seconds, at most `cap` entries."""
        self._retention_ns = int(retention_s * 1e9)
        self._cap = cap
        self._marks: deque[tuple[int, int]] = deque()

    def mark(self, now_ns: int, n: int) -> int | None:
        """Note that `n` is the newest number at this monotonic instant; call about once a second.

        Returns:
            The lowest number to keep, or `None` while nothing is old enough.
        """
        self._marks.append((now_ns, n))
        keep = max(n - self._cap + 1, 0)
        while self._marks and self._marks[0][0] <= now_ns - self._retention_ns:
            keep = max(keep, self._marks.popleft()[1])
        return keep or None
