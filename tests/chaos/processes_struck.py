"""Faults of processes: killed, ended, paused for shorter and longer than a lease, more of them and fewer."""

from __future__ import annotations

import asyncio

from tests.chaos.kinds import ALL, Kind, Strike
from tests.chaos.processes import Process
from thalweg import keys

PAUSE_S, PAST_LEASE_S = 1.5, 4.0
TAKES_PART_S = 4.0
AWAY_S = 0.5  # until a supervisor starts again what has ended


async def kill_worker(strike: Strike) -> None:
    """Kill -9 the worker that owns the most; a supervisor starts it again."""
    await strike.manned(strike.workers(), strike.venue)
    victim = strike.busiest(strike.workers())
    strike.books, strike.reopened = strike.owned(victim), True
    await _kill(strike, victim)


async def terminate_worker(strike: Strike) -> None:
    """End the worker that owns the most in order, as a deployment does."""
    await strike.manned(strike.workers(), strike.venue)
    victim = strike.busiest(strike.workers())
    strike.books, strike.reopened = strike.owned(victim), True
    await _terminate(strike, victim)


async def kill_workers(strike: Strike) -> None:
    """Kill -9 all workers of the venue at once."""
    strike.books, strike.reopened = strike.mine(), True
    await _kill(strike, *strike.workers())


async def pause_worker(strike: Strike) -> None:
    """Pause the owner for less than its lease lasts."""
    await _pause(strike, strike.busiest(strike.workers()), PAUSE_S)


async def pause_worker_past_lease(strike: Strike) -> None:
    """Pause the owner for longer than its lease lasts: it wakes up as a zombie."""
    victim = strike.busiest(strike.workers())
    strike.books, strike.reopened = strike.owned(victim), True
    await _pause(strike, victim, PAST_LEASE_S)


async def add_worker(strike: Strike) -> None:
    """One worker more, for a while."""
    await _join(strike, _another(strike, f"ingest:{strike.venue}"))


async def flap_worker(strike: Strike) -> None:
    """A worker that comes and goes."""
    more = _another(strike, f"ingest:{strike.venue}")
    strike.begin()
    for _ in range(2):
        more.start()
        await strike.last(2.5)
        more.kill()
    strike.end()


async def kill_aggregator(strike: Strike) -> None:
    """Kill -9 the aggregator that owns the most."""
    await strike.manned([one for one in strike.system.aggregators if one.pid], keys.OUT)
    victim = strike.busiest([one for one in strike.system.aggregators if one.pid])
    names = strike.published(victim)
    strike.books = [book for book in strike.system.shape.books if book[1] in names]
    strike.out_reopened = True
    await _kill(strike, victim)


async def kill_aggregators(strike: Strike) -> None:
    """Kill -9 all of them."""
    strike.books, strike.out_reopened = strike.system.shape.books, True
    await _kill(strike, *(one for one in strike.system.aggregators if one.pid))


async def terminate_aggregator(strike: Strike) -> None:
    """End the aggregator that owns the most in order."""
    await _terminate(strike, strike.busiest([one for one in strike.system.aggregators if one.pid]))


async def pause_aggregator(strike: Strike) -> None:
    """Pause the owner for less than its lease lasts."""
    await _pause(strike, strike.busiest(strike.system.aggregators), PAUSE_S)


async def pause_aggregator_past_lease(strike: Strike) -> None:
    """Pause the owner for longer than its lease lasts."""
    await _pause(strike, strike.busiest(strike.system.aggregators), PAST_LEASE_S)


async def add_aggregator(strike: Strike) -> None:
    """One aggregator more, for a while."""
    await _join(strike, _another(strike, "aggregator"))


async def kill_gateway(strike: Strike) -> None:
    """Kill -9 the gateway."""
    await _kill(strike, strike.system.gateway)


async def terminate_gateway(strike: Strike) -> None:
    """End the gateway in order."""
    await _terminate(strike, strike.system.gateway)


async def pause_gateway(strike: Strike) -> None:
    """Pause the gateway."""
    await _pause(strike, strike.system.gateway, PAUSE_S)


async def _kill(strike: Strike, *victims: Process) -> None:
    """Kill -9; a supervisor starts them again a little later."""
    strike.begin()
    for one in victims:
        one.kill()
    await strike.last(AWAY_S)
    for one in victims:
        one.start()
    strike.end()


async def _terminate(strike: Strike, victim: Process) -> None:
    """End a process in order, and start it again when it has ended."""
    strike.begin()
    victim.terminate()
    await asyncio.to_thread(victim.reap)
    strike.end()
    victim.start()


async def _join(strike: Strike, more: Process) -> None:
    """Let one process more take part, and leave in order."""
    strike.begin()
    more.start()
    await strike.last(TAKES_PART_S)
    more.terminate()
    await asyncio.to_thread(more.reap)
    strike.end()


async def _pause(strike: Strike, victim: Process, seconds: float) -> None:
    strike.begin()
    victim.pause()
    try:
        await strike.last(seconds)
    finally:
        victim.go_on()
    strike.end()


def _another(strike: Strike, name: str) -> Process:
    """Give one process more, a copy of the first of its kind."""
    first = strike.system.processes[f"{name}:1"]
    return strike.system.processes.setdefault(f"{name}:more", first.copy(f"{name}:more"))


KINDS = (
    Kind("worker kill -9", kill_worker, (ALL,), 4, "worker kill -9"),
    Kind("worker SIGTERM", terminate_worker, (ALL,), 4, "worker SIGTERM"),
    Kind("all workers kill -9", kill_workers, (ALL,)),
    Kind("worker paused", pause_worker, (ALL,)),
    Kind("worker paused past its lease", pause_worker_past_lease, (ALL,), 2),
    Kind("one worker more and less", add_worker, (ALL,)),
    Kind("a worker that flaps", flap_worker, (ALL,)),
    Kind("aggregator kill -9", kill_aggregator, (), 5, "aggregator kill -9"),
    Kind("all aggregators kill -9", kill_aggregators),
    Kind("aggregator SIGTERM", terminate_aggregator),
    Kind("aggregator paused", pause_aggregator),
    Kind("aggregator paused past its lease", pause_aggregator_past_lease),
    Kind("one aggregator more and less", add_aggregator),
    Kind("gateway kill -9", kill_gateway),
    Kind("gateway SIGTERM", terminate_gateway),
    Kind("gateway paused", pause_gateway),
)
