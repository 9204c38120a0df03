"""Reads streams up to a checkpoint: on from where a book stands, else from its last snapshot."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.books import Cursor
from aggregator.checkpoint import Checkpoint
from aggregator.consolidate import Entries
from aggregator.counters import Counters
from aggregator.source import ROUND, Stream
from thalweg import keys
from thalweg.events import State
from thalweg.publication import VenueLine
from thalweg.resp import pack
from thalweg.transport import RedisLink, Reply, checked
from thalweg.wire import format_id, parse_id

NOWHERE: Cursor = (0, 0)


class RestoreSource:
    """Reads by a connection that others use, too; what it reads is not counted, since an owner has published it."""

    def __init__(self, link: RedisLink) -> None:
        """Use a connection."""
        self._link = link

    async def restore(self, stream: Stream, point: Checkpoint) -> None:
        """Bring a book to where `point` says it stood, or to where its stream can be joined.

        Raises:
            RedisTrouble: the connection failed or the server refused.
        """
        cursor = point.cursors.get(stream.book.line.name, NOWHERE)
        if NOWHERE < stream.book.cursor <= cursor and await self._read_on(stream, cursor):
            return
        await self._restore(stream, point, cursor)

    async def follow(self, streams: Sequence[tuple[Stream, Checkpoint]]) -> None:
        """Bring many books on by a round each, those that can't go on afresh.

        Raises:
            RedisTrouble: the connection failed or the server refused.
        """
        wanted = [(one, point, point.cursors.get(one.book.line.name, NOWHERE)) for one, point in streams]
        behind = [(one, point, cursor) for one, point, cursor in wanted if one.book.cursor != cursor > NOWHERE]
        replies = await self._link.run([_part(one, cursor) for one, _, cursor in behind])
        for (one, point, cursor), reply in zip(behind, replies, strict=True):
            whole = NOWHERE < one.book.cursor < cursor and _apply(one, checked(reply))
            if not whole:
                await self._restore(one, point, cursor)

    async def _restore(self, stream: Stream, point: Checkpoint, cursor: Cursor) -> None:
        """Bring a book to a cursor from a snapshot; where its stream was never read, before the first entry."""
        name = stream.book.line.name
        said: Reply = await self._link.call(b"HGETALL", keys.status(stream.ladder.instrument.name, name))
        status = dict(zip(said[::2], said[1::2], strict=True))
        snapshots = [parse_id(text) for text in [status.get(b"snap_id")] if text]
        if cursor == NOWHERE:
            await self._join(stream, snapshots)
            return
        if name in point.snapshots:
            snapshots.append(point.snapshots[name])
        start = max((one for one in snapshots if one <= cursor), default=(cursor[0], 1))
        stream.book.join((start[0], start[1] - 1))
        if not await self._read_on(stream, cursor):
            stream.book.join(cursor, _line_of(name, status))

    async def _read_on(self, stream: Stream, cursor: Cursor) -> bool:
        """Apply a stream from where its book stands to a cursor; give whether all of it was there."""
        while stream.book.cursor < cursor:
            (reply,) = await self._link.run([_part(stream, cursor)])
            if not _apply(stream, checked(reply)):
                return False
        return True

    async def _join(self, stream: Stream, snapshots: Sequence[Cursor]) -> None:
        """Stand before the first entry of a stream never read: its beginning, or a snapshot where that is gone."""
        head: Entries = await self._link.call(b"XRANGE", stream.key, b"-", b"+", b"COUNT", 1)
        if not head:
            return
        (identity, words), *_ = head
        first = parse_id(identity)
        if first[1] > 1 and words[1] != b"snapshot":
            first = max([first, *snapshots])
        stream.book.join((first[0], first[1] - 1))


def _part(stream: Stream, cursor: Cursor) -> bytes:
    """Give the command that reads what a stream has between its book and a cursor, `ROUND` entries at most."""
    return pack(b"XRANGE", stream.key, b"(%d-%d" % stream.book.cursor, format_id(*cursor), b"COUNT", ROUND)


def _apply(stream: Stream, entries: Entries) -> bool:
    """Take entries into a book; give whether there were any, and none missing before or between them."""
    uncounted = Counters()
    for identity, words in entries:
        stream.book.take(parse_id(identity), dict(zip(words[::2], words[1::2], strict=True)), 0, uncounted)
    return bool(entries) and not uncounted.lapped


def _line_of(venue: str, status: dict[bytes, bytes]) -> VenueLine | None:
    """Give what the status hash says of a book whose entries are gone; `None` where it says nothing."""
    try:
        return VenueLine(
            venue,
            State(status[b"state"].decode()),
            int(status[b"flags"]),
            since=int(status[b"since"]),
            reason=status[b"reason"].decode(errors="replace"),
        )
    except (KeyError, ValueError):
        return None
