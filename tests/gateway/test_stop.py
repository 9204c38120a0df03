"""What a gateway does when it is told to stop: its report, and what its clients are told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest
from websockets.exceptions import ConnectionClosed

from gateway.service import serve
from tests.gateway.redis_side import until
from tests.gateway.test_service import BOOK, Running, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def running(redis_url: str, tmp_path: Path) -> Running:
    return Running(redis_url, tmp_path)


async def test_the_report_of_a_stopped_gateway_adds_up(running: Running) -> None:
    async with serving(running), running.client(BOOK) as client:
        for _ in range(10):
            running.step()
        while not client.reader.books or client.reader.books[BOOK].s != running.maker.seq:
            running.step(0)
            await client.read()
    assert running.settings.report
    report = orjson.loads(running.settings.report.read_bytes())
    counts = report["instruments"]["BTC-USDT"]
    assert counts["head"] - counts["joined_at"] == counts["received"] + counts["refilled"]
    assert (report["service"], report["received"]) == ("gateway", counts["received"])
    assert len(report["samples"]["total"]) == report["received"]


async def test_a_client_that_answers_nothing_does_not_keep_the_report(running: Running) -> None:
    report = running.settings.report
    assert report
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve(running.settings, running.listener))
        await running.is_followed()
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        head = f"GET /ws/v1 HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        writer.write(f"{head}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        await reader.readuntil(b'"t":"hello"')
        task.cancel()
        await until(report.exists)
        assert not task.done()
        writer.close()


async def test_clients_are_told_when_the_gateway_stops(running: Running) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve(running.settings, running.listener))
        await running.is_followed()
        async with running.client(BOOK) as client:
            await client.read()
            task.cancel()
            with pytest.raises(ConnectionClosed) as closed:
                await client.read_on()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4001
    assert client.reader.of("bye")[0]["after_ms"] >= 500
