"""One compose project of our own name and port, driven by the `docker` command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

ROOT = Path(__file__).parents[2]
LOOK_S = 0.5
COMMAND_S = 600.0


class Failed(Exception):
    """A command of the engine failed, or something did not come to pass in time."""


class Project:
    """The services of compose.yaml under a name of our own, so that a running one is left alone."""

    def __init__(self, name: str, profile: str, environ: dict[str, str]) -> None:
        self.name = name
        self._profile = profile
        self._environ = os.environ | environ | {"COMPOSE_PROJECT_NAME": name, "COMPOSE_PROFILES": profile}

    def docker(self, *words: str, timeout_s: float = COMMAND_S) -> str:
        """Run `docker` and give what it prints.

        Raises:
            Failed: it ended with another code than 0, or not in time.
        """
        done = self.run("docker", *words, timeout_s=timeout_s)
        return done.stdout + (done.stderr if words[0] == "logs" else "")

    def run(self, *command: str, timeout_s: float = COMMAND_S) -> subprocess.CompletedProcess[str]:
        """Run a program in the repository, for this project.

        Raises:
            Failed: it ended with another code than 0, or not in time.
        """
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=self._environ, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failed(f"{' '.join(command[:4])}: {error}") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-600:]
            raise Failed(f"{' '.join(command)[:160]} ended with {done.returncode}: {said}")
        return done

    def compose(self, *words: str, timeout_s: float = COMMAND_S) -> str:
        """Run `docker compose` for this project."""
        return self.docker("compose", *words, timeout_s=timeout_s)

    def containers(self) -> list[dict[str, Any]]:
        """Give what the engine knows of every container of the project, those that ended too."""
        found = self.docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={self.name}").split()
        return list(json.loads(self.docker("inspect", *found))) if found else []

    def left(self) -> list[str]:
        """Give containers, networks and volumes that are still there."""
        kinds = {"container": ("ps", "-aq"), "network": ("network", "ls", "-q"), "volume": ("volume", "ls", "-q")}
        ours = "--filter", f"label=com.docker.compose.project={self.name}"
        return [f"{kind} {one}" for kind, words in kinds.items() for one in self.docker(*words, *ours).split()]

    def until(self, what: str, seconds: float, true: Callable[[], bool]) -> float:
        """Wait until something is true and give how long that took.

        Raises:
            Failed: it was not in time.
        """
        began = monotonic()
        while not true():
            if monotonic() - began > seconds:
                raise Failed(f"{what}: not within {seconds:.0f} s")
            sleep(LOOK_S)
        return monotonic() - began


def service_of(container: dict[str, Any]) -> str:
    """Give the service that a container belongs to."""
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def health_of(container: dict[str, Any]) -> str:
    """Give `healthy`, `starting`, `unhealthy`, or the container's state where it has no health check."""
    state = container["State"]
    return str(state["Health"]["Status"] if "Health" in state else state["Status"])


def send(container: dict[str, Any], what: signal.Signals) -> None:
    """Send a signal to a container's first process past the engine, as a crash or a hang comes.

    Raises:
        Failed: not allowed; the suite runs as root on the engine's own machine.
    """
    try:
        os.kill(container["State"]["Pid"], what)
    except PermissionError as error:
        raise Failed("can't signal a container's process: run this as root on the engine's machine") from error
