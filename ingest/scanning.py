"""The fast way through a book frame: a compiled scanner reads its fields and its levels, of the documented shape alone.

A venue's file tells the shape of its book frames as a `Template` and makes a book update of what that finds. Whatever
is not plain is declined: the venue's general decoder then takes the frame, and that is counted. Both must make the
same of every frame; the general decoder is the judge.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import orjson

from ingest.venue import BookUpdate, Decoded, Scales
from thalweg.errors import DecodeError
from thalweg.fixed import NO_LEVELS
from thalweg.instant import read_instant
from thalweg.instruments import DEFAULT_DECIMALS
from thalweg.scan import AS_WRITTEN, LEAST_LEVEL, UNFIT, WORD, Fields, Table, Words, scan_frame

Kind: TypeAlias = int | Sequence[str]
"""One of the scanner's kinds; or the words of which one stands there, whose number then is the field."""

USUAL = (DEFAULT_DECIMALS, DEFAULT_DECIMALS)  # read with these units until the symbol is known, and seldom again
_INT64 = np.dtype(np.int64)
_LOW = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Express:
    """What the express lane (`ingest.lane`) needs to know of a venue's frames of changes; keys are the template's.

    `topic` is a key whose text begins with a text, and is longer. `instants` are keys of the venue's instant, the first
    that a frame has counts: a text as in RFC 3339, or a whole number of `instant_ns`. `checksum` is of the best
    `checked` levels. `count` is the key of what counts every frame of the connection.
    """

    template: Template
    instants: tuple[str, ...]
    instant_ns: int = 1_000_000
    first: str | None = None
    last: str | None = None
    count: str | None = None
    checksum: str | None = None
    checked: int = 0
    topic: tuple[str, str] | None = None


class Declined(Exception):
    """The fast way does not know what this is; the general decoder does."""


class Template:
    """The keys of a book frame and of the one object inside it, by their kind; `optional` ones may be missing.

    `symbol` is the key of the symbol; `whole` that of two words, for changes and for a whole book, if the frame has it.
    The attributes are for the scanner: the keys' texts and their table (see `thalweg.scan`), the fields of those two
    keys, and which must be seen.
    """

    def __init__(
        self,
        outer: Mapping[str, Kind],
        inner: Mapping[str, Kind],
        optional: Collection[str] = (),
        *,
        symbol: str,
        whole: str | None = None,
    ) -> None:
        """Lay the keys out for the scanner."""
        self._kinds = {**outer, **inner}
        self._names = (*outer, *inner)
        texts, rows = b"", []
        for field, (key, kind) in enumerate((*outer.items(), *inner.items())):
            values = [(b"", kind)] if isinstance(kind, int) else [(orjson.dumps(word), WORD) for word in kind]
            for number, (value, code) in enumerate(values):
                text = orjson.dumps(key) + b":" + value
                rows.append((len(texts), len(texts) + len(text), code, int(field >= len(outer)), field, number))
                texts += text
        self.words: Words = np.frombuffer(texts, dtype=np.uint8)
        self.table: Table = np.array(rows, dtype=np.int64)
        self.required = sum(1 << k for k, key in enumerate(self._names) if key not in optional)
        self._fields: Fields = np.empty(len(self._names) + 4, dtype=np.int64)
        self.symbol, self.whole = self.place(symbol), None if whole is None else self.place(whole)

    def place(self, key: str) -> int:
        """Give where the field of a key stands in what `read` gives."""
        return self._names.index(key)

    def kind(self, key: str) -> Kind:
        """Give what stands at a key."""
        return self._kinds[key]

    def read(self, frame: bytes, scales: Scales) -> tuple[BookUpdate, list[int], tuple[int, int]]:
        """Give the book update that a frame of this shape is, all its fields, and the units of its levels.

        Raises:
            Declined: it is not of this shape, of no symbol of ours, or has a number that does not fit its units.
        """
        levels = np.empty((2, len(frame) // LEAST_LEVEL + 1, 2), _INT64)
        found, units = self._fields, USUAL
        seen = scan_frame(frame, self.words, self.table, DEFAULT_DECIMALS, DEFAULT_DECIMALS, levels, found)
        if seen == UNFIT:
            units = AS_WRITTEN, AS_WRITTEN
            seen = scan_frame(frame, self.words, self.table, AS_WRITTEN, AS_WRITTEN, levels, found)
        if seen < 0 or seen & self.required != self.required:
            raise Declined
        fields: list[int] = found.tolist()
        symbol = text_of(frame, fields[self.symbol])
        wanted = scales(symbol)
        if wanted is None:
            raise Declined
        if wanted != units and scan_frame(frame, self.words, self.table, *wanted, levels, found) < 0:
            raise Declined
        bids, asks = fields[-4], fields[-3]
        update = BookUpdate(
            symbol,
            self.whole is not None and fields[self.whole] == 1,
            levels[0, :bids] if bids else NO_LEVELS,
            levels[1, :asks] if asks else NO_LEVELS,
        )
        return update, fields, wanted


def text_of(frame: bytes, field: int) -> str:
    """Give the text of a field."""
    return frame[field & _LOW : field >> 32].decode()


def instant_of(frame: bytes, field: int) -> int:
    """Give the instant that a text field says.

    Raises:
        Declined: it is not written as usual.
    """
    if (found := read_instant(frame, field & _LOW)) < 0:
        raise Declined
    return found


def fall_back(frame: bytes, scales: Scales, decode: Callable[[bytes, Scales], Decoded]) -> Decoded:
    """Decode a frame the general way, and count the book updates that the fast way left to it.

    Raises:
        DecodeError: an undocumented shape.
    """
    decoded = decode(frame, scales)
    decoded.fallbacks = sum(isinstance(message, BookUpdate) for message in decoded.messages)
    return decoded


def both_ways(
    scan: Callable[[bytes, Scales], Decoded], general: Callable[[bytes, Scales], Decoded], unlike: bytes
) -> Callable[[bytes, Scales], Decoded]:
    """Give a decoder that tries the fast way first, but for frames that have `unlike` in them, which are no books."""

    def decode(frame: bytes, scales: Scales) -> Decoded:
        """Turn one frame into messages.

        Raises:
            DecodeError: an undocumented shape.
        """
        if unlike in frame:
            return general(frame, scales)
        try:
            return scan(frame, scales)
        except (Declined, DecodeError):  # the general way tells what is wrong, if anything is
            return fall_back(frame, scales, general)

    return decode
