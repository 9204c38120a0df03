from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.websockets import WebSocket

from gateway.protocol import Close
from gateway.transport import QueuedWire, direct_wire
from tests.gateway.redis_side import until


class Pipe:
    """The server's side of a WebSocket that sends only when it is let."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.open = asyncio.Event()

    async def send(self, message: Any) -> None:
        if message["type"] != "websocket.accept":
            await self.open.wait()
        self.sent.append(message)

    async def receive(self) -> Any:
        return {"type": "websocket.connect"}


@pytest.mark.anyio
async def test_a_queued_wire_sends_in_order_and_closes_last() -> None:
    pipe = Pipe()
    websocket = WebSocket({"type": "websocket"}, pipe.receive, pipe.send)
    await websocket.accept()
    wire = QueuedWire(websocket)
    async with asyncio.TaskGroup() as group:
        group.create_task(wire.run())
        wire.write(b"one")
        wire.write("zw\u00f6lf".encode())
        assert wire.buffered() == 9
        wire.close(Close.SLOW)
        wire.write(b"too late")
        pipe.open.set()
        await until(lambda: len(pipe.sent) == 4)
    assert [message.get("text") for message in pipe.sent[1:]] == ["one", "zw\u00f6lf", None]
    assert (pipe.sent[-1]["code"], wire.buffered()) == (4008, 0)


def test_without_the_extension_there_is_no_direct_wire() -> None:
    assert direct_wire(WebSocket({"type": "websocket", "extensions": {}}, Pipe.receive, Pipe.send)) is None  # type: ignore[arg-type]
