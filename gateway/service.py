"""The gateway as a process: uvicorn, the source of publications, and the ticks."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import uvicorn

from gateway.answers import heartbeat
from gateway.app import Gateway, make_app
from gateway.channels import TICK_MS
from gateway.hub import Arrival
from gateway.joined import Joined
from gateway.protocol import HEARTBEAT_MS, REQUEST_BYTES
from gateway.rest.app import measured
from gateway.rest.system import health
from gateway.sink import Board
from gateway.source import Source, now
from gateway.transport import TURNS, FanoutProtocol, HandshakeProtocol, say_farewell
from thalweg.address import Form, parse_address
from thalweg.errors import SettingsError
from thalweg.instruments import SHARDS, shard_of
from thalweg.latency import Rings
from thalweg.loop.service import watch
from thalweg.probe.service import probe
from thalweg.service import write_report
from thalweg.settings import Settings

LOG = logging.getLogger(__name__)
TICK_S = TICK_MS / 1000
TICKS_PER_HEARTBEAT = HEARTBEAT_MS // TICK_MS
SESSIONS_AT_ONCE = 64  # clients written to before others get a turn: 64 take about 1.5 ms
CLEAR_S = 0.003  # before a tick nobody is read any more: two turns of the slowest requests
AWAY_MS = (500, 3000)  # when clients may come back after a stop: spread, so that they don't come all at once
ENDED_BY_US = ("completing handshake", "Invalid HTTP request", "completing response", "shutdown exceeded")
KERNEL_BYTES = 64 * 1024  # of one client, that the kernel takes and has not sent: by itself it would take 4 MiB
STOP_S = 1  # clients that have not closed by then are cut off; less than any supervisor waits for us


async def serve(settings: Settings, listener: socket.socket | None = None) -> None:
    """Serve until cancelled; then say farewell to all clients and write the report.

    Args:
        settings: where to listen and where Redis is.
        listener: a bound socket to use instead of `settings.host` and `settings.port`.

    Raises:
        SettingsError: the address can't be listened on, or the Redis URL is not one.
    """
    gateway = Gateway(settings)
    news = asyncio.Event()
    sources = [Source(settings.redis_url, gateway.hub, names, news) for names in parts_of(settings)]
    rings = gateway.rings
    board = Board(settings, gateway.hub, rings)
    gateway.capabilities, gateway.uptimes = board.capabilities, board.uptimes
    gateway.records = partial(records, sources)
    listener = listener or _bind(settings.host, settings.port)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_BYTES)
    server = _server(gateway)
    await server.startup(sockets=[listener])
    LOG.info("listening on http://%s:%d/", *listener.getsockname()[:2])
    try:
        async with probe(settings.metrics, lambda: measured(gateway), lambda: _health(gateway)):
            with watch(rings["loop"]):
                await _work(gateway, sources, news, board, server)
    finally:
        write_report(settings.report, _report(gateway, sources, rings))  # no client may keep us from it
        for session in list(gateway.sessions):
            say_farewell(session.outbox.wire, random.randint(*AWAY_MS))
        await server.shutdown(sockets=[listener])


async def _work(
    gateway: Gateway, sources: Sequence[Source], news: asyncio.Event, board: Board, server: uvicorn.Server
) -> None:
    """Do everything side by side until cancelled."""
    async with asyncio.TaskGroup() as group:
        for source in sources:
            group.create_task(source.follow())
        group.create_task(tick(gateway, gateway.rings, writing := asyncio.Lock()))
        group.create_task(deliver(gateway, news, writing))
        group.create_task(board.run())
        group.create_task(server.main_loop())


def _health(gateway: Gateway) -> list[str]:
    """Give why the gateway does not get on, if so."""
    return health(gateway.hub, gateway.progress_ns, now())[1]["why"]


def _bind(host: str, port: int) -> socket.socket:
    """Listen, or say what is in the way.

    Raises:
        SettingsError: the address is not ours, or the port is taken.
    """
    try:
        return socket.create_server((host.strip("[]"), port), family=_family(host), backlog=1024)
    except OSError as error:
        raise SettingsError(f"can't listen on {host}:{port}: {os.strerror(error.errno or 0)}") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out what uvicorn says of what we end on purpose: anyone could fill the log so."""
    return not any(end in record.getMessage() for end in ENDED_BY_US)


def _server(gateway: Gateway) -> uvicorn.Server:
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    config = uvicorn.Config(
        make_app(gateway),
        http=HandshakeProtocol,
        ws=FanoutProtocol,
        ws_max_size=REQUEST_BYTES,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_S,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    return server


async def tick(gateway: Gateway, rings: Rings, writing: asyncio.Lock) -> None:
    """Step the topics and write to every client each 100 ms, for ever; a tick that comes late is not made up for.

    `writing` is held until all clients have this tick's frames: none may get a later one before.
    """
    start = time.monotonic()
    beats = 0
    while True:
        number = int((time.monotonic() - start) / TICK_S) + 1
        wait_s = start + number * TICK_S - time.monotonic()
        holding = asyncio.get_running_loop().call_later(max(wait_s - CLEAR_S, 0), TURNS.hold)
        try:
            await asyncio.sleep(wait_s)
            at = now()
            gateway.progress_ns = at.monotonic
            arrivals, gateway.hub.arrivals = gateway.hub.arrivals, []
            text = b""
            if number // TICKS_PER_HEARTBEAT > beats:
                beats = number // TICKS_PER_HEARTBEAT
                text = heartbeat(beats, at.micros)
            async with writing:
                await _write(gateway, Joined(gateway.hub.tick(number, at), text, at))
        finally:  # also when this is the last one: clients are to hear the farewell, and to answer it
            holding.cancel()
            TURNS.release()
        sample(rings, arrivals, at.wall, time.time_ns())


async def _write(gateway: Gateway, joined: Joined) -> None:
    """Write a tick's frames to all clients, a part at a time."""
    for count, session in enumerate(list(gateway.sessions), 1):
        session.flush(joined)
        if count % SESSIONS_AT_ONCE == 0:
            await asyncio.sleep(0)


async def deliver(gateway: Gateway, news: asyncio.Event, writing: asyncio.Lock) -> None:
    """Write to those who asked for the raw rate whenever publications have come, for ever: all that waited at once."""
    while True:
        await news.wait()
        news.clear()
        async with writing:
            gateway.hub.deliver(now())


def sample(rings: Rings, arrivals: Sequence[Arrival], ts_tick: int, ts_done: int) -> None:
    """Write the hops of every publication that this tick has sent into the rings."""
    for one in arrivals:
        if one.ts_published is not None:
            rings["pubsub"].add(one.ts_received - one.ts_published)
        rings["hold"].add(ts_tick - one.ts_received)
        rings["fanout"].add(ts_done - ts_tick)
        if one.ts_recv is not None:
            rings["total"].add(ts_done - one.ts_recv)


def parts_of(settings: Settings) -> list[list[str]]:
    """Give the instruments that share a source: in a Cluster those of a shard, else all."""
    names = list(settings.instruments.by_name)
    if parse_address(settings.redis_url).form is not Form.CLUSTER:
        return [names]
    parts = [[name for name in names if shard_of(name) == shard] for shard in range(SHARDS)]
    return [part for part in parts if part]


def records(sources: Sequence[Source]) -> dict[str, int]:
    """Give how many records were not simply the next one, by what they were."""
    told = [source.counters() for source in sources]
    return {name: sum(one[name] for one in told) for name in told[0]}


def _report(gateway: Gateway, sources: Sequence[Source], rings: Rings) -> dict[str, Any]:
    instruments = gateway.hub.report()
    return {
        "service": "gateway",
        "instruments": instruments,
        "received": sum(one["received"] for one in instruments.values()),
        "refilled": sum(one["refilled"] for one in instruments.values()),
        **records(sources),
        "samples": rings.samples(),
    }
