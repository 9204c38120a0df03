"""The simulated venues behind virtual sockets and requests, in the place of WebSockets and HTTP."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import Close as CloseFrame
from websockets.http11 import Response

from simulator.exchange import Exchange
from simulator.topic import Client, Close, Raw
from simulator.world import World
from tests.virtual.timeline import MILLISECOND, SECOND, Loop, Process, Timeline

TURN_NS = 40 * MILLISECOND
TOO_BIG, PROTOCOL_ERROR, NO_CODE = 1009, 1002, 1006


class Venues:
    """The world of venues, moved by the timeline, and the sockets to it."""

    def __init__(self, timeline: Timeline, world: World, random: Random) -> None:
        self.timeline, self.world, self.random = timeline, world, random
        self.sockets: dict[tuple[str, int], Socket] = {}
        self.moved: Callable[[], None] = lambda: None
        self._numbers = 0
        self._extra_s = 0.0
        Socket.venues = self
        self._turn()

    def delay(self) -> int:
        """How long something is on its way to a venue or back."""
        return int(self.random.uniform(2, 30) * MILLISECOND)

    def _turn(self) -> None:
        self.world.advance(self.timeline.wall)
        self.deliver()
        self.moved()
        self.timeline.after(TURN_NS, self._turn)

    def deliver(self) -> None:
        """Empty the venues' outboxes into the sockets."""
        for name, exchange in self.world.exchanges.items():
            outbox, exchange.outbox = exchange.outbox, []
            for client, effect in outbox:
                socket = self.sockets.get((name, client.number))
                if socket is not None and isinstance(effect, bytes | Close | Raw):
                    socket.carry(effect)

    def enter(self, socket: Socket, path: str) -> Client:
        """Let a socket in."""
        self._numbers += 1
        client = socket.exchange.connect(self._numbers, path, self.timeline.wall)
        self.sockets[client.venue, client.number] = socket
        self.deliver()
        return client

    def executed(self, loop: Loop, work: Callable[[], Any]) -> asyncio.Future[Any]:
        """Do what a thread would have done, when the request has arrived; its answer takes as long again."""
        done: asyncio.Future[Any] = loop.create_future()

        def arrive() -> None:
            self._extra_s = 0.0
            try:
                result, failure = work(), None
            except Exception as error:  # noqa: BLE001  # goes on to whoever waits
                result, failure = None, error
            self.deliver()
            self.timeline.after(self.delay() + int(self._extra_s * SECOND), lambda: answer(result, failure))

        def answer(result: Any, failure: Exception | None) -> None:
            if not done.done():
                done.set_result(result) if failure is None else done.set_exception(failure)

        self.timeline.after(self.delay(), arrive)
        return done

    def get(self, url: str) -> tuple[int, bytes, float | None]:
        """Answer an HTTP request."""
        parts = urlsplit(url)
        name = parts.path.split("/")[1]
        query = dict(parse_qsl(parts.query))
        reply = self.world.exchanges[name].respond(parts.path.removeprefix(f"/{name}"), query, self.timeline.wall)
        if reply is None:
            return 404, b"", None
        self._extra_s = reply.delay_s
        after = dict(reply.headers).get("Retry-After")
        return reply.status, reply.body, float(after) if after else None


class Socket:
    """What `websockets.connect` gives, as far as a feed uses it."""

    venues: ClassVar[Venues]

    def __init__(self, url: str, *, max_size: int, **_: object) -> None:
        self.process = Process.current
        self._path, self._max_size = urlsplit(url).path, max_size
        self.exchange = _find(self.venues.world, self._path)
        self._client: Client | None = None
        self._inbox: deque[bytes | ConnectionClosedError] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._at = self._sent_at = 0

    async def __aenter__(self) -> Socket:
        venues = self.venues
        await asyncio.sleep(3 * venues.delay() / SECOND)
        if not self.exchange.outages.handshake(venues.timeline.wall):
            raise InvalidStatus(Response(503, "Service Unavailable", _NO_HEADERS))
        self._client = venues.enter(self, self._path)
        self.process.ends.append(self._leave)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._client is not None:
            self.venues.sockets.pop((self._client.venue, self._client.number), None)
            self.exchange.disconnect(self._client)
            self._client = None

    async def send(self, text: str) -> None:
        """Send a frame."""
        client, venues = self._client, self.venues
        if self._inbox and not isinstance(self._inbox[-1], bytes):
            raise self._inbox[-1]
        self._sent_at = max(venues.timeline.now + venues.delay(), self._sent_at + 1)
        venues.timeline.after(self._sent_at - venues.timeline.now, lambda: self._arrive(client, text))

    def _arrive(self, client: Client | None, text: str) -> None:
        if client is not None and client is self._client:
            self.exchange.receive(client, text, self.venues.timeline.wall)
            self.venues.deliver()

    def carry(self, effect: bytes | Close | Raw) -> None:
        """Put a frame from the venue on its way, in order."""
        timeline = self.venues.timeline
        self._at = max(timeline.now + self.venues.delay(), self._at + 1)
        timeline.after(self._at - timeline.now, lambda: self._take(effect))

    def _take(self, effect: bytes | Close | Raw) -> None:
        if isinstance(effect, Close):
            rcvd = CloseFrame(effect.code, effect.reason) if effect.code is not None else None
            self._inbox.append(ConnectionClosedError(rcvd, rcvd, None if rcvd is None else True))
        elif isinstance(effect, Raw) and effect.reserved:
            self._inbox.append(ConnectionClosedError(None, CloseFrame(PROTOCOL_ERROR, "reserved bits"), None))
        else:
            data = effect.payload if isinstance(effect, Raw) else effect
            if len(data) > self._max_size:
                self._inbox.append(ConnectionClosedError(None, CloseFrame(TOO_BIG, "too big"), None))
            else:
                self._inbox.append(data)
        if self._waiter is not None and not self._waiter.done() and self.process.alive:
            self._waiter.set_result(None)

    async def recv(self, *, decode: bool) -> bytes:
        """Give the next frame.

        Raises:
            ConnectionClosedError: the connection is over.
        """
        while not self._inbox:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        first = self._inbox[0]
        if isinstance(first, ConnectionClosedError):
            raise first
        self._inbox.popleft()
        return first


def _find(world: World, path: str) -> Exchange:
    for exchange in world.exchanges.values():
        if any(path.rstrip("/") == prefix or path.startswith(prefix + "/") for prefix in exchange.dialect.paths):
            return exchange
    raise OSError(f"nobody listens on {path}")


_NO_HEADERS: Any = {}
