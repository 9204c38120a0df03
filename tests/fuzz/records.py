"""Targets: publications. What is written reads back the same, and no record breaks what applies it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from aggregator.checkpoint import Checkpoint
from gateway.replica import Replica, Step, is_sound
from tests.fuzz.draw import Draw
from tests.fuzz.target import Target, kind_of
from tests.gateway.publications import Maker
from thalweg.errors import WireError
from thalweg.events import State, Taker
from thalweg.instruments import Instrument
from thalweg.ladder import Quote
from thalweg.publication import (
    Kind,
    Publication,
    PublishedTrade,
    Stamps,
    VenueLine,
    decode_publication,
    encode_publication,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "publication-v1.bin"
VENUES = ("binance", "kraken")
INSTRUMENT = Instrument("BTC-USDT", 2, 8, dict.fromkeys(VENUES, "X"))


def comparable(one: Publication) -> Publication:
    """A publication whose rows are lists, so that `==` compares them."""
    return replace(one, runs=one.runs.tolist(), changes=one.changes.tolist())


def judge_record(data: bytes) -> object:
    """Any bytes: a publication that can be written again and applied, or `WireError`."""
    try:
        one = decode_publication(data)
    except WireError as error:
        return kind_of(error)
    written = encode_publication(one)
    assert written[:160] == data[:3] + b"\0" + data[4:160]
    if not any("\ufffd" in line.reason for line in one.venues):  # a character that was cut is not written again
        assert comparable(decode_publication(written)) == comparable(one)
    try:
        Checkpoint().advance(data)
    except WireError:
        return "not to be advanced by"
    if not is_sound(one):
        return "unsound"
    return one.kind, str(_apply(one)), len(one.venues) > 1, bool(one.trades)


def _apply(one: Publication) -> Step:
    replica = Replica(INSTRUMENT)
    step = replica.step(one)
    replica.join([one], 5)
    replica.receive(replace(one, seq=one.seq + 1), 6)
    for venue in VENUES:
        bids, asks = replica.sides(venue)
        for side, sign in ((bids, -1), (asks, 1)):
            prices = [int(price) * sign for price in side[:, 0]]
            assert prices == sorted(set(prices)), "a side out of order"
        replica.age_ms(venue, 7)
    replica.quote()
    return step


def _line(draw: Draw, name: str) -> VenueLine:
    state, flags = draw.choose(tuple(State)), draw.below(16)
    last, ts_event, ts_book, since = (draw.maybe() for _ in range(4))
    return VenueLine(name, state, flags, last, ts_event, ts_book, since, draw.text(9))


def draw_publication(draw: Draw) -> Publication:
    """Any publication that an aggregator could make."""
    lines = [_line(draw, name) for name in VENUES[: draw.below(3)]]
    rows = [[draw.below(4), draw.number(), draw.number()] for _ in range(draw.below(5))]
    runs = [[draw.below(2), draw.number(), draw.number(), draw.number()] for _ in range(draw.below(4))]
    trades = [
        PublishedTrade(
            draw.below(2), draw.choose(tuple(Taker)), *(draw.number(), draw.number()), draw.text(20), draw.maybe(), 5
        )
        for _ in range(draw.below(3))
    ]
    head = draw.choose(tuple(Kind)), "BTC-USDT", draw.number(), draw.number(), draw.below(19), draw.below(19)
    stamps = Stamps(*(draw.maybe() for _ in range(7)))
    quote = Quote(*(draw.maybe() for _ in range(4)))
    changes = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Publication(*head, stamps, quote, lines, np.array(runs, dtype=np.int64).reshape(-1, 4), changes, trades)


def judge_publication(data: bytes) -> object:
    """Any publication survives its record."""
    one = draw_publication(Draw(data))
    for line in one.venues:
        line.reason = line.reason.replace("\0", "")
    found = decode_publication(encode_publication(one))
    assert comparable(found) == comparable(one)
    return one.kind, len(one.venues), len(one.trades)


def _records() -> list[bytes]:
    maker = Maker()
    return [GOLDEN.read_bytes(), *(encode_publication(one) for one in (maker.key(), maker.delta(3), maker.delta(0)))]


TARGETS = [
    Target("record", judge_record, _records, least=100_000),
    Target("publication", judge_publication, lambda: [bytes(range(k, k + 90)) for k in (0, 2, 60, 90)]),
]
