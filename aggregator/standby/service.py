"""The standby's round: once a second, what the owner has noted is read from the streams into books of our own.

So a successor has a second or two of entries to read, not all since the last snapshots.
"""

from __future__ import annotations

from aggregator.checkpoint import Checkpoint
from aggregator.consolidate import Ladder
from aggregator.restore.source import RestoreSource
from aggregator.source import EntrySource, Stream
from thalweg.clock import Clock
from thalweg.instruments import Instruments
from thalweg.transport import RedisLink

ROUND_NS = 1_000_000_000
WARM_NS = 3 * ROUND_NS  # books that were looked after so lately are near enough


class Standby:
    """The books of a shard, near the owner's; `known` is the last checkpoint seen by instrument."""

    def __init__(self, instruments: Instruments, link: RedisLink, clock: Clock) -> None:
        """Begin with nothing read."""
        self._clock = clock
        self._source, self._restoring = EntrySource(link), RestoreSource(link)
        self.ladders = {name: Ladder(one, instruments.venues(name)) for name, one in instruments.by_name.items()}
        self.known: dict[str, Checkpoint] = {}
        self._done_at: int | None = None

    @property
    def warm(self) -> bool:
        """Whether the books are near the owner's."""
        return self._done_at is not None and self._clock.monotonic_ns() - self._done_at < WARM_NS

    async def follow(self) -> None:
        """Bring every book to where the owner's last checkpoint says it stood.

        Raises:
            RedisTrouble: the connection failed or the server refused.
        """
        found = await self._source.ends(list(self.ladders))
        for name, end in found.items():
            if end.checkpoint is not None:
                self.known[name] = end.checkpoint
        streams = [
            (Stream(ladder, index), self.known[name])
            for name, ladder in self.ladders.items()
            if name in self.known
            for index in range(len(ladder.books))
        ]
        await self._restoring.follow(streams)
        self._done_at = self._clock.monotonic_ns()
