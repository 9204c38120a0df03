"""Crossed books: for a moment they are flagged, for longer they are wrong; within a batch nobody sees them."""

from __future__ import annotations

from ingest.crossing import Crossing
from tests.ingest.toy import Desk, delta, kinds, live
from thalweg.events import Flag, State

SECOND = 1_000_000_000


def test_a_moment_is_no_error() -> None:
    crossing = Crossing()
    assert crossing.note(crossed=True, now=0)
    assert not crossing.wrong(SECOND)
    assert crossing.note(crossed=False, now=SECOND)
    assert not crossing.wrong(9 * SECOND)


def test_over_a_second_or_three_batch_ends_is() -> None:
    crossing = Crossing()
    crossing.note(crossed=True, now=0)
    assert crossing.wrong(SECOND + 1)
    crossing.note(crossed=True, now=1)
    assert not crossing.wrong(2)
    crossing.note(crossed=True, now=3)
    assert crossing.wrong(4)


def test_a_cross_within_one_update_is_never_seen() -> None:
    desk = live(Desk())
    events = desk.frame(delta(2, 2, bids=[[102, 1], [102, 0]], asks=[[101, 1]]))
    assert kinds(events) == ["delta"]
    assert not desk.session.tracks[0].flags & Flag.CROSSED
    assert desk.tally.resyncs == 0


def test_a_cross_that_the_next_batch_ends_costs_no_resync() -> None:
    desk = live(Desk())
    assert kinds(desk.frame(delta(2, 2, bids=[[102, 1]]))) == ["delta", "live"]
    assert kinds(desk.frame(delta(3, 3, bids=[[102, 0]]))) == ["delta", "live"]
    assert desk.tally.gaps == 0
    assert not desk.session.tracks[0].flags


def test_a_lost_removal_shows_at_the_third_batch_end() -> None:
    desk = live(Desk())
    desk.frame(delta(2, 2, bids=[[102, 1]]))
    desk.frame(delta(3, 3, bids=[[99, 1]]))
    assert desk.state is State.LIVE
    assert kinds(desk.frame(delta(4, 4, bids=[[98, 1]]))) == ["delta", "stale"]
    assert desk.session.tracks[0].reason == "crossed"
    desk.wait(0.1)
    assert desk.sent[-1] == "resubscribe BTC"


def test_removing_a_level_that_is_not_there_is_usual() -> None:
    desk = live(Desk())
    assert kinds(desk.frame(delta(2, 2, bids=[[77, 0]], asks=[[177, 0]]))) == ["delta"]
    assert (desk.tally.gaps, desk.tally.resyncs) == (0, 0)
