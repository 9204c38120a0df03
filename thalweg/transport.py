"""Connections to Redis: redis-py connects and authenticates, then we write packed commands and read replies in order.

A link is one connection to one server, which Sentinels may have to name first, or in a Cluster one to each master that
its commands need (`thalweg/cluster`). Who uses it need not know which.
Retries are off: a writer that repeats a command whose outcome it does not know duplicates entries.
Every wait has an end (`TIMEOUT_S`), so a hung server is noticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from thalweg.address import Form, parse_address
from thalweg.cluster.transport import Masters
from thalweg.errors import Fenced, FunctionsMissing, Held, RedisFull, RedisTrouble, SettingsError
from thalweg.keys import slot
from thalweg.refusals import FULL, code_of, explain
from thalweg.replies.transport import Wire
from thalweg.resp import Reply, pack
from thalweg.sentinel.transport import find_master

__all__ = ["RedisLink", "Reply", "answered", "checked"]

Key = TypeVar("Key", bound=Hashable)

TIMEOUT_S = 2.0  # a server that takes longer for one batch counts as down
CONNECT_TIMEOUT_S = 1.0


class RedisLink:
    """One connection, used by one task at a time. It never reconnects by itself: `connect` again."""

    _masters: Masters | None = None

    def __init__(self, url: str, name: str) -> None:
        """Prepare a connection; `name` is what `CLIENT LIST` shows.

        Raises:
            SettingsError: the URL is not one.
        """
        self._name, self._address = name, parse_address(url)
        if self._address.form is Form.CLUSTER:
            self._masters = Masters(self._address, partial(RedisLink, name=name))
        else:
            self._connection = _connection(self._address.first, name)
        self._wire: Wire | None = None
        self._lock = asyncio.Lock()

    @property
    def url(self) -> str:
        """Where it leads to, with the password."""
        return self._address.url

    @property
    def clustered(self) -> bool:
        """Whether this is a Cluster, where one command can't have keys of several instruments."""
        return self._masters is not None

    @property
    def alive(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._wire is not None and not self._wire.lost

    @property
    def wire(self) -> Wire:
        """The connected socket.

        Raises:
            RedisTrouble: there is none.
        """
        if self._wire is None:
            raise RedisTrouble("Redis: not connected")
        return self._wire

    async def connect(self) -> None:
        """Connect afresh.

        Raises:
            RedisTrouble: the server can't be reached or refuses us.
        """
        if self._masters is not None:
            await self._masters.connect()
            return
        await self.close()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S + TIMEOUT_S):
                if self._address.form is Form.SENTINEL:
                    self._connection = _connection(await find_master(self._address, CONNECT_TIMEOUT_S), self._name)
                await self._connection.connect()
            self._wire = Wire(self._connection._writer.transport)
        except (RedisError, OSError, TimeoutError) as error:
            said = getattr(error, "status_code", None)
            raise RedisTrouble(f"can't connect to Redis: {explain(str(error) or 'no answer in time', said)}") from error

    async def close(self) -> None:
        """Close the connection; closing twice is no error."""
        if self._masters is not None:
            await self._masters.close()
            return
        self._wire = None
        await self._connection.disconnect(nowait=True)

    async def run(self, commands: Sequence[bytes], timeout_s: float = TIMEOUT_S) -> list[Reply]:
        """Send packed commands in one write and give their replies; an error reply is given, not raised.

        Raises:
            RedisTrouble: not connected, the connection failed, or the time ran out; what was applied is not known.
        """
        if self._masters is not None:
            return await self._masters.run(commands, timeout_s)
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

        In a Cluster that is so for the commands of each instrument.

        Raises:
            RedisTrouble: as `run`.
        """
        if self._masters is not None:
            return await self._masters.run(commands, timeout_s, whole=True)
        replies = await self.run([pack("MULTI"), *commands, pack("EXEC")], timeout_s)
        done = replies[-1]
        if not isinstance(done, ResponseError):
            return list(done)
        first = next(reply for reply in replies if isinstance(reply, ResponseError))
        return [first] * len(commands)

    async def run_each(self, commands: Sequence[bytes], timeout_s: float = TIMEOUT_S) -> list[Reply]:
        """As `run`, for commands that may be done twice; of a Cluster, what fails is the reply of what it concerns.

        Raises:
            RedisTrouble: as `run`, but not because of a part of a Cluster.
        """
        if self._masters is not None:
            return await self._masters.run_each(commands, timeout_s)
        return await self.run(commands, timeout_s)

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

    async def subscribe(self, channels: Sequence[bytes]) -> None:
        """Subscribe to channels; messages come by `next_push`, and in between what confirms this.

        Raises:
            RedisTrouble: the connection failed or the server refused.
        """
        if self._masters is not None:
            await self._masters.subscribe(channels, TIMEOUT_S)
            return
        checked((await self.run([pack("SUBSCRIBE", *channels)]))[0])  # to all or none, so its first reply is enough

    async def ping(self, keys: Sequence[bytes | str]) -> None:
        """Ask for a sign of life; in a Cluster of the nodes that have these keys.

        Raises:
            RedisTrouble: there is none.
        """
        for reply in await self.run([pack("PING")] if self._masters is None else [pack("MGET", key) for key in keys]):
            checked(reply)

    async def servers(self) -> list[RedisLink]:
        """Give a link to each server that there is: this one, or all masters of a Cluster.

        Raises:
            RedisTrouble: the masters are not known.
        """
        return [self] if self._masters is None else await self._masters.each()

    def home(self, key: str) -> str | None:
        """Give the URL of the server that has a key, as far as is known; `None` where nobody has it."""
        if self._masters is None:
            return self.url
        owner = self._masters.map.owner(slot(key.encode()))
        return None if owner is None else self._address.server(*owner)

    async def next_push(self, timeout_s: float) -> Reply | None:
        """Wait for the next pushed message of a subscribed connection; `None` when the time runs out.

        Raises:
            RedisTrouble: the connection failed.
        """
        if self._masters is not None:
            return await self._masters.next_push(timeout_s)
        wire = self.wire
        try:
            await wire.wait(1, timeout_s)
            return wire.take()
        except TimeoutError:
            return None
        except (RedisError, OSError) as error:
            raise RedisTrouble(f"Redis: {error}") from error


def _connection(url: str, name: str) -> Any:
    """Make redis-py's connection to one server.

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
        return pool.make_connection()
    except (ValueError, TypeError) as error:  # TypeError: an option in the URL's query that redis-py does not know
        raise SettingsError(f"REDIS_URL: {error}") from error


def answered(asked: Iterable[Key], replies: Iterable[Reply]) -> tuple[dict[Key, Reply], dict[Key, RedisTrouble]]:
    """Give by what was asked the replies of `run_each`, and the trouble with the others: a part of a Cluster is away.

    Raises:
        RedisTrouble: there is no reply to anything.
    """
    heard, missing = dict[Key, Reply](), dict[Key, RedisTrouble]()
    for one, reply in zip(asked, replies, strict=True):
        try:
            heard[one] = checked(reply)
        except RedisTrouble as trouble:
            missing[one] = trouble
    if missing and not heard:
        raise next(iter(missing.values()))
    return heard, missing


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
        if isinstance(reply, RedisTrouble):
            raise reply
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
