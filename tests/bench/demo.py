"""`demo`: the whole demo at 1,000 frames a second: the engine with cold caches, the hops, and what memory it takes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.host import Host, memory_kib, watched
from tests.bench.plan import ROOT, Plan
from tests.bench.report import Goal, Row, Table
from tests.gateway.demo import PROGRAM, children_of, command_of
from thalweg.cli.embedded import free_port
from thalweg.cli.findings import memory_needed
from thalweg.latency import RING_SIZE
from thalweg.settings import load_settings

RATE = 1_000  # frames a second, all venues together
SECONDS = 30.0  # after all books are live
START_S, END_S = 20.0, 30.0  # for the books to be live; for the run to be judged and stopped
HOPS = ("engine", "decode", "loop", "append", "stream", "apply", "merge", "publish", "total")
ENGINE = {"p50 us": Goal(25, 12)}
MIB = {"ingest": Goal(200), "aggregator": Goal(250), "gateway": Goal(120)}


def run(plan: Plan) -> list[Table]:
    """Run the demo once and give its latencies and its memory."""
    with TemporaryDirectory(prefix="thalweg-bench-") as folder:
        path = Path(folder) / "summary.json"
        with watched() as host:
            memory = _played(path, START_S + max(plan.seconds(SECONDS), 5.0))
        summary = json.loads(path.read_text(encoding="utf-8"))
    return [_hops(summary, host), _memory(summary, memory, host)]


def _played(summary: Path, seconds: float) -> dict[str, list[int]]:
    """Let the demo run; give the memory of its processes shortly before its end, by name, in KiB.

    Raises:
        AssertionError: it found something wrong with itself.
    """
    options = ["--rate", str(RATE), "--seconds", str(seconds), "--summary", str(summary), "--port", str(free_port())]
    demo = subprocess.Popen([*PROGRAM, "up", "--demo", *options], cwd=ROOT, stdout=sys.stderr)
    try:
        time.sleep(seconds - 3)
        memory: dict[str, list[int]] = {}
        for child in children_of(demo.pid):
            memory.setdefault(_name(command_of(child)), []).append(memory_kib(child))
        code = demo.wait(END_S)
    finally:
        demo.kill()
        demo.wait()
    if code:
        raise AssertionError(f"the demo ended with {code}")
    return memory


def _name(words: list[str]) -> str:
    """Give a process's name: the module that it runs, or else its program."""
    return words[words.index("-m") + 1] if "-m" in words else "redis" if "server" in words[0] else Path(words[0]).name


def _hops(summary: dict[str, Any], host: Host) -> Table:
    table = Table(
        "demo",
        "the demo: hops",
        f"{summary['books']} books of four venues; each process's newest {RING_SIZE:,} samples of each hop",
        f"`thalweg up --demo`, {summary['frames_per_s']:,.0f} frames/s; they, simulator and judge share the machine",
        "`engine`: the frame's bytes are in hand; the others: thalweg/latency.py",
        "`engine`: decoded, checked, in the book, event made",
    )
    for hop in (hop for hop in HOPS if hop in summary["latency_us"]):
        found = summary["latency_us"][hop]
        figures = {f"{name} us": found[name] for name in ("p50", "p95", "p99", "mean")} | {"samples": found["count"]}
        table.rows.append(Row(hop, figures, host, ENGINE if hop == "engine" else {}))
    return table


def _memory(summary: dict[str, Any], memory: dict[str, list[int]], host: Host) -> Table:
    bound, arithmetic = memory_needed(load_settings({}))
    table = Table(
        "demo-memory",
        "the demo: memory",
        f"{summary['books']} books; proportional share (PSS) of each process, the largest of a kind",
        f"{RATE:,} frames/s",
        "the demo has started",
        "3 s before it ends",
    )
    for name, sizes in memory.items():
        goals = {"MiB": MIB[name]} if name in MIB else {"MiB": Goal(bound / 2**20)} if name == "redis" else {}
        table.rows.append(Row(name, {"MiB": max(sizes) / 1024, "processes": len(sizes)}, host, goals))
    table.notes.append(f"redis: what `thalweg doctor` states in advance, streams full: {arithmetic}")
    return table
