"""Trim marks against an obvious oracle: all marks ever made, and what of them is old enough."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.trim import TrimMarks

SECOND = 1_000_000_000


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5 * SECOND), st.integers(0, 30)), max_size=40),
    st.sampled_from([0.5, 2.0, 7.0]),
    st.integers(1, 50),
)
def test_what_may_go_is_what_an_oracle_with_all_marks_says(
    steps: list[tuple[int, int]], retention_s: float, cap: int
) -> None:
    marks, every, told = TrimMarks(retention_s, cap), [(0, 0)], 0
    for wait, grown in steps:
        now, n = every[-1][0] + wait, every[-1][1] + grown
        every.append((now, n))
        told = max(told, marks.mark(now, n) or 0)
        by_age = max((top for at, top in every if at <= now - retention_s * SECOND), default=0)
        by_cap = max(top - cap + 1 for _, top in every)
        assert told == max(by_age, by_cap, 0)


def test_nothing_goes_while_nothing_is_old_enough() -> None:
    marks = TrimMarks(10.0, 1000)
    assert [marks.mark(second * SECOND, 5 * second) for second in range(10)] == [None] * 10


def test_a_quiet_stream_keeps_its_newest_entry() -> None:
    """The number a second began with is kept, so a stream without new entries is never emptied."""
    marks = TrimMarks(1.0, 1000)
    assert [marks.mark(second * SECOND, 3) for second in range(4)] == [None, 3, 3, 3]


def test_a_burst_is_cut_at_the_cap_whatever_its_age() -> None:
    marks = TrimMarks(60.0, 100)
    marks.mark(0, 1)
    assert marks.mark(SECOND, 1_000) == 901  # 901 to 1,000 are a hundred


def test_a_mark_that_was_used_is_forgotten() -> None:
    marks = TrimMarks(1.0, 1000)
    for second in range(100):
        marks.mark(second * SECOND, second)
    assert len(marks._marks) <= 2
