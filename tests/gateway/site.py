"""A whole gateway without sockets or a server, filled by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from gateway.app import Gateway, make_app
from gateway.hub import AGGREGATOR, REDIS
from gateway.service import tick
from gateway.source import now
from tests.gateway.publications import Maker, instruments
from thalweg.latency import Rings
from thalweg.settings import Settings

HOST = "127.0.0.1:8080"
SETTINGS = Settings(instruments(), origins=("https://books.example.org",))


class Site:
    """A gateway whose replica has been filled, behind Starlette's test client."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.gateway = Gateway(settings)
        self.maker = Maker()
        for part in (REDIS, AGGREGATOR):
            self.gateway.hub.set_part(part, True, "", now())
        self.gateway.hub.hear(replace(now(), monotonic=now().monotonic + 3_600_000_000_000), None)
        self.client = TestClient(make_app(self.gateway, self._ticking), base_url=f"http://{HOST}")

    @asynccontextmanager
    async def _ticking(self, app: Starlette) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(tick(self.gateway, Rings("pubsub", "hold", "fanout", "total"), asyncio.Lock()))
            yield
            ticking.cancel()

    def fill(self) -> None:
        self.maker.ts = now().wall
        self.maker.delta(200)
        self.gateway.hub.replicas["BTC-USDT"].join([self.maker.key()], now().wall)

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)
