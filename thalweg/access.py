"""Who may do what in Redis: one user per kind of service, each with the keys, channels and commands it needs, no more.

A server function runs with the rights of its caller, so a service needs the commands inside the functions that it calls
as well. Nobody but `loader` may bring Lua to the server, and nobody at all may flush, configure, list keys, or manage
users. Names come from `thalweg/keys.py`; patterns with `%R~` may be read only.

| user | is |
|---|---|
| `ingest` | all ingest workers |
| `aggregator`, `gateway` | these services |
| `loader` | `thalweg redis-init`: loads the server functions, touches no key |
| `reader` | programs that follow the streams: reads, and listens |
| `operator` | `thalweg verify`, `doctor`, `top`, `tail`: reads everything of ours, and the server's own figures |
| `health` | the server's health check: may only ask whether it answers, and needs no password |

Source of the rules' grammar: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from thalweg import keys

ANY = "*"
_CONNECTING = ("client|setname", "cluster|slots", "asking")  # `AUTH` and `HELLO` are open to all
_PUBLISHING, _LISTENING = ("publish", "spublish"), ("subscribe", "ssubscribe")  # the second in a Cluster
_LEASING = ("fcall", "time", "get", "set", "del", "pexpire", "pttl", "zadd", "zrem", "zremrangebyscore", "zrange")
_APPENDING = ("xadd", "xtrim", *_PUBLISHING, "xrevrange")
_READING = ("ping", "xread", "xrange", "xrevrange", "xlen", "xinfo|stream", "get", "mget", "hget", "hgetall")


NOBODY = "user default off resetpass allkeys allchannels +@all"
"""Nobody can be this user: it is off and has no password. But a server that loads its append-only file checks every
transaction in it against the rights of this user, and leaves out what that may not do, with a line in the log alone
(https://github.com/redis/redis/issues/14541, https://github.com/valkey-io/valkey/issues/3983)."""


@dataclass(frozen=True, slots=True)
class User:
    """One Redis user: patterns of keys it may write or only read, patterns of channels, and commands."""

    name: str
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    password: bool = True

    def rules(self) -> list[str]:
        """Give the words that follow the user's name and password in an ACL file."""
        may = [f"~{key}" for key in self.writes] + [f"%R~{key}" for key in self.reads]
        may += [f"&{channel}" for channel in self.channels]
        return ["resetkeys", "resetchannels", *may, "-@all", *(f"+{command}" for command in self.commands)]


_STREAMS, _STATUSES = keys.stream(ANY, ANY), keys.status(ANY, ANY)
_OUTS, _BOOKS = keys.out(ANY), keys.book(ANY)
_CHECKPOINTS = (keys.checkpoint(ANY), keys.previous_checkpoint(ANY))
_SUMMARIES, _UPTIMES = keys.latency(ANY), keys.uptime(ANY, ANY)
_MARKET = (_STREAMS, _OUTS, *_CHECKPOINTS, _STATUSES, _SUMMARIES, _UPTIMES)


def _group(name: str) -> tuple[str, ...]:
    """Give the patterns of what the workers of a group share."""
    return keys.lease(name, ANY), keys.epoch(name, ANY), keys.workers(name, ANY)


def users(venues: Iterable[str]) -> tuple[User, ...]:
    """Give all users; only the leases of the named venues are open to ingest, so it can't take the aggregators'."""
    names = tuple(venues)
    return _ingest(names), _aggregator(names), *_others(), *_people(names)


def _ingest(venues: tuple[str, ...]) -> User:
    shared = [key for venue in venues for key in (*_group(venue), keys.budget(venue, ANY))]
    calling = ("hmget", "hset", "hget", "pexpireat")  # in `thalweg_spend`, `_ban` and `_status`
    return User(
        "ingest",
        writes=(_STREAMS, _STATUSES, keys.latency(f"ingest:{ANY}"), *shared),
        channels=(keys.bell(ANY, ANY),),
        commands=(*_CONNECTING, *_LEASING, *calling, *_APPENDING, "xinfo|stream", "multi", "exec"),
    )


def _aggregator(venues: tuple[str, ...]) -> User:
    return User(
        "aggregator",
        writes=(_OUTS, *_CHECKPOINTS, _UPTIMES, *_group(keys.OUT), keys.latency("aggregator")),
        reads=(_STREAMS, _STATUSES, *(keys.lease(venue, ANY) for venue in venues)),
        channels=(_BOOKS, keys.HEARTBEAT, keys.bell(ANY, ANY)),
        commands=(*_CONNECTING, *_LEASING, *_APPENDING, *_LISTENING, "xrange", "mget", "hgetall", "hincrby", "expire"),
    )


def _others() -> Iterator[User]:
    yield User(
        "gateway",
        writes=(keys.latency("gateway"),),
        reads=(_OUTS, _STATUSES, _SUMMARIES, _UPTIMES),
        channels=(_BOOKS, keys.HEARTBEAT),
        commands=(*_CONNECTING, *_LISTENING, "ping", "xrange", "xrevrange", "mget", "hgetall", "set"),
    )
    yield User("loader", commands=(*_CONNECTING, "info", "function|load", "function|list", "acl|load"))
    yield User("health", commands=("ping",), password=False)


def _people(venues: tuple[str, ...]) -> Iterator[User]:
    channels = (_BOOKS, keys.bell(ANY, ANY), keys.HEARTBEAT)
    reading = (*_CONNECTING, *_READING, *_LISTENING, "unsubscribe", "sunsubscribe")
    yield User("reader", reads=_MARKET, channels=channels, commands=reading)
    counters = [key for group in (*venues, keys.OUT) for key in _group(group)]
    asking = ("time", "info", "function|list", "pttl", "zrange")
    yield User("operator", reads=(*_MARKET, *counters), channels=channels, commands=(*reading, *asking))


def acl_file(venues: Iterable[str], passwords: Mapping[str, str]) -> str:
    """Give the text of an ACL file: the users with the hashes of their passwords, and no default user.

    Args:
        venues: the venues whose leases ingest may hold.
        passwords: by user; one for each that needs one.

    Raises:
        KeyError: a user's password is missing.
    """
    lines = [NOBODY]
    for user in users(venues):
        secret = f"#{hashlib.sha256(passwords[user.name].encode()).hexdigest()}" if user.password else "nopass"
        lines.append(" ".join(["user", user.name, "on", secret, *user.rules()]))
    return "\n".join(lines) + "\n"
