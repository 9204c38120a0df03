"""A worker's connections to a simulated venue over real sockets, without Redis: what they tell is kept."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import connect

from ingest.notices import Notices
from ingest.outside.source import Outside
from ingest.session import Session
from ingest.source import Feed
from ingest.tally import Tally
from ingest.track import Track
from ingest.venues import VENUES
from simulator.service import Address, Options, simulate
from thalweg.clock import SystemClock
from thalweg.events import Event, Snapshot, State, Status
from thalweg.instruments import load_instruments
from thalweg.latency import Rings
from thalweg.settings import Settings

NOWHERE = "redis://127.0.0.1:1/0"  # nothing listens there: budgets are our own
WAIT_S = 10.0


class Rig:
    """One process of one venue: a feed for every group of instruments."""

    def __init__(self, venue: str, port: int, groups: Sequence[Sequence[str]], redis_url: str = NOWHERE) -> None:
        self.venue, self.port = VENUES[venue], port
        instruments = load_instruments()
        base = f"127.0.0.1:{port}/{venue}"
        endpoints = {(venue, "ws"): f"ws://{base}", (venue, "rest"): f"http://{base}"}
        settings = Settings(instruments=instruments, redis_url=redis_url, endpoints=endpoints)
        self.tally, self.events = Tally(), list[Event]()
        clock, rings = SystemClock(), Rings("venue", "decode", "append", "engine", "engine_snapshot")
        self.outside = Outside(settings, self.venue, clock)
        self.sessions = [
            Session(self.venue, instruments.only(group).listings(venue), self.tally, random.random) for group in groups
        ]
        notices = Notices()
        self.feeds = [
            Feed(settings, self.venue, session, self._put, rings, clock, notices, self.outside)
            for session in self.sessions
        ]

    def _put(self, events: list[Event], ts_decoded: int) -> None:
        self.events += events

    @property
    def tracks(self) -> list[Track]:
        return [track for session in self.sessions for track in session.tracks]

    def live(self) -> bool:
        return all(track.state is State.LIVE for track in self.tracks)

    def told(self, state: State) -> list[Status]:
        """The statuses of a state so far."""
        return [event for event in self.events if isinstance(event, Status) and event.state is state]

    def flags(self) -> int:
        """All flags that were ever told."""
        found = 0
        for event in self.events:
            found |= event.flags if isinstance(event, Status | Snapshot) else 0
        return found

    async def until(self, condition: Callable[[], object], seconds: float = WAIT_S) -> None:
        """Wait for something to be true."""
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - what is waited for is state that nobody announces
                await asyncio.sleep(0.02)

    async def control(self, **request: Any) -> dict[str, Any]:
        """Ask the simulator."""
        async with connect(f"ws://127.0.0.1:{self.port}/control", proxy=None) as channel:
            await channel.send(json.dumps(request))
            answer: dict[str, Any] = json.loads(await channel.recv())
            return answer

    async def fault(self, kind: str, **more: Any) -> None:
        """Let something go wrong."""
        answer = await self.control(op="inject", fault={"kind": kind, "venue": self.venue.name, **more})
        assert "error" not in answer, answer

    async def meter(self) -> dict[str, Any]:
        """What the venue counted."""
        found: dict[str, Any] = (await self.control(op="report"))["meters"][self.venue.name]
        return found


@asynccontextmanager
async def simulated(rate: float = 300.0, venues: Sequence[str] = ()) -> AsyncIterator[int]:
    """Serve venues on a free port; give it."""
    found: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    options = Options(rate=rate, venues=tuple(venues))
    task = asyncio.ensure_future(simulate(load_instruments(), options, Address("127.0.0.1", 0), found.set_result))
    try:
        yield (await asyncio.wait_for(found, WAIT_S)).port
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def rigged(
    venue: str, *groups: Sequence[str], rate: float = 300.0, redis_url: str = NOWHERE
) -> AsyncIterator[Rig]:
    """Run a rig at a simulated venue until its books are live, then give it."""
    async with simulated(rate, [venue]) as port:
        rig = Rig(venue, port, groups, redis_url)
        tasks = [asyncio.ensure_future(feed.run()) for feed in rig.feeds]
        try:
            await rig.until(rig.live)
            yield rig
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await rig.outside.close()
            assert not [error for error in ended if isinstance(error, Exception)]
