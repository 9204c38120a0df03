"""One book from venue to reader under any order of losses, repeats and whole books: live means right, for both.

The venue's book is a dict whose every state is remembered by its sequence; a track of each kind of rule follows it,
and a reader follows the track's entries.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aggregator.books import VenueBook
from aggregator.counters import Counters
from ingest.rows import LAST
from ingest.sequence import Rule, Spliced, Step, Summed
from ingest.tally import Tally
from ingest.track import Track
from ingest.venue import BookUpdate
from thalweg.book import Book
from thalweg.events import Event, Flag, Open, State
from thalweg.fixed import Levels
from thalweg.instruments import Instrument
from thalweg.wire import encode_entry

SECOND = 1_000_000_000
INSTRUMENT = Instrument("BTC-USD", 8, 8, {"toy": "BTC"})
Side = dict[int, int]
SIDES = st.sampled_from((0, 1))
CHANGES = st.lists(st.tuples(SIDES, st.integers(1, 12), st.integers(0, 3)), min_size=1, max_size=4)


def levels(side: Side, sign: int) -> Levels:
    rows = [[price, side[price]] for price in sorted(side, reverse=sign > 0)]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def summed(book: Book, shift: tuple[int, int]) -> int:
    return zlib.crc32(book.bids().tobytes() + book.asks().tobytes())


class Following(RuleBasedStateMachine):
    """A venue, a track and a reader; frames are on their way in order, unless a rule has it otherwise."""

    rule_of: Callable[[], Rule] = Step

    @initialize()
    def begin(self) -> None:
        self.sides: tuple[Side, Side] = ({}, {})
        self.sequence, self.now, self.n = 1, SECOND, 0
        self.history: dict[int, list[list[list[int]]]] = {1: [[], []]}
        self.wire: deque[BookUpdate] = deque()
        self.tally, self.counters = Tally(), Counters()
        self.reader = VenueBook(INSTRUMENT, "toy")
        self.reader.heard = True
        self.track = Track("toy", INSTRUMENT, "BTC", type(self).rule_of(), None, self._read, self.tally)
        self._read(Open("toy", "BTC-USD", 8, 8, None, "sequence", None, self.now))
        self.send_a_whole_book()
        self.arrive_all()

    def _read(self, event: Event) -> None:
        self.n += 1
        words = encode_entry(event, self.now)
        taken = self.reader.take((7, self.n), dict(zip(words[::2], words[1::2], strict=True)), self.now, self.counters)
        assert taken is not None

    def _take(self, update: BookUpdate, *, fetched: bool = False) -> None:
        self.now += SECOND // 100
        self.track.update(update, self.now, self.now, fetched=fetched)

    def _update(self, whole: bool, bids: Levels, asks: Levels) -> BookUpdate:
        first = None if whole else self.sequence
        sides = [levels(side, sign) for side, sign in zip(self.sides, (1, -1), strict=True)]
        checksum = zlib.crc32(sides[0].tobytes() + sides[1].tobytes())
        return BookUpdate("BTC", whole, bids, asks, first, self.sequence, self.now, checksum)

    @rule(changes=CHANGES)
    def change(self, changes: list[tuple[int, int, int]]) -> None:
        """The venue's book changes; bids are below 100 and asks above, so that nothing ever crosses."""
        rows: tuple[list[list[int]], list[list[int]]] = ([], [])
        for side, place, size in changes:
            price = 100 + place if side else 100 - place
            self.sides[side].pop(price, None) if not size else self.sides[side].update({price: size})
            rows[side].append([price, size])
        self.sequence += 1
        self.history[self.sequence] = [
            levels(side, sign).tolist() for side, sign in zip(self.sides, (1, -1), strict=True)
        ]
        arrays = [np.array(some, dtype=np.int64).reshape(-1, 2) for some in rows]
        self.wire.append(self._update(False, *arrays))

    @rule()
    def send_a_whole_book(self) -> None:
        """The venue gives the whole book: in band, or by REST past what is still on its way."""
        whole = self._update(True, levels(self.sides[0], 1), levels(self.sides[1], -1))
        if type(self).rule_of is Spliced:
            self._take(whole, fetched=True)
        else:
            self.wire.append(whole)

    @rule(changes=CHANGES, lost=CHANGES)
    def change_and_lose(self, changes: list[tuple[int, int, int]], lost: list[tuple[int, int, int]]) -> None:
        """All that is on its way arrives but for one change."""
        self.arrive_all()
        self.change(lost)
        self.wire.clear()
        self.change(changes)
        self.arrive_all()

    @precondition(lambda self: self.wire)
    @rule()
    def arrive(self) -> None:
        self.last = self.wire.popleft()
        self._take(self.last)

    @precondition(lambda self: self.wire)
    @rule()
    def arrive_all(self) -> None:
        while self.wire:
            self.arrive()

    @precondition(lambda self: self.wire)
    @rule()
    def lose(self) -> None:
        self.wire.popleft()

    @precondition(lambda self: hasattr(self, "last") and type(self).rule_of is not Summed)
    @rule()
    def repeat(self) -> None:
        if not self.last.whole:
            self._take(self.last)

    @rule(really=st.integers(0, 5))
    def disconnect(self, really: int) -> None:
        """Seldom: what was on its way is gone, and told."""
        if really:
            return
        self.wire.clear()
        self.track.set_state(State.STALE, "closed", self.now)

    @rule(seconds=st.integers(1, 70))
    def wait(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self.track.check(self.now, self.now)

    @rule()
    def write_the_whole_book(self) -> None:
        self.track.periodic(self.now)

    @invariant()
    def live_means_right(self) -> None:
        track, reader = self.track, self.reader
        assert (track.state is State.LIVE) == reader.live
        if track.state is not State.LIVE or track.flags & Flag.UNVERIFIED:
            return
        assert track.sequence is not None
        bids, asks = self.history[track.sequence]
        assert (track.book.bids().tolist(), track.book.asks().tolist()) == (bids, asks)
        assert (reader.book.bids().tolist(), reader.book.asks().tolist()) == (bids, asks)

    @invariant()
    def nothing_vanishes(self) -> None:
        came = self.tally.decoded + sum(self.tally.made.values())
        assert came == self.n - 1 + sum(self.tally.dropped.values()) + self.track.held

    def teardown(self) -> None:
        """After a whole book and what follows it, the book is live and the newest."""
        if self.track.state is State.STALE:
            self.wire.clear()
            self.send_a_whole_book()
        self.arrive_all()
        if self.track.state is State.STALE:
            self.send_a_whole_book()
            self.arrive_all()
        self.live_means_right()


def by_sum() -> Rule:
    return Summed(summed)


def run(make: Callable[[], Rule], examples: int, *, same: bool = False) -> None:
    """Run the machine with a rule; `same` for the same examples each time."""

    class Machine(Following):
        pass

    Machine.rule_of = staticmethod(make)
    phases = (Phase.generate, Phase.target)  # a failing run is short enough as it is
    few = settings(max_examples=examples, stateful_step_count=40, deadline=None, database=None, phases=phases)
    run_state_machine_as_test(Machine, settings=settings(few, derandomize=same))


@pytest.mark.parametrize("make", [Step, Spliced, by_sum])
def test_a_live_book_is_the_venues(make: Callable[[], Rule]) -> None:
    run(make, 20)


@pytest.mark.parametrize("make", [Step, Spliced])
def test_a_rule_that_finds_no_gap_is_noticed(monkeypatch: pytest.MonkeyPatch, make: type[Step | Spliced]) -> None:
    admit = make.admit

    def blind(self: Step | Spliced, update: BookUpdate) -> object:
        verdict = admit(self, update)  # type: ignore[arg-type]
        if verdict.name == "GAP":
            self.cells[LAST] = update.last or 0
            return type(verdict).APPLY
        return verdict

    monkeypatch.setattr(make, "admit", blind)
    with pytest.raises((AssertionError, ExceptionGroup, Flaky)):
        run(make, 40, same=True)
