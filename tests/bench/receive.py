"""`receive`: what a frame costs between the socket and ingest, with websockets and with picows in its place.

picows is measured where it can be imported; `pip install --target build/peers/picows picows` puts it there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tests.bench.host import watched
from tests.bench.plan import ROOT, Plan
from tests.bench.replay import CAPTURES, from_capture
from tests.bench.report import Row, Table

PEERS = ROOT / "build" / "peers" / "picows"
CLIENTS = {
    "websockets": "websockets, as ingest uses it",
    "picows-websockets": "picows behind the same calls",
    "picows": "picows' own callbacks",
}
KINDS: tuple[tuple[str, ...], ...] = ((), ("tls",), ("tls", "deflate"))
NO_DEFLATE = "picows"
BURST, ALONE = 40_000, 4_000  # frames
RATE = 2_000.0  # frames a second, where each comes alone
RENDERED = (
    b'{"topic":"orderbook.200.BTCUSDT","ts":1795633796106,"type":"delta","data":{"s":"BTCUSDT",'
    b'"b":[["65008.5","0.%06d"]],"a":[],"u":%d,"seq":%d},"cts":1795633796104}'
)
LIMIT_S = 10  # for either; a client that has not got all frames by then is stuck


def run(plan: Plan) -> list[Table]:
    """Measure every client on every kind of connection."""
    texts, population = _texts(plan)
    table = Table(
        "receive",
        "receive: CPU a frame from the socket to the bytes in ingest's hands",
        population,
        f"`burst`: {BURST:,} frames in 64 KiB writes; `alone`: {ALONE:,}, one write each, {RATE:,.0f} a second",
        "the first frame has been received",
        "the last frame's bytes have been received; CPU of the client's process between the two, over the frames",
    )
    for client, title in CLIENTS.items():
        if client != "websockets" and not _importable():
            table.notes.append(f"{client}: picows can't be imported; see tests/bench/receive.py")
            continue
        for kind in KINDS:
            if not (client == NO_DEFLATE and "deflate" in kind):
                table.rows.append(_row(f"{title}, {' and '.join(kind) or 'plain'}", client, kind, texts, plan.scale))
    return [table]


def _row(name: str, client: str, kind: Sequence[str], texts: bytes, scale: float) -> Row:
    """Measure one client on one kind of connection; `stuck` counts runs in which not every frame came out."""
    loads = {"burst": (max(int(BURST * scale), 2_000), 0.0), "alone": (max(int(ALONE * scale), 500), RATE)}
    figures: dict[str, float] = {"stuck": 0}
    with watched() as host:
        for load, (count, rate) in loads.items():
            if (spent := _received(client, kind, texts, count, rate)) is None:
                figures["stuck"] += 1
                continue
            figures[f"{load} us"] = 1e6 * spent["cpu_s"] / count
            figures[f"{load} frames/s"] = count / spent["seconds"]
    return Row(name, figures, host)


def _received(client: str, kind: Sequence[str], texts: bytes, count: int, rate: float) -> dict[str, float] | None:
    """Have frames sent by one process and received by another; give what that one spent, `None` if it got stuck."""
    python = [sys.executable, "-m"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(PEERS)))}
    sender = [*python, "tests.bench.sender", str(count), str(rate), *kind]
    with subprocess.Popen(sender, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, cwd=ROOT) as venue:
        try:
            port = _port(venue.stdin, venue.stdout, texts)
            receiver = [*python, "tests.bench.receiver", client, port, str(count), *kind]
            done = subprocess.run(receiver, env=environ, cwd=ROOT, timeout=LIMIT_S, check=True, stdout=subprocess.PIPE)
        except subprocess.TimeoutExpired:
            return None
        finally:
            venue.kill()
    spent: dict[str, float] = json.loads(done.stdout)
    return spent


def _port(into: IO[bytes] | None, out: IO[bytes] | None, texts: bytes) -> str:
    """Give the sender its frames and take the port it listens on."""
    assert into is not None
    assert out is not None
    into.write(texts)
    into.close()
    return out.readline().decode().strip()


def _importable() -> bool:
    environ = {**os.environ, "PYTHONPATH": str(PEERS)}
    return not subprocess.run(
        [sys.executable, "-c", "import picows"], env=environ, stderr=subprocess.DEVNULL
    ).returncode


def _texts(plan: Plan) -> tuple[bytes, str]:
    """Give the frames to send, one a line, and what they are."""
    if plan.captures is not None and Path(plan.captures, CAPTURES["bybit"]).exists():
        frames = [step.data for step in from_capture(plan.captures, "bybit").steps if b'"delta"' in step.data]
        return b"\n".join(frames), f"{len(frames)} recorded book changes of Bybit in a loop, {_mean(frames)} bytes"
    frames = [RENDERED % (number * 7919 % 10**6, number, number) for number in range(500)]
    return b"\n".join(frames), f"{len(frames)} rendered book changes of one level, {_mean(frames)} bytes"


def _mean(frames: Sequence[bytes]) -> int:
    return sum(map(len, frames)) // len(frames)
