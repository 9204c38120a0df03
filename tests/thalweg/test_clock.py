"""The clocks: the machine's, and one that stands until it is moved."""

from __future__ import annotations

import time

from thalweg.clock import Clock, FixedClock, SystemClock


def test_the_system_clock_gives_wall_and_monotonic_nanoseconds() -> None:
    clock: Clock = SystemClock()
    wall, monotonic = time.time_ns(), time.monotonic_ns()
    assert wall <= clock.wall_ns() <= time.time_ns()
    assert monotonic <= clock.monotonic_ns() <= time.monotonic_ns()


def test_a_fixed_clock_stands_until_it_is_moved() -> None:
    clock = FixedClock(wall=1_000, monotonic=5)
    as_seam: Clock = clock
    assert (as_seam.wall_ns(), as_seam.monotonic_ns()) == (1_000, 5)
    clock.advance(7)
    assert (as_seam.wall_ns(), as_seam.monotonic_ns()) == (1_007, 12)
