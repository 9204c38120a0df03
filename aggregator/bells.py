"""Doorbells: which streams grew and how far, and whose ingest still gives signs of life.

A ring is a message on the channel of a (venue, shard): text lines `INSTRUMENT <epoch>-<n>`, one for each stream
that grew; an empty ring is a sign of life. A lost ring costs nothing but time: a sweep finds the entries.
"""

from __future__ import annotations

from aggregator.books import Cursor
from thalweg import keys
from thalweg.instruments import Instruments, shard_of
from thalweg.wire import parse_id

SILENT_NS = 2_000_000_000  # ingest rings at least every 0.5 s; four missed in a row are no accident


class Bells:
    """What the bells of all shards said.

    `tops` is the newest entry each stream, named (instrument, venue), was rung for.
    """

    __slots__ = ("_grown", "_rung", "_venues", "tops")

    def __init__(self, instruments: Instruments) -> None:
        """Know the bells of these instruments; none has rung."""
        pairs = [(name, venue) for name in instruments.by_name for venue in instruments.venues(name)]
        self._venues = {channel_of(name, venue): venue for name, venue in pairs}
        self._rung: dict[bytes, int] = {}
        self._grown: set[tuple[str, str]] = set()
        self.tops: dict[tuple[str, str], Cursor] = dict.fromkeys(pairs, (0, 0))

    @property
    def channels(self) -> list[bytes]:
        """The channels to subscribe to."""
        return list(self._venues)

    def ring(self, channel: bytes, payload: bytes, now_ns: int) -> None:
        """Note a ring at a monotonic instant; lines for streams we do not follow are passed over.

        Raises:
            WireError: a line that is not `INSTRUMENT <epoch>-<n>`.
        """
        venue = self._venues.get(channel)
        if venue is None:
            return
        self._rung[channel] = now_ns
        for line in payload.splitlines():
            name, _, number = line.partition(b" ")
            stream = (name.decode(errors="replace"), venue)
            if stream in self.tops:
                self.tops[stream] = max(self.tops[stream], parse_id(number))
                self._grown.add(stream)

    def assume(self, channel: bytes, now_ns: int) -> None:
        """Take a bell for one that rang just now: whoever rings it is known to live."""
        self._rung.setdefault(channel, now_ns)

    def grown(self) -> list[tuple[tuple[str, str], Cursor]]:
        """Give the streams rung for since the last call, each with the newest entry it was rung for."""
        grown = [(stream, self.tops[stream]) for stream in self._grown]
        self._grown.clear()
        return grown

    def heard(self, channel: bytes, now_ns: int) -> bool | None:
        """Say whether a bell rang lately, at a monotonic instant; `None` if it never did."""
        rung = self._rung.get(channel)
        return None if rung is None else now_ns - rung <= SILENT_NS


def channel_of(instrument: str, venue: str) -> bytes:
    """Give the bell's channel of one instrument at one venue."""
    return keys.bell(venue, shard_of(instrument)).encode()
