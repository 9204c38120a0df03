"""Two workers and one shard on a real server: the book goes on without a snapshot where updates are numbered."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from ingest.venue import Capability
from tests.ingest.hand import Hand, assert_sound, entries, hand, until
from tests.ingest.judging import followed, judge
from tests.ingest.toy import TOY, Desk, delta, replay, whole, with_rule
from thalweg.events import Delta, Event, Made, Open, Snapshot, Status, Trade
from thalweg.lease import Role

pytestmark = pytest.mark.anyio


def trade(number: int, **more: Any) -> dict[str, Any]:
    return {"kind": "trade", "symbol": "BTC", "number": number} | more


def both(old: Hand, new: Hand, *messages: dict[str, Any]) -> None:
    """Let the venue tell both the same."""
    for one in (old, new):
        one.frame(*[dict(message) for message in messages])


async def started(old: Hand, new: Hand) -> None:
    """Let one worker own the shard and the other stand by, both with a live book."""
    await old.own()
    new.assign(Role.STANDBY)
    for one in (old, new):
        one.tell(one.desk.connect())
    both(old, new, whole(1), trade(1))
    await old.sink.drain(5)


def since_last_open(found: list[tuple[tuple[int, int], Event]]) -> list[Event]:
    """Give the events of the newest epoch."""
    return [event for (epoch, _), event in found if epoch == found[-1][0][0]]


async def test_a_warm_takeover_goes_on_from_the_last_delta(redis_url: str, server: Any) -> None:
    async with hand(redis_url, Desk()) as old, hand(redis_url, Desk(), "two") as new:
        await started(old, new)
        both(old, new, delta(2, 2), trade(2))
        await old.sink.drain(5)
        new.frame(delta(3, 3, bids=[[100, 3]]), trade(3))
        new.frame(delta(4, 4, bids=[[99, 3]]))
        last = entries(server)[-1][0]
        await new.own("one")
        new.frame(delta(5, 5, bids=[[98, 1]]))
        await new.sink.drain(5)
        events = assert_sound(server, old, new)
        found = since_last_open(entries(server))
    assert [type(event) for event in found] == [Open, Status, Delta, Trade, Delta, Delta]
    assert isinstance(found[1], Status)
    assert found[1].follows == last
    assert [event.last for event in events if isinstance(event, Delta)] == [2, 3, 4, 5]
    assert [event.id for event in events if isinstance(event, Trade)] == ["1", "2", "3"]
    book = replay([event for event in events if not isinstance(event, Open)])
    assert book is not None
    assert book.bids().tolist() == new.desk.session.tracks[0].book.bids().tolist()


async def test_a_feed_that_is_behind_is_waited_for(redis_url: str, server: Any) -> None:
    async with hand(redis_url, Desk()) as old, hand(redis_url, Desk(), "two") as new:
        await started(old, new)
        for k in range(2, 6):
            old.frame(delta(k, k))
        await old.sink.drain(5)
        new.frame(delta(2, 2))
        new.assign(Role.OWNER, "one")
        await until(lambda: isinstance(entries(server)[-1][1], Open))
        for k in range(3, 8):
            new.frame(delta(k, k))
        await until(lambda: new.sink.owning, 0.4)
        await new.sink.drain(5)
        events = assert_sound(server, old, new)
    assert [event.last for event in events if isinstance(event, Delta)] == [2, 3, 4, 5, 6, 7]
    assert not any(isinstance(event, Snapshot) and event.made is Made.BRIDGE for event in events)


async def test_a_feed_that_stays_behind_gives_its_book(redis_url: str, server: Any) -> None:
    async with hand(redis_url, Desk()) as old, hand(redis_url, Desk(), "two") as new:
        await started(old, new)
        old.frame(delta(2, 2))
        await old.sink.drain(5)
        await new.own("one")
        await new.sink.drain(5)
        found = since_last_open(entries(server))
        assert_sound(server, old, new)
    assert [type(event) for event in found] == [Open, Status, Snapshot]
    assert isinstance(found[1], Status)
    assert found[1].follows is None


async def test_a_book_that_was_fetched_anew_after_the_last_delta_is_given_whole(redis_url: str, server: Any) -> None:
    async with hand(redis_url, Desk()) as old, hand(redis_url, Desk(), "two") as new:
        await started(old, new)
        both(old, new, delta(2, 2))
        await old.sink.drain(5)
        new.frame(whole(7))
        new.frame(delta(8, 8))
        await new.own("one")
        await new.sink.drain(5)
        found = since_last_open(entries(server))
        assert_sound(server, old, new)
    assert [type(event) for event in found] == [Open, Status, Snapshot]


async def test_after_an_epoch_with_nothing_but_its_open_the_book_is_given_whole(redis_url: str, server: Any) -> None:
    async with hand(redis_url, Desk()) as old, hand(redis_url, Desk(), "two") as new:
        await started(old, new)
        epoch = old.sink.epoch + 1
        fields = {"kind": "open", "v": 1, "venue": "toy", "instrument": "BTC-USDT", "detector": "sequence"}
        fields |= {"price_decimals": 8, "size_decimals": 8, "ts_recv": 1, "ts_append": 1}
        server.xadd("st:{BTC-USDT}:toy", fields, id=f"{epoch}-1")
        server.set("epoch:{0}:toy", epoch)
        await new.own("one")
        await new.sink.drain(5)
        found = since_last_open(entries(server))
    assert [type(event) for event in found] == [Open, Status, Snapshot]


async def test_a_venue_without_a_sequence_of_its_books_gives_them_whole(redis_url: str, server: Any) -> None:
    venue = with_rule(TOY.rule, capability=Capability("checksum", 10))
    async with hand(redis_url, Desk(venue)) as old, hand(redis_url, Desk(venue), "two") as new:
        await started(old, new)
        both(old, new, delta(2, 2), trade(2))
        await old.sink.drain(5)
        new.frame(delta(3, 3), trade(3))
        await new.own("one")
        await new.sink.drain(5)
        found = since_last_open(entries(server))
        assert_sound(server, old, new)
    assert [type(event) for event in found] == [Open, Status, Snapshot, Trade]


async def test_own_trouble_with_redis_costs_no_snapshot(redis_url: str, server: Any) -> None:
    async with hand(redis_url, Desk()) as one:
        await one.own()
        one.tell(one.desk.connect())
        one.frame(whole(1))
        await one.sink.drain(5)
        epoch = one.sink.epoch
        server.client_kill_filter(_type="normal", skipme=True)
        for k in range(2, 9):
            one.frame(delta(k, k), trade(k))
        await until(lambda: one.sink.epoch > epoch)
        await one.sink.drain(5)
        events = assert_sound(server, one)
    assert [event.last for event in events if isinstance(event, Delta)] == list(range(2, 9))
    assert not any(isinstance(event, Snapshot) and event.made is Made.BRIDGE for event in events)


async def test_a_cold_takeover_says_so_and_knows_the_old_trades(redis_url: str, server: Any) -> None:
    async with hand(redis_url, Desk()) as old, hand(redis_url, Desk(), "two") as new:
        await old.own()
        old.tell(old.desk.connect())
        old.frame(whole(1), trade(1), trade(2))
        await old.sink.drain(5)
        await new.own("one")
        new.tell(new.desk.connect())
        new.frame(trade(2), trade(3), whole(5))
        await new.sink.drain(5)
        events = assert_sound(server, old, new)
    assert [event.id for event in events if isinstance(event, Trade)] == ["1", "2", "3"]
    assert new.desk.tally.dropped["duplicate"] == 1


@pytest.mark.parametrize("seed", range(4))
async def test_a_shard_that_goes_to_and_fro_loses_and_repeats_nothing(redis_url: str, server: Any, seed: int) -> None:
    """Both feeds lag by chance, connections are cut, and the shard moves about every tenth update."""
    rng = random.Random(seed)
    async with hand(redis_url, Desk()) as old, hand(redis_url, Desk(), "two") as new:
        await started(old, new)
        late: dict[str, list[str]] = {"one": [], "two": []}
        owner, other, last = old, new, 1
        for _ in range(150):
            last += 1
            told = json.dumps([delta(last, last, bids=[[rng.randint(90, 100), last]]), trade(last)])
            for one in (old, new):
                late[one.name].append(told)
                while late[one.name] and rng.random() < 0.7:
                    one.frame(*json.loads(late[one.name].pop(0)))
            owner.assign(Role.OWNER, mine=True)
            if rng.random() < 0.1 and not other.sink.wanted:
                await other.own(owner.name)
                owner, other = other, owner
                other.assign(Role.STANDBY)
            if rng.random() < 0.1:
                server.client_kill_filter(_type="normal", skipme=True)
            await asyncio.sleep(0.001)
        for one in (old, new):
            for told in late[one.name]:
                one.frame(*json.loads(told))
        await until(lambda: owner.sink.owning)
        await owner.sink.drain(5)
        await until(lambda: not other.sink.wanted)
        found = assert_sound(server, old, new)
    assert followed(found) == last
    assert judge(found) == owner.desk.session.tracks[0].book.bids().tolist()
