from typing import Any

import pytest

from tests.chaos.soak import JUDGED_S, beyond, slope


def _found(seconds: float = JUDGED_S, frames_s: int = 1000, **row: Any) -> dict[str, Any]:
    level = {"rss_mib": 60.0, "mib_per_10_min": 0.2, "descriptors": [12, 14]}
    processes = {"gateway": level | row}
    return {"seconds": seconds, "rate": 1000.0, "frames_s": frames_s, "ended": [], "processes": processes}


def test_the_slope_of_a_line_is_its_growth() -> None:
    assert slope([(x / 10, 50 + 3 * x / 10) for x in range(20)]) == pytest.approx(3.0)


def test_a_sawtooth_has_next_to_no_slope() -> None:
    assert abs(slope([(x / 100, 50 + x % 2) for x in range(100)])) < 0.1


def test_one_reading_has_no_slope() -> None:
    assert slope([(0.5, 50.0)]) == 0.0


def test_a_level_run_is_within_bounds() -> None:
    assert beyond(_found()) == []


def test_growth_is_told() -> None:
    assert beyond(_found(mib_per_10_min=1.5)) == ["gateway grows by 1.5 MiB in 10 min"]


def test_a_short_run_says_nothing_about_growth() -> None:
    assert beyond(_found(seconds=JUDGED_S - 1, mib_per_10_min=9.0)) == []


def test_descriptors_that_are_not_given_back_are_told() -> None:
    assert beyond(_found(descriptors=[12, 15])) == ["gateway has 12 to 15 file descriptors"]


def test_a_load_that_was_not_there_proves_nothing() -> None:
    assert beyond(_found(frames_s=899)) == ["899 frames/s, of 1000 asked for"]
