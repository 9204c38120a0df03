"""What each Gate frame becomes."""

from __future__ import annotations

import json

import pytest

from ingest.venue import Control, Ignored, Listing, Sign, TradeUpdate
from ingest.venues.gate import VENUE
from tests.ingest.venues.shapes import MS, book, decoded, frames, scales
from thalweg.errors import DecodeError
from thalweg.events import Taker

SECOND = 1_000_000_000


def test_spans_go_on_from_a_full_book_and_a_side_that_is_not_there_has_not_changed() -> None:
    full, span, nothing, again = decoded(VENUE, *frames("gate", "book"))
    assert full == book(
        "BTC_USDT",
        True,
        [[6500010, 150000000]],
        [[6500020, 1], [6500100, 200000000]],
        last=9649549324,
        ts_event=1777275365213 * MS,
        depth=400,
    )
    assert span == book(
        "BTC_USDT",
        False,
        [[6500010, 0], [6499990, 125000000]],
        [],
        first=9649549325,
        last=9649549330,
        ts_event=1777275365233 * MS,
    )
    assert nothing == book("BTC_USDT", False, [], [], first=9649549331, last=9649549340, ts_event=1777275365253 * MS)
    assert again == book(
        "BTC_USDT", True, [], [[6500020, 300000000]], last=9649549345, ts_event=1777275365273 * MS, depth=50
    )


def test_trades_come_one_by_one_or_in_a_list_with_fractions_of_a_millisecond_or_none() -> None:
    assert decoded(VENUE, *frames("gate", "trade")) == [
        TradeUpdate("BTC_USDT", 6499950, 47000000, Taker.SELL, "309143071", None, 1606292218213457800),
        TradeUpdate("BTC_USDT", 6500020, 10000000, Taker.BUY, "309143072", None, 1648725035923 * MS),
        TradeUpdate("BTC_USDT", 6500030, 20000000, Taker.BUY, "309143073", None, 1648725035924 * MS),
    ]


def test_answers_name_the_symbol_by_their_topic_or_in_their_words() -> None:
    assert decoded(VENUE, *frames("gate", "control")) == [
        Control(Sign.ACK, ("BTC_USDT",)),
        Control(Sign.ACK, ("BTC_USDT",)),
        Control(Sign.ALIVE),
        Control(Sign.NACK, ("NOPE_USDT",), "unknown currency pair NOPE_USDT"),
        Control(Sign.ACK, ("BTC_USDT",), "Alert sub ob.BTC_USDT.400"),
        Control(Sign.NACK, (), "invalid request body"),
        Control(Sign.ALIVE),
    ]


def test_other_channels_are_ignored_by_name() -> None:
    assert decoded(VENUE, *frames("gate", "ignored")) == [
        Ignored("spot.book_ticker"),
        Ignored("spot.order_book_update"),
        Ignored("spot.system"),
    ]


def test_each_topic_is_asked_for_apart_and_says_when() -> None:
    wanted = [
        {"time": 0, "channel": "spot.obu", "event": "subscribe", "payload": ["ob.BTC_USDT.400"]},
        {"time": 0, "channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT"]},
    ]
    assert [json.loads(text) for text in VENUE.subscribe(["BTC_USDT"])] == wanted
    assert [json.loads(text) for text in VENUE.resubscribe("BTC_USDT")] == [
        wanted[0] | {"event": "unsubscribe"},
        *wanted,
    ]
    assert json.loads(VENUE.stamp(VENUE.subscribe(["BTC_USDT"])[0], 5 * SECOND + 1))["time"] == 5
    assert json.loads(VENUE.stamp(VENUE.keepalive.ping or "", 7 * SECOND)) == {"time": 7, "channel": "spot.ping"}
    assert VENUE.connect("wss://host") == "wss://host/ws/v4/"


def test_listings_give_the_places_and_leave_out_what_can_not_be_read_or_held() -> None:
    assert VENUE.metadata
    assert VENUE.metadata.matches(VENUE.metadata.url("https://host"))
    listed, refused = frames("gate", "listings")
    assert VENUE.metadata.decode(listed) == {
        "BTC_USDT": Listing("BTC", "USDT", 1, 6),
        "OLD_USDT": Listing("OLD", "USDT", 15, 0, trading=False),
    }
    with pytest.raises(DecodeError):
        VENUE.metadata.decode(refused)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (b'"ob.BTC_USDT.400"', b'"ob.BTC_USDT.100"'),
        (b'"full":true', b'"full":1'),
        (b'"u":9649549324', b'"u":"9649549324"'),
        (b'"t":1777275365213', b'"t":null'),
        (b'"full":true,', b""),  # then it is a span that does not say where it begins
    ],
)
def test_a_book_frame_of_another_shape_is_refused(part: bytes, other: bytes) -> None:
    frame = frames("gate", "book")[0]
    assert part in frame
    with pytest.raises(DecodeError):
        VENUE.decode(frame.replace(part, other), scales)
