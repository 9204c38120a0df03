"""Records one venue: connects as its worker does, and writes every frame of every connection as a capture line."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from thalweg import __version__
from thalweg.capture import Line, format_line
from thalweg.errors import DecodeError
from thalweg.instruments import Instrument, shard_of
from thalweg.settings import Settings

if TYPE_CHECKING:
    from ingest.venue import Venue


class Sink(Protocol):
    """Where lines go."""

    def write(self, line: bytes, /) -> object:
        """Take a line."""


AGAIN_S = 2.0  # before connecting again; venues allow some hundred attempts in five minutes
SPLICE_S = 1.5  # after subscribing, before whole books are fetched, so that there are updates to splice


class Recorder:
    """One venue's capture file; `troubles` are the reasons for which connections ended."""

    def __init__(self, venue: Venue, settings: Settings, sink: Sink) -> None:
        """Write to `sink`, which the caller opens and closes."""
        self.venue = venue
        self.frames = 0
        self.troubles: dict[str, int] = defaultdict(int)
        self._url = venue.connect(settings.endpoint(venue.name, "ws", venue.ws))
        self._rest = settings.endpoint(venue.name, "rest", venue.rest or "")
        self._sink = sink
        self._connections = 0

    def _write(
        self, connection: int, direction: str, data: bytes, url: str | None = None, status: int | None = None
    ) -> None:
        """Write one line, stamped now."""
        self.frames += direction == "<"
        self._sink.write(format_line(Line(time.time_ns(), connection, direction, data, url, status)))

    async def run(self, listings: Mapping[str, Instrument]) -> None:
        """Record these symbols, split over sockets as the worker splits them, until cancelled."""
        shards: dict[int, list[str]] = defaultdict(list)
        for symbol, one in listings.items():
            shards[shard_of(one.name)].append(symbol)
        async with asyncio.TaskGroup() as group:
            for symbols in shards.values():
                group.create_task(self._keep(symbols))

    async def _keep(self, symbols: Sequence[str]) -> None:
        """Keep one socket up."""
        while True:
            self._connections += 1
            number = self._connections
            try:
                await self._connection(number, symbols)
            except (OSError, WebSocketException, TimeoutError) as error:
                self.troubles[f"connection failed: {str(error) or type(error).__name__}"] += 1
            await asyncio.sleep(AGAIN_S)

    async def _connection(self, number: int, symbols: Sequence[str]) -> None:
        """Record one connection to its end.

        Raises:
            OSError: it could not be made; or WebSocketException, TimeoutError.
        """
        venue = self.venue
        headers = dict(venue.headers)
        agent = f"thalweg/{__version__}"
        async with (
            connect(
                self._url,
                max_size=venue.max_frame,
                compression=None,
                user_agent_header=agent,
                additional_headers=headers,
            ) as socket,
            asyncio.TaskGroup() as group,
        ):
            talk = Talk(venue, symbols)
            helpers = [group.create_task(self._speak(number, socket, talk)), group.create_task(talk.ping())]
            if venue.by_rest:
                helpers.append(group.create_task(self._fetch(number, symbols)))
            await self._listen(number, socket, talk)
            for helper in helpers:
                helper.cancel()

    async def _listen(self, number: int, socket: ClientConnection, talk: Talk) -> None:
        """Write what comes until the connection ends, and how it ended."""
        try:
            while True:
                frame = await socket.recv(decode=False)
                self._write(number, "<", frame)
                talk.hear(frame)
        except ConnectionClosed as closed:
            self._write(number, "x", b"", status=closed.rcvd.code if closed.rcvd else 1006)
            self.troubles[f"connection ended: {closed}"] += 1

    async def _speak(self, number: int, socket: ClientConnection, talk: Talk) -> None:
        """Send what is to be said, no faster than the venue allows."""
        url: str | None = self._url
        await asyncio.sleep(self.venue.settle_s)
        with suppress(ConnectionClosed):  # the reader tells of it
            while True:
                frame = await talk.said.get()
                self._write(number, ">", frame.encode(), url)
                url = None
                await socket.send(frame)
                await asyncio.sleep(self.venue.pace_s)

    async def _fetch(self, number: int, symbols: Sequence[str]) -> None:
        """Fetch every symbol's whole book once, as the worker does after it has subscribed."""
        from ingest.outside.source import http_get

        rest = self.venue.rest_snapshot
        await asyncio.sleep(SPLICE_S)
        for symbol in symbols if rest is not None else ():
            url = rest.url(self._rest, symbol) if rest is not None else ""
            status, body, _ = await asyncio.to_thread(http_get, url)
            self._write(number, "h", body, url, status)


class Talk:
    """What is to be said on one connection: subscriptions, pings, and what the venue wants in answer."""

    def __init__(self, venue: Venue, symbols: Sequence[str]) -> None:
        """Subscribe, at once or when the venue has greeted."""
        from ingest.saying import Saying

        self.said: asyncio.Queue[str] = asyncio.Queue()
        self._keepalive, self._saying, self._decode = venue.keepalive, Saying(venue), venue.new_reader().decode
        self._say(self._saying.opened(symbols, time.time_ns()))

    def _say(self, frames: Iterable[str]) -> None:
        for frame in frames:
            self.said.put_nowait(frame)

    def hear(self, frame: bytes) -> None:
        """Take a frame, and answer it if the venue wants that."""
        from ingest.venue import Control, Sign

        try:
            messages = self._decode(frame, lambda symbol: None).messages  # no symbol is ours: books are left alone
        except DecodeError:
            return
        for message in messages:
            if isinstance(message, Control):
                self._say([message.reply] if message.reply else [])
                self._say(self._saying.welcomed(time.time_ns()) if message.sign is Sign.WELCOME else [])

    async def ping(self) -> None:
        """Say the pings that the venue wants."""
        while self._keepalive.ping is not None:
            await asyncio.sleep(self._keepalive.every_s)
            self._say(self._saying.ping(self._keepalive.ping, time.time_ns()))
