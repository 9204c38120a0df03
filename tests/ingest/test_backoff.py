"""Waits grow to a cap, and jitter takes them from anywhere below."""

from __future__ import annotations

from ingest.backoff import Backoff


def test_waits_double_up_to_the_cap() -> None:
    backoff = Backoff(0.5, 4.0, lambda: 1.0)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert backoff.attempts == 5


def test_a_wait_with_a_cap_of_its_own_counts_like_any_other() -> None:
    backoff = Backoff(0.5, 30.0, lambda: 1.0)
    assert [backoff.next_s(1.5) for _ in range(4)] == [0.5, 1.0, 1.5, 1.5]
    assert backoff.next_s() == 8.0


def test_jitter_is_full_and_success_starts_over() -> None:
    backoff = Backoff(1.0, 8.0, iter([0.25, 0.5, 0.0, 1.0]).__next__)
    assert [backoff.next_s() for _ in range(3)] == [0.25, 1.0, 0.0]
    backoff.reset()
    assert backoff.next_s() == 1.0


def test_the_thousandth_wait_is_still_the_cap() -> None:
    backoff = Backoff(1.0, 30.0, lambda: 1.0)
    assert max(backoff.next_s() for _ in range(1000)) == 30.0
