"""What `redis-init --keep` tells of the server: its memory against its limit and against what the streams will take."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import thalweg
from thalweg.cli.findings import memory_needed
from thalweg.cli.server import functions_loaded
from thalweg.errors import RedisTrouble
from thalweg.probe.measure import Distribution, Kind, Measure, single
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


class Overseer:
    """Looks at the server now and then; what it says between two looks is what it saw last."""

    def __init__(self, settings: Settings) -> None:
        """Have seen nothing."""
        self._link = RedisLink(settings.redis_url, "thalweg-redis-init-watch")
        self._needed, _ = memory_needed(settings)
        self._seen: dict[str, str] = {}
        self._up = self._loaded = False

    async def follow(self) -> None:
        """Look again and again until cancelled, through any trouble."""
        try:
            while True:
                with suppress(RedisTrouble):
                    await self._look()
                await asyncio.sleep(LOOK_S)
        finally:
            await self._link.close()

    async def _look(self) -> None:
        connected, self._up = self._up, False
        if not connected:
            await self._link.connect()
        text: bytes = await self._link.call("INFO")
        self._seen = dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
        self._loaded = await functions_loaded(self._link)
        self._up = True

    def measures(self) -> Iterable[Measure | Distribution]:
        """Give all metrics; those of the server itself once it was seen."""
        labels = {"version": thalweg.__version__, "service": "redis-init", "worker": "redis-init"}
        yield Measure("thalweg_build_info", "gauge", "What runs.", [(labels, 1)])
        yield single("thalweg_redis_up", "gauge", "Whether the server answered at the last look.", int(self._up))
        yield single("thalweg_redis_functions_loaded", "gauge", "Whether it has our functions.", int(self._loaded))
        what = "Memory that the streams take at most, by the settings."
        yield single("thalweg_redis_memory_needed_bytes", "gauge", what, self._needed)
        for name, kind, what, field in TOLD:
            if (value := self._seen.get(field, "")).isdigit():
                yield single(f"thalweg_redis_{name}", kind, what, int(value))
