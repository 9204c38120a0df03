"""What a fuzzer drives: a name, a function that judges one input, and the inputs to begin with."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_VARIABLE = re.compile(r"[0-9]+|b?'.*|b?\".*")


@dataclass(frozen=True)
class Target:
    """One thing to fuzz.

    `judge` raises whatever must not happen, and otherwise gives what came of the input: an engine without a view of
    branches keeps the inputs that give something new. `share` is its part of a run's time, `least` the cases that a
    full run must reach, `words` what inputs are made of beside what the seeds show.
    """

    name: str
    judge: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    least: int = 10_000
    share: float = 1.0
    words: Sequence[bytes] = ()


def kind_of(error: Exception) -> str:
    """Give what an error is about without what differs from input to input."""
    return _VARIABLE.sub("#", str(error))[:40]
