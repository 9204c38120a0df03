"""Faults of the hops between processes, by the proxies on them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.chaos.kinds import ALL, Kind, Strike
from tests.chaos.proxy import Proxy

Act = Callable[[Strike], Awaitable[None]]
Hop = Callable[[Strike], Proxy]
FOR_S = 2.0
WEATHERS: dict[str, dict[str, object]] = {
    "slow": {"latency_s": 0.15, "jitter_s": 0.15},
    "thin": {"bytes_per_s": 60_000},
    "in slices": {"slice_bytes": 7},
    "silent": {"blackhole": True},
    "deaf to replies": {"drop_replies": True},
}


def to_venue(strike: Strike) -> Proxy:
    """The hop from the venue's workers to the venue."""
    return strike.system.proxies[f"venue:{strike.venue}"]


def worker_to_redis(strike: Strike) -> Proxy:
    """The hop from the worker that owns the most to Redis."""
    return strike.system.proxies[f"redis:{strike.busiest(strike.workers()).name}"]


def aggregator_to_redis(strike: Strike) -> Proxy:
    """The hop from the aggregator that owns the most to Redis."""
    return strike.system.proxies[f"redis:{strike.busiest(strike.system.aggregators).name}"]


def gateway_to_redis(strike: Strike) -> Proxy:
    """The hop from the gateway to Redis."""
    return strike.system.proxies["redis:gateway"]


def to_client(strike: Strike) -> Proxy:
    """The hop from the client to the gateway."""
    return strike.system.proxies["client"]


def weather(hop: Hop, changes: dict[str, object], seconds: float = FOR_S) -> Act:
    """Make the fault that changes a hop's weather for a while."""

    async def act(strike: Strike) -> None:
        proxy = hop(strike)
        strike.begin()
        with proxy.under(**changes):
            await strike.last(seconds)
        strike.end()

    return act


def cut(hop: Hop) -> Act:
    """Make the fault that resets a hop's connections."""

    async def act(strike: Strike) -> None:
        proxy = hop(strike)
        strike.begin()
        proxy.reset()
        strike.end()

    return act


def cut_venue(strike: Strike) -> Awaitable[None]:
    """Reset every connection to the venue; all its books are concerned."""
    strike.books = strike.mine()
    return cut(to_venue)(strike)


def half_close(hop: Hop) -> Act:
    """Make the fault that ends the server's direction only."""

    async def act(strike: Strike) -> None:
        proxy = hop(strike)
        strike.begin()
        proxy.half_close()
        strike.end()

    return act


def refuse(hop: Hop) -> Act:
    """Make the fault that cuts and then lets nobody in for a while."""

    async def act(strike: Strike) -> None:
        proxy = hop(strike)
        strike.begin()
        with proxy.under(refuse=True):
            proxy.reset()
            await strike.last(FOR_S)
        strike.end()

    return act


def limit(hop: Hop) -> Act:
    """Make the fault that cuts and then ends every connection after some bytes, for a while."""

    async def act(strike: Strike) -> None:
        proxy = hop(strike)
        strike.begin()
        with proxy.under(limit_bytes=20_000):
            proxy.reset()
            await strike.last(FOR_S)
        proxy.reset()
        strike.end()

    return act


HOPS: tuple[tuple[str, Hop, tuple[str, ...]], ...] = (
    ("venue", to_venue, (ALL,)),
    ("worker to Redis", worker_to_redis, (ALL,)),
    ("aggregator to Redis", aggregator_to_redis, ()),
    ("gateway to Redis", gateway_to_redis, ()),
    ("client", to_client, ()),
)
KINDS = (
    Kind("venue cut", cut_venue, (ALL,), 4, "venue cut"),
    *(Kind(f"{name} cut", cut(hop), venues) for name, hop, venues in HOPS[1:]),
    *(Kind(f"{n} {how}", weather(h, w), v) for n, h, v in HOPS for how, w in WEATHERS.items()),
    *(Kind(f"{name} half closed", half_close(hop), venues) for name, hop, venues in HOPS[:2]),
    *(Kind(f"{name} refuses", refuse(hop), venues) for name, hop, venues in HOPS[:2]),
    Kind("venue ends connections early", limit(to_venue), (ALL,)),
    Kind("worker to Redis silent past its lease", weather(worker_to_redis, {"blackhole": True}, 4.0), (ALL,)),
)
