from __future__ import annotations

import pytest

from aggregator.counters import Counters, total

SOUND = Counters(read=20, applied=13, open=1, status=3, not_live=2, unreadable=1, covered=18)
"""Twenty entries read, two of them not yet in a publication."""


def test_sound_counts_violate_nothing() -> None:
    assert SOUND.violations(pending=2) == []


@pytest.mark.parametrize("name", ["read", "applied", "open", "status", "not_live", "unreadable", "covered"])
def test_one_count_that_is_off_by_one_is_a_violation(name: str) -> None:
    broken = total([SOUND])
    setattr(broken, name, getattr(broken, name) + 1)

    assert broken.violations(pending=2)


def test_an_entry_that_was_forgotten_is_a_violation() -> None:
    assert SOUND.violations(pending=1) == ["read == covered + pending: 20 != 19"]


def test_the_sum_of_counters_adds_every_count() -> None:
    one = Counters(1, 2, 3, 4, 5, 6, 7, 8)

    assert total([one, one]) == Counters(2, 4, 6, 8, 10, 12, 14, 16)
