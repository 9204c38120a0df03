"""The programs of `examples/`, and whether this machine can run them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples"
BUILT = ROOT / "build" / "examples"
SAID = re.compile(r"(.+): (\d+) of (\d+) books equal, (\d+) resyncs, (\d+) new epochs, (\d+) entries lost")


@dataclass(frozen=True, slots=True)
class Said:
    """The summary line of a program."""

    equal: int
    compared: int
    resyncs: int
    epochs: int
    lost: int


def parse(line: str) -> Said | None:
    """Read a summary line; none if it is not one."""
    found = SAID.fullmatch(line.strip())
    return Said(*map(int, found.groups()[1:])) if found else None


def _python() -> list[str]:
    return [sys.executable, str(FOLDER / "follow.py")]


def _node() -> list[str] | None:
    """Install its package once for each state of the sources; none without Node, npm or a registry."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    names = ("follow.mjs", "package.json", "package-lock.json")
    folder = BUILT / f"node-{_digest(*names)}"
    if not folder.exists():
        unready = folder.with_suffix(f".{os.getpid()}")
        unready.mkdir(parents=True)
        for name in names:
            shutil.copy(FOLDER / name, unready)
        command = [
            npm,
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--fetch-retries=0",
            "--fetch-timeout=5000",
        ]
        if subprocess.run(command, cwd=unready, capture_output=True, timeout=120, check=False).returncode:
            shutil.rmtree(unready)
            return None
        unready.replace(folder)
    return [node, str(folder / "follow.mjs")]


def _rust() -> list[str] | None:
    """Compile once for each state of the sources."""
    rustc = shutil.which("rustc") or shutil.which("rustc", path=str(Path.home() / ".cargo" / "bin"))
    if rustc is None:
        return None
    program = BUILT / f"follow-{_digest('follow.rs', 'wire.rs')}"
    if not program.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        unready = program.with_suffix(f".{os.getpid()}")
        command = [rustc, "--edition", "2021", "-D", "warnings", "-o", str(unready), str(FOLDER / "follow.rs")]
        subprocess.run(command, check=True, timeout=120)
        unready.replace(program)
    return [str(program)]


def _digest(*names: str) -> str:
    """Give what tells this state of some sources from others."""
    return hashlib.sha256(b"".join((FOLDER / name).read_bytes() for name in names)).hexdigest()[:12]


COMMANDS: dict[str, Callable[[], list[str] | None]] = {"python": _python, "node": _node, "rust": _rust}
