from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.replica import TRADES_KEPT, UNSETTLED, Replica, Step, is_sound
from tests.gateway.publications import MS, START_NS, VENUES, Maker, instruments
from thalweg.events import State
from thalweg.publication import decode_publication, encode_publication

INSTRUMENT = instruments().by_name["BTC-USDT"]


def replica_at(maker: Maker) -> Replica:
    replica = Replica(INSTRUMENT)
    replica.join([maker.key()], maker.ts)
    return replica


def shown(replica: Replica) -> dict[str, tuple[dict[int, int], dict[int, int]]]:
    def as_dict(side: int, venue: str) -> dict[int, int]:
        return dict(map(tuple, replica.sides(venue)[side].tolist()))

    return {venue: (as_dict(0, venue), as_dict(1, venue)) for venue in VENUES}


@given(st.integers(0, 2**32), st.lists(st.integers(0, 30), max_size=12))
def test_a_replica_equals_the_aggregators_books_after_every_record(seed: int, steps: list[int]) -> None:
    maker = Maker(seed=seed)
    replica = replica_at(maker)
    for changes in steps:
        one = maker.delta(changes) if changes else maker.key()
        replica.receive(decode_publication(encode_publication(one)), maker.ts)
        assert shown(replica) == maker.books
        assert all(list(b[:, 0]) == sorted(b[:, 0], reverse=True) for b, _ in map(replica.sides, VENUES))


def test_a_key_record_replaces_what_was_there() -> None:
    maker = Maker()
    replica = replica_at(maker)
    replica.receive(maker.delta(40), maker.ts)
    maker.books["kraken"] = ({}, {})
    replica.receive(maker.key(), maker.ts)
    assert shown(replica) == maker.books


def test_every_record_has_its_step() -> None:
    maker = Maker()
    replica = Replica(INSTRUMENT)
    early, key, second, third = maker.delta(), maker.key(), maker.delta(), maker.delta()
    assert [replica.step(one) for one in (early, key)] == [Step.EARLY, Step.JOIN]
    replica.join([key], 0)
    assert [replica.step(one) for one in (key, second, third)] == [Step.REPEATED, Step.NEXT, Step.HOLE]


def test_a_newer_epoch_that_counts_from_lower_is_a_reset() -> None:
    maker = Maker(seq=500)
    replica = replica_at(maker)
    assert replica.step(Maker(epoch=maker.epoch + 1).key()) is Step.RESET


def test_a_newer_epoch_that_goes_on_counting_is_an_ordinary_step() -> None:
    maker = Maker()
    replica = replica_at(maker)
    maker.epoch += 5
    assert replica.step(maker.open()) is Step.NEXT


def test_every_step_after_joining_is_counted() -> None:
    maker = Maker(seq=41)
    replica = replica_at(maker)
    for _ in range(3):
        replica.receive(maker.delta(), maker.ts)
    replica.refill(maker.delta(), maker.ts)
    assert (replica.joined_at, replica.seq, replica.received, replica.refilled) == (42, 46, 3, 1)


def test_joining_anew_begins_the_count_anew() -> None:
    maker = Maker()
    replica = replica_at(maker)
    replica.receive(maker.delta(), maker.ts)
    maker.seq += 100
    replica.join([maker.key(), maker.delta()], maker.ts)
    assert (replica.joined_at, replica.seq, replica.received, replica.refilled) == (104, 104, 0, 0)


def test_a_new_aggregator_makes_books_wait_for_its_key_record() -> None:
    maker = Maker()
    replica = replica_at(maker)
    opening = maker.open()
    opening.venues = []
    replica.receive(opening, maker.ts)
    assert [replica.state(venue) for venue in VENUES] == [State.SYNCING] * 2
    replica.receive(maker.key(), maker.ts)
    assert [replica.state(venue) for venue in VENUES] == [State.LIVE] * 2


def test_trouble_makes_live_books_stale_and_leaves_the_others() -> None:
    maker = Maker(states={"binance": State.LIVE, "kraken": State.HALTED}, reason="maintenance")
    replica = replica_at(maker)
    replica.trouble = "redis: gone"
    assert [(replica.state(venue), replica.reason(venue)) for venue in VENUES] == [
        (State.STALE, "redis: gone"),
        (State.HALTED, "maintenance"),
    ]


@pytest.mark.parametrize("state", [state for state in State if state is not State.LIVE])
def test_only_live_books_feed_the_ladder_and_the_quote(state: State) -> None:
    maker = Maker()
    replica = replica_at(maker)
    replica.receive(maker.delta(60), maker.ts)
    maker.states["kraken"] = state
    replica.receive(maker.delta(0), maker.ts)
    bids, asks = replica.ladder(200)
    assert not any(sizes[1] for side in (bids, asks) for sizes in side.values())
    assert set(bids) == set(maker.books["binance"][0])
    assert replica.quote().bid == max(maker.books["binance"][0])


def ladder_of(maker: Maker, side: int, depth: int) -> list[tuple[int, tuple[int, ...]]]:
    """The ladder of live venues by a sort of all their prices."""
    live = [venue for venue in VENUES if maker.states[venue] is State.LIVE]
    prices = sorted({price for venue in live for price in maker.books[venue][side]}, reverse=side == 0)[:depth]
    return [
        (price, tuple(maker.books[venue][side].get(price, 0) if venue in live else 0 for venue in VENUES))
        for price in prices
    ]


@pytest.mark.parametrize("seed", range(5))
def test_a_ladder_kept_change_by_change_is_that_of_all_live_books(seed: int) -> None:
    source, maker = random.Random(seed), Maker()
    replica = replica_at(maker)
    for _ in range(120):
        if source.random() < 0.2:
            maker.states[source.choice(VENUES)] = source.choice((State.LIVE, State.LIVE, State.STALE))
        record = maker.key() if source.random() < 0.05 else maker.delta(source.choice((0, 1, 5, 80)))
        replica.receive(record, maker.ts)
        if source.random() < 0.7:
            depth = source.choice((1, 10, 200))
            assert [list(side.items()) for side in replica.ladder(depth)] == [
                ladder_of(maker, side, depth) for side in (0, 1)
            ]


def test_nothing_is_in_the_ladder_while_nothing_can_be_heard() -> None:
    maker = Maker()
    replica = replica_at(maker)
    replica.receive(maker.delta(60), maker.ts)
    replica.trouble = "aggregator: silent"
    assert replica.ladder(200) == ({}, {})
    assert replica.quote().bid is None


def test_the_age_is_that_when_published_and_the_time_since() -> None:
    maker = Maker()
    replica = replica_at(maker)
    replica.receive(maker.delta(), START_NS + 700 * MS)
    assert replica.age_ms("kraken", START_NS + 1_000 * MS) == 60 + 300


def test_what_was_fetched_has_aged_since_it_was_published() -> None:
    maker = Maker()
    replica = Replica(INSTRUMENT)
    replica.join([maker.key()], START_NS + 700 * MS)
    assert replica.age_ms("kraken", START_NS + 1_000 * MS) == 60 + 1_000


def test_a_book_without_an_entry_has_no_age() -> None:
    assert Replica(INSTRUMENT).age_ms("kraken", START_NS) is None


def test_trades_are_kept_in_order_and_numbered() -> None:
    maker = Maker()
    replica = replica_at(maker)
    replica.receive(maker.delta(trades=5), maker.ts)
    replica.receive(maker.delta(trades=2), maker.ts)
    assert [trade.id for trade in replica.recent(3, 6)] == ["4", "5", "6"]
    assert replica.traded == 7


def test_only_so_many_trades_are_kept() -> None:
    maker = Maker()
    replica = replica_at(maker)
    replica.receive(maker.delta(trades=TRADES_KEPT + 3), maker.ts)
    assert [trade.id for trade in replica.recent(0, 5)] == ["4", "5"]


@pytest.mark.parametrize("code", [-1, 4, 1000])
def test_a_change_of_a_venue_that_the_record_does_not_have_is_seen(code: int) -> None:
    one = Maker().delta(30, trades=1)
    assert is_sound(one)
    one.changes[3, 0] = code
    assert not is_sound(one)


@pytest.mark.parametrize("venue", [-1, 2])
def test_a_trade_of_a_venue_that_the_record_does_not_have_is_seen(venue: int) -> None:
    one = Maker().delta(trades=1)
    one.trades[0].venue = venue
    assert not is_sound(one)


def test_a_record_without_changes_is_sound() -> None:
    assert is_sound(Maker().delta(0))


def test_records_that_nobody_looks_at_do_not_pile_up() -> None:
    maker = Maker()
    replica = replica_at(maker)
    for _ in range(3 * UNSETTLED):
        replica.receive(maker.delta(3), maker.ts)
    assert len(replica._changes) <= UNSETTLED
    assert shown(replica) == maker.books
