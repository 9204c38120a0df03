"""The client's connection: opened again with backoff, for ever, unless the gateway says not to come back."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from thalweg.client.book import Book, Message
from thalweg.client.conversation import Conversation, Counts, may_return, wait_s
from thalweg.errors import GatewayTrouble

SUBPROTOCOL = Subprotocol("thalweg.v1+json")
DEFAULT_URL = "ws://127.0.0.1:8080/ws/v1"
SILENT_S = 5.0  # a heartbeat comes each second
OPEN_S = 10.0
FRAME_BYTES = 16 * 2**20  # the most that 256 keyframes of 200 levels come to in one frame
FOR_GOOD = frozenset({400, 401, 403, 404})  # refused handshakes that another attempt does not change


class Client:
    """A gateway's client: one reader at a time."""

    def __init__(self, url: str, token: str | None) -> None:
        """Prepare; `connect` opens it."""
        self._url, self._token = url, token
        self._conversation = Conversation()
        self._socket: ClientConnection | None = None

    @property
    def books(self) -> dict[str, Book]:
        """The books by channel, as of the message that was given last."""
        return self._conversation.books

    @property
    def counts(self) -> Counts:
        """What went wrong and was mended."""
        return self._conversation.counts

    async def subscribe(self, *channels: str, depth: int = 25, rate_ms: int = 100) -> None:
        """Follow channels, from now on and after every lost connection."""
        self._conversation.want(channels, depth, rate_ms)
        await self._send()

    async def messages(self) -> AsyncIterator[Message]:
        """Give every message, after it has been applied to its book.

        Raises:
            GatewayTrouble: a channel was refused, or the gateway does not want us back.
        """
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    text = await self._opened().recv(decode=True)
            except ConnectionClosed as closed:
                await self._return(closed.rcvd.code if closed.rcvd else 1006)
                continue
            except TimeoutError:
                await self._return(1006)
                continue
            messages = self._conversation.take(text)
            await self._send()
            for message in messages:
                yield message

    async def changes(self) -> AsyncIterator[Book]:
        """Give each book that has changed; never one whose sequence or checksum is wrong.

        Raises:
            GatewayTrouble: as `messages`.
        """
        async for message in self.messages():
            if message["t"] in ("snap", "d"):
                yield self.books[message["ch"]]

    async def of(self, kind: str) -> AsyncIterator[Message]:
        """Give the messages of one kind: `trades`, `bbo`, `status`.

        Raises:
            GatewayTrouble: as `messages`.
        """
        async for message in self.messages():
            if message["t"] == kind:
                yield message

    def _opened(self) -> ClientConnection:
        if self._socket is None:
            raise GatewayTrouble("the client is not connected")
        return self._socket

    async def _send(self) -> None:
        for request in self._conversation.due():
            try:
                await self._opened().send(json.dumps(request))
            except ConnectionClosed:
                return  # reading finds out, and asks for all again

    async def open(self) -> None:
        """Connect once.

        Raises:
            GatewayTrouble: nobody listens there, or it refuses.
        """
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            self._socket = await open_socket(
                self._url,
                subprotocols=[SUBPROTOCOL],
                additional_headers=headers,
                max_size=FRAME_BYTES,
                open_timeout=OPEN_S,
                proxy=None,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            raise GatewayTrouble(f"{self._url} answers {status}", for_good=status in FOR_GOOD) from error
        except InvalidURI as error:
            raise GatewayTrouble(f"{self._url[:80]} is no WebSocket address", for_good=True) from error
        except (OSError, InvalidHandshake, TimeoutError) as error:
            raise GatewayTrouble(f"no gateway answers at {self._url}; `thalweg up` starts one") from error

    async def _return(self, code: int) -> None:
        """Connect again and again until it works."""
        await self.close()
        if not may_return(code):
            raise GatewayTrouble(f"the gateway has closed the connection for good ({code})", for_good=True)
        attempt = 0
        while True:
            await asyncio.sleep(wait_s(attempt, self._conversation.after_ms, random.random()))
            self._conversation.after_ms = 0
            try:
                await self.open()
                break
            except GatewayTrouble as trouble:
                if trouble.for_good:
                    raise
                attempt += 1
        self._conversation.lose()
        await self._send()

    async def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            await self._socket.close()


@asynccontextmanager
async def connect(url: str = DEFAULT_URL, *, token: str | None = None) -> AsyncIterator[Client]:
    """Connect to a gateway; it is left when the block ends.

    Raises:
        GatewayTrouble: nobody listens there, or it refuses.
    """
    client = Client(url, token)
    await client.open()
    try:
        yield client
    finally:
        await client.close()
