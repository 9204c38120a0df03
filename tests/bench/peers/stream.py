"""From a frame in memory through Redis to a reader: our sink and cryptofeed's stream backend, in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import redis

from tests.bench.frames import frames_of, kind_of
from tests.bench.host import Host, watched
from tests.bench.peers.books import PYTHON, books_alone
from tests.bench.peers.reader import DONE
from tests.bench.plan import ROOT, captures
from tests.bench.replay import Replay
from tests.bench.report import Goal, Row, Table, percentiles
from thalweg.cli.embedded import free_port, start_server, stop_server
from thalweg.cli.server import FUNCTIONS

SIDES = {
    "ours": [sys.executable, "-m", "tests.bench.peers.our_stream"],
    "cryptofeed": [str(PYTHON), "-m", "tests.bench.peers.their_stream"],
}
CYCLES, PACED_S, FLAT = 3, 12.0, 20_000
WHOLE = 2  # frames that are no deltas: each book's first
GOALS = {"frames /s": Goal(4, 7, above=True), "p50": Goal(2, above=True)}


class Talk:
    """A process that answers a line with a line."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Start it, and wait until it is ready.

        Raises:
            OSError: it ended before.
        """
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            arguments, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self.hear() != "ready":
            raise OSError(f"did not start: {' '.join(arguments)}")

    def hear(self) -> str:
        """Give the next line it says."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def ask(self, line: str) -> dict[str, Any]:
        """Give what it answers."""
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.hear())
        return answer

    def end(self) -> None:
        """Stop it."""
        self.process.kill()
        self.process.wait()


@contextmanager
def _server(folder: Path) -> Iterator[int]:
    port = free_port()
    server = start_server(port, folder)
    try:
        with redis.Redis(port=port) as client:
            client.function_load(FUNCTIONS.read_text())
        yield port
    finally:
        stop_server(server)


def compare() -> Table:
    """Play the captured frames into a server, each side in turn, at their own pace and flat out."""
    replay = books_alone(frames_of(captures(), "bybit"), "bybit")
    ages: dict[str, list[int]] = {side: [] for side in SIDES}
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as place, _server(Path(place) / "server") as port, ExitStack() as stack:
        frames = Path(place) / "frames.json"
        frames.write_text(json.dumps(_written(replay)), encoding="utf-8")
        talks = {side: Talk([*arguments, str(port), str(frames)]) for side, arguments in SIDES.items()}
        for talk in talks.values():
            stack.callback(talk.end)
            talk.ask(f"flat {len(replay.steps)}")
        with watched() as host:
            for side, talk in [*talks.items()] * CYCLES:
                ages[side] += _paced(talk, port, side)
                told = talk.ask(f"flat {FLAT}")
                rates[side].append(told["count"] / told["seconds"])
    return _table(ages, rates, host)


def _written(replay: Replay) -> dict[str, Any]:
    """Give the frames as both sides read them."""
    frames, stamp = [], 0
    for one in replay.steps:
        stamp = max(stamp + 1, one.ts // 1_000)  # no two have the same
        frames.append((stamp, one.data.decode()))
    return {"frames": frames, "answers": {url: body.decode() for url, body in replay.answers.items()}}


def _paced(talk: Talk, port: int, side: str) -> list[int]:
    """Give how many nanoseconds each delta took to a reader.

    Raises:
        AssertionError: one has not arrived.
    """
    reader = Talk([sys.executable, "-m", "tests.bench.peers.reader", str(port), side])
    try:
        taken = talk.ask(f"pace {PACED_S}")["taken"]
        with redis.Redis(port=port) as client:
            client.xadd(DONE, {"v": time.time_ns()})
        seen = json.loads(reader.hear())
    finally:
        reader.end()
    if len(taken) - len(seen) > WHOLE:
        raise AssertionError(f"{side}: of {len(taken)} frames only {len(seen)} came to the reader")
    return [at - taken[stamp] for stamp, at in seen.items()]


def _table(ages: dict[str, list[int]], rates: dict[str, list[float]], host: Host) -> Table:
    table = Table(
        "peers-stream",
        "into a Redis stream and to a reader: ours and cryptofeed 2.4.1's BookStream",
        f"every book change of Bybit, {kind_of(captures())}; frames /s: whole books, too",
        f"in turn, {CYCLES} cycles of {PACED_S:g} s as captured and {FLAT:,} frames flat out; one server, TCP",
        "the frame is in memory, before it is decoded",
        "latency: the entry is in the hands of a reader in another process; frames /s: all are in Redis",
    )
    figures: dict[str, Any] = {}
    for side in SIDES:
        spent = percentiles(ages[side])
        figures[side] = {"frames /s": median(rates[side])} | spent | {"changes": len(ages[side])}
        table.rows.append(Row(side, figures[side], host))
    ours, theirs = figures["ours"], figures["cryptofeed"]
    times = {"frames /s": ours["frames /s"] / theirs["frames /s"], "p50 us": theirs["p50 us"] / ours["p50 us"]}
    table.rows.append(Row("times", times, host, {"frames /s": GOALS["frames /s"], "p50 us": GOALS["p50"]}))
    return table
