"""What each Kraken frame becomes, and the checksum over the digits as they came."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator

import pytest

from ingest.sequence import Proof, Verdict
from ingest.venue import BookUpdate, Control, Ignored, Refused, Sign, TradeUpdate
from ingest.venues.kraken import VENUE, checksum
from tests.ingest.venues.shapes import book, decoded, frames, scales
from thalweg.book import Book
from thalweg.errors import DecodeError
from thalweg.events import State, Taker

T = 1786923422_000_000_000  # 2026-08-16T23:37:02Z


def test_books_carry_their_checksum_and_how_far_units_are_from_the_digits() -> None:
    whole, delta, odd = decoded(VENUE, *frames("kraken", "book"))
    assert whole == book(
        "BTC/USD",
        True,
        [[6280700, 50930100], [6280690, 10000000]],
        [[6280710, 100000000]],
        ts_event=T + 850_112_000,
        checksum=2439117997,
        shift=(-1, 0),
        depth=10,
    )
    assert delta == book(
        "BTC/USD",
        False,
        [],
        [[6280700, 0], [6281880, 65540712]],
        ts_event=T + 1_745_044_000,
        checksum=4249465476,
        shift=(-1, 0),
    )
    assert odd == book(
        "BTC/USD", True, [[6280700, 500000000]], [[6280710, 1]], ts_event=None, checksum=0, shift=(-1, 0), depth=10
    )


def updates(units: tuple[int, int]) -> Iterator[BookUpdate]:
    for frame in frames("kraken", "vector"):
        for message in VENUE.decode(frame, lambda _: units).messages:
            assert isinstance(message, BookUpdate)
            yield message


@pytest.mark.parametrize("units", [(8, 8), (1, 8), (2, 12)])
def test_the_published_checksum_and_its_follow_ups_hold_in_any_units(units: tuple[int, int]) -> None:
    held, rule = Book(), VENUE.rule()
    for update in updates(units):
        assert rule.admit(update) is Verdict.APPLY
        (held.load if update.whole else held.apply)(update.bids, update.asks)
        assert rule.verify(update, held) is Proof.GOOD


def test_a_lost_update_fails_the_next_checksum() -> None:
    held, rule = Book(), VENUE.rule()
    whole, _, last = updates((8, 8))
    rule.admit(whole)
    held.load(whole.bids, whole.asks)
    rule.admit(last)
    held.apply(last.bids, last.asks)
    assert rule.verify(last, held) is Proof.BAD


def test_a_thin_book_has_fewer_digits_and_an_empty_one_none() -> None:
    held = Book()
    assert checksum(held, (0, 0)) == 0
    (whole, *_) = updates((1, 8))
    held.load(whole.bids[:1], whole.asks[:0])
    assert checksum(held, (0, 0)) == zlib.crc32(b"45283510000000")


def test_trades_are_the_takers_and_a_snapshot_is_history() -> None:
    assert decoded(VENUE, *frames("kraken", "trade")) == [
        TradeUpdate("BTC/USD", 6280690, 1470022, Taker.SELL, "84465906", 84465906, T + 1_708_706_000),
        TradeUpdate("BTC/USD", 6280700, 200000000, Taker.BUY, "84465907", 84465907, T + 1_708_707_000),
        TradeUpdate("BTC/USD", 6280690, 1470022, Taker.SELL, "84465906", 84465906, T + 1_708_706_000, history=True),
    ]


def test_control_frames() -> None:
    assert decoded(VENUE, *frames("kraken", "control")) == [
        Control(Sign.STATE, text="online", state=State.SYNCING),
        Control(Sign.STATE, text="maintenance", state=State.HALTED),
        Control(Sign.ALIVE),
        Control(Sign.ALIVE),
        Control(Sign.ACK, ("BTC/USD",), depth=25),
        Control(Sign.ACK, ("BTC/USD",)),
        Control(Sign.ALIVE),
        Control(Sign.NACK, ("XBT/USD",), "Currency pair not supported XBT/USD"),
        Control(Sign.NACK, (), "Subscription depth not supported"),
        Control(Sign.ACK, ("BTC/USD",), "Already subscribed"),
        Control(Sign.ALIVE, text="Something else"),
        Control(Sign.NACK, (), "Exceeded msg rate"),
    ]


def test_other_channels_are_ignored_by_name() -> None:
    assert decoded(VENUE, *frames("kraken", "ignored")) == [
        Ignored("ticker"),
        Ignored("instrument"),
        Ignored("something"),
        Ignored("unnamed"),
    ]


def test_subscriptions_repeat_the_depth_and_trades_come_without_a_recap() -> None:
    books = {"channel": "book", "symbol": ["BTC/USD"], "depth": 25}
    trades = {"channel": "trade", "symbol": ["BTC/USD"], "snapshot": False}
    assert [json.loads(text) for text in VENUE.subscribe(["BTC/USD"])] == [
        {"method": "subscribe", "params": books},
        {"method": "subscribe", "params": trades},
    ]
    assert [json.loads(text) for text in VENUE.resubscribe("BTC/USD")] == [
        {"method": "unsubscribe", "params": books},
        {"method": "subscribe", "params": books},
        {"method": "subscribe", "params": trades, "req_id": 2},
    ]
    assert VENUE.connect("wss://host") == "wss://host/v2"


def test_a_refused_entry_costs_no_other_of_its_frame() -> None:
    first, second = frames("kraken", "trade")[0].split(b"},{")
    frame = first.replace(b"0.01470022", b"1e400") + b"},{" + second
    assert decoded(VENUE, frame) == [
        Refused("BTC/USD", "trade", "overflow"),
        *decoded(VENUE, b"},{".join((first, second)))[1:],
    ]


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (b'"update"', b'"partial"'),
        (b'"checksum":4249465476', b'"checksum":true'),
        (b'"checksum":4249465476', b'"checksum":-1'),
        (b'"timestamp":"2026-08-16T23:37:03.745044Z"', b'"timestamp":5'),
        (b'"bids":[]', b'"bids":{}'),
        (b'"bids":[]', b'"bids":[1]'),
        (b"[{", b"[1,{"),
    ],
)
def test_a_book_frame_of_another_shape_is_refused(part: bytes, other: bytes) -> None:
    frame = frames("kraken", "book")[1]
    assert part in frame
    with pytest.raises(DecodeError):
        VENUE.decode(frame.replace(part, other), scales)
