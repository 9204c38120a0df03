"""Captures as they lie on disk: plain or in gzip members, whole or cut off by whatever ended their recorder."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from thalweg.capture import MAX_LINE
from thalweg.errors import CaptureError, SettingsError

CHUNK = 1 << 18  # bytes read at once
PACKED = b"\x1f\x8b"
GZIP = 31  # window bits by which zlib reads gzip


class CaptureFile:
    """The whole lines of one capture.

    `torn` are the bytes at its end that make no whole line, once all has been read: what a recorder that was killed
    had not finished writing. They are not an error; a file that is damaged before its end is one.
    """

    def __init__(self, path: Path) -> None:
        """Read this file, when iterated over."""
        self.path = path
        self.torn = 0

    def __iter__(self) -> Iterator[bytes]:
        """Give each line, with its line end; the last one may have none if it is whole without.

        Raises:
            SettingsError: the file can't be read.
            CaptureError: it is damaged, or a line is longer than any frame.
        """
        try:
            with self.path.open("rb") as file:
                yield from self._lines(file)
        except OSError as error:
            raise SettingsError(f"{self.path} can't be read: {error.strerror or error}") from error

    def _lines(self, file: BinaryIO) -> Iterator[bytes]:
        packed = file.read(2) == PACKED
        file.seek(0)
        rest = b""
        for data in self._unpacked(file) if packed else iter(lambda: file.read(CHUNK), b""):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > MAX_LINE:
                raise CaptureError(f"{self.path}: a line is longer than {MAX_LINE} bytes")
            yield from (line + b"\n" for line in lines)
        if rest.rstrip().endswith(b"}") and not self.torn:  # written by hand, without a last line end
            yield rest
        else:
            self.torn += len(rest)

    def _unpacked(self, file: BinaryIO) -> Iterator[bytes]:
        """Unpack member after member; of a last one that is cut off, as much as is there."""
        unpack, ended, left = zlib.decompressobj(GZIP), True, b""
        while data := left or file.read(CHUNK):
            try:
                found = unpack.decompress(data)
            except zlib.error as error:
                raise CaptureError(f"{self.path} is damaged near byte {file.tell() - len(data)}: {error}") from error
            left, ended = unpack.unused_data, unpack.eof
            if unpack.eof:
                unpack = zlib.decompressobj(GZIP)
            yield found
        if not ended:
            self.torn += 1
