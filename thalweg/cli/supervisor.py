"""One run of `thalweg up`: starts the services, watches them, and stops them in the order that loses nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from thalweg.cli.children import Guardian
from thalweg.cli.console import Screen
from thalweg.cli.ending import Ended, Stop
from thalweg.cli.fleet import AGGREGATOR, GATEWAY, SIMULATOR, Fleet, server_of_our_own, watch_server
from thalweg.cli.observation import Observation
from thalweg.cli.plan import USUAL_PORT, Plan
from thalweg.cli.replaying import Player
from thalweg.cli.server import connected, keep_functions, load_functions, shown_url
from thalweg.cli.simulated import until_answering
from thalweg.cli.subscriber import missing
from thalweg.errors import ThalwegError
from thalweg.transport import RedisLink

PROGRESS_S = 5.0
SERVER_WAIT_S = 10.0
SLOW_S = 30.0  # after which books that are not live yet are named
STAGE_S = 1.5  # for each of the three stages of a stop by Ctrl-C, which must end within 5 s


class Run:
    """The state of one run."""

    def __init__(
        self, plan: Plan, screen: Screen, exec_at: float, player: Player | None = None, player_port: int = 0
    ) -> None:
        """Prepare; `exec_at` is the monotonic instant at which the command was started.

        A `player` stands in for the venues, and the run ends when it has played everything.
        """
        self.plan = plan
        self.player = player
        self.player_port = player_port
        self.screen = screen
        self.exec_at = exec_at
        self.told_to_stop = asyncio.Event()
        self.stopping = False

    async def run(self) -> Ended | None:
        """Start everything, wait for the end, stop everything; give what a measured run has found.

        Raises:
            ThalwegError: a service can't be run, or the server is gone.
        """
        with TemporaryDirectory(prefix="thalweg-") as name, Guardian() as keeper:
            folder = Path(name)
            with server_of_our_own(self.plan, folder, keeper) as server:
                fleet = Fleet(self.plan, folder, self.screen, keeper)
                self._listen_to_signals()
                link = await connected(self.plan.settings.redis_url, "thalweg-up", SERVER_WAIT_S)
                try:
                    return await self._serve(link, fleet, server, folder)
                except* ThalwegError as group:
                    raise _first(group) from None
                finally:
                    await link.close()

    def _listen_to_signals(self) -> None:
        """Stop in order when told to; told twice, at once."""
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def heed() -> None:
            if self.told_to_stop.is_set() and task is not None:
                task.cancel()
            self.told_to_stop.set()

        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(one, heed)

    async def _serve(self, link: RedisLink, fleet: Fleet, server: Popen[bytes] | None, folder: Path) -> Ended | None:
        text = await load_functions(link)
        url = shown_url(self.plan.settings.redis_url)
        self.screen.say(f"redis      {url} ({'embedded ' if server else ''}{text})", service="redis", url=url)
        if server is not None and self.plan.server_port != USUAL_PORT:
            self.screen.say(f"           for commands in other terminals: export REDIS_URL={url}")
        async with asyncio.TaskGroup() as group:
            watching: list[asyncio.Task[None]] = []

            def watch(work: Coroutine[Any, Any, None]) -> None:
                watching.append(group.create_task(work))

            if server is not None:
                watch(watch_server(server, folder / "redis" / "server.log"))
            watch(keep_functions(self.plan.settings.redis_url, "thalweg-up-functions", self.screen.say))
            observation = Observation(self.plan, link, self.exec_at)
            if self.player is not None:
                listening = asyncio.Event()
                watch(self.player.run(self.player_port, listening.set))
                await listening.wait()
            await self._start(group, fleet, observation)
            for work in self._watchers(fleet, observation):
                watch(work)
            await self._until_end()
            ended = await self._stop(fleet, observation, folder)
            for task in watching:
                task.cancel()
        return ended

    async def _start(self, group: asyncio.TaskGroup, fleet: Fleet, observation: Observation) -> None:
        """Start the services, the fake venues first, and say one line for each."""
        await observation.begin()
        fleet.start(group, SIMULATOR)
        if self.plan.simulator_port is not None:
            await until_answering(self.plan.simulator_socket("control"))
            self.screen.say(f"simulator  port {self.plan.simulator_port}", service=SIMULATOR)
        fleet.start(group, *fleet.ingest, *fleet.aggregators, GATEWAY)
        books, workers = [venue for _, venue in self.plan.streams], self.plan.wishes.workers
        several = f", {workers} workers" if workers > 1 else ""
        for venue in self.plan.venues:
            text = f"ingest     {venue}, {books.count(venue)} books{several}"
            self.screen.say(text, service=f"ingest:{venue}")
        instruments = len(self.plan.settings.instruments.by_name)
        self.screen.say(f"aggregator {instruments} instruments{several}", service=AGGREGATOR)

    def _watchers(self, fleet: Fleet, observation: Observation) -> list[Coroutine[Any, Any, None]]:
        """Give all that runs beside the services."""
        subscriber = observation.subscriber
        found = [subscriber.run(self.plan.socket), self._announce(observation), self._progress(observation)]
        found.append(observation.note_all_live())
        if self.plan.wishes.measured:
            found += [observation.follow(), observation.expire()]
            if self.plan.simulator_port is not None:
                found.append(observation.hear_truth())
        return found

    async def _announce(self, observation: Observation) -> None:
        """Say where the page is when it answers, and when all books are live."""
        subscriber, screen = observation.subscriber, self.screen
        await subscriber.answered.wait()
        screen.say(f"gateway    {self.plan.page}  <- open this page", service=GATEWAY, url=self.plan.page)
        with suppress(TimeoutError):
            async with asyncio.timeout(SLOW_S):
                await subscriber.all_live.wait()
        if not subscriber.all_live.is_set():
            screen.say(f"not live after {SLOW_S:.0f} s: {', '.join(missing(subscriber))}")
            await subscriber.all_live.wait()
        seconds = observation.all_live_s or 0.0
        screen.say(f"All {subscriber.books} books are live, {seconds:.1f} s after the start.", all_live_s=seconds)

    async def _progress(self, observation: Observation) -> None:
        """Show how it goes, now and then, if a person watches."""
        before, then = 0, monotonic()
        while self.screen.watched:
            await asyncio.sleep(PROGRESS_S)
            try:
                frames, now = await observation.frames(), monotonic()
            except ThalwegError as error:
                self.screen.progress(str(error))
                continue
            if self.stopping:
                return
            live = f"{observation.subscriber.live}/{observation.subscriber.books} books live"
            self.screen.progress(f"{live}, {(frames - before) / (now - then):,.0f} frames/s")
            before, then = frames, now

    async def _until_end(self) -> None:
        """Wait until told to stop, until the seconds of the run are over, or until all has been played."""
        if self.player is not None:
            over = asyncio.ensure_future(self.player.over(self.plan.sockets))
            told = asyncio.ensure_future(self.told_to_stop.wait())
            await asyncio.wait({over, told}, return_when=asyncio.FIRST_COMPLETED)
            over.cancel()
            told.cancel()
            return
        seconds = self.plan.wishes.seconds
        left = None if seconds is None else max(0.0, self.exec_at + seconds - monotonic())
        with suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self.told_to_stop.wait()

    async def _stop(self, fleet: Fleet, observation: Observation, folder: Path) -> Ended | None:
        self.stopping = True
        self.screen.say("Stopping.")
        if self.plan.wishes.measured:
            hurried = self.told_to_stop.is_set()
            return await Stop(self.plan, fleet, observation, folder, hurried=hurried).run()
        for names in (fleet.ingest, fleet.aggregators, [GATEWAY, SIMULATOR]):
            await fleet.stop(*names, within_s=STAGE_S)
        return None


def _first(group: BaseExceptionGroup[ThalwegError]) -> ThalwegError:
    """Give the first of the errors that ended a run: the others follow from it."""
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("a group has at least one")
