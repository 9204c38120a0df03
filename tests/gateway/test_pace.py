from __future__ import annotations

from gateway.pace import MINUTE_NS, Pace
from gateway.topic import Now

S = 1_000_000_000


def at(seconds: float) -> Now:
    return Now(0, int(seconds * S))


def lag(pace: Pace, seconds: float, fastest_ms: int = 100) -> bool:
    pace.lag(at(seconds))
    return pace.recover(fastest_ms, at(seconds + 1))


def test_three_lags_in_a_minute_slow_a_client_down() -> None:
    pace = Pace()
    assert [lag(pace, second) for second in (0, 20, 40)] == [False, False, True]
    assert pace.floor_ms == 250


def test_three_lags_in_more_than_a_minute_do_not() -> None:
    pace = Pace()
    assert not any(lag(pace, second) for second in (0, 40, 80, 120, 160))


def test_each_tier_takes_three_lags_more_and_the_slowest_is_the_last() -> None:
    pace = Pace()
    slower = [lag(pace, second, fastest_ms=0) for second in range(0, 48, 4)]
    assert slower == [False, False, True] * 3 + [False] * 3
    assert pace.floor_ms == 1000


def test_after_a_calm_minute_a_tier_is_taken_back_until_what_was_granted() -> None:
    pace = Pace()
    for second in range(6):
        lag(pace, second)
    assert pace.floor_ms == 1000
    end = 6 + MINUTE_NS // S
    assert [pace.relax(100, at(second)) for second in (end - 1, end, end + 1, 2 * end - 6)] == [
        False,
        True,
        False,
        True,
    ]
    assert pace.floor_ms == 0
    assert not pace.relax(100, at(10 * end))
