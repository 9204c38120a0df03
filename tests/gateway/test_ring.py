from __future__ import annotations

import random
from dataclasses import replace

import pytest

from gateway.ring import RING_BYTES, RING_NS, STEP_BYTES, Ring
from gateway.topic import Frame, Position

MS = 1_000_000


def place(s: int, applied: int | None = None, generation: int = 1, epoch: int = 7) -> Position:
    return Position(s, s if applied is None else applied, 0, generation, epoch)


class Walk:
    """Feeds a ring and keeps every place and step for ever."""

    def __init__(self) -> None:
        self.places = [place(10)]
        self.texts: list[bytes] = []
        self.ring = Ring(self.places[0])

    def step(self, by: int = 1, at_ms: int = 0, size: int = 4) -> None:
        before = self.places[-1]
        after = replace(before, s=before.s + by, applied=before.applied + by)
        text = str(len(self.texts)).encode().ljust(size)
        self.ring.add(Frame(text, before, by), after, at_ms * MS)
        self.places.append(after)
        self.texts.append(text)

    def missed(self, seq: int) -> list[bytes] | None:
        found = self.ring.find(7, seq)
        return None if found is None else self.ring.since(found)


def test_who_left_between_two_steps_gets_those_after() -> None:
    walk = Walk()
    for _ in range(4):
        walk.step(2)
    assert walk.missed(14) == walk.texts[2:]
    assert walk.missed(18) == []


def test_a_sequence_between_two_places_is_nowhere() -> None:
    walk = Walk()
    walk.step(2)
    walk.step(2)
    assert walk.missed(13) is None


def test_what_was_never_shown_is_nowhere() -> None:
    walk = Walk()
    walk.step()
    assert (walk.missed(12), walk.missed(9), walk.missed(-1)) == (None, None, None)


def test_another_epoch_is_not_believed() -> None:
    walk = Walk()
    walk.step()
    assert walk.ring.find(6, 11) is None


def test_where_a_variant_begins_may_have_been_shown_otherwise_before() -> None:
    walk = Walk()
    assert walk.missed(10) is None
    walk.step()
    assert walk.missed(10) is None


def test_a_step_that_changes_a_state_alone_makes_its_place_two() -> None:
    walk = Walk()
    walk.step()
    walk.step(0)
    assert walk.missed(11) is None
    walk.step()
    assert (walk.missed(11), walk.missed(12)) == (None, [])


def test_steps_are_forgotten_when_they_are_old() -> None:
    walk = Walk()
    for second in range(15):
        walk.step(1, 1000 * second)
    oldest = 10 + 15 - RING_NS // 1_000_000_000 - 1
    assert (walk.missed(oldest - 1), walk.missed(oldest)) == (None, walk.texts[oldest - 10 :])


def test_steps_are_forgotten_when_they_are_many() -> None:
    walk = Walk()
    size = RING_BYTES // 4 - STEP_BYTES
    for _ in range(10):
        walk.step(size=size)
    assert (walk.missed(15), walk.missed(16)) == (None, walk.texts[6:])


def test_nothing_is_left_of_what_was_before_a_restart() -> None:
    walk = Walk()
    walk.step()
    walk.ring.add(Frame(b"", walk.places[-1], 1, restart=True), place(11, 99, 2), 0)
    assert walk.missed(11) is None


def test_a_place_that_was_forgotten_meanwhile_is_not_followed() -> None:
    walk = Walk()
    for _ in range(3):
        walk.step()
    found = walk.ring.find(7, 11)
    assert found is not None
    assert found.resumed
    walk.step(size=RING_BYTES - 2 * STEP_BYTES)
    assert walk.ring.since(found) is None


@pytest.mark.parametrize("seed", range(30))
def test_a_ring_agrees_with_one_who_remembers_everything(seed: int) -> None:
    """The oracle: a place is known if it is the only one with its sequence among all there ever were."""
    dice, walk = random.Random(seed), Walk()
    for count in range(200):
        walk.step(dice.choice((0, 1, 1, 1, 3)), 100 * count, dice.choice((4, 400, 4000)))
        seq = walk.places[-1].s - dice.randrange(12)
        numbers = [number for number, one in enumerate(walk.places) if one.s == seq]
        missed = walk.missed(seq)
        if len(numbers) != 1 or numbers == [0]:
            assert missed is None
        elif missed is not None:
            assert missed == walk.texts[numbers[0] :]
        else:
            since = walk.texts[numbers[0] :]
            held = sum(len(text) + STEP_BYTES for text in since)
            assert held > RING_BYTES or len(since) * 100 * MS > RING_NS or walk.places[numbers[0]] == walk.places[0]
