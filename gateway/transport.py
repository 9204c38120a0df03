"""Writing to browsers without ever waiting for one.

Under uvicorn a frame is written straight to the socket (`FanoutProtocol`); measured, that is a third of the cost of
`send_text`, and a client that does not read can hold nobody up. Other servers get a bounded queue and a task.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Any, ClassVar, Protocol

import h11
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.server import ServerProtocol

from gateway.answers import farewell
from gateway.message import WINDOW_BITS, Message, framed
from gateway.outbox import Wire
from gateway.protocol import Close
from gateway.turns import Turns

EXTENSION = "thalweg.fanout"
PLAIN_SENT, DEFLATED_SENT = ("plain frames", "plain bytes"), ("deflated frames", "deflated bytes")
CLOSE_S = 2.0  # a client that has not read its close frame by then is cut off
HANDSHAKE_S = 10.0  # a connection without a whole request for so long is closed


TURNS = Turns()  # of all connections, before and after the handshake


class HandshakeProtocol(H11Protocol):
    """uvicorn's HTTP protocol, which by itself waits for ever for the end of a request that has begun."""

    def connection_made(self, transport: Any) -> None:
        """Begin as uvicorn does, and look now and then whether anything has been asked."""
        super().connection_made(transport)
        self._seen: Any = self.cycle
        self._looking = self.loop.call_later(HANDSHAKE_S, self._look)

    def data_received(self, data: bytes) -> None:
        """Read a request, or a part of one, when it is its turn."""
        TURNS.take(self, data)

    def read(self, data: bytes) -> None:
        """Read it as uvicorn does."""
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End as uvicorn does; a timer would keep all of this alive."""
        self._looking.cancel()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over as uvicorn does; what is left of this takes 20 KiB while a timer knows it."""
        self._looking.cancel()
        super().handle_websocket_upgrade(event)

    def _look(self) -> None:
        """Close if there is no request that was not there the last time, and none is being answered."""
        if self.transport.is_closing():
            return
        if self.cycle is self._seen and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()
            return
        self._seen = self.cycle
        self._looking = self.loop.call_later(HANDSHAKE_S, self._look)


class Visitor(Protocol):
    """A client that was let in, as the application knows it."""

    def receive(self, text: str | bytes) -> None:
        """Answer a message of the client."""
        ...

    def leave(self) -> None:
        """Note that nothing more comes."""
        ...


class Calls:
    """Stands where uvicorn has a queue for the application, and calls a visitor instead: nothing waits in it."""

    __slots__ = ("_visitor",)

    def __init__(self, visitor: Visitor) -> None:
        """Call this one."""
        self._visitor: Visitor | None = visitor

    def put_nowait(self, event: Any) -> None:
        """Hand on what uvicorn tells of the connection, until it ends."""
        if self._visitor is None:
            return
        if event["type"] == "websocket.receive":
            text = event.get("text")
            self._visitor.receive(event["bytes"] if text is None else text)
        else:
            visitor, self._visitor = self._visitor, None
            visitor.leave()


class _Under:
    """Stands where uvicorn has the timer of a close that is under way: it lets such a connection be."""

    def cancel(self) -> None:
        """There is nothing to cancel."""


_UNDER_WAY: Any = _Under()
_UNAWAITED = asyncio.Event()  # of connections that were handed over: nobody waits for their buffers


class FanoutProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, lent to the application as a `Wire`; the rest of the protocol stays uvicorn's.

    The application may take a connection over (`hand_over`) and return: what a client sends is then a call, and the
    task with its twenty coroutines, the queue and all that is left of the handshake are let go, 20 KiB a client.
    Compression is agreed on without context takeover, so that one compressed frame fits every connection. A plain
    frame is legal on each of them.
    """

    sent: ClassVar[Counter[str]] = Counter()  # of all connections: frames and bytes, by encoding

    def __init__(self, *arguments: Any, **more: Any) -> None:
        """Begin as uvicorn does, but with the one kind of compression that can be shared."""
        super().__init__(*arguments, **more)
        shared = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
        self.conn = ServerProtocol(extensions=[shared], max_size=self.config.ws_max_size, logger=self.logger)
        self._deflates = False

    def data_received(self, data: bytes) -> None:
        """Read a request when it is its turn."""
        TURNS.take(self, data)

    def read(self, data: bytes) -> None:
        """Read it as uvicorn does."""
        super().data_received(data)

    async def run_asgi(self) -> None:
        """Run the application with this connection among the scope's extensions."""
        extensions: dict[str, Any] = {**(self.scope["extensions"] or {}), EXTENSION: self}
        self.scope["extensions"] = extensions
        self._deflates = any(
            isinstance(one, PerMessageDeflate) and one.local_max_window_bits >= WINDOW_BITS
            for one in self.conn.extensions
        )
        await super().run_asgi()
        if self.close_timer is _UNDER_WAY:
            self.close_timer = None

    def hand_over(self, visitor: Visitor) -> None:
        """Have a visitor called from now on; the application is to return at once, which ends no connection then."""
        calls: Any = Calls(visitor)
        waiting, self.queue = self.queue, calls
        while not waiting.empty():
            calls.put_nowait(waiting.get_nowait())
        if self.read_paused:
            self.transport.resume_reading()
        self.read_paused = True  # so that reading is never paused: there is no queue to be kept short
        if self.close_timer is None:
            self.close_timer = _UNDER_WAY
        self.writable = _UNAWAITED
        del self.scope, self.request, self.response

    @property
    def _open(self) -> bool:
        return not (self.close_sent or self.disconnected or self.transport.is_closing())

    def write(self, text: bytes) -> None:
        """Send a text message to this client alone."""
        if self._open:
            self._put(framed(text), False)

    def deliver(self, message: Message) -> None:
        """Send a message that others may get too."""
        if self._open:
            self._put(message.deflated if self._deflates else message.plain, self._deflates)

    def _put(self, frame: bytes, deflated: bool) -> None:
        self.transport.write(frame)
        frames, size = DEFLATED_SENT if deflated else PLAIN_SENT
        self.sent[frames] += 1
        self.sent[size] += len(frame)

    def buffered(self) -> int:
        """Give the bytes that the network has not taken yet."""
        return self.transport.get_write_buffer_size()

    def close(self, close: Close) -> None:
        """Send a close frame and end the application; abort if the client does not read it."""
        if not self._open:
            return
        self.stop_keepalive()
        self.conn.send_close(close, close.reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(CLOSE_S, self.transport.abort)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(close), "reason": close.reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def send_receive_event_to_app(self) -> None:
        """Take a whole message; a text that is no UTF-8 ends the connection, and is no error of ours to be logged."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf8(b"".join(self.frames)):
            self.frames = []
            self.close(Close.BAD_FRAME)
            return
        super().send_receive_event_to_app()

    def keepalive_timeout(self) -> None:
        """Close because the client has not answered a ping."""
        self.close(Close.SILENT)

    def shutdown(self) -> None:
        """Close because the server stops; called by uvicorn."""
        if self.handshake_complete and self._open:
            self.close(Close.SHUTDOWN)
        elif not self.close_sent:
            super().shutdown()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Scope(Protocol):
    """The part of a WebSocket that is asked for its extension."""

    scope: Any


def direct_wire(websocket: _Scope) -> FanoutProtocol | None:
    """Give the connection itself as a wire, where the server is uvicorn with `FanoutProtocol`."""
    wire = websocket.scope.get("extensions", {}).get(EXTENSION)
    return wire if isinstance(wire, FanoutProtocol) else None


class QueuedWire:
    """A wire for any other server: a queue and a task that sends. The outbox bounds what is in it."""

    def __init__(self, websocket: WebSocket) -> None:
        """Begin with an empty queue."""
        self._websocket = websocket
        self._texts: deque[bytes] = deque()
        self._bytes = 0
        self._close: Close | None = None
        self._more = asyncio.Event()

    def write(self, text: bytes) -> None:
        """Queue a text message."""
        if self._close is None:
            self._texts.append(text)
            self._bytes += len(text)
            self._more.set()

    def deliver(self, message: Message) -> None:
        """Queue a message that others may get too."""
        self.write(message.text)

    def buffered(self) -> int:
        """Give the bytes in the queue."""
        return self._bytes

    def close(self, close: Close) -> None:
        """Close once the queue has been sent."""
        self._close = self._close or close
        self._more.set()

    async def run(self) -> None:
        """Send what is queued until it is closed."""
        try:
            while True:
                await self._more.wait()
                self._more.clear()
                while self._texts:
                    await self._websocket.send_text(self._texts[0].decode())
                    self._bytes -= len(self._texts.popleft())
                if self._close is not None:
                    await self._websocket.close(self._close, self._close.reason)
                    return
        except (WebSocketDisconnect, RuntimeError):
            self._close = self._close or Close.SHUTDOWN


def say_farewell(wire: Wire, after_ms: int) -> None:
    """Tell a client that the server stops and when to come back, and close."""
    wire.write(farewell(Close.SHUTDOWN, after_ms))
    wire.close(Close.SHUTDOWN)
