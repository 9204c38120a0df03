"""The sink on a real server: dense IDs, nothing twice, nothing lost unmarked, one writer at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

import ingest.sink
import ingest.waiting
from ingest.venue import Capability
from tests.ingest.hand import KEY, LEASE, assert_sound, entries, hand, until
from tests.ingest.toy import TOY, Desk, delta, replay, whole, with_rule
from thalweg.events import Delta, Flag, Made, Open, Snapshot, State, Status, Trade
from thalweg.lease import Role
from thalweg.transport import RedisLink

pytestmark = pytest.mark.anyio


def trade(number: int, **more: Any) -> dict[str, Any]:
    return {"kind": "trade", "symbol": "BTC", "number": number} | more


async def test_events_arrive_as_they_were_put(redis_url: str, server: Any) -> None:
    desk = Desk()
    async with hand(redis_url, desk) as one:
        await one.own()
        one.tell(desk.connect())
        one.frame(whole(1))
        one.frame(delta(2, 2))
        await one.sink.drain(5)
        events = assert_sound(server, one)
    assert [type(e).__name__ for e in events] == ["Open", "Status", "Status", "Snapshot", "Status", "Delta"]
    book, mine = replay(events), desk.session.tracks[0].book
    assert book is not None
    assert book.bids().tolist() == mine.bids().tolist()
    status = server.hgetall("status:{BTC-USDT}:toy")
    assert status[b"state"] == b"live"
    assert server.xrange(KEY, status[b"snap_id"], count=1)[0][1][b"kind"] == b"snapshot"
    assert server.get(LEASE) == b"one"


async def test_a_bell_rings_also_when_nothing_grew(redis_url: str, server: Any) -> None:
    with server.pubsub(ignore_subscribe_messages=True) as bells:
        bells.subscribe("bell:{0}:toy")
        async with hand(redis_url, Desk()) as one:
            await one.own()
            rings = list[bytes]()

            def heard() -> bool:
                if (push := bells.get_message()) is not None:
                    rings.append(push["data"])
                return rings[-2:] == [b"", b""]

            await until(heard)


async def test_a_drain_waits_for_the_answer_to_what_opens_an_epoch(
    redis_url: str, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, run = asyncio.Event(), RedisLink.run

    async def late(link: RedisLink, commands: Sequence[bytes], timeout_s: float = 2.0) -> list[Any]:
        replies = await run(link, commands, timeout_s)
        if any(b"XADD" in command for command in commands):
            await answered.wait()
        return replies

    monkeypatch.setattr(RedisLink, "run", late)
    async with hand(redis_url, Desk()) as one:
        one.assign(Role.OWNER)
        await until(lambda: server.exists(KEY))
        asyncio.get_running_loop().call_later(0.05, answered.set)
        await one.sink.drain(5)
        assert answered.is_set()
        assert one.sink.held == 0
        assert_sound(server, one)


async def test_a_broken_connection_loses_and_repeats_nothing(redis_url: str, server: Any) -> None:
    desk = Desk()
    async with hand(redis_url, desk) as one:
        await one.own()
        one.tell(desk.connect())
        one.frame(whole(1))
        for k in range(1, 400):
            one.frame(delta(k + 1, k + 1, bids=[[100, k]]), trade(k))
            if k % 40 == 0:
                epoch = one.sink.epoch
                server.client_kill_filter(_type="normal", skipme=True)
                await until(lambda: one.sink.epoch > epoch)  # noqa: B023 - awaited in this turn
        await one.sink.drain(10)
        events = assert_sound(server, one)
    assert [int(e.id) for e in events if isinstance(e, Trade)] == list(range(1, 400))
    assert sum(isinstance(e, Open) for e in events) > 9
    book, mine = replay(events), desk.session.tracks[0].book
    assert book is not None
    assert book.bids().tolist() == mine.bids().tolist()


async def test_a_worker_that_is_fenced_writes_no_more_and_lives_on(redis_url: str, server: Any) -> None:
    first, second = Desk(), Desk()
    async with hand(redis_url, first) as old, hand(redis_url, second, "two") as new:
        await old.own()
        old.tell(first.connect())
        await old.sink.drain(5)
        await new.own("one")
        old.frame(whole(1), trade(1))
        await until(lambda: not old.sink.wanted)
        assert_sound(server, old, new)
        assert not any(isinstance(event, Snapshot | Trade) for _, event in entries(server))
        assert first.tally.dropped["fenced"] == 3
        await old.own("two")
        await until(lambda: any(isinstance(event, Snapshot) for _, event in entries(server)))


async def test_nobody_takes_a_lease_that_another_worker_holds(redis_url: str, server: Any) -> None:
    first, second = Desk(), Desk()
    async with hand(redis_url, first) as old, hand(redis_url, second, "two") as new:
        await old.own()
        new.assign(Role.OWNER)
        await until(lambda: not new.sink.wanted)
        assert not new.sink.owning
        assert server.get(LEASE) == b"one"
        assert_sound(server, old, new)


async def test_a_takeover_brings_the_book_and_each_trade_once(redis_url: str, server: Any) -> None:
    first, second = Desk(with_rule(TOY.rule, capability=Capability("none", None))), Desk()
    async with hand(redis_url, first) as old, hand(redis_url, second, "two") as new:
        await old.own()
        new.assign(Role.STANDBY)
        for one in (old, new):
            one.tell(one.desk.connect())
            one.frame(whole(1), trade(1), trade(2))
        old.frame(delta(2, 2), trade(3))
        await old.sink.drain(5)
        new.frame(delta(2, 2), trade(3))
        new.frame(delta(3, 3, bids=[[100, 7]]), trade(4))
        await new.own("one")
        new.frame(trade(3), trade(5))
        await new.sink.drain(5)
        old.frame(trade(4))
        await until(lambda: not old.sink.wanted)
        events = assert_sound(server, old, new)
    assert [e.id for e in events if isinstance(e, Trade)] == ["1", "2", "3", "4", "5"]
    book = replay(events)
    assert book is not None
    assert book.bids().tolist() == second.session.tracks[0].book.bids().tolist()


async def test_a_hole_in_the_trades_between_two_workers_is_told(redis_url: str, server: Any) -> None:
    first, second = Desk(), Desk()
    async with hand(redis_url, first) as old, hand(redis_url, second, "two") as new:
        await old.own()
        old.tell(first.connect())
        old.frame(whole(1), trade(1))
        await old.sink.drain(5)
        new.assign(Role.STANDBY)
        new.tell(second.connect())
        new.frame(whole(9), trade(4))
        await new.own("one")
        await new.sink.drain(5)
        events = assert_sound(server, old, new)
    notes = [event.reason for event in events if isinstance(event, Status)]
    assert "2 trades lost" in notes


async def test_a_lease_that_the_server_forgot_begins_a_new_epoch(redis_url: str, server: Any) -> None:
    desk = Desk()
    async with hand(redis_url, desk) as one:
        await one.own()
        one.tell(desk.connect())
        one.frame(whole(1))
        await one.sink.drain(5)
        epoch = one.sink.epoch
        server.flushall()
        one.assign(Role.OWNER)
        await until(lambda: one.sink.epoch > epoch)
        await one.sink.drain(5)
        found = entries(server)
    assert [type(event).__name__ for _, event in found] == ["Open", "Status", "Snapshot"]
    assert found[0][0][1] == 1
    assert server.get(LEASE) == b"one"


async def test_streams_ahead_of_a_lost_counter_are_passed(redis_url: str, server: Any) -> None:
    server.xadd(KEY, {"kind": "noise"}, id="99999999999999-7")
    desk = Desk()
    async with hand(redis_url, desk) as one:
        await one.own()
        assert one.sink.epoch > 99999999999999


async def test_a_full_queue_keeps_trades_and_bridges_the_book(
    redis_url: str, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest.waiting, "COUNT_MAX", 100)
    monkeypatch.setattr(ingest.waiting, "WEIGH_EVERY", 10)
    desk = Desk()
    async with hand(redis_url, desk) as one:
        await one.own()
        one.tell(desk.connect())
        one.frame(whole(1))
        for k in range(1, 150):
            one.frame(delta(k + 1, k + 1, bids=[[100, k]]))
        one.frame(trade(1))
        await one.sink.drain(5)
        events = assert_sound(server, one)
    assert desk.tally.dropped["coalesced"] > 0
    assert sum(isinstance(e, Trade) for e in events) == 1
    book, mine = replay(events), desk.session.tracks[0].book
    assert book is not None
    assert book.bids().tolist() == mine.bids().tolist()


async def test_many_events_behind_a_slow_batch_are_one_flagged_snapshot(
    redis_url: str, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()
    async with hand(redis_url, desk) as one:
        await one.own()
        monkeypatch.setattr(ingest.sink, "SLOW_NS", 0)  # any batch is slow
        one.tell(desk.connect())
        one.frame(whole(1))
        await one.sink.drain(5)
        for k in range(2, 400):
            one.frame(delta(k, k, bids=[[100, k]]))
        one.frame(trade(1))
        await one.sink.drain(5)
        events = assert_sound(server, one)
    assert not any(isinstance(event, Delta) for event in events)
    assert desk.tally.dropped["coalesced"] == 398
    (bridge,) = (event for event in events if isinstance(event, Snapshot) and event.made is Made.BRIDGE)
    assert bridge.flags == Flag.CONFLATED
    assert isinstance(events[-1], Trade)
    book = replay(events)
    assert book is not None
    assert book.bids().tolist() == desk.session.tracks[0].book.bids().tolist()


async def test_an_epoch_is_above_the_last_one_though_the_server_forgot_it(redis_url: str, server: Any) -> None:
    async with hand(redis_url, Desk()) as one:
        server.set("epoch:{0}:toy", 88888888888888)
        await one.own()
        epoch = one.sink.epoch
        server.flushall()
        one.assign(Role.OWNER)
        await until(lambda: one.sink.epoch != epoch)
    assert one.sink.epoch > epoch > 88888888888888


async def test_stopping_tells_that_nobody_watches(redis_url: str, server: Any) -> None:
    desk = Desk()
    async with hand(redis_url, desk) as one:
        await one.own()
        one.tell(desk.connect())
        one.frame(whole(1))
        one.shard.silence()
        await one.sink.drain(5)
        last = assert_sound(server, one)[-1]
    assert isinstance(last, Status)
    assert (last.state, last.reason) == (State.STALE, "ingest stopped")
    assert one.plugs[0].stopped
