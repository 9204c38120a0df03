"""The whole system under test: a server, fake venues, workers by twos, a gateway, and a proxy on every hop between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import RedisError
from websockets.asyncio.client import connect

from tests.chaos.granted import denials
from tests.chaos.processes import Process, service_environ
from tests.chaos.proxy import Proxy
from tests.chaos.servers import Server
from thalweg.access import acl_file
from thalweg.cli.children import Guardian
from thalweg.cli.embedded import free_port
from thalweg.cli.simulated import until_answering
from thalweg.instruments import Instruments, load_instruments

TEND_S, KEEP_S = 0.1, 0.25
SECRET = "of-a-server-on-loopback"
USERS = ("ingest", "aggregator", "gateway", "loader", "reader", "operator")
RESTART_S = 0.5  # as the supervisor's first backoff
USUAL = ("binance", "bybit", "kraken", "coinbase")


@dataclass(frozen=True, slots=True)
class Shape:
    """What to run; `root` is the folder whose packages run, for patched copies."""

    engine: str = "valkey"
    venues: tuple[str, ...] = USUAL
    names: tuple[str, ...] = ("BTC-USDT", "ETH-USDT", "DOGE-USDT")
    workers: int = 2
    aggregators: int = 2
    rate: float = 200.0
    seed: int = 1
    replica: bool = True
    root: Path | None = None

    @property
    def instruments(self) -> Instruments:
        """The instruments and venues of this run."""
        return load_instruments(None).only(list(self.names), list(self.venues))

    @property
    def books(self) -> list[tuple[str, str]]:
        """(venue, instrument) of every book."""
        found = self.instruments.by_name.items()
        return [(venue, name) for name, one in found for venue in one.symbols if venue in self.venues]


class System:
    """Everything that runs; `start` before use, `stop` at the end."""

    def __init__(self, shape: Shape, folder: Path, keeper: Guardian) -> None:
        self.shape = shape
        self.folder = folder
        users = acl_file(shape.venues, dict.fromkeys(USERS, SECRET))
        self.server = Server(shape.engine, folder / "server-a", keeper, users)
        self.spare = Server(shape.engine, folder / "server-b", keeper, users)
        self.proxies: dict[str, Proxy] = {}
        self.processes: dict[str, Process] = {}
        self.ended: list[str] = []  # processes that ended though nobody had asked
        self.denied: list[str] = []  # what the server refused for want of rights
        self.forbidding = False  # a fault takes rights away just now
        self.resting: set[str] = set()  # processes that nobody shall start for now
        self._keeper = keeper
        self._simulator_port, self._gateway_port = free_port(), free_port()
        self._tending: list[asyncio.Task[None]] = []

    @property
    def ingest(self) -> list[Process]:
        """All ingest workers."""
        return [one for name, one in self.processes.items() if name.startswith("ingest:")]

    @property
    def aggregators(self) -> list[Process]:
        """All aggregators."""
        return [one for name, one in self.processes.items() if name.startswith("aggregator:")]

    @property
    def gateway(self) -> Process:
        """The gateway."""
        return self.processes["gateway"]

    @property
    def redis_proxies(self) -> list[Proxy]:
        """The proxies in front of the server."""
        return [one for name, one in self.proxies.items() if name.startswith("redis:")]

    @property
    def client_url(self) -> str:
        """Where a client reaches the gateway, through a proxy."""
        return f"ws://127.0.0.1:{self.proxies['client'].port}/ws/v1"

    def redis_url(self, user: str, port: int | None = None) -> str:
        """Where a user reaches the server: directly, or by the port of a proxy."""
        return f"redis://{user}:{SECRET}@127.0.0.1:{port or self.server.port}/0"

    def simulator_url(self, path: str) -> str:
        """Where the driver reaches the simulator, directly."""
        return f"ws://127.0.0.1:{self._simulator_port}/{path}"

    async def start(self) -> None:
        """Start everything, the server first; services come up side by side. What an earlier run has left goes."""
        self.server.forget()
        self.spare.forget()
        await asyncio.to_thread(self.server.start)
        self.server.load_functions()
        if self.shape.replica:
            await asyncio.to_thread(self.spare.start, replica_of=self.server.port)
        await self._listen()
        self._prepare()
        self.processes["simulator"].start()
        await until_answering(self.simulator_url("control"))
        for one in self.processes.values():
            one.start()
        self._tending = [asyncio.create_task(self._tend()), asyncio.create_task(self._keep_functions())]

    async def _listen(self) -> None:
        venues = [f"venue:{venue}" for venue in self.shape.venues]
        for name in venues:
            self.proxies[name] = Proxy(name, ("127.0.0.1", self._simulator_port), self.shape.seed)
        for name in self._service_names():
            if name != "simulator":
                self.proxies[f"redis:{name}"] = Proxy(f"redis:{name}", ("127.0.0.1", self.server.port))
        self.proxies["client"] = Proxy("client", ("127.0.0.1", self._gateway_port))
        for proxy in self.proxies.values():
            await proxy.start()

    def _service_names(self) -> Iterator[str]:
        yield "simulator"
        for venue in self.shape.venues:
            yield from (f"ingest:{venue}:{number}" for number in range(1, self.shape.workers + 1))
        yield from (f"aggregator:{number}" for number in range(1, self.shape.aggregators + 1))
        yield "gateway"

    def _prepare(self) -> None:
        shape = self.shape
        settings = {"THALWEG_VENUES": ",".join(shape.venues), "THALWEG_ONLY": ",".join(shape.names)}
        settings |= {"THALWEG_SNAPSHOT_S": "10", "THALWEG_PORT": str(self._gateway_port)}
        for venue in shape.venues:
            port = self.proxies[f"venue:{venue}"].port
            settings[f"THALWEG_{venue.upper()}_WS"] = f"ws://127.0.0.1:{port}/{venue}"
            settings[f"THALWEG_{venue.upper()}_REST"] = f"http://127.0.0.1:{port}/{venue}"
        for name in self._service_names():
            proxy = self.proxies.get(f"redis:{name}")
            url = self.redis_url(name.partition(":")[0], proxy.port if proxy else self.server.port)
            arguments = self._arguments(name)
            environ = service_environ(url, settings, shape.root)
            self.processes[name] = Process(name, arguments, environ, self.folder, self._keeper)

    def _arguments(self, name: str) -> list[str]:
        kind, *rest = name.split(":")
        if kind == "simulator":
            port, rate, seed = str(self._simulator_port), f"{self.shape.rate:g}", str(self.shape.seed)
            return ["-m", "simulator", "--port", port, "--rate", rate, "--seed", seed]
        return ["-m", kind, rest[0]] if kind == "ingest" else ["-m", kind]

    async def _tend(self) -> None:
        """Start again what ended by itself, as any supervisor does, and note it."""
        while True:
            await asyncio.sleep(TEND_S)
            for one in self.processes.values():
                if one.wanted and one.pid is None and one.name not in self.resting:
                    self.ended.append(f"{one.name} ended with {one.code}: {one.tail(3)}")
                    self.resting.add(one.name)
                    asyncio.get_running_loop().call_later(RESTART_S, self._again, one)

    async def _keep_functions(self) -> None:
        """Load the server functions again where the server has lost them, as `thalweg up` does."""
        while True:
            await asyncio.sleep(KEEP_S)
            with suppress(RedisError):
                await asyncio.to_thread(self.server.restore_functions)
                if not self.forbidding:
                    self.denied += await asyncio.to_thread(denials, self.server.admin)

    def _again(self, one: Process) -> None:
        self.resting.discard(one.name)
        if one.wanted:
            one.start()

    async def control(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask the simulator."""
        async with asyncio.timeout(10), connect(self.simulator_url("control"), proxy=None, max_size=None) as socket:
            await socket.send(json.dumps(request))
            answer: dict[str, Any] = json.loads(await socket.recv())
            return answer

    def lead_to(self, server: Server) -> None:
        """Lead every hop to another server, as a failover does."""
        for proxy in self.redis_proxies:
            proxy.retarget(("127.0.0.1", server.port))

    async def stop(self) -> list[str]:
        """Stop everything in order; give the names of services that did not stop in time or not with code 0."""
        for task in self._tending:
            task.cancel()
        bad = []
        order = [self.ingest, self.aggregators, [self.gateway], [self.processes["simulator"]]]
        for stage in order if self.processes else []:
            for one in stage:
                one.go_on()
                one.terminate()
            for one in stage:
                code = await asyncio.to_thread(one.reap)
                if code:
                    bad.append(f"{one.name} stopped with {code}")
        for proxy in self.proxies.values():
            await proxy.close()
        for server in (self.server, self.spare):
            server.go_on()
            server.kill()
        return bad
