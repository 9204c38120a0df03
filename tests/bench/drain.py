"""Many WebSocket clients in one cheap process: `python -m tests.bench.drain`, told what to do by a line of JSON.

All frames are counted by their heads alone; one client in fifty is read for real: inflated, parsed, and each channel's
sequence checked. Lines out: `{"ready": ...}` when every client has got data, then after the interval the counts.
"""

from __future__ import annotations

import base64
import os
import select
import socket
import sys
import time
import zlib
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

EVERY = 50  # one client in so many is read for real
BUFFER = 64 * 1024
OPENED_AT_ONCE = 20  # connections begun between two looks at what has come
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
ENDED = b"\x00\x00\xff\xff"  # what RFC 7692, section 7.2.2, has taken from a message's end


@dataclass(slots=True)
class Order:
    """What to do: how many clients, whether they offer compression, what they ask for, and for how long."""

    port: int
    clients: int
    deflate: bool
    requests: list[dict[str, Any]]
    seconds: float


@dataclass(slots=True)
class Counts:
    """What came in the interval."""

    frames: int = 0
    bytes: int = 0
    messages: int = 0
    read_frames: int = 0
    snapshots: int = 0
    lags: int = 0
    gaps: int = 0
    stamps: list[tuple[int, int]] = field(default_factory=list)


class Reader:
    """Reads one client's frames for real."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self._last: dict[str, int] = {}
        self.seen = False

    def take(self, payload: bytes, compressed: bool, ts_recv: int) -> None:
        """Read a frame; note when its tick was, and whether each channel goes on from where it was."""
        counts = self.counts
        counts.read_frames += 1
        text = zlib.decompressobj(-15).decompress(payload + ENDED) if compressed else payload
        stamp = None
        for line in text.split(b"\n"):
            counts.messages += 1
            message = orjson.loads(line)
            kind = message["t"]
            if kind == "d":
                stamp = message["ts"]["g"]
                counts.gaps += message["p"] != self._last.get(message["ch"], message["p"])
                self._last[message["ch"]] = message["s"]
                self.seen = True
            elif kind == "snap":
                counts.snapshots += 1
                self._last[message["ch"]] = message["s"]
            elif kind == "lag":
                counts.lags += 1
            elif kind in ("err", "bye"):
                raise SystemExit(f"the server said {message}")
        if stamp is not None:
            counts.stamps.append((stamp, ts_recv))


class Reading(Protocol):
    """Whoever reads a client's frames."""

    def take(self, payload: bytes, compressed: bool, ts_recv: int) -> None:
        """Read a frame."""


class Client:
    """One connection; `left` bytes of its current frame have not come."""

    def __init__(self, order: Order, reader: Reading | None) -> None:
        self.sock = socket.create_connection(("127.0.0.1", order.port))
        self.reader = reader
        self.left = 0
        self.begun = b""  # of the answer to the handshake, or of a frame's head
        self.upgraded = False
        self._payload: list[bytes] = []
        self._first = 0
        self._requests = order.requests
        key = base64.b64encode(os.urandom(16))
        self.sock.sendall(
            b"GET /ws/v1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
            + key
            + b"\r\n"
            + (DEFLATE if order.deflate else b"")
            + b"\r\n"
        )
        self.sock.setblocking(False)

    def upgrade(self, data: bytes) -> bytes:
        """Take a part of the answer; subscribe when it is whole, and give what came after it."""
        self.begun += data
        head, end, rest = self.begun.partition(b"\r\n\r\n")
        if not end:
            return b""
        if not head.startswith(b"HTTP/1.1 101"):
            raise SystemExit(head.decode(errors="replace"))
        self.upgraded, self.begun = True, b""
        for request in self._requests:
            self.send(TEXT, orjson.dumps(request))
        return rest

    def send(self, opcode: int, payload: bytes) -> None:
        """Send a masked frame; a mask of zeros leaves the payload as it is."""
        size = len(payload)
        head = (
            bytes((0x80 | opcode, 0x80 | size))
            if size < 126
            else bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
        )
        self.sock.sendall(head + bytes(4) + payload)

    def count(self, data: memoryview, counts: Counts, ts_recv: int) -> None:
        """Step through what came, from head to head."""
        at, end = 0, len(data)
        if self.begun:
            data = memoryview(self.begun + data)
            end, self.begun = len(data), b""
        while at < end:
            if not self.left:
                head = _head(data[at : at + 10])
                if head is None:
                    self.begun = bytes(data[at:])
                    return
                self._first, skip, self.left = head
                at += skip
                counts.frames += 1
                if self._first & 8:
                    at = self._control(data, at)
                    continue
            step = min(self.left, end - at)
            if self.reader is not None:
                self._payload.append(bytes(data[at : at + step]))
            at, self.left = at + step, self.left - step
            if not self.left and self.reader is not None:
                self.reader.take(b"".join(self._payload), bool(self._first & 0x40), ts_recv)
                self._payload = []

    def _control(self, data: memoryview, at: int) -> int:
        """Answer a ping; a control frame is short and taken to be whole."""
        payload = bytes(data[at : at + self.left])
        opcode = self._first & 15
        if opcode == CLOSE:
            raise SystemExit(f"closed with {int.from_bytes(payload[:2], 'big')} {payload[2:]!r}")
        if opcode == PING:
            self.send(PONG, payload)
        at, self.left = at + self.left, 0
        return at


def _head(data: memoryview) -> tuple[int, int, int] | None:
    """Give a frame's first byte, the length of its head and that of its payload; `None` if the head is not whole."""
    if len(data) < 2:
        return None
    size = data[1]
    if size < 126:
        return data[0], 2, size
    more = 2 if size == 126 else 8
    if len(data) < 2 + more:
        return None
    return data[0], 2 + more, int.from_bytes(data[2 : 2 + more], "big")


class Drain:
    """All clients and one poll."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._poll = select.epoll()
        self._clients: dict[int, Client] = {}
        self.readers: list[Reader] = []
        self.counts = Counts()
        self._buffer = memoryview(bytearray(BUFFER))

    def _open(self) -> None:
        number = len(self._clients)
        reader = Reader(self.counts) if number % EVERY == 0 else None
        if reader is not None:
            self.readers.append(reader)
        client = Client(self._order, reader)
        self._clients[client.sock.fileno()] = client
        self._poll.register(client.sock.fileno(), select.EPOLLIN)

    def connect(self) -> None:
        """Connect everybody, and wait until the last has what it asked for."""
        while len(self._clients) < self._order.clients:
            for _ in range(min(OPENED_AT_ONCE, self._order.clients - len(self._clients))):
                self._open()
            self.run(time.monotonic() + 0.02)
        while not all(reader.seen for reader in self.readers) or not all(
            one.upgraded for one in self._clients.values()
        ):
            self.run(time.monotonic() + 0.1)

    def restart(self) -> None:
        """Count anew."""
        self.counts = Counts()
        for reader in self.readers:
            reader.counts = self.counts

    def run(self, until: float) -> None:
        """Take what comes until then."""
        counts = self.counts
        while (wait := until - time.monotonic()) > 0:
            for number, _ in self._poll.poll(wait):
                client = self._clients[number]
                size = client.sock.recv_into(self._buffer)
                if not size:
                    raise SystemExit("the server closed a connection")
                ts_recv = time.time_ns() // 1000
                counts.bytes += size
                data = self._buffer[:size]
                if not client.upgraded:
                    data = memoryview(client.upgrade(bytes(data)))
                client.count(data, counts, ts_recv)


def say(message: dict[str, Any]) -> None:
    """Write a line to whoever ordered."""
    sys.stdout.write(orjson.dumps(message).decode() + "\n")
    sys.stdout.flush()


def main() -> None:
    """Connect, tell, wait to be told, count, tell."""
    drain = Drain(order := Order(**orjson.loads(sys.stdin.readline())))
    begun = time.monotonic()
    drain.connect()
    say({"ready": time.monotonic() - begun})
    drain.run(time.monotonic() + 6.0)  # keyframes and what connecting held up are through, the collector has run
    say({"settled": True})
    drain.restart()
    busy, begun = time.process_time(), time.monotonic()
    drain.run(begun + order.seconds)
    took = time.monotonic() - begun
    counts = {name: getattr(drain.counts, name) for name in Counts.__slots__ if name != "stamps"}
    say(counts | {"seconds": took, "busy": (time.process_time() - busy) / took, "stamps": drain.counts.stamps})


if __name__ == "__main__":
    main()
