"""Stands in for venues with what they once sent: a WebSocket and HTTP server on loopback that plays captures.

A client that connects to `/VENUE...` is played one recorded connection of that venue, from its beginning: the one in
which most of the client's first frames were said, of several the one played least. What else it says is ignored.
HTTP requests are answered with the recorded answers of the same path and symbol, one after the other, the last one
again and again.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from time import monotonic
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from thalweg.capture import Line, parse_line
from thalweg.cli.reading import CaptureFile
from thalweg.errors import CaptureError

GREETING_S = 0.5  # in which a client's subscriptions are heard
INSTANT = re.compile(rb"\d{9,}")  # seconds or less since the epoch
BURST = 200  # frames sent flat out before others get a turn


@dataclass(slots=True)
class Recorded:
    """One recorded connection: what was sent, what came, and how often it was played.

    The first `greeting` lines came before anything was said.
    """

    said: set[bytes] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)
    played: int = 0
    greeting: int = 0


@dataclass(slots=True)
class Tape:
    """One venue's capture; `answers` are HTTP answers by path and symbol."""

    connections: dict[int, Recorded] = field(default_factory=lambda: defaultdict(Recorded))
    answers: dict[tuple[str, str], list[Line]] = field(default_factory=lambda: defaultdict(list))

    def greeting(self) -> list[Line]:
        """Give what came before anything was said, for a client that waits for it."""
        return next((one.lines[: one.greeting] for one in self.connections.values() if one.greeting), [])

    def choose(self, said: set[bytes]) -> Recorded | None:
        """Give the connection to play to a client that said this; `None` if there is none to play."""
        playable, said = [one for one in self.connections.values() if one.lines], set(map(_timeless, said))
        chosen = max(playable, key=lambda one: (len(one.said & said), -one.played), default=None)
        if chosen is not None:
            chosen.played += 1
        return chosen

    def answer(self, url: str) -> Line | None:
        """Give the next recorded answer to a request, or the last one again."""
        known = self.answers.get(_request(url), [])
        return known.pop(0) if len(known) > 1 else next(iter(known), None)


def load_tape(files: Iterable[CaptureFile]) -> Tape:
    """Read the parts of a capture, in order, into memory.

    Raises:
        CaptureError: a line is not in the capture format, or a file is damaged.
        SettingsError: a file can't be read.
    """
    tape = Tape()
    for file in files:
        for number, text in enumerate(file, 1):
            try:
                line = parse_line(text)
            except CaptureError as error:
                raise CaptureError(f"{file.path}, line {number}: {error}") from error
            if line is not None:
                _put(tape, line)
    return tape


def _put(tape: Tape, line: Line) -> None:
    one = tape.connections[line.connection]
    if line.direction == "h" and line.url is not None:
        tape.answers[_request(line.url)].append(line)
    elif line.direction == ">":
        one.greeting = one.greeting if one.said else len(one.lines)
        one.said.add(_timeless(line.data))
    elif line.direction in ("<", "x"):
        one.lines.append(line)


def _timeless(frame: bytes) -> bytes:
    """Give a frame without the instant that some venues want in it."""
    return INSTANT.sub(b"", frame)


def _request(url: str) -> tuple[str, str]:
    """Give what tells requests apart: the last part of the path, and the symbol."""
    parts = urlsplit(url)
    return parts.path.rstrip("/").rpartition("/")[2], ",".join(parse_qs(parts.query).get("symbol", []))


class Player:
    """Plays tapes by venue; `speed` 1 is their own pace, 0 as fast as they are read."""

    def __init__(self, tapes: dict[str, Tape], speed: float) -> None:
        """Prepare; `run` listens."""
        self.frames = 0
        self._tapes = tapes
        self._speed = speed
        self._playing = 0
        self._played = 0
        self._ended = asyncio.Event()

    async def run(self, port: int, ready: Callable[[], None]) -> None:
        """Listen on loopback until cancelled.

        Raises:
            OSError: the port is taken.
        """
        async with serve(
            self._serve, "127.0.0.1", port, process_request=self._respond, compression=None, ping_interval=None
        ) as server:
            ready()
            await server.serve_forever()

    async def over(self, clients: int) -> None:
        """Wait until that many clients were played to the end, and nobody is being played to."""
        while self._playing or self._played < clients:
            self._ended.clear()
            await self._ended.wait()

    async def _serve(self, socket: ServerConnection) -> None:
        """Play one connection, then stay until the client goes."""
        tape = self._tapes.get(_venue(socket.request.path if socket.request else ""))
        said = await _hear(socket)
        greeting = tape.greeting() if tape is not None and not said else []
        if greeting:
            with suppress(ConnectionClosed):
                await self._play(socket, greeting)
            said = await _hear(socket)
        recorded = tape.choose(said) if tape is not None else None
        if recorded is None:
            return
        self._playing += 1
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_ignore(socket))
            try:
                await self._play(socket, recorded.lines[recorded.greeting if greeting else 0 :])
            except ConnectionClosed:
                pass
            finally:
                self._playing, self._played = self._playing - 1, self._played + 1
                self._ended.set()
            await reading

    async def _play(self, socket: ServerConnection, lines: list[Line]) -> None:
        """Send the frames at their pace.

        Raises:
            ConnectionClosed: the client went.
        """
        began, first = monotonic(), lines[0].ts if lines else 0
        for number, line in enumerate(lines):
            if self._speed:
                wait = began + (line.ts - first) / 1e9 / self._speed - monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
            elif number % BURST == 0:
                await asyncio.sleep(0)
            if line.direction == "x":
                await socket.close(line.status if line.status in (1000, 1001, 1011, 1012, 1013) else 1001)
                return
            await socket.send(line.data, text=True)
            self.frames += 1

    async def _respond(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer plain HTTP from the tape; let WebSockets through."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return None
        tape = self._tapes.get(_venue(request.path))
        line = tape.answer(request.path) if tape is not None else None
        if line is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "not in the capture\n")
        response = connection.respond(HTTPStatus(line.status or 200), "")
        del response.headers["Content-Length"]
        response.headers["Content-Length"] = str(len(line.data))
        return Response(response.status_code, response.reason_phrase, response.headers, line.data)


def _venue(path: str) -> str:
    """Give the first part of a path."""
    return urlsplit(path).path.strip("/").partition("/")[0]


async def _hear(socket: ServerConnection) -> set[bytes]:
    """Give what a client says in a moment."""
    said: set[bytes] = set()
    with suppress(TimeoutError, ConnectionClosed):
        async with asyncio.timeout(GREETING_S):
            while True:
                said.add(await socket.recv(decode=False))
    return said


async def _ignore(socket: ServerConnection) -> None:
    """Read what the client says until it goes."""
    with suppress(ConnectionClosed):
        async for _ in socket:
            pass
