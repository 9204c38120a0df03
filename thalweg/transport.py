"""Connections to Redis: redis-py connects and authenticates, we pack commands and read replies in order.

Retries are off: a writer that repeats a command whose outcome it does not know duplicates entries.
Every wait has an end (`TIMEOUT_S`), so a hung server is noticed.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from thalweg.errors import Fenced, FunctionsMissing, Held, RedisFull, RedisTrouble, SettingsError
from thalweg.refusals import FULL, code_of, explain
from thalweg.resp import pack

Reply: TypeAlias = Any
"""What the server answered: bytes, int, None or lists of them."""

TIMEOUT_S = 2.0  # a server that takes longer for one batch counts as down
CONNECT_TIMEOUT_S = 1.0


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
            )
            self._connection = pool.make_connection()
        except (ValueError, TypeError) as error:  # TypeError: an option in the URL's query that redis-py does not know
            raise SettingsError(f"REDIS_URL: {error}") from error
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
        except (RedisError, OSError, TimeoutError) as error:
            said = getattr(error, "status_code", None)
            raise RedisTrouble(f"can't connect to Redis: {explain(str(error) or 'no answer in time', said)}") from error

    async def close(self) -> None:
        """Close the connection; closing twice is no error."""
        await self._connection.disconnect(nowait=True)

    async def run(self, commands: Sequence[bytes], timeout_s: float = TIMEOUT_S) -> list[Reply]:
        """Send packed commands in one write and give their replies; an error reply is given, not raised.

        Raises:
            RedisTrouble: not connected, the connection failed, or the time ran out; what was applied is not known.
        """
        async with self._lock:
            if not self._connection.is_connected:  # redis-py would connect, to a server that may be another by now
                raise RedisTrouble("Redis: not connected")
            try:
                async with asyncio.timeout(timeout_s):
                    await self._connection.send_packed_command([b"".join(commands)], check_health=False)
                    return [await self._reply() for _ in commands]
            except (RedisError, OSError, TimeoutError) as error:
                await self.close()
                raise RedisTrouble(f"Redis: {str(error) or 'no answer in time'}") from error

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

    async def _reply(self) -> Reply:
        """Read one reply; an error reply is a value, since later replies follow it."""
        try:
            return await self._connection.read_response(disable_decoding=True, timeout=math.inf)
        except ResponseError as error:
            return error

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
        try:
            return await self._connection.read_response(
                disable_decoding=True, timeout=timeout_s, disconnect_on_error=False
            )
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
