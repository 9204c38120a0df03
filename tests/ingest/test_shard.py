"""Roles, and a connection that is replaced before the venue ends it: in one epoch, nothing lost and nothing twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ingest.shard import RETRY_NS, TRIAL_NS
from ingest.venue import Capability, Venue
from tests.ingest.hand import Hand, assert_sound, entries, hand, until
from tests.ingest.toy import TOY, Desk, delta, replay, whole, with_rule
from thalweg.events import Delta, Event, Made, Open, Snapshot, Trade
from thalweg.lease import Role

pytestmark = pytest.mark.anyio
AGE_NS = 1_000
CHECKSUM = with_rule(TOY.rule, capability=Capability("checksum", 10))


def trade(number: int) -> dict[str, Any]:
    return {"kind": "trade", "symbol": "BTC", "number": number}


@asynccontextmanager
async def rotating(url: str, venue: Venue = TOY) -> AsyncIterator[Hand]:
    """A worker that owns the shard with a live book, and has begun a second connection."""
    async with hand(url, Desk(venue)) as one:
        one.age_ns = AGE_NS
        one.desks.append(Desk(venue, tally=one.desk.tally))
        await one.own()
        one.tell(one.desk.connect())
        one.frame(whole(1), trade(1))
        one.shard.tick(AGE_NS)
        assert not replacing(one)
        one.shard.tick(AGE_NS + 1)
        assert one.shard.next is not None
        one.shard.put(one.shard.next, one.desks[1].connect(), 0)
        yield one


def replacing(one: Hand) -> bool:
    """Whether a second connection is under way."""
    return one.shard.next is not None


def warm(one: Hand) -> bool:
    return one.shard.warm


def told(server: Any) -> list[Event]:
    return [event for _, event in entries(server)]


async def test_a_numbered_book_goes_on_over_a_new_connection(redis_url: str, server: Any) -> None:
    async with rotating(redis_url) as one:
        old = one.shard.line
        one.frame(delta(2, 2), trade(2), delta(3, 3))
        one.frame_of_next(whole(2, bids=[[100, 2]]), trade(2))
        assert one.shard.line is old
        one.frame_of_next(delta(3, 3), trade(3), delta(4, 4, bids=[[99, 4]]))
        assert one.shard.line is not old
        assert one.plugs[0].stopped
        assert old is not None
        assert one.shard.line is not None
        one.shard.put(old, one.desk.frame(delta(4, 4)), 0)  # what the old one still tells goes nowhere
        one.shard.put(one.shard.line, one.desks[1].frame(delta(5, 5)), 0)
        await one.sink.drain(5)
        events = assert_sound(server, one)
    assert sum(isinstance(event, Open) for event in events) == 1
    assert [event.last for event in events if isinstance(event, Delta)] == [2, 3, 4, 5]
    assert [event.id for event in events if isinstance(event, Trade)] == ["1", "2", "3"]
    assert not any(isinstance(event, Snapshot) and event.made is Made.BRIDGE for event in events)
    book = replay(events)
    assert book is not None
    assert book.bids().tolist() == one.desks[1].session.tracks[0].book.bids().tolist()


async def test_a_book_without_numbers_is_given_whole_by_the_new_connection(redis_url: str, server: Any) -> None:
    async with rotating(redis_url, CHECKSUM) as one:
        one.frame(delta(2, 2), trade(2))
        one.frame_of_next(trade(2), trade(3), whole(2, bids=[[98, 7]]))
        assert one.shard.switches == 1
        await one.sink.drain(5)
        events = assert_sound(server, one)
    assert [event.id for event in events if isinstance(event, Trade)] == ["1", "2", "3"]
    snapshots = [event for event in events if isinstance(event, Snapshot)]
    assert [event.made for event in snapshots] == [Made.VENUE, Made.BRIDGE]
    book = replay(events)
    assert book is not None
    assert book.bids().tolist() == one.desks[1].session.tracks[0].book.bids().tolist()


async def test_a_new_connection_that_does_not_get_there_is_given_up_for_a_while(redis_url: str, server: Any) -> None:
    async with rotating(redis_url) as one:
        line = one.shard.line
        one.shard.tick(AGE_NS + 1 + TRIAL_NS)
        assert replacing(one)
        one.shard.tick(AGE_NS + 2 + TRIAL_NS)
        assert not replacing(one)
        assert one.plugs[1].stopped
        one.shard.tick(RETRY_NS)
        assert not replacing(one)
        one.shard.tick(RETRY_NS + AGE_NS + 1)
        assert replacing(one)
        assert one.shard.line is line
        one.frame(delta(2, 2))
        await one.sink.drain(5)
        assert_sound(server, one)
    assert replay(told(server)) is not None


async def test_a_new_connection_that_stays_behind_takes_over_with_its_book(redis_url: str, server: Any) -> None:
    async with rotating(redis_url) as one:
        one.frame(delta(2, 2))
        one.frame_of_next(whole(1))
        assert one.shard.switches == 0
        one.shard.tick(AGE_NS + 2 + TRIAL_NS)
        assert one.shard.switches == 1
        await one.sink.drain(5)
        events = assert_sound(server, one)
    last = [event for event in events if isinstance(event, Snapshot)][-1]
    assert (last.made, last.last) == (Made.BRIDGE, 1)


async def test_one_who_stands_by_replaces_its_connection_too(redis_url: str, server: Any) -> None:
    async with hand(redis_url, Desk()) as one:
        one.age_ns = AGE_NS
        one.desks.append(Desk(tally=one.desk.tally))
        one.assign(Role.STANDBY)
        one.tell(one.desk.connect())
        one.frame(whole(1))
        one.shard.tick(AGE_NS + 1)
        assert one.shard.next is not None
        one.shard.put(one.shard.next, one.desks[1].connect(), 0)
        one.frame_of_next(whole(1))
        assert one.shard.switches == 1
        assert one.shard.warm
        await one.own()
        await one.sink.drain(5)
        assert_sound(server, one)


async def test_an_idle_shard_lets_go_of_its_connection_and_counts_what_it_had(redis_url: str) -> None:
    async with hand(redis_url, Desk()) as one:
        one.assign(Role.STANDBY)
        one.tell(one.desk.connect())
        one.frame(whole(1), trade(1))
        assert one.shard.held > 0
        one.assign(Role.IDLE)
        assert one.shard.line is None
        assert one.plugs[0].stopped
        came, went = one.balance()
    assert came == went
    assert one.shard.held == 0


async def test_a_shard_is_warm_once_all_its_books_are_live(redis_url: str) -> None:
    async with hand(redis_url, Desk()) as one:
        assert not warm(one)
        one.assign(Role.STANDBY)
        one.tell(one.desk.connect())
        assert not warm(one)
        one.frame(whole(1))
        assert warm(one)
        one.plugs[0].opened_at = None
        assert not warm(one)


async def test_an_owner_that_is_to_go_serves_until_it_is_fenced(redis_url: str, server: Any) -> None:
    async with hand(redis_url, Desk()) as old, hand(redis_url, Desk(), "two") as new:
        await old.own()
        old.tell(old.desk.connect())
        old.frame(whole(1))
        old.assign(Role.IDLE)
        old.frame(delta(2, 2))
        await old.sink.drain(5)
        assert old.shard.line is not None
        await new.own("one")
        old.frame(delta(3, 3))
        await until(lambda: old.shard.line is None)
        events = assert_sound(server, old, new)
    assert [event.last for event in events if isinstance(event, Delta)] == [2]
