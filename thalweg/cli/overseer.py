"""What `redis-init --keep` tells of Redis: its memory against its limit and against what the streams will take.

In a Cluster that is told of each master, with the label `node`: one may be full while others have room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import thalweg
from thalweg import keys
from thalweg.cli.findings import memory_needed
from thalweg.cli.server import functions, has_functions, shown_url
from thalweg.errors import RedisTrouble
from thalweg.instruments import Instruments
from thalweg.probe.measure import Distribution, Kind, Measure
from thalweg.settings import Settings
from thalweg.transport import RedisLink

LOOK_S = 5.0
TOLD: tuple[tuple[str, Kind, str, str], ...] = (
    ("memory_bytes", "gauge", "Memory that its data take.", "used_memory"),
    ("memory_limit_bytes", "gauge", "maxmemory; 0 is none.", "maxmemory"),
    ("clients", "gauge", "Connections.", "connected_clients"),
    ("commands", "counter", "Commands processed.", "total_commands_processed"),
    ("refused_connections", "counter", "Connections beyond maxclients.", "rejected_connections"),
    ("cut_clients", "counter", "Clients cut for their output buffer.", "client_output_buffer_limit_disconnections"),
    ("evicted_keys", "counter", "Keys evicted; any is a silent gap.", "evicted_keys"),
    ("log_bytes", "gauge", "Size of the append-only file.", "aof_current_size"),
    ("uptime_seconds", "gauge", "Since it was started.", "uptime_in_seconds"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a server at the last look; `told` are the lines of INFO, of the last time that it answered."""

    needed: int = 0
    up: bool = False
    loaded: bool = False
    told: Mapping[str, str] = field(default_factory=dict)


class Overseer:
    """Looks at the server now and then, or at each master of a Cluster; what it says in between is what it saw last.

    `servers` is what was seen, in a Cluster by the node's host and port, else by "".
    """

    def __init__(self, settings: Settings) -> None:
        """Have seen nothing."""
        self._link = RedisLink(settings.redis_url, "thalweg-redis-init-watch")
        self._settings = settings
        self.servers: dict[str, Seen] = {"": Seen(memory_needed(settings)[0])}

    async def follow(self) -> None:
        """Look again and again until cancelled, through any trouble."""
        try:
            while True:
                with suppress(RedisTrouble):
                    await self.look()
                await asyncio.sleep(LOOK_S)
        finally:
            await self._link.close()

    async def look(self) -> None:
        """Look once.

        Raises:
            RedisTrouble: nobody can be reached, or refuses; so much is noted.
        """
        try:
            self.servers = await self._look()
        except RedisTrouble:
            self.servers = {name: replace(seen, up=False) for name, seen in self.servers.items()}
            raise

    def troubles(self) -> list[str]:
        """Give why what this process is for is not so: each a sentence; none if all is well."""
        found = []
        for node, seen in self.servers.items():
            whose = f"Redis {node}".rstrip()
            if not seen.up:
                found.append(f"{whose} did not answer at the last look")
            elif not seen.loaded:
                found.append(f"{whose} has not this version's functions")
        return found

    async def _look(self) -> dict[str, Seen]:
        if not any(seen.up for seen in self.servers.values()):
            await self._link.connect()
        found = {}
        for server in await self._link.servers():
            name = shown_url(server.url).partition("://")[2].partition("/")[0] if self._link.clustered else ""
            before = replace(self.servers.get(name, Seen()), needed=self._needed(server.url), up=False)
            with suppress(RedisTrouble):
                text: bytes = await server.call("INFO")
                told = dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
                loaded = await has_functions(server, functions(self._link))
                before = replace(before, up=True, loaded=loaded, told=told)
            found[name] = before
        return found

    def _needed(self, url: str) -> int:
        """Give what the instruments that a server has need of its memory."""
        every = self._settings.instruments.by_name
        theirs = Instruments({name: one for name, one in every.items() if self._link.home(keys.out(name)) == url})
        return memory_needed(replace(self._settings, instruments=theirs))[0]

    def measures(self) -> Iterable[Measure | Distribution]:
        """Give all metrics; those of a server itself once it was seen."""
        labels = {"version": thalweg.__version__, "service": "redis-init", "worker": "redis-init"}
        yield Measure("thalweg_build_info", "gauge", "What runs.", [(labels, 1)])
        yield self._measure("up", "gauge", "Whether the server answered at the last look.", lambda seen: int(seen.up))
        what = "Whether it has our functions."
        yield self._measure("functions_loaded", "gauge", what, lambda seen: int(seen.loaded))
        what = "Memory that the streams take at most, by the settings."
        yield self._measure("memory_needed_bytes", "gauge", what, lambda seen: seen.needed)
        for name, kind, what, line in TOLD:
            measure = self._measure(name, kind, what, partial(_count, line))
            if measure.samples:
                yield measure

    def _measure(self, name: str, kind: Kind, what: str, count: Callable[[Seen], int | None]) -> Measure:
        """Give one metric of all servers, of those that have it, with a label where there may be several."""
        counts = [(node, count(seen)) for node, seen in self.servers.items()]
        samples = [({"node": node} if node else {}, float(known)) for node, known in counts if known is not None]
        return Measure(f"thalweg_redis_{name}", kind, what, [*samples])


def _count(line: str, seen: Seen) -> int | None:
    """Give the number in a line of INFO; `None` where there is none."""
    text = seen.told.get(line, "")
    return int(text) if text.isdigit() else None
