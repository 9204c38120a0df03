"""`python -m tests.bench.client URL SECONDS FILE CHANNEL...`: one WebSocket client, and when it got what.

At the raw rate, on a plain socket that is read as soon as anything is there: the client's own library is no part of the
figure.
Writes arrays to FILE: `got` and `received`, microseconds since the Unix epoch, of each message that has stamps: when we
had it, and when ingest read the oldest frame in it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from base64 import b64encode
from urllib.parse import urlsplit

import numpy as np
import orjson

TEXT, PING, PONG = 1, 9, 10


def masked(text: bytes) -> bytes:
    """Give a text frame as a client sends it; a mask of zeros is one, too."""
    size = len(text)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + bytes(4) + text


def frames_of(data: bytearray) -> list[tuple[int, bytes]]:
    """Take whole frames, each an opcode and a payload, off the front of what a server sent."""
    found = []
    while len(data) >= 2:
        size, at = data[1] & 0x7F, 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + size:
            break
        found.append((data[0] & 0x0F, bytes(data[at : at + size])))
        del data[: at + size]
    return found


def connect(url: str, channels: list[str], depth: int, rate_ms: int) -> socket.socket:
    """Connect and subscribe."""
    parts = urlsplit(url)
    client = socket.create_connection((parts.hostname or "", parts.port or 80))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = b64encode(os.urandom(16)).decode()
    client.sendall(
        f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(1)
    if b" 101 " not in head.split(b"\r\n", 1)[0]:
        raise ConnectionError(head.decode())
    asked = {"op": "subscribe", "id": 1, "ch": channels, "depth": depth, "rate_ms": rate_ms}
    client.sendall(masked(json.dumps(asked).encode()))
    return client


def collect(client: socket.socket, seconds: float) -> list[tuple[int, bytes]]:
    """Read for so long: each payload with the instant at which it was in our hands."""
    client.settimeout(0.5)
    data, got, end = bytearray(), list[tuple[int, bytes]](), time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            piece = client.recv(65536)
        except TimeoutError:
            continue
        now = time.time_ns()
        if not piece:
            raise ConnectionError("the gateway closed the connection")
        data += piece
        for opcode, payload in frames_of(data):
            if opcode == TEXT:
                got.append((now, payload))
            elif opcode == PING:
                client.sendall(bytes((0x80 | PONG, 0x80 | len(payload))) + bytes(4) + payload)
    return got


def main() -> None:
    """Follow the channels, then write what was seen."""
    url, seconds, file, *channels = sys.argv[1:]
    client = connect(url, channels, 10, 0)
    print("connected", flush=True)
    got, received, sizes = [], [], 0
    for now, payload in collect(client, float(seconds)):
        sizes += len(payload)
        for line in payload.split(b"\n"):
            message = orjson.loads(line)
            if message["t"] == "d" and "r" in message.get("ts", {}):
                got.append(now // 1000)
                received.append(message["ts"]["r"])
    np.savez(file, got=np.array(got), received=np.array(received), bytes=np.array([sizes]))


if __name__ == "__main__":
    main()
