"""`python -m tests.compose`: everything that an operator does, on a real engine. `make compose-test` calls it."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

from tests.compose.engine import Failed, Project, health_of, send, service_of
from tests.compose.hardening import STOP_S, in_image, weak
from thalweg.cli.embedded import free_port
from thalweg.client import connect
from thalweg.errors import GatewayTrouble

HEALTHY_S, BACK_S, SICK_S = 60.0, 60.0, 60.0
STRANGER = "thalweg-test-stranger"
OTHER_CPU = "x86-64"  # the plainest there is; the image is built for `generic`


class Suite:
    """The steps in their order; each gives a sentence of what was seen, or raises `Failed`."""

    def __init__(self, *, every_venue: bool = False) -> None:
        first = free_port()
        environ = {"THALWEG_PORT": f"{first}-{first + 1}", "THALWEG_IMAGE": "thalweg-test"}
        if every_venue:
            environ["THALWEG_VENUES"] = "all"
        self.project = Project("thalweg-test", "demo,demo-all" if every_venue else "demo", environ)

    def build(self) -> str:
        """The image is built from the lock, and holds no compiler and no cache."""
        began = monotonic()
        self.project.compose("build", "--quiet")
        took = monotonic() - began
        size = int(self.project.docker("image", "inspect", "--format", "{{.Size}}", "thalweg-test"))
        listing = self.project.docker(
            "run", "--rm", "--user", "0", "--entrypoint", "find", "thalweg-test", "/", "-xdev", "-type", "f"
        )
        _none(in_image(listing))
        return f"{took:.0f} s, {size / 1e6:.0f} MB, {len(listing.splitlines()):,} files"

    def start(self) -> str:
        """Everything is healthy within a minute."""
        began = monotonic()
        self.project.compose("up", "--detach")
        self._until_healthy(HEALTHY_S)
        return f"all {len(self.project.containers()) - 1} healthy {monotonic() - began:.0f} s after `up`"

    def answers(self) -> str:
        """The page and a WebSocket answer with live books."""
        self.project.until("all books live", BACK_S, self._ready)
        page = self._get("/")
        if "<title>" not in page:
            raise Failed(f"no page: {page[:80]!r}")
        levels = asyncio.run(_first_book(f"ws://{self._address()}/ws/v1"))
        return f"page of {len(page)} bytes, /readyz OK, a book of {levels} levels over a WebSocket"

    def hardened(self) -> str:
        """Containers are unprivileged, read-only, bounded and apart."""
        containers = self.project.containers()
        _none(weak(containers))
        for network in ("core", "venues"):
            text = self.project.docker("network", "inspect", "--format", "{{.Internal}}", f"thalweg-test_{network}")
            if text.strip() != "true":
                raise Failed(f"the network {network} leads out")
        return f"{len(containers)} containers looked at"

    def scale(self) -> str:
        """More workers, and fewer again, cost nothing."""
        services = {"demo-binance": 3, "demo-kraken": 2, "aggregator": 2, "gateway": 2}
        self.project.compose("up", "--detach", *_scaled(services))
        self._until_healthy(HEALTHY_S)
        sleep(8)  # so that the shards have moved, and each worker has written
        more = self.verify()
        self.project.compose("up", "--detach", *_scaled(dict.fromkeys(services, 1)))
        self.project.until("all books live again", BACK_S, self._ready)
        return f"with 3, 2, 2 and 2: {more}; with one each: {self.verify()}"

    def verify(self) -> str:
        """`thalweg verify` finds nothing wrong in what is kept."""
        text = self.project.compose("run", "--rm", "--no-deps", "-T", "operator", "verify", "--json")
        found = json.loads(text)
        _none(found["violations"])
        return f"{found['entries']:,} entries and {found['publications']:,} publications as they should be"

    def roll(self) -> str:
        """`deploy/roll` puts new containers in the place of old ones, and nothing is lost."""
        services = "demo-binance", "aggregator"
        before = {one["Id"] for one in self.project.containers() if service_of(one) in services}
        self.project.run("deploy/roll", *services)
        after = [one["Id"] for one in self.project.containers() if service_of(one) in services]
        _none(f"{identity[:12]} is still there" for identity in before.intersection(after))
        if len(after) != len(services):
            raise Failed(f"{len(after)} containers of {services}")
        self.project.until("all books live", BACK_S, self._ready)
        return f"{', '.join(services)} replaced; {self.verify()}"

    def hang(self) -> str:
        """A process that hangs makes its container unhealthy, and one that goes on makes it healthy again."""
        running = [one for one in self.project.containers() if one["State"]["Status"] == "running"]
        began = monotonic()
        for one in running:
            send(one, signal.SIGSTOP)
        try:
            self.project.until("all unhealthy", SICK_S, lambda: self._states() == {"unhealthy"})
            took = monotonic() - began
        finally:
            for one in running:
                send(one, signal.SIGCONT)
        self._until_healthy(HEALTHY_S)
        self.project.until("all books live again", BACK_S, self._ready)
        return f"{len(running)} stopped; all unhealthy after {took:.0f} s, and well again; {self.verify()}"

    def kill(self) -> str:
        """Every container is killed once, and all come back by themselves."""
        took = []
        for one in self.project.containers():
            name = service_of(one)
            if one["State"]["Status"] != "running":
                continue
            send(one, signal.SIGKILL)  # not `docker kill`: that is the operator's wish, and nothing is started again
            self.project.until(f"{name} runs again", BACK_S, partial(self._restarted, one["Id"]))
            took.append((self.project.until(f"all live after {name}", BACK_S, self._ready), name))
        self._until_healthy(HEALTHY_S)
        slowest = max(took)
        return f"{len(took)} killed; live again after {slowest[0]:.0f} s at most ({slowest[1]}); {self.verify()}"

    def stop(self) -> str:
        """All stop by themselves within the grace period."""
        began = monotonic()
        self.project.compose("stop")
        took = monotonic() - began
        codes = {service_of(one): one["State"]["ExitCode"] for one in self.project.containers()}
        _none(f"{name} ended with {code}" for name, code in codes.items() if code)
        if took > STOP_S * 2:  # those that depend on one another stop one after the other
            raise Failed(f"took {took:.1f} s")
        return f"{took:.1f} s, all with 0"

    def other_cpu(self) -> str:
        """Kernels of another CPU than it was built for are compiled at the start."""
        began = monotonic()
        environ = "--env", f"NUMBA_CPU_NAME={OTHER_CPU}"
        self.project.compose("start", "redis", "redis-init", "simulator")
        self.project.compose("run", "--detach", "--name", STRANGER, *environ, "demo-kraken")

        def appends() -> bool:
            return "mine from epoch" in self.project.docker("logs", STRANGER)

        self.project.until("a worker with kernels of another CPU writes", HEALTHY_S, appends)
        self.project.docker("stop", STRANGER)
        return f"compiled, started and appended after {monotonic() - began:.0f} s"

    def down(self) -> str:
        """Nothing is left."""
        self.project.compose("--profile", "*", "down", "--volumes", "--remove-orphans")
        _none(f"left: {one}" for one in self.project.left())
        return "no container, network or volume left"

    def _address(self) -> str:
        """Give where the gateway is: one that was restarted may have another port of the range."""
        return self.project.compose("port", "gateway", "8080").strip()

    def _get(self, path: str) -> str:
        with urlopen(f"http://{self._address()}{path}", timeout=3) as answer:  # loopback
            return str(answer.read().decode())

    def _ready(self) -> bool:
        try:
            return bool(json.loads(self._get("/readyz"))["status"] == "OK")
        except (URLError, OSError, ValueError, Failed):
            return False

    def _restarted(self, identity: str) -> bool:
        """Whether the container runs, and not as the process that was killed."""
        state = json.loads(self.project.docker("inspect", identity))[0]
        return bool(state["State"]["Running"] and state["RestartCount"])

    def _states(self) -> set[str]:
        return {health_of(one) for one in self.project.containers() if service_of(one) != "redis-users"}

    def _until_healthy(self, seconds: float) -> None:
        try:
            self.project.until("all healthy", seconds, lambda: self._states() == {"healthy"})
        except Failed as error:
            states = {one["Name"]: health_of(one) for one in self.project.containers()}
            raise Failed(f"{error}; {states}") from error


async def _first_book(url: str) -> int:
    """Give how many levels the first live ladder has."""
    try:
        async with asyncio.timeout(20), connect(url) as client:
            await client.subscribe("cbook:BTC-USDT", depth=50)
            async for book in client.changes():
                bids, asks = book.texts(50)
                if book.state == "live" and bids and asks:
                    return len(bids) + len(asks)
    except (TimeoutError, GatewayTrouble) as error:
        raise Failed(f"no book over a WebSocket: {error!r}") from error
    raise Failed("the WebSocket ended")


def _scaled(services: dict[str, int]) -> list[str]:
    return [word for name, count in services.items() for word in ("--scale", f"{name}={count}")]


def _none(found: Iterable[str]) -> None:
    """Fail if there is any sentence."""
    if told := list(found):
        raise Failed("; ".join(told[:8]))


def main() -> int:
    """Run the steps and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.compose", description=__doc__)
    parser.add_argument("--json", default="build/compose.json", help="where the report goes (build/compose.json)")
    parser.add_argument("--keep", action="store_true", help="leave everything running where a step fails")
    parser.add_argument("--all", action="store_true", help="all venues there are, not the usual ones alone")
    asked = parser.parse_args()
    if shutil.which("docker") is None:
        print("compose-test: needs Docker with Compose v2, and there is no `docker` here", file=sys.stderr)
        return 2
    suite, rows = Suite(every_venue=asked.all), list[dict[str, object]]()
    steps: list[Callable[[], str]] = [
        suite.build, suite.start, suite.answers, suite.hardened, suite.verify, suite.scale, suite.roll, suite.hang,
        suite.kill, suite.stop, suite.other_cpu, suite.down,
    ]  # fmt: skip
    for step in steps:
        began = monotonic()
        try:
            ok, text = True, step()
        except Failed as error:
            ok, text = False, str(error)
        rows.append({"step": step.__name__, "ok": ok, "seconds": round(monotonic() - began, 1), "seen": text})
        print(f"{'ok  ' if ok else 'FAIL'} {step.__name__:<10} {monotonic() - began:6.1f} s  {text}", flush=True)
        if not ok:
            break
    if not rows[-1]["ok"] and not asked.keep:
        suite.project.compose("--profile", "*", "down", "--volumes", "--remove-orphans")
    path = Path(asked.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1))
    return 0 if rows[-1]["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
