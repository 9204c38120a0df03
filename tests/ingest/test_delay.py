"""Late news and wrong clocks: lateness is measured above the skew, and a clock that is set is no alarm."""

from __future__ import annotations

import pytest

from ingest.delay import Lateness, Skew, plausible
from tests.ingest.toy import Desk, delta, kinds, live
from thalweg.events import Flag

SECOND = 1_000_000_000
MS = 1_000_000
DAY = 86_400 * SECOND


def fed(skew: Skew, delays_ns: list[int], step_ns: int = 100 * MS, start: int = 1_000 * SECOND) -> list[int]:
    """Let news come evenly, so much after they happened; gives by how much later than usual."""
    found = []
    for k, delay in enumerate(delays_ns):
        now = start + k * step_ns
        found.append(skew.note(now - delay, now, now))
    return found


def test_the_least_delay_is_the_skew_and_what_is_above_it_is_late() -> None:
    skew = Skew()
    assert fed(skew, [40 * MS, 30 * MS, 50 * MS]) == [0, 0, 20 * MS]
    assert fed(skew, [3_030 * MS], start=1_010 * SECOND) == [3_000 * MS]
    assert skew.ns == 30 * MS


@pytest.mark.parametrize("ahead_s", [5, -5])
def test_a_venue_s_clock_that_is_wrong_is_skew_and_nothing_is_late(ahead_s: int) -> None:
    skew = Skew()
    assert max(fed(skew, [20 * MS - ahead_s * SECOND] * 100)) == 0
    assert skew.ns == 20 * MS - ahead_s * SECOND


def test_a_delay_that_grows_is_late_for_ten_minutes_at_least() -> None:
    skew = Skew()
    fed(skew, [20 * MS])
    late = fed(skew, [20 * MS + 4 * SECOND] * 2400, 250 * MS, 1_005 * SECOND)
    assert late[:1_100] == [4 * SECOND] * 1_100


def test_a_clock_that_is_set_starts_the_measure_anew() -> None:
    venue, ours = Skew(), Skew()
    fed(venue, [-5 * SECOND] * 20)
    assert fed(venue, [20 * MS] * 20, start=1_002 * SECOND) == [0] * 20
    fed(ours, [20 * MS] * 20)
    now = 1_002 * SECOND
    assert ours.note(now - 20 * MS, now + 3600 * SECOND, now) == 0
    assert ours.ns == 3600 * SECOND + 20 * MS


def test_a_moment_is_not_late_and_what_is_late_clears() -> None:
    lateness = Lateness()
    assert not lateness.note(3 * SECOND, 0)
    assert not lateness.note(3 * SECOND, SECOND - 1)
    assert lateness.note(3 * SECOND, SECOND)
    assert lateness.late
    assert not lateness.note(1_500 * MS, 2 * SECOND)
    assert lateness.note(500 * MS, 3 * SECOND)
    assert not lateness.late


def test_a_stamp_that_is_over_a_day_off_is_none_and_not_1970() -> None:
    now = 1_790_000_000 * SECOND
    assert plausible(now - DAY, now) == now - DAY
    assert plausible(now + DAY, now) == now + DAY
    assert plausible(1_790_000_000 * MS, now) is None  # seconds where milliseconds are meant
    assert plausible(None, now) is None


def test_a_book_whose_news_come_late_is_flagged_live_and_clears() -> None:
    desk = live(Desk())
    for k in range(2, 30):
        desk.wait(0.1)
        desk.frame(delta(k, k, ts_event=desk.now - 20 * MS))
    desk.wait(3)  # nothing comes, and then what happened meanwhile
    events = []
    for k in range(30, 50):
        desk.wait(0.1)
        events += desk.frame(delta(k, k, ts_event=desk.now - 3 * SECOND))
    assert kinds(events).count("live") == 1
    assert desk.session.tracks[0].flags & Flag.LATE
    desk.wait(0.1)
    assert kinds(desk.frame(delta(50, 50, ts_event=desk.now - 20 * MS))) == ["delta", "live"]
    assert not desk.session.tracks[0].flags
    desk.wait(0.1)
    assert desk.tally.skew_ns == 21 * MS
    assert desk.tally.gaps == 0


def test_our_own_wall_clock_moves_no_timer() -> None:
    desk = live(Desk())
    for k in range(2, 60):
        desk.now += SECOND // 10
        wall = desk.now + (3600 * SECOND if k > 30 else 0) - (7200 * SECOND if k > 45 else 0)
        desk.do(desk.session.tick(wall, desk.now))
        body = b'{"messages":[{"kind":"book","symbol":"BTC","whole":false,"bids":[],"asks":[],"first":%d,"last":%d}]}'
        desk.do(desk.session.frame(body % (k, k), wall, desk.now))
    assert desk.closed == []
    assert (desk.tally.gaps, desk.tally.resyncs) == (0, 0)
    assert desk.session.tracks[0].flags == 0
