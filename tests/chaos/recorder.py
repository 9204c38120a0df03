"""Reads everything there is to read while a chaos run goes on, and hands it to the pure judges.

Streams are read by a direct connection, from their beginning and faster than they are trimmed. Publications and what
the client showed are judged a second later, when the oracle and the client have had their say.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from time import monotonic

import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.chaos.client import Client
from tests.chaos.invariants import InputCheck, Oracle, OutCheck, Tally
from tests.chaos.publications import Ladder
from tests.chaos.servers import ADMIN, PASSWORD
from tests.chaos.system import System
from thalweg import keys
from thalweg.cli.checks import Raw
from thalweg.errors import RedisTrouble, WireError
from thalweg.events import Flag, Made, Open, Snapshot, State, Status
from thalweg.publication import Publication, decode_publication
from thalweg.resp import pack
from thalweg.streams.source import last_id
from thalweg.transport import RedisLink, checked
from thalweg.wire import format_id, parse_id

RETRY_S, EXPIRE_S, LATER_S, WATCH_S = 0.05, 0.25, 1.5, 2.0
BLOCK_MS, COUNT = 50, 500
PATIENCE_S = 1.0  # for an answer of the server
RSS_BOUND_KIB = 400 * 1024  # of any service; numba and its compiled kernels are most of it
Book = tuple[str, str]


class Recorder:
    """The eyes of a run; `run` until cancelled."""

    def __init__(self, system: System, tally: Tally) -> None:
        shape = system.shape
        self.tally = tally
        self.oracle = Oracle(tally)
        self.client = Client(shape.names, tally)
        self.inputs = {keys.stream(name, venue): self._input(name, venue) for venue, name in shape.books}
        self.outs = {keys.out(name): OutCheck(name, tally) for name in shape.names}
        self.ladders = {name: Ladder(name, tally, self.oracle) for name in shape.names}
        self.states: dict[Book, State] = {}
        self.changes: deque[tuple[float, Book, State]] = deque()
        """(monotonic instant, book, state) of each change that `out:` told."""
        self.words: deque[tuple[float, str, str, str]] = deque()
        """(monotonic instant, venue, instrument, what) of each status in `st:` that is not live or says late, and of
        each whole book that the venue was asked for."""
        self.opens: deque[tuple[float, Book]] = deque()
        self.out_opens: deque[tuple[float, str]] = deque()
        self.published: dict[str, float] = {}  # when an instrument's newest record was read
        self.rss: dict[str, list[int]] = {}
        self._cursors: dict[str, tuple[int, int]] = dict.fromkeys([*self.inputs, *self.outs], (0, 0))
        self._later: deque[tuple[float, Publication]] = deque()
        self._system = system

    def _input(self, name: str, venue: str) -> InputCheck:
        return InputCheck(name, venue, self.tally, self.oracle)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear_truth())
            group.create_task(self.client.run(self._system.client_url))
            group.create_task(self._follow())
            group.create_task(self._judge_later())
            group.create_task(self._watch())

    def lose(self) -> None:
        """The server is about to lose data, or just has: nothing read from now on has to go on from what was."""
        self.tally.saw("times the server had lost data")
        self._cursors = dict.fromkeys(self._cursors, (0, 0))  # a new one, so that a reading under way notices
        for check in self.inputs.values():
            check.lost()
        for out in self.outs.values():
            out.lost()

    @property
    def all_live(self) -> bool:
        """Whether every book is live, in `out:` and at the client."""
        books = self._system.shape.books
        return all(self.states.get(book) is State.LIVE and self.client.states.get(book) == "live" for book in books)

    async def _hear_truth(self) -> None:
        while True:
            try:
                url = self._system.simulator_url("oracle")
                async with connect(url, proxy=None, max_size=None) as socket:
                    async for text in socket:
                        for venue, instrument, key, value in orjson.loads(text)["o"]:
                            self.oracle.learn(venue, instrument, key, value)
            except (OSError, WebSocketException):
                await asyncio.sleep(RETRY_S)

    async def _follow(self) -> None:
        """Read all streams of whatever server is the one, from where they were read."""
        while True:
            server = self._system.server
            link = RedisLink(f"redis://{ADMIN}:{PASSWORD}@127.0.0.1:{server.port}/0", "chaos-recorder")
            with suppress(RedisTrouble):
                await link.connect()
                await self._look_for_what_was_read(link)
                while server is self._system.server:
                    await self._look_back(link)
                    for _ in range(10):
                        await self._read(link)
            await link.close()
            await asyncio.sleep(RETRY_S)

    async def _look_back(self, link: RedisLink) -> None:
        """See whether the server has less than was read, and begin anew if so."""
        names = list(self._cursors)
        replies = await link.run([pack("XINFO", "STREAM", key) for key in names], PATIENCE_S)
        if any(last_id(reply) < self._cursors[key] for key, reply in zip(names, replies, strict=True)):
            self.lose()

    async def _look_for_what_was_read(self, link: RedisLink) -> None:
        """See whether the server still has the last entries read, though it may have newer ones by now."""
        read = [(key, format_id(*at)) for key, at in self._cursors.items() if at != (0, 0)]
        replies = await link.run([pack("XRANGE", key, at, at) for key, at in read], PATIENCE_S) if read else []
        if not all(checked(reply) for reply in replies):
            self.lose()

    async def _read(self, link: RedisLink) -> None:
        at = self._cursors
        words: list[str | int | bytes] = [
            "XREAD",
            "COUNT",
            COUNT,
            "BLOCK",
            BLOCK_MS,
            "STREAMS",
            *at,
            *(format_id(*one) for one in at.values()),
        ]
        (reply,) = await link.run([pack(*words)], PATIENCE_S)
        for name, entries in checked(reply) or ():
            key, now = name.decode(), monotonic()
            for number, (identity, fields) in enumerate(entries):
                if self._cursors is not at:
                    return
                position = parse_id(identity)
                self._cursors[key] = position
                if key in self.inputs:
                    self._take_input(key, (position, fields), now)
                else:
                    self._take_output(key, position, fields, now)
                if number % 50 == 49:
                    await asyncio.sleep(0)

    def _take_input(self, key: str, raw: Raw, now: float) -> None:
        check = self.inputs[key]
        event, book = check.take(raw, now), (check.venue, check.instrument)
        if isinstance(event, Open):
            self.opens.append((now, book))
        elif isinstance(event, Status) and event.state is not State.LIVE:
            self.words.append((now, *book, str(event.state)))
        elif isinstance(event, Status) and event.flags & Flag.LATE:
            self.words.append((now, *book, "late"))
        elif isinstance(event, Snapshot) and event.made is Made.VENUE:
            self.words.append((now, *book, "asked for again"))
        self.ladders[check.instrument].depths[check.venue] = check.depth

    def _take_output(self, key: str, position: tuple[int, int], fields: list[bytes], now: float) -> None:
        check = self.outs[key]
        epoch = check.epoch
        if not check.take(*position):
            return
        if check.epoch > epoch:
            self.out_opens.append((now, key))
        try:
            one = decode_publication(fields[1])
        except WireError as error:
            self.tally.say("I5", f"{key} {position}: {error}")
            return
        self.published[one.instrument] = now
        for line in one.venues:
            book = line.name, one.instrument
            if self.states.get(book) is not line.state:
                self.states[book] = line.state
                self.changes.append((now, book, line.state))
        self._later.append((now + LATER_S, one))

    async def _judge_later(self) -> None:
        while True:
            await asyncio.sleep(EXPIRE_S)
            self.judge(monotonic())

    def judge(self, now: float) -> None:
        """Judge what has had its time."""
        while self.client.shown:
            shown = self.client.shown.popleft()
            self.ladders[shown.instrument].show(shown)
        while self._later and self._later[0][0] <= now:
            _, one = self._later.popleft()
            self.ladders[one.instrument].take(one, now)
        self.oracle.expire(now)

    async def _watch(self) -> None:
        """Note the memory of every process."""
        while True:
            await asyncio.sleep(WATCH_S)
            for name, process in self._system.processes.items():
                rss = process.rss_kib()
                if rss:
                    self.rss.setdefault(name, []).append(rss)
                if rss > RSS_BOUND_KIB:
                    self.tally.say("I8", f"{name} has {rss // 1024} MiB resident")
