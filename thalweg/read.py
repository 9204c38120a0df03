"""Reads the streams as a customer does: joins at a snapshot, follows, and tells every loss as an item.

    link = RedisLink("redis://127.0.0.1:6379/0", "my-reader")
    await link.connect()
    async for item in follow(link, [("BTC-USDT", "binance")]):
        match item:
            case Entry(event=Snapshot() as whole): ...
            case Entry(event=Delta() as changes): ...
            case Lapped() | Regressed(): ...  # forget the book until the next snapshot

A reader that joins begins with the newest in-stream snapshot (`snap_id`), read with one XRANGE. IDs are `<epoch>-<n>`,
n dense from 1 in each epoch, so a hole in n is exactly what was lost; in `out:` streams n counts on over epochs.
One XREAD waits on all streams of a reader: fine for a few dozen on one server, not for a Cluster.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from thalweg import keys
from thalweg.events import Event
from thalweg.publication import Publication, decode_publication
from thalweg.resp import pack
from thalweg.transport import RedisLink, Reply, checked
from thalweg.wire import decode_entry, format_id, parse_id

BLOCK_MS = 500  # one wait; after two idle ones the reader looks whether the server lost its data
IDLE_WAITS = 2
MAX_ENTRIES = 1000  # of a stream in one reply: some MB at most, so that a late reader does not stall the server
Position: TypeAlias = tuple[int, int]
"""Epoch and number of an entry."""


@dataclass(slots=True)
class Entry:
    """One entry of an input stream; `ts_append` is when it was packed."""

    instrument: str
    venue: str
    epoch: int
    n: int
    event: Event
    ts_append: int


@dataclass(slots=True)
class Published:
    """One record of an `out:` stream, decoded, and its bytes."""

    instrument: str
    epoch: int
    seq: int
    publication: Publication
    record: bytes


@dataclass(slots=True)
class EpochBegan:
    """A new owner writes the stream from here on; `before` is the epoch that ended."""

    key: str
    epoch: int
    before: int


@dataclass(slots=True)
class Lapped:
    """Entries `first` to `last` of an epoch were trimmed before they were read; this reader has lost them."""

    key: str
    epoch: int
    first: int
    last: int


@dataclass(slots=True)
class Regressed:
    """The stream ends before what was read already: the server lost data. The reader goes on from its present start."""

    key: str
    read: Position
    top: Position


Item: TypeAlias = Entry | EpochBegan | Lapped | Regressed
OutItem: TypeAlias = Published | EpochBegan | Lapped | Regressed


class Cursor:
    """How far one stream has been read; says what each next ID means."""

    __slots__ = ("_counts_on", "at", "key")

    def __init__(self, key: str, at: Position | None = None, *, counts_on: bool = False) -> None:
        """Start after `at`, or before whatever comes first; `counts_on`: numbers go on over epochs."""
        self.key = key
        self.at = at
        self._counts_on = counts_on

    def admit(self, epoch: int, n: int) -> list[EpochBegan | Lapped]:
        """Step to an entry and give what happened between it and the last one, oldest first."""
        before, self.at = self.at, (epoch, n)
        if before is None:
            return []
        told: list[EpochBegan | Lapped] = []
        expected = before[1] + 1
        if epoch != before[0]:
            told.append(EpochBegan(self.key, epoch, before[0]))
            expected = expected if self._counts_on else 1
        if n != expected:
            told.append(Lapped(self.key, epoch, expected, n - 1))
        return told

    @property
    def id(self) -> bytes:
        """The ID to read on after."""
        return format_id(*self.at) if self.at else b"0-0"


async def follow(
    link: RedisLink, streams: Sequence[tuple[str, str]], *, whole: bool = False, wait: bool = True
) -> AsyncGenerator[Item, None]:
    """Read input streams on and on, each in its order.

    Args:
        link: a connected link that nobody else uses.
        streams: (instrument, venue) of each.
        whole: begin with the oldest entry that is kept, not with the newest snapshot.
        wait: go on for ever; otherwise end when all that is there has been read.

    Raises:
        RedisTrouble: the connection failed; read on with a new call.
        WireError: an entry is not in a layout this version knows.
    """
    names = {keys.stream(*stream): stream for stream in streams}
    cursors = {key: Cursor(key) for key in names}
    if not whole:
        for item in await _join(link, names, cursors):
            yield item
    async for key, raws in _read(link, cursors, wait=wait):
        for raw in raws:
            if isinstance(raw, Regressed):
                yield raw
                continue
            for told in cursors[key].admit(*raw[0]):
                yield told
            yield _entry(names[key], raw)


async def follow_publications(
    link: RedisLink, instruments: Iterable[str], *, after: Mapping[str, Position] | None = None, wait: bool = True
) -> AsyncGenerator[OutItem, None]:
    """Read `out:` streams on and on; arguments and errors as `follow`.

    `after` gives, by instrument, the record after which to begin; the oldest that is kept where it gives none.

    Raises:
        RedisTrouble: the connection failed.
        WireError: a record is not in a layout this version knows.
    """
    names = {keys.out(instrument): instrument for instrument in instruments}
    cursors = {key: Cursor(key, (after or {}).get(name), counts_on=True) for key, name in names.items()}
    async for key, raws in _read(link, cursors, wait=wait):
        for raw in raws:
            if isinstance(raw, Regressed):
                yield raw
                continue
            (epoch, seq), fields = raw
            for told in cursors[key].admit(epoch, seq):
                yield told
            record = fields[1]
            yield Published(names[key], epoch, seq, decode_publication(record), record)


_Raw: TypeAlias = tuple[Position, list[bytes]]


def _entry(stream: tuple[str, str], raw: _Raw) -> Entry:
    (epoch, n), flat = raw
    instrument, venue = stream
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    event, ts_append = decode_entry(venue, instrument, fields)
    return Entry(instrument, venue, epoch, n, event, ts_append)


def _raw(entries: Iterable[tuple[bytes, list[bytes]]]) -> Iterator[_Raw]:
    return ((parse_id(identity), fields) for identity, fields in entries)


async def _join(link: RedisLink, names: dict[str, tuple[str, str]], cursors: dict[str, Cursor]) -> list[Item]:
    """Read every stream from its newest snapshot; a stream without one is read from its start."""
    asked = [pack("HGET", keys.status(*stream), "snap_id") for stream in names.values()]
    starts = [checked(reply) or b"0-0" for reply in await link.run(asked)]
    pages = [pack("XRANGE", key, at, "+", "COUNT", MAX_ENTRIES) for key, at in zip(names, starts, strict=True)]
    items: list[Item] = []
    for key, start, reply in zip(names, starts, await link.run(pages), strict=True):
        epoch, n = parse_id(start)
        if epoch:  # so that a snapshot that was trimmed meanwhile shows as lapped
            cursors[key].at = (epoch, n - 1)
        for raw in _raw(checked(reply)):
            items += cursors[key].admit(*raw[0])
            items.append(_entry(names[key], raw))
    return items


async def _read(
    link: RedisLink, cursors: dict[str, Cursor], *, wait: bool
) -> AsyncGenerator[tuple[str, list[_Raw | Regressed]], None]:
    """XREAD all streams from their cursors, which the caller moves; give what came by stream."""
    words: list[str | bytes | int] = ["XREAD", "COUNT", MAX_ENTRIES, *(("BLOCK", BLOCK_MS) if wait else ()), "STREAMS"]
    idle = 0
    while True:
        (reply,) = await link.run([pack(*words, *cursors, *(cursor.id for cursor in cursors.values()))])
        for key, entries in checked(reply) or ():
            yield key.decode(), list(_raw(entries))
        idle = 0 if reply else idle + 1
        if not wait and idle:
            return
        if idle >= IDLE_WAITS:
            idle = 0
            for lost in await _regressed(link, cursors):
                yield lost.key, [lost]


async def _regressed(link: RedisLink, cursors: dict[str, Cursor]) -> list[Regressed]:
    """Find streams whose newest ID is below what was read, and put their cursors back to the start."""
    replies = await link.run([pack("XINFO", "STREAM", key) for key in cursors])
    found = []
    for cursor, reply in zip(cursors.values(), replies, strict=True):
        top = last_id(reply)
        if cursor.at is not None and top < cursor.at:
            found.append(Regressed(cursor.key, cursor.at, top))
            cursor.at = None
    return found


def last_id(reply: Reply) -> Position:
    """Give the newest ID ever of a stream from a reply to XINFO STREAM; (0, 0) for one that is not there."""
    if isinstance(reply, Exception):
        return 0, 0
    told = dict(zip(reply[::2], reply[1::2], strict=True))
    return parse_id(told[b"last-generated-id"])
