"""Holds one WebSocket to a venue: connects, reads, sends, fetches, and comes back when it breaks."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import perf_counter_ns
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from ingest.backoff import Backoff
from ingest.breaker import Ending, ending_of
from ingest.effects import Effects
from ingest.notices import Notices
from ingest.outside.source import Outside, failure_of, retry_after
from ingest.session import Session
from ingest.venue import RestSnapshot, Venue
from thalweg import __version__
from thalweg.clock import Clock
from thalweg.events import Event, Flag
from thalweg.latency import Rings
from thalweg.settings import Settings

BATCH = 64  # frames read before others get a turn
TICK_S = 0.1
CLOSE_TIMEOUT_S = 0.3  # nobody reads what still comes, so the venue's goodbye may never be seen
FETCHES = 2  # REST requests under way at once
POLL_S = 0.25  # between two looks at whether a venue that was down may be tried
TOO_BIG = 2  # frames above our limit in a row: the next will be too, so the venue is left alone for longer
FED_CAP_S = (
    8.0  # the longest wait after a connection that was good; the budget of connections bounds how many there are
)
STEADY_NS = 30_000_000_000  # a connection that lasted this long was a success
LOG = logging.getLogger("thalweg.ingest")


class Feed:
    """One connection of a venue, for as long as there is use for it."""

    def __init__(
        self,
        settings: Settings,
        venue: Venue,
        session: Session,
        put: Callable[[list[Event], int], None],
        rings: Rings,
        clock: Clock,
        notices: Notices,
        outside: Outside,
    ) -> None:
        """Connect later, in `run`; `put` takes events and the instant they were admitted."""
        self.opened_at: int | None = None
        self._over = asyncio.Event()
        self._url = venue.connect(settings.endpoint(venue.name, "ws", venue.ws))
        self._outside = outside
        self._venue, self._session, self._put = venue, session, put
        self._rings, self._clock, self._notices = rings, clock, notices
        self._backoff = Backoff(0.5, 30.0, random.random)
        self._too_big, self._slow = 0, Backoff(15.0, 60.0, random.random)
        self._heard = False
        self._fetched: set[str] = set()  # symbols whose book is being fetched, or waits for it
        self._closing: asyncio.Future[str] | None = None
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._fetching: asyncio.Queue[str] = asyncio.Queue()

    def stop(self) -> None:
        """End the connection for good; `run` returns."""
        self._over.set()
        self._close("not needed any more")

    async def run(self) -> None:
        """Keep the connection up until stopped."""
        while not self._over.is_set():
            if not await self._leave():
                return
            began, self._heard = self._clock.monotonic_ns(), False
            ending, reason, after_s = await self._connection()
            self.opened_at = None
            if self._over.is_set():
                return
            self._gone(ending, reason, self._clock.monotonic_ns() - began)
            await self._outside.ended(ending, reason, after_s, heard=self._heard)
            if not self._outside.breaker.reason:
                await self._rest(self._slow.next_s() if self._too_big >= TOO_BIG else self._soon_s())

    def _soon_s(self) -> float:
        """Give the next wait: a venue that feeds us, only not for long, is not left alone like one that does not."""
        return self._backoff.next_s(FED_CAP_S if self._heard else inf)

    async def _rest(self, seconds: float) -> None:
        """Wait, but no longer than there is use for the connection."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()

    async def _leave(self) -> bool:
        """Wait until the venue may be tried, which books of one that is down say; false when it no longer matters."""
        while wait_s := await self._outside.leave_s():
            breaker = self._outside.breaker
            if breaker.reason:
                self._do(self._session.waiting(breaker.reason, self._clock.wall_ns(), down=breaker.down))
            await self._rest(min(wait_s, POLL_S) * (1 + random.random()) / 2)
            if self._over.is_set():
                return False
        return True

    def _gone(self, ending: Ending, reason: str, lasted_ns: int) -> None:
        """Tell why a connection ended, or was not made."""
        self._too_big = self._too_big + 1 if ending is Ending.TOO_BIG else 0
        if self._too_big >= TOO_BIG:
            reason = f"frames above {self._venue.max_frame >> 20} MiB"
        self._do(self._session.disconnected(reason, self._clock.wall_ns(), down=ending is Ending.DOWN))
        self._tell(f"{reason}; connecting again")
        if lasted_ns > STEADY_NS:
            self._backoff.reset()
            self._slow.reset()

    def _tell(self, trouble: str) -> None:
        """Log a trouble, once for all sockets of the venue and all tries."""
        if self._notices.fresh(trouble, self._clock.monotonic_ns()):
            LOG.warning("%s: %s", self._venue.name, trouble)

    async def _connection(self) -> tuple[Ending, str, float | None]:
        """Connect, serve until the end, and say why it ended and how long the venue wants to be left alone."""
        try:
            async with connect(
                self._url,
                max_size=self._venue.max_frame,
                compression=None,
                max_queue=256,
                close_timeout=CLOSE_TIMEOUT_S,
                user_agent_header=f"thalweg/{__version__}",
                additional_headers=dict(self._venue.headers),
            ) as socket:
                return await self._serve(socket)
        except InvalidStatus as error:
            status, after_s = error.response.status_code, retry_after(error.response.headers.get("Retry-After"))
            ending = ending_of(status, None)
            if ending is Ending.REFUSED:
                after_s = after_s or self._venue.back_off_s.get(status)
            return ending, f"connection refused: HTTP {status}", after_s
        except (OSError, WebSocketException, TimeoutError) as error:
            return Ending.LOST, failure_of(error, self._url), None

    async def _serve(self, socket: ClientConnection) -> tuple[Ending, str, float | None]:
        """Run reader, sender, ticker and fetchers until the session wants to close or one of them fails."""
        self._outgoing, self._fetching = asyncio.Queue(), asyncio.Queue()
        self._fetched.clear()
        self._closing = asyncio.get_running_loop().create_future()
        if self._over.is_set():  # stopped during the handshake
            return Ending.LOST, "not needed any more", None
        self.opened_at = self._clock.monotonic_ns()
        self._do(self._session.connected(self._clock.wall_ns(), self._clock.monotonic_ns()))
        jobs = [self._read(socket), self._send(socket), self._tick()]
        if rest := self._venue.rest_snapshot:
            jobs += [self._fetch(rest) for _ in range(FETCHES)]
        tasks: list[asyncio.Future[None]] = [asyncio.ensure_future(job) for job in jobs]
        watched: list[asyncio.Future[Any]] = [self._closing, *tasks]
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        if self._closing.done():
            return Ending.LOST, self._closing.result(), None
        failures = [error for error in ended if isinstance(error, Exception)]
        for error in failures:
            if not isinstance(error, OSError | WebSocketException):
                raise error
        if not failures:
            return Ending.LOST, "connection ended", None
        return ending_of(None, _close_code(failures[0])), f"connection lost: {failures[0]}", None

    async def _read(self, socket: ClientConnection) -> None:
        """Take frames as they come; others get a turn whenever none waits, and after every `BATCH`."""
        session, clock, rings = self._session, self._clock, self._rings
        while True:
            for _ in range(BATCH):
                data = await socket.recv(decode=False)
                ts_recv = clock.wall_ns()
                start = perf_counter_ns()
                effects = session.frame(data, ts_recv, clock.monotonic_ns())
                spent = perf_counter_ns() - start
                if effects.whole:
                    rings["engine_snapshot"].add(spent)
                elif effects.moved:
                    rings["engine"].add(spent)
                    self._sample(effects, ts_recv)
                self._do(effects)
            await asyncio.sleep(0)

    def _sample(self, effects: Effects, ts_recv: int) -> None:
        """Note the venue's own delay and the decoding of a frame."""
        self._rings["decode"].add(self._clock.wall_ns() - ts_recv)
        for event in effects.events[:1]:
            ts_event = getattr(event, "ts_event", None)
            if ts_event is not None:
                self._rings["venue"].add(ts_recv - ts_event)

    def _do(self, effects: Effects) -> None:
        """Do what the session wants."""
        self._put(effects.events, self._clock.wall_ns())
        for text in effects.send:
            self._outgoing.put_nowait(text)
        for symbol in effects.fetch:
            if symbol not in self._fetched:
                self._fetched.add(symbol)
                self._fetching.put_nowait(symbol)
        if effects.close:
            self._close(effects.close)

    def _close(self, reason: str) -> None:
        """End the connection there is."""
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(reason)

    async def _send(self, socket: ClientConnection) -> None:
        """Send frames no sooner and no faster than the venue allows."""
        await asyncio.sleep(self._venue.settle_s)
        while True:
            await socket.send(await self._outgoing.get())
            await asyncio.sleep(self._venue.pace_s)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if not self._heard and self._session.heard:
                self._heard = True
                self._outside.heard()
            doubted = [one for one in self._session.tracks if one.flags & Flag.UNVERIFIED]
            if doubted and self._venue.capability.verifies:
                self._tell(f"checksums of {doubted[0].instrument.name} are wrong or withdrawn, so nothing verifies it")
            self._do(self._session.tick(self._clock.wall_ns(), self._clock.monotonic_ns()))

    async def _fetch(self, rest: RestSnapshot) -> None:
        """Fetch whole books one after the other."""
        while True:
            symbol = await self._fetching.get()
            answer = await self._outside.get(rest.url(self._outside.rest, symbol), rest.weight)
            ts_recv, now = self._clock.wall_ns(), self._clock.monotonic_ns()
            self._fetched.discard(symbol)
            if answer.status == 200:
                start = perf_counter_ns()
                effects = self._session.book_fetched(symbol, answer.body, ts_recv, now)
                self._rings["engine_snapshot"].add(perf_counter_ns() - start)
            elif rest.unknown(answer.status, answer.body):
                effects = self._session.unlisted(symbol, ts_recv, now)
            else:
                reason = f"HTTP {answer.status}" if answer.status else answer.body.decode()
                self._tell(f"fetching {symbol} gave {reason}; trying again")
                effects = self._session.fetch_failed(symbol, answer.after_s, ts_recv, now, reason)
            self._do(effects)


def _close_code(error: Exception) -> int | None:
    """Give the close code of an ended connection: the one we sent, if we were first."""
    if not isinstance(error, ConnectionClosed):
        return None
    told = error.rcvd if error.rcvd_then_sent or error.sent is None else error.sent
    return told.code if told is not None else None
