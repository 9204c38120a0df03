from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.client import Book as Oracle
from thalweg.client.conversation import Conversation, may_return, wait_s
from thalweg.errors import GatewayTrouble

BOOK, TRADES = "book:kraken:BTC-USDT", "trades:*:BTC-USDT"
SNAP: dict[str, Any] = {
    "t": "snap", "ch": BOOK, "e": 7, "s": 1, "st": "live", "fl": [], "b": [["9", "1"], ["8", "2"]], "a": [["10", "3"]],
}  # fmt: skip
DELTA: dict[str, Any] = {
    "t": "d",
    "ch": BOOK,
    "s": 2,
    "p": 1,
    "n": 1,
    "st": "live",
    "fl": [],
    "b": [["9", "0"]],
    "a": [],
}


def with_crc(*messages: dict[str, Any]) -> dict[str, Any]:
    """The last of these messages with the checksum that the gateway's tests work out."""
    oracle = Oracle()
    for message in messages:
        oracle.take(message)
    return {**messages[-1], "crc": oracle.checksum()}


def begun() -> Conversation:
    one = Conversation()
    one.want((BOOK, TRADES), 25, 100)
    one.due()
    one.take(json.dumps({"t": "hello", "node": "n1"}))
    one.take(json.dumps(with_crc(SNAP)))
    return one


def test_a_book_is_kept_by_sequence_and_checksum() -> None:
    one = begun()
    assert one.take(json.dumps(with_crc(SNAP, DELTA)))
    book = one.books[BOOK]
    assert (book.texts(), book.seq, book.state) == (([["8", "2"]], [["10", "3"]]), 2, "live")
    assert one.due() == []


@pytest.mark.parametrize("changed", [{"p": 0}, {"crc": 1}])
def test_a_wrong_sequence_or_checksum_leads_to_a_new_subscription(changed: dict[str, Any]) -> None:
    one = begun()
    assert one.take(json.dumps(DELTA | changed)) == []
    assert [(ask["op"], ask["ch"]) for ask in one.due()] == [("unsubscribe", [BOOK]), ("subscribe", [BOOK])]
    assert one.take(json.dumps(DELTA | {"p": 2, "s": 3})) == []
    assert (one.due(), one.counts.mismatches, one.books[BOOK].is_known) == ([], 1, False)
    assert one.take(json.dumps(with_crc(SNAP | {"s": 9})))
    assert one.books[BOOK].is_known


def test_after_a_lost_connection_it_resumes_where_it_was() -> None:
    one = begun()
    one.lose()
    assert one.books[BOOK].state == "disconnected"
    (ask,) = one.due()
    assert (ask["ch"], ask["node"], ask["resume"]) == ([BOOK, TRADES], "n1", {BOOK: {"epoch": 7, "seq": 1}})
    one.take(json.dumps(DELTA | {"resumed": True}))
    assert (one.books[BOOK].state, one.books[BOOK].seq, one.counts.resumed) == ("live", 2, 1)


def test_a_place_in_trades_that_is_lost_is_counted_and_given_up() -> None:
    one = begun()
    one.lose()
    (ask,) = one.due()
    one.take(json.dumps({"t": "ack", "id": ask["id"], "ok": [BOOK], "err": [{"ch": TRADES, "code": 112, "msg": "x"}]}))
    (again,) = one.due()
    assert (again["ch"], "resume" in again, one.counts.gaps) == ([TRADES], False, 1)


def test_a_request_that_came_too_soon_is_sent_again_after_a_heartbeat() -> None:
    one = Conversation()
    one.want((BOOK,), 25, 100)
    (ask,) = one.due()
    one.take(json.dumps({"t": "err", "id": ask["id"], "code": 111, "msg": "rate limited", "retry": True}))
    assert one.due() == []
    one.take(json.dumps({"t": "hb", "n": 1}))
    assert one.due() == [ask]


@pytest.mark.parametrize(
    "told",
    [
        {"t": "ack", "id": 1, "ok": [], "err": [{"ch": BOOK, "code": 102, "msg": "unknown channel"}]},
        {"t": "err", "code": 101, "msg": "unauthorised", "retry": False},
    ],
)
def test_what_is_refused_for_good_is_an_error(told: dict[str, Any]) -> None:
    with pytest.raises(GatewayTrouble):
        begun().take(json.dumps(told))


def test_close_codes_say_whether_to_come_back() -> None:
    assert [code for code in (1001, 1006, 1012, 4001, 4008, 4010, 4011, 4100) if not may_return(code)] == []
    assert [code for code in (1009, 4400, 4401, 4409, 4413, 4429) if may_return(code)] == []


def test_the_wait_grows_has_a_cap_and_is_never_less_than_told() -> None:
    assert [wait_s(attempt, 0, 1.0) for attempt in (0, 1, 5, 6, 1000)] == [0.5, 1.0, 16.0, 20.0, 20.0]
    assert wait_s(3, 1500, 0.0) == 1.5
