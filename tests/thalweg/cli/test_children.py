"""Children are restarted when they die, stopped in time, and never outlive their supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from thalweg.cli import children
from thalweg.cli.children import Child, Guardian
from thalweg.errors import SettingsError

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


class Heard:
    """A console that keeps what it is told, and lets tests wait for a line."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.logged: list[tuple[str, bytes]] = []
        self.news = asyncio.Event()

    def say(self, text: str) -> None:
        self.said.append(text)
        self.news.set()

    def pass_on(self, name: str, line: bytes) -> None:
        self.logged.append((name, line))
        self.news.set()

    async def until(self, count: int, of: str) -> None:
        async with asyncio.timeout(10):
            while len(getattr(self, of)) < count:
                self.news.clear()
                await self.news.wait()


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z" if Path("/proc").is_dir() else True


def until_gone(process: int) -> None:
    deadline = time.monotonic() + 10
    while alive(process):
        assert time.monotonic() < deadline, f"{process} is still there"
        time.sleep(0.02)


@pytest.mark.anyio
async def test_a_child_that_dies_is_restarted_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "FIRST_BACKOFF_S", 0.01)
    heard = Heard()
    with Guardian() as keeper:
        child = Child(
            "fragile", [sys.executable, "-c", "print('hello'); raise SystemExit(3)"], os.environ, heard, keeper
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(child.run())
            await heard.until(2, "said")
            await child.stop(5)
    assert child.restarts >= 2
    assert heard.said[0].startswith("fragile ended with code 3; restart 1 in")
    assert heard.logged[0] == ("fragile", b"hello")


@pytest.mark.anyio
async def test_a_child_that_refuses_its_settings_is_not_restarted() -> None:
    heard = Heard()
    with Guardian() as keeper:
        child = Child("picky", [sys.executable, "-c", "raise SystemExit(2)"], os.environ, heard, keeper)
        with pytest.raises(SettingsError, match="picky can't run with these settings"):
            await child.run()
    assert child.restarts == 0


@pytest.mark.anyio
async def test_a_child_that_does_not_stop_is_killed() -> None:
    heard = Heard()
    with Guardian() as keeper:
        child = Child("stubborn", [sys.executable, "-c", STUBBORN], os.environ, heard, keeper)
        async with asyncio.TaskGroup() as group:
            group.create_task(child.run())
            await heard.until(1, "logged")
            process = child.process
            await child.stop(0.2)
    assert process is not None
    assert process.returncode == -signal.SIGKILL
    assert heard.said == ["stubborn did not stop within 0.2 s; killed"]


SUPERVISOR = """
import asyncio, os, sys
from thalweg.cli.children import Child, Guardian

class Silent:
    def say(self, text): pass
    def pass_on(self, name, line): print(child.process.pid, flush=True)

async def main():
    global child
    with Guardian() as keeper:
        child = Child("orphan", [sys.executable, "-c", sys.argv[1]], os.environ, Silent(), keeper)
        await child.run()

asyncio.run(main())
"""


@pytest.mark.parametrize("program", [SLEEPER, STUBBORN], ids=["obedient", "stubborn"])
def test_a_killed_supervisor_leaves_no_orphan(program: str) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, program], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    child = int(supervisor.stdout.readline())
    assert alive(child)
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    until_gone(child)
