"""Between processes and the model server: links with delay, cuts and lost replies, in the place of `RedisLink`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar

import hiredis
from redis._parsers.base import BaseParser
from redis.exceptions import ResponseError

from tests.virtual.server import OOM, Refusal, Server
from tests.virtual.timeline import MILLISECOND, SECOND, START_NS, Process, Timeline
from thalweg.errors import RedisTrouble
from thalweg.transport import CONNECT_TIMEOUT_S, TIMEOUT_S, RedisLink

GROWING = (b"XADD", b"SET")  # refused at once when memory is full


class Network:
    """All links, the server, and what is wrong with it at the moment."""

    def __init__(self, timeline: Timeline, random: Random) -> None:
        self.timeline, self.random = timeline, random
        self.clock_ms = 0
        self.server = Server(lambda: (START_NS + timeline.now) // MILLISECOND + self.clock_ms)
        self.server.published = self._publish
        self.up, self.hung_until = True, 0
        self.losing = 0.0  # the share of requests that are cut off with their reply
        self.links: list[Link] = []
        self._copy: tuple[dict[bytes, Any], dict[bytes, int]] = ({}, {})

    def delay(self) -> int:
        """How long something is on its way."""
        return int(self.random.uniform(0.1, 1.5) * MILLISECOND)

    def send(self, link: Link, commands: Sequence[bytes], reply: asyncio.Future[Any]) -> None:
        """Put a request on its way."""
        if not link.process.cut:
            sent = link.generation
            self.timeline.after(self.delay(), lambda: self._arrive(link, sent, commands, reply))

    def _arrive(self, link: Link, sent: int, commands: Sequence[bytes], reply: asyncio.Future[Any]) -> None:
        """Run a request, also of a sender that has given up or is gone: the bytes were on their way."""
        if self.timeline.now < self.hung_until:
            self.timeline.after(self.hung_until - self.timeline.now, lambda: self._arrive(link, sent, commands, reply))
            return
        if not self.up:
            return
        lost = self.random.random() < self.losing
        if lost:
            commands = commands[: self.random.randint(0, len(commands))]
        replies = self._run(link, commands)
        if lost:
            self.timeline.after(self.delay(), lambda: link.reset() if link.generation == sent else None)
        elif not link.process.cut:
            self.timeline.after(self.delay(), lambda: link.answer(sent, reply, replies))

    def _run(self, link: Link, commands: Sequence[bytes]) -> list[Any]:
        reader = hiredis.Reader()
        reader.feed(b"".join(commands))
        replies: list[Any] = []
        queue: list[Sequence[bytes]] | None = None
        while (words := reader.gets()) is not False:
            name = words[0].upper()
            if name == b"SUBSCRIBE":
                link.channels.update(words[1:])
                replies += [[b"subscribe", channel, k] for k, channel in enumerate(words[1:], 1)]
            elif name == b"MULTI":
                queue = []
                replies.append(b"OK")
            elif name == b"EXEC":
                refused = any(isinstance(reply, ResponseError) for reply in replies)
                replies.append(_error("EXECABORT discarded") if refused else [self._call(one) for one in queue or ()])
                queue = None
            elif queue is not None:
                queue.append(words)
                replies.append(_error(OOM) if self.server.full and name in GROWING else b"QUEUED")
            else:
                replies.append(self._call(words))
        return replies

    def _call(self, words: Sequence[bytes]) -> Any:
        try:
            return self.server.call(words)
        except Refusal as refusal:
            return _error(str(refusal))

    def _publish(self, channel: bytes, payload: bytes) -> None:
        for link in self.links:
            if channel in link.channels:
                link.push([b"message", channel, payload])

    def down(self) -> None:
        """Kill the server; all connections are reset."""
        self.up = False
        for link in self.links:
            link.reset()

    def remember(self) -> None:
        """Take a copy of all data, as a replica or a disk has it."""
        self._copy = self.server.copy()

    def start(self, *, forget: bool) -> None:
        """Start the server again, with its data or with what was remembered; one that is up is killed first."""
        if self.up:
            self.down()
        if forget:
            self.server.become(self._copy)
            self.remember()
        self.up = True


def _error(text: str) -> Exception:
    """An error reply as redis-py gives it."""
    error: Exception = BaseParser.parse_error(text)  # type: ignore[no-untyped-call]
    return error


class Link(RedisLink):
    """What `RedisLink` is, on the model; it never reconnects by itself."""

    network: ClassVar[Network]

    def __init__(self, url: str, name: str) -> None:
        self.process, self.name = Process.current, name
        self.connected = False
        self.generation = 0
        self.channels: set[bytes] = set()
        self._pushes: deque[Any] = deque()
        self._push_at = 0
        self._waiter: asyncio.Future[None] | None = None
        self._answer: asyncio.Future[Any] | None = None
        self._lock = asyncio.Lock()
        self._unread = False
        self.process.ends.append(self.reset)
        self.network.links.append(self)

    def reset(self) -> None:
        """Lose the connection."""
        self.connected = self._unread = False
        self.generation += 1
        self.channels.clear()
        if self._answer is not None and not self._answer.done() and self.process.alive:
            self._answer.set_exception(ConnectionError("connection lost"))
        if self._waiter is not None and not self._waiter.done() and self.process.alive:
            self._waiter.set_result(None)

    async def connect(self) -> None:
        """Connect afresh.

        Raises:
            RedisTrouble: the server can't be reached.
        """
        await self.close()
        network = self.network
        if self.process.cut or network.timeline.now < network.hung_until:
            await asyncio.sleep(CONNECT_TIMEOUT_S + TIMEOUT_S)
            raise RedisTrouble("can't connect to Redis: no answer in time")
        await asyncio.sleep(network.delay() / SECOND)
        if not network.up:
            raise RedisTrouble("can't connect to Redis: refused")
        self.connected = True

    async def close(self) -> None:
        """Close the connection."""
        self.reset()

    async def run(self, commands: Sequence[bytes], timeout_s: float = TIMEOUT_S) -> list[Any]:
        """Send packed commands and give their replies.

        Raises:
            RedisTrouble: the connection failed, or the time ran out.
        """
        async with self._lock:
            if not self.connected:
                raise RedisTrouble("Redis: not connected")
            assert not self._unread, f"{self.process.name} {self.name} reads the reply of a request that was cancelled"
            self._unread = True
            try:
                async with asyncio.timeout(timeout_s):
                    self._answer = asyncio.get_running_loop().create_future()
                    self.network.send(self, commands, self._answer)
                    replies: list[Any] = await self._answer
            except (OSError, TimeoutError) as error:
                await self.close()
                raise RedisTrouble(f"Redis: {str(error) or 'no answer in time'}") from error
            self._unread = False
            return replies

    def answer(self, sent: int, reply: asyncio.Future[Any], replies: list[Any]) -> None:
        """Take the replies of a request."""
        if self.generation == sent and self.process.alive and not reply.done():
            reply.set_result(replies)

    def push(self, message: list[bytes]) -> None:
        """Put a published message on its way, in order."""
        timeline, sent = self.network.timeline, self.generation
        self._push_at = max(timeline.now + self.network.delay(), self._push_at + 1)
        if not self.process.cut:
            timeline.after(self._push_at - timeline.now, lambda: self._pushed(sent, message))

    def _pushed(self, sent: int, message: list[bytes]) -> None:
        if self.generation == sent and self.process.alive:
            self._pushes.append(message)
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)

    async def next_push(self, timeout_s: float) -> Any:
        """Wait for the next pushed message; `None` when the time runs out.

        Raises:
            RedisTrouble: the connection failed.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while self.connected and not self._pushes:
                    self._waiter = asyncio.get_running_loop().create_future()
                    await self._waiter
        except TimeoutError:
            return None
        if not self.connected:
            self._pushes.clear()
            raise RedisTrouble("Redis: connection lost")
        return self._pushes.popleft()
