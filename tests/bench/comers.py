"""Clients that check all they are told: `python -m tests.bench.comers`, told what to do by a line of JSON.

`healthy` ones read and stamp every frame; `storm` ones leave all at once and come back with what they know; `stalled`
ones stop reading once they have subscribed, until the gateway must have closed them. Every book is applied, every
checksum worked out. Lines out: `{"ready": ...}`, then what each phase brought.
"""

from __future__ import annotations

import os
import random
import select
import socket
import sys
import time
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from tests.bench.drain import CLOSE, Client, Order, say

CHECKED = 10
AT_ONCE = 256 * 1024
AWAY_S = (0.5, 1.5)  # before a client comes back: the spread of the protocol's own back-off
NARROW_BYTES = 16 * 1024  # what the kernel takes for a client that does not read


@dataclass(slots=True)
class Tally:
    """What came, over all clients."""

    messages: int = 0
    snapshots: int = 0
    resumed: int = 0
    checked: int = 0
    wrong: int = 0
    gaps: int = 0
    lags: dict[str, int] = field(default_factory=dict)
    closes: dict[str, int] = field(default_factory=dict)
    stamps: list[tuple[int, int]] = field(default_factory=list)


class Book:
    """One channel's book as text, and where it is."""

    __slots__ = ("epoch", "s", "sides")

    def __init__(self) -> None:
        self.sides: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self.s, self.epoch = -1, 0

    def take(self, message: dict[str, Any], tally: Tally) -> None:
        if message["t"] == "snap":
            tally.snapshots += 1
            self.sides = ({}, {})
        elif message["p"] != self.s:
            tally.gaps += 1
        tally.resumed += "resumed" in message
        self.s, self.epoch = message["s"], message.get("e", self.epoch)
        for side, levels in zip(self.sides, (message["b"], message["a"]), strict=True):
            for price, size, *_ in levels:
                if size == "0":
                    side.pop(price, None)
                else:
                    side[price] = size
        if "crc" in message:
            tally.checked += 1
            tally.wrong += message["crc"] != self.checksum()

    def checksum(self) -> int:
        bids, asks = self.sides
        tops = sorted(bids, key=float, reverse=True)[:CHECKED], sorted(asks, key=float)[:CHECKED]
        rows = [f"{price}:{side[price]}" for top, side in zip(tops, self.sides, strict=True) for price in top]
        return zlib.crc32("|".join(rows).encode())


class Mind:
    """What one client knows; it outlives its connections."""

    def __init__(self, tally: Tally, stamping: bool) -> None:
        self.tally, self._stamping = tally, stamping
        self.books: dict[str, Book] = {}
        self.node = ""

    def take(self, payload: bytes, compressed: bool, ts_recv: int) -> None:
        """Apply a frame."""
        tally, stamp = self.tally, None
        for line in payload.split(b"\n"):
            tally.messages += 1
            message = orjson.loads(line)
            kind = message["t"]
            if kind in ("d", "snap"):
                stamp = message["ts"]["g"] if kind == "d" and "resumed" not in message else stamp
                self.books.setdefault(message["ch"], Book()).take(message, tally)
            elif kind == "hello":
                self.node = message["node"]
            elif kind == "lag":
                tally.lags[message["st"]] = tally.lags.get(message["st"], 0) + 1
            elif kind == "err" or (kind == "ack" and message["err"]):
                raise SystemExit(f"the server said {message}")
        if stamp is not None and self._stamping:
            tally.stamps.append((stamp, ts_recv))

    def requests(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give the requests with the places that are known."""
        places = {name: {"epoch": book.epoch, "seq": book.s} for name, book in self.books.items()}
        return [one | {"node": self.node, "resume": places} for one in requests] if places else requests


class Comer(Client):
    """A connection whose end is noted instead of being an error."""

    def __init__(self, order: Order, mind: Mind) -> None:
        self.mind = mind
        super().__init__(order, mind)

    def _control(self, data: memoryview, at: int) -> int:
        if self._first & 15 == CLOSE:
            closes = self.mind.tally.closes
            code = str(int.from_bytes(data[at : at + 2], "big"))
            closes[code] = closes.get(code, 0) + 1
            at, self.left = at + self.left, 0
            return at
        return super()._control(data, at)


class Crowd:
    """All clients and one poll."""

    def __init__(self, port: int, requests: list[dict[str, Any]], stamping: bool) -> None:
        self._port, self._requests = port, requests
        self._poll = select.epoll()
        self._clients: dict[int, Comer] = {}
        self.tally = Tally()
        self._stamping = stamping

    def open(self, mind: Mind | None = None) -> Comer:
        """Connect a client, one that comes back or a new one."""
        mind = mind or Mind(self.tally, self._stamping)
        client = Comer(Order(self._port, 1, False, mind.requests(self._requests), 0), mind)
        self._clients[client.sock.fileno()] = client
        self._poll.register(client.sock.fileno(), select.EPOLLIN)
        return client

    def drop_all(self) -> list[Mind]:
        """Break all connections as a network does, and give who had them."""
        minds = [client.mind for client in self._clients.values()]
        for number, client in self._clients.items():
            self._poll.unregister(number)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sock.close()
        self._clients.clear()
        return minds

    def restart(self) -> None:
        """Count anew."""
        self.tally = Tally()
        for client in self._clients.values():
            client.mind.tally = self.tally

    def run(self, seconds: float) -> None:
        """Take what comes for so long."""
        until = time.monotonic() + seconds
        while (wait := until - time.monotonic()) > 0:
            came = [(number, *self._receive(number)) for number, _ in self._poll.poll(wait)]
            for (
                number,
                data,
                ts_recv,
            ) in came:  # when all have been received: what one has to say delays no other's stamp
                self._take(number, data, ts_recv)

    def _receive(self, number: int) -> tuple[bytes, int]:
        try:
            data = self._clients[number].sock.recv(AT_ONCE)
        except ConnectionResetError:
            data = b""
        return data, time.time_ns() // 1000

    def _take(self, number: int, data: bytes, ts_recv: int) -> None:
        client = self._clients[number]
        if not data:
            self._poll.unregister(number)
            del self._clients[number]
            return
        rest = data if client.upgraded else client.upgrade(data)
        client.count(memoryview(rest), _counted, ts_recv)


class _Counted:
    frames = 0


_counted: Any = _Counted()


def healthy(crowd: Crowd, order: dict[str, Any]) -> None:
    """Read for some phases, and tell what each has brought."""
    for _ in range(order["clients"]):
        crowd.open()
        crowd.run(0.02)
    crowd.run(3.0)
    say({"ready": True})
    for seconds in order["phases"]:
        crowd.restart()
        crowd.run(seconds)
        say(asdict(crowd.tally))


def storm(crowd: Crowd, order: dict[str, Any]) -> None:
    """Come, leave all at once and come back, a few times."""
    os.nice(19)  # the healthy ones must not wait for us to read
    for _ in range(order["clients"]):
        crowd.open()
        crowd.run(order["coming_s"] / order["clients"])
    crowd.run(1.0)
    say({"ready": True})
    for _ in range(order["rounds"]):
        crowd.restart()
        waiting = sorted((random.uniform(*AWAY_S), mind) for mind in crowd.drop_all())
        began = time.monotonic()
        for due, mind in waiting:
            crowd.run(began + due - time.monotonic())
            mind.tally = crowd.tally
            crowd.open(mind)
        crowd.run(2.5)
        say(asdict(crowd.tally))


def stalled(crowd: Crowd, order: dict[str, Any]) -> None:
    """Subscribe, do not read, and see at last how it ended."""
    clients = []
    for _ in range(order["clients"]):
        clients.append(crowd.open())
        clients[-1].sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BYTES)
        crowd.run(0.05)
    say({"ready": True})
    time.sleep(order["seconds"])
    crowd.run(2.0)
    say(asdict(crowd.tally))


def main() -> None:
    """Do what the order says."""
    order = orjson.loads(sys.stdin.readline())
    crowd = Crowd(order["port"], order["requests"], order["role"] == "healthy")
    {"healthy": healthy, "storm": storm, "stalled": stalled}[order["role"]](crowd, order)


if __name__ == "__main__":
    main()
