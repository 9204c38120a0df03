"""`thalweg up` as a supervisor: clear refusals, restarts, a quick stop, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from thalweg.cli import main
from thalweg.cli.embedded import free_port
from thalweg.cli.up import exec_instant

PROGRAM = [sys.executable, "-c", "from thalweg.cli import main; main()"]
SMALL = ["--demo", "--json", "--instruments", "BTC-USD", "--venues", "kraken", "--rate", "50"]
PROC = Path("/proc")

pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason="children are found through /proc")


def children(parent: int) -> dict[int, str]:
    """The commands of a process's children, by process."""
    found = {}
    for folder in PROC.iterdir():
        try:
            if folder.name.isdigit() and int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def running(process: int) -> bool:
    try:
        return (PROC / str(process) / "cmdline").read_bytes() != b""  # a zombie waits for its parent, and has none
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(processes: dict[int, str]) -> bool:
    return not any(map(running, processes))


def until(holds: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


@pytest.fixture
def started() -> Iterator[subprocess.Popen[str]]:
    """A small system that is starting."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("THALWEG_", "REDIS_URL"))}
    command = [*PROGRAM, "up", *SMALL, "--port", str(free_port())]
    up = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ)
    try:
        yield up
    finally:
        up.kill()
        up.wait()
        if up.stdout:
            up.stdout.close()


def said(up: subprocess.Popen[str], text: str) -> dict[str, Any]:
    """Read what it says up to a line that has this text."""
    for line in up.stdout or ():
        one: dict[str, Any] = json.loads(line)
        if text in one["text"]:
            return one
    raise AssertionError(f"it ended without saying {text!r}")


@pytest.mark.integration
def test_a_dead_service_is_restarted_and_ctrl_c_ends_all_of_it(started: subprocess.Popen[str]) -> None:
    said(started, "books are live")
    before = children(started.pid)
    assert len(before) == 6  # the server, the guardian, the simulator, ingest, the aggregator, the gateway
    (gateway,) = (process for process, command in before.items() if command.endswith("gateway "))
    os.kill(gateway, signal.SIGKILL)
    assert "gateway was ended by SIGKILL; restart 1 in" in said(started, "restart")["text"]
    until(lambda: any(command.endswith("gateway ") for command in children(started.pid).values()))
    everyone = children(started.pid)
    began = time.monotonic()
    started.send_signal(signal.SIGINT)
    assert started.wait(10) == 0
    assert time.monotonic() - began < 5
    assert gone(everyone)


@pytest.mark.integration
def test_a_killed_supervisor_leaves_nothing_behind(started: subprocess.Popen[str]) -> None:
    said(started, "aggregator")
    everyone = children(started.pid)
    assert any("valkey" in command or "redis" in command for command in everyone.values())
    started.kill()
    started.wait()
    until(lambda: gone(everyone))


@pytest.mark.integration
def test_a_dead_server_ends_it_with_one_clear_error() -> None:
    command = [*PROGRAM, "up", *SMALL, "--port", str(free_port())]
    up = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said(up, "redis")
    until(lambda: len(children(up.pid)) >= 3)
    (server,) = (process for process, line in children(up.pid).items() if "-server " in line)
    os.kill(server, signal.SIGKILL)
    _, errors = up.communicate(timeout=30)
    assert up.returncode == 1
    assert errors.splitlines()[-1].startswith("thalweg: the embedded Redis ended with code -9")
    assert "Traceback" not in errors


def test_a_taken_port_is_refused_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shown = CliRunner().invoke(main, ["up", "--port", str(port)])
    assert shown.exit_code == 2
    assert shown.output.startswith(f"thalweg: port {port} on 127.0.0.1 can't be had")
    assert shown.output.count("\n") == 1


def test_a_summary_into_no_folder_is_refused(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["up", "--summary", str(tmp_path / "nowhere" / "out.json")])
    assert shown.exit_code == 2
    assert "there is no folder" in shown.output


def test_the_start_of_the_process_is_known() -> None:
    program = (
        "import time; from thalweg.cli.up import exec_instant as at; time.sleep(0.2); print(time.monotonic() - at())"
    )
    age = float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
    assert 0.2 <= age < 30
    assert exec_instant() <= time.monotonic()
