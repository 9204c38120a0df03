"""What the benches are and what each is told: how long, and on which frames."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.report import Table

ROOT = Path(__file__).parents[2]

# A new bench is a module in tests/bench with `run(plan) -> list[Table]`, and a line here. In the order they run.
BENCHES = {
    "engine": "the engine, frame after frame",
    "cold": "the engine with pauses between frames",
    "memory": "what books and entries take",
    "pipeline": "all services under a flood, to books and to a client",
    "demo": "the demo: its hops, its memory",
    "receive": "receiving frames, with websockets and with picows",
    "fanout": "the gateway with a thousand clients, and what one client is sent",
    "storm": "healthy clients while others stop reading or come back all at once",
    "page": "the page in a browser: frames, main thread, memory and wire",
    "snapshot": "the longest whole book that a venue sends",
    "ladder": "the consolidated ladder, when one level changes",
    "instruments": "what a message costs with 36 instruments and with 360",
    "ablations": "what each idea of the hot path is worth",
}
BY_NAME_ONLY = {"page": "it looks at the page's memory for five minutes"}  # left out where no bench is named
MODULES: dict[str, str] = {}  # where a bench's module has another name


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the measurements take (`scale` 1 is what the documents quote) and where captures are, if anywhere."""

    scale: float = 1.0
    captures: Path | None = None

    def seconds(self, usual: float) -> float:
        """Give how long a measurement takes that usually takes so long."""
        return usual * self.scale


def captures() -> Path | None:
    """Give the folder of recorded frames that `THALWEG_CAPTURES` names."""
    folder = os.environ.get("THALWEG_CAPTURES")
    return Path(folder).resolve() if folder else None


def bench(name: str) -> Callable[[Plan], list[Table]]:
    """Give what runs a bench; it is imported now, so that no other bench pays for it."""
    run: Callable[[Plan], list[Table]] = importlib.import_module(f"tests.bench.{MODULES.get(name, name)}").run
    return run
