"""Clients that mean harm, at a whole gateway: each is refused or closed as documented, and nobody else notices."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from gateway import transport
from gateway.protocol import CHANNELS
from tests.gateway.publications import VENUES, Maker, instruments
from tests.gateway.redis_side import PATIENCE_S
from tests.gateway.test_service import BOOK, LADDER, TRADES, Client, Running, serving
from tests.gateway.test_topics import expected_book

pytestmark = pytest.mark.anyio
NAMES = ("BTC-USDT", *(f"C{number}-USDT" for number in range(60)))
GREETING = b"GET /ws/v1 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b"A" * 22


class Siege:
    """A gateway, one healthy client, and the log."""

    def __init__(self, running: Running, healthy: Client, log: pytest.LogCaptureFixture) -> None:
        self.running, self.healthy, self._log = running, healthy, log

    async def step(self) -> None:
        """Let the healthy client follow a change."""
        self.running.step()
        while BOOK not in (books := self.healthy.reader.books) or books[BOOK].s != self.running.maker.seq:
            self.running.step(0, 0)
            await self.healthy.read()

    def check(self) -> None:
        book = self.healthy.reader.books[BOOK]
        assert (book.snapshots, book.skipped) == (1, 0)
        assert book.ranked() == expected_book(self.running.maker, "kraken", 10)
        told = [record for record in self._log.records if record.exc_info or record.levelname in ("ERROR", "CRITICAL")]
        assert not told


@pytest.fixture
async def siege(redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Siege]:
    running = Running(redis_url, tmp_path)
    running.settings = replace(running.settings, instruments=instruments(*NAMES))
    for name in NAMES[1:]:
        running.aggregator.publish(Maker(name).key())
    async with serving(running), running.client(BOOK, LADDER, TRADES) as healthy:
        one = Siege(running, healthy, caplog)
        await one.step()
        yield one
        await one.step()
        one.check()


async def end(client: Client) -> int:
    """Read on until the connection ends, and give its code."""
    with pytest.raises(ConnectionClosed) as closed:
        await client.read_on()
    return closed.value.rcvd.code if closed.value.rcvd else 1006


@asynccontextmanager
async def raw(siege: Siege) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", siege.running.port)
    yield reader, writer
    writer.close()


async def test_ten_thousand_subscriptions_come_to_what_is_allowed(siege: Siege) -> None:
    real = [
        f"{kind}:{name}" for name in NAMES for kind in ("cbook", "bbo:*", "trades:*", *(f"book:{v}" for v in VENUES))
    ]
    names = [*real, *(f"book:kraken:X{number}-USDT" for number in range(10_000 - len(real)))]
    async with siege.running.client() as client:
        for first in range(0, len(names), 550):
            request = {"op": "subscribe", "id": first, "ch": names[first : first + 550]}
            await client.connection.send(orjson.dumps(request).decode())
        while len(client.reader.of("ack")) < 19:
            await client.read()
        acks = client.reader.of("ack")
        assert sum(len(one["ok"]) for one in acks) == CHANNELS
        assert {error["code"] for one in acks for error in one["err"]} == {102, 106}
        assert len((await client.ask("list"))["ch"]) == CHANNELS
        await siege.step()


@pytest.mark.parametrize("size", [17_000, 16 * 2**20])
async def test_a_message_that_is_too_big_is_not_even_read(siege: Siege, size: int) -> None:
    async with siege.running.client() as client:
        with suppress(ConnectionClosed):  # it may be closed before all is sent
            await client.connection.send("x" * size)
        assert await end(client) in (1009, 1006)


async def test_a_message_that_inflates_is_not_inflated(siege: Siege) -> None:
    async with siege.running.client(compression="deflate") as client:
        await client.connection.send(" " * 10_000_000)
        assert await end(client) == 1009


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (b"\x00\xff" * 40, 4400),
        ("no JSON", 4400),
        ("[" * 16_000, 4400),
        ('{"op":"subscribe"', 4400),
        ("\x00", 4400),
    ],
)
async def test_what_is_no_request_ends_with_its_code(siege: Siege, garbage: str | bytes, code: int) -> None:
    async with siege.running.client(BOOK) as client:
        await client.connection.send(garbage)
        assert await end(client) == code
        assert client.reader.of("err")[0]["code"] == 107


async def test_a_text_that_is_no_unicode_ends_the_connection(siege: Siege) -> None:
    async with siege.running.client() as client:
        protocol = client.connection.protocol
        protocol.send_frame(Frame(Opcode.TEXT, b"\xc3\x28"))
        client.connection.transport.write(b"".join(protocol.data_to_send()))
        assert await end(client) == 4400


async def test_unknown_ops_are_refused_one_by_one(siege: Siege) -> None:
    requests: list[Any] = [{"op": "dance"}, {"op": None}, {"op": "subscribe", "ch": {}}, {"op": "auth"}, {}]
    async with siege.running.client() as client:
        for number, request in enumerate(requests):
            await client.connection.send(orjson.dumps({"id": number, **request}).decode())
        while len(client.reader.of("err")) < len(requests):
            await client.read()
        assert [(one["id"], one["code"]) for one in client.reader.of("err")] == [(n, 107) for n in range(5)]
        assert (await client.ask("list"))["ch"] == []


@pytest.mark.parametrize("seed", range(5))
async def test_bytes_that_are_no_frames_end_the_connection(siege: Siege, seed: int) -> None:
    dice = random.Random(seed)
    async with siege.running.client(BOOK) as client:
        client.connection.transport.write(bytes([0xF0, *dice.randbytes(400)]))
        assert await end(client) in (1002, 1009)


async def test_bytes_that_are_no_request_are_refused(siege: Siege) -> None:
    async with raw(siege) as (reader, writer):
        writer.write(random.Random(1).randbytes(400) + b"\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            assert (await reader.read()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET", GREETING, GREETING + UPGRADE, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /he"],
    ids=["nothing", "a word", "a line", "most of it", "a second one"],
)
async def test_a_handshake_that_never_ends_is_ended(
    siege: Siege, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "HANDSHAKE_S", 0.2)
    async with raw(siege) as (reader, writer):
        writer.write(begun)
        async with asyncio.timeout(PATIENCE_S):
            answer = await reader.read()
    assert answer.count(b"HTTP/1.1") == begun.startswith(b"GET /healthz")


async def test_connections_that_do_nothing_are_closed_in_their_turn(siege: Siege) -> None:
    """Twenty that never read, from one address: the limit; the next one is told."""
    idle = [socket.create_connection(("127.0.0.1", siege.running.port)) for _ in range(40)]
    for one in idle:
        one.sendall(GREETING + UPGRADE + b"==\r\n\r\n")
    await siege.step()
    async with siege.running.client() as client:
        assert await end(client) == 4429
    for one in idle:
        one.close()
