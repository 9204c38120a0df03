"""The listener of a service that serves nothing else: `/metrics` and `/healthz`, for scrapers and health checks.

It is off unless `THALWEG_METRICS` says where to listen; its HTTP is that of the library which also speaks WebSocket.
Health is progress: a service that waits for Redis or a venue is well, one that has stopped working is not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from thalweg.errors import SettingsError
from thalweg.probe.measure import Distribution, Measure
from thalweg.probe.sink import MEDIA, Exposition
from thalweg.settings import Address

OPEN_S = 5.0  # for a client to say what it wants
CLIENTS = 32  # at once; more are refused

Read = Callable[[], Iterable[Measure | Distribution]]
Health = Callable[[], Sequence[str]]
"""Gives the reasons why a service does not get on; none if it does."""


@asynccontextmanager
async def probe(address: Address | None, read: Read, health: Health) -> AsyncIterator[None]:
    """Listen while the block runs; does nothing without an address.

    Raises:
        SettingsError: the address can't be had.
    """
    if address is None:
        yield
        return
    exposition, room = Exposition(read), asyncio.Semaphore(CLIENTS)

    async def answer(connection: ServerConnection, request: Request) -> Response:
        if room.locked():
            return _response(HTTPStatus.SERVICE_UNAVAILABLE, b"too many clients\n")
        async with room:
            return _answer(request.path.partition("?")[0], exposition, health)

    try:
        server = await serve(
            _never, address.host, address.port, process_request=answer, compression=None, ping_interval=None,
            open_timeout=OPEN_S, close_timeout=1, max_size=1, logger=_quiet(),
        )  # fmt: skip
    except OSError as error:
        raise SettingsError(f"THALWEG_METRICS: {address} can't be had: {error.strerror}") from error
    async with server:
        yield


def _answer(path: str, exposition: Exposition, health: Health) -> Response:
    if path == "/metrics":
        return _response(HTTPStatus.OK, exposition.text(), MEDIA)
    if path == "/healthz":
        why = list(health())
        body = orjson.dumps({"status": "STUCK" if why else "OK", "why": why})
        return _response(HTTPStatus.SERVICE_UNAVAILABLE if why else HTTPStatus.OK, body, "application/json")
    return _response(HTTPStatus.NOT_FOUND, b"here are /metrics and /healthz\n")


def _response(status: HTTPStatus, body: bytes, media: str = "text/plain; charset=utf-8") -> Response:
    headers = Headers({"Content-Type": media, "Content-Length": str(len(body)), "Connection": "close"})
    return Response(status.value, status.phrase, headers, body)


async def _never(connection: ServerConnection) -> None:
    """Serve no WebSocket: every request is answered before."""


def _quiet() -> logging.Logger:
    """Give a logger that says nothing of clients that misbehave."""
    logger = logging.getLogger("thalweg.probe.websockets")
    logger.setLevel(logging.CRITICAL)
    return logger
