"""Plays frames into a writer of Redis streams as it is asked to; both sides of the comparison run this very loop.

Standard library alone: the peer's Python runs it too. A line on standard input is `pace SECONDS`, frames as far apart
as they were recorded, or `flat FRAMES`, one after the other. The answer is a line of JSON when all are in Redis:
`count`, `seconds`, and of paced frames by their stamp the nanosecond at which each was taken up.

A frame's stamp is the microsecond at which it was recorded. Both sides are told it as the instant of receipt and write
it into their entries, by which a reader knows the frame again. (With the real instant a venue would seem years late.)
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
    """Give `frames`, each with its stamp, and `answers` to REST requests by URL."""
    return json.loads(Path(file).read_text(encoding="utf-8"))


async def until(true: Callable[[], bool], look_s: float) -> None:
    """Wait until something holds, by looking: neither the peer nor our sink has an event for it."""
    while not true():  # noqa: ASYNC110 - there is no event to await on either side, and both are to be asked alike
        await asyncio.sleep(look_s)


class Player:
    """Frames in a circle, into whatever takes one; `held` tells how many entries are not yet in Redis."""

    def __init__(
        self, frames: list[tuple[int, str]], take: Callable[[str, int], Awaitable[None]], held: Callable[[], int]
    ) -> None:
        """Begin with the first frame."""
        self._frames, self._take, self._held = frames, take, held
        self._circle: Iterator[tuple[int, str]] = itertools.cycle(frames)

    async def serve(self) -> None:
        """Do what each line asks for, until there is no more."""
        while line := await asyncio.to_thread(sys.stdin.readline):
            how, amount = line.split()
            start = time.perf_counter()
            told = await (self._pace(float(amount)) if how == "pace" else self._flat(int(amount)))
            await until(lambda: not self._held(), LOOK_S)
            print(json.dumps({"seconds": time.perf_counter() - start, **told}), flush=True)

    async def _pace(self, seconds: float) -> dict[str, Any]:
        """Play from the first frame on, each when it is due."""
        start, first, taken = time.perf_counter(), self._frames[0][0], dict[int, int]()
        self._circle = itertools.cycle(self._frames)
        for stamp, frame in self._frames:
            due = (stamp - first) / 1e6
            if due > seconds:
                break
            await asyncio.sleep(max(start + due - time.perf_counter(), 0))
            taken[stamp] = time.time_ns()
            await self._take(frame, stamp)
        return {"count": len(taken), "taken": taken}

    async def _flat(self, frames: int) -> dict[str, Any]:
        for count in range(frames):
            stamp, frame = next(self._circle)
            await self._take(frame, stamp)
            if count % TURN == 0:
                await asyncio.sleep(0)
                await until(lambda: self._held() <= AHEAD, 0)
        return {"count": frames}
