"""Entries of the streams: there and back for every kind, the golden bytes of version 1, and what is refused.

`tests/golden/entries-v1.resp` holds one RESP array of field names and values an entry, as a server sends them;
`entries-v1.txt` is the same for people. Neither is ever edited: a new layout is a new version with files of its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.errors import WireError
from thalweg.events import Delta, Event, Made, Open, Snapshot, State, Status, Taker, Trade
from thalweg.fixed import INT64_MAX, NO_LEVELS, Levels
from thalweg.resp import pack_words
from thalweg.wire import decode_entry, encode_entry, format_id, parse_id

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
VENUE, INSTRUMENT = "kraken", "BTC-USD"
TS = 1_764_000_000_000_000_000


def array(*levels: tuple[int, int]) -> Levels:
    return np.array(levels, dtype=np.int64).reshape(-1, 2)


def golden_events() -> list[tuple[Event, int]]:
    """One of every kind, and each again with what may be absent absent; with the instant each was packed."""
    bids, asks = (
        array((10_000_000_000_000, 150_000_000), (9_999_900_000_000, 1)),
        array((10_000_100_000_000, INT64_MAX)),
    )
    return [
        (Open(VENUE, INSTRUMENT, 8, 8, 25, "checksum", 10, TS), TS + 1),
        (Status(VENUE, INSTRUMENT, State.SYNCING, 0, "", TS, TS), TS + 2),
        (Snapshot(VENUE, INSTRUMENT, bids, asks, 7, 9, TS - 5, TS, Made.VENUE, State.LIVE, 0), TS + 3),
        (Delta(VENUE, INSTRUMENT, array((9_999_900_000_000, 0)), NO_LEVELS, 10, 12, TS - 4, TS + 10), TS + 11),
        (Trade(VENUE, INSTRUMENT, 10_000_100_000_000, 5, Taker.BUY, "4b1c-é", TS - 3, TS + 12), TS + 13),
        (Status(VENUE, INSTRUMENT, State.STALE, 5, "gap: 13 to 14", TS + 14, TS + 15), TS + 16),
        (Open(VENUE, INSTRUMENT, 0, 18, None, "sequence", None, TS), TS + 17),
        (
            Snapshot(VENUE, INSTRUMENT, NO_LEVELS, NO_LEVELS, None, None, None, TS, Made.BRIDGE, State.STALE, 15),
            TS + 18,
        ),
        (Delta(VENUE, INSTRUMENT, NO_LEVELS, array((1, 2)), None, None, None, TS), TS + 19),
        (Trade(VENUE, INSTRUMENT, 1, INT64_MAX, Taker.SELL, "", None, TS), TS + 20),
    ]


def plain(value: object) -> object:
    """An event with its arrays as lists, so that `==` compares it whole."""
    names = list(type(value).__slots__)  # type: ignore[attr-defined]
    parts = [getattr(value, name) for name in names]
    return type(value).__name__, [part.tolist() if isinstance(part, np.ndarray) else part for part in parts]


def as_fields(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def resp(flat: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(flat) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in flat)


def parse_resp(data: bytes) -> list[list[bytes]]:
    """A second reading of RESP arrays of bulk strings, by nothing of ours."""
    arrays, at = [], 0
    while at < len(data):
        end = data.index(b"\r\n", at)
        words, at_word = [], end + 2
        for _ in range(int(data[at + 1 : end])):
            end = data.index(b"\r\n", at_word)
            size = int(data[at_word + 1 : end])
            words.append(data[end + 2 : end + 2 + size])
            at_word = end + 4 + size
        arrays.append(words)
        at = at_word
    return arrays


def for_people(flat: list[bytes]) -> str:
    """One entry: a field a line; levels as hexadecimal bytes, a level a line, with what they mean."""
    lines = []
    for name, value in as_fields(flat).items():
        if name in (b"bids", b"asks"):
            lines.append(f"{name.decode():16}{len(value)} bytes")
            for at in range(0, len(value), 16):
                numbers = [int.from_bytes(value[at + k : at + k + 8], "little", signed=True) for k in (0, 8)]
                lines.append(f"{'':16}{value[at : at + 16].hex(' ')}  = {numbers[0]} x {numbers[1]}")
        else:
            lines.append(f"{name.decode():16}{value.decode()}".rstrip())
    return "\n".join(lines)


def test_version_1_writes_the_golden_bytes() -> None:
    written = b"".join(resp(encode_entry(event, ts_append)) for event, ts_append in golden_events())
    assert written == (GOLDEN / "entries-v1.resp").read_bytes()


def test_version_1_reads_the_golden_bytes() -> None:
    flats = parse_resp((GOLDEN / "entries-v1.resp").read_bytes())
    read = [decode_entry(VENUE, INSTRUMENT, as_fields(flat)) for flat in flats]
    assert [(plain(event), ts) for event, ts in read] == [(plain(event), ts) for event, ts in golden_events()]


def test_the_golden_text_says_what_the_golden_bytes_hold() -> None:
    flats = parse_resp((GOLDEN / "entries-v1.resp").read_bytes())
    assert "\n\n".join(map(for_people, flats)) + "\n" == (GOLDEN / "entries-v1.txt").read_text(encoding="utf-8")


def test_the_document_shows_the_golden_delta_and_its_bytes() -> None:
    flat = parse_resp((GOLDEN / "entries-v1.resp").read_bytes())[3]
    document = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
    assert for_people(flat) in document
    data = resp(flat)
    rows = [f"{at:04x}  {data[at : at + 16].hex(' '):47}  " for at in range(0xA0, len(data), 16)]
    assert [row for row in rows if row not in document] == []


FOLLOWING = Status(VENUE, INSTRUMENT, State.LIVE, 0, "", TS, TS + 1, (1_764_000_000_000, 42))


def test_a_status_that_follows_has_the_golden_bytes() -> None:
    data = (GOLDEN / "status-follows-v1.resp").read_bytes()
    assert resp(encode_entry(FOLLOWING, TS + 2)) == data
    assert decode_entry(VENUE, INSTRUMENT, as_fields(parse_resp(data)[0])) == (FOLLOWING, TS + 2)


@pytest.mark.parametrize("identity", [b"", b"7", b"7-", b"7-1-1", b"-7-1", b"a-b"])
def test_a_status_that_follows_no_entry_is_refused(identity: bytes) -> None:
    fields = as_fields(encode_entry(FOLLOWING, TS)) | {b"follows": identity}
    with pytest.raises(WireError):
        decode_entry(VENUE, INSTRUMENT, fields)


def test_an_entry_goes_into_a_command_as_it_is() -> None:
    event, ts_append = golden_events()[3]
    words = encode_entry(event, ts_append)
    assert pack_words(words) == resp(words)


NUMBERS = st.integers(0, INT64_MAX)
MAYBE = st.none() | NUMBERS
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LEVELS = st.lists(st.tuples(st.integers(1, INT64_MAX), NUMBERS), max_size=8).map(lambda rows: array(*rows))
HERE = {"venue": st.just(VENUE), "instrument": st.just(INSTRUMENT)}
BOOK = {"bids": LEVELS, "asks": LEVELS, "first": MAYBE, "last": MAYBE, "ts_event": MAYBE, "ts_recv": NUMBERS}
TAKERS = st.sampled_from(Taker)
STATE = {"state": st.sampled_from(State), "flags": st.integers(0, 15)}
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Open,
        **HERE,
        price_decimals=st.integers(0, 18),
        size_decimals=st.integers(0, 18),
        depth=MAYBE,
        detector=TEXTS,
        verified_depth=MAYBE,
        ts_recv=NUMBERS,
    ),
    st.builds(Snapshot, **HERE, **BOOK, **STATE, made=st.sampled_from(Made)),
    st.builds(Delta, **HERE, **BOOK),
    st.builds(
        Trade,
        **HERE,
        price=NUMBERS,
        size=NUMBERS,
        taker=st.sampled_from(Taker),
        id=TEXTS,
        ts_event=MAYBE,
        ts_recv=NUMBERS,
    ),
    st.builds(Status, **HERE, **STATE, reason=TEXTS, since=NUMBERS, ts_recv=NUMBERS),
)


@settings(max_examples=100, deadline=None)
@given(EVENTS, NUMBERS, st.dictionaries(st.binary(max_size=9).map(b"x-".__add__), st.binary(max_size=9), max_size=3))
def test_every_event_comes_back_as_it_went_whatever_fields_are_added(
    event: Event, ts_append: int, unknown: dict[bytes, bytes]
) -> None:
    fields = unknown | as_fields(encode_entry(event, ts_append))
    back, packed = decode_entry(VENUE, INSTRUMENT, fields)
    assert plain(back) == plain(event)
    assert packed == ts_append


@settings(max_examples=40, deadline=None)
@given(EVENTS)
def test_levels_read_from_the_wire_can_go_straight_to_the_kernels(event: Event) -> None:
    back, _ = decode_entry(VENUE, INSTRUMENT, as_fields(encode_entry(event, 0)))
    if isinstance(back, Delta | Snapshot):
        for levels in (back.bids, back.asks):
            assert levels.dtype == np.int64
            assert levels.shape[1] == 2
            assert levels.flags.c_contiguous


NAMES = [name for event, ts in golden_events() for name in as_fields(encode_entry(event, ts))]
NO_NUMBERS = (b"", b"1_000", b" 1", b"+1", b"--1", b"1.0", b"0x1", b"9223372036854775808", b"9" * 5_000)
VALUES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"", b"1_0", b" 1", b"+1", b"\xd9\xa3", b"9" * 5_000, b"9223372036854775808", b"live", b"buy", b"1"]
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([b"open", b"snapshot", b"delta", b"trade", b"status"]) | st.binary(max_size=9), st.data())
def test_arbitrary_bytes_are_an_event_or_a_wire_error_and_nothing_else(kind: bytes, data: st.DataObject) -> None:
    fields = data.draw(st.dictionaries(st.sampled_from(NAMES), VALUES)) | {b"kind": kind}
    if data.draw(st.booleans()):
        whole = data.draw(st.sampled_from([as_fields(encode_entry(*golden)) for golden in golden_events()]))
        fields = whole | dict(list(fields.items())[:2])
    try:
        event, ts_append = decode_entry(VENUE, INSTRUMENT, fields)
    except WireError:
        return
    again = decode_entry(VENUE, INSTRUMENT, as_fields(encode_entry(event, ts_append)))
    assert (plain(again[0]), again[1]) == (plain(event), ts_append)
    assert ts_append <= INT64_MAX


@pytest.mark.parametrize("golden", golden_events(), ids=lambda golden: type(golden[0]).__name__.lower())
def test_a_field_of_the_layout_that_is_missing_is_refused_unless_it_may_be_absent(golden: tuple[Event, int]) -> None:
    whole = as_fields(encode_entry(*golden))
    for name in whole.keys() - {b"first", b"last", b"ts_event", b"depth", b"verified_depth", b"venue", b"instrument"}:
        with pytest.raises(WireError):
            decode_entry(VENUE, INSTRUMENT, {key: value for key, value in whole.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (b"ts_recv", bad)
            for bad in (b"", b"1_000", b" 1", b"+1", b"1.0", b"0x1", b"9223372036854775808", b"9" * 5_000)
        ),
        (b"first", b"x"),
        (b"bids", bytes(15)),
        (b"asks", bytes(24)),
        (b"state", b"Live"),
        (b"state", b"\xff"),
        (b"made", b"me"),
    ],
)
def test_a_value_that_the_layout_does_not_have_is_refused(name: bytes, value: bytes) -> None:
    snapshot = as_fields(encode_entry(*golden_events()[2]))
    with pytest.raises(WireError, match="snapshot"):
        decode_entry(VENUE, INSTRUMENT, snapshot | {name: value})


@pytest.mark.parametrize("kind", [b"", b"Delta", b"heartbeat", b"\xff"])
def test_an_unknown_kind_is_refused(kind: bytes) -> None:
    with pytest.raises(WireError, match="unknown kind"):
        decode_entry(VENUE, INSTRUMENT, {b"kind": kind})


def test_an_entry_without_a_kind_is_refused() -> None:
    with pytest.raises(WireError, match="unknown kind"):
        decode_entry(VENUE, INSTRUMENT, {})


@pytest.mark.parametrize("version", [b"0", b"2", b"one"])
def test_an_unknown_version_is_refused(version: bytes) -> None:
    opened = as_fields(encode_entry(*golden_events()[0]))
    with pytest.raises(WireError, match=version.decode()):
        decode_entry(VENUE, INSTRUMENT, opened | {b"v": version})


@settings(max_examples=50, deadline=None)
@given(NUMBERS, NUMBERS)
def test_ids_come_back_as_they_went(epoch: int, n: int) -> None:
    assert parse_id(format_id(epoch, n)) == (epoch, n)
    assert parse_id(format_id(epoch, n).decode()) == (epoch, n)


@pytest.mark.parametrize(
    "text", ["", "-", "1-", "-1", "1", "1-2-3", "a-1", "1_0-1", " 1-1", "٣-1", "²-1", b"\xff-1", b"1-\xb2"]
)
def test_what_is_no_id_is_refused(text: bytes | str) -> None:
    with pytest.raises(WireError, match="not a stream ID"):
        parse_id(text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=12) | st.text(max_size=12))
def test_arbitrary_ids_are_read_or_a_wire_error(text: bytes | str) -> None:
    try:
        epoch, n = parse_id(text)
    except WireError:
        return
    assert min(epoch, n) >= 0
