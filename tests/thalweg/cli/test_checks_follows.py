"""The offline checks of one stream know where an epoch may go on without a snapshot, and where it may not."""

from __future__ import annotations

from tests.thalweg.cli.test_checks import EPOCH, EVENTS, NAME, STREAM, VENUE, Entries, entries, entry, levels, snapshot
from thalweg.cli.checks import check_input
from thalweg.events import Delta, Event, Made, Snapshot, State, Status


def going_on(follows: tuple[int, int]) -> Entries:
    """A second epoch that says it goes on after `follows`, changes the book and writes it whole."""
    after: list[Event] = [EVENTS[0], Status(VENUE, NAME, State.LIVE, 0, "", 6, 6, follows)]
    after.append(Delta(VENUE, NAME, levels((99, 0)), levels(), None, None, 6, 6))
    after.append(snapshot(Made.PERIODIC, levels((98, 5)), levels((101, 3)), 6))
    return [*entries(), *(entry(n, event, EPOCH + 1) for n, event in enumerate(after, 1))]


def test_an_epoch_that_goes_on_from_the_last_entry_is_as_it_should_be() -> None:
    found = check_input(NAME, VENUE, STREAM, going_on((EPOCH, 7))).found
    assert (found.violations, found.snapshots) == ([], 2)


def test_an_epoch_that_goes_on_from_another_entry_is_found() -> None:
    wrong = f"{STREAM}: {EPOCH + 1}-2 says that it follows a live book at {EPOCH}-6, and does not"
    found = check_input(NAME, VENUE, STREAM, going_on((EPOCH, 6))).found
    assert found.violations == [wrong, f"{STREAM}: {EPOCH + 1}-3 changes a book that no snapshot has begun"]


def test_an_epoch_that_goes_on_from_a_book_whose_beginning_is_trimmed_is_not_judged() -> None:
    more = going_on((EPOCH, 6))
    assert check_input(NAME, VENUE, STREAM, [*more[3:6], *more[7:]]).found.violations == []
    assert check_input(NAME, VENUE, STREAM, more[7:]).found.violations == []
    stale = entry(6, Status(VENUE, NAME, State.STALE, 0, "gap", 5, 5))
    wrong = f"{STREAM}: {EPOCH + 1}-2 says that it follows a live book at {EPOCH}-6, and does not"
    assert wrong in check_input(NAME, VENUE, STREAM, [*more[3:5], stale, *more[7:]]).found.violations


def told_live(*between: Event) -> Entries:
    """A live book that is told stale, then live without a snapshot, and changed."""
    stale, live = (Status(VENUE, NAME, state, 0, "", 5, 5) for state in (State.STALE, State.LIVE))
    after = [stale, *between, live, Delta(VENUE, NAME, levels((98, 6)), levels(), None, None, 6, 6)]
    return [*entries(), *(entry(n, event) for n, event in enumerate(after, 8))]


def test_a_book_that_is_told_live_without_a_snapshot_is_found() -> None:
    found = check_input(NAME, VENUE, STREAM, told_live()).found
    assert found.violations == [f"{STREAM}: {EPOCH}-10 changes a book that no snapshot has begun"]
    whole = Snapshot(VENUE, NAME, levels((1, 1)), levels(), None, None, 5, 5, Made.VENUE, State.STALE, 0)
    found = check_input(NAME, VENUE, STREAM, told_live(whole)).found
    assert found.violations == [f"{STREAM}: {EPOCH}-11 changes a book that no snapshot has begun"]


def test_an_epoch_that_goes_on_from_a_book_that_was_only_told_live_is_found() -> None:
    status = Status(VENUE, NAME, State.LIVE, 0, "", 6, 6, (EPOCH, 10))
    more = [*told_live()[:-1], entry(10, EVENTS[4]), entry(1, EVENTS[0], EPOCH + 1), entry(2, status, EPOCH + 1)]
    wrong = f"{STREAM}: {EPOCH + 1}-2 says that it follows a live book at {EPOCH}-10, and does not"
    assert wrong in check_input(NAME, VENUE, STREAM, more).found.violations
