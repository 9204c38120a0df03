"""The same trouble is told once a minute, another one at once."""

from __future__ import annotations

from ingest.notices import KEPT, REPEAT_NS, Notices


def test_the_same_trouble_is_told_once_a_minute() -> None:
    notices = Notices()
    told = [notices.fresh("no route", now) for now in (0, 1, REPEAT_NS - 1, REPEAT_NS, REPEAT_NS + 1)]
    assert told == [True, False, False, True, False]


def test_another_trouble_is_told_at_once() -> None:
    notices = Notices()
    assert notices.fresh("no route", 0)
    assert notices.fresh("refused", 0)


def test_no_flood_of_texts_is_kept() -> None:
    notices = Notices()
    assert all(notices.fresh(str(k), 0) for k in range(10 * KEPT))
    assert len(notices._said) <= KEPT
