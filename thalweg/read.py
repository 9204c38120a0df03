"""Reads the streams as a customer does: joins at a snapshot, follows, and tells every loss as an item.

    follower = Follower("redis://127.0.0.1:6379/0", [("BTC-USDT", "binance")])
    async for item in follower.items():  # entries, and what happened between them
        book = follower.books["BTC-USDT", "binance"]
        if book.live:
            print(book.bids(5), book.asks(5), book.sequence)  # `(n, 2)` int64: price, size

A `Follower` goes on through trims, takeovers, failovers, lost data and lost connections, and its books are live only
while all that is known says so. `follow` and `follow_publications` read without books, until the connection fails.

A reader that joins begins with the newest in-stream snapshot (`snap_id`), read with one XRANGE.
One XREAD waits on all streams of a reader: fine for a few dozen on one server, not for a Cluster.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from thalweg import keys
from thalweg.cursor import (
    Connected,
    Cursor,
    Disconnected,
    Entry,
    EpochBegan,
    Item,
    Lapped,
    OutItem,
    Position,
    Published,
    Regressed,
)
from thalweg.errors import RedisTrouble
from thalweg.followed import FollowedBook
from thalweg.publication import decode_publication
from thalweg.resp import pack
from thalweg.transport import RedisLink, Reply, checked
from thalweg.wire import decode_entry, parse_id

__all__ = [
    "Connected",
    "Cursor",
    "Disconnected",
    "Entry",
    "EpochBegan",
    "FollowedBook",
    "Follower",
    "Item",
    "Lapped",
    "OutItem",
    "Position",
    "Published",
    "Regressed",
    "follow",
    "follow_publications",
    "last_id",
]

BLOCK_MS = 500  # one wait
LOOK_S = 1.0  # a stream that gave nothing for so long may have been lost: XREAD would stay silent for ever
READ_TIMEOUT_S = 1.5  # for the answer to a wait of BLOCK_MS: a server that hangs is told of within that
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.1, 2.0
MAX_ENTRIES = 1000  # of a stream in one reply: some MB at most, so that a late reader does not stall the server


class Follower:
    """Some input streams and the book that each makes, through anything that happens to the server.

    `books` has one by (instrument, venue).
    """

    def __init__(self, url: str, streams: Sequence[tuple[str, str]], name: str = "thalweg-reader") -> None:
        """Follow these (instrument, venue) once `items` is iterated; `name` is what `CLIENT LIST` shows.

        Raises:
            SettingsError: the URL is not one.
        """
        self.books = {stream: FollowedBook(*stream, time.monotonic_ns) for stream in streams}
        self._link = RedisLink(url, name)
        self._names = {keys.stream(*stream): stream for stream in streams}
        self._cursors = {key: Cursor(key) for key in self._names}

    async def items(self) -> AsyncGenerator[Item | Connected | Disconnected, None]:
        """Give what is read and what happens, each after the book has taken it; end it by closing the generator.

        An entry of a layout that this version does not know costs its book, not the reader: see `FollowedBook`.
        """
        backoff_s = FIRST_BACKOFF_S
        try:
            while True:
                try:
                    await self._link.connect()
                    async for item in self._session():
                        backoff_s = FIRST_BACKOFF_S
                        yield item
                except RedisTrouble as trouble:
                    for book in self.books.values():
                        book.connected = False
                    yield Disconnected(str(trouble))
                await asyncio.sleep(random.uniform(0, backoff_s))
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
        finally:
            await self._link.close()

    async def _session(self) -> AsyncGenerator[Item | Connected, None]:
        """Read by one connection: look for lost data first, join what has no position, then read on."""
        for lost in await _regressed(self._link, self._cursors):
            self.books[self._names[lost.key]].lose()
            yield lost
        fresh = {key: name for key, name in self._names.items() if self._cursors[key].at is None}
        await self._learn_units(fresh)
        starts, pages = await _joins(self._link, fresh)
        for key, start, raws in zip(fresh, starts, pages, strict=True):
            if start[0]:  # so that a snapshot that was trimmed meanwhile shows as lapped
                self._cursors[key].at = (start[0], start[1] - 1)
            for item in self._taken(key, raws):
                yield item
        for wait in (False, True):  # first what is there, and only then can a book be called live
            async for key, found in _read(self._link, self._cursors, wait=wait):
                for item in self._taken(key, found):
                    yield item
            for book in self.books.values():
                book.connected = True
            yield Connected()

    async def _learn_units(self, names: Mapping[str, tuple[str, str]]) -> None:
        """Learn the decimals of books that are joined after their epoch's `open`."""
        asked = [pack("HMGET", keys.status(*stream), "price_decimals", "size_decimals") for stream in names.values()]
        for stream, reply in zip(names.values(), await self._link.run(asked) if asked else (), strict=True):
            price_decimals, size_decimals = checked(reply)
            if price_decimals and size_decimals:
                self.books[stream].decimals = int(price_decimals), int(size_decimals)

    def _taken(self, key: str, raws: Iterable[_Raw | Regressed]) -> Iterator[Item]:
        """Let a book take entries and say what each means; one that can't be read is passed over."""
        book = self.books[self._names[key]]
        for raw in raws:
            if isinstance(raw, Regressed):
                book.lose()
                yield raw
                continue
            at, flat = raw
            for told in self._cursors[key].admit(*at):
                book.pass_by(told)
                yield told
            taken = book.take(at, flat)
            if taken is not None:
                event, ts_append = taken
                yield Entry(book.instrument, book.venue, *at, event, ts_append)


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


async def _joins(link: RedisLink, names: Mapping[str, tuple[str, str]]) -> tuple[list[Position], list[Iterator[_Raw]]]:
    """Find where each stream's newest snapshot is, and read from there; from its start where there is none."""
    if not names:
        return [], []
    asked = [pack("HGET", keys.status(*stream), "snap_id") for stream in names.values()]
    starts = [checked(reply) or b"0-0" for reply in await link.run(asked)]
    pages = [pack("XRANGE", key, at, "+", "COUNT", MAX_ENTRIES) for key, at in zip(names, starts, strict=True)]
    return [parse_id(start) for start in starts], [_raw(checked(reply)) for reply in await link.run(pages)]


async def _join(link: RedisLink, names: dict[str, tuple[str, str]], cursors: dict[str, Cursor]) -> list[Item]:
    """Read every stream from its newest snapshot; a stream without one is read from its start."""
    items: list[Item] = []
    starts, pages = await _joins(link, names)
    for key, (epoch, n), raws in zip(names, starts, pages, strict=True):
        if epoch:  # so that a snapshot that was trimmed meanwhile shows as lapped
            cursors[key].at = (epoch, n - 1)
        for raw in raws:
            items += cursors[key].admit(*raw[0])
            items.append(_entry(names[key], raw))
    return items


async def _read(
    link: RedisLink, cursors: dict[str, Cursor], *, wait: bool
) -> AsyncGenerator[tuple[str, list[_Raw | Regressed]], None]:
    """XREAD all streams from their cursors, which the caller moves; give what came by stream."""
    words: list[str | bytes | int] = ["XREAD", "COUNT", MAX_ENTRIES, *(("BLOCK", BLOCK_MS) if wait else ()), "STREAMS"]
    heard, looked_at = set[str](), time.monotonic()
    while True:
        asked = [pack(*words, *cursors, *(cursor.id for cursor in cursors.values()))]
        (reply,) = await link.run(asked, READ_TIMEOUT_S)
        for name, entries in checked(reply) or ():
            key = name.decode()
            heard.add(key)
            yield key, list(_raw(entries))
        if not wait and not reply:
            return
        if wait and time.monotonic() - looked_at > LOOK_S:
            for lost in await _regressed(link, {key: one for key, one in cursors.items() if key not in heard}):
                yield lost.key, [lost]
            heard, looked_at = set(), time.monotonic()


async def _regressed(link: RedisLink, cursors: dict[str, Cursor]) -> list[Regressed]:
    """Find streams whose newest ID is below what was read, and put their cursors back to the start."""
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
