"""All services as processes of their own behind a venue that floods them, and what each of them spent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import redis
from websockets.sync.client import connect

from tests.bench.host import cpu_s
from tests.bench.plan import ROOT
from tests.chaos.processes import Process, service_environ
from thalweg import keys
from thalweg.cli.children import Guardian
from thalweg.cli.embedded import free_port, start_server, stop_server
from thalweg.cli.server import FUNCTIONS
from thalweg.instruments import load_instruments
from thalweg.publication import Publication, decode_publication

VENUE = "bybit"
PRECEDENCE = -10
LIVE_S = 30.0  # for all books to be live
BATCH = 2000  # publications read at once


class Rig:
    """A server, the flood and the four services; `with` stops all."""

    def __init__(self, folder: Path, *, unix: bool, root: Path = ROOT) -> None:
        """Prepare; `unix` connects the services by a Unix socket, `root` is the folder whose packages run."""
        listed = load_instruments(None).only(None, [VENUE]).by_name
        self.symbols = {name: one.symbols[VENUE] for name, one in listed.items()}
        self.names = list(self.symbols)
        self._folder, self._keeper = folder, Guardian()
        self._port, self._socket = free_port(), folder / "server.sock"
        self.gateway_port = free_port()
        self.client: Any = redis.Redis(port=self._port)
        self._url = f"unix://{self._socket}" if unix else f"redis://127.0.0.1:{self._port}/0"
        self.processes: dict[str, Process] = {}
        self._root = root
        self.server: subprocess.Popen[bytes] | None = None
        self.flood: subprocess.Popen[str] | None = None

    def __enter__(self) -> Rig:
        """Start everything and wait until all books are live.

        Raises:
            TimeoutError: they are not.
        """
        self._keeper.__enter__()
        self.server = start_server(self._port, self._folder / "server", self._socket)
        self._keeper.started(self.server.pid)
        self.client.function_load(FUNCTIONS.read_text(), replace=True)
        self.flood = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.flood", *self.symbols.values()],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._keeper.started(self.flood.pid)
        self._start_services(int(self._said()))
        self._wait_live()
        self._prefer()
        return self

    def _prefer(self) -> None:
        """Let what is measured go before all else on the machine, where that may be asked for."""
        assert self.flood is not None
        with suppress(PermissionError):
            for pid in (*self.pids.values(), self.flood.pid):
                os.setpriority(os.PRIO_PROCESS, pid, PRECEDENCE)

    def _said(self) -> str:
        assert self.flood is not None
        assert self.flood.stdout is not None
        return self.flood.stdout.readline()

    def _start_services(self, port: int) -> None:
        ours = {"THALWEG_VENUES": VENUE, "THALWEG_PORT": str(self.gateway_port)}
        ours |= {f"THALWEG_{VENUE.upper()}_WS": f"ws://127.0.0.1:{port}/{VENUE}"}
        ours |= {f"THALWEG_{VENUE.upper()}_REST": f"http://127.0.0.1:{port}/{VENUE}"}
        for name, arguments in (("ingest", [VENUE]), ("aggregator", []), ("gateway", [])):
            report = {"THALWEG_REPORT": str(self._folder / f"{name}.json")}
            environ = service_environ(self._url, ours | report, self._root)
            self.processes[name] = Process(name, ["-m", name, *arguments], environ, self._folder, self._keeper)
            self.processes[name].start()

    def _wait_live(self) -> None:
        deadline = time.monotonic() + LIVE_S
        while time.monotonic() < deadline:
            states = [self.client.hget(keys.status(name, VENUE), "state") for name in self.names]
            if set(states) == {b"live"} and self._answers():
                time.sleep(1.5)  # the aggregator has restored all, the gateway has joined all
                return
            time.sleep(0.1)
        raise TimeoutError("\n".join(one.tail() for one in self.processes.values()))

    def _answers(self) -> bool:
        if not all(self.client.exists(keys.out(name)) for name in self.names):
            return False
        try:
            with connect(self.gateway_url, proxy=None):
                return True
        except OSError:
            return False

    @property
    def gateway_url(self) -> str:
        """Where a WebSocket client connects."""
        return f"ws://127.0.0.1:{self.gateway_port}/ws/v1"

    @property
    def pids(self) -> dict[str, int]:
        """The four services by name."""
        assert self.server is not None
        found = {name: one.pid or 0 for name, one in self.processes.items()}
        return {"ingest": found["ingest"], "redis": self.server.pid} | found

    def cpu(self) -> dict[str, float]:
        """Give what each of the four services has used."""
        return {name: cpu_s(pid) for name, pid in self.pids.items()}

    def tops(self) -> dict[str, bytes]:
        """Give the newest publication's ID of each instrument."""
        return {name: self.client.xrevrange(keys.out(name), count=1)[0][0] for name in self.names}

    def arrive(self, lasts: dict[str, int], seconds: float) -> None:
        """Wait until what was sent last, by symbol, is published, but no longer than so many seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            newest = {name: self.client.xrevrange(keys.out(name), count=1)[0][1] for name in self.names}
            stands = {name: decode_publication(fields[b"r"]).venues[0].last for name, fields in newest.items()}
            if all(stands[name] == lasts[self.symbols[name]] for name in self.names):
                return
            time.sleep(0.2)

    def publications(self, after: dict[str, bytes]) -> dict[str, list[Publication]]:
        """Read all publications after these IDs."""
        return {name: self._published(name, start) for name, start in after.items()}

    def _published(self, name: str, start: bytes) -> list[Publication]:
        found: list[Publication] = []
        while rows := self.client.xrange(keys.out(name), b"(" + start, count=BATCH):
            found += [decode_publication(fields[b"r"]) for _, fields in rows]
            start = rows[-1][0]
        return found

    def drive(self, rate: float, burst: int, seconds: float) -> dict[str, Any]:
        """Let the flood send at a rate for so long; give what it says, with `due` by symbol."""
        assert self.flood is not None
        assert self.flood.stdin is not None
        file = self._folder / "due.npz"
        asked = {"rate": rate, "burst": burst, "seconds": seconds, "due": str(file)}
        self.flood.stdin.write(json.dumps(asked) + "\n")
        self.flood.stdin.flush()
        said: dict[str, Any] = json.loads(self._said())
        return said | {"due": dict(np.load(file))}

    def follow(self, channels: Sequence[str], seconds: float) -> subprocess.Popen[str]:
        """Start a WebSocket client that writes `client.npz`, and wait until it has connected."""
        file = str(self._folder / "client.npz")
        client = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.client", self.gateway_url, str(seconds), file, *channels],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, client.pid, PRECEDENCE)
        assert client.stdout is not None
        client.stdout.readline()
        return client

    def seen(self) -> dict[str, Any]:
        """Give what the client wrote."""
        return dict(np.load(self._folder / "client.npz"))

    def stop(self) -> dict[str, Any]:
        """Stop the services in order and give their reports."""
        reports = {}
        for name, one in self.processes.items():
            one.terminate()
            one.reap()
            reports[name] = json.loads((self._folder / f"{name}.json").read_text())
        return reports

    def __exit__(self, *error: object) -> None:
        """Stop everything."""
        for one in self.processes.values():
            one.kill()
        if self.flood is not None:
            self.flood.kill()
            self.flood.wait()
        self.client.close()
        if self.server is not None:
            stop_server(self.server)
        self._keeper.__exit__(None, None, None)
