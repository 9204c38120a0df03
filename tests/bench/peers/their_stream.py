"""cryptofeed's side of the stream comparison, run by its own Python; arguments and lines as of ours.

Its stream backend writes whatever waits as soon as it comes to it: 2.4.1 has no interval that could be turned off.
"""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace

import uvloop
from cryptofeed.backends.redis import BookStream

from tests.bench.peers.playing import Player, load
from tests.bench.peers.theirs import ADDRESSES, Answers, feed

VENUE = "bybit"


async def main(port: str, file: str) -> None:
    """Start the backend, and play."""
    found = load(file)
    backend = BookStream(host="127.0.0.1", port=int(port))
    backend.start(asyncio.get_running_loop())
    handler = feed(VENUE, Answers(found["answers"]), backend).message_handler
    connection = SimpleNamespace(address=ADDRESSES[VENUE], uuid=VENUE)

    async def take(frame: str, stamp: int) -> None:
        await handler(frame, connection, stamp / 1e6)

    print("ready", flush=True)
    await Player(found["frames"], take, lambda: backend.queue._unfinished_tasks).serve()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
