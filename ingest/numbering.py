"""Events to Redis commands with explicit IDs: `<epoch>-<n>`, n = 1, 2, 3 ... in every stream of a shard.

The ID is the fence: Redis refuses one that is not above the stream's top, so a writer of an older epoch and a
repeated write are both refused by the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ingest.packing import Packer
from ingest.track import Track
from ingest.venue import Venue
from thalweg import keys
from thalweg.events import Event, Open, Snapshot, State, Status
from thalweg.resp import pack
from thalweg.trim import TrimMarks
from thalweg.wire import VERSION, format_id


@dataclass(slots=True)
class Placed:
    """An event with its place in its stream."""

    event: Event
    n: int


@dataclass(slots=True)
class Batch:
    """Commands of one flush; `placed[k]` belongs to command k, `None` to commands that are not appends.

    `whole` if some must not be applied without the others: a server that refuses one (its memory is full) and takes the
    next would leave a hole in a stream's numbers.
    """

    commands: list[bytes] = field(default_factory=list)
    placed: list[Placed | None] = field(default_factory=list)
    whole: bool = False

    def add(self, command: bytes, placed: Placed | None = None) -> None:
        """Add one command."""
        self.commands.append(command)
        self.placed.append(placed)

    def appends(self, epoch: int) -> list[tuple[int, Placed]]:
        """Give what is appended, with its epoch."""
        return [(epoch, placed) for placed in self.placed if placed is not None]


@dataclass(slots=True)
class _Stream:
    """One stream in this epoch."""

    key: bytes
    packer: Packer
    status: str
    opened: Open
    marks: TrimMarks
    n: int = 0
    snapshot_n: int = 0
    carried: bool = False


class Numbering:
    """The streams of one shard in one epoch."""

    def __init__(self, bell: str, epoch: int, opens: Iterable[Open], retention_s: float, cap: int) -> None:
        """Start every stream of the shard at n = 1 with its `open`."""
        self.epoch = epoch
        self._bell = bell
        self._streams = {opened.instrument: self._stream(opened, TrimMarks(retention_s, cap)) for opened in opens}

    def _stream(self, opened: Open, marks: TrimMarks) -> _Stream:
        names = opened.instrument, opened.venue
        key = keys.stream(*names).encode()
        return _Stream(key, Packer(key, self.epoch), keys.status(*names), opened, marks)

    def opens(self, ts_append: int) -> Batch:
        """Give the appends that fence off every older epoch."""
        batch = Batch()
        for stream in self._streams.values():
            self._append(batch, stream, stream.opened, ts_append)
        batch.whole = len(self._streams) > 1
        return batch

    def pack(self, events: Iterable[Event], ts_append: int) -> Batch:
        """Give the commands that append events, keep the status hashes, and ring the bell at the end."""
        batch = Batch()
        grown: dict[str, int] = {}
        for event in events:
            stream = self._streams[event.instrument]
            self._append(batch, stream, event, ts_append)
            batch.whole = batch.whole or event.instrument in grown
            grown[event.instrument] = stream.n
            if isinstance(event, Status | Snapshot):
                batch.add(self._set_status(stream, event))
        batch.add(self.ring(grown))
        return batch

    def ring(self, grown: dict[str, int] | None = None) -> bytes:
        """Give the bell's command; without streams that grew it is only a sign of life."""
        lines = "\n".join(f"{name} {self.epoch}-{n}" for name, n in (grown or {}).items())
        return pack("PUBLISH", self._bell, lines)

    def trim(self, now: int) -> list[bytes]:
        """Give the commands that cut what is older than the retention; call about once a second.

        The newest in-stream snapshot is always kept: a late reader starts there. A book that was carried over from an
        older epoch has its newest there, until the next is due.
        """
        commands = []
        for stream in self._streams.values():
            keep = stream.marks.mark(now, stream.n)
            if stream.carried:  # late readers start at a snapshot of an older epoch
                continue
            if keep and stream.snapshot_n:
                keep = min(keep, stream.snapshot_n)
            if keep:
                commands.append(pack("XTRIM", stream.key, "MINID", "~", format_id(self.epoch, keep)))
        return commands

    def _append(self, batch: Batch, stream: _Stream, event: Event, ts_append: int) -> None:
        stream.n += 1
        if isinstance(event, Snapshot):
            stream.snapshot_n, stream.carried = stream.n, False
        elif isinstance(event, Status):
            stream.carried = event.follows is not None or (stream.carried and event.state is State.LIVE)
        batch.add(stream.packer.pack(event, stream.n, ts_append), Placed(event, stream.n))

    def _set_status(self, stream: _Stream, event: Status | Snapshot) -> bytes:
        """Give the command that keeps the book's status hash, refused by the server to an older epoch."""
        fields: list[str | int] = ["state", event.state, "flags", int(event.flags)]
        if isinstance(event, Status):
            fields += ["reason", event.reason, "since", event.since]
        else:
            fields += ["snap_id", f"{self.epoch}-{stream.n}"]
        opened = stream.opened
        if stream.n <= 2:  # the first after `open`: what an epoch says once
            fields += [
                "v",
                VERSION,
                "venue",
                opened.venue,
                "instrument",
                opened.instrument,
                "detector",
                opened.detector,
            ]
            fields += ["price_decimals", opened.price_decimals, "size_decimals", opened.size_decimals]
            fields += ["depth", opened.depth or "", "verified_depth", opened.verified_depth or ""]
        return pack("FCALL", "thalweg_status", 1, stream.status, self.epoch, *fields)


def opens_of(venue: Venue, tracks: Sequence[Track], now: int) -> list[Open]:
    """Give the first entry of an epoch for each book."""
    capability = venue.capability
    return [
        Open(
            venue.name,
            track.instrument.name,
            track.instrument.price_decimals,
            track.instrument.size_decimals,
            track.depth,
            capability.detector,
            capability.verified_depth,
            now,
        )
        for track in tracks
    ]
