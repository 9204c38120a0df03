"""A client that counts frames as ingest receives them: `python -m tests.bench.receiver CLIENT PORT FRAMES FLAGS`.

It prints the CPU seconds of its process from the first frame to the last, and the seconds that passed.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

import uvloop

BATCH = 64  # as in `ingest.source`


class Clock:
    """What was spent since the first frame."""

    def __init__(self) -> None:
        """Wait for the first."""
        self._cpu = self._at = 0.0

    def start(self) -> None:
        """Note the first frame."""
        self._cpu, self._at = time.process_time(), time.perf_counter()

    def tell(self) -> None:
        """Print what all frames after the first have cost."""
        spent = {"cpu_s": time.process_time() - self._cpu, "seconds": time.perf_counter() - self._at}
        print(json.dumps(spent), flush=True)


async def pulled(connect: Callable[..., Any], url: str, count: int, flags: list[str]) -> None:
    """Receive as `Feed` does, with the `connect` of websockets or of a stand-in."""
    clock = Clock()
    compression = "deflate" if "deflate" in flags else None
    more = {"ssl": context()} if "tls" in flags else {}
    async with connect(url, compression=compression, max_queue=256, max_size=2**20, **more) as socket:
        await socket.recv(decode=False)
        clock.start()
        left = count - 1
        while left:
            for _ in range(min(BATCH, left)):
                await socket.recv(decode=False)
                left -= 1
            await asyncio.sleep(0)
        clock.tell()


async def pushed(url: str, count: int, flags: list[str]) -> None:
    """Receive by picows' own callbacks, which have no deflate."""
    picows = importlib.import_module("picows")  # not among our dependencies

    clock, done = Clock(), asyncio.get_running_loop().create_future()

    class Listener(picows.WSListener):  # type: ignore[name-defined,misc]  # its base is known when it runs: picows may be missing
        """Counts."""

        def __init__(self) -> None:
            """Begin with none."""
            self.left = count

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            """Take a frame's bytes, as a decoder needs them."""
            frame.get_payload_as_bytes()
            if self.left == count:
                clock.start()
            self.left -= 1
            if not self.left:
                clock.tell()
                done.set_result(None)

    more = {"ssl_context": context()} if "tls" in flags else {}
    transport, _ = await picows.ws_connect(Listener, url, **more)
    await done
    transport.disconnect()


def context() -> ssl.SSLContext:
    """Give a context that believes anything: the venue is this machine."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
    return found


def main() -> None:
    """Receive as the arguments say."""
    client, port, count, flags = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    url = f"{'wss' if 'tls' in flags else 'ws'}://127.0.0.1:{port}/"
    if client == "picows":
        uvloop.run(pushed(url, count, flags))
        return
    module = "picows.websockets" if client == "picows-websockets" else "websockets"
    connect = importlib.import_module(f"{module}.asyncio.client").connect
    uvloop.run(pulled(connect, url, count, flags))


if __name__ == "__main__":
    main()
