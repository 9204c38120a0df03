"""Whole workers on a real server and a toy venue: they share its shards, and hand them over without a break."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from ingest import beats, express, service, sink
from ingest.service import Worker
from tests.ingest.hand import until
from tests.ingest.judging import followed, judge
from tests.ingest.toy import TOY, delta, whole
from thalweg import instant, kernels, scan
from thalweg.clock import SystemClock
from thalweg.conserve import check_ingest
from thalweg.events import Event, Status
from thalweg.instruments import Instrument, Instruments, shard_of
from thalweg.lease import rank
from thalweg.settings import Settings, load_settings
from thalweg.wire import decode_entry

pytestmark = pytest.mark.anyio
NAMES = ["BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "ADA-USDT", "DOGE-USDT"]
STEP_S = 0.005


class Toys:
    """A venue of a few books; every connection that subscribes is told the same changes."""

    def __init__(self) -> None:
        self.last = 1
        self.bids = {100: 1}
        self.sockets: dict[ServerConnection, list[str]] = {}

    async def talk(self, socket: ServerConnection) -> None:
        """Serve one connection."""
        async for text in socket:
            word, *symbols = str(text).split()
            if word == "subscribe":
                bids = [[price, size] for price, size in sorted(self.bids.items(), reverse=True)]
                for symbol in symbols:
                    await socket.send(frame(whole(self.last, bids=bids, symbol=symbol)))
                self.sockets[socket] = symbols

    async def tick(self) -> None:
        """Change every book for ever."""
        while True:
            await asyncio.sleep(STEP_S)
            self.last += 1
            price = 90 + self.last % 11
            self.bids[price] = self.last
            for socket, symbols in [*self.sockets.items()]:
                try:
                    for symbol in symbols:
                        change = delta(self.last, self.last, bids=[[price, self.last]], symbol=symbol)
                        trade = {"kind": "trade", "symbol": symbol, "number": self.last}
                        await socket.send(frame(change, trade))
                except ConnectionClosed:
                    self.sockets.pop(socket, None)


def frame(*messages: dict[str, Any]) -> str:
    return json.dumps({"messages": messages, "sequence": None})


@asynccontextmanager
async def venue(redis_url: str) -> AsyncIterator[Settings]:
    """Run the venue and give the settings of its workers."""
    kernels.warm()
    toys = Toys()
    instruments = Instruments({name: Instrument(name, 8, 8, {"toy": name.partition("-")[0]}) for name in NAMES})
    async with serve(toys.talk, "127.0.0.1", 0) as server, asyncio.TaskGroup() as group:
        port = next(iter(server.sockets)).getsockname()[1]
        ticking = group.create_task(toys.tick())
        yield Settings(instruments, redis_url=redis_url, endpoints={("toy", "ws"): f"ws://127.0.0.1:{port}"})
        ticking.cancel()


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[tuple[Worker, asyncio.Task[None]]]:
    """Run a worker until the end of the block, or until its task is cancelled."""
    worker = Worker(settings, TOY, SystemClock())
    task = asyncio.create_task(worker.run())
    try:
        yield worker, task
    finally:
        await stop(task)


async def stop(task: asyncio.Task[None]) -> float:
    """Stop a worker as a signal does, and say how long it took."""
    began = time.monotonic()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return time.monotonic() - began


def owned(worker: Worker) -> int:
    return sum(shard.sink.owning for shard in worker.shards.values())


def fair(worker: Worker, *others: Worker) -> int:
    """Give how many shards are a worker's once all have found their place."""
    members = frozenset(one.me for one in (worker, *others))
    return sum(rank("toy", number, members)[0] == worker.me for number in worker.shards)


def ready(*workers: Worker) -> bool:
    """Whether every shard has an owner, and every worker has some and is warm in what else it stands by for."""
    shards = len({shard_of(name) for name in NAMES})
    return sum(map(owned, workers)) == shards and all(
        shard.warm for worker in workers for shard in worker.shards.values() if shard.line is not None
    )


def streams(server: Any) -> dict[str, list[Event]]:
    """Give the events of every stream."""
    return {
        name: [decode_entry("toy", name, fields)[0] for _, fields in server.xrange(f"st:{{{name}}}:toy")]
        for name in NAMES
    }


def assert_conserved(server: Any, workers: Sequence[Worker]) -> None:
    """Check each worker's own equation, and all of them against the server."""
    reports: list[Any] = [worker.report() for worker in workers]
    assert [fault for report in reports for fault in check_ingest("toy", report)] == []
    added = sum(server.xinfo_stream(f"st:{{{name}}}:toy")["entries-added"] for name in NAMES)
    assert added == sum(report["appended"] for report in reports)


async def test_workers_share_a_venue_and_hand_over_what_they_leave(redis_url: str, server: Any) -> None:
    async with venue(redis_url) as settings, working(settings) as (first, leaving):
        await until(lambda: ready(first))
        async with working(settings) as (second, staying), working(settings) as (third, last):
            await until(lambda: all(server.zcard(f"workers:{{{shard}}}:toy") == 3 for shard in first.shards))
            await until(lambda: owned(first) == fair(first, second, third) and ready(first, second, third))
            await stop(leaving)
            assert owned(first) == 0
            await until(lambda: ready(second, third))
            await stop(last)
            await until(lambda: ready(second))
            at = {name: len(events) for name, events in streams(server).items()}
            await until(lambda: all(len(events) > at[name] + 20 for name, events in streams(server).items()))
            assert await stop(staying) < 1.5
    assert_conserved(server, [first, second, third])
    for events in streams(server).values():
        stopped = events.pop()
        assert isinstance(stopped, Status)
        assert stopped.reason == "ingest stopped"
        judge(events)
        followed(events)
    assert any(isinstance(event, Status) and event.follows for events in streams(server).values() for event in events)
    assert server.keys("lease:*") == []
    assert server.keys("workers:*") == []


async def test_a_lone_worker_stops_at_once(redis_url: str, server: Any) -> None:
    async with venue(redis_url) as settings, working(settings) as (only, task):
        await until(lambda: ready(only))
        assert await stop(task) < 1.0
    assert_conserved(server, [only])
    assert server.keys("lease:*") == []


async def test_a_shard_that_has_stopped_begins_nothing_while_another_still_stops(
    redis_url: str, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "RING_S", 0.01)
    async with venue(redis_url) as settings, working(settings) as (only, task):
        await until(lambda: ready(only))
        epochs = {number: shard.sink.epoch for number, shard in only.shards.items()}
        slow = next(iter(only.shards.values())).sink
        drain = slow.drain

        async def drain_late(timeout_s: float) -> None:
            await drain(timeout_s)
            await asyncio.sleep(0.5)  # as long as a connection takes to be made again, several times over

        monkeypatch.setattr(slow, "drain", drain_late)
        await stop(task)
        assert {number: shard.sink.epoch for number, shard in only.shards.items()} == epochs
    assert_conserved(server, [only])
    assert server.keys("lease:*") == []


async def test_a_worker_that_loses_redis_takes_its_shards_again(redis_url: str, server: Any) -> None:
    async with venue(redis_url) as settings, working(settings) as (only, task):
        await until(lambda: ready(only))
        epochs = [shard.sink.epoch for shard in only.shards.values()]
        for _ in range(3):
            server.client_kill_filter(_type="normal", skipme=True)
            await asyncio.sleep(0)
        await until(
            lambda: all(shard.sink.epoch > old for shard, old in zip(only.shards.values(), epochs, strict=True))
        )
        await until(lambda: ready(only))
        await stop(task)
    assert_conserved(server, [only])
    for events in streams(server).values():
        judge(events[:-1])


async def test_a_bug_in_one_task_ends_the_worker_at_once(redis_url: str, server: Any, monkeypatch: Any) -> None:
    async with venue(redis_url) as settings:
        worker = Worker(settings, TOY, SystemClock())
        began = time.monotonic()

        async def broken() -> None:
            raise ArithmeticError

        monkeypatch.setattr(next(iter(worker.shards.values())).sink, "run", broken)
        with pytest.raises(ExceptionGroup):
            await worker.run()
        assert time.monotonic() - began < 1.0


async def test_everything_compiled_is_loaded_before_the_worker_opens_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for module in (kernels, scan, instant, beats, express):
        monkeypatch.setattr(module, "warm", partial(done.append, module.__name__))

    async def run(worker: Worker) -> None:
        done.append("run")

    monkeypatch.setattr(Worker, "run", run)
    await service.serve(load_settings({}), "kraken")
    assert done == ["thalweg.kernels", "thalweg.scan", "thalweg.instant", "ingest.beats", "ingest.express", "run"]
