"""The demo on a Cluster: `thalweg up` in its own process, and what its gateway tells of every book while it runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from time import monotonic
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from thalweg import keys
from thalweg.cli.embedded import free_port
from thalweg.instruments import Instruments, load_instruments, shard_of
from thalweg.lease import rank
from thalweg.resp import pack
from thalweg.transport import RedisLink

PROGRAM = [sys.executable, "-c", "from thalweg.cli import main; main()"]
PATIENCE_S = 60.0  # a loaded machine takes its time to start
RETRY_S = 0.1
MASTER_OF_SHARD = {3: 0, 2: 1, 1: 2, 0: 2}
Book = tuple[str, str]
"""Venue and instrument."""


@dataclass
class Told:
    """What the gateway has told: the last state of every book and part, and all changes with their instants."""

    books: dict[Book, str] = field(default_factory=dict)
    parts: dict[str, tuple[str, str]] = field(default_factory=dict)
    changes: list[tuple[float, Book, str, str]] = field(default_factory=list)

    def take(self, text: str) -> None:
        """Take a frame."""
        for line in text.splitlines():
            said = json.loads(line)
            if said.get("t") == "status" and "sys" in said:
                self.parts[said["sys"]] = said["st"], said["why"]
            elif said.get("t") == "status":
                book = said["ex"], said["sym"]
                self.books[book] = said["st"]
                self.changes.append((monotonic(), book, said["st"], said["why"]))


@dataclass
class Demo:
    """A demo that runs."""

    process: asyncio.subprocess.Process
    file: Path
    url: str
    instruments: Instruments
    books: list[Book]
    told: Told
    _socket: ClientConnection

    def at(self, master: int) -> list[Book]:
        """Give the books of a master."""
        return [(venue, name) for venue, name in self.books if MASTER_OF_SHARD[shard_of(name)] == master]

    async def until(self, holds: Callable[[], bool], within_s: float = PATIENCE_S) -> float:
        """Take what the gateway tells until something holds, and give the seconds that took.

        Raises:
            TimeoutError: it does not come to hold.
        """
        began = monotonic()
        async with asyncio.timeout(within_s):
            while not holds():
                frame = await self._socket.recv()
                self.told.take(frame if isinstance(frame, str) else frame.decode())
        return monotonic() - began

    def are(self, books: Sequence[Book], state: str) -> bool:
        """Whether all these books are in a state."""
        return all(self.told.books.get(book) == state for book in books)

    def touched(self, since: float) -> dict[Book, list[str]]:
        """Give the books that were told not to be live since an instant, each with the reasons."""
        found: dict[Book, list[str]] = {}
        for at, book, state, why in self.told.changes:
            if at >= since and state != "live":
                found.setdefault(book, []).append(f"{state}: {why}")
        return found

    async def settle(self, workers: int) -> None:
        """Wait until each shard is with the worker that is to keep it; a book that moves may be shown as not live."""
        link = RedisLink(self.url, "test")
        await link.connect()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await self._settled(link, workers):
                    with suppress(TimeoutError):
                        await self.until(lambda: False, RETRY_S)
        finally:
            await link.close()
        await self.until(lambda: self.are(self.books, "live"))

    async def _settled(self, link: RedisLink, workers: int) -> bool:
        shards = {shard_of(name) for name in self.instruments.by_name}
        for group, shard in product({keys.OUT, *(venue for venue, _ in self.books)}, shards):
            ask = [pack("GET", keys.lease(group, shard)), pack("ZRANGE", keys.workers(group, shard), 0, -1)]
            owner, members = await link.run(ask)
            best = rank(group, shard, frozenset(one.decode() for one in members))[:1]
            if len(members) != workers or best != [(owner or b"").decode()]:
                return False
        return True

    async def stop(self) -> dict[str, Any]:
        """End it in order and give its summary."""
        self.process.send_signal(signal.SIGINT)
        await self.process.wait()
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found


@asynccontextmanager
async def demo(url: str, folder: Path, venues: str, names: str, *options: str) -> AsyncIterator[Demo]:
    """Run the demo on these servers, with everything live."""
    instruments = load_instruments().only(names.split(","), venues.split(","))
    port, file = free_port(), folder / "summary.json"
    environ = {name: text for name, text in os.environ.items() if not name.startswith("THALWEG_")} | {"REDIS_URL": url}
    command = [*PROGRAM, "up", "--demo", "--port", str(port), "--venues", venues, "--instruments", names]
    with (folder / "up.log").open("wb") as log:
        words = [*command, "--summary", str(file), *options]
        process = await asyncio.create_subprocess_exec(*words, stderr=log, stdout=log, env=environ)
        try:
            async with await _connected(process, port) as socket:
                await socket.send(json.dumps({"op": "subscribe", "id": 1, "ch": ["status"]}))
                books = [(venue, name) for name in instruments.by_name for venue in instruments.venues(name)]
                one = Demo(process, file, url, instruments, books, Told(), socket)
                await one.until(lambda: one.are(books, "live"))
                await one.settle(_workers(options))
                yield one
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def _workers(options: Sequence[str]) -> int:
    """Give how many workers of each kind these options ask for."""
    return int(options[options.index("--workers") + 1]) if "--workers" in options else 1


async def _connected(process: asyncio.subprocess.Process, port: int) -> ClientConnection:
    async with asyncio.timeout(PATIENCE_S):
        while process.returncode is None:
            try:
                return await connect(f"ws://127.0.0.1:{port}/ws/v1", proxy=None)
            except OSError:
                await asyncio.sleep(RETRY_S)
    raise AssertionError(f"thalweg up ended with code {process.returncode}")
