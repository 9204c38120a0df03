"""One connected socket to Redis: what the server says is queued until it is taken.

One protocol object on the socket: of 1,000 batches a second each way through redis-py's streams costs both sides of it
more than half of their time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol, TypeVar

import hiredis
from redis.asyncio.connection import DefaultParser
from redis.exceptions import ConnectionError as LinkError
from redis.exceptions import InvalidResponse

from thalweg.resp import Reply

LinkT = TypeVar("LinkT", bound="Wired")
PUSHES = 256  # that may be queued unread: more are left in the socket, and in the end in the server's bounded buffer
_MISSING = object()  # no whole reply is here


class Wire(asyncio.Protocol):
    """One connected socket: what the server says is queued, and whoever waits for so much of it is woken."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take the socket over; everything said so far has been read."""
        self._replies: deque[Reply] = deque()
        self._paused = False
        self._transport = transport
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=DefaultParser.parse_error, notEnoughData=_MISSING
        )
        self._waiter: asyncio.Future[None] | None = None
        self._wanted = 0
        self._lost: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        transport.set_protocol(self)

    def write(self, commands: bytes) -> None:
        """Send; what the socket does not take at once is kept. On one that is lost `wait` tells of it."""
        if self._lost is None and not self._transport.is_closing():
            self._transport.write(commands)

    def data_received(self, data: bytes) -> None:
        """Queue the replies that are whole."""
        reader, replies = self._reader, self._replies
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _MISSING:
                replies.append(reply)
        except InvalidResponse as error:
            self._lost = error
            self._transport.abort()
        if len(replies) >= self._wanted or self._lost:
            self._wake()
            if len(replies) >= max(self._wanted, PUSHES) and not self._transport.is_closing():
                self._paused = True
                self._transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits that nothing comes any more."""
        self._lost = self._lost or error or LinkError("Connection closed by server.")
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, count: int, timeout_s: float) -> None:
        """Wait until so many replies are queued; one task at a time.

        Raises:
            TimeoutError: they did not come in time.
            OSError: the connection failed.
            RedisError: it was closed, or what came was no reply.
        """
        if len(self._replies) < count and self._lost is None:
            self._resume()
            self._waiter, self._wanted = self._loop.create_future(), count
            self._until(self._loop.time() + timeout_s)
            try:
                await self._waiter
            finally:
                self._waiter = None
        if len(self._replies) < count:
            raise self._lost or TimeoutError

    def _until(self, deadline: float) -> None:
        """Bound the wait that begins; a timer of an earlier wait that rings no later is left to look again then."""
        self._deadline = deadline
        if self._timer is not None and self._timer.when() > deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._expire)
        else:
            self._wake()

    def take(self) -> Reply:
        """Take one reply; an error reply is a value, since later replies follow it.

        Raises:
            RedisError: the server refuses to go on.
        """
        reply = self._replies.popleft()
        if isinstance(reply, LinkError):
            raise reply
        return reply

    @property
    def lost(self) -> bool:
        """Whether nothing comes any more."""
        return self._lost is not None

    @property
    def ready(self) -> int:
        """How much a task that waits for the next would find at once; the news that nothing comes counts, too."""
        return len(self._replies) + self.lost

    def watch(self, waiter: asyncio.Future[None] | None) -> None:
        """Wake one who waits for several at the next that comes; `None` ends it."""
        self._waiter, self._wanted = waiter, 1
        if waiter is not None:
            self._resume()

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()


class Wired(Protocol):
    """Whoever has a connected socket."""

    @property
    def wire(self) -> Wire:
        """The socket.

        Raises:
            RedisTrouble: there is none.
        """


async def first_ready(links: Sequence[LinkT], timeout_s: float) -> LinkT | None:
    """Wait until one of several has something to tell, and give the one with the most; `None` when the time runs out.

    Raises:
        RedisTrouble: one is not connected.
    """
    wires = [link.wire for link in links]
    if not any(wire.ready for wire in wires):
        waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                for wire in wires:
                    wire.watch(waiter)
                await waiter
        except TimeoutError:
            return None
        finally:
            for wire in wires:
                wire.watch(None)
    return max(links, key=lambda link: link.wire.ready)
