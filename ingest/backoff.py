"""How long to wait before trying again: exponential, capped, with full jitter."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

Uniform = Callable[[], float]
"""A random number from 0 to 1."""


class Backoff:
    """Waits that grow from `first_s` to `cap_s`; each is drawn from zero to the current bound."""

    __slots__ = ("_attempts", "_cap_s", "_first_s", "_uniform")

    def __init__(self, first_s: float, cap_s: float, uniform: Uniform) -> None:
        """Start at the shortest wait."""
        self._first_s, self._cap_s, self._uniform = first_s, cap_s, uniform
        self._attempts = 0

    @property
    def attempts(self) -> int:
        """How many waits were drawn since the last success."""
        return self._attempts

    def next_s(self, cap_s: float = inf) -> float:
        """Give the next wait in seconds; this one is at most `cap_s`."""
        bound = min(self._cap_s, cap_s, self._first_s * float(1 << min(self._attempts, 30)))
        self._attempts += 1
        return bound * self._uniform()

    def reset(self) -> None:
        """Start again at the shortest wait, after a success."""
        self._attempts = 0
