"""Plays frames into a writer of Redis streams as it is asked to; both sides of the comparison run this very loop.

Standard library alone: the peer's Python runs it too. A line on standard input is `pace SECONDS`, frames as far apart
as they were recorded, or `flat FRAMES`, one after the other; the answer is frames and seconds, until all were in Redis.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

TURN = 64  # frames between two turns of the event loop, as when a socket has many
AHEAD = 1024  # entries that may wait to be written
LOOK_S = 0.0002


def load(file: str) -> Any:
    """Give `frames`, each with the second at which it came, and `answers` to REST requests by URL."""
    return json.loads(Path(file).read_text(encoding="utf-8"))


class Player:
    """Frames in a circle, into whatever takes one; `held` tells how many entries are not yet in Redis."""

    def __init__(
        self, frames: list[tuple[float, str]], take: Callable[[str], Awaitable[None]], held: Callable[[], int]
    ) -> None:
        """Begin with the first frame."""
        self._frames, self._take, self._held = frames, take, held
        self._circle: Iterator[tuple[float, str]] = itertools.cycle(frames)

    async def serve(self) -> None:
        """Do what each line asks for, until there is no more."""
        while line := await asyncio.to_thread(sys.stdin.readline):
            how, amount = line.split()
            start = time.perf_counter()
            count = await (self._pace(float(amount)) if how == "pace" else self._flat(int(amount)))
            while self._held():
                await asyncio.sleep(LOOK_S)
            print(count, time.perf_counter() - start, flush=True)

    async def _pace(self, seconds: float) -> int:
        """Play from the first frame on, each when it is due."""
        start = time.perf_counter()
        self._circle = itertools.cycle(self._frames)
        for count, (at, frame) in enumerate(self._circle):
            if at > seconds or (count and not at):
                return count
            await asyncio.sleep(max(start + at - time.perf_counter(), 0))
            await self._take(frame)
        return 0

    async def _flat(self, frames: int) -> int:
        for count in range(frames):
            await self._take(next(self._circle)[1])
            if count % TURN == 0:
                await asyncio.sleep(0)
                while self._held() > AHEAD:
                    await asyncio.sleep(0)
        return frames
