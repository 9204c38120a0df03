"""A whole gateway under clients that stop reading, and clients that lose their connections all at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosed

from gateway import app, outbox, transport
from gateway.hub import Hub
from tests.gateway.client import Reader
from tests.gateway.redis_side import until
from tests.gateway.test_service import BOOK, LADDER, TRADES, Client, Running, serving
from tests.gateway.test_topics import expected_book, expected_ladder

pytestmark = pytest.mark.anyio
HEALTHY, STALLED, COMERS, ROUNDS = 5, 2, 40, 3
CHANNELS = (BOOK, LADDER, TRADES)


class Observed(Hub):
    """A hub that the test can look into."""

    latest: Hub

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        type(self).latest = self


@pytest.fixture
def running(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A gateway that lets in hundreds from one address, and loses patience after a second."""
    monkeypatch.setattr(app, "Hub", Observed)
    monkeypatch.setattr(outbox, "LAG_NS", 1_000_000_000)
    monkeypatch.setattr(transport, "CLOSE_S", 30.0)  # who reads again at last is to find the close frame, however late
    one = Running(redis_url, tmp_path)
    one.settings = replace(one.settings, connections_per_ip=500)
    return one


@asynccontextmanager
async def publishing(running: Running) -> AsyncIterator[None]:
    """Publish ten changes a second and beat, as an aggregator does."""

    async def publish() -> None:
        while True:
            running.step()
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(publish())
        yield
        task.cancel()


def places(reader: Reader) -> dict[str, Any]:
    """Give how far a client has come, by what it read."""
    found: dict[str, Any] = {}
    for one in reader.messages:
        if "ch" in one and "s" in one:
            found[one["ch"]] = {"epoch": one.get("e", found.get(one["ch"], {}).get("epoch")), "seq": one["s"]}
    return found


async def come(running: Running, stack: AsyncExitStack, reader: Reader | None = None) -> Client:
    """Connect a client, one that comes back or a new one, and wait until it has its books."""
    client = await stack.enter_async_context(running.client())
    request: dict[str, Any] = {"op": "subscribe", "id": 1, "ch": CHANNELS, "depth": 10}
    if reader is not None:
        client.reader = reader
        request |= {"node": reader.of("hello")[-1]["node"], "resume": places(reader)}
    await client.connection.send(orjson.dumps(request).decode())
    acks = len(client.reader.of("ack"))
    while len(client.reader.of("ack")) == acks or client.reader.messages[-1]["t"] in ("ack", "hb"):
        await client.read()
    return client


async def caught_up(running: Running, client: Client) -> None:
    """Read until a client has what was published last."""
    while {client.reader.books[name].s for name in (BOOK, LADDER)} != {running.maker.seq}:
        await client.read()
    assert client.reader.books[BOOK].ranked() == expected_book(running.maker, "kraken", 10)
    assert client.reader.books[LADDER].ranked() == expected_ladder(running.maker, 10)


async def test_all_who_come_back_at_once_have_missed_nothing(running: Running) -> None:
    async with serving(running), AsyncExitStack() as stack:
        async with publishing(running):
            healthy = [await come(running, stack) for _ in range(HEALTHY)]
            comers = list(await asyncio.gather(*(come(running, stack) for _ in range(COMERS))))
            for _ in range(ROUNDS):
                for client in comers:
                    client.connection.transport.abort()
                comers = list(await asyncio.gather(*(come(running, stack, client.reader) for client in comers)))
        running.step(changes=40)
        async with asyncio.TaskGroup() as group:
            for client in (*healthy, *comers):
                group.create_task(caught_up(running, client))
        for client in (*healthy, *comers):
            books = client.reader.books
            assert [books[name].snapshots for name in (BOOK, LADDER)] == [1, 1]
            rows = [row[4] for one in client.reader.of("trades") for row in one["x"]]
            assert rows == [str(n) for n in range(int(rows[0]), running.maker.traded + 1)]
        for client in comers:
            assert sum("resumed" in one for one in client.reader.messages) == ROUNDS * len(CHANNELS)


async def test_those_who_stop_reading_are_told_and_closed_and_nobody_else_notices(running: Running) -> None:
    running.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
    async with serving(running), AsyncExitStack() as stack:
        healthy = [await come(running, stack) for _ in range(HEALTHY)]
        stalled = []
        for _ in range(STALLED):
            narrow = socket.create_connection(("127.0.0.1", running.port))
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            options: dict[str, Any] = {"sock": narrow, "max_queue": 1, "compression": None}
            stalled.append(await stack.enter_async_context(running.client(*CHANNELS, **options)))
        hub = Observed.latest

        turns = count()

        def flood() -> None:
            if next(turns) % 10 == 0:  # ten times a second: more would starve the gateway, which shares this process
                running.step(trades=500)

        await until(lambda: hub.counts["lagging"] == STALLED, flood)
        await until(lambda: hub.counts["closed 4008"] == STALLED, running.step)
        for client in stalled:
            with pytest.raises(ConnectionClosed) as closed:
                await client.read_on()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4008
            assert [one["st"] for one in client.reader.of("lag")] == ["lagging"]
        running.step(changes=40)
        for client in healthy:
            await caught_up(running, client)
            assert client.reader.books[BOOK].snapshots == 1
            assert client.reader.of("lag") == []
