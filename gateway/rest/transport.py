"""Event streams (`text/event-stream`): snapshots of channels for those who can't open a WebSocket.

Every event is a message of the protocol, its name the message's `t`. A client that does not read gets fewer snapshots,
always the newest; nothing is queued for it, and one that takes nothing for long is cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import orjson
from starlette.types import Receive, Scope, Send

from gateway.source import now
from gateway.topic import Now, Topic

STUCK_S = 15.0  # a client that has not taken an event by then is gone for good
RETRY_MS = 2000  # when a browser that lost the stream comes back
HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]


def event(text: bytes) -> bytes:
    """Give messages, one a line, as events."""
    lines = text.split(b"\n")
    return b"".join(b"event: %s\ndata: %s\n\n" % (orjson.loads(line)["t"].encode(), line) for line in lines if line)


def events(topics: Sequence[Topic], at: Now) -> bytes:
    """Give the events of one turn: of each topic the whole, of trades those since the last turn."""
    texts = []
    for topic in topics:
        frame = topic.advance(at)
        whole = topic.keyframe(None, at).text
        news = frame is not None and frame.text.startswith(b'{"t":"trades"')
        texts.append(event(frame.text if frame is not None and news else whole))
    return b"".join(texts)


class EventStream:
    """The answer that does not end; an ASGI application."""

    def __init__(self, topics: Sequence[Topic], period_s: float, leave: Callable[[], None]) -> None:
        """Prepare; `leave` is called once at the end."""
        self._topics, self._period_s, self._leave = topics, period_s, leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client leaves."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            async with asyncio.TaskGroup() as group:
                tasks = {group.create_task(self._send(send)), group.create_task(_disconnected(receive))}
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
        finally:
            self._leave()

    async def _send(self, send: Send) -> None:
        """Send each period, for ever; ends when the client has taken nothing for long. It can't even be told so."""
        body = b"retry: %d\n\n" % RETRY_MS
        try:
            while True:
                body += events(self._topics, now())
                async with asyncio.timeout(STUCK_S):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                body = b""
                await asyncio.sleep(self._period_s)
        except TimeoutError:
            return


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
