"""A capture that is being written: in gzip members of a second at most, in parts, and never more than asked for.

A member is whole in itself, so what ends the recorder, kill -9 too, costs at most what came in the last second; a part
begins with a head line of its own. Packing and writing are done in a thread, so that frames are stamped on time.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from thalweg import __version__
from thalweg.capture import VERSION
from thalweg.errors import SettingsError

FLUSH_S = 1.0  # between members: what kill -9 may cost
LEVEL = 6  # of gzip: a third of the time of 9 for 3 % more bytes
WAITING = 128 << 20  # bytes that may wait for a disk that does not keep up


@dataclass(frozen=True, slots=True)
class Limits:
    """When a part ends, in bytes on disk and seconds, and how many of the newest parts are kept; `None`: no limit."""

    part_bytes: int | None = None
    part_s: float | None = None
    keep: int | None = None


class Journal:
    """The capture files of one venue; `lines`, `raw` and `packed` count lines, their bytes, and bytes on disk."""

    def __init__(self, path: Path, venue: str, limits: Limits, clock: Callable[[], float], *, force: bool) -> None:
        """Begin the first part; `clock` gives monotonic seconds.

        Raises:
            SettingsError: it is there already, or can't be written.
        """
        self.path, self.venue = path, venue
        self.lines = self.raw = self.packed = self.parts = 0
        self._limits, self._clock, self._force = limits, clock, force
        self._waiting: list[bytes] = []
        self._waits = 0
        self._written: list[Path] = []
        self._failed = False
        self._begin()

    def write(self, line: bytes) -> None:
        """Take a line.

        Raises:
            SettingsError: the disk does not keep up, and what waits for it has reached its bound.
        """
        self._waiting.append(line)
        self._waits += len(line)
        if self._waits > WAITING:
            raise SettingsError(f"{self._part} can't be written as fast as {self.venue} sends: {WAITING} bytes wait")

    async def run(self) -> None:
        """Write what was taken, again and again, until cancelled; `close` writes the rest.

        Raises:
            SettingsError: the disk is full, or can't be written.
        """
        while True:
            await asyncio.sleep(FLUSH_S)
            await asyncio.to_thread(self._store, self._take())

    def _take(self) -> list[bytes]:
        lines, self._waiting, self._waits = self._waiting, [], 0
        return lines

    def _store(self, lines: list[bytes]) -> None:
        """Write lines as one member, and before that begin the next part if this one is full.

        Raises:
            SettingsError: the disk is full, or can't be written; the file then ends with its last whole member.
        """
        if lines and not self._failed:
            if self._full():
                self._end()
                self._begin()
            self._put(b"".join(lines), len(lines))

    def close(self) -> None:
        """Write the rest and end the last part.

        Raises:
            SettingsError: the disk is full, or can't be written.
        """
        try:
            self._store(self._take())
        finally:
            self._end()

    def _full(self) -> bool:
        size, age, limits = self._size, self._clock() - self._began, self._limits
        return (limits.part_bytes is not None and size >= limits.part_bytes) or (
            limits.part_s is not None and age >= limits.part_s
        )

    def _begin(self) -> None:
        """Open the next part, write its head line, and remove parts that are more than are to be kept."""
        self.parts += 1
        self._part = part_name(self.path, self.parts)
        self._size, self._began = 0, self._clock()
        try:
            self._file = self._part.open("wb" if self._force else "xb", buffering=0)
        except FileExistsError as error:
            raise SettingsError(f"{self._part} is there already; --force writes over it") from error
        except OSError as error:
            raise SettingsError(f"{self._part} can't be written: {error.strerror}") from error
        self._written.append(self._part)
        head = {"v": VERSION, "venue": self.venue, "part": self.parts, "by": f"thalweg {__version__}"}
        self._put(json.dumps(head).encode() + b"\n", 0)
        while self._limits.keep is not None and len(self._written) > self._limits.keep:
            self._written.pop(0).unlink(missing_ok=True)

    def _end(self) -> None:
        with suppress(OSError):  # a disk that is full is told of by what could not be written
            os.fsync(self._file.fileno())
        self._file.close()

    def _put(self, data: bytes, lines: int) -> None:
        """Write one member, whole or not at all."""
        packed = gzip.compress(data, LEVEL) if self.path.suffix == ".gz" else data
        try:
            left = memoryview(packed)
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError as error:
            self._failed = True
            with suppress(OSError):
                self._file.truncate(self._size)
            said = f"{error.strerror}; {self.lines} lines are safe, {lines + len(self._waiting)} were lost"
            raise SettingsError(f"{self._part} can't be written: {said}") from error
        self._size += len(packed)
        self.lines, self.raw, self.packed = self.lines + lines, self.raw + len(data), self.packed + len(packed)


def part_name(path: Path, part: int) -> Path:
    """Give the name of a part: `kraken.jsonl.gz`, then `kraken.2.jsonl.gz` and so on."""
    if part == 1:
        return path
    stem, dot, suffixes = path.name.partition(".jsonl")
    return path.with_name(f"{stem}.{part}{dot}{suffixes}")
