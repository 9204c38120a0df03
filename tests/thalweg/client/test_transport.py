"""The client against a whole gateway with a real server, and against servers that close with a code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as listen

from tests.gateway.test_service import BOOK, LADDER, TRADES, Running, serving
from tests.gateway.test_topics import expected_book, expected_ladder
from thalweg.cli import main
from thalweg.cli.embedded import free_port
from thalweg.client import Book, Client, connect
from thalweg.client import transport as client_transport
from thalweg.errors import GatewayTrouble

pytestmark = pytest.mark.anyio


@pytest.fixture
async def running(redis_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(Running(redis_url, tmp_path)) as one:
        yield one


def url(running: Running) -> str:
    return f"ws://127.0.0.1:{running.port}/ws/v1"


async def caught_up(client: Client, running: Running, *channels: str) -> None:
    """Read until these books are as new as what is published, and right."""
    async with asyncio.timeout(20):
        async for _ in client.messages():
            books = [client.books[name] for name in channels if name in client.books]
            if len(books) == len(channels) and all(one.is_known and one.seq == running.maker.seq for one in books):
                return
            running.step(0, 0)


def exact(running: Running, book: Book, ladder: Book) -> None:
    assert list(book.texts()) == expected_book(running.maker, "kraken", 10)
    assert list(ladder.texts()) == expected_ladder(running.maker, 10)


async def test_books_are_what_was_published_and_resumed_after_a_lost_connection(running: Running) -> None:
    async with connect(url(running)) as client:
        await client.subscribe(BOOK, LADDER, TRADES, depth=10)
        for _ in range(10):
            running.step()
        await caught_up(client, running, BOOK, LADDER)
        exact(running, client.books[BOOK], client.books[LADDER])
        assert client._socket is not None
        client._socket.transport.abort()
        for _ in range(10):
            running.step()
        await caught_up(client, running, BOOK, LADDER)
        exact(running, client.books[BOOK], client.books[LADDER])
        assert (client.counts.reconnects, client.counts.mismatches, client.counts.gaps) == (1, 0, 0)
        assert client.counts.resumed >= 2


async def test_a_book_that_does_not_match_its_checksum_is_asked_for_anew(running: Running) -> None:
    async with connect(url(running)) as client:
        await client.subscribe(BOOK, LADDER, depth=10)
        running.step(0, 100)
        await caught_up(client, running, BOOK, LADDER)
        client.books[BOOK]._sides[0]["99.77"] = ["99.77", "1"]
        async with asyncio.timeout(20):
            while not client.counts.mismatches:
                running.step(0, 0)
                await anext(client.messages())
        await caught_up(client, running, BOOK, LADDER)
        exact(running, client.books[BOOK], client.books[LADDER])


async def test_trades_come_one_by_one(running: Running) -> None:
    async with connect(url(running)) as client:
        await client.subscribe(TRADES)
        found: list[str] = []
        async with asyncio.timeout(20):
            async for message in client.of("trades"):
                running.step(2)
                found += [row[4] for row in message["x"]]
                if len(found) >= 4:
                    break
        assert found == [str(number) for number in range(int(found[0]), int(found[0]) + len(found))]


async def test_an_unknown_channel_is_an_error(running: Running) -> None:
    async with connect(url(running)) as client:
        await client.subscribe("book:x:Y")
        with pytest.raises(GatewayTrouble, match="book:x:Y: unknown channel"):
            await anext(client.changes())


@pytest.mark.parametrize(("code", "comes_back"), [(4008, True), (4001, True), (4401, False), (4429, False)])
async def test_close_codes_are_honoured(code: int, comes_back: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_transport, "wait_s", lambda *_: 0.0)
    visits = 0

    async def turn_away(connection: ServerConnection) -> None:
        nonlocal visits
        visits += 1
        await connection.close(code if visits < 3 else 4409)

    async with listen(turn_away, "127.0.0.1", 0, subprotocols=[client_transport.SUBPROTOCOL]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/") as client, asyncio.timeout(20):
            with pytest.raises(GatewayTrouble, match="for good"):
                await anext(client.messages())
    assert visits == (3 if comes_back else 1)


async def test_watch_prints_books(running: Running) -> None:
    async with asyncio.timeout(30):
        arguments = ["watch", "BTC-USDT", "--count", "1", "--url", url(running)]
        people = await asyncio.to_thread(CliRunner().invoke, main, arguments)
        lines = await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--json", "--venue", "kraken"])
    assert (people.exit_code, lines.exit_code) == (0, 0), people.output + lines.output
    assert "cbook:BTC-USDT" in people.output
    assert '"ch": "book:kraken:BTC-USDT"' in lines.output


def test_without_a_gateway_watch_says_so() -> None:
    told = CliRunner().invoke(main, ["watch", "BTC-USDT", "--url", f"ws://127.0.0.1:{free_port()}/ws/v1"])
    assert (told.exit_code, "no gateway answers" in told.output) == (1, True)
