"""Leave to go out: budgets shared through a real server, or our own while it can't be asked; bans are heeded by all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

import thalweg
from ingest.breaker import Ending
from ingest.outside.source import ALONE_NS, Outside, Purse, retry_after
from ingest.venue import Limit
from tests.ingest.toy import BTC, TOY
from thalweg import keys
from thalweg.clock import SystemClock
from thalweg.instruments import Instruments
from thalweg.settings import Settings

pytestmark = pytest.mark.anyio
KEY = keys.budget("toy", "local")
LIMIT = Limit(100, 10.0)
STRICT = replace(TOY, rest="http://127.0.0.1:1", rest_limit=LIMIT, connect_limit=Limit(3, 60.0))


@pytest.fixture
def server(redis_url: str) -> Iterator[Any]:
    """A clean server with our functions."""
    client = redis.Redis.from_url(redis_url)
    client.function_load((Path(thalweg.__file__).with_name("functions.lua")).read_text(), replace=True)
    yield client
    client.close()


def settings(url: str, **endpoints: str) -> Settings:
    found = {("toy", kind): address for kind, address in endpoints.items()}
    return Settings(instruments=Instruments({"BTC-USDT": BTC}), redis_url=url, endpoints=found)


@asynccontextmanager
async def purses(url: str, count: int = 2) -> AsyncIterator[list[Purse]]:
    """Purses of as many workers."""
    found = [Purse(settings(url), KEY, LIMIT, SystemClock()) for _ in range(count)]
    yield found
    for purse in found:
        await purse.close()


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve HTTP answers one after the other, the last again and again; give the address and what was asked."""
    left, asked = list(answers), list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()
        writer.close()

    http = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{http.sockets[0].getsockname()[1]}", asked
    finally:
        http.close()


def reply(status: str, *headers: str, body: str = "{}") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", body]
    return "\r\n".join(lines).encode()


async def test_workers_of_one_address_share_a_budget(redis_url: str, server: Any) -> None:
    async with purses(redis_url) as (one, other):
        assert [await one.spend(60), await other.spend(30)] == [0, 0]
        assert 4.0 < await other.spend(60) <= 5.1
        assert server.exists(KEY)


async def test_a_ban_by_one_worker_stops_the_other(redis_url: str, server: Any) -> None:
    async with purses(redis_url) as (one, other):
        await one.ban(30)
        assert 29 < await other.spend(1) <= 30


async def test_a_budget_of_the_same_size_stands_in_for_one_that_is_not_there() -> None:
    async with purses("redis://127.0.0.1:1/0", 1) as (purse,):
        assert [await purse.spend(60), await purse.spend(40)] == [0, 0]
        assert 5.0 < await purse.spend(60) <= 6.0
        await purse.ban(30)
        assert 29 < await purse.spend(1) <= 30


async def test_a_server_without_our_functions_is_none(redis_url: str) -> None:
    async with purses(redis_url, 1) as (purse,):
        assert await purse.spend(100) == 0
        assert await purse.spend(1) > 0


async def test_a_server_that_hangs_holds_up_one_question_alone() -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    mute = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with purses(f"redis://127.0.0.1:{mute.sockets[0].getsockname()[1]}/0", 1) as (purse,):
        assert await purse.spend(10) == 0
        began = time.monotonic()
        assert [await purse.spend(10) for _ in range(5)] == [0] * 5
        assert time.monotonic() - began < min(1.0, ALONE_NS / 1e9)
    mute.close()


async def test_a_question_cut_short_does_not_answer_the_next(redis_url: str, server: Any) -> None:
    async with purses(redis_url, 1) as (purse,):
        assert await purse.spend(50) == 0
        server.execute_command("CLIENT", "PAUSE", 200)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await purse.spend(1)
        assert await purse.spend(90) > 0  # the answer to the other question, 0, is not this one's


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        ("418 I'm a teapot", "Retry-After: 7", 7),
        ("418 I'm a teapot", "X: 1", 120),
        ("429 Too Many Requests", "X: 1", 60),
    ],
)
async def test_a_refusal_ends_all_requests_for_as_long_as_it_says(
    redis_url: str, server: Any, status: str, header: str, seconds: float
) -> None:
    async with answering(reply(status, header)) as (address, asked):
        one, other = (Outside(settings(redis_url, rest=address), STRICT, SystemClock()) for _ in range(2))
        answer = await one.get(f"{address}/depth", 10)
        assert (answer.status, answer.after_s) == (int(status[:3]), seconds)
        waiting = await other.get(f"{address}/depth", 10)
        assert (waiting.status, waiting.body) == (0, b"request budget is spent")
        assert waiting.after_s is not None
        assert seconds - 1 < waiting.after_s <= seconds
        assert asked == [b"/depth"]
        await one.close()
        await other.close()


async def test_requests_that_fail_in_a_row_end_for_all_but_a_probe() -> None:
    async with answering(reply("502 Bad Gateway")) as (address, asked):
        outside = Outside(settings("redis://127.0.0.1:1/0", rest=address), STRICT, SystemClock())
        answers = [await outside.get(f"{address}/depth", 1) for _ in range(20)]
        assert [answer.status for answer in answers] == [502] * 5 + [0] * 15
        assert answers[-1].body == b"requests rest: status 502"
        assert len(asked) == 5
        await outside.close()


async def test_connections_are_counted_and_a_refusal_keeps_all_away(redis_url: str, server: Any) -> None:
    one, other = (Outside(settings(redis_url), STRICT, SystemClock()) for _ in range(2))
    assert [await one.leave_s(), await other.leave_s(), await one.leave_s()] == [0, 0, 0]
    assert 19 < await other.leave_s() <= 20
    await one.ended(Ending.REFUSED, "HTTP 429", 90.0, heard=False)
    assert 89 < await other.leave_s() <= 90
    assert one.breaker.reason == "HTTP 429"
    await one.close()
    await other.close()


async def test_a_list_of_symbols_that_can_t_be_had_is_empty() -> None:
    outside = Outside(settings("redis://127.0.0.1:1/0"), STRICT, SystemClock())
    assert await outside.listings() == {}
    await outside.close()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), ("0", 0.0), (None, None), ("soon", None), ("-1", None), ("٣", None), ("9" * 9, None)],
)
def test_how_long_to_wait_is_read_from_digits_alone(text: str | None, seconds: float | None) -> None:
    assert retry_after(text) == seconds
