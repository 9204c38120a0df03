from __future__ import annotations

import pytest

from aggregator.relief import SPARED, STEP, cut

FAR = (9, 1 << 40)


def test_a_step_is_a_tenth_of_the_records() -> None:
    assert cut((5, 101), (5, 20_101), FAR) == (5, 101 + 20_000 // STEP)


def test_a_step_is_a_tenth_also_over_epochs() -> None:
    assert cut((5, 1), (8, 10_001), FAR) == (5, 1001)


def test_nothing_after_the_checkpoint_is_cut() -> None:
    assert cut((5, 1), (5, 10_001), (5, 77)) == (5, 77)
    assert cut((5, 80), (5, 10_001), (5, 77)) is None
    assert cut((5, 80), (5, 10_001), (4, 9000)) is None


@pytest.mark.parametrize("length", [1, 2, SPARED - 1])
def test_a_short_stream_is_left_alone(length: int) -> None:
    assert cut((5, 1), (5, length), FAR) is None


def test_steps_end_where_readers_still_find_a_key_record() -> None:
    first, last = (5, 1), (5, 3000)
    for _ in range(200):
        lowest = cut(first, last, FAR)
        if lowest is None:
            break
        first = lowest
    assert first == (5, 3000 - SPARED)
