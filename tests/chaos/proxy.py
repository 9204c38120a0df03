"""A TCP proxy whose weather changes while bytes are under way: slow, thin, silent, cut, or deaf in one direction.

One proxy stands for one hop. What it does holds for all its connections from the next chunk on. Backpressure is kept:
it reads no faster than it may write, so a slow far end looks slow to the near one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace

CHUNK = 65_536
DROPS_AFTER_BYTES = 1_000_000_000_000


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to bytes on their way; the default is nothing.

    Durations are seconds. `blackhole` holds all bytes of both directions back, connections stay open and new ones are
    accepted; `drop_replies` throws away what the server sends, while the server gets every request. `slice_bytes` cuts
    writes to so many bytes. `limit_bytes` resets a connection after so many bytes of either direction. `refuse` resets
    new connections at once.
    """

    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = 0.0
    slice_bytes: int = 0
    limit_bytes: int = 0
    blackhole: bool = False
    drop_replies: bool = False
    refuse: bool = False


FAIR = Weather()


class Proxy:
    """Listens on loopback and passes bytes on to a target; `start` before use, `close` at the end."""

    def __init__(self, name: str, target: tuple[str, int], seed: int = 0) -> None:
        self.name = name
        self.target = target
        self.weather = FAIR
        self.accepted = 0
        self.port = 0
        self._random = random.Random(seed)
        self._changed = asyncio.Event()
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> int:
        """Listen, and give the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set(self, **changes: object) -> None:
        """Change the weather."""
        self.weather = replace(self.weather, **changes)  # type: ignore[arg-type]  # names and types are the callers'
        self._changed.set()
        self._changed = asyncio.Event()

    def calm(self) -> None:
        """Let everything through again. Bytes that were dropped stay lost, so connections deaf till now are reset."""
        deaf = self.weather.drop_replies
        self.weather = FAIR
        self._changed.set()
        self._changed = asyncio.Event()
        if deaf:
            self.reset()

    def retarget(self, target: tuple[str, int], *, cut: bool = True) -> None:
        """Lead new connections elsewhere, and cut those there are unless told not to."""
        self.target = target
        if cut:
            self.reset()

    def reset(self) -> int:
        """Reset every connection; give how many there were."""
        for near, far in (pairs := list(self._pairs)):
            _abort(near)
            _abort(far)
        return len(pairs)

    def half_close(self) -> int:
        """Send the server's end of file to the clients, while their own direction stays open."""
        for near, _ in (pairs := list(self._pairs)):
            with suppress(OSError, RuntimeError):
                near.write_eof()
        return len(pairs)

    @contextmanager
    def under(self, **changes: object) -> Iterator[None]:
        """Change the weather for a while."""
        self.set(**changes)
        try:
            yield
        finally:
            self.calm()

    async def _accept(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        try:
            if self.weather.refuse:
                _abort(near)
                return
            await self._serve(reader, near)
        except asyncio.CancelledError:
            _abort(near)
        finally:
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        await self._out_of_the_hole()
        try:
            back, far = await asyncio.open_connection(*self.target)
        except OSError:
            _abort(near)
            return
        pair = near, far
        self._pairs.add(pair)
        budget = [self.weather.limit_bytes or DROPS_AFTER_BYTES]
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, far, near, budget, replies=False))
                group.create_task(self._pump(back, near, far, budget, replies=True))
        finally:
            self._pairs.discard(pair)
            _abort(near)
            _abort(far)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        other: asyncio.StreamWriter,
        budget: list[int],
        *,
        replies: bool,
    ) -> None:
        """Pass one direction on until its end."""
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._delay(len(chunk))
                if replies and self.weather.drop_replies:
                    continue
                budget[0] -= len(chunk)
                if budget[0] < 0 or (self.weather.limit_bytes and self.weather.limit_bytes < len(chunk)):
                    break
                await self._write(writer, chunk)
            else:
                with suppress(OSError, RuntimeError):
                    writer.write_eof()
                return
        _abort(writer)
        _abort(other)

    async def _delay(self, size: int) -> None:
        """Wait as long as the weather makes a chunk wait."""
        await self._out_of_the_hole()
        weather = self.weather
        wait_s = weather.latency_s + self._random.uniform(0, weather.jitter_s)
        if weather.bytes_per_s:
            wait_s += size / weather.bytes_per_s
        if wait_s:
            changed = self._changed
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await changed.wait()
        await self._out_of_the_hole()

    async def _out_of_the_hole(self) -> None:
        while self.weather.blackhole:
            await self._changed.wait()

    async def _write(self, writer: asyncio.StreamWriter, chunk: bytes) -> None:
        size = self.weather.slice_bytes or len(chunk)
        for at in range(0, len(chunk), size):
            writer.write(chunk[at : at + size])
            await writer.drain()
            if size != len(chunk):
                await asyncio.sleep(0)


def _abort(writer: asyncio.StreamWriter) -> None:
    """Reset a connection, so that the far end sees an error and no orderly end."""
    with suppress(OSError, RuntimeError):
        transport = writer.transport
        if not transport.is_closing():
            transport.abort()


async def serve_once(data: bytes) -> tuple[asyncio.Server, int]:
    """Listen on a port that answers every chunk with itself behind `data`; for tests."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError), closing(writer):
            while chunk := await reader.read(CHUNK):
                writer.write(data + chunk)
                await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, int(server.sockets[0].getsockname()[1])
