"""Checksums that resyncs do not cure, or that the venue withdraws, cost a bounded number of books and are told."""

from __future__ import annotations

from ingest.sequence import Proof, Summed
from ingest.trust import GOOD_MIN, SUSPECT_NS, Trust
from tests.ingest.toy import SECOND, Desk, delta, kinds, whole, with_rule
from thalweg.events import Flag, Snapshot, Status


def weighed(trust: Trust, proof: Proof, instants: list[int]) -> list[bool]:
    return [trust.weigh(proof, instant * SECOND) for instant in instants]


def test_the_third_miss_in_a_minute_is_the_last_that_costs_the_book() -> None:
    trust = Trust()
    assert weighed(trust, Proof.BAD, [0, 20, 40, 41, 100]) == [True, True, True, False, False]
    assert trust.doubted


def test_misses_far_apart_are_losses_of_their_own() -> None:
    trust = Trust()
    assert weighed(trust, Proof.BAD, [0, 40, 80, 120]) == [True] * 4
    assert not trust.doubted


def test_what_is_withdrawn_costs_nothing_and_is_doubted_at_once() -> None:
    trust = Trust()
    assert weighed(trust, Proof.WITHDRAWN, [0, 1]) == [False, False]
    assert trust.doubted


def test_many_that_are_right_in_a_row_are_believed_again() -> None:
    trust = Trust()
    weighed(trust, Proof.WITHDRAWN, [0])
    weighed(trust, Proof.GOOD, list(range(GOOD_MIN - 1)))
    before = trust.doubted
    weighed(trust, Proof.GOOD, [20])
    assert (before, trust.doubted) == (True, False)


def test_one_that_was_suspect_is_doubted_at_its_next_miss_for_ten_minutes() -> None:
    trust = Trust()
    weighed(trust, Proof.BAD, [0, 1, 2])
    weighed(trust, Proof.GOOD, list(range(3, 3 + GOOD_MIN)))
    assert weighed(trust, Proof.BAD, [60]) == [False]
    assert trust.doubted
    weighed(trust, Proof.GOOD, list(range(61, 61 + GOOD_MIN)))
    assert weighed(trust, Proof.BAD, [62 + SUSPECT_NS // SECOND]) == [True]


def summed() -> Desk:
    """A venue whose checksum is the number of bids."""
    desk = Desk(with_rule(lambda: Summed(lambda book, shift: book.counts[0])))
    desk.connect()
    desk.frame(whole(checksum=1))
    return desk


def unverified(desk: Desk) -> bool:
    return bool(desk.session.tracks[0].flags & Flag.UNVERIFIED)


def test_a_checksum_that_becomes_nothing_is_told_and_asks_for_nothing() -> None:
    for said in ({}, {"checksum": 0}):
        desk = summed()
        assert kinds(desk.frame(delta(1, 1, **said))) == ["live", "delta"]
        assert unverified(desk)
        for _ in range(50):
            assert kinds(desk.frame(delta(1, 1, **said))) == ["delta"]
        desk.wait(4)
        assert desk.sent == ["subscribe BTC"]
        assert desk.tally.gaps == 0
        for _ in range(GOOD_MIN):
            desk.frame(delta(1, 1, checksum=1))
        assert not unverified(desk)


def test_a_checksum_that_is_always_wrong_costs_three_books_over_any_number_of_connections() -> None:
    desk = Desk(with_rule(lambda: Summed(lambda book, shift: book.counts[0])))
    for _ in range(10):
        desk.connect()
        for _ in range(20):
            desk.frame(whole(checksum=99))
            desk.frame(delta(1, 1, checksum=99))
            desk.wait(2)
        desk.do(desk.session.disconnected("lost", desk.now))
    assert desk.tally.gaps == 3
    assert unverified(desk)
    live = [event for event in desk.events if isinstance(event, Snapshot)]
    assert all(event.flags & Flag.UNVERIFIED for event in live)
    assert any(isinstance(event, Status) and event.reason == "checksum" for event in desk.events)


def test_an_empty_book_whose_checksum_is_nought_is_verified() -> None:
    desk = summed()
    desk.frame(delta(1, 1, bids=[[100, 0]], checksum=0))
    assert not unverified(desk)
