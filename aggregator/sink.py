"""What the aggregator writes to Redis: publications, checkpoints, heartbeats; and what it trims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from aggregator.checkpoint import Checkpoint, checkpoint_of, encode_checkpoint
from aggregator.consolidate import Ladder, Part
from aggregator.history import History
from aggregator.relief import cut
from aggregator.source import End
from thalweg import keys
from thalweg.clock import Clock
from thalweg.errors import Fenced
from thalweg.latency import Rings
from thalweg.lease import TTL_S
from thalweg.publication import SEQ_OFFSET, Kind, Publication, encode_publication
from thalweg.resp import pack, pack_words
from thalweg.transport import RedisLink, Reply, checked
from thalweg.trim import TrimMarks
from thalweg.wire import format_id

LATENCY_EXPIRES_S = 10  # ten missed refreshes: the service is gone


class Outlet:
    """Where one ladder's publications go: its commands, its last checkpoint, what may be trimmed."""

    def __init__(self, ladder: Ladder, retention_s: float, cap: int) -> None:
        """Spell the keys once."""
        name = ladder.instrument.name
        self.ladder = ladder
        self._out, self._checkpoint = keys.out(name).encode(), keys.checkpoint(name).encode()
        self._previous = keys.previous_checkpoint(name).encode()
        self._channel = keys.book(name).encode()
        self._publish = (b"FCALL", b"thalweg_publish", b"1", self._out, self._channel)
        self._marks = TrimMarks(retention_s, cap)
        self._kept: Checkpoint | None = None
        self._history: History | None = None

    async def open(self, link: RedisLink, epoch: int, floor: int) -> None:
        """Open `out:` for an epoch, above a sequence; the ladder then stands at that of the record that did it.

        Raises:
            Fenced: a newer epoch owns it.
            RedisTrouble: the connection failed or the server refused.
        """
        ladder = self.ladder
        ladder.epoch = epoch
        record = encode_publication(ladder.opening())
        words = (b"FCALL", b"thalweg_open_out", 2, self._out, self._checkpoint, epoch, self._channel, SEQ_OFFSET)
        ladder.stand_at(await link.call(*words, record, floor))

    def step(self, parts: Sequence[Part], ts_read: int, now_ns: int, clock: Clock, rings: Rings) -> bytes:
        """Take a batch into the books and give the command that appends and publishes its record.

        Args:
            parts: what each venue's stream brought.
            ts_read: when it was in our hands.
            now_ns: the same as a monotonic instant.
            clock: for the stamps on the way.
            rings: where the durations of every entry go.
        """
        ladder = self.ladder
        kind = Kind.KEY if ladder.key_due(now_ns) else Kind.DELTA
        for index, entries in parts:
            ladder.take(index, entries, ts_read)
        ts_applied = clock.wall_ns()
        ladder.merge(kind)
        ts_merged = clock.wall_ns()
        publication = ladder.publication(kind, ts_read, ts_applied, ts_merged)
        publication.stamps.ts_published = clock.wall_ns()
        spent = (ts_applied - ts_read, ts_merged - ts_applied, publication.stamps.ts_published - ts_merged)
        for hop, duration in zip(("apply", "merge", "publish"), spent, strict=True):
            for _ in ladder.waits:
                rings[hop].add(duration)
        for wait in ladder.waits:
            rings["stream"].add(wait)
        self._history = self._history or History(ladder.instrument.name, now_ns)
        self._history.look(ladder.books, now_ns)
        return self.publish(publication)

    def publish(self, publication: Publication) -> bytes:
        """Give the command that appends and publishes a record."""
        identity = format_id(publication.epoch, publication.seq)
        return pack_words((*self._publish, identity, encode_publication(publication)))

    def checkpoint(self, point: Checkpoint) -> bytes:
        """Give the command that writes a checkpoint, and keeps the one before, unless a newer epoch has."""
        words = (b"FCALL", b"thalweg_checkpoint", b"2", self._checkpoint, self._previous, b"%d" % point.epoch)
        return pack_words((*words, encode_checkpoint(point)))

    def keep(self, now_ns: int, ts_now: int) -> list[bytes]:
        """Give what is due each second: the checkpoint if it changed, a trim, and how long books were live.

        Args:
            now_ns: monotonic instant.
            ts_now: the same as a wall instant.
        """
        ladder, due = self.ladder, []
        here = checkpoint_of(ladder)
        if here != self._kept:
            self._kept = here
            due.append(self.checkpoint(here))
        # Sequences go on from epoch to epoch, marks count within one: a cap must not cut what others wrote.
        lowest = self._marks.mark(now_ns, ladder.seq - ladder.opened + 1)
        if lowest is not None:
            identity = format_id(ladder.epoch, lowest + ladder.opened - 1)
            due.append(pack_words((b"XTRIM", self._out, b"MINID", b"~", identity)))
        return [*due, *self._history.due(now_ns, ts_now)] if self._history else due


def heartbeat(now_ns: int, epoch: int, heads: Mapping[str, int], trouble: str | None) -> bytes:
    """Give the command that publishes a heartbeat, as of a wall instant, with the last sequence by instrument."""
    text = orjson.dumps({"ts": now_ns, "epoch": epoch, "heads": heads, "trouble": trouble})
    return pack(b"PUBLISH", keys.HEARTBEAT, text)


def relieve(ends: Mapping[str, End]) -> list[bytes]:
    """Give the commands that cut what can be spared of `out:` when memory is full."""
    commands = []
    for name, end in ends.items():
        if end.checkpoint is not None:
            lowest = cut(end.first, end.top, (end.checkpoint.epoch, end.checkpoint.seq))
            if lowest is not None:
                commands.append(pack(b"XTRIM", keys.out(name), b"MINID", b"=", format_id(*lowest)))
    return commands


def release(shard: int, me: str) -> bytes:
    """Give the command that frees a shard's lease if it is ours."""
    return pack("FCALL", "thalweg_release", 1, keys.lease(keys.OUT, shard), me)


async def acquire(link: RedisLink, shard: int, me: str, expected: str, floor: int) -> int:
    """Take a shard that is free, ours or the expected owner's, and give an epoch above the floor.

    Raises:
        Held: somebody else has it.
        RedisTrouble: the connection failed or the server refused.
    """
    lease, epoch = keys.lease(keys.OUT, shard), keys.epoch(keys.OUT, shard)
    return int(await link.call("FCALL", "thalweg_acquire", 2, lease, epoch, me, _ttl_ms(), expected, floor))


def _ttl_ms() -> int:
    return round(TTL_S * 1000)


def latency_command(now_ns: int, hops: dict[str, Any]) -> bytes:
    """Give the command that writes the latency summary, as of a wall instant."""
    text = orjson.dumps({"ts": now_ns, "service": "aggregator", "hops": hops})
    return pack(b"SET", keys.latency("aggregator"), text, b"EX", LATENCY_EXPIRES_S)


async def flush(link: RedisLink, commands: Sequence[bytes]) -> list[Reply]:
    """Send commands in one write, see that all were done and give their replies.

    Raises:
        Fenced: another aggregator owns an `out:` now; nothing of ours is published any more.
        RedisTrouble: the connection failed or the server refused; what was done is not known.
    """
    replies = await link.run(commands)
    try:
        return [checked(reply) for reply in replies]
    except Fenced as error:
        raise Fenced(f"another aggregator took over ({error})") from error
