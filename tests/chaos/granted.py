"""What the services really ask of the server, held against what their users are granted.

The server's own log of refusals says what was asked and is not granted; it must stay empty. The commands themselves are
recorded from `MONITOR`, which names those inside server functions too, and told with those that nobody needed.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import sleep
from typing import Any

import redis
from redis.client import Monitor

from tests.chaos.servers import ADMIN, Server
from thalweg.access import users

AGAIN_S = 0.2  # after the server was lost
CONTAINERS = {"client", "cluster", "function", "xinfo"}  # whose next word belongs to the command's name


def denials(admin: redis.Redis) -> list[str]:
    """Take what the server has refused for want of rights since the last look, a sentence each."""
    entries = admin.acl_log()
    admin.acl_log_reset()
    theirs = [one for one in entries if one["username"] != ADMIN]
    return [f"{one['username']}: {one['reason']} {one['object']} ({one['context']})" for one in theirs]


class Commands:
    """The commands of each user, counted while the servers live; `stop` ends it."""

    def __init__(self, servers: Iterable[Server]) -> None:
        self.seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._servers = tuple(servers)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._follow, args=(one,), daemon=True) for one in self._servers]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take no more; a follower that waits for a server ends with the process."""
        self._ended.set()

    def _follow(self, server: Server) -> None:
        while not self._ended.is_set():
            with suppress(redis.RedisError, OSError, ValueError):
                self._listen(server)
            sleep(AGAIN_S)

    def _listen(self, server: Server) -> None:
        users_by: dict[str, str] = {}
        current = ""
        watch: Callable[[], Monitor] = server.admin.monitor
        with watch() as monitor:
            for said in monitor.listen():
                if self._ended.is_set():
                    return
                if said["client_type"] != "lua":
                    current = self._user(server, users_by, f"{said['client_address']}:{said['client_port']}")
                self.seen[current][name_of(said["command"])] += 1

    @staticmethod
    def _user(server: Server, known: dict[str, str], address: str) -> str:
        if address not in known:
            known |= {one["addr"]: one["user"] for one in server.admin.client_list()}
        return known.setdefault(address, "gone before it was asked")


def name_of(command: str) -> str:
    """Give a command's name as an ACL spells it.

    Example:
        >>> name_of("CLIENT SETNAME me")
        'client|setname'
    """
    first, *rest = command.lower().split(" ", 2)
    return f"{first}|{rest[0]}" if first in CONTAINERS and rest else first


def table(seen: dict[str, Counter[str]], venues: Iterable[str]) -> dict[str, Any]:
    """Give, for each user, how often it issued what, what is beyond its rights, and what it never needed."""
    found = {}
    for user in users(venues):
        used, granted = seen.get(user.name, Counter()), set(user.commands)
        free = {"auth", "hello", "quit", "reset"}  # open to everyone
        beyond = sorted(set(used) - granted - free)
        found[user.name] = {"used": dict(used.most_common()), "beyond": beyond, "never": sorted(granted - set(used))}
    return found
