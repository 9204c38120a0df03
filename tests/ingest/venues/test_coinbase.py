"""What each Coinbase frame becomes."""

from __future__ import annotations

import json

import pytest

from ingest.venue import Control, Ignored, Listing, Sign, TradeUpdate
from ingest.venues.coinbase import VENUE
from tests.ingest.venues.shapes import book, decoded, frames, scales
from thalweg.errors import DecodeError
from thalweg.events import Taker

T = 1775572200_000_000_000  # 2026-04-07T14:30:00Z


def test_books_are_split_by_side_and_stamped_by_their_frame() -> None:
    assert decoded(VENUE, *frames("coinbase", "book")) == [
        book("BTC-USD", True, [[6890000, 150000000]], [[6890100, 50000000]], ts_event=T + 123_456_000),
        book("BTC-USD", False, [[6890000, 200000000]], [[6890100, 0]], ts_event=T + 1_456_789_012),
    ]


def test_trades_come_oldest_first_with_the_taker_opposite_the_maker() -> None:
    assert decoded(VENUE, *frames("coinbase", "trade")) == [
        TradeUpdate("BTC-USD", 6890051, 100000000, Taker.BUY, "995098699", None, T + 2_500_000_000, history=True),
        TradeUpdate("BTC-USD", 6890050, 150000, Taker.SELL, "995098700", None, T + 2_789_012_000, history=True),
        TradeUpdate("BTC-USD", 6890050, 10000000, Taker.SELL, "995098701", None, T + 3_000_000_000),
        TradeUpdate("BTC-USD", 6890050, 20000000, Taker.SELL, "995098702", None, T + 3_100_000_000),
    ]


def test_control_frames() -> None:
    assert decoded(VENUE, *frames("coinbase", "control")) == [
        Control(Sign.ACK, ("BTC-USD", "ETH-USD")),
        Control(Sign.ACK),
        Control(Sign.ALIVE),
        Control(Sign.NACK, text="authentication failure"),
    ]


def test_other_channels_are_ignored_by_name() -> None:
    assert decoded(VENUE, *frames("coinbase", "ignored")) == [Ignored("ticker"), Ignored("something_new")]


def test_every_channel_counts_in_the_connections_sequence() -> None:
    cases = ("book", "trade", "control", "ignored")
    sequences = [VENUE.decode(line, scales).connection_sequence for case in cases for line in frames("coinbase", case)]
    assert sequences == [0, 1, 6, 7, 5, 6, 9, None, 10, 11]


def test_a_frame_without_its_sequence_is_refused() -> None:
    with pytest.raises(DecodeError):
        VENUE.decode(frames("coinbase", "book")[1].replace(b"sequence_num", b"sequence"), scales)


def test_an_instant_out_of_range_costs_nothing_but_itself() -> None:
    frame = frames("coinbase", "book")[1].replace(b"2026-04-07T14:30:01.456789012Z", b"0001-01-01T00:00:00Z")
    assert decoded(VENUE, frame) == [book("BTC-USD", False, [[6890000, 200000000]], [[6890100, 0]])]


def test_listings_leave_out_aliases_and_what_can_not_be_read() -> None:
    metadata = VENUE.metadata
    assert metadata
    assert metadata.matches(metadata.url("https://host"))
    assert not metadata.matches("https://host/api/v3/brokerage/market/products/BTC-USD")
    assert metadata.decode(frames("coinbase", "listings")[0]) == {
        "BTC-USD": Listing("BTC", "USD", 2, 8),
        "SHIB-USD": Listing("SHIB", "USD", 8, 0, trading=False),
    }


def test_one_channel_a_message_heartbeats_first() -> None:
    assert [json.loads(text) for text in VENUE.subscribe(["BTC-USD", "ETH-USD"])] == [
        {"type": "subscribe", "channel": "heartbeats"},
        {"type": "subscribe", "product_ids": ["BTC-USD", "ETH-USD"], "channel": "level2"},
        {"type": "subscribe", "product_ids": ["BTC-USD", "ETH-USD"], "channel": "market_trades"},
    ]
    again = [json.loads(text) for text in VENUE.resubscribe("BTC-USD")]
    assert [(one["type"], one["channel"]) for one in again] == [
        ("unsubscribe", "level2"),
        ("subscribe", "level2"),
        ("subscribe", "market_trades"),
    ]
    assert VENUE.connect("wss://host") == "wss://host"


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (b'"offer"', b'"ask"'),
        (b'"update"', b'"partial"'),
        (b'"sequence_num":1', b'"sequence_num":"1"'),
        (b'"2026-04-07T14:30:01.456789012Z"', b'"yesterday"'),
        (b'"events":[', b'"events":[null,'),
    ],
)
def test_a_book_frame_of_another_shape_is_refused(part: bytes, other: bytes) -> None:
    frame = frames("coinbase", "book")[1]
    assert part in frame
    with pytest.raises(DecodeError):
        VENUE.decode(frame.replace(part, other), scales)
