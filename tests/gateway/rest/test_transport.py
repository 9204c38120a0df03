from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from gateway.channels import parse_channel
from gateway.rest import transport
from gateway.rest.transport import EventStream
from tests.gateway.client import Reader
from tests.gateway.publications import Book
from tests.gateway.rest.held import NOW, held

BOOKS: tuple[tuple[Book, Book], tuple[Book, Book]] = (({9_990: 1}, {10_010: 2}), ({}, {}))


class Browser:
    """Reads an event stream, and leaves after so many bodies; or never reads."""

    def __init__(self, bodies: int = 3, reads: bool = True) -> None:
        self.left, self.reads = bodies, reads
        self.gone = asyncio.Event()
        self.start: dict[str, Any] = {}
        self.text = b""

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        if not self.reads:
            await asyncio.Event().wait()
        self.text += message["body"]
        self.left -= 1
        if not self.left:
            self.gone.set()


async def follow(browser: Browser, *names: str) -> list[str]:
    hub, ended = held(*BOOKS), list[str]()
    channels = [parse_channel(name, hub.instruments) for name in names]
    topics = [hub.topic(channel, 10, NOW) for channel in channels if channel]
    await EventStream(topics, 0.001, lambda: ended.append("left"))({}, browser.receive, browser.send)
    return ended


@pytest.mark.anyio
async def test_every_turn_brings_the_whole_of_each_channel() -> None:
    browser = Browser()
    assert await follow(browser, "cbook:BTC-USDT", "bbo:*:BTC-USDT", "trades:*:BTC-USDT", "status") == ["left"]
    assert dict(browser.start["headers"])[b"content-type"].startswith(b"text/event-stream")
    assert browser.text.startswith(b"retry: 2000\n\n")
    reader = Reader()
    for block in browser.text.split(b"\n\n")[1:-1]:
        name, data = block.split(b"\n")
        reader.take(data.removeprefix(b"data: "))
        assert name == b"event: " + orjson.loads(data.removeprefix(b"data: "))["t"].encode()
    assert len(reader.of("snap")) == len(reader.of("bbo")) == 3
    assert reader.books["cbook:BTC-USDT"].checked == 3


@pytest.mark.anyio
async def test_one_who_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "STUCK_S", 0.01)
    assert await follow(Browser(reads=False), "cbook:BTC-USDT") == ["left"]
