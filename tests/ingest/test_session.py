"""Sessions: what is admitted, told, asked for again, and given up."""

from __future__ import annotations

import numpy as np

from ingest.sequence import Summed, Unchecked
from ingest.venue import Capability, Listing
from tests.ingest.toy import BTC, BY_REST, ETH, SECOND, UNIT, Desk, delta, kinds, live, replay, whole, with_rule
from thalweg.events import Delta, Flag, Made, Snapshot, State, Status, Trade


def test_a_whole_book_in_band_makes_the_book_live() -> None:
    desk = Desk()
    assert kinds(desk.connect()) == ["syncing"]
    assert desk.sent == ["subscribe BTC"]
    assert kinds(desk.frame(whole(1))) == ["snapshot", "live"]
    assert kinds(desk.frame(delta(2, 2))) == ["delta"]
    first = desk.events[1]
    assert isinstance(first, Snapshot)
    assert first.state is State.LIVE


def test_a_gap_makes_the_book_stale_until_a_whole_book() -> None:
    desk = live(Desk())
    assert kinds(desk.frame(delta(3, 3))) == ["stale"]
    assert kinds(desk.frame(delta(4, 4))) == []
    desk.wait(0.1)
    assert desk.sent[-1] == "resubscribe BTC"
    assert kinds(desk.frame(whole(9))) == ["snapshot", "live"]
    assert desk.tally.gaps == 1
    assert desk.balance()[0] == desk.balance()[1]


def test_a_gap_costs_only_its_own_book() -> None:
    desk = live(Desk(instruments=(BTC, ETH)))
    desk.frame(whole(5, symbol="ETH"))
    desk.frame(delta(3, 3))
    assert [track.state for track in desk.session.tracks] == [State.STALE, State.LIVE]


def test_held_updates_are_spliced_after_the_fetched_book() -> None:
    desk = Desk(BY_REST)
    desk.connect()
    assert kinds(desk.frame(delta(5, 7), delta(8, 9), delta(10, 12, bids=[[99, 5]]))) == []
    desk.wait(0.1)
    assert desk.fetched == ["BTC"]
    events = desk.answer(whole(8))
    assert kinds(events) == ["snapshot", "live", "delta", "delta"]
    assert desk.tally.dropped["before_snapshot"] == 1
    assert [event.last for event in events if isinstance(event, Delta)] == [9, 12]
    assert desk.balance()[0] == desk.balance()[1]


def test_a_fetched_book_older_than_the_held_updates_is_asked_for_again() -> None:
    desk = Desk(BY_REST)
    desk.connect()
    desk.frame(delta(5, 7))
    desk.wait(0.1)
    assert kinds(desk.answer(whole(3))) == []
    assert desk.state is State.SYNCING
    desk.wait(1.5)
    assert desk.fetched == ["BTC", "BTC"]
    assert kinds(desk.answer(whole(7))) == ["snapshot", "live"]


ACK = {"kind": "control", "sign": "ack", "symbols": ["BTC"]}


def test_a_quiet_book_is_fetched_without_any_update() -> None:
    desk = Desk(BY_REST)
    desk.connect()
    desk.frame(ACK)
    desk.wait(2)
    assert desk.fetched == ["BTC"]
    assert kinds(desk.answer(whole(3))) == ["snapshot", "live"]


def test_nothing_is_fetched_while_nothing_says_that_the_venue_feeds_the_book() -> None:
    desk = Desk(BY_REST)
    desk.connect()
    desk.wait(9)
    assert (desk.fetched, desk.sent) == ([], ["subscribe BTC"])
    desk.frame({"kind": "control", "sign": "alive"})
    desk.wait(1.5)
    assert (desk.fetched, desk.sent) == ([], ["subscribe BTC", "resubscribe BTC"])
    desk.frame(ACK)
    desk.wait(2)
    assert desk.fetched == ["BTC"]


def test_a_refusal_that_names_nothing_hastens_what_has_not_come() -> None:
    desk = Desk(instruments=(BTC, ETH))
    desk.connect()
    desk.frame(whole(1))
    desk.frame({"kind": "control", "sign": "nack", "text": "no"})
    desk.wait(2.2)
    assert desk.sent == ["subscribe BTC ETH", "resubscribe ETH"]


def test_a_fetch_that_fails_is_tried_again_not_before_the_venue_allows() -> None:
    desk = Desk(BY_REST)
    desk.connect()
    desk.frame(ACK)
    desk.wait(2)
    desk.do(desk.session.fetch_failed("BTC", 5.0, desk.now, desk.now, "HTTP 429"))
    assert desk.session.tracks[0].reason == "HTTP 429"
    desk.wait(4.5)
    assert desk.fetched == ["BTC"]
    desk.wait(2)
    assert desk.fetched == ["BTC", "BTC"]


def test_a_jump_of_the_connections_sequence_costs_every_book_and_the_connection() -> None:
    venue = with_rule(Unchecked, capability=Capability("connection", None, "connection"))
    desk = Desk(venue, (BTC, ETH))
    desk.connect()
    desk.frame(whole(), sequence=0)
    desk.frame(whole(symbol="ETH"), sequence=1)
    assert kinds(desk.frame(sequence=3)) == ["stale", "stale"]
    assert desk.closed == ["connection gap"]
    assert desk.tally.gaps == 1


def test_a_frame_that_comes_again_on_a_counted_connection_is_dropped() -> None:
    desk = Desk(with_rule(Unchecked))
    desk.connect()
    desk.frame(whole(), sequence=0)
    assert kinds(desk.frame(delta(1, 1), sequence=0)) == []
    assert desk.tally.dropped["duplicate"] == 1
    assert kinds(desk.frame(delta(1, 1), sequence=1)) == ["delta"]


def test_a_checksum_miss_makes_the_book_stale_and_the_third_unverified() -> None:
    desk = Desk(with_rule(lambda: Summed(lambda book, shift: book.counts[0])))
    desk.connect()
    desk.frame(whole(checksum=1))
    for _ in range(3):
        assert kinds(desk.frame(delta(1, 1, checksum=99))) == ["stale"]
        desk.frame(whole(checksum=1))
    assert desk.session.tracks[0].flags & Flag.UNVERIFIED
    assert kinds(desk.frame(delta(1, 1, checksum=99))) == ["delta"]
    assert desk.tally.checksums_bad == 4
    assert desk.balance()[0] == desk.balance()[1]


def test_levels_beyond_the_depth_are_removed_for_readers_too() -> None:
    desk = Desk(with_rule(Unchecked, depth=2))
    desk.connect()
    desk.frame(whole(bids=[[100, 1], [99, 1]], asks=[[200, 1]]))
    (event,) = desk.frame(delta(1, 1, bids=[[101, 1]], asks=[]))
    assert isinstance(event, Delta)
    assert event.bids.tolist() == [[101 * UNIT, UNIT], [99 * UNIT, 0]]


def test_an_acknowledged_depth_is_the_depth() -> None:
    desk = Desk(with_rule(Unchecked))
    desk.connect()
    desk.frame({"kind": "control", "sign": "ack", "symbols": ["BTC"], "depth": 1})
    desk.frame(whole(bids=[[100, 1], [99, 1]]))
    assert desk.session.tracks[0].book.counts == (1, 1)


def test_a_hole_in_trade_ids_is_told_before_the_next_trade() -> None:
    desk = live(Desk())
    desk.frame({"kind": "trade", "symbol": "BTC", "number": 7})
    events = desk.frame({"kind": "trade", "symbol": "BTC", "number": 10})
    assert isinstance(events[0], Status)
    assert events[0].reason == "2 trades lost"
    assert events[0].state is State.LIVE
    assert isinstance(events[1], Trade)


def test_trades_that_come_again_after_a_reconnect_are_dropped() -> None:
    desk = live(Desk())
    desk.frame({"kind": "trade", "symbol": "BTC", "id": "a"})
    desk.do(desk.session.disconnected("lost", desk.now))
    desk.connect()
    assert kinds(desk.frame({"kind": "trade", "symbol": "BTC", "id": "a"})) == []
    assert kinds(desk.frame({"kind": "trade", "symbol": "BTC", "id": "b"})) == ["trade"]


def test_a_lost_connection_makes_books_stale_and_a_new_one_starts_afresh() -> None:
    desk = live(Desk())
    assert kinds(desk.do(desk.session.disconnected("lost", desk.now))) == ["stale"]
    assert kinds(desk.connect()) == ["syncing"]
    assert kinds(desk.frame(delta(2, 2))) == []
    assert kinds(desk.frame(whole(1))) == ["snapshot", "live"]


def test_a_silent_socket_is_closed_and_a_talking_one_is_pinged() -> None:
    desk = live(Desk())
    desk.wait(14)
    desk.frame({"kind": "anything"})
    desk.wait(14)
    assert desk.closed == []
    assert desk.sent[-1] == "ping"
    desk.wait(2)
    assert desk.closed[0] == "socket silent"
    assert desk.tally.ignored == {"anything": 1}


def test_a_refused_symbol_is_given_up_and_asked_for_again_ever_more_seldom_up_to_an_hour() -> None:
    desk = Desk()
    desk.connect()
    for _ in range(3):
        desk.frame({"kind": "control", "sign": "nack", "symbols": ["BTC"], "text": "no such symbol"})
    assert desk.state is State.DELISTED
    for seconds in (15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600):
        desk.sent.clear()
        for rest in (-1, 1.2):
            desk.now += int((seconds + rest if rest < 0 else rest) * SECOND)
            desk.frame({"kind": "anything"})
            assert ("resubscribe BTC" in desk.sent) is False
            desk.wait(0.1)
            assert ("resubscribe BTC" in desk.sent) is (rest > 0)
        for _ in range(3):
            desk.frame({"kind": "control", "sign": "nack", "symbols": ["BTC"], "text": "no such symbol"})


def test_a_fetched_book_whose_subscription_is_refused_is_stale() -> None:
    desk = live(Desk(BY_REST))
    assert kinds(desk.frame({"kind": "control", "sign": "nack", "symbols": ["BTC"], "text": "no"})) == ["stale"]
    desk.wait(1.5)
    assert desk.sent[-1] == "resubscribe BTC"


def test_a_subscription_acknowledged_and_then_silent_is_made_again() -> None:
    desk = Desk()
    desk.connect()
    desk.frame({"kind": "control", "sign": "ack", "symbols": ["BTC"]})
    desk.wait(9)
    assert desk.sent == ["subscribe BTC"]
    desk.frame({"kind": "control", "sign": "alive"})
    desk.wait(1.5)
    assert desk.sent == ["subscribe BTC", "resubscribe BTC"]


def test_a_symbol_the_venue_does_not_list_or_we_cannot_hold_is_not_waited_for() -> None:
    desk = Desk(instruments=(BTC, ETH))
    desk.connect()
    desk.do(desk.session.listed({"BTC": Listing("BTC", "USDT", 12, 8)}, desk.now, desk.now))
    assert [track.reason for track in desk.session.tracks] == ["needs 12 and 8 decimals", "not listed"]


def test_a_list_that_can_not_be_right_is_not_believed() -> None:
    desk = Desk(instruments=(BTC, ETH))
    desk.connect()
    desk.do(desk.session.listed({"XRP": Listing("XRP", "USDT", 2, 2)}, desk.now, desk.now))
    assert [track.state for track in desk.session.tracks] == [State.SYNCING, State.SYNCING]
    desk.frame(whole(1))
    desk.do(desk.session.listed({"ETH": Listing("ETH", "USDT", 2, 2)}, desk.now, desk.now))
    assert [track.state for track in desk.session.tracks] == [State.LIVE, State.SYNCING]


def test_bad_frames_are_counted_and_too_many_cost_the_connection() -> None:
    desk = live(Desk())
    for k in range(20):
        assert desk.closed == []
        desk.do(desk.session.frame(b"{", desk.now, desk.now))
        assert desk.tally.bad_frames == k + 1
    assert desk.closed == ["too many bad frames"]
    assert desk.state is State.LIVE


def test_a_book_that_stays_crossed_is_flagged_then_stale() -> None:
    desk = live(Desk())
    assert kinds(desk.frame(delta(2, 2, bids=[[102, 1]]))) == ["delta", "live"]
    assert desk.session.tracks[0].flags & Flag.CROSSED
    assert kinds(desk.wait(1.5)) == ["stale"]


def test_a_halt_is_told_and_closing_notices_close() -> None:
    desk = live(Desk())
    halt = {"kind": "control", "sign": "state", "state": "halted", "text": "maintenance"}
    assert kinds(desk.frame(halt)) == ["halted"]
    desk.wait(0.5)
    assert "resubscribe BTC" not in desk.sent
    assert kinds(desk.frame(halt | {"state": "syncing", "text": "online"})) == ["syncing"]
    desk.wait(0.1)
    assert desk.sent[-1] == "resubscribe BTC"
    desk.frame({"kind": "control", "sign": "closing", "text": "shutdown"})
    assert desk.closed == ["shutdown"]


def test_periodic_snapshots_equal_the_deltas_before_them() -> None:
    desk = live(Desk())
    for k in range(2, 40):
        desk.wait(1)
        desk.frame(delta(k, k, bids=[[100 - k, k]]))
    periodic = [k for k, event in enumerate(desk.events) if isinstance(event, Snapshot) and event.made is Made.PERIODIC]
    assert periodic
    at = periodic[0]
    snapshot, book = desk.events[at], replay(desk.events[:at])
    assert isinstance(snapshot, Snapshot)
    assert book is not None
    assert np.array_equal(snapshot.bids, book.bids())
