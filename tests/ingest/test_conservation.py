"""Random markets with losses: no reader's live book is ever wrong, and every event is accounted for."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest.toy import BY_REST, TOY, UNIT, Desk, delta, replay, whole
from thalweg.events import State


@pytest.mark.parametrize("venue", [TOY, BY_REST], ids=["step", "spliced"])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_loss_is_unmarked_and_every_event_is_accounted_for(venue: object, seed: int) -> None:
    """A random market with drops, repeats, silences and cuts: a reader's live book is never wrong."""
    rng = random.Random(seed)
    desk = Desk(venue)  # type: ignore[arg-type]  # one of the two toy venues
    truth: dict[int, int] = {100: 1}
    asks = [[1000, 1]]
    last = 1

    def now_whole() -> dict[str, object]:
        return whole(last, bids=sorted(map(list, truth.items()), reverse=True), asks=asks)

    desk.connect()
    for _ in range(120):
        price, size = rng.randint(90, 110), rng.randint(0, 5)
        truth.pop(price, None) if size == 0 else truth.__setitem__(price, size)
        last += 1
        change = delta(last, last, bids=[[price, size]])
        chance = rng.random()
        if chance > 0.05:
            desk.frame(change)
        if chance > 0.95:
            desk.frame(change)
        if rng.random() < 0.02:
            desk.do(desk.session.disconnected("cut", desk.now))
            desk.connect()
        sent, fetched = len(desk.sent), len(desk.fetched)
        desk.wait(0.2)
        asked = len(desk.sent) > sent or desk.sent[-1:] == ["subscribe BTC"]
        if not desk.venue.rest_snapshot and asked and rng.random() < 0.7:
            desk.frame(now_whole())
        if len(desk.fetched) > fetched:
            desk.answer(now_whole())
        book = replay(desk.events)
        if book is not None and desk.state is State.LIVE and desk.session.tracks[0].sequence == last:
            assert book.bids().tolist() == [[p * UNIT, s * UNIT] for p, s in sorted(truth.items(), reverse=True)]
        came, went = desk.balance()
        assert came == went
