"""Holds one WebSocket to a venue: connects, reads, sends, fetches, and comes back when it breaks."""

from __future__ import annotations

import asyncio
import logging
import random
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter_ns
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from ingest.backoff import Backoff
from ingest.effects import Effects
from ingest.notices import Notices
from ingest.session import Session
from ingest.venue import Listing, RestSnapshot, Venue
from thalweg import __version__
from thalweg.clock import Clock
from thalweg.errors import DecodeError
from thalweg.events import Event
from thalweg.latency import Rings
from thalweg.settings import Settings

BATCH = 64  # frames read before others get a turn
TICK_S = 0.1
CLOSE_TIMEOUT_S = 0.3  # nobody reads what still comes, so the venue's goodbye may never be seen
FETCHES = 2  # REST requests under way at once
FETCH_TIMEOUT_S = 5.0  # without a byte
BODY_MAX = 64 * 2**20  # bytes of a REST answer; the longest list of symbols is about a third of that
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
    ) -> None:
        """Connect later, in `run`; `put` takes events and the instant they were admitted."""
        self.opened_at: int | None = None
        self._over = asyncio.Event()
        self._url = venue.connect(settings.endpoint(venue.name, "ws", venue.ws))
        self._rest = settings.endpoint(venue.name, "rest", venue.rest or "")
        self._venue, self._session, self._put = venue, session, put
        self._rings, self._clock, self._notices = rings, clock, notices
        self._backoff = Backoff(0.5, 30.0, random.random)
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
            began = self._clock.monotonic_ns()
            reason = await self._connection()
            self.opened_at = None
            if self._over.is_set():
                return
            self._do(self._session.disconnected(reason, self._clock.wall_ns()))
            self._tell(f"{reason}; connecting again")
            if self._clock.monotonic_ns() - began > STEADY_NS:
                self._backoff.reset()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.next_s()):
                    await self._over.wait()

    def _tell(self, trouble: str) -> None:
        """Log a trouble, once for all sockets of the venue and all tries."""
        if self._notices.fresh(trouble, self._clock.monotonic_ns()):
            LOG.warning("%s: %s", self._venue.name, trouble)

    async def _connection(self) -> str:
        """Connect, serve until the end, and say why it ended."""
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
        except (OSError, WebSocketException, TimeoutError) as error:
            return f"connection failed: {str(error) or type(error).__name__}"

    async def _serve(self, socket: ClientConnection) -> str:
        """Run reader, sender, ticker and fetchers until the session wants to close or one of them fails."""
        self._outgoing, self._fetching = asyncio.Queue(), asyncio.Queue()
        self._closing = asyncio.get_running_loop().create_future()
        if self._over.is_set():  # stopped during the handshake
            return "not needed any more"
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
            return self._closing.result()
        failures = [error for error in ended if isinstance(error, Exception)]
        for error in failures:
            if not isinstance(error, OSError | WebSocketException):
                raise error
        return f"connection lost: {failures[0]}" if failures else "connection ended"

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
            self._fetching.put_nowait(symbol)
        if effects.close:
            self._close(effects.close)

    def _close(self, reason: str) -> None:
        """End the connection there is."""
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(reason)

    async def _send(self, socket: ClientConnection) -> None:
        """Send frames no faster than the venue allows."""
        while True:
            await socket.send(await self._outgoing.get())
            await asyncio.sleep(self._venue.pace_s)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._do(self._session.tick(self._clock.wall_ns(), self._clock.monotonic_ns()))

    async def _fetch(self, rest: RestSnapshot) -> None:
        """Fetch whole books one after the other."""
        while True:
            symbol = await self._fetching.get()
            status, body, after_s = await asyncio.to_thread(http_get, rest.url(self._rest, symbol))
            ts_recv, now = self._clock.wall_ns(), self._clock.monotonic_ns()
            if status == 200:
                start = perf_counter_ns()
                effects = self._session.book_fetched(symbol, body, ts_recv, now)
                self._rings["engine_snapshot"].add(perf_counter_ns() - start)
            else:
                self._tell(f"fetching {symbol} gave {status or body.decode()}; trying again")
                effects = self._session.fetch_failed(symbol, after_s, now)
            self._do(effects)


def http_get(url: str) -> tuple[int, bytes, float | None]:
    """Give status, body and the seconds a Retry-After asks for; status 0 and a reason when there was no answer.

    Blocks; call it in a thread.
    """
    request = urllib.request.Request(url, headers={"User-Agent": f"thalweg/{__version__}"})  # noqa: S310 - settings allow http(s) alone
    try:
        with urllib.request.urlopen(request, timeout=FETCH_TIMEOUT_S) as answer:  # noqa: S310 - as above
            body: bytes = answer.read(BODY_MAX + 1)
            return (answer.status, body, None) if len(body) <= BODY_MAX else (0, b"answer too long", None)
    except urllib.error.HTTPError as error:
        after = error.headers.get("Retry-After", "")
        return error.code, b"", float(after) if after.isdigit() else None
    except (OSError, ValueError) as error:
        return 0, str(error).encode(), None


async def fetch_listings(settings: Settings, venue: Venue) -> dict[str, Listing]:
    """Give the venue's list of symbols; empty, and said, when it can't be had."""
    metadata = venue.metadata
    rest = settings.endpoint(venue.name, "rest", venue.rest or "")
    if metadata is None or not rest:
        return {}

    def fetch() -> dict[str, Listing]:
        status, body, _ = http_get(metadata.url(rest))
        if status != 200:
            raise DecodeError(f"status {status}" if status else body.decode()[:80])
        return metadata.decode(body)

    try:
        return await asyncio.to_thread(fetch)
    except DecodeError as error:
        LOG.warning("%s: the list of symbols can't be had (%s); symbols are not checked", venue.name, error)
        return {}
