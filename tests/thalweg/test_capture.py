"""The capture format: lines there and back, frames that are not UTF-8, and what is no line of a capture."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.capture import Line, format_line, parse_line
from thalweg.errors import CaptureError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LINES = st.builds(
    Line,
    ts=st.integers(0, 2**63 - 1),
    connection=st.integers(0, 999),
    direction=st.sampled_from("<>hx"),
    data=st.binary(max_size=40) | TEXTS.map(str.encode),
    url=st.none() | TEXTS,
    status=st.none() | st.integers(0, 4999),
)


@settings(max_examples=150, deadline=None)
@given(LINES)
def test_a_line_comes_back_as_it_went(line: Line) -> None:
    text = format_line(line)
    assert parse_line(text) == line
    assert text.count(b"\n") == 1
    assert text.endswith(b"\n")


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=60) | st.recursive(st.none() | st.integers() | TEXTS, st.lists).map(json.dumps).map(str.encode)
)
def test_arbitrary_bytes_are_a_line_or_a_capture_error(text: bytes) -> None:
    try:
        line = parse_line(text)
    except CaptureError:
        return
    assert line is None


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.sampled_from("<>hx"), st.lists(TEXTS)
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["t", "c", "d", "u", "s", "f", "v", "b64"]), VALUES))
def test_any_object_is_a_line_or_a_capture_error(found: dict[str, object]) -> None:
    try:
        line = parse_line(json.dumps(found).encode())
    except CaptureError:
        return
    if line is not None:
        assert (line.ts, line.direction) == (found["t"], found["d"])
        assert format_line(line)


def test_a_frame_is_kept_exactly_as_it_came() -> None:
    line = parse_line('{"t":5,"c":2,"d":"<","f":"{\\"p\\": 1.50, \\"é\\":\\u2028}"}'.encode())
    assert line == Line(5, 2, "<", '{"p": 1.50, "é":\u2028}'.encode())


def test_bytes_that_are_not_text_travel_as_base64() -> None:
    text = format_line(Line(5, 0, "<", b"\xff\x00"))
    assert json.loads(text) == {"t": 5, "c": 0, "d": "<", "b64": base64.b64encode(b"\xff\x00").decode()}


def test_half_a_surrogate_pair_in_a_frame_is_kept() -> None:
    line = parse_line(b'{"t":5,"c":0,"d":"<","f":"\\ud800"}')
    assert line is not None
    assert line.data == b"\xed\xa0\x80"
    assert parse_line(format_line(line)) == line


def test_an_http_response_keeps_url_and_status() -> None:
    line = parse_line(b'{"t":5,"c":0,"d":"h","u":"https://venue/depth","s":429,"hd":{"Retry-After":"1"},"f":"{}"}')
    assert line == Line(5, 0, "h", b"{}", "https://venue/depth", 429)


def test_a_close_has_a_code_and_no_frame() -> None:
    assert parse_line(b'{"t":5,"c":1,"d":"x","s":1006}') == Line(5, 1, "x", b"", None, 1006)


@pytest.mark.parametrize("text", [b"", b"  \r\n", b'{"v":1}\n', b'{"v":1,"venue":"kraken","started":5}'])
def test_the_head_line_and_blank_lines_are_nothing(text: bytes) -> None:
    assert parse_line(text) is None


@pytest.mark.parametrize(
    "text",
    [
        b"not json",
        b"\xff\xfe\x00",
        b"[1]",
        b'"text"',
        b"{}",
        b"[" * 100_000,
        b'{"t":' + b"9" * 5_000 + b',"d":"<"}',
        b'{"v":2}',
        b'{"v":"1"}',
        b'{"d":"<","f":"no instant"}',
        b'{"t":1.5,"d":"<","f":""}',
        b'{"t":"5","d":"<","f":""}',
        b'{"t":5,"f":"no direction"}',
        b'{"t":5,"d":"?","f":""}',
        b'{"t":5,"d":["<"],"f":""}',
        b'{"t":5,"c":"1","d":"<","f":""}',
        b'{"t":5,"d":"<","f":{"json":"not text"}}',
        b'{"t":5,"d":"<","f":7}',
        b'{"t":5,"d":"<","b64":7}',
        b'{"t":5,"d":"<","b64":"AA"}',
        b'{"t":5,"d":"<","b64":"A A="}',
        '{"t":5,"d":"<","b64":"\u00e9\u00e9"}'.encode(),
    ],
)
def test_what_is_no_line_of_a_capture_is_refused(text: bytes) -> None:
    with pytest.raises(CaptureError) as caught:
        parse_line(text)
    assert len(str(caught.value)) < 200


def test_a_line_with_half_a_character_comes_back_too() -> None:
    line = parse_line(rb'{"t":5,"c":1,"d":"h","u":"wss://x/\ud800","f":"\ud800"}')
    assert line is not None
    assert parse_line(format_line(line)) == line
