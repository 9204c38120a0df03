"""`python -m tests.bench.flood`: one venue that costs next to nothing, so that what it feeds is what saturates.

It speaks as much of Bybit's protocol as ingest asks for. Deltas of one to three levels are rendered beforehand; only
the sequence and two instants are written into them. Frames go out by a fixed timetable, whoever is late: latencies are
counted from the scheduled instant, so that a stall is paid for by all frames that it held up.

The first line on stdout is the port. Each line on stdin asks for a run, as JSON: `rate` frames a second in bursts of
`burst`, for `seconds`, `due` a file for the scheduled instants. The answer is one line of JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import selectors
import socket
import sys
import time
from typing import Any

import numpy as np

TEXT, PING, PONG = 1, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
LEVELS = 100  # a side; the feed shows 200
CYCLE = 512  # deltas rendered for each book, then begun again: sizes are absolute, so that is a valid feed
FIRST = 1_000_000_000  # ten digits for ever, so that all frames of one delta have the same length
POLL_S = 0.001
DELTA = (
    b'{"topic":"orderbook.200.%b","ts":%%d,"type":"delta",'
    b'"data":{"s":"%b","b":[%b],"a":[%b],"u":%%d,"seq":1},"cts":%%d}'
)
WHOLE = (
    '{{"topic":"orderbook.200.{0}","ts":{1},"type":"snapshot",'
    '"data":{{"s":"{0}","b":[{2}],"a":[{3}],"u":{4},"seq":1}},"cts":{1}}}'
)


def framed(text: bytes) -> bytes:
    """Give a text frame as a server sends it."""
    size = len(text)
    head = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")
    return (head if size < 1 << 16 else b"\x81\x7f" + size.to_bytes(8, "big")) + text


def unframed(data: bytearray) -> list[tuple[int, bytes]]:
    """Take whole masked frames off the front of what a client sent: opcode and payload."""
    found = []
    while len(data) >= 6:
        size, at = data[1] & 0x7F, 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        if len(data) < at + 4 + size:
            break
        mask, body = data[at : at + 4], data[at + 4 : at + 4 + size]
        found.append((data[0] & 0xF, bytes(byte ^ mask[k & 3] for k, byte in enumerate(body))))
        del data[: at + 4 + size]
    return found


def _row(price: int, size: int) -> str:
    return f'["{price}","{size // 1000}.{size % 1000:03d}"]' if size else f'["{price}","0"]'


class Book:
    """One book: its deltas, where it stands, and who gets it."""

    def __init__(self, symbol: str, seed: int) -> None:
        """Render the cycle; two books of a seed are the same."""
        self.symbol, self.u, self.due = symbol, FIRST, list[int]()
        self.socket: socket.socket | None = None
        dice = random.Random(seed)
        middle = 10_000 + 7 * seed
        prices = ([middle - k for k in range(1, LEVELS + 1)], [middle + k for k in range(1, LEVELS + 1)])
        self._sides: list[dict[int, int]] = [{price: dice.randrange(1, 10**6) for price in side} for side in prices]
        self.cycle = [self._change(dice, prices) for _ in range(CYCLE)]
        self.templates = [self._template(changes) for changes in self.cycle]

    def _change(self, dice: random.Random, prices: tuple[list[int], list[int]]) -> list[tuple[int, int, int]]:
        """Make one delta: (side, price, size) of one to three levels, most of them near the top; one in ten goes."""
        changes = {}
        for _ in range(dice.randrange(1, 4)):
            side, rank = dice.randrange(2), min(int(dice.expovariate(0.1)), LEVELS - 1)
            changes[side, prices[side][rank]] = 0 if rank and dice.random() < 0.1 else dice.randrange(1, 10**6)
        return [(side, price, size) for (side, price), size in changes.items()]

    def _template(self, changes: list[tuple[int, int, int]]) -> bytes:
        """Render a delta but for its instants and its sequence, with the frame's head."""
        rows = [",".join(_row(price, size) for side, price, size in changes if side == one).encode() for one in (0, 1)]
        symbol = self.symbol.encode()
        text = DELTA % (symbol, symbol, *rows)
        size = len(text % (10**12, FIRST, 10**12))
        return framed(b"x" * size)[:-size].replace(b"%", b"%%") + text

    def sides(self) -> list[dict[int, int]]:
        """Give the book where it stands: price to size, in the units written."""
        sent = self.u - FIRST
        sides = [dict(side) for side in self._sides]
        for changes in self.cycle * (sent >= CYCLE) + self.cycle[: sent % CYCLE]:
            for side, price, size in changes:
                sides[side].pop(price, None)
                if size:
                    sides[side][price] = size
        return sides

    def whole(self) -> bytes:
        """Render the book as it stands."""
        bids, asks = self.sides()
        rows = [
            ",".join(_row(p, s) for p, s in sorted(side.items(), reverse=not k)) for k, side in enumerate((bids, asks))
        ]
        return framed(WHOLE.format(self.symbol, time.time_ns() // 10**6, *rows, self.u).encode())


class Flood:
    """The listening socket, its clients and the books."""

    def __init__(self, symbols: list[str]) -> None:
        """Listen on a free port of loopback."""
        self.books = {symbol: Book(symbol, seed) for seed, symbol in enumerate(symbols, 1)}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        self._unread: dict[socket.socket, bytearray] = {}
        self.port = int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Serve until stdin ends; a line on it is a run."""
        while True:
            if self._poll(None):
                line = sys.stdin.readline()
                if not line:
                    return
                print(json.dumps(self._run(**json.loads(line))), flush=True)

    def _poll(self, timeout_s: float | None) -> bool:
        """Read whatever waits; give whether stdin has a line."""
        asked = False
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj is self._listener:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._selector.register(client, selectors.EVENT_READ)
                self._unread[client] = bytearray()
            elif isinstance(key.fileobj, socket.socket):
                self._read(key.fileobj)
            else:
                asked = True
        return asked

    def _read(self, client: socket.socket) -> None:
        unread = self._unread[client]
        try:
            data = client.recv(65536)
        except OSError:
            data = b""
        unread += data
        if not data or (unread[:4] == b"GET " and b"\r\n\r\n" in unread and not self._greet(client, unread)):
            self._drop(client)
            return
        if unread[:4] != b"GET ":
            for opcode, payload in unframed(unread):
                self._answer(client, opcode, payload)

    def _greet(self, client: socket.socket, unread: bytearray) -> bool:
        """Answer an HTTP request: a handshake, or anything else with an empty list; give whether it goes on."""
        head, _, rest = bytes(unread).partition(b"\r\n\r\n")
        found = re.search(rb"(?i)\r\nsec-websocket-key: *(\S+)", head)
        unread[:] = rest
        if found is None:
            body = b'{"result":{"list":[]}}'
            client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            return False
        accept = base64.b64encode(hashlib.sha1(found[1] + GUID, usedforsecurity=False).digest())
        client.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
        )
        return True

    def _answer(self, client: socket.socket, opcode: int, payload: bytes) -> None:
        """Answer what a client asks: its subscriptions, with a whole book, and its pings."""
        if opcode == PING:
            client.sendall(bytes((0x80 | PONG, len(payload))) + payload)
        if opcode != TEXT:
            return
        asked = json.loads(payload)
        told = {"success": True, "ret_msg": "", "op": asked["op"]}
        if asked["op"] == "ping":
            client.sendall(framed(json.dumps(told | {"ret_msg": "pong"}).encode()))
            return
        client.sendall(framed(json.dumps(told | {"req_id": asked["req_id"]}).encode()))
        kind, _, symbol = asked["args"][0].rpartition(".")
        book = self.books.get(symbol)
        if asked["op"] == "subscribe" and kind.startswith("orderbook") and book is not None:
            book.socket = client
            client.sendall(book.whole())

    def _drop(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        client.close()
        del self._unread[client]
        for book in self.books.values():
            if book.socket is client:
                book.socket = None

    def _run(self, rate: float, burst: int, seconds: float, due: str) -> dict[str, object]:
        """Send so many frames a second, the books in turn, and tell what was done."""
        books = list(self.books.values())
        firsts = {book.symbol: book.u for book in books}
        cpu, lates = time.process_time(), list[int]()
        began, period = time.time_ns() + 100_000_000, round(burst * 1e9 / rate)
        bursts, at = round(rate * seconds / burst), 0
        for book in books:
            book.due = []
        for number in range(bursts):
            scheduled = began + number * period
            self._wait(scheduled)
            lates.append(time.time_ns() - scheduled)
            at = self._burst(books, at, burst, scheduled)
        arrays: dict[str, Any] = {book.symbol: np.array(book.due, dtype=np.int64) for book in books}
        np.savez(due, **arrays)
        return {
            "sent": bursts * burst,
            "began": began,
            "ended": time.time_ns(),
            "late_p99_us": float(np.percentile(lates, 99) / 1e3),
            "late_max_us": max(lates) / 1e3,
            "cpu_s": time.process_time() - cpu,
            "firsts": firsts,
            "lasts": {book.symbol: book.u for book in books},
            "books": {book.symbol: [sorted(side.items()) for side in book.sides()] for book in books},
        }

    def _burst(self, books: list[Book], at: int, burst: int, scheduled: int) -> int:
        """Send one burst, one write a socket, and give which book is next."""
        texts: dict[socket.socket, list[bytes]] = {}
        millisecond = time.time_ns() // 10**6
        for _ in range(burst):
            book = books[at]
            at = (at + 1) % len(books)
            text = book.templates[(book.u - FIRST) % CYCLE] % (millisecond, book.u + 1, millisecond)
            book.u += 1
            book.due.append(scheduled)
            if book.socket is not None:
                texts.setdefault(book.socket, []).append(text)
        for client, parts in texts.items():
            client.sendall(b"".join(parts))
        return at

    def _wait(self, scheduled: int) -> None:
        """Sleep until an instant, and look at the sockets on the way."""
        while (left := (scheduled - time.time_ns()) / 1e9) > 0:
            self._poll(0)
            time.sleep(min(left, POLL_S))


def main() -> None:
    """Serve the symbols that are named."""
    flood = Flood(sys.argv[1:])
    print(flood.port, flush=True)
    flood.serve()


if __name__ == "__main__":
    main()
