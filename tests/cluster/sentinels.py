"""A master, its replica, and three Sentinels that watch them, on loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from thalweg.cli.embedded import find_server, free_port, start_server, stop_server

NAME = "thalweg"
COUNT, QUORUM = 3, 2
DOWN_MS = 1000  # without an answer until a Sentinel calls the master down
START_S = 15.0


@dataclass
class Watched:
    """What runs; the servers by port, the master first."""

    servers: dict[int, subprocess.Popen[bytes]]
    sentinels: dict[int, subprocess.Popen[bytes]]

    @property
    def url(self) -> str:
        """The URL that asks the Sentinels."""
        return f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in self.sentinels)}/{NAME}/0"

    @property
    def master(self) -> int:
        """The port of the master, as the first Sentinel says."""
        found: Any = ask(next(iter(self.sentinels)), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return int(found[1])


def ask(port: int, *words: str | int) -> Any:
    """Ask one server."""
    with Redis(port=port, socket_timeout=5, retry=Retry(NoBackoff(), 0), decode_responses=True) as client:
        return client.execute_command(*words)


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Run them, and wait until every Sentinel knows the replica and the other Sentinels."""
    master, replica = free_port(), free_port()
    keeping = ("--appendonly", "yes", "--repl-diskless-sync-delay", "0")
    servers = {master: start_server(master, folder / "master", more=keeping)}
    sentinels: dict[int, subprocess.Popen[bytes]] = {}
    try:
        more = (*keeping, "--replicaof", f"127.0.0.1 {master}")
        servers[replica] = start_server(replica, folder / "replica", more=more)
        for _ in range(COUNT):
            port = free_port()
            sentinels[port] = _sentinel(port, master, folder / f"sentinel-{port}")
        _await(lambda: all(_knows(port) for port in sentinels))
        yield Watched(servers, sentinels)
    finally:
        for process in (*sentinels.values(), *servers.values()):
            if process.poll() is None:
                stop_server(process)


def _sentinel(port: int, master: int, folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True)
    file = folder / "sentinel.conf"
    file.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\nlogfile {folder}/log\n"
        f"sentinel monitor {NAME} 127.0.0.1 {master} {QUORUM}\nsentinel down-after-milliseconds {NAME} {DOWN_MS}\n"
        f"sentinel failover-timeout {NAME} 5000\n"
    )
    return subprocess.Popen([str(find_server()), str(file), "--sentinel"], stdout=subprocess.DEVNULL)


def _knows(port: int) -> bool:
    try:
        found = ask(port, "SENTINEL", "MASTERS")
    except (RedisError, OSError):
        return False
    one = found[NAME] if isinstance(found, dict) else found[0]
    return int(one["num-slaves"]) == 1 and int(one["num-other-sentinels"]) == COUNT - 1


def _await(holds: Any) -> None:
    deadline = monotonic() + START_S
    while not holds():
        if monotonic() > deadline:
            raise TimeoutError("the Sentinels do not agree")
        sleep(0.05)
