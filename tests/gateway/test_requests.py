from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol import REQUEST_BYTES, Close, Code
from gateway.requests import Adjust, Ask, Authenticate, Refused, Subscribe, Unsubscribe, parse_request


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ('{"op":"subscribe","id":7,"ch":["a","b","a"],"depth":20,"rate_ms":1}', Subscribe(7, ["a", "b"], 25, 100)),
        ('{"op":"subscribe","id":"x","ch":["a"]}', Subscribe("x", ["a"], 25, 100)),
        ('{"op":"subscribe","id":1,"ch":["a"],"unknown":[]}', Subscribe(1, ["a"], 25, 100)),
        (
            '{"op":"subscribe","id":1,"ch":["a"],"node":"n","resume":{"a":{"epoch":3,"seq":4,"more":[]}}}',
            Subscribe(1, ["a"], 25, 100, "n", {"a": (3, 4)}),
        ),
        ('{"op":"unsubscribe","id":8,"ch":["a"]}', Unsubscribe(8, ["a"])),
        ('{"op":"set","id":9,"ch":["a"],"depth":11}', Adjust(9, ["a"], 25, None)),
        ('{"op":"set","id":9,"ch":["a","a"],"rate_ms":0}', Adjust(9, ["a"], None, 0)),
        ('{"op":"list","id":9}', Ask("list", 9)),
        ('{"op":"auth","id":9,"token":"secret"}', Authenticate(9, "secret")),
        ('{"op":"stats","id":9}', Ask("stats", 9)),
        ('{"op":"ping","id":9,"c":123}', Ask("ping", 9, 123)),
        ('{"op":"ping","id":9,"c":"soon"}', Ask("ping", 9, None)),
    ],
)
def test_a_request_is_read(text: str, request_: object) -> None:
    assert parse_request(text) == request_


@pytest.mark.parametrize(
    ("text", "code", "fatal"),
    [
        (b"{}", Code.BAD_REQUEST, Close.BAD_FRAME),
        ("", Code.BAD_REQUEST, Close.BAD_FRAME),
        ("{", Code.BAD_REQUEST, Close.BAD_FRAME),
        ("[" * 10_000, Code.BAD_REQUEST, Close.BAD_FRAME),
        ("[]", Code.BAD_REQUEST, Close.BAD_FRAME),
        ("NaN", Code.BAD_REQUEST, Close.BAD_FRAME),
        ('"\ud800"', Code.BAD_REQUEST, Close.BAD_FRAME),
        (" " * (REQUEST_BYTES + 1), Code.LIMIT, Close.TOO_BIG),
        ("\u20ac" * (REQUEST_BYTES // 2), Code.LIMIT, Close.TOO_BIG),
        ("{}", Code.BAD_REQUEST, None),
        ('{"op":"subscribe","ch":["a"]}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":true,"ch":["a"]}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":1.5,"ch":["a"]}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":"' + "x" * 37 + '","ch":["a"]}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":1,"ch":"a"}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":1,"ch":[]}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":1,"ch":[1]}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":1,"ch":["a"],"depth":"10"}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":1,"ch":["a"],"depth":0}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":1,"ch":["a"],"rate_ms":-1}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":1,"ch":["a"],"resume":[]}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":1,"ch":["a"],"resume":{"a":[3,4]}}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":1,"ch":["a"],"resume":{"a":{"epoch":3}}}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":1,"ch":["a"],"resume":{"a":{"epoch":"e1","seq":4}}}', Code.BAD_REQUEST, None),
        ('{"op":"subscribe","id":1,"ch":["a"],"node":1}', Code.BAD_REQUEST, None),
        ('{"op":"set","id":1,"ch":["a"]}', Code.BAD_REQUEST, None),
        ('{"op":"set","id":1,"ch":["a"],"depth":true}', Code.BAD_REQUEST, None),
        ('{"op":"set","id":1,"depth":10}', Code.BAD_REQUEST, None),
        ('{"op":"auth","id":1}', Code.BAD_REQUEST, None),
        ('{"op":"auth","id":1,"token":7}', Code.BAD_REQUEST, None),
        ('{"op":"dance","id":1}', Code.BAD_REQUEST, None),
        ('{"op":["list"],"id":1}', Code.BAD_REQUEST, None),
    ],
)
def test_what_is_no_request_is_refused(text: str | bytes, code: Code, fatal: Close | None) -> None:
    request = parse_request(text)
    assert isinstance(request, Refused)
    assert (request.code, request.fatal) == (code, fatal)


@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(repr))
def test_no_text_is_beyond_refusal(text: str) -> None:
    assert isinstance(parse_request(text), Refused)
