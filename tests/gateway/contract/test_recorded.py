"""What a whole gateway says, over real sockets and with a real server, is what the documents say."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.contract.document import DOCUMENTS
from tests.gateway.contract.recorded import TOLD, check_answer
from tests.gateway.test_service import BOOK, LADDER, TRADES, Running, serving

pytestmark = pytest.mark.anyio
NAMES = {"{instrument}": "BTC-USDT", "{venue}": "kraken"}
QUERIES = {
    "/api/v1/impact/{instrument}": "?side=buy&qty=0.25",
    "/api/v1/arbitrage": "?min_bps=-100",
    "/api/v1/books/{instrument}": "?group=0.5",
}
FAULTS = {
    "/api/v1/books/{instrument}": ("/api/v1/books/NO-SUCH", 404),
    "/api/v1/books/{venue}/{instrument}": ("/api/v1/books/kraken/BTC-USDT?depth=0", 400),
    "/api/v1/trades/{instrument}": ("/api/v1/trades/BTC-USDT?limit=x", 400),
    "/api/v1/impact/{instrument}": ("/api/v1/impact/BTC-USDT", 400),
    "/api/v1/stream": ("/api/v1/stream", 400),
}


@pytest.fixture
async def running(redis_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(Running(redis_url, tmp_path)) as one:
        for _ in range(20):
            one.step()
        yield one


def fetched(port: int, path: str) -> tuple[int, str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    media, body = response.headers["content-type"], response.read()
    connection.close()
    return response.status, media, orjson.loads(body) if "json" in media else body.decode()


async def test_every_answer_is_as_the_document_says(running: Running) -> None:
    for path in DOCUMENTS["openapi"]()["paths"]:
        if path == "/api/v1/stream":
            continue
        url = path + QUERIES.get(path, "")
        for name, value in NAMES.items():
            url = url.replace(name, value)
        status, _, answer = await asyncio.to_thread(fetched, running.port, url)
        assert status in (200, 503), url
        check_answer(path, status, answer)


@pytest.mark.parametrize("path", FAULTS)
async def test_every_refusal_is_as_the_document_says(running: Running, path: str) -> None:
    url, expected = FAULTS[path]
    status, media, answer = await asyncio.to_thread(fetched, running.port, url)
    assert (status, media) == (expected, "application/problem+json")
    check_answer(path, status, answer)


async def test_a_conversation_is_as_the_document_says(running: Running) -> None:
    async with running.client(BOOK, LADDER, TRADES, "bbo:*:BTC-USDT", "status", "metrics") as client:
        for request in ({"op": "nonsense", "id": 1}, {"op": "subscribe", "id": 2, "ch": ["book:x:Y"]}):
            await client.connection.send(orjson.dumps(request).decode())
        await client.connection.send(orjson.dumps({"op": "ping", "id": 3, "c": 7}).decode())
        await client.ask("list")
        await client.ask("stats")
        kinds = {
            "hello",
            "ack",
            "err",
            "hb",
            "pong",
            "list",
            "stats",
            "snap",
            "d",
            "bbo",
            "trades",
            "status",
            "metrics",
        }
        while not kinds <= {message["t"] for message in client.reader.messages}:
            running.step()
            await client.read()
        for message in client.reader.messages:
            TOLD.validate(message)


async def test_an_event_stream_brings_messages_of_the_protocol(running: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    path = f"/api/v1/stream?ch={LADDER},{TRADES},status&rate_ms=100"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n\r\n".encode())
    kinds: list[str] = []
    async with asyncio.timeout(10):
        while kinds.count("snap") < 3:
            line = await reader.readline()
            if line.startswith(b"data: "):
                message = orjson.loads(line[6:])
                TOLD.validate(message)
                kinds.append(message["t"])
    writer.close()
    assert {"snap", "trades", "status"} <= set(kinds)
