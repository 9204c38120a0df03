"""The machine under a measurement: what it took from us, and how fast it is at this minute.

On a shared host the same program runs at speeds up to two times apart from one minute to the next, so every row of
every table says what the host stole during it, and every document how long a fixed piece of work took.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STEAL = 7  # place of stolen ticks in the first line of /proc/stat
TICKS = 8  # user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already
YARDSTICK = 100_000  # turns of a plain loop: some milliseconds


@dataclass(slots=True)
class Host:
    """What the machine did during an interval; shares are of all cores, in percent."""

    seconds: float = 0.0
    steal: float = 0.0
    idle: float = 0.0
    load: float = 0.0


@contextmanager
def watched() -> Iterator[Host]:
    """Fill in what the machine did while the block ran."""
    host = Host()
    before, started = _ticks(), time.monotonic()
    try:
        yield host
    finally:
        passed = [after - first for first, after in zip(before, _ticks(), strict=True)]
        whole = max(sum(passed), 1)
        host.seconds = time.monotonic() - started
        host.steal = 100 * passed[STEAL] / whole
        host.idle = 100 * passed[3] / whole
        host.load = os.getloadavg()[0]


def _ticks() -> list[int]:
    """Give the ticks of all cores together, by what they were spent on."""
    line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    return [int(word) for word in line.split()[1 : TICKS + 1]]


def cpu_s(pid: int) -> float:
    """Give the CPU seconds of a process, all its threads together."""
    spent = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            spent += int((task / "schedstat").read_text(encoding="ascii").split()[0])
        except FileNotFoundError:  # it has ended meanwhile
            continue
    return spent / 1e9


def memory_kib(pid: int) -> int:
    """Give the proportional share of memory (PSS) of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def yardstick_ms() -> float:
    """Give how long a fixed piece of work takes here and now: the middle of 21 times."""
    times = []
    for _ in range(21):
        started = time.perf_counter()
        total = 0
        for turn in range(YARDSTICK):
            total += turn & 7
        times.append(time.perf_counter() - started)
    return 1e3 * sorted(times)[len(times) // 2]


def description() -> str:
    """Say what this machine is."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = names[0].partition(":")[2].strip() if names else platform.machine()
    return f"{os.cpu_count()} cores, {model}; Linux {platform.release()}, Python {platform.python_version()}"
