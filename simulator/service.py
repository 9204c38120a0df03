"""The simulator as a server: WebSockets, HTTP and the clock on one port. All decisions are the world's."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

from simulator.exchange import Exchange
from simulator.faults import Script, load_script
from simulator.topic import Client, Close, Effect, Ping, Raw
from simulator.venues import DIALECTS
from simulator.world import DEFAULT_RATE, DEFAULT_SEED, World
from thalweg.errors import SettingsError
from thalweg.instruments import Instruments

log = logging.getLogger("simulator")

TURN_S = 0.005  # between two looks at the markets
ORACLE_S = 0.025  # between two pushes of the oracle
QUEUE_BYTES = 16 * 1024 * 1024  # unsent bytes at which a slow client is cut, as the venues do
ORACLE_QUEUE_BYTES = 64 * 1024 * 1024
OPEN_S = 8.0  # for a handshake or an answer by HTTP, slow ones too; stopping waits for those under way
CLOSE_S = 1.0  # for the peer to answer a close frame
MAX_REQUEST = 64 * 1024
RESERVED = 0x40  # the bit of a frame's first byte that says compressed


@dataclass(frozen=True, slots=True)
class Address:
    """Where the simulator listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen about a simulation; `faults` is a script's file or `default`."""

    rate: float = DEFAULT_RATE
    seed: int = DEFAULT_SEED
    faults: str | None = None
    venues: tuple[str, ...] = ()
    seconds: float | None = None
    rest_latency_s: float = 0.0


async def simulate(
    instruments: Instruments, options: Options, address: Address, started: Callable[[Address], None] | None = None
) -> None:
    """Serve these instruments' venues until the time is over or the caller cancels.

    Raises:
        SettingsError: the address can't be listened on, or an option is wrong.
    """
    script = load_script(options.faults, DIALECTS) if options.faults else Script()
    world = World(instruments, options.rate, options.seed, script, time.time_ns(), options.venues)
    try:
        await Simulator(world, options.rest_latency_s).run(address, options.seconds, started)
    except OSError as error:
        raise SettingsError(f"can't listen on {address.host}:{address.port}: {error.strerror or error}") from error


class Simulator:
    """Serves one world; `run` is its life."""

    def __init__(self, world: World, rest_latency_s: float = 0.0) -> None:
        """Take the world to serve; `rest_latency_s` delays every HTTP answer."""
        self._world = world
        self._rest_latency_s = rest_latency_s
        self._sockets: dict[int, ServerConnection] = {}
        self._oracles: set[ServerConnection] = set()
        self._numbers = 0
        self.stopped = asyncio.Event()

    async def run(
        self, address: Address, seconds: float | None = None, started: Callable[[Address], None] | None = None
    ) -> None:
        """Listen and serve until stopped, cancelled or the seconds are over.

        Raises:
            OSError: the address is taken or not ours.
        """
        async with serve(
            self._serve, address.host, address.port, process_request=self._respond, logger=_quiet_logger(),
            compression=None, ping_interval=None, max_size=MAX_REQUEST, write_limit=QUEUE_BYTES,
            open_timeout=OPEN_S, close_timeout=CLOSE_S,
        ) as server:  # fmt: skip
            if started is not None:
                started(_address(server))
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._turn()), group.create_task(self._push_truth())]
                try:
                    await asyncio.wait_for(self.stopped.wait(), seconds)
                except TimeoutError:
                    self.stopped.set()
                for task in tasks:
                    task.cancel()

    async def _turn(self) -> None:
        """Advance the world at its pace."""
        while True:
            self._world.advance(time.time_ns())
            self._deliver()
            await asyncio.sleep(TURN_S)

    async def _push_truth(self) -> None:
        """Push what the oracle knows, in batches."""
        while True:
            await asyncio.sleep(ORACLE_S)
            text = self._world.oracle.drain()
            if text is not None and self._oracles:
                broadcast(self._oracles, text)
                for socket in [s for s in self._oracles if s.transport.get_write_buffer_size() > ORACLE_QUEUE_BYTES]:
                    log.warning("cut an oracle client that does not read")
                    socket.transport.abort()

    async def _serve(self, socket: ServerConnection) -> None:
        """Serve one connection by its path."""
        path = _path(socket)
        if path == "/oracle":
            await self._serve_oracle(socket)
        elif path == "/control":
            await self._serve_control(socket)
        else:
            exchange = self._find(path)
            if exchange is not None:
                await self._serve_client(socket, exchange)

    def _find(self, path: str) -> Exchange | None:
        """Find the venue that a WebSocket path belongs to."""
        for exchange in self._world.exchanges.values():
            for prefix in exchange.dialect.paths:
                if path.rstrip("/") == prefix or path.startswith(prefix + "/"):
                    return exchange
        return None

    async def _serve_client(self, socket: ServerConnection, exchange: Exchange) -> None:
        """Read one consumer of a venue until it goes."""
        self._numbers += 1
        self._sockets[self._numbers] = socket
        request = socket.request
        client = exchange.connect(self._numbers, request.path if request else "", time.time_ns())
        self._deliver()
        try:
            async for message in socket:
                text = message if isinstance(message, str) else message.decode("utf-8", "replace")
                exchange.receive(client, text, time.time_ns())
                self._deliver()
        except ConnectionClosed:
            pass
        finally:
            exchange.disconnect(client)
            del self._sockets[client.number]

    async def _serve_oracle(self, socket: ServerConnection) -> None:
        """Show where every book is, then let the pushes go on."""
        await socket.send(self._world.oracle.current())
        self._oracles.add(socket)
        try:
            await socket.wait_closed()
        finally:
            self._oracles.discard(socket)

    async def _serve_control(self, socket: ServerConnection) -> None:
        """Answer control requests one by one."""
        try:
            async for message in socket:
                await socket.send(json.dumps(self._control(message)))
        except ConnectionClosed:
            pass

    def _control(self, message: str | bytes) -> dict[str, Any]:
        """Do one control request."""
        try:
            request = json.loads(message)
            operation = request.get("op") if isinstance(request, dict) else None
            now = time.time_ns()
            if operation == "pause":
                self._world.pause(now)
            elif operation == "resume":
                self._world.resume(now)
            elif operation == "mute":
                self._world.mute(str(request.get("venue")), request.get("instrument"), now)
            elif operation == "inject":
                self._world.inject(request.get("fault", {}), now)
            elif operation == "stop":
                self.stopped.set()
            elif operation != "report":
                return {"error": "op is one of report, pause, resume, mute, inject, stop"}
        except (ValueError, SettingsError) as error:
            return {"error": str(error)}
        self._deliver()
        return self._world.report()

    def _deliver(self) -> None:
        """Empty every venue's outbox into the sockets."""
        for exchange in self._world.exchanges.values():
            outbox = exchange.outbox
            exchange.outbox = []
            for client, effect in outbox:
                socket = self._sockets.get(client.number)
                if socket is not None:
                    self._do(socket, client, effect)

    def _do(self, socket: ServerConnection, client: Client, effect: Effect) -> None:
        """Send one frame, or ping, or close; a client too far behind is cut."""
        if isinstance(effect, bytes):
            broadcast((socket,), effect, text=not self._world.exchanges[client.venue].dialect.binary)
            if socket.transport.get_write_buffer_size() > QUEUE_BYTES + len(effect):
                log.warning("cut %s client %d: it does not read", client.venue, client.number)
                socket.transport.abort()
        elif isinstance(effect, Ping):
            socket.protocol.send_ping(b"%d" % effect.ts)
            socket.send_data()
        elif isinstance(effect, Raw):
            _send_raw(socket, effect)
        elif isinstance(effect, Close):
            _end(socket, effect)

    async def _respond(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer plain HTTP and unknown paths; let WebSockets of known ones through."""
        parts = urlsplit(request.path)
        if parts.path == "/healthz":  # answered between two turns of the world
            return connection.respond(HTTPStatus.OK, '{"status": "OK", "why": []}\n')
        if request.headers.get("Upgrade", "").lower() == "websocket":
            if parts.path in ("/oracle", "/control"):
                return None
            exchange = self._find(parts.path)
            if exchange is None:
                return connection.respond(HTTPStatus.NOT_FOUND, f"no WebSocket at {parts.path}\n")
            admitted = exchange.outages.handshake(time.time_ns())
            return None if admitted else connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "in maintenance\n")
        exchange = self._world.exchanges.get(parts.path.split("/")[1] if parts.path.count("/") > 1 else "")
        reply = None
        if exchange is not None:
            below = parts.path.removeprefix(f"/{exchange.dialect.venue}")
            reply = exchange.respond(below, dict(parse_qsl(parts.query)), time.time_ns())
        if reply is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "no such path\n")
        await asyncio.sleep(self._rest_latency_s + reply.delay_s)
        headers = Headers([("Content-Type", "application/json"), ("Content-Length", str(len(reply.body)))])
        headers.update([*reply.headers, ("Connection", "close")])
        return Response(reply.status, HTTPStatus(reply.status).phrase, headers, reply.body)


def _send_raw(socket: ServerConnection, frame: Raw) -> None:
    """Send a frame that the library would not make."""
    if socket.protocol.state.name == "OPEN":
        data = bytearray(Frame(Opcode(frame.opcode), frame.payload).serialize(mask=False))
        data[0] |= RESERVED if frame.reserved else 0
        socket.transport.write(bytes(data))


def _end(socket: ServerConnection, wish: Close) -> None:
    """End a connection: with a close frame, or by dropping TCP."""
    if wish.code is None:
        socket.transport.abort()
    elif socket.protocol.state.name == "OPEN":
        socket.protocol.send_close(wish.code, wish.reason)
        socket.send_data()
        asyncio.get_running_loop().call_later(CLOSE_S, socket.transport.abort)


def _path(socket: ServerConnection) -> str:
    """Give a connection's path without its query."""
    return urlsplit(socket.request.path).path if socket.request else ""


def _address(server: Server) -> Address:
    """Give the address a server really listens on (port 0 means any)."""
    host, port = next(iter(server.sockets)).getsockname()[:2]
    return Address(host, port)


def _quiet_logger() -> logging.Logger:
    """Give websockets a logger that says nothing about clients that come and go."""
    quiet = logging.getLogger("simulator.websockets")
    quiet.setLevel(logging.CRITICAL)
    return quiet
