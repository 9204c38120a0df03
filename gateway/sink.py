"""What the gateway exchanges with Redis once a second: its own latencies out, those of all services in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.hub import Hub
from gateway.rest.system import Capabilities
from gateway.rest.uptime import Hours
from gateway.shapes.market import HopLine
from thalweg.errors import RedisTrouble
from thalweg.keys import latency, status, uptime
from thalweg.latency import HOPS, Hop, Rings, Summary
from thalweg.resp import pack
from thalweg.settings import Settings
from thalweg.transport import RedisLink, answered

PERIOD_S = 1.0
SUMMARY_S = 10  # a service that has not said anything for so long is no longer shown
CAPABILITIES_NS = 1_000_000_000  # how long what was read for a request serves others too


class Board:
    """The once-a-second exchange, on a connection of its own."""

    def __init__(self, settings: Settings, hub: Hub, rings: Rings) -> None:
        """Prepare the connection.

        Raises:
            SettingsError: the Redis URL is not one.
        """
        self._link = RedisLink(settings.redis_url, "thalweg-gateway-board")
        self._connected = False
        self._turn = asyncio.Lock()
        self._hub, self._rings = hub, rings
        venues = {venue for one in settings.instruments.by_name.values() for venue in one.symbols}
        self._services = [f"ingest:{venue}" for venue in sorted(venues)] + ["aggregator"]
        self._books = [(one.name, venue) for one in settings.instruments.by_name.values() for venue in one.symbols]
        self._read: Capabilities = {}
        self._read_ns = 0

    async def run(self) -> None:
        """Exchange latencies each second, for ever; while Redis is down, our own are still shown."""
        try:
            while True:
                own = self._rings.summaries(time.monotonic_ns())
                try:
                    others = await self._exchange(own)
                except RedisTrouble:
                    others = {}  # the source has a connection too, and says what is wrong with Redis
                self._hub.metrics.gather(hop_lines({**others, "gateway": own}))
                await asyncio.sleep(PERIOD_S)
        finally:
            await self._link.close()

    async def _exchange(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Write our summary and give those of the others."""
        summary = orjson.dumps({"ts": time.time_ns(), "service": "gateway", "hops": own})
        asked = [pack("MGET", latency(service)) for service in self._services]  # one each: they are in different slots
        _, *found = await self._ask([pack("SET", latency("gateway"), summary, "EX", SUMMARY_S), *asked])
        pairs = zip(self._services, found, strict=True)
        return {service: _hops(reply[0]) for service, reply in pairs if reply and reply[0] is not None}

    async def _ask(self, commands: Sequence[bytes]) -> list[Any]:
        """Run commands, connecting first where needed; `None` for what only a part of a Cluster knows that is away.

        Raises:
            RedisTrouble: the server can't be used.
        """
        async with self._turn:
            if not self._connected:
                await self._link.connect()
            self._connected = False
            found, _ = answered(range(len(commands)), await self._link.run_each(commands))
            self._connected = True
            return [found.get(place) for place in range(len(commands))]

    async def uptimes(self, hours: range) -> Hours:
        """Give what is kept of these hours, by instrument.

        Raises:
            RedisTrouble: the server can't be used.
        """
        names = list(dict.fromkeys(name for name, _ in self._books))
        replies = await self._ask([pack("HGETALL", uptime(name, hour)) for name in names for hour in hours])
        fields = iter(map(_fields, replies))
        return {name: [next(fields) for _ in hours] for name in names}

    async def capabilities(self) -> Capabilities:
        """Give what each book's status hash says, at most a second old.

        Raises:
            RedisTrouble: the server can't be used.
        """
        if time.monotonic_ns() - self._read_ns > CAPABILITIES_NS or not self._read_ns:
            replies = await self._ask([pack("HGETALL", status(*book)) for book in self._books])
            self._read = {book: _fields(reply) for book, reply in zip(self._books, replies, strict=True)}
            self._read_ns = time.monotonic_ns()
        return self._read


def _hops(text: bytes) -> Mapping[str, Any]:
    """Give the hops of a service's summary; nothing where it is not one."""
    try:
        hops = orjson.loads(text)["hops"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}
    return hops if isinstance(hops, dict) else {}


def _fields(reply: Sequence[bytes] | None) -> dict[str, str]:
    """Give a hash's fields from the flat list that the server answers; none where it could not be asked."""
    texts = [part.decode(errors="replace") for part in reply or ()]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def hop_lines(services: Mapping[str, Mapping[str, Any]]) -> list[HopLine]:
    """Give one line a hop and service, in the order of the walk, with the definition beside the figures."""
    lines: list[HopLine] = []
    for hop in HOPS:
        lines += [hop_line(hop, name, hops[hop.name]) for name, hops in services.items() if hop.name in hops]
    return lines


def hop_line(hop: Hop, service: str, summary: Summary) -> HopLine:
    """Give a hop's definition with a service's figures."""
    return {
        "hop": hop.name,
        "what": hop.what,
        "from": hop.start,
        "to": hop.end,
        "clock": hop.clock,
        "by": service,
        **summary,
    }
