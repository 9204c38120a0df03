from __future__ import annotations

import orjson

from gateway.answers import acknowledgement, pong, refusal
from gateway.protocol import Code
from gateway.requests import Ask, Refused


def test_an_answer_says_which_channels_were_accepted() -> None:
    answer = acknowledgement(7, ["a", "b" * 200], {"b" * 200: Code.UNKNOWN_CHANNEL}, {"depth": 25, "rate_ms": 250})
    assert orjson.loads(answer) == {
        "t": "ack",
        "id": 7,
        "ok": ["a"],
        "err": [{"ch": "b" * 80, "code": 102, "msg": "unknown channel"}],
        "granted": {"depth": 25, "rate_ms": 250},
    }


def test_a_refusal_has_an_id_where_the_request_had_one() -> None:
    assert "id" not in orjson.loads(refusal(Refused(None, Code.BAD_REQUEST, "not JSON")))
    assert orjson.loads(refusal(Refused(4, Code.BAD_REQUEST, "no")))["id"] == 4


def test_a_pong_has_both_instants() -> None:
    assert orjson.loads(pong(Ask("ping", 3, 11), 22)) == {"t": "pong", "id": 3, "c": 11, "srv": 22}


def test_what_may_be_asked_again_later_says_so() -> None:
    answers = [orjson.loads(refusal(Refused(1, code, ""))) for code in Code]
    assert {one["code"] for one in answers if one["retry"]} == {100, 111}
    assert all(one["msg"] for one in answers)
