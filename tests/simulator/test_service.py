"""The simulator over real sockets: each venue's stream, followed by its own book, equals the oracle."""

import asyncio
import json
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from simulator import service
from simulator.service import Address, Options, simulate
from tests.simulator.bench import CONSUMERS, PATHS, SYMBOLS, subscriptions
from tests.simulator.consumers import Binance, Bybit
from thalweg.errors import SettingsError
from thalweg.instruments import load_instruments

pytestmark = pytest.mark.anyio
INSTRUMENTS = ("BTC-USDT", "ETH-USDT", "DOGE-USD")
WAIT_S = 10.0


@asynccontextmanager
async def running(options: Options | None = None) -> AsyncIterator[int]:
    """Serve on a free port; gives it."""
    found: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(
        simulate(load_instruments().only(INSTRUMENTS), options or Options(), Address("127.0.0.1", 0), found.set_result)
    )
    try:
        yield (await asyncio.wait_for(found, WAIT_S)).port
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def open_socket(port: int, path: str, **more: Any) -> connect:
    """Open a WebSocket; its queue has no bound, since one that is full holds up the closing handshake."""
    settings = {"max_size": None, "max_queue": None, "compression": None, "proxy": None, "close_timeout": 1} | more
    return connect(f"ws://127.0.0.1:{port}{path}", **settings)


async def fetch(port: int, path: str) -> tuple[int, Any]:
    def get() -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=WAIT_S) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return await asyncio.to_thread(get)


async def control(port: int, **request: Any) -> dict[str, Any]:
    async with open_socket(port, "/control") as channel:
        await channel.send(json.dumps(request))
        answer: dict[str, Any] = json.loads(await channel.recv())
        return answer


async def follow_oracle(port: int, truth: dict[tuple[str, str, str], int], ready: asyncio.Event) -> None:
    async with open_socket(port, "/oracle") as oracle:
        async for text in oracle:
            ready.set()
            for venue, name, key, digest in json.loads(text)["o"]:
                truth[venue, name, key] = digest


async def follow_venue(port: int, venue: str, positions: list[tuple[str, str, str, int]], seconds: float) -> Any:
    consumer = CONSUMERS[venue]()
    listings = load_instruments().only(INSTRUMENTS).listings(venue)
    loop = asyncio.get_running_loop()
    async with open_socket(port, PATHS[venue]) as stream:
        for request in subscriptions(venue, listings):
            await stream.send(json.dumps(request))
        if isinstance(consumer, Binance):
            while len(consumer.books) < len(listings):
                consumer.read(str(await asyncio.wait_for(stream.recv(), WAIT_S)))
            for symbol in listings:
                _, book = await fetch(port, f"/binance/api/v3/depth?symbol={symbol}&limit=1000")
                reached = consumer.snapshot(symbol, json.dumps(book))
                positions += [(venue, listings[s].name, key, digest) for s, key, digest in reached]
        end = loop.time() + seconds
        while loop.time() < end:
            text = str(await asyncio.wait_for(stream.recv(), WAIT_S))
            positions += [(venue, listings[s].name, key, digest) for s, key, digest in consumer.read(text)]
    return consumer


async def test_every_venue_s_books_equal_the_oracle() -> None:
    truth: dict[tuple[str, str, str], int] = {}
    positions: list[tuple[str, str, str, int]] = []
    ready = asyncio.Event()
    async with running(Options(rate=1200.0)) as port:
        watcher = asyncio.ensure_future(follow_oracle(port, truth, ready))
        await asyncio.wait_for(ready.wait(), WAIT_S)
        consumers = await asyncio.gather(*(follow_venue(port, venue, positions, 2.0) for venue in CONSUMERS))
        async with asyncio.timeout(WAIT_S):
            while not all(one[:3] in truth for one in positions):
                await control(port, op="report")
        watcher.cancel()
    assert [consumer.gaps for consumer in consumers] == [[], [], [], []]
    assert sum(consumer.bad for consumer in consumers) == 0
    assert {one[0] for one in positions} == set(CONSUMERS)
    assert len(positions) > 500
    assert [one for one in positions if truth[one[:3]] != one[3]] == []


@pytest.mark.parametrize("venue", list(PATHS))
async def test_a_late_oracle_client_first_gets_where_every_book_is(venue: str) -> None:
    async with running(Options(rate=200.0, venues=(venue,))) as port, open_socket(port, PATHS[venue]) as stream:
        for request in subscriptions(venue, [SYMBOLS[venue]]):
            await stream.send(json.dumps(request))
        await collect(stream, lambda seen: len(seen) > 6)
        await control(port, op="pause")
        async with open_socket(port, "/oracle") as oracle:
            first = json.loads(await asyncio.wait_for(oracle.recv(), WAIT_S))["o"]
        assert [(one[0], one[1]) for one in first] == [(venue, "BTC-USDT")]


async def collect(stream: ClientConnection, enough: Callable[[list[str]], bool]) -> list[str]:
    seen: list[str] = []
    while not enough(seen):
        seen.append(str(await asyncio.wait_for(stream.recv(), WAIT_S)))
    return seen


async def test_http_and_unknown_paths() -> None:
    async with running() as port:
        assert (await fetch(port, "/binance/api/v3/exchangeInfo"))[1]["timezone"] == "UTC"
        assert (await fetch(port, "/bybit/v5/market/instruments-info?category=spot"))[1]["retCode"] == 0
        assert (await fetch(port, "/coinbase/api/v3/brokerage/market/products"))[1]["num_products"] == 3
        assert (await fetch(port, "/binance/api/v3/depth?symbol=NOPE"))[0] == 400
        for path in ("/", "/nowhere", "/kraken/v2", "/binance/api/v3/nothing"):
            assert (await fetch(port, path))[0] == 404
        with pytest.raises(InvalidStatus):
            async with open_socket(port, "/nowhere"):
                pass


async def test_control_reports_injects_and_stops() -> None:
    async with running(Options(rate=300.0)) as port, open_socket(port, PATHS["kraken"]) as stream:
        for request in subscriptions("kraken", ["BTC/USDT", "DOGE/USD"]):
            await stream.send(json.dumps(request))
        await collect(stream, lambda seen: len(seen) > 8)
        report = await control(port, op="report")
        assert report["books"] == 2
        assert report["frames"] > 8
        assert "error" in await control(port, op="dance")
        assert "error" in await control(port, op="inject", fault={"kind": "dance", "venue": "kraken"})
        assert "error" in await control(port, op="mute", venue="nowhere")
        await control(port, op="inject", fault={"kind": "cut", "venue": "kraken"})
        with pytest.raises(ConnectionClosed):
            await collect(stream, lambda _: False)
        (fault,) = (await control(port, op="report"))["faults"]
        assert (fault["kind"], fault["instruments"]) == ("cut", ["BTC-USDT", "DOGE-USD"])
        await control(port, op="stop")
        async with asyncio.timeout(WAIT_S):
            while listening(port):
                await asyncio.to_thread(listening, port)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_the_connection_is_closed_when_the_seconds_are_over() -> None:
    async with running(Options(seconds=0.3)) as port, open_socket(port, PATHS["kraken"]) as stream:
        with pytest.raises(ConnectionClosed):
            await collect(stream, lambda _: False)


async def test_binance_is_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.venues.binance.PING_NS", 10**8)
    pinged = asyncio.Event()
    async with running() as port, open_socket(port, PATHS["binance"]) as stream:
        take = stream.protocol.recv_frame

        def watch(frame: Frame) -> None:
            if frame.opcode is Opcode.PING:
                pinged.set()
            take(frame)

        monkeypatch.setattr(stream.protocol, "recv_frame", watch)
        await asyncio.wait_for(pinged.wait(), WAIT_S)


async def test_a_client_that_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "QUEUE_BYTES", 64 * 1024)
    async with running(Options(rate=4000.0)) as port:
        loop = asyncio.get_running_loop()
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await loop.sock_connect(raw, ("127.0.0.1", port))
        async with open_socket(port, PATHS["coinbase"], sock=raw, max_queue=1) as stream:
            stream.transport.pause_reading()
            for request in subscriptions("coinbase", ["BTC-USDT", "ETH-USDT", "DOGE-USD"]):
                await stream.send(json.dumps(request))
            async with asyncio.timeout(WAIT_S):
                while (await control(port, op="report"))["books"] != 3:
                    pass
                for _ in range(200):  # whole books, again and again
                    await stream.send(json.dumps(subscriptions("coinbase", ["BTC-USDT"])[1]))
                while (await control(port, op="report"))["books"]:
                    pass
            stream.transport.abort()


async def test_a_port_in_use_is_one_clear_error() -> None:
    async with running() as port:
        with pytest.raises(SettingsError, match=f"can't listen on 127.0.0.1:{port}: "):
            await simulate(load_instruments(), Options(), Address("127.0.0.1", port))


async def test_a_script_happens_over_real_sockets(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text("[schedule]\nlatest_s = 0.3\n[[fault]]\nkind = 'drop'\nvenue = 'bybit'\n", encoding="utf-8")
    consumer = Bybit()
    async with running(Options(faults=str(script))) as port, open_socket(port, PATHS["bybit"]) as stream:
        for request in subscriptions("bybit", ["BTCUSDT"]):
            await stream.send(json.dumps(request))
        async with asyncio.timeout(WAIT_S):
            while not consumer.gaps:
                consumer.read(str(await stream.recv()))
        (fault,) = (await control(port, op="report"))["faults"]
    assert (fault["kind"], fault["instruments"], fault["expect"]) == ("drop", ["BTC-USDT"], "gap")


async def test_a_venue_in_maintenance_refuses_handshakes_and_requests_and_the_report_counts_them() -> None:
    async with running(Options(rate=200.0)) as port, open_socket(port, PATHS["binance"]) as stream:
        await control(port, op="inject", fault={"kind": "maintenance", "venue": "binance", "seconds": 60})
        with pytest.raises(ConnectionClosed) as closed:
            await stream.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        with pytest.raises(InvalidStatus) as refused:
            async with open_socket(port, PATHS["binance"]):
                pass
        assert refused.value.response.status_code == 503
        assert (await fetch(port, "/binance/api/v3/exchangeInfo"))[0] == 503
        meter = (await control(port, op="report"))["meters"]["binance"]
        assert (meter["connects"], meter["refused_handshakes"], meter["open"], meter["rest_calls"]) == (2, 1, 0, 1)


@pytest.mark.parametrize(("kind", "code"), [("oversized", 1009), ("compressed", 1002), ("garbage", None)])
async def test_a_frame_that_can_t_be_taken_ends_the_socket_or_is_bytes(kind: str, code: int | None) -> None:
    async with (
        running(Options(rate=500.0, venues=("bybit",))) as port,
        open_socket(port, PATHS["bybit"], max_size=2**20) as stream,
    ):
        await stream.send(json.dumps(subscriptions("bybit", ["BTCUSDT"])[0]))
        await control(port, op="inject", fault={"kind": kind, "venue": "bybit", "amount": 2, "instruments": ["*"]})
        async with asyncio.timeout(WAIT_S):
            if code is None:
                while isinstance(await stream.recv(), str):
                    pass
                return
            await stream.wait_closed()
        assert stream.protocol.close_sent is not None
        assert stream.protocol.close_sent.code == code
