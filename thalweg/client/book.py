"""One channel's book as a client has it: applied by sequence, proved by checksum."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import nsmallest
from typing import Any, TypeAlias

CHECKED = 10  # levels a side under the checksum
Message: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Level:
    """A price and what is quoted there, exact; `venues` says by whom in a ladder, and is empty in a venue's book."""

    price: Decimal
    size: Decimal
    venues: dict[str, Decimal]


@dataclass(slots=True)
class Book:
    """A venue's book or the ladder; `seq` and `epoch` are those applied last, `state` is `live` or why not."""

    channel: str
    seq: int = 0
    epoch: int = 0
    state: str = ""
    flags: list[str] = field(default_factory=list)
    quote: Message = field(default_factory=dict)
    is_known: bool = False
    _sides: tuple[dict[str, list[Any]], dict[str, list[Any]]] = field(default_factory=lambda: ({}, {}))

    def apply(self, message: Message) -> bool:
        """Apply a `snap` or `d`; give whether the book is right after it. One that is not has to be asked for anew."""
        if message["t"] == "snap":
            self._sides = ({}, {})
            self.epoch = message["e"]
        elif not self.is_known or message["p"] != self.seq:
            self.is_known = False
            return False
        for side, levels in zip(self._sides, (message["b"], message["a"]), strict=True):
            for level in levels:
                if level[1] == "0":
                    side.pop(level[0], None)
                else:
                    side[level[0]] = level
        self.seq, self.epoch = message["s"], message.get("e", self.epoch)
        self.state, self.flags, self.quote = message["st"], message["fl"], message.get("q", self.quote)
        self.is_known = "crc" not in message or message["crc"] == self.checksum()
        return self.is_known

    def checksum(self) -> int:
        """Give the CRC32 of the best ten levels a side, as the gateway does."""
        rows = [f"{level[0]}:{level[1]}" for side in (0, 1) for level in self._best(side, CHECKED)]
        return zlib.crc32("|".join(rows).encode())

    def _best(self, side: int, depth: int) -> list[list[Any]]:
        sign = 1 if side else -1
        return nsmallest(depth, self._sides[side].values(), key=lambda level: sign * Decimal(level[0]))

    def bids(self, depth: int = 200) -> list[Level]:
        """Give the best bids, best first."""
        return _levels(self._best(0, depth))

    def asks(self, depth: int = 200) -> list[Level]:
        """Give the best asks, best first."""
        return _levels(self._best(1, depth))

    def texts(self, depth: int = 200) -> tuple[list[list[Any]], list[list[Any]]]:
        """Give both sides as the gateway wrote them, best first."""
        return self._best(0, depth), self._best(1, depth)


def _levels(rows: Iterable[list[Any]]) -> list[Level]:
    return [
        Level(Decimal(row[0]), Decimal(row[1]), {name: Decimal(size) for name, size in (row[2:] or [{}])[0].items()})
        for row in rows
    ]
