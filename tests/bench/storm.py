"""`storm`: healthy clients while others stop reading, and while 500 lose their connections and come back at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.bench.fanout import DEPTH, EARLY_US, LIMITS, TICK_US, VENUES, gateway, lines_of
from tests.bench.host import Host, memory_kib, watched
from tests.bench.plan import Plan
from tests.bench.report import Goal, Row, Table, percentiles
from thalweg.instruments import load_instruments

HEALTHY, STALLED, COMERS, ROUNDS = 20, 5, 500, 3
BEFORE_S, COMING_S, ROUND_S = 12.0, 4.0, 4.0
DURING_S = COMING_S + 1 + ROUNDS * ROUND_S + 3
SILENT_S = 17.2  # how long the stalled do not read: 15 s and what fills the buffers, and less than they are waited for
FOLLOWED = 4  # channels of one that comes back
CLIENT_KIB, SLOW_KIB, RING_KIB = (
    40,
    1024 + 256,
    64 + 8,
)  # the bounds of what one client, one that stalls, a variant takes


class Memory:
    """The most that a process took while the block ran."""

    def __init__(self, pid: int) -> None:
        self._pid, self._over = pid, threading.Event()
        self.first = self.most = memory_kib(pid)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look four times a second."""
        looking = threading.Thread(target=self._look)
        looking.start()
        try:
            yield
        finally:
            self._over.set()
            looking.join()

    def _look(self) -> None:
        while not self._over.wait(0.25):
            self.most = max(self.most, memory_kib(self._pid))


def subscribe(channels: list[str], rate_ms: int = 100) -> list[dict[str, Any]]:
    """Give the one request of a client."""
    return [{"op": "subscribe", "id": 1, "ch": channels, "depth": DEPTH, "rate_ms": rate_ms}]


def latencies_ns(stamps: list[tuple[int, int]], phase: int) -> list[int]:
    """Give how long after its tick was due each frame was read; `phase` is when ticks are due, within their period."""
    found = np.array(stamps, dtype=np.int64)
    late = (found[:, 0] - phase + EARLY_US) % TICK_US - EARLY_US
    latencies: list[int] = ((found[:, 1] - found[:, 0] + late) * 1000).tolist()
    return latencies


def phase_of(stamps: list[tuple[int, int]]) -> int:
    """Give when ticks are due: most of them begin a little later than that, and none earlier."""
    ticks = np.unique(np.array(stamps, dtype=np.int64)[:, 0])
    around = int(ticks[0])
    offsets = (ticks - around + TICK_US // 2) % TICK_US - TICK_US // 2
    return around + int(np.percentile(offsets, 5, method="lower"))


def run(plan: Plan) -> list[Table]:
    """Measure the healthy before and during, and judge all others."""
    names = [one.name for one in load_instruments().by_name.values() if set(VENUES) <= set(one.symbols)]
    books = [f"book:{venue}:{name}" for name in names for venue in VENUES]
    few = [*books[: FOLLOWED - 1], f"cbook:{names[0]}"]
    table = Table(
        "storm",
        f"gateway: {HEALTHY} healthy clients; {STALLED} stop reading, {COMERS} lose their connections {ROUNDS} times",
        "every frame of every healthy client, of 36 books; all clients check every book",
        f"{COMERS} follow {FOLLOWED} channels each 250 ms and come back in 1.5 s; {STALLED} follow the same 36 books",
        "the tick was due",
        "the frame has been read from the client's socket",
        notes=["limits lifted: " + " ".join(f"{name}={value}" for name, value in LIMITS.items())],
    )
    base = {"requests": subscribe(books), "clients": HEALTHY, "role": "healthy", "phases": [BEFORE_S, DURING_S]}
    deaf = {"requests": subscribe(books), "clients": STALLED, "role": "stalled", "seconds": SILENT_S}
    comers = {
        "requests": subscribe(few, 250),
        "clients": COMERS,
        "role": "storm",
        "coming_s": COMING_S,
        "rounds": ROUNDS,
    }
    with gateway(names) as process:
        port = {"port": process.port}
        with lines_of("tests.bench.comers", base | port) as healthy:
            next(healthy)
            with watched() as quiet:
                before = next(healthy)
            memory = Memory(process.pid)
            with (
                memory.watching(),
                watched() as stormy,
                lines_of("tests.bench.comers", comers | port) as storm,
                lines_of("tests.bench.comers", deaf | port) as stalled,
            ):
                during = next(healthy)
                rounds = [one for one in storm if "ready" not in one]
                ends = [one for one in stalled if "ready" not in one]
    table.rows += rows(before, during, quiet, stormy)
    table.notes += verdicts(before, during, rounds, ends)
    table.notes.append(memory_note(memory, len(books) + len(names)))
    return [table]


def rows(before: dict[str, Any], during: dict[str, Any], quiet: Host, stormy: Host) -> list[Row]:
    """Give both phases' latencies, and the ratio that is to be at most 1.1."""
    phase = phase_of(before["stamps"])
    calm, storm = (latencies_ns(one["stamps"], phase) for one in (before, during))
    first = percentiles(calm, "ms") | {"max ms": max(calm) / 1e6}
    second = percentiles(storm, "ms") | {"max ms": max(storm) / 1e6}
    ratio = {"p99 / before": second["p99 ms"] / first["p99 ms"]}
    goals = {"p99 / before": Goal(1.1)}
    return [Row("before", first, quiet), Row("storm", second | ratio, stormy, goals)]


def verdicts(
    before: dict[str, Any], during: dict[str, Any], rounds: list[dict[str, Any]], ends: list[dict[str, Any]]
) -> list[str]:
    """Say how it went for each kind of client."""
    sums = {name: sum(one[name] for one in rounds) for name in ("resumed", "snapshots", "checked", "wrong", "gaps")}
    wrong = {name: before[name] + during[name] for name in ("wrong", "gaps")}
    return [
        f"healthy: {wrong['gaps']} gaps, {wrong['wrong']} wrong checksums, lags {during['lags'] or 'none'},"
        f" closed {during['closes'] or 'none'}",
        f"came back: {ROUNDS} x {COMERS} clients x {FOLLOWED} channels: {sums['resumed']} resumed,"
        f" {sums['snapshots']} snapshots, {sums['checked']} checksums, {sums['wrong']} wrong, {sums['gaps']} gaps",
        *(f"stalled: told {one['lags'] or 'nothing'}, closed {one['closes'] or 'never'}" for one in ends),
    ]


def memory_note(memory: Memory, variants: int) -> str:
    """Say what the gateway took, and what it may."""
    bound = memory.first + COMERS * CLIENT_KIB + STALLED * SLOW_KIB + variants * RING_KIB
    verdict = "within" if memory.most <= bound else "BEYOND"
    first, most, limit = (kib / 1024 for kib in (memory.first, memory.most, bound))
    return (
        f"gateway memory: {first:.0f} MiB before, {most:.0f} MiB at most, {verdict} the bound of {limit:.0f} MiB"
        f" ({CLIENT_KIB} KiB a client, {SLOW_KIB} one that stalls, {RING_KIB} a variant's ring)"
    )
