"""Ends a supervisor's children if the supervisor dies without having stopped them.

Runs as a process of its own that imports nothing of ours: `python -I -S guardian.py`. On its stdin it reads `+PID` for
a child that was started and `-PID` for one that has ended; the end of stdin is the end of the supervisor, however it
came. Where the kernel offers it, `tie_to_parent` in the child itself closes the gap before the guardian knows of it;
the guardian works elsewhere too, and kills what does not heed the signal.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>: a signal to us when our parent dies
GRACE_S = 3.0  # for services to flush and to say goodbye; then they are killed


def guard() -> None:
    """Keep the list of children until stdin ends, then end those that are left."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    children: set[int] = set()
    for line in sys.stdin:
        if line.startswith("+"):
            children.add(int(line[1:]))
        elif line.startswith("-"):
            children.discard(int(line[1:]))
    end(children)


def tie_to_parent(parent: int) -> None:
    """Have this process terminated when its parent dies (Linux); called in a child before it becomes the service."""
    prctl = getattr(_LIBC, "prctl", None)
    if prctl is not None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the parent's handler would be forgotten with its program
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before it could be tied to
            os._exit(1)


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before any fork


def end(children: set[int]) -> None:
    """Terminate processes, and kill those that are still there after a grace."""
    deadline = time.monotonic() + GRACE_S
    left = {child for child in children if signalled(child, signal.SIGTERM)}
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {child for child in left if signalled(child, 0)}
    for child in left:
        signalled(child, signal.SIGKILL)


def signalled(process: int, number: int) -> bool:
    """Send a signal; tell whether the process was there."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    guard()
