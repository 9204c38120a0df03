"""One run: venues, workers, aggregators and a server in virtual time, and what goes wrong, all of it from one seed."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Callable
from hashlib import sha256
from random import Random

import thalweg.transport
from simulator.faults import Script, why_not
from simulator.kinds import KINDS
from simulator.venues import DIALECTS
from simulator.world import World
from tests.virtual.judge import Judge
from tests.virtual.network import Link, Network
from tests.virtual.timeline import MILLISECOND, SECOND, Clock, Loop, Process, Timeline
from tests.virtual.venues import Socket, Venues
from thalweg.instruments import load_instruments
from thalweg.settings import Settings

thalweg.transport.RedisLink = Link  # type: ignore[misc]  # before anything that imports it

import aggregator.service  # noqa: E402
import ingest.outside.source  # noqa: E402
import ingest.service  # noqa: E402
import ingest.source  # noqa: E402
from ingest.venues import VENUES  # noqa: E402

INSTRUMENTS = ("BTC-USDT", "ETH-USDT")
LOOK_NS = 200 * MILLISECOND
SETTLE_S = 15  # at the start
QUIET_S = 60  # at the end, without a fault
RATE = 4.0  # frames a second, all books together
UNSEEN = {"crossed"}  # a false level that trades soon pass by: without a checksum nothing tells that it is there
TOO_RARE = {"delist", "maintenance", "max_age", "rest_418", "skew"}  # long; picked less often


class Scenario:
    """A run of a seed."""

    def __init__(self, seed: int, minutes: float, *, usual: bool = False) -> None:
        """Draw what there is; of the `usual` venues alone, so that a seed means the same whatever else there is."""
        self.seed, self.minutes = seed, minutes
        self.random = Random(seed)
        random.seed(seed)
        self.timeline = Timeline()
        self.network = Link.network = Network(self.timeline, Random(f"{seed}/network"))
        self.names = sorted(
            self.random.sample(sorted(load_instruments().usual if usual else VENUES), self.random.choice((1, 1, 2)))
        )
        chosen = load_instruments().only(INSTRUMENTS[: self.random.choice((1, 1, 2))], self.names)
        world = World(chosen, RATE, seed, Script(), self.timeline.wall, self.names)
        self.venues = Venues(self.timeline, world, Random(f"{seed}/venues"))
        ends = {(name, kind): f"{scheme}://sim/{name}" for name in VENUES for kind, scheme in _SCHEMES}
        ends |= {("bybit", "ws"): "ws://sim/bybit"}
        self.settings = Settings(chosen, endpoints=ends)
        self.violations: list[str] = []
        self.actions: dict[str, int] = {}
        self.judge = Judge(self.network, world, self._say)
        self.venues.moved = self.judge.truth.listen
        self.log: Callable[[str], object] = lambda line: None
        self.trace = sha256()
        self.network.server.appended = self._note
        self._born = 0
        self._patch()

    def _patch(self) -> None:
        """Put the virtual things in their places."""
        tokens = Random(f"{self.seed}/tokens")
        places = (
            (secrets, "token_hex", lambda count=8: f"{tokens.getrandbits(8 * count):0{2 * count}x}"),
            (os, "getpid", lambda: 1),
            (ingest.source, "connect", Socket),
            (ingest.outside.source, "http_get", self.venues.get),
        )
        for module, name, thing in places:
            setattr(module, name, thing)

    def _note(self, key: bytes, number: tuple[int, int], words: list[bytes]) -> None:
        self.trace.update(b"%b %d-%d %d " % (key, *number, self.timeline.now) + b" ".join(words))

    def _say(self, violation: str) -> None:
        self.violations.append(f"{self.timeline.now / SECOND:.1f} s: {violation}")

    def _act(self, name: str) -> None:
        self.actions[name] = self.actions.get(name, 0) + 1
        self.trace.update(f"{name} {self.timeline.now}".encode())
        self.log(f"{self.timeline.now / SECOND:9.3f} {name}")

    def spawn(self, kind: str) -> Process:
        """Start a process: of a venue, or an aggregator."""
        self._born += 1
        clock = Clock(self.timeline, self.random.randrange(10**15))
        process = Process(self.timeline, f"{kind} {self._born}", clock, Loop(self.timeline, self.venues.executed))
        if kind == "aggregator":
            process.start(lambda: aggregator.service.Aggregator(self.settings, clock).run())
        else:
            process.start(lambda: ingest.service.Worker(self.settings, VENUES[kind], clock).run())
        return process

    def run(self) -> None:
        """Start all, let things go wrong, let them get well again, and judge throughout."""
        for kind in [*self.names, "aggregator"]:
            for _ in range(2):
                self.spawn(kind)
        self._every(LOOK_NS, self.judge.look)
        self._every(SECOND, self._remember)
        self._wait(SETTLE_S)
        end = self.timeline.now + int(self.minutes * 60 * SECOND)
        while self.timeline.now < end and not self.violations:
            self._wait(self.random.uniform(2, 12))
            self.misfortune()
        self._heal()
        self._wait(QUIET_S)
        for line in [] if self.violations else self.judge.all_live():
            self._say(f"I7 not live at the end: {line}")

    def _every(self, interval: int, call: Callable[[], None]) -> None:
        def again() -> None:
            call()
            self.timeline.after(interval, again)

        self.timeline.after(interval, again)

    def _wait(self, seconds: float) -> None:
        until = self.timeline.now + int(seconds * SECOND)
        while self.timeline.now < until and not self.violations:
            self.timeline.run(min(until, self.timeline.now + SECOND))
            self._restart_the_dead()

    def _restart_the_dead(self) -> None:
        """Start what has ended again, as the supervisor does; a bug that ended it is a violation."""
        for process in [one for one in self.timeline.processes if not one.alive]:
            self.timeline.processes.remove(process)
            _GRAVES.append(process)
            if process.failure is not None:
                self._say(f"{process.name} died of {process.failure!r}")
            kind = process.name.split()[0]
            if sum(one.name.split()[0] == kind for one in self.timeline.processes) < 2:
                self.spawn(kind)

    def _remember(self) -> None:
        if self.network.up:
            self.network.remember()

    def misfortune(self) -> None:
        """Let one thing go wrong."""
        draw = self.random.random()
        if draw < 0.45:
            self._of_a_process()
        elif draw < 0.7:
            self._of_the_server()
        else:
            self._of_a_venue()

    def _of_a_process(self) -> None:
        process = self.random.choice(self.timeline.processes)
        kind = self.random.choice(("kill", "terminate", "pause", "cut", "skew", "scale"))
        self._act(f"{kind} {process.name.split()[0]}")
        seconds = self.random.choice((0.3, 1.0, 2.9, 3.5, 7.0))
        if kind == "kill":
            process.kill()
        elif kind == "terminate":
            process.terminate()
        elif kind == "pause":
            process.paused = True
            self._later(seconds, lambda: setattr(process, "paused", False))
        elif kind == "cut":
            process.cut = True
            self._later(seconds, lambda: setattr(process, "cut", False))
        elif kind == "skew":
            process.clock.skew = int(self.random.uniform(-5, 5) * SECOND)
        elif len(self.timeline.processes) < 9:
            self.spawn(process.name.split()[0])

    def _of_the_server(self) -> None:
        network, server = self.network, self.network.server
        kind = self.random.choice(("restart", "lost tail", "flush", "hang", "full", "lossy", "clock"))
        self._act(f"server {kind}")
        seconds = self.random.choice((0.2, 0.6, 1.5, 3.2))
        if kind in ("restart", "lost tail"):
            network.down()
            self._later(seconds, lambda: self._start_server(forget=kind == "lost tail"))
        elif kind == "flush":
            server.flush()
            self.judge.forgive()
            server.loaded = False
            network.remember()
            self._later(seconds, lambda: setattr(server, "loaded", True))
        elif kind == "hang":
            network.hung_until = self.timeline.now + int(seconds * SECOND)
        elif kind == "full":
            server.full = True
            self._later(seconds, lambda: setattr(server, "full", False))
        elif kind == "lossy":
            network.losing = 0.05
            self._later(seconds, lambda: setattr(network, "losing", 0.0))
        else:
            network.clock_ms += self.random.choice((-3000, -500, 500, 3000))

    def _start_server(self, *, forget: bool) -> None:
        self.network.start(forget=forget)
        if forget:
            self.judge.forgive()

    def _of_a_venue(self) -> None:
        venue = self.random.choice(self.names)
        dialect = DIALECTS[venue]
        kinds = [
            kind
            for kind in KINDS
            if (dialect.spoil is not None or kind not in UNSEEN)
            and why_not(kind, dialect) is None
            and (kind not in TOO_RARE or self.random.random() < 0.3)
        ]
        kind = self.random.choice(kinds)
        self._act(f"venue {kind}")
        world = self.venues.world
        world.inject({"kind": kind, "venue": venue, "seconds": 4.0}, self.timeline.wall)
        if kind == "max_age":
            self._later(20, lambda: setattr(world.exchanges[venue].outages, "max_age_ns", None))

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self.timeline.after(int(seconds * SECOND), call)

    def _heal(self) -> None:
        """Let nothing be wrong any more."""
        self._wait(25)
        for process in self.timeline.processes:
            process.clock.skew = 0


_SCHEMES = (("ws", "ws"), ("rest", "http"))
_GRAVES: list[Process] = []  # tasks that never end: kept, so that nothing complains
