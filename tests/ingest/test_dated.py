"""Books that are dated take what is later, and nothing else."""

from __future__ import annotations

from ingest.dated import Dated
from ingest.sequence import Proof, Verdict
from ingest.venue import BookUpdate
from thalweg.book import Book
from thalweg.fixed import NO_LEVELS

APPLY, GAP, DUPLICATE, NOT_LIVE = Verdict.APPLY, Verdict.GAP, Verdict.DUPLICATE, Verdict.NOT_LIVE


def whole(last: int | None) -> BookUpdate:
    return BookUpdate("X", True, NO_LEVELS, NO_LEVELS, last, last)


def delta(last: int) -> BookUpdate:
    return BookUpdate("X", False, NO_LEVELS, NO_LEVELS, last, last)


def test_dated_takes_what_is_later_and_no_change_before_a_whole_book() -> None:
    rule = Dated()
    updates = delta(5), whole(6), delta(7), delta(7), whole(6), whole(9), whole(None)
    assert [rule.admit(one) for one in updates] == [NOT_LIVE, APPLY, APPLY, DUPLICATE, DUPLICATE, APPLY, GAP]
    assert rule.verify(whole(9), Book()) is Proof.UNCLAIMED
    rule.reset()
    assert [rule.admit(whole(1))] == [APPLY]
