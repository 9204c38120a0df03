"""A socket that only beats is dead; one that is quiet by habit is not."""

from __future__ import annotations

from ingest.liveness import Liveness
from ingest.venue import Keepalive
from tests.ingest.toy import BTC, ETH, Desk, delta, kinds, whole
from thalweg.events import State, Status


def busy(desk: Desk, updates: int = 60) -> None:
    """Both books change ten times a second."""
    desk.connect()
    desk.frame(whole(1), whole(1, symbol="ETH"))
    for k in range(2, updates + 2):
        desk.wait(0.1)
        desk.frame(delta(k, k, bids=[[100, k]]), delta(k, k, symbol="ETH"))


def beats(desk: Desk, seconds: float) -> list[Status]:
    """Let time pass in which only heartbeats come; gives what was told."""
    events = []
    for _ in range(round(seconds * 2)):
        events += desk.frame({"kind": "control", "sign": "alive"})
        events += desk.wait(0.5)
    return [event for event in events if isinstance(event, Status)]


def test_heartbeats_alone_close_the_socket_within_5_s() -> None:
    desk = Desk(instruments=(BTC, ETH))
    busy(desk)
    told = beats(desk, 5)
    assert desk.closed[0] == "nothing but heartbeats"
    assert kinds(desk.do(desk.session.disconnected(desk.closed[0], desk.now))) == ["stale", "stale"]
    assert told  # late, before that


def test_a_socket_of_quiet_books_is_left_alone() -> None:
    desk = Desk(instruments=(BTC, ETH))
    busy(desk)
    for k in range(62, 70):
        beats(desk, 3.5)
        desk.frame(delta(k, k), delta(k, k, symbol="ETH"))
    closed = len(desk.closed)
    beats(desk, 6)
    assert len(desk.closed) == closed == 0


def test_a_socket_of_the_thinnest_books_is_never_closed_while_they_answer() -> None:
    desk = Desk(instruments=(BTC, ETH))
    desk.connect()
    desk.frame(whole(1), whole(1, symbol="ETH"))
    answered = 0
    for _ in range(300):
        beats(desk, 1)
        for text in desk.sent[answered:]:
            if text.startswith("resubscribe"):
                desk.frame(whole(1, symbol=text.split()[1]))
        answered = len(desk.sent)
    assert desk.closed == []
    assert desk.tally.gaps == 0


def test_the_only_book_of_a_socket_is_asked_about_before_the_socket_is_given_up() -> None:
    desk = Desk()
    desk.connect()
    desk.frame(whole(1))
    for k in range(2, 62):
        desk.wait(0.1)
        desk.frame(delta(k, k, bids=[[100, k]]))
    beats(desk, 6)
    assert (desk.sent[-1], desk.closed) == ("resubscribe BTC", [])
    beats(desk, 3)
    assert desk.closed[0] == "nothing but heartbeats"


def test_a_connection_without_a_book_that_the_venue_has_is_kept() -> None:
    desk = Desk()
    desk.connect()
    desk.do(desk.session.unlisted("BTC", desk.now, desk.now))
    beats(desk, 14)
    assert desk.closed == []


def test_one_book_s_silence_is_its_own_matter() -> None:
    desk = Desk(instruments=(BTC, ETH))
    busy(desk)
    events = []
    for k in range(62, 122):
        events += desk.wait(0.1)
        events += desk.frame(delta(k, k, symbol="ETH"))
    assert desk.closed == []
    told = [event for event in events if isinstance(event, Status)]
    assert {event.instrument for event in told} == {"BTC-USDT"}
    assert told[0].ts_recv - desk.now <= 0
    assert [text for text in desk.sent if text.startswith("resub")] == ["resubscribe BTC"]
    assert desk.session.tracks[1].state is State.LIVE


def test_a_new_connection_is_heard_of_at_its_first_frame() -> None:
    liveness = Liveness(Keepalive(5.0), None)
    found = []
    for step in (liveness.opened, liveness.frame, liveness.opened):
        step(1)
        found.append(liveness.heard)
    assert found == [False, True, False]
