"""Reads streams as they grow: `python -m tests.bench.peers.reader PORT SIDE`; the same program for both sides.

A blocking XREAD on a plain socket, from the newest entries on, until the stream `done` has an entry. Then it prints as
JSON how many microseconds each delta took from before its frame was decoded until it was here.
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


def age_us(fields: dict[bytes, bytes], now: int) -> float | None:
    """Give how long ago the frame of a delta was taken; `None` of what is no delta."""
    if fields.get(b"kind") == b"delta":
        return (now - int(fields[b"ts_recv"])) / 1e3
    return now / 1e3 - float(fields[b"receipt_timestamp"]) * 1e6 if b"delta" in fields else None


def main(port: str, side: str) -> None:
    """Read until told that it is over."""
    link = socket.create_connection(("127.0.0.1", int(port)))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers, ages = replies(link), list[float]()
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
                age = age_us(dict(zip(flat[::2], flat[1::2], strict=True)), now)
                ages += [] if age is None else [age]
        if any(key == DONE.encode() for key, _ in found):
            print(json.dumps(ages), flush=True)
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
