"""The two clocks a process has, as a seam: wall time for instants, monotonic time for durations."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Where a shell gets its time from; cores take instants as arguments."""

    def wall_ns(self) -> int:
        """Give nanoseconds since the Unix epoch."""
        ...

    def monotonic_ns(self) -> int:
        """Give nanoseconds of a clock that never steps."""
        ...


class SystemClock:
    """The machine's clocks."""

    def wall_ns(self) -> int:
        """Give nanoseconds since the Unix epoch."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Give nanoseconds of a clock that never steps."""
        return time.monotonic_ns()


@dataclass(slots=True)
class FixedClock:
    """A clock that stands until it is moved; for tests and replays."""

    wall: int = 0
    monotonic: int = 0

    def wall_ns(self) -> int:
        """Give the wall instant it was set to."""
        return self.wall

    def monotonic_ns(self) -> int:
        """Give the monotonic instant it was set to."""
        return self.monotonic

    def advance(self, duration_ns: int) -> None:
        """Move both clocks."""
        self.wall += duration_ns
        self.monotonic += duration_ns
