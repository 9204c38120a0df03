"""The discipline of an event loop: no pauses by the collector, its lag measured, and where wanted, no sleep.

| piece | what it costs |
|---|---|
| `freeze` | one collection at the start; later ones look only at what was made since |
| `watch` | one timer of the kernel, 27 wake-ups a second |
| `spin` | a whole core, for as long as the process runs |
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from thalweg.latency import Ring

PERIOD_NS = 37_000_000  # no multiple of any tick, so that probes meet every phase of the others
WARM_S = 5.0  # until everything that stays has been made: books, connections, caches
FAR_BEHIND = 256  # probes; a process that was stopped for longer than 9 s tells no more of it
SECOND = 1_000_000_000
_TFD_ABSTIME = 1


def freeze() -> None:
    """Keep the collector away from everything there is: it lives as long as the process."""
    gc.collect()
    gc.freeze()


def settle(loop: asyncio.AbstractEventLoop) -> None:
    """Freeze now, before the first socket opens, and once more when everything that stays has been made."""
    freeze()
    loop.call_later(WARM_S, freeze)


def spin(loop: asyncio.AbstractEventLoop) -> None:
    """Keep the loop from ever sleeping: an event is seen at the next turn, without a wake-up by the kernel."""

    def again() -> None:
        loop.call_soon(again)

    again()


@contextmanager
def every(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Make a call again and again while the block runs: one timer, where a bound on each wait would take one a wait."""
    loop = asyncio.get_running_loop()

    def again() -> None:
        timers[0] = loop.call_later(seconds, again)
        call()

    timers = [loop.call_later(seconds, again)]
    try:
        yield
    finally:
        timers[0].cancel()


class Probe:
    """Asks the loop for a call at instants of a fixed grid, and notes by how much each came late.

    A loop that stood still owes several calls: each is noted with its own delay, so that long pauses weigh as much as
    they hurt.
    """

    __slots__ = ("_due", "_ring")

    def __init__(self, ring: Ring, first_ns: int) -> None:
        """Expect the first call at a monotonic instant."""
        self._ring, self._due = ring, first_ns

    def called(self, now: int) -> None:
        """Note all calls that were due by a monotonic instant."""
        self._due = max(self._due, now - FAR_BEHIND * PERIOD_NS)
        while self._due <= now:
            self._ring.add(now - self._due)
            self._due += PERIOD_NS


@contextmanager
def watch(ring: Ring) -> Iterator[None]:
    """Measure the running loop's lag into a ring, where the system has timers that can be polled (Linux).

    asyncio's own timers come a millisecond late by design, and so can't measure what a socket sees.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    first_ns = time.monotonic_ns() + PERIOD_NS
    descriptor = _timer(first_ns, PERIOD_NS)
    probe, loop = Probe(ring, first_ns), asyncio.get_running_loop()
    loop.add_reader(descriptor, _expired(descriptor, probe))
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _expired(descriptor: int, probe: Probe) -> Callable[[], None]:
    """Give what is to be called when the timer has expired."""

    def called() -> None:
        now = time.monotonic_ns()
        with suppress(BlockingIOError):  # told of one expiry twice
            os.read(descriptor, 8)
            probe.called(now)

    return called


def _timer(first_ns: int, period_ns: int) -> int:
    """Give the descriptor of a kernel timer that expires at a monotonic instant and then periodically.

    Raises:
        OSError: the kernel has none to give.
    """
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    times = (ctypes.c_long * 4)(*divmod(period_ns, SECOND), *divmod(first_ns, SECOND))
    if descriptor < 0 or library.timerfd_settime(descriptor, _TFD_ABSTIME, times, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(descriptor)
