"""Every input that is kept, and every one that ever failed, is judged again; the targets and their seeds are sound."""

from __future__ import annotations

import pytest

from tests.fuzz.inputs import KEPT, KEPT_BYTES, load
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_kept_is_judged_as_it_should_be(name: str) -> None:
    target = TARGETS[name]
    kept = load(KEPT / name)
    assert kept, "python -m tests.fuzz --keep"
    for data in [*target.seeds(), *kept]:
        target.judge(data)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_come_to_more_than_one_outcome(name: str) -> None:
    assert len({TARGETS[name].judge(data) for data in [*TARGETS[name].seeds(), *load(KEPT / name)]}) > 1


def test_only_targets_have_a_corpus_and_it_stays_small() -> None:
    folders = [path for path in KEPT.iterdir() if path.is_dir()]
    assert {path.name for path in folders} == set(TARGETS)
    sizes = {path.name: sum(map(len, load(path))) for path in folders}
    assert max(sizes.values()) <= 2 * KEPT_BYTES
