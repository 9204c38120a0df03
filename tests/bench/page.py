"""`page`: what the page costs the browser when every book changes with every tick, and what it costs the wire.

A headless Chromium that draws in software, as on a machine without a graphics card: the hardest case there is. It
stands before a gateway and a publisher that take a tenth of a core each, so that it is the page that is measured; once
more with its processor slowed to a half, as on an older machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import CDPSession, Page, ViewportSize

from tests.bench.fanout import fetched, gateway
from tests.bench.host import watched
from tests.bench.plan import ROOT, Plan
from tests.bench.report import Goal, Row, Table
from tests.gateway.browsing import browsing
from tests.gateway.relay import Relay
from thalweg.instruments import load_instruments

RATE = 10.0  # publications a second and instrument, each of which changes all of its books
LIFE_S = 600.0  # of the publisher
SLOWED = {"desk": 1, "half speed": 2}  # what the browser's processor is slowed by
SIZE = ViewportSize(width=1440, height=900)
SETTLE_S, FRAMES_S, MINUTES = 15.0, 30.0, 5
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
        gateway(list(load_instruments().by_name), RATE, LIFE_S) as served,
        Relay(served.address) as relay,
        browsing(path, "--enable-precise-memory-info") as browser,
    ):
        page = browser.new_page(viewport=SIZE)
        page.goto(relay.address)
        page.locator("#matrix td.book[data-state=live]").first.wait_for(timeout=WAIT_MS)
        time.sleep(min(SETTLE_S, plan.seconds(SETTLE_S) + 5))
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        drawing = _table("page", "the page: frames, main thread and wire")
        for name, slowed in SLOWED.items():
            session.send("Emulation.setCPUThrottlingRate", {"rate": slowed})
            drawing.rows.append(_drawing(name, plan, page, session, relay))
            drawing.notes.append(f"{name}: drawn less often: {page.locator('#pace:visible').count() or 'no'}")
        session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
        drawing.notes.append("whole books: the focused instrument's as JSON each 200 ms, as deep as the page has them")
        return [drawing, _memory(plan, page, session, browser.new_browser_cdp_session())]


def _metrics(session: CDPSession) -> dict[str, float]:
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}


def _table(name: str, title: str) -> Table:
    return Table(
        name,
        title,
        f"the page at {SIZE['width']} x {SIZE['height']}, 54 books, the default panels",
        f"each changes {RATE:g} times a second; gateway and publisher on this machine too; Chromium drawn in software",
        "the browser's animation frames, all of them",
        "the same",
    )


def _drawing(name: str, plan: Plan, page: Page, session: CDPSession, relay: Relay) -> Row:
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
        "whole books kB/s": _whole_books(page, relay) / 1e3,
    }
    return Row(name, figures, host, {"p95 ms": Goal(LATE_MS), "main thread %": Goal(50)})


def _whole_books(page: Page, relay: Relay) -> float:
    """Give the bytes a second of the old way, for the books that the page follows; uncompressed."""
    instrument = page.locator("#picker").input_value()
    found = json.loads(fetched(relay.address, "api/v1/instruments")[1])["instruments"]
    venues = next(one["venues"] for one in found if one["name"] == instrument)
    paths = [f"api/v1/books/{instrument}?depth=25"]
    paths += [f"api/v1/books/{venue}/{instrument}?depth=200" for venue in venues]
    return float(OLD_WAY_HZ * sum(len(fetched(relay.address, path)[1]) for path in paths))


def _memory(plan: Plan, page: Page, session: CDPSession, whole: CDPSession) -> Table:
    table = _table("page memory", f"the page: memory after a collection, from minute 1 to minute {MINUTES}")
    worker = WorkerHeap(page, session)
    looks: list[tuple[float, ...]] = []
    started = time.monotonic()
    with watched() as host:
        for minute in range(1, MINUTES + 1):
            page.wait_for_timeout(max(0.0, 1e3 * (started + plan.seconds(60.0) * minute - time.monotonic())))
            session.send("HeapProfiler.collectGarbage")
            heap = _metrics(session)["JSHeapUsedSize"] / 1e6
            looks.append((time.monotonic() - started, heap, worker.used(), _resident(whole)))
    minutes = np.asarray([look[0] for look in looks]) / 60
    figures: dict[str, float] = {}
    for place, name in enumerate(("heap", "worker", "process"), 1):
        values = np.asarray([look[place] for look in looks])
        slope = float(np.polyfit(minutes, values, 1)[0])
        figures |= {f"{name} MB first": values[0], f"{name} MB last": values[-1], f"{name} MB/min": slope}
    table.rows.append(Row("desk", figures, host, {"heap MB/min": Goal(0.5), "worker MB/min": Goal(0.5)}))
    return table


class WorkerHeap:
    """The heap of the page's worker, which has no session of its own: it is asked through the page's."""

    def __init__(self, page: Page, session: CDPSession) -> None:
        """Find the worker."""
        self._page, self._session = page, session
        self._worker, self._asked = "", 0
        self._answers: dict[int, dict[str, Any]] = {}
        session.on("Target.attachedToTarget", self._attached)
        session.on("Target.receivedMessageFromTarget", self._answered)
        session.send("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": False})

    def _attached(self, event: dict[str, Any]) -> None:
        self._worker = event["sessionId"]

    def _answered(self, event: dict[str, Any]) -> None:
        message = json.loads(event["message"])
        if "id" in message:  # else it tells something
            self._answers[message["id"]] = message

    def used(self) -> float:
        """Give what is used after a collection; MB."""
        self._ask("HeapProfiler.collectGarbage")
        return float(self._ask("Runtime.getHeapUsage")["usedSize"]) / 1e6

    def _ask(self, method: str) -> dict[str, Any]:
        self._asked += 1
        message = json.dumps({"id": self._asked, "method": method})
        self._session.send("Target.sendMessageToTarget", {"sessionId": self._worker, "message": message})
        while self._asked not in self._answers:
            self._page.wait_for_timeout(10)
        result: dict[str, Any] = self._answers.pop(self._asked)["result"]
        return result


def _resident(whole: CDPSession) -> float:
    """Give what the largest renderer takes, which is the page's with its worker; MB."""
    found: list[dict[str, Any]] = whole.send("SystemInfo.getProcessInfo")["processInfo"]
    sizes = [_resident_of(int(one["id"])) for one in found if one["type"] == "renderer"]
    return max(sizes, default=0.0)


def _resident_of(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
