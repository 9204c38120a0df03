"""Connections to Redis: redis-py connects and authenticates, then we write packed commands and read replies in order.

From then on a connection is one protocol object on the socket: of 1,000 batches a second each way through redis-py's
streams costs both sides of it more than half of their time.
Retries are off: a writer that repeats a command whose outcome it does not know duplicates entries.
Every wait has an end (`TIMEOUT_S`), so a hung server is noticed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, TypeAlias

import hiredis
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import DefaultParser
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as LinkError
from redis.exceptions import InvalidResponse, RedisError, ResponseError

from thalweg.errors import Fenced, FunctionsMissing, Held, RedisFull, RedisTrouble, SettingsError
from thalweg.refusals import FULL, code_of, explain
from thalweg.resp import pack

Reply: TypeAlias = Any
"""What the server answered: bytes, int, None or lists of them."""

TIMEOUT_S = 2.0  # a server that takes longer for one batch counts as down
CONNECT_TIMEOUT_S = 1.0
PUSHES = 256  # that may be queued unread: more are left in the socket, and in the end in the server's bounded buffer
_MISSING = object()  # no whole reply is here


class _Wire(asyncio.Protocol):
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

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()


class RedisLink:
    """One connection, used by one task at a time. It never reconnects by itself: `connect` again."""

    def __init__(self, url: str, name: str) -> None:
        """Prepare a connection; `name` is what `CLIENT LIST` shows.

        Raises:
            SettingsError: the URL is not one.
        """
        try:
            pool: Any = ConnectionPool.from_url(
                url,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
                socket_timeout=None,
                socket_connect_timeout=CONNECT_TIMEOUT_S,
                client_name=name,
                driver_info=None,  # else it also asks for `CLIENT SETINFO`, which no user of ours may
            )
            self._connection = pool.make_connection()
        except (ValueError, TypeError) as error:  # TypeError: an option in the URL's query that redis-py does not know
            raise SettingsError(f"REDIS_URL: {error}") from error
        self._wire: _Wire | None = None
        self._lock = asyncio.Lock()

    async def connect(self) -> None:
        """Connect afresh.

        Raises:
            RedisTrouble: the server can't be reached or refuses us.
        """
        await self.close()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S + TIMEOUT_S):
                await self._connection.connect()
            self._wire = _Wire(self._connection._writer.transport)
        except (RedisError, OSError, TimeoutError) as error:
            said = getattr(error, "status_code", None)
            raise RedisTrouble(f"can't connect to Redis: {explain(str(error) or 'no answer in time', said)}") from error

    async def close(self) -> None:
        """Close the connection; closing twice is no error."""
        self._wire = None
        await self._connection.disconnect(nowait=True)

    async def run(self, commands: Sequence[bytes], timeout_s: float = TIMEOUT_S) -> list[Reply]:
        """Send packed commands in one write and give their replies; an error reply is given, not raised.

        Raises:
            RedisTrouble: not connected, the connection failed, or the time ran out; what was applied is not known.
        """
        async with self._lock:
            wire = self._wire
            if wire is None:
                raise RedisTrouble("Redis: not connected")
            try:
                wire.write(b"".join(commands))
                await wire.wait(len(commands), timeout_s)
                return [wire.take() for _ in commands]
            except (RedisError, OSError, TimeoutError) as error:
                await self.close()
                raise RedisTrouble(f"Redis: {str(error) or 'no answer in time'}") from error
            except asyncio.CancelledError:  # its replies must not answer the next command
                await self.close()
                raise

    async def run_whole(self, commands: Sequence[bytes], timeout_s: float = TIMEOUT_S) -> list[Reply]:
        """Send packed commands that the server applies all or none of; refused, each has the refusal for its reply.

        Raises:
            RedisTrouble: as `run`.
        """
        replies = await self.run([pack("MULTI"), *commands, pack("EXEC")], timeout_s)
        done = replies[-1]
        if not isinstance(done, ResponseError):
            return list(done)
        first = next(reply for reply in replies if isinstance(reply, ResponseError))
        return [first] * len(commands)

    async def call(self, *parts: bytes | str | int) -> Reply:
        """Run one command.

        Raises:
            Fenced: a server function says that a newer epoch owns the key.
            Held: a server function says that another worker holds the lease.
            FunctionsMissing: the server functions are not loaded.
            RedisTrouble: the connection failed or the server refused the command.
        """
        (reply,) = await self.run([pack(*parts)])
        return checked(reply)

    async def next_push(self, timeout_s: float) -> Reply | None:
        """Wait for the next pushed message of a subscribed connection; `None` when the time runs out.

        Raises:
            RedisTrouble: the connection failed.
        """
        wire = self._wire
        if wire is None:
            raise RedisTrouble("Redis: not connected")
        try:
            await wire.wait(1, timeout_s)
            return wire.take()
        except TimeoutError:
            return None
        except (RedisError, OSError) as error:
            raise RedisTrouble(f"Redis: {error}") from error


def checked(reply: Reply) -> Reply:
    """Give the reply, or raise what an error reply means.

    Raises:
        Fenced: a newer epoch owns the stream.
        Held: another worker holds the lease.
        FunctionsMissing: the server functions are not loaded.
        RedisFull: the server has no memory left.
        RedisTrouble: any other error reply.
    """
    if not isinstance(reply, ResponseError):
        return reply
    text = str(reply)
    if text.startswith("HELD"):
        raise Held(text)
    if "FENCED" in text or "equal or smaller" in text:
        raise Fenced(text)
    if "Function not found" in text:
        raise FunctionsMissing("the server functions are not loaded; run `thalweg redis-init`")
    said = getattr(reply, "status_code", None)
    trouble = RedisFull if code_of(text, said) == FULL else RedisTrouble
    raise trouble(f"Redis refused: {explain(text, said)}")
