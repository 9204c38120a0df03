"""A server with the functions loaded, feeds, a watcher, and aggregators that always end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import redis

import thalweg
from aggregator.service import serve
from tests.aggregator.feed import INSTRUMENTS, VENUES, Feed, Watcher
from thalweg.settings import Settings

Start = Callable[[], "asyncio.Task[None]"]
FUNCTIONS = Path(thalweg.__file__).with_name("functions.lua")


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connected:
        connected.function_load(FUNCTIONS.read_text(encoding="utf-8"), replace=True)
        yield connected


@pytest.fixture
async def feeds(client: redis.Redis) -> AsyncIterator[list[Feed]]:
    """A feed a venue; those that are alive ring now and then, as ingest does."""
    feeds = [Feed(client, venue) for venue in VENUES]

    async def ring() -> None:
        while True:
            for feed in feeds:
                if feed.alive:
                    feed.ring()
            await asyncio.sleep(0.05)

    ringing = asyncio.ensure_future(ring())
    yield feeds
    ringing.cancel()


@pytest.fixture
async def watcher(redis_url: str) -> AsyncIterator[Watcher]:
    async with Watcher(redis_url) as one:
        yield one


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    return Settings(INSTRUMENTS, redis_url, report=tmp_path / "report.json")


@pytest.fixture
async def start(settings: Settings) -> AsyncIterator[Start]:
    """Start an aggregator as a task; what still runs at the end is cancelled."""
    tasks: list[asyncio.Task[None]] = []

    def begin() -> asyncio.Task[None]:
        tasks.append(asyncio.ensure_future(serve(settings)))
        return tasks[-1]

    yield begin
    for task in tasks:
        if not task.done():
            await stop(task)


async def stop(task: Awaitable[None]) -> None:
    """Cancel as a signal does, and wait."""
    asyncio.ensure_future(task).cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
