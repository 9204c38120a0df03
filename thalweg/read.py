"""Follows books in the streams, as a customer does: exact arrays, and every loss told.

    async with follow("redis://127.0.0.1:6379/0", "binance:BTC-USDT") as book:
        async for event in book:  # an entry, or what happened between two; the book has taken it already
            if book.live:
                print(book.bids(5), book.asks(5), book.sequence)  # `(n, 2)` int64, price and size, best first

A book is `live` only while all that is known says so. It goes on through trims, takeovers, failovers, lost data and
lost connections; each is an item that `match` tells apart:

| item | says |
|---|---|
| `Entry` | an entry: `event` is an `Open`, `Snapshot`, `Delta`, `Trade` or `Status` (`thalweg.events`) |
| `EpochBegan` | a new writer; lost until the next snapshot, unless the next status `follows` what was read |
| `Lapped` | entries were trimmed before they were read: lost until the next snapshot |
| `Regressed` | the server lost data; the reader begins again |
| `Unreadable` | an entry, or a whole epoch, of a layout that this version does not know: lost |
| `Silent` | a live book of which nobody writes any more |
| `Connected`, `Disconnected` | of `instruments` all that was there has been read; the server can't be used, and why |

Errors are raised for what no waiting mends: `SettingsError` for a URL or a name that is none, and, by `follow` as it is
entered, `RedisTrouble` for a server that can't be reached or refuses us. Later trouble is `Disconnected`, and retried.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import chain

from thalweg import keys
from thalweg.cluster.source import merged, together
from thalweg.cursor import (
    BookItem,
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
    Silent,
    Unreadable,
)
from thalweg.errors import RedisTrouble, SettingsError, WireError
from thalweg.followed import FollowedBook
from thalweg.streams.source import Raw, Start, find_starts, newest, publications, read_on, regressed
from thalweg.transport import RedisLink

__all__ = [
    "BookItem",
    "Connected",
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
    "Silent",
    "Unreadable",
    "follow",
    "follow_records",
]

NAME = "thalweg-reader"  # what `CLIENT LIST` shows
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.1, 2.0


@asynccontextmanager
async def follow(url: str, stream: str, name: str = NAME) -> AsyncIterator[FollowedBook]:
    """Give the book of one stream, to be iterated over; leaving closes the connection.

    Args:
        url: of the server; `redis://`, `rediss://` or `unix://`, with user and password where it wants them.
        stream: VENUE:INSTRUMENT, as in `binance:BTC-USDT`. One that is not there yet is waited for.
        name: what `CLIENT LIST` shows.

    Raises:
        SettingsError: the URL is not one, or the stream is not VENUE:INSTRUMENT.
        RedisTrouble: the server can't be reached or refuses us.
    """
    venue, colon, instrument = stream.partition(":")
    if not (venue and colon and instrument):
        raise SettingsError(f"{stream!r} is not VENUE:INSTRUMENT, as in binance:BTC-USDT")
    follower = Follower(url, [(instrument, venue)], name)
    await follower.connect()
    items = follower.items()
    book = follower.books[instrument, venue]
    book.feed = items
    try:
        yield book
    finally:
        await items.aclose()
        await follower.close()


async def follow_records(url: str, *instruments: str, name: str = NAME) -> AsyncGenerator[OutItem | Disconnected, None]:
    """Give what the aggregator publishes of these instruments from now on, whatever happens to the server.

    A record (`Published`) holds changes of all venues' best 200 a side, and which entries went in: see `docs/wire.md`.

    Raises:
        SettingsError: the URL is not one.
        WireError: a record is not in a layout this version knows.
    """
    apart = together(url, instruments)
    async with aclosing(merged([_records(url, group, name) for group in apart])) as records:
        async for record in records:
            yield record


async def _records(url: str, instruments: tuple[str, ...], name: str) -> AsyncGenerator[OutItem | Disconnected, None]:
    """Read these instruments' publications by one link."""
    link = RedisLink(url, name)
    after: dict[str, Position] = {}
    backoff_s = FIRST_BACKOFF_S
    try:
        while True:
            try:
                await link.connect()
                for instrument in instruments:
                    after.setdefault(instrument, await newest(link, keys.out(instrument)))
                async for item in publications(link, instruments, after=after):
                    backoff_s = FIRST_BACKOFF_S
                    if isinstance(item, Published):
                        after[item.instrument] = item.epoch, item.seq
                    yield item
            except RedisTrouble as trouble:
                yield Disconnected(str(trouble), instruments)
            await asyncio.sleep(random.uniform(0, backoff_s))
            backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
    finally:
        await link.close()


class Follower:
    """Some input streams and the book that each makes, through anything that happens to the server.

    `books` has one by (instrument, venue). One connection reads all on one server; in a Cluster each instrument has its
    own, so that a master that is away costs its own books alone.
    """

    def __init__(self, url: str, streams: Sequence[tuple[str, str]], name: str = NAME) -> None:
        """Follow these (instrument, venue) once `items` is iterated; `name` is what `CLIENT LIST` shows.

        Raises:
            SettingsError: the URL is not one.
        """
        self.books = {stream: FollowedBook(*stream, time.monotonic_ns) for stream in streams}
        self._parts = [
            _Part(RedisLink(url, name), group, [book for book in self.books.values() if book.instrument in group])
            for group in together(url, (instrument for instrument, _ in streams))
        ]

    async def connect(self) -> None:
        """See whether the server can be used, before `items` is patient with it; of a Cluster, whether any node can.

        Raises:
            RedisTrouble: it can't be reached or refuses us.
        """
        await self._parts[0].link.connect()

    async def close(self) -> None:
        """Close the connection, after `items` was closed."""
        for part in self._parts:
            await part.link.close()

    async def items(self) -> AsyncGenerator[BookItem, None]:
        """Give what is read and what happens, each after the book has taken it; end it by closing the generator."""
        async with aclosing(merged([part.rounds() for part in self._parts])) as rounds:
            async for items in rounds:
                for item in items:
                    yield item


class _Part:
    """The books of a `Follower` that one link reads."""

    def __init__(self, link: RedisLink, instruments: tuple[str, ...], books: Iterable[FollowedBook]) -> None:
        self.link = link
        self._instruments = instruments
        self._books = {keys.stream(book.instrument, book.venue): book for book in books}
        self._cursors = {key: Cursor(key) for key in self._books}

    async def rounds(self) -> AsyncGenerator[Iterator[BookItem], None]:
        """Give what is read and what happens; a book takes each item as it is iterated over, before the next round."""
        backoff_s = FIRST_BACKOFF_S
        try:
            while True:
                try:
                    await self.link.connect()
                    async for items in self._session():
                        backoff_s = FIRST_BACKOFF_S
                        yield items
                except RedisTrouble as trouble:
                    yield self._cut(str(trouble))
                await asyncio.sleep(random.uniform(0, backoff_s))
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
        finally:
            await self.link.close()

    async def _session(self) -> AsyncGenerator[Iterator[BookItem], None]:
        """Read by one connection: look for lost data first, join what has no position, then read on."""
        for lost in await regressed(self.link, self._cursors):
            yield self._taken(lost.key, [lost])
        fresh = {key: (one.instrument, one.venue) for key, one in self._books.items() if self._cursors[key].at is None}
        for key, start in zip(fresh, await find_starts(self.link, fresh), strict=True):
            yield self._joined(key, start)
        for wait in (False, True):  # first what is there, and only then can a book be called live
            async for key, found in read_on(self.link, self._cursors, wait=wait):
                yield chain(self._taken(key, found), self._silences())
            yield self._caught_up()

    def _cut(self, reason: str) -> Iterator[BookItem]:
        """Let no book be live: the connection has failed."""
        for book in self._books.values():
            book.connected = False
        yield Disconnected(reason, self._instruments)

    def _caught_up(self) -> Iterator[BookItem]:
        """Let books be live: all that was there has been read."""
        for book in self._books.values():
            book.connected = True
        yield Connected(self._instruments)

    def _joined(self, key: str, start: Start) -> Iterator[BookItem]:
        """Begin a stream that has no position with its newest snapshot."""
        book = self._books[key]
        book.decimals = start.decimals or book.decimals
        if refusal := start.refusal():
            book.refuse_epoch()
            yield Unreadable(key, *start.at, str(refusal))
        self._cursors[key].join(start.at)
        yield from self._taken(key, start.raws)

    def _taken(self, key: str, raws: Iterable[Raw | Regressed]) -> Iterator[BookItem]:
        """Let a book take entries and say what each means."""
        for raw in raws:
            book = self._books[key]
            if isinstance(raw, Regressed):
                book.lose()
                yield raw
                continue
            at, flat = raw
            for told in self._cursors[key].admit(*at):
                book.pass_by(told)
                yield told
            match book.take(at, flat):
                case WireError() as refusal:
                    yield Unreadable(key, *at, str(refusal))
                case (event, ts_append):
                    yield Entry(book.instrument, book.venue, *at, event, ts_append)

    def _silences(self) -> Iterator[Silent]:
        return (Silent(key) for key, book in self._books.items() if book.falls_silent())
