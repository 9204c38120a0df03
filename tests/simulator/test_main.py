"""The simulator as a process: one line when it listens, one line when it can't, a clean end."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

WAIT_S = 20.0


@contextmanager
def started(*options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "simulator", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(WAIT_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_stops_when_told(number: signal.Signals) -> None:
    with started("--port", "0") as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())
        with socket.create_connection((address["host"], address["port"]), WAIT_S) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 404")
        process.send_signal(number)
        out, err = process.communicate(timeout=WAIT_S)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, started("--port", str(taken.getsockname()[1])) as process:
        _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 2
    assert err.count("\n") == 1
    assert "can't listen on 127.0.0.1:" in err


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        (("--faults", "nowhere.toml"), "nowhere.toml"),
        (("--venues", "nowhere"), "unknown venue nowhere"),
        (("--instruments", "NOPE-USD"), "unknown instrument NOPE-USD"),
    ],
)
def test_a_wrong_option_is_one_line(option: tuple[str, str], complaint: str) -> None:
    with started("--port", "0", *option) as process:
        _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 2
    assert err.count("\n") == 1
    assert complaint in err


def test_it_stops_by_itself_after_its_seconds(tmp_path: Path) -> None:
    with started("--port", "0", "--seconds", "0.2", "--json-log") as process:
        assert process.wait(WAIT_S) == 0
