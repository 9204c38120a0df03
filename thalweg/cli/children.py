"""The processes of `thalweg up`: started, restarted with backoff when they die, stopped in time, never orphaned."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Protocol

from thalweg.cli import EXIT_USAGE, guardian
from thalweg.errors import SettingsError

FIRST_BACKOFF_S, LAST_BACKOFF_S = 0.5, 10.0
STEADY_S = 30.0  # a child that lived this long starts again with the first backoff
CHUNK = 65_536
MAX_LINE = 65_536  # bytes of a log line kept; the rest of a longer one is a line of its own


class Console(Protocol):
    """Where `up` says things."""

    def say(self, text: str) -> None:
        """Show one line of our own."""

    def pass_on(self, name: str, line: bytes) -> None:
        """Show one line of a child's log."""


class Guardian:
    """Our end of the process that outlives us by just long enough to end our children; a context manager."""

    def __init__(self) -> None:
        """Start it, apart from our terminal and process group."""
        command = [sys.executable, "-I", "-S", str(Path(guardian.__file__))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def __enter__(self) -> Guardian:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it end those that are left, and end."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()

    def started(self, process: int) -> None:
        """Note a child."""
        self._write(f"+{process}\n")

    def ended(self, process: int) -> None:
        """Forget a child."""
        self._write(f"-{process}\n")

    def _write(self, line: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


class Child:
    """One service as a process. `run` lives until `stop` is called or the child can't be run at all."""

    def __init__(
        self, name: str, command: Sequence[str], environ: Mapping[str, str], console: Console, keeper: Guardian
    ) -> None:
        """Prepare a child; `name` is what its lines begin with."""
        self.name = name
        self.restarts = 0
        self.process: asyncio.subprocess.Process | None = None
        self._command = command
        self._environ = environ
        self._console = console
        self._keeper = keeper
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Start the process, and again whenever it dies.

        Raises:
            SettingsError: it ended saying that a setting or argument is wrong; its own line says which.
        """
        backoff = FIRST_BACKOFF_S
        while not self._stopping.is_set():
            started = monotonic()
            code = await self._run_once()
            if self._stopping.is_set():
                return
            if code == EXIT_USAGE:
                raise SettingsError(f"{self.name} can't run with these settings; its line above says why")
            if monotonic() - started > STEADY_S:
                backoff = FIRST_BACKOFF_S
            wait_s = backoff * random.uniform(0.5, 1.0)
            self.restarts += 1
            self._console.say(f"{self.name} {ending(code)}; restart {self.restarts} in {wait_s:.1f} s")
            await self._wait_stopping(wait_s)
            backoff = min(2 * backoff, LAST_BACKOFF_S)

    async def _run_once(self) -> int:
        """Run the process to its end, passing its lines on, and give its exit code."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environ,
            process_group=0,  # Ctrl-C reaches the supervisor alone, which stops us in order
            preexec_fn=partial(guardian.tie_to_parent, os.getpid()),  # system calls alone: no lock
        )
        self._keeper.started(process.pid)
        self.process = process
        try:
            if self._stopping.is_set():
                process.terminate()
            await self._pump(process.stdout)
            return await process.wait()
        finally:
            if process.returncode is None:
                kill(process.pid, signal.SIGKILL)
                await process.wait()
            self.process = None
            self._keeper.ended(process.pid)

    async def _pump(self, stream: asyncio.StreamReader | None) -> None:
        """Pass lines on until the child closes its end."""
        kept = b""
        while stream and (chunk := await stream.read(CHUNK)):
            *lines, kept = (kept + chunk).split(b"\n")
            for line in lines:
                self._console.pass_on(self.name, line)
            if len(kept) > MAX_LINE:
                self._console.pass_on(self.name, kept)
                kept = b""
        if kept:
            self._console.pass_on(self.name, kept)

    async def _wait_stopping(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def stop(self, within_s: float) -> None:
        """Terminate the process; kill it when it has not ended in time."""
        self._stopping.set()
        process = self.process
        if process is None:
            return
        kill(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                await process.wait()
        except TimeoutError:
            self._console.say(f"{self.name} did not stop within {within_s:.1f} s; killed")
            kill(process.pid, signal.SIGKILL)
            await process.wait()


def kill(process: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


def ending(code: int) -> str:
    """Say how a process ended."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


async def stop_all(children: Sequence[Child], within_s: float) -> None:
    """Stop children side by side."""
    async with asyncio.TaskGroup() as group:
        for child in children:
            group.create_task(child.stop(within_s))
