"""One shard as a worker has it, on a real server: the sink and the shard, fed by a desk instead of a socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ingest.line import Line
from ingest.shard import Shard
from ingest.sink import Sink
from tests.ingest.toy import BTC, Desk
from thalweg.clock import SystemClock
from thalweg.events import Event, Open
from thalweg.instruments import Instruments
from thalweg.latency import Rings
from thalweg.lease import Duty, Role
from thalweg.settings import Settings
from thalweg.wire import decode_entry, parse_id

KEY = "st:{BTC-USDT}:toy"
LEASE = "lease:{0}:toy"


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: it does not come to hold.
    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


@dataclass
class Plug:
    """A connection that is always there."""

    opened_at: int | None = 0
    stopped: bool = False

    def stop(self) -> None:
        self.stopped = True


class Hand:
    """A worker's shard; `desk` is what the venue told this worker."""

    def __init__(self, url: str, desk: Desk, name: str = "one") -> None:
        self.desk, self.name = desk, name
        self.settings = Settings(instruments=Instruments({"BTC-USDT": BTC}), redis_url=url)
        self.sink = Sink(self.settings, desk.venue, 0, name, desk.tally, Rings("append"), SystemClock())
        self.sequenced = desk.venue.capability.detector == "sequence"
        self.shard = Shard(self.sink, SystemClock(), desk.tally, self._draw, sequenced=self.sequenced)
        self.plugs: list[Plug] = []
        self.desks, self.drawn = [desk], 0
        self.age_ns: int | None = None

    def _draw(self, shard: Shard) -> Line:
        desk = self.desks[self.drawn % len(self.desks)]
        self.drawn += 1
        line = Line(desk.session, self.desk.tally, books=self.sequenced, age_ns=self.age_ns)
        line.feed = Plug()
        self.plugs.append(line.feed)
        return line

    def tell(self, events: list[Event]) -> None:
        """Hand events to the shard as the connection would."""
        assert self.shard.line is not None
        self.shard.put(self.shard.line, events, time.time_ns())

    def frame(self, *messages: dict[str, Any]) -> None:
        """Let the venue send a frame."""
        self.tell(self.desk.frame(*messages))

    def frame_of_next(self, *messages: dict[str, Any]) -> None:
        """Let the venue send a frame on the second connection."""
        assert self.shard.next is not None
        self.shard.put(self.shard.next, self.desks[1].frame(*messages), time.time_ns())

    def assign(self, role: Role, expected: str = "", *, mine: bool = False) -> None:
        """Do what a beat would have shown just now."""
        self.shard.assign(Duty(role, expected), time.monotonic_ns(), mine=mine)

    async def own(self, expected: str = "") -> None:
        """Take the shard."""
        self.assign(Role.OWNER, expected)
        await until(lambda: self.sink.owning)

    def balance(self) -> tuple[int, int]:
        """Give both sides of ingest's conservation equation."""
        tally = self.desk.tally
        held = self.shard.held
        return tally.decoded + sum(tally.made.values()), tally.appended + sum(tally.dropped.values()) + held


@asynccontextmanager
async def hand(url: str, desk: Desk, name: str = "one") -> AsyncIterator[Hand]:
    """Run a worker's shard, idle at first."""
    one = Hand(url, desk, name)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(one.sink.run())
        try:
            yield one
        finally:
            task.cancel()
            await one.sink.close()


def entries(server: Any) -> list[tuple[tuple[int, int], Event]]:
    """Give the stream, decoded."""
    return [(parse_id(id_), decode_entry("toy", "BTC-USDT", f)[0]) for id_, f in server.xrange(KEY)]


def assert_sound(server: Any, *hands: Hand) -> list[Event]:
    """Check the stream's own promises and the counts that both sides keep; give its events."""
    found = entries(server)
    last = (0, 0)
    for (epoch, n), event in found:
        if epoch != last[0]:
            assert n == 1
            assert isinstance(event, Open)
        else:
            assert n == last[1] + 1
        last = (epoch, n)
    assert server.xinfo_stream(KEY)["entries-added"] == sum(one.desk.tally.appended for one in hands)
    for one in hands:
        came, went = one.balance()
        assert came == went
    return [event for _, event in found]
