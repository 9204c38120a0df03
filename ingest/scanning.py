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
from thalweg.fixed import NO_LEVELS
from thalweg.instant import read_instant
from thalweg.instruments import DEFAULT_DECIMALS
from thalweg.scan import AS_WRITTEN, LEAST_LEVEL, UNFIT, WORD, Fields, Sides, Table, Words, scan_frame

Kind: TypeAlias = int | Sequence[str]
"""One of the scanner's kinds; or the words of which one stands there, whose number then is the field."""

USUAL = (DEFAULT_DECIMALS, DEFAULT_DECIMALS)  # read with these units until the symbol is known, and seldom again
_INT64 = np.dtype(np.int64)
_LOW = (1 << 32) - 1
UNREAD = -1  # in the last field: the levels do not fit the usual units


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
        seen = scan_frame(frame, self._words, self._table, DEFAULT_DECIMALS, DEFAULT_DECIMALS, levels, self._fields)
        if seen == UNFIT:
            seen = scan_frame(frame, self._words, self._table, AS_WRITTEN, AS_WRITTEN, levels, self._fields)
            self._fields[-1] = UNREAD
        if seen < 0 or seen & self._required != self._required:
            raise Declined
        return Hit(self, frame, levels, self._fields.tolist())

    def scan(self, frame: bytes, units: tuple[int, int]) -> tuple[list[int], Sides]:
        """Scan a frame anew, its levels in other units, and give its fields and levels.

        Raises:
            Declined: a number does not fit these.
        """
        levels = np.empty((2, len(frame) // LEAST_LEVEL + 1, 2), _INT64)
        if scan_frame(frame, self._words, self._table, *units, levels, self._fields) < 0:
            raise Declined
        return self._fields.tolist(), levels


class Hit:
    """What a frame holds; `fields` are in the order of the template's keys, outer before inner, and four more."""

    __slots__ = ("_frame", "_levels", "_template", "_units", "fields")

    def __init__(self, template: Template, frame: bytes, levels: Sides, fields: list[int]) -> None:
        """Keep what was found, in the usual units."""
        self._template, self._frame, self._levels, self._units, self.fields = template, frame, levels, USUAL, fields

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

    def update(
        self, scales: Scales, symbol: int, whole: int, first: int | None, last: int | None, ts_event: int | None
    ) -> BookUpdate:
        """Give the book update that the frame is; `symbol` is the field of its text.

        Raises:
            Declined: no symbol of ours, or a number that does not fit its units.
        """
        name = self._frame[symbol & _LOW : symbol >> 32].decode()
        units, fields, levels = scales(name), self.fields, self._levels
        if units is None:
            raise Declined
        if units != USUAL or fields[-1] == UNREAD:
            fields, levels = self._template.scan(self._frame, units)
            self._units, self.fields = units, fields
        bids, asks = fields[-4], fields[-3]
        return BookUpdate(
            name,
            whole == 1,
            levels[0, :bids] if bids else NO_LEVELS,
            levels[1, :asks] if asks else NO_LEVELS,
            first,
            last,
            ts_event,
        )

    def shift(self) -> tuple[int, int]:
        """After `update`, give by which powers of ten its units (price, size) become the digits written, at most."""
        return self.fields[-2] - self._units[0], self.fields[-1] - self._units[1]


def fall_back(frame: bytes, scales: Scales, decode: Callable[[bytes, Scales], Decoded]) -> Decoded:
    """Decode a frame the general way, and count the book updates that the fast way left to it.

    Raises:
        DecodeError: an undocumented shape.
    """
    decoded = decode(frame, scales)
    decoded.fallbacks = sum(isinstance(message, BookUpdate) for message in decoded.messages)
    return decoded
