"""Faults of the Redis server: ended, emptied, hung, replaced, full, forbidding, slow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic

import redis

from tests.chaos.kinds import Kind, Strike
from thalweg import keys
from thalweg.access import users

Act = Callable[[Strike], Awaitable[None]]
DOWN_S = 0.5  # that a killed server stays away
TAIL_S = 1.0  # of entries that a failover loses


async def _up(strike: Strike, *, empty: bool = False) -> None:
    """Start the killed server again and note when it answers."""
    server = strike.system.server
    if empty:
        server.forget()
    await asyncio.to_thread(server.start)
    if empty:
        strike.recorder.lose()
    strike.end()


async def kill(strike: Strike) -> None:
    """Kill -9; it comes back with all its data."""
    strike.books, strike.out_reopened = strike.system.shape.books, False
    strike.begin()
    strike.system.server.kill()
    await strike.last(DOWN_S)
    await _up(strike)


async def kill_and_forget(strike: Strike) -> None:
    """Kill -9; it comes back with nothing, functions gone too."""
    strike.books, strike.reopened = strike.system.shape.books, True
    strike.begin()
    strike.system.server.kill()
    await strike.last(DOWN_S)
    await _up(strike, empty=True)


def hang(seconds: float) -> Act:
    """Make the fault that stops the server without ending it."""

    async def act(strike: Strike) -> None:
        server = strike.system.server
        strike.books = strike.system.shape.books
        strike.begin()
        server.hang()
        try:
            await strike.last(seconds)
        finally:
            server.go_on()
        strike.end()

    return act


async def fail_over(strike: Strike) -> None:
    """Cut the replica off, lose the server with its tail, promote the replica, and make a new one of the old server."""
    system = strike.system
    old, new = system.server, system.spare
    strike.books, strike.reopened = system.shape.books, True
    await _in_sync(new.admin)
    new.admin.config_set("replica-priority", 1)
    new.run("REPLICAOF", "127.0.0.1", "1")
    await strike.last(TAIL_S)
    strike.begin()
    old.kill()
    new.run("REPLICAOF", "NO", "ONE")
    system.server, system.spare = new, old
    strike.recorder.lose()
    system.lead_to(new)
    strike.end()
    old.forget()
    await asyncio.to_thread(old.start, replica_of=new.port)


async def _in_sync(admin: redis.Redis) -> None:
    """Wait until a replica follows."""
    deadline = monotonic() + 10
    while monotonic() < deadline:
        with suppress(redis.RedisError):
            if admin.info("replication").get("master_link_status") == "up":
                return
        await asyncio.sleep(0.1)


async def fill(strike: Strike) -> None:
    """Leave it no memory for a while."""
    admin = strike.system.server.admin
    strike.begin()
    admin.config_set("maxmemory", "1mb")
    await strike.last(2.0)
    admin.config_set("maxmemory", "0")
    strike.end()


async def flush(strike: Strike) -> None:
    """Remove all keys."""
    strike.books, strike.reopened = strike.system.shape.books, True
    strike.begin()
    strike.system.server.admin.flushall()
    strike.recorder.lose()
    strike.end()


async def delete_stream(strike: Strike) -> None:
    """Remove one input stream."""
    venue, name = strike.random.choice(strike.system.shape.books)
    strike.books, strike.reopened = [(venue, name)], False
    strike.begin()
    strike.system.server.admin.delete(keys.stream(name, venue))
    strike.recorder.lose()
    strike.end()


async def delete_out(strike: Strike) -> None:
    """Remove one stream of publications."""
    name = strike.random.choice(strike.system.shape.names)
    strike.begin()
    strike.system.server.admin.delete(keys.out(name))
    strike.recorder.lose()
    strike.end()


async def kill_clients(strike: Strike) -> None:
    """Cut every client."""
    strike.begin()
    with suppress(redis.RedisError):
        strike.system.server.admin.client_kill_filter(_type="normal", skipme=True)
    strike.end()


async def kill_subscribers(strike: Strike) -> None:
    """Cut every subscriber."""
    strike.begin()
    with suppress(redis.RedisError):
        strike.system.server.admin.client_kill_filter(_type="pubsub")
    strike.end()


async def small_buffer(strike: Strike) -> None:
    """Cut subscribers for what they have not read yet."""
    admin = strike.system.server.admin
    strike.begin()
    admin.config_set("client-output-buffer-limit", "pubsub 1024 1024 1")
    await strike.last(1.5)
    admin.config_set("client-output-buffer-limit", "pubsub 33554432 8388608 60")
    strike.end()


async def flush_functions(strike: Strike) -> None:
    """Remove the server functions; a supervisor loads them again."""
    strike.begin()
    strike.system.server.admin.function_flush()
    strike.end()
    strike.hold_s = 1.0


async def read_only(strike: Strike) -> None:
    """Make it a replica of nobody for a while: every write is refused."""
    server = strike.system.server
    strike.begin()
    server.run("REPLICAOF", "127.0.0.1", "1")
    await strike.last(1.5)
    server.run("REPLICAOF", "NO", "ONE")
    strike.end()


async def forbid(strike: Strike) -> None:
    """Forbid the services to write for a while; what the server then refuses is no lack of rights."""
    system, server = strike.system, strike.system.server
    writers = [user for user in users(system.shape.venues) if user.writes]
    strike.begin()
    system.forbidding = True
    for user in writers:
        server.run("ACL", "SETUSER", user.name, "-@write", "-fcall")
    await strike.last(1.5)
    for user in writers:
        server.run("ACL", "SETUSER", user.name, *(f"+{one}" for one in user.commands))
    server.admin.acl_log_reset()
    system.forbidding = False
    strike.end()


async def stutter(strike: Strike) -> None:
    """Make it answer 200 ms late, again and again."""
    server = strike.system.server
    strike.begin()
    for _ in range(6):
        server.hang()
        await asyncio.sleep(0.2)
        server.go_on()
        await asyncio.sleep(0.1)
    strike.end()


async def spoil_checkpoints(strike: Strike) -> None:
    """Write junk over every checkpoint and kill every aggregator."""
    system = strike.system
    strike.books, strike.out_reopened = system.shape.books, True
    strike.begin()
    victims = [one for one in system.aggregators if one.pid]
    for one in victims:
        one.kill()
    for name in system.shape.names:
        system.server.admin.set(keys.checkpoint(name), strike.random.randbytes(40))
    for one in victims:
        one.start()
    strike.end()


async def forget_leases(strike: Strike) -> None:
    """Remove every lease, epoch counter and list of workers."""
    admin = strike.system.server.admin
    strike.begin()
    for pattern in ("lease:*", "epoch:*", "workers:*"):
        for key in admin.scan_iter(pattern):
            admin.delete(key)
    strike.end()
    strike.hold_s = 1.0


KINDS = (
    Kind("redis kill -9", kill, (), 5, "redis restart"),
    Kind("redis kill -9, data lost", kill_and_forget),
    *(Kind(f"redis hangs for {s:g} s", hang(s), (), 4 if s == 1.5 else 1, "redis hang told") for s in (1.5, 3.0, 5.0)),
    Kind("redis failover with a lost tail", fail_over, (), 2),
    Kind("redis out of memory", fill),
    Kind("redis FLUSHALL", flush),
    Kind("redis DEL of an input stream", delete_stream),
    Kind("redis DEL of an output stream", delete_out),
    Kind("redis CLIENT KILL of all", kill_clients),
    Kind("redis CLIENT KILL of subscribers", kill_subscribers),
    Kind("redis cuts slow subscribers", small_buffer),
    Kind("redis FUNCTION FLUSH", flush_functions),
    Kind("redis READONLY", read_only),
    Kind("redis ACL denies writes", forbid),
    Kind("redis slow", stutter),
    Kind("checkpoints are garbage", spoil_checkpoints),
    Kind("leases are forgotten", forget_leases),
)
