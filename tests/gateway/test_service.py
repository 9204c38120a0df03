from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from websockets.frames import Frame
from websockets.typing import Subprotocol

from gateway.hub import Arrival
from gateway.service import sample, serve
from gateway.transport import FanoutProtocol
from tests.gateway.client import Reader
from tests.gateway.publications import Maker, instruments
from tests.gateway.redis_side import PATIENCE_S, Aggregator, until
from tests.gateway.test_topics import expected_book, expected_ladder
from thalweg import keys
from thalweg.errors import SettingsError
from thalweg.latency import Rings
from thalweg.settings import Settings

pytestmark = pytest.mark.anyio
BOOK, LADDER, TRADES = "book:kraken:BTC-USDT", "cbook:BTC-USDT", "trades:*:BTC-USDT"


class Running:
    """A whole gateway in this process: a real server, real sockets."""

    def __init__(self, url: str, folder: Path) -> None:
        self.aggregator = Aggregator(url)
        self.maker = Maker()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.settings = Settings(instruments(), redis_url=url, report=folder / "report.json", port=self.port)
        self.aggregator.publish(self.maker.key())

    def step(self, trades: int = 1, changes: int = 6) -> None:
        self.aggregator.publish(self.maker.delta(changes, trades))
        self.aggregator.beat(self.maker)

    async def is_followed(self) -> None:
        """Wait until the gateway has subscribed."""
        await until(lambda: self.aggregator.client.pubsub_numsub(keys.HEARTBEAT)[0][1])

    @asynccontextmanager
    async def client(self, *channels: str, **options: Any) -> AsyncIterator[Client]:
        request = {"op": "subscribe", "id": 1, "ch": channels, "depth": 10}
        async with connect(
            f"ws://127.0.0.1:{self.port}/ws/v1", subprotocols=[Subprotocol("thalweg.v1+json")], **options
        ) as one:
            if channels:
                await one.send(orjson.dumps(request).decode())
            yield Client(one)


class Client:
    """A real WebSocket client."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.reader = Reader()

    async def read(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            self.reader.take(await self.connection.recv())

    async def read_on(self) -> None:
        """Read until the connection ends."""
        while True:
            await self.read()

    async def ask(self, op: str) -> Any:
        await self.connection.send(orjson.dumps({"op": op, "id": 9}).decode())
        while not self.reader.of(op):
            await self.read()
        return self.reader.of(op)[-1]


@asynccontextmanager
async def serving(one: Running) -> AsyncIterator[Running]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve(one.settings, one.listener))
        await one.is_followed()
        yield one
        task.cancel()


@pytest.fixture
def running(redis_url: str, tmp_path: Path) -> Running:
    return Running(redis_url, tmp_path)


async def test_what_is_published_is_what_a_browser_has(running: Running) -> None:
    async with serving(running), running.client(BOOK, LADDER, TRADES, "status", "metrics") as client:
        for _ in range(40):
            running.step()
            await asyncio.sleep(0)
        books = client.reader.books
        while not {BOOK, LADDER} <= set(books) or {books[BOOK].s, books[LADDER].s} != {running.maker.seq}:
            running.step(0)
            await client.read()
        assert books[BOOK].ranked() == expected_book(running.maker, "kraken", 10)
        assert books[LADDER].ranked() == expected_ladder(running.maker, 10)
        assert client.reader.messages[0]["t"] == "hello"
        assert client.reader.messages[1]["t"] == "ack"
        while not client.reader.of("metrics") or not client.reader.of("metrics")[-1]["hops"]:
            running.step()
            await client.read()
        hops = {one["hop"] for one in client.reader.of("metrics")[-1]["hops"]}
        assert {"pubsub", "hold", "fanout", "total"} <= hops
        stats = (await client.ask("stats"))["ch"]
        assert {one["to"] - one["from"] - one["merged"] - one["skipped"] for one in stats.values()} == {0}
        trades = [row[4] for one in client.reader.of("trades") for row in one["x"]]
        assert trades == [str(n) for n in range(int(trades[0]), int(trades[0]) + len(trades))]


async def test_a_client_that_does_not_read_harms_nobody_and_recovers(running: Running) -> None:
    running.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
    narrow = socket.create_connection(("127.0.0.1", running.port))
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    async with (
        serving(running),
        running.client(BOOK, TRADES) as healthy,
        running.client(BOOK, TRADES, sock=narrow, max_queue=1, compression=None) as stalled,
    ):
        while healthy.reader.books.get(BOOK) is None or healthy.reader.books[BOOK].merged < 12:
            running.step(trades=2000)
            await healthy.read()
        assert healthy.reader.books[BOOK].snapshots == 1
        while not stalled.reader.of("lag"):
            await stalled.read()
        while stalled.reader.books[BOOK].s != running.maker.seq:
            running.step(0)
            await stalled.read()
        assert stalled.reader.books[BOOK].snapshots == 2
        assert stalled.reader.books[BOOK].ranked() == expected_book(running.maker, "kraken", 10)
        assert sum(one["drop"] for one in stalled.reader.of("trades")) > 0


class Observed(ClientPerMessageDeflateFactory):
    """Offers compression, and notes of every data frame whether it came compressed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.compressed: list[bool] = []

    def process_response_params(self, *agreed: Any) -> PerMessageDeflate:
        extension = super().process_response_params(*agreed)
        decode = extension.decode

        def noted(frame: Frame, *, max_size: int | None = None) -> Frame:
            self.compressed.append(frame.rsv1)
            return decode(frame, max_size=max_size)

        extension.decode = noted  # type: ignore[method-assign]
        return extension


@pytest.mark.parametrize(
    ("offer", "compressed"),
    [(Observed(), True), (Observed(server_max_window_bits=9), False), (None, False)],
    ids=["compressed", "plain, as its window is smaller than ours", "plain, as it offers none"],
)
async def test_every_kind_of_client_gets_the_same(running: Running, offer: Observed | None, compressed: bool) -> None:
    options: dict[str, Any] = {"extensions": [offer]} if offer else {"compression": None}
    async with serving(running), running.client(BOOK, LADDER, "status", **options) as client:
        books = client.reader.books
        while len(books) < 2 or books[BOOK].merged < 20:
            running.step()
            await client.read()
        while {books[BOOK].s, books[LADDER].s} != {running.maker.seq}:
            running.step(0)
            await client.read()
        assert books[BOOK].ranked() == expected_book(running.maker, "kraken", 10)
        assert books[LADDER].ranked() == expected_ladder(running.maker, 10)
        assert (books[BOOK].snapshots, books[BOOK].skipped) == (1, 0)
    assert (offer is not None and any(offer.compressed)) is compressed


async def test_a_request_that_is_too_big_ends_the_connection(running: Running) -> None:
    async with serving(running), running.client() as client:
        await client.connection.send("x" * 20_000)
        with pytest.raises(ConnectionClosed) as closed:
            await client.read_on()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_a_client_that_is_connected_keeps_no_task_and_one_that_left_nothing(running: Running) -> None:
    async with serving(running):
        others = weakref.WeakSet(connections())
        async with running.client(BOOK) as client:
            await client.read()
            tasks = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]  # of ours all have one
            assert not [name for name in tasks if "run_asgi" in name]
            (seen,) = [weakref.ref(one) for one in connections() if one not in others]
        await until(lambda: gc.collect() >= 0 and seen() is None)


def connections() -> list[FanoutProtocol]:
    """All connections that anything knows of."""
    return [one for one in gc.get_objects() if type(one) is FanoutProtocol]


async def test_a_flood_ends_the_connection(running: Running) -> None:
    async with serving(running), running.client() as client:
        for _ in range(60):
            await client.connection.send('{"op":"list","id":1}')
        with pytest.raises(ConnectionClosed) as closed:
            await client.read_on()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4409
    assert len(client.reader.of("list")) == 20


async def test_a_page_of_another_origin_is_refused_without_a_line_in_the_log(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(running):
        with pytest.raises(InvalidStatus) as refused:
            async with running.client(origin="http://evil.example"):
                pass
    assert refused.value.response.status_code == 403
    assert "handshake" not in caplog.text
    assert "default-src 'none'" in refused.value.response.headers["content-security-policy"]


async def test_a_silent_aggregator_makes_all_books_stale(running: Running) -> None:
    async with serving(running), running.client(BOOK, "status") as client:
        while BOOK not in client.reader.books or client.reader.books[BOOK].state != "live":
            running.step()
            await client.read()
        while client.reader.books[BOOK].state != "stale":
            await client.read()
        last = [one for one in client.reader.of("status") if one.get("sys") == "aggregator"][-1]
        assert (last["st"], last["why"]) == ("down", "no heartbeat for over 750 ms")


async def test_a_port_that_is_taken_is_a_wrong_setting(running: Running) -> None:
    with pytest.raises(SettingsError, match=r"can't listen on 127\.0\.0\.1:\d+: Address already in use$"):
        await serve(running.settings)
    running.listener.close()


def test_every_hop_of_a_publication_is_sampled() -> None:
    rings = Rings("pubsub", "hold", "fanout", "total")
    sample(rings, [Arrival(100, 200, 250), Arrival(None, None, 300)], ts_tick=1000, ts_done=1700)
    assert rings.samples() == {"pubsub": [50], "hold": [750, 700], "fanout": [700, 700], "total": [1600]}


def test_the_service_runs_without_numba() -> None:
    code = "import sys, gateway.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "gateway.service" in loaded
    assert {"numba", "llvmlite", "thalweg.kernels", "thalweg.book"}.isdisjoint(loaded)
