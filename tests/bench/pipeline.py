"""`pipeline`: the four services under a flood, from a venue's frame to books, publications and a WebSocket client."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.bench.host import Host, watched
from tests.bench.plan import Plan
from tests.bench.report import Goal, Row, Table, percentiles
from tests.bench.rig import VENUE, Rig
from thalweg.publication import Kind, Publication

PRICE_UNIT, SIZE_UNIT = 10**8, 10**5  # of the flood's whole prices and thousandths
ARRIVE_S = 30.0  # for the last frames to arrive, where the machine could not keep up
SETTLE_S = 2.0  # for a whole view of each book
LOADS = (  # frames a second, frames a burst, usual seconds
    (1_000, 1, 30.0),
    (8_000, 8, 30.0),
    (20_000, 20, 10.0),
)
BOOKS_GOALS = {8_000: {"p99 ms": Goal(50)}}
AIMS = "500 us at 1,000 frames/s and 200 us at 8,000"
TOTAL_GOALS = {"p50 us": Goal(1_000, 500), "p99 us": Goal(10_000, 3_000)}
FLOOD = "deltas of 1 to 3 levels of 9 Bybit books, rendered beforehand"
WHERE = (
    "4 services, server (Unix socket) and flood share the machine, and go before all else on it where that is allowed"
)


@dataclass(slots=True)
class Run:
    """What one load made of the pipeline; `books` is in nanoseconds, one a frame."""

    rate: int
    host: Host
    said: dict[str, Any]
    books: npt.NDArray[np.int64]
    publications: int
    cpu_us: dict[str, float]


def run(plan: Plan) -> list[Table]:
    """Measure each load without a client, then one client at the raw rate."""
    with TemporaryDirectory(prefix="thalweg-bench-") as folder, Rig(Path(folder), unix=True) as rig:
        runs = [_load(rig, rate, burst, plan.seconds(seconds)) for rate, burst, seconds in LOADS]
        tables = [_books(runs), _cpu(runs), _total(rig, plan)]
        _nothing_lost(rig.stop())
    return tables


def _load(rig: Rig, rate: int, burst: int, seconds: float) -> Run:
    """Let the flood send, and look at what was published."""
    tops, before = rig.tops(), rig.cpu()
    with watched() as host:
        said = rig.drive(rate, burst, seconds)
        cpu_us = {name: 1e6 * (used - before[name]) / said["sent"] for name, used in rig.cpu().items()}
    rig.arrive(said["lasts"], ARRIVE_S)
    time.sleep(SETTLE_S)
    found = rig.publications(tops)
    for name, publications in found.items():
        _compare(name, publications[-1], publications, said, rig.symbols[name])
    books = np.concatenate([_latencies(found[name], said, rig.symbols[name]) for name in rig.names])
    return Run(rate, host, said, books, sum(map(len, found.values())), cpu_us)


def _latencies(publications: list[Publication], said: dict[str, Any], symbol: str) -> npt.NDArray[np.int64]:
    """Give for each frame of a book how long after its scheduled instant it was published."""
    due, first = said["due"][symbol], said["firsts"][symbol]
    done, rows = first, [np.empty(0, dtype=np.int64)]
    for one in publications:
        last = one.venues[0].last or 0
        if last > done:
            rows.append((one.stamps.ts_published or 0) - due[done - first : last - first])
            done = last
    return np.concatenate(rows)


def _compare(
    name: str, newest: Publication, publications: list[Publication], said: dict[str, Any], symbol: str
) -> None:
    """See that the last whole view is the flood's own book.

    Raises:
        AssertionError: it is not, or frames have not arrived.
    """
    if newest.venues[0].last != said["lasts"][symbol]:
        raise AssertionError(f"{name} stands at {newest.venues[0].last}, the venue at {said['lasts'][symbol]}")
    whole = [one for one in publications if one.kind is Kind.KEY][-1]
    views = [{int(price): int(size) for side, price, size in whole.changes if side == one} for one in (0, 1)]
    truth = [{price * PRICE_UNIT: size * SIZE_UNIT for price, size in side} for side in said["books"][symbol]]
    if views != truth:
        raise AssertionError(f"{name} is not the venue's book")


def _nothing_lost(reports: dict[str, Any]) -> None:
    """See that every service has taken in all that it was sent, one by one.

    Raises:
        AssertionError: one has not.
    """
    ingest, aggregator, gateway = (reports[name] for name in ("ingest", "aggregator", "gateway"))
    lost = {name: count for name, count in ingest["dropped"].items() if count and name != "standby"}
    lost |= {name: ingest[name] for name in ("bad_frames", "gaps", "held") if ingest[name]}
    lost |= {name: aggregator[name] for name in ("lapped", "unreadable", "pending") if aggregator[name]}
    lost |= {name: gateway[name] for name in ("rejoined", "refused") if gateway[name]}
    if lost:
        raise AssertionError(f"lost or merged away: {lost}")


def _books(runs: list[Run]) -> Table:
    table = Table(
        "pipeline-books",
        "whole pipeline: a venue's frame to books",
        f"every frame: {FLOOD}; afterwards all books are the venue's, and nothing was dropped, lapped or merged",
        f"an open timetable, 1, 8 and 20 frames a burst; {WHERE}",
        "scheduled instant of the frame at the venue, whether it was on time or not",
        "its change is in the aggregator's book, merged, and packed as a publication",
    )
    for one in runs:
        figures = percentiles(one.books, "ms") | {"max ms": float(one.books.max()) / 1e6, "frames": len(one.books)}
        figures |= {"publications": one.publications, "venue late p99 ms": one.said["late_p99_us"] / 1e3}
        table.rows.append(Row(f"{one.rate:,} frames/s", figures, one.host, BOOKS_GOALS.get(one.rate, {})))
    return table


def _cpu(runs: list[Run]) -> Table:
    table = Table(
        "pipeline-cpu",
        "whole pipeline: CPU a frame of the four services",
        FLOOD,
        f"no client of the gateway; {WHERE}",
        "first frame",
        "last frame",
    )
    for one in runs:
        figures = {f"{name} us": used for name, used in one.cpu_us.items()} | {"sum us": sum(one.cpu_us.values())}
        figures |= {"flood us": 1e6 * one.said["cpu_s"] / one.said["sent"]}
        table.rows.append(Row(f"{one.rate:,} frames/s", figures, one.host))
    table.notes.append(f"aim for the sum: {AIMS}; a wake-up costs more than the work, so it falls as frames share them")
    return table


def _total(rig: Rig, plan: Plan) -> Table:
    """Measure what a client at the raw rate sees."""
    table = Table(
        "pipeline-total",
        "total: socket read in ingest to a WebSocket client's hands",
        "every message that has stamps; of the oldest frame in it",
        f"1,000 frames/s, one each millisecond; one client at the raw rate, so many channels at depth 10; {WHERE}",
        "ingest has read the frame",
        "the client's recv has returned",
    )
    channels = [f"book:{VENUE}:{name}" for name in rig.names]
    ladders = [f"cbook:{name}" for name in rig.names]
    for name, some, usual in (
        ("1 book", channels[:1], 10.0),
        ("9 books", channels, 32.0),
        ("9 ladders", ladders, 12.0),
    ):
        seconds = plan.seconds(usual)
        before = rig.cpu()
        with watched() as host:
            client = rig.follow(some, seconds)
            sent = rig.drive(1_000, 1, max(seconds - 1, 1))["sent"]
            used = 1e6 * (rig.cpu()["gateway"] - before["gateway"]) / sent
        client.wait()
        seen = rig.seen()
        figures = percentiles(1_000 * (seen["got"] - seen["received"]))
        figures |= {"messages": len(seen["got"]), "gateway us/frame": used, "KiB/s": seen["bytes"][0] / 1024 / seconds}
        table.rows.append(Row(name, figures, host, TOTAL_GOALS))
    return table
