from __future__ import annotations

import random

import pytest

from aggregator.consolidate import KEY_EVERY, KEY_EVERY_NS, Ladder
from aggregator.counters import Counters
from tests.aggregator.entries import a_delta, a_snapshot, a_status, a_trade, an_open, reply
from thalweg.events import Made, State, Taker
from thalweg.instruments import Instrument
from thalweg.ladder import Quote
from thalweg.publication import VIEW_DEPTH, Kind, Publication, PublishedTrade, Stamps

INSTRUMENT = Instrument("BTC-USDT", 8, 8, {})
VENUES = ("binance", "kraken")
E, READ = 5, 20
BIDS, ASKS = [(100, 1), (99, 2)], [(101, 3), (102, 4)]


def a_ladder() -> Ladder:
    """Two live venues with the same book, published."""
    ladder = Ladder(INSTRUMENT, VENUES)
    for index, book in enumerate(ladder.books):
        book.hear(True, 0)
        ladder.take(index, reply(E, 1, an_open(), a_snapshot(BIDS, ASKS)), READ)
    publish(ladder, Kind.KEY)
    return ladder


def publish(ladder: Ladder, kind: Kind = Kind.DELTA, now: int = 0) -> Publication:
    ladder.merge(kind)
    one = ladder.publication(kind, READ, READ + 1, READ + 2)
    ladder.settle(now)
    return one


def test_a_batch_becomes_the_changes_of_its_views() -> None:
    ladder = a_ladder()

    ladder.take(1, reply(E, 3, a_delta([(100, 5), (98, 1)], []), a_delta([(98, 0)], [(101, 0)])), READ)

    assert publish(ladder).changes.tolist() == [[2, 100, 5], [3, 101, 0]]


def test_a_key_record_holds_the_whole_view() -> None:
    ladder = a_ladder()

    one = publish(ladder, Kind.KEY)

    side = [[0, 100, 1], [0, 99, 2], [1, 101, 3], [1, 102, 4]]
    assert one.changes.tolist() == [*side, *([code + 2, price, size] for code, price, size in side)]


def test_the_record_that_opens_says_live_of_no_book_since_it_has_no_levels() -> None:
    one = a_ladder().opening()

    assert [line.state for line in one.venues] == [State.CONNECTING, State.CONNECTING]
    assert len(one.changes) == 0


def test_sizes_of_live_venues_are_summed_at_the_best_prices() -> None:
    assert publish(a_ladder()).quote == Quote(100, 2, 101, 6)


@pytest.mark.parametrize("state", [state for state in State if state is not State.LIVE])
def test_a_venue_that_is_not_live_leaves_the_quote(state: State) -> None:
    ladder = a_ladder()

    ladder.take(0, reply(E, 3, a_status(state)), READ)

    assert publish(ladder).quote == Quote(100, 1, 101, 3)


def test_flags_do_not_keep_a_live_venue_from_the_quote() -> None:
    ladder = a_ladder()

    ladder.take(0, reply(E, 3, a_status(State.LIVE, flags=15)), READ)

    assert publish(ladder).quote == Quote(100, 2, 101, 6)


def test_a_crossed_ladder_is_shown_as_it_is() -> None:
    ladder = a_ladder()

    ladder.take(0, reply(E, 3, a_delta([(103, 9)], [(101, 0), (102, 0), (104, 1)])), READ)

    quote = publish(ladder).quote
    assert quote == Quote(103, 9, 101, 3)
    assert quote.crossed


def test_every_entry_is_in_one_run_in_apply_order() -> None:
    ladder = a_ladder()

    ladder.take(1, reply(E, 3, a_trade("1"), a_status(State.LIVE)), READ)
    ladder.take(0, reply(E, 3, a_trade("2")), READ)
    ladder.take(0, reply(E, 6, a_trade("3")), READ)
    ladder.take(0, reply(E + 1, 1, an_open()), READ)
    one = publish(ladder)

    assert one.runs.tolist() == [[1, E, 3, 4], [0, E, 3, 3], [0, E, 6, 6], [0, E + 1, 1, 1]]
    assert ladder.settled.covered == ladder.settled.read == 9


def test_every_trade_is_published_once_in_order() -> None:
    ladder = a_ladder()

    ladder.take(1, reply(E, 3, a_trade("1", 7), a_delta([], []), a_trade("1", 7)), READ)

    trade = PublishedTrade(1, Taker.BUY, 7, 5, "1", 2, 2)
    assert publish(ladder).trades == [trade, trade]
    assert publish(ladder).trades == []


def test_stamps_are_those_of_the_entry_that_was_received_first() -> None:
    ladder = a_ladder()

    ladder.take(0, reply(E, 3, a_delta([], [], at=9), ts_append=11), READ)
    ladder.take(1, reply(E, 3, a_delta([], [], at=8), ts_append=12), READ)

    assert publish(ladder).stamps == Stamps(8, 8, 12, READ, READ + 1, READ + 2)


def test_entries_that_were_not_just_on_their_way_give_no_samples() -> None:
    ladder = a_ladder()
    ladder.live_since = 10
    made = a_snapshot(BIDS, ASKS, made=Made.PERIODIC)

    ladder.take(0, reply(E, 3, made, a_status(State.LIVE), ts_append=15), READ)
    ladder.take(0, reply(E, 5, a_delta([], []), ts_append=9), READ)
    assert ladder.waits == []
    assert publish(ladder).stamps == Stamps()

    ladder.take(0, reply(E, 6, a_delta([], []), a_trade("1"), a_snapshot(BIDS, ASKS), ts_append=15), READ)
    assert ladder.waits == [5, 5, 5]


def test_only_the_best_levels_are_published_and_deeper_ones_move_up() -> None:
    ladder = a_ladder()
    deep = [(1000 - k, 1) for k in range(VIEW_DEPTH + 1)]
    ladder.take(0, reply(E, 3, a_snapshot(deep, [])), READ)
    publish(ladder)

    ladder.take(0, reply(E, 4, a_delta([(1000, 0)], [])), READ)

    assert publish(ladder).changes.tolist() == [[0, 1000, 0], [0, 1000 - VIEW_DEPTH, 1]]


def test_a_key_record_is_due_first_then_by_time_and_by_count() -> None:
    ladder = Ladder(INSTRUMENT, VENUES)
    due = [ladder.key_due(0)]
    publish(ladder, Kind.KEY, now=5)
    due += [ladder.key_due(5 + KEY_EVERY_NS - 1), ladder.key_due(5 + KEY_EVERY_NS)]
    for _ in range(KEY_EVERY - 2):
        publish(ladder)
    due.append(ladder.key_due(5))
    publish(ladder)

    assert [*due, ladder.key_due(5)] == [True, False, True, False, True]


def test_what_is_sent_counts_as_covered_only_when_settled() -> None:
    ladder = a_ladder()
    ladder.take(0, reply(E, 3, a_trade("1")), READ)

    ladder.merge(Kind.DELTA)
    ladder.publication(Kind.DELTA, READ, READ, READ)
    before = ladder.counts()
    assert (before.read, before.covered, ladder.confirmed, ladder.pending) == (5, 4, 1, 1)
    assert before.violations(ladder.pending) == []

    ladder.settle(0)
    assert ladder.counts() == Counters(read=5, applied=3, open=2, covered=5)
    assert (ladder.confirmed, ladder.pending) == (2, 0)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize(("landed", "read"), [(True, 6), (False, 5)])
def test_a_successor_counts_the_last_batch_only_if_it_landed(landed: bool, read: int, dense: bool) -> None:
    before, after = a_ladder(), Ladder(INSTRUMENT, VENUES)
    before.stand_at(10)
    before.take(0, reply(E, 3, a_trade("1"), a_trade("2")), READ)
    publish(before)
    before.take(0, reply(E, 5, a_trade("3")), READ)
    before.merge(Kind.DELTA)
    before.publication(Kind.DELTA, READ, READ, READ)

    after.stand_at((13 if landed else 12) if dense else 50)
    after.succeed(before, landed=landed, dense=dense)

    assert after.counts().read == after.counts().covered == read + 1
    assert after.published == (4 if landed else 3)


@pytest.mark.parametrize("seed", range(10))
def test_changes_turn_any_published_view_into_the_next(seed: int) -> None:
    """A reader that applies changes has what a key record says, after any walk."""
    rng = random.Random(seed)
    ladder = Ladder(INSTRUMENT, VENUES)
    replica: dict[int, dict[int, int]] = {}
    numbers = [0, 0]
    for _ in range(200):
        index, size = rng.randrange(2), rng.randrange(3)
        numbers[index] += 1
        if numbers[index] == 1:
            events = reply(E, 1, an_open())
        elif numbers[index] == 2 or rng.random() < 0.05:
            events = reply(E, numbers[index], a_snapshot([(k, 1) for k in range(500, 0, -2)], ASKS))
        else:
            pairs = [(rng.randrange(1, 600), size) for _ in range(5)]
            events = reply(E, numbers[index], a_delta(pairs, []))
        ladder.take(index, events, READ)
        follow(replica, publish(ladder))
    whole: dict[int, dict[int, int]] = {}
    follow(whole, publish(ladder, Kind.KEY))
    assert replica == whole
    top = ladder.books[0].book.bids(VIEW_DEPTH)
    assert sorted(replica[0].items(), reverse=True) == [(price, size) for price, size in top.tolist()]


def follow(replica: dict[int, dict[int, int]], one: Publication) -> None:
    for code, price, size in one.changes.tolist():
        side = replica.setdefault(code, {})
        side[price] = size
        if not size:
            del side[price]
