"""A venue that fails is tried by one socket at a time: soon at first, later seldom."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from ingest.breaker import FAILURES_MAX, Breaker, Ending, ending_of

SECOND = 1_000_000_000
START = 1_000 * SECOND


@pytest.mark.parametrize(
    ("status", "code", "ending"),
    [
        (503, None, Ending.DOWN),
        (502, None, Ending.DOWN),
        (429, None, Ending.REFUSED),
        (418, None, Ending.REFUSED),
        (403, None, Ending.REFUSED),
        (404, None, Ending.LOST),
        (None, 1012, Ending.DOWN),
        (None, 1013, Ending.DOWN),
        (None, 1009, Ending.TOO_BIG),
        (None, 1001, Ending.LOST),
        (None, None, Ending.LOST),
    ],
)
def test_an_ending_is_told_by_its_number(status: int | None, code: int | None, ending: Ending) -> None:
    assert ending_of(status, code) is ending


def attempts(breaker: Breaker, seconds: float, ending: Ending = Ending.DOWN) -> list[float]:
    """Let four sockets try for so long, all in vain; gives when they tried, in seconds."""
    found = []
    for step in range(int(seconds * 10)):
        now = START + step * SECOND // 10
        for _ in range(4):
            if breaker.start(now):
                found.append(step / 10)
                breaker.failed(ending, "HTTP 503", now, heard=False)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_half_a_minute_of_maintenance_costs_at_most_8_attempts(seed: int) -> None:
    breaker = Breaker(random.Random(seed).random)
    for _ in range(4):
        breaker.failed(Ending.DOWN, "service restart", START, heard=True)
    tried = attempts(breaker, 30)
    assert 7 <= len(tried) <= 8
    gaps = [later - earlier for earlier, later in pairwise(tried)]
    assert max(gaps) <= 4.1


def test_waits_of_a_long_outage_grow_to_a_minute_with_full_jitter() -> None:
    gaps = []
    for seed in range(10):
        tried = attempts(Breaker(random.Random(seed).random), 1200)
        late = [one for one in tried if one > 120]
        gaps += [later - earlier for earlier, later in pairwise(late)]
    assert max(gaps) <= 60.2
    assert min(gaps) < 10
    assert 20 < sum(gaps) / len(gaps) < 40


def test_one_socket_is_the_probe_and_its_first_frame_lets_all_in() -> None:
    breaker = Breaker(lambda: 0.0)
    breaker.failed(Ending.DOWN, "HTTP 503", START, heard=False)
    assert (breaker.reason, breaker.down) == ("HTTP 503", True)
    later = START + 4 * SECOND
    assert [breaker.start(later) for _ in range(4)] == [True, False, False, False]
    breaker.heard(later + SECOND)
    assert [breaker.start(later + SECOND) for _ in range(4)] == [True] * 4
    assert (breaker.reason, breaker.down) == ("", False)


def test_a_probe_that_is_never_heard_of_again_is_forgotten() -> None:
    breaker = Breaker(lambda: 0.0)
    breaker.failed(Ending.DOWN, "HTTP 503", START, heard=False)
    assert breaker.start(START + 4 * SECOND)
    assert not breaker.start(START + 10 * SECOND)
    assert breaker.start(START + 20 * SECOND)


def test_failures_in_a_row_open_it_and_lost_connections_do_not() -> None:
    breaker = Breaker(lambda: 0.0)
    for _ in range(50):
        breaker.failed(Ending.LOST, "cut", START, heard=True)
    for _ in range(FAILURES_MAX - 1):
        breaker.failed(Ending.LOST, "refused", START, heard=False)
    assert breaker.start(START)
    breaker.failed(Ending.LOST, "refused", START, heard=False)
    assert not breaker.start(START)
    assert not breaker.down


def test_a_refusal_that_says_how_long_is_heeded() -> None:
    breaker = Breaker(lambda: 0.0)
    breaker.failed(Ending.REFUSED, "HTTP 429", START, heard=False, after_s=90.0)
    assert breaker.wait_s(START) == 90.0
    assert breaker.start(START + 90 * SECOND)


def test_a_venue_that_fails_again_at_once_is_not_tried_as_if_it_were_new() -> None:
    breaker = Breaker(lambda: 1.0)
    tried = 0
    for step in range(3000):
        now = START + step * SECOND // 10
        if breaker.start(now):
            tried += 1
            breaker.heard(now)
            breaker.failed(Ending.DOWN, "restart", now + SECOND // 20, heard=False)
    assert tried <= 22
