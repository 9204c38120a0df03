"""Which troubles are worth a line in the log: one line for the same trouble of many sockets and many tries."""

from __future__ import annotations

REPEAT_NS = 60_000_000_000  # the same again after this long
KEPT = 100  # troubles; their texts come from outside


class Notices:
    """What one worker has said lately; monotonic instants are `now`."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._said: dict[str, int] = {}

    def fresh(self, trouble: str, now: int) -> bool:
        """Say whether this trouble is to be told now; asking counts as telling."""
        last = self._said.get(trouble)
        if last is not None and now - last < REPEAT_NS:
            return False
        if len(self._said) >= KEPT:
            self._said.clear()
        self._said[trouble] = now
        return True
