"""Whether something gets on: a count that should grow, looked at now and then."""

from __future__ import annotations


class Progress:
    """A count as it was seen last, and since when it is that."""

    __slots__ = ("_count", "_since_ns")

    def __init__(self) -> None:
        """Have seen nothing."""
        self._count = -1
        self._since_ns = 0

    def idle_s(self, count: int, now_ns: int) -> float:
        """Give for how many seconds the count has been what it is, as far as the looks can tell.

        Args:
            count: now.
            now_ns: monotonic instant of this look.
        """
        if count != self._count:
            self._count, self._since_ns = count, now_ns
        return (now_ns - self._since_ns) / 1e9
