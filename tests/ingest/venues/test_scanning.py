"""The fast way through a frame gives what the general way gives, or steps aside; and it does not step aside idly."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.scanning import Template
from ingest.venue import Decoded, Scales
from ingest.venues import VENUES, binance, bybit, kraken
from tests.ingest.venues.shapes import frames, plain, scales
from thalweg import scan
from thalweg.capture import parse_line
from thalweg.errors import DecodeError
from thalweg.fixed import INT64_MAX

MODULES = {name: import_module(f"ingest.venues.{name}") for name, venue in VENUES.items() if venue.express}
BOOKS = {name: frames(name, "book") for name in MODULES if name != "binance"}
BOOKS |= {"binance": frames("binance", "delta")[:1], "kraken": BOOKS["kraken"][:2] + frames("kraken", "vector")}
BY_VENUE = pytest.mark.parametrize("name", MODULES)
MANY = settings(max_examples=250, deadline=None)
NUMBER = re.compile(rb'(?<=[":])[0-9]+(?:\.[0-9]+)?(?=[",}])')
OTHER_TEXTS = (b"", b"x", b"update", b"snapshot", b"orderbook.200", b"orderbook.1.x", b"heartbeats", b"trade")
ODD_NUMBERS = [
    *("0", "00.5", "007", "1.", ".5", "1e5", "5E-3", "-1", "-0", "+1", "1_000", " 1", "1 ", "", "NaN", "null", "0x10"),
    *("1.50000000000", "0.000000001", "0.0000000010", "0" * 64, "0" * 65, "0." + "0" * 62, "0." + "0" * 63, "1.2.3"),
    *("9" * 18, "9" * 19, "9" * 30, str(INT64_MAX), str(INT64_MAX + 1), "92233720368.54775807", "92233720368.54775808"),
    *("922337203685477579.9", "18446744073709551617", "٣", "\\u0031", "1\\n", '"1"', "true", "[1]", "5", "62801.1"),
]


def outcome(decode: Callable[[bytes, Scales], Decoded], frame: bytes, known: Scales) -> object:
    """What comes of a frame, comparable."""
    try:
        found = decode(frame, known)
    except DecodeError:
        return "bad"
    return [plain(message) for message in found.messages], found.connection_sequence


def general(name: str, frame: bytes, known: Scales) -> object:
    """What the general decoder makes of a frame."""
    return outcome(MODULES[name]._decode, frame, known)


def assert_same(name: str, frame: bytes, known: Scales = scales) -> None:
    assert outcome(VENUES[name].decode, frame, known) == general(name, frame, known)


def units(places: tuple[int, int]) -> Scales:
    return lambda symbol: places


@BY_VENUE
@pytest.mark.parametrize("places", [(2, 8), (8, 8), (0, 0), (18, 18), (12, 3), (5, 10)])
def test_book_frames_are_scanned_in_any_units_that_fit(name: str, places: tuple[int, int]) -> None:
    for frame in BOOKS[name]:
        assert_same(name, frame, units(places))
    if places in ((2, 8), (8, 8)):
        assert [VENUES[name].decode(frame, units(places)).fallbacks for frame in BOOKS[name]] == [0] * len(BOOKS[name])


def test_units_finer_than_usual_are_scanned_too() -> None:
    frame = BOOKS["binance"][0].replace(b"0.41230000", b"0.412300001234")
    decoded = binance.decode(frame, units((8, 12)))
    assert decoded.fallbacks == 0
    assert decoded.messages[0].bids[0].tolist() == [6280110000000, 412300001234]  # type: ignore[union-attr]
    assert_same("binance", frame, units((8, 12)))


@BY_VENUE
def test_every_odd_number_in_the_place_of_every_number(name: str) -> None:
    for frame in (BOOKS[name][0], BOOKS[name][-1]):
        for found in NUMBER.finditer(frame):
            for number in ODD_NUMBERS:
                assert_same(name, frame[: found.start()] + number.encode() + frame[found.end() :])


@BY_VENUE
def test_one_byte_dropped_doubled_or_another(name: str) -> None:
    frame = BOOKS[name][-1] if name != "coinbase" else BOOKS[name][1]
    for at in range(len(frame)):
        for byte in (b"", frame[at : at + 1] * 2, *(bytes([one]) for one in b'[]{},:"\\ 0.}-t\x00\x7f\xc3')):
            assert_same(name, frame[:at] + byte + frame[at + 1 :])


@BY_VENUE
def test_a_field_in_the_other_object_is_not_taken_for_the_one_that_belongs_there(name: str) -> None:
    for frame in BOOKS[name]:
        for found in re.finditer(rb'"\w+":(?:"[^"]*"|[0-9]+),', frame):
            rest = frame[: found.start()] + frame[found.end() :]
            for brace in re.finditer(rb"{", rest):
                assert_same(name, rest[: brace.end()] + found[0] + rest[brace.end() :])


@BY_VENUE
def test_a_field_that_is_missing_or_says_something_else_is_not_made_up(name: str) -> None:
    value = rb"""(?:"[^"]*"|[0-9.]+|\[\]|\[\[.*?\]\]|\[\{"(?:price|side)".*?\}\])"""
    for frame in BOOKS[name]:
        spots = [*re.finditer(rb'"\w+":' + value + b",", frame), *re.finditer(rb',"\w+":' + value, frame)]
        assert len(spots) > 8
        for found in spots:
            assert_same(name, frame[: found.start()] + frame[found.end() :])
        for found in re.finditer(rb'(?<=:")[^"]*(?=")', frame):
            for text in OTHER_TEXTS:
                assert_same(name, frame[: found.start()] + text + frame[found.end() :])


@BY_VENUE
def test_levels_that_stand_elsewhere_are_not_taken_for_the_books(name: str) -> None:
    for frame in BOOKS[name]:
        for key in (b'"b":[', b'"a":[', b'"bids":[', b'"asks":[', b'"updates":['):
            if key in frame:
                for other in (b'"c":[', b'"x\\', b'"c":0,"', b'"c":{"'):
                    assert_same(name, frame.replace(key, other + key[1:]))
                assert_same(name, frame[:-1] + b"," + key + b"]}")
                assert_same(name, b'{"first":{' + key + b"]}," + frame[1:])
                assert_same(name, frame.replace(key, b'"c":[').replace(b"{", b"{" + key + b"],", 1))


@BY_VENUE
@MANY
@given(data=st.data())
def test_odd_numbers(name: str, data: st.DataObject) -> None:
    frame = data.draw(st.sampled_from(BOOKS[name]))
    spots = [found.span() for found in NUMBER.finditer(frame)]
    start, end = data.draw(st.sampled_from(spots))
    number = data.draw(st.sampled_from(ODD_NUMBERS) | st.from_regex(r"[0-9]{1,20}(\.[0-9]{1,20})?", fullmatch=True))
    places = st.integers(0, 18)
    assert_same(name, frame[:start] + number.encode() + frame[end:], units((data.draw(places), data.draw(places))))


@BY_VENUE
@MANY
@given(data=st.data())
def test_bytes_changed_cut_and_put_in(name: str, data: st.DataObject) -> None:
    frame = bytearray(data.draw(st.sampled_from(BOOKS[name])))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(frame)))
        upto = at + data.draw(st.integers(0, 3))
        pieces = [
            b'"',
            b"[",
            b"]",
            b"{}",
            b",",
            b"\\",
            b" ",
            b"\n",
            b"1e9",
            b"-",
            b"\x00",
            b"\xc3\xa9",
            b'"b":[',
            b"[]",
        ]
        frame[at:upto] = data.draw(st.binary(max_size=3) | st.sampled_from(pieces))
    assert_same(name, bytes(frame))


@BY_VENUE
@MANY
@given(data=st.data())
def test_parts_of_a_frame_moved_and_told_twice(name: str, data: st.DataObject) -> None:
    frame = data.draw(st.sampled_from(BOOKS[name]))
    parts = re.split(rb"([\[\]{},:])", frame)
    first, second = sorted(data.draw(st.integers(0, len(parts))) for _ in range(2))
    to = data.draw(st.integers(0, len(parts)))
    moved = parts[first:second]
    rest = parts if data.draw(st.booleans()) else parts[:first] + parts[second:]
    assert_same(name, b"".join(rest[:to] + moved + rest[to:]))


@BY_VENUE
@MANY
@given(data=st.data())
def test_keys_in_any_order_and_white_space(name: str, data: st.DataObject) -> None:
    separators = data.draw(st.sampled_from([(",", ":"), (", ", ": "), (",", ": ")]))

    def shuffled(found: Any) -> str:
        """JSON of the same meaning, numbers as they were."""
        if isinstance(found, dict):
            items = data.draw(st.permutations(list(found.items())))
            inner = (json.dumps(key) + separators[1] + shuffled(value) for key, value in items)
            return "{" + separators[0].join(inner) + "}"
        if isinstance(found, list):
            return "[" + separators[0].join(map(shuffled, found)) + "]"
        return found.digits if isinstance(found, Digits) else json.dumps(found)

    frame = data.draw(st.sampled_from(BOOKS[name]))
    again = shuffled(json.loads(frame, parse_float=Digits, parse_int=Digits)).encode()
    assert outcome(VENUES[name].decode, again, scales) == general(name, frame, scales)
    assert VENUES[name].decode(again, scales).fallbacks == (separators != (",", ":"))


class Digits:
    """A number as it was written."""

    def __init__(self, digits: str) -> None:
        self.digits = digits


@BY_VENUE
@pytest.mark.parametrize("more", ["new", "type", "channel", "e", "b", "result", "topic"])
def test_a_field_that_is_not_documented_is_left_to_the_general_way(name: str, more: str) -> None:
    for frame in BOOKS[name]:
        for value in (b'"error"', b"1", b"null", b"[]", b'{"a":1}'):
            for at in (1, frame.index(b"{", 1) + 1):
                odd = frame[:at] + b'"' + more.encode() + b'":' + value + b"," + frame[at:]
                assert_same(name, odd)
                assert_same(name, odd.replace(b"}", b',"' + more.encode() + b'":' + value + b"}", 1))
    new = BOOKS[name][0][:-1] + b',"new":1}'
    assert VENUES[name].decode(new, scales).fallbacks == 1


def test_the_scanner_runs_as_plain_python_too() -> None:
    code = (
        "import sys; from ingest.venues import VENUES\n"
        "for line in sys.stdin.buffer:\n"
        "    name, frame = line.split(b' ', 1)\n"
        "    print(VENUES[name.decode()].decode(frame.strip(), lambda _: (8, 8)).fallbacks)"
    )
    lines = b"\n".join(name.encode() + b" " + frame for name, found in BOOKS.items() for frame in found)
    run = subprocess.run(
        [sys.executable, "-c", code], input=lines, capture_output=True, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}
    )
    assert run.stdout.split() == [b"0"] * sum(map(len, BOOKS.values())), run.stderr


def test_a_fallback_is_counted_for_books_alone() -> None:
    assert bybit.decode(BOOKS["bybit"][0].replace(b"30247.20", b"3.024720e4"), scales).fallbacks == 1
    assert bybit.decode(frames("bybit", "trade")[0], scales).fallbacks == 0
    assert bybit.decode(frames("bybit", "ignored")[0], scales).fallbacks == 0


def test_two_books_in_a_frame_are_left_to_the_general_way() -> None:
    entry = BOOKS["kraken"][1].partition(b"[")[2][:-2]
    frame = BOOKS["kraken"][1][:-2] + b"," + entry + b"]}"
    assert len(kraken.decode(frame, scales).messages) == kraken.decode(frame, scales).fallbacks == 2
    assert_same("kraken", frame)


@pytest.mark.parametrize(
    ("kinds", "level"),
    [
        ((scan.BID_PAIRS, scan.ASK_PAIRS), b'["1","0"],'),
        ((scan.BID_OBJECTS, scan.ASK_OBJECTS), b'{"price":1,"qty":0},'),
        ((scan.UPDATES,), b'{"side":"bid","price_level":"1","new_quantity":"0"},'),
    ],
)
def test_many_of_the_shortest_levels_fit_the_room_made_for_them(kinds: tuple[int, ...], level: bytes) -> None:
    template = Template(dict(zip("xy", kinds, strict=False)) | {"s": scan.TEXT}, {}, symbol="s")
    array = b"[" + (level * 500)[:-1] + b"]"
    frame = b'{"x":' + array + (b',"y":' + array if len(kinds) > 1 else b"") + b',"s":"BTC-USD"}'
    update, _, _ = template.read(frame, units((8, 8)))
    bids, asks = update.bids, update.asks
    assert (bids == [100_000_000, 0]).all()
    assert (len(bids), len(asks)) == (500, 500 * (len(kinds) - 1))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("binance", "binance-us"),
        ("bybit", "bybit-spot"),
        ("coinbase", "coinbase-advanced"),
        ("kraken", "kraken-btcusd-d25"),
    ],
)
def test_recorded_frames_are_scanned_and_come_out_the_same(captures: Path, name: str, file: str) -> None:
    with gzip.open(captures / f"{file}.jsonl.gz") as opened:
        lines = [line for line in map(parse_line, opened) if line is not None and line.direction == "<"]
    fallbacks = 0
    for line in lines:
        assert_same(name, line.data, units((8, 8)))
        fallbacks += VENUES[name].decode(line.data, units((8, 8))).fallbacks
    assert fallbacks == 0
