"""Many books lost at once: each is asked for once at a time, later further apart, and no more than can be sent."""

from __future__ import annotations

import random

import pytest

from ingest.sequence import Step
from ingest.venue import Listing
from tests.ingest.toy import BTC, BY_REST, ETH, TOY, UNIT, Desk, delta, kinds, live, replay, whole, with_rule
from thalweg.events import State
from thalweg.instruments import Instrument

MANY = [Instrument(f"B{k}-USDT", 8, 8, {"toy": f"B{k}"}) for k in range(200)]
SYMBOLS = [one.symbols["toy"] for one in MANY]
SLOW = with_rule(Step, pace_s=0.5)


def asked(desk: Desk) -> list[str]:
    """The symbols asked for again, in order."""
    return [text.split()[1] for text in desk.sent if text.startswith("resubscribe")]


def pass_a_second(desk: Desk, number: int) -> None:
    """Let a second pass in which trades go on."""
    desk.frame({"kind": "trade", "symbol": "B0", "number": number})
    desk.wait(1)


def lost(desk: Desk) -> None:
    """Bring 200 books live, then lose a delta of each."""
    desk.connect()
    if desk.venue.rest_snapshot is None:
        for symbol in SYMBOLS:
            desk.frame(whole(1, symbol=symbol))
    else:
        for symbol in SYMBOLS:
            desk.frame(delta(1, 1, symbol=symbol))
        desk.wait(0.1)
        for symbol in SYMBOLS:
            desk.answer(whole(1, symbol=symbol))
    assert {track.state for track in desk.session.tracks} == {State.LIVE}
    desk.sent.clear()
    desk.fetched.clear()
    for symbol in SYMBOLS:
        desk.frame(delta(3, 3, symbol=symbol))
    assert {track.state for track in desk.session.tracks} == {State.STALE}


@pytest.mark.parametrize("venue", [TOY, SLOW])
def test_no_more_books_are_asked_for_at_once_than_can_be_sent_in_time(venue: object) -> None:
    desk = Desk(SLOW if venue is SLOW else TOY, MANY)
    lost(desk)
    desk.wait(0.1)
    assert len(asked(desk)) == min(200, desk.venue.answers_at_once)
    answered = 0
    for _ in range(200):
        for symbol in asked(desk)[answered:]:
            desk.frame(whole(9, symbol=symbol))
            answered += 1
        desk.wait(0.1)
    assert {track.state for track in desk.session.tracks} == {State.LIVE}
    assert sorted(asked(desk)) == sorted(SYMBOLS)


def test_a_book_whose_answer_does_not_come_is_asked_for_one_question_at_a_time() -> None:
    desk = Desk(TOY, MANY)
    lost(desk)
    for second in range(90):
        pass_a_second(desk, second)
    counts = [asked(desk).count(symbol) for symbol in SYMBOLS]
    assert min(counts) >= 2
    assert max(counts) <= 4


def test_fetches_that_come_to_nothing_are_spread_over_half_a_minute() -> None:
    desk = Desk(BY_REST, MANY)
    spread = random.Random(1)
    for asking in desk.session._books:
        asking._backoff._uniform = spread.random
    lost(desk)
    began, instants = desk.now, []
    for tick in range(1200):
        desk.frame({"kind": "trade", "symbol": "B0", "number": tick})
        desk.wait(0.1)
        for symbol in desk.fetched:
            instants.append((desk.now - began) / 1e9)
            desk.do(desk.session.fetch_failed(symbol, None, desk.now, desk.now, "HTTP 500"))
        desk.fetched.clear()
    late = [instant for instant in instants if instant > 60]
    assert len(late) / 60 * 60 < 200 * 60 / 10  # a mean of 15 s between two questions about one book
    busiest = max(sum(start <= one < start + 1 for one in late) for start in range(60, 119))
    assert busiest < 40


def test_whoever_must_wait_does_not_come_back_all_at_once() -> None:
    desk = Desk(BY_REST, MANY)
    spread = random.Random(1)
    for asking in desk.session._books:
        asking._backoff._uniform = spread.random
    lost(desk)
    desk.wait(0.1)
    for symbol in SYMBOLS:
        desk.do(desk.session.fetch_failed(symbol, 60.0, desk.now, desk.now, "HTTP 429"))
    desk.fetched.clear()
    counts = []
    for second in range(64):
        pass_a_second(desk, second)
        counts.append(len(desk.fetched))
    assert counts[58] == 0
    assert 0 < counts[60] < 200


def test_a_whole_book_replaces_every_level() -> None:
    desk = live(Desk())
    desk.frame(delta(2, 2, bids=[[50, 1]], asks=[[150, 1]]))
    desk.do(desk.session.disconnected("lost", desk.now))
    desk.connect()
    desk.frame(whole(7, bids=[[90, 3]], asks=[[91, 4]]))
    book = replay(desk.events)
    assert book is not None
    assert book.bids().tolist() == [[90 * UNIT, 3 * UNIT]]
    assert book.asks().tolist() == [[91 * UNIT, 4 * UNIT]]


def test_a_new_connection_does_not_wait_for_questions_of_the_last_one() -> None:
    desk = live(Desk(BY_REST))
    for _ in range(4):
        desk.frame(delta(9, 9))
        desk.wait(0.1)
        desk.do(desk.session.fetch_failed("BTC", None, desk.now, desk.now, "HTTP 500"))
    desk.session.tracks[0].deaf = True
    desk.do(desk.session.disconnected("lost", desk.now))
    desk.connect()
    desk.fetched.clear()
    desk.frame(delta(1, 1))
    desk.wait(0.1)
    assert desk.fetched == ["BTC"]
    assert desk.sent[-1] == "subscribe BTC"


def test_a_symbol_the_venue_does_not_know_is_given_up_and_the_others_live() -> None:
    desk = Desk(BY_REST, (BTC, ETH))
    desk.connect()
    desk.frame(delta(1, 1), delta(1, 1, symbol="ETH"))
    desk.wait(0.1)
    desk.answer(whole(1, symbol="ETH"))
    assert kinds(desk.do(desk.session.unlisted("BTC", desk.now, desk.now))) == ["delisted"]
    fetched = len(desk.fetched)
    for _ in range(10):
        desk.frame({"kind": "control", "sign": "alive"})
        desk.wait(1)
    assert [track.state for track in desk.session.tracks] == [State.DELISTED, State.LIVE]
    assert len(desk.fetched) == fetched
    desk.do(desk.session.listed({"BTC": Listing("BTC", "USDT", 2, 2)}, desk.now, desk.now))
    desk.wait(0.1)
    assert desk.session.tracks[0].state is State.SYNCING


def test_a_whole_book_does_not_end_a_halt() -> None:
    desk = Desk()
    desk.connect()
    halt = {"kind": "control", "sign": "state", "state": "halted", "text": "maintenance"}
    assert kinds(desk.frame(halt)) == ["halted"]
    assert kinds(desk.frame(whole(1), delta(2, 2))) == []
    assert desk.tally.dropped["not_live"] == 2
    assert kinds(desk.frame(halt | {"state": "syncing", "text": "online"})) == ["syncing"]
    desk.wait(0.1)
    assert desk.sent[-1] == "resubscribe BTC"
    assert kinds(desk.frame(whole(5))) == ["snapshot", "live"]


def test_a_venue_that_is_down_halts_its_books_and_says_it_once() -> None:
    desk = live(Desk())
    assert kinds(desk.do(desk.session.disconnected("HTTP 503", desk.now, down=True))) == ["halted"]
    assert desk.do(desk.session.waiting("HTTP 503", desk.now, down=True)) == []
    assert kinds(desk.connect()) == ["syncing"]
    assert kinds(desk.frame(whole(1))) == ["snapshot", "live"]
    assert desk.tally.reconnects == 1
