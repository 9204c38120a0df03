"""`fanout`: a thousand clients that follow 36 books each, against a loop that only writes; and one client's egress."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import orjson

from tests.bench.drain import EVERY
from tests.bench.host import Host, cpu_s, memory_kib, watched
from tests.bench.plan import Plan
from tests.bench.report import Goal, Row, Table, percentiles
from tests.gateway.feeder import GatewayProcess
from thalweg.cli.embedded import free_port, start_server, stop_server
from thalweg.instruments import load_instruments

VENUES = ("binance", "bybit", "kraken", "coinbase")
CLIENTS, DEPTH, TICK_US = 1000, 25, 100_000
SECONDS, FLOOR_SECONDS, PAGE_SECONDS = 30.0, 6.0, 10.0
PUBLICATIONS = 20.0  # a second and instrument: two between any two ticks
LIFE_S = 170.0  # of a publisher and a floor that nobody has ended
EARLY_US = 10_000  # no tick is that much earlier than most, so one that seems so is late
READY_S = 10.0
GATEWAY_CORE, OTHERS_CORE = 0, 1
LIMITS = {"THALWEG_CONNECTIONS": str(2 * CLIENTS), "THALWEG_CONNECTIONS_PER_IP": str(2 * CLIENTS)}
GOALS = {"cpu %": Goal(40, 25), "p99 ms": Goal(60, 30), "KiB/client": Goal(40)}
FULL_EACH_S = 0.2
Requests = list[dict[str, Any]]


@dataclass(slots=True)
class Figures:
    """What one server did for its clients."""

    cpu: float
    counts: dict[str, Any]
    ready_s: float
    kib_a_client: float
    host: Host

    def per_second(self, what: str) -> float:
        """Give a count as a rate."""
        return float(self.counts[what] / self.counts["seconds"])

    @property
    def frame_bytes(self) -> float:
        """The size of a frame on the wire."""
        return float(self.counts["bytes"] / max(1, self.counts["frames"]))

    def latencies_ns(self) -> list[int]:
        """Give the latency of every frame read, from the instant at which its tick was due, not when it came."""
        stamps = np.array(self.counts["stamps"], dtype=np.int64)
        phase = np.median((stamps[:, 0] - stamps[0, 0] + TICK_US // 2) % TICK_US).astype(np.int64) - TICK_US // 2
        late = (stamps[:, 0] - stamps[0, 0] - phase + EARLY_US) % TICK_US
        latencies: list[int] = ((stamps[:, 1] - stamps[:, 0] + late - late.min()) * 1000).tolist()
        return latencies


@contextmanager
def lines_of(module: str, order: dict[str, Any]) -> Iterator[Iterator[dict[str, Any]]]:
    """Clients on the other core, what they are to do, and the lines they say."""
    with subprocess.Popen([sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        os.sched_setaffinity(process.pid, {OTHERS_CORE})
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(orjson.dumps(order) + b"\n")
        process.stdin.flush()
        try:
            yield map(orjson.loads, process.stdout)
        finally:
            process.kill()


def measure(pid: int, port: int, clients: int, deflate: bool, requests: Requests, seconds: float) -> Figures:
    """Let clients drain a server, from the other core."""
    order = {"port": port, "clients": clients, "deflate": deflate, "requests": requests, "seconds": seconds}
    before = memory_kib(pid)
    with lines_of("tests.bench.drain", order) as lines:
        ready = next(lines)["ready"]
        next(lines)
        memory, busy = memory_kib(pid), cpu_s(pid)
        with watched() as host:
            counts = next(lines)
        return Figures((cpu_s(pid) - busy) / host.seconds, counts, ready, (memory - before) / clients, host)


@contextmanager
def running(*command: str, core: int) -> Iterator[int]:
    """One of our programs on a core, ended with the block."""
    with subprocess.Popen([sys.executable, "-m", *command]) as process:
        os.sched_setaffinity(process.pid, {core})
        try:
            yield process.pid
        finally:
            process.terminate()


@contextmanager
def gateway(names: Sequence[str], rate: float = PUBLICATIONS, life_s: float = LIFE_S) -> Iterator[GatewayProcess]:
    """A gateway on its core whose limits let everybody in, behind a server and a publisher on the other."""
    port = free_port()
    with ExitStack() as stack:
        server = start_server(port, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        stack.callback(stop_server, server)
        os.sched_setaffinity(server.pid, {OTHERS_CORE})
        url = f"redis://127.0.0.1:{port}/0"
        command = ("tests.bench.publisher", url, str(rate), str(life_s), *names)
        stack.enter_context(running(*command, core=OTHERS_CORE))
        time.sleep(1.5)
        process = GatewayProcess(url, names, LIMITS)
        process.start()
        stack.callback(process.stop)
        os.sched_setaffinity(process.pid, {GATEWAY_CORE})
        deadline = time.monotonic() + READY_S
        while not is_ready(process.address) and time.monotonic() < deadline:
            time.sleep(0.1)
        yield process


def is_ready(address: str) -> bool:
    """Whether a gateway shows every book as live."""
    status, body = fetched(address, "readyz")
    return status == HTTPStatus.OK and orjson.loads(body)["status"] == "OK"


def fetched(address: str, path: str) -> tuple[int, bytes]:
    """Give status and body of what our gateway has at a path."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=READY_S)
    with closing(connection):
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        return answer.status, answer.read()


def fan_out(plan: Plan) -> Table:
    """Measure the gateway, plain and compressed, each against the floor with frames of the same size."""
    table = Table(
        "fanout",
        f"gateway: {CLIENTS:,} clients x 36 books x 10 Hz",
        f"every frame of one client in {EVERY}, spread over the order of writing; all frames are counted",
        "every book changes twice between two ticks; the gateway has a core, all else shares the other one",
        "the tick was due",
        "the frame has been read from the client's socket",
        notes=["limits lifted: " + " ".join(f"{name}={value}" for name, value in LIMITS.items())],
    )
    names = [one.name for one in load_instruments().by_name.values() if set(VENUES) <= set(one.symbols)]
    channels = [f"book:{venue}:{name}" for name in names for venue in VENUES]
    requests = [{"op": "subscribe", "id": 1, "ch": channels, "depth": DEPTH, "rate_ms": 100}]
    for form, deflate in (("plain", False), ("compressed", True)):
        with gateway(names) as process:
            ours = measure(process.pid, process.port, CLIENTS, deflate, requests, plan.seconds(SECONDS))
        port, size = free_port(), str(int(ours.frame_bytes))
        with running("tests.bench.floor", str(port), size, str(LIFE_S), core=GATEWAY_CORE) as pid:
            time.sleep(1.0)
            floor = measure(pid, port, CLIENTS, False, [], plan.seconds(FLOOR_SECONDS))
        table.rows += [row(form, ours, floor), row(f"{form}: floor", floor, floor)]
        table.notes.append(wrongs(form, ours))
    table.notes.append("floor: raw protocols that write one ready frame of that size to each client each 100 ms")
    return table


def row(name: str, one: Figures, floor: Figures) -> Row:
    """Give a line of the table; only the gateway has goals."""
    readers = -(-CLIENTS // EVERY)
    figures = {
        "cpu %": 100 * one.cpu,
        "x floor": one.cpu / floor.cpu,
        "us/frame": 1e6 * one.cpu / one.per_second("frames"),
        "frames/s": one.per_second("frames"),
        "messages/s": one.per_second("messages") * CLIENTS / readers,
        "B/frame": one.frame_bytes,
        "KiB/client": one.kib_a_client,
        "all ready s": one.ready_s,
        "drain cpu %": 100 * one.counts["busy"],
        **percentiles(one.latencies_ns(), "ms"),
        "max ms": max(one.latencies_ns()) / 1e6,
    }
    return Row(name, figures, one.host, {} if one is floor else GOALS)


def wrongs(form: str, one: Figures) -> str:
    """Say what went wrong for the clients that were read."""
    counts = one.counts
    return f"{form}: {counts['gaps']} gaps, {counts['lags']} lags, {counts['snapshots']} snapshots in the interval"


def page() -> tuple[list[str], Requests]:
    """Give the books that the page shows at first, and what it subscribes to with all panels open."""
    instruments = load_instruments().by_name
    first = next(iter(instruments))
    shown = [f"{venue}/{first}" for venue in instruments[first].symbols]
    fast = [f"cbook:{first}", f"trades:*:{first}", *(f"book:{venue}:{first}" for venue in instruments[first].symbols)]
    slow = ["status", "metrics", *(f"bbo:*:{name}" for name in instruments)]
    subscriptions = ((1, fast, 100), (2, slow, 250))
    return [*shown, first], [
        {"op": "subscribe", "id": number, "ch": channels, "depth": DEPTH, "rate_ms": rate}
        for number, channels, rate in subscriptions
    ]


def egress(plan: Plan) -> Table:
    """Measure what one client on the default page is sent, against the page's books sent whole."""
    table = Table(
        "egress",
        "gateway: bytes to one client on the default page",
        "all that is sent: five books, 18 best prices, trades, states, latencies; heads of frames included",
        "20 publications a second and instrument, each with 4 changed levels a book",
        "the page has been open for 6 s",
        "10 s later",
        notes=[
            "whole books: the same five as JSON each 200 ms and nothing else; their size is that of the REST answers"
        ],
    )
    books, requests = page()
    with gateway(list(load_instruments().by_name)) as process:
        whole = {depth: sum(book_bytes(process.address, book, depth) for book in books) for depth in (DEPTH, 200)}
        found = {
            form: measure(process.pid, process.port, 1, deflate, requests, plan.seconds(PAGE_SECONDS))
            for form, deflate in (("plain", False), ("compressed", True))
        }
    full = whole[200] / FULL_EACH_S
    for form, one in found.items():
        share = one.per_second("bytes") / full
        figures = {"kB/s": one.per_second("bytes") / 1e3, "of whole books": share}
        table.rows.append(Row(form, figures, one.host, {"of whole books": Goal(1, 0.1)}))
    for depth, size in whole.items():
        rate = size / FULL_EACH_S
        table.rows.append(
            Row(f"whole books, {depth} levels a side", {"kB/s": rate / 1e3, "of whole books": rate / full})
        )
    return table


def book_bytes(address: str, book: str, depth: int) -> int:
    """Give the size of a whole book as JSON."""
    return len(fetched(address, f"api/v1/books/{book}?depth={depth}")[1])


def run(plan: Plan) -> list[Table]:
    """Measure both."""
    return [fan_out(plan), egress(plan)]
