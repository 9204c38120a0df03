"""The services of one `thalweg up`, by name, and a server of its own where none is named."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thalweg.cli.children import Child, Console, Guardian, stop_all
from thalweg.cli.embedded import start_server, stop_server
from thalweg.cli.plan import Plan
from thalweg.errors import RedisTrouble

WATCH_S = 0.25
SIMULATOR, AGGREGATOR, GATEWAY = "simulator", "aggregator", "gateway"


class Fleet:
    """All children; they run as tasks of one group."""

    def __init__(self, plan: Plan, folder: Path, console: Console, keeper: Guardian) -> None:
        """Prepare every service's process; none is started."""
        self.children: dict[str, Child] = {}
        module = [sys.executable, "-m"]
        commands: dict[str, list[str]] = {}
        for number in range(1, plan.wishes.workers + 1):
            commands |= {named(f"ingest:{venue}", number): [*module, "ingest", venue] for venue in plan.venues}
            commands[named(AGGREGATOR, number)] = [*module, "aggregator"]
        commands[GATEWAY] = [*module, "gateway"]
        if plan.simulator_port is not None:
            commands[SIMULATOR] = plan.simulator_command()
        for name, command in commands.items():
            environ = plan.child_environ(name, folder)
            self.children[name] = Child(name, command, environ, console, keeper)

    @property
    def ingest(self) -> list[str]:
        """The names of the ingest workers."""
        return [name for name in self.children if name.startswith("ingest:")]

    @property
    def aggregators(self) -> list[str]:
        """The names of the aggregators."""
        return [name for name in self.children if name.partition(":")[0] == AGGREGATOR]

    @property
    def restarts(self) -> dict[str, int]:
        """How often each service died and was started again."""
        return {name: child.restarts for name, child in self.children.items()}

    def start(self, group: asyncio.TaskGroup, *names: str) -> None:
        """Run services until they are stopped."""
        for name in names:
            if name in self.children:
                group.create_task(self.children[name].run())

    async def stop(self, *names: str, within_s: float) -> None:
        """Stop services side by side; one that does not end in time is killed."""
        await stop_all([self.children[name] for name in names if name in self.children], within_s)


def named(service: str, number: int) -> str:
    """Give the name of a service's first, second ... process: `aggregator`, `aggregator:2`."""
    return service if number == 1 else f"{service}:{number}"


@contextmanager
def server_of_our_own(plan: Plan, folder: Path, keeper: Guardian) -> Iterator[subprocess.Popen[bytes] | None]:
    """Start an embedded server unless one is named, and stop it at the end.

    Raises:
        SettingsError: no server binary, or it does not start.
    """
    if plan.server_port is None:
        yield None
        return
    server = start_server(plan.server_port, folder / "redis", plan.server_socket(folder))
    keeper.started(server.pid)
    try:
        yield server
    finally:
        stop_server(server)
        keeper.ended(server.pid)


async def watch_server(server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the embedded server to end, which it must not.

    Raises:
        RedisTrouble: it has ended; says what it logged last.
    """
    while True:
        await asyncio.sleep(WATCH_S)
        if server.poll() is not None:
            raise RedisTrouble(f"the embedded Redis ended with code {server.returncode}: {last_words(log)}")


def last_words(log: Path) -> str:
    """Give the last line of a log."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it logged nothing"
