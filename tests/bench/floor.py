"""What a loop alone can do: `python -m tests.bench.floor PORT BYTES SECONDS`.

A server of raw protocols without a gateway: whoever connects is written one ready frame of BYTES each 100 ms. It
answers no question, looks at no buffer and knows no topic.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
import time
from typing import ClassVar, cast

import orjson
import uvloop

TICK_S = 0.1
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class Peer(asyncio.Protocol):
    """One connection: upgraded when its request has come, deaf from then on."""

    all: ClassVar[list[asyncio.Transport]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._upgraded = False

    def data_received(self, data: bytes) -> None:
        if self._upgraded:
            return
        self._upgraded = True
        key = next(
            line.split(b": ")[1] for line in data.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.all.append(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._upgraded:
            self.all.remove(self._transport)


def frame(number: int, size: int) -> bytes:
    """Give a text frame of about `size` bytes that says when it was made."""
    stamps = {"g": time.time_ns() // 1000}
    text = orjson.dumps({"t": "d", "ch": "floor", "s": number, "p": number - 1, "n": 1, "ts": stamps, "b": [], "a": []})
    text += b" " * (size - len(text) - 4)
    if len(text) < 1 << 16:
        return b"\x81\x7e" + len(text).to_bytes(2, "big") + text
    return b"\x81\x7f" + len(text).to_bytes(8, "big") + text


async def serve(port: int, size: int, seconds: float) -> None:
    """Write to everybody each 100 ms until the time is over."""
    loop = asyncio.get_running_loop()
    await loop.create_server(Peer, "127.0.0.1", port, backlog=1024)
    start = time.monotonic()
    for number in range(1, int(seconds / TICK_S)):
        await asyncio.sleep(start + number * TICK_S - time.monotonic())
        made = frame(number, size)
        for transport in tuple(Peer.all):
            transport.write(made)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
