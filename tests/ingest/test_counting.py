"""A connection's own count: control frames take part in it, a repeat is one, and going back is a loss."""

from __future__ import annotations

import pytest

from ingest.counting import Count, Place
from ingest.sequence import Unchecked
from ingest.venues import VENUES
from tests.ingest.toy import Desk, delta, kinds, whole, with_rule


@pytest.mark.parametrize(
    ("numbers", "last"),
    [
        ([0, 1, 2], Place.NEXT),
        ([5, 6], Place.NEXT),
        ([0, 2], Place.GAP),
        ([0, 1, 1], Place.AGAIN),
        ([0, 1, 1, 2], Place.NEXT),
        ([0, 1, 1, 2, 2, 3, 3], Place.AGAIN),
        ([7, 8, 0], Place.AGAIN),
        ([7, 8, 0, 1], Place.GAP),
    ],
)
def test_where_the_last_frame_stands(numbers: list[int], last: Place) -> None:
    count = Count()
    assert [count.admit(number) for number in numbers][-1] is last


def test_a_venue_that_does_not_count_has_no_gaps() -> None:
    count = Count()
    assert {count.admit(None) for _ in range(5)} == {Place.NEXT}


def test_a_count_that_starts_over_costs_the_connection_at_its_second_frame() -> None:
    desk = Desk(with_rule(Unchecked))
    desk.connect()
    for number in range(5):
        desk.frame(whole() if not number else delta(1, 1), sequence=number)
    assert kinds(desk.frame(delta(1, 1), sequence=0)) == []
    assert kinds(desk.frame(delta(1, 1), sequence=1)) == ["stale"]
    assert desk.closed == ["connection gap"]


def test_frames_of_every_kind_count_and_bring_no_gap_where_they_are_whole() -> None:
    decode, scales = VENUES["coinbase"].decode, lambda symbol: (8, 8)
    head = '{"channel":"%s","client_id":"","timestamp":"2026-08-16T23:37:02Z","sequence_num":%d,"events":%s}'
    frames = [
        head % ("subscriptions", 0, '[{"subscriptions":{"level2":["BTC-USD"]}}]'),
        head % ("l2_data", 1, '[{"type":"snapshot","product_id":"BTC-USD","updates":[]}]'),
        head % ("heartbeats", 2, '[{"current_time":"x","heartbeat_counter":1}]'),
        head % ("status", 3, "[]"),
        head % ("market_trades", 4, "[]"),
    ]
    count = Count()
    found = [count.admit(decode(frame.encode(), scales).connection_sequence) for frame in frames]
    assert found == [Place.NEXT] * 5
