"""Inputs on disk: those in the repository, which `make test` replays, and those that runs have found since.

    tests/fuzz/corpus/TARGET/   seeds and finds worth keeping, and every input that ever failed (`crash-...`)
    build/fuzz/corpus/TARGET/   what runs on this machine found; the next run goes on from it

`python -m tests.fuzz --keep` brings the first up to date from the second: for each outcome the shortest input.
"""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

from tests.fuzz.target import Target

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).with_name("corpus")
FOUND = ROOT / "build" / "fuzz" / "corpus"
KEPT_FILES = 30  # of one target
KEPT_BYTES = 16_000
CRASH = "crash-"


def name_of(data: bytes) -> str:
    """Give an input's file name."""
    return sha1(data, usedforsecurity=False).hexdigest()[:12]


def save(folder: Path, data: bytes, prefix: str = "") -> Path:
    """Write an input and give its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (prefix + name_of(data))
    path.write_bytes(data)
    return path


def load(*folders: Path) -> list[bytes]:
    """Give the inputs of folders, in the order of their names; none where there is no folder."""
    return [path.read_bytes() for folder in folders for path in sorted(folder.glob("*")) if path.is_file()]


def inputs(target: Target) -> list[bytes]:
    """Give all that is known of a target: its seeds, what is kept, what was found."""
    return list(dict.fromkeys([*target.seeds(), *load(KEPT / target.name, FOUND / target.name)]))


def keep(target: Target) -> int:
    """Write the shortest input of each outcome to the repository, within bounds; give how many there are."""
    best: dict[object, bytes] = {}
    for data in sorted(inputs(target), key=lambda one: (len(one), one)):
        best.setdefault(target.judge(data), data)
    folder, size, kept = KEPT / target.name, 0, 0
    for path in folder.glob("*"):
        if not path.name.startswith(CRASH):
            path.unlink()
    for data in best.values():
        size += len(data)
        if kept == KEPT_FILES or size > KEPT_BYTES:
            break
        save(folder, data)
        kept += 1
    return kept
