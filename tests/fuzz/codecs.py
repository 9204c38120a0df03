"""Targets: bytes in Redis and in files. What is written reads back the same; what is not ours is refused in one way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson

from aggregator.bells import Bells
from aggregator.checkpoint import Checkpoint, decode_checkpoint, encode_checkpoint
from tests.fuzz.draw import Draw
from tests.fuzz.target import Target, kind_of
from thalweg.capture import format_line, parse_line
from thalweg.errors import CaptureError, WireError
from thalweg.events import Delta, Event, Made, Open, Snapshot, State, Status, Taker, Trade
from thalweg.fixed import Levels
from thalweg.instruments import Instrument, Instruments
from thalweg.wire import decode_entry, encode_entry, parse_id

GOLDEN = Path(__file__).parents[1] / "golden"
FRAMES = Path(__file__).parents[1] / "frames"
VENUE, NAME = "kraken", "BTC-USD"
FIELD_END = b"\x00\x1e"
INSTRUMENTS = Instruments({name: Instrument(name, 8, 8, {"kraken": name}) for name in ("BTC-USD", "ETH-USD")})


def comparable(event: Event) -> Event:
    """An event whose levels are lists, so that `==` compares them."""
    if isinstance(event, Delta | Snapshot):
        return replace(event, bids=event.bids.tolist(), asks=event.asks.tolist())
    return event


def again(event: Event, ts_append: int) -> tuple[Event, int]:
    """An event after its entry."""
    words = encode_entry(event, ts_append)
    found, instant = decode_entry(VENUE, NAME, dict(zip(words[::2], words[1::2], strict=True)))
    return comparable(found), instant


def judge_entry(data: bytes) -> object:
    """Any fields: an event that can be written again, or `WireError`."""
    fields = dict(part.split(b"=", 1) for part in data.split(FIELD_END) if b"=" in part)
    try:
        event, ts_append = decode_entry(VENUE, NAME, fields)
    except WireError as error:
        return kind_of(error)
    if isinstance(event, Open):
        event = replace(event, venue=VENUE, instrument=NAME)
    assert again(event, ts_append) == (comparable(event), ts_append)
    return type(event).__name__, event.ts_recv > 0


def _levels(draw: Draw) -> Levels:
    rows = [[draw.number(), draw.number()] for _ in range(draw.below(5))]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def draw_event(draw: Draw) -> Event:
    """Any event that a session could give."""
    kind = draw.below(5)
    if kind == 0:
        places = draw.below(19), draw.below(19)
        return Open(VENUE, NAME, *places, draw.maybe(), draw.choose(("none", "sequence")), draw.maybe(), draw.number())
    if kind == 1:
        made, state = draw.choose(tuple(Made)), draw.choose(tuple(State))
        numbers = draw.maybe(), draw.maybe(), draw.maybe(), draw.number()
        return Snapshot(VENUE, NAME, _levels(draw), _levels(draw), *numbers, made, state, draw.below(16))
    if kind == 2:
        numbers = draw.maybe(), draw.maybe(), draw.maybe(), draw.number()
        return Delta(VENUE, NAME, _levels(draw), _levels(draw), *numbers)
    if kind == 3:
        taker = draw.choose(tuple(Taker))
        return Trade(VENUE, NAME, draw.number(), draw.number(), taker, draw.text(40), draw.maybe(), draw.number())
    state = draw.choose(tuple(State))
    follows = (draw.number(), draw.number()) if draw.byte() & 1 else None
    return Status(VENUE, NAME, state, draw.below(16), draw.text(80), draw.number(), draw.number(), follows)


def judge_event(data: bytes) -> object:
    """Any event survives its entry."""
    draw = Draw(data)
    event, ts_append = draw_event(draw), draw.number()
    assert again(event, ts_append) == (comparable(event), ts_append)
    return type(event).__name__


def judge_capture(data: bytes) -> object:
    """Any line: one that can be written again, nothing, or `CaptureError`."""
    try:
        line = parse_line(data)
    except CaptureError as error:
        return kind_of(error)
    if line is None:
        return None
    assert parse_line(format_line(line)) == line
    return line.direction, line.url is None, line.status is None


def judge_checkpoint(data: bytes) -> object:
    """Any text: a checkpoint that can be written again, or `WireError`."""
    try:
        found = decode_checkpoint(data)
    except WireError as error:
        return kind_of(error)
    assert decode_checkpoint(encode_checkpoint(found)) == found
    return len(found.cursors), len(found.snapshots), found.seq > 0


def judge_bell(data: bytes) -> object:
    """Rings move the tops of known streams forward alone; anything else is `WireError` or passed over."""
    bells = Bells(INSTRUMENTS)
    before = dict(bells.tops)
    channel = bells.channels[data[0] % len(bells.channels)] if data else b"bell:{0}:nobody"
    try:
        bells.ring(channel, data[1:], 5)
    except WireError as error:
        return kind_of(error)
    assert bells.tops.keys() == before.keys()
    grown = bells.grown()
    assert all(top == bells.tops[stream] >= before[stream] for stream, top in grown)
    return len(grown)


def judge_id(data: bytes) -> object:
    """A stream ID is two runs of ASCII digits and a dash, or `WireError`."""
    try:
        epoch, n = parse_id(data)
    except WireError:
        return "refused"
    head, _, tail = data.partition(b"-")
    assert (epoch, n) == (int(head), int(tail))
    assert data.replace(b"-", b"", 1).isdigit()
    return len(head) > 19


def _entries() -> list[bytes]:
    draws = [bytes([kind, *b"\x01\x05\x00\x01\x03\x02\x01\x09\x01\x07" * 3]) for kind in range(5)]
    made = [encode_entry(draw_event(Draw(draw)), 7) for draw in draws]
    golden = (GOLDEN / "entries-v1.txt").read_text().strip().split("\n\n")
    texts = [
        [part.encode() for line in entry.splitlines() for part in [*line.split(None, 1), ""][:2]] for entry in golden
    ]
    return [
        FIELD_END.join(name + b"=" + value for name, value in zip(words[::2], words[1::2], strict=True))
        for words in (*made, *texts)
    ]


def _lines() -> list[bytes]:
    frames = [path.read_text() for path in sorted(FRAMES.glob("*/control.jsonl"))]
    first = [{"t": 5, "c": 1, "d": direction, "f": frame[:300]} for frame in frames for direction in "<>"]
    more = [{"t": 5, "c": 1, "d": "h", "u": "wss://x/y?z=1", "s": 200, "hd": {"a": "b"}, "b64": "/w=="}, {"v": 1}]
    return [orjson.dumps(one) for one in (*first, *more, {"t": 9, "c": 2, "d": "x", "s": 1006})]


def _checkpoints() -> list[bytes]:
    one = Checkpoint(7, 1_764_000_000_000, {"kraken": (1_764_000_000_000, 5)}, {"kraken": (1_764_000_000_000, 3)})
    return [encode_checkpoint(Checkpoint()), encode_checkpoint(one)]


_ENTRY_WORDS = [b"kind=", b"v=1", b"bids=", b"asks=", FIELD_END, b"ts_append=1", b"made=venue", b"follows=1-2"]

TARGETS = [
    Target("entry", judge_entry, _entries, least=100_000, words=_ENTRY_WORDS),
    Target("event", judge_event, lambda: [bytes([kind]) * 40 for kind in range(5)], least=100_000),
    Target("capture", judge_capture, _lines, least=100_000),
    Target("checkpoint", judge_checkpoint, _checkpoints, least=100_000, share=0.4),
    Target("bell", judge_bell, lambda: [b"\x00BTC-USD 1-2\nETH-USD 3-4", b"\x01ETH-USD 9-9"], least=100_000, share=0.4),
    Target("id", judge_id, lambda: [b"1764000000000-12", b"0-1"], least=100_000, share=0.4),
]
