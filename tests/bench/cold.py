"""`cold`: the same engine when frames do not come back to back, but one by one with a pause between them.

In a running system a book's frame meets caches and branch predictors that others have used since the last one. This
shows how much of `engine` in the demo is that, and how much of it a loop that spins (`THALWEG_BUSY_POLL`) keeps away.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable
from time import perf_counter_ns

from tests.bench.frames import frames_of, kind_of
from tests.bench.host import watched
from tests.bench.plan import Plan
from tests.bench.replay import Replay, bbo
from tests.bench.report import Row, Table, percentiles

VENUE = "kraken"
FRAMES = 1_500  # a row
GAPS_MS = (0.2, 1.0, 4.0)  # 4 ms between two frames of one process is the demo at 1,000 frames a second


def asleep(gap_ms: float) -> None:
    """Pause as a loop does that waits for a socket: the core is given away."""
    time.sleep(gap_ms / 1e3)


def spinning(gap_ms: float) -> None:
    """Pause as a loop does that spins."""
    until = perf_counter_ns() + int(gap_ms * 1e6)
    while perf_counter_ns() < until:
        pass


def run(plan: Plan) -> list[Table]:
    """Measure the engine with pauses of several kinds."""
    table = Table(
        "cold",
        "cold: frame bytes to best bid and offer, one frame at a time",
        f"delta frames of {VENUE}, {kind_of(plan.captures)}, {FRAMES:,} a row",
        "one process with nothing beside it; a pause before each frame, asleep or spinning",
        "the frame's bytes are in hand",
        "decoded, checksum checked, in the book, event made, best bid and offer read",
    )
    replay = frames_of(plan.captures, VENUE)
    count = max(int(FRAMES * plan.scale), 200)
    _row("", replay, count, 0.0, spinning)  # once, so that everything has been loaded
    gc.collect()
    gc.freeze()
    table.rows.append(_row("back to back", replay, count, 0.0, spinning))
    for gap_ms, pause in itertools.product(GAPS_MS, (asleep, spinning)):
        table.rows.append(_row(f"{gap_ms:g} ms {pause.__name__}", replay, count, gap_ms, pause))
    return [table]


def _row(name: str, replay: Replay, count: int, gap_ms: float, pause: Callable[[float], None]) -> Row:
    with watched() as host:
        spent = _timed(replay, count, gap_ms, pause)
    return Row(name, percentiles(spent), host)


def _timed(replay: Replay, count: int, gap_ms: float, pause: Callable[[float], None]) -> list[int]:
    """Give what each of so many frames took that moved a book."""
    session, _ = replay.session()
    spent: list[int] = []
    for place, step in zip(replay.tracks(), replay.steps, strict=True):
        if len(spent) == count:
            break
        if place is None:
            replay.take(session, step)
            continue
        track, frame, data, ts = session.tracks[place], session.frame, step.data, step.ts
        pause(gap_ms)
        start = perf_counter_ns()
        frame(data, ts, ts)
        bbo(track)
        spent.append(perf_counter_ns() - start)
    return spent
