"""Whatever comes, a decoder gives messages with tame texts or a DecodeError, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.venue import BookUpdate, Control, Decoded, Ignored, Refused, Sign, TradeUpdate, Venue
from ingest.venues import VENUES
from tests.ingest.venues.shapes import FRAMES, reader_of, scales
from thalweg.errors import DecodeError
from thalweg.fixed import INT64_MAX
from thalweg.instruments import SYMBOL

SEEDS = {
    name: [line for path in sorted((FRAMES / name).glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    for name in VENUES
}
BY_VENUE = pytest.mark.parametrize("venue", VENUES.values(), ids=lambda venue: venue.name)
FEW = settings(max_examples=100, deadline=None)
ODD = st.recursive(
    st.sampled_from([None, True, False, -1, 0, 2**63, 2**64, 10**30, 1.5, "", "12", "٣", "\x00", "x" * 200, "BTCUSDT"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("absuUpq"), inner, max_size=3),
    max_leaves=5,
)


def attempt(venue: Venue, data: bytes) -> None:
    """Give the bytes to everything that reads bytes."""
    try:
        check(reader_of(venue).decode(data, scales))
    except DecodeError:
        pass
    if venue.rest_snapshot:
        refused_or_done(venue.rest_snapshot.decode, data, "BTCUSDT", scales)
    if venue.metadata:
        refused_or_done(venue.metadata.decode, data)


def refused_or_done(read: Callable[..., object], *arguments: object) -> None:
    try:
        read(*arguments)
    except DecodeError:
        pass


def check(decoded: Decoded) -> None:
    """No number is out of bounds and no text is wild."""
    for message in decoded.messages:
        match message:
            case BookUpdate():
                assert scales(message.symbol)
                assert all(0 <= number <= INT64_MAX for number in (message.first or 0, message.last or 0))
            case TradeUpdate():
                assert scales(message.symbol)
                assert message.price > 0
                assert message.size > 0
                assert len(message.id) <= 40
            case Control():
                assert all(SYMBOL.fullmatch(symbol) for symbol in message.symbols)
                assert len(message.text) <= 120
                assert message.text.isprintable()
            case Ignored():
                assert SYMBOL.fullmatch(message.type)
            case Refused():
                assert message.symbol is None or SYMBOL.fullmatch(message.symbol)


@BY_VENUE
@FEW
@given(data=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(venue: Venue, data: bytes) -> None:
    attempt(venue, data)


@BY_VENUE
@FEW
@given(data=st.data())
def test_frames_with_bytes_changed_cut_and_put_in(venue: Venue, data: st.DataObject) -> None:
    frame = bytearray(data.draw(st.sampled_from(SEEDS[venue.name])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame)))
        upto = at + data.draw(st.integers(0, 3))
        frame[at:upto] = data.draw(st.binary(max_size=3) | st.sampled_from([b'"', b"[", b"{}", b"null", b"1e9", b"-"]))
    attempt(venue, bytes(frame))


@BY_VENUE
@FEW
@given(data=st.data())
def test_frames_with_a_value_of_another_type(venue: Venue, data: st.DataObject) -> None:
    found = json.loads(data.draw(st.sampled_from(SEEDS[venue.name])))
    spots = list(places(found))
    if not spots:
        return
    table, key = data.draw(st.sampled_from(spots))
    if data.draw(st.booleans()):
        table[key] = data.draw(ODD)
    else:
        del table[key]
    attempt(venue, json.dumps(found, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass"))


def places(found: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value where something stands."""
    keys = list(found) if isinstance(found, dict) else range(len(found)) if isinstance(found, list) else []
    return [spot for key in keys for spot in [(found, key), *places(found[key])]]


@BY_VENUE
@pytest.mark.parametrize("opening", [b"[", b'{"data":', b'{"channel":"book","data":[', b'{"stream":"x","data":'])
@pytest.mark.parametrize("depth", [200, 600, 1_020, 100_000])
def test_deep_nesting(venue: Venue, opening: bytes, depth: int) -> None:
    attempt(venue, opening * depth)
    closing = bytes({91: 93, 123: 125}[byte] for byte in reversed(opening) if byte in b"[{")
    attempt(venue, opening * depth + b"1" + closing * depth)


@BY_VENUE
def test_a_number_nested_as_deep_as_json_goes_is_only_refused(venue: Venue) -> None:
    for frame in SEEDS[venue.name]:
        for depth in range(80, 1_024, 67):
            nest = b"[" * depth + b"]" * depth
            for digits in (b'"62801.11000000"', b'"30245.40"', b"62818.8", b'"68900.00"', b'"68900.50"'):
                if digits in frame:
                    attempt(venue, frame.replace(digits, nest))


@BY_VENUE
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"null",
        b"1",
        b'"text"',
        b"[]",
        b"NaN",
        b"\xff\xfe{\x00}\x00",
        b'{"channel":"\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' + b"9" * 5_000 + b"}",
        b'{"e":"depthUpdate"',
    ],
)
def test_what_is_no_frame_is_counted_bad(venue: Venue, data: bytes) -> None:
    with pytest.raises(DecodeError):
        venue.decode(data, scales)


@BY_VENUE
def test_sixteen_mebibytes_of_nothing_are_refused_or_ignored(venue: Venue) -> None:
    size = 16 * 2**20
    attempt(venue, b'{"channel":"' + b"x" * size + b'"}')
    attempt(venue, b"[" * size)


@pytest.mark.parametrize("level", ['"12"', '{"1":1,"2":2}', '["1"]', '["1","2","3"]', "null", "5"])
@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_a_level_is_a_pair_and_nothing_that_could_be_taken_for_one(name: str, level: str) -> None:
    spoilt = {"binance": b'["62801.10000000","0.41230000"]', "bybit": b'["30245.40","0.224"]'}[name]
    frame = next(seed for seed in SEEDS[name] if spoilt in seed)
    with pytest.raises(DecodeError):
        VENUES[name].decode(frame.replace(spoilt, level.encode()), scales)


@pytest.mark.parametrize("number", [b"-1", b"true", b"1.0", b'"7"', b"null", b"9223372036854775808", b"1" * 30])
@pytest.mark.parametrize(("name", "key"), [("binance", b'"u":'), ("bybit", b'"u":'), ("coinbase", b'"sequence_num":')])
def test_a_sequence_is_an_integer_that_fits(name: str, key: bytes, number: bytes) -> None:
    before, _, after = next(seed for seed in SEEDS[name] if key in seed).partition(key)
    rest = after.lstrip(b"0123456789")
    VENUES[name].decode(before + key + b"9223372036854775807" + rest, scales)
    with pytest.raises(DecodeError):
        VENUES[name].decode(before + key + number + rest, scales)


def test_a_venues_words_are_cut_and_made_printable() -> None:
    frame = (
        b'{"error":"a\\n\\u001b[31m\\ud800' + b"x" * 500 + b'","method":"subscribe","success":false,"symbol":"\\ud800"}'
    )
    (message,) = VENUES["kraken"].decode(frame, scales).messages
    assert message == Control(Sign.NACK, (), ("a??[31m?" + "x" * 500)[:120])
