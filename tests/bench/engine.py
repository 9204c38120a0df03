"""`engine`: a venue's frames one after the other, through all that ingest does with one before it is packed."""

from __future__ import annotations

import gc
from time import perf_counter_ns

import numpy as np
import numpy.typing as npt

from tests.bench.frames import frames_of, kind_of
from tests.bench.host import watched
from tests.bench.plan import Plan
from tests.bench.replay import CAPTURES, Replay, bbo
from tests.bench.report import Goal, Row, Table, percentiles

SECONDS = 32.0  # in all, a quarter for each venue
ROUNDS = 8  # in which venues take turns, so that a slow minute of the host hits all of them
GOALS = {"p50 us": Goal(9, 4.5), "p95 us": Goal(63, 12), "p99 us": Goal(195, 30), "mean us": Goal(20)}


class Engine:
    """One venue's frames, timed one by one, pass after pass."""

    def __init__(self, replay: Replay) -> None:
        """Find out which book each frame moves."""
        self.replay, self.samples = replay, list[npt.NDArray[np.int64]]()
        self._tracks = replay.tracks()
        self.fallbacks = 0

    def play(self, seconds: float) -> None:
        """Play whole passes for so long."""
        until = perf_counter_ns() + int(seconds * 1e9)
        while perf_counter_ns() < until:
            self._pass()

    def _pass(self) -> None:
        """Play all frames into new books; those that move a book or bring a trade are timed."""
        session, tally = self.replay.session()
        frame = session.frame
        spent = np.empty(len(self._tracks), dtype=np.int64)
        count = 0
        for place, step in zip(self._tracks, self.replay.steps, strict=True):
            if place is None:
                self.replay.take(session, step)
                continue
            track, data, ts = session.tracks[place], step.data, step.ts
            start = perf_counter_ns()
            frame(data, ts, ts)
            bbo(track)
            spent[count] = perf_counter_ns() - start
            count += 1
        self.fallbacks += tally.fallbacks
        self.samples.append(spent[:count])


def run(plan: Plan) -> list[Table]:
    """Measure the engine on captures, or on what the simulator renders."""
    table = Table(
        "engine",
        "engine: frame bytes to best bid and offer",
        f"every delta and trade frame, {kind_of(plan.captures)}, again and again into new books",
        "one process, frames back to back, venues in turn; the collector is on, what is there is frozen",
        "the frame's bytes are in hand",
        "decoded, continuity and checksum checked, in the book, event made, best bid and offer read",
    )
    engines = {venue: Engine(frames_of(plan.captures, venue)) for venue in CAPTURES}
    for engine in engines.values():
        engine.play(0.2)
        engine.samples.clear()
    gc.collect()
    gc.freeze()
    with watched() as host:
        for _ in range(ROUNDS):
            for engine in engines.values():
                engine.play(plan.seconds(SECONDS) / ROUNDS / len(engines))
    for venue, engine in engines.items():
        table.rows.append(_row(venue, engine.samples))
        table.notes.append(f"{venue}: {engine.fallbacks} frames read by the general decoder")
    table.rows.append(_row("all", [part for engine in engines.values() for part in engine.samples]))
    for row in table.rows:
        row.host = host
    return [table]


def _row(name: str, samples: list[npt.NDArray[np.int64]]) -> Row:
    spent = np.concatenate(samples)
    return Row(name, {"frames": len(spent), **percentiles(spent)}, goals=GOALS)
