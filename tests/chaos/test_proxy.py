from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from tests.chaos.proxy import Proxy, serve_once

pytestmark = pytest.mark.anyio
SOON_S, NEVER_S = 5.0, 0.15


@asynccontextmanager
async def echo(prefix: bytes = b"") -> AsyncIterator[Proxy]:
    server, port = await serve_once(prefix)
    proxy = Proxy("echo", ("127.0.0.1", port))
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()
        server.close()


class Caller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes, within_s: float = SOON_S) -> bytes:
        self.writer.write(data)
        return await asyncio.wait_for(self.reader.readexactly(len(data)), within_s)


async def call(proxy: Proxy) -> Caller:
    return Caller(*await asyncio.open_connection("127.0.0.1", proxy.port))


async def test_it_passes_bytes_on_in_slices_too() -> None:
    async with echo() as proxy:
        caller = await call(proxy)
        proxy.set(slice_bytes=3)
        assert await caller.say(b"0123456789" * 100) == b"0123456789" * 100


async def test_latency_counts_for_both_directions() -> None:
    async with echo() as proxy:
        caller = await call(proxy)
        await caller.say(b"warm")
        proxy.set(latency_s=0.05)
        began = monotonic()
        await caller.say(b"slow")
        assert monotonic() - began >= 0.1


async def test_bandwidth_bounds_how_fast_bytes_go() -> None:
    async with echo() as proxy:
        caller = await call(proxy)
        proxy.set(bytes_per_s=100_000)
        began = monotonic()
        await caller.say(bytes(10_000))
        assert monotonic() - began >= 0.19


async def test_a_blackhole_keeps_bytes_until_it_is_over() -> None:
    async with echo() as proxy:
        caller = await call(proxy)
        await caller.say(b"warm")
        with proxy.under(blackhole=True):
            with pytest.raises(TimeoutError):
                await caller.say(b"kept", NEVER_S)
            late = await call(proxy)
            with pytest.raises(TimeoutError):
                await late.say(b"late", NEVER_S)
        assert await asyncio.wait_for(caller.reader.readexactly(4), SOON_S) == b"kept"
        assert await asyncio.wait_for(late.reader.readexactly(4), SOON_S) == b"late"


async def test_dropped_replies_never_come_though_the_request_went() -> None:
    async with echo() as proxy:
        caller = await call(proxy)
        await caller.say(b"warm")
        with proxy.under(drop_replies=True), pytest.raises(TimeoutError):
            await caller.say(b"lost", NEVER_S)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await caller.say(b"next")


async def test_a_reset_is_an_error_and_the_next_connection_works() -> None:
    async with echo() as proxy:
        caller = await call(proxy)
        await caller.say(b"warm")
        assert proxy.reset() == 1
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await caller.say(b"gone")
        assert await (await call(proxy)).say(b"back") == b"back"


async def test_a_limit_resets_after_so_many_bytes() -> None:
    async with echo() as proxy:
        proxy.set(limit_bytes=100)
        caller = await call(proxy)
        await caller.say(b"few")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await caller.say(bytes(200))


async def test_refused_connections_end_at_once() -> None:
    async with echo() as proxy:
        proxy.set(refuse=True)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await (await call(proxy)).say(b"hello")


async def test_a_half_close_ends_one_direction_only() -> None:
    async with echo() as proxy:
        caller = await call(proxy)
        await caller.say(b"warm")
        assert proxy.half_close() == 1
        assert await asyncio.wait_for(caller.reader.read(1), SOON_S) == b""


async def test_a_new_target_is_where_new_connections_go() -> None:
    other, port = await serve_once(b"other:")
    async with echo() as proxy:
        caller = await call(proxy)
        await caller.say(b"warm")
        proxy.retarget(("127.0.0.1", port))
        late = await call(proxy)
        late.writer.write(b"x")
        assert await asyncio.wait_for(late.reader.readexactly(7), SOON_S) == b"other:x"
    other.close()


async def test_a_target_that_is_away_resets_the_caller() -> None:
    proxy = Proxy("nowhere", ("127.0.0.1", 1))
    await proxy.start()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await (await call(proxy)).say(b"hello")
    await proxy.close()
