"""The fast way through a book frame: a compiled scanner reads its fields and its levels, of the documented shape alone.

A venue's file tells the shape of its book frames as a `Template` and makes a book update of what that finds. Whatever
is not plain is declined: the venue's general decoder then takes the frame, and that is counted. Both must make the
same of every frame; the general decoder is the judge.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import orjson

from ingest.venue import BookUpdate, Decoded, Scales
from thalweg.errors import DecodeError
from thalweg.fixed import Levels
from thalweg.instruments import DEFAULT_DECIMALS
from thalweg.scan import AS_WRITTEN, LEAST_LEVEL, UNFIT, Found, Sides, Table, Words, scan_frame

USUAL = (DEFAULT_DECIMALS, DEFAULT_DECIMALS)  # read with these units until the symbol is known, and seldom again


class Declined(Exception):
    """The fast way does not know what this is; the general decoder does."""


class Template:
    """The keys of a book frame and of the one object inside it, by their kind; `optional` ones may be missing."""

    def __init__(self, outer: Mapping[str, int], inner: Mapping[str, int], optional: Collection[str] = ()) -> None:
        """Lay the keys out for the scanner."""
        texts, rows = b"", []
        for depth, keys in enumerate((outer, inner)):
            for key, kind in keys.items():
                text = orjson.dumps(key) + b":"
                rows.append((len(texts), len(texts) + len(text), kind, depth))
                texts += text
        self._words: Words = np.frombuffer(texts, dtype=np.uint8)
        self._table: Table = np.array(rows, dtype=np.int64)
        self._required = sum(1 << k for k, key in enumerate((*outer, *inner)) if key not in optional)
        self._fields: Table = np.empty((len(rows), 2), dtype=np.int64)

    def find(self, frame: bytes) -> Hit:
        """Give what a frame of this shape holds.

        Raises:
            Declined: it is not of this shape.
        """
        levels = np.empty((2, len(frame) // LEAST_LEVEL + 1, 2), dtype=np.int64)
        units, found = USUAL, self.scan(frame, USUAL, levels)
        if found[0] == UNFIT:
            units = AS_WRITTEN, AS_WRITTEN
            found = self.scan(frame, units, levels)
        if found[0] < 0 or found[0] & self._required != self._required:
            raise Declined
        return Hit(self, frame, levels, units, found, self._fields.tolist())

    def scan(self, frame: bytes, units: tuple[int, int], levels: Sides) -> Found:
        """Scan a frame, its levels in these units."""
        return scan_frame(frame, self._words, self._table, units[0], units[1], levels, self._fields)


class Hit:
    """What a frame holds; `fields` are in the order of the template's keys, outer before inner."""

    __slots__ = ("_found", "_frame", "_levels", "_template", "_units", "fields")

    def __init__(
        self,
        template: Template,
        frame: bytes,
        levels: Sides,
        units: tuple[int, int],
        found: Found,
        fields: list[list[int]],
    ) -> None:
        """Keep what was found, in these units."""
        self._template, self._frame, self._levels, self._units, self._found = template, frame, levels, units, found
        self.fields = fields

    def text(self, field: list[int]) -> str:
        """Give the text of a field; of one that is missing, an empty one."""
        return self._frame[field[0] : field[1]].decode()

    def read(self, price_decimals: int, size_decimals: int) -> tuple[Levels, Levels]:
        """Give bids and asks in units, `(n, 2)` each.

        Raises:
            Declined: a number does not fit.
        """
        units = price_decimals, size_decimals
        if self._units != units:
            self._units, self._found = units, self._template.scan(self._frame, units, self._levels)
            if self._found[0] < 0:
                raise Declined
        return self._levels[0, : self._found[1]], self._levels[1, : self._found[2]]

    def shift(self) -> tuple[int, int]:
        """After `read`, give by which powers of ten its units (price, size) become the digits written, at most."""
        return self._found[3] - self._units[0], self._found[4] - self._units[1]


def scan_or_decode(
    frame: bytes, scales: Scales, scan: Callable[[bytes, Scales], Decoded], decode: Callable[[bytes, Scales], Decoded]
) -> Decoded:
    """Decode a frame the fast way, or where that declines the general way.

    Raises:
        DecodeError: an undocumented shape.
    """
    try:
        return scan(frame, scales)
    except (Declined, DecodeError):
        pass  # the general way tells what is wrong, if anything is
    decoded = decode(frame, scales)
    decoded.fallbacks = sum(isinstance(message, BookUpdate) for message in decoded.messages)
    return decoded
