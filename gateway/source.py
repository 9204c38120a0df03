"""Publications from Redis: one subscribed connection, and the stream `out:` for what it missed.

Of a Cluster each shard has a source of its own, so that those of another server go on when one is away.

Subscribe first, then join each instrument at the newest key record in `out:`, then go on with what was pushed:
between the two nothing can be lost.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Collection

import orjson

from gateway.hub import Hub
from gateway.replica import Replica, Step, is_sound
from gateway.topic import Now
from thalweg.errors import RedisTrouble, WireError
from thalweg.keys import HEARTBEAT, book, out
from thalweg.publication import Kind, Publication, decode_publication
from thalweg.refusals import told
from thalweg.transport import RedisLink

LOG = logging.getLogger(__name__)
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.1, 2.0
POLL_S = 1.0  # the heartbeat comes every 250 ms; this only bounds a wait
SEARCH_BATCH = 64  # records fetched at once while searching back for a key record
SEARCH_MOST = 1024  # a key record comes at least every 256 records
REFILL_BATCH = 512  # records fetched at once into a hole
SILENT_POLLS = 3  # silent polls after which the subscription is made anew: a connection can die unnoticed
PING_S = 0.3  # between pings, on a connection that nothing else is asked on
PONG_S = 0.5  # for an answer: with it a server that hangs is told of within 0.8 s
MUTE = "does not answer"
YIELD_EVERY = 32  # pushed messages between two chances for the ticks


def now() -> Now:
    """Read both clocks."""
    return Now(time.time_ns(), time.monotonic_ns())


class Source:
    """Keeps a hub's replicas up to date, for ever."""

    def __init__(
        self, url: str, hub: Hub, names: Collection[str] | None = None, news: asyncio.Event | None = None
    ) -> None:
        """Prepare the connections to where these instruments are, all if none is named.

        `news` is set when somebody waits for what came.

        Raises:
            SettingsError: the URL is not one.
        """
        self._hub = hub
        self._replicas = {name: replica for name, replica in hub.replicas.items() if names is None or name in names}
        self._outs = [out(name) for name in self._replicas]
        self._live, self._why = False, ""
        self.news = news or asyncio.Event()
        self._pushed = RedisLink(url, "thalweg-gateway-push")
        self._fetched = RedisLink(url, "thalweg-gateway-fetch")
        self._pinged = RedisLink(url, "thalweg-gateway-ping")
        self.repeated = 0
        self.early = 0
        self.rejoined = 0
        self.refused = 0

    def counters(self) -> dict[str, int]:
        """Give how many records were not simply the next one."""
        return {
            "repeated": self.repeated,
            "early": self.early,
            "rejoined": self.rejoined,
            "refused": self.refused,
        }

    async def follow(self) -> None:
        """Follow all instruments; ends by cancellation alone."""
        backoff_s = FIRST_BACKOFF_S
        try:
            while True:
                try:
                    await self._connect()
                    backoff_s = FIRST_BACKOFF_S
                    async with asyncio.TaskGroup() as group:
                        pinging = group.create_task(self._ping())
                        await self._listen()
                        pinging.cancel()
                    continue
                except* RedisTrouble as group_of_one:
                    self._lose(str(group_of_one.exceptions[0]))
                await asyncio.sleep(random.uniform(0, backoff_s))
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
        finally:
            await self._pushed.close()
            await self._fetched.close()
            await self._pinged.close()

    def _lose(self, error: str) -> None:
        """Say once that Redis is gone; clients are not told addresses."""
        why = told(error).removeprefix("redis ")
        if self._why != why:
            LOG.warning("%s; trying again until it works", error.rstrip("."))
        self._tell(False, why)

    def _tell_mute(self) -> None:
        LOG.warning("Redis does not answer")
        self._tell(False, MUTE)

    def _tell(self, live: bool, why: str = "") -> None:
        self._live, self._why = live, why
        self._hub.reach(live, why, now(), self._replicas)

    async def _ping(self) -> None:
        """Ask the server for a sign of life, for ever: tell when none comes in time, and when one comes again.

        Raises:
            RedisTrouble: the connection failed, or it took as long as a link waits.
        """
        while True:
            telling = asyncio.get_running_loop().call_later(PONG_S, self._tell_mute)
            try:
                await self._pinged.ping(self._outs)
            finally:
                telling.cancel()
            if not self._live:
                self._tell(True)
            await asyncio.sleep(PING_S)

    async def _connect(self) -> None:
        """Subscribe, then bring every replica up to the end of its stream."""
        await self._pushed.connect()
        await self._fetched.connect()
        await self._pinged.connect()
        await self._pushed.subscribe([*(book(name).encode() for name in self._replicas), HEARTBEAT.encode()])
        for replica in self._replicas.values():
            await self._catch_up(replica)
        self._tell(True)

    async def _listen(self) -> None:
        """Take what is pushed, until the connection fails or has been silent for too long."""
        replicas = {book(name).encode(): replica for name, replica in self._replicas.items()}
        silent = taken = 0
        while silent < SILENT_POLLS:
            push = await self._pushed.next_push(POLL_S)
            if push is None:
                silent += 1
                await self._fetched.ping(self._outs)
                continue
            silent = 0
            kind, channel, data = push
            if kind == b"message" and channel in replicas:
                await self._take(replicas[channel], data)
            elif kind == b"message":
                await self._heartbeat(data)
            if self._hub.raw:
                self.news.set()
            taken += 1
            if taken % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    async def _take(self, replica: Replica, record: bytes) -> None:
        """Bring one pushed record into its replica."""
        at = now()
        one = self._decoded(record)
        if one is None:
            return
        match replica.step(one):
            case Step.NEXT:
                replica.receive(one, at.wall)
                self._hub.arrived(one, at.wall)
            case Step.JOIN:
                replica.join([one], at.wall)
            case Step.REPEATED:
                self.repeated += 1
            case Step.EARLY:
                self.early += 1
            case Step.HOLE:
                await self._catch_up(replica)
            case Step.RESET:
                await self._rejoin(replica)

    def _decoded(self, record: bytes) -> Publication | None:
        """Give the publication; one that can't be read is counted and leaves a hole, which is then filled."""
        try:
            one = decode_publication(record)
            if is_sound(one):
                return one
            reason = f"publication {one.seq} of {one.instrument} names venues that it does not have"
        except WireError as error:
            reason = str(error)
        self.refused += 1
        LOG.error("refused: %s", reason)
        return None

    async def _heartbeat(self, data: bytes) -> None:
        """Note that the aggregator lives, and fetch what its heads say we have missed."""
        try:
            beat = orjson.loads(data)
            heads, trouble = dict(beat["heads"]), beat["trouble"]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            self.refused += 1
            LOG.error("refused a heartbeat: %r", error)
            return
        self._hub.hear(now(), trouble, heads)
        for name, head in heads.items():
            replica = self._replicas.get(name)
            if replica is not None and replica.joined_at is not None and head > replica.seq:
                await self._catch_up(replica)

    async def _catch_up(self, replica: Replica) -> None:
        """Apply what `out:` has after the replica's head; join anew where that is not dense."""
        if replica.joined_at is None:
            await self._rejoin(replica)
            return
        dense = True
        while dense:
            after = f"{replica.epoch}-{replica.seq + 1}"
            rows = await self._fetched.call("XRANGE", out(replica.instrument.name), after, "+", "COUNT", REFILL_BATCH)
            for row in rows:
                one = self._decoded(row[1][1])
                dense = one is not None and replica.step(one) is Step.NEXT
                if one is None or not dense:
                    break
                replica.refill(one, now().wall)
            if len(rows) < REFILL_BATCH:
                break
        if not dense or await self._is_behind(replica):
            self.rejoined += 1
            await self._rejoin(replica)

    async def _is_behind(self, replica: Replica) -> bool:
        """Whether the stream ends before the replica: it was lost, and has begun again."""
        rows = await self._fetched.call("XREVRANGE", out(replica.instrument.name), "+", "-", "COUNT", 1)
        one = self._decoded(rows[0][1][1]) if rows else None
        return one is not None and one.seq < replica.seq

    async def _rejoin(self, replica: Replica) -> None:
        """Join at the newest key record of `out:`; where there is none, the next one pushed will do."""
        found: list[Publication] = []
        end = "+"
        while len(found) < SEARCH_MOST:
            rows = await self._fetched.call("XREVRANGE", out(replica.instrument.name), end, "-", "COUNT", SEARCH_BATCH)
            for row in rows:
                one = self._decoded(row[1][1])
                if one is None:
                    return
                found.append(one)
                if one.kind is Kind.KEY:
                    replica.join(found[::-1], now().wall)
                    return
            if len(rows) < SEARCH_BATCH:
                return
            end = "(" + rows[-1][0].decode()
