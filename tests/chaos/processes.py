"""The processes under test: real services whose environment leads through the proxies, started and signalled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from thalweg.cli import guardian
from thalweg.cli.children import Guardian

PAGE = os.sysconf("SC_PAGE_SIZE")
WAIT_S = 10.0


class Process:
    """One service as a process that can be killed and started again under the same name; logs go to a file."""

    def __init__(
        self, name: str, arguments: list[str], environ: Mapping[str, str], folder: Path, keeper: Guardian
    ) -> None:
        self.name = name
        self.starts = 0
        self.stopped = False
        self.wanted = False
        self.log = folder / f"{name.replace(':', '-')}.log"
        self._arguments = arguments
        self.environ = dict(environ)
        self._keeper = keeper
        self._process: subprocess.Popen[bytes] | None = None

    def copy(self, name: str) -> Process:
        """Give a process of the same kind under another name; it is not started."""
        return Process(name, self._arguments, self.environ, self.log.parent, self._keeper)

    @property
    def pid(self) -> int | None:
        """The process id while it lives."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def code(self) -> int | None:
        """How the last process of this name ended; `None` while it lives or if there was none."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start it, if it is not alive."""
        if self.pid is not None:
            return
        self.starts += 1
        self.wanted, self.stopped = True, False
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=partial(_begin, os.getpid()),  # noqa: PLW1509  # the hook is one system call and takes no lock, so no thread can hold one
            )
        self._keeper.started(self._process.pid)

    def kill(self) -> None:
        """End it at once."""
        self.wanted = False
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end; `reap` waits for it."""
        self.wanted = False
        self.signal(signal.SIGTERM)

    def reap(self, within_s: float = WAIT_S) -> int:
        """Wait until it has ended, kill it if it has not in time, and give the exit code."""
        if self._process is None:
            return 0
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._keeper.ended(self._process.pid)
        return code

    def pause(self) -> None:
        """Stop it without ending it."""
        self.stopped = True
        self.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a stopped process go on."""
        self.stopped = False
        self.signal(signal.SIGCONT)

    def signal(self, number: int) -> None:
        """Send a signal if it lives."""
        if self.pid is not None:
            os.kill(self.pid, number)

    def _end(self, number: int) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                os.kill(self._process.pid, number)
            self._process.wait()
            self._keeper.ended(self._process.pid)

    def rss_kib(self) -> int:
        """Give the resident memory in KiB; 0 when it is not alive."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE // 1024
        except (OSError, IndexError):
            return 0

    def descriptors(self) -> int:
        """Give how many file descriptors it has open; 0 when it is not alive."""
        try:
            return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())
        except OSError:
            return 0

    def tail(self, lines: int = 15) -> str:
        """Give the last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


def _begin(parent: int) -> None:
    """End with our parent, and leave it the precedence that it may have: its proxies must not be what is slow."""
    guardian.tie_to_parent(parent)
    if os.getpriority(os.PRIO_PROCESS, 0) < 0:
        os.setpriority(os.PRIO_PROCESS, 0, 0)


def service_environ(redis_url: str, settings: Mapping[str, str], root: Path | None = None) -> dict[str, str]:
    """Give the environment of a service: this one's without our own settings, then these.

    `root` is the folder whose packages run, for patched copies; the repository by default.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THALWEG_")}
    root = root or Path(__file__).parents[2]
    ours = {"REDIS_URL": redis_url, "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"}
    return kept | ours | {"PYTHONSAFEPATH": "1"} | dict(settings)  # else the folder we run in comes before `root`
