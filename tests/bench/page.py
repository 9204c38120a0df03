"""`page`: what the page costs the browser before the whole demo, and what it costs the wire.

A headless Chromium that draws in software, as on a machine without a graphics card: the hardest case there is.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import CDPSession, Page, ViewportSize

from tests.bench.host import watched
from tests.bench.plan import ROOT, Plan
from tests.bench.report import Goal, Row, Table
from tests.gateway.browsing import browsing
from tests.gateway.demo import Demo
from tests.gateway.relay import Relay

RATE = 1_000  # frames a second over 54 books: every book ten times a second and more
SIZE = ViewportSize(width=1440, height=900)
SETTLE_S, FRAMES_S, HEAP_S = 15.0, 30.0, 300.0
LOOKS = 6  # at the heap
OLD_WAY_HZ = 5  # a whole book every 200 ms
LATE_MS = 20.0
WAIT_MS = 60_000
FRAMES = """(seconds) => new Promise((resolve) => {
  const stamps = [];
  const until = performance.now() + 1000 * seconds;
  const look = (now) => {
    stamps.push(now);
    if (now < until) requestAnimationFrame(look);
    else resolve(stamps);
  };
  requestAnimationFrame(look);
})"""


def chromium() -> str:
    """Give the browser's path, as the tests have it."""
    named = os.environ.get("THALWEG_CHROMIUM")
    return named or subprocess.run(["deploy/chromium"], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def run(plan: Plan) -> list[Table]:
    """Open the page and look on: at its frames, at its memory, at the wire."""
    path = chromium()
    if not path:
        raise SystemExit("no Chromium: `deploy/chromium` says how to get one")
    with (
        Demo("--rate", str(RATE)) as demo,
        Relay(demo.address) as relay,
        browsing(path, "--js-flags=--expose-gc", "--enable-precise-memory-info") as browser,
    ):
        page = browser.new_page(viewport=SIZE)
        page.goto(relay.address)
        page.locator("#matrix td.book[data-state=live]").first.wait_for(timeout=WAIT_MS)
        time.sleep(min(SETTLE_S, plan.seconds(SETTLE_S) + 5))
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        drawing = _drawing(plan, page, session, relay, demo)
        return [drawing, _memory(plan, session, browser.new_browser_cdp_session())]


def _metrics(session: CDPSession) -> dict[str, float]:
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}


def _table(name: str, title: str) -> Table:
    return Table(
        name,
        title,
        f"the page at {SIZE['width']} x {SIZE['height']}, 54 books, the default panels",
        f"the demo at {RATE} frames/s, on this machine too; Chromium headless, drawn in software",
        "the browser's animation frames, all of them",
        "the same",
    )


def _drawing(plan: Plan, page: Page, session: CDPSession, relay: Relay, demo: Demo) -> Table:
    table = _table("page", "the page: frames, main thread and wire")
    before, received, started = _metrics(session), relay.received, time.monotonic()
    with watched() as host:
        stamps = page.evaluate(FRAMES, plan.seconds(FRAMES_S))
    passed, after = time.monotonic() - started, _metrics(session)
    intervals = np.diff(np.asarray(stamps))
    figures = {
        "p50 ms": float(np.percentile(intervals, 50)),
        "p95 ms": float(np.percentile(intervals, 95)),
        "p99 ms": float(np.percentile(intervals, 99)),
        "late %": 100 * float(np.mean(intervals > LATE_MS)),
        "main thread %": 100 * (after["TaskDuration"] - before["TaskDuration"]) / passed,
        "script %": 100 * (after["ScriptDuration"] - before["ScriptDuration"]) / passed,
        "kB/s on the wire": (relay.received - received) / passed / 1e3,
        "whole books kB/s": _whole_books(page, demo) / 1e3,
    }
    goals = {"p95 ms": Goal(LATE_MS), "main thread %": Goal(50)}
    table.rows.append(Row("desk", figures, host, goals))
    table.notes.append(f"slowed: {page.locator('#pace').text_content() or 'no'}")
    table.notes.append("whole books: the focused instrument's venues as JSON each 200 ms, as deep as the page has them")
    return table


def _whole_books(page: Page, demo: Demo) -> float:
    """Give the bytes a second of the old way, for the books that the page follows; uncompressed."""
    instrument = page.locator("#picker").input_value()
    found = json.loads(_fetch(demo.address + "api/v1/instruments"))["instruments"]
    venues = next(one["venues"] for one in found if one["name"] == instrument)
    paths = [f"api/v1/books/{instrument}?depth=25"]
    paths += [f"api/v1/books/{venue}/{instrument}?depth=200" for venue in venues]
    return float(OLD_WAY_HZ * sum(len(_fetch(demo.address + path)) for path in paths))


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address, http alone
        body: bytes = answer.read()
        return body


def _memory(plan: Plan, session: CDPSession, whole: CDPSession) -> Table:
    table = _table("page memory", "the page: memory after a collection, and of its process")
    interval = plan.seconds(HEAP_S) / (LOOKS - 1)
    looks: list[tuple[float, float, float]] = []
    started = time.monotonic()
    with watched() as host:
        for look in range(LOOKS):
            time.sleep(max(0.0, started + look * interval - time.monotonic()))
            session.send("HeapProfiler.collectGarbage")
            heap = _metrics(session)["JSHeapUsedSize"] / 1e6
            looks.append((time.monotonic() - started, heap, _resident(whole)))
    minutes = np.asarray([passed for passed, _, _ in looks]) / 60
    figures: dict[str, float] = {}
    for name, place in (("heap", 1), ("process", 2)):
        values = np.asarray([look[place] for look in looks])
        slope = float(np.polyfit(minutes, values, 1)[0])
        figures |= {f"{name} MB first": values[0], f"{name} MB last": values[-1], f"{name} MB/min": slope}
    table.rows.append(Row("desk", figures, host, {"heap MB/min": Goal(0.5)}))
    return table


def _resident(whole: CDPSession) -> float:
    """Give what the largest renderer takes, which is the page's with its worker; MB."""
    found: list[dict[str, Any]] = whole.send("SystemInfo.getProcessInfo")["processInfo"]
    sizes = [_resident_of(int(one["id"])) for one in found if one["type"] == "renderer"]
    return max(sizes, default=0.0)


def _resident_of(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
