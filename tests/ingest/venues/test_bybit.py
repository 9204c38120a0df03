"""What each Bybit frame becomes."""

from __future__ import annotations

import json

import pytest

from ingest.venue import Control, Ignored, Listing, Sign, TradeUpdate
from ingest.venues.bybit import VENUE
from tests.ingest.venues.shapes import MS, book, decoded, frames, scales
from thalweg.errors import DecodeError
from thalweg.events import Taker


def test_books_are_whole_or_steps_and_carry_the_matching_engines_time_where_there_is_one() -> None:
    whole, delta, restarted = decoded(VENUE, *frames("bybit", "book"))
    assert whole == book(
        "BTCUSDT",
        True,
        [[3024720, 3002800000], [3024540, 22400000]],
        [[3024870, 10000000], [3024930, 89200000]],
        first=177400506,
        last=177400506,
        ts_event=1687940967460 * MS,
        depth=200,
    )
    assert delta == book(
        "BTCUSDT",
        False,
        [[3024000, 0]],
        [[3024960, 120000000]],
        first=177400507,
        last=177400507,
        ts_event=1687940967484 * MS,
    )
    assert restarted == book(
        "BTCUSDT", True, [], [[3024960, 120000000]], first=1, last=1, ts_event=1687940967586 * MS, depth=50
    )


def test_every_trade_of_a_frame_is_kept_in_order_with_its_text_id() -> None:
    assert decoded(VENUE, *frames("bybit", "trade")) == [
        TradeUpdate("BTCUSDT", 1657850, 100000, Taker.BUY, "2290000000123456789", None, 1672304486865 * MS),
        TradeUpdate("BTCUSDT", 1657840, 200000000, Taker.SELL, "2290000000123456795", None, 1672304486866 * MS),
    ]


def test_answers_name_the_symbol_by_request_id_or_by_the_topic_in_their_text() -> None:
    assert decoded(VENUE, *frames("bybit", "control")) == [
        Control(Sign.ACK, ("BTCUSDT",)),
        Control(Sign.ACK),
        Control(Sign.ALIVE, text="subscribe"),
        Control(Sign.NACK, ("BTCUSDT",), "error:handler not found,topic:orderbook.7.BTCUSDT"),
        Control(Sign.NACK, ("NOPEUSDT",), "Invalid symbol :[orderbook.50.NOPEUSDT]"),
        Control(Sign.ACK, ("ETHUSDT",)),
        Control(Sign.NACK, (), "args size >10"),
        Control(Sign.ALIVE),
        Control(Sign.ALIVE),
    ]


def test_other_topics_are_ignored_by_name_best_prices_too() -> None:
    assert decoded(VENUE, *frames("bybit", "ignored")) == [
        Ignored("orderbook.1"),
        Ignored("orderbook.full"),
        Ignored("tickers"),
        Ignored("kline"),
        Ignored("auth"),
    ]


def test_listings_give_the_places_of_the_steps_and_leave_out_what_can_not_be_read() -> None:
    metadata = VENUE.metadata
    assert metadata
    assert metadata.matches(metadata.url("https://host"))
    assert not metadata.matches("https://host/v5/market/instruments-info?category=linear")
    listed, refused = frames("bybit", "listings")
    assert metadata.decode(listed) == {
        "BTCUSDT": Listing("BTC", "USDT", 1, 6),
        "SHIBUSDT": Listing("SHIB", "USDT", 8, 0, trading=False),
    }
    with pytest.raises(DecodeError):
        metadata.decode(refused)


def test_each_topic_is_asked_for_apart_so_that_one_refusal_costs_no_other() -> None:
    wanted = [
        {"req_id": "BTCUSDT", "op": "subscribe", "args": ["orderbook.200.BTCUSDT"]},
        {"req_id": "BTCUSDT", "op": "subscribe", "args": ["publicTrade.BTCUSDT"]},
    ]
    assert [json.loads(text) for text in VENUE.subscribe(["BTCUSDT"])] == wanted
    assert [json.loads(text) for text in VENUE.resubscribe("BTCUSDT")] == [
        {"req_id": "BTCUSDT", "op": "unsubscribe", "args": ["orderbook.200.BTCUSDT"]},
        *wanted,
    ]
    assert VENUE.connect("wss://host") == "wss://host/v5/public/spot"


@pytest.mark.parametrize(
    ("part", "other"), [(b'"snapshot"', b'"partial"'), (b'"u":177400506', b'"u":true'), (b'"s":', b'"S":')]
)
def test_a_book_frame_of_another_shape_is_refused(part: bytes, other: bytes) -> None:
    frame = frames("bybit", "book")[0]
    assert part in frame
    with pytest.raises(DecodeError):
        VENUE.decode(frame.replace(part, other), scales)
