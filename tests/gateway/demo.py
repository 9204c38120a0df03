"""The demo as a process of its own, and what a test does to it: kill the gateway, silence a venue."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import connect

from thalweg.cli.embedded import free_port

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-c", "from thalweg.cli import main; main()"]
SIMULATOR = re.compile(r"simulator +port (\d+)")
LIVE = re.compile(r"All \d+ books are live")
STOP_S = 15.0


def children_of(pid: int) -> list[int]:
    """Give the processes that a process started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text(encoding="ascii").split()]


def command_of(pid: int) -> list[str]:
    """Give the words that a process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")


class Demo:
    """`thalweg up --demo` while it is entered, which waits until all books are live."""

    def __init__(self, *options: str) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}/"
        self._command = [*PROGRAM, "up", "--demo", "--port", str(port), *options]
        self._simulator = 0

    def __enter__(self) -> Self:
        environ = {name: text for name, text in os.environ.items() if not name.startswith(("THALWEG_", "REDIS_URL"))}
        self._up = subprocess.Popen(
            self._command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for line in self._up.stdout or ():
            if found := SIMULATOR.search(line):
                self._simulator = int(found[1])
            if LIVE.search(line):
                return self
        raise AssertionError(f"the demo ended with {self._up.wait()}")

    def __exit__(self, *_: object) -> None:
        self._up.send_signal(signal.SIGTERM)
        try:
            self._up.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._up.kill()
            self._up.communicate()

    @property
    def gateway(self) -> int:
        """The gateway's process."""
        return next(child for child in children_of(self._up.pid) if "gateway" in command_of(child))

    def control(self, operation: str, **more: Any) -> None:
        """Ask something of the simulator, as docs/simulator.md has it."""
        with connect(f"ws://127.0.0.1:{self._simulator}/control", proxy=None, max_size=None) as socket:
            socket.send(json.dumps({"op": operation, **more}))
            answer = json.loads(socket.recv(10))
        assert "error" not in answer, answer

    def kill_gateway(self) -> None:
        """Kill the gateway; it is started again."""
        os.kill(self.gateway, signal.SIGKILL)
