"""Books that fall silent: thin ones are left alone, deaf ones are found and told."""

from __future__ import annotations

import random

import pytest

from tests.ingest.toy import BTC, BY_REST, ETH, Desk, delta, kinds, live, whole
from thalweg.events import Event, Flag, Snapshot


def busy(desk: Desk, updates: int = 50) -> None:
    """Teach the book a cadence of one update in 100 ms."""
    for k in range(2, updates + 2):
        desk.wait(0.1)
        desk.frame(delta(k, k, bids=[[100, k]]))


def alive(desk: Desk, seconds: int) -> list[str]:
    """Let time pass while only heartbeats come."""
    events = []
    for _ in range(seconds):
        desk.frame({"kind": "control", "sign": "alive"})
        events += desk.wait(1)
    return kinds([event for event in events if not isinstance(event, Snapshot)])


def test_a_busy_book_that_falls_silent_is_late_then_stale() -> None:
    desk = live(Desk())
    busy(desk)
    assert alive(desk, 3) == []
    assert alive(desk, 2) == ["live"]
    assert desk.session.tracks[0].flags & Flag.LATE
    assert desk.sent[-1] == "resubscribe BTC"
    assert alive(desk, 6) == ["stale"]


def test_an_answered_probe_clears_late() -> None:
    desk = live(Desk())
    busy(desk)
    alive(desk, 6)
    assert kinds(desk.frame(whole(90))) == ["live", "snapshot"]
    assert desk.session.tracks[0].flags == 0


def test_a_fetched_probe_tells_quiet_from_deaf() -> None:
    desk = live(Desk(BY_REST))
    busy(desk)
    alive(desk, 6)
    assert kinds(desk.answer(whole(51))) == ["live"]
    assert alive(desk, 14)[:1] == ["live"]
    fetched = len(desk.fetched)
    assert kinds(desk.answer(whole(60))) == ["stale"]
    desk.wait(1.5)
    assert desk.sent[-1] == "resubscribe BTC"
    assert len(desk.fetched) == fetched
    desk.frame(delta(61, 61))
    desk.wait(0.1)
    assert len(desk.fetched) == fetched + 1


def test_a_book_kept_from_us_is_not_fetched_before_something_follows_it_and_the_socket_is_given_up() -> None:
    desk = live(Desk(BY_REST))
    busy(desk)
    alive(desk, 5)
    fetched = len(desk.fetched)
    desk.answer(whole(60))
    desk.wait(0.1)
    desk.frame({"kind": "control", "sign": "ack", "symbols": ["BTC"]})
    assert alive(desk, 4) == []
    assert len(desk.fetched) == fetched
    assert desk.closed[0] == "nothing but heartbeats"


def test_a_probe_that_stays_behind_means_that_the_venue_counts_anew() -> None:
    desk = live(Desk(BY_REST))
    busy(desk)
    alive(desk, 6)
    for _ in range(2):
        assert kinds(desk.answer(whole(40))) == []
        assert desk.session.tracks[0].flags & Flag.LATE
        alive(desk, 5)
    assert kinds(desk.answer(whole(41))) == ["stale"]


def test_a_thin_book_does_not_flap() -> None:
    desk = live(Desk())
    for k in range(2, 6):
        alive(desk, 9)
        desk.frame(delta(k, k))
    assert alive(desk, 50) == []


def test_an_outage_leaves_a_busy_book_as_closely_watched_as_before() -> None:
    desk = live(Desk())
    busy(desk)
    desk.do(desk.session.disconnected("lost", desk.now))
    desk.now += 60_000_000_000
    desk.connect()
    desk.frame(whole(1))
    assert alive(desk, 6) == ["live"]
    assert desk.session.tracks[0].flags & Flag.LATE


def test_a_socket_that_answers_no_question_is_given_up() -> None:
    desk = live(Desk())
    busy(desk)
    alive(desk, 30)
    assert desk.closed[:1] == ["nothing but heartbeats"]


def test_a_socket_is_kept_while_its_book_is_only_thin() -> None:
    desk = live(Desk())
    busy(desk)
    for _ in range(10):
        alive(desk, 6)
        desk.frame(whole(51))
    assert desk.closed == []


def test_a_book_that_never_comes_costs_the_connection() -> None:
    desk = Desk()
    desk.connect()
    alive(desk, 30)
    assert desk.closed[:1] == ["no answer"]


class Hasty(Desk):
    """A desk whose session looks at every book in every tick."""

    def wait(self, seconds: float) -> list[Event]:
        for track in self.session.tracks:
            track.look_at = 0
        return super().wait(seconds)


@pytest.mark.parametrize("seed", range(4))
def test_books_left_alone_for_a_while_are_told_no_later(seed: int) -> None:
    desks = [kind(instruments=(BTC, ETH)) for kind in (Desk, Hasty)]
    rng = random.Random(seed)
    for desk in desks:
        desk.connect()
    sequence = dict.fromkeys(("BTC", "ETH"), 0)
    for _ in range(1_500):
        symbol = rng.choice(("BTC", "BTC", "ETH"))
        sequence[symbol] += 1
        number, size = sequence[symbol], rng.randint(1, 9)
        crossing = {"bids": [[105, rng.choice((0, 0, 0, 1))]]}
        message = rng.choices(
            (
                delta(number, number, bids=[[100, size]]),
                delta(number, number, **crossing),
                whole(number) | {"symbol": symbol},
                {"kind": "control", "sign": "alive"},
            ),
            (60, 10, 5, 20),
        )[0]
        message = message if message["kind"] == "control" else message | {"symbol": symbol}
        seconds = rng.choice((0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 1.0, 6.0))
        for desk in desks:
            desk.frame(message)
            for _ in range(round(seconds * 10)):
                desk.wait(0.1)
    usual, hasty = desks
    assert list(map(told, usual.events)) == list(map(told, hasty.events))
    assert (usual.sent, usual.closed) == (hasty.sent, hasty.closed)
    assert len(kinds([one for one in usual.events if not isinstance(one, Snapshot)])) > 100


def told(event: Event) -> tuple[str, ...]:
    """All of an event, to compare it."""
    return tuple(repr(getattr(event, name)) for name in type(event).__slots__)
