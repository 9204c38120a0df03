"""The fast way through a book frame: a compiled scanner reads its fields and its levels, of the documented shape alone.

A venue's file tells the shape of its book frames as a `Template` and makes a book update of what that finds. Whatever
is not plain is declined: the venue's general decoder then takes the frame, and that is counted. Both must make the
same of every frame; the general decoder is the judge.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import orjson

from ingest.venue import BookUpdate, Decoded, Scales
from thalweg.errors import DecodeError
from thalweg.fixed import NO_LEVELS, Levels
from thalweg.instant import read_instant
from thalweg.instruments import DEFAULT_DECIMALS
from thalweg.scan import AS_WRITTEN, LEAST_LEVEL, UNFIT, WORD, Fields, Sides, Table, Words, scan_frame

Kind: TypeAlias = int | Sequence[str]
"""One of the scanner's kinds; or the words of which one stands there, whose number then is the field."""

USUAL = (DEFAULT_DECIMALS, DEFAULT_DECIMALS)  # read with these units until the symbol is known, and seldom again
_INT64 = np.dtype(np.int64)
_LOW = (1 << 32) - 1


class Declined(Exception):
    """The fast way does not know what this is; the general decoder does."""


class Template:
    """The keys of a book frame and of the one object inside it, by their kind; `optional` ones may be missing."""

    def __init__(self, outer: Mapping[str, Kind], inner: Mapping[str, Kind], optional: Collection[str] = ()) -> None:
        """Lay the keys out for the scanner."""
        texts, rows, field = b"", [], 0
        for depth, keys in enumerate((outer, inner)):
            for key, kind in keys.items():
                values = [(b"", kind)] if isinstance(kind, int) else [(orjson.dumps(word), WORD) for word in kind]
                for number, (value, code) in enumerate(values):
                    text = orjson.dumps(key) + b":" + value
                    rows.append((len(texts), len(texts) + len(text), code, depth, field, number))
                    texts += text
                field += 1
        self._words: Words = np.frombuffer(texts, dtype=np.uint8)
        self._table: Table = np.array(rows, dtype=np.int64)
        self._required = sum(1 << k for k, key in enumerate((*outer, *inner)) if key not in optional)
        self._fields: Fields = np.empty(field + 4, dtype=np.int64)

    def find(self, frame: bytes) -> Hit:
        """Give what a frame of this shape holds.

        Raises:
            Declined: it is not of this shape.
        """
        levels = np.empty((2, len(frame) // LEAST_LEVEL + 1, 2), _INT64)
        units = USUAL
        seen = scan_frame(frame, self._words, self._table, *USUAL, levels, self._fields)
        if seen == UNFIT:
            units = AS_WRITTEN, AS_WRITTEN
            seen = scan_frame(frame, self._words, self._table, *units, levels, self._fields)
        if seen < 0 or seen & self._required != self._required:
            raise Declined
        return Hit(self, frame, levels, units, self._fields.tolist())

    def scan(self, frame: bytes, units: tuple[int, int], levels: Sides) -> list[int]:
        """Scan a frame anew, its levels in other units, and give its fields.

        Raises:
            Declined: a number does not fit these.
        """
        if scan_frame(frame, self._words, self._table, *units, levels, self._fields) < 0:
            raise Declined
        found: list[int] = self._fields.tolist()
        return found


class Hit:
    """What a frame holds; `fields` are in the order of the template's keys, outer before inner, and four more."""

    __slots__ = ("_frame", "_levels", "_template", "_units", "fields")

    def __init__(
        self, template: Template, frame: bytes, levels: Sides, units: tuple[int, int], fields: list[int]
    ) -> None:
        """Keep what was found, in these units."""
        self._template, self._frame, self._levels, self._units, self.fields = template, frame, levels, units, fields

    def text(self, field: int) -> str:
        """Give the text of a field."""
        return self._frame[field & _LOW : field >> 32].decode()

    def instant(self, field: int) -> int:
        """Give the instant that a text field says.

        Raises:
            Declined: it is not written as usual.
        """
        if (found := read_instant(self._frame, field & _LOW)) < 0:
            raise Declined
        return found

    def read(self, price_decimals: int, size_decimals: int) -> tuple[Levels, Levels]:
        """Give bids and asks in units, `(n, 2)` each.

        Raises:
            Declined: a number does not fit.
        """
        units = price_decimals, size_decimals
        if self._units != units:
            self._units, self.fields = units, self._template.scan(self._frame, units, self._levels)
        bids, asks = self.fields[-4], self.fields[-3]
        return self._levels[0, :bids] if bids else NO_LEVELS, self._levels[1, :asks] if asks else NO_LEVELS

    def shift(self) -> tuple[int, int]:
        """After `read`, give by which powers of ten its units (price, size) become the digits written, at most."""
        return self.fields[-2] - self._units[0], self.fields[-1] - self._units[1]


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
