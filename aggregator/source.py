"""What the aggregator reads from Redis: bells, entries, and at a start everything that says where to go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field

import orjson

from aggregator.bells import Bells
from aggregator.books import Cursor, VenueBook
from aggregator.checkpoint import Checkpoint, decode_checkpoint
from aggregator.consolidate import Entries, Ladder
from thalweg import keys
from thalweg.clock import Clock
from thalweg.errors import WireError
from thalweg.lease import BEAT_S, TTL_S
from thalweg.resp import pack, pack_words
from thalweg.transport import RedisLink, checked
from thalweg.wire import format_id, parse_id

ROUND = 256  # entries of one stream in one read: 54 streams of 1 KB entries are 14 MB at most
_COUNT = b"%d" % ROUND
RENEWED_MS = int((TTL_S - 3 * BEAT_S) * 1000)  # what is left at least of a lease that was renewed in the last 3 beats
DEAF_S = 2.0  # our own heartbeat comes by this connection four times a second
LOG = logging.getLogger("thalweg.aggregator")


@dataclass(slots=True)
class Stream:
    """One input stream and the book it feeds."""

    ladder: Ladder
    index: int
    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Spell the key once."""
        self.key = keys.stream(self.ladder.instrument.name, self.book.line.name).encode()

    @property
    def book(self) -> VenueBook:
        """The venue's book."""
        return self.ladder.books[self.index]


@dataclass(frozen=True, slots=True)
class End:
    """Where an instrument's publications begin and end, and the checkpoint that can be read."""

    first: Cursor
    top: Cursor
    checkpoint: Checkpoint | None

    def lost(self, head: int) -> bool:
        """Whether the server has lost what was published up to `head`, which a heartbeat said before we asked.

        One more may have been told of than was published: that of an owner whose last append was refused.
        """
        return head > max(self.top[1], self.checkpoint.seq if self.checkpoint else 0) + 1

    @property
    def epoch(self) -> int:
        """The highest epoch that anything of the instrument was written under."""
        return max(self.top[0], self.checkpoint.epoch if self.checkpoint else 0)


def next_entries(stream: Stream) -> bytes:
    """Give the command that reads what a stream has after its cursor, `ROUND` entries at most."""
    after = b"(%d-%d" % stream.book.cursor
    return pack_words((b"XRANGE", stream.key, after, b"+", b"COUNT", _COUNT))


class BellSource:
    """The connection that hears all bells; `rang` is set by each ring that names a stream."""

    def __init__(self, link: RedisLink, bells: Bells, clock: Clock, rang: asyncio.Event) -> None:
        """Hear nothing yet."""
        self._link = link
        self._bells = bells
        self._clock = clock
        self._rang = rang

    async def subscribe(self) -> None:
        """Connect afresh and subscribe to all bells, and to our own heartbeat as a proof that we hear.

        Raises:
            RedisTrouble: the connection failed.
        """
        await self._link.connect()
        await self._link.subscribe([*self._bells.channels, keys.HEARTBEAT.encode()])

    async def listen(self) -> None:
        """Hear bells until cancelled; subscribe again when the connection has gone deaf.

        Raises:
            RedisTrouble: the connection failed.
        """
        while True:
            push = await self._link.next_push(DEAF_S)
            if push is None:
                await self.subscribe()
            elif push[0] == b"message" and push[1] != keys.HEARTBEAT.encode():
                self._ring(push[1], push[2])

    def _ring(self, channel: bytes, payload: bytes) -> None:
        try:
            self._bells.ring(channel, payload, self._clock.monotonic_ns())
        except WireError as error:
            LOG.warning("bell %s: %s", channel.decode(errors="replace"), error)
        if payload:
            self._rang.set()


class HeadSource:
    """The connection that hears all heartbeats: `heads` is the highest sequence that any told of an instrument."""

    def __init__(self, link: RedisLink) -> None:
        """Hear nothing yet."""
        self._link = link
        self.heads: dict[str, int] = {}

    async def listen(self) -> None:
        """Hear heartbeats until cancelled, or until there were none for so long that the connection is in doubt.

        Raises:
            RedisTrouble: the connection failed.
        """
        try:
            await self._link.connect()
            await self._link.subscribe([keys.HEARTBEAT.encode()])
            while True:
                push = await self._link.next_push(DEAF_S)
                if push is None:  # nobody publishes, or the connection is dead: a new one hears whatever there is
                    return
                if push[0] == b"message":
                    self.note(push[2])
        finally:
            await self._link.close()

    def note(self, text: bytes) -> None:
        """Take the heads of a heartbeat; one that is not of ours is passed over."""
        try:
            heads = orjson.loads(text)["heads"]
            for name, head in heads.items():
                self.heads[name] = max(self.heads.get(name, 0), int(head))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            LOG.warning("heartbeat: %r", error)


class EntrySource:
    """Reads by the command connection what is not in the course of things."""

    def __init__(self, link: RedisLink) -> None:
        """Use a connection that others use, too."""
        self._link = link

    async def tops(self, streams: Sequence[Stream]) -> list[Cursor]:
        """Give each stream's newest entry; (0, 0) of an empty one.

        Raises:
            RedisTrouble: the connection failed or the server refused.
        """
        commands = [pack_words((b"XREVRANGE", one.key, b"+", b"-", b"COUNT", b"1")) for one in streams]
        replies = [checked(reply) for reply in await self._link.run(commands)]
        return [_position(reply) for reply in replies]

    async def ends(self, instruments: Sequence[str]) -> dict[str, End]:
        """Give how far each instrument's publications go, and under which epochs.

        Raises:
            RedisTrouble: the connection failed or the server refused.
        """
        commands = []
        for name in instruments:
            commands.append(pack(b"XRANGE", keys.out(name), b"-", b"+", b"COUNT", 1))
            commands.append(pack(b"XREVRANGE", keys.out(name), b"+", b"-", b"COUNT", 1))
            commands.append(pack(b"GET", keys.checkpoint(name)))
        replies = [checked(reply) for reply in await self._link.run(commands)]
        return {
            name: End(_position(first), _position(last), readable(name, text))
            for name, first, last, text in zip(instruments, replies[::3], replies[1::3], replies[2::3], strict=True)
        }

    async def fed(self, venues: Iterable[str], shard: int) -> set[str]:
        """Give the venues whose ingest lives, as its lease of the shard tells: their books need no ring to be believed.

        Raises:
            RedisTrouble: the connection failed or the server refused.
        """
        names = list(venues)
        replies = await self._link.run([pack(b"PTTL", keys.lease(name, shard)) for name in names])
        return {name for name, reply in zip(names, replies, strict=True) if checked(reply) > RENEWED_MS}

    async def landed(self, ladder: Ladder) -> bool:
        """Whether the last publication of a ladder is in `out:`, so that its batch must not be repeated.

        Raises:
            RedisTrouble: the connection failed or the server refused.
        """
        identity = format_id(ladder.epoch, ladder.seq)
        return bool(await self._link.call(b"XRANGE", keys.out(ladder.instrument.name), identity, identity))

    async def point(self, instrument: str, known: Checkpoint) -> Checkpoint:
        """Give where to go on from: the last checkpoint that can be read, or what is known where the server lost all.

        Raises:
            RedisTrouble: the connection failed or the server refused.
        """
        names = (keys.checkpoint(instrument), keys.previous_checkpoint(instrument))
        found = [readable(name, text) for name, text in zip(names, await self._link.call(b"MGET", *names), strict=True)]
        return found[0] or found[1] or known

    async def advance(self, point: Checkpoint, ladder: Ladder, ours: Set[int]) -> bool:
        """Move a checkpoint on by all publications before the one that opened `ladder`; skip what can't be read.

        Returns:
            Whether any of it, or the checkpoint, was under an epoch that is not ours.

        Raises:
            RedisTrouble: the connection failed or the server refused.
        """
        key, end = keys.out(ladder.instrument.name), b"(%d-%d" % (ladder.epoch, ladder.seq)
        start, epochs = (point.epoch, point.seq), {point.epoch}
        while True:
            records: Entries = await self._link.call(b"XRANGE", key, b"(%d-%d" % start, end, b"COUNT", ROUND)
            for identity, (_, record) in records:
                start = parse_id(identity)
                epochs.add(start[0])
                try:
                    point.advance(record)
                except WireError as error:
                    LOG.error("%s %d-%d is passed over: %s", key, *start, error)
            if len(records) < ROUND:
                return not epochs <= ours


def _position(entries: Entries) -> Cursor:
    """Give where the first of some entries stands; (0, 0) if there is none."""
    return parse_id(entries[0][0]) if entries else (0, 0)


def readable(name: str, text: bytes | None) -> Checkpoint | None:
    """Give a checkpoint of its JSON; `None` where there is none, or none of ours."""
    if text is None:
        return None
    try:
        return decode_checkpoint(text)
    except WireError as error:
        LOG.error("%s is passed over: %s", name, error)
        return None
