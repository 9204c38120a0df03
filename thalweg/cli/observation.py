"""What `thalweg up` watches of its own run: the client at the gateway, the judge of the publications, the load."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from time import monotonic
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from thalweg import keys
from thalweg.cli.history import Outage
from thalweg.cli.judge import Judge
from thalweg.cli.plan import Plan
from thalweg.cli.simulated import ask
from thalweg.cli.subscriber import Subscriber
from thalweg.cli.witness import Appended, frames_read, look, out_heads
from thalweg.cluster.source import together
from thalweg.cursor import Lapped, Position, Published, Regressed
from thalweg.errors import RedisTrouble, ThalwegError
from thalweg.publication import VIEW_DEPTH
from thalweg.resp import pack
from thalweg.streams.source import publications
from thalweg.transport import RedisLink, checked

RETRY_S = 0.2
EXPIRE_S = 0.5


class Observation:
    """The watchers of one run and what they have seen."""

    def __init__(self, plan: Plan, link: RedisLink, exec_at: float) -> None:
        """Prepare; `exec_at` is the monotonic instant at which the command was started."""
        self.plan = plan
        self.link = link
        self.exec_at = exec_at
        self.subscriber = Subscriber(plan.settings.instruments)
        self.judge = Judge()
        self.before = Appended()
        self.frames_at_live: int | None = None
        self.losses: list[str] = []
        self.outages: list[Outage] = []
        self._away: dict[tuple[str, ...], Outage] = {}
        self._published: dict[str, Position] = {}

    @property
    def all_live_s(self) -> float | None:
        """Seconds from the start of the command to the first instant at which every book was live at the gateway."""
        at = self.subscriber.all_live_at
        return None if at is None else at - self.exec_at

    async def begin(self) -> None:
        """Note what Redis held before.

        Raises:
            RedisTrouble: the server does not answer.
        """
        self.before = await look(self.link, self.plan.streams)
        self._published = await out_heads(self.link, self.plan.settings.instruments.by_name)

    async def frames(self) -> int:
        """Give the frames so far: sent by the simulator, or decoded by ingest where the venues are real ones.

        Raises:
            ThalwegError: whoever knows does not answer.
        """
        if self.plan.simulator_port is not None:
            sent: int = (await self.report())["frames"]
            return sent
        return await frames_read(self.link, self.plan.venues)

    async def report(self) -> dict[str, Any]:
        """Give the simulator's report.

        Raises:
            ThalwegError: it does not answer.
        """
        return await ask(self.plan.simulator_socket("control"), "report")

    async def note_all_live(self) -> None:
        """Wait until every book is live and note the load until then."""
        await self.subscriber.all_live.wait()
        with suppress(ThalwegError):
            self.frames_at_live = await self.frames()

    async def hear_truth(self) -> None:
        """Hand the oracle's words to the judge until cancelled."""
        while True:
            try:
                async with connect(self.plan.simulator_socket("oracle"), proxy=None, max_size=None) as socket:
                    async for text in socket:
                        self.judge.learn(text)
            except (OSError, WebSocketException):
                await asyncio.sleep(RETRY_S)

    async def follow(self) -> None:
        """Hand every publication to the judge until cancelled; in a Cluster each instrument is read apart."""
        url = self.plan.settings.redis_url
        async with asyncio.TaskGroup() as group:
            for instruments in together(url, self.plan.settings.instruments.by_name):
                group.create_task(self._follow(RedisLink(url, "thalweg-judge"), instruments))

    async def _follow(self, link: RedisLink, instruments: tuple[str, ...]) -> None:
        """Read on through any trouble with Redis, and note when it could not be used."""
        try:
            while True:
                try:
                    await link.connect()
                    await self._read(link, instruments)
                except RedisTrouble:  # a hole shows when the reading goes on from where it was
                    if instruments not in self._away:
                        self._away[instruments] = outage = Outage(instruments, time.time_ns())
                        self.outages.append(outage)
                    await asyncio.sleep(RETRY_S)
                    with suppress(RedisTrouble):
                        await self.link.connect()
        finally:
            await link.close()

    async def _read(self, link: RedisLink, instruments: tuple[str, ...]) -> None:
        """Read the publications of this run; those of earlier ones are passed over."""
        judging = self.plan.simulator_port is not None
        async for item in publications(link, instruments, after=self._published):
            if outage := self._away.pop(instruments, None):
                outage.end = time.time_ns()
            if isinstance(item, Lapped | Regressed):
                self.losses.append(f"the judge lost publications: {item}")
            if not isinstance(item, Published):
                continue
            self._published[item.instrument] = (item.epoch, item.seq)
            if judging:
                await self._learn_depths(link, item)
            self.judge.watch(item.publication, monotonic(), judging=judging)

    async def _learn_depths(self, link: RedisLink, item: Published) -> None:
        """Ask for the verified depth of books seen for the first time as live."""
        books = ((line.name, item.instrument) for line in item.publication.venues if line.state == "live")
        for venue, instrument in [book for book in books if book not in self.judge.depths]:
            (reply,) = await link.run([pack("HGET", keys.status(instrument, venue), "verified_depth")])
            depth = checked(reply)
            self.judge.depths[venue, instrument] = min(int(depth), VIEW_DEPTH) if depth else VIEW_DEPTH

    async def expire(self) -> None:
        """Judge now and then what the oracle has not spoken of, until cancelled."""
        while True:
            await asyncio.sleep(EXPIRE_S)
            self.judge.expire(monotonic())
