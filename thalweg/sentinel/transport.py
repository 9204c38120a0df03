"""Asks Sentinels which server is the master now: at each connect, so a failover is a reconnect to another server."""

from __future__ import annotations

from collections.abc import Callable

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from thalweg.address import Address


async def find_master(address: Address, timeout_s: float) -> str:
    """Give the URL of the master, as the first Sentinel says that answers and finds it well.

    Raises:
        RedisError: none does.
        OSError: as that.
    """
    make: Callable[[list[object]], Sentinel] = Sentinel
    asking = make([])
    asking.sentinels = [
        Redis.from_url(
            address.sentinel(*host),
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            driver_info=None,
        )
        for host in address.hosts
    ]
    try:
        host, port = await asking.discover_master(address.master)
    finally:
        for one in asking.sentinels:
            await one.aclose()
    return address.server(host, port)
