"""The sink on a real server: dense IDs, nothing twice, nothing lost unmarked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

import ingest.sink
import thalweg
from ingest.sink import Sink
from tests.ingest.toy import BTC, TOY, Desk, delta, replay, whole
from thalweg.clock import SystemClock
from thalweg.errors import Fenced
from thalweg.events import Event, Open, Snapshot, State, Status, Trade
from thalweg.instruments import Instruments
from thalweg.latency import Rings
from thalweg.settings import Settings
from thalweg.wire import decode_entry, parse_id

pytestmark = pytest.mark.anyio
KEY = "st:{BTC-USDT}:toy"


@pytest.fixture
def server(redis_url: str) -> Iterator[Any]:
    """A clean server with our functions."""
    client = redis.Redis.from_url(redis_url)
    client.function_load((Path(thalweg.__file__).with_name("functions.lua")).read_text(), replace=True)
    yield client
    client.close()


@asynccontextmanager
async def running(url: str, desk: Desk) -> AsyncIterator[tuple[Sink, asyncio.Task[None]]]:
    """Run a sink for the desk's session; give it and its task."""
    settings = Settings(instruments=Instruments({"BTC-USDT": BTC}), redis_url=url)
    sink = Sink(settings, TOY, 0, desk.tally, Rings("append"), SystemClock())
    sink.tracks = desk.session.tracks
    task = asyncio.create_task(sink.run())
    try:
        await sink.ready.wait()
        yield sink, task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Fenced):
            await task
        await sink.close()


def entries(server: Any) -> list[tuple[tuple[int, int], Event]]:
    """Give the stream, decoded."""
    return [(parse_id(id_), decode_entry("toy", "BTC-USDT", f)[0]) for id_, f in server.xrange(KEY)]


def assert_sound(server: Any, desk: Desk) -> list[Event]:
    """Check the stream's own promises and the count that both sides keep; give its events."""
    found = entries(server)
    last = (0, 0)
    for (epoch, n), event in found:
        if epoch != last[0]:
            assert n == 1
            assert isinstance(event, Open)
        else:
            assert n == last[1] + 1
        last = (epoch, n)
    assert server.xinfo_stream(KEY)["entries-added"] == desk.tally.appended
    return [event for _, event in found]


async def test_events_arrive_as_they_were_put(redis_url: str, server: Any) -> None:
    desk = Desk()
    async with running(redis_url, desk) as (sink, _):
        sink.put(desk.connect() + desk.frame(whole(1)) + desk.frame(delta(2, 2)), 0)
        await sink.drain(5)
    events = assert_sound(server, desk)
    assert [type(e).__name__ for e in events] == ["Open", "Status", "Status", "Snapshot", "Status", "Delta"]
    book, mine = replay(events), desk.session.tracks[0].book
    assert book is not None
    assert book.bids().tolist() == mine.bids().tolist()
    status = server.hgetall("status:{BTC-USDT}:toy")
    assert status[b"state"] == b"live"
    assert server.xrange(KEY, status[b"snap_id"], count=1)[0][1][b"kind"] == b"snapshot"


async def test_a_broken_connection_loses_and_repeats_nothing(redis_url: str, server: Any) -> None:
    desk = Desk()
    async with running(redis_url, desk) as (sink, _):
        sink.put(desk.connect() + desk.frame(whole(1)), 0)
        for k in range(1, 400):
            sink.put(
                desk.frame(delta(k + 1, k + 1, bids=[[100, k]]), {"kind": "trade", "symbol": "BTC", "number": k}), 0
            )
            if k % 40 == 0:
                sink.ready.clear()
                server.client_kill_filter(_type="normal", skipme=True)
                async with asyncio.timeout(10):
                    await sink.ready.wait()
            await asyncio.sleep(0)
        await sink.drain(10)
    events = assert_sound(server, desk)
    assert [int(e.id) for e in events if isinstance(e, Trade)] == list(range(1, 400))
    assert sum(isinstance(e, Open) for e in events) > 9
    book, mine = replay(events), desk.session.tracks[0].book
    assert book is not None
    assert book.bids().tolist() == mine.bids().tolist()
    tally = desk.tally
    assert tally.decoded + sum(tally.made.values()) == tally.appended + sum(tally.dropped.values())


async def test_a_second_writer_fences_the_first(redis_url: str, server: Any) -> None:
    first, second = Desk(), Desk()
    async with running(redis_url, first) as (old, task):
        old.put(first.connect(), 0)
        await old.drain(5)
        async with running(redis_url, second):
            old.put(first.frame(whole(1)), 0)
            with pytest.raises(Fenced, match="another worker took over"):
                await task
    assert not any(isinstance(event, Snapshot) for _, event in entries(server))
    assert first.tally.dropped["fenced"] == 2


async def test_a_full_queue_keeps_trades_and_bridges_the_book(
    redis_url: str, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest.sink, "PENDING_MAX", 100)
    desk = Desk()
    async with running(redis_url, desk) as (sink, _):
        sink.put(desk.connect() + desk.frame(whole(1)), 0)
        for k in range(1, 150):
            sink.put(desk.frame(delta(k + 1, k + 1, bids=[[100, k]])), 0)
        sink.put(desk.frame({"kind": "trade", "symbol": "BTC", "number": 1}), 0)
        await sink.drain(5)
    events = assert_sound(server, desk)
    assert desk.tally.dropped["coalesced"] > 0
    assert sum(isinstance(e, Trade) for e in events) == 1
    book, mine = replay(events), desk.session.tracks[0].book
    assert book is not None
    assert book.bids().tolist() == mine.bids().tolist()


async def test_stopping_tells_that_nobody_watches(redis_url: str, server: Any) -> None:
    desk = Desk()
    async with running(redis_url, desk) as (sink, _):
        sink.put(desk.connect() + desk.frame(whole(1)), 0)
        sink.put(desk.do(desk.session.stopped(desk.now)), 0)
        await sink.drain(5)
    last = assert_sound(server, desk)[-1]
    assert isinstance(last, Status)
    assert (last.state, last.reason) == (State.STALE, "ingest stopped")
