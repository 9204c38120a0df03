"""Asks a server for streams, by one connection, in order: joins at a snapshot, reads on, notices what the server lost.

A reader that joins begins with the newest in-stream snapshot (`snap_id`), read with one XRANGE.
One XREAD waits on all streams of a reader: fine for a few dozen on one server. A Cluster can't wait in several slots
at once, so there each stream is asked for again and again, unless all are of one instrument: `thalweg.cluster.source`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from thalweg import keys
from thalweg.cursor import (
    Cursor,
    Entry,
    Item,
    OutItem,
    Position,
    Published,
    Regressed,
)
from thalweg.errors import WireError
from thalweg.publication import decode_publication
from thalweg.resp import pack
from thalweg.transport import RedisLink, Reply, checked
from thalweg.wire import VERSION, decode_entry, parse_id, unknown_version

BLOCK_MS = 500  # one wait
POLL_S = 0.025  # between two looks in a Cluster where nothing came: 40 commands a second and stream
LOOK_S = 1.0  # a stream that gave nothing for so long may have been lost: XREAD would stay silent for ever
READ_TIMEOUT_S = 1.5  # for the answer to a wait of BLOCK_MS: a server that hangs is told of within that
MAX_ENTRIES = 1000  # of a stream in one reply: some MB at most, so that a late reader does not stall the server


Raw: TypeAlias = tuple[Position, list[bytes]]
"""An entry's place, and its fields and values in turn."""


async def entries(
    link: RedisLink,
    streams: Sequence[tuple[str, str]],
    *,
    whole: bool = False,
    wait: bool = True,
    after: Mapping[tuple[str, str], Position] | None = None,
) -> AsyncGenerator[Item, None]:
    """Read input streams on and on, each in its order.

    Args:
        link: a connected link that nobody else uses.
        streams: (instrument, venue) of each.
        whole: begin with the oldest entry that is kept, not with the newest snapshot.
        wait: go on for ever; otherwise end when all that is there has been read.
        after: by stream, the entry after which to begin, as of an earlier call that failed.

    Raises:
        RedisTrouble: the connection failed; read on with a new call.
        WireError: an entry, or the epoch that is joined, is not in a layout this version knows.
    """
    names = {keys.stream(*stream): stream for stream in streams}
    cursors = {key: Cursor(key, (after or {}).get(stream)) for key, stream in names.items()}
    if not whole:
        for item in await _join(link, {key: one for key, one in names.items() if cursors[key].at is None}, cursors):
            yield item
    async for key, raws in read_on(link, cursors, wait=wait):
        for raw in raws:
            if isinstance(raw, Regressed):
                yield raw
                continue
            for told in cursors[key].admit(*raw[0]):
                yield told
            yield _entry(names[key], raw)


async def publications(
    link: RedisLink, instruments: Iterable[str], *, after: Mapping[str, Position] | None = None, wait: bool = True
) -> AsyncGenerator[OutItem, None]:
    """Read `out:` streams on and on; arguments and errors as `entries`.

    `after` gives, by instrument, the record after which to begin; the oldest that is kept where it gives none.

    Raises:
        RedisTrouble: the connection failed.
        WireError: a record is not in a layout this version knows.
    """
    names = {keys.out(instrument): instrument for instrument in instruments}
    cursors = {key: Cursor(key, (after or {}).get(name), counts_on=True) for key, name in names.items()}
    async for key, raws in read_on(link, cursors, wait=wait):
        for raw in raws:
            if isinstance(raw, Regressed):
                yield raw
                continue
            (epoch, seq), fields = raw
            for told in cursors[key].admit(epoch, seq):
                yield told
            record = fields[1]
            yield Published(names[key], epoch, seq, decode_publication(record), record)


def _entry(stream: tuple[str, str], raw: Raw) -> Entry:
    (epoch, n), flat = raw
    instrument, venue = stream
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    event, ts_append = decode_entry(venue, instrument, fields)
    return Entry(instrument, venue, epoch, n, event, ts_append)


def _raw(entries: Iterable[tuple[bytes, list[bytes]]]) -> Iterator[Raw]:
    return ((parse_id(identity), fields) for identity, fields in entries)


@dataclass(slots=True)
class Start:
    """Where a late reader begins a stream, and what its status hash says of the epoch: it may never see the `open`.

    `at` is (0, 0) where no snapshot is known; `raws` are the entries from there on.
    """

    at: Position
    raws: Iterator[Raw]
    version: int
    decimals: tuple[int, int] | None

    def refusal(self) -> WireError | None:
        """Give why nothing of this epoch can be read; `None` if it can."""
        return None if self.version == VERSION else unknown_version(self.version)


async def find_starts(link: RedisLink, names: Mapping[str, tuple[str, str]]) -> list[Start]:
    """Find where each stream's newest snapshot is, and read from there; from its start where there is none.

    Raises:
        RedisTrouble: the connection failed.
    """
    if not names:
        return []
    asked = [pack("HGETALL", keys.status(*stream)) for stream in names.values()]
    flats = [checked(reply) for reply in await link.run(asked)]
    told = [dict(zip(flat[::2], flat[1::2], strict=True)) for flat in flats]
    begin = [said.get(b"snap_id") or b"-" for said in told]
    pages = [pack("XRANGE", key, at, "+", "COUNT", MAX_ENTRIES) for key, at in zip(names, begin, strict=True)]
    replies = await link.run(pages)
    return [_start(said, checked(reply)) for said, reply in zip(told, replies, strict=True)]


def _start(said: Mapping[bytes, bytes], page: Iterable[tuple[bytes, list[bytes]]]) -> Start:
    places = said.get(b"price_decimals"), said.get(b"size_decimals")
    decimals = (int(places[0]), int(places[1])) if places[0] and places[1] else None
    version = int(said.get(b"v") or VERSION)  # absent where an older release wrote it
    return Start(parse_id(said.get(b"snap_id") or b"0-0"), _raw(page), version, decimals)


async def _join(link: RedisLink, names: dict[str, tuple[str, str]], cursors: dict[str, Cursor]) -> list[Item]:
    """Read every stream from its newest snapshot; a stream without one is read from its start."""
    items: list[Item] = []
    for key, start in zip(names, await find_starts(link, names), strict=True):
        if refusal := start.refusal():
            raise refusal
        cursors[key].join(start.at)
        for raw in start.raws:
            items += cursors[key].admit(*raw[0])
            items.append(_entry(names[key], raw))
    return items


async def read_on(
    link: RedisLink, cursors: dict[str, Cursor], *, wait: bool
) -> AsyncGenerator[tuple[str, list[Raw | Regressed]], None]:
    """XREAD all streams from their cursors, which the caller moves.

    Gives what came by stream; of a wait in which nothing came, "" and nothing.

    Raises:
        RedisTrouble: the connection failed.
    """
    heard, looked_at = set[str](), time.monotonic()
    apart = link.clustered and len({keys.slot(key.encode()) for key in cursors}) > 1
    while True:
        replies = await link.run(_next(cursors, apart=apart, wait=wait), READ_TIMEOUT_S)
        found = [one for reply in replies for one in checked(reply) or ()]
        for name, entries in found:
            key = name.decode()
            heard.add(key)
            yield key, list(_raw(entries))
        if not found:
            if not wait:
                return
            yield "", []
            if apart:
                await asyncio.sleep(POLL_S)
        if wait and time.monotonic() - looked_at > LOOK_S:
            for lost in await regressed(link, {key: one for key, one in cursors.items() if key not in heard}):
                yield lost.key, [lost]
            heard, looked_at = set(), time.monotonic()


def _next(cursors: Mapping[str, Cursor], *, apart: bool, wait: bool) -> list[bytes]:
    """Give what asks for the entries after all cursors: one command that waits, or one each that does not."""
    if apart:
        return [pack("XREAD", "COUNT", MAX_ENTRIES, "STREAMS", key, one.id) for key, one in cursors.items()]
    waiting = ("BLOCK", BLOCK_MS) if wait else ()
    ids = (cursor.id for cursor in cursors.values())
    return [pack("XREAD", "COUNT", MAX_ENTRIES, *waiting, "STREAMS", *cursors, *ids)]


async def regressed(link: RedisLink, cursors: dict[str, Cursor]) -> list[Regressed]:
    """Find streams whose newest ID is below what was read, and put their cursors back to the start.

    Raises:
        RedisTrouble: the connection failed.
    """
    if not cursors:
        return []
    replies = await link.run([pack("XINFO", "STREAM", key) for key in cursors])
    found = []
    for cursor, reply in zip(cursors.values(), replies, strict=True):
        top = last_id(reply)
        if cursor.at is not None and top < cursor.at:
            found.append(Regressed(cursor.key, cursor.at, top))
            cursor.at = None
    return found


async def newest(link: RedisLink, key: str) -> Position:
    """Give the newest ID ever of a stream; (0, 0) for one that is not there.

    Raises:
        RedisTrouble: the connection failed.
    """
    (reply,) = await link.run([pack("XINFO", "STREAM", key)])
    return last_id(reply)


def last_id(reply: Reply) -> Position:
    """Give the newest ID ever of a stream from a reply to XINFO STREAM; (0, 0) for one that is not there.

    Raises:
        RedisTrouble: any other error reply.
    """
    if isinstance(reply, Exception) and "no such key" in str(reply):
        return 0, 0
    reply = checked(reply)
    told = dict(zip(reply[::2], reply[1::2], strict=True))
    return parse_id(told[b"last-generated-id"])
