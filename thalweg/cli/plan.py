"""What `thalweg up` is to run: the services, their commands and their environment."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from thalweg.cli.embedded import free_port
from thalweg.errors import SettingsError
from thalweg.instruments import shard_of
from thalweg.settings import PREFIX, Settings, load_settings

SOCKET_NAME, SOCKET_PATH = "redis.sock", 103  # bytes of a path: the least of all systems, macOS
USUAL_PORT = 6379  # of a Redis server, and in the default REDIS_URL
MOST_WORKERS = 8  # of a venue: twice its shards, so that every shard has a standby with nothing else to do
DEMO_RATE = 1500.0  # frames a second over all fake venues: the load the smoke test asks for, half as much again


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of a run; `summary` is a file, or `-` for stdout; `counted` asks for the counts without either."""

    demo: bool = False
    venues: str | None = None
    instruments: str | None = None
    workers: int = 1
    rate: float = DEMO_RATE
    seed: int = 1
    faults: str | None = None
    seconds: float | None = None
    summary: str | None = None
    port: int | None = None
    as_json: bool = False
    counted: bool = False

    @property
    def measured(self) -> bool:
        """Whether the run ends with a count of everything."""
        return self.counted or self.seconds is not None or self.summary is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: what was wished for, the settings of all services, and the ports of our own server and simulator."""

    wishes: Wishes
    settings: Settings
    environ: Mapping[str, str]
    server_port: int | None
    simulator_port: int | None

    @property
    def venues(self) -> list[str]:
        """The venues that have a book to run, in the instruments file's order."""
        return list(self.settings.instruments.all_venues)

    @property
    def streams(self) -> list[tuple[str, str]]:
        """The (instrument, venue) of every book."""
        return [(name, venue) for name, one in self.settings.instruments.by_name.items() for venue in one.symbols]

    @property
    def sockets(self) -> int:
        """How many sockets the workers will open: one for each shard of a venue that has a book."""
        return len({(venue, shard_of(name)) for name, venue in self.streams})

    @property
    def page(self) -> str:
        """The page's address."""
        host = "127.0.0.1" if self.settings.host in ("0.0.0.0", "::", "") else self.settings.host  # noqa: S104
        return f"http://{host}:{self.settings.port}/"

    @property
    def socket(self) -> str:
        """The address of the gateway's WebSocket."""
        return f"ws{self.page.removeprefix('http')}ws/v1"

    def simulator_socket(self, path: str) -> str:
        """The address of one of the simulator's own WebSockets, `oracle` or `control`."""
        return f"ws://127.0.0.1:{self.simulator_port}/{path}"

    def child_environ(self, name: str, folder: Path) -> dict[str, str]:
        """Give a service's environment; its report goes into the folder, and a server of ours is there by a socket."""
        report = {PREFIX + "REPORT": str(folder / report_name(name))} if self.wishes.measured else {}
        path = self.server_socket(folder)
        near = {"REDIS_URL": f"unix://{quote(str(path))}?db=0"} if path is not None else {}
        return {**self.environ, **report, **near}

    def server_socket(self, folder: Path) -> Path | None:
        """Give the Unix socket of the server that is started for this run; `None` where TCP has to do.

        It spares each hop the loopback network. Commands in other terminals are told the port, as before.
        """
        path = (folder / SOCKET_NAME).absolute()
        usable = hasattr(socket, "AF_UNIX") and len(bytes(path)) <= SOCKET_PATH
        return path if self.server_port is not None and usable else None

    def simulator_command(self) -> list[str]:
        """Give the command that runs the fake venues."""
        wishes = self.wishes
        command = [sys.executable, "-m", "simulator", "--port", str(self.simulator_port)]
        command += ["--rate", f"{wishes.rate:g}", "--seed", str(wishes.seed)]
        return command + (["--faults", wishes.faults] if wishes.faults else [])


def report_name(service: str) -> str:
    """Give the file name of a service's report."""
    return service.replace(":", "-") + ".json"


def _check_demo(wishes: Wishes) -> None:
    """Refuse what only fake venues can do, and a fault script that is not there.

    Raises:
        SettingsError: what is wrong.
    """
    if not wishes.demo:
        if wishes.faults:
            raise SettingsError("--faults needs --demo: the real venues make their own")
        if (wishes.rate, wishes.seed) != (DEMO_RATE, 1):
            raise SettingsError("--rate and --seed need --demo: the real venues have their own")
    elif wishes.faults not in (None, "default") and not Path(wishes.faults).is_file():
        raise SettingsError(f"--faults: there is no file {wishes.faults}; `default` is the script that ships")


def make_plan(wishes: Wishes, environ: Mapping[str, str]) -> Plan:
    """Work out what to run, before anything is started.

    Raises:
        SettingsError: an option or a variable is wrong, or the gateway's port is taken.
    """
    _check_demo(wishes)
    simulator_port = free_port() if wishes.demo else None
    ours = dict(environ)
    wanted = {"VENUES": wishes.venues, "ONLY": wishes.instruments, "LOG": "json" if wishes.as_json else None}
    wanted["PORT"] = None if wishes.port is None else str(wishes.port)
    ours |= {PREFIX + name: text for name, text in wanted.items() if text}
    settings = load_settings(ours)
    if simulator_port is not None:
        ours |= endpoints(simulator_port, settings)
    server_port = None if environ.get("REDIS_URL") else port_for_server()
    if server_port is not None:
        ours["REDIS_URL"] = f"redis://127.0.0.1:{server_port}/0"
    plan = Plan(wishes, load_settings(ours), ours, server_port, simulator_port)
    if not plan.streams:
        raise SettingsError("none of these instruments is listed on any of these venues")
    refuse_taken_port(settings.host, settings.port)
    return plan


def port_for_server() -> int:
    """Give the port of a server of our own: the one that other commands look at first, if nobody listens there."""
    try:
        refuse_taken_port("127.0.0.1", USUAL_PORT)
    except SettingsError:
        return free_port()
    return USUAL_PORT


def endpoints(port: int, settings: Settings) -> dict[str, str]:
    """Give the variables that send every venue's worker to the simulator."""
    kinds = (("WS", "ws"), ("REST", "http"))
    found = {
        f"{PREFIX}{venue.upper()}_{name}": f"{scheme}://127.0.0.1:{port}/{venue}"
        for venue in settings.instruments.all_venues
        for name, scheme in kinds
    }
    return found | {"no_proxy": "127.0.0.1,localhost"}  # a proxy that leads to the venues does not lead to us


def refuse_taken_port(host: str, port: int) -> None:
    """Make sure that the gateway will get its port.

    Raises:
        SettingsError: another program listens there, or the host is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
            probe.listen()
        except OSError as error:
            raise SettingsError(
                f"port {port} on {host} can't be had: {error.strerror}; choose one with --port"
            ) from error
