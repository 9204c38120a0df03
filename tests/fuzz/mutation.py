"""New inputs out of old ones: bytes, numbers, words and whole parts changed, moved, doubled and cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from thalweg.fixed import INT64_MAX

NUMBER = re.compile(rb"[0-9]+(?:\.[0-9]+)?")
PART = re.compile(rb"[\[\]{},:\n\x1e]")
LARGEST = 4096  # bytes of an input: a loop over more is slow and finds nothing else
ODD = [
    *(b"0", b"1", b"00.5", b"1.", b".5", b"1e5", b"5E-3", b"-1", b"-0", b"+1", b"1_000", b" 1", b"", b"NaN", b"null"),
    *(b"0" * 64, b"0" * 65, b"0." + b"0" * 62, b"9" * 18, b"9" * 19, b"9" * 30, b"1.5e308", b"1e999", b"9" * 400),
    *(b"%d" % INT64_MAX, b"%d" % (INT64_MAX + 1), b"18446744073709551616", b"0.000000001", b"\xd9\xa3", b"\\u0031"),
    *(b"true", b"[]", b"{}", b'"1"', b'""', b"\\ud800", b"\xed\xa0\x80", b"\x00", b"\xff", b"1e-8", b"0.0000000010"),
]
_BYTES = b'"[]{},:\\ \n-.0123456789eE\x00\x1e\x7f\x80\xff'


class Mutator:
    """Changes inputs by a seed; `words` are what the target's inputs are made of."""

    def __init__(self, random: Random, words: Sequence[bytes]) -> None:
        self._random = random
        self._words = [*ODD, *words]
        self._ways = (
            *(self._byte, self._byte, self._bit, self._cut, self._double, self._word, self._word),
            *(self._number, self._number, self._move, self._splice),
        )

    def change(self, data: bytes, other: bytes) -> bytes:
        """Give another input: a few changes of one, maybe with a part of the other."""
        pick = self._random.random
        for _ in range(1 + int(pick() * pick() * 5)):
            data = self._ways[int(pick() * len(self._ways))](data, other)
        return data[:LARGEST]

    def _at(self, size: int) -> int:
        return int(self._random.random() * size)

    def _byte(self, data: bytes, other: bytes) -> bytes:
        """Put one byte in, in the place of none or one."""
        at = self._at(len(data) + 1)
        return data[:at] + _BYTES[(one := self._at(len(_BYTES))) : one + 1] + data[at + self._at(2) :]

    def _bit(self, data: bytes, other: bytes) -> bytes:
        if not data:
            return data
        at = self._at(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self._at(8)]) + data[at + 1 :]

    def _cut(self, data: bytes, other: bytes) -> bytes:
        at = self._at(len(data) + 1)
        return data[:at] + data[at + 1 + self._at(8) :]

    def _double(self, data: bytes, other: bytes) -> bytes:
        start = self._at(len(data) + 1)
        end = start + self._at(40)
        return data[:end] + data[start:]

    def _word(self, data: bytes, other: bytes) -> bytes:
        """Put a word in, in the place of none or of what stands between two separators."""
        word = self._words[self._at(len(self._words))]
        at = self._at(len(data) + 1)
        if self._at(2):
            return data[:at] + word + data[at:]
        found = re.compile(rb'[^",:\[\]{}\n]*').match(data, at)
        return data[:at] + word + data[found.end() if found else at :]

    def _number(self, data: bytes, other: bytes) -> bytes:
        """Write another number where one stands: near it, or odd."""
        found = NUMBER.search(data, self._at(len(data) + 1))
        if not found:
            return data
        number = ODD[self._at(len(ODD))]
        if self._at(2) and b"." not in found[0] and len(found[0]) < 30:
            number = b"%d" % max(0, int(found[0]) + self._at(7) - 3)
        return data[: found.start()] + number + data[found.end() :]

    def _move(self, data: bytes, other: bytes) -> bytes:
        """Move or repeat a part that separators bound."""
        ends = [found.start() for found in PART.finditer(data)]
        if len(ends) < 2:
            return self._double(data, other)
        at = self._at(len(ends) - 1)
        upto = min(at + 1 + self._at(6), len(ends) - 1)
        to = ends[self._at(len(ends))]
        part = data[ends[at] : ends[upto]]
        return data[:to] + part + data[to:] if self._at(2) else (data[: ends[at]] + data[ends[upto] :] + part)

    def _splice(self, data: bytes, other: bytes) -> bytes:
        return data[: self._at(len(data) + 1)] + other[self._at(len(other) + 1) :]
