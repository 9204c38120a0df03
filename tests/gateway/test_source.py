from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.hub import AGGREGATOR, REDIS, Hub
from gateway.notices import PartName
from gateway.replica import Replica
from gateway.source import Source
from gateway.topic import Now
from tests.gateway.publications import VENUES, Maker, instruments
from tests.gateway.redis_side import Aggregator, until
from tests.gateway.test_replica import shown
from thalweg import keys
from thalweg.events import State
from thalweg.publication import encode_publication

pytestmark = pytest.mark.anyio


class Following:
    """A hub that a source fills."""

    def __init__(self, url: str) -> None:
        self.aggregator = Aggregator(url)
        self.maker = Maker()
        self.hub = Hub(instruments())
        self.source = Source(url, self.hub)

    @property
    def replica(self) -> Replica:
        return self.hub.replicas["BTC-USDT"]

    def publish(self, count: int) -> None:
        for _ in range(count):
            self.aggregator.publish(self.maker.delta(trades=1))

    async def catches_up(self) -> None:
        """Wait, while the aggregator gives signs of life that say nothing of heads."""
        await until(lambda: self.replica.seq == self.maker.seq, self.aggregator.beat)

    def is_equal(self) -> bool:
        return shown(self.replica) == self.maker.books

    def counts(self) -> tuple[int | None, int, int, int]:
        return self.replica.joined_at, self.replica.seq, self.replica.received, self.replica.refilled


@asynccontextmanager
async def following(one: Following) -> AsyncIterator[Following]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(one.source.follow())
        await until(lambda: one.hub.parts[REDIS].live)
        yield one
        task.cancel()


@pytest.fixture
def scene(redis_url: str) -> Following:
    return Following(redis_url)


async def test_it_joins_at_the_newest_key_record(scene: Following) -> None:
    for _ in range(3):
        scene.publish(70)
        scene.aggregator.publish(scene.maker.key())
    scene.publish(90)
    async with following(scene):
        assert scene.counts() == (303, 303, 0, 0)
        assert scene.is_equal()


async def test_without_a_key_record_it_joins_at_the_next_one(scene: Following) -> None:
    async with following(scene):
        scene.publish(5)
        await until(lambda: scene.source.early == 5)
        scene.aggregator.publish(scene.maker.key())
        scene.publish(2)
        await scene.catches_up()
        assert scene.counts() == (6, 8, 2, 0)
        assert scene.is_equal()


async def test_what_is_pushed_is_applied_and_counted(scene: Following) -> None:
    scene.aggregator.publish(scene.maker.key())
    async with following(scene):
        scene.publish(100)
        await scene.catches_up()
        assert scene.counts() == (1, 101, 100, 0)
        assert scene.is_equal()


async def test_a_lost_publication_is_refilled_when_the_next_one_comes(scene: Following) -> None:
    scene.aggregator.publish(scene.maker.key())
    async with following(scene):
        scene.publish(3)
        for _ in range(2):
            scene.aggregator.lose(scene.maker.delta())
        scene.publish(3)
        await scene.catches_up()
        joined_at, head, received, refilled = scene.counts()
        assert head - (joined_at or 0) == received + refilled
        assert refilled >= 3
        assert scene.is_equal()


async def test_a_lost_last_publication_is_refilled_by_the_heartbeat(scene: Following) -> None:
    scene.aggregator.publish(scene.maker.key())
    async with following(scene):
        scene.publish(2)
        scene.aggregator.lose(scene.maker.delta(30, trades=1))
        scene.aggregator.beat(scene.maker)
        await scene.catches_up()
        assert scene.counts() == (1, 4, 2, 1)
        assert scene.is_equal()
        assert scene.replica.traded == 3


async def test_a_hole_larger_than_one_fetch_is_refilled(scene: Following) -> None:
    scene.aggregator.publish(scene.maker.key())
    async with following(scene):
        for _ in range(1100):
            scene.aggregator.lose(scene.maker.delta(2))
        scene.aggregator.beat(scene.maker)
        await scene.catches_up()
        assert scene.counts() == (1, 1101, 0, 1100)
        assert scene.is_equal()


async def test_a_hole_that_was_trimmed_makes_it_join_anew(scene: Following) -> None:
    scene.aggregator.publish(scene.maker.key())
    async with following(scene):
        for _ in range(50):
            scene.aggregator.lose(scene.maker.delta())
        scene.aggregator.lose(scene.maker.key())
        scene.aggregator.client.xtrim(keys.out("BTC-USDT"), maxlen=1, approximate=False)
        scene.publish(3)
        await scene.catches_up()
        assert scene.source.rejoined == 1
        joined_at, head, received, refilled = scene.counts()
        assert (head - (joined_at or 0), joined_at is not None and joined_at >= 53) == (received + refilled, True)
        assert scene.is_equal()


async def test_a_newer_epoch_goes_on_counting(scene: Following) -> None:
    scene.aggregator.publish(scene.maker.key())
    async with following(scene):
        scene.publish(3)
        scene.maker.epoch += 7
        scene.aggregator.publish(scene.maker.open())
        scene.aggregator.lose(scene.maker.key())
        scene.publish(3)
        await scene.catches_up()
        assert scene.replica.epoch == scene.maker.epoch
        assert (scene.replica.joined_at, scene.source.rejoined) == (1, 0)
        assert scene.is_equal()


async def test_a_stream_that_was_lost_and_begins_again_is_joined_anew(scene: Following) -> None:
    scene.aggregator.publish(scene.maker.key())
    async with following(scene):
        scene.publish(20)
        await scene.catches_up()
        scene.aggregator.client.delete(keys.out("BTC-USDT"))
        scene.maker = Maker(seed=5, epoch=scene.maker.epoch + 1)
        scene.aggregator.publish(scene.maker.key())
        scene.publish(3)
        await scene.catches_up()
        assert scene.replica.epoch == scene.maker.epoch
        assert scene.is_equal()


async def test_a_record_that_cannot_be_read_costs_a_join_and_is_counted(scene: Following) -> None:
    scene.aggregator.publish(scene.maker.key())
    async with following(scene):
        scene.aggregator.client.publish(keys.book("BTC-USDT"), b"nonsense")
        scene.aggregator.client.publish(keys.HEARTBEAT, b"[]")
        unsound = Maker(seq=1).delta(30)
        unsound.changes[0, 0] = 99
        scene.aggregator.client.publish(keys.book("BTC-USDT"), encode_publication(unsound))
        scene.publish(3)
        await scene.catches_up()
        assert scene.source.refused == 3
        assert scene.is_equal()


async def test_the_aggregators_trouble_is_told(scene: Following) -> None:
    async with following(scene):
        scene.aggregator.beat(scene.maker, trouble="behind by 3 s")
        await until(lambda: scene.hub.parts[AGGREGATOR].why == "behind by 3 s")
        assert scene.replica.trouble == "aggregator: behind by 3 s"


async def test_a_server_that_hangs_is_told_within_a_second_and_its_return_too(scene: Following) -> None:
    scene.aggregator.publish(scene.maker.key())
    async with following(scene):
        pid = int(scene.aggregator.client.info("server")["process_id"])
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        try:
            await until(lambda: scene.hub.parts[REDIS].why == "does not answer")
            took_s = time.monotonic() - began
            assert {scene.replica.state(venue) for venue in VENUES} == {State.STALE}
        finally:
            os.kill(pid, signal.SIGCONT)
        assert took_s < 1.0
        await until(lambda: scene.hub.parts[REDIS].live)
        scene.publish(3)
        await scene.catches_up()
        assert scene.counts() == (1, 4, 3, 0)


async def test_a_cut_connection_is_made_anew_and_nothing_is_lost(
    scene: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.aggregator.publish(scene.maker.key())
    async with following(scene):
        scene.publish(5)
        await scene.catches_up()
        scene.aggregator.beat(scene.maker)
        await until(lambda: scene.replica.state("kraken") is State.LIVE)
        told, set_part = list[object](), scene.hub.set_part

        def note(name: PartName, live: bool, why: str, now: Now) -> None:
            set_part(name, live, why, now)
            if name != REDIS:
                return
            told.append((live, why, {scene.replica.state(venue) for venue in VENUES}))
            for _ in range(5 if len(told) == 1 else 0):
                scene.aggregator.lose(scene.maker.delta())

        monkeypatch.setattr(scene.hub, "set_part", note)  # it may be live again before anyone else could act
        scene.aggregator.client.client_kill_filter(_type="pubsub")
        await until(lambda: told and scene.hub.parts[REDIS].live)
        assert told[0] == (False, "can't be reached", {State.STALE})
        assert scene.counts() == (1, 11, 5, 5)
        assert scene.is_equal()
