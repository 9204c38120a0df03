"""How a worker stands to a lease over time."""

from __future__ import annotations

from ingest.claim import GRACE_NS, Claim
from thalweg.lease import TRUST_S

SECOND = 1_000_000_000
TRUST_NS = int(TRUST_S * SECOND)


def test_a_lease_is_trusted_for_a_while_after_it_was_given_or_seen() -> None:
    claim = Claim()
    assert claim.doubtful(TRUST_NS + 1)
    claim.acquired(10 * SECOND, 11 * SECOND)
    assert not claim.doubtful(10 * SECOND + TRUST_NS)
    assert claim.doubtful(10 * SECOND + TRUST_NS + 1)
    assert not claim.seen(12 * SECOND, mine=True)
    assert not claim.doubtful(12 * SECOND + TRUST_NS)


def test_a_beat_from_before_the_lease_was_given_takes_nothing_back() -> None:
    claim = Claim()
    claim.acquired(10, 20)
    assert not claim.seen(15, mine=False)
    claim.leave(15, 30)
    assert not claim.over(30 + GRACE_NS + 1)


def test_a_lease_that_a_later_beat_does_not_show_is_forgotten() -> None:
    claim = Claim()
    claim.acquired(10, 20)
    assert claim.seen(25, mine=False)
    assert claim.doubtful(26)
    claim.acquired(30, 40)
    assert not claim.doubtful(41)


def test_who_is_to_leave_goes_on_for_the_grace_unless_it_is_to_stay_after_all() -> None:
    claim = Claim()
    claim.acquired(10, 20)
    claim.leave(25, 30)
    claim.leave(26, 40)
    assert not claim.over(30 + GRACE_NS)
    assert claim.over(30 + GRACE_NS + 1)
    claim.seen(50, mine=True)
    assert not claim.over(30 + GRACE_NS + 1)


def test_a_beat_from_before_the_loss_says_nothing_any_more() -> None:
    claim = Claim()
    claim.acquired(10, 20)
    claim.lost(30)
    assert claim.outdated(29)
    assert not claim.outdated(31)
