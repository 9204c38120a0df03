"""Each continuity rule, step by step, and on random walks against a venue that remembers every state of its book."""

from __future__ import annotations

import zlib
from random import Random

import numpy as np
import pytest

from ingest.sequence import Proof, Rule, Spliced, Step, Summed, Unchecked, Verdict
from ingest.venue import BookUpdate
from thalweg.book import Book
from thalweg.fixed import Levels

APPLY, HOLD, GAP, OLD = Verdict.APPLY, Verdict.HOLD, Verdict.GAP, Verdict.OLD
BEFORE, DUPLICATE, NOT_LIVE, IDLE = Verdict.BEFORE_SNAPSHOT, Verdict.DUPLICATE, Verdict.NOT_LIVE, Verdict.IDLE
SEEDS = range(150)


def levels(found: dict[int, int]) -> Levels:
    """Levels of one side; the rules look at sequences alone, so bids do for all."""
    return np.array(sorted(found.items(), reverse=True), dtype=np.int64).reshape(-1, 2)


def whole(last: int | None = None, found: dict[int, int] | None = None) -> BookUpdate:
    return BookUpdate("X", True, levels(found or {}), levels({}), last, last)


def delta(first: int | None = None, last: int | None = None, found: dict[int, int] | None = None) -> BookUpdate:
    return BookUpdate("X", False, levels(found or {}), levels({}), first, last if last is not None else first)


def verdicts(rule: Rule, *updates: BookUpdate) -> list[Verdict]:
    return [rule.admit(update) for update in updates]


def test_step_takes_the_next_delta_only() -> None:
    found = verdicts(Step(), delta(6), whole(7), delta(8), delta(9), delta(11))
    assert found == [NOT_LIVE, APPLY, APPLY, APPLY, GAP]


@pytest.mark.parametrize("last", [7, 6, 1, 9, None])
def test_step_calls_any_other_delta_a_gap(last: int | None) -> None:
    assert verdicts(Step(), whole(7), delta(last)) == [APPLY, GAP]


def test_a_gap_does_not_move_step() -> None:
    assert verdicts(Step(), whole(7), delta(9), delta(8)) == [APPLY, GAP, APPLY]


def test_step_starts_afresh_at_any_whole_book_also_at_a_lower_sequence() -> None:
    assert verdicts(Step(), whole(7), delta(8), whole(1), delta(2), whole(900), delta(901)) == [APPLY] * 6


def test_step_forgets() -> None:
    rule = Step()
    assert verdicts(rule, whole(7)) == [APPLY]
    rule.reset()
    assert verdicts(rule, delta(8)) == [NOT_LIVE]


def test_spliced_holds_until_the_whole_book_and_drops_what_it_has() -> None:
    rule = Spliced()
    early = [delta(5, 6), delta(7, 9), delta(10, 12)]
    assert verdicts(rule, *early, whole(8)) == [HOLD, HOLD, HOLD, APPLY]
    assert verdicts(rule, *early, delta(13, 13)) == [BEFORE, APPLY, APPLY, APPLY]


def test_spliced_refuses_a_whole_book_older_than_what_it_holds() -> None:
    rule = Spliced()
    assert verdicts(rule, delta(10, 12), whole(8), whole(9), delta(10, 12)) == [HOLD, OLD, APPLY, APPLY]


@pytest.mark.parametrize(("first", "verdict"), [(8, APPLY), (9, APPLY), (10, GAP)])
def test_the_first_delta_after_the_whole_book_overlaps_it_or_follows_it(first: int, verdict: Verdict) -> None:
    assert verdicts(Spliced(), whole(8), delta(first, 12)) == [APPLY, verdict]


@pytest.mark.parametrize(("first", "last", "verdict"), [
    (13, 15, APPLY), (14, 15, GAP), (12, 15, GAP), (10, 12, DUPLICATE), (1, 2, DUPLICATE),
    (13, 12, IDLE), (13, 11, GAP), (14, 12, GAP),
])  # fmt: skip
def test_after_the_splice_every_delta_follows_exactly(first: int, last: int, verdict: Verdict) -> None:
    assert verdicts(Spliced(), whole(8), delta(9, 12), delta(first, last)) == [APPLY, APPLY, verdict]


def test_a_whole_book_that_came_too_late_does_not_turn_ours_back() -> None:
    found = verdicts(Spliced(), delta(5, 6), whole(6), delta(7, 8), whole(7), delta(9), whole(9), delta(10))
    assert found == [HOLD, APPLY, APPLY, DUPLICATE, APPLY, APPLY, APPLY]


@pytest.mark.parametrize(
    ("last", "instant", "verdict"),
    [(3, 21, GAP), (3, 20, DUPLICATE), (3, 19, DUPLICATE), (3, None, DUPLICATE), (8, 21, DUPLICATE)],
)
def test_a_delta_that_is_behind_and_yet_later_is_of_a_venue_that_counts_anew(
    last: int, instant: int | None, verdict: Verdict
) -> None:
    newest, behind = delta(7, 8), delta(last, last)
    newest.ts_event, behind.ts_event = 20, instant
    assert verdicts(Spliced(), delta(5, 6), whole(6), newest, behind) == [HOLD, APPLY, APPLY, verdict]


def test_deltas_that_a_whole_book_ran_ahead_of_are_no_gap() -> None:
    updates = [whole(6), delta(7), whole(10), delta(8), delta(9, 11)]
    for instant, update in enumerate(updates):
        update.ts_event = None if update.whole else instant
    assert verdicts(Spliced(), *updates) == [APPLY, APPLY, APPLY, BEFORE, APPLY]


def test_spliced_can_not_do_without_sequences() -> None:
    assert verdicts(Spliced(), whole(None), delta(None)) == [OLD, GAP]


def test_spliced_forgets_what_it_held_and_what_it_has() -> None:
    rule = Spliced()
    verdicts(rule, delta(10, 12))
    rule.reset()
    assert verdicts(rule, whole(3)) == [APPLY]
    rule.reset()
    assert verdicts(rule, delta(4, 4)) == [HOLD]


def test_spliced_in_band_holds_nothing_and_is_replaced_by_any_whole_book() -> None:
    updates = delta(5, 6), whole(8), delta(9, 12), whole(3), delta(4, 4), delta(6, 6), whole(None)
    assert verdicts(Spliced(held=False), *updates) == [NOT_LIVE, APPLY, APPLY, APPLY, APPLY, GAP, OLD]


def test_no_change_is_a_sign_of_life_after_the_whole_book_and_no_news_before_it() -> None:
    assert verdicts(Spliced(), delta(7, 6), delta(8, 6), whole(8), delta(9, 8)) == [NOT_LIVE, GAP, APPLY, IDLE]


def test_unchecked_waits_for_a_whole_book_and_takes_all_after_it() -> None:
    rule = Unchecked()
    assert verdicts(rule, delta(), whole(), delta(), delta(), whole()) == [NOT_LIVE, APPLY, APPLY, APPLY, APPLY]
    assert rule.verify(whole(), Book()) is Proof.UNCLAIMED
    rule.reset()
    assert verdicts(rule, delta()) == [NOT_LIVE]


def test_summed_learns_the_places_from_the_whole_book_and_keeps_the_most() -> None:
    asked: list[tuple[int, int]] = []

    def checksum(book: Book, shift: tuple[int, int]) -> int:
        asked.append(shift)
        return 42

    rule = Summed(checksum)
    assert verdicts(rule, delta()) == [NOT_LIVE]
    found = []
    for is_whole, said, shift in [
        (True, 42, (-7, -1)),
        (False, 41, (-8, 0)),
        (False, 42, (-6, -8)),
        (False, None, (-8, -8)),
        (True, 42, (-8, -8)),
    ]:
        update = BookUpdate("X", is_whole, levels({}), levels({}), checksum=said, shift=shift)
        assert rule.admit(update) is APPLY
        found.append(rule.verify(update, Book()))
    assert found == [Proof.GOOD, Proof.BAD, Proof.GOOD, Proof.WITHDRAWN, Proof.GOOD]
    zero = BookUpdate("X", False, levels({}), levels({}), checksum=0, shift=(-8, -8))
    assert rule.verify(zero, Book()) is Proof.WITHDRAWN
    assert Summed(checksum, every=False).verify(delta(), Book()) is Proof.UNCLAIMED  # a sum now and then
    assert asked == [(-7, -1), (-7, 0), (-6, 0), (-8, -8), (-8, -8)]
    rule.reset()
    assert verdicts(rule, delta()) == [NOT_LIVE]


class Remembered:
    """A venue that remembers its book at every sequence, and a consumer that does what its rule says.

    `missed` are the sequences whose changes the consumer never had or threw away; `at` is where its book stands.
    """

    def __init__(self, rule: Rule, random: Random) -> None:
        self.rule, self.random = rule, random
        self.now = self.at = random.randrange(1, 50)
        self.states: dict[int, dict[int, int]] = {self.now: {100: 1, 99: 2}}
        self.book: dict[int, int] = {}
        self.held: list[BookUpdate] = []
        self.missed: set[int] = set()
        self.live = False
        self.applied = 0

    def span(self, most: int) -> BookUpdate:
        """One to `most` changes in one delta."""
        first, changed = self.now + 1, {}
        for _ in range(self.random.randint(1, most)):
            price, size = self.random.randrange(90, 110), self.random.randrange(4)
            state = {p: s for p, s in self.states[self.now].items() if p != price}
            self.now += 1
            self.states[self.now] = state | ({price: size} if size else {})
            changed[price] = size
        return delta(first, self.now, changed)

    def miss(self, update: BookUpdate) -> None:
        assert update.first is not None
        assert update.last is not None
        self.missed |= set(range(update.first, update.last + 1))

    def take(self, update: BookUpdate) -> Verdict:
        """Do what the rule says; a book that is applied to is right, and a gap has a reason."""
        verdict = self.rule.admit(update)
        assert update.first is not None
        assert update.last is not None
        if verdict is APPLY:
            self.book = {} if update.whole else self.book
            for price, size in update.bids.tolist():
                self.book.pop(price, None)
                if size:
                    self.book[price] = size
            assert self.book == self.states[update.last]
            assert update.whole or self.missed.isdisjoint(range(self.at + 1, update.last + 1))
            self.at, self.live, self.applied = update.last, True, self.applied + 1
            held, self.held = self.held, []
            for one in held:
                self.take(one)
        elif verdict is HOLD:
            self.held.append(update)
        elif verdict is GAP:
            assert update.last <= self.at or self.missed & set(range(self.at + 1, update.first))
            self.miss(update)
            self.live = False
            self.rule.reset()
        return verdict


FAULTS = pytest.mark.parametrize("rate", [0.0, 0.1], ids=["without faults", "with faults"])


@FAULTS
def test_step_finds_every_loss_at_the_next_delta_and_nothing_else(rate: float) -> None:
    for seed in SEEDS:
        venue, lost = Remembered(Step(), Random(seed)), False
        for _ in range(80):
            if not venue.live:
                assert venue.take(whole(venue.now, venue.states[venue.now])) is APPLY
                lost = False
            update = venue.span(1)
            if venue.random.random() < rate:
                venue.miss(update)
                lost = True
                continue
            assert venue.take(update) is (GAP if lost else APPLY)
            if venue.live and venue.random.random() < rate:
                assert venue.take(update) is GAP  # it came twice
        assert venue.applied > 40


@FAULTS
def test_spliced_never_shows_a_wrong_book_and_calls_nothing_else_a_gap(rate: float) -> None:
    spliced = 0
    for seed in SEEDS:
        venue = Remembered(Spliced(), Random(seed))
        for _ in range(120):
            update = venue.span(3)
            if venue.random.random() < rate:
                venue.miss(update)
                continue
            was_live = venue.live
            verdict = venue.take(update)
            assert verdict in ((APPLY, GAP) if was_live else (HOLD,))
            if venue.live and venue.random.random() < rate:
                assert venue.take(update) in (DUPLICATE, BEFORE)
            if not venue.live and venue.random.random() < 0.2:  # the answer to a fetch may be old
                at = max(venue.now - venue.random.randrange(12), min(venue.states))
                spliced += venue.take(whole(at, venue.states[at])) is APPLY and venue.live
    assert spliced >= len(SEEDS)


def checksum(book: Book, shift: tuple[int, int]) -> int:
    return zlib.crc32(book.bids(3).tobytes())


def test_summed_finds_a_loss_as_soon_as_the_top_differs_from_the_truth() -> None:
    misses = 0
    for seed in SEEDS:
        random = Random(seed)
        venue = Remembered(Summed(checksum), random)
        book = Book()
        live = False
        for _ in range(60):
            changed = venue.span(1).bids
            truth = Book()
            truth.load(levels(venue.states[venue.now]), levels({}))
            if live and random.random() < 0.1:
                continue
            update = delta() if live else whole(None, venue.states[venue.now])
            update.bids = changed if live else update.bids
            update.checksum = checksum(truth, (0, 0))
            assert venue.rule.admit(update) is APPLY
            (book.load if update.whole else book.apply)(update.bids, update.asks)
            same = bool(np.array_equal(book.bids(3), truth.bids(3)))
            live = venue.rule.verify(update, book) is Proof.GOOD
            assert live == same, f"seed {seed}"
            misses += not same
    assert misses > 50
