"""The bucket that stands in for the shared one: what it lets through, and what a ban does."""

from __future__ import annotations

from ingest.budget import Bucket
from ingest.venue import Limit
from ingest.venues import VENUES

SECOND = 1_000_000_000


def test_a_full_bucket_is_spent_and_fills_up_once_a_window() -> None:
    bucket = Bucket(Limit(100, 10.0))
    assert [bucket.spend(50, 0) for _ in range(3)] == [0, 0, 5.0]
    assert bucket.spend(50, 4 * SECOND) == 1.0
    assert bucket.spend(50, 5 * SECOND) == 0
    assert bucket.spend(100, 15 * SECOND) == 0
    assert bucket.spend(1, 15 * SECOND) > 0


def test_no_window_sees_more_than_twice_the_limit() -> None:
    bucket, spent = Bucket(Limit(100, 10.0)), []
    for tenth in range(400):
        now = tenth * SECOND // 10
        while not bucket.spend(7, now):
            spent.append(now)
    for start in spent:
        assert 7 * sum(start <= one < start + 10 * SECOND for one in spent) <= 200


def test_a_ban_stops_all_and_the_longer_one_counts() -> None:
    bucket = Bucket(Limit(100, 10.0))
    bucket.ban(120, 0)
    bucket.ban(1, 0)
    assert bucket.spend(1, 30 * SECOND) == 90
    assert bucket.spend(1, 120 * SECOND) == 0


def test_what_was_spent_elsewhere_is_missing_here() -> None:
    bucket = Bucket(Limit(100, 10.0))
    bucket.note(60, 0)
    assert bucket.spend(50, 0) == 1.0
    bucket.note(1000, 0)
    assert bucket.spend(50, 0) == 5.0


def test_what_binance_counts_stays_below_its_limits() -> None:
    venue = VENUES["binance"]
    rest, connects = venue.rest_limit, venue.connect_limit
    assert rest.most + rest.most * 60 / rest.window_s <= 6000
    assert connects.most + connects.most * 300 / connects.window_s <= 300
    assert venue.rest_snapshot is not None
    assert venue.metadata is not None
    assert (venue.rest_snapshot.weight, venue.metadata.weight) == (50, 20)


def test_every_request_of_a_venue_fits_into_its_bucket() -> None:
    for venue in VENUES.values():
        weights = [one.weight for one in (venue.rest_snapshot, venue.metadata) if one is not None]
        assert max(weights, default=1) <= venue.rest_limit.most
        limit = venue.connect_limit
        assert limit.most * (1 + 8 / limit.window_s) >= 8  # four sockets in 8 s, and as many that take over from them
