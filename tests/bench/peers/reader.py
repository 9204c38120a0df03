"""Reads streams as they grow: `python -m tests.bench.peers.reader PORT SIDE`; the same program for both sides.

A blocking XREAD on a plain socket, from the newest entries on, until the stream `done` has an entry. Then it prints as
JSON, by the stamp of its frame, the nanosecond at which each delta was here.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import hiredis

from thalweg.resp import pack

SYMBOLS = ("BTC-USDT", "ETH-USDT")
KEYS = {"ours": "st:{{{}}}:bybit", "cryptofeed": "book-BYBIT-{}"}
DONE = "done"


def replies(link: socket.socket) -> Iterator[Any]:
    """Give what the server answers, one by one."""
    reader = hiredis.Reader()
    while True:
        while (reply := reader.gets()) is not False:
            yield reply
        reader.feed(link.recv(1 << 16))


def stamp_of(fields: dict[bytes, bytes]) -> int | None:
    """Give the stamp of the frame that a delta came by; `None` of what is no delta."""
    if fields.get(b"kind") == b"delta":
        return int(fields[b"ts_recv"]) // 1_000
    return round(float(fields[b"receipt_timestamp"]) * 1e6) if b"delta" in fields else None


def main(port: str, side: str) -> None:
    """Read until told that it is over."""
    link = socket.create_connection(("127.0.0.1", int(port)))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers, seen = replies(link), dict[int, int]()
    cursors = dict.fromkeys([KEYS[side].format(one) for one in SYMBOLS] + [DONE], b"$")
    for key in cursors:
        link.sendall(pack("XREVRANGE", key, "+", "-", "COUNT", 1))
        cursors[key] = next((row[0] for row in next(answers)), b"0-0")
    print("ready", flush=True)
    while True:
        link.sendall(pack("XREAD", "COUNT", 512, "BLOCK", 0, "STREAMS", *cursors, *cursors.values()))
        found = next(answers)
        now = time.time_ns()
        for key, rows in found:
            cursors[key.decode()] = rows[-1][0]
            for _, flat in rows if key != DONE.encode() else ():
                stamp = stamp_of(dict(zip(flat[::2], flat[1::2], strict=True)))
                if stamp is not None:
                    seen[stamp] = now
        if any(key == DONE.encode() for key, _ in found):
            print(json.dumps(seen), flush=True)
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
