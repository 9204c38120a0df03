"""The Redis-compatible servers under test: started with an append-only file, killed, hung, restarted, replicated."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from thalweg.cli.children import Guardian
from thalweg.cli.embedded import find_server, free_port, server_version
from thalweg.cli.server import FUNCTIONS

START_S = 15.0
ADMIN, PASSWORD = "chaos", "chaos"
SETTINGS = f"""
bind 127.0.0.1
save ""
appendonly yes
appendfsync everysec
auto-aof-rewrite-percentage 0
maxmemory-policy noeviction
repl-backlog-size 16mb
repl-diskless-sync-delay 0
repl-ping-replica-period 1
masteruser {ADMIN}
masterauth {PASSWORD}
"""
OURS = f"user {ADMIN} on >{PASSWORD} ~* &* +@all\n"
ENGINES = ("valkey", "redis")


def binary_of(engine: str) -> Path:
    """Find the server of an engine.

    Raises:
        FileNotFoundError: `redis-server` is not installed; `deploy/redis-server` installs it.
    """
    if engine == "valkey":
        return find_server()
    found = shutil.which("redis-server")
    if found is None:
        raise FileNotFoundError("no redis-server; deploy/redis-server installs it")
    return Path(found)


class Server:
    """One server process on a port of its own; its data outlives `kill` and `start`, but for `forget`.

    With `users`, the text of an ACL file, only those are let in, and the suite itself.
    """

    def __init__(self, engine: str, folder: Path, keeper: Guardian, users: str = "") -> None:
        self.engine = engine
        self._users = users + OURS
        self.port = free_port()
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self._keeper = keeper
        self.admin, self._asked = self._client(5.0), self._client(0.5)

    def _client(self, timeout_s: float) -> redis.Redis:
        never = Retry(NoBackoff(), 0)
        return redis.Redis(port=self.port, username=ADMIN, password=PASSWORD, socket_timeout=timeout_s, retry=never)

    @property
    def version(self) -> str:
        """Engine and version, for the report."""
        return f"{self.engine} {'.'.join(map(str, server_version(binary_of(self.engine))))}"

    def spawn(self, *, replica_of: int | None = None) -> None:
        """Start the process and return at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "server.conf"
        acl = self.folder / "users.acl"
        acl.write_text(self._users)
        where = f"port {self.port}\ndir {self.folder}\nlogfile {self.folder}/server.log\naclfile {acl}\n"
        file.write_text(SETTINGS + where)
        command = [str(binary_of(self.engine)), str(file)]
        if replica_of is not None:
            command += ["--replicaof", "127.0.0.1", str(replica_of)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, process_group=0)
        self._keeper.started(self.process.pid)

    def start(self, *, replica_of: int | None = None) -> None:
        """Start the process and wait until it answers.

        Raises:
            TimeoutError: it does not.
        """
        self.spawn(replica_of=replica_of)
        deadline = monotonic() + START_S
        while not self.answers():
            if monotonic() > deadline:
                raise TimeoutError(f"the {self.engine} server on port {self.port} does not answer")
            sleep(0.005)

    def answers(self) -> bool:
        """Tell whether it takes commands now (it does not while it loads its data)."""
        try:
            return bool(self.admin.ping())
        except redis.RedisError:
            return False

    def run(self, *words: str) -> Any:
        """Run any command as the suite's own user; the library has no types for it."""
        execute: Callable[..., Any] = self.admin.execute_command
        return execute(*words)

    def load_functions(self) -> None:
        """Load the server functions, as `thalweg redis-init` does."""
        self.admin.function_load(FUNCTIONS.read_text(), replace=True)

    def restore_functions(self) -> None:
        """Load the server functions if they are not there; a server that cannot be asked is left alone."""
        if self.process is not None and not self._asked.function_list():
            self.load_functions()

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self._keeper.ended(self.process.pid)
            self.process = None
        self.admin.connection_pool.disconnect()

    def forget(self) -> None:
        """Remove what a killed server has on disk."""
        assert self.process is None
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
        for one in self.folder.glob("*.rdb"):
            one.unlink()

    def hang(self) -> None:
        """Stop the process without ending it: connections stay open and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a hung server go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self.process is not None:
            os.kill(self.process.pid, number)
