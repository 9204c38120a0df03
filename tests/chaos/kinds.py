"""What a kind of fault is, and what it gets hold of."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any, TypeAlias

from tests.chaos.processes import Process
from tests.chaos.recorder import Recorder
from tests.chaos.system import System
from thalweg import keys
from thalweg.instruments import SHARDS, shard_of

ALL = "*"
NOTICED_S = 0.8  # a fault that costs a book has cost it by then
WARM_S, MANNED_S, LOOK_S = 4.0, 40.0, 0.1  # as members for so long; waited for at most; between two looks
Book: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class Strike:
    """One fault under way: where it strikes, and what it says about itself for the measurements."""

    system: System
    recorder: Recorder
    random: random.Random
    venue: str
    began: float = 0.0
    ended: float | None = None
    books: list[Book] = field(default_factory=list)
    reopened: bool = False
    """Whether the books are only back when a new epoch was opened."""
    out_reopened: bool = False
    hold_s: float = NOTICED_S
    """How long after the end the books count as back at the earliest."""

    def workers(self) -> list[Process]:
        """The venue's workers that live and are not paused."""
        found = [one for one in self.system.ingest if one.name.split(":")[1] == self.venue]
        return [one for one in found if one.pid is not None and not one.stopped]

    def owned(self, process: Process) -> list[Book]:
        """The books whose lease a worker of the venue holds now."""
        return [(self.venue, name) for name in self._instruments(self.venue, process)]

    def published(self, process: Process) -> list[str]:
        """The instruments whose lease an aggregator holds now."""
        return self._instruments(keys.OUT, process)

    def _instruments(self, group: str, process: Process) -> list[str]:
        owners = self.system.server.admin.mget([keys.lease(group, shard) for shard in range(SHARDS)])
        mine = f"{process.pid}-".encode()
        held = {shard for shard, owner in enumerate(owners) if isinstance(owner, bytes) and owner.startswith(mine)}
        return [name for name in self.system.shape.names if shard_of(name) in held]

    def busiest(self, processes: list[Process]) -> Process:
        """The one that owns the most; a random one of equals."""
        owned = self.owned if processes[0].name.startswith("ingest:") else self.published
        return max(processes, key=lambda one: (len(owned(one)), self.random.random()))

    def mine(self, instrument: str = ALL) -> list[Book]:
        """The venue's books."""
        return [book for book in self.system.shape.books if book[0] == self.venue and instrument in (ALL, book[1])]

    async def inject(self, kind: str, **more: Any) -> None:
        """Let the simulator do a fault at this venue."""
        answer = await self.system.control({"op": "inject", "fault": {"kind": kind, "venue": self.venue} | more})
        if "error" in answer:
            raise RuntimeError(f"{kind} at {self.venue}: {answer['error']}")

    async def began_at(self, kind: str) -> None:
        """Learn from the simulator when its last fault of this kind at this venue really happened."""
        report = await self.system.control({"op": "report"})
        offset = monotonic() - time()
        seen = [
            one["ts_ns"] / 1e9 + offset
            for one in report["faults"]
            if one["kind"] == kind and one["venue"] == self.venue
        ]
        self.began = max(self.began, max(seen, default=0.0))

    async def manned(self, processes: list[Process], group: str) -> None:
        """Wait until all of them are members and had the time to warm up: without a standby nothing takes over."""
        warm_at = monotonic() + WARM_S
        until = monotonic() + MANNED_S
        while monotonic() < min(warm_at, until):
            members: Any = self.system.server.admin.zrange(
                keys.workers(group, shard_of(self.system.shape.names[0])), 0, -1
            )
            living = {member.split(b"-")[0] for member in members}
            if any(f"{one.pid}".encode() not in living for one in processes):
                warm_at = monotonic() + WARM_S
            await asyncio.sleep(LOOK_S)

    def begin(self) -> None:
        """Note that it happens now."""
        self.began = monotonic()

    def end(self) -> None:
        """Note that it is over now."""
        self.ended = monotonic()

    async def last(self, seconds: float) -> None:
        """Let it go on for so long."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: `act` does it and ends it. Of `weight` 4 it comes often, of 0 only in the opening."""

    name: str
    act: Callable[[Strike], Awaitable[None]]
    venues: tuple[str, ...] = ()
    """The venues it can happen at; none: it concerns all of the system, and nothing else happens meanwhile."""
    weight: int = 1
    measured: str = ""
    """The recovery bound that it counts for."""
