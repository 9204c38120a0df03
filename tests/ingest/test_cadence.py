"""When silence counts: by the book's own habit, within a floor and a cap."""

from __future__ import annotations

import pytest

from ingest.cadence import CAP_NS, FLOOR_NS, LEARNT, Cadence

SECOND = 1_000_000_000


def learned(gap_ns: int, beats: int = 100) -> tuple[Cadence, int]:
    """Give a cadence that has seen an even beat, and the instant of the last one."""
    cadence = Cadence()
    for k in range(beats):
        cadence.beat(k * gap_ns)
    return cadence, (beats - 1) * gap_ns


@pytest.mark.parametrize(
    ("gap_ns", "patience_ns"),
    [(SECOND // 10, FLOOR_NS), (SECOND, 20 * SECOND), (10 * SECOND, CAP_NS)],
    ids=["busy", "usual", "thin"],
)
def test_a_book_is_late_after_twenty_of_its_usual_gaps(gap_ns: int, patience_ns: int) -> None:
    cadence, last = learned(gap_ns)
    assert not cadence.late(last + patience_ns - SECOND // 1000)
    assert cadence.late(last + patience_ns + SECOND // 1000)


def test_a_book_that_never_moved_is_not_late_and_one_that_moved_once_is_judged_as_thin() -> None:
    cadence = Cadence()
    assert not cadence.late(10**15)
    cadence.beat(0)
    assert not cadence.late(CAP_NS)
    assert cadence.late(CAP_NS + 1)


def test_an_outage_does_not_teach_patience() -> None:
    cadence, last = learned(SECOND // 10)
    cadence.pause()
    assert not cadence.late(last + 600 * SECOND)
    cadence.beat(last + 600 * SECOND)
    assert cadence.late(last + 600 * SECOND + FLOOR_NS + 1)


def test_a_book_that_comes_in_bursts_is_quiet_between_them() -> None:
    cadence, now = Cadence(), 0
    for _ in range(4):
        now += 12 * SECOND
        for _ in range(50):
            now += SECOND // 20
            cadence.beat(now)
    assert not cadence.late(now + 20 * SECOND)
    assert cadence.late(now + 25 * SECOND)


def test_a_long_silence_is_forgotten_after_a_while() -> None:
    cadence, last = learned(20 * SECOND, 2)
    now = last
    for _ in range(7000):
        now += SECOND // 10
        cadence.beat(now)
    assert cadence.late(now + FLOOR_NS + 1)


def test_a_few_quick_updates_at_the_start_are_no_habit() -> None:
    cadence = Cadence()
    for k in range(9):
        cadence.beat(k * SECOND // 10)
    assert not cadence.late(50 * SECOND)
    assert cadence.late(62 * SECOND)


def test_what_is_no_news_teaches_patience_and_never_haste() -> None:
    cadence, last = learned(SECOND)
    for k in range(50):
        cadence.beat(last + k * SECOND // 100, news=False)
    last += 49 * SECOND // 100
    assert not cadence.late(last + 19 * SECOND)
    cadence.beat(last + 19 * SECOND, news=False)
    assert not cadence.late(last + 19 * SECOND + 37 * SECOND)


def test_it_is_never_late_before_it_says_even_when_a_habit_is_learnt_meanwhile() -> None:
    cadence = Cadence()
    for k in range(LEARNT):
        cadence.beat(k * SECOND // 10)
    now = LEARNT * SECOND // 10
    never_before = cadence.never_late_before(now)
    cadence.beat(now)
    assert cadence.patience_ns == FLOOR_NS
    assert not cadence.late(never_before)
    assert cadence.late(never_before + 1)
