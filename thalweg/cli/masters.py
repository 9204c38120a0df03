"""Three masters of a Redis Cluster on loopback: started, joined, killed and started again.

Each shard of thalweg's is a quarter of the slots, so the quarters are dealt out whole: a master that is away costs the
shards that it has, and no others. `cluster-require-full-coverage no` is what lets the others go on.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from thalweg.cli.embedded import free_port, start_server, stop_server
from thalweg.errors import SettingsError
from thalweg.instruments import SHARDS
from thalweg.keys import SLOTS

QUARTER = SLOTS // SHARDS
SHARES = ((0, QUARTER - 1), (QUARTER, 2 * QUARTER - 1), (2 * QUARTER, SLOTS - 1))  # shards 3; 2; 1 and 0
NODE_TIMEOUT_MS = 2000  # until the others call a silent master failed; twice that until they believe it is back
JOIN_S = 15.0
LOOK_S = 0.02
BUS = 10_000  # what Redis adds to the port of a node for the nodes' own talk, unless it is told
SETTINGS = (
    *("--cluster-enabled", "yes"),
    *("--cluster-config-file", "nodes.conf"),
    *("--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
    *("--cluster-require-full-coverage", "no"),
)


@dataclass(slots=True)
class Master:
    """One node. It logs what it has and comes back with it; `fsync` says how often the log is forced to the disk.

    `everysec` loses up to 2 s also when the process alone dies, if a force is under way just then: answers do not wait
    for it, writes to the log do. `no` loses nothing but with the machine.
    """

    port: int
    bus: int
    folder: Path
    fsync: str = "everysec"
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            SettingsError: it can't be started.
        """
        more = (*SETTINGS, "--cluster-port", str(self.bus), "--appendonly", "yes", "--appendfsync", self.fsync)
        self.process = start_server(self.port, self.folder, more=more)

    def stop(self) -> None:
        """End it in order, if it runs."""
        if self.process is not None:
            stop_server(self.process)
            self.process = None

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def client(self) -> Redis:
        """Give a connection for its settings."""
        return Redis(port=self.port, socket_timeout=5, retry=Retry(NoBackoff(), 0), decode_responses=True)


def make_masters(folder: Path, first_port: int | None = None, *, fsync: str = "everysec") -> list[Master]:
    """Give three masters that are not started, at ports in a row, or at free ones."""
    if first_port is None:
        ports = [(free_port(), free_port()) for _ in SHARES]
    else:
        ports = [(first_port + place, first_port + place + BUS) for place in range(len(SHARES))]
    return [Master(port, bus, folder / str(port), fsync) for port, bus in ports]


def join(masters: Sequence[Master]) -> None:
    """Make started masters one Cluster, and wait until all agree on it; masters that are one already stay it.

    Raises:
        SettingsError: they do not in time.
    """
    for place, (master, share) in enumerate(zip(masters, SHARES, strict=True)):
        with master.client() as client:
            if int(_info(client)["cluster_slots_assigned"]):
                continue
            client.execute_command("CLUSTER ADDSLOTSRANGE", *share)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", place + 1)
            if place:
                client.execute_command("CLUSTER MEET", "127.0.0.1", masters[0].port, masters[0].bus)
    deadline = monotonic() + JOIN_S
    while not all(agrees(master, len(masters)) for master in masters):
        if monotonic() > deadline:
            raise SettingsError(f"the masters do not find one another; see {masters[0].folder / 'server.log'}")
        sleep(LOOK_S)


def _info(client: Redis) -> dict[str, str]:
    execute: Callable[[str], dict[str, str]] = client.execute_command
    return execute("CLUSTER INFO")


def agrees(master: Master, count: int) -> bool:
    """Tell whether a master serves, and knows of as many masters as there are with all slots theirs."""
    try:
        with master.client() as client:
            said = _info(client)
    except RedisError:
        return False
    served = said["cluster_state"] == "ok" and int(said["cluster_slots_ok"]) == SLOTS
    return served and int(said["cluster_size"]) == count


def url_of(masters: Sequence[Master]) -> str:
    """Give the URL of the Cluster."""
    return "redis+cluster://" + ",".join(f"127.0.0.1:{master.port}" for master in masters)
