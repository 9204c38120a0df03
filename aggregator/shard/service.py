"""One shard of the aggregator: idle until it is to be owned, then lives as its owner, one after the other.

| a life ends because | then |
|---|---|
| another aggregator has the shard | it is left alone until the steward says else |
| the lease was lost | a new life at once |
| Redis fails or refuses | connect again with backoff, restore from what really landed, a new epoch |
| Redis is full | the same, and the oldest tenth of `out:` is cut each time |
| told to stop | that was the last one |
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import sys
from collections.abc import Mapping

from aggregator.consolidate import Ladder
from aggregator.owner.service import Owner
from aggregator.sink import heartbeat, relieve
from aggregator.source import End, EntrySource
from aggregator.standby.service import Standby
from thalweg.clock import Clock
from thalweg.errors import Fenced, Held, RedisFull, RedisTrouble
from thalweg.instruments import Instruments
from thalweg.latency import Rings
from thalweg.lease import Duty, Role
from thalweg.refusals import told
from thalweg.settings import Settings
from thalweg.transport import RedisLink

DRAIN_NS = 3_000_000_000  # writers that go on writing must not keep us
BACKOFF_S = (0.1, 1.0)
WAY_NS = 1_500_000_000  # how long whoever published what the server lost is waited for: it connects again each second
UNHEARD = 1024  # publications that may have followed the last heartbeat heard; far more than fit into 250 ms
STANDBY_S = 1.0  # between two rounds of a standby
TELL_S = 0.25  # between heartbeats that tell of trouble
IDLE = Duty(Role.IDLE)
LOG = logging.getLogger("thalweg.aggregator")


class Shard:
    """What this process is to one shard.

    `standing` holds by instrument the last ladder that was restored: its counts stand. `epochs` are all that this
    process had.
    """

    def __init__(
        self,
        settings: Settings,
        instruments: Instruments,
        number: int,
        me: str,
        clock: Clock,
        rings: Rings,
        heads: Mapping[str, int],
    ) -> None:
        """Prepare; nothing is connected.

        Args:
            settings: of the process.
            instruments: the shard's.
            number: of the shard.
            me: who we are in the leases.
            clock: the process's.
            rings: where durations go.
            heads: the highest sequence by instrument that any heartbeat told of, kept up to date.

        Raises:
            SettingsError: `REDIS_URL` is not one.
        """
        self.settings, self.instruments = settings, instruments
        self.number, self.me = number, me
        self.clock, self.rings, self.heads = clock, rings, heads
        self.link = RedisLink(settings.redis_url, "thalweg-aggregator")
        self.bell_link = RedisLink(settings.redis_url, "thalweg-aggregator-bells")
        self.wake = asyncio.Event()
        self.stopping = asyncio.Event()
        self.standing: dict[str, Ladder] = {}
        self.epochs: set[int] = set()
        self.duty = IDLE
        self.ousted = False
        self._standby: Standby | None = None
        self.lag = self.sweeps = 0
        self.drain_until = sys.maxsize
        self._acquired_at: int | None = None
        self._lost_at: int | None = None
        self._trouble: str | None = None
        self._failures = 0

    def stop(self) -> None:
        """Ask for the drain and the end."""
        self.drain_until = self.clock.monotonic_ns() + DRAIN_NS
        self.stopping.set()
        self.wake.set()

    def assign(self, duty: Duty, owner: str | None, sent_at: int) -> None:
        """Take what the beat sent at a monotonic instant says: our duty, and whom it showed as the owner."""
        if self._acquired_at is None:
            if owner is None and self._trouble is not None:
                duty = Duty(Role.OWNER)  # ours before the trouble, nobody's since
            changed, self.duty = duty.role is not self.duty.role, duty
            if not changed:
                return
        elif sent_at > self._acquired_at and owner != self.me:
            self.ousted = True
            self.duty = Duty(Role.OWNER) if owner is None else duty  # lost, and nobody is closer to it than we
        self.wake.set()

    def floor(self, name: str, end: End, head: int) -> int:
        """Give the sequence that an instrument's next epoch must stay above.

        Raises:
            Held: the server lost what another aggregator published; that one knows best how far, and goes first.
        """
        before, now = self.standing.get(name), self.clock.monotonic_ns()
        made = before.seq if before is not None else 0
        if not end.lost(head) or made >= head:
            return before.floor(end.top[1]) if before is not None else 0
        self._lost_at = now if self._lost_at is None else self._lost_at
        if now - self._lost_at < WAY_NS:
            raise Held(f"the server has lost {name} up to {head}, which another aggregator published")
        return head + UNHEARD

    def own(self, epoch: int) -> None:
        """Note that the lease is ours, under an epoch."""
        self._acquired_at, self._lost_at = self.clock.monotonic_ns(), None
        self.epochs.add(epoch)

    async def run(self) -> None:
        """Do what the duty says until stopped, through any trouble with Redis."""
        try:
            while await self._called():
                try:
                    await self._live()
                except* (Fenced, Held) as group:
                    LOG.info("shard %d is another's now: %s", self.number, group.exceptions[0])
                    self.duty, self._trouble, self._failures = IDLE, None, 0
                    await self._leave_to_others()
                except* RedisFull as group:
                    await self._relieve()
                    await self._back_off(str(group.exceptions[0]))
                except* RedisTrouble as group:
                    await self._back_off(str(group.exceptions[0]))
                if self.stopping.is_set() and self._failures != 1:
                    return
        finally:
            await self.link.close()
            await self.bell_link.close()

    async def _leave_to_others(self) -> None:
        """See which of our last publications landed before the shard was another's; the rest is for that one to do."""
        source, now = EntrySource(self.link), self.clock.monotonic_ns()
        with contextlib.suppress(RedisTrouble):  # then what is pending stays so
            for ladder in self.standing.values():
                if ladder.pending and await source.landed(ladder):
                    ladder.settle(now)
                else:
                    ladder.abandon()

    async def _called(self) -> bool:
        """Wait until the shard is ours to feed; false if we are to stop first."""
        while self.duty.role is not Role.OWNER:
            if self.stopping.is_set():
                return False
            await self._stand_by()
            with contextlib.suppress(TimeoutError):  # not `wait_for`, which can lose a cancellation before Python 3.12
                async with asyncio.timeout(STANDBY_S if self.duty.role is Role.STANDBY else None):
                    await self.wake.wait()
            self.wake.clear()
        return True

    async def _stand_by(self) -> None:
        """Keep books near the owner's if that is our duty; a round that fails is for the next one to make good."""
        if self.duty.role is not Role.STANDBY:
            self._standby = None
            return
        try:
            if self._standby is None:
                await self.link.connect()
                self._standby = Standby(self.instruments, self.link, self.clock)
            await self._standby.follow()
        except RedisTrouble:
            self._standby = None

    @property
    def owning(self) -> bool:
        """Whether the lease is ours, as far as we know."""
        return self._acquired_at is not None

    @property
    def troubled(self) -> bool:
        """Whether Redis could not be used, and the shard has not been fed since."""
        return self._trouble is not None

    @property
    def warm(self) -> bool:
        """Whether we could go on with the shard without a break."""
        return self._standby is not None and self._standby.warm

    async def _live(self) -> None:
        """Connect, take the shard, restore, follow the streams until stopped, ousted or in trouble."""
        owner, self._standby, self.ousted = Owner(self, self._standby), None, False
        try:
            await self.link.connect()
            if self._trouble is not None:
                await self.link.run([self.complaint(self._trouble)])
            await owner.hearing.subscribe()
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(owner.hearing.listen())
                await owner.begin()
                if self._trouble is not None:
                    LOG.info("shard %d: Redis is back", self.number)
                self._trouble, self._failures = None, 0
                await owner.follow()
                listening.cancel()
        finally:
            self._acquired_at = None

    async def _relieve(self) -> None:
        """Make room by a step, so that readers keep the newest and we may go on."""
        with contextlib.suppress(RedisTrouble):
            ends = await EntrySource(self.link).ends(list(self.instruments.by_name))
            await self.link.run(relieve(ends))

    def complaint(self, trouble: str) -> bytes:
        """Give the heartbeat that says what is wrong with the shard's instruments."""
        heads = {
            name: self.standing[name].confirmed if name in self.standing else 0 for name in self.instruments.by_name
        }
        return heartbeat(self.clock.wall_ns(), 0, heads, told(trouble))

    async def _back_off(self, trouble: str) -> None:
        """Say what is wrong, once, and wait: full jitter, at most 1 s, ended by a stop; heartbeats go on."""
        if trouble != self._trouble:
            LOG.warning("shard %d: %s; trying again until it works", self.number, trouble.rstrip("."))
        self._trouble = trouble
        low, cap = BACKOFF_S
        left = random.uniform(low, min(cap, low * 2 ** min(self._failures + 1, 8)))
        self._failures += 1
        while left > 0 and not self.stopping.is_set():
            with contextlib.suppress(RedisTrouble):
                await self.link.run([self.complaint(trouble)])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, TELL_S)):
                    await self.stopping.wait()
            left -= TELL_S
