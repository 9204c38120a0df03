"""Asks leave before it goes out: connections by way of a circuit breaker, requests by REST, both within a budget.

The budgets are of one address and shared through Redis by all workers that have it. While Redis can't be asked,
a bucket of the same size in this process stands in.
"""

from __future__ import annotations

import asyncio
import logging
import random
import urllib.error
import urllib.request
from dataclasses import dataclass
from errno import errorcode
from http.client import HTTPException
from os import strerror
from socket import gaierror
from ssl import SSLError
from urllib.parse import urlsplit

from ingest.breaker import Breaker, Ending
from ingest.budget import Bucket
from ingest.venue import Limit, Listing, Venue
from thalweg import __version__, keys
from thalweg.clock import Clock
from thalweg.errors import DecodeError, RedisTrouble
from thalweg.settings import Settings
from thalweg.transport import RedisLink

FETCH_TIMEOUT_S = 5.0  # without a byte
BODY_MAX = 64 * 2**20  # bytes of a REST answer; the longest list of symbols is about a third of that
REFUSAL_MAX = 4096  # bytes of a refusal that are read
ALONE_NS = 5_000_000_000  # after trouble Redis is left alone for so long
PROBE_S = 1.0  # left to a probe before asking again
FUNCTION_MS = 1000  # the server functions count in milliseconds
LOG = logging.getLogger("thalweg.ingest")


class Purse:
    """One budget of a venue, shared by the workers of an address."""

    def __init__(self, settings: Settings, key: str, limit: Limit, clock: Clock) -> None:
        """Start with a full bucket of our own, for when the shared one can't be asked."""
        self._link = RedisLink(settings.redis_url, "thalweg-ingest-budget")
        self._key, self._limit, self._clock = key, limit, clock
        self._own = Bucket(limit)
        self._alone_until, self._connected = 0, False
        self._turn = asyncio.Lock()

    async def spend(self, weight: int) -> float:
        """Spend a weight and give 0, or give the seconds to wait before asking again."""
        window_ms = int(self._limit.window_s * FUNCTION_MS)
        wait_ms = await self._call("thalweg_spend", weight, self._limit.most, window_ms)
        now = self._clock.monotonic_ns()
        if wait_ms is None:
            return self._own.spend(weight, now)
        if not wait_ms:
            self._own.note(weight, now)
        return wait_ms / FUNCTION_MS

    async def ban(self, seconds: float) -> None:
        """Let nobody of this address spend for so long."""
        self._own.ban(seconds, self._clock.monotonic_ns())
        await self._call("thalweg_ban", int(seconds * FUNCTION_MS))

    async def _call(self, function: str, *arguments: int) -> int | None:
        """Call a server function; `None` while Redis can't be asked."""
        async with self._turn:
            if self._clock.monotonic_ns() < self._alone_until:
                return None
            connected, self._connected = self._connected, False  # who is cancelled on the way leaves a reply unread
            try:
                if not connected:
                    await self._link.connect()
                reply = int(await self._link.call("FCALL", function, 1, self._key, *arguments))
            except RedisTrouble:
                self._alone_until = self._clock.monotonic_ns() + ALONE_NS
                return None
            self._connected = True
            return reply

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()


@dataclass(slots=True)
class Answer:
    """What a request brought: an HTTP status, or 0 and the reason in `body`; `after_s` is how long to wait."""

    status: int
    body: bytes
    after_s: float | None = None


class Outside:
    """All ways out to one venue, for all its sockets in this process."""

    def __init__(self, settings: Settings, venue: Venue, clock: Clock) -> None:
        """Ask nothing yet."""
        self.rest = settings.endpoint(venue.name, "rest", venue.rest or "")
        self.breaker = Breaker(random.random)
        self._venue, self._clock = venue, clock
        key = keys.budget(venue.name, settings.egress)
        self._requests = Purse(settings, key, venue.rest_limit, clock)
        self._connects = Purse(settings, f"{key}:ws", venue.connect_limit, clock)
        self._failing = Breaker(random.random)  # of requests

    async def leave_s(self) -> float:
        """Give the seconds to wait before a connection may be tried; 0 means go, and the connection counts."""
        if wait_s := self.breaker.wait_s(self._clock.monotonic_ns()) or await self._connects.spend(1):
            return wait_s
        return 0.0 if self.breaker.start(self._clock.monotonic_ns()) else PROBE_S

    async def ended(self, ending: Ending, reason: str, after_s: float | None, *, heard: bool) -> None:
        """Note how a connection ended; a venue that does not want us is left alone by all."""
        after_s = after_s or 0.0
        self.breaker.failed(ending, reason, self._clock.monotonic_ns(), heard=heard, after_s=after_s)
        if ending is Ending.REFUSED and after_s:
            await self._connects.ban(after_s)

    def heard(self) -> None:
        """Note that a connection is good."""
        self.breaker.heard(self._clock.monotonic_ns())

    async def get(self, url: str, weight: int) -> Answer:
        """Request a URL if the budget has that weight; a refusal ends all requests of this address for a while."""
        if wait_s := self._failing.wait_s(self._clock.monotonic_ns()):
            return Answer(0, f"requests rest: {self._failing.reason}".encode(), wait_s)
        if wait_s := await self._requests.spend(weight):
            return Answer(0, b"request budget is spent", wait_s)
        if not self._failing.start(self._clock.monotonic_ns()):
            return Answer(0, f"requests rest: {self._failing.reason}".encode(), PROBE_S)
        status, body, after_s = await asyncio.to_thread(http_get, url)
        now = self._clock.monotonic_ns()
        if status in self._venue.back_off_s:
            after_s = after_s or self._venue.back_off_s[status]
            await self._requests.ban(after_s)
        if status == 0 or status >= 500:
            self._failing.failed(Ending.LOST, f"status {status}" if status else body.decode(), now, heard=False)
        else:
            self._failing.heard(now)
        return Answer(status, body, after_s)

    async def listings(self) -> dict[str, Listing]:
        """Give the venue's list of symbols; empty, and said, when it can't be had."""
        metadata, name = self._venue.metadata, self._venue.name
        if metadata is None or not self.rest:
            return {}
        answer = await self.get(metadata.url(self.rest), metadata.weight)
        try:
            if answer.status != 200:
                raise DecodeError(f"status {answer.status}" if answer.status else answer.body.decode()[:80])
            return await asyncio.to_thread(metadata.decode, answer.body)
        except DecodeError as error:
            LOG.warning("%s: the list of symbols can't be had (%s); symbols are not checked", name, error)
            return {}

    async def close(self) -> None:
        """Close the connections to Redis."""
        await self._requests.close()
        await self._connects.close()


def http_get(url: str) -> tuple[int, bytes, float | None]:
    """Give status, body and the seconds a Retry-After asks for; status 0 and a reason when there was no answer.

    Blocks; call it in a thread.
    """
    request = urllib.request.Request(url, headers={"User-Agent": f"thalweg/{__version__}"})  # noqa: S310 - http or https: `thalweg.settings` refuses any other scheme
    try:
        with urllib.request.urlopen(request, timeout=FETCH_TIMEOUT_S) as answer:  # noqa: S310 - the request above, to http or https
            body: bytes = answer.read(BODY_MAX + 1)
            wrong = b"answer too long" if len(body) > BODY_MAX else b"answer cut off" if answer.length else b""
            return (0, wrong, None) if wrong else (answer.status, body, None)
    except urllib.error.HTTPError as error:
        return error.code, error.read(REFUSAL_MAX), retry_after(error.headers.get("Retry-After"))
    except (OSError, ValueError, HTTPException) as error:  # the last: an answer that is cut off, or is not HTTP
        return 0, str(error).encode(), None


def retry_after(text: str | None) -> float | None:
    """Give the seconds that a Retry-After header asks for; `None` where it says none, or a date."""
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else None


def failure_of(error: Exception, url: str) -> str:
    """Say why a connection to `url` was not made; the first 32 bytes, which publications keep, say it by themselves."""
    host = urlsplit(url).hostname or ""
    if isinstance(error, gaierror):
        return f"host unknown: {host} ({error.strerror or error})"
    if isinstance(error, TimeoutError):
        return f"no answer in time: {host}"
    if isinstance(error, OSError) and (name := errorcode.get(error.errno or 0)) and not isinstance(error, SSLError):
        return f"{strerror(error.errno or 0).lower()}: {host} ({name})"
    return f"connection failed: {str(error) or type(error).__name__}"
