from __future__ import annotations

import json
import random

import orjson
import pytest

from gateway.bearer import OPEN, Guard
from gateway.channels import Channel
from gateway.protocol import CHANNELS, FIRST_SUBSCRIBE_NS, Close
from gateway.session import Session
from gateway.subscription import Subscription
from gateway.trades import TradesTopic
from tests.gateway.client import Message, RecordingWire
from tests.gateway.test_topics import BOOK, LADDER, TRADES, Scene, expected_book, expected_ladder

TOKEN = "not-so-very-secret"


class Talk:
    """One client of a scene, request by request; `shown` is the token that came with its handshake."""

    def __init__(self, guard: Guard = OPEN, shown: str | None = None) -> None:
        self.scene = Scene()
        self.wire = self.scene.wire
        self.session = Session(self.scene.hub, self.wire, self.scene.ticker.now, guard, shown)
        self.scene.ticker.sessions.append(self.session)

    def say(self, message: Message | str) -> list[Message]:
        before = len(self.wire.reader.messages)
        text = message if isinstance(message, str) else orjson.dumps(message).decode()
        self.session.receive(text, self.scene.ticker.now)
        return self.wire.reader.messages[before:]


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_the_first_message_says_who_speaks_and_what_the_limits_are(talk: Talk) -> None:
    talk.session.greet("node-1", talk.scene.ticker.now)
    (hello,) = talk.wire.reader.messages
    assert (hello["t"], hello["v"], hello["node"], hello["auth"]) == ("hello", 1, "node-1", "none")
    assert (hello["limits"]["channels"], hello["epoch"]) == (CHANNELS, talk.scene.maker.epoch)


def test_a_subscription_succeeds_in_part(talk: Talk) -> None:
    (ack,) = talk.say({"op": "subscribe", "id": 7, "ch": [BOOK, "book:nowhere:BTC-USDT", "status"], "depth": 12})
    assert ack == {
        "t": "ack",
        "id": 7,
        "ok": [BOOK, "status"],
        "err": [{"ch": "book:nowhere:BTC-USDT", "code": 102, "msg": "unknown channel"}],
        "granted": {"depth": 25, "rate_ms": 100},
    }


def test_the_answer_comes_before_the_first_data(talk: Talk) -> None:
    talk.say({"op": "subscribe", "id": 1, "ch": [BOOK]})
    talk.scene.tick()
    assert [message["t"] for message in talk.wire.reader.messages] == ["ack", "snap"]


def test_a_channel_is_subscribed_once(talk: Talk) -> None:
    talk.say({"op": "subscribe", "id": 1, "ch": [BOOK]})
    (ack,) = talk.say({"op": "subscribe", "id": 2, "ch": [BOOK, LADDER]})
    assert (ack["ok"], ack["err"][0]["code"]) == ([LADDER], 105)


def test_after_unsubscribing_nothing_more_comes(talk: Talk) -> None:
    talk.say({"op": "subscribe", "id": 1, "ch": [BOOK]})
    talk.scene.tick()
    (ack,) = talk.say({"op": "unsubscribe", "id": 2, "ch": [BOOK, LADDER]})
    assert (ack["ok"], ack["err"][0]["code"]) == ([BOOK], 113)
    talk.scene.publish(talk.scene.maker.delta(20))
    talk.scene.tick()
    assert talk.wire.reader.messages[-1] == ack


def test_a_depth_is_changed_by_subscribing_anew(talk: Talk) -> None:
    talk.scene.publish(talk.scene.maker.delta(900))
    talk.say({"op": "subscribe", "id": 1, "ch": [BOOK], "depth": 10})
    talk.scene.tick()
    talk.say({"op": "unsubscribe", "id": 2, "ch": [BOOK]})
    talk.say({"op": "subscribe", "id": 3, "ch": [BOOK], "depth": 25})
    talk.scene.tick()
    assert [len(snap["b"]) for snap in talk.wire.reader.of("snap")] == [10, 20]


def test_a_depth_is_changed_without_leaving(talk: Talk) -> None:
    talk.scene.publish(talk.scene.maker.delta(900))
    talk.say({"op": "subscribe", "id": 1, "ch": [BOOK, LADDER], "depth": 10})
    talk.scene.tick()
    (ack,) = talk.say({"op": "set", "id": 2, "ch": [BOOK, "status"], "depth": 30})
    assert (ack["ok"], [one["code"] for one in ack["err"]], ack["granted"]) == ([BOOK], [113], {"depth": 50})
    talk.scene.tick()
    assert [(one["ch"], len(one["b"])) for one in talk.wire.reader.of("snap")] == [(BOOK, 10), (LADDER, 10), (BOOK, 20)]


def test_a_rate_is_changed_without_leaving_and_nothing_is_lost_or_told_twice(talk: Talk) -> None:
    dice = random.Random(3)
    names = [BOOK, LADDER, TRADES]
    talk.say({"op": "subscribe", "id": 1, "ch": names})
    talk.scene.tick()
    other = talk.scene.ticker.connect(RecordingWire(), *names, rate_ms=1000)
    for count in range(60):
        talk.scene.publish(talk.scene.maker.delta(trades=1))
        if count % 6 == 5:
            rate_ms = dice.choice((0, 100, 250, 1000))
            talk.say({"op": "set", "id": count, "ch": dice.sample(names, 2), "rate_ms": rate_ms})
        talk.scene.tick()
        if dice.random() < 0.5:
            talk.scene.publish(talk.scene.maker.delta(trades=1))
            talk.scene.hub.deliver(talk.scene.ticker.now)
    talk.scene.tick(20)
    books = talk.wire.reader.books
    assert books[BOOK].ranked() == expected_book(talk.scene.maker, "kraken", 25)
    assert books[LADDER].ranked() == expected_ladder(talk.scene.maker, 25)
    trades = [row[4] for message in talk.wire.reader.of("trades") for row in message["x"]]
    assert trades == [str(n) for n in range(1, talk.scene.maker.traded + 1)]
    for one in talk.session.outbox.subscriptions.values():
        stats = one.stats()
        assert stats["to"] - stats["from"] == stats["merged"] + stats["skipped"]
    other.leave()
    assert talk.scene.hub.following == 3


def test_a_change_that_leads_nowhere_costs_no_snapshot(talk: Talk) -> None:
    talk.say({"op": "subscribe", "id": 1, "ch": [BOOK]})
    talk.scene.tick()
    talk.say({"op": "set", "id": 2, "ch": [BOOK], "depth": 25, "rate_ms": 100})
    talk.scene.tick(3)
    assert len(talk.wire.reader.of("snap")) == 1


def test_what_is_subscribed_can_be_listed(talk: Talk) -> None:
    talk.say({"op": "subscribe", "id": 1, "ch": [BOOK, "status"]})
    assert talk.say({"op": "list", "id": "x"}) == [{"t": "list", "id": "x", "ch": [BOOK, "status"]}]


def test_the_counters_can_be_asked_for(talk: Talk) -> None:
    talk.say({"op": "subscribe", "id": 1, "ch": [BOOK]})
    talk.scene.tick()
    talk.scene.publish(talk.scene.maker.delta(30), talk.scene.maker.delta(30))
    talk.scene.tick()
    (stats,) = talk.say({"op": "stats", "id": 2})
    assert stats == {"t": "stats", "id": 2, "ch": {BOOK: {"from": 1, "to": 3, "merged": 2, "skipped": 0}}}


def test_a_ping_is_answered_at_once(talk: Talk) -> None:
    (pong,) = talk.say({"op": "ping", "id": 5, "c": 42})
    assert pong == {"t": "pong", "id": 5, "c": 42, "srv": talk.scene.ticker.now.micros}


def test_a_bad_request_is_answered_and_the_connection_stays(talk: Talk) -> None:
    (error,) = talk.say({"op": "dance", "id": 5})
    assert (error["t"], error["id"], error["code"], error["retry"]) == ("err", 5, 107, False)
    assert talk.wire.closed is None


def test_what_is_not_json_ends_the_connection(talk: Talk) -> None:
    (error,) = talk.say("{")
    assert (error["code"], talk.wire.closed) == (107, Close.BAD_FRAME)


def test_a_flood_ends_the_connection(talk: Talk) -> None:
    for n in range(41):
        talk.say({"op": "ping", "id": n})
    assert (len(talk.wire.reader.of("pong")), talk.wire.closed) == (20, Close.TOO_MANY_REQUESTS)
    assert {(one["code"], one["retry"]) for one in talk.wire.reader.of("err")} == {(111, True)}
    assert [one["id"] for one in talk.wire.reader.of("err")] == list(range(20, 40))
    assert talk.say({"op": "subscribe", "id": 1, "ch": [BOOK]}) == []


def test_a_connection_holds_so_many_channels(talk: Talk) -> None:
    topic = TradesTopic(Channel("", "trades"), talk.scene.replica)
    for n in range(CHANNELS):
        talk.session.outbox.subscribe(Subscription(str(n), topic))
    (ack,) = talk.say({"op": "subscribe", "id": 1, "ch": [BOOK]})
    assert ack["err"][0]["code"] == 106


def test_who_asks_for_nothing_is_disconnected(talk: Talk) -> None:
    talk.scene.tick(FIRST_SUBSCRIBE_NS // 100_000_000)
    assert talk.wire.closed is None
    talk.scene.tick(2)
    assert talk.wire.closed is Close.NOTHING_SUBSCRIBED


def test_without_the_token_nothing_but_a_ping_is_answered() -> None:
    talk = Talk(Guard(TOKEN))
    talk.session.greet("node-1", talk.scene.ticker.now)
    assert talk.wire.reader.of("hello")[0]["auth"] == "token"
    assert talk.say({"op": "ping", "id": 1})[0]["t"] == "pong"
    (error,) = talk.say({"op": "subscribe", "id": 2, "ch": [BOOK]})
    assert (error["t"], error["id"], error["code"], error["retry"]) == ("err", 2, 101, False)
    assert talk.wire.closed is Close.UNAUTHORISED
    assert talk.scene.hub.following == 0


def test_the_token_opens_the_connection() -> None:
    talk = Talk(Guard(TOKEN))
    assert talk.say({"op": "auth", "id": 1, "token": TOKEN}) == [{"t": "ack", "id": 1, "ok": [], "err": []}]
    assert talk.say({"op": "subscribe", "id": 2, "ch": [BOOK]})[0]["ok"] == [BOOK]


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", "\ud800", "\u20ac" * 9])
def test_a_wrong_token_ends_the_connection(token: str) -> None:
    talk = Talk(Guard(TOKEN))
    talk.session.receive(json.dumps({"op": "auth", "id": 1, "token": token}), talk.scene.ticker.now)
    assert (talk.wire.reader.messages[-1]["code"], talk.wire.closed) in (
        (101, Close.UNAUTHORISED),
        (107, Close.BAD_FRAME),
    )


def test_a_token_that_came_with_the_handshake_is_enough() -> None:
    talk = Talk(Guard(TOKEN), TOKEN)
    talk.session.greet("node-1", talk.scene.ticker.now)
    assert talk.wire.reader.of("hello")[0]["auth"] == "none"
    assert talk.say({"op": "subscribe", "id": 2, "ch": [BOOK]})[0]["ok"] == [BOOK]


def test_a_wrong_token_in_the_handshake_ends_the_connection_at_once() -> None:
    talk = Talk(Guard(TOKEN), "another-token-indeed")
    talk.session.greet("node-1", talk.scene.ticker.now)
    assert [one["t"] for one in talk.wire.reader.messages] == ["hello", "err"]
    assert talk.wire.closed is Close.UNAUTHORISED


def test_where_no_token_is_set_showing_one_does_no_harm() -> None:
    talk = Talk()
    assert talk.say({"op": "auth", "id": 1, "token": TOKEN})[0]["t"] == "ack"


def test_who_never_shows_a_token_is_disconnected() -> None:
    talk = Talk(Guard(TOKEN))
    talk.scene.tick(FIRST_SUBSCRIBE_NS // 100_000_000 + 2)
    assert talk.wire.closed is Close.UNAUTHORISED


def test_an_error_of_ours_is_told_and_may_be_retried(talk: Talk) -> None:
    talk.session.fail()
    (error,) = talk.wire.reader.messages
    assert (error["code"], error["retry"], talk.wire.closed) == (100, True, None)


def test_topics_nobody_follows_are_given_up() -> None:
    scene = Scene()
    session = scene.ticker.connect(RecordingWire(), BOOK, LADDER)
    other = scene.ticker.connect(RecordingWire(), BOOK)
    session.leave()
    scene.ticker.sessions.remove(session)
    scene.publish(scene.maker.delta(30))
    assert scene.hub.following == 1
    other.leave()
    assert scene.hub.following == 0


def test_hello_says_that_it_is_a_replay_and_is_silent_when_all_is_live() -> None:
    live, replayed = Talk(), Talk()
    live.session.greet("node-1", live.scene.ticker.now)
    replayed.session.greet("node-1", replayed.scene.ticker.now, "kraken, flat out")
    assert "replay" not in live.wire.reader.of("hello")[-1]
    assert replayed.wire.reader.of("hello")[-1]["replay"] == "kraken, flat out"
